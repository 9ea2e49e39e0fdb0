"""FL612: what importing the application makes, and whether it survives the fork that follows a preload."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.blocking import shown
from fastlint.checks.deployment.given import GUNICORN, deployed, found, place_of, value_of, written
from fastlint.checks.deployment.made import calls_made
from fastlint.checks.deployment.targets import app_modules
from fastlint.deploy.plan import ServerPlan
from fastlint.finding import Confidence, Finding, Location, Severity, Step
from fastlint.graph.contexts import Context
from fastlint.graph.state import Event
from fastlint.graph.world import Module
from fastlint.project import Project
from fastlint.source.nodes import calls_within

_CONNECTING = frozenset({"FL101", "FL103", "FL106", "FL107"})  # rules of calls that open a connection

# Made at import, these have a thread, a process or a connection before the fork.
_ALIVE = {
    "threading.Thread.start": "its thread does not exist in the workers",
    "pymongo.MongoClient": "its monitor threads do not exist in the workers",
    "psycopg2.connect": "all workers share one connection",
    "psycopg.connect": "all workers share one connection",
    "pymysql.connect": "all workers share one connection",
    "MySQLdb.connect": "all workers share one connection",
    "pika.BlockingConnection": "all workers share one connection",
    "socket.create_connection": "all workers share one connection",
    "grpc.insecure_channel": "grpc does not survive a fork",
    "grpc.secure_channel": "grpc does not survive a fork",
    "kafka.KafkaProducer": "its sender thread does not exist in the workers",
    "confluent_kafka.Producer": "its sender thread does not exist in the workers",
    "multiprocessing.Pool": "its processes belong to the master",
    "asyncio.new_event_loop": "all workers share the selector of one loop",
    "psycopg_pool.ConnectionPool": "its worker threads do not exist in the workers",
}
# These open connections or threads when they are first used.
_LAZY = {
    "sqlalchemy.engine.Engine": "its pool is shared",
    "sqlalchemy.ext.asyncio.AsyncEngine": "its pool is shared",
    "redis.Redis": "its pool is shared",
    "redis.asyncio.Redis": "its pool is shared",
    "httpx.Client": "its connections are shared",
    "httpx.AsyncClient": "its connections are shared",
    "requests.Session": "its connections are shared",
    "concurrent.futures.ThreadPoolExecutor": "its threads do not exist in the workers",
    "concurrent.futures.ProcessPoolExecutor": "its processes belong to the master",
}


_OF_ENGINES = ("sqlalchemy.", "sqlmodel.")
# What gunicorn runs in each worker after the fork: https://gunicorn.org/reference/settings/#server-hooks
_WORKER_HOOKS = frozenset({"post_fork", "post_worker_init"})


def fork_unsafe_preloads(project: Project) -> Iterator[Finding]:
    """`preload_app` with clients, engines, threads or loops that exist before the fork; one finding a plan."""
    for plan in project.plans:
        if plan.server not in GUNICORN or value_of(plan, "preload_app") is not True:
            continue
        modules = imported_modules(project, plan)
        disposed = _disposes_after_fork(project, plan)
        alive = sorted({*_alive(project, modules), *_connected(project, modules, disposed)})
        lazy = sorted(set(_lazy(project, modules, disposed)))
        if not alive and not lazy:
            continue
        where, name, why = (alive or lazy)[0]
        detail = f"`{name}` ({where.path}:{where.line}) is made before the fork: {why}"
        notes: tuple[str, ...] = ()
        if not alive:
            detail = f"`{name}` ({where.path}:{where.line}) is made before the fork: once used there, {why}"
            notes = ("safe as long as nothing uses it while the application is imported",)
        more = (*alive, *lazy)
        yield found(
            project,
            "FL612",
            plan,
            place_of(plan, "preload_app"),
            written(plan, "preload_app"),
            detail,
            severity=None if alive else Severity.WARNING,
            confidence=Confidence.HIGH if alive and deployed(plan) else Confidence.MEDIUM,
            notes=notes,
            related=tuple(Step(place, text) for place, text, _ in more),
        )


def loops_run_at_import(project: Project, plan: ServerPlan) -> Iterator[tuple[Location, str]]:
    """Every `asyncio.run` and the like that importing the application calls at the top level of a module."""
    names = {module.name for module in imported_modules(project, plan)}
    for made in calls_made(project, ("asyncio.run", "asyncio.get_event_loop.run_until_complete", "anyio.run")):
        if made.function[1] < 0 and made.function[0] in names and not made.guarded:
            yield project.where(made.function, made.site), made.dotted


def imported_modules(project: Project, plan: ServerPlan) -> list[Module]:
    """The modules of the project that importing the application imports, at the top level of each."""
    world = project.graph.world
    out: dict[str, Module] = {}
    waiting = app_modules(project, plan)
    while waiting:
        module = waiting.pop()
        if module.name in out:
            continue
        out[module.name] = module
        for statement in module.facts.body:
            if statement[0] != "imp":
                continue
            for _, level, target, attribute in statement[1]:
                base = world.absolute(module, level, target)
                for name in (base, f"{base}.{attribute}") if attribute else (base,):
                    found_module = world.module(name, module)
                    if found_module is not None:
                        waiting.append(found_module)
    return list(out.values())


_Row = tuple[Location, str, str]


def _alive(project: Project, modules: list[Module]) -> Iterator[_Row]:
    names = {module.name for module in modules}
    for made in calls_made(project, _ALIVE):
        if made.function[1] < 0 and made.function[0] in names and not made.guarded:
            yield project.where(made.function, made.site), made.dotted, _ALIVE[made.dotted]


def _lazy(project: Project, modules: list[Module], disposed: bool) -> Iterator[_Row]:
    names = {module.name: module for module in modules}
    for variant in project.graph.in_order:
        module = names.get(variant.function[0])
        if module is None or variant.function[1] >= 0:
            continue
        for name, values in variant.names.items():
            kinds = (shown(value[1]) for value in values if value[0] == "i" and not value[2])
            kind = next((kind for kind in kinds if kind in _LAZY), None)
            site = _site_of(module, name)
            if kind is not None and site is not None and not (disposed and kind.startswith(_OF_ENGINES)):
                yield project.where(variant.function, site), f"{name} = {kind.rpartition('.')[2]}(…)", _LAZY[kind]


def _site_of(module: Module, name: str) -> int | None:
    """Where a module makes what a name is bound to."""
    for binding in module.bindings.get(name, ()):
        node = binding[1] if binding[0] == "expr" else binding[2] if binding[0] == "ann" else None
        if node is not None and node[0] == "c":
            return int(node[1])
    return None


def _connected(project: Project, modules: list[Module], disposed: bool) -> Iterator[_Row]:
    """What talks to a server while the application is imported."""
    graph = project.graph
    names = {module.name for module in modules}
    for variant in graph.in_order:
        state = (variant.number, Context.IMPORT)
        if variant.function[0] not in names or state not in graph.contexts.arrivals:
            continue
        for event, flags in variant.events.items():
            if _opens_connection(event) and not flags and not (disposed and event.name.startswith(_OF_ENGINES)):
                place = project.where(variant.function, event.site)
                yield place, shown(event.name), "the connection that it opens is shared by all workers"


def _opens_connection(event: Event) -> bool:
    return event.rule in _CONNECTING and event.spec.library != "stdlib:sqlite3"


def _disposes_after_fork(project: Project, plan: ServerPlan) -> bool:
    """Whether each worker lets go of the engine that it has inherited (`engine.dispose()`, as SQLAlchemy asks for), in
    what `os.register_at_fork(after_in_child=…)` has been given. What a hook of gunicorn does nobody knows here."""
    if not _WORKER_HOOKS.isdisjoint(plan.hooks):
        return True
    world = project.graph.world
    disposing = {world.function(ref).name for ref in world.mentions.get("dispose", ()) if ref[1] >= 0}
    for ref in world.mentions.get("register_at_fork", ()):
        body = world.function(ref).body if ref[1] >= 0 else world.modules[ref[0]].facts.body
        for call in calls_within(body):
            for keyword, hook in call[4]:
                if keyword == "after_in_child" and hook and hook[0] in ("n", "a"):
                    if hook[-1] in disposing or hook[-1] == "dispose":
                        return True
    return False
