"""A table of rules and how often each was found, for `--statistics`. Lists no findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.report.text import summary
from fastlint.rulebook.words import RuleWords


def statistics(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """One row per rule that was found, the most frequent first; then the last line of the run."""
    counts = Counter(finding.code for finding in report.findings)
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    width = max((len(str(number)) for number in counts.values()), default=0)
    table = [f"{number:>{width}}  {code}  {rules[code].name}" for code, number in rows]
    return "\n".join([*table, summary(report, style)]) + "\n"
