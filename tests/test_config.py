"""Settings: where they are found, what they mean, and how a mistake in them is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fastlint.config import (
    Config,
    ConfigError,
    CustomBlocking,
    PerFileIgnore,
    Selection,
    describe,
    find_config,
    read_config,
)
from fastlint.finding import Confidence, Severity
from fastlint.rulebook.where import rule_codes


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)


def configured(text: str, name: str = "fastlint.toml") -> Config:
    Path(name).write_text(text, encoding="utf-8")
    return read_config(name)


def mistake(text: str, name: str = "fastlint.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        configured(text, name)
    return str(caught.value)


def test_every_key_arrives_where_it_is_read() -> None:
    Path("backend").mkdir()
    config = configured(
        """
        select = ["FL1"]
        extend-select = ["FL402"]
        ignore = ["FL113"]
        exclude = ["old"]
        extend-exclude = ["generated/**"]
        include = ["app/**"]
        src = ["backend"]
        severity = "info"
        confidence = "low"
        fail-on = "error"
        blocking = ["acme.fetch", { name = "acme.Client.get", rule = "FL101", instead = "`acme.aio`" }]
        offloaders = ["acme.threads.run"]
        entry-points = ["acme.handlers.*"]
        respect-gitignore = false

        [per-file-ignores]
        "tests/**" = ["FL1", "FL402"]

        [[library]]
        name = "acme"
        rule = "FL107"
        blocks = ["acme.{get,put}"]
        """
    )
    assert config.file == str(Path("fastlint.toml").resolve())
    assert config.root == str(Path().resolve())
    assert config.selection.includes("FL101")
    assert config.selection.includes("FL402")
    assert not config.selection.includes("FL404")
    assert not config.selection.includes("FL113")
    assert config.exclude == ("old",)
    assert config.extend_exclude == ("generated/**",)
    assert config.include == ("app/**",)
    assert config.src == ("backend",)
    assert (config.severity, config.confidence) == (Severity.INFO, Confidence.LOW)
    assert config.fail_on is Severity.ERROR
    assert config.blocking == (
        CustomBlocking("acme.fetch", "FL107"),
        CustomBlocking("acme.Client.get", "FL101", "`acme.aio`"),
    )
    assert config.offloaders == ("acme.threads.run",)
    assert config.entry_points == ("acme.handlers.*",)
    assert config.respect_gitignore is False
    assert config.per_file_ignores == (PerFileIgnore("tests/**", ("FL1", "FL402"), 18),)
    assert [library.name for library in config.library] == ["acme"]


def test_an_empty_table_means_the_defaults() -> None:
    config = configured("[tool.fastlint]\n", "pyproject.toml")
    assert config.selection.codes(rule_codes()) == rule_codes()
    assert (config.severity, config.confidence, config.fail_on) == (
        Severity.WARNING,
        Confidence.MEDIUM,
        Severity.WARNING,
    )
    assert config.exclude is None
    assert config.respect_gitignore is True


@pytest.mark.parametrize(
    ("severity", "fail_on", "shown"),
    [("", "info", "info"), ("", "error", "warning"), ("error", "info", "error"), ("info", "", "info")],
)
def test_what_a_run_fails_on_is_shown_unless_somebody_said_otherwise(severity: str, fail_on: str, shown: str) -> None:
    lines = [f'severity = "{severity}"' if severity else "", f'fail-on = "{fail_on}"' if fail_on else ""]
    assert configured("\n".join(lines)).severity.word == shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('selct = ["FL1"]', 'fastlint.toml:1: unknown key "selct", did you mean "select"?'),
        ("\n\nper_file_ignores = {}", 'fastlint.toml:3: unknown key "per_file_ignores", did you mean'),
        ("zzz = 1", 'fastlint.toml:1: unknown key "zzz" (known: blocking, confidence, '),
        ('select = ["FL1"]\nignore = ["FL199"]', 'fastlint.toml:2: ignore[0]: unknown rule "FL199", did you mean FL1'),
        ('select = ["E501"]', 'fastlint.toml:1: select[0]: unknown rule "E501": the codes of fastlint begin with FL'),
        ('select = ["fl101"]', 'fastlint.toml:1: select[0]: unknown rule "fl101", did you mean FL101?'),
        ('select = [""]', 'fastlint.toml:1: select[0]: unknown rule ""'),
        ('select = "FL1"', "fastlint.toml:1: select: input should be a valid list"),
        ('severity = "eror"', "fastlint.toml:1: severity: input should be 'error', 'warning' or 'info'"),
        ('respect-gitignore = "yes"', "fastlint.toml:1: respect-gitignore: input should be a valid boolean"),
        ('src = ["nowhere"]', 'fastlint.toml:1: src: there is no folder "nowhere"'),
        ('exclude = ["!"]', 'fastlint.toml:1: exclude[0]: "!" is not a gitignore-style pattern'),
        ('exclude = [" "]', 'fastlint.toml:1: exclude[0]: " " is not a gitignore-style pattern'),
        ('blocking = ["a b"]', 'fastlint.toml:1: blocking[0].name: "a b" is not a dotted name'),
        ('blocking = ["a..b"]', 'fastlint.toml:1: blocking[0].name: "a..b" is not a dotted name'),
        ("blocking = [1]", "fastlint.toml:1: blocking[0]: write a dotted name or a table"),
        ('[[blocking]]\nnmae = "a"', "fastlint.toml:1: blocking[0].name: this key is missing"),
        ('[[blocking]]\nname = "a"\nisntead = ""', 'fastlint.toml:3: unknown key "blocking[0].isntead", did you mean'),
        ('[[blocking]]\nname = "a"\nrule = "FL1"', 'fastlint.toml:3: blocking[0].rule: unknown rule "FL1", did'),
        ('[per-file-ignores]\n"a/**" = ["FL888"]', 'fastlint.toml:2: per-file-ignores.a/**[0]: unknown rule "FL888"'),
        ('[per-file-ignores]\n"!" = ["FL1"]', 'fastlint.toml:2: per-file-ignores.!: "!" is not a gitignore-style'),
        ('[[library]]\nname = "a"\nrule = "FL555"', 'fastlint.toml:3: library: unknown rule "FL555"'),
        (
            '[[library]]\nname = "a"\nblcks = []',
            'fastlint.toml:3: unknown key "library[0].blcks", did you mean "blocks"',
        ),
        ('[[library]]\nname = "a"\n[[library.type]]\nnam = ""', "library[0].type[0]"),
        ("select = [", "fastlint.toml is not valid TOML: "),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_its_place(text: str, sentence: str) -> None:
    told = mistake(text)
    assert sentence in told
    assert "\n" not in told


def test_lines_are_counted_in_our_part_of_pyproject() -> None:
    text = '[project]\nname = "x"\nselect = ["FL777"]\n\n[tool.fastlint]\nselect = ["FL777"]\n'
    assert mistake(text, "pyproject.toml").startswith('pyproject.toml:6: select[0]: unknown rule "FL777"')


def test_a_table_that_is_none_is_told() -> None:
    assert mistake("[tool]\nfastlint = 3\n", "pyproject.toml") == "pyproject.toml: tool.fastlint is not a table"


def test_a_file_that_is_not_there_or_no_text_is_told() -> None:
    with pytest.raises(ConfigError, match=r"nope\.toml cannot be read: "):
        read_config("nope.toml")
    Path("fastlint.toml").write_bytes(b'select = ["\xff"]')
    with pytest.raises(ConfigError, match=r"fastlint\.toml is not UTF-8 text"):
        read_config("fastlint.toml")


def test_the_nearest_settings_win_and_fastlint_toml_before_pyproject() -> None:
    deep = Path("services/api/app")
    deep.mkdir(parents=True)
    Path("pyproject.toml").write_text("[tool.fastlint]\n")
    assert find_config(str(deep)) == str(Path("pyproject.toml").resolve())
    Path("services/api/pyproject.toml").write_text("[tool.fastlint]\n")
    assert find_config(str(deep)) == str(Path("services/api/pyproject.toml").resolve())
    Path("services/api/fastlint.toml").write_text("")
    assert find_config(str(deep / "main.py")) == str(Path("services/api/fastlint.toml").resolve())


@pytest.mark.parametrize("text", ["", "[tool.ruff]\n", '[project]\nname = "fastlint-user"\n', "[broken"])
def test_a_pyproject_that_does_not_speak_of_us_is_passed_by(text: str) -> None:
    Path("api").mkdir()
    Path("fastlint.toml").write_text("")
    Path("api/pyproject.toml").write_text(text)
    assert find_config("api") == str(Path("fastlint.toml").resolve())


def test_a_broken_pyproject_that_speaks_of_us_is_not_passed_by() -> None:
    Path("pyproject.toml").write_text("[tool.fastlint]\nselect = [\n")
    assert find_config(".") == str(Path("pyproject.toml").resolve())


def test_the_search_ends_with_the_repository() -> None:
    Path("fastlint.toml").write_text("")
    Path("vendored/app").mkdir(parents=True)
    assert find_config("vendored/app") is not None
    Path("vendored/.git").mkdir()
    assert find_config("vendored/app") is None


@pytest.mark.parametrize(
    ("select", "ignore", "code", "runs"),
    [
        (["FL1"], [], "FL101", True),
        (["FL1"], [], "FL402", False),
        (["ALL"], ["FL1"], "FL101", False),
        (["FL101"], ["FL1"], "FL101", True),
        (["FL101"], ["FL1"], "FL102", False),
        (["FL1"], ["FL101"], "FL101", False),
        (["FL101"], ["FL101"], "FL101", False),
        (["FL"], ["ALL"], "FL402", True),
    ],
)
def test_the_more_specific_prefix_decides(select: list[str], ignore: list[str], code: str, runs: bool) -> None:
    assert Selection().then(select, (), ignore).includes(code) is runs


def test_a_later_source_overrules_an_earlier_one() -> None:
    file = Selection().then(["FL1"], ["FL402"], ["FL113"])
    assert file.then(["FL113"]).includes("FL113")  # asked for by name on the command line
    assert not file.then(["FL113"]).includes("FL101")  # a select replaces the earlier one
    assert not file.then(["FL1"]).includes("FL113")  # an earlier ignore stays
    assert not file.then(["FL1"]).includes("FL402")
    assert file.then(None, ["FL404"]).includes("FL101")
    assert file.then(None, (), ["FL402"]).includes("FL402") is False


def test_the_described_settings_can_be_read_again() -> None:
    config = configured(
        """
        select = ["FL1"]
        exclude = ["old"]
        blocking = [{ name = "acme.get", instead = "`acme.aio`" }]
        per-file-ignores = { "a \\"b\\".py" = ["FL101"] }
        fail-on = "error"
        """
    )
    again = configured(describe(config))
    assert again.selection.codes(rule_codes()) == config.selection.codes(rule_codes())
    assert (again.exclude, again.blocking, again.fail_on) == (config.exclude, config.blocking, config.fail_on)
    assert [each.pattern for each in again.per_file_ignores] == ['a "b".py']


def test_settings_need_no_pydantic_where_there_are_none() -> None:
    code = "import sys; from fastlint.config import find_config; find_config('.'); sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0
