"""`[tool.fastlint]` of a pyproject.toml, or fastlint.toml: found, read, handed to `shape`. Judges no value itself."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from fastlint.config.settings import Config, ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_STANDALONE = "fastlint.toml"
_PYPROJECT = "pyproject.toml"
_REPOSITORY_MARKS = (".git", ".hg", ".svn")


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
    from fastlint.config.shape import validated  # pydantic: only where there is something to validate

    return validated(table, path, text, os.path.abspath(root or os.path.dirname(path)))


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
