"""Where each variant runs, and the shortest way it gets there. Works on edges alone; evaluates and judges nothing."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from fastlint.graph.state import (
    CALL,
    COROUTINE,
    ELSEWHERE,
    IMPLICIT,
    LOOP,
    MAYBE,
    OFF_LOOP,
    ONCE,
    POOL,
    PRIVATE,
    PROCESS,
    SERVING,
    STARTUP,
    Edge,
    Variant,
)
from fastlint.graph.world import FunctionRef


class Context(Enum):
    """What runs a function: the event loop while requests are served, a worker thread, start-up, import …"""

    LOOP = "loop"
    POOL = "pool"
    STARTUP = "startup"
    IMPORT = "import"
    MAIN = "main"  # a script that starts the server itself
    PROCESS = "process"
    ELSEWHERE = "elsewhere"

    __hash__ = object.__hash__  # what `Enum` has is written in Python, and asked for hundreds of thousands of times


State = tuple[int, Context]

# A way that is certain beats a shorter one that is not: the weights keep hops apart from doubts.
_DOUBT = 1_000
_ONCE = 100_000
_APART = frozenset({Context.ELSEWHERE, Context.PROCESS})  # no part of the process that serves
_UNREACHED = 10_000_000
_FORGOTTEN = 1_000_000_000


class Arrival(NamedTuple):
    """How a variant was first reached in a context: the cheapest way, one hop at a time."""

    cost: int
    before: State | None
    edge: Edge | None
    flags: int  # of all hops together: ONCE and MAYBE where any hop has them
    root: str  # what users call the entry point, "" where there is none


_RANKS = 3  # of entry points; a way through a task that is started once comes after all ways without

_AT_THE_END = "signal handler"
_ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|TRACE)(?: |$)")
_PART = re.compile(
    r"(route|websocket|dependency|middleware|authentication|exception handler|resolver|route handler|response|"
    r"validator|serializer|tool|API_ROUTE)\b"
)


class Contexts:
    """Every (variant, context) that can happen, each with its cheapest arrival."""

    def __init__(
        self,
        variants: list[Variant],
        turn: Callable[[FunctionRef], tuple[str, int]],
        apart: frozenset[int] = frozenset(),
    ) -> None:
        self.variants = variants
        self.apart = apart  # variants that do not exist in the process that serves
        self.arrivals: dict[State, Arrival] = {}
        self._heap: list[tuple[int, int, int, State, Arrival]] = []
        self._count = 0
        # Of ways that cost the same, the place of functions in the project decides, not when they were looked at
        places = {
            ref: place for place, ref in enumerate(sorted({variant.function for variant in variants}, key=turn), 1)
        }
        self._places = [places[variant.function] for variant in variants]
        self._all = len(places) + 1
        self._callers: dict[State, list[tuple[State, Edge, int]]] = {}
        self._turns: dict[State, int] = {}

    def root(self, variant: int, context: Context, label: str, cost: int = 0, flags: int = 0) -> None:
        """Propose an entry point."""
        rank = 0 if _ROUTE.match(label) else 1 if is_request(label) else 2  # what tells users most comes first
        place = (rank * self._all + self._place(variant)) * self._all
        self._offer((variant, context), Arrival(cost, None, None, flags, label), place)

    def _offer(self, state: State, arrival: Arrival, place: int) -> None:
        """Propose a way to reach a state; kept if it turns out to be the cheapest."""
        if state[0] in self.apart and state[1] not in _APART:
            return
        self._count += 1
        heapq.heappush(self._heap, (arrival.cost, place, self._count, state, arrival))

    def _place(self, number: int) -> int:
        """Where the function of a variant stands among all; at the end where it came later."""
        return self._places[number] if number < len(self._places) else self._all - 1

    def spread(self) -> None:
        """Follow edges from everything proposed so far, cheapest first."""
        while self._heap:
            cost, place, _, state, arrival = heapq.heappop(self._heap)
            if state in self.arrivals:
                continue
            self.arrivals[state] = arrival
            number = state[0]
            place += self._place(number) - place % self._all  # by the entry point first, then by who calls
            for edge, flags in self.variants[number].edges.items():
                following = self._following(state, edge, flags)
                if following is None:
                    continue
                target = (edge.target, following)
                self._callers.setdefault(target, []).append((state, edge, flags))
                if target in self.arrivals:
                    continue
                # A task started behind a guard runs on by itself: the guard says nothing of what it does
                kept = flags & MAYBE if edge.kind in (LOOP, POOL) else flags & (MAYBE | ONCE)
                before = arrival.flags & MAYBE if edge.kind in (LOOP, POOL) else arrival.flags
                extra = 1 + (_DOUBT if kept & MAYBE else 0) + (_ONCE if kept & ONCE else 0)
                started_once = self._all * self._all * _RANKS if flags & ~kept & ONCE else 0
                self._offer(
                    target,
                    Arrival(
                        cost + extra,
                        state,
                        edge,
                        before | kept,
                        self.variants[number].labels.get(edge.site, "") if edge.kind not in (CALL, COROUTINE) else "",
                    ),
                    place + started_once,
                )

    def _following(self, state: State, edge: Edge, flags: int) -> Context | None:
        """The context of what an edge leads to. A task that a signal handler makes brings the service to its end, as
        the handler would if it could await: no request is served any more."""
        if edge.kind == LOOP and state[1] is Context.STARTUP and self.arrivals[state].root == _AT_THE_END:
            return Context.STARTUP
        return step(state[1], edge.kind, flags)

    def made_apart(self) -> frozenset[int]:
        """The closures of functions that only run outside of the process that serves: a command line may put them
        where the server looks for callbacks, but never in the server itself. What registers routes on its way, or is
        called by what does, is a server of its own, whoever starts it."""
        makers = {variant.number for variant, *_ in entry_edges(self.variants)}
        outside: dict[FunctionRef, bool] = {}
        for state in self.arrivals:
            function = self.variants[state[0]].function
            if function[1] >= 0 and outside.get(function, True):
                serves = state[1] not in _APART or any(number in makers for (number, _), _ in self.way(state))
                outside[function] = not serves
        return frozenset(
            variant.number
            for variant in self.variants
            if variant.env >= 0 and outside.get(self.variants[variant.env].function, False)
        )

    def serves(self, numbers: Iterable[int]) -> bool:
        """Whether any of these variants was reached in the process that serves."""
        contexts = [context for context in Context if context not in _APART]
        return any((number, context) in self.arrivals for number in numbers for context in contexts)

    def way(self, state: State) -> list[tuple[State, Edge | None]]:
        """The states from the entry point to this one, each with the edge to the next (None at the end)."""
        out: list[tuple[State, Edge | None]] = [(state, None)]
        arrival = self.arrivals[state]
        seen = {state}
        while arrival.before is not None and arrival.before not in seen:
            out.append((arrival.before, arrival.edge))
            seen.add(arrival.before)
            arrival = self.arrivals[arrival.before]
        return list(reversed(out))

    def turn(self, state: State) -> int:
        """How many states were reached before this one: tells the nearest of several that cost the same."""
        if len(self._turns) != len(self.arrivals):
            self._turns = {each: number for number, each in enumerate(self.arrivals)}
        return self._turns[state]

    def has(self, variant: int, contexts: Iterable[Context]) -> bool:
        """Whether a variant runs in any of these contexts."""
        return any((variant, context) in self.arrivals for context in contexts)

    def callers(self, state: State) -> list[tuple[State, Edge, int]]:
        """Every reached state from which an edge leads to this one."""
        return self._callers.get(state, [])

    def roots_above(self, state: State, limit: int = 2_000) -> set[State]:
        """The entry points from which a state can be reached; stops looking after `limit` states."""
        found: set[State] = set()
        seen = {state}
        waiting = [state]
        while waiting and len(seen) < limit:
            current = waiting.pop()
            arrival = self.arrivals[current]
            if arrival.before is None or arrival.root:
                found.add(current)
                if arrival.before is None:
                    continue
            for origin, _, _ in self.callers(current):
                if origin not in seen:
                    seen.add(origin)
                    waiting.append(origin)
        return found


def is_request(label: str) -> bool:
    """Whether what users call an entry point is a part of answering a request: `GET /items`, `dependency`."""
    return _ROUTE.match(label) is not None or _PART.match(label) is not None


def step(context: Context, kind: str, flags: int) -> Context | None:
    """The context of a callee, from its caller's and from how it is run; None where it does not run at all."""
    if context in (Context.LOOP, Context.STARTUP) and flags & OFF_LOOP:
        return None
    if kind == CALL:
        return context
    if kind == COROUTINE:  # a coroutine needs a loop: its maker's
        return context if context in (Context.LOOP, Context.STARTUP, Context.ELSEWHERE) else None
    if kind == SERVING and context is Context.MAIN:  # `asyncio.run(serve())`: this loop is the server's
        return Context.STARTUP
    if kind in (PRIVATE, SERVING):  # a loop of its own; on a running loop it fails at once
        return None if context in (Context.LOOP, Context.STARTUP) else context
    if context is Context.ELSEWHERE:
        return Context.ELSEWHERE
    if context is Context.PROCESS:
        return Context.PROCESS
    return Context.PROCESS if kind == PROCESS else _OF_KIND[kind]


_OF_KIND = {LOOP: Context.LOOP, POOL: Context.POOL, STARTUP: Context.STARTUP, ELSEWHERE: Context.ELSEWHERE}


def entry_edges(variants: list[Variant]) -> Iterator[tuple[Variant, Edge, int, str, Context]]:
    """Every edge that registers an entry point, with what users call it and where it runs."""
    for variant in variants:
        if not variant.labels:
            continue
        for edge, flags in variant.edges.items():
            label = variant.labels.get(edge.site)
            context = _OF_KIND.get(edge.kind)
            if label is not None and context is not None:
                yield variant, edge, flags, label, context


def unreached_cost() -> int:
    """What it costs to start where no entry point leads: more than any way from one."""
    return _UNREACHED


def forgotten_cost() -> int:
    """What it costs to start where probably nobody ever leads: more than any way from an unreached function."""
    return _FORGOTTEN


__all__ = [
    "IMPLICIT",
    "Arrival",
    "Context",
    "Contexts",
    "State",
    "entry_edges",
    "forgotten_cost",
    "is_request",
    "step",
    "unreached_cost",
]
