"""The table of `--statistics`: committed output and its order."""

from __future__ import annotations

from report_sample import BARE, CHAINED, CLEAN, REPORT, RULES, differs

from fastlint.report import Style
from fastlint.report.tally import statistics


def test_output_is_the_committed_one() -> None:
    assert not differs("statistics.txt"), differs("statistics.txt")


def test_the_most_frequent_rule_comes_first_and_numbers_are_aligned() -> None:
    many = REPORT._replace(findings=(CHAINED, *[BARE] * 12))
    rows = statistics(many, RULES, Style()).splitlines()
    assert rows[:2] == ["12  FL113  file-metadata-call", " 1  FL101  blocking-http-call"]
    assert rows[2].startswith("1 error, 0 warnings, 12 info in 41 files")


def test_a_clean_run_has_only_its_last_line() -> None:
    assert statistics(CLEAN, RULES, Style()).count("\n") == 1
