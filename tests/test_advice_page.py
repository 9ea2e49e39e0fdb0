"""docs/advice.md: its tables add up, and no miss hides in them."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "advice.md").read_text("utf-8")
ROW = re.compile(r"^\| (\d+) \| (\d+) \| \d+ ms \| (\d+) \| ([+-]\d+)% \| (miss|) ?\|$", re.MULTILINE)
VERDICT = re.compile(r"Advised: (\d+) workers?; measured best: (\d+)( \(miss\))?\.")


def test_every_row_says_how_far_it_is_off() -> None:
    rows = ROW.findall(PAGE)
    assert len(rows) == len(re.findall(r"^\| \d", PAGE, re.MULTILINE)) >= 15
    for count, measured, predicted, off, miss in rows:
        exact = (int(predicted) / int(measured) - 1) * 100
        assert abs(exact - int(off)) < 1.5, count  # both rates are rounded
        assert bool(miss) == (abs(int(off)) > 25), count


def test_every_case_says_whether_the_worker_count_was_right() -> None:
    verdicts = VERDICT.findall(PAGE)
    assert len(verdicts) == len(re.findall("^## (?!Where)", PAGE, re.MULTILINE)) >= 3
    for advised, best, miss in verdicts:
        assert bool(miss) == (abs(int(advised) - int(best)) > 1)
