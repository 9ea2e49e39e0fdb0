"""Modules that are no longer used: kept in a folder that says so, and asked for by nobody. Looks at facts alone."""

from __future__ import annotations

import re

from fastlint.graph.world import Module, World
from fastlint.source.facts import Block
from fastlint.source.nodes import nodes

_RETIRED = frozenset({"deprecated", "obsolete", "archive", "archived", "attic", "retired"})  # names of folders


def retired_modules(world: World) -> frozenset[str]:
    """The names of the modules that nobody uses any more."""
    return frozenset(module.name for module in world.modules.values() if _is_retired(world, module))


def _is_retired(world: World, module: Module) -> bool:
    """Whether a module lies in a folder of what is no longer used, nothing outside that folder imports it, and no text
    of the project names the folder as one does who loads modules by their names."""
    *folders, _ = module.path.split("/")
    place = next((number for number, folder in enumerate(folders) if folder in _RETIRED), None)
    if place is None:
        return False
    inside = "/".join(folders[: place + 1]) + "/"
    outside = [other for other in world.modules.values() if not other.path.startswith(inside)]
    named = re.compile(rf"\S*[./]{folders[place]}(?:[./]\S*)?|{folders[place]}[./]\S*")
    return not any(_imports(world, other, module) or _names(other, named) for other in outside)


def _imports(world: World, importer: Module, module: Module) -> bool:
    """Whether a module imports another, or anything of it."""
    for level, target, attribute in importer.facts.imports:
        dotted = world.absolute(importer, level, target)
        for name in (dotted, f"{dotted}.{attribute}") if attribute else (dotted,):
            if world.module(name, importer) is module:
                return True
    return False


def _names(module: Module, named: re.Pattern[str]) -> bool:
    """Whether a text in a module, all of it, is such a name."""
    blocks: list[Block] = [module.facts.body]
    blocks.extend(function.body for function in module.facts.functions)
    blocks.extend(cls.body for cls in module.facts.classes)
    return any(
        node[0] == "k" and isinstance(node[1], str) and named.fullmatch(node[1]) is not None
        for block in blocks
        for node in nodes(block)
    )
