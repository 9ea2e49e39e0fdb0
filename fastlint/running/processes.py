"""What the system tells of processes, as plain records: the only door to psutil for them. Recognises no server.

Needs no privileges and asks for none. What this user may not see is None, which is never the same as not being there.
Nothing of a process is executed, attached to or signalled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import psutil

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One process of the table: who it is, and what it was started with."""

    pid: int
    parent: int
    created: float  # seconds since the epoch; with the pid it tells a process from a later one of the same number
    name: str
    words: tuple[str, ...] | None = None  # the command line; None: not allowed to see it


@dataclass(frozen=True, slots=True)
class Vitals:
    """What one process uses now. Bytes; `own` would be free again if it ended, `shared` counts a page by its users."""

    rss: int | None = None
    own: int | None = None  # USS
    shared: int | None = None  # PSS: every page divided by the processes that hold it; Linux only
    cpu_seconds: float | None = None  # since it began
    threads: int | None = None
    addresses: frozenset[str] | None = None  # where it listens


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a process runs: its user, folder and environment, and the file systems that it sees."""

    user: str | None = None
    folder: str | None = None
    environment: Mapping[str, str] | None = None
    affinity: int | None = None
    overlay: bool = False  # its root is an overlay: the disk of a container
    memory_folders: tuple[str, ...] = ()  # tmpfs


class Gone(Exception):
    """The process has ended."""


def process_table() -> dict[int, Entry]:
    """Every process that can be seen, by its number; those that have ended and wait to be noticed are left out."""
    import psutil  # here, as everywhere in this module: nobody else pays for it

    out: dict[int, Entry] = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                parent, created, name = process.ppid(), process.create_time(), process.name()
                line = _allowed(process.cmdline)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied, Gone):
            continue
        out[process.pid] = Entry(process.pid, parent, created, name, None if line is None else tuple(line))
    return out


def vitals(entry: Entry) -> Vitals:
    """What a process uses at this moment. Raises `Gone`."""
    process = _opened(entry)
    memory = _allowed(process.memory_info)
    full = _allowed(process.memory_full_info)
    times = _allowed(process.cpu_times)
    sockets = _allowed(lambda: frozenset(_listening(process)))
    return Vitals(
        rss=None if memory is None else memory.rss,
        own=getattr(full, "uss", None),
        shared=getattr(full, "pss", None),
        cpu_seconds=None if times is None else times.user + times.system,
        threads=_allowed(process.num_threads),
        addresses=sockets,
    )


def cpu_seconds(entry: Entry) -> float | None:
    """The processor time that a process has used; None where that is not to be seen. Raises `Gone`."""
    times = _allowed(_opened(entry).cpu_times)
    return None if times is None else times.user + times.system


def surroundings(entry: Entry) -> Surroundings:
    """Where a process runs. Raises `Gone`."""
    process = _opened(entry)
    affinity = getattr(process, "cpu_affinity", None)  # macOS has none
    mounts = _mounts(entry.pid)
    return Surroundings(
        user=_allowed(process.username),
        folder=_allowed(process.cwd) or None,
        environment=_allowed(process.environ),
        affinity=None if affinity is None else _allowed(lambda: len(affinity())),
        overlay=any(point == "/" and kind == "overlay" for point, kind in mounts),
        memory_folders=tuple(sorted({point for point, kind in mounts if kind == "tmpfs"})),
    )


def listeners(port: int) -> tuple[bool, set[int]]:
    """Whether anything listens on a TCP port of this machine, and the processes that do, as far as they can be seen."""
    import psutil

    found, pids = False, set[int]()
    for pid in _ports(port):
        found = True
        if pid is not None:
            pids.add(pid)
    if not found:
        # Some systems show no table of all sockets to ordinary users, but each process its own.
        for process in psutil.process_iter():
            try:
                if any(_port_of(address) == port for address in _listening(process)):
                    found = True
                    pids.add(process.pid)
            except psutil.Error:
                continue
    return found, pids


def _ports(port: int) -> list[int | None]:
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return []
    return [
        each.pid for each in connections if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port
    ]


def _port_of(address: str) -> int | None:
    last = address.rpartition(":")[2]
    return int(last) if last.isdigit() else None


def _listening(process: psutil.Process) -> list[str]:
    """Addresses at which a process answers: `127.0.0.1:8000`, `[::]:8000`, `unix:/run/app.sock`."""
    import psutil

    out: list[str] = []
    connections = process.net_connections if hasattr(process, "net_connections") else process.connections
    for each in connections(kind="all"):
        if each.status == psutil.CONN_LISTEN and each.laddr:
            host = f"[{each.laddr.ip}]" if ":" in each.laddr.ip else each.laddr.ip
            out.append(f"{host}:{each.laddr.port}")
        elif isinstance(each.laddr, str) and each.laddr:  # only a socket that listens has a path of its own
            out.append(f"unix:{each.laddr}")
    return out


def _mounts(pid: int) -> list[tuple[str, str]]:
    """The mount points that a process sees, with the kinds of their file systems; empty where there is no such list."""
    out: list[tuple[str, str]] = []
    try:
        with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as handle:
            lines = handle.read().splitlines()
    except OSError:
        return []
    for line in lines:
        fields, _, rest = line.partition(" - ")
        where, what = fields.split(" "), rest.split(" ")
        if len(where) > 4:
            out.append((where[4], what[0]))
    return out


def _opened(entry: Entry) -> psutil.Process:
    import psutil

    try:
        process = psutil.Process(entry.pid)
        same = abs(process.create_time() - entry.created) < 0.1
    except psutil.Error as error:
        raise Gone from error
    if not same:  # the number was given to another process meanwhile
        raise Gone
    return process


def _allowed(ask: Callable[[], _T]) -> _T | None:
    """The answer; None where this user is not told. Raises `Gone`."""
    import psutil

    try:
        return ask()
    except (psutil.NoSuchProcess, psutil.ZombieProcess) as error:
        raise Gone from error
    except (ProcessLookupError, FileNotFoundError) as error:
        raise Gone from error
    except (psutil.AccessDenied, NotImplementedError, OSError):
        return None


def own_user() -> str:
    """Who looks, for sentences about what may not be seen."""
    import psutil

    try:
        return psutil.Process().username()
    except (psutil.Error, KeyError, OSError):
        return "this user"
