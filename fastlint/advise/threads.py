"""Threads and database connections: tokens of the pool, executors, pool sizes. Knows no server settings.

Formulas: threads in use = rate x latency (Little's law); about cores x 5 threads for I/O where neither is known;
workers x replicas x (pool_size + max_overflow) <= max_connections - reserved.
"""

from __future__ import annotations

import math

from fastlint.advise.advice import Row, Situation
from fastlint.advise.figures import Figure, written
from fastlint.advise.workers import WorkerAdvice

_SPARE = 1.25  # a quarter more threads than are busy on average, so that bursts find one
_MOST_NAMED = 3


def size_threads(situation: Situation, workers: WorkerAdvice) -> list[Row]:
    """The tokens of the thread pool, and the size of executors of one's own."""
    return [_tokens(situation, workers), _executor(situation, workers)]


def threads_in_use(situation: Situation, workers: WorkerAdvice) -> tuple[float, str] | None:
    """Threads that one worker keeps busy on average, by Little's law; None without rate and latency."""
    latency = situation.measured.latency
    rate = situation.goal or situation.measured.rate
    share = _pool_share(situation)
    if latency is None or rate is None or not share:
        return None
    each = rate.value * share / (workers.workers * workers.replicas)
    words = f"{written(each, 'requests/s')} a worker x {latency} = {each * latency.value:.1f} threads in use"
    return each * latency.value, words


def _pool_share(situation: Situation) -> float:
    """The share of requests that take a thread, taken as the share of routes that do."""
    routes = situation.workload.routes
    return situation.workload.in_pool / len(routes) if routes else 1.0


def _tokens(situation: Situation, workers: WorkerAdvice) -> Row:
    default = situation.assumptions.tokens
    if situation.workload.routes and not situation.workload.in_pool:
        return Row("thread tokens", str(default), str(default), "no route runs in the thread pool", None)
    used = threads_in_use(situation, workers)
    queue = situation.measured.thread_queue
    words: list[str] = []
    wanted = default
    if used is not None:
        wanted = max(default, math.ceil(used[0] * _SPARE))
        words.append(f"{used[1]}, x {_SPARE} = {math.ceil(used[0] * _SPARE)}; AnyIO gives {default}")
    else:
        words.append(f"AnyIO's default; {default} / latency requests/s a worker pass through it")
    model = workers.model
    if model is not None and model.tokens is not None and model.share < situation.assumptions.busy_share:
        most = math.ceil(model.tokens / model.share)
        words.append(
            f"{model.tokens} threads limit a worker to {written(model.rate, 'requests/s')} with "
            f"{written(model.share, 'share')} of a core: {most} of them would use it all, with "
            f"{written(model.with_tokens(most).rate, 'requests/s')}"
        )
    if queue is not None and queue.value > 0:
        grows = ", and more by the minute" if situation.measured.queue_growing else ""
        wanted = max(wanted, default + math.ceil(queue.value * _SPARE))
        words.append(f"{queue:} calls wait for a thread{grows}{_better(situation)}")
    if situation.workload.cpu_sites and wanted > default:
        wanted = default
        words.append("more threads do not help what computes: the GIL lets one run at a time")
    return Row("thread tokens", str(default), str(wanted), "; ".join(words), None if wanted == default else wanted)


def _better(situation: Situation) -> str:
    sites = situation.workload.sync_clients
    if not sites:
        return ""
    more = f" and {len(sites) - _MOST_NAMED} more" if len(sites) > _MOST_NAMED else ""
    return f"; better than more threads: an async client at {', '.join(sites[:_MOST_NAMED])}{more}"


def _executor(situation: Situation, workers: WorkerAdvice) -> Row:
    cores, a_core = situation.cores.value, situation.assumptions.threads_per_core
    if situation.workload.cpu_sites:
        size = max(1, round(cores / workers.workers))
        why = f"{cores:g} cores / {workers.workers} workers processes for what computes: threads share one GIL"
        return Row("executor max_workers", "-", str(size), why, size, (situation.cores,))
    size = max(1, math.ceil(cores * a_core / workers.workers))
    why = f"{cores:g} cores x {a_core} for I/O / {workers.workers} workers = {size} threads in each worker"
    return Row("executor max_workers", "-", str(size), why, size, (situation.cores,))


def size_pools(situation: Situation, workers: WorkerAdvice) -> list[Row]:
    """The database pool of each worker; no row where the code builds no engine and nobody speaks of a database."""
    if situation.pool is None and situation.connections is None:
        return []
    assumed = situation.assumptions
    limit = situation.connections or Figure(
        float(assumed.max_connections), "", "assumed: PostgreSQL's max_connections", assumed=True
    )
    default = assumed.pool_size + assumed.max_overflow
    held = situation.pool or Figure(float(default), "", "SQLAlchemy's default, 5 + 10", assumed=True)
    processes = workers.workers * workers.replicas
    each = max(1, math.floor((limit.value - assumed.reserved_connections) / processes))
    wanted = min(each, _concurrent(situation, workers))
    pool = max(1, math.ceil(wanted / 2))
    why = (
        f"floor(({limit.value:g} connections - {assumed.reserved_connections} reserved) / "
        f"({workers.workers} workers x {workers.replicas} replicas)) = {each} a worker, of which "
        f"{wanted} can be asked for at a time"
    )
    now = situation.pool_text.strip("()") or f"{assumed.pool_size} + {assumed.max_overflow}"
    return [Row("pool_size + max_overflow", now, f"{pool} + {wanted - pool}", why, wanted, (limit, held))]


def _concurrent(situation: Situation, workers: WorkerAdvice) -> int:
    """How many calls of one worker may want a connection at once: threads in use, else all tokens."""
    used = threads_in_use(situation, workers)
    return max(1, math.ceil(used[0] * _SPARE)) if used is not None else situation.assumptions.tokens
