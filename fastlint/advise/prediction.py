"""Throughput and memory against the worker count: the model behind the advice. Knows no settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerModel:
    """One worker at its limit: `rate` (requests/s) and the `share` of one core that it uses then.

    Workers add up until the cores are used up: rate(w) = rate x min(w, cores / share). A worker whose limit is not the
    processor (threads that wait, a stalled loop) has a small share, and many of them fit on a core.
    """

    rate: float
    share: float
    cores: float

    def throughput(self, workers: int) -> float:
        """Requests/s that so many workers serve."""
        return self.rate * min(float(workers), self.most_useful)

    @property
    def most_useful(self) -> float:
        """How many workers use all cores; more of them add nothing."""
        return max(self.cores / self.share, self.cores if self.share >= 1 else 1.0)

    def best(self) -> int:
        """The smallest worker count that comes within a tenth of all that the cores give."""
        workers = 1
        while self.throughput(workers) < 0.9 * self.rate * self.most_useful:
            workers += 1
        return workers


def memory_needed(workers: int, worker: float, parent: float) -> float:
    """Bytes that so many workers and their parent hold."""
    return workers * worker + parent
