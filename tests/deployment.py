"""A project of deployment files for a test, read; and what was read in short."""

from __future__ import annotations

from pathlib import Path

from fastlint.config import Config
from fastlint.deploy.files import read_deployment
from fastlint.deploy.find import find_files
from fastlint.deploy.plan import Said
from fastlint.deploy.service import HOLE, Readings, Run, Service
from fastlint.source.discover import discover


def read(folder: Path, files: dict[str, str | bytes]) -> Readings:
    """What the deployment files say of a project that also has one Python file."""
    for path, content in {"app.py": "", **files}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "pyproject.toml").touch()
    tree = discover([str(folder)], Config())
    return read_deployment(tree.root, find_files(tree.root, tree.folders, lambda path: False))


def one(readings: Readings, name: str) -> Service:
    """The only service of this name."""
    found = [service for service in readings.services if service.name == name]
    assert len(found) == 1, [service.name for service in readings.services]
    return found[0]


def line(run: Run | None) -> str:
    """What is started, a hole as `?`, with the lines on which its words stand: `uvicorn@3 a:b@3`."""
    if run is None:
        return ""
    if run.shell is not None:
        return f"sh: {run.shell.text}@{run.shell.where.line}".replace(HOLE, "?")
    return " ".join(f"{word.text}@{word.where.line}" for word in run.words).replace(HOLE, "?")


def told(said: Said | None) -> tuple[object, int] | None:
    """A value and its line."""
    return None if said is None else (said.value, said.where.line if said.where is not None else 0)
