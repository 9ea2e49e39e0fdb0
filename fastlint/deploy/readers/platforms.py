"""Blueprints of hosting platforms: Render, fly.io, Railway, Nixpacks, App Engine, DigitalOcean, heroku.yml.

Knows where each keeps the command, its variables and its copies; asks no platform. Sources: the blueprint references of
these platforms.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator
from typing import Any

from fastlint.amounts import bytes_of, cores_of, seconds_of
from fastlint.deploy.plan import Limits, Rank, Said
from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.readers.yaml_nodes import Yaml, documents
from fastlint.deploy.service import Broken, Build, Kind, Run, Service
from fastlint.deploy.texts import literal, variable
from fastlint.deploy.values import Unknown, Value
from fastlint.finding import Location

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The key of the command says whose blueprint it is; the keys beside it are the platform's own.
_COMMANDS = {
    "startCommand": "Render startCommand",
    "dockerCommand": "Render dockerCommand",
    "run_command": "App Platform run_command",
    "entrypoint": "App Engine entrypoint",
}
_COPIES = ("numInstances", "instance_count", "numReplicas")
WANTED = re.compile(
    r"^\s*(?:-\s+)?\"?(?:startCommand|dockerCommand|run_command)\"?:|^runtime:\s*[\"']?python[\s\S]*^entrypoint:|^run:",
    re.MULTILINE,
)


def read_blueprint(path: str, text: str) -> tuple[list[Service], list[Broken]]:
    """The services of a blueprint in YAML or JSON."""
    nodes, broken = documents(path, text, WANTED)
    return [each for node in nodes for each in _services(path, node)], broken


def _services(path: str, root: Yaml) -> Iterator[Service]:
    if posixpath.basename(path) == "heroku.yml":
        entries = root.get("run")
        for name, node in entries.entries().items() if entries is not None else ():
            yield from _process(path, node, name, node, "heroku.yml run")
        return
    services = root.get("services")
    candidates = [
        *(services.items() if services is not None else ()),
        root,
        *(each for each in [root.get("deploy")] if each),
    ]
    for candidate in candidates:
        entries_here = candidate.entries()
        for key, by in _COMMANDS.items():
            if key in entries_here and (key != "entrypoint" or "runtime" in entries_here):
                name = entries_here.get("name")
                shown = (name.scalar if name is not None else None) or path
                by = "Railway startCommand" if "railway" in path else by
                yield from _process(path, candidate, shown, entries_here[key], by)


def _process(path: str, node: Yaml, name: str, command: Yaml, by: str) -> Iterator[Service]:
    text = command.text()
    if text is None or not text.text:
        return
    yield Service(
        name=name,
        kind=Kind.PROCESS,
        by=by.partition(" ")[0],
        where=command.where,
        command=Run(by, shell=text),
        folder=_folder(node),
        environment=_variables(node, by),
        environment_open=True,
        limits=Limits(replicas=_copies(node)),
        build=_build(node),
        development=for_development(path),
        files=(path,),
    )


def _folder(node: Yaml) -> str:
    for key in ("rootDir", "source_dir"):
        found = node.get(key)
        if found is not None and found.scalar:
            return found.scalar.strip("/")
    return ""


def _variables(node: Yaml, by: str) -> dict[str, Said]:
    out: dict[str, Said] = {}
    for key in ("envVars", "envs"):  # lists of key and value
        listed = node.get(key)
        for each in listed.items() if listed is not None else ():
            name, value = each.get("key"), each.get("value")
            text = value.text() if value is not None else None
            if name is not None and name.scalar and text is not None:
                out[name.scalar] = variable(name.scalar, text, f"{by.partition(' ')[0]} environment")
    table = node.get("env_variables")
    for name_, each in table.entries().items() if table is not None else ():
        if (text := each.text()) is not None:
            out[name_] = variable(name_, text, "App Engine env_variables")
    return out


def _copies(node: Yaml) -> Said | None:
    for key in _COPIES:
        text = found.text() if (found := node.get(key)) is not None else None
        if text is not None and text.text.isdecimal():
            return Said("replicas", int(text.text), Rank.FILE, key, text.where, text.text)
    return None


def _build(node: Yaml) -> Build | None:
    found = node.get("dockerfilePath") or node.get("dockerfile_path")
    if found is None or not found.scalar:
        return None
    path = posixpath.normpath(found.scalar)
    context = node.get("dockerContext")
    folder = posixpath.normpath((context.scalar if context is not None else None) or ".")
    return Build(path, "" if folder == "." else folder, "", found.where)


def read_platform_toml(path: str, text: str) -> tuple[list[Service], list[Broken]]:
    """The processes of fly.toml, railway.toml or nixpacks.toml."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [], [Broken(Location(path), f"it is not valid TOML: {error}")]
    lines = text.splitlines()
    limits = _fly_limits(path, document, lines)
    environment = {
        str(name): variable(str(name), literal(str(value), _line(path, lines, str(name))), "fly.toml env")
        for name, value in _table(document, "env").items()
    }
    services = []
    for name, key, command, by in _toml_commands(document):
        where = _line(path, lines, key)
        run = Run(by, shell=literal(command, where))
        services.append(
            Service(
                name=name or path,
                kind=Kind.PROCESS,
                by=by.partition(" ")[0],
                where=where,
                command=run,
                folder="",
                environment=environment,
                environment_open=True,
                limits=limits,
                development=for_development(path),
                files=(path,),
            )
        )
    return services, []


def _toml_commands(document: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Name, key, command and who says so."""
    for name, command in _table(document, "processes").items():
        if isinstance(command, str):
            yield name, name, command, "fly.toml processes"
    for table, key, by in (
        ("experimental", "cmd", "fly.toml cmd"),
        ("deploy", "startCommand", "railway.toml startCommand"),
        ("start", "cmd", "nixpacks.toml cmd"),
    ):
        command = _table(document, table).get(key)
        if isinstance(command, str) and command:
            yield "", key, command, by


def _fly_limits(path: str, document: dict[str, Any], lines: list[str]) -> Limits:
    machines = document.get("vm")
    machine = machines[0] if isinstance(machines, list) and len(machines) == 1 and isinstance(machines[0], dict) else {}
    cores, memory = machine.get("cpus"), machine.get("memory")
    patience = document.get("kill_timeout")
    waits = _line(path, lines, "kill_timeout")
    return Limits(
        cores=_said("cores", cores, cores_of(str(cores)), _line(path, lines, "cpus"), "fly.toml cpus"),
        memory=_said(
            "memory", memory, bytes_of(str(memory), docker=True), _line(path, lines, "memory"), "fly.toml memory"
        ),
        grace_period=_said("grace_period", patience, seconds_of(str(patience)), waits, "fly.toml kill_timeout"),
    )


def _said(name: str, written: object, read: float | None, where: Location, by: str) -> Said | None:
    if written is None:
        return None
    value: Value = Unknown("not a figure") if read is None else read
    return Said(name, value, Rank.FILE, by, where, str(written))


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name)
    return table if isinstance(table, dict) else {}


def _line(path: str, lines: list[str], key: str) -> Location:
    spot = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=\s*[\"']?")
    for number, line in enumerate(lines, 1):
        if (match := spot.match(line)) is not None:
            return Location(path, number, match.end() + 1)
    return Location(path)
