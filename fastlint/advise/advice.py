"""What advice is made of: the situation that goes in, the rows that come out. Sizes nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastlint.advise.figures import Figure
from fastlint.advise.measured import Measured
from fastlint.advise.prediction import WorkerModel
from fastlint.advise.workload import Assumptions, Workload
from fastlint.deploy.plan import ServerPlan
from fastlint.deploy.values import Unknown, render


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that sizes depend on. Figures are None where nobody said or measured them."""

    cores: Figure
    memory: Figure | None
    workload: Workload
    assumptions: Assumptions
    measured: Measured = field(default_factory=Measured)
    goal: Figure | None = None  # requests/s that the service shall serve
    replicas: Figure | None = None
    orchestrated: bool = False
    worker_memory: Figure | None = None  # declared, or expected of what the code imports
    connections: Figure | None = None  # what the database accepts
    pool: Figure | None = None  # connections that the pools of one worker may hold
    pool_text: str = ""  # how the code bounds them: "(5 + 10)"
    plan: ServerPlan | None = None

    def now(self, *names: str) -> str:
        """What the plan says of the first of these settings that it has; a dash where there is no plan."""
        for name in names:
            setting = self.plan.settings.get(name) if self.plan is not None else None
            if setting is not None:
                return "unknown" if isinstance(setting.value, Unknown) else render(setting.value).strip("'")
        return "-"

    def number(self, name: str) -> float | None:
        """A setting of the plan as a number; None where it is none, or unknown."""
        value = self.plan.value(name) if self.plan is not None else None
        return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Row:
    """One advised setting: what it is now, what it should be, the arithmetic, and the figures that went in."""

    setting: str
    now: str
    advised: str
    why: str
    value: float | str | None = None  # the advised value for machines; None: leave it as it is
    inputs: tuple[Figure, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the advice differs from what is known to be set."""
        return self.now not in ("-", "unknown", self.advised)


@dataclass(frozen=True, slots=True)
class Advice:
    """The outcome: rows in the order of their weight, what to change first, and the model that predicts throughput."""

    situation: Situation
    rows: tuple[Row, ...]
    workers: int
    replicas: int
    worker_memory: Figure
    model: WorkerModel | None  # None where no rate was measured or given
    first: tuple[str, ...] = ()  # what to change first, each one sentence
    ceilings: tuple[str, ...] = ()  # calls that cap throughput whatever the worker count

    def row(self, setting: str) -> Row | None:
        """The row of one setting."""
        return next((row for row in self.rows if row.setting == setting), None)
