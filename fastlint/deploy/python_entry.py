"""Servers that Python code starts itself: `uvicorn.run`, `uvicorn.Config`, gunicorn applications. Executes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastlint.deploy.commands import chosen
from fastlint.deploy.evaluate import Loader, Seen, watch
from fastlint.deploy.plan import Command, Problem, Rank, Said
from fastlint.deploy.servers import server
from fastlint.deploy.values import Unknown, is_literal
from fastlint.finding import Location
from fastlint.source.facts import ModuleFacts

_RUNS = frozenset({"uvicorn.run", "uvicorn.main.run"})
_CONFIGS = frozenset({"uvicorn.Config", "uvicorn.config.Config"})
_GUNICORN = frozenset({"gunicorn.app.base.BaseApplication", "gunicorn.app.wsgiapp.WSGIApplication"})
_MENTIONED = ("run", "Config", "Server")


class PythonFiles(NamedTuple):
    """The Python files of a project, as deployment needs them. Paths are relative to the project root."""

    paths: Sequence[str]
    served: Sequence[str]  # those of the application itself: no tests, no scripts that nothing imports
    facts: Callable[[str], ModuleFacts | None]
    module: Callable[[str], str]  # path -> dotted name
    find: Callable[[str], str | None]  # dotted name -> path
    place: Callable[[str, int], Location]  # (path, site) -> place
    lines: Callable[[str], Sequence[str]]

    def load(self, dotted: str) -> tuple[str, ModuleFacts] | None:
        """A module for the evaluator."""
        path = self.find(dotted)
        facts = self.facts(path) if path is not None else None
        return None if facts is None else (dotted, facts)


def starts_server(facts: ModuleFacts) -> bool:
    """Whether a file may start a server: it imports one, and calls something that does."""
    names = {row[1].partition(".")[0] for row in facts.imports}
    return bool(names & {"uvicorn", "gunicorn"}) and (
        any(name in facts.mentions for name in _MENTIONED)
        or any("Application" in repr(one.bases) for one in facts.classes)
    )


def read_python(path: str, files: PythonFiles, environment: Mapping[str, Any]) -> Iterator[Command]:
    """The servers that a file starts when it is run in this environment."""
    facts = files.facts(path)
    if facts is None or not starts_server(facts):
        return
    load: Loader = files.load
    module = files.module(path)
    for seen in watch(facts, environment, load, module, _RUNS | _CONFIGS | _GUNICORN):
        there = (files.find(seen.module) if seen.module != module else None) or path
        where = files.place(there, seen.site)
        if seen.name in _GUNICORN:
            options = next((argument for argument in seen.args if isinstance(argument, dict)), None)
            options = options or next((v for v in seen.keywords.values() if isinstance(v, dict)), None)
            if options is not None:
                yield _gunicorn(options, where, files.lines(there))
        else:
            yield _uvicorn(seen, where, files.lines(there))


def _uvicorn(seen: Seen, where: Location, lines: Sequence[str]) -> Command:
    known = server("uvicorn")
    app = seen.args[0] if seen.args else seen.keywords.get("app")
    said: list[Said] = []
    problems: list[Problem] = []
    for name, value in seen.keywords.items():
        if name == "app":
            continue
        place, text = _keyword(name, where, lines)
        if name not in known.settings:
            nearest = known.nearest(name)
            problems.append(Problem("unknown-setting", name, f"`uvicorn.run` has no argument {name}", place, nearest))
            continue
        setting = known.settings[name]
        taken = chosen(setting, value) if setting.kind == "import" and isinstance(value, str) else value
        if isinstance(taken, Problem):
            problems.append(taken._replace(where=place))
            taken = Unknown("the server refuses it")
        said.append(Said(name, _value(taken), Rank.COMMAND, "Python", place, text))
    return Command("uvicorn.run", where, "Python", _value(app), tuple(said), problems=tuple(problems))


def _gunicorn(options: Mapping[Any, Any], where: Location, lines: Sequence[str]) -> Command:
    known = server("gunicorn")
    said = [
        Said(str(name), _value(value), Rank.COMMAND, "Python", where, f"{name} = {value!r}"[:80])
        for name, value in options.items()
        if name in known.settings
    ]
    return Command("gunicorn app", where, "Python", Unknown("an object"), tuple(said))


def _value(value: Any) -> Any:
    if isinstance(value, list):
        value = tuple(value)
    return value if is_literal(value) or not isinstance(value, (dict, tuple)) else Unknown("a value that is computed")


def _keyword(name: str, where: Location, lines: Sequence[str]) -> tuple[Location, str]:
    """Where a keyword stands inside its call, and how it is written."""
    pattern = re.compile(rf"\b{re.escape(name)}\s*=(?!=)\s*")
    for number in range(where.line, max(where.end_line, where.line) + 1):
        line = lines[number - 1] if number <= len(lines) else ""
        match = pattern.search(line, where.column - 1 if number == where.line else 0)
        if match is not None:
            end = _value_end(line, match.end())
            return Location(where.path, number, match.start() + 1, number, end + 1), line[match.start() : end].rstrip()
    return where, name


def _value_end(line: str, start: int) -> int:
    """Where an argument ends: at the comma or parenthesis that closes it, or with its line."""
    depth = 0
    for place in range(start, len(line)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(line[place], 0)
        if depth < 0 or (depth == 0 and line[place] in ",#"):
            return place
    return len(line)
