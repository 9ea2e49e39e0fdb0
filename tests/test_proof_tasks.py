"""What FL202, FL207, FL211, FL504 and FL505 claim does happen: the marked cases of fixtures/proof_tasks are driven.

A stand-in for FastAPI registers nothing and hands each function back; the routes are then called as a server would.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import sqlite3
import sys
import threading
import types
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as TimedOut
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "fixtures" / "proof_tasks"
SOON = 0.5  # seconds: what has not happened by then waits for itself
LATE = 30.0  # seconds: for what is certain to happen, however busy the machine is


def stand_in() -> types.ModuleType:
    """A module that looks like FastAPI from where the fixtures stand."""

    class Router:
        def __init__(self, **given: object) -> None: ...

        def __getattr__(self, verb: str) -> Any:
            return lambda path: lambda function: function

    module = types.ModuleType("fastapi")
    vars(module).update(APIRouter=Router, FastAPI=Router, Depends=lambda dependency: dependency)
    return module


@pytest.fixture
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A fresh import of the module of the fixture that the test is named for."""
    monkeypatch.setitem(sys.modules, "fastapi", stand_in())
    path = FOLDER / f"{request.param}.py"
    spec = importlib.util.spec_from_file_location(f"proof_{request.param}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drives(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [name], indirect=True)


async def turns(number: int = 5) -> None:
    """Let everything run that can run."""
    for _ in range(number):
        await asyncio.sleep(0)


# FL207


async def confirmed(case: Any, route: Any) -> list[int]:
    """What is confirmed after a request, a garbage collection, and the answer."""
    await route(7)
    await turns()
    assert 7 in case.awaited  # it waits
    gc.collect()
    await case.answer(7)
    await turns()
    return list(case.done)


@drives("dropped")
def test_a_dropped_task_is_collected_before_it_is_done(case: Any) -> None:
    asyncio.run(confirmed(case, case.bad))
    assert list(case.done) == []


@drives("dropped")
def test_a_kept_task_survives_the_same_collection(case: Any) -> None:
    assert asyncio.run(confirmed(case, case.good)) == [7]


# FL211


@drives("waiting")
def test_a_pool_that_waits_on_itself_stands_still(case: Any) -> None:
    future: Future[int] = asyncio.run(case.bad("four"))
    with pytest.raises(TimedOut):
        future.result(timeout=SOON)
    assert list(case.measured) == []
    case.pool.shutdown(wait=False, cancel_futures=True)  # ends the wait, so that the thread can end
    with pytest.raises(CancelledError):
        future.result(timeout=LATE)


@drives("waiting")
def test_two_pools_come_to_an_end(case: Any) -> None:
    future: Future[int] = asyncio.run(case.good("four"))
    assert future.result(timeout=LATE) == 4
    for pool in (case.pool, case.outer, case.inner):
        pool.shutdown()


# FL504


@drives("unawaited")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_coroutine_that_nobody_awaits_does_nothing(case: Any) -> None:
    asyncio.run(case.bad(1))
    gc.collect()
    assert list(case.saved) == []
    assert asyncio.run(case.open_to_all(-1)) is True  # a coroutine is always true
    gc.collect()


@drives("unawaited")
def test_an_awaited_coroutine_does_its_work(case: Any) -> None:
    asyncio.run(case.good(1))
    assert list(case.saved) == [1]
    assert asyncio.run(case.guarded(-1)) is False


# FL505


async def requested(case: Any, route: Any) -> int:
    """One request: the dependency is entered, the route runs, the dependency ends; then the task goes on."""
    async with asynccontextmanager(case.connection)() as database:
        await route(database)
    result: int = await case.tasks.pop()
    return result


@drives("closed")
def test_a_task_finds_the_session_of_its_request_closed(case: Any) -> None:
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        asyncio.run(requested(case, case.bad))


@drives("closed")
def test_a_task_with_a_session_of_its_own_works(case: Any) -> None:
    assert asyncio.run(requested(case, case.good)) == 1


# FL202


def threads(prefix: str) -> int:
    return sum(thread.name.startswith(prefix) for thread in threading.enumerate())


async def five_requests(route: Any) -> None:
    await asyncio.gather(*[route() for _ in range(5)])


@drives("pools")
def test_every_request_leaves_a_pool_behind(case: Any) -> None:
    asyncio.run(five_requests(case.bad))
    assert threads("mine") == 5
    for pool in case.kept:
        pool.shutdown()


@drives("pools")
def test_one_pool_serves_all_requests(case: Any) -> None:
    asyncio.run(five_requests(case.good))
    assert threads("shared") == 1
    case.shared.shutdown()
