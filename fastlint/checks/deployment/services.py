"""FL310: what must exist once and exists in every worker: schedulers, limiters in memory, metrics."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.deployment.given import deployed, found, replicas, worker_count
from fastlint.checks.deployment.made import Made, calls_made, constant
from fastlint.deploy.plan import ServerPlan
from fastlint.finding import Confidence, Finding, Step
from fastlint.project import Project

_SCHEDULERS = (
    "apscheduler.schedulers.background.BackgroundScheduler",
    "apscheduler.schedulers.asyncio.AsyncIOScheduler",
    "fastapi_utils.tasks.repeat_every",
    "fastapi_utilities.repeat_every",
    "fastapi_utilities.repeat_at",
    "rocketry.Rocketry",
)
_LIMITERS = (
    "slowapi.Limiter",
    "slowapi.extension.Limiter",
    "limits.storage.MemoryStorage",
    "limits.storage.memory.MemoryStorage",
    "limits.aio.storage.MemoryStorage",
)
_METRICS = (
    "prometheus_client.make_asgi_app",
    "prometheus_client.generate_latest",
    "prometheus_fastapi_instrumentator.Instrumentator",
)
_MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"


def per_worker_services(project: Project) -> Iterator[Finding]:
    """A scheduler, a rate limiter in memory or unshared metrics in an application of which several processes run."""
    crowd = _most_processes(project)
    if crowd is None:
        return
    plan, processes, arithmetic = crowd
    workers = worker_count(plan) or 1
    for made in calls_made(project, _SCHEDULERS):
        if not made.guarded and _is_started(project, made):
            yield _one(project, plan, made, f"it runs in each of {processes} processes ({arithmetic})")
    for made in calls_made(project, _LIMITERS):
        if _counts_in_memory(project, made):
            yield _one(project, plan, made, f"each of {processes} processes counts for itself ({arithmetic})")
    if workers > 1 and not _shares_metrics(project, plan):
        for made in calls_made(project, _METRICS):
            yield _one(project, plan, made, f"a scrape sees one of {workers} workers ({_MULTIPROCESS} is not set)")


def _one(project: Project, plan: ServerPlan, made: Made, detail: str) -> Finding:
    return found(
        project,
        "FL310",
        plan,
        project.where(made.function, made.site),
        f"{made.dotted.rpartition('.')[2]}(…)",
        detail,
        confidence=Confidence.MEDIUM if made.guarded else Confidence.HIGH,
        related=(Step(plan.where, f"{worker_count(plan) or 1} workers, {replicas(plan)} replicas"),),
    )


def _most_processes(project: Project) -> tuple[ServerPlan, int, str] | None:
    """The plan that runs the most processes of the application, if any runs several."""
    best: tuple[ServerPlan, int, str] | None = None
    for plan in project.plans:
        workers, instances = worker_count(plan) or 1, replicas(plan)
        count = workers * instances
        if deployed(plan) and count > 1 and (best is None or count > best[1]):
            by_replica = f" x {instances} replicas" if instances > 1 else ""
            best = (plan, count, f"{workers} worker{'s' if workers > 1 else ''}{by_replica}")
    return best


def _is_started(project: Project, made: Made) -> bool:
    """Whether the scheduler is started by the same module; decorators that schedule start by themselves."""
    if made.dotted.rpartition(".")[2].startswith("repeat_"):
        return True
    mentions = project.graph.world.mentions
    modules = {function[0] for name in ("start", "serve") for function in mentions.get(name, ())}
    return made.function[0] in modules


def _counts_in_memory(project: Project, made: Made) -> bool:
    """Whether a limiter certainly keeps its counters in the process."""
    if made.dotted.endswith("MemoryStorage"):
        return True
    if not made.complete or "config_filename" in made.keywords:
        return False
    if "storage_uri" not in made.keywords:
        return True
    uri = constant(project, made.function[0], made.keywords["storage_uri"])
    return isinstance(uri, str) and uri.startswith("memory://")


def _shares_metrics(project: Project, plan: ServerPlan) -> bool:
    """Whether anything sets up the multiprocess mode of prometheus_client."""
    if any(name.upper() == _MULTIPROCESS for name in plan.environment):
        return True
    return bool(project.graph.world.mentions.get("MultiProcessCollector"))
