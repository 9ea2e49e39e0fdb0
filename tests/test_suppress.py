"""Suppression comments: which lines they speak of, what counts as used, and what is said about the useless ones."""

from __future__ import annotations

from textwrap import dedent

import pytest

from fastlint.config import PerFileIgnore
from fastlint.finding import Confidence, Finding, Location, Severity, Step
from fastlint.suppress import Applied, Suppression, apply, read_suppressions

KNOWN = ("FL001", "FL002", "FL003", "FL101", "FL102", "FL105")


def read(source: str, path: str = "app.py") -> list[Suppression]:
    return read_suppressions(dedent(source).lstrip("\n").encode(), path, KNOWN)


def covered(source: str) -> list[tuple[str, int, int, tuple[str, ...]]]:
    return [(each.scope, each.first, each.last, each.codes) for each in read(source)]


def finding(line: int, code: str = "FL101", path: str = "app.py", steps: tuple[tuple[str, int], ...] = ()) -> Finding:
    return Finding(
        where=Location(path, line),
        code=code,
        name="rule",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        message="message",
        steps=tuple(Step(Location(*place), "step") for place in steps),
    )


def applied(source: str, *findings: Finding, ran: tuple[str, ...] = KNOWN) -> Applied:
    return apply(findings, read(source), (), ran)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("x()  # fastlint: ignore[FL101] once", [("line", 1, 1, ("FL101",))], id="reported line"),
        pytest.param("x()  #fastlint:ignore[FL101,FL105]", [("line", 1, 1, ("FL101", "FL105"))], id="tight"),
        pytest.param("x()  # fastlint: ignore[ FL101 , FL105 ]", [("line", 1, 1, ("FL101", "FL105"))], id="spaced"),
        pytest.param("x()  # type: ignore # fastlint: ignore[FL101]", [("line", 1, 1, ("FL101",))], id="after another"),
        pytest.param("# fastlint: ignore[FL101]\nx()\ny()", [("line", 2, 2, ("FL101",))], id="line above"),
        pytest.param(
            "# fastlint: ignore[FL101]\n# fastlint: ignore[FL105]\n\nx()",
            [("line", 4, 4, ("FL101",)), ("line", 4, 4, ("FL105",))],
            id="two comments above",
        ),
        pytest.param("x(\n  1,\n)  # fastlint: ignore[FL101]", [("line", 1, 3, ("FL101",))], id="end of a statement"),
        pytest.param("x(  # fastlint: ignore[FL101]\n  1,\n)", [("line", 1, 3, ("FL101",))], id="start of a statement"),
        pytest.param(
            "x(\n  1,  # fastlint: ignore[FL101]\n  2)", [("line", 2, 2, ("FL101",))], id="middle of a statement"
        ),
        pytest.param(
            "x(\n  # fastlint: ignore[FL101]\n  1,\n  2)", [("line", 3, 3, ("FL101",))], id="alone within a statement"
        ),
        pytest.param(
            "def f():  # fastlint: ignore[FL101]\n    x()\n\n    y()\n\nz()",
            [("function", 1, 4, ("FL101",))],
            id="function",
        ),
        pytest.param(
            "@app.get('/')  # fastlint: ignore[FL101]\n@more\nasync def f():\n    x()\nz()",
            [("function", 1, 4, ("FL101",))],
            id="decorator",
        ),
        pytest.param(
            "# fastlint: ignore[FL101]\n@app.get('/')\nasync def f():\n    x()\nz()",
            [("function", 2, 4, ("FL101",))],
            id="above a decorator",
        ),
        pytest.param(
            "def f(\n    a,\n    b,\n) -> int:  # fastlint: ignore[FL101]\n    return a",
            [("function", 1, 5, ("FL101",))],
            id="end of a long header",
        ),
        pytest.param(
            "class A:\n    def f(self):\n        def g():  # fastlint: ignore[FL101]\n            x()\n        y()\n",
            [("function", 3, 4, ("FL101",))],
            id="inner function only",
        ),
        pytest.param("def f(): x()  # fastlint: ignore[FL101]\ny()", [("function", 1, 1, ("FL101",))], id="one-liner"),
        pytest.param(
            "def f(): x()\ny()  # fastlint: ignore[FL101]", [("line", 2, 2, ("FL101",))], id="after one-liner"
        ),
        pytest.param("x()\n# fastlint: ignore-file[FL101]\n", [("file", 1, 1 << 31, ("FL101",))], id="file"),
        pytest.param("x()  # noqa: FL101", [("line", 1, 1, ("FL101",))], id="noqa"),
        pytest.param("x()  # NoQA:E501,FL101 why", [("line", 1, 1, ("FL101",))], id="noqa with others"),
        pytest.param("x()  # noqa: E501", [], id="noqa of others"),
        pytest.param("x()  # noqa", [], id="bare noqa"),
        pytest.param("x()  # ruff: noqa: FL101", [], id="noqa of ruff"),
        pytest.param('x("# fastlint: ignore[FL101]")', [], id="in a string"),
        pytest.param('"""\nfastlint: ignore[FL101]\n# fastlint: ignore[FL101]\n"""', [], id="in a docstring"),
        pytest.param("x()  # see fastlint: it is good", [], id="prose"),
        pytest.param('x("""a\nb""")  # fastlint: ignore[FL101]', [("line", 1, 2, ("FL101",))], id="long string"),
    ],
)
def test_a_comment_speaks_of_its_lines(source: str, expected: list[tuple[str, int, int, tuple[str, ...]]]) -> None:
    assert covered(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "x((  # fastlint: ignore[FL101]\n",
        "if a:\n        x()\n    y()  # fastlint: ignore[FL101]\n",
        "x = '''  # never closed\ny()  # fastlint: ignore[FL101]\n",
        "# -*- coding: no-such-thing -*-\ny()  # fastlint: ignore[FL101]\n",
    ],
)
def test_a_broken_file_is_read_line_by_line(source: str) -> None:
    assert [each.codes for each in read(source)] == [("FL101",)]


def test_bytes_that_are_no_text_are_no_reason_to_stop() -> None:
    found = read_suppressions(b"# fastlint: ignore-file[FL001] generated \xff\xfe\n\0", "app.py", KNOWN)
    assert [(each.scope, each.codes) for each in found] == [("file", ("FL001",))]


def test_line_endings_of_windows_and_a_byte_order_mark_change_nothing() -> None:
    found = read_suppressions(b"\xef\xbb\xbfx()\r\ny()  # fastlint: ignore[FL101]\r\n", "app.py", KNOWN)
    assert [(each.first, each.last) for each in found] == [(2, 2)]


@pytest.mark.parametrize(
    ("source", "call", "hint"),
    [
        ("x()  # fastlint: ignore[FL1O1]", "FL1O1", ", did you mean FL101?"),
        ("x()  # fastlint: ignore[FL101, FL999]", "FL999", ""),
        ("x()  # fastlint: ignore", "fastlint: ignore", ": write `fastlint: ignore[CODE]`"),
        ("x()  # fastlint: ignore[]", "fastlint: ignore[]", ": write `fastlint: ignore[CODE]`"),
        ("x()  # fastlint: ignore[FL101", "fastlint: ignore[FL101", ": write `fastlint: ignore[CODE]`"),
        ("x()  # fastlint: ignore-file", "fastlint: ignore-file", ": write `fastlint: ignore-file[CODE]`"),
        ("x()  # fastlint: disable[FL101]", "fastlint: disable", ": write `fastlint: ignore[CODE]`"),
        ("x()  # noqa: FL109", "FL109", ", did you mean FL105?"),
    ],
)
def test_a_suppression_that_names_no_rule_is_reported(source: str, call: str, hint: str) -> None:
    notices = applied(source, finding(1)).notices
    first = next(notice for notice in notices if notice.code == "FL003")
    assert first.written == call
    assert first.hint == hint or (hint and first.hint.startswith(", did you mean"))
    assert str(first.where) == "app.py:1:6"


def test_a_finding_is_silenced_on_its_line_and_only_for_the_named_rule() -> None:
    source = "x()  # fastlint: ignore[FL101]\n"
    assert applied(source, finding(1)).kept == ()
    assert applied(source, finding(1, "FL102")).kept == (finding(1, "FL102"),)
    assert applied(source, finding(2)).kept == (finding(2),)
    assert applied(source, finding(1, path="other.py")).kept == (finding(1, path="other.py"),)


@pytest.mark.parametrize(
    ("path", "line", "silenced"),
    [("routes.py", 3, False), ("app.py", 20, True), ("low.py", 7, True), ("low.py", 9, True)],
)
def test_a_finding_is_silenced_on_its_way_down_but_not_on_the_way_to_it(path: str, line: int, silenced: bool) -> None:
    reached = finding(20, steps=(("routes.py", 3), ("app.py", 20), ("low.py", 7), ("low.py", 9)))
    comment = Suppression(Location(path, line), "line", line, line, ("FL101",), "ignore")
    assert bool(apply([reached], [comment], (), KNOWN).suppressed) is silenced


def test_a_chain_without_the_reported_place_is_silenced_at_its_end() -> None:
    reached = finding(20, steps=(("routes.py", 3), ("low.py", 9)))
    low = Suppression(Location("low.py", 9), "line", 9, 9, ("FL101",), "ignore")
    route = Suppression(Location("routes.py", 3), "line", 3, 3, ("FL101",), "ignore")
    assert apply([reached], [low], (), KNOWN).kept == ()
    assert apply([reached], [route], (), KNOWN).kept == (reached,)


def test_an_unused_suppression_is_reported_code_by_code() -> None:
    outcome = applied("x()  # fastlint: ignore[FL101, FL105]\n", finding(1))
    assert [(each.code, each.written) for each in outcome.notices] == [("FL002", "fastlint: ignore[FL105]")]
    assert str(outcome.notices[0].where) == "app.py:1:6"


def test_an_unused_noqa_of_ours_is_reported() -> None:
    assert [each.written for each in applied("x()  # noqa: E501, FL101\n").notices] == ["noqa: FL101"]


def test_nothing_is_said_of_rules_that_did_not_run() -> None:
    source = "x()  # fastlint: ignore[FL101]\n"
    assert applied(source, ran=("FL002", "FL102")).notices == ()
    assert applied(source, ran=("FL101",)).notices == ()
    assert len(applied(source, ran=("FL002", "FL101")).notices) == 1


def test_nothing_is_said_of_files_that_were_not_judged() -> None:
    comments = read("x()  # fastlint: ignore[FL101]\n")
    assert apply([], comments, (), KNOWN, quiet={"app.py"}).notices == ()
    assert apply([finding(3, "FL001")], comments, (), KNOWN).notices == ()
    assert len(apply([], comments, (), KNOWN).notices) == 1


def test_a_notice_can_be_silenced_too() -> None:
    assert applied("x()  # fastlint: ignore[FL101, FL002] kept for 3.10\n").notices == ()
    assert applied("# fastlint: ignore-file[FL003]\nx()  # fastlint: ignore[FL999]\n").notices == ()


def test_the_suppression_of_a_notice_can_be_unused() -> None:
    outcome = applied("x()  # fastlint: ignore[FL002]\n")
    assert [each.written for each in outcome.notices] == ["fastlint: ignore[FL002]"]


def test_per_file_ignores_silence_by_pattern_and_prefix() -> None:
    ignores = (PerFileIgnore("legacy/**", ("FL1",), 4), PerFileIgnore("*_old.py", ("FL105",), 5))
    old = finding(1, path="legacy/deep/a.py")
    kept = finding(1, path="app/a.py")
    outcome = apply([old, kept], [], ignores, KNOWN, settings="pyproject.toml")
    assert outcome.kept == (kept,)
    assert outcome.suppressed == (old,)
    assert [(str(each.where), each.written) for each in outcome.notices] == [
        ("pyproject.toml:5:1", '"*_old.py" = ["FL105"]')
    ]


def test_an_unused_per_file_ignore_is_no_news_where_only_a_part_was_looked_at() -> None:
    assert apply([], [], [PerFileIgnore("legacy/**", ("FL1",))], KNOWN).notices == ()


def test_a_file_without_the_marker_is_not_tokenized(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("tokenized")

    monkeypatch.setattr("tokenize.tokenize", refuse)
    assert read_suppressions(b"x()  # noqa: E501\n", "app.py", KNOWN) == []
    with pytest.raises(AssertionError, match="tokenized"):
        read_suppressions(b"x()  # fastlint: ignore[FL101]\n", "app.py", KNOWN)
