"""A running server -> its `ServerPlan`: what its command line, environment and files make of it. Executes none of them.

The plan is joined as that of a file is, with one difference: of a process everything is known that may be seen, so that
a variable that is not in its environment is not set. What may not be seen leaves every setting open that it could set.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastlint.deploy.commands import Program
from fastlint.deploy.effective import Effective, named_configs, settings_of
from fastlint.deploy.plan import Command, Limits, Rank, Said, ServerPlan, Setting
from fastlint.deploy.python_entry import PythonFiles, read_python
from fastlint.deploy.servers import server
from fastlint.deploy.values import Unknown
from fastlint.machine import Machine
from fastlint.running.processes import Surroundings
from fastlint.running.recognise import HIDDEN, environment_place, place_of
from fastlint.running.trees import Root

_CONFIG = "gunicorn.conf.py"
_LOCAL = ("127.", "localhost", "[::1]", "::1", "unix:", "fd://")
_PRIVATE = frozenset({"raw_env", "keyfile_password", "ssl_keyfile_password"})
_NOT_SEEN = "not to be seen"  # who says a setting that is unknown
_UNSEEN = "its environment may not be seen"


@dataclass(frozen=True, slots=True)
class Started:
    """A server as it was found: its first process, what surrounds that, and what it is given."""

    root: Root
    around: Surroundings
    machine: Machine


def folders_of(started: Started) -> tuple[str, ...]:
    """The folders in which a server may have been started, the likeliest first: absolute.

    A `--chdir` has moved the process away from where its relative paths were meant; the shell's PWD still tells it.
    """
    environment = started.around.environment or {}
    candidates = (started.around.folder, environment.get("PWD"))
    return tuple(dict.fromkeys(each for each in candidates if each and os.path.isabs(each)))


def files_of(started: Started) -> tuple[str, ...]:
    """The Python files on disk that say something of a server, absolute: its application, program and configuration."""
    command = started.root.started
    found: list[str | None] = []
    if isinstance(command, Program):
        found.append(_program(command, started))
    elif command is not None:
        target = command.app.partition(":")[0] if isinstance(command.app, str) else ""
        if target:
            found.append(_module(target, _import_folders(command, started)))
        found.append(config_file(command, started))
    return tuple(dict.fromkeys(each for each in found if each))


def config_file(command: Command, started: Started) -> str | None:
    """gunicorn's configuration file on disk; None where there is none, or none that can be found."""
    if command.server != "gunicorn":
        return None
    named = named_configs(command, _variables(started))
    name = named[-1].removeprefix("file:") if named else _CONFIG
    if name.startswith("python:"):
        return _module(name.removeprefix("python:"), _import_folders(command, started))
    return next((path for path in (os.path.join(each, name) for each in folders_of(started)) if _is_file(path)), None)


def read_running(started: Started, python: PythonFiles, path_of: Mapping[str, str]) -> ServerPlan | None:
    """The plan of a running server; None for a Python program that starts none. `path_of` gives, for every file of
    `files_of`, its path among `python`."""
    root = started.root
    if root.title or root.started is None:
        return _titled(started)
    if isinstance(root.started, Command):
        return _plan(started, root.started, python, path_of)
    path = path_of.get(_program(root.started, started) or "")
    if path is None or started.around.environment is None:
        return None  # what it makes of variables that nobody sees is not known
    command = next(iter(read_python(path, python, started.around.environment)), None)
    if command is None:
        return None
    plan = _plan(started, command, python, path_of)
    return plan._replace(files=tuple(sorted({*plan.files, path})))


def _plan(started: Started, command: Command, python: PythonFiles, path_of: Mapping[str, str]) -> ServerPlan:
    variables = _variables(started)
    config = config_file(command, started)
    inside = path_of.get(config or "")
    named = named_configs(command, variables)
    seen = command._replace(  # One file is known to be the one that is read; nothing is looked for.
        config_files=(inside,) if inside is not None else (),
        folder="",
        said=(*_open(started, command, missing=bool(named) and inside is None), *command.said),
    )
    only = python._replace(paths=(inside,) if inside is not None else ())
    effective = settings_of(seen, variables, only, ("",))
    return _made(started, command._replace(said=seen.said), effective, variables)


def _titled(started: Started) -> ServerPlan:
    """gunicorn behind a title: which application, and nothing else."""
    where = place_of(started.root.entry)
    command = Command("gunicorn", where, "process title", started.root.title or Unknown("no title names it"))
    said = tuple(_unknown("gunicorn", "its title hides the command line", Rank.COMMAND))
    settings = {one.name: Setting(one.value, one) for one in said}
    return _made(started, command._replace(said=said), Effective(settings, command.app), {})


def _made(started: Started, command: Command, effective: Effective, variables: Mapping[str, Said]) -> ServerPlan:
    where = place_of(started.root.entry)
    settings = {name: _masked(name, _without_unseen(setting)) for name, setting in effective.settings.items()}
    plan = ServerPlan(
        name=f"process {started.root.entry.pid}",
        server=command.server,
        app=effective.app,
        where=where,
        settings=settings,
        limits=_limits(started.machine),
        command=command,
        environment=variables,
        container=started.around.overlay,
        orchestrated="KUBERNETES_SERVICE_HOST" in (started.around.environment or {}),
        memory_folders=started.around.memory_folders,
        problems=(*command.problems, *effective.problems),
        hooks=effective.hooks,
        files=tuple(sorted({where.path, *effective.files})),
    )
    return plan._replace(development=_for_development(plan))


def _for_development(plan: ServerPlan) -> bool:
    """A server that reloads and that nobody else can reach is somebody's at work."""
    if plan.server == "fastapi dev":
        return True
    address = plan.value("host") if "host" in plan.settings else plan.value("bind")
    texts = address if isinstance(address, tuple) else (address,)
    return plan.value("reload") is True and all(isinstance(one, str) and one.startswith(_LOCAL) for one in texts)


def _limits(machine: Machine) -> Limits:
    """What the process has; unknown where it lies in control groups that cannot be seen."""
    unseen = Unknown("its control groups are not to be seen from here") if machine.hidden else None
    return Limits(
        cores=Said("cores", unseen or machine.cores.value, Rank.DEFAULT, machine.cores.source),
        memory=Said("memory", unseen or machine.memory.value, Rank.DEFAULT, machine.memory.source),
    )


def _without_unseen(setting: Setting) -> Setting:
    """What nobody may see need not be told where it is overruled."""
    return setting._replace(overruled=tuple(said for said in setting.overruled if said.by != _NOT_SEEN))


def _masked(name: str, setting: Setting) -> Setting:
    """A setting that carries secrets says only that it is there."""
    if name not in _PRIVATE or setting.value in (None, ()):
        return setting
    hidden = Unknown("not shown")
    return Setting(hidden, setting.said._replace(value=hidden, text=HIDDEN if setting.said.text else ""))


def _variables(started: Started) -> dict[str, Said]:
    place = environment_place(started.root.entry)
    environment = started.around.environment or {}
    return {
        name: Said(name, value, Rank.ENVIRONMENT, "environment", place, value) for name, value in environment.items()
    }


def _open(started: Started, command: Command, missing: bool) -> Iterator[Said]:
    """Every setting that something may set which cannot be seen."""
    if started.around.environment is None:
        yield from _unknown(command.server, _UNSEEN, Rank.ENVIRONMENT)
    elif (command.server == "gunicorn" and (missing or not folders_of(started))) or (
        command.server == "hypercorn" and command.config_files  # which fastlint does not read
    ):
        yield from _unknown(command.server, "its configuration file cannot be read", Rank.FILE)


def _unknown(name: str, why: str, rank: Rank) -> Iterator[Said]:
    known = server("gunicorn" if name.startswith("gunicorn") else "hypercorn" if name == "hypercorn" else "uvicorn")
    for setting in known.settings:
        yield Said(setting, Unknown(why), rank, _NOT_SEEN)


def _program(program: Program, started: Started) -> str | None:
    if program.kind == "python module":
        folders = folders_of(started)
        return _module(f"{program.name}.__main__", folders) or _module(program.name, folders)
    if program.kind != "python file":
        return None
    candidates = (os.path.join(each, program.name) for each in folders_of(started) or ("",))
    return next((path for path in candidates if os.path.isabs(path) and _is_file(path)), None)


def _import_folders(command: Command, started: Started) -> tuple[str, ...]:
    """The folders that imports of a server start from, as far as its command line and environment tell."""
    out: list[str] = []
    moved = command.folder
    for said in command.said:
        if said.name in ("chdir", "app_dir") and isinstance(said.value, str):
            moved = said.value
    for folder in folders_of(started):
        out += [os.path.join(folder, moved), folder] if moved else [folder]
    paths = (started.around.environment or {}).get("PYTHONPATH", "")
    out += [each for each in paths.split(os.pathsep) if os.path.isabs(each)]
    return tuple(dict.fromkeys(posixpath.normpath(each) for each in out))


def _module(dotted: str, folders: tuple[str, ...]) -> str | None:
    """The file of a module in the first of these folders that has it."""
    if not all(part.isidentifier() for part in dotted.split(".")):
        return None
    inner = os.path.join(*dotted.split("."))
    for folder in folders:
        for path in (os.path.join(folder, inner, "__init__.py"), os.path.join(folder, f"{inner}.py")):
            if _is_file(path):
                return path
    return None


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except (OSError, ValueError):
        return False
