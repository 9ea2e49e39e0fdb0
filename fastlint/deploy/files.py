"""The deployment files of a project, told apart by content and read as one. Follows no link and runs nothing.

Files that are too large, that vanish or that cannot be opened are passed by; one that is broken becomes one `Broken`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping

from fastlint.deploy.find import Candidate, read_bytes
from fastlint.deploy.plan import Said
from fastlint.deploy.readers import compose, kubernetes, platforms, proxies, recipes
from fastlint.deploy.readers.dockerfile import read_dockerfile
from fastlint.deploy.readers.environment import read_environment_file
from fastlint.deploy.readers.processes import read_procfile, read_supervisor, read_systemd
from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.service import HOLE, Broken, Database, Kind, Proxy, Readings, Run, Service
from fastlint.deploy.texts import decoded, joined, lines_of, names_shell
from fastlint.finding import Location

_MOST_YAML = 512 * 1024  # characters that are parsed: some 15,000 lines, which take seconds
_WANTED = (compose.WANTED, kubernetes.WANTED, platforms.WANTED, proxies.WANTED)

_Reader = Callable[[str, str], "tuple[list[Service], list[Broken]] | list[Service]"]


def read_deployment(root: str, candidates: Iterable[Candidate]) -> Readings:
    """What the deployment files of a project say, and what of them is broken."""
    reading = _Reading(root)
    for candidate in candidates:
        reading.take(candidate)
    return reading.outcome()


class _Reading:
    """Collects what the files say; those that speak of each other wait until all are there."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._services: list[Service] = []
        self._proxies: list[Proxy] = []
        self._databases: list[Database] = []
        self._broken: list[Broken] = []
        self._environments: dict[str, Mapping[str, Said]] = {}
        self._projects: dict[str, str] = {}
        self._compose: dict[str, str] = {}
        self._kubernetes: dict[str, str] = {}
        self._parsed = 0
        self._named: set[str] = set()

    def take(self, candidate: Candidate) -> None:
        """Read one file."""
        path, kind = candidate.path, candidate.kind
        text = decoded(path, candidate.data)
        if isinstance(text, Broken):
            # By its name alone only a Dockerfile is certainly one of ours.
            self._broken += [text] if kind == "dockerfile" else []
        elif kind == "yaml":
            self._yaml(path, text)
        elif kind == "conf":
            self._proxies += proxies.read_nginx(path, text) if "upstream" in text else []
            self._add(read_supervisor(path, text) if "[program:" in text else [])
        elif kind == "environment":
            self._environments[path] = read_environment_file(path, text)
        else:
            self._add(_READERS[kind](path, text))
            if posixpath.basename(path) == "pyproject.toml" and (name := recipes.project_name(text)):
                self._projects[posixpath.dirname(path)] = name

    def _add(self, outcome: tuple[list[Service], list[Broken]] | list[Service]) -> None:
        services, broken = outcome if isinstance(outcome, tuple) else (outcome, [])
        self._services += services
        self._broken += broken

    def _yaml(self, path: str, text: str) -> None:
        if not any(each.search(text) for each in _WANTED):
            return
        self._parsed += len(text)
        if self._parsed > _MOST_YAML:
            return
        if compose.WANTED.search(text) and not platforms.WANTED.search(text):
            self._compose[path] = text
        if kubernetes.WANTED.search(text):
            self._kubernetes[path] = text
        elif platforms.WANTED.search(text):
            self._add(platforms.read_blueprint(path, text))
        if proxies.WANTED.search(text):
            found, broken = proxies.read_traefik(path, text)
            self._proxies += found
            self._broken += broken

    def outcome(self) -> Readings:
        """Everything, in the order of paths and lines."""
        services, databases, broken = compose.read_compose(self._compose, self._open)
        pods, ingresses, unparsable = kubernetes.read_kubernetes(self._kubernetes)
        every = [self._built(each) for each in (*self._services, *services)] + pods
        problems = {each.where.path: each for each in reversed([*self._broken, *broken, *unparsable])}
        return Readings(
            services=tuple(sorted(every, key=lambda each: (each.where, each.name, each.files))),
            proxies=tuple(sorted([*self._proxies, *ingresses], key=lambda each: each.where)),
            databases=tuple(databases),
            broken=tuple(problems[path] for path in sorted(problems)),
            projects=self._projects,
            environment_files=self._environments,
            named=tuple(sorted(self._named)),
        )

    def _built(self, service: Service) -> Service:
        """The service with the stage that its build makes, where the Dockerfile is in the project."""
        build = service.build
        text = self._open(build.dockerfile) if build is not None else None
        if build is None or text is None:
            return service
        # An argument that is not known here is given all the same: the default is then not what counts.
        given = {name: each.value if isinstance(each.value, str) else HOLE for name, each in build.arguments.items()}
        stages, _ = read_dockerfile(build.dockerfile, text, given)
        wanted = [each for each in stages if each.stage == build.target or (not build.target and each.last_stage)]
        return service._replace(build=build._replace(image=wanted[-1])) if wanted else service

    def _open(self, path: str) -> str | None:
        """The text of a file that another one names; None for anything outside of the project."""
        if path.startswith(("/", "..")):
            return None
        self._named.add(path)
        data = read_bytes(self._root, path)
        text = decoded(path, data) if data is not None else None
        return text if isinstance(text, str) else None


def _read_script(path: str, text: str) -> list[Service]:
    if not path.endswith((".sh", ".bash")) and not names_shell(text):
        return []
    whole = joined(lines_of(path, text), "\n")
    return [
        Service(
            name=path,
            kind=Kind.SCRIPT,
            by="shell script",
            where=Location(path),
            command=Run("shell script", shell=whole, interpreter=()),
            folder=None,
            environment_open=True,
            development=for_development(path),
            files=(path,),
        )
    ]


_READERS: dict[str, _Reader] = {
    "dockerfile": read_dockerfile,
    "procfile": read_procfile,
    "systemd": read_systemd,
    "makefile": recipes.read_makefile,
    "justfile": recipes.read_justfile,
    "scripts": recipes.read_script_tables,
    "toml": platforms.read_platform_toml,
    "script": _read_script,
    "plain": _read_script,
}
