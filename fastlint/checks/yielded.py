"""What a dependency does, after the request, with what it has yielded. Looks at structure alone: evaluates nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of, nodes, tags


def ends_what_it_yields(body: Block) -> bool:
    """Whether anything of a generator ends what it yields: a `with` that has opened it, or code that runs afterwards.

    `with lock: yield shared()` does not: the lock is given back, and what is shared lives on. Code after the `yield`
    counts whatever it says, as long as it calls or deletes something; so does handing on what another generator yields.
    """
    for around, following, yielded in _yields(body, (), ()):
        if yielded is None:
            return True
        used = {node[1] for node in nodes(yielded) if node[0] == "n"}
        for _, opened, target in around:
            if target is not None or not used.isdisjoint(node[1] for node in nodes(opened) if node[0] == "n"):
                return True
        if any(tag in ("c", "del", "=", "yf") for statement in following for tag in tags([statement])):
            return True
    return False


def _yields(
    block: Block, around: tuple[Any, ...], following: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...], Node]]:
    """Every `yield` of a block with the items of the `with` statements around it and the statements that run after it,
    and what it yields; None for what another generator does."""
    for place, statement in enumerate(block):
        after = (*block[place + 1 :], *following)
        inner = blocks_of(statement)
        if not inner:
            made = [node for node in nodes(statement) if node[0] in ("y", "yf")]
            yield from ((around, after, node[2] if node[0] == "y" else None) for node in made)
        elif statement[0] == "for" and any(tag in ("y", "yf") for tag in tags(statement)):
            yield around, after, None
        elif statement[0] == "with":
            yield from _yields(statement[2], (*around, *statement[1]), after)
        elif statement[0] == "try":
            for each in inner[:-1]:
                yield from _yields(each, around, (*statement[4], *after))
            yield from _yields(inner[-1], around, after)
        else:
            for each in inner:
                yield from _yields(each, around, after)
