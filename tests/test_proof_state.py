"""Shared state, proved by running: what fixtures mark as FL301, FL302, FL303 and FL309 fails, and their twins do not.

The fixture's functions meet at a place that belongs to the tests (`pace.pause`, `singletons.meet`): the first thread
waits there for the second, so that the bad order happens every time or, behind a lock, cannot happen at all.
"""

from __future__ import annotations

import asyncio
import importlib
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FIXTURE = Path(__file__).parent.parent / "fixtures" / "shared_state"
PATIENCE = 0.2  # how long a thread waits for another one that a lock keeps out
TIME_OUT = 20


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the fixture afresh."""
    monkeypatch.syspath_prepend(str(FIXTURE))
    for name in [name for name in sys.modules if name.partition(".")[0] == "state"]:
        monkeypatch.delitem(sys.modules, name)
    yield lambda name: importlib.import_module(f"state.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "state"]:
        del sys.modules[name]


def meeting(patience: float = TIME_OUT) -> Callable[[], None]:
    """A place where each of two threads waits for the other, and goes on alone where a lock keeps it out."""
    barrier = threading.Barrier(2)

    def wait() -> None:
        try:
            barrier.wait(patience)
        except threading.BrokenBarrierError:
            return

    return wait


def in_threads(*calls: Callable[[], object]) -> list[BaseException]:
    """Run the calls at once, each in a thread; what they raised."""
    raised: queue.Queue[BaseException] = queue.Queue()

    def guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            raised.put(error)

    threads = [threading.Thread(target=guarded, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIME_OUT)
        assert not thread.is_alive()
    return [raised.get_nowait() for _ in range(raised.qsize())]


THREADS: dict[str, tuple[Callable[[Any], object], Callable[[Any], object], object, object]] = {
    # name: (the call, what to look at, what two calls leave where one is lost, what they leave where none is)
    "count_hit": (lambda m: m.count_hit("home"), lambda m: m.hits["home"], 1, 2),
    "count_all": (lambda m: m.count_all(), lambda m: m.total, 1, 2),
    "sell": (lambda m: m.sell("book"), lambda m: m.stock["book"], 99, 98),
    "take_seat": (lambda m: m.take_seat("one"), lambda m: len(m.seats), 2, 1),
    "join": (lambda m: m.join("a", "one"), lambda m: len(m.groups["a"]), None, 2),
    "number": (lambda m: m.number(), lambda m: m.last, 1, 2),
    "meter": (lambda m: m.meter.count(), lambda m: m.meter.value, 1, 2),
    "limit": (lambda m: m.Meter.raise_limit(), lambda m: m.Meter.limit, 1, 2),
}


def drive(module: Callable[[str], Any], name: str, case: str, monkeypatch: pytest.MonkeyPatch) -> object:
    call, look, *_ = THREADS[case]
    state = module(name)
    monkeypatch.setattr(module("pace"), "pause", meeting(PATIENCE if name == "locked" else TIME_OUT))
    assert in_threads(lambda: call(state), lambda: call(state)) == []
    return look(state)


@pytest.mark.parametrize("case", [case for case in THREADS if case != "join"])
def test_without_a_lock_one_update_is_lost(
    case: str, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drive(module, "unlocked", case, monkeypatch) == THREADS[case][2]


@pytest.mark.parametrize("case", THREADS)
def test_with_a_lock_none_is_lost(case: str, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert drive(module, "locked", case, monkeypatch) == THREADS[case][3]


def test_an_empty_list_replaces_what_the_other_has_put_in(
    module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = module("unlocked")
    found, filled = threading.Event(), threading.Event()

    def pause() -> None:
        if threading.current_thread() is late:
            found.set()
            assert filled.wait(TIME_OUT)

    monkeypatch.setattr(module("pace"), "pause", pause)
    late = threading.Thread(target=state.join, args=("a", "late"), daemon=True)
    late.start()
    assert found.wait(TIME_OUT)
    state.join("a", "early")
    filled.set()
    late.join(TIME_OUT)
    assert state.groups == {"a": ["late"]}


def test_a_removal_finds_nothing_to_remove(module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("pace"), "pause", meeting())
    unlocked, locked = module("unlocked"), module("locked")
    raised = in_threads(lambda: unlocked.finish("first"), lambda: unlocked.finish("first"))
    assert [type(error) for error in raised] == [KeyError]
    monkeypatch.setattr(module("pace"), "pause", meeting(PATIENCE))
    assert in_threads(lambda: locked.finish("first"), lambda: locked.finish("first")) == []


def test_two_stretches_of_one_lock_do_not_help(module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("pace"), "pause", meeting())
    halves = module("halves")
    assert in_threads(lambda: halves.sell("book"), lambda: halves.sell("book")) == []
    assert halves.stock["book"] == 99


def test_a_price_that_is_set_without_the_lock_is_overwritten(
    module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = module("halves")
    read, written = threading.Event(), threading.Event()

    def pause() -> None:
        read.set()
        assert written.wait(TIME_OUT)

    monkeypatch.setattr(module("pace"), "pause", pause)
    raising = threading.Thread(target=halves.raise_price, args=("book",), daemon=True)
    raising.start()
    assert read.wait(TIME_OUT)
    halves.set_price("book", 500)
    written.set()
    raising.join(TIME_OUT)
    assert halves.prices["book"] == 11


TASKS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], object], object, object]] = {
    "pay": (lambda m: m.pay("alice"), lambda m: m.balances["alice"], 99, 98),
    "add": (lambda m: m.add(1), lambda m: m.total, 1, 2),
    "raise_price": (lambda m: m.raise_price("book"), lambda m: m.prices["book"], 1, 2),
    "take_seat": (lambda m: m.take_seat("one"), lambda m: len(m.seats), 2, 1),
    "start": (lambda m: m.start(), lambda m: len(m.started), 2, 1),
    "number": (lambda m: m.number(), lambda m: m.last, 1, 2),
    "meter": (lambda m: m.meter.count(), lambda m: m.meter.value, 1, 2),
}


async def both(call: Callable[[Any], Any], state: ModuleType) -> list[object]:
    return await asyncio.wait_for(asyncio.gather(call(state), call(state), return_exceptions=True), TIME_OUT)


@pytest.mark.parametrize("case", TASKS)
def test_what_was_read_before_an_await_is_stale(case: str, module: Callable[[str], Any]) -> None:
    call, look, lost, kept = TASKS[case]
    stale, fresh = module("stale"), module("fresh")
    assert not any(isinstance(each, BaseException) for each in asyncio.run(both(call, stale)))
    assert look(stale) == lost
    assert not any(isinstance(each, BaseException) for each in asyncio.run(both(call, fresh)))
    assert look(fresh) == kept


def test_somebody_else_has_left_first(module: Callable[[str], Any]) -> None:
    outcomes = asyncio.run(both(lambda m: m.leave("first"), module("stale")))
    assert [type(each) for each in outcomes] == [type(None), KeyError]
    assert asyncio.run(both(lambda m: m.leave("first"), module("fresh"))) == [None, None]


HOLDING = """
import asyncio
from state import holding

async def take():
    async for _ in holding.stream():
        await asyncio.sleep(0)

async def main():
    print("ready", flush=True)
    await asyncio.gather({call}, {call})

asyncio.run(main())
"""


STUCK = ("holding.plainly()", "holding.through_a_manager()", "holding.by_hand()", "take()")


def hangs(call: str) -> bool:
    """Whether two tasks that run this stop their process for good; a process of its own, as nothing can stop them."""
    command = [sys.executable, "-c", HOLDING.format(call=call)]
    with subprocess.Popen(command, cwd=FIXTURE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        try:
            assert run.wait(1 if call in STUCK else TIME_OUT) == 0
        except subprocess.TimeoutExpired:
            run.kill()
            return True
        return False


@pytest.mark.parametrize("call", STUCK)
def test_a_lock_of_threads_over_an_await_stops_the_loop(call: str) -> None:
    assert hangs(call)


@pytest.mark.parametrize("call", ["holding.with_the_right_lock()", "holding.given_back()", "holding.attempt()"])
def test_the_twins_of_held_locks_come_to_their_end(call: str) -> None:
    assert not hangs(call)


def test_two_threads_make_two_clients_and_a_second_look_only_one(
    module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    singletons = module("singletons")
    monkeypatch.setattr(singletons, "meet", meeting())
    assert in_threads(singletons.get_plain, singletons.get_plain) == []
    assert [client.name for client in singletons.made] == ["plain", "plain"]
    singletons.made.clear()
    monkeypatch.setattr(singletons, "meet", meeting(PATIENCE))
    assert in_threads(singletons.get_looked_twice, singletons.get_looked_twice) == []
    assert [client.name for client in singletons.made] == ["twice"]


@pytest.mark.parametrize(
    ("case", "made"), [("get_awaited", 2), ("get_created", 2), ("get_awaited_once", 1), ("get_at_once", 1)]
)
def test_a_client_made_over_an_await_is_made_twice(case: str, made: int, module: Callable[[str], Any]) -> None:
    singletons = module("singletons")
    asyncio.run(both(lambda m: getattr(m, case)(), singletons))
    assert len(singletons.made) == made
