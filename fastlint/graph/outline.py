"""What others see of a function when they look at its body instead of running it. Looks at facts alone.

Most of what a function does becomes known by analysing it. A few questions are asked of its syntax: whether it is a
stub, what it says of its class, what it has tested before it made another function.
"""

from __future__ import annotations

import re
from typing import Any

from fastlint.graph.closures import test_in_attribute, tests_of_parameters
from fastlint.graph.constants import bindings_of
from fastlint.graph.gathered import counted_names
from fastlint.graph.guards import demanded_instances, gives_something, raises, statements_of
from fastlint.graph.shapes import last_name
from fastlint.graph.state import is_trivial
from fastlint.graph.traits import sayings
from fastlint.graph.world import FunctionRef, World
from fastlint.source.facts import SITES_OF_ONE, Block, Function
from fastlint.source.nodes import calls_within

_ROUTERS = re.compile("rout|api|app|starlette|blueprint", re.IGNORECASE)  # what makes one has a name that says so


def seen_from_outside(world: World, ref: FunctionRef) -> Any:
    """All that anybody but its callers may ask of a function's body; equal where nobody can tell two bodies apart."""
    function = world.function(ref)
    body = function.body
    out: list[Any] = []
    if function.owner >= 0:
        home = (ref[0], function.owner)
        cls = world.class_(home)
        out += [is_trivial(body), raises(body, "NotImplementedError")]
        answers = (
            (name, test_in_attribute(world, home, name)) for name, at in cls.attribute_writers.items() if ref[1] in at
        )
        out.extend(sorted((name, answer) for name, answer in answers if answer is not None))
    functions = world.modules[ref[0]].facts.functions
    inside = (each.index for each in functions if each.parent == ref[1] and not each.is_lambda)
    out.extend((index, tests) for index in inside if (tests := tests_of_parameters(world, (ref[0], index))))
    out.append(_made_and_returned(body))
    return without_sites(out, function)


def called_by_name(function: Function) -> set[str]:
    """The names that a plain function inside of another one calls: the functions beside it ask whether theirs are."""
    if function.parent < 0 or function.is_async:
        return set()
    return {call[2][1] for call in calls_within(function.body) if call[2] is not None and call[2][0] == "n"}


def said_of_class(world: World, ref: FunctionRef) -> list[str]:
    """What a method's class says of its instances. A method that says nothing for certain is as good as one of which
    nothing is said."""
    owner = world.function(ref).owner
    if owner < 0:
        return []
    home = (ref[0], owner)
    return sorted(repr(said) for said in sayings(world, home, world.class_(home)) if said[1] != ("method", None))


def _made_and_returned(body: Block) -> list[Any]:
    """The names that a body returns of what it may have made as a router, with how: whoever includes one asks that."""
    returned = {
        statement[1][1]
        for statement in statements_of(body)
        if statement[0] == "ret" and statement[1] is not None and statement[1][0] == "n"
    }
    made = bindings_of(body) if returned else {}
    calls = [(name, made[name]) for name in sorted(returned) if isinstance(made.get(name), list)]
    told = [
        (name, last_name(call), [value for keyword, value in call[4] if keyword == "prefix"])
        for name, call in calls
        if call[0] == "c"
    ]
    return [(name, maker, prefix) for name, maker, prefix in told if prefix or _ROUTERS.search(maker or "")]


def declared(function: Function) -> Any:
    """What a function says that it takes and gives."""
    return without_sites([function.params, function.returns], function)


def decorated_by(function: Function) -> Any:
    """What stands above a function."""
    return without_sites(function.decorators, function)


def asked_of_arguments(function: Function) -> Any:
    """What a call of a function depends on beside its parameters: what the body asks of them, and whether it gives
    anything."""
    body = function.body
    return without_sites([counted_names(function), gives_something(body), list(demanded_instances(body))], function)


def without_sites(node: Any, function: Function) -> Any:
    """A record in which the sites of a function, and of the one around it, are left out: they tell which node it is,
    not what it says."""
    return _without_sites(node, (function.index, function.parent) if function.parent >= 0 else (function.index,))


def _without_sites(node: Any, inside: tuple[int, ...]) -> Any:
    if isinstance(node, (list, tuple)):
        if node and node[0] == "k":
            return tuple(node)
        return tuple([_without_sites(each, inside) for each in node])
    if node.__class__ is int and node // SITES_OF_ONE - 1 in inside:
        return None
    return node
