"""`--watch`: checks anew after each change, goes on over mistakes, and ends when it is told to."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fastlint.cli.watching import check_on_change, matters

ROOT = Path(__file__).parent.parent
APP = "import time\n\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/')\nasync def index():\n    {}\n"
READY = "watching for changes; Ctrl-C ends it"


class Watched:
    """A running `fastlint check --watch`, round by round."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "fastlint", "check", "--watch", "--output-format", "concise"]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,  # a shell's job ignores it
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def round(self) -> list[str]:
        """The lines of the next round. Raises `queue.Empty` where none comes within a minute."""
        lines: list[str] = []
        while True:
            line = self._lines.get(timeout=60)
            if line == READY:
                return lines
            lines.append(line)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("watchfiles")
    (tmp_path / "pyproject.toml").write_text("[tool.fastlint]\n")
    (tmp_path / "main.py").write_text(APP.format("time.sleep(1)"))
    return tmp_path


@pytest.fixture
def watched(project: Path) -> Iterator[Watched]:
    running = Watched(project)
    yield running
    running.process.kill()
    running.process.wait()


def test_every_change_is_checked(project: Path, watched: Watched) -> None:
    assert any("FL102" in line for line in watched.round())
    (project / "main.py").write_text(APP.format("return 1"))
    assert not any("FL102" in line for line in watched.round())
    (project / "pyproject.toml").write_text("[tool.fastlint]\nunknown-key = 1\n")
    assert "unknown-key" in " ".join(watched.round())
    (project / "pyproject.toml").write_text("[tool.fastlint]\n")
    watched.round()
    (project / "other.py").write_text("import time\n\n\nasync def wait():\n    time.sleep(1)\n")
    assert any(line.startswith("other.py:5:") for line in watched.round())
    watched.process.send_signal(signal.SIGINT)
    assert watched.process.wait(30) == 130


def test_stdin_cannot_be_watched(project: Path) -> None:
    command = [sys.executable, "-m", "fastlint", "check", "--watch", "--stdin-filename", "main.py", "-"]
    ended = subprocess.run(command, cwd=project, input="", capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/main.py", True),
        ("Dockerfile", True),
        ("deploy/values.yaml", True),
        (".gitignore", True),
        ("README.md", False),
        (".fastlint_cache/facts/ab/cd", False),
        (".git/index", False),
        ("node_modules/x/y.py", False),
    ],
)
def test_what_matters(path: str, expected: bool) -> None:
    assert matters("/project", f"/project/{path}") is expected


def test_without_watchfiles_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(click.UsageError, match=r"fastlint\[watch\]"):
        check_on_change(lambda: None, str(tmp_path))


def test_only_what_goes_on_for_long_looks_for_garbage(project: Path) -> None:
    """A run that ends needs no collector; `--watch` does, and looks over everything after each round."""
    script = (
        "import gc, sys\n"
        "import fastlint.cli, fastlint.cli.watching as watching, fastlint.entry\n"
        "sys.argv = ['fastlint', 'check', '--no-cache', *sys.argv[1:]]\n"
        "told = lambda *_: print('enabled' if gc.isenabled() else 'disabled')\n"
        "fastlint.cli._checked = told\n"
        "fastlint.entry.main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", script]
    once = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert once.stdout == "disabled\n", once.stderr
    watching = subprocess.Popen([*command, "--watch"], cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline() == "enabled\n"
    finally:
        watching.kill()
        watching.wait()
