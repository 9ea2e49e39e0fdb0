"""FL303 and FL304: locks that keep out the wrong ones: of threads, held over an await; of tasks, used by threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.checks.ways import confidence_of, spelled_lock, steps_to
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.graph.accesses import THREADS, Flow, Hold
from fastlint.graph.contexts import Context, State
from fastlint.graph.sharing import Served
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.nodes import calls_within

# Methods that wake up tasks: asyncio lets only the loop's own thread call them
_LOOP_ONLY = {
    "asyncio.Lock": frozenset(
        {"set", "clear", "release", "notify", "notify_all"}
    ),  # Event, Condition and Semaphore too
    "asyncio.Queue": frozenset({"put_nowait", "get_nowait", "task_done"}),
    "asyncio.Future": frozenset({"set_result", "set_exception", "cancel"}),
    "asyncio.Task": frozenset({"cancel"}),
    "asyncio.AbstractEventLoop": frozenset({"call_soon", "call_later", "call_at", "create_task", "stop"}),
    "anyio.Lock": frozenset({"set", "release", "notify", "notify_all"}),
}
_NAMES = frozenset().union(*_LOOP_ONLY.values())
# Who asks which loop runs, or has the safe way at hand, knows that there are threads
_ASKS_FOR_LOOP = ("get_running_loop", "_get_running_loop", "call_soon_threadsafe")
_RUNS_LOOP = ("run_forever", "run_until_complete")


def locks_across_await(project: Project) -> Iterator[Finding]:
    """FL303: a lock of threads is held while the loop goes on with others, who wait for it and stop the loop."""
    sharing = project.graph.sharing
    takers = _takers(project)
    for flow in list(sharing.flows()):
        served = sharing.served.get(flow.function)
        if served is None or served.loop is None:
            continue
        done: set[int] = set()
        for wait in flow.waits:
            for hold in wait.holds:
                if hold.site in done or not _is_wanted(hold, flow, served, takers):
                    continue
                if _is_own(hold, flow, takers) and sharing.held_above(served.loop):
                    continue  # whoever comes here holds another lock: one task at a time
                done.add(hold.site)
                yield _across(project, flow, served.loop, hold, wait.site)


def _is_wanted(hold: Hold, flow: Flow, served: Served, takers: dict[Any, set[Any]]) -> bool:
    """Whether anybody else on the loop takes the lock: the same code again, or other code."""
    return served.loop_many or bool(takers.get(hold.lock, set()) - {flow.function})


def _is_own(hold: Hold, flow: Flow, takers: dict[Any, set[Any]]) -> bool:
    """Whether no other function takes the lock: it has a local name, or nobody else asks for it."""
    return (hold.lock[0] == "here" and "." not in hold.lock[1]) or takers.get(hold.lock) == {flow.function}


def _takers(project: Project) -> dict[Any, set[Any]]:
    """Who takes a lock in loop code."""
    sharing = project.graph.sharing
    out: dict[Any, set[Any]] = {}
    for flow in sharing.flows():
        served = sharing.served.get(flow.function)
        if served is not None and served.loop is not None:
            for hold in flow.holds:
                out.setdefault(hold.lock, set()).add(flow.function)
    return out


def _across(project: Project, flow: Flow, state: State, hold: Hold, wait: int) -> Finding:
    name = spelled_lock(project, hold.lock) or "a lock"
    if hold.reentrant:
        what = "the whole loop is one thread, so this kind of lock lets the next task in: it guards nothing"
    elif hold.limited:
        what = "the next task that wants the lock stops the loop until its time limit, and then gets no lock"
    else:
        what = "the next task that wants the lock stops the thread that would have to give it back"
    return project.found(
        "FL303",
        project.where(flow.function, hold.site),
        {"call": name, "instead": "`asyncio.Lock` and `async with`"},
        severity=Severity.WARNING if hold.limited else None,
        confidence=confidence_of(project, state),
        steps=steps_to(project, state, hold.site, f"takes {name}"),
        related=(Step(project.where(flow.function, wait), f"awaits while {name} is held"),),
        notes=(what,),
        symbol=project.graph.world.dotted_name(flow.function),
        subject=name,
    )


def wrong_locks(project: Project) -> Iterator[Finding]:
    """FL304: threads use what belongs to the loop; and loop code that keeps out loop code with a lock of threads."""
    sharing = project.graph.sharing
    for ref in sorted(sharing.served, key=project.graph.world.turn):
        served = sharing.served[ref]
        if served.pool is None or not sharing.calls_by_name(ref, _NAMES):
            continue
        ways = _places(project, served.pool)
        if project.graph.world.function(ref).is_async or any(sharing.calls_by_name(at, _ASKS_FOR_LOOP) for at in ways):
            continue
        # On a loop of its own (`asyncio.run`) a thread has primitives of its own; those of the module are everybody's
        own_loop = any(
            project.graph.world.function(at).is_async or sharing.calls_by_name(at, _RUNS_LOOP) for at in ways
        )
        everybodys = project.graph.world.modules[ref[0]].bindings
        for call in calls_within(project.graph.world.function(ref).body):
            callee = call[2]
            if callee is None or callee[0] != "a" or callee[3] not in _NAMES:
                continue
            kind = sharing.type_of(callee[2], ref)
            if kind is None or callee[3] not in _LOOP_ONLY.get(kind, ()):
                continue
            if own_loop and not (callee[2][0] == "n" and callee[2][1] in everybodys):
                continue
            yield _from_thread(project, served.pool, call)
    yield from _loop_only_locks(project)


def _places(project: Project, state: State) -> list[FunctionRef]:
    """The functions by which a thread comes to a state, that of the state included."""
    variants = project.graph.variants
    way = project.graph.contexts.way(state)
    places = [variants[number].function for (number, context), _ in way if context is Context.POOL]
    return [ref for ref in places if ref[1] >= 0]


def _from_thread(project: Project, state: State, call: Any) -> Finding:
    function = project.graph.variants[state[0]].function
    shown = f"{project.graph.sharing.spelled(call[2])}()"
    return project.found(
        "FL304",
        project.where(function, call[1]),
        {"call": shown, "instead": "`loop.call_soon_threadsafe(…)` from the thread, or a primitive of `threading`"},
        confidence=confidence_of(project, state),
        steps=steps_to(project, state, call[1], f"{shown} in a worker thread"),
        notes=("asyncio's primitives are not thread-safe: the task that waits may never wake up",),
        symbol=project.graph.world.dotted_name(function),
        subject=shown,
    )


def _loop_only_locks(project: Project) -> Iterator[Finding]:
    """A lock of threads that only loop code takes, never over an await: loop code cannot get in between anyway."""
    sharing = project.graph.sharing
    waited = {hold.lock for flow in sharing.flows() for wait in flow.waits for hold in wait.holds}
    users: dict[Any, list[tuple[Flow, Hold]]] = {}
    for flow in sharing.flows():
        for hold in flow.holds:
            # A plain function may be meant for threads as well
            if hold.keeps_out == THREADS and hold.lock[0] in ("global", "attr"):
                users.setdefault(hold.lock, []).append((flow, hold))
    for lock, rows in users.items():
        served = [sharing.served.get(flow.function) for flow, _ in rows]
        states = [each.loop for each in served if each is not None and each.loop is not None and each.pool is None]
        in_loop_code = all(project.graph.world.function(flow.function).is_async for flow, _ in rows)
        if (
            lock in waited
            or not in_loop_code
            or len(states) < len(rows)
            or not sharing.only_used_by(lock, {f.function for f, _ in rows})
        ):
            continue
        flow, hold = rows[0]
        name = spelled_lock(project, lock)
        related = tuple(
            Step(project.where(other.function, each.site), f"taken on the loop too: {name}")
            for other, each in rows[1:4]
        )
        yield project.found(
            "FL304",
            project.where(flow.function, hold.site),
            {"call": name, "instead": "nothing, as long as no await comes between, else `asyncio.Lock`"},
            severity=Severity.INFO,
            confidence=confidence_of(project, states[0], Confidence.MEDIUM),
            steps=steps_to(project, states[0], hold.site, f"takes {name}"),
            related=related,
            notes=("only loop code takes this lock, and loop code is never interrupted between two awaits",),
            symbol=project.graph.world.dotted_name(flow.function),
            subject=name,
        )
