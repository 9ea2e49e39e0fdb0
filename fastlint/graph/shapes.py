"""Where a call stands in its function: what encloses it, what its result becomes. Looks at structure alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastlint.graph.world import FunctionRef, World
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of, nodes, parts

Ancestors = tuple[Any, ...]
"""The statements and expressions around a node, outermost first."""

_TEXTS = ("k", "f")  # constants and formatted texts
_VALUES = {"e": 1, "=": 2, ":": 3, "if": 1, "while": 2}  # where a statement has its value, or its test


class Shapes:
    """The calls of functions by site, each with what encloses it; a function is walked once, when first asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls: dict[FunctionRef, dict[int, tuple[Node, Ancestors]]] = {}
        self._called: dict[FunctionRef, dict[str, list[Node]]] = {}
        self._values: dict[FunctionRef, dict[str, list[Node]]] = {}
        self._alone: dict[FunctionRef, dict[int, tuple[Node, Any]]] = {}

    def body(self, ref: FunctionRef) -> Block:
        """The statements of a function, or of a module."""
        return self._world.function(ref).body if ref[1] >= 0 else self._world.modules[ref[0]].facts.body

    def call(self, ref: FunctionRef, site: int) -> tuple[Node, Ancestors] | None:
        """The call at a site of a function, and what encloses it there."""
        known = self._calls.get(ref)
        if known is None:
            known = self._calls[ref] = {}
            for node, around in calls(self.body(ref), (), self._class_bodies(ref)):
                known.setdefault(node[1], (node, around))
        return known.get(site)

    def alone(self, ref: FunctionRef) -> dict[int, tuple[Node, Any]]:
        """The calls of a function that are all of what a statement says, assigns or tests, by site, each with that
        statement: by far fewer steps than `call` needs."""
        known = self._alone.get(ref)
        if known is None:
            known = self._alone[ref] = {}
            for statement in _statements(self.body(ref), self._class_bodies(ref)):
                place = _VALUES.get(statement[0])
                node = statement[place] if place is not None else None
                if node is not None and node[0] == "c":
                    known.setdefault(node[1], (node, statement))
        return known

    def assigned(self, ref: FunctionRef, name: str) -> list[Node]:
        """The values that a function assigns to a name of its own, in order."""
        out: list[Node] = []
        for statement, _ in statements_around(self.body(ref)):
            if statement[0] == "=" and ["n", name] in statement[1]:
                out.append(statement[2])
            elif statement[0] == ":" and statement[1] == ["n", name] and statement[3] is not None:
                out.append(statement[3])
        return out

    def is_received(self, names: Iterable[str], *methods: str) -> bool:
        """Whether one of these methods is called on something of one of these last names, or is given such a thing,
        anywhere in the project: also in functions that nothing seems to call, and by another name for it there."""
        wanted = frozenset(names)
        for method in methods:
            for ref in self._world.mentions.get(method, ()):
                if ref[1] >= 0 and wanted.isdisjoint(self._world.modules[ref[0]].facts.names[ref[1]].split()):
                    continue
                for node in self._methods(ref).get(method, ()):
                    for part in (node[2][2], *node[3]):
                        if last_name(part) in wanted:
                            return True
                        if part is not None and part[0] == "n":
                            values = self._bound(ref).get(part[1], ())
                            if any(name in wanted for value in values for name in names_in(value)):
                                return True
        return False

    def _methods(self, ref: FunctionRef) -> dict[str, list[Node]]:
        """The calls of methods in a function, by method; `", ".join(names)` ends nothing."""
        known = self._called.get(ref)
        if known is None:
            known = self._called[ref] = {}
            for node in _plain_calls(self.body(ref), self._class_bodies(ref)):
                callee = node[2]
                if callee is not None and callee[0] == "a" and (callee[2] is None or callee[2][0] not in _TEXTS):
                    known.setdefault(callee[3], []).append(node)
        return known

    def _bound(self, ref: FunctionRef) -> dict[str, list[Node]]:
        """What a function binds to its names, by name."""
        known = self._values.get(ref)
        if known is None:
            known = self._values[ref] = {}
            for name, value in _bindings(self.body(ref)):
                known.setdefault(name, []).append(value)
        return known

    def _class_bodies(self, ref: FunctionRef) -> list[Block]:
        return [cls.body for cls in self._world.modules[ref[0]].facts.classes]


def _bindings(block: Block) -> Iterator[tuple[str, Node]]:
    """The names that a block binds, each with the value: `pool = self._pool`, `pool, self._pool = self._pool, None`,
    `for pool in (self.first, self.second)`, `if (pool := self._pool):`."""
    for node in nodes(block):
        tag = node[0]
        if tag == "=":
            for target in node[1]:
                if target is None:
                    continue
                if target[0] == "n":
                    yield target[1], node[2]
                elif target[0] == "t" and node[2] is not None and node[2][0] == "t":
                    for one, value in zip(target[1], node[2][1], strict=False):
                        if one is not None and one[0] == "n":
                            yield one[1], value
        elif tag == ":":
            if node[1] is not None and node[1][0] == "n":
                yield node[1][1], node[3]
        elif tag == ":=":
            yield node[1], node[2]
        elif tag == "for":
            for one in node[2][1] if node[2] and node[2][0] == "t" else [node[2]]:
                if one is not None and one[0] == "n":
                    yield one[1], node[3]


def statements_around(block: Block, around: Ancestors = ()) -> Iterator[tuple[Any, Ancestors]]:
    """Every statement of a block and of the blocks in it with the statements that enclose it, outermost first; nested
    functions and classes are left out."""
    for statement in block:
        yield statement, around
        for inner in blocks_of(statement):
            yield from statements_around(inner, (*around, statement))


def _statements(block: Block, classes: list[Block]) -> Iterator[Any]:
    """Every statement of a block and of the blocks and classes in it."""
    for statement, _ in statements_around(block):
        yield statement
        if statement[0] == "class":
            yield from _statements(classes[statement[1]], classes)


def _plain_calls(block: Block, classes: list[Block]) -> Iterator[Node]:
    """As `calls`, in another order and without what is around them."""
    for node in nodes(block):
        if node[0] == "c":
            yield node
        elif node[0] == "class":
            yield from _plain_calls(classes[node[1]], classes)


def calls(block: Block, around: Ancestors, classes: list[Block]) -> Iterator[tuple[Node, Ancestors]]:
    """Every call in a block, with its ancestors; nested functions are left out, class bodies are not."""
    for statement in block:
        tag = statement[0]
        if tag == "class":
            yield from calls(classes[statement[1]], (*around, statement), classes)
        else:
            yield from _calls_within(statement, (*around, statement), classes)


def _calls_within(node: Any, around: Ancestors, classes: list[Block]) -> Iterator[tuple[Node, Ancestors]]:
    for part in parts(node):
        if not isinstance(part[0], str):
            yield from _calls_within(part, around, classes)
        elif part[0] == "class":
            yield from calls(classes[part[1]], (*around, part), classes)
        else:
            if part[0] == "c":
                yield part, around
            yield from _calls_within(part, (*around, part), classes)


def names_in(node: Any) -> Iterator[str]:
    """Every name and attribute read in a node or block, in order."""
    if not node:
        return
    if node[0] == "n":
        yield node[1]
    elif node[0] == "a":
        yield from names_in(node[2])
        yield node[3]
    else:
        for part in parts(node):
            yield from names_in(part)


def is_discarded(around: Ancestors) -> bool:
    """Whether nothing can ever use what the call gives: an expression statement, `_ = call()`, or a list of such."""
    depth = len(around) - 1
    while depth > 0 and around[depth][0] in ("comp", "l", "t", "set", "if"):
        depth -= 1
    statement = around[depth]
    if statement[0] == "e":
        return True
    return bool(statement[0] == "=" and all(target == ["n", "_"] for target in statement[1]))


def targets_of(around: Ancestors) -> list[Node]:
    """The targets of the assignment whose value is the call itself (through `or` and conditional expressions)."""
    depth = len(around) - 1
    while depth > 0 and around[depth][0] in ("if", "bool", "w", ":="):
        depth -= 1
    statement = around[depth]
    if statement[0] == "=":
        return list(statement[1])
    if statement[0] == ":":
        return [statement[1]]
    return []


def last_name(node: Node) -> str:
    """The last name of a name, attribute or call: what people call it."""
    if node is None:
        return ""
    if node[0] == "c":
        return last_name(node[2])
    if node[0] in ("n", "a"):
        return str(node[-1])
    return ""
