"""FL402 and FL404: HTTP calls that may wait for ever, and synchronous clients that hold a worker thread."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.blocking import shown
from fastlint.finding import Confidence, Finding, Step
from fastlint.graph.contexts import Context, State
from fastlint.graph.state import MAYBE
from fastlint.graph.world import FunctionRef
from fastlint.project import Project

_SERVED = (Context.LOOP, Context.POOL, Context.STARTUP)
_CLIENT_RULES = frozenset({"FL101", "FL107"})


def calls_without_timeout(project: Project) -> Iterator[Finding]:
    """An HTTP call of the server that has no time-out: it holds the loop, or a thread, as long as the peer likes."""
    graph = project.graph
    done: set[tuple[FunctionRef, int]] = set()
    for variant in graph.variants:
        for event, flags in variant.events.items():
            key = (variant.function, event.site)
            if event.rule != "FL402" or key in done:
                continue
            state = next(((variant.number, c) for c in _SERVED if (variant.number, c) in graph.contexts.arrivals), None)
            if state is None:
                continue
            done.add(key)
            arrival = graph.contexts.arrivals[state]
            name = graph.name(variant)
            yield project.found(
                "FL402",
                project.where(variant.function, event.site),
                {"call": shown(event.name), "instead": event.spec.instead, "via": name},
                confidence=Confidence.MEDIUM if (flags | arrival.flags) & MAYBE else Confidence.HIGH,
                steps=_first_and_last(project, state, event.site, shown(event.name)),
                symbol=name,
                subject=shown(event.name),
            )


def sync_clients(project: Project) -> Iterator[Finding]:
    """A synchronous client used by a plain `def` route or dependency: an async one would free the thread."""
    graph = project.graph
    done: set[tuple[FunctionRef, int, str]] = set()
    for variant in graph.variants:
        state = (variant.number, Context.POOL)
        arrival = graph.contexts.arrivals.get(state)
        if arrival is None or not variant.events:
            continue
        for event, flags in variant.events.items():
            key = (variant.function, event.site, event.rule)
            if event.rule not in _CLIENT_RULES or not event.spec.instead or key in done:
                continue
            root = graph.contexts.way(state)[0][0]
            if not graph.contexts.arrivals[root].root:
                continue
            done.add(key)
            name = graph.name(variant)
            yield project.found(
                "FL404",
                project.where(variant.function, event.site),
                {"call": shown(event.name), "instead": event.spec.instead, "via": name},
                confidence=Confidence.MEDIUM if (flags | arrival.flags) & MAYBE else Confidence.HIGH,
                steps=_first_and_last(project, state, event.site, shown(event.name)),
                symbol=name,
                subject=shown(event.name),
            )


def _first_and_last(project: Project, state: State, site: int, name: str) -> tuple[Step, ...]:
    graph = project.graph
    way = [place for place, _ in graph.contexts.way(state)]
    while len(way) > 1 and graph.variants[way[0][0]].function[1] < 0:
        way = way[1:]
    root = graph.contexts.arrivals[way[0]].root
    first = graph.variants[way[0][0]]
    label = graph.name(first)
    steps = [Step(project.where(first.function, -1), f"{root} → {label}" if root else label)]
    here = graph.variants[state[0]].function
    steps.append(Step(project.where(here, site), name))
    return tuple(steps)
