"""`rules/known/*.toml` and the project's own library tables become a `Catalogue`. The only reader of that data.

Raises `RulebookError` with file and place on anything that does not fit the schema; never guesses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from fastlint.finding import Severity
from fastlint.rulebook.catalogue import (
    Catalogue,
    Decoration,
    RoleSpec,
    Run,
    Spec,
    TypeSpec,
    by_precision,
    expand_braces,
    is_pattern,
    parse_argument,
    parse_condition,
    parse_type,
)
from fastlint.rulebook.schema import Known, KnownFile, KnownType, Library

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_T = TypeVar("_T")
_LEVELS = {"error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO}


class RulebookError(Exception):
    """The data in `rules/` does not fit its schema; the text says where."""


def load_catalogue(folder: Path, extra: Iterable[Library] = ()) -> Catalogue:
    """Everything in `folder/known/*.toml`, then `extra`, whose entries win over those of the same name."""
    libraries: list[Library] = []
    for path in sorted((folder / "known").glob("*.toml")):
        try:
            libraries.extend(KnownFile.model_validate(tomllib.loads(path.read_text("utf-8"))).library)
        except (ValidationError, tomllib.TOMLDecodeError) as error:
            raise RulebookError(f"{path.name}: {error}") from error
    catalogue = Catalogue()
    extra = list(extra)
    catalogue.custom = bool(extra)
    for library in [*libraries, *extra]:
        try:
            _add(library, catalogue)
        except ValueError as error:
            raise RulebookError(f"library {library.name!r}: {error}") from error
    for maker, made in list(catalogue.makers.items()):
        catalogue.makers.setdefault(catalogue.canonical(maker), made)
        head, _, method = maker.rpartition(".")
        catalogue.makers.setdefault(f"{catalogue.canonical(head)}.{method}", made)
    for played, part in list(catalogue.roles.items()):
        catalogue.roles.setdefault(catalogue.canonical(played), part)
    for root, patterns in catalogue.function_patterns.items():
        catalogue.function_patterns[root] = by_precision(patterns)
    return catalogue


def _add(library: Library, catalogue: Catalogue) -> None:
    catalogue.prefixes.update(library.modules)
    default = Spec(
        rule=library.rule,
        severity=_LEVELS.get(library.severity or ""),
        instead=library.instead,
        library=library.name,
    )
    free = Spec(library=library.name)
    library_free = frozenset(_names(library.free))
    for name in [*_names(library.free), *_names(library.blocks)]:
        _add_function(catalogue, name, free if name in library_free else default)
    for known in library.call:
        spec = _spec(known, library)
        for name in _names(known.names):
            _add_function(catalogue, name, spec)
    for role in library.role:
        part = RoleSpec(
            role.role,
            tuple((meaning, parse_argument(text)) for meaning, text in role.given.items()),
            tuple(parse_condition(text) for text in role.unless),
        )
        catalogue.roles.update(dict.fromkeys(_names(role.names), part))
    if library.holds_gil:
        catalogue.holds_gil.add(library.name)
    for known_type in library.type:
        _add_type(known_type, library, default, free, catalogue)


def _names(names: Iterable[str]) -> list[str]:
    return [expanded for name in names for expanded in expand_braces(name)]


def _add_function(catalogue: Catalogue, name: str, spec: Spec) -> None:
    if is_pattern(name):
        root = name.partition(".")[0]
        catalogue.function_patterns.setdefault(root, []).append((tuple(name.split(".")), spec))
    else:
        catalogue.functions[name] = _after(catalogue.functions.get(name), spec)


def _after(known: Spec | None, spec: Spec) -> Spec:
    """Several entries of one library for one name: the first whose conditions hold is meant."""
    if known is None or known.library != spec.library or not (known.only or known.unless):
        return spec
    return replace(known, otherwise=_after(known.otherwise, spec))


def _spec(known: Known, library: Library) -> Spec:
    decorates = known.decorates
    return Spec(
        rule=known.rule,
        severity=_LEVELS.get(known.severity or library.severity or "") if known.rule else None,
        instead=known.instead if known.instead is not None else library.instead,
        note=known.note or "",
        unless=tuple(parse_condition(text) for text in known.unless),
        only=tuple(parse_condition(text) for text in known.only),
        returns=parse_type(known.returns) if known.returns else None,
        runs=tuple(
            Run(
                parse_argument(run.argument),
                run.where,
                run.label,
                run.passes,
                run.method,
                run.keeps_loop_bridge,
                run.once,
            )
            for run in known.runs
        ),
        decorates=Decoration(decorates.where, decorates.label, decorates.becomes, decorates.keeps_loop_bridge)
        if decorates
        else None,
        timeout=parse_argument(known.timeout) if known.timeout else None,
        library=library.name,
    )


def _add_type(known: KnownType, library: Library, default: Spec, free: Spec, catalogue: Catalogue) -> None:
    spec = catalogue.types.get(known.name) or TypeSpec(known.name, library.name)
    spec.library = library.name
    spec.bases = (*spec.bases, *(base for base in known.bases if base not in spec.bases))
    spec.asynchronous = spec.asynchronous or known.asynchronous
    patterns: list[tuple[tuple[str, ...], Spec]] = []
    stated: set[str] = set()
    for names, answer in ((known.blocks, default), (known.free, free)):
        for name in _names(names):
            _place(spec.exact, patterns, name, answer)
    for method in known.method:
        answer = _spec(method, library)
        for name in _names(method.names):
            earlier = spec.exact.get(name) if name in stated else None
            stated.add(name)
            _place(spec.exact, patterns, name, _after(earlier, answer))
    spec.patterns = by_precision([*patterns, *spec.patterns])
    returns: list[tuple[tuple[str, ...], tuple[object, ...]]] = []
    for names_text, text in known.returns.items():
        for name in expand_braces(names_text):
            _place(spec.returns, returns, name, parse_type(text))
    spec.return_patterns = by_precision([*returns, *spec.return_patterns])
    for names_text, text in known.attributes.items():
        for name in expand_braces(names_text):
            spec.attributes[name] = parse_type(text)
    spec.enters = parse_type(known.enters) if known.enters else spec.enters
    spec.item = parse_type(known.item) if known.item else spec.item
    spec.properties.update(known.properties)
    for names_text, text in known.entry.items():
        where, _, label = text.partition(" ")
        for name in expand_braces(names_text):
            spec.entry[name] = (where, label)
    catalogue.types[known.name] = spec
    for alias in _names(known.aliases):
        catalogue.aliases[alias] = known.name
    for maker in _names(known.made_by):
        catalogue.makers[maker] = known.name  # spelled as usual once every library is known: see `load_catalogue`


def _place(exact: dict[str, _T], patterns: list[tuple[tuple[str, ...], _T]], name: str, answer: _T) -> None:
    if is_pattern(name):
        patterns.append((tuple(name.split(".")), answer))
    else:
        exact[name] = answer
