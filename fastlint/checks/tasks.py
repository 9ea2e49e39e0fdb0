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
    root_label,
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

_LIMITING = (
    "sem",
    "limit",
    "slot",
    "throttl",
    "lock",
    "permit",
    "bound",
    "pool",
    "concurren",
    "gate",
    "acquire",
    "worker",
)
_CHUNKING = ("chunk", "batch", "page", "group", "split", "window", "slice", "partition")
_CONSTANT_SIZE = ("range", "enumerate", "zip", "sorted", "reversed", "list", "tuple", "set")
_EXPRESSIONS = frozenset({"n", "a", "c", "s", "w", "o", "cmp", "u", "bool", "t", "l", "d", "f"})
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
                yield from names_in(part) if _is_expression(part) else _reads(part)


def _is_expression(node: Any) -> bool:
    return node[0] in (
        "n",
        "a",
        "c",
        "s",
        "w",
        "o",
        "cmp",
        "u",
        "bool",
        "t",
        "l",
        "d",
        "f",
    )


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


def unbounded_fan_out(project: Project) -> Iterator[Finding]:
    """As many tasks at once as a collection has elements, however many these are."""
    for (function, site), calls in by_place(played(project, "gather", "task", "kept task")).items():
        shape = project.shapes.call(function, site)
        state = per_request(project, calls) or _in_background(project, calls)
        if state is None or shape is None or state[1] is not Context.LOOP:
            continue
        fan = _fan_out(project, function, calls[0].record.role, *shape)
        if fan is None or _is_bounded(project, function, fan):
            continue
        if calls[0].record.role == "gather" and not _starts_work(fan[0]):
            continue
        element, source, _ = fan
        if any(_runs_limited(project, call.variant, element) for call in calls):
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


def _starts_work(element: Node) -> bool:
    """Whether what is gathered is made right there: no task that runs already, and no wait for the end of others."""
    return bool(
        element is not None
        and element[0] == "c"
        and last_name(element) not in ("create_task", "ensure_future", "start_soon", "join", "wait", "cancel", "aclose")
    )


def _in_background(project: Project, calls: list[Played]) -> State | None:
    """A background task of a request."""
    arrivals = project.graph.contexts.arrivals
    for call in calls:
        state = (call.variant.number, Context.LOOP)
        if state in arrivals and root_label(project, state).startswith("background"):
            return state
    return None


_Fan = tuple[Node, Node, Ancestors]
"""What is started for each element, the collection, and what encloses the place."""


def _fan_out(project: Project, function: FunctionRef, role: str, node: Node, around: Ancestors) -> _Fan | None:
    """The call made for each element of a collection, and the collection; None where this is no fan-out."""
    if role == "gather":
        starred = [argument for argument in node[3] if argument is not None and argument[0] == "*"]
        return _spread(project, function, starred[0][1], around) if len(starred) == 1 else None
    element = node[3][0] if node[3] else None
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
        return (spread[2], clause[2], around) if not clause[4] else None
    if spread[0] == "gen":
        inner = project.graph.world.modules[function[0]].facts.functions[spread[1]]
        yielded = next((node for node in nodes(inner.body) if node[0] == "y"), None)
        return (yielded[2], spread[2], around) if yielded is not None else None
    if spread[0] == "c" and last_name(spread[2]) in ("map",) and len(spread[3]) == 2:
        return ["c", spread[1], spread[3][0], [], []], spread[3][1], around
    if spread[0] == "n":
        return _filled(project, function, spread[1])
    return None


def _filled(project: Project, function: FunctionRef, name: str) -> _Fan | None:
    """The loop or comprehension that fills a local list; None where there are several, or none."""
    found: list[_Fan] = []
    for statement, around in _statements(project.shapes.body(function), ()):
        value = statement[2] if statement[0] == "=" and ["n", name] in statement[1] else None
        if statement[0] == ":" and statement[1] == ["n", name]:
            value = statement[3]
        if value is not None and value[0] in ("comp", "gen"):
            fan = _spread(project, function, value, around)
            found.extend([fan] if fan is not None else [])
        if statement[0] == "e" and statement[1] is not None and statement[1][0] == "c":
            callee = statement[1][2]
            if callee is not None and callee[0] == "a" and callee[3] == "append" and callee[2] == ["n", name]:
                loops = [depth for depth, part in enumerate(around) if part[0] == "for" and not part[6]]
                if not loops:
                    return None  # filled by hand, too
                loop = around[loops[-1]]
                if statement[1][3]:
                    found.append((statement[1][3][0], loop[3], around[: loops[-1]]))
    return found[0] if len(found) == 1 else None


def _statements(block: Block, around: Ancestors) -> Iterator[tuple[Any, Ancestors]]:
    for statement in block:
        yield statement, around
        for part in statement[1:]:
            if isinstance(part, list) and part and isinstance(part[0], list) and part[0]:
                if isinstance(part[0][0], str) and isinstance(part[0][-1], int):
                    yield from _statements(part, (*around, statement))
                elif statement[0] in ("try", "match"):
                    for handler in part:
                        yield from _statements(handler[-1] or [], (*around, statement))


def _is_bounded(project: Project, function: FunctionRef, fan: _Fan) -> bool:
    """Whether the number of tasks has a bound that can be seen, or one that somebody configures."""
    element, source, around = fan
    if element is not None and element[0] == "w":
        return True
    call = _started(element)
    if call is None:
        return True  # existing tasks, or what is no call: nothing starts here
    if any(_limits(name) for name in (*names_in(call), *names_in(source))) or _chunks(source):
        return True
    if any(part[0] == "with" and any(_limits(name) for name in names_in(part[1])) for part in around):
        return True
    for part in around:  # one batch after the other
        if part[0] == "for" and (_chunks(part[2]) or _chunks(part[3]) or _steps_through(part[3])):
            return True
        if part[0] == "while":
            return True
    return _is_small(project, function, source, 0)


def _limits(name: str) -> bool:
    return any(word in name.lower() for word in _LIMITING)


def _chunks(node: Node) -> bool:
    return any(word in name.lower() for name in names_in(node) for word in _CHUNKING)


def _steps_through(node: Node) -> bool:
    """`range(0, n, step)`: a loop over chunks."""
    return bool(node is not None and node[0] == "c" and last_name(node) == "range" and len(node[3]) == 3)


def _started(element: Node) -> Node:
    """The call that makes the coroutine, under `create_task(…)` and the like."""
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


def _is_small(project: Project, function: FunctionRef, source: Node, depth: int) -> bool:
    """Whether a collection is a literal, a slice, a constant range, a module's or an object's own: bounded, or set."""
    if source is None or depth > 4:
        return True
    tag = source[0]
    if tag in ("l", "t", "set", "d"):
        parts = source[1] if tag != "d" else [value for _, value in source[1]]
        return all(part is not None and part[0] != "*" for part in parts)
    if tag == "s":
        index = source[3]
        if index is not None and index[0] == "sl":
            return True
        return _is_small(project, function, source[2], depth + 1)
    if tag == "k":
        return True
    if tag == "c":
        name = last_name(source)
        if _chunks(source):
            return True
        if source[2] is not None and source[2][0] == "a" and name in ("items", "values", "keys", "copy"):
            return _is_small(project, function, source[2][2], depth + 1)
        if name == "range":  # a number, mostly of workers; `range(len(…))` is as large as what is counted
            return not any("len" in names_in(part) for part in source[3])
        if name in _CONSTANT_SIZE and source[3]:
            return any(_is_small(project, function, part, depth + 1) for part in source[3][:1])
        return name in ("islice", "sample")
    if tag == "a":
        return _is_own(source)
    if tag == "n":
        return _is_small_name(project, function, source[1], depth)
    if tag == "w":
        return False
    return tag not in ("comp", "gen", "o", "bool", "if")


def _is_own(node: Node) -> bool:
    """`self.backends`, `settings.hosts`: what somebody set up, not what a request brings."""
    base = node
    while base is not None and base[0] in ("a", "c"):
        base = base[2]
    if base is None or base[0] != "n":
        return True
    return (
        base[1] in ("self", "cls") or "setting" in base[1].lower() or "config" in base[1].lower() or base[1].isupper()
    )


def _is_small_name(project: Project, function: FunctionRef, name: str, depth: int) -> bool:
    world = project.graph.world
    facts = world.function(function) if function[1] >= 0 else None
    if facts is None:
        return True
    if any(param.name == name for param in facts.params):
        return any(param.name == name and param.kind in ("*", "**") for param in facts.params)
    values: list[Node] = []
    for statement, _ in _statements(facts.body, ()):
        if statement[0] == "=" and ["n", name] in statement[1]:
            values.append(statement[2])
        elif statement[0] == ":" and statement[1] == ["n", name] and statement[3] is not None:
            values.append(statement[3])
        elif statement[0] == "e" and statement[1] is not None and statement[1][0] == "c":
            callee = statement[1][2]
            if callee is not None and callee[0] == "a" and callee[2] == ["n", name]:
                if callee[3] in ("append", "extend", "add", "update"):
                    return False
    if not values:
        if facts.parent >= 0:
            return _is_small_name(project, (function[0], facts.parent), name, depth + 1)
        return True  # a module's name, or a loop's: configuration, mostly
    return all(_is_small(project, function, value, depth + 1) for value in values)


def _runs_limited(project: Project, variant: Variant, element: Node) -> bool:
    """Whether what is started waits for a semaphore or limiter first, itself or in what it calls at once."""
    call = _started(element)
    sites = {node[1] for node in nodes(element) if node[0] == "c"} if element is not None else set()
    starts = [
        edge.target for edge in variant.edges if edge.site in sites or (call is not None and edge.site == call[1])
    ]
    seen: set[int] = set()
    for _ in range(3):
        following: list[int] = []
        for number in starts:
            inner = project.graph.variants[number]
            if number in seen or inner.function[1] < 0:
                continue
            seen.add(number)
            body = project.shapes.body(inner.function)
            for statement, _ in _statements(body, ()):
                if statement[0] == "with" and any(_limits(name) for name in names_in(statement[1])):
                    return True
                if statement[0] == "e" and any(name == "acquire" for name in names_in(statement[1])):
                    return True
            following.extend(edge.target for edge in inner.edges if edge.kind in (COROUTINE, "call"))
        starts = following
    return False


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


def _put_by_request(project: Project, puts: dict[Any, list[Played]], place: Any) -> Played | None:
    for call in puts.get(place, ()) if place is not None else ():
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
    for variant in graph.variants:
        if not graph.contexts.has(variant.number, Context):
            continue
        for site, name, target in _coroutines_made(project, variant):
            key = (variant.function, site)
            shape = project.shapes.call(variant.function, site)
            if key in done or shape is None:
                continue
            if not _is_lost(project, variant.function, shape):
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
    """Every site at which a variant certainly makes a coroutine and nothing else."""
    sites: dict[int, list[Any]] = {}
    for edge, flags in variant.edges.items():
        sites.setdefault(edge.site, []).append((edge, flags))
    for site, edges in sites.items():
        edge, flags = edges[0]
        if any(each.kind != COROUTINE or kept & MAYBE for each, kept in edges):
            continue
        target = project.graph.variants[edge.target]
        function = project.graph.function(target)
        if function is None or function.is_generator or not function.is_async:
            continue
        if not all(last_name(node) in _PLAIN_DECORATORS for node in function.decorators):
            continue
        if _calls_by_name(project, variant.function, site, function.name):
            yield site, function.name, target
    for record, flags in variant.records.items():
        if record.role in ("coroutine", "hop") and not flags & MAYBE and record.site not in sites:
            yield record.site, record.name.rpartition(".")[2], None


def _calls_by_name(project: Project, caller: FunctionRef, site: int, name: str) -> bool:
    """Whether the call at a site is of the function itself, and not of something that is given the function."""
    shape = project.shapes.call(caller, site)
    written = last_name(shape[0]) if shape is not None else ""
    if written == name:
        return True
    if shape is None or shape[0][2] is None or shape[0][2][0] != "n":
        return False
    bindings = project.graph.world.modules[caller[0]].bindings.get(written, ())
    return any(binding[0] == "imp" and binding[3] == name for binding in bindings)


def _is_lost(project: Project, function: FunctionRef, shape: tuple[Node, Ancestors]) -> bool:
    """Whether the coroutine is thrown away: a statement of its own, a test, or a local that nothing reads."""
    node, around = shape
    if around[-1][0] == "e" or (around[-1][0] == "=" and all(target == ["n", "_"] for target in around[-1][1])):
        return True
    if around[-1][0] in ("if", "while") and len(around[-1]) > 4:
        return bool(around[-1][1] is node or around[-1][2] is node)
    targets = targets_of(around) if around[-1][0] in ("=", ":") else []
    if function[1] < 0 or len(targets) != 1 or targets[0] is None or targets[0][0] != "n":
        return False
    name = targets[0][1]
    body = project.shapes.body(function)
    return (
        not _declares(body, name)
        and not any(read == name for read in _reads(body))
        and not _read_inside(project, function, name)
    )
