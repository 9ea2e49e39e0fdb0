"""Parsing by several processes: the same facts in the same order, and a lost worker is no lost run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastlint.source import parallel
from fastlint.source.parse import Unreadable, encoded_in_child, parse_encoded

SOURCES = [path.read_bytes() for path in sorted(Path(parallel.__file__).parents[1].rglob("*.py"))] + [b"def f(:\n", b""]


def parsed(sources: list[bytes], jobs: int) -> list[parallel.Parsed]:
    rows = list(parallel.parse_each(sources, jobs))
    assert sorted(number for number, _ in rows) == list(range(len(sources)))
    return [facts for _, facts in sorted(rows, key=lambda row: row[0])]


def shown(facts: parallel.Parsed) -> object:
    return facts if isinstance(facts, bytes) else facts.reason


def test_two_processes_say_the_same_as_one() -> None:
    together = parsed(SOURCES, 2)
    assert sum(map(len, SOURCES)) >= parallel._WORTH_IT
    assert [shown(one) for one in together] == [shown(parse_encoded(source)) for source in SOURCES]
    assert isinstance(together[-2], Unreadable)


def test_what_kills_a_worker_does_not_kill_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    here, deadly = os.getpid(), b"x = 'deadly'\n"

    def parse_or_die(source: bytes) -> parallel.Parsed:
        if source != deadly:
            return parse_encoded(source)
        assert os.getpid() != here, "it would have killed this process"
        os._exit(139)

    def child(source: bytes) -> parallel.Parsed:
        return Unreadable("lost again") if source == deadly else encoded_in_child(source)

    monkeypatch.setattr(parallel, "parse_encoded", parse_or_die)
    monkeypatch.setattr(parallel, "encoded_in_child", child)
    monkeypatch.setattr(parallel, "_WORTH_IT", 0)
    together = parsed([SOURCES[0], deadly, SOURCES[1]], 2)
    assert [shown(one) for one in together] == [
        shown(parse_encoded(SOURCES[0])),
        "lost again",
        shown(parse_encoded(SOURCES[1])),
    ]


def test_little_work_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(parallel, "_parse_forked", never)
    assert len(parsed([b"x = 1\n"], 8)) == 1
    assert len(parsed([b"", b""], 8)) == 2
    assert len(parsed(SOURCES[:2], 1)) == 2


def test_without_more_processes_all_is_parsed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork() -> int:
        raise OSError("no more processes")

    monkeypatch.setattr(os, "fork", no_fork)
    assert [shown(one) for one in parsed(SOURCES, 2)] == [shown(parse_encoded(source)) for source in SOURCES]
