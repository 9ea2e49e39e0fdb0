"""A situation -> the whole advice: rows in order, what to change first, and what caps throughput regardless."""

from __future__ import annotations

from fastlint.advise.advice import Advice, Row, Situation
from fastlint.advise.figures import written
from fastlint.advise.limits import size_limits
from fastlint.advise.refusals import AdviceError
from fastlint.advise.threads import size_pools, size_threads
from fastlint.advise.workers import size_workers

_MOST_CEILINGS = 5
_PERIOD = 100  # ms in which a quota of processor time is counted (cgroup v2 `cpu.max`, kernel documentation)
_TOO_FEW_CORES = 0.1  # every request then waits longer for the processor than most wait for a database
_TELLING = 0.005  # a stall below 5 ms caps nothing that matters


def advise(situation: Situation) -> Advice:
    """The advice for a situation. Raises `AdviceError` where it is impossible or makes no sense."""
    _sensible(situation)
    workers = size_workers(situation)
    rows = [
        *workers.rows,
        *size_threads(situation, workers),
        *size_pools(situation, workers),
        *size_limits(situation, workers),
    ]
    return Advice(
        situation,
        tuple(rows),
        workers.workers,
        workers.replicas,
        workers.worker_memory,
        workers.model,
        first=_first(situation, rows),
        ceilings=_ceilings(situation),
    )


def _sensible(situation: Situation) -> None:
    if situation.cores.value <= 0:
        raise AdviceError(f"{situation.cores.value:g} cores ({situation.cores.source}): there is nothing to run on")
    if situation.cores.value <= _TOO_FEW_CORES:
        run = situation.cores.value * _PERIOD
        raise AdviceError(
            f"{situation.cores.value:g} cores ({situation.cores.source}) let a worker run for {run:.3g} ms and "
            f"then stand still for {_PERIOD - run:.3g} ms, again and again: no setting helps, it needs more of a core"
        )
    for name, figure in (
        ("rate", situation.goal),
        ("rate per worker", situation.measured.rate_per_worker),
        ("latency", situation.measured.latency),
        ("memory", situation.memory),
        ("memory per worker", situation.worker_memory),
    ):
        if figure is not None and figure.value <= 0:
            raise AdviceError(f"a {name} of {figure.value:g} ({figure.source}) says nothing: it must be above zero")


def _ceilings(situation: Situation) -> tuple[str, ...]:
    """The calls that cap what a worker serves, whatever the worker count; the longest first."""
    out: list[str] = []
    for stall in situation.workload.stalls:
        if stall.seconds.value < _TELLING or len(out) == _MOST_CEILINGS:
            break
        out.append(
            f"{stall.entry}: `{stall.call}` holds the loop for {stall.seconds} ({stall.seconds.source}): "
            f"at most {written(stall.ceiling, 'requests/s')} per worker, whatever the worker count "
            f"({stall.where.path}:{stall.where.line})"
        )
    return tuple(out)


def _first(situation: Situation, rows: list[Row]) -> tuple[str, ...]:
    """What to change first: code that stalls everything, then what is set wrongly, then what grows."""
    out: list[str] = []
    stalls = [stall for stall in situation.workload.stalls if stall.seconds.value >= _TELLING]
    if stalls:
        worst = stalls[0]
        out.append(
            f"Take `{worst.call}` off the event loop ({worst.where.path}:{worst.where.line}): no number of workers "
            f"gets past it{f', nor past {len(stalls) - 1} more like it' if len(stalls) > 1 else ''}."
        )
    for row in rows:
        if row.changed and row.setting in ("workers", "replicas", "pool_size + max_overflow"):
            out.append(f"Set {row.setting} to {row.advised} instead of {row.now}: {row.why}.")
    failures = situation.measured.failures
    if failures is not None and failures.value > 0.01:
        out.append(f"{failures} of the measured requests failed: find out why before you size anything by them.")
    return tuple(out)
