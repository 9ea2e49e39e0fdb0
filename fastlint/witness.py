"""What a run rests on, told to the cache: while all of it is unchanged, the outcome is the same. Reads no content."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from fastlint.cache.answers import Seen
from fastlint.config import Config
from fastlint.deploy.find import paths_of
from fastlint.source.discover import SourceTree, excludes

# What decides, in the folders around a project, where it ends, what it ignores, and which settings it has.
_MARKS = (".git", ".hg", ".svn", "setup.py", "setup.cfg", "__init__.py")
_SETTINGS = ("fastlint.toml", "pyproject.toml", ".gitignore")


def witness(tree: SourceTree, config: Config, named: Iterable[str], seen: Seen) -> None:
    """Tell `seen` every file, folder and mark that the outcome of a run over this project rests on. `named` are files
    that deployment files name."""
    read = {file.relative for file in tree.files}
    read.update(paths_of(tree.root, tree.folders, excludes(config)))
    read.update(named)
    files = {os.path.join(tree.root, path) for path in read}
    files.update(tree.consulted)
    if config.file:
        files.add(config.file)
    around = list(_around(tree))
    files.update(os.path.join(folder, name) for folder in around for name in _SETTINGS)
    seen.files(sorted(files))
    seen.folders(tree.listed)
    seen.marks(os.path.join(folder, name) for folder in around for name in _MARKS)


def _around(tree: SourceTree) -> Iterator[str]:
    """The root and every folder above it, and those between it and the paths that were asked for."""
    taken: set[str] = set()
    for start in (tree.root, *(os.path.join(tree.root, each) for each in tree.asked)):
        folder = os.path.abspath(start)
        while folder not in taken:
            taken.add(folder)
            yield folder
            folder = os.path.dirname(folder)
