"""Running servers held against the rules: look, read the plan behind each, judge. Prints nothing, runs nothing of them.

The code is read where the server was started, as `fastlint check` reads it; where there is none, or it may not be
read, what the process alone tells is judged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fastlint.checks.deployment import DEPLOYMENT
from fastlint.config import Amount, Config, ConfigError, TargetSettings, find_config, read_config
from fastlint.deploy.plan import ServerPlan, Setting
from fastlint.deploy.service import Readings
from fastlint.deploy.values import Counter, Surroundings, resolve
from fastlint.engine import Opened, judge, open_project, unsilenced
from fastlint.finding import Finding, Severity
from fastlint.report.model import CheckRequest
from fastlint.running.look import Inspected, Look, Sampler, Server, chosen, entries_of, is_program, start_of
from fastlint.running.plan import Started, files_of, read_running
from fastlint.running.processes import Entry, Gone, process_table
from fastlint.running.refusals import RunningError
from fastlint.running.trees import Root, find_roots
from fastlint.source.discover import DiscoverError

# A server that runs has found its application.
_LEFT_OUT = frozenset({"FL620"})
_SPAN = 0.5  # seconds over which the processor is measured in a single look
_WARM_UP = 5.0  # seconds in which workers may still be on their way


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: one server, by process or port, or all; and which findings matter."""

    pid: int | None = None
    port: int | None = None
    severity: Severity | None = None  # None: what the settings of the project say
    fail_on: Severity | None = None


@dataclass(slots=True)
class _Known:
    """What does not change while a server runs: its surroundings, plan and code."""

    started: Started
    plan: ServerPlan
    opened: Opened
    config: Config
    notes: tuple[str, ...]


class Inspector:
    """Looks as often as it is asked to; reads the code of each server once."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._sampler = Sampler()
        self._known: dict[Entry, _Known | None] = {}

    def look(self) -> Look:
        """What runs now. Raises `RunningError` where there is nothing to look at."""
        asked = self._wanted.pid is not None or self._wanted.port is not None
        table = process_table()
        roots = {root.entry.pid: root for root in find_roots(table)}
        programs = [root for root in roots.values() if is_program(root)]
        for root in programs:
            if self._know(root) is None:
                del roots[root.entry.pid]
        wanted = chosen(table, roots, self._wanted.pid, self._wanted.port)
        known = [(root, self._know(root)) for root in wanted]
        self._sampler.prepare(entries_of(table, wanted), _SPAN)
        table = process_table()  # workers may have come and gone while it was waited
        out: list[Inspected] = []
        for root, one in known:
            try:
                if one is None:
                    raise Gone
                out.append(self._inspected(one, table, roots))
            except Gone:
                if asked and len(wanted) == 1:
                    raise RunningError(f"process {root.entry.pid} ended while it was looked at") from None
        if not out:
            raise RunningError("every server ended while it was looked at")
        return Look(time.time(), tuple(out))

    def _know(self, root: Root) -> _Known | None:
        """The server behind a first process; None where it is none after all, or has ended."""
        if root.entry not in self._known:
            try:
                self._known[root.entry] = _read(start_of(root))
            except Gone:
                self._known[root.entry] = None
        return self._known[root.entry]

    def _inspected(self, known: _Known, table: Mapping[int, Entry], roots: Mapping[int, Root]) -> Inspected:
        server = self._sampler.observe(known.started, known.plan, table, roots)
        severity = self._wanted.severity or known.config.severity
        fail_on = self._wanted.fail_on or known.config.fail_on
        if self._wanted.fail_on is not None and self._wanted.severity is None:
            severity = min(severity, fail_on)  # who asks to fail on info wants to see it
        findings = tuple(
            finding
            for finding in _judged(known, server)
            if finding.severity >= severity and finding.confidence >= known.config.confidence
        )
        failed = any(finding.severity >= fail_on for finding in findings)
        notes = (*known.notes, *_noticed(server))
        return Inspected(server, findings, notes, known.opened.tree.root, failed)


def _read(started: Started) -> _Known | None:
    """The plan of a server and the code behind it; None for a Python program that starts no server."""
    files = files_of(started)
    if is_program(started.root) and not any(_mentions_server(path) for path in files):
        return None
    config, notes = _settings(files)
    opened = _opened(files, config)
    root = opened.tree.root
    paths = {path: os.path.relpath(path, root).replace(os.sep, "/") for path in files} if root else {}
    plan = read_running(started, opened.python, paths)
    if plan is None:
        return None
    plan = _counted(plan, started)
    return _Known(started, plan, opened, config, (*notes, *_unseen(started, plan, bool(root))))


def _mentions_server(path: str) -> bool:
    try:
        with open(path, "rb") as handle:
            source = handle.read(1 << 20)
    except OSError:
        return False
    return b"uvicorn" in source or b"gunicorn" in source


def _settings(files: tuple[str, ...]) -> tuple[Config, tuple[str, ...]]:
    """The settings of the project that a server belongs to. Settings that are broken are somebody else's mistake."""
    file = find_config(files[0]) if files else None
    if file is None:
        return Config(), ()
    try:
        return read_config(file), ()
    except ConfigError as error:
        return Config(), (f"its settings are not heeded: {error}",)


def _opened(files: tuple[str, ...], config: Config) -> Opened:
    """The code around the application, as far as it may be read; else none."""
    selected = [code for code in DEPLOYMENT if code not in _LEFT_OUT and config.selection.includes(code)]
    request = CheckRequest(files[:1], config)
    try:
        opened = open_project(request)
        root = opened.tree.root
        known = {file.relative for file in opened.tree.files}
        more = [path for each in files if (path := os.path.relpath(each, root).replace(os.sep, "/")) not in known]
        opened = open_project(request, more) if more else opened
    except DiscoverError:
        opened = open_project(CheckRequest((), config))
    return replace(opened, codes=set(selected))


def _counted(plan: ServerPlan, started: Started) -> ServerPlan:
    """The plan with formulas of cores worked out: where it runs, everybody who counts them is known."""
    machine = started.machine
    if machine.hidden:
        return plan
    logical = next((one.value for one in machine.figures if one.source.startswith("logical")), None)
    affinity = float(started.around.affinity) if started.around.affinity is not None else logical
    cores = {Counter.HOST: logical, Counter.AFFINITY: affinity, Counter.LIMIT: float(-(-machine.cores.value // 1))}
    where = Surroundings(cores=cores, environment=dict(started.around.environment or {}))
    settings = {
        name: setting if setting.known else Setting(resolve(setting.value, where), setting.said, setting.overruled)
        for name, setting in plan.settings.items()
    }
    return plan._replace(settings=settings)


def _judged(known: _Known, server: Server) -> list[Finding]:
    """What is to be said of the server, with the memory that its workers were seen to need."""
    workers = server.workers or server.processes[:1]
    held = [(one.vitals.own, one.entry.pid) for one in workers if one.vitals.own is not None]
    memory = known.config.target.memory_per_worker
    if held:
        most, pid = max(held)
        memory = Amount(float(most), f"measured, the memory of its own that process {pid} holds")
    target = TargetSettings(
        memory_per_worker=memory,
        max_connections=known.config.target.max_connections,
        threads_per_core=known.config.target.threads_per_core,
        processes_per_core=known.config.target.processes_per_core,
        host=True,  # this machine is the server
    )
    config = known.config._replace(target=target)
    opened = known.opened
    project = opened.project((known.plan,), config, Readings())
    return unsilenced(opened, judge(project, opened.codes), config)


def _unseen(started: Started, plan: ServerPlan, code: bool) -> Iterable[str]:
    """What could not be looked at, and so is unknown."""
    if started.root.title:
        yield "its title hides the command line (setproctitle): every setting is unknown"
    elif started.around.environment is None:
        yield "its environment may not be seen: unknown is every setting that is not on its command line"
    elif started.around.folder is None:
        yield "its folder may not be seen: what its configuration file says is unknown"
    if started.machine.hidden:
        yield "its control groups are not to be seen from here: its limits are unknown"
    if not code and not started.root.title:
        yield "its code was not found: only what the process itself tells is judged"
    if plan.value("reload") is True or plan.server == "fastapi dev":
        yield "it reloads when files change: one process serves"


def _noticed(server: Server) -> Iterable[str]:
    """What strikes of the processes themselves."""
    count = len(server.workers)
    planned = server.plan.value("workers")
    reloads = server.plan.value("reload") is True and not server.plan.server.startswith("gunicorn")
    if isinstance(planned, int) and not reloads and count != planned and server.processes[0].member.role == "master":
        age = time.time() - server.entry.created
        if age > _WARM_UP:
            yield (
                f"{planned} workers are configured, {count} run"
                if planned != 1
                else f"1 worker is configured, {count} run"
            )
    if server.addresses is None:
        yield "its sockets may not be seen: where it listens is unknown"
    if server.memory.size is None:
        yield f"the memory of all its processes together is {server.memory.how}"
