"""FL305 and FL308: what one process remembers: others do not know it, and nobody forgets it."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.deployment.counts import comes_to
from fastlint.checks.own_state import is_own_made, is_own_state
from fastlint.checks.ways import confidence_of, spelled, steps_to
from fastlint.deploy.plan import ServerPlan
from fastlint.deploy.values import Counter
from fastlint.finding import Confidence, Finding, Location, Severity, Step
from fastlint.graph.accesses import (
    ABSENT,
    ADD,
    DISCARD,
    DROP,
    ITERATE,
    LIMIT,
    PUT,
    READ,
    REBIND,
    TEST,
    UPDATE,
    VALUE,
    WRITES,
    Access,
)
from fastlint.graph.contexts import State
from fastlint.graph.guards import terminates
from fastlint.graph.newborn import writes_newborn
from fastlint.graph.origins import assigned_to, from_request
from fastlint.graph.places import FRAGILE, Key, maker
from fastlint.graph.state import ONCE
from fastlint.project import Project
from fastlint.source.facts import Block, Node

_BOUNDED = FRAGILE | {"WeakValueDictionary", "WeakKeyDictionary", "WeakSet", "Counter"}
_FRESH = frozenset({"uuid1", "uuid4", "uuid7", "token_hex", "token_urlsafe", "time_ns"})


def per_worker_state(project: Project) -> Iterator[Finding]:
    """FL305: requests change it and later requests read it: right in one process only."""
    several = _several_processes(project)
    for place, accesses in project.graph.sharing.written():
        writes = [access for access in accesses if _by_requests(project, access) and access.kind in WRITES]
        reads = [access for access in accesses if _by_requests(project, access) and access.kind in (READ, ITERATE)]
        own = {basis.site for access in writes for basis in access.bases}
        own.update(access.site for access in writes)
        later = [access for access in reads if access.site not in own]
        if not writes or not later or not _is_memory(project, place, writes) or is_own_state(project, place, writes):
            continue
        first = min(writes, key=lambda access: access.kind in (DROP, DISCARD))
        # A flag may well be this process's own (started, ready): that is never more than advice
        flag = all(access.kind == REBIND for access in writes)
        yield _worker_finding(project, place, first, later[0], None if flag else several)


def _by_requests(project: Project, access: Access) -> bool:
    served = project.graph.sharing.served[access.function]
    state = _state(project, access)
    return served.many and access.through is None and not project.graph.contexts.arrivals[state].flags & ONCE


def _state(project: Project, access: Access) -> State:
    state = project.graph.sharing.served[access.function].state
    assert state is not None
    return state


def _is_memory(project: Project, place: Key, writes: list[Access]) -> bool:
    """Whether the state is the requests' own: no singleton made late, no cache of what can be worked out again."""
    places = project.graph.sharing.places
    kinds = {access.kind for access in writes}
    if kinds <= {REBIND}:
        return any(
            access.value is not None
            and access.value[0] == "k"
            and access.value[1] is not None
            and not any(basis.how == ABSENT for basis in access.bases)
            for access in writes
        )
    if UPDATE in kinds:  # what goes up and down again counts what is under way in this process
        operators = {access.operator for access in writes if access.kind == UPDATE}
        return not operators >= {"iadd", "isub"}
    if not places.holds_container(place) or any(maker(node) in FRAGILE for node in places.made(place)):
        return False
    filling = [access for access in writes if access.kind in (PUT, ADD) and not is_own_made(access.value)]
    cached = [access for access in filling if any(basis.how in (ABSENT, LIMIT, TEST) for basis in access.bases)]
    return bool(filling) and (len(cached) < len(filling) or bool(kinds & {DROP, DISCARD}))


def _several_processes(project: Project) -> tuple[str, Location] | None:
    """Words and place of the setting that makes several processes of the service; None where none is known to."""
    for plan in project.plans:
        found = None if plan.development else _more_than_one(plan)
        if found is not None:
            return found
    return None


def _more_than_one(plan: ServerPlan) -> tuple[str, Location] | None:
    setting = plan.settings.get("workers")
    if setting is not None and isinstance(setting.value, int) and setting.value > 1:
        return f"{setting.value} workers ({setting.said.by})", setting.said.where or plan.where
    fewest = comes_to(setting.value, dict.fromkeys(Counter, 1.0)) if setting is not None else None
    if setting is not None and fewest is not None and fewest > 1:  # a formula that gives several on any machine
        return f"{fewest:.0f} workers or more ({setting.said.by})", setting.said.where or plan.where
    replicas = plan.limits.replicas
    if replicas is not None and isinstance(replicas.value, int) and replicas.value > 1:
        return f"{replicas.value} replicas ({replicas.by})", replicas.where or plan.where
    return None


def _worker_finding(
    project: Project, place: Key, write: Access, read: Access, several: tuple[str, Location] | None
) -> Finding:
    name = spelled(project, place)
    state = _state(project, write)
    reader = project.graph.world.dotted_name(read.function)
    related = [Step(project.where(read.function, read.site), f"{reader} reads it")]
    if several is not None:
        related.append(Step(several[1], f"{several[0]} are set here"))
        note = f"{several[0]}: each has a copy of its own, and a request sees the one that it happens to meet"
    else:
        note = "right as long as there is one process: a second worker or replica would have a copy of its own"
    return project.found(
        "FL305",
        project.where(write.function, write.site),
        {"call": name, "instead": ""},
        severity=Severity.INFO if several is None else None,
        confidence=confidence_of(project, state),
        steps=steps_to(project, state, write.site, f"changes {name}"),
        related=tuple(related),
        notes=(note,),
        symbol=project.graph.world.dotted_name(write.function),
        subject=name,
    )


def unbounded_caches(project: Project) -> Iterator[Finding]:
    """FL308: requests only ever add to it; and `functools.cache` on what requests ask for."""
    sharing = project.graph.sharing
    for place, accesses in sharing.written():
        if not sharing.places.holds_container(place) or not _only_grows(project, place, accesses):
            continue
        for access in accesses:
            grows = access.kind in (PUT, ADD) and _by_requests(project, access) and _grows(project, access)
            if grows and not writes_newborn(sharing, access):
                yield _growing(project, place, access)
                break
    yield from _cached_functions(project)


def _only_grows(project: Project, place: Key, accesses: list[Access]) -> bool:
    """Whether nothing in the project takes anything out, and what it was made as has no bound."""
    if any(access.kind in (DROP, DISCARD, REBIND) for access in accesses):
        return False
    made = project.graph.sharing.places.made(place)
    if any(maker(node) in _BOUNDED or _has_bound(node) for node in made):
        return False
    return not project.graph.sharing.may_shrink(place)


def _has_bound(node: Node) -> bool:
    return maker(node) == "deque" and (len(node[3]) > 1 or any(name == "maxlen" for name, _ in node[4]))


def _grows(project: Project, access: Access) -> bool:
    """Whether every request can add something new: an append, or a key that comes with the request or is drawn."""
    sharing = project.graph.sharing
    if access.kind == ADD and access.index is None:
        value = access.value
        if value is None or value[0] == "k" or any(basis.how in (ABSENT, LIMIT, TEST) for basis in access.bases):
            return False
        return value[0] != "n" or sharing.places.is_local(value[1], sharing.frame(access.function))
    if access.index is None or access.index[0] == "k":
        return False
    filled = any(node is not None and node[0] == "d" and node[1] for node in sharing.places.made(access.place))
    if filled and any(basis.how == VALUE for basis in access.bases):  # what is there already is changed
        return False
    if _is_looked_up(sharing.world.function(access.function).body, access.index):
        return False
    return from_request(sharing, access.function, access.index, _FRESH)


def _is_looked_up(block: Block, index: Node) -> bool:
    """Whether a part of the key is first looked up elsewhere, and who asks for what is not there gets no further."""
    parts = index[1] if index[0] == "t" else [index]
    for part in parts:
        source = next(assigned_to(block, part[1]), None) if part is not None and part[0] == "n" else None
        if source is not None and source[0] == "t" and _is_looked_up(block, source):
            return True
        for place, statement in enumerate(block):
            found = statement[2] if statement[0] == "=" else None
            asked = (
                found is not None and found[0] == "c" and found[2] and found[2][-1] == "get" and found[3][:1] == [part]
            )
            if asked and any(
                later[0] == "if" and terminates(later[2]) and _asks(later[1], statement[1][0])
                for later in block[place + 1 : place + 3]
            ):
                return True
    return False


def _asks(test: Node, name: Node) -> bool:
    """`name is None` or `not name`."""
    if test is None:
        return False
    return bool((test[0] == "cmp" and test[2] == name) or (test[0] == "u" and test[2] == name))


def _growing(project: Project, place: Key, access: Access) -> Finding:
    name = spelled(project, place)
    state = _state(project, access)
    home = project.graph.sharing.places.home(place)
    return project.found(
        "FL308",
        project.where(access.function, access.site),
        {"call": name, "instead": ""},
        confidence=confidence_of(project, state, Confidence.MEDIUM),
        steps=steps_to(project, state, access.site, f"adds to {name}"),
        related=(Step(project.where(*home), f"{name} is made here, without a bound"),) if home is not None else (),
        notes=("nothing in the project ever takes anything out of it",),
        symbol=project.graph.world.dotted_name(access.function),
        subject=name,
    )


def _cached_functions(project: Project) -> Iterator[Finding]:
    sharing = project.graph.sharing
    world = project.graph.world
    for ref in sorted(sharing.served, key=world.turn):
        function = world.function(ref)
        served = sharing.served[ref]
        state = served.state
        if not served.many or state is None or function.owner >= 0 or not function.params:
            continue
        if not any(_keeps_everything(node) for node in function.decorators):
            continue
        keyed = [param for param in function.params if from_request(sharing, ref, ["n", param.name], frozenset())]
        if not keyed:
            continue
        name = function.name
        yield project.found(
            "FL308",
            project.where(ref, -1),
            {"call": name, "instead": ""},
            confidence=confidence_of(project, state, Confidence.MEDIUM),
            steps=steps_to(project, state, -1, f"{name} keeps every result"),
            notes=(f"`{keyed[0].name}` comes with the request: each new value is kept for ever",),
            symbol=world.dotted_name(ref),
            subject=name,
        )


def _keeps_everything(node: Node) -> bool:
    """`@cache` or `@lru_cache(maxsize=None)` of functools."""
    if node is None:
        return False
    if node[0] == "c":
        given = node[3][0] if node[3] else next((value for name, value in node[4] if name == "maxsize"), ...)
        return maker(node) == "lru_cache" and given == ["k", None]
    return bool(node[0] in ("n", "a") and node[-1] == "cache")
