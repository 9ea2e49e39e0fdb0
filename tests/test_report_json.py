"""The JSON report: committed output, its schema, and that the documentation tells the truth about both."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from report_sample import CLEAN, REPORT, RULES, differs

from fastlint.report import FORMATS, Report, Style
from fastlint.report.rule_page import explain_json, list_rules_json
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "json-v1.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def document(report: Report, style: Style | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(FORMATS["json"](report, RULES, style or Style()))
    return answer


@pytest.mark.parametrize("name", ["report.json", "rule.json", "rules.json"])
def test_output_is_the_committed_one(name: str) -> None:
    assert not differs(name), differs(name)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", [REPORT, CLEAN], ids=["findings", "clean"])
@pytest.mark.parametrize("unresolved", [True, False])
def test_reports_fit_the_schema(report: Report, unresolved: bool) -> None:
    VALIDATOR.validate(document(report, Style(unresolved=unresolved)))


def _without(path: str) -> dict[str, Any]:
    broken = copy.deepcopy(document(REPORT))
    *parents, last = path.split(".")
    place: Any = broken
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place[parent]
    del place[last]
    return broken


@pytest.mark.parametrize(
    "path", ["version", "root", "summary.failed", "findings.0.fingerprint", "findings.2.chain.1.location.end_line"]
)
def test_the_schema_misses_what_is_not_there(path: str) -> None:
    assert not VALIDATOR.is_valid(_without(path))


def test_the_schema_refuses_what_nobody_promised() -> None:
    for place in ("summary", "tool"):
        broken = document(REPORT)
        broken[place]["surprise"] = 1
        assert not VALIDATOR.is_valid(broken)
    assert not VALIDATOR.is_valid({**document(REPORT), "version": 2})


def test_unresolved_calls_are_listed_only_on_request() -> None:
    assert "unresolved" not in document(REPORT)
    assert document(REPORT)["summary"]["unresolved"] == 2
    listed = document(REPORT, Style(unresolved=True))["unresolved"]
    assert [step["location"]["line"] for step in listed] == [9, 11]
    assert document(CLEAN, Style(unresolved=True))["unresolved"] == []


def test_paths_stay_relative_to_the_root_whatever_the_reader_sees() -> None:
    assert document(REPORT, Style(prefix="services/api/")) == document(REPORT)


def test_any_text_survives_in_ascii() -> None:
    text = FORMATS["json"](REPORT, RULES, Style())
    assert text.isascii()
    assert [each["message"] for each in json.loads(text)["findings"]] == [each.message for each in REPORT.findings]


def test_an_unknown_end_is_null() -> None:
    bare = document(REPORT)["findings"][-1]["location"]
    assert bare == {"path": "zz.py", "line": 1, "column": 1, "end_line": None, "end_column": None}


def test_the_documented_example_fits_the_schema() -> None:
    prose = (DOCS / "json.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", prose, re.DOTALL)
    VALIDATOR.validate(json.loads(example))


def test_every_key_of_the_report_is_documented() -> None:
    prose = (DOCS / "json.md").read_text(encoding="utf-8")
    finding = SCHEMA["$defs"]["finding"]["properties"]
    for key in (*SCHEMA["properties"], *finding, *SCHEMA["properties"]["summary"]["properties"]):
        assert f'"{key}"' in prose or f"`{key}`" in prose, key


def test_pages_of_the_real_rules_fit_the_schema() -> None:
    rules = load_words(rules_folder())
    page = Draft202012Validator({**SCHEMA["$defs"]["rulePage"], "$defs": SCHEMA["$defs"]})
    for rule in rules.values():
        page.validate(json.loads(explain_json(rule)))
    listed = json.loads(list_rules_json(rules))
    Draft202012Validator({**SCHEMA["$defs"]["rules"], "$defs": SCHEMA["$defs"]}).validate(listed)
    assert [row["code"] for row in listed["rules"]] == list(rules)
