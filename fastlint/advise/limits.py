"""Time-outs, keep-alive, recycling, backlog and concurrency limits of the server. Sizes no workers and no pools.

What each setting really does is held by tests with the real servers; see the rules FL610, FL611, FL619 and FL624.
"""

from __future__ import annotations

import math

from fastlint.advise.advice import Row, Situation
from fastlint.advise.figures import written
from fastlint.advise.workers import WorkerAdvice

_GUNICORN_TIMEOUT = 30
# Who kills after SIGTERM, and after how many seconds, where nobody says
_KUBERNETES, _DOCKER, _SYSTEMD = (30, "Kubernetes' default"), (10, "docker stop's default"), (90, "systemd's default")
_MARGIN = 5  # seconds between the server's last word and the orchestrator's
_PROXY_IDLE = 60  # an AWS load balancer's default, and nginx's proxy_read_timeout
_BACKLOG = 2048
_SLOWEST_START = 2  # a burst that waits this many seconds in the backlog is still served


def size_limits(situation: Situation, workers: WorkerAdvice) -> list[Row]:
    """The rows of the server's limits."""
    rows = [_timeout(situation), _graceful(situation), _keep_alive(situation)]
    return [*rows, *_recycling(situation), _backlog(situation), *_concurrency(situation, workers)]


def _timeout(situation: Situation) -> Row:
    longest = situation.workload.stalls[0] if situation.workload.stalls else None
    needed = math.ceil(2 * longest.seconds.value) if longest is not None else 0
    wanted = max(_GUNICORN_TIMEOUT, needed)
    why = "gunicorn's heartbeat, not a limit of requests; "
    if longest is not None:
        why += (
            f"twice the longest stall of the loop ({written(longest.seconds.value, 's')}, `{longest.call}`), "
            f"at least {_GUNICORN_TIMEOUT} s"
        )
    else:
        why += "no call holds the loop: the default"
    return Row("timeout", situation.now("timeout"), str(wanted), why, wanted)


def _graceful(situation: Situation) -> Row:
    said = situation.plan.limits.grace_period if situation.plan is not None else None
    value = said.value if said is not None else None
    declared = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    contained = situation.plan is not None and situation.plan.container
    grace, source = _KUBERNETES if situation.orchestrated else _DOCKER if contained else _SYSTEMD
    if declared is not None and said is not None:
        grace, source = int(declared), f"{said.by}, {said.where}" if said.where else said.by
    wanted = max(1, min(grace - _MARGIN, _GUNICORN_TIMEOUT))
    why = f"{grace:g} s from SIGTERM to SIGKILL ({source}) - {_MARGIN} s to end in order, at most {_GUNICORN_TIMEOUT} s"
    now = situation.now("graceful_timeout", "timeout_graceful_shutdown")
    return Row("graceful timeout", now, str(wanted), why, wanted)


def _keep_alive(situation: Situation) -> Row:
    wanted = _PROXY_IDLE + _MARGIN
    why = f"{_PROXY_IDLE} s, the usual idle time of a load balancer, + {_MARGIN} s: who closes first must be the proxy"
    return Row("keep-alive", situation.now("keepalive", "timeout_keep_alive"), str(wanted), why, wanted)


def _recycling(situation: Situation) -> list[Row]:
    """Jitter where workers are recycled already; recycling itself is advised by no measurement that we take."""
    requests = situation.number("max_requests") or situation.number("limit_max_requests")
    if not requests:
        return []
    jitter = max(1, math.ceil(requests / 10))
    why = f"a tenth of {requests:g}, so that not all workers restart at once"
    now = situation.now("max_requests_jitter", "limit_max_requests_jitter")
    return [Row("max_requests jitter", now, str(jitter), why, jitter)]


def _backlog(situation: Situation) -> Row:
    rate = situation.goal or situation.measured.rate
    now = situation.now("backlog")
    if rate is None:
        return Row("backlog", now, str(_BACKLOG), "the servers' default: no rate is known", _BACKLOG)
    wanted = max(_BACKLOG, math.ceil(rate.value * _SLOWEST_START))
    why = f"{rate} x {_SLOWEST_START} s of a burst = {math.ceil(rate.value * _SLOWEST_START)}, at least {_BACKLOG}"
    return Row("backlog", now, str(wanted), why, wanted, (rate,))


def _concurrency(situation: Situation, workers: WorkerAdvice) -> list[Row]:
    """uvicorn's limit_concurrency, from Little's law; no row without a rate a worker and a latency."""
    latency, model = situation.measured.latency, workers.model
    if latency is None or model is None:
        return []
    inside = model.rate * latency.value
    wanted = max(10, math.ceil(inside * 4) + 1)
    why = (
        f"{written(model.rate, 'requests/s')} x {latency} = {inside:.1f} requests at a time in a worker at its limit; "
        "four times that, + 1 because uvicorn admits one less than it is told, and idle connections count"
    )
    return [Row("limit_concurrency", situation.now("limit_concurrency"), str(wanted), why, wanted, (latency,))]
