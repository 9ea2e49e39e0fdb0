"""FL1: calls that wait while the event loop waits with them. Works on events and ways; knows no library by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fastlint.checks.ways import steps_to, sureness
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.graph.contexts import Context, State, unreached_cost
from fastlint.graph.newborn import is_of_newborn
from fastlint.graph.state import OFF_LOOP, ONCE, Edge, Event
from fastlint.graph.world import FunctionRef
from fastlint.project import Project

_PER_REQUEST = frozenset({"FL115"})  # building once, before the first request, is what they should do
_ANYWHERE = frozenset({"FL116"})  # a log handler is configured at import, and blocks later, on every record
_OTHER_CHECKS = frozenset({"FL402"})
_AT_A_TERMINAL = frozenset({"FL110"})  # nobody sits at the terminal of a service
_DEBUGGERS = ("breakpoint", "builtins.breakpoint", "pdb.", "ipdb.", "debugpy.")  # they are forgotten anywhere
_FIRST_TO_FAIL = re.compile(
    r"/(?:\w+[-_])?(?:health|healthz|ready|readyz|live|livez|liveness|readiness|ping|metrics|login|token|auth|signin|sign-in)\b"
)
# Hops add up their doubts, and nobody can check so many. Of twelve applications (November 2026) one had ways of more
# than 12 steps that nothing visible starts: 28, by dispatch upon dispatch. No way from a route had more than 16.
_FAR = 24
_FAR_UNREACHED = 12
_MOST_RELATED = 20


@dataclass(slots=True)
class _Primitive:
    """One blocking call in the source, with every state that runs it."""

    function: FunctionRef
    event: Event
    flags: int
    state: State
    others: list[State] = field(default_factory=list)


def blocking_calls(project: Project) -> Iterator[Finding]:
    """A call that waits while the event loop waits with it, at any depth below it."""
    calls: dict[tuple[FunctionRef, int, str], list[tuple[_Primitive, tuple[State, int]]]] = {}
    for primitive in _primitives(project):
        caller = _loop_call(project, primitive)
        variant = project.graph.variants[caller[0][0]]
        calls.setdefault((variant.function, caller[1], primitive.event.rule), []).append((primitive, caller))
    # `connection.execute(…).fetchone()`: two calls of one expression that begin at one place, and one thing to mend
    groups: dict[tuple[str, int, int, str], list[tuple[_Primitive, tuple[State, int]]]] = {}
    ends: dict[tuple[FunctionRef, int], tuple[int, int]] = {}
    for (function, site, rule), members in calls.items():
        place = project.where(function, site)
        ends[(function, site)] = (place.end_line, place.end_column)
        groups.setdefault((place.path, place.line, place.column, rule), []).extend(members)
    ordinals: dict[tuple[str, str, str], int] = {}
    findings = [_finding(project, members, ends) for members in groups.values()]
    for finding in sorted(findings):
        key = (finding.code, f"{finding.where.path}:{finding.symbol}", finding.subject)
        ordinal = ordinals[key] = ordinals.get(key, -1) + 1
        yield finding if ordinal == 0 else finding._replace(ordinal=ordinal)


def primitives_on_loop(project: Project) -> Iterator[tuple[_Primitive, tuple[State, int]]]:
    """Every blocking call that runs on the loop, with the state and site at which the loop's own code begins it."""
    for primitive in _primitives(project):
        yield primitive, _loop_call(project, primitive)


def _primitives(project: Project) -> list[_Primitive]:
    """Every blocking call that runs on the loop, once, at its cheapest state."""
    graph = project.graph
    found: dict[tuple[FunctionRef, int, str], _Primitive] = {}
    for variant in graph.in_order:
        if not variant.events:
            continue
        for event, flags in variant.events.items():
            if event.rule in _OTHER_CHECKS or (event.lock is not None and event.lock not in graph.contended):
                continue
            contexts = [Context.LOOP, Context.STARTUP]
            if event.rule in _PER_REQUEST:
                contexts = [Context.LOOP]
            elif event.rule in _ANYWHERE:
                contexts = [Context.IMPORT, Context.STARTUP, Context.LOOP, Context.POOL]
            for context in contexts:
                state = (variant.number, context)
                arrival = graph.contexts.arrivals.get(state)
                if arrival is None or (flags & OFF_LOOP and event.rule not in _ANYWHERE):
                    continue
                if event.lock is not None and is_of_newborn(graph.sharing, graph.contexts, state, event.lock):
                    continue
                key = (variant.function, event.site, event.rule)
                known = found.get(key)
                if known is None:
                    found[key] = _Primitive(variant.function, event, flags, state)
                else:
                    known.others.append(state)
                    if _rank(project, state, flags) < _rank(project, known.state, known.flags):
                        known.others[-1], known.state, known.flags = known.state, state, flags
                        known.event = event
                if event.rule in _ANYWHERE:
                    break
    return list(found.values())


def _rank(project: Project, state: State, flags: int) -> tuple[bool, bool, int, int]:
    arrival = project.graph.contexts.arrivals[state]
    return (
        state[1] is not Context.LOOP,
        bool((flags | arrival.flags) & ONCE),
        arrival.cost,
        project.graph.contexts.turn(state),
    )


def _loop_call(project: Project, primitive: _Primitive) -> tuple[State, int]:
    """Where the blocking begins: the call inside the innermost `async def` of the way, else inside the entry point."""
    if primitive.event.rule in _ANYWHERE:
        return primitive.state, primitive.event.site
    way = project.graph.contexts.way(primitive.state)
    start = 0
    for place, (state, _) in enumerate(way):
        function = project.graph.function(project.graph.variants[state[0]])
        if function is not None and function.is_async:
            start = place
    # What was registered elsewhere (a module, a route's decorator) is no frame of this call stack
    for place in range(len(way) - 1, start, -1):
        edge = way[place - 1][1]
        if edge is not None and edge.kind != "call":
            start = place
            break
    state, edge = way[start]
    return state, primitive.event.site if edge is None else edge.site


def _finding(
    project: Project,
    members: list[tuple[_Primitive, tuple[State, int]]],
    ends: dict[tuple[FunctionRef, int], tuple[int, int]],
) -> Finding:
    graph = project.graph
    members.sort(
        key=lambda member: (
            _rank(project, member[0].state, member[0].flags)[:2],
            -_severity(project, member[0].event),  # the worst of several gives the finding its name
            ends[(graph.variants[member[1][0][0]].function, member[1][1])],  # then what runs first: it is inside
            _rank(project, member[0].state, member[0].flags),
            member[0].event.site,
        )
    )
    primitive, (caller, site) = members[0]
    event = primitive.event
    variant = graph.variants[caller[0]]
    arrival = graph.contexts.arrivals[primitive.state]
    severity = _severity(project, event)
    notes: list[str] = []
    if event.spec.note:
        notes.append(event.spec.note)
    flags = primitive.flags | arrival.flags
    if primitive.state[1] is Context.STARTUP:
        severity = severity.lowered()
        notes.append("only during start-up or shutdown: before or after requests are served")
    elif flags & ONCE:
        if graph.long_held.get(event.lock, True):  # else it is lowered for that already: the holder is once such, too
            severity = severity.lowered()
        notes.append("behind a cache or a once-guard: the first call waits, later ones do not")
    confidence = sureness(arrival, flags)
    steps = steps_to(project, primitive.state, primitive.event.site, shown(primitive.event.name))
    if len(steps) > (_FAR_UNREACHED if arrival.cost >= unreached_cost() else _FAR):
        confidence = min(confidence, Confidence.LOW)
        notes.append(f"a way of {len(steps)} steps: too many to be sure that it is ever taken as a whole")
    if arrival.cost >= unreached_cost():
        notes.append("no route or other entry point was found that reaches it; whatever does runs it on a loop")
        if event.rule in _AT_A_TERMINAL and not event.name.startswith(_DEBUGGERS):
            confidence = min(confidence, Confidence.LOW)  # a program for a terminal, with a loop of its own
    if len(members) > _MOST_RELATED + 1:
        notes.append(f"{len(members)} blocking calls behind this one; the first {_MOST_RELATED + 1} are shown")
    if primitive.state[1] is Context.LOOP:
        notes.extend(_reach(project, caller))
    where = project.where(variant.function, site)
    related = _related(project, members, (variant.function, site))
    return project.found(
        event.rule,
        where,
        {
            "call": shown(event.name),
            "instead": event.spec.instead,
            "via": steps[-1].text,
        },
        severity=severity,
        confidence=confidence,
        steps=steps,
        related=related,
        notes=tuple(notes),
        symbol=graph.name(variant),
        subject=shown(event.name),
    )


def _severity(project: Project, event: Event) -> Severity:
    """How bad a call is by itself: what the catalogue says of it, else the rule. A lock is as bad as what it is held
    around."""
    severity = project.rules[event.rule].severity
    if event.lock is not None:
        return severity if project.graph.long_held.get(event.lock, False) else severity.lowered()
    return event.spec.severity if event.spec.severity is not None else severity


def shown(name: str) -> str:
    """A call as users write it: without the special method behind an implicit one, or how the object was built."""
    name = _STATE.sub("", name)
    for special, words in _SPECIAL.items():
        if name.endswith(special):
            return name[: -len(special)] + words
    return name.removeprefix("builtins.")


_STATE = re.compile(r":\w+")  # `queue.Queue:unbounded`: see the type names in `rulebook/schema.py`

_SPECIAL = {
    ".__enter__": " (with)",
    ".__exit__": " (end of with)",
    ".__iter__": " (iteration)",
    ".__next__": " (iteration)",
    ".__call__": "()",
    ".__getitem__": "[…]",
    ".__setitem__": "[…] = …",
    ".__delitem__": " (del […])",
    ".__contains__": " (in)",
    ".__len__": " (len)",
    ".__bool__": " (truth test)",
}


def _reach(project: Project, caller: State) -> list[str]:
    """How many entry points lead to the call, and whether one of them is a route that must never wait."""
    contexts = project.graph.contexts
    roots = contexts.roots_above(caller)
    labels = sorted({contexts.arrivals[root].root for root in roots} - {""})
    notes: list[str] = []
    if len(labels) > 1:
        notes.append(
            f"reached from {len(labels)} entry points: {', '.join(labels[:3])}{' …' if len(labels) > 3 else ''}"
        )
    urgent = next((label for label in labels if "{" not in label and _FIRST_TO_FAIL.search(label)), None)
    if urgent is not None:
        notes.append(f"{urgent} is a health or authentication route: it takes the service down first")
    return notes


def _related(
    project: Project, members: list[tuple[_Primitive, tuple[State, int]]], shown_at: tuple[FunctionRef, int]
) -> tuple[Step, ...]:
    """The other primitives behind the same call, and the other calls that lead to the same primitives."""
    graph = project.graph
    out: dict[Step, None] = {}
    for primitive, _ in members[1:][:_MOST_RELATED]:
        out[Step(project.where(primitive.function, primitive.event.site), shown(primitive.event.name))] = None
    calls: dict[tuple[FunctionRef, int], None] = {}
    for primitive, _ in members:
        for state in dict.fromkeys([primitive.state, *primitive.others]):
            for origin, site in _calls_above(project, state, primitive.event.site):
                calls[(graph.variants[origin[0]].function, site)] = None
        if len(calls) > _MOST_RELATED:
            break
    calls.pop(shown_at, None)
    first = sorted(calls, key=lambda call: (graph.world.turn(call[0]), call[1]))[:_MOST_RELATED]
    for function, site in first:
        out[Step(project.where(function, site), f"called from {graph.world.dotted_name(function)}")] = None
    return tuple(sorted(out))


def _calls_above(project: Project, state: State, site: int) -> Iterator[tuple[State, int]]:
    """Every call in loop code at which the way to a state can begin."""
    graph = project.graph
    seen: set[tuple[State, int]] = set()
    waiting: list[tuple[State, int]] = [(state, site)]
    while waiting and len(seen) < 200:
        current, at = waiting.pop()
        if (current, at) in seen:
            continue
        seen.add((current, at))
        function = graph.function(graph.variants[current[0]])
        if function is not None and function.is_async:
            yield current, at
            continue
        callers: list[tuple[State, Edge, int]] = [
            row for row in graph.contexts.callers(current) if row[1].kind == "call"
        ]
        if not callers and function is not None:
            yield current, at
        waiting.extend((origin, edge.site) for origin, edge, _ in callers)
