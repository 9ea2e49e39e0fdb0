"""What a check may see: the graph, the rules' words, and places. Reads no configuration and prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fastlint.config import TargetSettings
from fastlint.deploy.plan import ServerPlan
from fastlint.deploy.service import Database, Proxy
from fastlint.deploy.target import Target, target_of
from fastlint.finding import Confidence, Finding, Location, Severity, Step
from fastlint.graph.build import Graph
from fastlint.graph.shapes import Shapes
from fastlint.graph.world import FunctionRef
from fastlint.machine import Machine, read_machine
from fastlint.rulebook.words import RuleWords, fill_message, fill_remedy


@dataclass(slots=True)
class Project:
    """One analysed project."""

    graph: Graph
    rules: dict[str, RuleWords]
    locate: Callable[[str, int], Location]  # (module, site) -> place
    plans: tuple[ServerPlan, ...] = ()  # how the application is served, where that is known
    proxies: tuple[Proxy, ...] = ()
    databases: tuple[Database, ...] = ()
    settings: TargetSettings = field(default_factory=TargetSettings)
    machine: Callable[[], Machine] = read_machine
    shapes: Shapes = field(init=False)

    def __post_init__(self) -> None:
        self.shapes = Shapes(self.graph.world)

    def target(self, plan: ServerPlan) -> Target:
        """What one instance of a service has, and who says so."""
        return target_of(self.settings, plan.limits, self.machine)

    def where(self, function: FunctionRef, site: int) -> Location:
        """The place of a site in the module of a function; the function's own place where there is no site."""
        if site < 0 and function[1] >= 0:
            site = self.graph.world.function(function).site
        return self.locate(function[0], site)

    def found(
        self,
        code: str,
        where: Location,
        values: dict[str, str],
        severity: Severity | None = None,
        confidence: Confidence = Confidence.HIGH,
        steps: tuple[Step, ...] = (),
        related: tuple[Step, ...] = (),
        notes: tuple[str, ...] = (),
        symbol: str = "",
        subject: str = "",
        ordinal: int = 0,
    ) -> Finding:
        """The only way to make a finding: code, name, severity and words come from the rule's data."""
        rule = self.rules[code]
        return Finding(
            where=where,
            code=code,
            name=rule.name,
            severity=rule.severity if severity is None else severity,
            confidence=confidence,
            message=fill_message(rule.message, values),
            remedy=fill_remedy(rule.remedy, values),
            steps=steps,
            related=related,
            notes=notes,
            symbol=symbol,
            subject=subject,
            ordinal=ordinal,
        )
