"""The cache: an unchanged run says the same at once, a changed one what one without cache says; nothing is trusted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fastlint.cache import folder
from fastlint.cache.facts import FactStore
from fastlint.reading import digest
from fastlint.report import FORMATS, around_seconds
from fastlint.source.encoding import decode
from fastlint.source.parallel import usable_jobs
from fastlint.source.parse import parse_encoded

ROOT = Path(__file__).parent.parent
APP = """import time
from fastapi import FastAPI
from .work import work

app = FastAPI()


@app.get("/")
async def index():
    return work()
"""
WORK = """import time


def work():
    time.sleep(1)
"""
HEAVY = {"libcst", "pydantic", "click", "rich", "psutil", "ruamel", "pathspec", "dataclasses", "json", "fastlint.cli"}


def run(folder: Path, *flags: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`fastlint check` in a folder, as a process of its own that knows no other cache."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FASTLINT_", "NO_COLOR"))}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, *python, "-m", "fastlint", "check", *flags]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def said(ended: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Exit code and output but for the seconds."""
    assert ended.stderr == "", ended.stderr
    return ended.returncode, re.sub(r"\d+\.\d+ s\b", "", ended.stdout)


def imported(ended: subprocess.CompletedProcess[str]) -> set[str]:
    """What a run under `-X importtime` imported."""
    return {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with one finding that needs two of its files."""
    (tmp_path / "app").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.fastlint]\n")
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "main.py").write_text(APP)
    (tmp_path / "app" / "work.py").write_text(WORK)
    return tmp_path


def test_an_unchanged_run_says_the_same_and_loads_nothing(project: Path) -> None:
    time.sleep(2.1)  # files must be as old as that for their times to be believed
    first = run(project)
    assert first.returncode == 1
    assert "time.sleep" in first.stdout
    again = run(project, python=("-X", "importtime"))
    assert not (HEAVY | {"hashlib"}) & imported(again)
    assert "fastlint.cache.answers" in imported(again)
    assert (again.returncode, re.sub(r"\d+\.\d+ s\b", "", again.stdout)) == said(first)
    everything = imported(run(project, "--no-cache", "--jobs", "1", python=("-X", "importtime")))
    assert HEAVY - {"rich", "psutil", "ruamel"} <= everything


def test_the_cache_marks_itself(project: Path) -> None:
    run(project)
    cache = project / folder.NAME
    assert (cache / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert "*" in (cache / ".gitignore").read_text().splitlines()


def test_no_cache_leaves_nothing(project: Path) -> None:
    assert run(project, "--no-cache").returncode == 1
    assert not (project / folder.NAME).exists()


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_is_said_again_with_its_own_time(project: Path, output_format: str) -> None:
    first, again = (run(project, "--output-format", output_format) for _ in range(2))
    before, digits, after = around_seconds(first.stdout)
    start, places, end = around_seconds(again.stdout)
    assert (before, after, first.returncode) == (start, end, again.returncode)
    assert (places is None) == (digits is None) == (output_format in ("github", "gitlab"))
    if output_format in ("json", "sarif", "gitlab"):
        json.loads(again.stdout)
    if output_format == "junit":
        ElementTree.fromstring(again.stdout)


def _body(project: Path) -> None:
    (project / "app" / "work.py").write_text(WORK.replace("time.sleep(1)", "print(12345)"))


def _same_size_and_time(project: Path) -> None:
    path = project / "app" / "work.py"
    status = path.stat()
    path.write_text(WORK.replace("time.sleep", "time.clock"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _signature(project: Path) -> None:
    (project / "app" / "work.py").write_text(WORK.replace("def work()", "async def work()"))


def _new_file(project: Path) -> None:
    (project / "app" / "other.py").write_text("import time\n\n\nasync def wait():\n    time.sleep(2)\n")


def _gone(project: Path) -> None:
    (project / "app" / "work.py").unlink()


def _renamed(project: Path) -> None:
    (project / "app" / "work.py").rename(project / "app" / "works.py")


def _ignored(project: Path) -> None:
    (project / ".gitignore").write_text("work.py\n")


def _settings(project: Path) -> None:
    (project / "pyproject.toml").write_text('[tool.fastlint]\nignore = ["FL102"]\n')


def _nearer_settings(project: Path) -> None:
    (project / "fastlint.toml").write_text('ignore = ["FL102"]\n')


def _suppressed(project: Path) -> None:
    path = project / "app" / "work.py"
    path.write_text(WORK.replace("sleep(1)", "sleep(1)  # fastlint: ignore[FL102] on purpose"))


def _dockerfile(project: Path) -> None:
    (project / "Dockerfile").write_text("FROM python:3.12\nCMD uvicorn app.main:app --reload --workers 4\n")


def _unparsable(project: Path) -> None:
    (project / "app" / "work.py").write_text("def work(:\n")


@pytest.mark.parametrize(
    "change",
    [
        _body,
        _same_size_and_time,
        _signature,
        _new_file,
        _gone,
        _renamed,
        _ignored,
        _settings,
        _nearer_settings,
        _suppressed,
        _dockerfile,
        _unparsable,
    ],
)
def test_a_changed_project_is_checked_anew(project: Path, change: Callable[[Path], None]) -> None:
    before = said(run(project))
    change(project)
    after = said(run(project))
    assert after == said(run(project, "--no-cache"))
    assert after != before
    assert said(run(project)) == after


@pytest.mark.parametrize("change", [_body, _settings])
def test_a_change_taken_back_is_known_again(project: Path, change: Callable[[Path], None]) -> None:
    kept = {path: path.read_text() for path in (project / "app" / "work.py", project / "pyproject.toml")}
    before = said(run(project))
    change(project)
    assert said(run(project)) != before
    for path, text in kept.items():
        path.write_text(text)
    again = run(project, python=("-X", "importtime"))
    assert "libcst" not in imported(again)
    assert re.sub(r"\d+\.\d+ s\b", "", again.stdout) == before[1]


def test_touched_files_are_known_by_their_content(project: Path) -> None:
    before = said(run(project))
    os.utime(project / "app" / "work.py")
    again = run(project, python=("-X", "importtime"))
    assert "fastlint.cli" not in imported(again)
    assert re.sub(r"\d+\.\d+ s\b", "", again.stdout) == before[1]


def test_flags_folders_and_colours_have_answers_of_their_own(project: Path) -> None:
    assert said(run(project)) != said(run(project, "--ignore", "FL102"))
    assert said(run(project, "--color", "always"))[1] != said(run(project))[1]
    inside, outside = said(run(project / "app")), said(run(project, "app"))
    assert inside != outside
    assert (said(run(project / "app")), said(run(project, "app"))) == (inside, outside)
    assert not (project / "app" / folder.NAME).exists()


def test_a_changed_file_needs_the_parser_and_others_do_not(project: Path) -> None:
    (project / "pyproject.toml").write_text("")  # settings would have to be validated
    run(project)
    assert {"libcst", "pydantic"}.isdisjoint(imported(run(project, "--severity", "info", python=("-X", "importtime"))))
    _body(project)
    assert "libcst" in imported(run(project, "--jobs", "1", python=("-X", "importtime")))


@pytest.mark.skipif(usable_jobs() < 2 or not hasattr(os, "sched_getaffinity"), reason="there is no second CPU for it")
def test_after_an_edit_the_parser_is_made_ready_by_a_second_process(project: Path) -> None:
    run(project)
    _body(project)
    edited = run(project, python=("-X", "importtime"))
    assert "libcst" not in imported(edited)
    assert re.sub(r"\d+\.\d+ s\b", "", edited.stdout) == said(run(project, "--no-cache"))[1]
    (project / "app" / "work.py").write_text("def work(:\n")
    assert said(run(project)) == said(run(project, "--no-cache"))


def test_an_edit_of_comments_needs_neither_graph_nor_checks(project: Path) -> None:
    judging = {"fastlint.graph.build", "fastlint.checks", "fastlint.deploy.join", "fastlint.project", "multiprocessing"}
    assert judging <= imported(run(project, "--jobs", "2", python=("-X", "importtime"))) | {"multiprocessing"}
    path = project / "app" / "work.py"
    path.write_text(path.read_text() + "# no more than this\n")
    again = imported(run(project, "--jobs", "2", python=("-X", "importtime")))
    assert "libcst" in again
    assert judging.isdisjoint(again)


def test_the_cache_may_lie_elsewhere(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("cache") / "deep" / "er"
    first = said(run(project, "--cache-dir", str(elsewhere)))
    again = run(project, "--cache-dir", str(elsewhere), python=("-X", "importtime"))
    assert "fastlint.cli" not in imported(again)
    assert re.sub(r"\d+\.\d+ s\b", "", again.stdout) == first[1]
    assert not (project / folder.NAME).exists()


def _files(project: Path) -> list[Path]:
    return [path for path in sorted((project / folder.NAME).rglob("*")) if path.is_file() and path.name != ".gitignore"]


def _emptied(content: bytes) -> bytes:
    return b""


def _halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 64]) + content[-8:] if len(content) > 9 else content


def _foreign(content: bytes) -> bytes:
    return b"cos\nsystem\n(S'touch owned'\ntR." + content


def _forged(content: bytes) -> bytes:
    rows, names = [[[0, "x"], {"y": None}]], {"x": ["y"]}
    wrong: dict[str, object] = {"functions": rows, "classes": rows, "body": rows, "imports": rows}
    wrong |= {"mentions": names, "writers": names, "mutators": names, "rebinders": names}
    return zlib.compress(json.dumps({**wrong, "sites": 1}).encode())


def _forged_deeper(content: bytes) -> bytes:
    text = zlib.decompress(content) if content[:1] == b"x" else b"{}"
    if not text.startswith(b"{"):  # behind the identity of who wrote it; the catalogue behind its libraries, too
        *head, known = text.split(b"\n")
        forged = {
            **json.loads(known),
            "functions": {"time.sleep": 0},
            "types": [{"name": "x", "library": 5, "item": [7]}],
        }
        wrong: list[bytes] = [head[0], *(b'[["x"], 5]' for _ in head[1:]), json.dumps(forged).encode()]
        return zlib.compress(b"\n".join(wrong))
    facts = json.loads(text)
    return zlib.compress(json.dumps({**facts, "body": [["e", ["c", 99, 5, None, 7], "?"]]}).encode())


@pytest.mark.parametrize("harm", [_emptied, _halved, _flipped, _foreign, _forged, _forged_deeper])
def test_a_harmed_cache_is_never_fatal(project: Path, harm: Callable[[bytes], bytes]) -> None:
    first = said(run(project))
    for path in _files(project):
        path.write_bytes(harm(path.read_bytes()))
    assert said(run(project)) == first
    assert not (project / "owned").exists()


def test_it_is_told_where_the_analysis_comes_from(project: Path) -> None:
    def analysis() -> str:
        (told,) = (line for line in run(project, "--verbose").stderr.splitlines() if line.startswith("analysis: "))
        return told.removeprefix("analysis: ")

    work = project / "app" / "work.py"
    assert analysis() == "made anew"
    assert analysis() == "taken over from an earlier run"
    work.write_text(WORK + "\n\ndef more() -> None: ...\n")
    assert analysis() == "continued from an earlier run"
    work.write_text(WORK.replace("def work", "@staticmethod\ndef work"))
    assert analysis().startswith("made anew: ")


def test_it_can_be_told_that_the_cache_did_harm(project: Path) -> None:
    run(project)
    for path in _files(project):
        path.write_bytes(_forged_deeper(path.read_bytes()))
    (project / "app" / "work.py").write_text(WORK + "\n\ndef more() -> None: ...\n")
    told = run(project, "--verbose")
    assert told.returncode == 1
    assert re.search(r"^cache: \w+Error: .*: everything was done once more without it; please", told.stderr, re.M)
    assert "once more" not in run(project, "--verbose", "--no-cache").stderr


def test_where_nothing_can_be_kept_nothing_is_missed(project: Path) -> None:
    (project / folder.NAME).write_text("a file in place of the folder")
    first = said(run(project))
    assert first[0] == 1
    assert said(run(project)) == first == said(run(project, "--no-cache"))


def test_runs_at_once_agree(project: Path) -> None:
    expected = said(run(project, "--no-cache"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fastlint", "check"]
    for _ in range(2):
        together = [
            subprocess.Popen(
                command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]
        for each in together:
            out, err = each.communicate()
            assert said(subprocess.CompletedProcess(command, each.returncode, out, err)) == expected
    assert not list((project / folder.NAME).rglob("*.draft"))


def test_facts_come_back_as_they_were_and_leave_when_unused(tmp_path: Path) -> None:
    source = APP.encode()
    encoded = parse_encoded(source)
    assert isinstance(encoded, bytes)
    store = FactStore(str(tmp_path))
    assert store.load(digest(source)) is None
    store.save(digest(source), encoded)
    loaded = FactStore(str(tmp_path)).load(digest(source))
    assert loaded == encoded
    assert decode(loaded).sites == decode(encoded).sites > 0
    (kept,) = (path for path in tmp_path.rglob("*") if path.is_file())
    store.tidy()
    assert kept.exists()
    os.utime(kept, (0, 0))
    os.utime(tmp_path / "facts" / "tidied", (0, 0))
    store.tidy()
    assert not kept.exists()
