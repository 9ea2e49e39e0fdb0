"""A judged project and its target -> the situation that advice is given for. Sizes nothing and reads no file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fastlint.advise.advice import Situation
from fastlint.advise.figures import Figure
from fastlint.advise.measured import Measured
from fastlint.advise.refusals import AdviceError
from fastlint.advise.workload import Assumptions, read_workload
from fastlint.checks.deployment.budget import Pool, pools_of
from fastlint.checks.deployment.memory import memory_per_worker
from fastlint.deploy.plan import Limits, Said, ServerPlan
from fastlint.deploy.target import Grant, target_of
from fastlint.finding import Finding, Location
from fastlint.project import Project


def chosen_plan(plans: Sequence[ServerPlan], name: str | None) -> ServerPlan | None:
    """The service to advise: the named one, else the one that is put into production. Raises `AdviceError` where the
    name is not there, or where several services could be meant."""
    if name is not None:
        found = next((plan for plan in plans if plan.name == name), None)
        if found is None:
            raise AdviceError(f"no service {name!r}; there are {_names(plans) or 'none'}")
        return found
    deployed = [plan for plan in plans if not plan.development] or list(plans)
    if len({plan.name for plan in deployed}) > 1 and len({str(plan.app) for plan in deployed}) > 1:
        raise AdviceError(f"several services could be meant: choose one with --service ({_names(deployed)})")
    # One application started in several ways: what replicates it is production, then a container, then the rest
    return min(deployed, key=lambda plan: (not plan.orchestrated, not plan.container), default=None)


def _names(plans: Sequence[ServerPlan]) -> str:
    return ", ".join(sorted({plan.name for plan in plans}))


def read_situation(
    project: Project,
    findings: Iterable[Finding],
    line: Callable[[Location], str],
    assumptions: Assumptions,
    plan: ServerPlan | None,
    measured: Measured,
    goal: Figure | None,
) -> Situation:
    """Everything that the advice for one service depends on."""
    limits = plan.limits if plan is not None else Limits()
    target = target_of(project.settings, limits, project.machine)
    cores, memory = _figure(target.cores, "cores"), _figure(target.memory, "bytes")
    if cores is None:
        raise AdviceError(f"the number of cores is not known ({target.cores.by}): say it with --cores")
    memory_of_one = memory_per_worker(project)
    pools = pools_of(project)
    allowed = project.settings.max_connections
    return Situation(
        cores,
        memory,
        read_workload(project.graph, findings, project.locate, line, assumptions),
        assumptions,
        measured,
        goal,
        replicas=_number(limits.replicas, ""),
        orchestrated=plan.orchestrated if plan is not None else False,
        worker_memory=Figure(memory_of_one.most, "bytes", memory_of_one.source, not memory_of_one.declared),
        connections=Figure(allowed.value, "", allowed.by) if allowed is not None else _database(project),
        pool=_pool(pools, project),
        pool_text=pools[0].arithmetic if len(pools) == 1 else "",
        plan=plan,
    )


def _pool(pools: Sequence[Pool], project: Project) -> Figure | None:
    """The connections that all pools of one worker may hold together."""
    if not pools:
        return None
    places = ", ".join(str(project.where(pool.made.function, pool.made.site)).rsplit(":", 1)[0] for pool in pools)
    return Figure(float(sum(pool.most for pool in pools)), "", f"pools made at {places}")


def _figure(grant: Grant, unit: str) -> Figure | None:
    where = f", {grant.where.path}:{grant.where.line}" if grant.where is not None else ""
    return None if grant.value is None else Figure(grant.value, unit, f"{grant.by}{where}")


def _number(said: Said | None, unit: str) -> Figure | None:
    value = said.value if said is not None else None
    if said is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    where = f", {said.where.path}:{said.where.line}" if said.where is not None else ""
    return Figure(float(value), unit, f"{said.by}{where}")


def _database(project: Project) -> Figure | None:
    """What the one database that the same files start accepts."""
    if len(project.databases) != 1:
        return None
    return _number(project.databases[0].max_connections, "")
