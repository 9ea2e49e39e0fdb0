"""What a configuration file computes is bounded by the size of the result: no file makes fastlint hang or run out."""

from __future__ import annotations

import time

import pytest

from fastlint.deploy.values import Unknown, Value, apply

HUGE: list[tuple[str, tuple[Value, ...]]] = [
    ("lshift", (1, 10**9)),
    ("lshift", (True, 5000)),
    ("pow", (10, 10**8)),
    ("pow", (2, 4097)),
    ("pow", (10**600, 3)),
    ("mul", ("a", 10**9)),
    ("mul", (10**9, "a")),
    ("mul", ((0,), 10**9)),
    ("mul", (10**1000, 10**1000)),
    ("mod", ("%999999999d", 1)),
    ("add", ("a" * 40_000, "b" * 40_000)),
    ("replace", ("a" * 60_000, "a", "b" * 60_000)),
    ("join", ("a" * 60_000, ("x", "y", "z"))),
]
ORDINARY: list[tuple[str, tuple[Value, ...], Value]] = [
    ("lshift", (1, 20), 1 << 20),
    ("pow", (2, 10), 1024),
    ("pow", (1, 10**9), 1),
    ("pow", (1024, 3), 1024**3),
    ("mul", (10**9, 10**9), 10**18),
    ("mul", ("ab", 3), "ababab"),
    ("mul", (0.5, 10**9), 5e8),
    ("mod", ("%s:%05d", ("0.0.0.0", 80)), "0.0.0.0:00080"),
    ("mod", (10**9, 7), 10**9 % 7),
    ("replace", ("a-b", "-", "_"), "a_b"),
    ("join", (":", ("a", "b")), "a:b"),
]


@pytest.mark.parametrize(("operation", "operands"), HUGE)
def test_a_huge_result_is_unknown_and_takes_no_time(operation: str, operands: tuple[Value, ...]) -> None:
    started = time.monotonic()
    assert apply(operation, operands) == Unknown("too large to compute")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(("operation", "operands", "result"), ORDINARY)
def test_an_ordinary_result_is_computed(operation: str, operands: tuple[Value, ...], result: Value) -> None:
    assert apply(operation, operands) == result
