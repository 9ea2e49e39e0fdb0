"""What a setting can be: a plain value, an expression of the target or the environment, or unknown. Reads no file.

A *value* is a literal (`None`, `bool`, `int`, `float`, `str`, a tuple of values) or one of the records below. A record
is resolved against `Surroundings`; what cannot be known then is `Unknown`, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias


class Counter(Enum):
    """Who counts the cores, and so which limits the count knows (reference: CPython `os.cpu_count`, cgroup docs)."""

    HOST = "host"  # os.cpu_count, multiprocessing.cpu_count, psutil.cpu_count, `nproc --all`: all cores of the host
    AFFINITY = "affinity"  # os.sched_getaffinity, os.process_cpu_count, `nproc`: CPU sets, but no quota
    LIMIT = "limit"  # joblib/loky cpu_count: the quota too, rounded up


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not to be known from the files alone; `why` completes "unknown: "."""

    why: str


@dataclass(frozen=True, slots=True)
class Cores:
    """The number of cores, as this counter counts them where the server runs."""

    counter: Counter


@dataclass(frozen=True, slots=True)
class Env:
    """An environment variable: text where it is set, else its default. `required`: absent means the read fails."""

    name: str
    default: Value = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation on values: operators by their `operator` module names ("add", "mul", "floordiv" …), built-ins by
    theirs ("int", "max", "min", "str", "format" …), and "if" (test, then, else)."""

    operation: str
    operands: tuple[Value, ...]


Value: TypeAlias = "bool | int | float | str | tuple[Value, ...] | Unknown | Cores | Env | Apply | None"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What values are resolved against: the cores by counter (None: not known) and the environment where the server
    starts. `complete` says that a variable that is not in `environment` is certainly not set."""

    cores: Mapping[Counter, float | None] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
