"""One command and its environment -> the effective settings, with everybody who said something and who wins.

Precedence (each step run against the real servers, tests/test_real_servers_settings.py): gunicorn: default < file <
GUNICORN_CMD_ARGS < command line; uvicorn: default < WEB_CONCURRENCY < UVICORN_* < flag; `uvicorn.run` and fastapi:
default < WEB_CONCURRENCY < keyword or flag.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastlint.deploy.commands import chosen, converted, read_flags
from fastlint.deploy.evaluate import Bound, evaluate
from fastlint.deploy.plan import Command, Problem, Rank, Said, Setting
from fastlint.deploy.python_entry import PythonFiles
from fastlint.deploy.servers import Server, ServerSetting, server
from fastlint.deploy.shell import shell_commands
from fastlint.deploy.texts import literal
from fastlint.deploy.values import Apply, Cores, Env, Surroundings, Unknown, Value, is_literal, resolve
from fastlint.finding import Location
from fastlint.source.facts import Block, ModuleFacts
from fastlint.source.nodes import parts

_CONFIG = "gunicorn.conf.py"
_BOOLEANS = {"true": True, "false": False}
# Names of other servers and of older versions that files give to gunicorn, which ignores every name it does not know.
_FOREIGN_NAMES = {
    "host": "bind", "port": "bind", "log_file": "errorlog", "log_level": "loglevel", "keep_alive": "keepalive",
    "access_log": "accesslog", "preload": "preload_app", "debug": "reload", "uid": "user", "gid": "group",
    "limit_concurrency": "worker_connections", "limit_max_requests": "max_requests", "worker": "workers",
    "timeout_keep_alive": "keepalive", "captureoutput": "capture_output", "time_out": "timeout",
}  # fmt: skip


@dataclass(slots=True)
class Effective:
    """The settings of one server process group."""

    settings: dict[str, Setting] = field(default_factory=dict)
    app: Value = None
    problems: tuple[Problem, ...] = ()
    hooks: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()


@dataclass(slots=True)
class _File:
    """What a gunicorn configuration file says."""

    said: list[Said]
    problems: list[Problem]
    hooks: frozenset[str]
    path: str


def settings_of(
    command: Command, environment: Mapping[str, Said], python: PythonFiles, contexts: tuple[str, ...]
) -> Effective:
    """The effective settings of a command in its environment. `contexts` are the folders of the project in which it may
    be started."""
    known = server("gunicorn" if command.server.startswith("gunicorn") else _known_as(command.server))
    surroundings = Surroundings(environment={name: said.value for name, said in environment.items()})
    sayings = [*_defaults(known, command), *_replaced_defaults(known, command, environment)]
    problems: list[Problem] = list(_empty_variables(command, environment))
    files: list[str] = []
    hooks: frozenset[str] = frozenset()
    if known.name == "gunicorn":
        extra, configs = _arguments_variable(known, environment, surroundings, problems)
        file = None
        if command.server == "gunicorn":
            file = _config_file(command, configs, python, contexts, surroundings)
        if file is not None:
            sayings += file.said
            problems += file.problems
            hooks = file.hooks
            files.append(file.path)
        sayings += extra
    elif command.server == "uvicorn":
        sayings += _own_variables(known, environment)
    sayings += command.said
    settings = _won([_with_causes(said, environment) for said in sayings], surroundings)
    app = command.app
    if app is None:
        target = settings.get("wsgi_app") or settings.get("app")
        app = target.value if target is not None else None
    return Effective(settings, app, tuple(problems), hooks, tuple(files))


def named_configs(command: Command, environment: Mapping[str, Said]) -> tuple[str, ...]:
    """The configuration files that gunicorn is told of, the last one counts: by its command line, else by
    GUNICORN_CMD_ARGS."""
    if command.config_files or command.server != "gunicorn":
        return command.config_files
    return _arguments_variable(server("gunicorn"), environment, Surroundings(), [])[1]


def _with_causes(said: Said, environment: Mapping[str, Said]) -> Said:
    """A saying with the variables that those it is worked out from were themselves worked out from, in a script."""
    behind = [one for name in said.variables if name in environment for one in environment[name].variables]
    return said._replace(variables=tuple(dict.fromkeys((*said.variables, *behind)))) if behind else said


def _known_as(name: str) -> str:
    return "hypercorn" if name == "hypercorn" else "uvicorn"


def _won(sayings: list[Said], surroundings: Surroundings) -> dict[str, Setting]:
    """For every setting the strongest saying; of equals the last one, as argparse and click have it."""
    by_name: dict[str, list[Said]] = {}
    for said in sayings:
        by_name.setdefault(said.name, []).append(said)
    out: dict[str, Setting] = {}
    for name, said_of in by_name.items():
        ordered = sorted(enumerate(said_of), key=lambda pair: (pair[1].rank, pair[0]), reverse=True)
        winner = ordered[0][1]
        others = tuple(said for _, said in ordered[1:] if said.rank > Rank.DEFAULT)
        out[name] = Setting(resolve(winner.value, surroundings), winner, others)
    return out


# --- defaults and variables ---------------------------------------------------------------------------------------


def _defaults(known: Server, command: Command) -> Iterator[Said]:
    for setting in known.settings.values():
        if setting.has_default:
            yield Said(setting.name, setting.default, Rank.DEFAULT, "default")
    if command.server.startswith("uvicorn") or command.server.startswith("fastapi"):
        yield Said("workers", 1, Rank.DEFAULT, "default")
    if command.server.startswith("fastapi"):
        run = command.server == "fastapi run"
        yield Said("host", "0.0.0.0" if run else "127.0.0.1", Rank.DEFAULT, f"{command.server}'s default")
        yield Said("reload", not run, Rank.DEFAULT, f"{command.server}'s default")


def _replaced_defaults(known: Server, command: Command, environment: Mapping[str, Said]) -> Iterator[Said]:
    """WEB_CONCURRENCY, PORT and FORWARDED_ALLOW_IPS, which only replace a default."""
    fastapi = command.server.startswith("fastapi")
    for setting in [*known.settings.values(), *([ServerSetting("port", "integer", default_from="PORT")] * fastapi)]:
        said = environment.get(setting.default_from) if setting.default_from else None
        if said is None or said.value == "":
            continue
        value = converted(setting, said.value)
        if known.name == "gunicorn" and setting.name == "bind":
            value = (f"0.0.0.0:{said.value}",) if isinstance(said.value, str) else Unknown(f"${setting.default_from}")
        if isinstance(value, Problem):
            value = Unknown("the server refuses it")
        variables = (setting.default_from, *said.variables)
        yield said._replace(name=setting.name, value=value, rank=Rank.ENVIRONMENT_DEFAULT, variables=variables)


def _empty_variables(command: Command, environment: Mapping[str, Said]) -> Iterator[Problem]:
    """gunicorn parses WEB_CONCURRENCY at import, even where a flag overrules it; hypercorn never reads it; the others
    read it where nothing else says how many workers there are."""
    if command.server == "hypercorn":
        return
    variable = environment.get("UVICORN_WORKERS") if command.server == "uvicorn" else None
    told = (variable is not None and variable.value != "") or any(said.name == "workers" for said in command.said)
    if told and not command.server.startswith("gunicorn"):
        return
    said = environment.get("WEB_CONCURRENCY")
    if said is not None and isinstance(said.value, str) and said.where is not None:
        if not said.value.strip().lstrip("+-").isdigit():
            text = f"WEB_CONCURRENCY={said.value!r} is no whole number: the server ends at once"
            yield Problem("never-serves", "WEB_CONCURRENCY", text, said.where)


def _own_variables(known: Server, environment: Mapping[str, Said]) -> Iterator[Said]:
    """UVICORN_WORKERS and the like; an empty one is as good as unset."""
    for setting in known.settings.values():
        said = environment.get(f"{known.environment_prefix}{setting.name.upper()}")
        if said is None or said.value == "":
            continue
        value: Any = converted(setting, said.value)
        if isinstance(value, Problem):
            value = Unknown("the server refuses it")
        elif setting.kind == "flag" and isinstance(value, str):
            value = value.strip().lower() in ("1", "true", "t", "yes", "y", "on")
        yield said._replace(name=setting.name, value=value, rank=Rank.ENVIRONMENT)


def _arguments_variable(
    known: Server, environment: Mapping[str, Said], surroundings: Surroundings, problems: list[Problem]
) -> tuple[list[Said], tuple[str, ...]]:
    """What GUNICORN_CMD_ARGS says, and the configuration files that it names."""
    variable = environment.get("GUNICORN_CMD_ARGS")
    if variable is None or not isinstance(variable.value, str) or variable.where is None:
        return [], ()
    commands = shell_commands(literal(f"gunicorn {variable.value}", variable.where))
    words = (
        tuple(
            word._replace(where=variable.where, source=None, variables=variable.variables)
            for word in commands[0].words[1:]
        )
        if commands
        else ()
    )
    said, _, wrong = read_flags(known, words, f"GUNICORN_CMD_ARGS, {variable.by}", Rank.ENVIRONMENT, surroundings)
    problems += wrong
    configs = tuple(one.value for one in said if one.name == "config" and isinstance(one.value, str))
    return [one for one in said if one.name != "config"], configs


# --- gunicorn.conf.py ---------------------------------------------------------------------------------------------


def _config_file(
    command: Command,
    configs: tuple[str, ...],
    python: PythonFiles,
    contexts: tuple[str, ...],
    surroundings: Surroundings,
) -> _File | None:
    """The one file that is read: of the command line, else of GUNICORN_CMD_ARGS, else the default one."""
    named = command.config_files[-1:] or configs[-1:]
    name = named[0] if named else _CONFIG
    path: str | None
    if name.startswith("python:"):
        path = python.find(name.removeprefix("python:"))
    else:
        path = _located(name.removeprefix("file:"), command.folder, contexts, python, bool(named))
    facts = python.facts(path) if path is not None else None
    if path is None or facts is None:
        return None
    return _read_config(path, facts, python, surroundings)


def _located(name: str, folder: str, contexts: tuple[str, ...], python: PythonFiles, named: bool) -> str | None:
    known = set(python.paths)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    for start in range(len(parts)):
        for context in contexts:
            for inner in dict.fromkeys((folder, "")):
                path = posixpath.normpath(posixpath.join(context, inner.strip("/"), *parts[start:]))
                if path in known:
                    return path
        if not named:
            return None  # the default file is looked for in one folder only
    same = [path for path in python.paths if posixpath.basename(path) == parts[-1]] if parts else []
    return same[0] if len(same) == 1 else None


def _read_config(path: str, facts: ModuleFacts, python: PythonFiles, surroundings: Surroundings) -> _File:
    known = server("gunicorn")
    outcome = evaluate(facts, surroundings.environment, python.load, python.module(path))
    said: list[Said] = []
    problems: list[Problem] = []
    hooks: set[str] = set()
    lines = python.lines(path)
    loads = _loads(facts)
    for name, bound in outcome.names.items():
        setting = known.settings.get(name)
        place = python.place(path, bound.site) if bound.site >= 0 else Location(path)
        if setting is None:
            problem = _unknown_name(known, name, bound, place, loads)
            problems += [problem] if problem is not None else []
        elif setting.kind == "hook":
            hooks.add(name)
        else:
            value = checked(setting, _as_value(bound.value))
            if isinstance(value, Problem):
                problems.append(value._replace(where=place))
                value = Unknown("gunicorn refuses it")
            text = lines[place.line - 1].strip() if place.line <= len(lines) else name
            value = _conditional(value, bound, surroundings)
            said.append(Said(name, value, Rank.FILE, posixpath.basename(path), place, text, bound.variables))
    if not outcome.complete:
        said += [
            Said(name, Unknown("the file could not be followed to its end"), Rank.FILE, posixpath.basename(path))
            for name, setting in known.settings.items()
            if name not in outcome.names and setting.kind != "hook"
        ]
    return _File(said, problems, frozenset(hooks), path)


def _conditional(value: Value, bound: Bound, surroundings: Surroundings) -> Value:
    """A literal that comes from the default of one variable, which is not set, says so."""
    if is_literal(value) and len(bound.variables) == 1 and bound.variables[0] not in surroundings.environment:
        return Env(bound.variables[0], value)
    return value


def _as_value(value: Any) -> Value:
    if isinstance(value, list):
        value = tuple(value)
    if value is None or isinstance(value, (bool, int, float, str, tuple, Unknown, Cores, Env, Apply)):
        return value
    return Unknown("an object")


def checked(setting: ServerSetting, value: Value) -> Value | Problem:
    """A value of the file as gunicorn's validators take it, or why they refuse it (gunicorn/config.py)."""
    if not is_literal(value):
        return value
    if setting.kind == "count":
        return _count(setting, value)
    if setting.kind == "flag":
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, str) and value.lower().strip() in _BOOLEANS:
            return _BOOLEANS[value.lower().strip()]
        return Problem("invalid-value", setting.name, f"{setting.name} = {value!r} is no boolean", Location(""))
    if setting.choices and isinstance(value, str) and value:
        return chosen(setting, value)
    if setting.kind == "list" and isinstance(value, str):
        return (value.strip(),) if value else ()  # a comma separates nothing here
    return value


def _count(setting: ServerSetting, value: Value) -> Value | Problem:
    try:
        number = int(value, 0) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int):
        return Problem("invalid-value", setting.name, f"{setting.name} = {value!r} is no whole number", Location(""))
    if number < 0:
        return Problem("invalid-value", setting.name, f"{setting.name} = {value!r} is negative", Location(""))
    return int(number)


def _unknown_name(known: Server, name: str, bound: Bound, place: Location, loads: Mapping[str, int]) -> Problem | None:
    """A name that was meant as a setting: nothing else in the file uses it, and it is near one, or another server's."""
    if name.startswith("_") or loads.get(name) or not is_literal(_as_value(bound.value)):
        return None
    nearest = _FOREIGN_NAMES.get(name) or (name.lower() if name.lower() in known.settings else "")
    nearest = nearest or known.nearest(name)
    if not nearest:
        return None
    return Problem("unknown-setting", name, "gunicorn ignores every name that it does not know", place, nearest)


def _loads(facts: ModuleFacts) -> dict[str, int]:
    """How often each name of a file is read."""
    out: dict[str, int] = {}
    for block in (facts.body, *(function.body for function in facts.functions)):
        _count_loads(block, out)
    return out


def _count_loads(node: Block | Any, out: dict[str, int]) -> None:
    if not node:
        return
    if node[0] == "n":
        out[node[1]] = out.get(node[1], 0) + 1
        return
    if node[0] == "=" and isinstance(node[1], list):
        targets = [target for target in node[1] if target is None or target[0] != "n"]
        _count_loads(targets, out)
        _count_loads(node[2], out)
        return
    if node[0] in (":", "+=") and isinstance(node[1], list) and node[1][:1] == ["n"]:
        _count_loads(list(node[2:]), out)
        return
    for part in parts(node):
        _count_loads(part, out)
