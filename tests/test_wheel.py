"""The built wheel, installed alone into a fresh environment, is all that a user needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
import zlib
from pathlib import Path

import pytest

from fastlint import __version__
from fastlint.rulebook.compiled import encode
from fastlint.rulebook.load import load_catalogue
from fastlint.rulebook.where import CATALOGUE, WORDS, rule_codes, rules_folder, shipped
from fastlint.rulebook.words import encode_words, load_words

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(CHECKOUT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the commands of a fresh environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    commands = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(commands / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", str(wheel)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return commands


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    scrubbed = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FASTLINT"))}
    return subprocess.run(command, cwd=folder, env=scrubbed, capture_output=True, text=True, check=False)


def test_the_wheel_holds_the_package_and_every_rule_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {name for name in names if ".dist-info/" not in name}
    assert all(name.startswith("fastlint/") for name in shipped)
    assert not any("__pycache__" in name for name in shipped)
    rules = {path.relative_to(rules_folder()).as_posix() for path in rules_folder().rglob("*.toml")}
    assert {f"fastlint/_rules/{rule}" for rule in rules} <= shipped
    assert "fastlint/py.typed" in shipped
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_the_wheel_holds_its_tables_compiled(wheel: Path, installed: Path, tmp_path: Path) -> None:
    tables, words = (
        zlib.decompress(zipfile.ZipFile(wheel).read(f"fastlint/_rules/{name}")) for name in (CATALOGUE, WORDS)
    )
    assert tables == encode(load_catalogue(rules_folder()))
    assert words == encode_words(load_words(rules_folder()).values())
    (tmp_path / "main.py").write_text("import time\n\n\nasync def home():\n    time.sleep(1)\n")
    command = [str(installed / "python"), "-X", "importtime", "-m", "fastlint", "check", "--jobs", "1"]
    checked = run(command, tmp_path)
    assert checked.returncode == 1, checked.stderr
    assert "libcst" in checked.stderr  # so that it would be seen
    assert "pydantic" not in checked.stderr  # it would be to compile them
    assert not (tmp_path / ".fastlint_cache" / "catalogue").exists()


def test_no_run_reads_the_rules_one_by_one(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import time\n\n\nasync def home():\n    time.sleep(1)\n")
    listening = (
        "import sys; sys.argv = ['fastlint', 'check', '--no-cache']; from fastlint.entry import main; "
        "sys.addaudithook(lambda event, given: event == 'open' and print(given[0], file=sys.stderr)); main()"
    )
    checked = run([str(installed / "python"), "-c", listening], tmp_path)
    assert checked.returncode == 1, checked.stderr
    assert "main.py" in checked.stderr
    assert "FL101.toml" not in checked.stderr


def test_a_checkout_carries_none_and_compiles_its_own() -> None:
    assert shipped(CATALOGUE) is None
    assert shipped(WORDS) is None


def test_the_wheel_finds_its_rules(installed: Path, tmp_path: Path) -> None:
    listed = run([str(installed / "fastlint"), "rules", "--output-format", "json"], tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert [rule["code"] for rule in json.loads(listed.stdout)["rules"]] == list(rule_codes())
    version = run([str(installed / "python"), "-m", "fastlint", "--version"], tmp_path)
    assert version.stdout == f"fastlint {__version__}\n"


def test_the_wheel_checks_an_application(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import time\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n"
        "@app.get('/')\nasync def home() -> None:\n    time.sleep(1)\n"
    )
    checked = run([str(installed / "fastlint"), "check", "--output-format", "json"], tmp_path)
    assert checked.returncode == 1, checked.stderr
    report = json.loads(checked.stdout)
    assert ("FL102", 9) in [(each["code"], each["location"]["line"]) for each in report["findings"]]


def test_the_wheel_advises_and_writes_files(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    (tmp_path / "Procfile").write_text("web: uvicorn main:app --workers 2\n")
    shown = run([str(installed / "fastlint"), "config", "--output-format", "json"], tmp_path)
    assert json.loads(shown.stdout)["services"][0]["settings"]["workers"]["value"] == 2, shown.stderr
    written = run([str(installed / "fastlint"), "advise", "--cores", "2", "--emit", "gunicorn"], tmp_path)
    assert 'wsgi_app = "main:app"' in written.stdout, written.stderr
