"""One look at the servers of this machine: which there are, what they use, and what changed since the look before.

Judges nothing and words nothing: `fastlint.inspection` holds what is seen against the rules, `report` tells it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fastlint.deploy.commands import Program
from fastlint.deploy.plan import ServerPlan
from fastlint.finding import Finding
from fastlint.machine import count, read_machine
from fastlint.running.plan import Started
from fastlint.running.processes import (
    Entry,
    Gone,
    Vitals,
    cpu_seconds,
    listeners,
    own_user,
    surroundings,
    vitals,
)
from fastlint.running.refusals import RunningError
from fastlint.running.trees import HELPER, WORKER, Member, Root, below, members, root_above

_Key = tuple[int, float]  # pid and start: one process, for ever


@dataclass(frozen=True, slots=True)
class Observed:
    """One process of a tree, and what it uses."""

    member: Member
    vitals: Vitals
    cpu: float | None = None  # share of one core since the sample before

    @property
    def entry(self) -> Entry:
        """Which process it is."""
        return self.member.entry


@dataclass(frozen=True, slots=True)
class Total:
    """The memory of a whole tree: bytes, and how they were counted. None where it cannot be told."""

    size: float | None
    how: str


@dataclass(frozen=True, slots=True)
class Server:
    """One running server at the moment of a look."""

    started: Started
    plan: ServerPlan
    processes: tuple[Observed, ...]  # its first process, its workers by age, then everybody else below it
    replaced: int = 0  # workers that ended and were replaced while it was watched

    @property
    def entry(self) -> Entry:
        """The first process."""
        return self.started.root.entry

    @property
    def workers(self) -> tuple[Observed, ...]:
        """The processes that answer requests beside the first one."""
        return tuple(one for one in self.processes if one.member.role == WORKER)

    @property
    def addresses(self) -> tuple[str, ...] | None:
        """Where it listens; None where that is not to be seen."""
        known = [one.vitals.addresses for one in self.processes if one.vitals.addresses is not None]
        serving = [
            one.vitals.addresses
            for one in self.processes
            if one.vitals.addresses is not None and one.member.role != HELPER
        ]
        every = {address for each in serving for address in each}
        # gunicorn listens there for its own command line, not for requests
        return tuple(sorted(each for each in every if not each.endswith("/gunicorn.ctl"))) if known else None

    @property
    def memory(self) -> Total:
        """The memory of all its processes, every shared page counted once."""
        every = [one.vitals for one in self.processes]
        shares = [one.shared for one in every if one.shared is not None]
        if shares and len(shares) == len(every):
            return Total(sum(shares), "PSS: every shared page divided by those who share it")
        own = [one.own for one in every if one.own is not None]
        resident = [one.rss for one in every if one.rss is not None]
        if own and len(own) == len(resident) == len(every):
            common = max(rss - mine for rss, mine in zip(resident, own, strict=True))
            return Total(sum(own) + common, "own pages of each, and the largest shared part once")
        return Total(None, "unknown: which pages are shared is not to be seen")


@dataclass(frozen=True, slots=True)
class Inspected:
    """A server, what was found of it, and what could not be seen."""

    server: Server
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    root: str  # the absolute folder that the paths are relative to; "" where no code was read
    failed: bool  # whether a finding is at or above fail-on


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that was seen at one moment."""

    at: float  # seconds since the epoch
    servers: tuple[Inspected, ...]

    @property
    def failed(self) -> bool:
        """Whether anything was found that is at or above fail-on."""
        return any(each.failed for each in self.servers)


def chosen(table: Mapping[int, Entry], roots: Mapping[int, Root], pid: int | None, port: int | None) -> list[Root]:
    """The servers that were asked for, by number. Raises `RunningError` where there are none."""
    if pid is not None:
        return _by_pid(table, roots, pid)
    if port is not None:
        return _by_port(table, roots, port)
    if not roots:
        raise RunningError(
            f"no gunicorn, uvicorn or hypercorn runs on this machine, as far as {own_user()} may see its processes"
        )
    return [roots[number] for number in sorted(roots)]


def _by_pid(table: Mapping[int, Entry], roots: Mapping[int, Root], pid: int) -> list[Root]:
    if pid not in table:
        raise RunningError(f"there is no process {pid}, or it may not be seen")
    above = root_above(table, roots, pid)
    found = [above] if above is not None else [roots[one.pid] for one in below(table, pid) if one.pid in roots]
    if not found:
        words = table[pid].words
        hidden = ": its command line may not be seen" if words is None else ", and none runs below it"
        raise RunningError(f"process {pid} ({table[pid].name}) is no server that fastlint knows{hidden}")
    return found


def _by_port(table: Mapping[int, Entry], roots: Mapping[int, Root], port: int) -> list[Root]:
    listening, pids = listeners(port)
    if not listening:
        raise RunningError(f"nothing listens on port {port} of this machine")
    found = {root.entry.pid: root for pid in pids if (root := root_above(table, roots, pid)) is not None}
    if found:
        return [found[pid] for pid in sorted(found)]
    if not pids:
        raise RunningError(f"what listens on port {port} belongs to somebody else and may not be seen by {own_user()}")
    names = ", ".join(f"{pid} ({table[pid].name})" for pid in sorted(pids) if pid in table) or "a process that ended"
    raise RunningError(f"port {port} is served by process {names}, which is no server that fastlint knows")


def start_of(root: Root) -> Started:
    """A server with what surrounds it. Raises `Gone`."""
    around = surroundings(root.entry)
    counts = count()._replace(affinity=around.affinity)
    return Started(root, around, read_machine(counts=counts, pid=root.entry.pid))


class Sampler:
    """Measures processor time between looks, and remembers which workers there were."""

    def __init__(self) -> None:
        self._samples: dict[_Key, tuple[float, float]] = {}  # when, processor seconds
        self._workers: dict[_Key, set[_Key]] = {}
        self._replaced: dict[_Key, int] = {}

    def prepare(self, entries: list[Entry], span: float) -> None:
        """Take a first sample of processes that have none, and wait `span` seconds if there were any."""
        fresh = [entry for entry in entries if _key(entry) not in self._samples]
        for entry in fresh:
            self._sample(entry)
        if fresh:
            time.sleep(span)

    def observe(
        self, started: Started, plan: ServerPlan, table: Mapping[int, Entry], roots: Mapping[int, Root]
    ) -> Server:
        """A server as it is now. Raises `Gone` where its first process has ended; others are left out then."""
        seen: list[Observed] = []
        for member in members(table, started.root, plan, roots):
            try:
                now = vitals(member.entry)
            except Gone:
                if member.entry == started.root.entry:
                    raise
                continue
            seen.append(Observed(member, now, self._share(member.entry, now.cpu_seconds)))
        server = Server(started, plan, tuple(seen))
        return replace(server, replaced=self._count_replaced(server))

    def _sample(self, entry: Entry) -> None:
        try:
            used = cpu_seconds(entry)
        except Gone:
            return
        if used is not None:
            self._samples[_key(entry)] = (time.monotonic(), used)

    def _share(self, entry: Entry, used: float | None) -> float | None:
        now, before = time.monotonic(), self._samples.get(_key(entry))
        if used is None:
            return None
        self._samples[_key(entry)] = (now, used)
        return max(used - before[1], 0.0) / (now - before[0]) if before is not None and now > before[0] else None

    def _count_replaced(self, server: Server) -> int:
        """Workers that went away since the look before and whose place another one took."""
        key = _key(server.entry)
        now = {_key(one.entry) for one in server.workers}
        before = self._workers.get(key)
        # What has ended waits here until somebody new comes: the two need not fall into one look.
        waiting = (before or set()) - now
        new = now - before if before is not None else set[_Key]()
        taken = set(sorted(waiting)[: len(new)])
        self._replaced[key] = self._replaced.get(key, 0) + len(taken)
        self._workers[key] = now | (waiting - taken)
        return self._replaced[key]


def entries_of(table: Mapping[int, Entry], roots: list[Root]) -> list[Entry]:
    """Every process of these servers."""
    return [entry for root in roots for entry in (root.entry, *below(table, root.entry.pid))]


def is_program(root: Root) -> bool:
    """Whether only its file tells if a process is a server."""
    return isinstance(root.started, Program)


def _key(entry: Entry) -> _Key:
    return entry.pid, entry.created
