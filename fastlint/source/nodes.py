"""How to walk the trees of nodes that `facts` describes. The only place that knows which parts of a node are nodes.

A list of names may look like a node: `global n` is kept as `["global", ["n"]]`, `f(k=x)` holds `["k", x]`. A walk that
does not know this takes one for the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.source.facts import Block, Node

_LEAVES = frozenset({"k", "n", "global", "imp", "fn", "sl", "def", "class", "break", "continue"})
_NAMED = frozenset({"c", "cmp"})  # hold names beside nodes, in lists
_ROWS = (list, tuple)


def parts(node: Any) -> list[Any]:
    """What lies directly inside a node, a block or a row of them, in the order in which it is kept; no names."""
    tag = node[0]
    if tag.__class__ is str:
        if tag == "c":
            return [part for part in (node[2], *node[3], *(value for _, value in node[4])) if part]
        if tag == "cmp":
            return [part for part in (node[2], *(right for _, right in node[3])) if part]
        if tag in ("global", "imp"):
            return []
    return [part for part in node if part and part.__class__ in _ROWS]


def nodes(node: Node | Block) -> Iterator[Any]:
    """A node and all nodes below it, or all of a block, in that order; without recursion, as trees can be deep.
    Nested functions, lambdas and classes stay closed."""
    if not node:
        return
    waiting: list[Any] = [node]
    pop = waiting.pop
    while waiting:
        current = pop()
        tag = current[0]
        if tag.__class__ is str:
            yield current
            if tag in _LEAVES:
                continue
            if tag in _NAMED:
                inside = parts(current)
                inside.reverse()
                waiting += inside
                continue
        # As `parts` does; this loop is walked millions of times.
        inside = [part for part in current if part and part.__class__ in _ROWS]
        inside.reverse()
        waiting += inside


def blocks_of(statement: Any) -> list[Block]:
    """The blocks inside a statement; those of nested functions and classes are not its own."""
    tag = statement[0]
    if tag == "if":
        return [statement[2], statement[3]]
    if tag == "while":
        return [statement[3], statement[4]]
    if tag == "for":
        return [statement[4], statement[5]]
    if tag == "with":
        return [statement[2]]
    if tag == "try":
        return [statement[1], *(handler[2] for handler in statement[2]), statement[3], statement[4]]
    if tag == "match":
        return [case[1] for case in statement[2]]
    return []


def calls_within(node: Node | Block) -> Iterator[Node]:
    """Every call in a node or block, outer ones before the calls in them."""
    return (each for each in nodes(node) if each[0] == "c")


def tags(node: Node | Block) -> Iterator[str]:
    """The tags of a node and all nodes below it."""
    return (each[0] for each in nodes(node))
