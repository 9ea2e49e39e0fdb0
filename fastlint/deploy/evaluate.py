"""A configuration file in Python -> the values of its names, as far as they can be known. Executes nothing.

Works on the facts of the file with values instead of objects: literals are computed, the number of cores stays a
symbol, the environment is what the caller gives, and everything else is `Unknown`. Where a test cannot be decided both
branches count, and what differs between them depends on the test. Steps are counted: an endless loop ends as unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from fastlint.deploy.configuration.state import (
    MOST_STEPS,
    Bound,
    Exhausted,
    Later,
    Left,
    Loader,
    OwnFunction,
    Scope,
    Seen,
    plain,
)
from fastlint.deploy.configuration.statements import Statements
from fastlint.deploy.values import Raises, Unknown
from fastlint.source.facts import ModuleFacts

__all__ = ["Bound", "Evaluated", "Loader", "Seen", "evaluate", "watch"]


@dataclass(slots=True)
class Evaluated:
    """The names of a file after it ran. `complete` is False where the run was given up: names may be missing then."""

    names: dict[str, Bound]
    complete: bool = True


def evaluate(facts: ModuleFacts, environment: Mapping[str, Any], load: Loader, module: str = "") -> Evaluated:
    """What the names of a file are after it ran in this environment. Raises nothing."""
    run = Statements(environment, load)
    scope = Scope(facts, module, {})
    complete = False
    with suppress(Exhausted, RecursionError, Left, Raises):
        run.block(facts.body, scope)
        complete = True
    with suppress(Exhausted, RecursionError):
        for bound in scope.names.values() if complete else ():
            run.settled(bound)
    given_up = Unknown("the file could not be followed to its end")  # what comes later may bind any name anew
    for name, bound in scope.names.items():
        if isinstance(bound.value, Later) or (not complete and plain(bound.value)):
            scope.names[name] = Bound(given_up, bound.site)
    return Evaluated(scope.names, complete)


def watch(
    facts: ModuleFacts, environment: Mapping[str, Any], load: Loader, module: str, watched: frozenset[str]
) -> list[Seen]:
    """The calls of `watched` functions, and of project classes derived from a watched class, that running a file makes,
    or that one of its functions makes which nothing calls. An object of the file among the arguments is `Unknown`."""
    run = Statements(environment, load, watched)
    scope = Scope(facts, module, {}, main=True)
    with suppress(Exhausted, RecursionError, Left, Raises):
        run.block(facts.body, scope)
    for function in facts.functions:
        if function.owner < 0 and function.parent < 0 and (module, function.site) not in run.entered:
            run.steps = MOST_STEPS
            with suppress(Exhausted, RecursionError, Left, Raises):
                run.call_function(OwnFunction(function, scope), [], {}, whole=False)
    return _met(run.seen)


def _met(seen: Iterable[Seen]) -> list[Seen]:
    """Each call once. An argument that is another thing on another way to the call is unknown."""
    out: dict[tuple[str, int], Seen] = {}
    for one in seen:
        place = one.module, one.site
        out[place] = _joined(out[place], one) if place in out else one
    return list(out.values())


def _joined(one: Seen, other: Seen) -> Seen:
    args = tuple(_same(*pair) for pair in zip_longest(one.args, other.args, fillvalue=...))
    names = dict.fromkeys((*one.keywords, *other.keywords))
    return replace(
        one,
        args=args,
        keywords={name: _same(one.keywords.get(name, ...), other.keywords.get(name, ...)) for name in names},
    )


def _same(one: Any, other: Any) -> Any:
    alike = type(one) is type(other) and one == other
    return one if alike else Unknown("depends on the way to the call")
