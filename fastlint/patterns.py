"""Gitignore-style patterns, compiled: the one place that knows `pathspec`. Touches no file."""

from __future__ import annotations

from collections.abc import Iterable

from pathspec import GitIgnoreSpec


class PatternError(ValueError):
    """A pattern that git would not understand either."""


class Patterns:
    """An ordered list of gitignore-style lines; the last one that matches decides."""

    __slots__ = ("_spec",)

    def __init__(self, lines: Iterable[str]) -> None:
        kept = [line for line in lines if line.strip() and not line.startswith("#")]
        self._spec = GitIgnoreSpec.from_lines(kept) if kept else None

    def __bool__(self) -> bool:
        return self._spec is not None

    def verdict(self, path: str, folder: bool = False) -> bool | None:
        """True: matched. False: taken back by a `!` line. None: no line speaks of this path (with `/`, relative)."""
        return None if self._spec is None else self._spec.check_file(path + "/" if folder else path).include

    def matches(self, path: str) -> bool:
        """Whether a file matches, by itself or through a folder above it."""
        return bool(self.verdict(path))


def checked(pattern: str) -> str:
    """The pattern itself. Raises `PatternError` for one that can match nothing."""
    try:
        Patterns([pattern])
    except ValueError as error:
        raise PatternError(f'"{pattern}" is not a gitignore-style pattern') from error
    if not pattern.strip() or pattern.startswith("#"):
        raise PatternError(f'"{pattern}" is not a gitignore-style pattern: it is empty')
    return pattern
