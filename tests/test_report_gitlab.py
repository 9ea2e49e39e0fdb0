"""GitLab's Code Quality report: committed output, and the fields that its documentation asks for."""

from __future__ import annotations

import json
from typing import Any

from report_sample import CLEAN, REPORT, RULES, differs

from fastlint.report import FORMATS, Report, Style


def issues(report: Report) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads(FORMATS["gitlab"](report, RULES, Style()))
    return answer


def test_output_is_the_committed_one() -> None:
    assert not differs("gitlab.json"), differs("gitlab.json")


def test_a_clean_run_is_an_empty_list() -> None:
    assert issues(CLEAN) == []


def test_every_issue_has_the_fields_that_gitlab_reads() -> None:
    for issue, finding in zip(issues(REPORT), REPORT.findings, strict=True):
        assert issue["description"].endswith(finding.message)
        assert issue["check_name"] == finding.code
        assert issue["location"]["path"] == finding.where.path
        assert issue["location"]["lines"]["begin"] == finding.where.line
        assert issue["location"]["lines"]["end"] >= finding.where.line


def test_severities_are_words_that_gitlab_knows() -> None:
    assert [issue["severity"] for issue in issues(REPORT)] == ["major", "major", "critical", "info"]


def test_no_two_issues_share_a_fingerprint() -> None:
    assert len({issue["fingerprint"] for issue in issues(REPORT)}) == len(REPORT.findings)


def test_paths_are_those_of_the_repository() -> None:
    told = json.loads(FORMATS["gitlab"](REPORT, RULES, Style(prefix="services/api/")))
    assert {issue["location"]["path"] for issue in told} == {
        f"services/api/{finding.where.path}" for finding in REPORT.findings
    }


def test_chain_and_related_places_are_other_locations() -> None:
    told = [issue.get("other_locations", []) for issue in issues(REPORT)]
    for places, finding in zip(told, REPORT.findings, strict=True):
        wanted = {(step.where.path, step.where.line) for step in (*finding.steps, *finding.related)}
        assert {(place["path"], place["lines"]["begin"]) for place in places} == wanted
    assert any(finding.related for finding in REPORT.findings)
