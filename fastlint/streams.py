"""Text goes out here and nowhere else, as it is: colours and words are decided by others."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own would have to be imported, and an unchanged run imports next to nothing
if TYPE_CHECKING:
    from typing import TextIO


def prepare() -> None:
    """Let the streams show whatever a path or a source line holds, also what their encoding cannot say."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def terminal() -> str:
    """What is known of where the output goes: whether a person reads it there, and its encoding."""
    return f"{sys.stdout.isatty()} {sys.stdout.encoding}"


def write(text: str, stream: TextIO) -> None:
    """Write text to a stream. A reader who has gone away is no error."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # Python flushes once more at its end and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(text: str) -> None:
    """Say one thing to the person, beside the output."""
    write(text + "\n", sys.stderr)
