"""FL206: as many tasks at once as a collection has elements.

Finds what is started for each element; whether anything bounds it is for `bounds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.checks.bounds import is_bounded, runs_limited
from fastlint.checks.served import Played, by_place, confidence, per_request, played, root_label
from fastlint.checks.ways import steps_to
from fastlint.finding import Finding
from fastlint.graph.contexts import Context, State
from fastlint.graph.shapes import Ancestors, last_name, statements_around
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import calls_within, nodes, tags

_Fan = tuple[Node, Node, Ancestors]
"""What is started for each element, the collection, and what encloses the place."""

_COLLECTORS = ("list", "tuple", "set")
_RUNNING = ("create_task", "ensure_future", "start_soon", "join", "wait", "cancel", "aclose")


def unbounded_fan_out(project: Project) -> Iterator[Finding]:
    """As many tasks at once as a collection has elements, however many these are."""
    for (function, site), calls in by_place(played(project, "gather", "task", "kept task")).items():
        shape = project.shapes.call(function, site)
        state = per_request(project, calls) or _in_background(project, calls)
        if state is None or shape is None or state[1] is not Context.LOOP:
            continue
        fan = _fan_out(project, function, calls[0].record.role, *shape)
        if fan is None:
            continue
        element, source, around = fan
        started = started_call(element)
        if started is None or is_bounded(project, function, site, started, source, around):
            continue
        if calls[0].record.role == "gather" and (element[0] != "c" or last_name(element) in _RUNNING):
            continue  # tasks that run already, or a wait for the end of others
        sites = {site, *_collected(shape[0]), *(call[1] for call in calls_within(element))}
        if any(runs_limited(project, call.variant, sites) for call in calls):
            continue
        name = f"{last_name(shape[0])}(…)"
        written = _written(source)
        yield project.found(
            "FL206",
            project.where(function, site),
            {"call": name, "detail": f"`{written}`"},
            confidence=confidence(project, state, calls[0].flags),
            steps=steps_to(project, state, site, name),
            symbol=project.graph.name(project.graph.variants[state[0]]),
            subject=f"{name} {written}",
        )


def _in_background(project: Project, calls: list[Played]) -> State | None:
    """A background task of a request."""
    arrivals = project.graph.contexts.arrivals
    for call in calls:
        state = (call.variant.number, Context.LOOP)
        if state in arrivals and root_label(project, state).startswith("background"):
            return state
    return None


def _fan_out(project: Project, function: FunctionRef, role: str, node: Node, around: Ancestors) -> _Fan | None:
    """The call made for each element of a collection, and the collection; None where this is no fan-out."""
    if role == "gather":
        starred = [argument for argument in node[3] if argument is not None and argument[0] == "*"]
        return _spread(project, function, starred[0][1], around) if len(starred) == 1 else None
    element = _made_before(project, function, node[3][0] if node[3] else None)
    for depth in range(len(around) - 1, -1, -1):
        part = around[depth]
        if part[0] == "comp":
            return (element, part[4][-1][2], around[:depth]) if not part[4][-1][4] else None
        if part[0] == "for":
            if part[6] or not _in_block(part[4], around, depth):  # `async for`: they come one by one
                return None
            if _paces(part[4]):
                return None
            return element, part[3], around[:depth]
        if part[0] == "while":
            return None
    return None


def _in_block(block: Block, around: Ancestors, depth: int) -> bool:
    following = around[depth + 1] if depth + 1 < len(around) else None
    return any(each is following for each in block)


def _paces(block: Block) -> bool:
    """Whether a loop body waits for something in each turn."""
    return any("w" in set(tags(statement)) for statement in block)


def _spread(project: Project, function: FunctionRef, spread: Node, around: Ancestors) -> _Fan | None:
    """What `*spread` consists of: a comprehension, a generator expression, or a name that was filled by one."""
    if spread is None:
        return None
    if spread[0] == "comp":
        clause = spread[4][-1]
        return (_made_before(project, function, spread[2]), clause[2], around) if not clause[4] else None
    if spread[0] == "gen":
        inner = project.graph.world.modules[function[0]].facts.functions[spread[1]]
        yielded = next((node for node in nodes(inner.body) if node[0] == "y"), None)
        return (yielded[2], spread[2], around) if yielded is not None else None
    if spread[0] == "c" and last_name(spread[2]) == "map" and len(spread[3]) == 2:
        return ["c", spread[1], spread[3][0], [], []], spread[3][1], around
    if spread[0] == "c" and last_name(spread[2]) in _COLLECTORS and len(spread[3]) == 1:
        return _spread(project, function, spread[3][0], around)
    if spread[0] == "n":
        return _filled(project, function, spread[1])
    return None


def _collected(call: Node) -> Iterator[int]:
    """The sites at which `gather(*list(map(…)))` takes what it starts out of an iterator."""
    for argument in call[3]:
        node = argument[1] if argument is not None and argument[0] == "*" else None
        while node is not None and node[0] == "c" and last_name(node[2]) in _COLLECTORS and len(node[3]) == 1:
            yield node[1]
            node = node[3][0]


def _filled(project: Project, function: FunctionRef, name: str) -> _Fan | None:
    """The loop or comprehension that fills a local list; None where there are several, or none."""
    found: list[_Fan] = []
    for statement, around in statements_around(project.shapes.body(function), ()):
        value = statement[2] if statement[0] == "=" and ["n", name] in statement[1] else None
        if statement[0] == ":" and statement[1] == ["n", name]:
            value = statement[3]
        if statement[0] == "+=" and statement[1] == ["n", name]:
            value = statement[3]
        if value is not None and value[0] in ("comp", "gen", "c"):
            fan = _spread(project, function, value, around)
            found.extend([fan] if fan is not None else [])
        elif statement[0] == "+=" and value is not None and value[0] == "l" and len(value[1]) == 1:
            found.extend(_in_loop(project, function, value[1][0], around))
        method, given = _method_of(statement, name)
        if method == "extend":
            fan = _spread(project, function, given, around)
            found.extend([fan] if fan is not None else [])
        elif method == "append":
            fans = _in_loop(project, function, given, around)
            if not fans:
                return None  # filled by hand, too
            found.extend(fans)
    return found[0] if len(found) == 1 else None


def _method_of(statement: Any, name: str) -> tuple[str, Node]:
    """`name.append(value)` as a statement: the method and what it is given."""
    call = statement[1] if statement[0] == "e" else None
    if call is None or call[0] != "c" or call[2] is None or call[2][0] != "a" or call[2][2] != ["n", name]:
        return "", None
    return str(call[2][3]), call[3][0] if call[3] else None


def _in_loop(project: Project, function: FunctionRef, element: Node, around: Ancestors) -> list[_Fan]:
    """What one element of a list is made of, and the innermost loop that adds it."""
    loops = [depth for depth, part in enumerate(around) if part[0] == "for" and not part[6]]
    if not loops or element is None:
        return []
    return [(_made_before(project, function, element), around[loops[-1]][3], around[: loops[-1]])]


def _made_before(project: Project, function: FunctionRef, element: Node) -> Node:
    """The call behind a local name that is assigned once: `job = fetch(i)`, `jobs.append(job)`."""
    if element is None or element[0] != "n":
        return element
    values = project.shapes.assigned(function, element[1])
    return values[0] if len(values) == 1 and values[0] is not None and values[0][0] == "c" else element


def started_call(element: Node) -> Node:
    """What makes the coroutine, under `create_task(…)` and the like; None where nothing starts here."""
    node = element
    while node is not None and node[0] == "c" and node[3]:
        inner = node[3][0]
        if last_name(node) in ("create_task", "ensure_future", "wait_for", "shield") and inner is not None:
            if inner[0] != "c":
                return None
            node = inner
        else:
            break
    return node if node is not None and node[0] in ("c", "n", "a") else None


def _written(node: Node) -> str:
    """A collection as users write it, shortened."""
    if node is None:
        return "…"
    if node[0] == "n":
        return str(node[1])
    if node[0] == "a":
        return f"{_written(node[2])}.{node[3]}"
    if node[0] == "c":
        return f"{_written(node[2])}(…)"
    if node[0] == "w":
        return f"await {_written(node[2])}"
    if node[0] == "s":
        return f"{_written(node[2])}[…]"
    return "…"
