"""Many files parsed by several processes at once, where that pays. Decides nothing about files and reads none.

LibCST's parser holds the GIL, so threads do not help. Forked workers inherit the sources, and the parser where their
parent has it (see `hosting`). Facts come back through pipes. Where a worker is lost, what it was at is parsed in
processes that may be lost, too: a file that kills the parser must not kill the run.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from fastlint.source.parse import Unreadable, encoded_in_child, parse_encoded

if TYPE_CHECKING:
    from concurrent.futures import Future

_WORTH_IT = 300_000  # bytes: below, starting processes costs more than they save
_CHUNK = 64_000  # bytes a task: large enough for the pipe, small enough for an even end

Parsed = bytes | Unreadable  # facts as they are encoded

_sources: Sequence[bytes] = ()  # what the forked workers inherit


def usable_jobs() -> int:
    """How many processes may run at once: the CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_each(sources: Sequence[bytes], jobs: int) -> Generator[tuple[int, Parsed], None, None]:
    """The facts of every source, encoded, with its number: each as soon as it is there, in no order."""
    done: set[int] = set()
    for number, facts in _by_others(sources, jobs):
        done.add(number)
        yield number, facts
    for number, source in enumerate(sources):
        if number not in done:
            yield number, parse_encoded(source)


def _by_others(sources: Sequence[bytes], jobs: int) -> Iterator[tuple[int, Parsed]]:
    """What other processes say, as far as there are any."""
    if jobs > 1 and hasattr(os, "fork") and sum(map(len, sources)) >= _WORTH_IT:
        waiting = dict.fromkeys(_parts(sources))
        try:
            for part, rows in _parse_forked(sources, waiting, jobs):
                del waiting[part]
                yield from rows
            for part in waiting:  # one worker's end takes the work of all with it
                answers = list(_parse_forked(sources, [part], 1))
                lost = [] if answers else part
                yield from (row for _, rows in answers for row in rows)
                yield from ((number, encoded_in_child(sources[number])) for number in lost)
        except OSError:  # no more processes to be had: not the fault of a file
            return


def _parse_forked(
    sources: Sequence[bytes], parts: Iterable[tuple[int, ...]], jobs: int
) -> Iterator[tuple[tuple[int, ...], list[tuple[int, Parsed]]]]:
    """The parts with what workers make of them. Ends early, with the rest left out, once one of them is lost. Raises
    `OSError` where there are no more processes to be had."""
    global _sources
    import multiprocessing  # here: a file or two need none of it
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("fork"))
    _sources = sources
    try:
        waiting: dict[Future[list[tuple[int, Parsed]]], tuple[int, ...]] = {
            pool.submit(_parse, part): part for part in parts
        }
        for future in as_completed(list(waiting)):
            part = waiting.pop(future)  # so that nobody holds the facts any longer than whoever asks for them
            yield part, future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)  # where nobody wants the rest, nobody parses it
        _sources = ()


def _parse(numbers: Sequence[int]) -> list[tuple[int, Parsed]]:
    return [(number, parse_encoded(_sources[number])) for number in numbers]


def _parts(sources: Sequence[bytes]) -> Iterator[tuple[int, ...]]:
    """The files in tasks of about the same size, the largest files first."""
    part: list[int] = []
    size = 0
    for number in sorted(range(len(sources)), key=lambda each: -len(sources[each])):
        part.append(number)
        size += len(sources[number])
        if size >= _CHUNK:
            yield tuple(part)
            part, size = [], 0
    if part:
        yield tuple(part)
