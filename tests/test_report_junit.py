"""The JUnit report: committed output, well-formed whatever the code holds, in step with the exit code."""

from __future__ import annotations

from xml.etree import ElementTree

from report_sample import BARE, CHAINED, CLEAN, ODD, REPORT, RULES, differs

from fastlint.config import Config
from fastlint.finding import Location, Severity
from fastlint.report import FORMATS, Report, Style


def parsed(report: Report, style: Style | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(FORMATS["junit"](report, RULES, style or Style()).encode("utf-8"))


def test_output_is_the_committed_one() -> None:
    assert not differs("junit.xml"), differs("junit.xml")


def test_a_clean_run_has_one_passed_case() -> None:
    root = parsed(CLEAN)
    assert root.attrib == {"name": "fastlint", "errors": "0", "failures": "0", "tests": "1", "time": "0.004"}
    assert [case.get("name") for case in root.iter("testcase")] == ["no findings"]
    assert root.find(".//failure") is None


def test_one_suite_per_file_and_the_counts_add_up() -> None:
    root = parsed(REPORT)
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [ODD.where.path, CHAINED.where.path, BARE.where.path]
    for count, tag in (("tests", "testcase"), ("failures", "failure")):
        assert root.get(count) == str(len(list(root.iter(tag))))
        assert [suite.get(count) for suite in suites] == [str(len(list(suite.iter(tag)))) for suite in suites]


def test_what_does_not_fail_the_run_is_a_passed_case_with_its_story() -> None:
    quiet = REPORT._replace(config=Config(severity=Severity.INFO, fail_on=Severity.ERROR))
    root = parsed(quiet)
    assert quiet.failed
    assert [failure.get("type") for failure in root.iter("failure")] == ["error"]
    outputs = [output.text or "" for output in root.iter("system-out")]
    assert len(outputs) == 3
    assert outputs[1].endswith("`httpx.post` blocks the event loop\n= note: only during start-up")


def test_characters_that_xml_cannot_hold_do_not_break_it() -> None:
    nasty = ODD._replace(where=Location("\x00\ufffe\udce9.py"), message="\x08\x0c]]>", remedy="\x0b")
    case = next(parsed(REPORT._replace(findings=(nasty,))).iter("testcase"))
    assert case.get("file") == "\ufffd\ufffd\ufffd.py"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "\\x08\\x0c]]>"
    assert failure.text is not None
    assert failure.text.endswith("= help: \\x0b")


def test_markup_and_unicode_come_back_as_they_were() -> None:
    case = next(parsed(REPORT, Style(prefix="a&b/")).iter("testcase"))
    assert case.get("file") == case.get("classname") == f"a&b/{ODD.where.path}"
    failure = case.find("failure")
    assert failure is not None
    assert "日本語" in failure.get("message", "")
    assert '= note: "quoted" ::error::%0A, ]]> & <b>' in (failure.text or "")
