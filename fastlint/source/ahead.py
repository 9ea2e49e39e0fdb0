"""A process that is started before anybody knows what it will be asked, and messages to it and from it.

The import of LibCST takes longer than a small project's whole analysis, and a run knows only late what there is to
parse. Where a second CPU has nothing to do, it is imported there meanwhile (see `hosting`). Whatever becomes of that
process, nothing depends on it. Knows nothing of what is said.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Receive = Callable[[], bytes | None]  # one message; None where the other side has ended
    Send = Callable[[bytes], None]  # raises `OSError` where nobody listens any more

_LENGTH = 8  # bytes before each message
_child: tuple[int, int] | None = None  # where it is asked, and where it answers


def start(work: Callable[[Receive, Send], None]) -> None:
    """Start it, where that can be done and a CPU is free for it. There it does this work, and ends with it."""
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
        try:
            os.close(ask)
            os.close(answered)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):  # who reads what the parent prints must not wait for this process
                os.dup2(nothing, stream)
            work(lambda: _received(asked), lambda message: _send(answer, message))
        finally:
            os._exit(0)  # no handlers and no buffers: they are the parent's
    os.close(asked)
    os.close(answer)
    _child = ask, answered


def running() -> bool:
    """Whether there is such a process that can be asked, as far as anybody knows."""
    return _child is not None


def ask(messages: Sequence[bytes]) -> Iterator[bytes]:
    """Send these; gives each answer as it comes, up to an empty one. Ends early where there is no such process, or no
    more: then there is none for whoever asks next, nor where somebody does not hear it out."""
    global _child
    if _child is None:
        return
    (there, back), _child = _child, None
    heard = False
    try:
        for message in messages:
            _send(there, message)
        while (answer := _received(back)) is not None:
            if not answer:
                heard = True
                return
            yield answer
    except OSError:
        pass
    finally:
        if heard:
            _child = there, back
        else:
            os.close(there)
            os.close(back)


def _send(to: int, message: bytes) -> None:
    for part in (len(message).to_bytes(_LENGTH, "big"), message):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(to, rest) :]


def _received(there: int) -> bytes | None:
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
