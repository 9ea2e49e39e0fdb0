"""How places are written, and what their names say where nothing else is known. Evaluates nothing."""

from __future__ import annotations

import re

from fastlint.source.facts import Node

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# `rlock`, `filelock` and `asynclock` are locks; `clock`, `block` and `codeblock` are none
_LOCK = re.compile(r"(.*[^bc]|a?sync|db)?locks?|lock(ed|er|ers|ing)|.*(mutex|semaphore|synchroni).*")


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case: `_userIDs_limit` is user, ids, limit."""
    return [word.lower() for word in _WORDS.findall(name)]


def is_called_lock(node: Node) -> bool:
    """Whether a word of a chain of names says that it is a lock."""
    return any(_LOCK.fullmatch(word) for word in words_of(spelled_node(node)))


def spelled_node(node: Node) -> str:
    """A place as it is written, for telling one lock from another."""
    parts: list[str] = []
    while node is not None and node[0] in ("a", "s", "c"):
        if node[0] == "a":
            parts.append(node[3])
        node = node[2]
    if node is not None and node[0] == "n":
        parts.append(node[1])
    return ".".join(reversed(parts))
