"""The text formats: committed output, and what a terminal and a tired reader need of it."""

from __future__ import annotations

import re

import pytest
from report_sample import CHAINED, CLEAN, ODD, REPORT, RULES, differs

from fastlint.config import Config
from fastlint.finding import Location, Severity
from fastlint.report import FORMATS, Report, Style


@pytest.mark.parametrize("name", ["full.txt", "full-colour.txt", "full-styled.txt", "concise.txt"])
def test_output_is_the_committed_one(name: str) -> None:
    assert not differs(name), differs(name)


def full(report: Report, style: Style | None = None) -> str:
    return FORMATS["full"](report, RULES, style or Style())


def excerpt(source: str, where: Location) -> list[str]:
    finding = CHAINED._replace(where=where, steps=(), related=(), notes=(), remedy="")
    report = REPORT._replace(findings=(finding,), excerpts={(where.path, where.line): source})
    return full(report).splitlines()[2:4]


def test_a_clean_run_says_what_it_looked_at() -> None:
    expected = "0 errors, 0 warnings in 1 file, 0.00 s; every call on the loop was resolved\n"
    assert full(CLEAN) == expected
    assert FORMATS["concise"](CLEAN, RULES, Style()) == expected


def test_the_last_line_counts_only_severities_that_are_shown() -> None:
    only_errors = REPORT._replace(findings=(CHAINED,), config=Config(severity=Severity.ERROR))
    assert full(only_errors).splitlines()[-1].startswith("1 error in 41 files (57 read), 1.23 s; 3 suppressed; ")


def test_without_colour_there_is_no_escape_sequence_and_with_it_only_colour_is_added() -> None:
    coloured = full(REPORT, Style(colour=True))
    assert "\x1b" not in full(REPORT)
    assert "\x1b[1;31mFL101\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == full(REPORT)
    assert full(CLEAN, Style(colour=True)).startswith("\x1b[32m")


def test_nothing_in_the_code_can_steer_the_terminal() -> None:
    for text in (full(REPORT, Style(unresolved=True)), FORMATS["concise"](REPORT, RULES, Style())):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
        text.encode("utf-8")


def test_a_path_that_is_not_utf8_can_be_printed() -> None:
    report = REPORT._replace(findings=(ODD._replace(where=Location("caf\udce9.py")),))
    assert "caf\\udce9.py:1:1: FL105" in full(report).encode("utf-8").decode()


@pytest.mark.parametrize(
    ("source", "where", "line", "carets"),
    [
        ("x = f(1)\n", Location("a.py", 1, 5, 1, 9), "1 | x = f(1)", "  |     ^^^^"),
        ("x = f(1)", Location("a.py", 1, 5), "1 | x = f(1)", "  |     ^^^^"),
        ("x = f(\r\n", Location("a.py", 1, 5, 3, 2), "1 | x = f(", "  |     ^^"),
        ("\tf()", Location("a.py", 1, 2, 1, 5), "1 |     f()", "  |     ^^^"),
        ("日本 = f()", Location("a.py", 1, 6, 1, 9), "1 | 日本 = f()", "  |        ^^^"),
        ("e\u0301 = f()", Location("a.py", 1, 6, 1, 9), "1 | e\u0301 = f()", "  |     ^^^"),
        ("", Location("a.py", 1, 1, 1, 1), "1 |", "  | ^"),
        ("short", Location("a.py", 1, 40, 1, 50), "1 | short", "  |      ^"),
    ],
)
def test_the_carets_stand_under_the_call(source: str, where: Location, line: str, carets: str) -> None:
    assert excerpt(source, where) == [line, carets]


def test_a_very_long_line_is_cut_around_the_call() -> None:
    line, carets = excerpt("a" * 1000 + "f()" + "b" * 1000, Location("a.py", 1, 1001, 1, 1004))
    assert len(line) < 180
    assert line[carets.index("^") : carets.rindex("^") + 1] == "f()"
    assert line.startswith("1 | …a")
    assert line.endswith("b…")


def test_unresolved_calls_are_listed_only_on_request_and_the_count_is_always_there() -> None:
    silent, listed = full(REPORT), full(REPORT, Style(unresolved=True))
    assert "self.backend.load" not in silent
    assert "shop/admin.py:9:5: self.backend.load: type of self.backend is not known" in listed
    for text in (silent, listed):
        assert "2 calls on the loop could not be resolved" in text.splitlines()[-1]
    assert full(CLEAN._replace(files=0), Style(unresolved=True)).count("\n") == 1


def test_the_prefix_goes_before_every_path() -> None:
    text = full(REPORT, Style(unresolved=True, prefix="api/"))
    assert text.count("api/shop/") == full(REPORT, Style(unresolved=True)).count("shop/") > 5
