"""FL112: a loop in async code that never gives the event loop a turn. Looks at structure, not at libraries."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.ways import sureness
from fastlint.finding import Finding, Step
from fastlint.graph.awaits import awaits, suspends
from fastlint.graph.contexts import Context
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Block
from fastlint.source.nodes import blocks_of


def loops_without_yield(project: Project) -> Iterator[Finding]:
    """`while True` with no way out and no await in it, and waiting for a condition that only others can change."""
    graph = project.graph
    done: set[FunctionRef] = set()
    for variant in graph.in_order:
        function = graph.function(variant)
        if function is None or not function.is_async or variant.function in done:
            continue
        done.add(variant.function)
        arrival = graph.contexts.arrivals.get((variant.number, Context.LOOP))
        if arrival is None:
            continue
        for site, kind in _endless(function.body):
            where = project.where(variant.function, site)
            name = graph.name(variant)
            yield project.found(
                "FL112",
                where,
                {"call": kind, "instead": "`await asyncio.sleep(0)`", "via": name},
                confidence=sureness(arrival),
                steps=(
                    Step(project.where(variant.function, -1), f"{arrival.root} → {name}" if arrival.root else name),
                ),
                symbol=name,
                subject=kind,
            )


def _endless(block: Block) -> Iterator[tuple[int, str]]:
    """The loops of a body that never yield: (site, how users write it)."""
    for statement in block:
        if statement[0] == "while":
            _, site, test, body, *_ = statement
            if not suspends(body) and not awaits(test):
                if test is not None and test[0] == "k" and test[1] and not _leaves(body):
                    yield site, "while True"
                elif _only_waits(body) and test is not None and test[0] != "k":
                    yield site, "while … : pass"
        for inner in blocks_of(statement):
            yield from _endless(inner)


def _leaves(block: Block) -> bool:
    """Whether a loop body can end the loop: break, return, raise."""
    for statement in block:
        tag = statement[0]
        if tag in ("ret", "raise"):
            return True
        if tag == "break":
            return True
        if tag in ("while", "for"):
            if any(_returns(inner) for inner in blocks_of(statement)):
                return True
        elif any(_leaves(inner) for inner in blocks_of(statement)):
            return True
    return False


def _returns(block: Block) -> bool:
    return any(
        statement[0] in ("ret", "raise") or any(_returns(inner) for inner in blocks_of(statement))
        for statement in block
    )


def _only_waits(block: Block) -> bool:
    """A body that changes nothing: it is empty, or sleeps, so that only somebody else can end the loop."""
    return all(
        statement[0] == "continue"
        or (
            statement[0] == "e"
            and statement[1][0] == "c"
            and statement[1][2] is not None
            and statement[1][2][-1] == "sleep"
        )
        for statement in block
    )
