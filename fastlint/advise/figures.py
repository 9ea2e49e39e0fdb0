"""Numbers that remember their unit and where they came from. Computes nothing."""

from __future__ import annotations

from dataclasses import dataclass

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, its unit ("requests/s", "s", "cores", "bytes", "" for counts and shares), and where it came from.

    `assumed` marks a rule of thumb that nobody measured or declared.
    """

    value: float
    unit: str
    source: str
    assumed: bool = False

    def __str__(self) -> str:
        return written(self.value, self.unit)


def written(value: float, unit: str) -> str:
    """A number with its unit as people read it: "250 requests/s", "120 ms", "1.5 cores", "180 MiB"."""
    if unit == "bytes":
        return f"{value / GIB:.3g} GiB" if value >= GIB else f"{value / MIB:.0f} MiB"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
    if unit == "share":
        return f"{value * 100:.0f} %"
    text = f"{value:.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"
    return f"{text} {unit}".rstrip()
