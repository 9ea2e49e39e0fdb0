"""Whether a value comes with a request: from a parameter of a route, through names and calls. Evaluates nothing."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.graph.sharing import Sharing
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Block, Node, Param
from fastlint.source.nodes import blocks_of, nodes, parts

_DEEPEST = 6
_CLOSED = frozenset({"bool", "Literal", "Enum", "Request", "WebSocket", "Response", "BackgroundTasks", "Settings"})


def from_request(sharing: Sharing, ref: FunctionRef, node: Node, fresh: frozenset[str], depth: int = _DEEPEST) -> bool:
    """Whether an expression of a function holds what a client may choose freely, or (`fresh`) what is new each time."""
    if depth == 0:
        return False
    function = sharing.world.function(ref)
    names: set[str] = set()
    waiting = [node]
    while waiting:
        for name, called in _parts(waiting.pop()):
            if called and name in fresh:
                return True
            if not called and name not in names:
                names.add(name)
                waiting.extend(assigned_to(function.body, name))
    params = [param for param in function.params if param.name in names]
    if not params:
        return False
    if sharing.is_entry(ref):
        return any(_is_free(sharing, param, ref) for param in params)
    return any(_is_free(sharing, param, ref) and _passed(sharing, ref, param, fresh, depth) for param in params)


def _passed(sharing: Sharing, ref: FunctionRef, param: Param, fresh: frozenset[str], depth: int) -> bool:
    """Whether a caller passes such a value for a parameter."""
    asked = (ref, param.name, fresh, depth)
    if asked not in sharing.passed:
        sharing.passed[asked] = _is_passed(sharing, ref, param, fresh, depth)
    return sharing.passed[asked]


def _is_passed(sharing: Sharing, ref: FunctionRef, param: Param, fresh: frozenset[str], depth: int) -> bool:
    return any(
        given is not None and from_request(sharing, caller, given, fresh, depth - 1)
        for caller, given in passed_for(sharing, ref, param)
    )


def passed_for(sharing: Sharing, ref: FunctionRef, param: Param) -> Iterator[tuple[FunctionRef, Node]]:
    """What every visible call of a function in another one passes for a parameter; None where that cannot be seen."""
    function = sharing.world.function(ref)
    place = list(function.params).index(param)
    for caller, site in sharing.callers_of(ref):
        if caller[1] < 0:
            continue
        call = sharing.call_at(caller, site)
        if call is None:
            yield caller, None
            continue
        position = place - 1 if function.owner >= 0 and call[2] is not None and call[2][0] == "a" else place
        given = next((value for name, value in call[4] if name == param.name), None)
        if given is None and 0 <= position < len(call[3]):
            given = call[3][position]
        yield caller, given


def _is_free(sharing: Sharing, param: Param, ref: FunctionRef) -> bool:
    """Whether a parameter can have any number of values: no flag, no enumeration, no dependency."""
    if param.default is not None and param.default[0] == "c" and param.default[2][-1] in ("Depends", "Security"):
        return False
    words = {name for name, _ in _parts(param.annotation)}
    if words & (_CLOSED | {"Depends", "Security"}):
        return False
    interpreter = sharing.interpreter
    for value in interpreter.annotated(ref, param):
        if value[0] == "o" and any("Enum" in str(above) for above in interpreter.order((value[1], value[2]))):
            return False
    for name in words:
        for value in interpreter.global_value(ref[0], name, None) or ():
            if value[0] == "ty" and len(value) > 2 and value[2]:
                return False
    return param.name not in ("self", "cls")


def _parts(node: Node) -> Iterator[tuple[str, bool]]:
    """The names in an expression, and the last names of what it calls."""
    if not node:
        return
    if node[0] == "n":
        yield node[1], False
        return
    if node[0] == "c" and node[2] is not None and node[2][0] in ("n", "a"):
        yield node[2][-1], True
        if node[2][0] == "a":
            yield from _parts(node[2][2])
        for argument in node[3]:
            yield from _parts(argument)
        for _, value in node[4]:
            yield from _parts(value)
        return
    for part in parts(node):
        yield from _parts(part)


def assigned_to(block: Block, name: str) -> Iterator[Node]:
    """The expressions that a block assigns to a name."""
    for statement in block:
        if statement[0] == "=" and any(target == ["n", name] for target in statement[1]):
            yield statement[2]
        elif statement[0] == ":" and statement[1] == ["n", name]:
            yield statement[3]
        for inner in blocks_of(statement):
            yield from assigned_to(inner, name)


def is_kept_as_read(block: Block, name: str) -> bool:
    """Whether a name is what was read out of a container, or was made anew where there was nothing: `found =
    kept.get(key)`, `if not found: found = make(key)`, and nothing is done to it."""
    read = False
    for value in assigned_to(block, name):
        if value is not None and (value[0] == "s" or (value[0] == "c" and value[2] and value[2][-1] == "get")):
            read = True
        elif any(node == ["n", name] for node in nodes(value)):
            return False
    own = ["n", name]
    for node in nodes(block):
        if node[0] == "+=" and node[1] == own:
            return False
        if node[0] in ("a", "s") and node[2] == own:
            return False
        if node[0] == "c" and (own in node[3] or any(value == own for _, value in node[4])):
            return False
    return read
