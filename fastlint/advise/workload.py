"""What the code does that decides sizes: routes, stalls of the loop, processor work, pools, state. Sizes nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastlint.advise.figures import Figure
from fastlint.finding import Finding, Location
from fastlint.graph.build import Graph
from fastlint.graph.contexts import Context, entry_edges

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"})
_CPU_RULES = frozenset({"FL109"})
_SLEEP = re.compile(r"\bsleep\(\s*(\d+(?:\.\d*)?|\.\d+)\s*\)")


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is assumed where nobody measured (`rules/sizing/assumptions.toml`)."""

    worker_memory: Figure
    parent_memory: float  # bytes
    busy_share: float
    headroom: float
    tokens: int
    threads_per_core: int
    max_connections: int
    reserved_connections: int
    pool_size: int
    max_overflow: int
    stall_seconds: Mapping[str, float]  # by rule
    measured_seconds: Mapping[str, float]  # by call


def load_assumptions(rules: Path) -> Assumptions:
    """The assumptions, from the folder of the rules."""
    data: dict[str, Any] = tomllib.loads((rules / "sizing" / "assumptions.toml").read_text("utf-8"))
    worker, database = data["worker"], data["database"]
    return Assumptions(
        Figure(float(worker["memory_bytes"]), "bytes", worker["memory_source"], assumed=True),
        float(worker["parent_bytes"]),
        worker["busy_share"],
        worker["headroom"],
        data["threads"]["tokens"],
        data["threads"]["per_core"],
        database["max_connections"],
        database["reserved"],
        database["pool_size"],
        database["max_overflow"],
        data["stall_seconds"],
        data["measured_seconds"],
    )


@dataclass(frozen=True, slots=True)
class Route:
    """A path operation: how people call it, and whether its body runs on the loop or in the thread pool."""

    method: str  # "GET", "websocket"
    path: str
    on_loop: bool
    where: Location


@dataclass(frozen=True, slots=True)
class Stall:
    """A call that holds the loop: which, where, how long, and the entry points that reach it."""

    call: str
    where: Location
    rule: str
    seconds: Figure
    entry: str

    @property
    def ceiling(self) -> float:
        """The most requests/s that one worker can serve through this call: one after the other."""
        return 1 / self.seconds.value


@dataclass(frozen=True, slots=True)
class Workload:
    """What the code of a service does."""

    routes: tuple[Route, ...] = ()
    stalls: tuple[Stall, ...] = ()  # the longest first
    cpu_sites: int = 0  # calls that compute for long, on the loop or in threads
    sync_clients: tuple[str, ...] = ()  # call sites in threads for which an async client exists

    @property
    def on_loop(self) -> int:
        """How many routes run on the loop."""
        return sum(route.on_loop for route in self.routes)

    @property
    def in_pool(self) -> int:
        """How many routes run in the thread pool."""
        return len(self.routes) - self.on_loop


def read_workload(
    graph: Graph,
    findings: Iterable[Finding],
    places: Callable[[str, int], Location],
    line: Callable[[Location], str],
    assumptions: Assumptions,
) -> Workload:
    """What a graph and its findings say of the load. `places` turns (module, site) into a place, `line` a place into
    its source line."""
    findings = list(findings)
    return Workload(
        routes=_routes(graph, places),
        stalls=_stalls(findings, line, assumptions),
        cpu_sites=sum(finding.code in _CPU_RULES or finding.code == "FL204" for finding in findings),
        sync_clients=tuple(
            f"`{finding.subject}` ({finding.where.path}:{finding.where.line})"
            for finding in sorted(findings)
            if finding.code == "FL404"
        ),
    )


def _routes(graph: Graph, places: Callable[[str, int], Location]) -> tuple[Route, ...]:
    found: dict[tuple[str, str], Route] = {}
    for _, edge, _, label, context in entry_edges(graph.variants):
        method, _, path = label.partition(" ")
        if method not in _VERBS and method != "websocket":
            continue
        variant = graph.variants[edge.target]
        function = graph.function(variant)
        if function is None or (method, path) in found:
            continue
        where = places(variant.function[0], function.site)
        found[method, path] = Route(method, path or "/", context is Context.LOOP, where)
    return tuple(found[key] for key in sorted(found))


def _stalls(
    findings: Iterable[Finding], line: Callable[[Location], str], assumptions: Assumptions
) -> tuple[Stall, ...]:
    stalls = [
        Stall(finding.subject, finding.where, finding.code, _seconds(finding, line, assumptions), finding.steps[0].text)
        for finding in findings
        if finding.code in assumptions.stall_seconds and finding.steps and not _only_once(finding)
    ]
    return tuple(sorted(stalls, key=lambda stall: (-stall.seconds.value, stall.where)))


def _seconds(finding: Finding, line: Callable[[Location], str], assumptions: Assumptions) -> Figure:
    primitive = finding.steps[-1].where
    literal = _SLEEP.search(line(primitive)) if finding.code == "FL102" else None
    if literal is not None and float(literal[1]) > 0:
        return Figure(float(literal[1]), "s", f"written at {primitive.path}:{primitive.line}")
    known = assumptions.measured_seconds.get(finding.subject)
    if known is not None:
        return Figure(known, "s", f"measured for `{finding.subject}` with its defaults", assumed=True)
    return Figure(assumptions.stall_seconds[finding.code], "s", f"assumed for {finding.code}", assumed=True)


def _only_once(finding: Finding) -> bool:
    """Whether a finding speaks of start-up, or of work behind a cache: it does not meet every request."""
    return any(note.startswith(("only during start-up", "behind a cache")) for note in finding.notes)
