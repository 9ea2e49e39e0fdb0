"""FL605-FL611, FL614-FL616, FL621 and FL626: settings that are wrong, idle, risky or contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.deployment.given import (
    GUNICORN,
    PROGRAM,
    UVICORN,
    deployed,
    found,
    place_of,
    reloads,
    said,
    setting_number,
    spelled,
    value_of,
    worker_count,
    worker_kind,
    worst_of_each_line,
    written,
)
from fastlint.checks.deployment.imports import loops_run_at_import
from fastlint.checks.deployment.targets import hands_object, named_app
from fastlint.deploy.plan import Problem, Rank, Said, ServerPlan
from fastlint.deploy.servers import server
from fastlint.deploy.values import Env, Unknown
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.project import Project

_LONGEST_TIMEOUT = 600  # seconds; a worker that hangs stays for as long
_MEMORY_FOLDERS = ("/dev/shm", "/run/shm")


def sync_worker_classes(project: Project) -> Iterator[Finding]:
    """A WSGI worker class that serves an ASGI application."""
    yield from worst_of_each_line(_wsgi_workers(project))


def _wsgi_workers(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        kind = worker_kind(plan)
        if kind in ("", "uvicorn", "asgi"):
            continue
        app = named_app(project, plan)
        if app is None:
            continue
        name = "threads" if kind == "gthread" and said(plan, "worker_class") is None else "worker_class"
        chosen = said(plan, name)
        call = written(plan, name) if chosen is not None else "worker_class = 'sync'"
        notes = () if chosen is not None else ("nobody chooses a worker class: gunicorn's default is `sync`",)
        yield found(project, "FL605", plan, place_of(plan, name), call, f"`{plan.app}` is a {app}", notes=notes)


def deprecated_worker_classes(project: Project) -> Iterator[Finding]:
    """`uvicorn.workers`: replaced by the package uvicorn-worker."""
    yield from worst_of_each_line(_deprecated(project))


def _deprecated(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        name = value_of(plan, "worker_class")
        if plan.server in GUNICORN and isinstance(name, str) and name.startswith("uvicorn.workers."):
            successor = name.replace("uvicorn.workers.", "uvicorn_worker.", 1)
            yield found(
                project,
                "FL606",
                plan,
                place_of(plan, "worker_class"),
                written(plan, "worker_class"),
                name,
                f"`{successor}`",
            )


def reload_in_production(project: Project) -> Iterator[Finding]:
    """Reload where the service is deployed, or beside workers that it switches off."""
    yield from worst_of_each_line(_reloading(project))


def _reloading(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        if not reloads(plan):
            continue
        asked = setting_number(plan, "workers") or 0
        idle = plan.server in UVICORN and asked > 1 and said(plan, "workers") is not None
        if not deployed(plan) and not idle:
            continue
        detail = "it watches files and restarts under load"
        if idle:
            detail = f"{asked:.0f} workers are asked for, one process runs"
        call = "fastapi dev" if plan.server == "fastapi dev" else written(plan, "reload")
        yield found(project, "FL607", plan, place_of(plan, "reload"), call, detail)


def app_objects_with_workers(project: Project) -> Iterator[Finding]:
    """`uvicorn.run(app, workers=N)` or with reload: the server refuses and ends with status 3."""
    for plan in project.plans:
        if plan.server != PROGRAM or not hands_object(project, plan):
            continue
        workers = setting_number(plan, "workers") or 0
        wrote = said(plan, "workers")
        by_keyword = wrote is not None and wrote.rank is Rank.COMMAND
        if workers > 1 and by_keyword:
            name, detail = "workers", f"{workers:.0f} workers"
        elif value_of(plan, "reload") is True:
            name, detail = "reload", "a reloader"
        else:
            continue
        yield found(project, "FL608", plan, place_of(plan, name), written(plan, name), detail)


def settings_without_effect(project: Project) -> Iterator[Finding]:
    """Settings that the chosen worker class or server ignores."""
    yield from worst_of_each_line(_idle_settings(project))


def _idle_settings(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        kind = worker_kind(plan)
        for name, setting in server("gunicorn").settings.items() if kind else ():
            wrote = said(plan, name)
            if (
                wrote is None
                or kind not in setting.ignored_by
                or value_of(plan, name) in (None, False)
                or (name == "threads" and value_of(plan, name) == 1)
            ):
                continue
            yield found(project, "FL609", plan, place_of(plan, name), written(plan, name), setting.ignored_by[kind])
        yield from _jitter_alone(project, plan)


def _jitter_alone(project: Project, plan: ServerPlan) -> Iterator[Finding]:
    limit, jitter = _recycling(plan)
    wrote = said(plan, jitter)
    if wrote is not None and (setting_number(plan, jitter) or 0) > 0 and value_of(plan, limit) in (0, None):
        yield found(
            project,
            "FL609",
            plan,
            place_of(plan, jitter),
            written(plan, jitter),
            f"`{limit}` is not set, nothing recycles",
        )


def _recycling(plan: ServerPlan) -> tuple[str, str]:
    if plan.server in GUNICORN:
        return "max_requests", "max_requests_jitter"
    if plan.server in UVICORN:
        return "limit_max_requests", "limit_max_requests_jitter"
    return "max_requests", "max_requests_jitter"


def recycling_without_jitter(project: Project) -> Iterator[Finding]:
    """Workers that all restart after the same number of requests: together, under even load."""
    yield from worst_of_each_line(_together(project))


def _together(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        limit, jitter = _recycling(plan)
        requests = setting_number(plan, limit) or 0
        if not deployed(plan) or requests <= 0 or value_of(plan, jitter) not in (0, None) or worker_count(plan) == 1:
            continue
        workers = worker_count(plan)
        who = f"all {workers} workers" if workers is not None else "all workers"
        yield found(
            project,
            "FL610",
            plan,
            place_of(plan, limit),
            written(plan, limit),
            f"{who} after {requests:.0f} requests each",
            f"`{jitter} = {max(int(requests) // 10, 1)}`",
        )


def unsafe_timeouts(project: Project) -> Iterator[Finding]:
    """A heartbeat that is off or hardly ever strikes, a patience that the heartbeat cuts, a keep-alive of zero."""
    yield from worst_of_each_line(_timeouts(project))


def _timeouts(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        if plan.server in GUNICORN:
            yield from _gunicorn_timeouts(project, plan)
        elif plan.server in UVICORN and said(plan, "timeout_keep_alive") and value_of(plan, "timeout_keep_alive") == 0:
            yield found(
                project,
                "FL611",
                plan,
                place_of(plan, "timeout_keep_alive"),
                written(plan, "timeout_keep_alive"),
                "connections are dropped without a word to the client",
            )


def _gunicorn_timeouts(project: Project, plan: ServerPlan) -> Iterator[Finding]:
    timeout, graceful = setting_number(plan, "timeout"), setting_number(plan, "graceful_timeout")
    if timeout is not None and said(plan, "timeout") and (timeout == 0 or timeout >= _LONGEST_TIMEOUT):
        detail = "a worker whose loop hangs is never replaced"
        if timeout:
            detail = f"a worker whose loop hangs is replaced after {timeout:.0f} s"
        yield found(project, "FL611", plan, place_of(plan, "timeout"), written(plan, "timeout"), detail)
    # While the whole server stops, nobody watches heartbeats. A worker that ends by itself is watched, and has none.
    recycles = (setting_number(plan, "max_requests") or 0) > 0 and worker_kind(plan) in ("uvicorn", "asgi")
    asked = said(plan, "graceful_timeout") and said(plan, "timeout")
    if asked and recycles and timeout and graceful is not None and graceful > timeout:
        yield found(
            project,
            "FL611",
            plan,
            place_of(plan, "graceful_timeout"),
            written(plan, "graceful_timeout"),
            f"a worker that ends after `max_requests` is killed by `timeout` first: {graceful:.0f} s > {timeout:.0f} s",
        )


def unknown_settings(project: Project) -> Iterator[Finding]:
    """Names that the server does not know."""
    yield from worst_of_each_line(_problems(project, "unknown-setting", "FL614"))


def invalid_values(project: Project) -> Iterator[Finding]:
    """Values that the server rejects or misreads."""
    yield from worst_of_each_line(_problems(project, "invalid-value", "FL615"))


def _problems(project: Project, kind: str, code: str) -> Iterator[Finding]:
    for plan in project.plans:
        for problem in all_problems(plan):
            if _kind(problem) == kind:
                nearest = f"`{problem.nearest}`" if problem.nearest else ""
                yield found(project, code, plan, problem.where, problem.name, problem.text, nearest)


def _kind(problem: Problem) -> str:
    """What a problem comes to. A variable that nothing expands is no value at all: the server never starts."""
    if problem.kind == "invalid-value" and "'$" in problem.text:
        return "never-serves"
    return problem.kind


def all_problems(plan: ServerPlan) -> tuple[Problem, ...]:
    """What the readers could not accept, of the plan and of its command, each once."""
    own = plan.command.problems if plan.command is not None else ()
    return tuple(dict.fromkeys((*plan.problems, *own)))


def conflicting_settings(project: Project) -> Iterator[Finding]:
    """Two places that say different things of one setting; the weaker one has no effect."""
    yield from worst_of_each_line(_conflicts(project))


def _conflicts(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        for name, setting in sorted(plan.settings.items()):
            winner = setting.said
            if winner.where is None or not setting.known:
                continue
            for loser in setting.overruled:
                if _contradicts(winner, loser, setting.value) and loser.where is not None:
                    yield found(
                        project,
                        "FL616",
                        plan,
                        loser.where,
                        spelled(loser),
                        f"{winner.by} says {setting.value!r} and wins",
                        related=(Step(winner.where, spelled(winner)),),
                        notes=(f"`{name}` is {setting.value!r}: {winner.by} overrules {loser.by}",),
                    )


def _contradicts(winner: Said, loser: Said, value: object) -> bool:
    """Whether somebody wrote a different value down in vain. A default in a file is no contradiction of a flag."""
    if loser.where is None or loser.rank is Rank.DEFAULT or loser.where == winner.where:
        return False
    if loser.rank is Rank.ENVIRONMENT_DEFAULT and loser.name != "workers":
        return False  # PORT and the like are there for others as well
    if not set(loser.variables).isdisjoint(winner.variables):
        return False  # it is heard: the winner works its value out from it
    if loser.by.startswith("Dockerfile ENV") and not winner.by.startswith("Dockerfile"):
        return False  # what an image sets is there to be overruled by whoever runs it
    if isinstance(loser.value, (Unknown, Env)) or not isinstance(loser.value, (bool, int, float, str, tuple)):
        return False
    return str(loser.value) != str(value)


def heartbeats_on_disk(project: Project) -> Iterator[Finding]:
    """The heartbeat file of a gunicorn worker on the overlay disk of a container."""
    for plan in project.plans:
        folder = value_of(plan, "worker_tmp_dir")
        if plan.server not in GUNICORN or not plan.container or plan.development:
            continue
        if isinstance(folder, Unknown) or (isinstance(folder, str) and folder.startswith(_MEMORY_FOLDERS)):
            continue
        if folder is not None and not isinstance(folder, str):
            continue
        temporary = plan.environment.get("TMPDIR")  # Python's tempfile asks it where gunicorn is told no folder
        if folder is None and temporary is not None and temporary.value != "":
            if not isinstance(temporary.value, str) or temporary.value.startswith(_MEMORY_FOLDERS):
                continue
            folder = temporary.value
        if _in_memory(plan, folder or "/tmp"):
            continue
        call = written(plan, "worker_tmp_dir") if folder else "worker_tmp_dir"
        detail = "it is not set, so the heartbeat is in /tmp" if folder is None else f"{folder} is on the disk"
        yield found(project, "FL621", plan, place_of(plan, "worker_tmp_dir"), call, detail, "`/dev/shm`")


def _in_memory(plan: ServerPlan, folder: str) -> bool:
    """Whether a folder of the container is a tmpfs."""
    return any(folder == mount or folder.startswith(f"{mount.rstrip('/')}/") for mount in plan.memory_folders)


def servers_that_never_serve(project: Project) -> Iterator[Finding]:
    """Servers that start and cannot serve."""
    yield from worst_of_each_line(_never_serving(project))


def _never_serving(project: Project) -> Iterator[Finding]:
    yield from _problems(project, "never-serves", "FL626")
    for plan in project.plans:
        told = {problem.name for problem in all_problems(plan) if problem.kind == "never-serves"}
        if plan.server in GUNICORN and value_of(plan, "workers") == 0 and "workers" not in told:
            yield found(
                project,
                "FL626",
                plan,
                place_of(plan, "workers"),
                written(plan, "workers"),
                "the master listens, no worker answers: clients connect and hang",
            )
        limit = setting_number(plan, "limit_concurrency")
        if plan.server in UVICORN and limit in (0, 1) and "limit_concurrency" not in told:
            yield found(
                project,
                "FL626",
                plan,
                place_of(plan, "limit_concurrency"),
                written(plan, "limit_concurrency"),
                f"the request itself is counted: {limit:.0f} admits none, every answer is 503",
            )
        yield from _object_and_variable(project, plan)
        yield from _loops_at_import(project, plan)


def _object_and_variable(project: Project, plan: ServerPlan) -> Iterator[Finding]:
    wrote = said(plan, "workers")
    if plan.server != PROGRAM or not hands_object(project, plan) or wrote is None or wrote.rank is Rank.COMMAND:
        return
    if (setting_number(plan, "workers") or 0) > 1:
        yield found(
            project,
            "FL626",
            plan,
            place_of(plan, "workers"),
            written(plan, "workers"),
            "uvicorn.run is given an object, not an import string, and ends with status 3",
            related=(Step(plan.where, "uvicorn.run(app, …)"),),
        )


def _loops_at_import(project: Project, plan: ServerPlan) -> Iterator[Finding]:
    """A module-level `asyncio.run` in the application: uvicorn's children import it on a running loop."""
    workers = worker_count(plan) or 0
    if plan.server not in UVICORN or not (workers > 1 or reloads(plan)):
        return
    for where, name in loops_run_at_import(project, plan):
        yield found(
            project,
            "FL626",
            plan,
            where,
            name,
            "a loop is already running where uvicorn's children import the application",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,
        )
