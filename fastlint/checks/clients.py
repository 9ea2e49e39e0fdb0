"""FL4: clients and pools: made too often, never closed, too small, without a limit. Knows no library by name."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.blocking import shown
from fastlint.checks.executors import tokens_of
from fastlint.checks.served import Played, by_place, confidence, per_request, played, running, serves_request
from fastlint.checks.ways import steps_to
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.graph.contexts import Context, State
from fastlint.graph.shapes import last_name, names_in, targets_of
from fastlint.graph.state import MAYBE
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Node

_SERVED = (Context.LOOP, Context.POOL, Context.STARTUP)
_POOL_SIZE, _MAX_OVERFLOW = 5, 10  # SQLAlchemy: create_engine, defaults of QueuePool
_CREDENTIALS = frozenset({"api_key", "token", "auth", "credential", "credentials", "aws_access_key_id", "cookies"})
_SETTINGS = frozenset({"getenv", "environ", "config", "conf", "env"})
_FAR = 4
_LENT = "made with credentials that come with the call: one client for each of them can be kept"
_SQLALCHEMY = frozenset({"sqlalchemy", "sqlmodel"})
_CLOSING = ("close", "aclose", "dispose", "enter_async_context")
_CLIENT_RULES = frozenset({"FL101", "FL107"})


def calls_without_timeout(project: Project) -> Iterator[Finding]:
    """An HTTP call of the server that has no time-out: it holds the loop, or a thread, as long as the peer likes."""
    graph = project.graph
    done: set[tuple[FunctionRef, int]] = set()
    for variant in graph.in_order:
        for event, flags in variant.events.items():
            key = (variant.function, event.site)
            if event.rule != "FL402" or key in done:
                continue
            state = next(((variant.number, c) for c in _SERVED if (variant.number, c) in graph.contexts.arrivals), None)
            if state is None:
                continue
            done.add(key)
            arrival = graph.contexts.arrivals[state]
            name = graph.name(variant)
            yield project.found(
                "FL402",
                project.where(variant.function, event.site),
                {"call": shown(event.name), "instead": event.spec.instead, "via": name},
                confidence=Confidence.MEDIUM if (flags | arrival.flags) & MAYBE else Confidence.HIGH,
                steps=_first_and_last(project, state, event.site, shown(event.name)),
                symbol=name,
                subject=shown(event.name),
            )


def sync_clients(project: Project) -> Iterator[Finding]:
    """A synchronous client used by a plain `def` route or dependency: an async one would free the thread."""
    graph = project.graph
    done: set[tuple[FunctionRef, int, str]] = set()
    for variant in graph.in_order:
        state = (variant.number, Context.POOL)
        arrival = graph.contexts.arrivals.get(state)
        if arrival is None or not variant.events:
            continue
        for event, flags in variant.events.items():
            key = (variant.function, event.site, event.rule)
            if event.rule not in _CLIENT_RULES or not event.spec.instead or key in done:
                continue
            root = graph.contexts.way(state)[0][0]
            if not graph.contexts.arrivals[root].root:
                continue
            done.add(key)
            name = graph.name(variant)
            yield project.found(
                "FL404",
                project.where(variant.function, event.site),
                {"call": shown(event.name), "instead": event.spec.instead, "via": name},
                confidence=Confidence.MEDIUM if (flags | arrival.flags) & MAYBE else Confidence.HIGH,
                steps=_first_and_last(project, state, event.site, shown(event.name)),
                symbol=name,
                subject=shown(event.name),
            )


def _first_and_last(project: Project, state: State, site: int, name: str) -> tuple[Step, ...]:
    graph = project.graph
    way = [place for place, _ in graph.contexts.way(state)]
    while len(way) > 1 and graph.variants[way[0][0]].function[1] < 0:
        way = way[1:]
    root = graph.contexts.arrivals[way[0]].root
    first = graph.variants[way[0][0]]
    label = graph.name(first)
    steps = [Step(project.where(first.function, -1), f"{root} → {label}" if root else label)]
    here = graph.variants[state[0]].function
    steps.append(Step(project.where(here, site), name))
    return tuple(steps)


def clients_per_request(project: Project) -> Iterator[Finding]:
    """A client or engine made while a request is served: its connections are thrown away with it."""
    for calls in by_place(played(project, "client", "engine")).values():
        state = per_request(project, calls)
        if state is None:
            continue
        call = next(each for each in calls if each.variant.number == state[0])
        name = f"{call.record.name}(…)"
        lent = _takes_credentials(project, call)
        yield project.found(
            "FL401",
            project.where(call.function, call.record.site),
            {"call": name},
            severity=Severity.INFO if lent else None,
            notes=(_LENT,) if lent else (),
            confidence=confidence(project, state, call.flags),
            steps=steps_to(project, state, call.record.site, name),
            symbol=project.graph.name(call.variant),
            subject=name,
        )


def _takes_credentials(project: Project, call: Played) -> bool:
    """Whether the client is made with a key that its function is given, or looks up: one for all would not do."""
    shape = project.shapes.call(call.function, call.record.site)
    if shape is None or call.function[1] < 0:
        return False
    given = [value for name, value in shape[0][4] if name in _CREDENTIALS and value is not None]
    return any(not _is_configured(project, call.function, value, 0) for value in given)


def _is_configured(project: Project, function: FunctionRef, node: Node, depth: int) -> bool:
    """Whether a value is a constant, or comes from the environment, the settings, the module or the object itself."""
    names = list(names_in(node))
    if not names or depth > _FAR or any("setting" in name.lower() for name in names):
        return True
    facts = project.graph.world.function(function)
    if any(param.name in names and param.name not in ("self", "cls") for param in facts.params):
        return False
    if any(name in _SETTINGS or name.isupper() for name in names):
        return True
    assigned = project.shapes.assigned(function, names[0])
    if assigned:
        return all(_is_configured(project, function, value, depth + 1) for value in assigned)
    if facts.parent >= 0:
        return _is_configured(project, (function[0], facts.parent), node, depth + 1)
    return True


def clients_never_closed(project: Project) -> Iterator[Finding]:
    """A client that lives as long as the application, and that nothing closes."""
    for (function, site), calls in by_place(played(project, "client", "engine")).items():
        state = running(project, calls)
        shape = project.shapes.call(function, site)
        if state is None or shape is None or per_request(project, calls) is not None:
            continue
        if "aio" not in calls[0].record.name and "sync" not in calls[0].record.name.lower():
            continue  # a synchronous client's sockets are closed with the process; an asynchronous one warns
        kept = [last_name(target) for target in targets_of(shape[1]) if _is_long_lived(target, function)]
        if not kept or project.shapes.is_received(kept, *_CLOSING):
            continue
        name = f"{calls[0].record.name}(…)"
        yield project.found(
            "FL403",
            project.where(function, site),
            {"call": name},
            confidence=confidence(project, state, calls[0].flags),
            steps=steps_to(project, state, site, name),
            symbol=project.graph.name(project.graph.variants[state[0]]),
            subject=f"{name} {kept[0]}",
        )


def _is_long_lived(target: Node, function: FunctionRef) -> bool:
    """A module's name, or something on `app.state`: what a lifespan would close."""
    if target is None:
        return False
    if target[0] == "n":
        return function[1] < 0
    return bool(target[0] == "a" and target[2] is not None and target[2][0] == "a" and target[2][3] == "state")


def pools_smaller_than_concurrency(project: Project) -> Iterator[Finding]:
    """A database pool smaller than the number of sync routes that may ask it for a connection at a time."""
    sync = {
        key: calls
        for key, calls in by_place(played(project, "engine")).items()
        if "async" not in calls[0].record.name and running(project, calls) and per_request(project, calls) is None
    }
    user = _sync_route_with_database(project)
    if len(sync) != 1 or user is None:
        return
    (function, site), calls = next(iter(sync.items()))
    given = dict(calls[0].record.given)
    if "**" in given or "poolclass" in given or str(given.get("url", "")).startswith("sqlite"):
        return
    size, overflow = given.get("pool_size", _POOL_SIZE), given.get("max_overflow", _MAX_OVERFLOW)
    if not all(isinstance(part, int) and not isinstance(part, bool) for part in (size, overflow)):
        return
    tokens = tokens_of(project)
    if size == 0 or overflow < 0 or size + overflow >= tokens:
        return
    state = running(project, calls)
    if state is None:
        return
    routes, where = user
    name = f"{calls[0].record.name.rpartition('.')[2]}(…)"
    yield project.found(
        "FL405",
        project.where(function, site),
        {"call": name, "detail": f"{size} + {overflow} = {size + overflow} < {tokens}"},
        confidence=confidence(project, state, calls[0].flags),
        steps=steps_to(project, state, site, name),
        related=where,
        notes=(f"{routes} sync route{'s' if routes > 1 else ''} may use it, {tokens} at a time",),
        symbol=project.graph.name(project.graph.variants[state[0]]),
        subject=name,
    )


def _sync_route_with_database(project: Project) -> tuple[int, tuple[Step, ...]] | None:
    """How many sync entry points wait for the database in the pool, and where the first of them do."""
    graph = project.graph
    roots: dict[State, Step] = {}
    for variant in graph.in_order:
        state = (variant.number, Context.POOL)
        if state not in graph.contexts.arrivals:
            continue
        event = next((e for e in variant.events if e.rule == "FL103" and e.spec.library in _SQLALCHEMY), None)
        if event is None or not serves_request(project, state):
            continue
        step = Step(project.where(variant.function, event.site), f"{shown(event.name)} in a sync route's thread")
        for root in graph.contexts.roots_above(state):
            if root[1] is Context.POOL and graph.contexts.arrivals[root].before is None:
                roots.setdefault(root, step)
    if not roots:
        return None
    return len(roots), tuple(dict.fromkeys(roots[root] for root in sorted(roots, key=lambda r: r[0])[:3]))
