"""Modules that are no longer used: kept in a folder that says so, and asked for by nobody. Looks at facts alone."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.graph.world import Module, World
from fastlint.source.mentioned import RETIRED


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
        for folder in importer.facts.retired:
            named.setdefault(folder, []).append(importer.path)
    return frozenset(name for name, folder in folders.items() if name not in wanted and not _is_named(folder, named))


def _retired_folder(module: Module) -> str:
    """The outermost folder of what is no longer used around a module, with a slash at its end; "" without one."""
    *above, _ = module.path.split("/")
    place = next((number for number, folder in enumerate(above) if folder in RETIRED), None)
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
