"""What the servers know themselves: names, flags, kinds and defaults of their settings. Reads no deployment file.

The facts are data (`rules/servers/*.toml`), written down from the real servers, and held against them by tests.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from fastlint.rulebook.where import rules_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class ServerSetting(NamedTuple):
    """One setting: its name, the flags that give it, and how a value is read.

    `kind`: "count" (int >= 0), "integer", "number", "flag", "list", "class", "choice", "import" (a
    choice, or "module:attribute"), "hook", "text".
    """

    name: str
    kind: str
    flags: tuple[str, ...] = ()
    negative_flags: tuple[str, ...] = ()
    takes_value: bool = True
    repeats: bool = False
    default: Any = None
    has_default: bool = False
    default_from: str = ""  # the variable that replaces the default
    choices: tuple[str, ...] = ()
    any_case: bool = False  # a choice is lower-cased and stripped before it is compared
    commands: tuple[str, ...] = ()  # fastapi: only these sub-commands have it
    ignored_by: Mapping[str, str] = MappingProxyType({})  # gunicorn: worker kinds that do nothing with it, why


class Server(NamedTuple):
    """One server's settings, by name and by flag."""

    name: str
    settings: Mapping[str, ServerSetting]
    flags: Mapping[str, tuple[ServerSetting, bool]]  # flag -> setting, whether it is the negative one
    environment_prefix: str = ""

    def nearest(self, name: str) -> str:
        """The known name or flag that was probably meant; "" where none is near."""
        known = list(self.flags) if name.startswith("-") else list(self.settings)
        return next(iter(difflib.get_close_matches(name, known, 1, 0.6)), "")


@lru_cache(maxsize=8)
def server(name: str) -> Server:
    """What is known of "gunicorn", "uvicorn", "fastapi" or "hypercorn"."""
    return _read(rules_folder() / "servers" / f"{name}.toml")


def _read(path: Path) -> Server:
    """One file as it is: the tests hold every one against `server_schema`, so that reading needs no pydantic."""
    data = tomllib.loads(path.read_text("utf-8"))
    settings: dict[str, ServerSetting] = {}
    flags: dict[str, tuple[ServerSetting, bool]] = {}
    for row in data["setting"]:
        given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        one = ServerSetting(**given, has_default="default" in row)
        settings[one.name] = one
        flags.update(dict.fromkeys(one.flags, (one, False)))
        flags.update(dict.fromkeys(one.negative_flags, (one, True)))
    return Server(data["server"], settings, flags, data.get("environment_prefix", ""))
