"""The deployment files of a project: found by name, told apart by content, read. Follows no link and runs nothing.

Files that are too large, that vanish or that cannot be opened are passed by; one that is broken becomes one `Broken`.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping

from fastlint.deploy.plan import Said
from fastlint.deploy.readers import compose, kubernetes, platforms, proxies, recipes
from fastlint.deploy.readers.dockerfile import read_dockerfile
from fastlint.deploy.readers.environment import read_environment_file
from fastlint.deploy.readers.processes import read_procfile, read_supervisor, read_systemd
from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.service import Broken, Database, Kind, Proxy, Readings, Run, Service
from fastlint.deploy.texts import decoded, joined, lines_of
from fastlint.finding import Location

_LARGEST = 256 * 1024  # bytes: no deployment file that people write is larger
_MOST_FILES = 3000  # that are opened
_MOST_YAML = 300  # that are parsed

_DOCKERFILE = re.compile(r"(?:docker|container)file(?:[._-][\w.-]+)?|[\w.-]+\.(?:docker|container)file", re.IGNORECASE)
# A file about Dockerfiles, not one.
_NOT_DOCKERFILE = re.compile(r".*\.(?:md|rst|txt|py|js|ts|go|json|ya?ml|toml|sh|lock|html|dockerignore)", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"\.env(?:\.[\w.-]+)?|[\w.-]+\.env")
_SHEBANG = re.compile(r"#!.*\b(?:sh|bash|dash|ash|zsh)\b")
_FOREIGN = frozenset({".github", ".gitlab", ".circleci"})  # what runs there is no deployment

_Reader = Callable[[str, str], "tuple[list[Service], list[Broken]] | list[Service]"]


def read_deployment(root: str, folders: Iterable[str], skips: Callable[[str], bool] = lambda path: False) -> Readings:
    """What the deployment files in these folders say; `folders` are relative to `root`, "" is the root itself.

    `skips` says of a path whether the project's settings exclude it.
    """
    reading = _Reading(root)
    for path in _candidates(root, folders, skips):
        reading.take(path)
    return reading.outcome()


def _candidates(root: str, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
    taken = 0
    for folder in sorted(folders):
        if _FOREIGN & set(folder.split("/")):
            continue
        try:
            with os.scandir(os.path.join(root, folder) if folder else root) as entries:
                names = sorted(entry.name for entry in entries if _kind(entry.name) and _is_plain(entry))
        except OSError:
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if not skips(path):
                yield path
                taken += 1
            if taken >= _MOST_FILES:
                return


def _is_plain(entry: os.DirEntry[str]) -> bool:
    # A link is another name of a file that is read by its own, or of one outside of the project.
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _kind(name: str) -> str:
    """What a file may be by its name; "" for what never matters."""
    lower = name.lower()
    ending = lower.rpartition(".")[2] if "." in lower[1:] else ""
    if _DOCKERFILE.fullmatch(name) and not _NOT_DOCKERFILE.fullmatch(name):
        return "dockerfile"
    if ending in ("yml", "yaml"):
        return "" if lower.startswith((".gitlab-ci", ".pre-commit")) else "yaml"
    if lower == "procfile" or lower.startswith("procfile."):
        return "procfile"
    if _ENVIRONMENT.fullmatch(lower):
        return "environment"
    if lower in ("makefile", "gnumakefile") or ending == "mk":
        return "makefile"
    if lower in ("justfile", ".justfile") or ending == "just":
        return "justfile"
    if lower in ("pyproject.toml", "pipfile"):
        return "scripts"
    if lower in ("railway.toml", "nixpacks.toml") or (lower.startswith("fly") and ending == "toml"):
        return "toml"
    if lower == "railway.json":
        return "yaml"
    return {"service": "systemd", "conf": "conf", "ini": "conf", "sh": "script", "bash": "script", "": "plain"}.get(
        ending, "conf" if lower.endswith((".conf.template", ".conf.j2")) else ""
    )


class _Reading:
    """Collects what the files say; those that speak of each other wait until all are there."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._services: list[Service] = []
        self._proxies: list[Proxy] = []
        self._databases: list[Database] = []
        self._broken: list[Broken] = []
        self._environments: dict[str, Mapping[str, Said]] = {}
        self._compose: dict[str, str] = {}
        self._kubernetes: dict[str, str] = {}

    def take(self, path: str) -> None:
        """Read one file."""
        kind = _kind(posixpath.basename(path))
        data = _bytes(self._root, path)
        if data is None or (kind == "plain" and not data.startswith(b"#!")) or not _may_matter(kind, data):
            return
        text = decoded(path, data)
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

    def _add(self, outcome: tuple[list[Service], list[Broken]] | list[Service]) -> None:
        services, broken = outcome if isinstance(outcome, tuple) else (outcome, [])
        self._services += services
        self._broken += broken

    def _yaml(self, path: str, text: str) -> None:
        if len(self._compose) + len(self._kubernetes) >= _MOST_YAML:
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
        every = [*self._services, *services, *pods]
        problems = {each.where.path: each for each in reversed([*self._broken, *broken, *unparsable])}
        return Readings(
            services=tuple(sorted(every, key=lambda each: (each.where, each.name, each.files))),
            proxies=tuple(sorted([*self._proxies, *ingresses], key=lambda each: each.where)),
            databases=tuple(databases),
            broken=tuple(problems[path] for path in sorted(problems)),
            environment_files=self._environments,
        )

    def _open(self, path: str) -> str | None:
        """The text of a file that another one names; None for anything outside of the project."""
        if path.startswith(("/", "..")):
            return None
        data = _bytes(self._root, path)
        text = decoded(path, data) if data is not None else None
        return text if isinstance(text, str) else None


def _bytes(root: str, path: str) -> bytes | None:
    name = os.path.join(root, path)
    try:
        status = os.stat(name)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:  # a pipe would never end
            return None
        with open(name, "rb") as handle:
            return handle.read(_LARGEST)
    except (OSError, ValueError):  # vanished, forbidden, a name that no file can have
        return None


def _may_matter(kind: str, data: bytes) -> bool:
    """A quick look at the bytes before anything is decoded."""
    if kind in ("makefile", "justfile", "scripts", "script", "plain"):
        return any(word in data for word in (b"uvicorn", b"gunicorn", b"hypercorn", b"fastapi"))
    if kind == "conf":
        return b"[program:" in data or b"upstream" in data
    return True


def _read_script(path: str, text: str) -> list[Service]:
    if not path.endswith((".sh", ".bash")) and not _SHEBANG.match(text):
        return []
    whole = joined(lines_of(path, text), "\n")
    return [
        Service(
            name=path,
            kind=Kind.SCRIPT,
            by="shell script",
            where=Location(path),
            command=Run("shell script", shell=whole),
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
