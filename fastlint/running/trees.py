"""A table of processes -> the trees of servers in it, and who is master, worker or neither. Asks the system nothing.

What a child is depends on its server. gunicorn forks workers, which keep its command line; uvicorn (with several
workers, or with reload) and hypercorn spawn theirs, beside a process that only keeps track of shared resources. A
uvicorn that needs no supervisor serves by itself, and so does a hypercorn of 0 workers: children of those belong to the
application.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastlint.deploy.commands import Program
from fastlint.deploy.plan import Command, ServerPlan
from fastlint.running.processes import Entry
from fastlint.running.recognise import command_of, is_keeper, is_spawned, title_of

MASTER, RELOADER, SERVER, WORKER, HELPER = "master", "reloader", "server", "worker", "helper"
_TOGETHER = 3.0  # seconds; workers that are started together come within less
_LOADED = 60.0  # seconds; an application that is loaded before its workers are forked rarely takes longer


@dataclass(frozen=True, slots=True)
class Root:
    """The first process of a server: what it was started with, or the title that hides it."""

    entry: Entry
    started: Command | Program | None
    title: str = ""  # the application as gunicorn's title has it


@dataclass(frozen=True, slots=True)
class Member:
    """A process of a server's tree."""

    entry: Entry
    role: str
    late: float | None = None  # a worker that came later than the first ones: seconds after them
    certain: bool = True  # or nothing is left of the first ones, and only the age of the master tells


def find_roots(table: Mapping[int, Entry]) -> Iterator[Root]:
    """The first process of every server, and of every Python program that may be one, by number."""
    for pid in sorted(table):
        entry = table[pid]
        title = title_of(entry)
        started = command_of(entry)
        if title is None and started is None:
            continue
        above = table.get(entry.parent)
        if title is not None:
            if title[0] == "master" or above is None or title_of(above) is None:
                yield Root(entry, None, title[1])
        elif above is None or above.words != entry.words:  # a fork keeps the words of its parent
            yield Root(entry, started)


def root_above(table: Mapping[int, Entry], roots: Mapping[int, Root], pid: int) -> Root | None:
    """The server to which a process belongs; None where there is none above it."""
    seen: set[int] = set()
    while pid in table and pid not in seen:
        if pid in roots:
            return roots[pid]
        seen.add(pid)
        pid = table[pid].parent
    return None


def below(table: Mapping[int, Entry], pid: int) -> list[Entry]:
    """Every process below one, parents before children, by number."""
    children: dict[int, list[Entry]] = {}
    for entry in table.values():
        if entry.pid != entry.parent:
            children.setdefault(entry.parent, []).append(entry)
    out: list[Entry] = []
    waiting = [pid]
    while waiting:
        for child in sorted(children.get(waiting.pop(0), ()), key=lambda entry: entry.pid):
            out.append(child)
            waiting.append(child.pid)
    return out


def members(table: Mapping[int, Entry], root: Root, plan: ServerPlan, roots: Mapping[int, Root]) -> tuple[Member, ...]:
    """The processes of a server with their roles: its first one, workers by age, then everybody else below it."""
    entry = root.entry
    # A server that an application starts is a server of its own, and so is what lies below it.
    others = [one.pid for one in below(table, entry.pid) if one.pid in roots]
    foreign = {one.pid for pid in others for one in (table[pid], *below(table, pid))}
    inside = [one for one in below(table, entry.pid) if one.pid not in foreign]
    workers = [one for one in inside if one.parent == entry.pid and _works(entry, one, plan)]
    workers.sort(key=lambda one: (one.created, one.pid))
    helpers = [one for one in inside if one not in workers]
    return (
        Member(entry, _first_role(plan, bool(workers))),
        *(_worker(one, workers[0], entry) for one in workers),
        *(Member(one, HELPER) for one in helpers),
    )


def _worker(entry: Entry, first: Entry, master: Entry) -> Member:
    if entry.created - first.created > _TOGETHER:
        return Member(entry, WORKER, entry.created - first.created)
    if first.created - master.created > _LOADED:
        return Member(entry, WORKER, entry.created - master.created, certain=False)
    return Member(entry, WORKER)


def _works(master: Entry, child: Entry, plan: ServerPlan) -> bool:
    if is_keeper(child):
        return False
    if plan.server.startswith("gunicorn"):
        title = title_of(child)
        return title[0] == "worker" if title is not None else child.words == master.words
    return is_spawned(child) and not serves_alone(plan)


def serves_alone(plan: ServerPlan) -> bool:
    """Whether the first process certainly answers requests itself, and so its children are none of the server's."""
    least = _supervised_from(plan)
    workers = plan.value("workers")
    reload = plan.settings.get("reload")
    if least is None or not (reload is None or reload.known):
        return False
    return workers is None or (isinstance(workers, int) and workers < least)


def _supervised_from(plan: ServerPlan) -> int | None:
    """From how many workers on the first process only watches over others; None: it always does."""
    if plan.server.startswith("gunicorn") or plan.server == "fastapi dev" or plan.value("reload") is True:
        return None
    return 1 if plan.server == "hypercorn" else 2


def _first_role(plan: ServerPlan, has_workers: bool) -> str:
    least, workers = _supervised_from(plan), plan.value("workers")
    if least is None:
        return MASTER if plan.server.startswith("gunicorn") else RELOADER
    return MASTER if has_workers or (isinstance(workers, int) and workers >= least) else SERVER
