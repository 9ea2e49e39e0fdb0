"""What keeps the number of tasks small: a limiter on the way, a chunk, a validated length, a collection of one's own.

Goes by values where they are known, and by the words of a name only where they are not. Knows no rule.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.graph.contexts import State
from fastlint.graph.guards import statements_of, terminates
from fastlint.graph.origins import passed_for
from fastlint.graph.shapes import Ancestors, last_name, names_in, statements_around
from fastlint.graph.spelling import words_of
from fastlint.graph.state import CALL, COROUTINE, Variant
from fastlint.graph.values import Value, without_none
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Node, Param
from fastlint.source.nodes import calls_within, nodes

_LIMITING = frozenset(
    {"sem", "sema", "semaphore", "semaphores", "limit", "limits", "limiter", "limiters", "limited", "limiting", "slot"}
    | {"slots", "throttle", "throttled", "throttler", "throttling", "lock", "locks", "locked", "mutex", "permit"}
    | {"permits", "bound", "bounded", "pool", "pooled", "concurrency", "concurrent", "concurrently", "gate", "acquire"}
    | {"worker", "workers"}
)
_CUT = frozenset({"chunk", "chunks", "chunked", "batch", "batches", "batched", "slice", "slices", "sliced"})
_PIECES = frozenset({"page", "group", "window", "split", "partition", "partitions"})  # `group_ids` are no group
_SEVERAL = frozenset({"pages", "groups", "windows", "splits"})
_CONSTANT_SIZE = ("range", "enumerate", "zip", "sorted", "reversed", "list", "tuple", "set")
_PLAIN = frozenset(
    {"int", "str", "bool", "float", "bytes", "list", "dict", "set", "frozenset", "tuple", "List", "Dict", "Set"}
    | {"Tuple", "Sequence", "Iterable", "Optional", "Union", "UUID", "date", "datetime", "Any", "Literal"}
)
_LENGTHS = ("max_length", "max_items")  # pydantic and FastAPI; the second is pydantic 1's
_DEEPEST = 6
_FEW_HOPS = 2  # calls up: beyond that nobody sees at a glance that it is always a few
_AT_ONCE = 2  # calls: a lock further down guards some small part, and lets the rest go on side by side
_FAR = 200  # variants: what has no limiter within so many has none

_GOING_ON = frozenset({"running", "active", "alive", "busy", "open", "current", "workers", "threads", "processes"})


def is_bounded(
    project: Project, function: FunctionRef, site: int, started: Node, source: Node, around: Ancestors
) -> bool:
    """Whether the number of tasks has a bound that can be seen, or one that somebody configures."""
    if _is_cut(project, function, source) or _limits(project, function, source):
        return True
    if any(_limits(project, function, part) for part in _unknown_parts(project, function, site, started)):
        return True
    for part in around:
        if part[0] == "with" and any(_limits(project, function, item[1]) for item in part[1]):
            return True
        if part[0] == "for" and (_is_piece(part[2]) or _is_piece(part[3]) or _steps_through(part[3])):
            return True  # one batch after the other
        if part[0] == "while":
            return True
    return _has_length(project, function, source) or _is_small(project, function, source, 0)


def _unknown_parts(project: Project, function: FunctionRef, site: int, started: Node) -> Iterator[Node]:
    """What of the call is not followed into the project: the callee with the arguments that it gets."""
    graph = project.graph
    functions = graph.world.modules[function[0]].facts.functions
    inner = [each.index for each in functions if each.parent == function[1] and each.name.startswith("<genexpr")]
    known = {
        edge.site
        for index in (function[1], *inner)
        for variant in graph.sharing.interpreter.of_function.get((function[0], index), ())
        for edge in variant.edges
        if graph.variants[edge.target].function[1] not in (-1, *inner)
    }
    if started[0] != "c":
        if site not in known:
            yield started
        return
    for call in calls_within(started):
        if call[1] not in known and site not in known:
            yield call[2]
            yield from (part for part in (*call[3], *(value for _, value in call[4])) if part and part[0] != "c")


# Limiters


def _limits(project: Project, function: FunctionRef, node: Node) -> bool:
    """Whether an expression names something that lets only so many go on: by what it is, else by its words."""
    if node is None:
        return False
    for each in nodes(node):
        if each[0] == "n" or each[0] == "a":
            values = _values(project, function, each)
            if any(_is_limiter(value) for value in values):
                return True
            if not values and _LIMITING.intersection(words_of(each[-1])) and not _is_plain(project, function, each):
                return True
        elif each[0] in ("c", "s") and any(_is_limiter(value) for value in _values(project, function, each)):
            return True
    return False


def _values(project: Project, function: FunctionRef, node: Node) -> tuple[Value, ...]:
    """What an expression may be, as far as more is known than where it was imported from."""
    sharing = project.graph.sharing
    values = without_none(sharing.interpreter.evaluate(node, sharing.frame(function)))
    return tuple(value for value in values if value[0] != "x")


def _is_limiter(value: Value) -> bool:
    """An instance of a lock, semaphore, limiter or pool of some library, or something that it gives."""
    return value[0] == "i" and bool(_LIMITING.intersection(words_of(value[1].rpartition(".")[2] + "_" + value[2])))


def _is_plain(project: Project, function: FunctionRef, node: Node) -> bool:
    """Whether a name is a parameter that is declared to be a number, a text or a collection."""
    param = _param(project, function, node)
    if param is None or param.annotation is None:
        return False
    return all(name in _PLAIN or name == "typing" for name in names_in(param.annotation))


def _param(project: Project, function: FunctionRef, node: Node) -> Param | None:
    """The parameter that a name is, or that an attribute is an attribute of."""
    while node is not None and node[0] in ("a", "s"):
        node = node[2]
    if node is None or node[0] != "n" or function[1] < 0:
        return None
    facts = project.graph.world.function(function)
    found = next((param for param in facts.params if param.name == node[1]), None)
    if found is None and facts.parent >= 0 and not project.shapes.assigned(function, node[1]):
        return _param(project, (function[0], facts.parent), node)
    return found


def runs_limited(project: Project, variant: Variant, sites: set[int]) -> bool:
    """Whether what is started at any of these sites waits for a semaphore or limiter, itself or in what it calls."""
    waiting = [(edge.target, 0) for edge in variant.edges if edge.site in sites]
    seen: set[int] = set()
    while waiting and len(seen) < _FAR:
        number, depth = waiting.pop(0)
        inner = project.graph.variants[number]
        if number in seen or inner.function[1] < 0:
            continue
        seen.add(number)
        if _takes_turns(project, inner.function):
            return True
        if depth < _AT_ONCE:
            waiting.extend((edge.target, depth + 1) for edge in inner.edges if edge.kind in (COROUTINE, CALL))
    return False


def _takes_turns(project: Project, function: FunctionRef) -> bool:
    """Whether a function enters or acquires a limiter, or is wrapped in one."""
    facts = project.graph.world.function(function)
    if any(_limits(project, function, decorator) for decorator in facts.decorators):
        return True
    for node in nodes(facts.body):
        if node[0] == "with" and any(_limits(project, function, item[1]) for item in node[1]):
            return True
        if node[0] == "c" and node[2] is not None and node[2][-1] == "acquire":
            return True
    return False


def admits_few(project: Project, state: State, site: int) -> bool:
    """Whether so many at most get to a site of a state: on the way there a semaphore or limiter is held around the
    call, or was acquired."""
    for (number, _), edge in project.graph.contexts.way(state):
        function = project.graph.variants[number].function
        if function[1] < 0:
            continue
        shape = project.shapes.call(function, edge.site if edge is not None else site)
        around = shape[1] if shape is not None else ()
        if any(part[0] == "with" and any(_limits(project, function, item[1]) for item in part[1]) for part in around):
            return True
        if any(_is_admission(project, function, call) for call in calls_within(project.shapes.body(function))):
            return True
    return False


def turns_away(project: Project, state: State, site: int) -> bool:
    """Whether whoever comes while too many are running is turned away on the way to a site of a state:
    `if len(running) >= limit: raise TooMany`."""
    for (number, _), edge in project.graph.contexts.way(state):
        function = project.graph.variants[number].function
        at = edge.site if edge is not None else site
        for statement in statements_of(project.shapes.body(function)) if function[1] >= 0 else ():
            if statement[0] == "if" and statement[-1] < at and terminates(statement[2]) and _is_full(statement[1]):
                return True
    return False


def _is_full(test: Node) -> bool:
    """`len(running) >= limit`: what is counted is called by what is going on, not by what a request has sent."""
    if test is None or test[0] != "cmp" or len(test[3]) != 1 or test[3][0][0] not in ("ge", "gt"):
        return False
    counted = test[2]
    return (
        counted is not None
        and counted[0] == "c"
        and last_name(counted) == "len"
        and any(_GOING_ON.intersection(words_of(name)) for name in names_in(counted))
    )


def _is_admission(project: Project, function: FunctionRef, call: Node) -> bool:
    """`await semaphore.acquire()`, or a call of a function that hands on such a call: `return semaphore.acquire()`."""
    if call[2] is None or call[2][0] not in ("n", "a"):
        return False
    if call[2][-1] == "acquire":
        return _limits(project, function, call[2][2]) if call[2][0] == "a" else False
    if not _LIMITING.intersection(words_of(call[2][-1])):
        return False
    for value in _values(project, function, call[2]):
        plain = value[1] if value[0] == "b" else value
        if plain[0] == "f":
            inner = (plain[1], plain[2])
            given = [row[1] for row in statements_of(project.shapes.body(inner)) if row[0] in ("ret", "e")]
            calls = [node[2] if node is not None and node[0] == "w" else node for node in given]
            if any(
                node is not None
                and node[0] == "c"
                and last_name(node) == "acquire"
                and node[2][0] == "a"
                and _limits(project, inner, node[2][2])
                for node in calls
            ):
                return True
    return False


# Chunks


def _is_cut(project: Project, function: FunctionRef, source: Node) -> bool:
    """Whether a collection is one chunk of a larger one, by its name; what a request brings has any length."""
    param = _param(project, function, source)
    if param is not None and project.graph.sharing.is_entry(function) and not _is_given(param):
        return False
    return _is_chunk(source)


def _is_given(param: Param) -> bool:
    """Whether a dependency gives a parameter its value."""
    return any(name in ("Depends", "Security") for part in (param.default, param.annotation) for name in names_in(part))


def _is_chunk(node: Node) -> bool:
    words = [words_of(name) for name in names_in(node)]
    return any(_CUT.intersection(each) or _PIECES.intersection(each[-1:]) for each in words)


def _is_piece(node: Node) -> bool:
    """`for page in pages`: whatever comes out of it is a part of the whole."""
    return _is_chunk(node) or any(_SEVERAL.intersection(words_of(name)[-1:]) for name in names_in(node))


def _steps_through(node: Node) -> bool:
    """`range(0, n, step)`: a loop over chunks."""
    return bool(node is not None and node[0] == "c" and last_name(node) == "range" and len(node[3]) == 3)


# Lengths that somebody checks


def _has_length(project: Project, function: FunctionRef, source: Node) -> bool:
    """Whether the length of a collection is validated: by its annotation, its model's field, or a test that leaves."""
    if source is None or source[0] not in ("n", "a"):
        return False
    if _is_measured(project, function, source):
        return True
    if source[0] == "n":
        param = _param(project, function, source)
        return param is not None and any(
            _says_length(project, function[0], part, 0) for part in (param.annotation, param.default)
        )
    sharing = project.graph.sharing
    for value in _values(project, function, source[2]):
        for above in sharing.classes(value) if value[0] == "o" else ():
            for row in project.graph.world.class_bindings(above).get(source[3], ()):
                if row[0] in ("ann", "expr") and any(_says_length(project, above[0], part, 0) for part in row[1:3]):
                    return True
    return False


def _is_measured(project: Project, function: FunctionRef, source: Node) -> bool:
    """`if len(ids) > 100: raise …`, in the function itself."""
    written = project.graph.sharing.spelled(source)
    for statement in statements_of(project.shapes.body(function)):
        if statement[0] == "assert" or (statement[0] == "if" and terminates(statement[2])):
            for call in calls_within(statement[1]):
                if call[2] == ["n", "len"] and call[3] and project.graph.sharing.spelled(call[3][0]) == written:
                    return any(
                        operator in ("gt", "ge", "lt", "le")
                        for node in nodes(statement[1])
                        if node[0] == "cmp"
                        for operator, right in node[3]
                        if right != ["k", 0] and node[2] != ["k", 0]
                    )
    return False


def _says_length(project: Project, module: str, node: Node, depth: int) -> bool:
    """Whether an annotation or default says how long a collection may be, itself or in the alias that it names."""
    if not isinstance(node, (list, tuple)) or not node or depth > _DEEPEST:
        return False
    for each in nodes(node):
        if each[0] == "c":
            name = last_name(each)
            if any(word in _LENGTHS and value not in (None, ["k", None]) for word, value in each[4]):
                return True
            if name == "MaxLen" or (name == "Len" and len(each[3]) > 1):
                return True
        elif each[0] == "n":
            found = project.graph.world.expression(module, each[1])
            if found is not None and _says_length(project, found[0], found[1], depth + 1):
                return True
    return False


# Collections that are small by themselves


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
        if _is_chunk(source):
            return True
        if source[2] is not None and source[2][0] == "a" and name in ("items", "values", "keys", "copy"):
            return _is_small(project, function, source[2][2], depth + 1)
        if name == "range":  # a number, mostly of workers; `range(len(…))` is as large as what is counted
            return not any("len" in names_in(part) for part in source[3])
        if name in _CONSTANT_SIZE and source[3]:
            return any(
                _has_length(project, function, part) or _is_small(project, function, part, depth + 1)
                for part in source[3][:1]
            )
        return name in ("islice", "sample") or _gives_few(project, function, source, depth + 1)
    if tag == "a":
        return _is_own(source)
    if tag == "n":
        return _is_small_name(project, function, source[1], depth)
    if tag == "w":
        return False
    if tag == "comp":
        return all(not clause[4] and _is_small(project, function, clause[2], depth + 1) for clause in source[4])
    return tag not in ("gen", "o", "bool", "if")


def _gives_few(project: Project, function: FunctionRef, call: Node, depth: int) -> bool:
    """Whether a call is of functions of the project that give back small collections only."""
    if depth > _FEW_HOPS + 1:
        return False
    sharing = project.graph.sharing
    values = without_none(sharing.interpreter.evaluate(call[2], sharing.frame(function)))
    functions = [value[1] if value[0] == "b" else value for value in values]
    if not functions or any(value[0] != "f" for value in functions):
        return False
    for _, module, index, _ in functions:
        facts = project.graph.world.function((module, index))
        given = [statement[1] for statement in statements_of(facts.body) if statement[0] == "ret"]
        plain = not facts.is_async and not facts.is_generator and (module, index) in sharing.served
        if not plain or not given or not all(_is_small(project, (module, index), node, depth) for node in given):
            return False
    return True


def _is_passed_few(project: Project, function: FunctionRef, param: Param, depth: int) -> bool:
    """Whether everybody who calls a function, or something of its name, passes a small collection to it."""
    graph = project.graph
    sharing, name = graph.sharing, graph.world.function(function).name
    if depth > _FEW_HOPS or sharing.is_entry(function):
        return False
    passed = list(passed_for(sharing, function, param))
    if not {caller for caller, _ in passed}.issuperset(graph.world.mentions.get(name, ())):
        return False  # somebody may call it through an object that nobody knows
    return bool(passed) and all(
        given is not None and _is_small(project, caller, given, depth + 1) for caller, given in passed
    )


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
    found = next((param for param in facts.params if param.name == name), None)
    if found is not None:
        return found.kind in ("*", "**") or _is_passed_few(project, function, found, depth)
    values = project.shapes.assigned(function, name)
    for statement, around in statements_around(project.shapes.body(function)):
        if statement[0] == "e" and statement[1] is not None and statement[1][0] == "c":
            callee, given = statement[1][2], statement[1][3]
            if callee is not None and callee[0] == "a" and callee[2] == ["n", name]:
                once = not any(part[0] in ("for", "while") for part in around)
                if callee[3] in ("extend", "update") and not (
                    once and _is_small(project, function, given[0], depth + 1)
                ):
                    return False
                if callee[3] in ("append", "add") and not once:
                    return False
    if not values:
        if facts.parent >= 0:
            return _is_small_name(project, (function[0], facts.parent), name, depth + 1)
        return True  # a module's name, or a loop's: configuration, mostly
    return all(
        _has_length(project, function, value) or _is_small(project, function, value, depth + 1) for value in values
    )
