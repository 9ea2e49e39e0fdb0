"""Pure functions: a project in, findings out. One explicit table; no registration magic, no printing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastlint.checks.blocking import blocking_calls
from fastlint.checks.clients import calls_without_timeout, sync_clients
from fastlint.checks.loops import loops_without_yield
from fastlint.finding import Finding
from fastlint.project import Project

CHECKS: dict[str, Callable[[Project], Iterator[Finding]]] = {
    **{f"FL{code}": blocking_calls for code in (*range(101, 112), 113, 114, 115, 116)},
    "FL112": loops_without_yield,
    "FL402": calls_without_timeout,
    "FL404": sync_clients,
}
"""Rule code -> the function that finds it. FL001-FL003 speak of the run itself; the engine makes them."""


def run_checks(project: Project, codes: set[str]) -> list[Finding]:
    """The findings of the selected rules, each check run once."""
    wanted = dict.fromkeys(CHECKS[code] for code in sorted(codes) if code in CHECKS)
    return [finding for check in wanted for finding in check(project) if finding.code in codes]
