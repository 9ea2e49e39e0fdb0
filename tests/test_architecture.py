"""The house keeps its shape: arrows point one way, each foreign library is known in one place, one module prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastlint

PACKAGE = Path(fastlint.__file__).parent

# A module may import what stands before it, and what stands on its own floor; never what stands after it.
STAGES = (
    ("fastlint",),  # the version
    ("fastlint.streams", "fastlint.cache"),
    ("fastlint.finding",),
    ("fastlint.patterns", "fastlint.amounts"),
    ("fastlint.rulebook",),
    ("fastlint.config", "fastlint.machine"),
    ("fastlint.source",),
    ("fastlint.graph",),
    ("fastlint.deploy",),
    ("fastlint.running",),
    ("fastlint.project",),
    ("fastlint.checks",),
    ("fastlint.advise",),
    ("fastlint.suppress", "fastlint.report"),
    ("fastlint.witness", "fastlint.reading", "fastlint.places"),
    ("fastlint.previous",),
    ("fastlint.verdict",),
    ("fastlint.engine",),
    ("fastlint.inspection",),
    ("fastlint.cli",),
    ("fastlint.entry",),
    ("fastlint.__main__",),
)

# Who may know of a library that is not ours.
KNOWN_BY = {
    "click": ("fastlint.cli",),
    "jinja2": ("fastlint.advise.emit",),
    "libcst": ("fastlint.source",),
    "prometheus_client": ("fastlint.advise.prometheus",),
    "pathspec": ("fastlint.patterns",),
    "psutil": ("fastlint.machine", "fastlint.running.processes"),
    "ruamel": ("fastlint.deploy.readers.yaml_nodes",),
    "pydantic": (
        "fastlint.rulebook.schema",
        "fastlint.rulebook.server_schema",
        "fastlint.rulebook.load",
        "fastlint.config.shape",
    ),
    "pydantic_core": ("fastlint.config.shape",),
    "watchfiles": ("fastlint.cli.watching",),
    "tomli": (
        "fastlint.rulebook",
        "fastlint.config",
        "fastlint.advise",
        "fastlint.deploy.servers",
        "fastlint.deploy.readers",
    ),
    "tomllib": (
        "fastlint.rulebook",
        "fastlint.config",
        "fastlint.advise",
        "fastlint.deploy.servers",
        "fastlint.deploy.readers",
    ),
}

JUNK_DRAWERS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core"}


def name_of(path: Path) -> str:
    parts = ["fastlint", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Every module that this one imports, wherever in the file, with the line."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in TREES else str(node.module)), node.lineno


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def floor(module: str) -> int:
    floors = [(len(name), number) for number, names in enumerate(STAGES) for name in names if within(module, name)]
    return max(floors)[1]


def test_there_is_something_to_look_at() -> None:
    assert {"fastlint.cli", "fastlint.finding", "fastlint.source.discover"} <= TREES.keys()
    assert any(target == "fastlint.finding" for target, _ in imports("fastlint.cli"))


@pytest.mark.parametrize("module", TREES)
def test_every_module_has_its_floor(module: str) -> None:
    assert module == "fastlint" or floor(module) > 0, f"{module} stands on no floor: add it to STAGES"


@pytest.mark.parametrize("module", TREES)
def test_arrows_point_one_way(module: str) -> None:
    wrong = [
        f"{module}:{line} imports {target}, which stands above it"
        for target, line in imports(module)
        if within(target, "fastlint") and floor(target) > floor(module)
    ]
    assert not wrong


def test_nothing_imports_in_a_circle() -> None:
    arrows = {
        module: {target for target, _ in imports(module) if target in TREES and target != module} for module in TREES
    }
    settled: set[str] = set()
    while free := {module for module, targets in arrows.items() if module not in settled and targets <= settled}:
        settled |= free
    assert settled == TREES.keys(), f"in a circle, or behind one: {sorted(TREES.keys() - settled)}"


@pytest.mark.parametrize("module", TREES)
def test_a_foreign_library_is_known_in_one_place(module: str) -> None:
    wrong = [
        f"{module}:{line} imports {target}"
        for target, line in imports(module)
        for library, places in KNOWN_BY.items()
        if within(target, library) and not any(within(module, place) for place in places)
    ]
    assert not wrong


@pytest.mark.parametrize("module", TREES)
def test_only_the_command_line_prints(module: str) -> None:
    loud = [
        f"{module}:{node.lineno}"
        for node in ast.walk(TREES[module])
        if (isinstance(node, ast.Name) and node.id == "print")
        or (
            isinstance(node, ast.Attribute)
            and node.attr in ("stdout", "stderr")
            and isinstance(node.value, ast.Name)
            and node.value.id == "sys"
        )
    ]
    assert (
        not loud
        or within(module, "fastlint.cli")
        or module in ("fastlint.streams", "fastlint.entry", "fastlint.source.child")
    )  # a child process answers on its stdout


@pytest.mark.parametrize("module", TREES)
def test_no_module_is_a_junk_drawer(module: str) -> None:
    assert not JUNK_DRAWERS & set(re.split(r"[._]", module))


@pytest.mark.parametrize("module", TREES)
def test_a_module_says_what_it_promises(module: str) -> None:
    promise = ast.get_docstring(TREES[module])
    assert promise, f"{module} has no docstring"
    assert promise.partition("\n\n")[0].endswith((".", ":")), promise


def test_every_dependency_is_declared_and_used() -> None:
    lines = re.findall(r'^  "([a-z0-9-]+)', (PACKAGE.parent / "pyproject.toml").read_text(), re.MULTILINE)
    declared = {name.replace("-", "_") for name in lines}
    used = {target.partition(".")[0] for module in TREES for target, _ in imports(module)}
    foreign = {library for library in used if library in KNOWN_BY} - {"tomllib", "pydantic_core"}
    assert foreign == {
        "click",
        "jinja2",
        "libcst",
        "pathspec",
        "prometheus_client",
        "psutil",
        "pydantic",
        "ruamel",
        "tomli",
        "watchfiles",
    }
    assert foreign <= declared
