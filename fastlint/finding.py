"""What fastlint says: locations, steps and findings, frozen and totally ordered. Imports nothing of ours."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How bad it is if true. Ordered: a greater value is worse."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """The lower-case name, as users write it."""
        return self.name.lower()

    def lowered(self) -> Severity:
        """One level less bad; `INFO` stays `INFO`."""
        return Severity(max(self.value - 1, 1))


class Confidence(IntEnum):
    """How sure fastlint is. Ordered: a greater value is surer."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """The lower-case name, as users write it."""
        return self.name.lower()


class Location(NamedTuple):
    """A place in a file: path relative to the project root with `/`, lines and columns counted from 1.

    Line 0: no file, but something that runs, which `path` names: "process 1234".
    """

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Step(NamedTuple):
    """One hop of a witness chain, or one related place: where, and what stands or happens there."""

    where: Location
    text: str


class Finding(NamedTuple):
    """One thing to say about one place.

    `steps` is the witness chain from the entry point (route, hook …) to the culprit, in the order of execution.
    `related` are further places (the same culprit from other callers, a lock held elsewhere …).
    `notes` are short sentences that qualify the finding ("only during start-up", "reached from 12 routes").
    `subject` is what the finding is about, free of line numbers: with code, path and `symbol` it makes the fingerprint.
    """

    where: Location
    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: str
    remedy: str = ""
    steps: tuple[Step, ...] = ()
    related: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    symbol: str = ""
    subject: str = ""
    ordinal: int = 0

    @property
    def fingerprint(self) -> str:
        """32 hex digits that stay the same when lines move: code, path, enclosing function, subject, ordinal."""
        parts = (self.code, self.where.path, self.symbol, self.subject or self.message, str(self.ordinal))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def places(self) -> tuple[Location, ...]:
        """Every place at which a suppression or a changed file may stand for this finding: itself, then its steps."""
        return (self.where, *(step.where for step in self.steps))
