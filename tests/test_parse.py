"""Whatever the bytes, `parse` gives facts or says why not: never an exception, never a lost process."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from accidents import mutant

from fastlint.source.encoding import decode, encode
from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import Unreadable, parse, parse_here, suspicious

FIXTURES = Path(__file__).parent.parent / "fixtures"


def called(read: ModuleFacts | Unreadable) -> list[str]:
    """The names that the module calls: what has facts is known by them."""
    assert isinstance(read, ModuleFacts), read
    return sorted(read.mentions)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(b"f()\n", id="plain"),
        pytest.param(b"f()", id="no last newline"),
        pytest.param(b"f()\r\n", id="CRLF"),
        pytest.param(b"f()\r", id="CR"),
        pytest.param(b"if a:\r\n    f()\n", id="mixed line ends"),
        pytest.param(b"\xef\xbb\xbff()\n", id="byte-order mark"),
        pytest.param(b"# -*- coding: latin-1 -*-\nf('\xe9')\n", id="latin-1"),
        pytest.param(b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nf('\x80')\n", id="cookie in line two"),
        pytest.param(b"\xef\xbb\xbf# coding: utf-8\nf()\n", id="mark and cookie"),
        pytest.param("f('日本', é)\n".encode(), id="UTF-8"),
        pytest.param(b"\x0cf()\n\x0c\n", id="form feed"),
        pytest.param(b"if a:\n\tf()\n", id="tabs"),
        pytest.param(b"x = \\\n  f()\n", id="continuation"),
        pytest.param(b"# a comment\n\n\nf()\n# the end", id="comments"),
        pytest.param(b"f(" + b"1, " * 50_000 + b")\n", id="huge line"),
        pytest.param(b"x = '" + b"a" * 1_500_000 + b"'\nf()\n", id="huge string"),
        pytest.param(b"f()\n" * 2_000, id="many lines"),
        pytest.param(b"x = " + b"1 + " * 400 + b"f()\n", id="long sum"),
        pytest.param(b"f" + b".a" * 400 + b"\nf()\n", id="long chain"),
        pytest.param(b"if a: pass\n" + b"elif b: pass\n" * 450 + b"else: f()\n", id="long elif"),
        pytest.param(b"x = " + b"'a' " * 400 + b"\nf()\n", id="many string parts"),
    ],
)
def test_what_python_reads_has_facts(source: bytes) -> None:
    assert called(parse(source)) == ["f"]


@pytest.mark.parametrize(
    "source", [b"", b"\n", b"\xef\xbb\xbf", b"# only\n# comments", b"  \t \n", b"\x0c", b"'''x'''"]
)
def test_a_file_without_code_has_empty_facts(source: bytes) -> None:
    read = parse(source)
    assert isinstance(read, ModuleFacts)
    assert (read.body, read.functions, read.classes, read.mentions) == ([], [], [], {})


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        pytest.param(b"x = 1\ndef f(:\n    pass\n", 2, "syntax error: ", id="broken"),
        pytest.param(b"x = 1\n\n  y = 2\n", 3, "syntax error: unexpected indent", id="indented"),
        pytest.param(b"f(\n", 1, "syntax error: '(' was never closed", id="unclosed"),
        pytest.param(b"x = 'a\n", 1, "syntax error: unterminated string literal", id="unterminated string"),
        pytest.param(b"print 'python 2'\n", 1, "syntax error: ", id="Python 2"),
        pytest.param(b"<<<<<<< HEAD\nx = 1\n", 1, "syntax error: ", id="merge conflict"),
        pytest.param(b"x = {{ cookiecutter.name }\n", 1, "syntax error: ", id="template"),
        pytest.param(b"x = 1\ny\0 = 2\n", 2, "null bytes", id="NUL"),
        pytest.param(b"\x7fELF\x02\x01\x01\0\0", 1, "null bytes", id="a program"),
        pytest.param(b"x = 1\ny = '\xe9'\n", 2, "not valid utf-8", id="latin-1 without a cookie"),
        pytest.param(b"# coding: no-such-thing\nf()\n", 1, "no-such-thing", id="unknown encoding"),
        pytest.param("f()\n".encode("utf-16"), 1, "", id="UTF-16"),
    ],
)
def test_what_python_refuses_is_told_with_its_line(source: bytes, line: int, reason: str) -> None:
    read = parse(source)
    assert isinstance(read, Unreadable), read
    assert read.line == line
    assert reason in read.reason
    assert "\n" not in read.reason
    assert read.column >= 1


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(b"f(" * 5_000 + b")" * 5_000, id="calls"),
        pytest.param(b"x = " + b"[" * 20_000 + b"]" * 20_000, id="lists"),
        pytest.param(b"x = " + b"(" * 20_000, id="unclosed"),
        pytest.param(b"x = " + b"{1:" * 3_000 + b"1" + b"}" * 3_000, id="dictionaries"),
        pytest.param(b"x = " + b"lambda: " * 20_000 + b"1\n", id="lambdas"),
        pytest.param(b"x = " + b"not " * 20_000 + b"1\n", id="nots"),
        pytest.param(b"x = " + b"-" * 60_000 + b"1\n", id="signs"),
        pytest.param(b"x = (\n" + b"-\n" * 30_000 + b"1)\n", id="signs on lines"),
        pytest.param(b"x = (\n" + b"a **\n" * 30_000 + b"1)\n", id="powers on lines"),
        pytest.param(b"import a" + b".a" * 9_500 + b"\n", id="import"),
        pytest.param(b"x = " + b"1 if a else " * 600 + b"1\n", id="conditionals"),
        pytest.param(b"x = a" + b".b()" * 600 + b"\n", id="chain"),
        pytest.param(b"if a: pass\n" + b"elif b: c()\n" * 3_000, id="elif"),
        pytest.param(b"".join(b" " * depth + b"if a:\n" for depth in range(99)) + b" " * 99 + b"f()\n", id="blocks"),
    ],
)
def test_deep_nesting_does_not_take_this_process_with_it(source: bytes) -> None:
    read = parse(source)
    assert isinstance(read, (ModuleFacts, Unreadable))
    if isinstance(read, Unreadable):
        assert "nested too deeply" in read.reason or "syntax error" in read.reason


@pytest.mark.parametrize(
    "source",
    [
        b"x = " + b"[" * 101,
        b"x = " + b"-" * 1_000 + b"1",
        b"x = " + b"not " * 1_000 + b"1",
        b"x = " + b"1 if a else " * 500 + b"1",
        b"x = a" + b".b" * 500,
        b"import a" + b".a" * 500,
        b"x = (a\n" + b"    .b()\n" * 500 + b")",
        b"x = (\n" + b"    a +\n\n" * 500 + b"1)",
        b"x = (\n" + b"    # why\n    lambda:\n" * 500 + b"1)",
        b"#" * 1_000_001,
    ],
)
def test_what_could_exhaust_the_parser_is_left_to_a_child(source: bytes) -> None:
    assert suspicious(source)


@pytest.mark.parametrize("folder", ["bench", "fastlint", "fixtures", "tests"])
def test_what_people_write_is_not_left_to_a_child(folder: str) -> None:
    left = [path for path in (FIXTURES.parent / folder).rglob("*.py") if suspicious(path.read_bytes())]
    assert [path.name for path in left if "broken" not in path.parts] == []


def test_a_parser_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, timeout: float, **options: object) -> None:
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", never)
    assert parse(b"x = " + b"-" * 1_000 + b"1") == Unreadable("the parser did not finish within 10 s")
    assert parse(b"#" * 2_000_000) == Unreadable("the parser did not finish within 50 s")


def test_what_the_child_reads_is_what_this_process_would_read() -> None:
    nested = b"x = " + b"[" * 101 + b"f(a.b, *c, k='v')" + b"]" * 101 + b"\nclass C:\n    def m(self): self.n = 1\n"
    assert suspicious(nested)
    there, here = parse(nested), parse_here(nested)
    assert isinstance(there, ModuleFacts)
    assert isinstance(here, ModuleFacts)
    assert plain(there) == plain(here)
    assert type(there.functions[0]) is type(here.functions[0])
    assert type(there.functions[0].params[0]) is type(here.functions[0].params[0])


def test_a_child_says_why_and_where_as_this_process_would() -> None:
    assert parse(b"x = " + b"[" * 101 + b"\n") == parse_here(b"x = " + b"[" * 101 + b"\n")


def test_the_child_never_imports_what_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    for name in ("libcst", "json", "fastlint"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    assert called(parse(b"f(" + b"[" * 101 + b"]" * 101 + b")")) == ["f"]
    assert not mark.exists()


def plain(value: Any) -> Any:
    """Records as JSON has them: lists for tuples."""
    if isinstance(value, ModuleFacts):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def test_facts_survive_json() -> None:
    for path in sorted((FIXTURES / "demo").rglob("*.py")):
        read = parse(path.read_bytes())
        assert isinstance(read, ModuleFacts)
        assert plain(decode(encode(read))) == plain(read)


def test_three_hundred_accidents_end_in_facts_or_a_reason() -> None:
    source = (FIXTURES / "implicit_calls").rglob("*.py")
    longest = max((path.read_bytes() for path in source), key=len)
    chance = random.Random(5)
    readable = 0
    for _ in range(300):
        changed = mutant(longest, chance)
        read = parse(changed)
        if isinstance(read, ModuleFacts):
            readable += 1
        else:
            assert read.reason
            assert 1 <= read.line <= changed.count(b"\n") + changed.count(b"\r") + 1
    # Both endings are really met.
    assert 30 < readable < 270


def test_parsing_leaves_the_recursion_limit_alone() -> None:
    before = sys.getrecursionlimit()
    parse(b"x = " + b"[" * 150 + b"]" * 150)
    assert sys.getrecursionlimit() == before
