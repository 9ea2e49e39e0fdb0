"""Builds fastlint with mypyc and holds it against the plain build: the same tests pass, the same findings come out.

Everything happens in a temporary folder on copies: no checkout can be imported by mistake, none is left with compiled
modules in it. Where there is no C compiler it says so and ends well. Says nothing about speed, which `bench/speed.py`
measures.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from speed import body_edited, file_to_edit

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = ("fastlint", "rules", "hatch_build.py", "pyproject.toml", "CHANGELOG.md", "LICENSE", "README.md")
# What these look at is the analysis; what the others look at is the checkout itself, or never comes near the graph.
TESTS = (
    "test_cache.py",
    "test_catalogue.py",
    "test_evaluate.py",
    "test_examples.py",
    "test_facts.py",
    "test_fixtures.py",
    "test_nodes.py",
    "test_one_statement.py",
    "test_parallel.py",
    "test_robustness.py",
    "test_values.py",
)
GONE = "test_nodes.py::test_the_tags_are_those_that_facts_describes"  # reads a docstring: mypyc keeps none of modules
APPLICATIONS = ("khoj-*", "langflow-*")
CHECK = ["-m", "fastlint", "check", "--isolated", "--exit-zero", "--verbose", "--unresolved"]
CHECK += ["--output-format", "json", "--severity", "info", "--confidence", "low"]
# In the very process that runs the tests: what they import is compiled, and installed.
CONFTEST = """
import sysconfig
from fastlint.graph import state

assert state.__file__.endswith(sysconfig.get_config_var("EXT_SUFFIX")), state.__file__

def pytest_report_header() -> str:
    return f"fastlint.graph.state: {state.__file__}"
"""


def main() -> None:
    """Build, test, compare; the exit code is 1 if the two builds differ in anything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("applications", nargs="*", type=Path, help="folders to lint (default: some of FASTLINT_CORPUS)")
    applications = parser.parse_args().applications or default_applications()
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    if os.name != "nt" and shutil.which(compiler) is None:
        say(f"skipped: {compiler}, the C compiler that Python was built with, is not on PATH")
        return
    with tempfile.TemporaryDirectory() as space:
        folder = Path(space)
        python, plain = installed(folder)
        tested = held(folder, python)
        alike = [compared(application.resolve(), folder, python, plain) for application in applications]
    sys.exit(0 if tested and all(alike) else 1)


def default_applications() -> list[Path]:
    """The demo, and what there is in the corpus of the applications that have the most to say."""
    corpus = Path(os.environ.get("FASTLINT_CORPUS") or Path.home() / ".cache" / "fastlint-corpus")
    found = [folder for pattern in APPLICATIONS for folder in sorted(corpus.glob(pattern)) if folder.is_dir()]
    if not found:
        say(f"{corpus}: none of {', '.join(APPLICATIONS)}, so only the demo is compared")
    return [CHECKOUT / "fixtures" / "demo", *found]


def installed(folder: Path) -> tuple[Path, Path]:
    """The Python of a fresh environment with the compiled build, and a folder with the plain one."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy(CHECKOUT / name, source / name)
    for build in ("plain", "compiled"):  # in this order: compiled modules stay beside the sources
        say(f"building the {build} wheel")
        variables = {"HATCH_BUILD_HOOKS_ENABLE": "1"} if build == "compiled" else {}
        run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / build), str(source)], folder, variables)
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run([*pip, str(only_wheel(folder / "compiled")), "pytest", "anyio"], folder)
    run([*pip, "--no-deps", "--target", str(folder / "site"), str(only_wheel(folder / "plain"))], folder)
    return python, folder / "site"


def held(folder: Path, python: Path) -> bool:
    """Whether the tests pass with the compiled build; they lie beside no package that they could import instead."""
    place = folder / "held"
    place.mkdir()
    for name in ("tests", "fixtures", "rules"):
        copy(CHECKOUT / name, place / name)
    (place / "conftest.py").write_text(CONFTEST, "utf-8")
    tests = [f"tests/{name}" for name in TESTS]
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(place)]
    command += ["--deselect", f"tests/{GONE}", *tests]
    return subprocess.run(command, cwd=place, env=environment(), check=False).returncode == 0


def compared(application: Path, folder: Path, python: Path, plain: Path) -> bool:
    """Whether both builds say the same of an application, byte for byte but for how long it took, at first and after
    an edit, when both have to continue what they know."""
    place = folder / "applications" / application.name
    copy(application, place)
    code = "import fastlint.graph.state as state; print(state.__file__)"
    builds: dict[str, dict[str, str]] = {"compiled": {}, "plain": {"PYTHONPATH": str(plain)}}
    for build, variables in builds.items():
        suffix = ".py" if build == "plain" else str(sysconfig.get_config_var("EXT_SUFFIX"))
        file = run([str(python), "-c", code], folder, variables).strip()
        if not file.endswith(suffix):
            sys.exit(f"{file}: expected {suffix}")
    alike = True
    for analysis in ("made anew", "continued from an earlier run"):
        told = set()
        for build, variables in builds.items():
            cache = place.with_name(f"{application.name}-{build}")
            done = ended([str(python), *CHECK, "--cache-dir", str(cache), str(place)], folder, variables)
            if f"analysis: {analysis}\n" not in done.stderr:
                say(f"{application.name}: not {analysis} by the {build} build\n{done.stderr}")
                alike = False
            told.add(re.sub(r'"seconds": [\d.e+-]+', '"seconds": 0', done.stdout))
        verdict = "the same" if len(told) == 1 else "DIFFERENT"
        say(f"{application.name}, {analysis}: compiled and plain say {verdict} ({len(min(told))} bytes)")
        alike = alike and len(told) == 1
        edited = file_to_edit(sorted(place.rglob("*.py")))
        edited.write_text(body_edited(edited.read_text("utf-8")), "utf-8")
    return alike


def run(command: list[str], folder: Path, variables: dict[str, str] | None = None) -> str:
    """What a command prints; ends this program with its complaint where it fails."""
    return ended(command, folder, variables).stdout


def ended(
    command: list[str], folder: Path, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command that has ended well; ends this program with its complaint where it fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment(variables), capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} …: status {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    return done


def environment(variables: dict[str, str] | None = None) -> dict[str, str]:
    """The environment without what could bring another fastlint, or other settings, into a run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FASTLINT", "HATCH"))}
    return {**kept, "PYTHONIOENCODING": "utf-8", **(variables or {})}


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, without what earlier builds and runs have left in it."""
    if source.is_dir():
        shutil.copytree(
            source, target, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", ".fastlint_cache")
        )
    else:
        shutil.copy(source, target)


def only_wheel(folder: Path) -> Path:
    """The one wheel in a folder."""
    (wheel,) = folder.glob("*.whl")
    return wheel


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
