"""How many arguments a call leaves to `*args` and `**options`, and what a function's tests ask of that number.

A decorator for use with and without arguments asks just this: `if len(args) == 1 and callable(args[0])`. Looks at
structure alone: evaluates nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any

from fastlint.graph.constants import bindings_of
from fastlint.graph.signatures import Signature
from fastlint.graph.values import Values
from fastlint.source.facts import Function, Node
from fastlint.source.nodes import nodes

_MOST = 2  # one variant for none, one and two; of more nobody asks how many exactly
_CHANGES = frozenset({"pop", "popitem", "update", "setdefault", "clear"})
_COMPARE = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def counted_names(function: Function) -> frozenset[str]:
    """The gathering parameters (`*args`, `**options`) that a function's tests ask for and that it never changes."""
    names = {param.name for param in function.params if param.kind in ("*", "**")}
    if not names:
        return frozenset()
    asked: set[str] = set()
    changed: set[str] = set(bindings_of(function.body))
    for each in nodes(function.body):
        tag = each[0]
        if tag in ("if", "while"):
            asked.update(_asked(each[1] if tag == "if" else each[2]))
        elif tag in ("=", "+=", "del"):
            targets = each[1] if tag != "+=" else [each[1]]
            changed.update(name for target in targets if target and target[0] == "s" for name in _name(target[2]))
        elif tag == "c" and each[2] is not None and each[2][0] == "a" and each[2][3] in _CHANGES:
            changed.update(_name(each[2][2]))
    return frozenset(names & asked - changed)


def count_key(name: str) -> str:
    """The name under which a variant knows how many arguments one of its parameters gathered."""
    return f"#{name}"


def counts(taken: Signature, counted: frozenset[str], args: list[Values], keywords: Any) -> dict[str, Values]:
    """What a call whose arguments are all written leaves to the counted parameters, by `count_key`."""
    out: dict[str, Values] = {}
    for name in counted:
        count = -1
        if name == taken.gathering:
            count = max(0, len(args) - len(taken.positional))
        elif name == taken.rest:
            count = sum(keyword not in taken.named for keyword in keywords)
        if 0 <= count <= _MOST:
            out[count_key(name)] = (("k", count),)
    return out


def spread_keywords(node: Node) -> list[list[tuple[str, Node]]] | None:
    """The keywords that `**{"a": 1}` gives, one list for each branch of `**({"a": 1} if … else {})`; None where it is
    not written there which they are."""
    if node is not None and node[0] == "if":
        first, second = spread_keywords(node[2]), spread_keywords(node[3])
        return [*first, *second] if first is not None and second is not None else None
    if node is None or node[0] != "d":
        return None
    pairs = [(key[1], value) for key, value in node[1] if key is not None and key[0] == "k" and isinstance(key[1], str)]
    return [pairs] if len(pairs) == len(node[1]) else None


def may_give(keywords: Mapping[str | None, Values], name: str) -> bool:
    """Whether what is spread into a call may give it a keyword of this name."""
    return None in keywords and (not keywords[None] or ("k", name) in keywords[None])


def compared_count(test: Node) -> tuple[str, Any, int] | None:
    """The name, the comparison and the number of `len(args) == 1`."""
    if test is None or test[0] != "cmp" or len(test[3]) != 1:
        return None
    written, right = test[3][0]
    name = _length_of(test[2])
    if name is None or written not in _COMPARE or right is None or right[0] != "k" or type(right[1]) is not int:
        return None
    return name, _COMPARE[written], right[1]


def first_called(test: Node) -> str | None:
    """The name in `callable(args[0])`."""
    if test is None or test[0] != "c" or test[2] != ["n", "callable"] or len(test[3]) != 1 or test[4]:
        return None
    asked = test[3][0]
    if asked is None or asked[0] != "s" or asked[3] != ["k", 0]:
        return None
    return next(_name(asked[2]), None)


def _asked(test: Node) -> Iterator[str]:
    """The names whose length, or whose being empty, a test asks for."""
    if test is None:
        return
    if test[0] == "n":
        yield test[1]
    elif test[0] == "u" and test[1] == "not":
        yield from _asked(test[2])
    elif test[0] == "bool":
        for part in test[2]:
            yield from _asked(part)
    else:
        compared = compared_count(test)
        name = compared[0] if compared is not None else first_called(test)
        if name is not None:
            yield name


def _length_of(node: Node) -> str | None:
    if node is None or node[0] != "c" or node[2] != ["n", "len"] or len(node[3]) != 1 or node[4]:
        return None
    return next(_name(node[3][0]), None)


def _name(node: Node) -> Iterator[str]:
    if node is not None and node[0] == "n":
        yield node[1]
