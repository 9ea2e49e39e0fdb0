"""`fastlint rule` and `fastlint rules` as text: committed output, and that no rule is told by half."""

from __future__ import annotations

import re

import pytest
from report_sample import HTTP, RULES, differs

from fastlint.report import Style
from fastlint.report.rule_page import explain, list_rules
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words

WORDS = load_words(rules_folder())


@pytest.mark.parametrize("name", ["rule.txt", "rules.txt"])
def test_output_is_the_committed_one(name: str) -> None:
    assert not differs(name), differs(name)


@pytest.mark.parametrize("code", sorted(WORDS))
def test_a_page_tells_everything_and_shows_no_machinery(code: str) -> None:
    rule = WORDS[code]
    page = explain(rule, Style())
    words = page.split()
    for part in (rule.summary, rule.why, *(example.title for example in (*rule.bad, *rule.good))):
        assert " ".join(part.split()) in " ".join(words)
    assert all(link in page for link in rule.references)
    assert not re.search(r"# expect|\{instead\}|\{call\}", page)
    assert f"# ← {code}" in page or f"# ↓ {code}" in page
    assert f"# fastlint: ignore[{code}]" in page


def test_only_the_source_may_be_wider_than_a_terminal() -> None:
    prose = [line for line in explain(WORDS["FL101"], Style()).splitlines() if not line.startswith("    ")]
    assert max(map(len, prose)) <= 90


def test_the_list_has_a_row_for_every_rule_in_order() -> None:
    rows = list_rules(WORDS, Style()).splitlines()
    assert [row.split()[0] for row in rows] == sorted(WORDS)
    assert len({row.index(rule.summary) for row, rule in zip(rows, WORDS.values(), strict=True)}) == 1


def test_colour_is_added_only_on_request() -> None:
    assert "\x1b" not in explain(HTTP, Style()) + list_rules(RULES, Style())
    for text, plain in (
        (explain(HTTP, Style(colour=True)), explain(HTTP, Style())),
        (list_rules(RULES, Style(colour=True)), list_rules(RULES, Style())),
    ):
        assert text != plain
        assert re.sub(r"\x1b\[[\d;]*m", "", text) == plain
