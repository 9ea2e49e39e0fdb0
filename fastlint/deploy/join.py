"""Everything that is said of a service -> one `ServerPlan` each, in the servers' real order of precedence.

Containers take what they do not say from their image, scripts and Python files are followed into, and every setting
remembers who said it and who was overruled. Judges nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fastlint.amounts import port_of
from fastlint.deploy.commands import Program, read_command, read_run, read_words
from fastlint.deploy.effective import settings_of
from fastlint.deploy.images import Images, Served
from fastlint.deploy.plan import Command, Said, ServerPlan, Setting
from fastlint.deploy.python_entry import PythonFiles, read_python, starts_server
from fastlint.deploy.service import Kind, Readings, Run, Service, Text
from fastlint.deploy.system_shells import sh_of
from fastlint.deploy.texts import names_shell
from fastlint.deploy.values import Surroundings, resolve
from fastlint.finding import Location

_DEEPEST = 5
_IN_CONTAINER = (Kind.CONTAINER, Kind.IMAGE)


class _Start(NamedTuple):
    """A server that a service starts: its command, and what surrounds it."""

    command: Command
    environment: Mapping[str, Said]
    files: tuple[str, ...]


class _Ground(NamedTuple):
    """Where a service finds the files that it starts."""

    contexts: tuple[str, ...]  # folders of the project that may be the one it is started in, the likeliest first
    written: Mapping[str, Text]  # files of its image whose text stands in the Dockerfile
    folder: str  # of the image, in which it is started
    sh: str  # the shell of that name

    def text(self, name: str) -> Text | None:
        """A file that the image writes, as it is called from the folder or by the search path."""
        path = posixpath.normpath(posixpath.join("/", self.folder, name))
        if "/" in name or path in self.written:
            return self.written.get(path)
        return next((text for path, text in self.written.items() if posixpath.basename(path) == name), None)


def read_plans(readings: Readings, python: PythonFiles) -> tuple[ServerPlan, ...]:
    """One plan for every server that the project's files start, sorted by place and name."""
    plans = list(_Join(readings, python).plans())
    return tuple(sorted(plans, key=lambda plan: (plan.where, plan.name)))


class _Join:
    """The services of a project, and which of them others already stand for."""

    def __init__(self, readings: Readings, python: PythonFiles) -> None:
        self.readings = readings
        self.python = python
        self.scripts = [one for one in readings.services if one.kind is Kind.SCRIPT]
        self.used: set[Location] = set()  # images and scripts that a service runs
        self.programs: set[str] = set()  # Python files that a service runs
        self.images = Images(readings, self._served)

    def plans(self) -> Iterator[ServerPlan]:
        """Containers and processes first: what they run is no service of its own."""
        for kind in (Kind.CONTAINER, Kind.PROCESS, Kind.IMAGE, Kind.SCRIPT, Kind.TASK):
            for service in self.readings.services:
                if service.kind is not kind or service.where in self.used:
                    continue
                if kind is not Kind.IMAGE or service.last_stage:
                    yield from self._of_service(service)
        yield from self._of_python()

    def _of_service(self, service: Service) -> Iterator[ServerPlan]:
        image = self._image(service)
        run = _run(service, image)
        if run is None:
            return
        environment = {**(image.environment if image is not None else {}), **service.environment}
        folder = self._folder(service, image)
        for start in self._starts(run, environment, folder, self._ground(service, image), 0):
            files = {*service.files, *start.files, *(image.files if image is not None else ())}
            yield self._plan(service, image, start, tuple(sorted(files)))

    def _plan(self, service: Service, image: Service | None, start: _Start, files: tuple[str, ...]) -> ServerPlan:
        command = start.command
        everything = {**start.environment, **command.environment}
        contexts = self._contexts(service, image)
        settings = settings_of(command, everything, self.python, contexts)
        return ServerPlan(
            name=service.name,
            server=command.server,
            app=resolve(settings.app, _surroundings(everything)),
            where=command.where,
            settings=settings.settings,
            limits=service.limits,
            command=command,
            environment=everything,
            container=service.kind in _IN_CONTAINER,
            orchestrated=service.orchestrated,
            development=service.development or (image is not None and image is not service and image.development),
            problems=(*command.problems, *settings.problems),
            hooks=settings.hooks,
            files=tuple(sorted({*files, *settings.files})),
            inner=service.inner,
            hosts=service.hosts,
            memory_folders=service.memory_folders,
            published=service.published,
        )

    # --- images -------------------------------------------------------------------------------------------------

    def _image(self, service: Service) -> Service | None:
        """The stage that a service runs, with all that it inherits."""
        if service.kind is not Kind.IMAGE and service.kind is not Kind.CONTAINER:
            return None
        found = self.images.of(service)
        if found is None:
            return None
        if service.kind is Kind.CONTAINER:
            self.used.add(found.where)
        return self.images.whole(found)

    def _served(self, image: Service) -> Iterator[Served]:
        """The servers that an image starts by itself."""
        run, ground = _run(image, image), self._ground(image, image)
        for start in self._starts(run, image.environment, "", ground, 0, True) if run is not None else ():
            everything = {**start.environment, **start.command.environment}
            settings = settings_of(start.command, everything, self.python, ground.contexts).settings
            yield Served(start.command, frozenset(_ports(settings)))

    def _ground(self, service: Service, image: Service | None) -> _Ground:
        written = image.written if image is not None else {}
        scripts = {path: text for path, text in written.items() if names_shell(text.text) or text.text[:2] != "#!"}
        base = (image or service).image
        sh = sh_of(base.text if base is not None else "")
        return _Ground(self._contexts(service, image), scripts, self._folder(service, image), sh)

    def _contexts(self, service: Service, image: Service | None) -> tuple[str, ...]:
        """The folders of the project that may be the one the server is started in, the likeliest first."""
        out: dict[str, None] = {}
        if service.build is not None:
            out[service.build.context] = None
        if image is not None:
            out[posixpath.dirname(image.path)] = None
        if service.kind not in _IN_CONTAINER and service.folder:
            out[service.folder.strip("/")] = None
        out[posixpath.dirname(service.path)] = None
        out[""] = None
        return tuple(out)

    def _folder(self, service: Service, image: Service | None) -> str:
        if service.kind in _IN_CONTAINER:
            return (service.folder or (image.folder if image is not None else "") or "").strip("/")
        return (service.folder or "").strip("/")

    # --- what is started ----------------------------------------------------------------------------------------

    def _starts(
        self,
        run: Run,
        environment: Mapping[str, Said],
        folder: str,
        ground: _Ground,
        depth: int,
        asking: bool = False,
    ) -> Iterator[_Start]:
        values = {name: said.value for name, said in environment.items()}
        for found in read_run(run, values, folder, ground.sh):
            yield from self._followed(found, environment, ground, depth, asking)

    def _followed(
        self,
        found: Command | Program,
        environment: Mapping[str, Said],
        ground: _Ground,
        depth: int,
        asking: bool,
    ) -> Iterator[_Start]:
        if isinstance(found, Command):
            yield _Start(found, environment, ())
            return
        if depth > _DEEPEST:
            return
        inner = {**environment, **found.environment}
        if found.kind == "script":
            yield from self._in_script(found, inner, ground, depth, asking)
            return
        path = self._python_path(found, ground.contexts)
        if path is None:
            return
        if not asking:
            self.programs.add(path)
        for command in read_python(path, self.python, {name: said.value for name, said in inner.items()}):
            yield _Start(
                command._replace(replaces_shell=found.replaces_shell, perhaps_replaces=found.perhaps_replaces),
                inner,
                (path,),
            )

    def _in_script(
        self, program: Program, environment: Mapping[str, Said], ground: _Ground, depth: int, asking: bool
    ) -> Iterator[_Start]:
        written = ground.text(program.name)
        if written is not None:
            yield from self._in_text(written, "shell script", program, environment, ground, depth, asking)
            return
        script = self._script(program.name, ground.contexts)
        if script is None or script.command is None or script.command.shell is None:
            values = {name: said.value for name, said in environment.items()}
            for one in read_words(
                program.arguments, values, program.by, ground.sh
            ):  # an entrypoint that runs what it is given
                yield from self._followed(one, environment, ground, depth + 1, asking)
            return
        if not asking:
            self.used.add(script.where)
        text, by = script.command.shell, script.by
        for start in self._in_text(text, by, program, environment, ground, depth, asking):
            yield start._replace(files=(*start.files, script.path))

    def _in_text(
        self,
        text: Text,
        by: str,
        program: Program,
        environment: Mapping[str, Said],
        ground: _Ground,
        depth: int,
        asking: bool,
    ) -> Iterator[_Start]:
        """What the text of a script starts."""
        values = {name: said.value for name, said in environment.items()}
        for one in read_command(text, values, by, "", program.arguments, ground.sh):
            if not program.replaces_shell:
                perhaps = program.perhaps_replaces and (one.replaces_shell or one.perhaps_replaces)
                one = one._replace(replaces_shell=False, perhaps_replaces=perhaps)
            yield from self._followed(one, environment, ground, depth + 1, asking)

    def _script(self, name: str, contexts: tuple[str, ...]) -> Service | None:
        base = posixpath.basename(name)
        candidates = [one for one in self.scripts if posixpath.basename(one.path) == base]
        for path in located(name, contexts):
            for one in candidates:
                if one.path == path:
                    return one
        return candidates[0] if len(candidates) == 1 else None

    def _python_path(self, program: Program, contexts: tuple[str, ...]) -> str | None:
        if program.kind == "python module":
            for name in (program.name, f"{program.name}.__main__"):
                path = self.python.find(name)
                if path is not None and (name != program.name or not path.endswith("__init__.py")):
                    return path
            return None
        known = set(self.python.paths)
        return next((path for path in located(program.name, contexts) if path in known), None)

    def _of_python(self) -> Iterator[ServerPlan]:
        """Python files that start a server and that nothing else runs."""
        for path in self.python.served:
            if path in self.programs:
                continue
            if not self._is_asked(path):
                continue
            for command in read_python(path, self.python, {}):
                if command.where.path != path and self._is_asked(command.where.path):
                    continue  # another file does that, and says so itself
                settings = settings_of(command, {}, self.python, (posixpath.dirname(path), ""))
                yield ServerPlan(
                    name=path,
                    server=command.server,
                    app=settings.app,
                    where=command.where,
                    settings=settings.settings,
                    command=command,
                    problems=(*command.problems, *settings.problems),
                    hooks=settings.hooks,
                    files=tuple(sorted({path, *settings.files})),
                )

    def _is_asked(self, path: str) -> bool:
        """Whether a Python file of the application is asked which servers it starts."""
        facts = self.python.facts(path) if path in self.python.served else None
        return facts is not None and starts_server(facts)


def _run(service: Service, image: Service | None) -> Run | None:
    """What is started, by Docker's rules: an own entrypoint drops the image's command; a shell-form entrypoint takes
    no arguments."""
    inherits = image is not None and image is not service
    entry = service.entrypoint or (image.entrypoint if inherits and image is not None else None)
    command = service.command
    if command is None and image is not None and service.entrypoint is None and not service.drops_command:
        command = image.command
    if entry is None and image is not None and not inherits:
        entry, command = image.entrypoint, image.command
    if entry is None:
        return command
    if command is None or entry.shell is not None:
        return entry
    if command.shell is not None:
        return command
    return Run(command.by, words=(*entry.words, *command.words))


def located(name: str, contexts: tuple[str, ...]) -> Iterator[str]:
    """The paths in the project that a path of a container or unit may mean, the likeliest first."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    suffixes = range(len(parts)) if name.startswith("/") else range(1)
    for start in suffixes:
        for context in contexts:
            yield posixpath.normpath(posixpath.join(context, *parts[start:]))


def _ports(settings: Mapping[str, Setting]) -> Iterator[int]:
    """The ports on which a server with these settings listens."""
    port, bind = (settings[name].value if name in settings else None for name in ("port", "bind"))
    if isinstance(port, int):
        yield port
    for address in bind if isinstance(bind, tuple) else (bind,):
        number = port_of(address.rpartition(":")[2]) if isinstance(address, str) else None
        if number is not None:
            yield number


def _surroundings(environment: Mapping[str, Said]) -> Surroundings:
    return Surroundings(environment={name: said.value for name, said in environment.items()})
