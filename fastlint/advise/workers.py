"""How many workers and replicas: cores, memory, measured rate and goal. Every number shows its arithmetic.

Formulas: workers = target rate / measured rate a worker (the article this project began from, see README); one to two
workers a core (the same; uvicorn and FastAPI recommend one process a core or container, not gunicorn's 2n + 1, which is
meant for WSGI workers that wait).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fastlint.advise.advice import Row, Situation
from fastlint.advise.figures import MIB, Figure, written
from fastlint.advise.prediction import WorkerModel
from fastlint.advise.refusals import AdviceError

_EPSILON = 1e-9
_FULL = 0.9  # of the threads in use on average: then some request waits for one
_SHARED_MODEL = 500 * MIB  # a process this large is worth sharing by preloading rather than repeating a pod


@dataclass(frozen=True, slots=True)
class WorkerAdvice:
    """Workers a process group, replicas of it, and the rows that say why."""

    workers: int
    replicas: int
    model: WorkerModel | None
    worker_memory: Figure
    rows: tuple[Row, ...]


def size_workers(situation: Situation) -> WorkerAdvice:
    """Workers and replicas. Raises `AdviceError` where not even one worker fits."""
    memory = worker_memory(situation)
    fitting = _fitting(situation, memory)
    model = worker_model(situation)
    useful, reason = _useful(situation, model)
    wanted, arithmetic = _wanted(situation, model, useful)
    workers = max(1, min(wanted, fitting) if fitting is not None else wanted)
    words = [reason, *arithmetic]
    if fitting is not None:
        words.append(_memory_words(situation, memory, fitting, workers < wanted))
    inputs = tuple(figure for figure in (situation.cores, situation.memory, situation.goal, memory) if figure)
    if situation.orchestrated:
        return _replicated(situation, workers, words, model, memory, inputs)
    row = Row("workers", situation.now("workers"), str(workers), "; ".join(words), workers, inputs)
    return WorkerAdvice(workers, 1, model, memory, (row,))


def worker_memory(situation: Situation) -> Figure:
    """What one worker holds (bytes): measured, else declared, else the rule of thumb."""
    return situation.measured.memory or situation.worker_memory or situation.assumptions.worker_memory


def worker_model(situation: Situation) -> WorkerModel | None:
    """One worker at its limit; None where no rate was measured or given.

    A rate that an exporter saw is not a limit: it is scaled to a fully used core by the CPU share measured with it. Nor
    is one at which requests left threads free, see `_of_threads`.
    """
    measured = situation.measured
    one = measured.one_worker()
    cores = situation.cores.value
    if one is not None:
        share = measured.cpu.value if measured.cpu is not None and 0 < measured.cpu.value <= 1 else 1.0
        return _of_threads(situation, WorkerModel(one.value, share, cores))
    if measured.rate is not None and measured.cpu is not None and measured.cpu.value > 0:
        return WorkerModel(measured.rate.value / measured.cpu.value, 1.0, cores)
    return None


def _of_threads(situation: Situation, model: WorkerModel) -> WorkerModel:
    """A worker whose routes all run in the thread pool, and that was measured with a core to spare: threads limit it.

    Where fewer requests were inside than there are threads (rate x latency < tokens, Little's law), the load was too
    small to find that limit: it is tokens / latency, or what the core allows.
    """
    routes, tokens = situation.workload.routes, situation.assumptions.tokens
    if not routes or situation.workload.on_loop or model.share > situation.assumptions.busy_share:
        return model
    latency = situation.measured.latency
    if latency is not None and model.rate * latency.value < _FULL * tokens:
        rate = min(tokens / latency.value, model.rate / model.share)
        model = WorkerModel(rate, min(model.share * rate / model.rate, 1.0), model.cores)
    return WorkerModel(model.rate, model.share, model.cores, tokens)


def _fitting(situation: Situation, memory: Figure) -> int | None:
    """How many workers the memory holds beside their parent; None where the memory is not known."""
    if situation.memory is None:
        return None
    fitting = math.floor((situation.memory.value - situation.assumptions.parent_memory) / memory.value)
    if fitting < 1 and situation.memory.value < memory.value:
        raise AdviceError(
            f"{situation.memory} of memory ({situation.memory.source}) "
            f"hold not one worker of {memory} ({memory.source})"
        )
    return max(fitting, 1)


def _memory_words(situation: Situation, memory: Figure, fitting: int, decides: bool) -> str:
    parent = written(situation.assumptions.parent_memory, "bytes")
    words = f"memory holds floor(({situation.memory} - {parent}) / {memory}) = {fitting}"
    return f"{words}, which decides" if decides else words


def _useful(situation: Situation, model: WorkerModel | None) -> tuple[int, str]:
    """The most workers that the cores can make use of, and why."""
    cores = situation.cores.value
    if model is not None and model.share < 1:
        most = max(1, math.ceil(model.most_useful - 0.25))
        return most, (
            f"a worker at its limit uses {written(model.share, 'share')} of a core: "
            f"{cores:g} cores / {model.share:.2f} = {model.most_useful:.1f} workers use them all"
        )
    if situation.workload.cpu_sites:
        return max(1, round(cores)), f"1 per core x {cores:g} cores, for the code computes on them"
    if situation.workload.stalls and model is None:
        most = max(1, math.floor(2 * cores + _EPSILON))
        return most, f"2 per core x {cores:g} cores, for a stalled loop leaves its core to another worker"
    return max(1, round(cores)), f"1 per core x {cores:g} cores: one event loop uses one core"


def _wanted(situation: Situation, model: WorkerModel | None, useful: int) -> tuple[int, list[str]]:
    """The workers that the goal asks for within what the cores can use; all useful ones where there is no goal."""
    goal = situation.goal
    busy = _busy(situation)
    if goal is None or model is None:
        return (useful, []) if busy is None else (max(useful, busy[0]) if busy[0] <= useful else useful, [busy[1]])
    least = math.ceil(goal.value / model.rate - _EPSILON)
    roomy = math.ceil(goal.value * (1 + situation.assumptions.headroom) / model.rate - _EPSILON)
    words = [f"ceil({goal} / {written(model.rate, 'requests/s')} a worker) = {least}"]
    room = written(situation.assumptions.headroom, "share")
    if roomy <= useful:
        if roomy > least:
            words.append(f"{roomy} with {room} headroom")
        return roomy, words
    if least <= useful:
        spare = useful * model.rate / goal.value - 1
        words.append(f"{useful} leave {written(spare, 'share')} headroom: {room} ask for {roomy} workers and cores")
        return useful, words
    reach = written(model.throughput(useful), "requests/s")
    words.append(f"{useful} reach {reach} at the most: {least - useful} more cores, or replicas, for the rest")
    return useful, words


def _busy(situation: Situation) -> tuple[int, str] | None:
    """More workers where those that run are above 80 % of a core; None where they are not, or nobody measured."""
    cpu, workers = situation.measured.cpu, situation.measured.workers
    limit = situation.assumptions.busy_share
    if cpu is None or cpu.value <= limit:
        return None
    running = workers.value if workers is not None else situation.number("workers") or 1
    asked = math.ceil(running * cpu.value / limit - _EPSILON)
    return asked, (
        f"a worker uses {cpu} of a core, above {written(limit, 'share')}: "
        f"ceil({running:g} x {cpu.value:.2f} / {limit:g}) = {asked} workers, and as many cores"
    )


def _replicated(
    situation: Situation,
    workers: int,
    words: list[str],
    model: WorkerModel | None,
    memory: Figure,
    inputs: tuple[Figure, ...],
) -> WorkerAdvice:
    """Under an orchestrator: replicas of one worker, unless sharing a large process pays."""
    declared = round(situation.replicas.value) if situation.replicas is not None else 1
    if memory.value >= _SHARED_MODEL and situation.cores.value >= 2:
        why = f"one worker holds {memory}: preloaded workers of one pod share it, replicas would not"
        rows = (
            Row("workers", situation.now("workers"), str(workers), "; ".join([*words, why]), workers, inputs),
            Row("replicas", str(declared), str(max(declared, 2)), "two, so that one can be replaced", max(declared, 2)),
        )
        return WorkerAdvice(workers, max(declared, 2), model, memory, rows)
    replicas = max(2, _replicas(situation, model, workers, declared))
    why = "one worker a pod: the orchestrator restarts, spreads and counts pods, and one event loop uses one core"
    rows = (
        Row("workers", situation.now("workers"), "1", why, 1, inputs),
        Row(
            "replicas",
            str(declared),
            str(replicas),
            "; ".join([*words, "at least 2, so that one can be replaced"]),
            replicas,
        ),
    )
    return WorkerAdvice(1, replicas, model, memory, rows)


def _replicas(situation: Situation, model: WorkerModel | None, workers: int, declared: int) -> int:
    """Pods of one worker that do what the goal asks, else what the declared pods could do with all their cores."""
    if situation.goal is not None and model is not None:
        one = WorkerModel(model.rate, model.share, min(situation.cores.value, 1.0) or 1.0).throughput(1)
        return math.ceil(situation.goal.value * (1 + situation.assumptions.headroom) / one - _EPSILON)
    return declared * workers
