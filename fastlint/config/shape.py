"""The strict shape of `[tool.fastlint]`: turns a TOML table into a `Config`, or into one clear sentence.

Reads no file and decides nothing about a run.
"""

from __future__ import annotations

import os
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from fastlint.amounts import bytes_of, cores_of
from fastlint.config.settings import (
    DEFAULT_BLOCKING_RULE,
    Amount,
    Config,
    ConfigError,
    CustomBlocking,
    PerFileIgnore,
    Selection,
    TargetSettings,
    known_selector,
    nearest,
    unknown_code,
)
from fastlint.finding import Confidence, Severity
from fastlint.patterns import PatternError, checked
from fastlint.rulebook.schema import Library
from fastlint.rulebook.where import rule_codes

_DOTTED = r"^[\w{},*]+(\.[\w{},*]+)*$"


def _selector(code: str) -> str:
    if not known_selector(code):
        raise PydanticCustomError("code", "{reason}", {"reason": unknown_code(code)})
    return code


def _whole_code(code: str) -> str:
    if code not in rule_codes():
        raise PydanticCustomError("code", "{reason}", {"reason": unknown_code(code)})
    return code


def _pattern(text: str) -> str:
    try:
        return checked(text)
    except PatternError as error:
        raise PydanticCustomError("pattern", "{reason}", {"reason": str(error)}) from error


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _amount(read: Callable[[str], float | None], example: str) -> Callable[[object], float]:
    """A validator for an amount that is written as a number or as text."""

    def checked_amount(written: object) -> float:
        text = repr(written) if isinstance(written, (int, float)) else written
        value = read(text) if isinstance(text, str) else None
        if value is None:
            raise PydanticCustomError("amount", "{reason}", {"reason": f"write an amount like {example}"})
        return value

    return checked_amount


Code = Annotated[str, AfterValidator(_selector)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Dotted = Annotated[str, StringConstraints(pattern=_DOTTED)]
Level = Literal["error", "warning", "info"]
Sureness = Literal["high", "medium", "low"]


class Shape(BaseModel):
    """Keys are written in kebab-case; nothing else is allowed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=lambda name: name.replace("_", "-")
    )


class Blocking(Shape):
    """A call that blocks; as a plain string it is only the name."""

    name: Dotted
    rule: Annotated[str, AfterValidator(_whole_code)] = DEFAULT_BLOCKING_RULE
    instead: str = ""


Cores = Annotated[float, BeforeValidator(_amount(cores_of, '2, 0.5 or "500m"'))]
Size = Annotated[float, BeforeValidator(_amount(bytes_of, '"512Mi" or "2GiB"'))]


class Target(Shape):
    """The machine that the services run on."""

    cores: Cores | None = None
    memory: Size | None = None
    memory_per_worker: Size | None = None
    max_connections: Annotated[int, Field(gt=0)] | None = None
    threads_per_core: Annotated[int, Field(gt=0)] | None = None
    processes_per_core: Annotated[int, Field(gt=0)] | None = None


class Table(Shape):
    """`[tool.fastlint]`, key by key."""

    select: list[Code] | None = None
    extend_select: list[Code] = []
    ignore: list[Code] = []
    per_file_ignores: dict[Pattern, list[Code]] = {}
    exclude: list[Pattern] | None = None
    extend_exclude: list[Pattern] = []
    include: list[Pattern] = []
    src: list[str] = []
    severity: Level | None = None
    confidence: Sureness = "medium"
    fail_on: Level | None = None
    blocking: list[Annotated[Blocking, BeforeValidator(_named)]] = []
    offloaders: list[Dotted] = []
    entry_points: list[Dotted] = []
    library: list[Annotated[Library, Field(strict=False)]] = []
    respect_gitignore: bool = True
    target: Target = Target()


def validated(raw: Mapping[str, Any], path: str, text: str, root: str) -> Config:
    """The settings in a table of the file `path`, for the project at `root`.

    Raises `ConfigError` with file, line and key.
    """
    try:
        table = Table.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_sentence(error, path, text)) from error
    for code in _library_codes(table.library):
        if code not in rule_codes():
            raise ConfigError(f"{_place(path, text, (code,))}library: {unknown_code(code)}")
    for folder in table.src:
        if not os.path.isdir(os.path.join(root, folder)):
            raise ConfigError(f'{_place(path, text, (folder, "src"))}src: there is no folder "{folder}"')
    fail_on = Severity[(table.fail_on or "warning").upper()]
    return Config(
        file=os.path.abspath(path),
        root=root,
        selection=Selection().then(table.select, table.extend_select, table.ignore),
        per_file_ignores=tuple(
            PerFileIgnore(each, tuple(codes), _line(text, (each, "per-file-ignores")))
            for each, codes in table.per_file_ignores.items()
        ),
        exclude=None if table.exclude is None else tuple(table.exclude),
        extend_exclude=tuple(table.extend_exclude),
        include=tuple(table.include),
        src=tuple(table.src),
        # Who asks to fail on info wants to see it.
        severity=Severity[table.severity.upper()] if table.severity else min(Severity.WARNING, fail_on),
        confidence=Confidence[table.confidence.upper()],
        fail_on=fail_on,
        blocking=tuple(CustomBlocking(each.name, each.rule, each.instead) for each in table.blocking),
        offloaders=tuple(table.offloaders),
        entry_points=tuple(table.entry_points),
        library=tuple(table.library),
        respect_gitignore=table.respect_gitignore,
        target=TargetSettings(
            _declared(table.target.cores, "cores"),
            _declared(table.target.memory, "memory"),
            _declared(table.target.memory_per_worker, "memory-per-worker"),
            _declared(table.target.max_connections, "max-connections"),
            _declared(table.target.threads_per_core, "threads-per-core"),
            _declared(table.target.processes_per_core, "processes-per-core"),
        ),
    )


def _declared(value: float | None, key: str) -> Amount | None:
    return None if value is None else Amount(value, f"[tool.fastlint.target] {key}")


def _library_codes(libraries: list[Library]) -> Iterator[str]:
    for library in libraries:
        calls = [*library.call, *(method for each in library.type for method in each.method)]
        yield from (code for code in (library.rule, *(call.rule for call in calls)) if code)


def _sentence(error: ValidationError, path: str, text: str) -> str:
    first = error.errors(include_url=False)[0]
    spot = tuple(part for part in first["loc"] if part != "[key]")
    names = [part for part in spot if isinstance(part, str)]
    value = first["input"] if isinstance(first["input"], str) else ""
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in spot).lstrip(".")
    if first["type"] == "extra_forbidden":
        near = nearest(names[-1].replace("_", "-"), _keys_beside(spot)) or nearest(names[-1], _keys_beside(spot))
        hint = f', did you mean "{near}"?' if near else f" (known: {', '.join(sorted(_keys_beside(spot)))})"
        return f'{_place(path, text, (names[-1],))}unknown key "{key}"{hint}'
    reason = first["msg"]
    if first["type"] == "string_pattern_mismatch":
        reason = f'"{value}" is not a dotted name'
    elif first["type"] == "missing":
        reason = "this key is missing"
    elif first["type"] == "model_type":
        reason = "write a dotted name or a table" if "blocking" in names else "write a table"
    elif first["type"] not in ("code", "pattern", "amount"):
        reason = reason[:1].lower() + reason[1:]
    return f"{_place(path, text, (value, *reversed(names)))}{key}: {reason}"


def _keys_beside(spot: tuple[int | str, ...]) -> list[str]:
    """The keys that the table knows in which the last part of `spot` stands."""
    model: type[BaseModel] = Table
    for part in spot[:-1]:
        for name, info in model.model_fields.items():
            if part in (name, info.alias):
                model = next(_models(info.annotation), model)
    return [info.alias or name for name, info in model.model_fields.items()]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _place(path: str, text: str, needles: tuple[str, ...]) -> str:
    """`file:line: ` of the first needle that stands in our part of the file, else `file: `."""
    line = _line(text, needles)
    return f"{shown(path)}:{line}: " if line else f"{shown(path)}: "


def _line(text: str, needles: tuple[str, ...]) -> int:
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(r"\s*\[+\s*tool\s*\.\s*[\"']?fastlint\b", line)), 0)
    for needle in filter(None, needles):
        word = re.compile(rf"(?<![\w-]){re.escape(needle)}(?![\w-])")
        for number, line in enumerate(lines[start:], start + 1):
            if word.search(line):
                return number
    return 0


def shown(path: str) -> str:
    """The path as a person in the working directory would write it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
