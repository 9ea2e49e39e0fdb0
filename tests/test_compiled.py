"""What the compiled build (`make compiled`) rests on, as far as it can be looked at for nothing."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = Path(__file__).parent.parent
HOOK = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"][
    "hooks"
]["mypyc"]
MODULES = sorted(path for pattern in HOOK["include"] for path in CHECKOUT.glob(pattern.removeprefix("/")))


def test_nothing_is_compiled_unless_asked_for() -> None:
    assert HOOK["enable-by-default"] is False


@pytest.mark.parametrize("pattern", HOOK["include"])
def test_every_pattern_names_modules_of_the_package(pattern: str) -> None:
    found = list(CHECKOUT.glob(pattern.removeprefix("/")))
    assert found
    assert all(path.suffix == ".py" and path.is_relative_to(CHECKOUT / "fastlint") for path in found)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_compiled_module_needs_only_python_and_fastlint_at_once(path: Path) -> None:
    """All of the library is loaded with the first of its modules: that must not bring in what most runs do without."""
    imports = [
        node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    names = [
        name
        for node in imports
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    ]
    tops = {str(name).partition(".")[0] for name in names}
    assert tops <= {"fastlint", *sys.stdlib_module_names}


def test_an_unchanged_run_loads_nothing_compiled() -> None:
    """It takes hundredths of a second, as long as it loads next to nothing."""
    waiting, seen = ["fastlint/entry.py"], set()
    while waiting:
        path = CHECKOUT / waiting.pop()
        seen.add(path)
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("fastlint"):
                dotted = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
                files = [CHECKOUT / f"{name.replace('.', '/')}.py" for name in dotted]
                waiting += [str(file.relative_to(CHECKOUT)) for file in files if file.is_file() and file not in seen]
    assert CHECKOUT / "fastlint" / "cache" / "answers.py" in seen
    assert not seen & set(MODULES)
