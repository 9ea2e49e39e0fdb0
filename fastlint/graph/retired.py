"""Modules that are no longer used: kept in a folder that says so, and asked for by nobody. Looks at facts alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fastlint.graph.world import Module, World
from fastlint.source.nodes import nodes

_RETIRED = frozenset({"deprecated", "obsolete", "archive", "archived", "attic", "retired"})  # names of folders
_SAYS = re.compile("|".join(sorted(_RETIRED)))
_DOTTED = re.compile(r"[^\s./]*(?:[./][^\s./]*)+")  # a text, all of it, that names a module or a path


def retired_modules(world: World) -> frozenset[str]:
    """The names of the modules that nobody uses any more: they lie in a folder of what is no longer used, nothing
    outside of it imports them, and no text of the project names the folder. Looks once at every module."""
    folders = {name: folder for name, module in world.modules.items() if (folder := _retired_folder(module))}
    if not folders:
        return frozenset()
    wanted: set[str] = set()  # modules that are imported from outside of their folder
    named: dict[str, list[str]] = {}  # name of a folder -> the paths of the modules that say it
    for importer in world.modules.values():
        for name in _imported(world, importer):
            if name in folders and not importer.path.startswith(folders[name]):
                wanted.add(name)
        for text in _texts(importer):
            for folder in _RETIRED.intersection(re.split("[./]", text)) if _DOTTED.fullmatch(text) else ():
                named.setdefault(folder, []).append(importer.path)
    return frozenset(name for name, folder in folders.items() if name not in wanted and not _is_named(folder, named))


def _retired_folder(module: Module) -> str:
    """The outermost folder of what is no longer used around a module, with a slash at its end; "" without one."""
    *above, _ = module.path.split("/")
    place = next((number for number, folder in enumerate(above) if folder in _RETIRED), None)
    return "" if place is None else "/".join(above[: place + 1]) + "/"


def _is_named(folder: str, named: dict[str, list[str]]) -> bool:
    """Whether a module outside of a folder says its name."""
    return any(not path.startswith(folder) for path in named.get(folder.rstrip("/").rpartition("/")[2], ()))


def _imported(world: World, importer: Module) -> Iterator[str]:
    """The names of the modules that a module imports, or imports something of."""
    for level, target, attribute in importer.facts.imports:
        dotted = world.absolute(importer, level, target)
        for name in (dotted, f"{dotted}.{attribute}") if attribute else (dotted,):
            module = world.module(name, importer)
            if module is not None:
                yield module.name


def _texts(module: Module) -> Iterator[str]:
    """Every text of those bodies of a module that say the name of such a folder at all."""
    facts = module.facts
    bodies: Iterable[object] = (
        facts.body,
        *(function.body for function in facts.functions),
        *(cls.body for cls in facts.classes),
    )
    for body in bodies:
        if _SAYS.search(repr(body)):  # most say nothing of the kind, and printing is faster than walking
            yield from (node[1] for node in nodes(body) if node[0] == "k" and isinstance(node[1], str))
