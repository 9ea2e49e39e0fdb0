"""FL619, FL622, FL625: whether the server hears that it is to stop, and has the time. Judges no start."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.deployment.given import (
    GUNICORN,
    UVICORN,
    deployed,
    found,
    number,
    place_of,
    said,
    setting_number,
    value_of,
    worst_of_each_line,
    written,
)
from fastlint.checks.deployment.made import calls_made
from fastlint.finding import Confidence, Finding, Step
from fastlint.graph.contexts import entry_edges
from fastlint.project import Project

_WHICH_SHELL = "bash and Alpine's `sh` would give way here; which shell `sh` is in the image is not known"
_STREAMS = (
    "fastapi.responses.StreamingResponse",
    "starlette.responses.StreamingResponse",
    "sse_starlette.sse.EventSourceResponse",
    "sse_starlette.EventSourceResponse",
    "fastapi.sse.EventSourceResponse",
)


def shutdown_cut_short(project: Project) -> Iterator[Finding]:
    """A patience at stop that is longer than the orchestrator's."""
    yield from worst_of_each_line(_cut_short(project))


def _cut_short(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        name = "timeout_graceful_shutdown" if plan.server in UVICORN else "graceful_timeout"
        patience = setting_number(plan, name)
        period = plan.limits.grace_period
        granted = number(period.value) if period is not None else None
        if period is None or patience is None or granted is None or patience <= granted or plan.development:
            continue
        if said(plan, name) is None and period.where is None:
            continue  # two defaults: nobody chose either
        where = place_of(plan, name) if said(plan, name) is not None or period.where is None else period.where
        call = written(plan, name)
        killer = f"{period.by} kills after {granted:g} s" + (
            f" ({period.where.path}:{period.where.line})" if period.where is not None else ""
        )
        yield found(
            project,
            "FL619",
            plan,
            where,
            call,
            f"{patience:g} s > {granted:g} s, {killer}",
            related=(Step(period.where, killer),) if period.where is not None else (),
        )


def signals_not_delivered(project: Project) -> Iterator[Finding]:
    """A shell stands between the container's first process and the server."""
    yield from worst_of_each_line(_unheard(project))


def _unheard(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        command = plan.command
        if command is None or not plan.container or plan.development:
            continue
        if command.shell and not command.replaces_shell:
            yield found(
                project,
                "FL622",
                plan,
                command.where,
                plan.server,
                f"{command.by}: a shell starts it and keeps the signals for itself",
                f"`exec {plan.server.split()[0] if plan.server in GUNICORN | UVICORN else plan.server}`",
                confidence=Confidence.MEDIUM if command.perhaps_replaces else Confidence.HIGH,
                notes=(_WHICH_SHELL,) if command.perhaps_replaces else (),
            )


def no_shutdown_limit(project: Project) -> Iterator[Finding]:
    """Open WebSockets and streams keep a uvicorn that is told to stop alive for ever."""
    long_lived = _long_lived(project)
    if not long_lived:
        return
    for plan in project.plans:
        if plan.server not in UVICORN or value_of(plan, "timeout_graceful_shutdown") is not None or not deployed(plan):
            continue
        kinds = " and ".join(dict.fromkeys(kind for kind, _ in long_lived))
        yield found(
            project,
            "FL625",
            plan,
            place_of(plan, "timeout_graceful_shutdown"),
            plan.server,
            f"the application has {kinds} routes, which may never end",
            related=tuple(step for _, step in long_lived[:3]),
        )


def _long_lived(project: Project) -> list[tuple[str, Step]]:
    """Routes whose connections stay open: what they are, and where."""
    out: list[tuple[str, Step]] = []
    for variant, edge, _, label, _ in entry_edges(project.graph.in_order):
        if label.lower().startswith("websocket"):
            out.append(("WebSocket", Step(project.where(variant.function, edge.site), label)))
    for made in calls_made(project, _STREAMS):
        if made.function[1] >= 0:
            out.append(("streaming", Step(project.where(made.function, made.site), made.dotted.rpartition(".")[2])))
    return list(dict.fromkeys(out))
