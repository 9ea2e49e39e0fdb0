"""The shape of the files in `rules/servers/`, validated strictly. Knows nothing about how servers are started."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class SettingRow(BaseModel):
    """One `[[setting]]`: what a server calls it, the flags that give it, and how a value is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["count", "integer", "number", "flag", "list", "class", "choice", "import", "hook", "text"]
    flags: tuple[str, ...] = ()
    negative_flags: tuple[str, ...] = ()
    takes_value: bool = True
    repeats: bool = False
    default: Any = None
    default_from: str = ""
    choices: tuple[str, ...] = ()
    any_case: bool = False
    commands: tuple[str, ...] = ()
    ignored_by: dict[Annotated[str, Field(pattern="^(uvicorn|asgi)$")], str] = Field(default_factory=dict)


class ServerFile(BaseModel):
    """One file: a server and its settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: str
    environment_prefix: str = ""
    setting: tuple[SettingRow, ...]
