"""SARIF 2.1.0 for code-scanning services and editors: rules with help, chains as code flows, stable fingerprints.

Says nothing that the report does not know; in particular it names no folder of the machine that ran the check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from fastlint import __version__
from fastlint.finding import Finding, Location, Severity, Step
from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.report.text import unresolved_words
from fastlint.rulebook.words import ExampleWords, RuleWords, general_remedy, pointing

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BASE = "%SRCROOT%"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}


def render(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """One log with one run. Its rules are those that ran, and in any case those that found something."""
    codes = sorted({rule.code for rule in report.rules} | {finding.code for finding in report.findings})
    run = {
        "tool": {
            "driver": {
                "name": "fastlint",
                "semanticVersion": __version__,
                "rules": [_rule(rules[code]) for code in codes],
            }
        },
        "invocations": [_invocation(report)],
        "originalUriBaseIds": {_BASE: {"description": {"text": "The folder in which fastlint was started."}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, codes.index(finding.code), report, style) for finding in report.findings],
        "properties": {
            "files": report.files,
            "analysed": report.analysed,
            "seconds": round(report.seconds, 3),
            "suppressed": report.suppressed,
            "unresolved": len(report.unresolved),
        },
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: RuleWords) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\n{general_remedy(rule)}", "markdown": "\n\n".join(_help(rule))},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["fastapi", "asyncio", "concurrency"], "problem.severity": _PROBLEMS[rule.severity]},
    }


def _help(rule: RuleWords) -> Iterator[str]:
    yield f"**{rule.summary}**"
    yield rule.why
    yield f"**What to do.** {general_remedy(rule)}"
    yield from _example("Bad", rule.bad[0])
    yield from _example("Good", rule.good[0])
    if rule.references:
        yield "\n".join(f"- <{link}>" for link in rule.references)


def _example(kind: str, example: ExampleWords) -> Iterator[str]:
    yield f"**{kind}:** {example.title}"
    for name, source in example.files.items():
        if source:
            yield f"`{name}`\n```python\n{pointing(source).rstrip()}\n```"


def _invocation(report: Report) -> dict[str, Any]:
    # Code-scanning services show no counts of ours, so what stays unknown is told as a notification.
    note = {"level": "note", "message": {"text": unresolved_words(report).capitalize() + "."}}
    return {"executionSuccessful": True, "toolExecutionNotifications": [note]}


def _result(finding: Finding, index: int, report: Report, style: Style) -> dict[str, Any]:
    location = _location(finding.where, style)
    source = report.excerpts.get((finding.where.path, finding.where.line))
    if source is not None and finding.where.end_line <= finding.where.line:
        context = {"startLine": finding.where.line, "snippet": {"text": source}}
        location["physicalLocation"]["contextRegion"] = context
    if finding.symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.symbol, "kind": "function"}]
    text = "\n".join([f"{finding.message}.", *(f"Note: {note}" for note in finding.notes), finding.remedy]).rstrip()
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"fastlint/v1": finding.fingerprint},
        "properties": {"confidence": finding.confidence.word},
    }
    if finding.steps:
        hops = [
            {"location": _told(step, style), "nestingLevel": depth, "executionOrder": depth + 1}
            for depth, step in enumerate(finding.steps)
        ]
        result["codeFlows"] = [{"threadFlows": [{"locations": hops}]}]
    if finding.related:
        result["relatedLocations"] = [
            {"id": number, **_told(step, style)} for number, step in enumerate(finding.related, start=1)
        ]
    return result


def _told(step: Step, style: Style) -> dict[str, Any]:
    return {**_location(step.where, style), "message": {"text": step.text}}


def _location(where: Location, style: Style) -> dict[str, Any]:
    region = {"startLine": where.line, "startColumn": where.column}
    if where.end_line:
        region |= {"endLine": where.end_line, "endColumn": where.end_column}
    # A path may hold bytes that are not UTF-8: they survive as percent escapes.
    uri = quote(style.shown(where.path).encode("utf-8", "surrogateescape"))
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": _BASE}, "region": region}}
