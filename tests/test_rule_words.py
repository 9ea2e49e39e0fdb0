"""The words in rules/FL*.toml: complete, well named, honest about their placeholders. Runs no check."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from fastlint.finding import Severity
from fastlint.rulebook.schema import Example, RuleFile
from fastlint.rulebook.where import rule_codes, rules_folder
from fastlint.rulebook.words import decode_words, encode_words, fill_message, fill_remedy, load_words

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILES = sorted(rules_folder().glob("FL*.toml"))
WORDS = load_words(rules_folder())
BLOCKING = {"call", "instead", "via", "detail"}
PLACEHOLDERS = {"FL001": {"reason"}, "FL002": {"call"}, "FL003": {"call", "hint"}}
MARKER = re.compile(r"  # expect: FL\d{3}(, FL\d{3})*$|^ *# expect-below: FL\d{3}(, FL\d{3})*$")
PROMISED = {"FL001", "FL002", "FL003", *(f"FL{n}" for n in (*range(101, 117), *range(201, 214)))}
PROMISED |= {f"FL{n}" for n in (*range(401, 406), *range(501, 508))}
PROMISED |= {f"FL{n}" for n in (*range(301, 312), *range(601, 627))}


def rule_file(path: Path) -> RuleFile:
    return RuleFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def codes_marked(example: Example) -> set[str]:
    sources = "\n".join(example.files.values())
    marked = re.findall(r"# expect(?:-below)?: (.*)$", sources, re.MULTILINE)
    return {code for codes in marked for code in codes.split(", ")}


every_rule = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_every_promised_rule_has_a_file() -> None:
    assert set(WORDS) >= PROMISED
    assert list(WORDS) == list(rule_codes())


@every_rule
def test_a_file_fits_the_schema_and_is_named_like_its_code(path: Path) -> None:
    assert rule_file(path).code == path.stem


def test_no_two_rules_share_a_name_a_summary_or_a_message() -> None:
    for word in ("name", "summary", "message"):
        values = [getattr(rule, word) for rule in WORDS.values()]
        assert sorted(values) == sorted(set(values)), word


@every_rule
def test_plain_words_and_validated_rule_agree(path: Path) -> None:
    words, rule = WORDS[path.stem], rule_file(path)
    assert (words.code, words.name, words.severity.word) == (rule.code, rule.name, rule.severity)
    assert words.message == rule.message
    assert words.why.split() == rule.why.split()
    assert words.remedy.split() == rule.remedy.split()
    assert words.references == tuple(rule.references)
    assert [(each.title, each.files) for each in (*words.bad, *words.good)] == [
        (each.title, each.files) for each in (*rule.bad, *rule.good)
    ]


@every_rule
def test_message_names_the_culprit_in_backticks_and_does_not_preach(path: Path) -> None:
    rule = WORDS[path.stem]
    assert re.search(r"`\{call\}`", rule.message) or "{reason}" in rule.message
    assert not rule.message.endswith(".")
    for text in (rule.message, rule.summary, rule.why, rule.remedy):
        assert not re.search(r"\b(should|please|consider|simply)\b", text, re.IGNORECASE)


@every_rule
def test_summary_why_and_remedy_are_whole_sentences(path: Path) -> None:
    rule = WORDS[path.stem]
    for text in (rule.summary, rule.why, rule.remedy):
        assert text.endswith(".")
    assert len(rule.summary) <= 110
    assert len(rule.message) <= 90


@every_rule
def test_every_placeholder_is_one_that_gets_filled(path: Path) -> None:
    rule = WORDS[path.stem]
    known = PLACEHOLDERS.get(rule.code, BLOCKING)
    assert set(re.findall(r"\{(.*?)\}", rule.message)) <= known - {"via"}
    assert set(re.findall(r"\{(.*?)\}", rule.remedy)) <= {"instead"} & known


@every_rule
def test_the_remedy_reads_on_where_no_asynchronous_way_is_known(path: Path) -> None:
    rule = WORDS[path.stem]
    with_one = fill_remedy(rule.remedy, {"instead": "`httpx.AsyncClient`"})
    without = fill_remedy(rule.remedy, {"instead": ""})
    assert without
    assert without[0].isupper() or without[0] == "`"
    assert "{" not in with_one + without
    assert ("`httpx.AsyncClient`" in with_one) == ("{instead}" in rule.remedy)


@every_rule
def test_two_bad_examples_hit_and_two_good_ones_do_not(path: Path) -> None:
    rule = rule_file(path)
    assert len(rule.bad) >= 2
    assert len(rule.good) >= 2
    for example in rule.bad:
        assert rule.code in codes_marked(example), example.title
    for example in rule.good:
        assert rule.code not in codes_marked(example), example.title


@every_rule
def test_markers_can_be_read_and_name_rules_that_exist(path: Path) -> None:
    rule = rule_file(path)
    for example in (*rule.bad, *rule.good):
        assert codes_marked(example) <= set(WORDS)
        for source in example.files.values():
            for line in source.splitlines():
                assert "expect" not in line or MARKER.search(line), f"{example.title}: {line}"


@every_rule
def test_titles_differ_and_examples_are_fastapi_applications(path: Path) -> None:
    rule = rule_file(path)
    examples = (*rule.bad, *rule.good)
    assert len({example.title for example in examples}) == len(examples)
    for example in examples:
        assert "FastAPI(" in example.files["app.py"], example.title


@every_rule
def test_examples_are_python_except_where_that_is_the_point(path: Path) -> None:
    rule = rule_file(path)
    for example in (*rule.bad, *rule.good):
        for name, source in example.files.items():
            assert all(len(line) <= 120 for line in source.splitlines())
            if not name.endswith(".py"):
                continue
            if "FL001" in codes_marked(Example(title="", files={name: source})):
                with pytest.raises(SyntaxError):
                    ast.parse(source)
            else:
                ast.parse(source, filename=f"{rule.code} {name}")


def test_references_are_links() -> None:
    links = [link for rule in WORDS.values() for link in rule.references]
    assert links
    assert all(re.fullmatch(r"https://[\w.-]+/\S*", link) for link in links)


def test_severities_are_those_of_the_catalogue_of_rules() -> None:
    by_severity = {severity: {c for c, rule in WORDS.items() if rule.severity is severity} for severity in Severity}
    assert by_severity[Severity.INFO] & PROMISED == {
        *("FL113", "FL205", "FL403", "FL404", "FL502", "FL507"),
        *("FL602", "FL617", "FL621", "FL625"),
    }
    warnings = {"FL002", "FL003", "FL105", "FL109", "FL112", "FL115", "FL116", "FL402"}
    warnings |= {"FL201", "FL203", "FL204", "FL206", "FL208", "FL210", "FL212", "FL213"}
    warnings |= {"FL401", "FL405", "FL501", "FL503", "FL506"}
    warnings |= {"FL305", "FL307", "FL308", "FL309", "FL311"}
    warnings |= {"FL310", *(f"FL{n}" for n in (606, 607, 609, 610, 611, 613, 616, 619, 622, 623, 624))}
    assert by_severity[Severity.WARNING] & PROMISED == warnings


def test_a_message_refuses_a_placeholder_without_a_value() -> None:
    assert fill_message("`{call}` waits", {"call": "a{b}c"}) == "`a{b}c` waits"
    with pytest.raises(KeyError):
        fill_message("`{call}` waits", {})


def test_a_remedy_drops_the_sentence_that_cannot_be_filled_and_no_other() -> None:
    remedy = "Use {instead}. `await asyncio.to_thread(...)` helps. Or not {instead}!"
    assert fill_remedy(remedy, {"instead": "x.y"}) == "Use x.y. `await asyncio.to_thread(...)` helps. Or not x.y!"
    assert fill_remedy(remedy, {}) == "`await asyncio.to_thread(...)` helps."


def test_compiled_words_are_the_same_words() -> None:
    again = list(decode_words(encode_words(WORDS.values())))
    assert again == list(WORDS.values())
    assert all(isinstance(rule.severity, Severity) for rule in again)
