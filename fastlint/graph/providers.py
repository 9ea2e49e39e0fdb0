"""The dependencies that FastAPI enters before it calls a function: of its parameters, its decorator and its router.

Asks the interpreter quietly what is declared. Says nothing about what they do, nor about those of whole applications.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.graph.libraries import DEPENDS
from fastlint.graph.places import Places
from fastlint.graph.values import Value, Values
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Node


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
    declared: list[Node] = []
    for param in function.params:
        if param.default is not None and param.default[0] == "c":
            declared.append(param.default)
        elif param.annotation is not None:
            for value in interpreter.dependencies_in(param.annotation, scope):
                yield from value[1] if value[0] == "dep" else ()
    for node in function.decorators:
        if node is not None and node[0] == "c" and node[2] is not None and node[2][0] == "a":
            made = places.made(places.of(node[2][2], scope) or ("none",))
            for call in (node, *made):
                declared.extend(_listed(call))
    for node in declared:
        if node is not None and node[0] == "c" and node[2] is not None and node[2][0] in ("n", "a"):
            given = node[3][0] if node[3] else next((value for name, value in node[4] if name == "dependency"), None)
            if given is not None and given[0] in ("n", "a") and _is_depends(interpreter.evaluate(node[2], scope)):
                yield from interpreter.evaluate(given, scope)


def _is_depends(values: Values) -> bool:
    return any(value[0] == "x" and value[1] in DEPENDS for value in values)


def _listed(call: Node) -> Iterator[Node]:
    """The elements of `dependencies=[…]` of a call."""
    if call is not None and call[0] == "c":
        for name, value in call[4]:
            if name == "dependencies" and value is not None and value[0] in ("l", "t"):
                yield from value[1]
