"""Many files parsed by several processes at once, where that pays. Decides nothing about files and reads none.

LibCST's parser holds the GIL, so threads do not help. Forked workers inherit the sources, and each imports the parser
itself: it is of no use to their parent, which needs its memory for the graph. Facts come back through pipes. Where a
worker is lost, what it was at is parsed in processes that may be lost, too: a file that kills the parser must not kill
the run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from fastlint.source import ahead
from fastlint.source.parse import Unreadable, encoded_in_child, parse_encoded, suspicious, told

if TYPE_CHECKING:
    from concurrent.futures import Future

_WORTH_IT = 300_000  # bytes: below, starting processes costs more than they save
_CHUNK = 64_000  # bytes a task: large enough for the pipe, small enough for an even end

Parsed = bytes | Unreadable  # facts as they are encoded

_sources: Sequence[bytes] = ()  # what the forked workers inherit


def usable_jobs() -> int:
    """How many processes may run at once: the CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_all(sources: Sequence[bytes], jobs: int, done: Callable[[int], None]) -> list[Parsed]:
    """The facts of every source, encoded, in order; `done` is told how many more are ready."""
    results: dict[int, Parsed] = {}
    if sum(map(len, sources)) < _WORTH_IT:
        results = _parsed_ahead(sources)
        done(len(results))
    elif jobs > 1 and hasattr(os, "fork"):
        parts = list(_parts(sources))
        survived = _parse_forked(sources, parts, jobs, results, done)
        lost = [] if survived else [part for part in parts if part[0] not in results]
        for part in lost:  # one worker's end takes the work of all with it
            _parse_forked(sources, [part], 1, results, done)
            for number in part:
                if number not in results:
                    results[number] = encoded_in_child(sources[number])
                    done(1)
    for number, source in enumerate(sources):
        if number not in results:
            results[number] = parse_encoded(source)
            done(1)
    return [results[number] for number in range(len(sources))]


def _parsed_ahead(sources: Sequence[bytes]) -> dict[int, Parsed]:
    """What the process says that was started for this (see `ahead`), if there is one; not of files that may kill it."""
    numbers = [number for number, source in enumerate(sources) if not suspicious(source)]
    answers = ahead.answers([sources[number] for number in numbers])
    if answers is None:
        return {}
    try:
        return {number: told(answer) for number, answer in zip(numbers, answers, strict=True)}
    except (ValueError, TypeError):
        return {}


def _parse_forked(
    sources: Sequence[bytes],
    parts: Sequence[Sequence[int]],
    jobs: int,
    results: dict[int, Parsed],
    done: Callable[[int], None],
) -> bool:
    """Adds what workers could parse to the results. Says False, with the rest left out, once one of them is lost."""
    global _sources
    import multiprocessing  # here: a file or two need none of it
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    _sources = sources
    try:
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork")) as pool:
            waiting: list[Future[list[tuple[int, Parsed]]]] = [pool.submit(_parse, part) for part in parts]
            for future in as_completed(waiting):
                rows = future.result()
                done(len(rows))
                results.update(rows)
    except BrokenProcessPool:
        return False
    except OSError:  # no more processes to be had: not the fault of a file
        return True
    finally:
        _sources = ()
    return True


def _parse(numbers: Sequence[int]) -> list[tuple[int, Parsed]]:
    return [(number, parse_encoded(_sources[number])) for number in numbers]


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
