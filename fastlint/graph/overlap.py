"""Of which states several can be under way at once, and which take turns in an executor of a single thread.

Works on edges and labels, and asks its caller which executor a call uses. Knows no shared place and no rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastlint.graph.contexts import Context, Contexts, State, entry_edges, step
from fastlint.graph.state import LOOP, ONCE, POOL, Variant
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import calls_within

MANY = ("many",)
"""What is under way any number of times at once, as opposed to the place of an executor."""
SINGLE_THREAD = "concurrent.futures.ThreadPoolExecutor:single"
# What runs once, or never beside itself: a loop or thread of its own
ALONE = frozenset(
    {
        "",
        "callback",
        "command",
        "executor",
        "exit hook",
        "lifespan",
        "loop callback",
        "periodic task",
        "process",
        "scheduled job",
        "shutdown hook",
        "signal handler",
        "start-up hook",
        "task",
        "thread",
        "timer",
        "worker signal",
    }
)
_SERVED = (Context.LOOP, Context.POOL)
_HANDING = frozenset({"submit", "map"})


def overlaps(
    variants: list[Variant], contexts: Contexts, queue_of: Callable[[Variant, int], Any]
) -> dict[State, tuple[Any, ...]]:
    """The states that requests run: below a route, a dependency, a task of a request … Each with MANY, or with the one
    executor of a single thread (as `queue_of` names it for a variant's call) through which all ways to it lead."""
    out: dict[State, tuple[Any, ...]] = {}
    waiting: list[State] = []

    def reach(state: State, how: tuple[Any, ...]) -> None:
        known = out.get(state)
        new = how if known is None or known == how else MANY
        if new != known:
            out[state] = new
            waiting.append(state)

    for _, edge, _, label, context in entry_edges(variants):
        if label not in ALONE and context in _SERVED:
            reach((edge.target, context), MANY)
    while waiting:
        number, context = waiting.pop()
        for edge, flags in variants[number].edges.items():
            following = step(context, edge.kind, flags)
            if following is None or (flags & ONCE and edge.kind in (LOOP, POOL)):
                continue
            state = (edge.target, following)
            if state in contexts.arrivals:
                how = out[number, context]
                if edge.kind in (LOOP, POOL):
                    how = (queue_of(variants[number], edge.site) if edge.kind == POOL else None) or MANY
                reach(state, how)
    return out


def executor_used(body: Block, site: int) -> Node:
    """What a call at a site of a function hands its work to: `pool` in `pool.submit(work)` and in
    `loop.run_in_executor(pool, work)`; None for calls of another kind."""
    for call in calls_within(body):
        callee = call[2]
        if call[1] != site or callee is None or callee[0] != "a":
            continue
        if callee[3] in _HANDING:
            return callee[2]
        if callee[3] == "run_in_executor":
            named = (value for name, value in call[4] if name == "executor")
            return call[3][0] if call[3] else next(named, None)
    return None
