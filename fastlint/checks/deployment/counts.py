"""What an expression of the cores comes to on a machine of a given size. Guesses nothing: unknown stays unknown."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastlint.deploy.values import Apply, Cores, Counter, Env, Value

_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "truediv", "neg", "mod")},
    **{name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    "int": int,
    "float": float,
    "max": max,
    "min": min,
    "round": round,
    "abs": abs,
    "str": str,
    "bool": bool,
    "not": operator.not_,
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "if": lambda test, then, otherwise: then if test else otherwise,
}


class _Open(Exception):
    """The value depends on something that nobody knows."""


def comes_to(value: Value, cores: Mapping[Counter, float]) -> float | None:
    """The number that a value is where these cores are counted and no variable is set; None where that is not known."""
    try:
        result = _evaluate(value, cores)
    except (_Open, ArithmeticError, TypeError, ValueError):
        return None
    if isinstance(result, str):
        return float(result) if result.strip().isdigit() else None
    return float(result) if isinstance(result, (int, float)) else None


def counters_in(value: Value) -> Iterator[Counter]:
    """Who is asked for cores anywhere in a value."""
    if isinstance(value, Cores):
        yield value.counter
    elif isinstance(value, Apply):
        for operand in value.operands:
            yield from counters_in(operand)
    elif isinstance(value, Env):
        yield from counters_in(value.default)


def variables_in(value: Value) -> Iterator[str]:
    """The environment variables that a value asks for."""
    if isinstance(value, Env):
        yield value.name
        yield from variables_in(value.default)
    elif isinstance(value, Apply):
        for operand in value.operands:
            yield from variables_in(operand)


def _evaluate(value: Value, cores: Mapping[Counter, float]) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Cores):
        if value.counter not in cores:
            raise _Open
        return int(cores[value.counter])
    if isinstance(value, Env) and not value.required:
        return _evaluate(value.default, cores)
    if isinstance(value, Apply) and value.operation == "if":
        test, then, otherwise = value.operands
        return _evaluate(then if _evaluate(test, cores) else otherwise, cores)
    if isinstance(value, Apply) and value.operation == "or":
        result: Any = None
        for operand in value.operands:
            if result := _evaluate(operand, cores):
                break
        return result
    if isinstance(value, Apply) and value.operation in _OPERATIONS:
        return _OPERATIONS[value.operation](*(_evaluate(operand, cores) for operand in value.operands))
    raise _Open
