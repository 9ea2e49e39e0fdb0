"""Throughput and memory against the worker count: the model behind the advice. Knows no settings."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class WorkerModel:
    """One worker at its limit: `rate` (requests/s) and the `share` of one core that it uses then.

    Workers add up until the cores are used up: rate(w) = rate x min(w, cores / share). A worker whose limit is not the
    processor (threads that wait, a stalled loop) has a small share, and many of them fit on a core.

    `tokens` are the threads that are that limit, None where something else is. By Little's law (J. D. C. Little, "A
    Proof for the Queuing Formula: L = λW", Operations Research 9, 1961) a pool of T threads that each request holds for
    W seconds serves T / W requests/s, and a request costs share / rate seconds of the processor:
    rate(T) = min(rate x T / tokens, rate / share).
    """

    rate: float
    share: float
    cores: float
    tokens: int | None = None

    def with_tokens(self, tokens: int) -> WorkerModel:
        """The same worker with another number of threads; unchanged where threads are not its limit."""
        if self.tokens is None:
            return self
        rate = min(self.rate * tokens / self.tokens, self.rate / self.share)
        return replace(self, rate=rate, share=min(self.share * rate / self.rate, 1.0), tokens=tokens)

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
