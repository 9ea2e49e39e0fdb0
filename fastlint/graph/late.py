"""Names that a module gives away when they are asked for: its `__getattr__` (PEP 562), and the tables that it asks.

Looks at structure alone: it says where a name could come from, and whoever asks sees whether there is such a thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.graph.world import Module
from fastlint.source.facts import Node
from fastlint.source.nodes import nodes

Origin = tuple[int, str, str]
"""Where a name could come from: the level of the import, its module, the name in there."""


def origins_of(module: Module, name: str) -> Iterator[Origin]:
    """Where a module's `__getattr__` could find a name that nothing in the module binds."""
    for binding in module.bindings.get("__getattr__", ()):
        if binding[0] == "def":
            function = module.facts.functions[binding[1]]
            for node in nodes(function.body):
                if node[0] == "imp":
                    for bound, level, target, attribute in node[1]:
                        if bound == name and attribute is not None:
                            yield level, target, attribute
            tables = _tables(module)
        elif binding[0] == "expr":  # `__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={…})`
            tables = (node for node in nodes(binding[1]) if node[0] == "d")
        else:
            continue
        for table in tables:
            for key, value in table[1]:
                yield from _of_entry(key, value, name)


def _tables(module: Module) -> Iterator[Node]:
    for rows in module.bindings.values():
        for row in rows:
            node: Any = row[1] if row[0] == "expr" else row[2] if row[0] == "ann" else None
            if node is not None and node[0] == "d":
                yield node


def _of_entry(key: Node, value: Node, name: str) -> Iterator[Origin]:
    """`"Name": ".module"`, `"Name": ("package.module", "Name")`, `"Name": "package.module:Name"`,
    `"module": ["Name", …]`."""
    told = _text(key)
    if told is None or value is None:
        return
    said = [_text(part) for part in value[1]] if value[0] in ("l", "t", "set") else []
    if told != name:
        if name in said:
            yield from _in_module(told, name)
        return
    plain = _text(value)
    if plain is not None:
        target, colon, attribute = plain.partition(":")
        yield from _in_module(target, attribute if colon else name)
        if plain.endswith(f".{name}"):
            yield from _in_module(plain.removesuffix(f".{name}"), name)
    elif said and said[0] is not None and len(said) <= 2:
        yield from _in_module(said[0], said[-1] if len(said) == 2 and said[-1] is not None else name)


def _in_module(target: str, name: str) -> Iterator[Origin]:
    """A module's name as `importlib.import_module` takes it, or without the dot that stands for the package."""
    bare = target.lstrip(".")
    if bare != target:
        yield len(target) - len(bare), bare, name
    else:
        yield 0, target, name
        yield 1, target, name


def _text(node: Node) -> str | None:
    return node[1] if node is not None and node[0] == "k" and isinstance(node[1], str) else None
