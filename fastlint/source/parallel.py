"""Many files parsed by several processes at once, where that pays. Decides nothing about files and reads none.

LibCST's parser holds the GIL, so threads do not help. Forked workers inherit the sources and the imported parser; facts
come back through pipes. Where a worker is lost, or the platform cannot fork, the rest is parsed here.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import Unreadable, parse

_WORTH_IT = 300_000  # bytes: below, starting processes costs more than they save
_CHUNK = 64_000  # bytes a task: large enough for the pipe, small enough for an even end

Parsed = ModuleFacts | Unreadable

_sources: Sequence[bytes] = ()  # what the forked workers inherit


def usable_jobs() -> int:
    """How many processes may run at once: the CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_all(sources: Sequence[bytes], jobs: int, done: Callable[[int], None]) -> list[Parsed]:
    """The facts of every source, in order; `done` is told how many more are ready."""
    results: list[Parsed | None] = [None] * len(sources)
    if jobs > 1 and sum(map(len, sources)) >= _WORTH_IT and "fork" in multiprocessing.get_all_start_methods():
        for number, parsed in _forked(sources, jobs, done):
            results[number] = parsed
    out: list[Parsed] = []
    for source, known in zip(sources, results, strict=True):
        if known is None:
            known = parse(source)
            done(1)
        out.append(known)
    return out


def _forked(sources: Sequence[bytes], jobs: int, done: Callable[[int], None]) -> Iterator[tuple[int, Parsed]]:
    """What workers could parse, in any order; nothing more once one of them is lost."""
    global _sources
    import libcst  # noqa: F401  # once, before the fork

    _sources = sources
    try:
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as pool:
            waiting: list[Future[list[tuple[int, Parsed]]]] = [pool.submit(_parse, part) for part in _parts(sources)]
            for future in as_completed(waiting):
                rows = future.result()
                done(len(rows))
                yield from rows
    except (BrokenProcessPool, OSError):
        return
    finally:
        _sources = ()


def _parse(numbers: Sequence[int]) -> list[tuple[int, Parsed]]:
    return [(number, parse(_sources[number])) for number in numbers]


def _parts(sources: Sequence[bytes]) -> Iterator[list[int]]:
    """The files in tasks of about the same size, the largest files first."""
    part: list[int] = []
    size = 0
    for number in sorted(range(len(sources)), key=lambda each: -len(sources[each])):
        part.append(number)
        size += len(sources[number])
        if size >= _CHUNK:
            yield part
            part, size = [], 0
    if part:
        yield part
