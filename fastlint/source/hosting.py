"""Many files parsed, by the process that was started ahead where there is one: it hosts the parser, and the workers.

They share what it has imported, and so LibCST is imported once, while the first process still looks for files; that one
needs neither the parser nor anything that starts processes. Reads no file and decides nothing about any.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from fastlint.source import ahead, parallel
from fastlint.source.parallel import Parsed
from fastlint.source.parse import encoded_in_child, told, written

if TYPE_CHECKING:
    from fastlint.source.ahead import Receive, Send

_NUMBER = 4  # bytes before each answer: of which source it is


def parse_each(sources: Sequence[bytes], jobs: int) -> Generator[tuple[int, Parsed], None, None]:
    """The facts of every source, encoded, with its number: each as soon as it is there, in no order."""
    waiting = dict.fromkeys(range(len(sources)))
    hosted = ahead.running()
    for answer in ahead.ask([b"%d %d" % (jobs, len(sources)), *sources]) if sources else ():
        number = int.from_bytes(answer[:_NUMBER], "big")
        try:
            facts = told(answer[_NUMBER:])
        except (ValueError, TypeError):  # the last words of a process that went wrong
            continue
        if number in waiting:
            del waiting[number]
            yield number, facts
    if hosted and waiting:  # it is lost, perhaps by what it was at: that must not take this process with it
        number = next(iter(waiting))
        del waiting[number]
        yield number, encoded_in_child(sources[number])
    numbers = list(waiting)
    for place, facts in parallel.parse_each([sources[number] for number in numbers], jobs):
        yield numbers[place], facts


def serve(receive: Receive, send: Send) -> None:
    """Answer what `parse_each` asks, as long as somebody does. Raises `OSError` where nobody listens any more."""
    import fastlint.source.extract  # noqa: F401  # and LibCST with it

    gc.disable()  # trees and facts have no cycles
    while (head := receive()) is not None:
        jobs, number = map(int, head.split())
        sources = [source for source in (receive() for _ in range(number)) if source is not None]
        with closing(parallel.parse_each(sources, jobs)) as answers:  # workers end where nobody listens
            for place, facts in answers:
                send(place.to_bytes(_NUMBER, "big") + written(facts))
        send(b"")
