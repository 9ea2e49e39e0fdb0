"""FL623: work that is known to take longer than the supervisor waits for a sign of life."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.blocking import shown
from fastlint.checks.deployment.given import GUNICORN, deployed, found, number, setting_number, worker_kind
from fastlint.checks.deployment.imports import imported_modules
from fastlint.checks.deployment.made import constant
from fastlint.deploy.plan import ServerPlan
from fastlint.finding import Confidence, Finding, Step
from fastlint.graph.contexts import Context, State, unreached_cost
from fastlint.graph.state import MAYBE, OFF_LOOP
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Node
from fastlint.source.nodes import calls_within

_EARLY = 0.75  # the Uvicorn worker's heartbeat: a loop blocked for 75 % of the timeout was killed (server-settings.md)
_SLEEPS = "FL102"
_SERVING = frozenset({Context.LOOP})
_ALL = frozenset({Context.LOOP, Context.STARTUP, Context.IMPORT})
_WHEN = {Context.LOOP: "while requests are served", Context.STARTUP: "at start-up", Context.IMPORT: "at import"}


def workers_killed_while_blocking(project: Project) -> Iterator[Finding]:
    """A blocking call of a known length that outlasts a heartbeat or a probe."""
    plans = [plan for plan in project.plans if deployed(plan)]
    stalls = list(_stalls(project)) if plans else []
    if not stalls:
        return
    done: set[tuple[FunctionRef, int]] = set()
    for plan in plans:
        names = {module.name for module in imported_modules(project, plan)}
        for limit, who, step, contexts in _patience(plan):
            for function, site, seconds, name, state in stalls:
                if seconds <= limit or (function, site) in done or state[1] not in contexts:
                    continue
                if state[1] is Context.IMPORT and function[0] not in names:
                    continue
                done.add((function, site))
                yield found(
                    project,
                    "FL623",
                    plan,
                    project.where(function, site),
                    f"{name}({seconds:g})",
                    f"{seconds:g} s {_WHEN[state[1]]}, {who}",
                    confidence=Confidence.HIGH if state[1] is not Context.IMPORT else Confidence.MEDIUM,
                    related=(step,),
                )


def _patience(plan: ServerPlan) -> Iterator[tuple[float, str, Step, frozenset[Context]]]:
    """How long something waits for a sign of life (s), in words, where that is said, and what it watches.

    gunicorn's heartbeat watches a worker only from its first beat on: neither import nor lifespan (observed, 27.0.1).
    """
    timeout = setting_number(plan, "timeout")
    if plan.server in GUNICORN and timeout and worker_kind(plan) in ("uvicorn", "asgi"):
        where = plan.settings["timeout"].said.where or plan.where
        early = worker_kind(plan) == "uvicorn"
        words = f"`timeout = {timeout:g}`"
        if early:
            words += f", whose heartbeat may be missed after {timeout * _EARLY:g} s"
        yield timeout * _EARLY if early else timeout, words, Step(where, f"timeout = {timeout:g}"), _SERVING
    for probe in plan.limits.probes:
        seconds = number(probe.value)
        if seconds is not None and probe.where is not None:
            yield seconds, f"{probe.by} gives up after {seconds:g} s", Step(probe.where, probe.text or probe.by), _ALL


def _stalls(project: Project) -> Iterator[tuple[FunctionRef, int, float, str, State]]:
    """Every call that certainly stops the loop for a known number of seconds."""
    graph = project.graph
    calls: dict[FunctionRef, dict[int, Node]] = {}
    for variant in graph.in_order:
        for event, flags in variant.events.items():
            if event.rule != _SLEEPS or flags & (OFF_LOOP | MAYBE):
                continue
            for context in (Context.LOOP, Context.STARTUP, Context.IMPORT):
                arrival = graph.contexts.arrivals.get((variant.number, context))
                if arrival is None or arrival.cost >= unreached_cost() or arrival.flags & MAYBE:
                    continue
                if variant.function not in calls:
                    calls[variant.function] = _calls_by_site(project, variant.function)
                seconds = _seconds(project, variant.function, calls[variant.function].get(event.site))
                if seconds is not None:
                    yield variant.function, event.site, seconds, shown(event.name), (variant.number, context)
                break


def _calls_by_site(project: Project, function: FunctionRef) -> dict[int, Node]:
    world = project.graph.world
    body = world.function(function).body if function[1] >= 0 else world.modules[function[0]].facts.body
    return {call[1]: call for call in calls_within(body)}


def _seconds(project: Project, function: FunctionRef, call: Node) -> float | None:
    if call is None or not call[3]:
        return None
    value = constant(project, function[0], call[3][0])
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
