"""The command line: every flag changes something, every ending has its exit code, every mistake one sentence."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fastlint import __version__
from fastlint.cli import _ProgressLine, main
from fastlint.cli.terminal import Exit
from fastlint.report.model import Progress
from fastlint.rulebook.where import rule_codes

MAIN = """\
import asyncio, time

from fastapi import FastAPI

from store import load

app = FastAPI()


@app.get("/")
async def home() -> None:
    time.sleep(1)
    await asyncio.sleep(0)


@app.get("/file")
async def file() -> str:
    return load() + await asyncio.sleep(0, "")
"""
STORE = """\
from pathlib import Path


def load() -> str:
    return Path("a.txt").read_text()
"""
CLEAN = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def home() -> dict[str, str]:
    return {}
"""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def codes(self) -> list[str]:
        """The rule codes of a JSON report."""
        return [finding["code"] for finding in json.loads(self.out)["findings"]]


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in an empty repository, with a scrubbed environment."""
    for name in ("NO_COLOR", "FORCE_COLOR", "FASTLINT_OUTPUT_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)

    def ended(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        told = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ended(int(exit_.value.code), told.out, told.err)

    return ended


@pytest.fixture
def app(run: Run) -> Run:
    """The same, in an application with an FL102 error in main.py and an FL105 warning that begins there, too."""
    Path("main.py").write_text(MAIN)
    Path("store.py").write_text(STORE)
    return run


# --- endings


def test_findings_end_in_one_and_a_clean_project_in_zero(app: Run) -> None:
    found = app("check", "--output-format", "json")
    assert (found.code, found.codes, found.err) == (Exit.FINDINGS, ["FL102", "FL105"], "")
    Path("main.py").write_text(CLEAN)
    clean = app("check", "--output-format", "json")
    assert (clean.code, clean.codes) == (Exit.CLEAN, [])


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ((), 1),
        (("--exit-zero",), 0),
        (("--fail-on", "error"), 1),
        (("--fail-on", "error", "--ignore", "FL102"), 0),
        (("--fail-on", "warning", "--ignore", "FL102"), 1),
        (("--severity", "error", "--ignore", "FL102"), 0),
    ],
)
def test_the_exit_code_follows_what_fails_a_run(app: Run, flags: tuple[str, ...], code: int) -> None:
    assert app("check", *flags).code == code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("check", "nope.py"), "nope.py: no such file or folder"),
        (("check", "empty"), "no Python file to check in empty"),
        (("check", "--bogus"), "No such option"),
        (("check", "--select", "FL999"), '--select: unknown rule "FL999"'),
        (("check", "--ignore", "E501"), '--ignore: unknown rule "E501": the codes of fastlint begin with FL'),
        (("check", "--exclude", "!"), '--exclude: "!" is not a gitignore-style pattern'),
        (("check", "--fail-on", "sometimes"), "'sometimes' is not one of 'error', 'warning', 'info'"),
        (("check", "--config", "nope.toml"), "nope.toml cannot be read: "),
        (("check", "--config", "fastlint.toml", "--isolated"), "--config and --isolated exclude each other"),
        (("check", "--quiet", "--verbose"), "--quiet and --verbose exclude each other"),
        (("check", "--statistics", "--output-format", "json"), "--statistics is for people"),
        (("check", "--output-file", "nowhere/report.json"), "--output-file nowhere/report.json: No such file"),
        (("check", "-"), "source from stdin is checked alone and by name"),
        (("check", "--stdin-filename", "a.py"), "source from stdin is checked alone and by name"),
        (("check", "--stdin-filename", "a.py", "-", "main.py"), "source from stdin is checked alone and by name"),
        (("check", "--stdin-filename", "empty", "-"), "--stdin-filename empty: this is a folder"),
        (("rule", "FL1O1"), 'unknown rule "FL1O1", did you mean FL1'),
        (("rule",), "Missing argument 'CODE'"),
        (("chekc",), "No such command 'chekc'"),
    ],
)
def test_the_impossible_ends_in_two_with_one_sentence(app: Run, arguments: tuple[str, ...], sentence: str) -> None:
    Path("empty").mkdir()
    ended = app(*arguments)
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert ended.err.startswith("fastlint: ")
    assert sentence in ended.err
    assert ended.err.count("\n") == 1


def test_a_mistake_in_the_settings_ends_in_two_and_names_its_place(app: Run) -> None:
    Path("fastlint.toml").write_text('selct = ["FL1"]\n')
    ended = app("check")
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert ended.err == 'fastlint: fastlint.toml:1: unknown key "selct", did you mean "select"?\n'
    assert app("check", "--isolated").code == Exit.FINDINGS


def test_without_a_command_there_is_help_and_no_success(run: Run) -> None:
    ended = run()
    assert (ended.code, ended.out) == (Exit.USAGE, "")
    assert "check" in ended.err


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("rule", "-h")])
def test_help_is_a_success(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert ended.code == Exit.CLEAN
    assert ended.out.startswith("Usage: fastlint")


def test_our_own_fault_ends_in_three_with_one_line(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("fastlint.engine.check", fail)
    ended = app("check")
    assert (ended.code, ended.out) == (Exit.FAULT, "")
    assert ended.err.startswith("fastlint: internal error, RuntimeError: boom; please report it")
    assert ended.err.count("\n") == 1
    assert "Traceback" in app("check", "--verbose").err


def test_an_interrupted_run_says_nothing(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fastlint.engine.check", stop)
    ended = app("check")
    assert (ended.code, ended.out) == (Exit.INTERRUPTED, "")
    assert "Traceback" not in ended.err


def test_a_reader_who_goes_away_is_no_error(app: Run) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "fastlint", "rules"]
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


# --- what is checked


def test_the_whole_project_is_read_and_the_given_files_are_reported_on(app: Run) -> None:
    Path("other.py").write_text(MAIN)
    assert app("check", "main.py", "--output-format", "json").codes == ["FL102", "FL105"]
    assert app("check", "store.py", "--output-format", "json").codes == ["FL105"]  # a way into it blocks
    assert len(app("check", "--output-format", "json").codes) == 3  # load() blocks once, whoever calls it


@pytest.mark.parametrize(
    ("flags", "codes"),
    [
        (("--select", "FL102"), ["FL102"]),
        (("--select", "FL105,FL4"), ["FL105"]),
        (("--select", "FL4", "--extend-select", "FL102"), ["FL102"]),
        (("--ignore", "FL102"), ["FL105"]),
        (("--ignore", "FL1", "--extend-select", "FL105"), ["FL105"]),
        (("--severity", "error"), ["FL102"]),
        (("--exclude", "store.py"), ["FL102"]),
        (("--extend-exclude", "main.py"), []),
        (("--include", "store.py"), []),
        (("--include", "main.py", "--include", "store.py"), ["FL102", "FL105"]),
    ],
)
def test_flags_narrow_what_is_found(app: Run, flags: tuple[str, ...], codes: list[str]) -> None:
    assert app("check", "--output-format", "json", *flags).codes == codes


def test_severity_and_confidence_open_the_view(app: Run) -> None:
    Path("main.py").write_text(
        "import os\nimport time\n\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/')\n"
        "async def home() -> None:\n    os.stat('a')\n\n\nasync def unreached() -> None:\n    time.sleep(1)\n"
    )
    shown = {flags: app("check", "--output-format", "json", *flags).codes for flags in ((), ("--severity", "info"))}
    assert "FL113" not in shown[()]
    assert "FL113" in shown[("--severity", "info")]
    assert app("check", "--fail-on", "info", "--select", "FL113").code == Exit.FINDINGS
    sure = app("check", "--output-format", "json", "--confidence", "high").codes
    unsure = app("check", "--output-format", "json", "--confidence", "low").codes
    assert len(unsure) > len(sure)


def test_settings_come_from_the_nearest_file_or_the_named_one_or_nowhere(app: Run) -> None:
    Path("pyproject.toml").write_text('[tool.fastlint]\nselect = ["FL105"]\n')
    Path("other.toml").write_text('select = ["FL102"]\n')
    assert app("check", "--output-format", "json").codes == ["FL105"]
    assert app("check", "--output-format", "json", "--config", "other.toml").codes == ["FL102"]
    assert app("check", "--output-format", "json", "--isolated").codes == ["FL102", "FL105"]
    assert app("check", "--output-format", "json", "--select", "FL102").codes == ["FL102"]


def test_stdin_stands_in_for_a_file_of_the_project(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def given(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    given(CLEAN)
    assert app("check", "--stdin-filename", "main.py", "--output-format", "json", "-").codes == []
    given(MAIN)
    new = app("check", "--stdin-filename", "new.py", "--output-format", "json", "-")
    assert new.codes[0] == "FL102"
    assert json.loads(new.out)["findings"][0]["location"]["path"] == "new.py"
    given("def broken(:\n")
    assert app("check", "--stdin-filename", "main.py", "--output-format", "json", "-").codes == ["FL001"]


def test_show_files_lists_what_would_be_reported_on(app: Run) -> None:
    assert app("check", "--show-files").out == "main.py\nstore.py\n"
    assert app("check", "--show-files", "store.py").out == "store.py\n"
    assert app("check", "--show-files", "--exclude", "store.py").out == "main.py\n"


def test_show_settings_shows_what_would_apply(app: Run) -> None:
    Path("fastlint.toml").write_text('severity = "info"\nselect = ["FL1"]\n')
    shown = app("check", "--show-settings", "--select", "FL101", "--confidence", "low", "--fail-on", "error")
    assert shown.code == Exit.CLEAN
    assert shown.out.startswith(f"# {Path('fastlint.toml').resolve()}\n")
    for line in ('select = ["FL101"]', 'severity = "info"', 'confidence = "low"', 'fail-on = "error"'):
        assert f"\n{line}\n" in shown.out


# --- how it is told


def test_every_format_can_be_asked_for_by_flag_and_by_environment(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = {
        "full": "main.py:12:5: FL102 [error]",
        "concise": "main.py:12:5: FL102 [error]",
        "json": '{\n  "version": 1,',
        "sarif": '{\n  "$schema"',
        "github": "::error",
        "gitlab": "[\n",
        "junit": "<?xml",
    }
    outputs = {name: app("check", "--output-format", name).out for name in starts}
    for name, start in starts.items():
        assert outputs[name].startswith(start), name
    assert len(outputs["full"]) > len(outputs["concise"])
    monkeypatch.setenv("FASTLINT_OUTPUT_FORMAT", "gitlab")
    assert app("check").out.startswith("[\n")
    assert app("check", "--output-format", "junit").out.startswith("<?xml")


def test_a_report_can_go_to_a_file(app: Run) -> None:
    ended = app("check", "--output-format", "json", "--output-file", "report.json")
    assert (ended.code, ended.out, ended.err) == (Exit.FINDINGS, "", "")
    assert json.loads(Path("report.json").read_text())["summary"]["error"] == 1


def test_statistics_count_instead_of_listing(app: Run) -> None:
    told = app("check", "--statistics").out
    assert "1  FL102  blocking-sleep" in told
    assert "main.py" not in told


def test_unresolved_calls_are_counted_and_listed_on_request(app: Run) -> None:
    Path("main.py").write_text(
        "from fastapi import FastAPI\nfrom nowhere import thing\n\napp = FastAPI()\n\n\n@app.get('/')\n"
        "async def home() -> None:\n    thing.mystery().do()\n"
    )
    assert "main.py:9" not in app("check").out
    assert "main.py:9" in app("check", "--unresolved").out


@pytest.mark.parametrize(
    ("flags", "environment", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_follow_flag_and_environment(
    app: Run, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for command in (("check",), ("rules",), ("rule", "FL101")):
        assert ("\x1b[" in app(*command, *flags).out) is coloured


def test_colours_follow_the_terminal(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in app("check").out
    assert app("check", "--output-file", "a.txt").code == Exit.FINDINGS
    assert "\x1b[" not in Path("a.txt").read_text()
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b[" not in app("check").out


def test_quiet_is_silent_about_nothing_and_not_about_findings(app: Run) -> None:
    assert "FL102" in app("check", "-q").out
    Path("main.py").write_text(CLEAN)
    assert app("check").out != ""
    assert app("check", "-q").out == ""
    assert app("check", "-q", "--output-format", "json").codes == []


def test_verbose_tells_what_was_read(app: Run) -> None:
    told = app("check", "-v", "main.py").err
    assert f"project: {os.getcwd()}, 2 files read, 1 reported on" in told
    assert "settings: defaults" in told
    assert "analysis: made anew" in told


def test_paths_are_written_as_they_are_seen_from_the_working_directory(
    app: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("api/app").mkdir(parents=True)
    Path("docs").mkdir()
    Path("main.py").rename("api/app/main.py")
    Path("store.py").rename("api/app/store.py")
    for folder, path in (
        (".", "api/app/"),
        ("api", "app/"),
        ("../docs", "../api/app/"),
        ("../..", f"{os.path.basename(os.getcwd())}/api/app/"),
    ):
        monkeypatch.chdir(folder)
        root = os.path.relpath(Path(path).parent.parent)
        assert app("check", root, "--output-format", "concise").out.startswith(f"{path}main.py:12:5: FL102 ")
        assert app("check", root, "--show-files").out == f"{path}main.py\n{path}store.py\n"


def test_suppressed_findings_are_counted_and_useless_suppressions_reported(app: Run) -> None:
    text = MAIN.replace("time.sleep(1)", "time.sleep(1)  # fastlint: ignore[FL102, FL101] the hardware needs it")
    Path("main.py").write_text(text)
    found = app("check", "--output-format", "json")
    assert found.codes == ["FL002", "FL105"]
    assert json.loads(found.out)["summary"]["suppressed"] == 1
    Path("main.py").write_text(text.replace("FL101", "FL1O1"))
    assert app("check", "--output-format", "json").codes == ["FL003", "FL105"]


def test_per_file_ignores_silence_and_unused_ones_are_reported(app: Run) -> None:
    Path("fastlint.toml").write_text('[per-file-ignores]\n"main.py" = ["FL102"]\n"nothing.py" = ["FL1"]\n')
    found = json.loads(app("check", "--output-format", "json").out)["findings"]
    assert [(each["code"], each["location"]["path"]) for each in found] == [
        ("FL002", "fastlint.toml"),
        ("FL105", "main.py"),
    ]
    assert app("check", "main.py", "--output-format", "json").codes == ["FL105"]


def test_a_broken_file_is_a_finding_and_the_rest_is_checked(app: Run) -> None:
    Path("broken.py").write_text("def f(:\n")
    Path("binary.py").write_bytes(b"\0\xff\xfe")
    assert sorted(app("check", "--output-format", "json").codes) == ["FL001", "FL001", "FL102", "FL105"]


# --- rules


def test_rules_are_listed_and_explained(run: Run) -> None:
    listed = run("rules")
    assert listed.code == Exit.CLEAN
    assert [line.split()[0] for line in listed.out.splitlines()] == list(rule_codes())
    as_json = json.loads(run("rules", "--output-format", "json").out)
    assert [rule["code"] for rule in as_json["rules"]] == list(rule_codes())
    assert run("rule", "FL101").out.startswith("FL101 blocking-http-call [error]\n")
    assert run("rule", "fl101").out == run("rule", "FL101").out
    assert json.loads(run("rule", "FL101", "--output-format", "json").out)["rule"]["code"] == "FL101"


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"fastlint {__version__}\n"


# --- progress


def test_progress_is_shown_only_after_a_while_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("fastlint.cli.time.monotonic", lambda: now[0])
    screen = io.StringIO()
    line = _ProgressLine(screen)
    line.show(Progress("reading", 1, 9))
    line.clear()
    assert screen.getvalue() == ""
    now[0] += 1.1
    line.show(Progress("reading", 5, 9))
    line.show(Progress("reading", 6, 9))
    now[0] += 0.2
    line.show(Progress("checking", 0, 0))
    line.clear()
    assert screen.getvalue() == "\r\x1b[Kreading 5/9\r\x1b[Kchecking\r\x1b[K"


def test_progress_needs_a_terminal_and_no_quiet(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Progress] = []
    monkeypatch.setattr("fastlint.cli._ProgressLine.show", lambda _, progress: shown.append(progress))
    app("check")
    assert not shown
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    app("check", "-q")
    assert not shown
    app("check")
    assert shown
    assert {type(each) for each in shown} == {Progress}


def test_modules_of_the_linted_project_are_never_imported_in_place_of_ours(tmp_path: Path) -> None:
    for name in ("click", "libcst", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "app.py").write_text(MAIN.replace("from store import load\n", "").replace("load()", "''"))
    ended = subprocess.run(
        [sys.executable, "-m", "fastlint", "check", "--output-format", "concise", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=False,
    )
    assert ended.returncode == Exit.FINDINGS, ended.stderr
    assert "FL102" in ended.stdout
