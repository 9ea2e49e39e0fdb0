"""FL301, FL302 and FL309: two requests meet in shared state, and one does not see what the other has done.

Works on accesses and the contexts in which they run. What only one thread or task ever does stays quiet, and so does
what is written whole (`d[k] = v`) unless a lock guards the same state elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from fastlint.checks.ways import confidence_of, runs_in, spelled, spelled_lock, steps_to
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.graph.accesses import (
    ABSENT,
    ADD,
    ANYBODY,
    DROP,
    EQUAL,
    LIMIT,
    PRESENT,
    PUT,
    REBIND,
    TASKS,
    TEST,
    THREADS,
    UPDATE,
    VALUE,
    WRITES,
    Access,
    Basis,
)
from fastlint.graph.contexts import Context, State
from fastlint.graph.newborn import in_own_thread, own_class, writes_newborn
from fastlint.graph.origins import assigned_to, is_kept_as_read
from fastlint.graph.places import Key, is_container, maker
from fastlint.graph.state import ONCE
from fastlint.project import Project
from fastlint.source.facts import Node

_LOST = "the value that it makes out of the old one overwrites what the other has written meanwhile"
_GONE = "the other has removed it meanwhile, and removing it again raises"
_OVER = "both have seen room under the limit, and together they exceed it"
_BOTH = "both have seen the same value, and both go ahead"
_EMPTIED = "what the other has put in meanwhile is replaced by an empty one"
_WHOLE = "one step under the GIL, so probably nothing is lost; a free-threaded build of Python does not promise that"


_MAKERS = re.compile(r"_*(create|make|build|connect|open|init|new|start|setup|set_up|from_|load_?model)", re.IGNORECASE)
_KEEPING = frozenset({"client", "engine"})  # the parts of a library's objects that keep connections
_RESOURCES = re.compile(
    "client|session|pool|engine|connect|lock|semaphore|transport|executor|driver|model|channel|socket|process|thread|handler",
    re.IGNORECASE,
)
# Who asks whether this is the main thread knows that there are others, and lets only one of them in
_ASKS_FOR_THREAD = frozenset({"main_thread"})
_COMPARED = frozenset({VALUE, EQUAL, LIMIT, TEST})


class _Race(NamedTuple):
    """A write and the earlier read that it rests on."""

    access: Access
    basis: Basis | None
    why: str


def unlocked_state(project: Project) -> Iterator[Finding]:
    """FL301: threads change the same state, and one of them loses."""
    for place, accesses in project.graph.sharing.written():
        done: set[object] = set()
        for access in accesses:
            race = _between_threads(access)
            if race is None or access.function in done or _puts_back(project, access):
                continue
            found = _thread_finding(project, place, race, accesses)
            if found is not None:
                done.add(access.function)
                yield found
        yield from _whole_writes(project, place, accesses, done)


def _between_threads(access: Access) -> _Race | None:
    for basis in sorted(access.bases, key=lambda one: one.site):
        why = _harm(access, basis)
        kept_out = [each for each in access.bases if _kept_out(access, each, (THREADS, ANYBODY))]
        if why and basis not in kept_out and not _looked_again(basis, kept_out):
            return _Race(access, basis, why)
    return None


def _puts_back(project: Project, access: Access) -> bool:
    """Whether what is put under a key is what was found there, or was made because there was nothing: one as good as
    the other."""
    value = access.value
    if access.kind != PUT or access.through is not None or value is None or value[0] != "n":
        return False
    return is_kept_as_read(project.graph.world.function(access.function).body, value[1])


def _looked_again(basis: Basis, fresh: list[Basis]) -> bool:
    """Whether a value was read once more where nobody could get in until the write, and compared with what was read
    before, or merged with it; that something is still there says nothing of its value."""
    return basis.how == VALUE and any(other.site > basis.site and other.how in _COMPARED for other in fresh)


def _harm(access: Access, basis: Basis) -> str:
    """What goes wrong if somebody changes the state between the read and the write; nothing where it is harmless."""
    kind, how = access.kind, basis.how
    if how == VALUE and any(other.how == ABSENT for other in access.bases):
        return ""  # there was nothing that could get lost
    if how == VALUE:
        return _LOST if kind in (REBIND, PUT, UPDATE) else ""
    if how == PRESENT:
        return _GONE if kind == DROP else ""
    if how == LIMIT:
        # A count of failures (a circuit breaker) may exceed its limit: nobody gets more than there is
        return _OVER if kind in (ADD, UPDATE) and not access.failing else ""
    if how == EQUAL:
        return _BOTH if kind == REBIND and access.value is not None and access.value[0] == "k" else ""
    if how == ABSENT and kind == PUT and _is_empty(access.value):
        return _EMPTIED
    return ""


def _is_empty(value: Node) -> bool:
    if value is None:
        return False
    if value[0] == "k":
        return value[1] == 0 and value[1] is not False
    return (is_container(value) and value[0] != "comp" and not any(value[1:2])) or (
        value[0] == "c" and maker(value) in ("list", "dict", "set", "deque", "Counter") and not value[3]
    )


def _kept_out(access: Access, basis: Basis, whom: tuple[str, ...]) -> bool:
    """Whether one lock was held from the read to the write."""
    return any(hold.keeps_out in whom for hold in access.locks & basis.locks)


def _thread_finding(project: Project, place: Key, race: _Race, accesses: list[Access]) -> Finding | None:
    sharing = project.graph.sharing
    access = race.access
    served = sharing.served[access.function]
    state, other = _meeting(project, access, accesses)
    if state is None:
        return None
    sure = race.access.calls_between or race.why == _GONE
    best = Confidence.HIGH if sure and place[0] == "global" else Confidence.MEDIUM
    name = spelled(project, place)
    guard = _guard_elsewhere(project, accesses)
    notes = [f"two calls at once: {race.why}"]
    if served.pool_many and state[1] is Context.POOL:
        notes.append("requests run it in several worker threads at once")
    return project.found(
        "FL301",
        project.where(access.function, access.site),
        {"call": name, "instead": guard or "one `threading.Lock`"},
        confidence=confidence_of(project, state, best),
        steps=steps_to(project, state, access.site, f"changes {name} {runs_in(state)}"),
        related=_related(project, place, race, accesses, other),
        notes=tuple(notes),
        symbol=project.graph.world.dotted_name(access.function),
        subject=name,
    )


def _meeting(project: Project, access: Access, accesses: list[Access]) -> tuple[State | None, Access | None]:
    """The state in which an unguarded write runs while another thread can write too, and that other write."""
    sharing = project.graph.sharing
    served = sharing.served[access.function]
    if writes_newborn(sharing, access) or in_own_thread(sharing, access):
        return None, None
    if served.pool is not None and not _is_guarded(project, access, served.pool):
        if served.pool_many or (served.queue is not None and served.loop_many):
            return served.pool, None
        for other in _other_writes(project, access, accesses):
            theirs = sharing.served[other.function]
            beside = theirs.pool is not None and theirs.queue != served.queue and not _is_once(project, theirs.pool)
            if theirs.loop is not None or theirs.pool_many or beside:
                return served.pool, other
    if served.loop is not None and not _is_guarded(project, access, served.loop):
        for other in _other_writes(project, access, accesses):
            theirs = sharing.served[other.function]
            if theirs.pool is not None and not _is_once(project, theirs.pool):
                return served.loop, other
    return None, None


def _other_writes(project: Project, access: Access, accesses: list[Access]) -> Iterator[Access]:
    for other in accesses:
        if other.kind in WRITES and other.through is None and other.function != access.function and not other.locks:
            if _may_be_one(project, access, other) and not writes_newborn(project.graph.sharing, other):
                yield other


def _may_be_one(project: Project, access: Access, other: Access) -> bool:
    """Whether two accesses can be of one object: methods of two classes that only share a base never have the same
    `self`."""
    if access.place[0] != "attr":
        return True
    sharing = project.graph.sharing
    mine, theirs = own_class(sharing, access), own_class(sharing, other)
    if mine is None or theirs is None:
        return True
    order = sharing.interpreter.order
    if access.place[1] not in order(mine) or access.place[1] not in order(theirs):
        return True
    related = mine in order(theirs) or theirs in order(mine)
    below = project.graph.world.subclasses(mine, sharing.interpreter.bases)
    return related or any(theirs in order(each) for each in below)


def _is_guarded(project: Project, access: Access, state: State) -> bool:
    """Whether every caller holds a lock around it, or it only runs once."""
    if _is_once(project, state):
        return True
    if project.graph.sharing.calls_by_name(access.function, _ASKS_FOR_THREAD):
        return True
    own = {hold.lock for hold in access.locks}
    return bool(project.graph.sharing.guards(access, state[1]) - own) or _is_synchronized(project, access)


def _is_once(project: Project, state: State) -> bool:
    return bool(project.graph.contexts.arrivals[state].flags & ONCE)


def _is_synchronized(project: Project, access: Access) -> bool:
    """`@synchronized` of a library: a lock by another name."""
    for node in project.graph.world.function(access.function).decorators:
        named = node[2] if node is not None and node[0] == "c" else node
        if named is not None and any(word in str(named[-1]).lower() for word in ("synchroni", "lock", "atomic")):
            return True
    return False


def _guard_elsewhere(project: Project, accesses: list[Access]) -> str:
    """The lock that guards other accesses of the same state, as users write it."""
    for access in accesses:
        for hold in sorted(access.locks, key=lambda one: one.site):
            name = spelled_lock(project, hold.lock)
            if name and hold.keeps_out == THREADS:
                return f"`{name}`"
    return ""


def _related(
    project: Project, place: Key, race: _Race, accesses: list[Access], other: Access | None
) -> tuple[Step, ...]:
    """The read, the write of the other, and a place that does hold the lock."""
    access, out = race.access, []
    name = spelled(project, place)
    if race.basis is not None and race.basis.site != access.site:
        out.append(Step(project.where(access.function, race.basis.site), f"reads {name}"))
    if race.basis is not None and race.basis.stale >= 0:
        out.append(Step(project.where(access.function, race.basis.stale), "awaits: others run here"))
    others = [other] if other is not None else list(_other_writes(project, access, accesses))[:2]
    for each in others:
        where = project.graph.world.dotted_name(each.function)
        out.append(Step(project.where(each.function, each.site), f"{where} changes it too"))
    if other is None and not others:
        out.append(Step(project.where(access.function, access.site), f"another call of the same changes {name} too"))
    locked = next((each for each in accesses if any(hold.keeps_out == THREADS for hold in each.locks)), None)
    if locked is not None:
        hold = min(locked.locks, key=lambda one: one.site)
        lock = spelled_lock(project, hold.lock)
        words = f"here `{lock}` is held" if lock else "here a lock is held"
        out.append(Step(project.where(locked.function, hold.site), words))
    return tuple(dict.fromkeys(out))


def _whole_writes(project: Project, place: Key, accesses: list[Access], done: set[object]) -> Iterator[Finding]:
    """Writes in one step: wrong where the state's own lock is left out, else only where threads are free."""
    sharing = project.graph.sharing
    guarded = [
        access for access in accesses if access.kind in WRITES and access.through is None and _thread_locks(access)
    ]
    for access in accesses:
        served = sharing.served[access.function]
        state = served.pool if served.pool_many else None
        if access.kind not in (PUT, ADD, REBIND, DROP) or access.through is not None or access.function in done:
            continue
        if state is None or _thread_locks(access) or _is_guarded(project, access, state):
            continue
        elsewhere = [each for each in guarded if each.function != access.function]
        if not elsewhere and (access.kind == REBIND or any(basis.how == ABSENT for basis in access.bases)):
            continue
        done.add(access.function)
        name = spelled(project, place)
        note = "other accesses of it hold a lock: this one gets in between" if elsewhere else _WHOLE
        yield project.found(
            "FL301",
            project.where(access.function, access.site),
            {"call": name, "instead": _guard_elsewhere(project, elsewhere) or "one `threading.Lock`"},
            severity=Severity.WARNING,
            confidence=confidence_of(project, state, Confidence.MEDIUM) if elsewhere else Confidence.LOW,
            steps=steps_to(project, state, access.site, f"changes {name} {runs_in(state)}"),
            related=_related(project, place, _Race(access, None, ""), accesses, elsewhere[0] if elsewhere else None),
            notes=(note,),
            symbol=project.graph.world.dotted_name(access.function),
            subject=name,
        )


def _thread_locks(access: Access) -> bool:
    return any(hold.keeps_out in (THREADS, ANYBODY) for hold in access.locks)


def stale_writes(project: Project) -> Iterator[Finding]:
    """FL302: loop code reads, awaits, and writes on the strength of what it had read."""
    sharing = project.graph.sharing
    for place, accesses in sharing.written():
        done: set[object] = set()
        for access in accesses:
            served = sharing.served[access.function]
            race = _across_await(access)
            if race is None or race.basis is None or access.function in done or served.loop is None:
                continue
            if not served.loop_many and not any(
                sharing.served[other.function].many for other in _other_writes(project, access, accesses)
            ):
                continue
            if _is_guarded(project, access, served.loop) or writes_newborn(project.graph.sharing, access):
                continue
            done.add(access.function)
            name = spelled(project, place)
            yield project.found(
                "FL302",
                project.where(access.function, access.site),
                {"call": name, "instead": "one `asyncio.Lock`"},
                confidence=confidence_of(project, served.loop, _sure(place)),
                steps=steps_to(project, served.loop, access.site, f"writes {name}"),
                related=_related(project, place, race, accesses, None),
                notes=(f"while it waits, another task runs: {race.why}",),
                symbol=project.graph.world.dotted_name(access.function),
                subject=name,
            )


def _sure(place: Key) -> Confidence:
    return Confidence.HIGH if place[0] == "global" else Confidence.MEDIUM


def _across_await(access: Access) -> _Race | None:
    for basis in sorted(access.bases, key=lambda one: one.site):
        why = _harm(access, basis)
        kept_out = [
            each for each in access.bases if each.stale < 0 or _kept_out(access, each, (TASKS, THREADS, ANYBODY))
        ]
        if why and basis not in kept_out and not _looked_again(basis, kept_out):
            return _Race(access, basis, why)
    return None


def racy_creation(project: Project) -> Iterator[Finding]:
    """FL309: several find nothing there, and each makes one."""
    sharing = project.graph.sharing
    for place, accesses in sharing.written():
        done: set[object] = set()
        for access in accesses:
            served = sharing.served[access.function]
            basis = next((each for each in access.bases if each.how == ABSENT), None)
            if basis is None or access.function in done or access.kind not in (REBIND, PUT):
                continue
            state = _creating_twice(project, access, basis)
            if state is None or not served.many:
                continue
            across = state[1] is Context.LOOP
            made = _is_made(project, access, across)
            if not made or _is_empty(access.value) or writes_newborn(project.graph.sharing, access):
                continue
            done.add(access.function)
            name = spelled(project, place)
            why = "while the first waits, the next finds nothing too" if across else "two threads find nothing there"
            yield project.found(
                "FL309",
                project.where(access.function, access.site),
                {"call": name, "instead": "an `asyncio.Lock`" if across else "a `threading.Lock`"},
                confidence=confidence_of(project, state, made),
                steps=steps_to(project, state, access.site, f"makes {name} {runs_in(state)}"),
                related=_related(project, place, _Race(access, basis, why), accesses, None),
                notes=(f"{why}, and each makes one: the first one is lost",),
                symbol=project.graph.world.dotted_name(access.function),
                subject=name,
            )


def _creating_twice(project: Project, access: Access, basis: Basis) -> State | None:
    served = project.graph.sharing.served[access.function]
    if served.loop is not None and served.loop_many and basis.stale >= 0:
        if not _kept_out(access, basis, (TASKS, THREADS, ANYBODY)) and not _is_locked(project, access, served.loop):
            return served.loop
    if served.pool is not None and served.pool_many and not _kept_out(access, basis, (THREADS, ANYBODY)):
        if not _is_locked(project, access, served.pool):
            return served.pool
    return None


def _is_locked(project: Project, access: Access, state: State) -> bool:
    own = {hold.lock for hold in access.locks}
    return bool(project.graph.sharing.guards(access, state[1]) - own) or _is_synchronized(project, access)


def _is_made(project: Project, access: Access, across: bool) -> Confidence | None:
    """How sure it is that something with a life of its own is made, as opposed to plain data; None where it is not."""
    value = access.value
    if value is not None and value[0] == "n":  # made first, assigned when it is ready
        body = project.graph.world.function(access.through or access.function).body
        value = next(assigned_to(body, value[1]), value)
    if value is not None and value[0] == "w":
        value = value[2]
    if value is not None and value[0] == "k":  # `started = True` after an await; among threads it is set in one step
        return Confidence.MEDIUM if value[1] is True and across else None
    made = maker(value)
    if is_container(value) or (access.kind == PUT and not _RESOURCES.search(made)):
        return None  # by key, only what is kept open counts: what is merely known may be worked out twice
    if made[:1].isupper():
        if (
            not _RESOURCES.search(made)
            and not _does_something(project, access.place, made)
            and not _is_costly(project, access.place)
        ):
            return None
        return Confidence.HIGH if access.through is None else Confidence.MEDIUM
    return Confidence.MEDIUM if access.through is None and _MAKERS.match(made) else None


def _is_costly(project: Project, place: Key) -> bool:
    """Whether an object of a library keeps connections, or takes long to make, as far as the catalogue knows."""
    catalogue = project.graph.world.catalogue
    for value in project.graph.sharing.places.values(place):
        if value[0] == "i" and not value[2]:
            role, spec = catalogue.roles.get(value[1]), catalogue.function(value[1])
            if (role is not None and role.role in _KEEPING) or (spec is not None and spec.rule is not None):
                return True
    return False


def _does_something(project: Project, place: Key, name: str) -> bool:
    """Whether making an instance of a class of the project does anything: one as good as the other is no loss."""
    world = project.graph.world
    for value in project.graph.sharing.places.values(place):
        if value[0] == "o" and world.class_((value[1], value[2])).name == name:
            return any("__init__" in world.class_(above).methods for above in project.graph.sharing.classes(value))
    return False
