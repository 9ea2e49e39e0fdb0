"""Where a command begins: an unchanged `fastlint check` is answered from the cache, all else by the command line.

Loads the command line only where it is needed: its imports take longer than the answer.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import time

from fastlint import streams
from fastlint.cache import answers, folder
from fastlint.cache.identity import identity

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

    from fastlint.source.ahead import Receive, Send

_ALONE = ("--jobs", "--watch")  # who says how many processes there are means it
_ASKING = ("--help", "--show-files")  # nothing is parsed for that


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    started = time.perf_counter()
    arguments = sys.argv[1:]
    if arguments[:1] == ["check"]:
        answer = None
        if "--no-cache" not in arguments:
            try:
                asked = answers.question(arguments, identity(), streams.terminal())
                answer = answers.recall(_caches(arguments), asked)
            except OSError:  # the working directory is gone, say: the command line finds the words
                pass
        if answer is not None:
            streams.prepare()
            streams.write(answer.text(time.perf_counter() - started), sys.stdout)
            sys.exit(answer.code)
        if not any(argument.startswith((*_ALONE, *_ASKING)) for argument in arguments):
            from fastlint.source import ahead

            ahead.start(_parsing)  # something will have to be parsed
    # Facts and graph are many objects, which end with the process: looking for garbage among them, once or when Python
    # ends, only costs time. What goes on for long (`--watch`) turns it on again.
    gc.disable()
    atexit.register(gc.freeze)
    from fastlint.cli import main as command_line

    command_line(arguments)


def _parsing(receive: Receive, send: Send) -> None:
    from fastlint.source.hosting import serve

    serve(receive, send)


def _caches(arguments: list[str]) -> Iterator[str]:
    """Where the answer may lie: in the folder that is named, or in one around the first path that is asked for."""
    for place, argument in enumerate(arguments):
        if argument == "--cache-dir" and arguments[place + 1 :]:
            yield arguments[place + 1]
            return
        if argument.startswith("--cache-dir="):
            yield argument.partition("=")[2]
            return
    if os.environ.get(folder.VARIABLE):
        yield os.environ[folder.VARIABLE]
        return
    start = next((each for each in arguments[1:] if not each.startswith("-") and os.path.exists(each)), os.curdir)
    here = os.path.abspath(start)
    while True:
        yield os.path.join(here, folder.NAME)
        above = os.path.dirname(here)
        if above == here:
            return
        here = above
