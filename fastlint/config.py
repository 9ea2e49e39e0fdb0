"""The settings of a run: what `[tool.fastlint]` or `fastlint.toml` says, and what stands where nothing is said.

Frozen and plain. Knows nothing about the command line; the strict shape of the file is in `config_shape`,
which is imported only when there is a table to validate.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastlint.finding import Confidence, Severity
from fastlint.rulebook.where import rule_codes

if TYPE_CHECKING:
    from fastlint.rulebook.schema import Library

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_BLOCKING_RULE = "FL107"  # a call that only the project knows is most often its own SDK

# Folders that are never entered unless `exclude` says otherwise.
DEFAULT_EXCLUDE = frozenset(
    (
        ".bzr",
        ".direnv",
        ".eggs",
        ".git",
        ".git-rewrite",
        ".hg",
        ".idea",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pants.d",
        ".pyenv",
        ".pytest_cache",
        ".pytype",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        ".vscode",
        "__pycache__",
        "__pypackages__",
        "_build",
        "buck-out",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "venv",
    )
)

_STANDALONE = "fastlint.toml"
_PYPROJECT = "pyproject.toml"
_REPOSITORY_MARKS = (".git", ".hg", ".svn")


class ConfigError(Exception):
    """Settings that cannot be meant as they are written. The message is one sentence for the person who wrote them."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One `FL1` or `ALL` of a select or ignore list; `rank` orders the lists, a later list has the last word."""

    prefix: str  # "" selects every rule
    wanted: bool
    rank: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rules run. The most specific prefix decides; among equals the later list does."""

    selectors: tuple[Selector, ...] = (Selector("", True, 0),)

    def has(self, code: str) -> bool:
        """Whether the rule runs."""
        matching = [selector for selector in self.selectors if code.startswith(selector.prefix)]
        return bool(matching) and max(matching, key=lambda each: (len(each.prefix), each.rank)).wanted

    def codes(self, known: Iterable[str]) -> tuple[str, ...]:
        """Those of the known codes that run, sorted."""
        return tuple(sorted(code for code in known if self.has(code)))

    def then(
        self,
        select: Iterable[str] | None = None,
        extend_select: Iterable[str] = (),
        ignore: Iterable[str] = (),
    ) -> Selection:
        """This selection, overruled by a later source. A `select` replaces the earlier ones; ignores add up."""
        kept = [each for each in self.selectors if select is None or not each.wanted]
        rank = max((each.rank for each in self.selectors), default=0)
        added = [Selector(_prefix(code), True, rank + 1) for code in (*(select or ()), *extend_select)]
        added += [Selector(_prefix(code), False, rank + 2) for code in ignore]
        return Selection((*kept, *added))


@dataclass(frozen=True, slots=True)
class PerFileIgnore:
    """Codes (or prefixes of codes) that stay quiet in the files that match a gitignore-style pattern."""

    pattern: str
    codes: tuple[str, ...]
    line: int = 0  # where it stands in the settings file


@dataclass(frozen=True, slots=True)
class CustomBlocking:
    """A call that the project knows to block, by its dotted name."""

    name: str
    rule: str = DEFAULT_BLOCKING_RULE
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a run. Patterns are gitignore-style and relative to `root`."""

    file: str = ""  # the absolute path of the file that was read, "" if there is none
    root: str = ""  # its folder
    selection: Selection = field(default_factory=Selection)
    per_file_ignores: tuple[PerFileIgnore, ...] = ()
    exclude: tuple[str, ...] | None = None  # None: `DEFAULT_EXCLUDE`
    extend_exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()  # only files that match one of these, if there are any
    src: tuple[str, ...] = ()  # folders that the project's imports start from; found by itself if empty
    severity: Severity = Severity.WARNING
    confidence: Confidence = Confidence.MEDIUM
    fail_on: Severity = Severity.WARNING
    blocking: tuple[CustomBlocking, ...] = ()
    offloaders: tuple[str, ...] = ()
    entry_points: tuple[str, ...] = ()
    library: tuple[Library, ...] = ()
    respect_gitignore: bool = True


def find_config(start: str) -> str | None:
    """The nearest settings file, upwards from a file or folder; None where there is none before the repository ends.

    In one folder `fastlint.toml` wins over `pyproject.toml`; a `pyproject.toml` without `[tool.fastlint]` is passed by.
    """
    folder = os.path.abspath(start)
    if not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    while True:
        standalone = os.path.join(folder, _STANDALONE)
        if os.path.isfile(standalone):
            return standalone
        pyproject = os.path.join(folder, _PYPROJECT)
        if os.path.isfile(pyproject) and _may_configure(pyproject):
            return pyproject
        parent = os.path.dirname(folder)
        if parent == folder or any(os.path.exists(os.path.join(folder, mark)) for mark in _REPOSITORY_MARKS):
            return None
        folder = parent


def read_config(path: str, root: str = "") -> Config:
    """The settings in one file, validated; its patterns are relative to `root`, or else to its own folder.

    Raises `ConfigError`.
    """
    text = _read_text(path)
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    table: Any = document
    if os.path.basename(path) == _PYPROJECT:
        tool = document.get("tool", {})
        table = tool.get("fastlint", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: tool.fastlint is not a table")
    return config_from(table, path, text, root)


def config_from(table: Mapping[str, Any], path: str, text: str = "", root: str = "") -> Config:
    """The settings of one table that stands in the file `path`, whose text helps to name the line of a mistake."""
    from fastlint.config_shape import validated  # pydantic: only where there is something to validate

    return validated(table, path, text, os.path.abspath(root or os.path.dirname(path)))


def describe(config: Config) -> str:
    """The settings as a person would write them, defaults included."""
    rows: list[tuple[str, object]] = [
        ("select", config.selection.codes(rule_codes())),
        ("exclude", sorted(DEFAULT_EXCLUDE) if config.exclude is None else config.exclude),
        ("extend-exclude", config.extend_exclude),
        ("include", config.include),
        ("src", config.src),
        ("respect-gitignore", config.respect_gitignore),
        ("severity", config.severity.word),
        ("confidence", config.confidence.word),
        ("fail-on", config.fail_on.word),
        ("offloaders", config.offloaders),
        ("entry-points", config.entry_points),
    ]
    lines = [f"# {config.file or 'no settings file: these are the defaults'}"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in rows]
    for blocking in config.blocking:
        pairs = (("name", blocking.name), ("rule", blocking.rule), ("instead", blocking.instead))
        lines += ["", "[[blocking]]", *(f"{key} = {json.dumps(value)}" for key, value in pairs if value)]
    if config.per_file_ignores:
        lines += ["", "[per-file-ignores]"]
        lines += [f"{json.dumps(each.pattern)} = {json.dumps(each.codes)}" for each in config.per_file_ignores]
    lines += [f"\n[[library]]\nname = {json.dumps(library.name)} # …" for library in config.library]
    return "\n".join(lines) + "\n"


def known_selector(code: str) -> bool:
    """Whether a code, prefix of a code or `ALL` names at least one shipped rule."""
    prefix = _prefix(code)
    return code == "ALL" or (bool(prefix) and any(each.startswith(prefix) for each in rule_codes()))


def unknown_code(code: str) -> str:
    """What to say about a code that no rule has, with the nearest one that exists."""
    if not code.upper().startswith("FL"):
        return f'unknown rule "{code}": the codes of fastlint begin with FL'
    near = nearest(code.upper(), rule_codes())
    return f'unknown rule "{code}"' + (f", did you mean {near}?" if near else ": `fastlint rules` lists them all")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that looks most like it, or "" if none does."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def _prefix(code: str) -> str:
    return "" if code == "ALL" else code


def _may_configure(pyproject: str) -> bool:
    # A file that mentions the table but is broken is taken, so that its error is told and not skipped.
    text = _read_text(pyproject)
    if "fastlint" not in text:
        return False
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        return re.search(r"^\s*\[+\s*tool\s*\.\s*[\"']?fastlint\b", text, re.MULTILINE) is not None
    return isinstance(tool, dict) and "fastlint" in tool


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as handle:
            return handle.read()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
