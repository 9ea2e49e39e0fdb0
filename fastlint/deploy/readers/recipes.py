"""What people type: recipes of Makefiles and justfiles, script tables of pyproject.toml and Pipfile. Runs nothing.

A recipe is for developers unless its name says otherwise. Sources: GNU make ("Writing Recipes", "Flavors of
Variables"), just's manual, the manuals of PDM, Hatch, taskipy, Poe and Pipenv.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.service import HOLE, Broken, Kind, Run, Service, Text
from fastlint.deploy.texts import joined, lines_of, literal, matched
from fastlint.finding import Location

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SERVES = re.compile(r"\b(?:uvicorn|gunicorn|hypercorn|fastapi)\b")
_PRODUCTION = frozenset({"prod", "production", "deploy", "release", "live"})
_RULE = re.compile(r"([^\s:#=][^:#=]*?)\s*::?(?!=)(.*)")
_MAKE_ASSIGNMENT = re.compile(r"(?:export\s+|override\s+)*([\w.-]+)\s*(\+=|\?=|::?=|=)\s*(.*)")
_MAKE_VARIABLE = re.compile(r"\$(?:(\$)|[({]([\w.-]+)[)}]|\((?:[^()]|\([^()]*\))*\)|(.))")
_JUST_RECIPE = re.compile(r"@?([A-Za-z_][\w-]*)([^:=]*(?:=\S+[^:=]*)*):(?!=).*")
_JUST_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][\w-]*)\s*:=\s*(.*)")
_JUST_PARAMETER = re.compile(r"""[*+$]*([A-Za-z_][\w-]*)(?:=("[^"]*"|'[^']*'|\S+))?""")
_JUST_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_TABLES = (
    (("tool", "pdm", "scripts"), "PDM script"),
    (("tool", "taskipy", "tasks"), "taskipy task"),
    (("tool", "poe", "tasks"), "Poe task"),
    (("tool", "rye", "scripts"), "Rye script"),
    (("scripts",), "Pipenv script"),
)


def read_makefile(path: str, text: str) -> list[Service]:
    """The recipes that start a server."""
    variables: dict[str, str] = {}
    recipes: list[tuple[Text, list[Text]]] = []
    continued = False
    for line in lines_of(path, text):
        if (line.text.startswith("\t") or continued) and recipes:
            recipes[-1][1].append(_without_prefix(line) if not continued else line)
            continued = line.text.endswith("\\")
        elif match := _MAKE_ASSIGNMENT.fullmatch(line.text.strip()):
            _assign(variables, match[1], match[2], match[3].partition(" #")[0].strip())
        elif match := _RULE.fullmatch(line.text):
            recipes.append((matched(line, match, 1), []))
    services = []
    for target, lines in recipes:
        filled = [_made(line, variables) for line in lines]
        if filled and any(SERVES.search(line.text) for line in filled):
            run = Run("Makefile recipe", shell=joined(filled, "\n"))
            services.append(_task(path, target.text, target.where, "Makefile", run))
    return services


def _without_prefix(line: Text) -> Text:
    match = re.match(r"\s*[@+-]*\s*", line.text)
    return line.cut(match.end() if match is not None else 0, len(line.text))


def _assign(variables: dict[str, str], name: str, operator: str, value: str) -> None:
    if operator == "+=":
        variables[name] = f"{variables.get(name, '')} {value}".strip()
    elif operator != "?=" or name not in variables:
        variables[name] = value


def _made(line: Text, variables: Mapping[str, str], depth: int = 0) -> Text:
    """A recipe line as make hands it to the shell."""
    pieces: list[Text] = []
    at = 0
    for match in _MAKE_VARIABLE.finditer(line.text):
        pieces.append(line.cut(at, match.start()))
        at = match.end()
        if match[1]:
            pieces.append(literal("$", line.at(match.start())))
            continue
        value = variables.get(match[2] or match[3] or "")
        piece = literal(HOLE if value is None else value, line.at(match.start()))
        pieces.append(_made(piece, variables, depth + 1) if depth < 10 else piece)
    kept = [piece for piece in (*pieces, line.cut(at, len(line.text))) if piece.text]
    return joined(kept) if kept else line.cut(0, 0)


def _task(path: str, name: str, where: Location, by: str, run: Run) -> Service:
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    return Service(
        name=name,
        kind=Kind.TASK,
        by=by,
        where=where,
        command=run,
        folder=path.rpartition("/")[0],
        environment_open=True,
        development=for_development(name) or not words & _PRODUCTION,
        files=(path,),
    )


def read_justfile(path: str, text: str) -> list[Service]:
    """The recipes that start a server."""
    variables: dict[str, str] = {}
    recipes: list[tuple[Text, dict[str, str], list[Text]]] = []
    for line in lines_of(path, text):
        if line.text[:1] in (" ", "\t"):
            if recipes and line.text.strip():
                recipes[-1][2].append(_without_prefix(line))
        elif match := _JUST_ASSIGNMENT.fullmatch(line.text.strip()):
            variables[match[1]] = _just_value(match[2])
        elif match := _JUST_RECIPE.fullmatch(line.text.rstrip()):
            defaults = {each[1]: _just_value(each[2] or "") for each in _JUST_PARAMETER.finditer(match[2]) if each[1]}
            recipes.append((matched(line, match, 1), defaults, []))
    services = []
    for name, defaults, lines in recipes:
        filled = [_justified(line, {**variables, **defaults}) for line in lines]
        if filled and any(SERVES.search(line.text) for line in filled):
            run = Run("justfile recipe", shell=joined(filled, "\n"))
            services.append(_task(path, name.text, name.where, "justfile", run))
    return services


def _just_value(written: str) -> str:
    """A quoted string; anything else is worked out by just, or given when the recipe is called."""
    match = re.fullmatch(r"""\s*(?:"([^"\\]*)"|'([^']*)')\s*(?:#.*)?""", written)
    return HOLE if match is None else match[1] if match[1] is not None else match[2]


def _justified(line: Text, variables: Mapping[str, str]) -> Text:
    pieces: list[Text] = []
    at = 0
    for match in _JUST_PLACEHOLDER.finditer(line.text):
        pieces += [line.cut(at, match.start()), literal(variables.get(match[1], HOLE), line.at(match.start()))]
        at = match.end()
    kept = [piece for piece in (*pieces, line.cut(at, len(line.text))) if piece.text]
    return joined(kept) if kept else line.cut(0, 0)


def read_script_tables(path: str, text: str) -> tuple[list[Service], list[Broken]]:
    """The scripts of pyproject.toml or a Pipfile that start a server."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [], [Broken(_toml_place(path, str(error)), f"it is not valid TOML: {error}")]
    services = []
    for keys, by in _script_tables(document):
        for name, written in _table(document, keys).items():
            for command in _commands(written):
                if SERVES.search(command):
                    where = _found(path, text, name, command)
                    services.append(_task(path, name, where, by, Run(by, shell=literal(command, where))))
    return services, []


def project_name(text: str) -> str:
    """What a pyproject.toml calls the project; "" where it does not say."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ""
    names = (_table(document, keys).get("name") for keys in (("project",), ("tool", "poetry")))
    return next((name for name in names if isinstance(name, str)), "")


def _script_tables(document: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    yield from _TABLES
    for name in _table(document, ("tool", "hatch", "envs")):
        yield ("tool", "hatch", "envs", name, "scripts"), "Hatch script"


def _table(document: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    table: Any = document
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _commands(written: object) -> Iterator[str]:
    if isinstance(written, str):
        yield written
    elif isinstance(written, list):
        yield from (each for each in written if isinstance(each, str))
    elif isinstance(written, dict):
        for key in ("cmd", "shell", "script"):
            value = written.get(key)
            if isinstance(value, list) and all(isinstance(each, str) for each in value):
                yield " ".join(value)
            elif isinstance(value, str):
                yield value


def _found(path: str, text: str, name: str, command: str) -> Location:
    """The line of a script: where its name stands in front of `=`, else where the command stands."""
    first = command.split("\n")[0].strip()
    spot = re.compile(rf"^\s*[\"']?{re.escape(name)}[\"']?\s*(?:\.\w+\s*)?=")
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if spot.match(line) and (first in line or first not in text):
            return Location(path, number, line.find(first) + 1 if first in line else 1)
    number = next((number for number, line in enumerate(lines, 1) if first in line), 1)
    return Location(path, number)


def _toml_place(path: str, message: str) -> Location:
    match = re.search(r"line (\d+)", message)
    return Location(path, int(match[1]) if match is not None else 1)
