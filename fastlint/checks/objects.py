"""FL306, FL307 and FL311: objects that belong to one thread, one task or one loop, used by several.

Knows the types by name; an object of a type that is not listed here is nobody's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.checks.keeping import names_own
from fastlint.checks.together import Started, names_of, started_together
from fastlint.checks.ways import confidence_of, runs_in, spelled, steps_to
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.graph.contexts import Context, State
from fastlint.graph.places import Key
from fastlint.graph.sharing import Use
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Node

# Documented as not to be shared between threads at the same time
_ONE_THREAD = {
    "sqlite3.Connection": "a connection serves one thread at a time: transactions of several requests mix",
    "sqlite3.Cursor": "a cursor serves one thread at a time",
    "sqlalchemy.orm.Session": "a session is one transaction of one thread",
    "sqlmodel.Session": "a session is one transaction of one thread",
    "sqlmodel.orm.session.Session": "a session is one transaction of one thread",
    "requests.Session": "requests does not promise it to threads: cookies and adapters are shared",
    "psycopg2.extensions.cursor": "a cursor serves one thread at a time",
    "pymysql.connections.Connection": "a connection serves one thread at a time: answers get mixed up",
    "pymysql.Connection": "a connection serves one thread at a time: answers get mixed up",
    "mysql.connector.MySQLConnection": "a connection serves one thread at a time: answers get mixed up",
    "boto3.session.Session": "a session is not thread-safe; clients are",
    "boto3.Session": "a session is not thread-safe; clients are",
    "boto3.resource": "a resource is not thread-safe; clients are",
    "smtplib.SMTP": "one connection is one conversation",
    "ftplib.FTP": "one connection is one conversation",
    "imaplib.IMAP4": "one connection is one conversation",
}
_MILD = frozenset({"requests.Session", "boto3.session.Session", "boto3.Session", "boto3.resource"})
_HARMLESS = frozenset({"close", "mount", "headers", "client"})
# Documented as not to be used by several tasks at the same time
_ONE_TASK = {
    "sqlalchemy.ext.asyncio.AsyncSession": "an AsyncSession is one transaction of one task",
    "sqlmodel.ext.asyncio.session.AsyncSession": "an AsyncSession is one transaction of one task",
    "asyncpg.Connection": "a connection answers one query at a time: the second raises InterfaceError",
}
_ONE_LOOP = frozenset(
    {
        "asyncio.Lock",
        "asyncio.Queue",
        "httpx.AsyncClient",
        "aiohttp.ClientSession",
        "sqlalchemy.ext.asyncio.AsyncEngine",
        "asyncpg.Pool",
        "redis.asyncio.Redis",
        "motor.motor_asyncio.AsyncIOMotorClient",
    }
)


def unsafe_objects(project: Project) -> Iterator[Finding]:
    """FL306: one connection or session for all threads, or for all tasks of a gather."""
    sharing = project.graph.sharing
    for place, kind, uses in sharing.objects({**_ONE_THREAD, **_ONE_TASK}):
        found = _shared(project, place, kind, uses)
        if found is not None:
            yield found
    yield from _gathered(project)


def _shared(project: Project, place: Key, kind: str, uses: list[Use]) -> Finding | None:
    """The first use that another one can meet; one finding for each object."""
    sharing = project.graph.sharing
    rows: list[tuple[Use, State]] = []
    queued: list[tuple[Use, State]] = []
    queues: set[Key] = set()
    for use in uses:
        served = sharing.served[use.function]
        if use.method in _HARMLESS or use.guarded:
            continue
        if kind in _ONE_TASK:
            if served.loop is not None and served.loop_many:
                rows.append((use, served.loop))
        elif served.pool is not None and served.pool_many:
            rows.append((use, served.pool))
        elif served.pool is not None and served.queue is not None:
            queued.append((use, served.pool))
            queues.add(served.queue)
    if rows or len(queues) > 1:  # one executor of a single thread is one user
        rows.extend(queued)
    if not rows or (kind == "sqlite3.Connection" and _own_lock(uses)):
        return None
    use, state = rows[0]
    name = spelled(project, place)
    related = [
        Step(project.where(other.function, other.site), f"used here too, {runs_in(where)}")
        for other, where in rows[1:4]
    ]
    home = sharing.places.home(place)
    if home is not None:
        related.append(Step(project.where(*home), f"{name} is made here, once for all"))
    return project.found(
        "FL306",
        project.where(use.function, use.site),
        {"call": name, "instead": "`async_sessionmaker`" if kind in _ONE_TASK else "one for each request or thread"},
        severity=Severity.WARNING if kind in _MILD else None,
        confidence=confidence_of(project, state, Confidence.MEDIUM if kind in _MILD else Confidence.HIGH),
        steps=steps_to(project, state, use.site, f"{name}.{use.method} {runs_in(state)}"),
        related=tuple(related),
        notes=({**_ONE_THREAD, **_ONE_TASK}[kind],),
        symbol=project.graph.world.dotted_name(use.function),
        subject=name,
    )


def _own_lock(uses: list[Use]) -> bool:
    """Whether most uses hold a lock: then the one that does not is a matter of FL301's kind, and nothing certain."""
    return sum(use.guarded for use in uses) * 2 > len(uses)


def _gathered(project: Project) -> Iterator[Finding]:
    """One AsyncSession given to several tasks at once, by itself or inside an object of the project."""
    sharing = project.graph.sharing
    for ref in sorted(sharing.served, key=project.graph.world.turn):
        served = sharing.served[ref]
        for call, started in started_together(project, ref) if served.loop is not None else ():
            for node in _given_twice(started):
                kind = sharing.type_of(node, ref) or _held_twice(project, ref, node, started)
                if kind in _ONE_TASK and served.loop is not None:
                    yield _in_gather(project, served.loop, call, node, str(kind))
                    break


def _given_twice(started: list[Started]) -> Iterator[Node]:
    """The names that more than one task works with."""
    seen: dict[str, int] = {}
    for body, own, count in started:
        for name in {each[1] for each in names_of(body)} - own:
            seen[name] = seen.get(name, 0) + count
    yield from (["n", name] for name, count in sorted(seen.items()) if count > 1)


def _held_twice(project: Project, ref: FunctionRef, node: Node, started: list[Started]) -> str | None:
    """The type of what an object of the project keeps for itself, where two tasks run methods of it that use that."""
    sharing = project.graph.sharing
    values = sharing.interpreter.evaluate(node, sharing.frame(ref))
    if len(values) != 1 or values[0][0] != "o":
        return None
    called = [
        (call[2][3], count)
        for body, own, count in started
        for call in ([body] if body is not None and body[0] == "c" else ())
        if call[2] is not None and call[2][0] == "a" and call[2][2] == node and node[1] not in own
    ]
    for above in sharing.classes(values[0]):
        for name in project.graph.world.class_(above).attribute_writers:
            kinds = {
                value[1] if value[0] == "i" else ""
                for value in sharing.interpreter.facts.get(("attr", above, name), ())
            }
            kind = kinds.pop() if len(kinds) == 1 else ""
            using = sum(count for method, count in called if names_own(project, values[0], method, name))
            if kind in _ONE_TASK and using > 1:
                return kind
    return None


def _in_gather(project: Project, state: State, call: Any, node: Node, kind: str) -> Finding:
    function = project.graph.variants[state[0]].function
    name = str(node[1])
    return project.found(
        "FL306",
        project.where(function, call[1]),
        {"call": name, "instead": "one for each task"},
        confidence=confidence_of(project, state),
        steps=steps_to(project, state, call[1], f"several tasks at once work with {name}"),
        related=(Step(project.where(function, -1), f"{name} is what one request gets"),),
        notes=(_ONE_TASK[kind],),
        symbol=project.graph.world.dotted_name(function),
        subject=name,
    )


def thread_locals(project: Project) -> Iterator[Finding]:
    """FL307: `threading.local` in loop code: all requests share one thread, and so one value."""
    sharing = project.graph.sharing
    for place, attribute, uses in sharing.thread_local_uses():
        rows = [(use, sharing.served[use.function]) for use in uses]
        writes = [(use, s.loop) for use, s in rows if use.method == "=" and s.loop is not None and s.loop_many]
        reads = [(use, s.loop) for use, s in rows if use.method == "" and s.loop is not None and s.loop_many]
        lazy = {use.function for use, _ in rows if use.guarded}
        found = [row for row in writes if row[0].function not in lazy]
        if not found:
            continue
        use, state = found[0]
        name = f"{spelled(project, place)}.{attribute}"
        others = [row for row in (*writes, *reads) if row[0] is not use][:3]
        yield project.found(
            "FL307",
            project.where(use.function, use.site),
            {"call": name, "instead": "a `contextvars.ContextVar`"},
            confidence=confidence_of(project, state),
            steps=steps_to(project, state, use.site, f"{'sets' if use.method else 'reads'} {name} on the event loop"),
            related=tuple(
                Step(project.where(other.function, other.site), f"{'set' if other.method else 'read'} here too")
                for other, _ in others
            ),
            notes=("every task of the loop runs in the same thread, so the last request's value is everybody's",),
            symbol=project.graph.world.dotted_name(use.function),
            subject=name,
        )


def loop_bound_globals(project: Project) -> Iterator[Finding]:
    """FL311: made once at import, bound to the first loop that uses it, and used by a second one."""
    sharing = project.graph.sharing
    contexts = project.graph.contexts
    for place, kind, uses in sharing.objects(dict.fromkeys(_ONE_LOOP, "")):
        second: list[tuple[Use, State]] = []
        first: list[tuple[Use, State]] = []
        for use in uses:
            if not project.graph.world.function(use.function).is_async:
                continue
            for variant in sharing.variants_of(use.function):
                if (variant, Context.POOL) in contexts.arrivals:  # a coroutine in a thread: on a loop of its own
                    second.append((use, (variant, Context.POOL)))
                if (variant, Context.LOOP) in contexts.arrivals:
                    first.append((use, (variant, Context.LOOP)))
        if not second:
            continue
        use, state = second[0]
        name = spelled(project, place)
        related = [
            Step(project.where(other.function, other.site), "used here on the server's own loop")
            for other, _ in first[:2]
        ]
        home = sharing.places.home(place)
        if home is not None:
            related.append(Step(project.where(*home), f"{name} is made here, at import"))
        yield project.found(
            "FL311",
            project.where(use.function, use.site),
            {"call": name, "instead": "`asyncio.run_coroutine_threadsafe(…)` to the server's loop"},
            confidence=confidence_of(project, state, Confidence.HIGH if first else Confidence.MEDIUM),
            steps=steps_to(project, state, use.site, f"{name}.{use.method} on a loop of its own"),
            related=tuple(related),
            notes=(f"`{kind}` belongs to the loop that used it first",),
            symbol=project.graph.world.dotted_name(use.function),
            subject=name,
        )
