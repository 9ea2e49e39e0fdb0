"""A process that gets the parser ready while its parent still finds out what has changed. Parses nothing unasked.

A run needs LibCST for a file or two after an edit, or for a small project, and its import takes longer than they do.
Where a second CPU has nothing to do, it is imported there meanwhile. Whatever becomes of that process, nothing depends
on it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from typing import NoReturn

_LENGTH = 8  # bytes before each message
_child: tuple[int, int] | None = None  # where it is asked, and where it answers


def start() -> None:
    """Start it, where that can be done and a CPU is free for it."""
    global _child
    if _child is not None or not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"):
        return
    if len(os.sched_getaffinity(0)) < 2:
        return
    asked, ask = os.pipe()
    answered, answer = os.pipe()
    try:
        process = os.fork()
    except OSError:  # no more processes to be had
        for each in (asked, ask, answered, answer):
            os.close(each)
        return
    if process == 0:
        os.close(ask)
        os.close(answered)
        _serve(asked, answer)
    os.close(asked)
    os.close(answer)
    _child = ask, answered


def answers(sources: list[bytes]) -> list[bytes] | None:
    """What the process says of these sources, as `parse.answer_of` writes it; None where there is none, or no more."""
    global _child
    if _child is None:
        return None
    ask, answered = _child
    out: list[bytes] = []
    try:
        for source in sources:
            _send(ask, source)
            message = _received(answered)
            if message is None:
                raise BrokenPipeError
            out.append(message)
    except OSError:
        os.close(ask)
        os.close(answered)
        _child = None
        return None
    return out


def _serve(asked: int, answer: int) -> NoReturn:
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # who reads what the parent prints must not wait for this process
            os.dup2(nothing, stream)
        import fastlint.source.extract  # noqa: F401  # and LibCST with it
        from fastlint.source.parse import answer_of

        while (source := _received(asked)) is not None:
            _send(answer, answer_of(source))
    finally:
        os._exit(0)  # no handlers and no buffers: they are the parent's


def _send(to: int, message: bytes) -> None:
    rest = memoryview(len(message).to_bytes(_LENGTH, "big") + message)
    while rest:
        rest = rest[os.write(to, rest) :]


def _received(there: int) -> bytes | None:
    """One message; None where the other side has ended."""
    head = _exactly(there, _LENGTH)
    return None if head is None else _exactly(there, int.from_bytes(head, "big"))


def _exactly(there: int, number: int) -> bytes | None:
    parts: list[bytes] = []
    while number:
        part = os.read(there, min(number, 1 << 20))
        if not part:
            return None
        parts.append(part)
        number -= len(part)
    return b"".join(parts)
