"""FL6 and FL310: how the service is started and what it is given, held against each other and against the code.

Reads no file: plans, targets, proxies and databases come with the project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastlint.checks.deployment.budget import connection_budget_exceeded
from fastlint.checks.deployment.heartbeats import workers_killed_while_blocking
from fastlint.checks.deployment.imports import fork_unsafe_preloads
from fastlint.checks.deployment.proxies import any_proxy_trusted, keep_alive_below_proxy
from fastlint.checks.deployment.services import per_worker_services
from fastlint.checks.deployment.settings import (
    app_objects_with_workers,
    conflicting_settings,
    deprecated_worker_classes,
    heartbeats_on_disk,
    invalid_values,
    recycling_without_jitter,
    reload_in_production,
    servers_that_never_serve,
    settings_without_effect,
    sync_worker_classes,
    unknown_settings,
    unsafe_timeouts,
)
from fastlint.checks.deployment.shutdown import no_shutdown_limit, shutdown_cut_short, signals_not_delivered
from fastlint.checks.deployment.targets import missing_apps
from fastlint.checks.deployment.workers import (
    core_count_ignores_limit,
    many_workers_per_pod,
    single_worker_on_many_cores,
    workers_exceed_cores,
    workers_exceed_memory,
)
from fastlint.finding import Finding
from fastlint.project import Project

DEPLOYMENT: dict[str, Callable[[Project], Iterator[Finding]]] = {
    "FL310": per_worker_services,
    "FL601": workers_exceed_cores,
    "FL602": single_worker_on_many_cores,
    "FL603": core_count_ignores_limit,
    "FL604": workers_exceed_memory,
    "FL605": sync_worker_classes,
    "FL606": deprecated_worker_classes,
    "FL607": reload_in_production,
    "FL608": app_objects_with_workers,
    "FL609": settings_without_effect,
    "FL610": recycling_without_jitter,
    "FL611": unsafe_timeouts,
    "FL612": fork_unsafe_preloads,
    "FL613": any_proxy_trusted,
    "FL614": unknown_settings,
    "FL615": invalid_values,
    "FL616": conflicting_settings,
    "FL617": many_workers_per_pod,
    "FL618": connection_budget_exceeded,
    "FL619": shutdown_cut_short,
    "FL620": missing_apps,
    "FL621": heartbeats_on_disk,
    "FL622": signals_not_delivered,
    "FL623": workers_killed_while_blocking,
    "FL624": keep_alive_below_proxy,
    "FL625": no_shutdown_limit,
    "FL626": servers_that_never_serve,
}
"""Rule code -> the function that finds it."""
