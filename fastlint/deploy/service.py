"""What one file says of how a service is started and what it is given, before anything is joined. Reads no file.

A reader turns a file into `Service` records; the join makes one `ServerPlan` of those that mean the same service. Text
keeps the place of each of its characters, so that whoever takes it apart can still point at the line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from fastlint.deploy.plan import Limits, Said
from fastlint.finding import Location

# Stands in a text for a piece that only the deployment knows: a template's placeholder, a variable that nobody sets.
# (U+FFFC, "object replacement character": a word in which it occurs is an `Unknown` value.)
HOLE = "\ufffc"


class Kind(Enum):
    """What a service record describes, and so what it can be joined with."""

    IMAGE = "image"  # one stage of a Dockerfile
    CONTAINER = "container"  # a compose service, a container of a Kubernetes pod
    PROCESS = "process"  # a Procfile, systemd unit, supervisor program, Render or fly.io service
    SCRIPT = "script"  # a shell script: run by others, or by hand
    TASK = "task"  # a recipe of a Makefile or justfile, a script of pyproject.toml


class Text(NamedTuple):
    """Text as the syntax of its file leaves it: quotes and folds are undone, nothing is expanded that a shell expands.

    `places` are pairs (offset, place of that character), ascending from offset 0; up to the next pair the characters
    stand side by side in the file.
    """

    text: str
    places: tuple[tuple[int, Location], ...]

    @property
    def where(self) -> Location:
        """The place of the first character."""
        return self.places[0][1]

    def at(self, offset: int) -> Location:
        """The place of one character."""
        start, where = self.places[bisect_right(self.places, offset, key=lambda pair: pair[0]) - 1]
        return Location(where.path, where.line, where.column + offset - start)

    def cut(self, start: int, end: int) -> Text:
        """A part of this text, which knows where it stands."""
        inner = [(offset - start, where) for offset, where in self.places if start < offset < end]
        return Text(self.text[start:end], ((0, self.at(start)), *inner))


class Run(NamedTuple):
    """What is started: the arguments one by one (exec form), or the text that a shell is given."""

    by: str  # for people: "Dockerfile CMD", "compose command", "Kubernetes args", "systemd ExecStart", "Procfile" …
    words: tuple[Text, ...] = ()  # exec form: nothing expands a `$PORT` in it any more
    shell: Text | None = None  # shell form: one or many lines
    interpreter: tuple[str, ...] = ("/bin/sh", "-c")  # what runs a shell form; () for a script, which is no `-c` text

    @property
    def where(self) -> Location:
        """Where it begins."""
        return self.shell.where if self.shell is not None else self.words[0].where


class Build(NamedTuple):
    """The image that a container is built from, when it is built here. Paths are relative to the project root."""

    dockerfile: str
    context: str  # "" is the project root
    target: str  # the stage; "" is the last one
    where: Location
    arguments: Mapping[str, Said] = MappingProxyType({})
    image: Service | None = None  # the stage that it makes, with these arguments; None: no such Dockerfile or stage


class Service(NamedTuple):
    """One service as one file (or one file and its overrides) describes it. A field left out says that the file does
    not speak of it, and the image or the server decides."""

    name: str  # the compose service, "Deployment/api container web", the process type, the recipe; else the path
    kind: Kind
    by: str  # the kind of file for people: "Dockerfile", "compose", "Kubernetes", "Procfile" …
    where: Location
    entrypoint: Run | None = None  # Docker's ENTRYPOINT, Kubernetes' command
    command: Run | None = None  # Docker's CMD, Kubernetes' args; what is started where there is no such pair
    drops_command: bool = False  # its entrypoint takes the image's CMD out of force
    folder: str | None = (
        None  # working folder as written: inside the image for IMAGE and CONTAINER, else in the project
    )
    environment: Mapping[str, Said] = MappingProxyType({})
    environment_open: bool = False  # variables come from a place that cannot be read: a Secret, an env file not there
    limits: Limits = Limits()
    image: Text | None = None  # the image that is run, or that a Dockerfile's stage stands on
    build: Build | None = None
    stage: str = ""  # IMAGE: the stage's name or its number
    last_stage: bool = False  # IMAGE: the one that counts where nobody names a target
    # IMAGE: (path in the build context, path in the image); into a folder where the latter ends with `/`
    copies: tuple[tuple[str, str], ...] = ()
    written: Mapping[str, Text] = MappingProxyType({})  # IMAGE: files whose text stands in the Dockerfile
    published: tuple[Said, ...] = ()  # addresses at which others than this host reach it
    inner: bool = False  # nobody but other containers of its network reaches it: nothing is published
    ports: tuple[int, ...] = ()  # that it listens on, as the file declares them: EXPOSE, containerPort, `ports`
    hosts: tuple[str, ...] = ()  # names under which other containers reach it
    title: str = ""  # CONTAINER: what its pod calls it, the compose service or the container of a manifest
    alone: bool = True  # CONTAINER: no other container shares its pod
    memory_folders: tuple[str, ...] = ()  # folders of the container that live in memory (tmpfs)
    orchestrated: bool = False  # something replicates it or may: Kubernetes, swarm, `replicas`
    development: bool = False  # a `*dev*` file, stage, recipe or profile, or an override for developers
    files: tuple[str, ...] = ()  # every file that was read for it

    @property
    def path(self) -> str:
        """The file that describes it."""
        return self.where.path


class Proxy(NamedTuple):
    """A proxy or load balancer in front, and how long it keeps an idle connection to the service open."""

    by: str  # "nginx", "Traefik", "Ingress" …
    where: Location
    idle: Said  # seconds
    upstreams: tuple[str, ...] = ()  # hosts it forwards to, `host` or `host:port`; empty: not known


class Database(NamedTuple):
    """A database server that the same files start, with the connections that it allows."""

    name: str
    kind: str  # "postgres", "mysql"
    where: Location
    max_connections: Said  # by "default" where nobody says


class Broken(NamedTuple):
    """A file that is there and cannot be understood: one FL001."""

    where: Location
    reason: str  # completes "cannot be parsed: "


class Readings(NamedTuple):
    """Everything that the deployment files of a project say, in the order of paths and lines."""

    services: tuple[Service, ...] = ()
    proxies: tuple[Proxy, ...] = ()
    databases: tuple[Database, ...] = ()
    broken: tuple[Broken, ...] = ()
    projects: Mapping[str, str] = MappingProxyType({})  # folder -> what its pyproject.toml calls the project
    environment_files: Mapping[str, Mapping[str, Said]] = MappingProxyType({})  # `.env` files by path
    named: tuple[str, ...] = ()  # files that others name, whether or not they are there
