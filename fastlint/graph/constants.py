"""Which names certainly are one constant: bound once, to a literal. Looks at facts alone: evaluates nothing.

The values of the interpreter say what something *may* be, and what it does not know adds nothing to them: a counter
that starts at 0 looks like the constant 0 for ever. A condition on a number or a flag must not believe that.
"""

from __future__ import annotations

from typing import Any

from fastlint.graph.guards import statements_of
from fastlint.graph.world import ClassRef, Module, World
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import nodes

_MANY = object()

Bindings = dict[str, Any]
"""Name -> the node that is bound to it, or `_MANY` where there is more than one binding, or none with a node."""


def bindings_of(block: Block) -> Bindings:
    """What every name of a block is bound to, nested blocks included, nested functions not."""
    out: Bindings = {}
    _scan(block, out)
    return out


def is_literal(node: Node) -> bool:
    """Whether a node is a constant, or arithmetic of constants."""
    if node is None:
        return False
    if node[0] == "u":
        return is_literal(node[2])
    if node[0] == "o":
        return is_literal(node[3]) and is_literal(node[4])
    return bool(node[0] == "k")


def once_literal(bindings: Bindings, name: str) -> bool:
    """Whether a name is bound exactly once, to a literal."""
    node = bindings.get(name)
    return node is not None and node is not _MANY and is_literal(node)


def module_literal(module: Module, name: str) -> bool:
    """Whether a module binds a name once, to a literal, and no function rebinds it."""
    bindings = module.bindings.get(name, ())
    if len(bindings) != 1 or name in module.facts.rebinders:
        return False
    binding = bindings[0]
    return binding[0] in ("expr", "ann") and is_literal(binding[1 if binding[0] == "expr" else 2])


def attribute_literal(world: World, classes: list[ClassRef], name: str) -> bool:
    """Whether an attribute is a literal of the class body, the same in every class that says it, that no method and
    nobody else assigns."""
    if name in world.writers:
        return False
    found = [bindings_of(world.class_(ref).body) for ref in classes]
    said = [bindings for bindings in found if name in bindings]
    return bool(said) and all(once_literal(each, name) and each[name] == said[0][name] for each in said)


def _scan(block: Block, out: Bindings) -> None:
    for statement in statements_of(block):
        tag = statement[0]
        if tag == "=":
            for target in statement[1]:
                _bind(target, statement[2] if len(statement[1]) == 1 else None, out)
        elif tag == ":":
            _bind(statement[1], statement[3], out)
        elif tag == "+=":
            _bind(statement[1], None, out)
        elif tag in ("def", "class"):
            _bind(["n", statement[2]], None, out)
        elif tag == "imp":
            for bound, *_ in statement[1]:
                _bind(["n", bound], None, out)
        elif tag == "global":
            for name in statement[1]:
                out[name] = _MANY
        elif tag == "for":
            _bind(statement[2], None, out)
        elif tag == "with":
            for _, _, target in statement[1]:
                _bind(target, None, out)
        elif tag == "try":
            for _, name, _ in statement[2]:
                _bind(["n", name], None, out)
        _walrus(statement, out)


def _bind(target: Node, node: Node, out: Bindings) -> None:
    if target is None:
        return
    if target[0] == "n" and target[1] is not None:
        out[target[1]] = _MANY if target[1] in out or node is None else node
    elif target[0] in ("t", "l"):
        for element in target[1]:
            _bind(element, None, out)
    elif target[0] == "*":
        _bind(target[1], None, out)


def _walrus(node: Any, out: Bindings) -> None:
    """Names bound inside expressions: `if (n := read()):`."""
    for each in nodes(node):
        if each[0] == ":=":
            out[each[1]] = _MANY
