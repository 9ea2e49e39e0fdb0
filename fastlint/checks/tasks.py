"""FL2 and FL5: tasks, fan-out, queues and coroutines: what nobody keeps, bounds or awaits. Knows no library by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.checks.served import (
    Played,
    by_place,
    confidence,
    per_request,
    played,
    running,
    serves_request,
)
from fastlint.checks.ways import steps_to
from fastlint.finding import Finding, Step
from fastlint.graph.contexts import Context, State
from fastlint.graph.shapes import Ancestors, is_discarded, last_name, names_in, targets_of
from fastlint.graph.state import COROUTINE, LOOP, MAYBE, Variant
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import nodes, parts, tags

_EXPRESSIONS = ("n", "a", "c", "s", "w", "o", "cmp", "u", "bool", "t", "l", "d", "f")  # a block begins with a list
_MADE = ("coroutine", "hop")  # the roles of library calls that give a coroutine
_ASYNC_CONTEXTS = (Context.LOOP, Context.STARTUP)
# Decorators that leave a coroutine function what it is
_PLAIN_DECORATORS = frozenset(
    {"staticmethod", "classmethod", "abstractmethod", "override", "final", "wraps", "get", "post", "put", "patch"}
    | {"delete", "websocket", "api_route", "middleware", "exception_handler", "on_event"}
)


def task_references_dropped(project: Project) -> Iterator[Finding]:
    """A task that nothing keeps: the loop itself holds it weakly, so that it may vanish before it is done."""
    for (function, site), calls in by_place(played(project, "task")).items():
        state = running(project, calls)
        shape = project.shapes.call(function, site)
        if state is None or state[1] not in _ASYNC_CONTEXTS or shape is None:
            continue
        node, around = shape
        if not is_discarded(around) and not _never_read(project, function, around):
            continue
        name = f"{last_name(node)}(…)"
        task = _handed(project, calls, site)
        variant = project.graph.variants[state[0]]
        yield project.found(
            "FL207",
            project.where(function, site),
            {"call": name},
            confidence=confidence(project, state, calls[0].flags),
            steps=steps_to(project, state, site, name),
            related=(Step(project.where(task.function, -1), f"the task: {project.graph.name(task)}"),)
            if task is not None
            else (),
            symbol=project.graph.name(variant),
            subject=f"{name} {last_name(node[3][0]) if node[3] else ''}".strip(),
        )


def _handed(project: Project, calls: list[Played], site: int) -> Variant | None:
    """The coroutine function that becomes the task, where it is one of the project."""
    for call in calls:
        for edge in call.variant.edges:
            if edge.site == site and edge.kind == LOOP:
                return project.graph.variants[edge.target]
    return None


def _never_read(project: Project, function: FunctionRef, around: Ancestors) -> bool:
    """Whether the result goes to a local name that nothing ever reads, in a function that then ends by itself."""
    targets = targets_of(around)
    if function[1] < 0 or len(targets) != 1 or targets[0] is None or targets[0][0] != "n":
        return False
    name = targets[0][1]
    body = project.shapes.body(function)
    if _declares(body, name) or any(True for part in around if part[0] in ("while", "for", "with", "try")):
        return False
    if sum(read == name for read in _reads(body)) or _read_inside(project, function, name):
        return False
    return not _pauses_after(body, around[0])


def _reads(node: Any) -> Iterator[str]:
    """Every name that is read (assignment targets left out)."""
    if node:
        if node[0] == "=":
            for target in node[1]:
                if target is not None and target[0] != "n":
                    yield from names_in(target)
            yield from names_in(node[2])
        elif node[0] == ":":
            yield from names_in(node[3])
        elif node[0] in ("e", "ret", "raise", "assert", "del"):
            yield from names_in(node[1:])
        else:
            for part in parts(node):
                yield from names_in(part) if part[0] in _EXPRESSIONS else _reads(part)


def _declares(block: Block, name: str) -> bool:
    return any(statement[0] == "global" and name in statement[1] for statement in block)


def _read_inside(project: Project, function: FunctionRef, name: str) -> bool:
    """Whether a function nested in this one reads the name."""
    functions = project.graph.world.modules[function[0]].facts.functions
    return any(each.parent == function[1] and name in set(names_in(each.body)) for each in functions)


def _pauses_after(body: Block, statement: Any) -> bool:
    """Whether the function goes on for a while after a statement: its frame keeps the name alive meanwhile."""
    place = next((place for place, each in enumerate(body) if each is statement), len(body))
    return any(tag in ("w", "y", "yf") for each in body[place + 1 :] for tag in tags(each)) or any(
        each[0] in ("for", "with", "while") for each in body[place + 1 :]
    )


def unbounded_queues(project: Project) -> Iterator[Finding]:
    """A queue that outlives requests, that they put into, and that takes everything."""
    puts: dict[Any, list[Played]] = {}
    for call in played(project, "put"):
        if call.record.place is not None:
            puts.setdefault(call.record.place, []).append(call)
    for (function, site), calls in by_place(played(project, "queue")).items():
        size = dict(calls[0].record.given).get("size", 0)
        shape = project.shapes.call(function, site)
        state = running(project, calls)
        if shape is None or state is None or size is ... or (isinstance(size, int) and size > 0):
            continue
        if per_request(project, calls) is not None:  # the queue of one request or connection
            continue
        for target in targets_of(shape[1]):
            put = _put_by_request(project, puts, _place_of_target(project, function, target))
            if put is None:
                continue
            name = f"{calls[0].record.name.rpartition('.')[2]}()"
            yield project.found(
                "FL208",
                project.where(function, site),
                {"call": name},
                confidence=confidence(project, state, calls[0].flags),
                steps=steps_to(project, state, site, name),
                related=(Step(project.where(put.function, put.record.site), "filled by requests here"),),
                symbol=project.graph.name(project.graph.variants[state[0]]),
                subject=f"{name} {last_name(target)}",
            )
            break


def _place_of_target(project: Project, function: FunctionRef, target: Node) -> Any:
    """The place that an assignment's target means, as `Roles.place_of` names it; None for locals."""
    if target is None:
        return None
    if target[0] == "n" and (function[1] < 0 or _declares(project.shapes.body(function), target[1])):
        return ("global", function[0], target[1])
    if target[0] != "a":
        return None
    if target[2] is not None and target[2][0] == "a" and target[2][3] == "state":
        return ("state", target[3])
    owner = project.graph.world.function(function).owner if function[1] >= 0 else -1
    return ("attr", function[0], owner, target[3]) if owner >= 0 and target[2] == ["n", "self"] else None


def _skips_known(project: Project, function: FunctionRef) -> bool:
    """Whether a function looks first whether something is already there, and so never puts the same in twice."""
    body = project.shapes.body(function)
    tests = (node for node in nodes(body) if node[0] == "cmp")
    asks = any(operator in ("in", "not in") for test in tests for operator, _ in test[3])
    return asks and "add" in names_in(body)


def _asks_size(project: Project, function: FunctionRef) -> bool:
    """Whether a function compares what is in a queue with a limit of its own: `if self.jobs.qsize() >= self.most`."""
    for node in nodes(project.shapes.body(function)):
        if node[0] == "cmp" and len(node[3]) == 1 and node[3][0][0] in ("gt", "ge", "lt", "le"):
            sides = [side for side in (node[2], node[3][0][1]) if side is not None]
            if ["k", 0] not in sides and any(last_name(side[2]) == "qsize" for side in sides if side[0] == "c"):
                return True
    return False


def _put_by_request(project: Project, puts: dict[Any, list[Played]], place: Any) -> Played | None:
    calls = puts.get(place, []) if place is not None else []
    if any(_asks_size(project, call.function) for call in calls):
        return None
    for call in calls:
        for context in (Context.LOOP, Context.POOL):
            state = (call.variant.number, context)
            if _skips_known(project, call.function):
                continue
            if state in project.graph.contexts.arrivals and serves_request(project, state):
                return call
    return None


def coroutines_never_awaited(project: Project) -> Iterator[Finding]:
    """A coroutine that is made and thrown away: nothing of it ever runs."""
    graph = project.graph
    done: set[tuple[FunctionRef, int]] = set()
    reached = {number for number, _ in graph.contexts.arrivals}
    for variant in graph.in_order:
        if variant.number not in reached:
            continue
        for site, name, target in _coroutines_made(project, variant):
            key = (variant.function, site)
            if key in done or not _is_lost(project, *key):
                continue
            done.add(key)
            state = next(each for each in _states(variant) if each in graph.contexts.arrivals)
            related = (Step(project.where(target.function, -1), "its body never runs"),) if target is not None else ()
            yield project.found(
                "FL504",
                project.where(*key),
                {"call": f"{name}(…)"},
                steps=steps_to(project, state, site, f"{name}(…)"),
                related=related,
                symbol=graph.name(variant),
                subject=name,
            )


def _states(variant: Variant) -> list[State]:
    return [(variant.number, context) for context in Context]


def _coroutines_made(project: Project, variant: Variant) -> Iterator[tuple[int, str, Variant | None]]:
    """Every site at which a variant certainly makes a coroutine and nothing else, and at which nothing is around it."""
    records = [record for record, flags in variant.records.items() if record.role in _MADE and not flags & MAYBE]
    made = any(edge.kind == COROUTINE for edge in variant.edges)
    alone = project.shapes.alone(variant.function) if records or made else None
    if not alone:
        return
    sites: dict[int, list[Any]] = {}
    for edge, flags in variant.edges.items():
        sites.setdefault(edge.site, []).append((edge, flags))
    for site, edges in sites.items():
        edge, flags = edges[0]
        if site not in alone or any(each.kind != COROUTINE or kept & MAYBE for each, kept in edges):
            continue
        target = project.graph.variants[edge.target]
        function = project.graph.function(target)
        if function is None or function.is_generator or not function.is_async:
            continue
        if not all(last_name(node) in _PLAIN_DECORATORS for node in function.decorators):
            continue
        if _calls_by_name(project, variant.function, alone[site][0], function.name):
            yield site, function.name, target
    for record in records:
        if record.site in alone and record.site not in sites:
            yield record.site, record.name.rpartition(".")[2], None


def _calls_by_name(project: Project, caller: FunctionRef, call: Node, name: str) -> bool:
    """Whether a call is of the function itself, and not of something that is given the function."""
    written = last_name(call)
    if written == name:
        return True
    if call[2] is None or call[2][0] != "n":
        return False
    bindings = project.graph.world.modules[caller[0]].bindings.get(written, ())
    return any(binding[0] == "imp" and binding[3] == name for binding in bindings)


def _is_lost(project: Project, function: FunctionRef, site: int) -> bool:
    """Whether the coroutine is thrown away: a statement of its own, a test, or a local that nothing reads."""
    _, statement = project.shapes.alone(function)[site]
    tag = statement[0]
    if tag in ("e", "if", "while"):
        return True
    targets = statement[1] if tag == "=" else [statement[1]]
    if tag == "=" and all(target == ["n", "_"] for target in targets):
        return True
    if function[1] < 0 or len(targets) != 1 or targets[0] is None or targets[0][0] != "n":
        return False
    name = targets[0][1]
    body = project.shapes.body(function)
    return (
        not _declares(body, name)
        and not any(read == name for read in _reads(body))
        and not _read_inside(project, function, name)
    )
