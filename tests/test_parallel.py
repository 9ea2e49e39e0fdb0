"""Parsing by several processes: the same facts in the same order, and a lost worker is no lost run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fastlint.source import parallel
from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import Unreadable, parse, to_json

SOURCES = [path.read_bytes() for path in sorted(Path(parallel.__file__).parents[1].rglob("*.py"))] + [b"def f(:\n", b""]


def shown(parsed: parallel.Parsed) -> object:
    return to_json(parsed) if isinstance(parsed, ModuleFacts) else parsed.reason


def test_two_processes_say_the_same_as_one() -> None:
    told: list[int] = []
    together = parallel.parse_all(SOURCES, 2, told.append)
    assert sum(map(len, SOURCES)) >= parallel._WORTH_IT
    assert sum(told) == len(SOURCES)
    assert [shown(one) for one in together] == [shown(parse(source)) for source in SOURCES]
    assert isinstance(together[-2], Unreadable)


def test_a_lost_worker_leaves_its_files_to_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()

    def lost(source: bytes) -> parallel.Parsed:
        if os.getpid() != here:
            os._exit(1)
        return Unreadable("parsed here")

    monkeypatch.setattr(parallel, "parse", lost)
    monkeypatch.setattr(parallel, "_WORTH_IT", 0)
    assert [shown(one) for one in parallel.parse_all(SOURCES[:3], 2, lambda _: None)] == ["parsed here"] * 3


def test_little_work_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(parallel, "_forked", never)
    assert len(parallel.parse_all([b"x = 1\n"], 8, lambda _: None)) == 1
    assert len(parallel.parse_all(SOURCES[:2], 1, lambda _: None)) == 2
