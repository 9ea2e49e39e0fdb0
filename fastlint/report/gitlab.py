"""GitLab's Code Quality report: a JSON list of issues; chains and related places as Code Climate's other locations.

GitLab itself shows the first place only. Says nothing of the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastlint.finding import Finding, Severity
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
            **_others(finding, style),
        }
        for finding in report.findings
    ]
    return json.dumps(issues, indent=2) + "\n"


def _others(finding: Finding, style: Style) -> dict[str, Any]:
    """Every further place of a finding, and what happens there as markdown (Code Climate)."""
    steps = (*finding.steps, *finding.related)
    if not steps:
        return {}
    places = dict.fromkeys((style.shown(step.where.path), step.where.line) for step in steps)
    body = "\n".join(f"- {step.text} ({style.shown(step.where.path)}:{step.where.line})" for step in steps)
    return {
        "content": {"body": body},
        "other_locations": [{"path": path, "lines": {"begin": line, "end": line}} for path, line in places],
    }
