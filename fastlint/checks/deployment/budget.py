"""FL618: the connections that all processes together may open, against those that the database allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from fastlint.checks.deployment.given import (
    deployed,
    found,
    most_replicas,
    number,
    replicas,
    worker_count,
    worst_of_each_line,
)
from fastlint.checks.deployment.made import Made, calls_made, constant
from fastlint.deploy.plan import ServerPlan
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.project import Project

_ENGINES = ("sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine", "sqlmodel.create_engine")
_POOLS = {  # the argument that bounds it, and its default
    "asyncpg.create_pool": ("max_size", 10),
    "psycopg_pool.ConnectionPool": ("max_size", 4),
    "psycopg_pool.AsyncConnectionPool": ("max_size", 4),
}
_POSTGRES_DRIVERS = ("asyncpg", "psycopg", "psycopg2", "psycopg_pool")
_KINDS = {"postgres": "postgres", "mysql": "mysql", "mariadb": "mysql"}  # how schemes of URLs begin
_URL = re.compile(r"(?P<scheme>\w+)(?:\+\w+)?://(?:[^/@]*@)?(?P<host>[^/:?@]*)")
_POSTGRES_DEFAULT = 100  # max_connections of PostgreSQL where nobody sets it
_POOL_SIZE, _MAX_OVERFLOW = 5, 10  # QueuePool of SQLAlchemy 2.0


class Pool(NamedTuple):
    """A pool that one process makes: the call, how many connections it may hold, and the sum as people write it."""

    made: Made
    most: int
    arithmetic: str


class Allowed(NamedTuple):
    """How many connections the database allows, who says so, and whether that is only assumed."""

    most: int
    by: str
    step: Step | None
    kind: str = ""  # "postgres", "mysql"; "" where the target is told the number alone
    assumed: bool = False


def pools_of(project: Project) -> list[Pool]:
    """Every pool of database connections of which the size is certain, in the order of modules."""
    pools: list[Pool] = []
    for made in calls_made(project, (*_ENGINES, *_POOLS)):
        if not made.complete:
            continue
        pool = _engine(project, made) if made.dotted in _ENGINES else _plain(project, made, *_POOLS[made.dotted])
        if pool is not None:
            pools.append(pool)
    return pools


def _engine(project: Project, made: Made) -> Pool | None:
    if "poolclass" in made.keywords or "creator" in made.keywords or _is_sqlite(project, made):
        return None
    size, overflow = _size(project, made, "pool_size", _POOL_SIZE), _size(project, made, "max_overflow", _MAX_OVERFLOW)
    if not size or overflow is None or overflow < 0:
        return None  # 0 and -1 mean: without limit
    return Pool(made, size + overflow, f"({size} + {overflow})")


def _plain(project: Project, made: Made, name: str, default: int) -> Pool | None:
    size = _size(project, made, name, default)
    return Pool(made, size, str(size)) if size else None


def _size(project: Project, made: Made, name: str, default: int) -> int | None:
    if name not in made.keywords:
        return default
    value = constant(project, made.function[0], made.keywords[name])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_sqlite(project: Project, made: Made) -> bool:
    url = _url(project, made)
    return isinstance(url, str) and url.startswith("sqlite")


def _url(project: Project, made: Made) -> object:
    named = (made.keywords[name] for name in ("url", "dsn", "conninfo") if name in made.keywords)
    node = made.args[0] if made.args else next(named, None)
    return constant(project, made.function[0], node)


def _server(project: Project, pool: Pool) -> tuple[str, str]:
    """The kind of database that a pool speaks to, and its host; "" where that is not known."""
    url = _url(project, pool.made)
    match = _URL.match(url) if isinstance(url, str) else None
    scheme = match["scheme"].lower() if match is not None else ""
    kind = next((kind for start, kind in _KINDS.items() if scheme.startswith(start)), scheme)
    if not kind and pool.made.dotted in _POOLS:
        kind = "postgres"
    return kind, (match["host"] or "").lower() if match is not None else ""


def _of_one_server(project: Project, pools: list[Pool], kind: str) -> list[Pool]:
    """The pools that share one database server of this kind: where there are several, those that hold the most."""
    servers = [_server(project, pool) for pool in pools]
    mine = [(pool, server) for pool, server in zip(pools, servers, strict=True) if not kind or server[0] in ("", kind)]
    known = sorted({server for _, server in mine if all(server)})
    if len(known) <= 1 and len({server[0] for _, server in mine if server[0]}) <= 1:
        return [pool for pool, _ in mine]
    groups = [[pool for pool, other in mine if other == server] for server in sorted({server for _, server in mine})]
    return max(groups, key=lambda group: sum(pool.most for pool in group))


def connection_budget_exceeded(project: Project) -> Iterator[Finding]:
    """Replicas x workers x pool above what the database allows."""
    yield from worst_of_each_line(_exceeding(project))


def _exceeding(project: Project) -> Iterator[Finding]:
    plans = [plan for plan in project.plans if deployed(plan)]
    if not plans:
        return
    every = pools_of(project)
    if not every:
        return
    for plan in plans:
        workers = worker_count(plan)
        allowed = _allowed(project, plan, every)
        if workers is None or allowed is None:
            continue
        pools = _of_one_server(project, every, allowed.kind)
        if not pools:
            continue
        per_process = sum(pool.most for pool in pools)
        instances = most_replicas(plan)
        wanted = per_process * workers * instances
        if wanted <= allowed.most:
            continue
        largest = max(pools, key=lambda pool: pool.most)
        sizes = " + ".join(pool.arithmetic for pool in pools)
        sizes = sizes if len(pools) == 1 else f"[{sizes}]"
        related = [Step(plan.where, f"{workers} workers, {instances} replicas")]
        if allowed.step is not None:
            related.append(allowed.step)
        notes = []
        if allowed.assumed:
            notes.append("assumed: 100 connections, PostgreSQL's default; `max-connections` of the target sets it")
        if instances > replicas(plan):
            notes.append(f"{instances} replicas are the autoscaler's maximum")
        yield found(
            project,
            "FL618",
            plan,
            project.where(largest.made.function, largest.made.site),
            f"{largest.made.dotted.rpartition('.')[2]}(…)",
            f"{instances} x {workers} x {sizes} = {wanted} > {allowed.most} ({allowed.by})",
            severity=Severity.WARNING if allowed.assumed else None,
            confidence=Confidence.MEDIUM if allowed.assumed else Confidence.HIGH,
            notes=tuple(notes),
            related=tuple(related),
        )


def _allowed(project: Project, plan: ServerPlan, pools: list[Pool]) -> Allowed | None:
    declared = project.settings.max_connections
    if declared is not None:
        return Allowed(int(declared.value), declared.by, None)
    databases = [each for each in project.databases if number(each.max_connections.value) is not None]
    if len(databases) == 1:
        said = databases[0].max_connections
        assumed = said.where is None
        place = f", {said.where.path}:{said.where.line}" if said.where is not None else ""
        by = f"max_connections of {databases[0].name}{place}"
        step = Step(said.where or databases[0].where, f"{databases[0].name}: max_connections = {said.value}")
        return Allowed(int(number(said.value) or 0), by, step, databases[0].kind, assumed)
    if not databases and _speaks_postgres(project, plan, pools):
        return Allowed(_POSTGRES_DEFAULT, "PostgreSQL's default", None, "postgres", assumed=True)
    return None


def _speaks_postgres(project: Project, plan: ServerPlan, pools: list[Pool]) -> bool:
    """Whether the database is certainly a PostgreSQL: by a URL, by the environment, or by its driver."""
    texts = [_url(project, pool.made) for pool in pools] + [said.value for said in plan.environment.values()]
    if any(isinstance(text, str) and text.startswith("postgres") for text in texts):
        return True
    for module in project.graph.world.modules.values():
        if module.kind == "app":
            for level, target, _ in module.facts.imports:
                if level == 0 and target.partition(".")[0] in _POSTGRES_DRIVERS:
                    return True
    return False
