"""The files that may say how a project is deployed: found by name, looked at once, none understood.

Light on purpose: most runs find nothing here, and then nothing else of the readers is loaded.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

_LARGEST = 256 * 1024  # bytes: no deployment file that people write is larger
_MOST_FILES = 3000  # that are opened

_DOCKERFILE = re.compile(r"(?:docker|container)file(?:[._-][\w.-]+)?|[\w.-]+\.(?:docker|container)file", re.IGNORECASE)
# A file about Dockerfiles, not one.
_NOT_DOCKERFILE = re.compile(r".*\.(?:md|rst|txt|py|js|ts|go|json|ya?ml|toml|sh|lock|html|dockerignore)", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"\.env(?:\.[\w.-]+)?|[\w.-]+\.env")
_FOREIGN = frozenset({".github", ".gitlab", ".circleci"})  # what runs there is no deployment
_SERVERS = (b"uvicorn", b"gunicorn", b"hypercorn", b"fastapi")
# Words of which a file of this kind has at least one if it matters.
_WORDS: dict[str, tuple[bytes, ...]] = {
    "makefile": _SERVERS,
    "justfile": _SERVERS,
    "scripts": _SERVERS,
    "script": _SERVERS,
    "plain": _SERVERS,
    "conf": (b"[program:", b"upstream"),
    "systemd": (b"ExecStart",),
    "yaml": (
        b"services:",
        b"kind:",
        b"startCommand",
        b"dockerCommand",
        b"run_command",
        b"entrypoint:",
        b"idleConnTimeout",
        b"\nrun:",
    ),
}


class Candidate(NamedTuple):
    """A file that may matter: what it may be by its name, and its bytes."""

    path: str  # relative to the project root, with `/`
    kind: str
    data: bytes


def find_files(root: str, folders: Iterable[str], skips: Callable[[str], bool]) -> list[Candidate]:
    """The deployment files in these folders, in order; `folders` are relative to `root`, "" is the root itself.

    `skips` says of a path whether the settings exclude it. Nothing is found where there are only files with variables.
    """
    found = []
    for path in paths_of(root, folders, skips):
        kind = kind_of(posixpath.basename(path))
        data = read_bytes(root, path)
        if data is not None and _may_matter(kind, data):
            found.append(Candidate(path, kind, data))
    return found if any(each.kind != "environment" for each in found) else []


def _may_matter(kind: str, data: bytes) -> bool:
    if kind == "plain" and not data.startswith(b"#!"):
        return False
    words = _WORDS.get(kind)
    return words is None or any(word in data for word in words) or (kind == "yaml" and data.startswith(b"run:"))


def paths_of(root: str, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
    """The files that may be about deployment, by their names, relative to the root, in order."""
    taken = 0
    for folder in sorted(folders):
        if _FOREIGN & set(folder.split("/")):
            continue
        try:
            with os.scandir(os.path.join(root, folder) if folder else root) as entries:
                names = sorted(entry.name for entry in entries if kind_of(entry.name) and _is_plain(entry))
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


def kind_of(name: str) -> str:
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


def read_bytes(root: str, path: str) -> bytes | None:
    """The bytes of a plain file of ordinary size; None for anything else."""
    name = os.path.join(root, path)
    try:
        status = os.stat(name)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:  # a pipe would never end
            return None
        with open(name, "rb") as handle:
            return handle.read(_LARGEST)
    except (OSError, ValueError):  # vanished, forbidden, a name that no file can have
        return None
