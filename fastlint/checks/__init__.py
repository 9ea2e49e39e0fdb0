"""Pure functions: a project in, findings out. One explicit table; no registration magic, no printing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastlint.checks.blocking import blocking_calls
from fastlint.checks.clients import (
    calls_without_timeout,
    clients_never_closed,
    clients_per_request,
    pools_smaller_than_concurrency,
    sync_clients,
)
from fastlint.checks.deployment import DEPLOYMENT
from fastlint.checks.executors import (
    cpu_bound_in_threads,
    executors_never_shut_down,
    executors_per_request,
    executors_without_limit,
    oversized_executors,
    pool_waits_on_itself,
    processes_multiply,
    shared_limiter_shrunk,
    thread_pool_pressure,
    threads_per_request,
)
from fastlint.checks.fan_out import unbounded_fan_out
from fastlint.checks.locks import locks_across_await, wrong_locks
from fastlint.checks.loops import loops_without_yield
from fastlint.checks.memory import per_worker_state, unbounded_caches
from fastlint.checks.objects import loop_bound_globals, thread_locals, unsafe_objects
from fastlint.checks.races import racy_creation, stale_writes, unlocked_state
from fastlint.checks.semantics import (
    async_routes_that_block,
    contexts_lost,
    dependencies_that_outlive,
    heavy_background_tasks,
    middleware_hazards,
    needless_thread_hops,
)
from fastlint.checks.tasks import (
    coroutines_never_awaited,
    task_references_dropped,
    unbounded_queues,
)
from fastlint.finding import Finding
from fastlint.project import Project

CHECKS: dict[str, Callable[[Project], Iterator[Finding]]] = {
    **{f"FL{code}": blocking_calls for code in (*range(101, 112), 113, 114, 115, 116)},
    "FL112": loops_without_yield,
    "FL201": executors_without_limit,
    "FL202": executors_per_request,
    "FL203": oversized_executors,
    "FL204": cpu_bound_in_threads,
    "FL205": executors_never_shut_down,
    "FL206": unbounded_fan_out,
    "FL207": task_references_dropped,
    "FL208": unbounded_queues,
    "FL209": threads_per_request,
    "FL210": processes_multiply,
    "FL211": pool_waits_on_itself,
    "FL212": thread_pool_pressure,
    "FL213": shared_limiter_shrunk,
    "FL401": clients_per_request,
    "FL301": unlocked_state,
    "FL302": stale_writes,
    "FL303": locks_across_await,
    "FL304": wrong_locks,
    "FL305": per_worker_state,
    "FL306": unsafe_objects,
    "FL307": thread_locals,
    "FL308": unbounded_caches,
    "FL309": racy_creation,
    "FL311": loop_bound_globals,
    "FL402": calls_without_timeout,
    "FL403": clients_never_closed,
    "FL404": sync_clients,
    "FL405": pools_smaller_than_concurrency,
    "FL501": async_routes_that_block,
    "FL502": needless_thread_hops,
    "FL503": heavy_background_tasks,
    "FL504": coroutines_never_awaited,
    "FL505": dependencies_that_outlive,
    "FL506": contexts_lost,
    "FL507": middleware_hazards,
    **DEPLOYMENT,
}
"""Rule code -> the function that finds it. FL001-FL003 speak of the run itself; the engine makes them."""


def run_checks(project: Project, codes: set[str]) -> list[Finding]:
    """The findings of the selected rules, each check run once."""
    wanted = dict.fromkeys(CHECKS[code] for code in sorted(codes) if code in CHECKS)
    return [finding for check in wanted for finding in check(project) if finding.code in codes]
