"""Every application in fixtures/ gives exactly the findings that its markers expect: nothing missing, nothing extra."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest
from markers import Expected, differences, read_folder

from fastlint.config import Config
from fastlint.engine import check
from fastlint.finding import Confidence, Severity
from fastlint.report.model import CheckRequest
from fastlint.rulebook.where import rule_codes

FIXTURES = Path(__file__).parent.parent / "fixtures"
APPLICATIONS = sorted(folder for folder in FIXTURES.iterdir() if folder.is_dir())
CODES = frozenset(rule_codes())
RULES = ("FL0", "FL1", "FL3", "FL402", "FL404", "FL6")
PATTERNS = range(1, 29)

every_application = pytest.mark.parametrize("folder", APPLICATIONS, ids=lambda folder: folder.name)


@lru_cache
def marked(folder: Path) -> tuple[Expected, ...]:
    return tuple(read_folder(folder, CODES))


def rules_of(folder: Path) -> tuple[str, ...]:
    """The rules that an application is held against: those that every one is, and those that it marks itself."""
    return (*RULES, *sorted({each.code for each in marked(folder)} - {"FL001"}))


@every_application
def test_found_is_what_is_marked(folder: Path) -> None:
    config = Config(root=str(folder), severity=Severity.INFO, confidence=Confidence.MEDIUM)
    selected = rules_of(folder)
    config = config._replace(selection=config.selection.then(select=selected))
    report = check(CheckRequest((str(folder),), config))
    lines = differences(marked(folder), report.findings)
    if lines:
        command = f"fastlint check --severity info --select {','.join(selected)} fixtures/{folder.name}"
        pytest.fail("\n".join([f"{len(lines)} differences in fixtures/{folder.name}:", *lines, command]), pytrace=False)


@pytest.mark.parametrize(
    "path",
    [path for folder in APPLICATIONS if folder.name != "broken" for path in sorted(folder.rglob("*.py"))],
    ids=lambda path: path.relative_to(FIXTURES).as_posix(),
)
def test_a_fixture_is_valid_python_of_the_oldest_version(path: Path) -> None:
    ast.parse(path.read_bytes(), filename=str(path), feature_version=(3, 10))


def test_there_are_enough_cases_in_enough_applications() -> None:
    own = [folder for folder in APPLICATIONS if not folder.name.startswith("known_")]
    several_modules = [folder for folder in own if len(list(folder.rglob("*.py"))) > 1 and marked(folder)]
    assert len(several_modules) >= 25
    assert sum(len(marked(folder)) for folder in several_modules) >= 150


def test_every_rule_has_a_case() -> None:
    cases = {each.code for folder in APPLICATIONS for each in marked(folder)}
    assert cases == CODES


def test_every_pattern_that_must_stay_quiet_has_a_case() -> None:
    tags: set[int] = set()
    for path in FIXTURES.rglob("*.py"):
        for several in re.findall(r"never-report patterns? ([\d, and]+)", path.read_text("latin-1")):
            tags.update(int(number) for number in re.findall(r"\d+", several))
    assert tags == set(PATTERNS)
    listed = re.findall(r"^(\d+)\. ", (FIXTURES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number in listed] == list(PATTERNS)
