"""The process that is started ahead: it says what this one would, and is not missed where it is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fastlint.source import ahead, hosting, parallel
from fastlint.source.parse import Unreadable, parse_encoded, written

SOURCES = [path.read_bytes() for path in sorted(Path(parallel.__file__).parent.glob("*.py"))] + [b"def f(:\n", b""]
WANTED = list(map(parse_encoded, SOURCES))

Receive = Callable[[], "bytes | None"]
Send = Callable[[bytes], None]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Receive, Send], None]], None]]:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("there is no such process on this system")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(ahead, "_child", None)
    yield ahead.start
    for each in ahead._child or ():
        os.close(each)


def parsed(sources: Sequence[bytes], jobs: int = 1) -> list[parallel.Parsed]:
    rows = list(hosting.parse_each(sources, jobs))
    assert sorted(number for number, _ in rows) == list(range(len(sources)))
    return [facts for _, facts in sorted(rows, key=lambda row: row[0])]


def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(sources: list[bytes], _jobs: int) -> Iterator[tuple[int, parallel.Parsed]]:
        assert not sources, "parsed by the first process"
        yield from ()

    monkeypatch.setattr(parallel, "parse_each", never)


@pytest.mark.parametrize("least", [0, 1 << 30], ids=["by workers", "by itself"])
def test_it_says_what_this_process_says_and_can_be_asked_again(
    start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    monkeypatch.setattr(parallel, "_WORTH_IT", least)
    start(hosting.serve)
    nothing_here(monkeypatch)
    assert any(isinstance(facts, Unreadable) for facts in WANTED)
    assert parsed(SOURCES, 2) == WANTED
    assert parsed([]) == []
    assert parsed(SOURCES[:1]) == WANTED[:1]


def test_without_it_all_is_parsed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_child", None)
    assert parsed(SOURCES) == WANTED


@pytest.mark.parametrize("child", ["import os; os._exit(3)", "import sys; sys.stdout.write('x')"])
def test_lost_at_once_it_is_not_missed(monkeypatch: pytest.MonkeyPatch, child: str) -> None:
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    with subprocess.Popen([sys.executable, "-c", child], stdin=asked, stdout=answer):
        os.close(asked)
        os.close(answer)
    monkeypatch.setattr(ahead, "_child", (ask, answered))
    assert parsed(SOURCES) == WANTED
    assert ahead._child is None
    assert list(ahead.ask([b"1 1", b""])) == []


def test_lost_midway_the_rest_is_parsed_here(start: Callable[..., None]) -> None:
    def one_and_no_more(receive: Receive, send: Send) -> None:
        receive()
        send((3).to_bytes(4, "big") + written(WANTED[3]))

    start(one_and_no_more)
    assert parsed(SOURCES) == WANTED


def test_who_does_not_hear_it_out_asks_no_more(start: Callable[..., None]) -> None:
    """What it would still say would be taken for the answer to another question."""
    start(hosting.serve)
    rows = hosting.parse_each(SOURCES, 1)
    next(rows)
    rows.close()
    assert ahead._child is None
    assert parsed(SOURCES[::-1]) == WANTED[::-1]


def test_what_kills_it_does_not_kill_the_run(start: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    here, deadly = os.getpid(), SOURCES[2]

    def parse_or_die(source: bytes) -> parallel.Parsed:
        if source != deadly:
            return parse_encoded(source)
        assert os.getpid() != here, "it would have killed this process"
        os._exit(139)

    monkeypatch.setattr(parallel, "parse_encoded", parse_or_die)
    monkeypatch.setattr(hosting, "encoded_in_child", lambda source: Unreadable(f"lost again: {source == deadly}"))
    monkeypatch.setattr(parallel, "_WORTH_IT", 1 << 30)
    start(hosting.serve)
    assert parsed(SOURCES) == [*WANTED[:2], Unreadable("lost again: True"), *WANTED[3:]]


def test_nonsense_is_not_taken_for_facts(start: Callable[..., None]) -> None:
    def nonsense(receive: Receive, send: Send) -> None:
        for _ in range(len(SOURCES) + 1):
            receive()
        for answer in (b"\0\0\0\1refused {", b"\0\0\0\2refused [1, 2, 3, 4, 5]", b"\0\0\1\0facts", b""):
            send(answer)

    start(nonsense)
    assert parsed(SOURCES) == WANTED


def test_where_nobody_listens_the_rest_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def endless(_sources: list[bytes], _jobs: int) -> Iterator[tuple[int, parallel.Parsed]]:
        try:
            while True:
                yield 0, b""
        finally:
            ended.append("here")

    def closed(_message: bytes) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(parallel, "parse_each", endless)
    with pytest.raises(BrokenPipeError):
        hosting.serve(iter([b"1 1", b"x = 1"]).__next__, closed)
    assert ended == ["here"]
