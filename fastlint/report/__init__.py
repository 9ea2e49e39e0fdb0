"""Reports as text: the model of a run and the formats that render it. Prints nothing.

A format that only machines read is imported by who asks for it: each run would pay for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastlint.report import text
from fastlint.report.elapsed import around_seconds
from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.rulebook.words import RuleWords

__all__ = ["FORMATS", "Format", "Report", "Style", "around_seconds"]

Format = Callable[[Report, Mapping[str, RuleWords], Style], str]


def _json(report: Report, words: Mapping[str, RuleWords], style: Style) -> str:
    from fastlint.report import json_v1

    return json_v1.render(report, words, style)


def _sarif(report: Report, words: Mapping[str, RuleWords], style: Style) -> str:
    from fastlint.report import sarif

    return sarif.render(report, words, style)


def _github(report: Report, words: Mapping[str, RuleWords], style: Style) -> str:
    from fastlint.report import github

    return github.render(report, words, style)


def _gitlab(report: Report, words: Mapping[str, RuleWords], style: Style) -> str:
    from fastlint.report import gitlab

    return gitlab.render(report, words, style)


def _junit(report: Report, words: Mapping[str, RuleWords], style: Style) -> str:
    from fastlint.report import junit

    return junit.render(report, words, style)


FORMATS: dict[str, Format] = {
    "full": text.full,
    "concise": text.concise,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
    "gitlab": _gitlab,
    "junit": _junit,
}
