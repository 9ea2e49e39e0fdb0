"""The cores and the memory that a process really has, each figure with where it came from. Judges nothing.

Counts what the system has (psutil), what the process may use (affinity), and what the control groups around it grant
(cgroup v1 and v2). A limit of a group binds all groups below it, so the smallest of the group and its ancestors counts.
Sources: kernel documentation, admin-guide/cgroup-v1 and cgroup-v2; proc(5) and cgroups(7) for the files of `/proc`.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from typing import Literal, NamedTuple

Resource = Literal["cores", "memory"]

_UNLIMITED = 2**62  # v1 writes "no limit" as the largest whole number of pages: nothing real comes near


class Figure(NamedTuple):
    """One number that was found: cores (may be fractional) or bytes, and who says so."""

    resource: Resource
    value: float
    source: str


class Counts(NamedTuple):
    """What the system itself counts. `affinity` is None where it cannot be asked for (macOS, Windows)."""

    logical: int
    affinity: int | None
    memory: int  # bytes


class Machine(NamedTuple):
    """What a process has: the smallest figure of each resource, and all figures that there are."""

    cores: Figure
    memory: Figure
    figures: tuple[Figure, ...]
    hidden: bool = False  # another process lies in groups that this one cannot see: they may grant less


def read_machine(root: str = "/", counts: Counts | None = None, pid: int | None = None) -> Machine:
    """The machine as a process sees it, this one if `pid` is None, with the counts of that process.

    `root` is where `/proc` and `/sys` are read below, for recorded trees.
    """
    counts = counts or count()
    figures = [Figure("cores", counts.logical, "logical CPUs of the system")]
    if counts.affinity is not None:
        figures.append(
            Figure("cores", counts.affinity, f"CPU affinity of {'this process' if pid is None else f'process {pid}'}")
        )
    figures.append(Figure("memory", counts.memory, "physical memory of the system"))
    groups = list(_groups(root, "self" if pid is None else str(pid)))
    # What lies outside of our own namespace is written with `..`; the root of the mount is then ours, not the other's.
    outside = [each for each in groups if pid is not None and ".." in each[2]]
    figures.extend(_granted(root, [each for each in groups if each not in outside]))
    cores = min((each for each in figures if each.resource == "cores"), key=lambda each: each.value)
    memory = min((each for each in figures if each.resource == "memory"), key=lambda each: each.value)
    return Machine(cores, memory, tuple(figures), bool(outside))


def count() -> Counts:
    """What psutil and the scheduler count on this system."""
    import psutil  # here: nobody else needs it

    logical = psutil.cpu_count() or os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return Counts(logical, affinity, psutil.virtual_memory().total)


class _Mount(NamedTuple):
    """One mounted hierarchy: version, controllers, which group its root shows, and where it is mounted."""

    version: int
    controllers: frozenset[str]
    top: str
    point: str


def _granted(root: str, groups: list[tuple[int, frozenset[str], str]]) -> Iterator[Figure]:
    for mount in _mounts(root):
        for version, controllers, group in groups:
            if mount.version == version and (version == 2 or mount.controllers & controllers):
                for folder in _upwards(root, mount, group):
                    yield from _limits(root, mount, folder)


def _groups(root: str, process: str) -> Iterator[tuple[int, frozenset[str], str]]:
    """The groups of a process: `0::/path` in v2, `N:controllers:/path` in v1."""
    for line in _read(root, f"/proc/{process}/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        version = 2 if number == "0" and not controllers else 1
        yield version, frozenset(controllers.split(",")), group


def _mounts(root: str) -> Iterator[_Mount]:
    seen: set[tuple[int, frozenset[str]]] = set()
    for line in _read(root, "/proc/self/mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        where, what = fields.split(" "), rest.split(" ")
        if len(where) < 5 or what[0] not in ("cgroup", "cgroup2"):
            continue
        version = 2 if what[0] == "cgroup2" else 1
        controllers = frozenset(what[2].split(",")) if version == 1 and len(what) > 2 else frozenset[str]()
        if (version, controllers) not in seen:  # the same hierarchy mounted twice
            seen.add((version, controllers))
            yield _Mount(version, controllers, _unescaped(where[3]), _unescaped(where[4]))


def _upwards(root: str, mount: _Mount, group: str) -> Iterator[str]:
    """The folder of the group and those of its ancestors, as far as the mount shows them."""
    # In a cgroup namespace groups outside of it are written with `..`; without one, a container's mount shows its
    # own group only while /proc names the whole path. In both cases the root of the mount is the group.
    inner = posixpath.relpath(group, mount.top) if group.startswith("/") and ".." not in group else "."
    folder = mount.point if inner.startswith("..") else posixpath.normpath(posixpath.join(mount.point, inner))
    while True:
        yield folder
        if folder == mount.point or len(folder) <= len(mount.point):
            return
        folder = posixpath.dirname(folder)


def _limits(root: str, mount: _Mount, folder: str) -> Iterator[Figure]:
    if mount.version == 2:
        quota, _, period = _read(root, f"{folder}/cpu.max").partition(" ")
        yield from _quota(quota, period or "100000", f"{folder}/cpu.max")
        yield from _set(root, f"{folder}/cpuset.cpus.effective")
        yield from _bytes(root, f"{folder}/memory.max")
        yield from _bytes(root, f"{folder}/memory.high")
        return
    if "cpu" in mount.controllers:
        name = f"{folder}/cpu.cfs_quota_us"
        yield from _quota(_read(root, name), _read(root, f"{folder}/cpu.cfs_period_us"), name)
    if "cpuset" in mount.controllers:
        yield from _set(root, f"{folder}/cpuset.cpus")
    if "memory" in mount.controllers:
        yield from _bytes(root, f"{folder}/memory.limit_in_bytes")


def _quota(quota: str, period: str, source: str) -> Iterator[Figure]:
    time, span = _whole(quota), _whole(period)
    if time and span:  # -1 and "max" are no whole numbers: no limit
        yield Figure("cores", time / span, source)


def _set(root: str, name: str) -> Iterator[Figure]:
    """The size of a list like `0-3,8`."""
    number = 0
    for part in _read(root, name).strip().split(","):
        first, _, last = part.partition("-")
        begin, end = _whole(first), _whole(last or first)
        if begin is None or end is None:
            return
        number += max(end - begin + 1, 0)
    if number:
        yield Figure("cores", number, name)


def _bytes(root: str, name: str) -> Iterator[Figure]:
    size = _whole(_read(root, name))
    if size and size < _UNLIMITED:
        yield Figure("memory", size, name)


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() else None


def _unescaped(path: str) -> str:
    """A path of mountinfo: spaces and the like are written as `\\040`."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path


def _read(root: str, name: str) -> str:
    try:
        with open(os.path.join(root, name.lstrip("/")), encoding="ascii", errors="replace") as handle:
            return handle.read(65536)
    except OSError:
        return ""
