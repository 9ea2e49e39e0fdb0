"""Which names a module mentions, out of which of them it may take something, which folders it names. Judges nothing.

Some questions are asked of every function of a project, and most functions have nothing to say to them. So it is noted
once, when a file is parsed, who can have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from fastlint.source.facts import Block, ModuleFacts, Node
from fastlint.source.nodes import nodes

TAKING = frozenset({"pop", "popitem", "popleft", "remove", "discard", "clear", "difference_update", "subtract"})
"""Methods that take something out of a container."""

WITH = "with"
"""Stands for a `with` statement among the names that a function mentions: no name can be spelled so."""

RETIRED = frozenset({"deprecated", "obsolete", "archive", "archived", "attic", "retired"})
"""Names of folders of what is no longer used."""

_SAYS = re.compile("|".join(sorted(RETIRED)))
_DOTTED = re.compile(r"[^\s./]*(?:[./][^\s./]*)+")  # a text, all of it, that names a module or a path
_LOOKING = frozenset(
    {"len", "list", "sorted", "dict", "tuple", "set", "sum", "max", "min", "str", "repr", "bool", "any"}
)
_MAKING = frozenset({"__init__", "__new__"})  # what they bind is new


def note_names(facts: ModuleFacts) -> None:
    """Fill `names`, `losing` and `retired` of the facts of a module."""
    losing: set[str] = set()
    retired: set[str] = set()
    facts.names = [" ".join(_names(each.body, each.name in _MAKING, losing, retired)) for each in facts.functions]
    for block in (facts.body, *(each.body for each in facts.classes)):
        retired.update(folder for node in nodes(block) if node[0] == "k" for folder in _folders(node[1]))
    facts.losing = sorted(losing)
    facts.retired = sorted(retired)


def _names(block: Block, new: bool, losing: set[str], retired: set[str]) -> Iterable[str]:
    """The names and attributes in a block, each once. Collects the names out of which it takes something, that it binds
    anew (in a constructor they are `new`), returns, or hands on to a call, and the retired folders that it names."""
    found: dict[str, None] = {}
    for current in nodes(block):
        tag = current[0]
        if tag == "n":
            found[current[1]] = None
        elif tag == "k":
            retired.update(_folders(current[1]))
        elif tag == "a":
            found[current[3]] = None
            if current[3] in TAKING:  # called, or handed over as a callback
                _lose((current[2],), losing)
        elif tag == "c":
            callee = current[2]
            if callee is not None and not (callee[0] in ("n", "a") and callee[-1] in _LOOKING):
                _lose((*current[3], *(value for _, value in current[4])), losing)
        elif tag == "with":
            found[WITH] = None
        elif tag == "del":
            _lose([part[2] for part in current[1] if part and part[0] == "s"], losing)
        elif tag == "=" and not new:
            _lose(current[1], losing)
        elif tag == "ret":
            _lose((current[1],), losing)
    return found


def _lose(given: Iterable[Node], losing: set[Any]) -> None:
    for node in given:
        if node is not None and node[0] in ("n", "a"):
            losing.add(node[-1])


def _folders(constant: object) -> Iterator[str]:
    """The folders of what is no longer used that a constant names: one that is a dotted name or a path, all of it."""
    if isinstance(constant, str) and _SAYS.search(constant) and _DOTTED.fullmatch(constant):
        yield from RETIRED.intersection(re.split("[./]", constant))
