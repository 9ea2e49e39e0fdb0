"""What goes into a run and what comes out of it: `CheckRequest` and `Report`, frozen and plain.

Knows nothing about formats, terminals or how the findings are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from fastlint.finding import Finding, Severity, Step

if TYPE_CHECKING:
    from fastlint.config import Config
    from fastlint.rulebook.words import RuleWords


class Progress(NamedTuple):
    """How far a run is: `stage` is a verb for people ("reading", "checking"), `total` is 0 where it is not known."""

    stage: str
    done: int
    total: int


class StdinSource(NamedTuple):
    """Source that stands in for the file `path` (as the user wrote it; the file may not exist yet)."""

    path: str
    source: bytes


class CheckRequest(NamedTuple):
    """Everything the engine is asked for. `paths` are as the user wrote them, relative to the working directory."""

    paths: tuple[str, ...]
    config: Config
    stdin: StdinSource | None = None
    progress: Callable[[Progress], None] | None = None
    jobs: int = 1  # processes that parse at the same time
    cached: bool = False  # whether the cache is used
    cache: str = ""  # its folder; "": the usual one, in the project
    unresolved: bool = False  # whether unresolved calls are listed: only then their lines are looked up


class Report(NamedTuple):
    """The outcome of one run: everything that a format needs, so that a format is a function `Report -> str`.

    `findings` are the shown ones: filtered by rule, severity, confidence, suppression and reported file, and sorted.
    `files` counts the files reported on, `analysed` the files that were read to do so (never fewer).
    `rules` are the rules that ran, sorted by code. `excerpts` holds the source line of every place a finding names,
    by (path, line); a line that could not be read is missing there.
    """

    findings: tuple[Finding, ...]
    config: Config
    root: str = ""  # the absolute project root: the paths in the findings are relative to it
    rules: tuple[RuleWords, ...] = ()
    files: int = 0
    analysed: int = 0
    seconds: float = 0.0
    suppressed: int = 0
    unresolved: tuple[
        Step, ...
    ] = ()  # calls on the loop that could not be resolved, sorted; on line 1 if not asked for
    excerpts: Mapping[tuple[str, int], str] = MappingProxyType({})
    cache: str = ""  # the folder of the cache; "" where none was used
    analysis: str = ""  # where it comes from: an earlier run, or made anew, and why
    fault: str = ""  # what went wrong with the cache, so that all was done once more without

    @property
    def shown(self) -> Severity:
        """The lowest severity that this report shows."""
        return self.config.severity

    @property
    def counts(self) -> dict[Severity, int]:
        """Findings by severity, the worst first; every severity is there, also with 0."""
        counts = dict.fromkeys(sorted(Severity, reverse=True), 0)
        for finding in self.findings:
            counts[finding.severity] += 1
        return counts

    @property
    def failed(self) -> bool:
        """Whether any shown finding is at or above `fail-on`."""
        return any(finding.severity >= self.config.fail_on for finding in self.findings)
