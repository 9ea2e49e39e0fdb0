"""`--watch`: the same check again whenever a file changes that may matter. Checks nothing and words no finding."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import click

from fastlint.config import DEFAULT_EXCLUDE, ConfigError
from fastlint.deploy.find import kind_of
from fastlint.source.discover import DiscoverError
from fastlint.streams import tell, write

_SETTINGS = frozenset({"pyproject.toml", "fastlint.toml", ".gitignore"})
_QUIET_MS = 50  # files that are saved together are one change
_LOOK_MS = 200  # how long the watcher waits before it says that nothing changed
_CLEAR = "\x1b[2J\x1b[H"


def check_on_change(check: Callable[[], object], start: str) -> NoReturn:
    """Check now, and again after every change below the folder `start`, until the person ends it by Ctrl-C.

    Raises `click.UsageError` where watchfiles is not installed.
    """
    try:
        import watchfiles  # here: an extra, and nobody else needs it
    except ImportError:
        raise click.UsageError("--watch needs watchfiles: pip install 'fastlint[watch]'") from None
    gc.enable()  # this process does not end soon
    root = os.path.abspath(start)
    looked = False
    # The first round begins when the watcher stands: what changes from then on is another round, never lost.
    for changes in watchfiles.watch(
        root,
        watch_filter=lambda _, path: matters(root, path),
        step=_QUIET_MS,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
    ):
        if changes or not looked:
            looked = True
            _round(check)
    raise KeyboardInterrupt


def matters(root: str, path: str) -> bool:
    """Whether a change of this file or folder may change what is found in the project at `root`."""
    *folders, name = os.path.relpath(path, root).split(os.sep)
    if not DEFAULT_EXCLUDE.isdisjoint(folders) or name in DEFAULT_EXCLUDE:
        return False
    return name.endswith(".py") or name in _SETTINGS or bool(kind_of(name))


def _round(check: Callable[[], object]) -> None:
    if sys.stdout.isatty():
        write(_CLEAR, sys.stdout)
    try:
        check()
    except (ConfigError, DiscoverError, click.ClickException) as error:  # half a sentence that is still being written
        tell(f"fastlint: {error.format_message() if isinstance(error, click.ClickException) else error}")
    gc.collect()  # the graph of this round is full of cycles
    tell("watching for changes; Ctrl-C ends it")
