"""The dependencies that FastAPI enters before it calls a function: of its parameters, its decorator, its router, and of
what includes that.

Asks the interpreter quietly what is declared. Says nothing about what they do.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.graph.guards import statements_of
from fastlint.graph.libraries import DEPENDS
from fastlint.graph.places import Places
from fastlint.graph.state import Frame
from fastlint.graph.values import Value, Values
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Function, Node

_DEEPEST = 6  # routers in routers


def providers(places: Places, ref: FunctionRef) -> Iterator[FunctionRef]:
    """The functions behind every `Depends(…)` that is declared for a function."""
    interpreter = places.interpreter
    for called in _declared(places, ref):
        if called[0] in ("b", "once", "mgr"):
            called = called[1]
        if called[0] == "f":
            yield called[1], called[2]
        elif called[0] == "o":
            method = interpreter.find_method((called[1], called[2]), "__call__")
            if isinstance(method, tuple):
                yield method[0], method[1]


def _declared(places: Places, ref: FunctionRef) -> Iterator[Value]:
    """What is given to each `Depends`. Evaluates names alone: the analysis is over, and nothing may run any more."""
    interpreter = places.interpreter
    function = interpreter.world.function(ref)
    scope = interpreter.frame_of_definition(ref)
    declared: list[tuple[Node, Frame]] = []
    for param in function.params:
        if param.default is not None and param.default[0] == "c":
            declared.append((param.default, scope))
        elif param.annotation is not None:
            for value in _carried(places, param.annotation, function, scope):
                yield from value[1] if value[0] == "dep" else ()
    for node in function.decorators:
        if node is not None and node[0] == "c" and node[2] is not None and node[2][0] == "a":
            declared.extend((each, scope) for each in _listed(node))
            declared.extend(_around(places, node[2][2], scope))
    for node, frame in declared:
        if node is not None and node[0] == "c" and node[2] is not None and node[2][0] in ("n", "a"):
            given = node[3][0] if node[3] else next((value for name, value in node[4] if name == "dependency"), None)
            if given is not None and given[0] in ("n", "a") and _is_depends(interpreter.evaluate(node[2], frame)):
                yield from interpreter.evaluate(given, frame)


def _carried(places: Places, annotation: Node, function: Function, scope: Frame) -> Values:
    """What an annotation carries; one that is a name means the same to all functions beside this one."""
    if annotation[0] != "n" or function.parent >= 0:
        return places.interpreter.dependencies_in(annotation, scope)
    key = scope.module, function.owner, annotation[1]
    if key not in places.carried:
        places.carried[key] = places.interpreter.dependencies_in(annotation, scope)
    return places.carried[key]


def _around(places: Places, router: Node, frame: Frame) -> Iterator[tuple[Node, Frame]]:
    """The dependencies of a router or application, and of whatever includes it; of a router that is included more than
    once only its own: they need not be the same everywhere."""
    interpreter = places.interpreter
    for _ in range(_DEEPEST):
        key = places.of(router, frame)
        home = interpreter.module_frame(key[1]) if key is not None and key[0] == "global" else frame
        made = places.made(key) if key is not None else _made_in(places, frame.variant.function, router)
        yield from ((each, home) for call in made for each in _listed(call))
        included = interpreter.inclusions.get(("items", *key[1:]), {}) if key is not None and key[0] == "global" else {}
        if len(included) != 1:
            return
        ((caller, _), call) = next(iter(included.items()))
        variant = interpreter.of_function[caller][0]
        frame = Frame(variant, caller[0], dict(variant.names), quiet=True)
        yield from ((each, frame) for each in _listed(call))
        router = call[2][2]


def _made_in(places: Places, ref: FunctionRef, name: Node) -> list[Node]:
    """What a factory assigns to a local name: `app = FastAPI(…)`."""
    if ref[1] < 0 or name is None or name[0] != "n":
        return []
    body = places.world.function(ref).body
    return [statement[2] for statement in statements_of(body) if statement[0] == "=" and name in statement[1]]


def _is_depends(values: Values) -> bool:
    return any(value[0] == "x" and value[1] in DEPENDS for value in values)


def _listed(call: Node) -> Iterator[Node]:
    """The elements of `dependencies=[…]` of a call."""
    if call is not None and call[0] == "c":
        for name, value in call[4]:
            if name == "dependencies" and value is not None and value[0] in ("l", "t"):
                yield from value[1]
