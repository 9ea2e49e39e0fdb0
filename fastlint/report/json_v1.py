"""The versioned JSON report, described in docs/json.md and by docs/json-v1.schema.json.

Never dumps a record of ours as it is: renaming a field inside must not change what others read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastlint import __version__
from fastlint.finding import Finding, Location, Step
from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.rulebook.words import RuleWords

VERSION = 1


def render(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """The whole report. Paths are relative to `root`, whatever folder the run was started in."""
    document: dict[str, Any] = {
        "version": VERSION,
        "tool": {"name": "fastlint", "version": __version__},
        "root": report.root,
        "summary": {
            **{severity.word: number for severity, number in report.counts.items()},
            "shown": report.shown.word,
            "files": report.files,
            "analysed": report.analysed,
            "seconds": round(report.seconds, 3),
            "suppressed": report.suppressed,
            "unresolved": len(report.unresolved),
            "failed": report.failed,
        },
        "findings": [finding_json(finding) for finding in report.findings],
    }
    if style.unresolved:
        document["unresolved"] = [_step(step) for step in report.unresolved]
    return json.dumps(document, indent=2) + "\n"


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding."""
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.word,
        "confidence": finding.confidence.word,
        "message": finding.message,
        "remedy": finding.remedy,
        "location": _location(finding.where),
        "symbol": finding.symbol,
        "chain": [_step(step) for step in finding.steps],
        "related": [_step(step) for step in finding.related],
        "notes": list(finding.notes),
        "fingerprint": finding.fingerprint,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"location": _location(step.where), "text": step.text}


def _location(where: Location) -> dict[str, Any]:
    known = where.end_line > 0
    return {
        "path": where.path,
        "line": where.line,
        "column": where.column,
        "end_line": where.end_line if known else None,
        "end_column": where.end_column if known else None,
    }
