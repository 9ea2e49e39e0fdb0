"""fastlint keeps its own rules, and what its documents say is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fastlint import __version__, cli
from fastlint.config import read_config
from fastlint.config.shape import Table
from fastlint.report import FORMATS
from fastlint.suppress import read_suppressions

CHECKOUT = Path(__file__).parent.parent
README = (CHECKOUT / "README.md").read_text("utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def flags(command: str) -> set[str]:
    group = cli._cli
    assert isinstance(group, click.Group)
    return {option for parameter in group.commands[command].params for option in parameter.opts}


def test_fastlint_is_clean_on_itself() -> None:
    command = [sys.executable, "-m", "fastlint", "check", "."]
    checked = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.startswith("0 errors, 0 warnings in "), checked.stdout


def test_the_demo_finds_something_worth_reading() -> None:
    command = [sys.executable, "-m", "fastlint", "check", "--output-format", "concise", "fixtures/demo"]
    checked = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert checked.returncode == 1, checked.stderr
    found = re.findall(r"^fixtures/demo/\S+?:\d+:\d+: (FL\d+)", checked.stdout, re.MULTILINE)
    assert {"FL101", "FL102", "FL106", "FL107"} <= set(found)


def test_the_settings_in_the_readme_are_all_there_are(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("\n".join(fenced("toml")))
    (tmp_path / "backend").mkdir()
    config = read_config(str(tmp_path / "pyproject.toml"))
    assert config.extend_exclude == ("generated/",)
    missing = [
        info.alias
        for info in Table.model_fields.values()
        if not re.search(rf"\b{re.escape(str(info.alias))}\b", README)
    ]
    assert not missing


def test_the_flags_in_the_readme_exist_and_the_commands_too() -> None:
    commands = ("check", "rule", "rules", "host", "config", "advise", "inspect")
    known = set().union(*(flags(command) for command in commands))
    # What a command answers may hold the flags of others.
    said = re.sub(r"^(?!\$ ).*\n", "", "\n".join(fenced("console")) + "\n", flags=re.MULTILINE)
    said += re.sub(r"```console\n.*?```", "", README, flags=re.DOTALL)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", said)) <= known
    for line in (line for block in fenced("sh") for line in block.splitlines()):
        words = line.partition("#")[0].split()
        if words[:1] == ["fastlint"]:
            assert words[1] in commands, line
    for name in FORMATS:
        assert f"`{name}`" in README


def test_the_suppressions_in_the_readme_are_understood() -> None:
    source = next(block for block in fenced("python") if "fastlint:" in block)
    found = read_suppressions(source.encode(), "readme.py", ("FL101", "FL102", "FL105"))
    assert [(each.scope, each.codes, each.mistake) for each in found] == [
        ("line", ("FL101",), ""),
        ("line", ("FL101", "FL105"), ""),
        ("function", ("FL102",), ""),
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_points_at_what_is_there(name: str) -> None:
    text = (CHECKOUT / name).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    paths = re.findall(r"`((?:fastlint|fixtures|rules|tests|docs)/[\w./-]*)`", text)
    gone = [path for path in (*links, *paths) if not (CHECKOUT / path).exists()]
    assert not gone


def test_the_two_commands_come_first() -> None:
    assert re.search(r"\A# fastlint\n\n```sh\nmake demo .*\nmake test .*\n```\n", README)
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^## {re.escape(__version__)}\b", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_format_is_offered() -> None:
    choice = next(each for each in cli._check.params if each.name == "output_format").type
    assert isinstance(choice, click.Choice)
    assert list(choice.choices) == list(FORMATS)
