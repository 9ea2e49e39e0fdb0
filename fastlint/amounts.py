"""Amounts as people and manifests write them: cores, bytes, seconds. Knows nothing of where they stand.

Sources: Kubernetes "Resource Management" (quantities); the Compose specification (byte values, durations);
systemd.time.
"""

from __future__ import annotations

import math
import re

_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15, "e": 10**18}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50, "e": 2**60}
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,2}))?"
_CORES = re.compile(rf"{_NUMBER}(m?)", re.ASCII)
_BYTES = re.compile(rf"{_NUMBER}\s*([kmgtpeKMGTPE]?)(i?)[bB]?", re.ASCII)
_UNIT = r"(us|ms(?:ec)?|s(?:ec(?:onds?)?)?|m(?:in(?:utes?)?)?|h(?:ours?|r)?|d(?:ays?)?|)(?![a-z])"
_PART = re.compile(rf"(\d+(?:\.\d*)?)\s*{_UNIT}")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def cores_of(text: str) -> float | None:
    """The cores in `2`, `0.5` or `500m`; None for anything that is no positive number of cores."""
    match = _CORES.fullmatch(text.strip())
    if match is None:
        return None
    cores = _number(match) / (1000 if match[3] else 1)
    return cores if 0 < cores < 1e6 else None


def bytes_of(text: str, docker: bool = False) -> int | None:
    """The bytes in `512Mi`, `2GiB`, `1.5G` or `1e9`; None for anything that is no positive size.

    `docker`: as Docker and systemd read it, where `512m` and `512M` count in steps of 1024. Kubernetes' `m`, a
    thousandth of a byte, is always taken for a mistake of `M`.
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        return None
    steps = _BINARY if docker or match[4] else _DECIMAL
    size = int(_number(match) * steps[match[3].lower()])
    return size if 0 < size < 2**63 else None


def seconds_of(text: str) -> float | None:
    """The seconds in `30`, `10s`, `1m30s` or `2min`; None for anything else."""
    rest = text.strip()
    total, parts = 0.0, 0
    while rest and (match := _PART.match(rest)):
        unit = match[2] or "s"
        total += float(match[1]) * _SECONDS[unit[:2] if unit[:2] in _SECONDS else unit[0]]
        rest = rest[match.end() :].lstrip()
        parts += 1
    return total if parts and not rest and math.isfinite(total) else None


def shown_cores(cores: float) -> str:
    """`2`, `0.5`."""
    return f"{cores:g}"


def shown_bytes(size: float) -> str:
    """`512 MiB`, `1.5 GiB`: the largest unit that leaves a number of at least one."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min(int(math.log(max(size, 1), 1024) + 1e-9), len(units) - 1)
    return f"{size / 1024**power:.4g} {units[power]}"


def _number(match: re.Match[str]) -> float:
    return float(match[1]) * 10.0 ** int(match[2] or 0)


def port_of(text: str) -> int | None:
    """A TCP port that is written as a plain number, `8000` or `8000/tcp`; None for anything else."""
    number = text.strip().removesuffix("/tcp")
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= 5 else None
