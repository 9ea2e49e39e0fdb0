"""Workflow commands of GitHub Actions: each finding becomes an annotation on its line. Says nothing on a clean run."""

from __future__ import annotations

from collections.abc import Mapping

from fastlint.finding import Finding, Severity
from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.report.text import story, visible
from fastlint.rulebook.words import RuleWords

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """One command per finding. The annotation's text holds the chain and the remedy."""
    return "".join(_command(finding, style) + "\n" for finding in report.findings)


def _command(finding: Finding, style: Style) -> str:
    where = finding.where
    properties = {
        "title": f"fastlint {finding.code} ({finding.name})",
        "file": style.shown(where.path),
        "line": str(where.line),
    }
    if where.end_line <= where.line:  # columns mean nothing where an annotation spans lines
        properties["col"] = str(where.column)
    if where.end_line:
        properties["endLine"] = str(where.end_line)
    if where.end_line == where.line:
        properties["endColumn"] = str(where.end_column)
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = "\n".join([visible(finding.message), *story(finding, style)])
    return f"::{_COMMANDS[finding.severity]} {listed}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # A path may hold bytes that are not UTF-8: they must not keep the others from being written.
    writable = text.encode("utf-8", "backslashreplace").decode()
    return _data(writable).replace(":", "%3A").replace(",", "%2C")
