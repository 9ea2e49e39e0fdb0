"""Where code gives the event loop a turn, and what it leaves unawaited. Looks at structure alone: evaluates nothing."""

from __future__ import annotations

from typing import Any

from fastlint.graph.guards import statements_of
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of, nodes, parts

_GIVE_UP_EARLY = frozenset({"wait", "wait_for", "timeout", "timeout_at", "fail_after", "move_on_after"})
_WAITS = frozenset({"wait", "communicate"})
_SOON = 6  # statements
_WRAPPERS = frozenset({"shield", "wait_for", "gather"})
_ASKS_FIRST = frozenset({"isawaitable", "iscoroutine", "isfuture"})


def suspends(block: Block) -> bool:
    """Whether a block awaits or yields anything, or iterates or enters asynchronously."""
    return awaits(block) or any(
        (statement[0] == "for" and statement[6]) or (statement[0] == "with" and statement[3])
        for statement in statements_of(block)
    )


def awaits(node: Node) -> bool:
    """Whether an expression, or any in a block, awaits or yields."""
    return any(
        each[0] in ("w", "y", "yf") or (each[0] == "comp" and any(clause[4] for clause in each[4]))
        for each in nodes(node)
    )


def awaits_call(block: Block, site: int) -> bool:
    """Whether what a block calls at a site is awaited on the spot: not together with others, nor until some time."""
    return any(
        each[0] == "w" and each[2] is not None and each[2][0] == "c" and each[2][1] == site for each in nodes(block)
    )


def awaited_later(block: Block) -> frozenset[int]:
    """The sites of the calls whose result gets a name that certainly is awaited then, statements later in the same
    block: `saving = store.save()`, `await asyncio.shield(saving)`. Who asks first (`isawaitable`) is not certain."""
    out: set[int] = set()
    blocks: list[Block] = [block]
    while blocks:
        current = blocks.pop()
        for place, statement in enumerate(current):
            blocks.extend(blocks_of(statement))
            if statement[0] == "=" and statement[2] is not None and statement[2][0] == "c" and len(statement[1]) == 1:
                target = statement[1][0]
                following = current[place + 1 : place + 1 + _SOON] if target is not None and target[0] == "n" else ()
                if any(_awaits_name(each, target[1]) for each in following):
                    out.add(statement[2][1])
    return frozenset(out)


def _awaits_name(statement: Any, name: str) -> bool:
    """Whether a statement awaits what has this name: itself, or shielded, limited or beside others."""
    if statement[0] in ("with", "try"):  # what certainly is begun
        return any(_awaits_name(inner, name) for inner in blocks_of(statement)[0][:_SOON])
    if statement[0] not in ("e", "=", "ret") or _mentions_call(statement, _ASKS_FIRST):
        return False
    return any(each[0] == "w" and _is_handed_on(each[2], name) for each in nodes(statement))


def _is_handed_on(node: Node, name: str) -> bool:
    if node is None:
        return False
    if node[0] == "if":
        return _is_handed_on(node[2], name) and _is_handed_on(node[3], name)
    if node[0] == "c" and node[2] is not None and node[2][0] in ("n", "a") and node[2][-1] in _WRAPPERS:
        return any(_is_name(argument, name) for argument in node[3])
    return _is_name(node, name)


def _mentions_call(node: Any, names: frozenset[str]) -> bool:
    return any(
        each[0] == "c" and each[2] is not None and each[2][0] in ("n", "a") and each[2][-1] in names
        for each in nodes(node)
    )


def hands_over_awaited(block: Block, executor: str) -> bool:
    """Whether all that a block gives to the executor of this name is awaited, without giving up early: through
    `loop.run_in_executor`, `asyncio.wrap_future`, or by what is awaited on the spot: nothing is left at the end."""
    if not suspends(block):
        return False
    handed = 0
    waiting: list[tuple[Any, bool]] = [(block, False)]
    while waiting:
        node, awaited = waiting.pop()
        awaited = awaited or node[0] == "w"
        if node[0] == "c":
            name = node[2][-1] if node[2] is not None and node[2][0] in ("n", "a") else None
            if name in _GIVE_UP_EARLY:
                return False
            given = [*node[3], *(value for _, value in node[4])]
            if awaited or name == "run_in_executor":
                handed += sum(_is_name(argument, executor) for argument in given)
            if name == "wrap_future":
                handed += sum(_submits(argument, executor) for argument in given)
        waiting.extend((inner, awaited) for inner in parts(node))
    return 0 < handed == _mentions(block, executor)


def waits_for_child(block: Block, process: str) -> bool:
    """Whether a block waits for the child process of this name, or hands that wait over (`to_thread(child.wait)`), or
    looks again and again until it has ended."""
    for node in nodes(block):
        if node[0] == "a" and node[3] in _WAITS and _is_name(node[2], process):
            return True
        if node[0] == "while" and any(
            each[0] == "a" and each[3] == "poll" and _is_name(each[2], process) for each in nodes(node[2])
        ):
            return True
    return False


def _submits(node: Node, executor: str) -> bool:
    """`executor.submit(…)`."""
    if node is None or node[0] != "c" or node[2] is None:
        return False
    callee = node[2]
    return bool(callee[0] == "a" and callee[3] == "submit" and _is_name(callee[2], executor))


def _is_name(node: Node, name: str) -> bool:
    return node is not None and node[0] == "n" and node[1] == name


def _mentions(block: Block, name: str) -> int:
    return sum(_is_name(each, name) for each in nodes(block))
