"""Reports as text: the model of a run and the formats that render it. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastlint.report import github, gitlab, json_v1, junit, sarif, text
from fastlint.report.elapsed import around_seconds
from fastlint.report.host import show_machine, show_machine_json
from fastlint.report.model import Report
from fastlint.report.rule_page import explain, explain_json, list_rules, list_rules_json
from fastlint.report.style import Style
from fastlint.report.tally import statistics
from fastlint.rulebook.words import RuleWords

__all__ = [
    "FORMATS",
    "Format",
    "Report",
    "Style",
    "around_seconds",
    "explain",
    "explain_json",
    "list_rules",
    "list_rules_json",
    "show_machine",
    "show_machine_json",
    "statistics",
]

Format = Callable[[Report, Mapping[str, RuleWords], Style], str]

FORMATS: dict[str, Format] = {
    "full": text.full,
    "concise": text.concise,
    "json": json_v1.render,
    "sarif": sarif.render,
    "github": github.render,
    "gitlab": gitlab.render,
    "junit": junit.render,
}
