"""What was measured of a running service, from whichever source. Reads nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from fastlint.advise.figures import Figure


@dataclass(frozen=True, slots=True)
class RouteLoad:
    """The load of one route as a load test or an exporter saw it."""

    name: str  # "GET /items/{id}"
    requests: int
    rate: float  # requests/s
    latency: float  # mean, s
    p95: float | None = None  # s


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything measured; None where nobody measured it.

    Rates and latencies are those of the whole service while it was measured, `workers` the processes that served it.
    `cpu` is the share of one core that one worker used (1.0: one core, fully), `memory` what one worker holds.
    """

    rate: Figure | None = None  # requests/s
    rate_per_worker: Figure | None = None  # requests/s
    latency: Figure | None = None  # mean, s
    p95: Figure | None = None  # s
    failures: Figure | None = None  # share of all requests
    workers: Figure | None = None
    cpu: Figure | None = None
    memory: Figure | None = None  # bytes
    thread_queue: Figure | None = None  # calls that wait for a thread
    queue_growing: bool = False
    routes: tuple[RouteLoad, ...] = field(default=())

    def over(self, other: Measured) -> Measured:
        """These figures, and those of `other` where these have none."""
        chosen = {}
        for one in fields(self):
            mine = getattr(self, one.name)
            chosen[one.name] = getattr(other, one.name) if mine in (None, (), False) else mine
        return Measured(**chosen)

    def one_worker(self) -> Figure | None:
        """What one worker serves, in requests/s: as given, else the service's rate through its workers."""
        if self.rate_per_worker is not None or self.rate is None or self.workers is None or self.workers.value < 1:
            return self.rate_per_worker
        return Figure(
            self.rate.value / self.workers.value,
            "requests/s",
            f"{self.rate} ({self.rate.source}) / {self.workers} workers ({self.workers.source})",
        )
