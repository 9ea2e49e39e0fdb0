"""What a setting can be: a plain value, an expression of the target or the environment, or unknown. Reads no file.

A *value* is a literal (`None`, `bool`, `int`, `float`, `str`, a tuple of values) or one of the records below. A record
is resolved against `Surroundings`; what cannot be known then is `Unknown`, never a guess.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, TypeVar

_MOST_BITS = 4096  # of a whole number; Python writes none of more than 4300 digits
_MOST_CHARACTERS = 65_536  # of a text, or parts of a tuple
_MOST_PARTS = 2_000  # operands and elements, however deep
_DEEPEST = 50  # operations of operations

_Any = TypeVar("_Any")


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


class Surroundings(NamedTuple):
    """What values are resolved against: the cores by counter (None: not known), and the environment where the server
    starts, as far as files tell."""

    cores: Mapping[Counter, float | None] = MappingProxyType({})
    environment: Mapping[str, Any] = MappingProxyType({})


def resolve(value: Value, surroundings: Surroundings) -> Value:
    """The value in these surroundings: a literal where everything that it needs is known, else what is left of it.

    A variable that is not in the environment has its default.
    """
    if isinstance(value, tuple):
        return tuple(resolve(part, surroundings) for part in value)
    if isinstance(value, Cores):
        count = surroundings.cores.get(value.counter)
        return value if count is None else int(count)
    if isinstance(value, Env):
        if value.name in surroundings.environment:
            found: Value = surroundings.environment[value.name]
            return found
        return Unknown(f"${value.name} has to be set") if value.required else resolve(value.default, surroundings)
    if isinstance(value, Apply):
        return apply(value.operation, tuple(resolve(part, surroundings) for part in value.operands))
    return value


class Raises(Exception):
    """An operation that fails in Python, too; `kind` is the name of its exception."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def apply(operation: str, operands: tuple[Value, ...]) -> Value:
    """An operation done where all operands are literals, kept where they are not; unknown where one of them is, or
    where Python itself would fail."""
    try:
        return compute(operation, operands)
    except Raises as error:
        return Unknown(f"{operation} fails with {error.kind}")


def compute(operation: str, operands: tuple[Value, ...]) -> Value:
    """Like `apply`, but raises `Raises` where Python itself would fail."""
    if operation == "if":
        return _chosen(operands)
    if operation in ("or", "and"):
        return _first(operation, operands)
    unknown = next((operand for operand in operands if isinstance(operand, Unknown)), None)
    if unknown is not None:
        return unknown
    if any(not is_literal(operand) for operand in operands):
        return bounded(Apply(operation, operands))
    function = _OPERATIONS.get(operation)
    if function is None:
        return Unknown(f"{operation}() is not followed")
    if _too_large(operation, operands):
        return Unknown("too large to compute")
    try:
        result: Value = function(*operands)
    except Exception as error:  # whatever Python says of it
        raise Raises(type(error).__name__) from error
    return result


def is_literal(value: Value) -> bool:
    """Whether nothing is left to be found out of a value."""
    if isinstance(value, tuple):
        return all(is_literal(part) for part in value)
    return value is None or isinstance(value, (bool, int, float, str))


def bounded(value: _Any) -> _Any | Unknown:
    """The value itself; unknown where it has more parts than any setting needs, or contains itself.

    What is shared counts as often as it stands there (`x = x + x`, forty times): so do those who walk it later.
    """
    level: list[Any] = [value]
    parts = 0
    for _ in range(_DEEPEST):
        level = [part for each in level for part in _parts(each)]
        parts += len(level)
        if not level:
            return value
        if parts > _MOST_PARTS:
            break
    return Unknown("too large to follow")


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Apply):
        return value.operands
    if isinstance(value, (tuple, list)):
        return value
    if isinstance(value, dict):
        return value.values()
    return (value.default,) if isinstance(value, Env) else ()


def _chosen(operands: tuple[Value, ...]) -> Value:
    test, then, otherwise = operands
    if is_literal(test):
        return then if test else otherwise
    if then == otherwise:
        return then
    return test if isinstance(test, Unknown) else bounded(Apply("if", operands))


def _first(operation: str, operands: tuple[Value, ...]) -> Value:
    """`or` and `and`: the operand that decides, as far as that is known."""
    wanted = operation == "or"
    left: list[Value] = []
    for operand in operands:
        if not is_literal(operand):
            left.append(operand)
        elif bool(operand) == wanted:
            left.append(operand)
            break
        elif operand is operands[-1]:
            left.append(operand)
    if len(left) == 1:
        return left[0]
    unknown = next((operand for operand in left if isinstance(operand, Unknown)), None)
    return unknown if unknown is not None else bounded(Apply(operation, tuple(left)))


def _too_large(operation: str, operands: tuple[Value, ...]) -> bool:
    """Whether a result could fill the memory or take for ever (`1 << 10**9`, `"x" * 10**9`): told by its size before
    it is computed. No setting needs a number or a text that comes near."""
    texts = [operand for operand in operands if isinstance(operand, (str, tuple))]
    if operation in ("add", "format", "join", "replace", "str"):
        return _length(operation, texts) > _MOST_CHARACTERS
    left, right = operands if len(operands) == 2 else (None, None)
    if operation == "mul" and isinstance(left, int) and isinstance(right, (str, tuple)):
        left, right = right, left
    if operation == "mod" and isinstance(left, str):
        wide = re.search(r"%[^a-zA-Z%]*[\d*]{4,}", left)  # `"%999999999d" % 1`
        return wide is not None or _length(operation, texts) > _MOST_CHARACTERS
    if not isinstance(right, int):
        return False
    if isinstance(left, (str, tuple)):
        return operation == "mul" and len(left) * right > _MOST_CHARACTERS
    if not isinstance(left, int):
        return False
    if operation == "pow":
        return abs(left) > 1 and abs(left).bit_length() * abs(right) > _MOST_BITS
    if operation == "lshift":
        return left.bit_length() + right > _MOST_BITS
    return operation == "mul" and left.bit_length() + right.bit_length() > _MOST_BITS


def _length(operation: str, texts: list[str | tuple[Value, ...]]) -> int:
    """How many characters, or parts, a result has at most."""
    if operation == "replace" and len(texts) == 3:
        return (len(texts[0]) + 1) * max(len(texts[2]), 1)
    if operation == "join" and len(texts) == 2:
        between, parts = texts
        return sum(len(between) + len(part) for part in parts if isinstance(part, str))
    return sum(_size(text) for text in texts)


def _size(value: Value) -> int:
    """The characters of a text, or of everything in a tuple."""
    if isinstance(value, tuple):
        return len(value) + sum(_size(part) for part in value)
    return len(value) if isinstance(value, str) else 0


def _integer(value: Any = 0, base: Any = None) -> int:
    return int(value) if base is None else int(value, base)


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    **{
        name: getattr(operator, name)
        for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "neg", "pos", "lt", "le", "gt", "ge")
    },
    **{name: getattr(operator, name) for name in ("eq", "ne", "and_", "or_", "xor", "lshift", "rshift", "invert")},
    "not": operator.not_,
    "is": lambda left, right: left is right or (left == right and type(left) is type(right)),
    "is not": lambda left, right: not (left is right or (left == right and type(left) is type(right))),
    "in": lambda left, right: left in right,
    "not in": lambda left, right: left not in right,
    "getitem": lambda left, right: left[right],
    "int": _integer,
    "float": float,
    "str": str,
    "bool": bool,
    "abs": abs,
    "round": round,
    "len": len,
    "max": max,
    "min": min,
    "sum": sum,
    "ceil": math.ceil,
    "floor": math.floor,
    "format": lambda *parts: "".join(str(part) for part in parts),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "strip": lambda text, *chars: text.strip(*chars),
    "rstrip": lambda text, *chars: text.rstrip(*chars),
    "lstrip": lambda text, *chars: text.lstrip(*chars),
    "title": lambda text: text.title(),
    "isdigit": lambda text: text.isdigit(),
    "startswith": lambda text, prefix: text.startswith(prefix),
    "endswith": lambda text, suffix: text.endswith(suffix),
    "replace": lambda text, old, new: text.replace(old, new),
    "removeprefix": lambda text, prefix: text.removeprefix(prefix),
    "removesuffix": lambda text, suffix: text.removesuffix(suffix),
    "join": lambda text, parts: text.join(parts),
    "split": lambda text, *args: tuple(text.split(*args)),
}

_SIGNS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "floordiv": "//",
    "truediv": "/",
    "mod": "%",
    "pow": "**",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "or": "or",
    "and": "and",
}
_COUNTED = {Counter.HOST: "cores", Counter.AFFINITY: "usable cores", Counter.LIMIT: "limited cores"}


def render(value: Value) -> str:
    """A value as people read it: `cores * 2 + 1`, `$WEB_CONCURRENCY or 4`, `unknown: …`."""
    if isinstance(value, Unknown):
        return f"unknown: {value.why}"
    if isinstance(value, Cores):
        return _COUNTED[value.counter]
    if isinstance(value, Env):
        return f"${value.name}" if value.default is None else f"${value.name} or {_inner(value.default)}"
    if isinstance(value, Apply):
        return _rendered(value)
    if isinstance(value, tuple):
        return f"[{', '.join(render(part) for part in value)}]"
    return repr(value)


def _rendered(value: Apply) -> str:
    if value.operation == "if":
        test, then, otherwise = value.operands
        return f"{_inner(then)} if {_inner(test)} else {_inner(otherwise)}"
    sign = _SIGNS.get(value.operation)
    if sign is not None and len(value.operands) >= 2:
        weak = value.operation in ("add", "sub", "or", "and")
        parts = [_inner(part) if not weak else _loose(part) for part in value.operands]
        return f" {sign} ".join(parts)
    return f"{value.operation}({', '.join(render(part) for part in value.operands)})"


def _loose(value: Value) -> str:
    """An operand of a weak operator: products need no parentheses there."""
    if isinstance(value, Apply) and value.operation in ("mul", "floordiv", "truediv", "add"):
        return render(value)
    return _inner(value)


def _inner(value: Value) -> str:
    text = render(value)
    return f"({text})" if isinstance(value, Apply) and (" " in text and not text.endswith(")")) else text
