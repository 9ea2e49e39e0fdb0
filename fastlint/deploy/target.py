"""What a service will have where it runs, and who says so: asked for, settings, manifest, or the machine at hand.

Reads no file and detects nothing by itself: limits come from the readers, the machine from `fastlint.machine`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from fastlint.amounts import shown_cores
from fastlint.config import Amount, TargetSettings
from fastlint.deploy.plan import Limits, Said
from fastlint.finding import Location
from fastlint.machine import Figure, Machine


class Origin(IntEnum):
    """Where a figure comes from; a greater one overrules a smaller one."""

    MACHINE = 1  # the machine that runs fastlint, which need not be the server
    MANIFEST = 2  # the limits of a manifest, compose service or unit
    SETTINGS = 3  # [tool.fastlint.target]
    COMMAND = 4  # --cores, --memory, --target host


class Grant(NamedTuple):
    """One resource of the target. `text` completes "the target has": "2 cores (--cores)"."""

    value: float | None
    origin: Origin
    by: str
    where: Location | None = None

    @property
    def declared(self) -> bool:
        """Whether somebody said so: what only the machine at hand tells is no ground for an error."""
        return self.origin > Origin.MACHINE


class Target(NamedTuple):
    """Cores (may be fractional) and memory in bytes that one instance of a service has."""

    cores: Grant
    memory: Grant

    @property
    def shown_cores(self) -> str:
        """`2 cores (compose deploy.resources.limits.cpus)`, for a message."""
        number = self.cores.value
        if number is None:
            return "an unknown number of cores"
        return f"{shown_cores(number)} core{'' if number == 1 else 's'} ({self.cores.by})"


def target_of(settings: TargetSettings, limits: Limits, machine: Callable[[], Machine]) -> Target:
    """The target of a service: command line, settings, its own limits, else the machine, which is asked only then.

    A limit that is there but not known hides the machine: nobody then says how much it is. `--target host` makes this
    machine a declared one; a limit holds on it all the same.
    """
    return Target(
        _grant(settings.cores, limits.cores, settings.host, lambda: machine().cores),
        _grant(settings.memory, limits.memory, settings.host, lambda: machine().memory),
    )


def _grant(amount: Amount | None, said: Said | None, host: bool, machine: Callable[[], Figure]) -> Grant:
    if amount is not None:
        return Grant(amount.value, Origin.COMMAND if amount.by.startswith("--") else Origin.SETTINGS, amount.by)
    if said is not None:
        value = float(said.value) if isinstance(said.value, (int, float)) else None
        return Grant(value, Origin.MANIFEST, said.by, said.where)
    figure = machine()
    if host:
        return Grant(figure.value, Origin.COMMAND, f"--target host: {figure.source}")
    return Grant(figure.value, Origin.MACHINE, f"this machine: {figure.source}")
