"""JUnit XML: a test suite per file with findings, a failed test case per finding that fails the run.

A finding below `fail-on` is a passed case that tells its story in its output, so that the two never disagree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from xml.etree import ElementTree

from fastlint.finding import Finding
from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.report.text import story, visible
from fastlint.rulebook.words import RuleWords

# XML 1.0 has no way at all to write these characters.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """The report as XML. A run without findings has one passed case: readers take an empty report for a broken one."""
    failures = sum(finding.severity >= report.config.fail_on for finding in report.findings)
    root = ElementTree.Element("testsuites", name="fastlint", errors="0", failures=str(failures))
    root.set("tests", str(len(report.findings) or 1))
    root.set("time", f"{report.seconds:.3f}")
    for path, findings in groupby(report.findings, key=lambda finding: finding.where.path):
        _suite(root, style.shown(path), list(findings), report, style)
    if not report.findings:
        suite = ElementTree.SubElement(root, "testsuite", name="fastlint", tests="1", errors="0", failures="0")
        ElementTree.SubElement(suite, "testcase", name="no findings", classname="fastlint")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(root: ElementTree.Element, path: str, findings: list[Finding], report: Report, style: Style) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=_text(path), tests=str(len(findings)), errors="0")
    suite.set("failures", str(sum(finding.severity >= report.config.fail_on for finding in findings)))
    for finding in findings:
        where = finding.where
        case = ElementTree.SubElement(suite, "testcase", classname=_text(path), file=_text(path), line=str(where.line))
        case.set("name", f"{finding.code} {finding.name} {where.line}:{where.column}")
        heading = f"{path}:{where.line}:{where.column}: {finding.code} [{finding.severity.word}]"
        body = _text("\n".join([f"{heading} {visible(finding.message)}", *story(finding, style)]))
        if finding.severity >= report.config.fail_on:
            failure = ElementTree.SubElement(case, "failure", type=finding.severity.word)
            failure.set("message", visible(finding.message))
            failure.text = body
        else:
            ElementTree.SubElement(case, "system-out").text = body


def _text(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
