"""The examples in rules/FL*.toml do what they say: each one is checked as a small project of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from markers import differences, read_folder

from fastlint.config import Config, read_config
from fastlint.engine import check
from fastlint.finding import Confidence, Severity
from fastlint.report.model import CheckRequest
from fastlint.rulebook.schema import Example, RuleFile
from fastlint.rulebook.where import rule_codes, rules_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RULES = ("FL0", "FL1", "FL3", "FL402", "FL404")
BOOK = [
    RuleFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    for path in sorted(rules_folder().glob("FL*.toml"))
]
BAD = [(rule.code, example) for rule in BOOK for example in rule.bad]
GOOD = [(rule.code, example) for rule in BOOK for example in rule.good]


def name(value: object) -> str:
    return value.title if isinstance(value, Example) else str(value)


def write(code: str, example: Example, folder: Path) -> Config:
    for path, source in example.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source, encoding="utf-8")
    config = Config(root=str(folder))
    if example.config:
        (folder / "fastlint.toml").write_text(example.config, encoding="utf-8")
        config = read_config(str(folder / "fastlint.toml"))
    # What an example selects and ignores itself has the last word.
    selection = config.selection if "select" in example.config else config.selection.then(select=(*RULES, code))
    return config._replace(selection=selection, severity=Severity.INFO, confidence=Confidence.MEDIUM)


def expected_codes(code: str, example: Example, folder: Path) -> set[str]:
    """Check the example as a project of its own, fail if found and marked differ, and say which rules are marked."""
    report = check(CheckRequest((str(folder),), write(code, example, folder)))
    expected = read_folder(folder, rule_codes())
    if lines := differences(expected, report.findings):
        pytest.fail("\n".join([f'{len(lines)} differences in the example "{example.title}":', *lines]), pytrace=False)
    return {each.code for each in expected}


@pytest.mark.parametrize(("code", "example"), BAD, ids=name)
def test_a_bad_example_is_found(code: str, example: Example, tmp_path: Path) -> None:
    assert code in expected_codes(code, example, tmp_path)


@pytest.mark.parametrize(("code", "example"), GOOD, ids=name)
def test_a_good_example_is_quiet(code: str, example: Example, tmp_path: Path) -> None:
    assert code not in expected_codes(code, example, tmp_path)
