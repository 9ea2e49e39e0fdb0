"""Facts as JSON text and back: what passes between processes, and what the cache keeps. Judges nothing.

Every file's facts pass through here once, whether or not they come from the cache: both ways give the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastlint.source.facts import Class, Function, ModuleFacts, Param

# A chain of 400 calls is kept as some 1,200 lists in each other, more than Python's usual limit; `parse` bounds it.
_DEPTH = 10_000
_encoder = json.JSONEncoder(check_circular=False, separators=(",", ":"))


def encode(facts: ModuleFacts) -> bytes:
    """The facts as JSON text. Raises `RecursionError` where they are too deep."""
    answer = {
        "functions": facts.functions,
        "classes": facts.classes,
        "body": facts.body,
        "mentions": facts.mentions,
        "writers": facts.writers,
        "mutators": facts.mutators,
        "rebinders": facts.rebinders,
        "imports": facts.imports,
        "names": facts.names,
        "losing": facts.losing,
        "retired": facts.retired,
        "sites": facts.sites,
    }
    with _deep():
        return _encoder.encode(answer).encode()


def decode(text: bytes) -> ModuleFacts:
    """The facts that `encode` wrote. Raises `ValueError`, `TypeError`, `KeyError` or `RecursionError` on others."""
    with _deep():
        answer: dict[str, Any] = json.loads(text)
    if not isinstance(answer, dict) or not isinstance(answer["sites"], int):
        raise ValueError("these are no facts")
    functions = [Function._make(row) for row in answer["functions"]]
    return ModuleFacts(
        functions=[each._replace(params=[Param._make(param) for param in each.params]) for each in functions],
        classes=[Class._make(row) for row in answer["classes"]],
        body=answer["body"],
        mentions=answer["mentions"],
        writers=answer["writers"],
        mutators=answer["mutators"],
        rebinders=answer["rebinders"],
        imports=answer["imports"],
        names=answer["names"],
        losing=answer["losing"],
        retired=answer["retired"],
        sites=answer["sites"],
    )


@contextmanager
def _deep() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
