"""The pre-commit hook, run by pre-commit itself: the whole project is read, the files of the commit are reported on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent

MAIN = """\
from fastapi import FastAPI

from services import pause

app = FastAPI()


@app.get("/")
async def home() -> None:
    pause()
"""
SERVICES = """\
import time


def pause() -> None:
    time.sleep(1)
"""
OTHER = """\
import time

from main import app


@app.get("/other")
async def other() -> None:
    time.sleep(2)
"""


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    scrubbed = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "FASTLINT"))}
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com"}
    identity |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
    return subprocess.run(
        command, cwd=folder, env={**scrubbed, **identity}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def commit(tmp_path: Path) -> Path:
    """A repository with one application; `other.py` is committed, `main.py` and `services.py` are about to be."""
    assert run(["git", "init", "-q"], tmp_path).returncode == 0
    (tmp_path / "other.py").write_text(OTHER)
    run(["git", "add", "."], tmp_path)
    assert run(["git", "commit", "-q", "--no-verify", "-m", "other"], tmp_path).returncode == 0
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "services.py").write_text(SERVICES)
    run(["git", "add", "."], tmp_path)
    return tmp_path


@pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="pre-commit clones: this is no repository")
def test_pre_commit_reads_the_project_and_reports_on_the_commit(
    commit: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path_factory.mktemp("pre-commit")))
    tried = run([sys.executable, "-m", "pre_commit", "try-repo", "--verbose", str(CHECKOUT), "fastlint"], commit)
    told = tried.stdout + tried.stderr
    assert tried.returncode == 1, told
    assert "main.py:10:5: FL102" in told  # through services.py, to which it leads
    assert "services.py:5" in told
    assert "other.py" not in told
    assert " in 2 files (3 read), " in told
