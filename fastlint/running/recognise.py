"""The command line of a process -> the server that it is. Asks the system for nothing, and looks into no file.

Only the server itself counts, not the shell, container or runner that waits for it. A worker that is a fork has its
master's command line; one that is spawned has a line of Python's `multiprocessing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastlint.deploy.commands import SERVERS, Program, is_python, read_run
from fastlint.deploy.plan import Command
from fastlint.deploy.service import Run
from fastlint.deploy.texts import literal
from fastlint.finding import Location
from fastlint.running.processes import Entry

COMMAND_LINE = "command line"  # who says a setting: the process was started with it
HIDDEN = "***"

# What setproctitle makes of the command line (gunicorn/util.py, arbiter.py and dirty/)
_TITLE = re.compile(r"gunicorn: (master|worker|dirty-arbiter|dirty-worker)(?: \[(.*)\])?$")
_SPAWNED = "multiprocessing.spawn"
_TRACKER = "multiprocessing.resource_tracker"
_FORK_SERVER = "multiprocessing.forkserver"
# Options whose value is nobody's business, and what gives secrets away elsewhere.
_PRIVATE_OPTIONS = frozenset({"-e", "--env", "--keyfile-password", "--ssl-keyfile-password"})
_PRIVATE_WORD = re.compile(r"(?i)^(-{0,2}[\w-]*(?:password|passwd|secret|token|api-?_?key)[\w-]*=)(.+)$")
_CREDENTIALS = re.compile(r"(://[^:/@\s]*:)[^@/\s]+(?=@)")


def command_of(entry: Entry) -> Command | Program | None:
    """The server, or the Python program that may start one; None for everything else, and for what is hidden."""
    words = entry.words
    if not words or title_of(entry) is not None:
        return None
    name = re.split(r"[/\\]", words[0])[-1].removesuffix(".exe")
    if name not in SERVERS and not is_python(name):
        return None
    where = place_of(entry)
    # The first word may be anything that runs Python: what was said of a server is said of it by its name.
    texts = tuple(literal(word, where) for word in (name, *shown_words(words)[1:]))
    found = read_run(Run(COMMAND_LINE, texts), {})
    return found[0] if found else None


def place_of(entry: Entry) -> Location:
    """Where findings about the command line of a process stand."""
    return Location(f"process {entry.pid}", 0)


def environment_place(entry: Entry) -> Location:
    """Where findings about the environment of a process stand."""
    return Location(f"environment of process {entry.pid}", 0)


def title_of(entry: Entry) -> tuple[str, str] | None:
    """Role and application where gunicorn (with setproctitle) wrote a title over its command line."""
    match = _TITLE.match(" ".join(entry.words or ()).strip())
    return (match[1], match[2] or "") if match is not None else None


def is_spawned(entry: Entry) -> bool:
    """Whether `multiprocessing` spawned the process: a worker of uvicorn and hypercorn, or of the application."""
    return any(_SPAWNED in word for word in entry.words or ())


def is_keeper(entry: Entry) -> bool:
    """Whether the process only serves `multiprocessing` itself."""
    return any(_TRACKER in word or _FORK_SERVER in word for word in entry.words or ())


def shown_words(words: Iterable[str]) -> tuple[str, ...]:
    """A command line as it may be shown: passwords, tokens and variables that it carries are masked."""
    out: list[str] = []
    private = False
    for word in words:
        shown = _CREDENTIALS.sub(rf"\g<1>{HIDDEN}", word)
        shown = _PRIVATE_WORD.sub(rf"\g<1>{HIDDEN}", shown)
        option, equals, _ = word.partition("=")
        if private:
            name, given, _ = word.partition("=")
            shown = f"{name}={HIDDEN}" if given else HIDDEN
        elif (option == "--env" and equals) or re.match(r"-e\w+=", word):
            attached = word.removeprefix("--env=").removeprefix("-e")
            shown = f"{word[: -len(attached)]}{attached.partition('=')[0]}={HIDDEN}"
        private = word in _PRIVATE_OPTIONS or bool(re.match(r"(?i)--[\w-]*(?:password|secret|token)[\w-]*$", word))
        out.append(shown)
    return tuple(out)
