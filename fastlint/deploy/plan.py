"""One `ServerPlan` a service: every setting with its value, who said it, and who was overruled. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from fastlint.deploy.values import Unknown, Value
from fastlint.finding import Location


class Rank(IntEnum):
    """Who wins: a greater rank overrules a smaller one.

    gunicorn: default < file < GUNICORN_CMD_ARGS < command line; uvicorn: default < WEB_CONCURRENCY < UVICORN_* <
    command line; `uvicorn.run`: default < WEB_CONCURRENCY < keyword.
    """

    DEFAULT = 0
    ENVIRONMENT_DEFAULT = 1  # a variable that only replaces a default: WEB_CONCURRENCY, PORT, FORWARDED_ALLOW_IPS
    FILE = 2
    ENVIRONMENT = 3  # GUNICORN_CMD_ARGS, UVICORN_*
    COMMAND = 4  # a flag, or a keyword of uvicorn.run


class Said(NamedTuple):
    """One place that speaks of a setting. `text` is how it is written there; `by` names the kind of place for people
    ("gunicorn.conf.py", "Dockerfile CMD", "compose environment", "default")."""

    name: str
    value: Value
    rank: Rank
    by: str
    where: Location | None = None  # None: nobody wrote it, a default
    text: str = ""
    variables: tuple[str, ...] = ()  # of the environment, that the value is worked out from


class Setting(NamedTuple):
    """The effective value of one setting, who said it, and who was overruled (the strongest first)."""

    value: Value  # resolved as far as the surroundings of the service allow
    said: Said
    overruled: tuple[Said, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the value is a plain literal."""
        return self.value is None or isinstance(self.value, (bool, int, float, str, tuple))


class Command(NamedTuple):
    """A command that starts a server, as one file writes it, read but not yet joined with anything."""

    server: str  # "gunicorn", "uvicorn", "fastapi run", "fastapi dev", "hypercorn", "uvicorn.run", "gunicorn app"
    where: Location
    by: str  # "Dockerfile CMD", "compose command", "Procfile", "shell script", "Python" …
    app: Value  # "module:attribute", an object (`Unknown`), or None where it is not given
    said: tuple[Said, ...] = ()  # flags and keywords, in order
    config_files: tuple[str, ...] = ()  # `-c`, as written
    folder: str = ""  # where it is started, relative to the project root with `/`, as far as that is known
    shell: bool = False  # run by a shell (shell form, `sh -c`, a script)
    replaces_shell: bool = True  # the server gets the signals: exec form, or `exec` in front of it
    perhaps_replaces: bool = False  # it gets them where `sh` is a shell that gives way, which nobody knows
    environment: Mapping[str, Said] = MappingProxyType({})  # variables set for this command alone
    problems: tuple[Problem, ...] = ()
    alternative: bool = False  # in a branch of a script of which nobody knows whether it is taken


class Problem(NamedTuple):
    """What a reader could not accept as the server would (an unknown flag, a value that is none): for FL614, FL615,
    FL626. `kind` is one of "unknown-setting", "invalid-value", "never-serves"."""

    kind: str
    name: str
    text: str  # what is wrong, as one clause
    where: Location
    nearest: str = ""  # the known name that was probably meant


class Limits(NamedTuple):
    """What a container or unit grants. Cores may be fractional; memory in bytes. None: nobody says."""

    cores: Said | None = None
    memory: Said | None = None
    replicas: Said | None = None
    most_replicas: Said | None = None  # an autoscaler's maximum
    grace_period: Said | None = None  # seconds between SIGTERM and SIGKILL
    probes: tuple[Said, ...] = ()  # liveness and readiness: value = failure threshold x period, in seconds


class ServerPlan(NamedTuple):
    """Everything that is known of how one service is started and what it is given."""

    name: str  # what people call it: the compose service, the Deployment, else the file
    server: str
    app: Value
    where: Location  # the command that starts it
    settings: Mapping[str, Setting]  # by the server's own names (gunicorn: config-file names; uvicorn: Config names)
    limits: Limits = Limits()
    command: Command | None = None
    environment: Mapping[str, Said] = MappingProxyType({})
    container: bool = False  # it runs in a container: the host's cores are not its cores
    orchestrated: bool = False  # something replicates it: Kubernetes, swarm, `replicas`
    development: bool = False  # a `*dev*` file or an override for development
    published: tuple[Said, ...] = ()  # addresses at which others than this host reach it
    inner: bool = False  # nobody but other containers of its network reaches it: nothing is published
    hosts: tuple[str, ...] = ()  # names under which other containers reach it
    memory_folders: tuple[str, ...] = ()  # folders of the container that live in memory (tmpfs)
    problems: tuple[Problem, ...] = ()
    hooks: frozenset[str] = frozenset()  # gunicorn server hooks that are defined
    files: tuple[str, ...] = ()  # every file that says something, sorted

    def value(self, name: str) -> Value:
        """The effective value of a setting; `Unknown` where the server has no such setting."""
        setting = self.settings.get(name)
        return setting.value if setting is not None else Unknown("no such setting")
