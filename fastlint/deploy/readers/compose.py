"""Compose files: services with their overrides, anchors, environment and limits. Starts nothing.

Source: the Compose specification (services, deploy, build, interpolation, merge and its `!reset`/`!override` tags).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from fastlint.amounts import bytes_of, cores_of, port_of, seconds_of
from fastlint.deploy.plan import Limits, Rank, Said
from fastlint.deploy.readers.environment import interpolated, read_environment_file
from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.readers.yaml_nodes import Yaml, documents
from fastlint.deploy.service import HOLE, Broken, Build, Database, Kind, Run, Service, Text
from fastlint.deploy.texts import value_of, variable, words_of
from fastlint.deploy.values import Unknown, Value
from fastlint.finding import Location

WANTED = re.compile(r"^services:", re.MULTILINE)
_BASE = re.compile(r"(?:docker-)?compose\.ya?ml")
_OVERLAY = re.compile(r"((?:docker-)?compose)[._-]([\w.-]+)\.ya?ml")
_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|localhost|\[?::1\]?):")
_POSTGRES = re.compile(r"(?:^|[/-])(?:postgres|postgis|pgvector|timescaledb|postgresql)(?:[-/:]|$)")
_MYSQL = re.compile(r"(?:^|/)(?:mysql|mariadb|percona)(?:[-/:]|$)")
_CONNECTIONS = re.compile(r"(?:max[_-]connections[= ]|(?:^|\s)-N\s*)(\d+)")
_DEEPEST = 10  # services that extend services

Open = Callable[[str], "str | None"]  # the text of a file by its path in the project; None where it is not there


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file says of one service; None and empty fields are left to the files below and to the image."""

    where: Location
    entrypoint: Run | None = None
    command: Run | None = None
    folder: str | None = None
    environment: Mapping[str, Said] = field(default_factory=dict)
    from_files: Mapping[str, Said] = field(default_factory=dict)
    opened: bool = False
    cores: Said | None = None
    memory: Said | None = None
    replicas: Said | None = None
    grace_period: Said | None = None
    probe: Said | None = None
    image: Text | None = None
    build: Mapping[str, Yaml] = field(default_factory=dict)
    published: tuple[Said, ...] = ()
    ports: tuple[int, ...] = ()
    hosts: tuple[str, ...] = ()
    network: str = ""  # `network_mode`
    memory_folders: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    deployed: bool = False
    files: tuple[str, ...] = ()
    reset: frozenset[str] = frozenset()  # fields that take back what the files below say

    def over(self, base: _Part) -> _Part:
        """This part laid over the one of a file below it."""
        values: dict[str, Any] = {}
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(base, each.name)
            if each.name in self.reset:
                continue
            if isinstance(mine, Mapping):
                values[each.name] = {**theirs, **mine}
            elif each.default == () and each.name != "profiles":
                values[each.name] = tuple(dict.fromkeys((*theirs, *mine)))
            elif not mine:
                values[each.name] = theirs
        return replace(self, **values)


@dataclass(slots=True)
class _File:
    """One compose file, its services as nodes and the variables that its text is filled in with."""

    path: str
    services: dict[str, Yaml]
    variables: Mapping[str, str]
    open: Open

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)


def read_compose(files: Mapping[str, str], open_file: Open) -> tuple[list[Service], list[Database], list[Broken]]:
    """The services of all compose files of a project, a base and its overrides taken together.

    `files` are the texts of the compose files by path, relative to the project.
    """
    services: list[Service] = []
    databases: list[Database] = []
    broken: list[Broken] = []
    loaded: dict[str, _File] = {}
    for path in sorted(files):
        file, problems = _load(path, files[path], open_file)
        broken.extend(problems)
        if file is not None:
            loaded[path] = file
    for layers, names, development in _stacks(loaded):
        for name in names:
            part = _layered(layers, name)
            if part is None:
                continue
            services.append(_service(name, part, layers, development))
            if (database := _database(name, part)) is not None:
                databases.append(database)
    return services, databases, broken


def _load(path: str, text: str, open_file: Open) -> tuple[_File | None, list[Broken]]:
    nodes, broken = documents(path, text, WANTED)
    services: dict[str, Yaml] = {}
    for node in nodes:
        services.update((name, each) for name, each in _entries(node.get("services")).items() if each.is_mapping)
    telling = "compose" in _name(path) or any(each.entries().keys() & _TELLING for each in services.values())
    if not services or not telling:
        return None, broken  # something else that has "services"
    beside = open_file(posixpath.join(posixpath.dirname(path), ".env")) or ""
    said = read_environment_file(path, beside)
    variables = {name: each.text for name, each in said.items() if isinstance(each.value, str)}
    return _File(path, services, variables, open_file), broken


_TELLING = frozenset("image build command entrypoint environment deploy ports extends".split())


def _stacks(files: Mapping[str, _File]) -> list[tuple[list[_File], list[str], bool]]:
    """Which files are started together (the base first), which services that is said of, and whether it is for
    developers. A service of the base counts by itself unless a file for production is laid over it; a complete file
    beside the base stands alone.
    """
    bases = {(file.folder, _stem(path)): file for path, file in files.items() if _BASE.fullmatch(_name(path))}
    stacks: list[tuple[list[_File], list[str], bool]] = []
    plain: list[_File] = []
    covered = set(_extended_elsewhere(files))
    for path, file in files.items():
        match = _OVERLAY.fullmatch(_name(path))
        base = bases.get((file.folder, match[1])) if match is not None else None
        if match is None or base is None or (_complete(file) and "override" not in match[2]):
            plain.append(file)
            continue
        development = for_development(path)
        stacks.append(([base, file], list(file.services), development))
        if not development:
            covered |= {(base.path, name) for name in file.services}
    for file in plain:
        names = [name for name in file.services if (file.path, name) not in covered]
        stacks.append(([file], names, for_development(file.path)))
    return sorted(stacks, key=lambda stack: stack[0][-1].path)


def _extended_elsewhere(files: Mapping[str, _File]) -> Iterator[tuple[str, str]]:
    """Services that those of another file extend: a pattern, and none of its own unless compose finds its file by
    itself."""
    for file in files.values():
        for node in file.services.values():
            path, name = _scalar(node.get("extends", "file")), _scalar(node.get("extends", "service"))
            source = posixpath.normpath(posixpath.join(file.folder, path)) if path is not None else file.path
            if name is not None and source != file.path and not _BASE.fullmatch(_name(source)):
                yield source, name


def _complete(file: _File) -> bool:
    """Whether every service says by itself what it runs, so that nothing needs to stand below it."""
    for each in file.services.values():
        entries = each.entries()
        build = entries.get("build")
        built = build is not None and (build.scalar is not None or build.get("context") is not None)
        if not built and not {"image", "extends"} & entries.keys():
            return False
    return True


def _stem(path: str) -> str:
    return _name(path).partition(".")[0]


def _name(path: str) -> str:
    return posixpath.basename(path)


def _layered(layers: list[_File], name: str) -> _Part | None:
    part: _Part | None = None
    for file in layers:
        node = file.services.get(name)
        if node is not None:
            mine = _extended(file, name, node, 0)
            part = mine if part is None else mine.over(part)
    return part


def _extended(file: _File, name: str, node: Yaml, depth: int) -> _Part:
    """What a service says, with what it extends below it."""
    mine = _part(file, node)
    extends = node.get("extends")
    if extends is None or depth > _DEEPEST:
        return mine
    other = extends.scalar or _scalar(extends.get("service")) or ""
    source: _File | None = file
    if (path := _scalar(extends.get("file"))) is not None:
        source = _other(file, path)
    inner = source.services.get(other) if source is not None else None
    if source is None or inner is None or (source.path == file.path and other == name):
        return mine
    return mine.over(_extended(source, other, inner, depth + 1))


def _other(file: _File, path: str) -> _File | None:
    inner = posixpath.normpath(posixpath.join(file.folder, path))
    text = file.open(inner)
    return None if text is None else _load(inner, text, file.open)[0]


def _part(file: _File, node: Yaml) -> _Part:
    entries = node.entries()
    reset = frozenset(
        _FIELD[key] for key, each in entries.items() if key in _FIELD and each.tag in ("!reset", "!override")
    )
    entries = {key: each for key, each in entries.items() if each.tag != "!reset"}
    from_files, opened = _environment_files(file, entries.get("env_file"))
    deploy = entries.get("deploy")
    limits = deploy.get("resources", "limits") if deploy is not None else None
    return _Part(
        where=node.where,
        entrypoint=_run(file, entries.get("entrypoint"), "compose entrypoint"),
        command=_run(file, entries.get("command"), "compose command"),
        folder=_filled(file, entries.get("working_dir")),
        environment=_environment(file, entries.get("environment")),
        from_files=from_files,
        opened=opened,
        cores=_cores(file, entries, limits),
        memory=_figure(
            file, "memory", _first(limits, "memory"), "compose deploy.resources.limits.memory", _docker_bytes
        )
        or _figure(file, "memory", entries.get("mem_limit"), "compose mem_limit", _docker_bytes),
        replicas=_figure(file, "replicas", _first(deploy, "replicas"), "compose deploy.replicas", _whole)
        or _figure(file, "replicas", entries.get("scale"), "compose scale", _whole),
        grace_period=_figure(
            file, "grace_period", entries.get("stop_grace_period"), "compose stop_grace_period", seconds_of
        ),
        probe=_probe(file, entries.get("healthcheck")),
        image=_text(file, entries.get("image")),
        build=_build(entries.get("build")),
        published=tuple(said for each in _items(entries.get("ports")) if (said := _published(file, each)) is not None),
        ports=tuple(_ports(file, entries)),
        hosts=tuple(_hosts(file, entries)),
        network=_filled(file, entries.get("network_mode")) or "",
        memory_folders=tuple(folder.partition(":")[0] for folder in _strings(file, entries.get("tmpfs"))),
        profiles=tuple(_strings(file, entries.get("profiles"))),
        deployed=deploy is not None
        and bool({"replicas", "mode", "placement", "update_config"} & deploy.entries().keys()),
        files=(file.path,),
        reset=reset,
    )


_FIELD = {
    "entrypoint": "entrypoint",
    "command": "command",
    "working_dir": "folder",
    "environment": "environment",
    "env_file": "from_files",
    "cpus": "cores",
    "mem_limit": "memory",
    "scale": "replicas",
    "healthcheck": "probe",
    "image": "image",
    "build": "build",
    "ports": "published",
    "tmpfs": "memory_folders",
    "profiles": "profiles",
}


def _text(file: _File, node: Yaml | None) -> Text | None:
    text = node.text() if node is not None else None
    return None if text is None else interpolated(text, file.variables)


def _filled(file: _File, node: Yaml | None) -> str | None:
    text = _text(file, node)
    return None if text is None else text.text


def _strings(file: _File, node: Yaml | None) -> list[str]:
    nodes = node.items() if node is not None and node.is_list else [node]
    return [text for each in nodes if (text := _filled(file, each))]


def _run(file: _File, node: Yaml | None, by: str) -> Run | None:
    """A command as compose reads it: a list, or one text that is split into words and given to no shell."""
    if node is None:
        return None
    if node.is_list:
        words = tuple(text for each in node.items() if (text := _text(file, each)) is not None)
    else:
        whole = _text(file, node)
        words = words_of(whole) if whole is not None else ()
    return Run(by, words) if words else None


def _environment(file: _File, node: Yaml | None) -> dict[str, Said]:
    out: dict[str, Said] = {}
    for name, each in _entries(node).items():
        out[name] = _said(file, name, _text(file, each), each.where)
    for each in _items(node):
        text = _text(file, each)
        if text is not None:
            name, sign, _ = text.text.partition("=")
            out[name] = _said(file, name, text.cut(len(name) + 1, len(text.text)) if sign else None, text.where)
    return out


def _said(file: _File, name: str, text: Text | None, where: Location) -> Said:
    by = "compose environment"
    if text is not None:
        return variable(name, text, by)
    value: Value = file.variables.get(name, Unknown("taken from where compose is started"))
    return Said(name, value, Rank.ENVIRONMENT, by, where)


def _environment_files(file: _File, node: Yaml | None) -> tuple[dict[str, Said], bool]:
    """The variables of the files named, and whether one of them is not there to be read."""
    out: dict[str, Said] = {}
    opened = False
    for each in _items(node) or ([node] if node is not None else []):
        path = _filled(file, each.get("path") if each.is_mapping else each)
        if path is None:
            continue
        inner = posixpath.normpath(posixpath.join(file.folder, path))
        text = file.open(inner)
        if text is None:
            opened = True
        else:
            out.update(read_environment_file(inner, text, "compose env_file"))
    return out, opened


def _cores(file: _File, entries: Mapping[str, Yaml], limits: Yaml | None) -> Said | None:
    quota = entries.get("cpu_quota")
    if quota is not None:
        period = _whole(_filled(file, entries.get("cpu_period")) or "100000")

        def share(text: str) -> float | None:
            number = _whole(text)
            return number / period if number and period else None

        return _figure(file, "cores", quota, "compose cpu_quota", share)
    return _figure(file, "cores", _first(limits, "cpus"), "compose deploy.resources.limits.cpus", cores_of) or _figure(
        file, "cores", entries.get("cpus"), "compose cpus", cores_of
    )


def _figure(file: _File, name: str, node: Yaml | None, by: str, read: Callable[[str], float | None]) -> Said | None:
    """A figure that a service is granted; None where nobody says, or says "no limit" as 0."""
    text = _text(file, node)
    if text is None or text.text.strip() in ("0", "0.0", "-1"):
        return None if name != "replicas" or text is None else Said(name, 0, Rank.FILE, by, text.where, text.text)
    known = value_of(text.text)
    value: Value = read(known) if isinstance(known, str) else known
    return Said(name, Unknown("not a figure") if value is None else value, Rank.FILE, by, text.where, text.text)


def _docker_bytes(text: str) -> int | None:
    return bytes_of(text, docker=True)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _probe(file: _File, node: Yaml | None) -> Said | None:
    """The time after which an unhealthy service is known to be: interval x retries (Docker's defaults: 30 s, 3)."""
    if node is None or not node.is_mapping or _filled(file, node.get("disable")) == "true":
        return None
    interval, retries = (
        seconds_of(_filled(file, node.get("interval")) or "30s"),
        _whole(_filled(file, node.get("retries")) or "3"),
    )
    value: Value = interval * retries if interval is not None and retries else Unknown("not a duration")
    return Said("healthcheck", value, Rank.FILE, "compose healthcheck", node.where)


def _build(node: Yaml | None) -> Mapping[str, Yaml]:
    """The entries of `build`, which overrides merge one by one; its short form is the context."""
    if node is None or node.is_mapping:
        return _entries(node)
    return {"context": node}


def _built(file: _File, entries: Mapping[str, Yaml]) -> Build | None:
    context = _filled(file, entries.get("context")) or "."
    if not entries or HOLE in context or "://" in context:
        return None
    first = entries.get("context") or next(iter(entries.values()))
    folder = posixpath.normpath(posixpath.join(posixpath.dirname(first.path), context))
    dockerfile = posixpath.normpath(posixpath.join(folder, _filled(file, entries.get("dockerfile")) or "Dockerfile"))
    arguments = _environment(file, entries.get("args"))
    target = _filled(file, entries.get("target")) or ""
    return Build(dockerfile, "" if folder == "." else folder, target, first.where, arguments)


def _published(file: _File, node: Yaml) -> Said | None:
    """A port that is reachable from outside of the host."""
    where = node.where
    if node.is_mapping:
        host, port = _filled(file, node.get("host_ip")) or "", _filled(file, node.get("target")) or ""
        text = f"{host}:{port}" if host else port
    else:
        text = _filled(file, node) or ""
    if not text or _LOOPBACK.match(text):
        return None
    return Said("published", value_of(text), Rank.FILE, "compose ports", where, text)


def _ports(file: _File, entries: Mapping[str, Yaml]) -> Iterator[int]:
    """The ports of the container that are published or at least exposed."""
    for each in (*_items(entries.get("ports")), *_items(entries.get("expose"))):
        text = _filled(file, each.get("target") if each.is_mapping else each) or ""
        if (port := port_of(text.rpartition(":")[2])) is not None:
            yield port


def _hosts(file: _File, entries: Mapping[str, Yaml]) -> Iterator[str]:
    """The names that a service has on its networks apart from its own."""
    named = [entries.get("container_name"), entries.get("hostname")]
    for network in _entries(entries.get("networks")).values():
        named += _items(network.get("aliases"))
    yield from (name for node in named if (name := _filled(file, node)) and HOLE not in name)


def _entries(node: Yaml | None) -> Mapping[str, Yaml]:
    return node.entries() if node is not None else {}


def _items(node: Yaml | None) -> list[Yaml]:
    return node.items() if node is not None else []


def _first(node: Yaml | None, key: str) -> Yaml | None:
    return node.get(key) if node is not None else None


def _scalar(node: Yaml | None) -> str | None:
    return node.scalar if node is not None else None


def _service(name: str, part: _Part, layers: list[_File], development: bool) -> Service:
    probes = (part.probe,) if part.probe is not None else ()
    return Service(
        name=name,
        kind=Kind.CONTAINER,
        by="compose",
        where=part.where,
        entrypoint=part.entrypoint,
        command=part.command,
        drops_command=part.entrypoint is not None,  # compose: an entrypoint takes the image's CMD out of force
        folder=part.folder,
        environment={**part.from_files, **part.environment},
        environment_open=part.opened,
        limits=Limits(part.cores, part.memory, part.replicas, None, part.grace_period, probes),
        image=part.image,
        build=_built(layers[-1], part.build),
        published=part.published,
        ports=part.ports,
        hosts=tuple(dict.fromkeys((name, *part.hosts))),
        title=name,
        inner=not part.published and part.network in ("", "bridge", "none"),
        memory_folders=part.memory_folders,
        orchestrated=part.deployed or part.replicas is not None,
        development=development or for_development(name) or _for_developers(part.profiles),
        files=tuple(sorted({file.path for file in layers} | set(part.files))),
    )


def _for_developers(profiles: tuple[str, ...]) -> bool:
    return bool(profiles) and all(for_development(each) for each in profiles)


def _database(name: str, part: _Part) -> Database | None:
    image = part.image.text if part.image is not None else ""
    kind, most = ("postgres", 100) if _POSTGRES.search(image) else ("mysql", 151) if _MYSQL.search(image) else ("", 0)
    if not kind:
        return None
    words = part.command.words if part.command is not None else ()
    match = _CONNECTIONS.search(" ".join(word.text for word in words))
    if match is None:
        said = Said("max_connections", most, Rank.DEFAULT, f"default of {kind}")
    else:
        where = next((word.where for word in words if match[1] in word.text), part.where)
        said = Said("max_connections", int(match[1]), Rank.COMMAND, "compose command", where, match[1])
    return Database(name, kind, part.where, said)
