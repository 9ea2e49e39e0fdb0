"""Where it is kept what a test of a callable has said: in a nested function that is made only if it says so
(`if iscoroutinefunction(call): async def wrapper…`), or in an attribute (`self.waits = iscoroutinefunction(call)`).

Looks at structure alone, and only at what stays as it was: parameters and attributes that are bound once.
"""

from __future__ import annotations

from fastlint.graph.constants import Bindings, bindings_of
from fastlint.graph.guards import statements_of
from fastlint.graph.shapes import last_name
from fastlint.graph.world import ClassRef, FunctionRef, World
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of

Test = tuple[Node, bool]
"""A test and how it came out."""

COROUTINE_TESTS = frozenset({"iscoroutinefunction", "is_async_callable", "is_coroutine_callable", "isasyncgenfunction"})
# What these tests tell of a callable holds for as long as there is that callable
CALLABLE_TESTS = COROUTINE_TESTS | {"isgeneratorfunction"}


def tests_of_parameters(world: World, ref: FunctionRef) -> dict[str, list[Test]]:
    """The parameters of the function around this one that were tested before this one was made, each with the tests."""
    function = world.function(ref)
    if function.parent < 0:
        return {}
    around = world.function((ref[0], function.parent))
    names = {param.name for param in around.params}
    tests = _tests_before(around.body, ref[1], [])
    if not tests:
        return {}
    bound = bindings_of(around.body)
    out: dict[str, list[Test]] = {}
    for test, truth in tests:
        for call, outcome in _calls_in(_spelled_out(test, bound), truth):
            asked = call[3][0] if call[3] else None
            if (
                asked is not None
                and asked[0] == "n"
                and asked[1] in names - bound.keys()
                and call[2][-1] in CALLABLE_TESTS
            ):
                out.setdefault(asked[1], []).append((call, outcome))
    return out


def _tests_before(block: Block, index: int, known: list[Test]) -> list[Test] | None:
    """The tests on the way to the definition of a function in a block; None where it is not in there."""
    for statement in block:
        if statement[0] == "def":
            if statement[1] == index:
                return known
        elif statement[0] == "if":
            for branch, truth in ((statement[2], True), (statement[3], False)):
                found = _tests_before(branch, index, [*known, (statement[1], truth)])
                if found is not None:
                    return found
                if branch and branch[-1][0] in ("ret", "raise"):
                    known = [*known, (statement[1], not truth)]
        else:
            for inner in blocks_of(statement):
                found = _tests_before(inner, index, known)
                if found is not None:
                    return found
    return None


def _spelled_out(test: Node, bound: Bindings) -> Node:
    """The test with the name in it replaced by what that was assigned: `is_async = iscoroutinefunction(call)`."""
    if test is not None and test[0] == "u":
        return [*test[:2], _spelled_out(test[2], bound)]
    made = bound.get(test[1]) if test is not None and test[0] == "n" else None
    return made if isinstance(made, (list, tuple)) else test


def _calls_in(test: Node, truth: bool) -> list[Test]:
    """The calls of a test that must have come out in one way: all parts of a true `and`, of a false `or`."""
    if test is None:
        return []
    if test[0] == "u" and test[1] == "not":
        return _calls_in(test[2], not truth)
    if test[0] == "bool" and (test[1] == "and") == truth:
        return [each for part in test[2] for each in _calls_in(part, truth)]
    return [(test, truth)] if test[0] == "c" and test[2] and test[2][0] in ("n", "a") else []


def test_in_attribute(world: World, ref: ClassRef, name: str) -> tuple[str, tuple[str, ...]] | None:
    """The attribute of the same object that an attribute has the answer of, and the tests that were asked, one or the
    other: `self.waits = iscoroutinefunction(call) or isasyncgenfunction(call)` beside `self.call = call`."""
    writers = world.class_(ref).attribute_writers.get(name, ())
    if len(writers) != 1 or writers[0] < 0:
        return None
    assigned: dict[str, list[Node]] = {}
    for statement in statements_of(world.function((ref[0], writers[0])).body):
        if statement[0] in ("=", ":"):
            targets, value = (statement[1], statement[2]) if statement[0] == "=" else ([statement[1]], statement[3])
            for target in targets:
                if target is not None and target[0] == "a" and target[2] == ["n", "self"]:
                    assigned.setdefault(target[3], []).append(value)
    answer = assigned.get(name, [])
    if len(answer) != 1 or answer[0] is None:
        return None
    calls = answer[0][2] if answer[0][0] == "bool" and answer[0][1] == "or" else [answer[0]]
    if not all(call and call[0] == "c" and last_name(call) in CALLABLE_TESTS and call[3] for call in calls):
        return None
    asked = [call[3][0] for call in calls]
    if any(_without_site(each) != _without_site(asked[0]) for each in asked) or asked[0] is None:
        return None
    if asked[0][0] == "a" and asked[0][2] == ["n", "self"]:
        return asked[0][3], tuple(call[2][-1] for call in calls)
    kept = [attribute for attribute, values in assigned.items() if values == [asked[0]]]
    return (kept[0], tuple(call[2][-1] for call in calls)) if kept and asked[0][0] == "n" else None


def _without_site(node: Node) -> Node:
    return (node[0], node[2], node[3]) if node is not None and node[0] == "a" else node
