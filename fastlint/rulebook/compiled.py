"""A `Catalogue` as JSON text and back, so that it is compiled from its tables once and not at every start.

Both ways give the same answers; the tests compare them entry by entry. Reads and writes no files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from fastlint.finding import Severity
from fastlint.rulebook.catalogue import (
    Argument,
    Catalogue,
    Condition,
    Decoration,
    RoleSpec,
    Run,
    Spec,
    TypeSpec,
)

_T = TypeVar("_T")
_PLAIN = ("aliases", "makers", "prefixes")  # the tables whose entries are texts


def encode(catalogue: Catalogue) -> bytes:
    """The catalogue as JSON text, behind a line with the libraries that it knows. What many calls share, as most of a
    library's do, is written once."""
    specs = SpecRows()
    answer: dict[str, Any] = {name: getattr(catalogue, name) for name in _PLAIN}
    answer["functions"] = {name: specs.number(spec) for name, spec in catalogue.functions.items()}
    answer["function_patterns"] = {
        root: [(pattern, specs.number(spec)) for pattern, spec in patterns]
        for root, patterns in catalogue.function_patterns.items()
    }
    answer["types"] = [_type_row(kind, specs) for kind in catalogue.types.values()]
    answer["roles"] = {name: _plain(role) for name, role in catalogue.roles.items()}
    answer["holds_gil"] = sorted(catalogue.holds_gil)
    answer["specs"] = specs.rows
    rows = (sorted(libraries(catalogue)), answer)
    return b"\n".join(json.dumps(row, separators=(",", ":"), check_circular=False).encode() for row in rows)


def libraries(catalogue: Catalogue) -> frozenset[str]:
    """Top-level import names of the libraries that a catalogue knows."""
    return frozenset(name.partition(".")[0] for name in (*catalogue.functions, *catalogue.types))


def decode_libraries(text: bytes) -> frozenset[str]:
    """The `libraries` of the catalogue that `encode` wrote. Raises `ValueError` or `TypeError` on other texts."""
    return frozenset(json.loads(text.partition(b"\n")[0]))


def decode(text: bytes) -> Catalogue:
    """The catalogue that `encode` wrote. Raises `ValueError`, `TypeError`, `KeyError` or `IndexError` on others."""
    answer = json.loads(text.partition(b"\n")[2])
    specs = read_specs(answer["specs"])
    catalogue = Catalogue()
    for name in _PLAIN:
        getattr(catalogue, name).update(answer[name])
    catalogue.functions = {name: specs[number] for name, number in answer["functions"].items()}
    catalogue.function_patterns = {
        root: [(tuple(pattern), specs[number]) for pattern, number in patterns]
        for root, patterns in answer["function_patterns"].items()
    }
    catalogue.types = {kind.name: kind for kind in (_type(row, specs) for row in answer["types"])}
    catalogue.roles = {name: _role(row) for name, row in answer["roles"].items()}
    catalogue.holds_gil = set(answer["holds_gil"])
    return catalogue


class SpecRows:
    """Specs as rows of JSON, each written once; `number` says which row is which spec."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._numbers: dict[int, tuple[int, Spec]] = {}  # by identity; the spec is kept so that it stays its own

    def number(self, spec: Spec) -> int:
        """The number of a spec's row, which is written now if it is new."""
        known = self._numbers.get(id(spec))
        if known is not None:
            return known[0]
        row = _row(replace(spec, otherwise=None))
        row[_OTHERWISE] = None if spec.otherwise is None else self.number(spec.otherwise)
        self.rows.append(row)
        self._numbers[id(spec)] = (len(self.rows) - 1, spec)
        return len(self.rows) - 1


def read_specs(rows: list[list[Any]]) -> list[Spec]:
    """The specs that `SpecRows` wrote. Raises `ValueError`, `TypeError` or `IndexError` on others."""
    specs: list[Spec] = []
    for row in rows:  # what holds otherwise stands before what asks for it
        specs.append(_spec(row, specs))
    return specs


_OTHERWISE = [each.name for each in fields(Spec)].index("otherwise")


def _row(record: Any) -> list[Any]:
    """The fields of a record in their order; records in it likewise."""
    return [_plain(getattr(record, each.name)) for each in fields(record)]


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    """Lists as the tuples that they were."""
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def _maybe(make: Callable[..., _T], row: list[Any] | None) -> _T | None:
    return None if row is None else make(*row)


def _condition(argument: list[Any], operator: str, value: Any) -> Condition:
    return Condition(Argument(*argument), operator, _frozen(value))


def _run(argument: list[Any], *rest: Any) -> Run:
    return Run(Argument(*argument), *rest)


def _spec(row: list[Any], specs: list[Spec]) -> Spec:
    rule, severity, instead, note, unless, only, returns, runs, decorates, timeout, library, otherwise = row
    return Spec(
        rule=rule,
        severity=None if severity is None else Severity(severity),
        instead=instead,
        note=note,
        unless=tuple(_condition(*part) for part in unless),
        only=tuple(_condition(*part) for part in only),
        returns=_frozen(returns),
        runs=tuple(_run(*part) for part in runs),
        decorates=_maybe(Decoration, decorates),
        timeout=_maybe(Argument, timeout),
        library=library,
        otherwise=None if otherwise is None else specs[otherwise],
    )


def _role(row: list[Any]) -> RoleSpec:
    role, given, unless = row
    return RoleSpec(
        role,
        tuple((meaning, Argument(*argument)) for meaning, argument in given),
        tuple(_condition(*part) for part in unless),
    )


def _type_row(kind: TypeSpec, specs: SpecRows) -> dict[str, Any]:
    """A type by the names of those of its fields that say something."""
    row: dict[str, Any] = {
        each.name: getattr(kind, each.name)
        for each in fields(kind)
        if getattr(kind, each.name) not in (None, False, ())
    }
    row["exact"] = {name: specs.number(spec) for name, spec in kind.exact.items()}
    row["patterns"] = [(pattern, specs.number(spec)) for pattern, spec in kind.patterns]
    row["properties"] = sorted(kind.properties)
    return {name: value for name, value in row.items() if value not in ({}, [])}


def _type(row: Mapping[str, Any], specs: list[Spec]) -> TypeSpec:
    return TypeSpec(
        row["name"],
        row["library"],
        tuple(row.get("bases", ())),
        row.get("asynchronous", False),
        {name: specs[number] for name, number in row.get("exact", {}).items()},
        [(tuple(pattern), specs[number]) for pattern, number in row.get("patterns", ())],
        {name: _frozen(answer) for name, answer in row.get("returns", {}).items()},
        [(tuple(pattern), _frozen(answer)) for pattern, answer in row.get("return_patterns", ())],
        {name: _frozen(answer) for name, answer in row.get("attributes", {}).items()},
        _frozen(row.get("enters")),
        _frozen(row.get("item")),
        set(row.get("properties", ())),
        {name: _frozen(where) for name, where in row.get("entry", {}).items()},
    )
