"""Workflow commands: committed output, read back as the runner of GitHub Actions reads it."""

from __future__ import annotations

import re

from report_sample import BARE, CLEAN, ODD, REPORT, RULES, differs

from fastlint.finding import Location
from fastlint.report import FORMATS, Report, Style

COMMAND = re.compile(r"::(error|warning|notice) (.*?)::(.*)")


def read_back(report: Report) -> list[tuple[str, dict[str, str], str]]:
    commands = []
    for line in FORMATS["github"](report, RULES, Style()).splitlines():
        match = COMMAND.fullmatch(line)
        assert match, line
        pairs = (pair.split("=", 1) for pair in match[2].split(","))
        commands.append((match[1], {name: decoded(value) for name, value in pairs}, decoded(match[3])))
    return commands


def decoded(text: str) -> str:
    for escape, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def test_output_is_the_committed_one() -> None:
    assert not differs("github.txt"), differs("github.txt")


def test_a_clean_run_says_nothing() -> None:
    assert FORMATS["github"](CLEAN, RULES, Style()) == ""


def test_each_finding_is_one_line_however_odd_its_words() -> None:
    assert len(read_back(REPORT)) == len(REPORT.findings)


def test_the_runner_reads_back_what_was_meant() -> None:
    kind, properties, text = read_back(REPORT._replace(findings=(ODD,)))[0]
    assert kind == "warning"
    assert properties == {
        "title": "fastlint FL105 (blocking-file-io)",
        "file": ODD.where.path,
        "line": "3",
        "col": "7",
        "endLine": "3",
        "endColumn": "17",
    }
    assert text.splitlines()[0].startswith('`open("100%<&>\\n')
    assert '\n= note: "quoted" ::error::%0A, ]]> & <b>\n' in text


def test_severities_become_kinds_of_annotation() -> None:
    assert [kind for kind, _, _ in read_back(REPORT)] == ["warning", "warning", "error", "notice"]


def test_an_annotation_over_several_lines_has_no_columns() -> None:
    properties = read_back(REPORT)[1][1]
    assert (properties["line"], properties["endLine"]) == ("7", "9")
    assert not {"col", "endColumn"} & set(properties)


def test_an_unknown_end_is_left_out() -> None:
    assert set(read_back(REPORT._replace(findings=(BARE,)))[0][1]) == {"title", "file", "line", "col"}


def test_the_text_holds_chain_notes_and_remedy() -> None:
    text = read_back(REPORT)[2][2]
    assert "= chain: GET /orders/{number} → shop.my orders.read (shop/my orders.py:10)\n" in text
    assert "\n= note: reached from 12 routes\n" in text
    assert text.endswith("= help: Use `httpx.AsyncClient`.")


def test_a_path_that_is_not_utf8_can_be_printed() -> None:
    odd = REPORT._replace(findings=(ODD._replace(where=Location("caf\udce9.py")),))
    assert "file=caf\\udce9.py" in FORMATS["github"](odd, RULES, Style()).encode("utf-8").decode()
