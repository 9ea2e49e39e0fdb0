"""Whether a call happens while requests are served, and the way there. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastlint.checks.ways import sureness
from fastlint.finding import Confidence
from fastlint.graph.contexts import Context, State, is_request, unreached_cost
from fastlint.graph.state import OFF_LOOP, ONCE, Record, Variant
from fastlint.graph.world import FunctionRef
from fastlint.project import Project

SERVED = (Context.LOOP, Context.POOL)
RUNNING = (Context.LOOP, Context.POOL, Context.STARTUP, Context.IMPORT)


class Played(NamedTuple):
    """A call that plays a part, in one variant."""

    variant: Variant
    record: Record
    flags: int

    @property
    def function(self) -> FunctionRef:
        return self.variant.function


def played(project: Project, *roles: str) -> Iterator[Played]:
    """Every call of these parts, in the order of variants."""
    for variant in project.graph.playing:
        for record, flags in variant.records.items():
            if record.role in roles:
                yield Played(variant, record, flags)


def by_place(calls: Iterator[Played]) -> dict[tuple[FunctionRef, int], list[Played]]:
    """The calls by where they stand in the source."""
    out: dict[tuple[FunctionRef, int], list[Played]] = {}
    for call in calls:
        out.setdefault((call.function, call.record.site), []).append(call)
    return out


def running(project: Project, calls: list[Played]) -> State | None:
    """A state in which the application itself makes one of the calls, at import, start-up or later; None if none."""
    arrivals = project.graph.contexts.arrivals
    for context in RUNNING:
        for call in calls:
            if (call.variant.number, context) in arrivals:
                return call.variant.number, context
    return None


def per_request(project: Project, calls: list[Played]) -> State | None:
    """A state in which a request makes one of the calls, every time anew; None where none is certain."""
    contexts = project.graph.contexts
    for call in calls:
        for context in SERVED:
            state = (call.variant.number, context)
            arrival = contexts.arrivals.get(state)
            if arrival is None or arrival.cost >= unreached_cost():
                continue
            if (call.flags | _flags_on_the_way(project, state)) & ONCE or call.flags & OFF_LOOP:
                continue
            if serves_request(project, state):
                return state
    return None


def _flags_on_the_way(project: Project, state: State) -> int:
    """The flags of all hops, of tasks and dependencies too: what a guard starts once is not made by every request."""
    graph = project.graph
    flags = graph.contexts.arrivals[state].flags
    for (number, _), edge in graph.contexts.way(state):
        if edge is not None:
            flags |= graph.variants[number].edges.get(edge, 0)
    return flags


def serves_request(project: Project, state: State) -> bool:
    """Whether the shortest way to a state begins with a request."""
    return is_request(root_label(project, state))


def root_label(project: Project, state: State) -> str:
    """What users call the entry point at which the way to a state begins; nothing where start-up has a part in it."""
    contexts = project.graph.contexts
    way = contexts.way(state)
    if any(place[1] not in SERVED for place, _ in way):
        return ""
    return contexts.arrivals[way[0][0]].root


def confidence(project: Project, state: State, flags: int) -> Confidence:
    """How sure it is that the state does this."""
    return sureness(project.graph.contexts.arrivals[state], flags)
