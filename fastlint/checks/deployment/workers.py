"""FL601-FL604 and FL617: how many workers, held against cores, memory and replicas. Reads no file."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fastlint.amounts import shown_bytes, shown_cores
from fastlint.checks.deployment.counts import comes_to, counters_in, variables_in
from fastlint.checks.deployment.given import (
    deployed,
    found,
    place_of,
    replicas,
    value_of,
    worker_count,
    worst_of_each_line,
    written,
)
from fastlint.checks.deployment.memory import memory_per_worker
from fastlint.deploy.plan import ServerPlan
from fastlint.deploy.target import Grant, Origin
from fastlint.deploy.values import Counter
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.project import Project

_LARGE_HOST = 16  # cores of the host in the example of FL603: what cloud providers rent as an ordinary node
_LARGER_HOST = 64  # a formula that stays within bounds here is capped
_NOBODY_DECLARES = "no target is declared: compared with the machine that runs fastlint"


def workers_exceed_cores(project: Project) -> Iterator[Finding]:
    """More workers than cores can serve: over 2 x cores + 1 is an error, over 2 x cores a warning (sizing.md)."""
    yield from worst_of_each_line(_too_many_for_cores(project))


def _too_many_for_cores(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        grant = project.target(plan).cores
        workers = _workers_on(plan, grant)
        if workers is None or grant.value is None or workers < 2 or workers <= 2 * grant.value or not deployed(plan):
            continue
        outer = 2 * grant.value + 1
        severity = Severity.ERROR if workers > outer else Severity.WARNING
        cores = _cores(grant)
        bound = f"2 x {shown_cores(grant.value)}" + (f" + 1 = {shown_cores(outer)}" if workers > outer else "")
        if workers <= outer:
            bound += f" = {shown_cores(2 * grant.value)}"
        yield found(
            project,
            "FL601",
            plan,
            place_of(plan, "workers"),
            written(plan, "workers"),
            f"{workers} > {bound}, on {cores}",
            _fitting(grant.value),
            severity if grant.declared else severity.lowered(),
            Confidence.HIGH if grant.declared else Confidence.MEDIUM,
            notes=() if grant.declared else (_NOBODY_DECLARES,),
            related=_granted(grant, "cores"),
        )


def _workers_on(plan: ServerPlan, grant: Grant) -> int | None:
    """The workers of one instance; a formula counts the target's cores where nothing hides them from it."""
    workers = worker_count(plan)
    if workers is not None or grant.value is None or not grant.declared:
        return workers
    value = value_of(plan, "workers")
    counters = set(counters_in(value))
    if not counters or (plan.container and grant.origin is Origin.MANIFEST and counters != {Counter.LIMIT}):
        return None  # FL603 speaks of it
    cores = math.ceil(grant.value)
    count = comes_to(value, dict.fromkeys(Counter, cores))
    return int(count) if count is not None else None


def single_worker_on_many_cores(project: Project) -> Iterator[Finding]:
    """One worker where several cores are declared and nothing else runs beside it."""
    for plan in project.plans:
        grant = project.target(plan).cores
        if grant.value is None or grant.value < 2 or not grant.declared or not deployed(plan):
            continue
        if worker_count(plan) != 1 or plan.orchestrated or replicas(plan) > 1:
            continue
        yield found(
            project,
            "FL602",
            plan,
            place_of(plan, "workers"),
            written(plan, "workers"),
            f"1 process on {_cores(grant)}",
            f"{int(grant.value)} workers",
            related=_granted(grant, "cores"),
        )


def core_count_ignores_limit(project: Project) -> Iterator[Finding]:
    """A worker formula on a count of cores that does not know the container's limit."""
    yield from worst_of_each_line(_blind_formulas(project))


def _blind_formulas(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        value = value_of(plan, "workers")
        blind = {counter for counter in counters_in(value) if counter is not Counter.LIMIT}
        if not blind or not plan.container or plan.development:
            continue
        on_large = comes_to(value, dict.fromkeys(Counter, _LARGE_HOST))
        on_larger = comes_to(value, dict.fromkeys(Counter, _LARGER_HOST))
        if on_large is None or on_larger is None:
            continue
        limit = plan.limits.cores
        grant = project.target(plan).cores
        known = grant.value if limit is not None or grant.origin > Origin.MANIFEST else None
        if limit is not None and known is None:
            continue  # a limit that only the deployment knows: it may be the whole host
        if on_larger <= (2 * known + 1 if known is not None else 2 * _LARGE_HOST):
            continue  # capped
        variables = sorted(set(variables_in(value)))
        who = "the host's cores, not the container's"
        arithmetic = f"{on_large:.0f} workers on a host of {_LARGE_HOST} cores"
        if known is not None:
            arithmetic += f" for {_cores(grant)}"
        notes = [f"unless {' or '.join(f'`{name}`' for name in variables)} is set where it runs"] if variables else []
        if known is None:
            notes.append("no limit of cores is declared here: right only where the container has the whole host")
        yield found(
            project,
            "FL603",
            plan,
            place_of(plan, "workers"),
            written(plan, "workers"),
            f"{who}: {arithmetic}",
            f"`workers = {_fitting_count(known)}`" if known is not None else "a number",
            None if known is not None else Severity.INFO,
            Confidence.MEDIUM if variables or known is None else Confidence.HIGH,
            notes=tuple(notes),
            related=_granted(grant, "cores") if known is not None else (),
        )


def workers_exceed_memory(project: Project) -> Iterator[Finding]:
    """Workers times the memory of one above the memory of the target."""
    yield from worst_of_each_line(_too_many_for_memory(project))


def _too_many_for_memory(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        target = project.target(plan)
        grant = target.memory
        workers = _workers_on(plan, target.cores)
        if workers is None or workers < 2 or grant.value is None or not deployed(plan):
            continue
        per_worker = memory_per_worker(project)
        if workers * per_worker.most <= grant.value:
            continue
        certain = workers * per_worker.least > grant.value
        severity = Severity.ERROR if certain else Severity.INFO
        if not grant.declared:
            severity = severity.lowered()
        notes = [per_worker.source]
        if not grant.declared:
            notes.append(_NOBODY_DECLARES)
        if value_of(plan, "preload_app") is True:
            notes.append("`preload_app` shares what the import leaves untouched, so a worker needs less")
        yield found(
            project,
            "FL604",
            plan,
            place_of(plan, "workers"),
            written(plan, "workers"),
            f"{workers} x {per_worker} = {per_worker.times(workers)} > {shown_bytes(grant.value)} ({grant.by})",
            f"{max(int(grant.value // per_worker.least), 1)} workers at most",
            severity,
            Confidence.HIGH if per_worker.declared else Confidence.MEDIUM,
            notes=tuple(notes),
            related=_granted(grant, "memory"),
        )


def many_workers_per_pod(project: Project) -> Iterator[Finding]:
    """Several workers in a container of which something runs as many copies as are needed."""
    for plan in project.plans:
        workers = worker_count(plan)
        if workers is None or workers < 2 or not plan.orchestrated or plan.development:
            continue
        count = replicas(plan)
        total = (
            f"{count} replicas x {workers} workers = {count * workers} processes" if count > 1 else f"{workers} each"
        )
        related: tuple[Step, ...] = ()
        if plan.limits.replicas is not None and plan.limits.replicas.where is not None:
            related = (Step(plan.limits.replicas.where, f"{count} replicas"),)
        yield found(project, "FL617", plan, place_of(plan, "workers"), written(plan, "workers"), total, related=related)


def _cores(grant: Grant) -> str:
    """The cores of the target and who says so."""
    if grant.value is None:
        return "an unknown number of cores"
    place = f", {grant.where.path}:{grant.where.line}" if grant.where is not None else ""
    return f"{shown_cores(grant.value)} core{'' if grant.value == 1 else 's'} ({grant.by}{place})"


def _granted(grant: Grant, what: str) -> tuple[Step, ...]:
    return (Step(grant.where, f"the {what} of the target"),) if grant.where is not None else ()


def _fitting_count(cores: float) -> int:
    return max(int(cores), 1)


def _fitting(cores: float) -> str:
    return f"{_fitting_count(cores)} worker{'' if _fitting_count(cores) == 1 else 's'}"
