"""GitLab's Code Quality report: a JSON list of issues. Holds no chains, because GitLab has no place for them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from fastlint.finding import Severity
from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.rulebook.words import RuleWords

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}


def render(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """One issue per finding, told apart by its fingerprint."""
    issues = [
        {
            "description": f"{finding.code}: {finding.message}",
            "check_name": finding.code,
            "fingerprint": finding.fingerprint,
            "severity": _SEVERITIES[finding.severity],
            "location": {
                "path": style.shown(finding.where.path),
                "lines": {"begin": finding.where.line, "end": max(finding.where.line, finding.where.end_line)},
            },
        }
        for finding in report.findings
    ]
    return json.dumps(issues, indent=2) + "\n"
