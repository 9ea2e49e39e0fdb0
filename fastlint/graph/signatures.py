"""What functions take, and whether a method can stand in for the one that a Protocol asks for.

Compares what is written: evaluates nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from fastlint.source.facts import Function, Node, Param

# What a plain `def` may say it returns where a coroutine is asked for
_AWAITABLE = frozenset({"Awaitable", "Coroutine", "Future", "Task", "Any", "object"})
_PLACES = ("p", "/")
_MANAGERS = frozenset({"contextmanager", "asynccontextmanager"})
# These leave the parameters as they are written
_PLAIN_DECORATORS = frozenset({"abstractmethod", "override", "final"}) | _MANAGERS


class Signature(NamedTuple):
    """The parameters of a function by how a call can give them."""

    params: list[Param]
    positional: tuple[str, ...]
    named: frozenset[str]
    gathering: str | None  # `*args`
    rest: str | None  # `**kwargs`
    untyped: tuple[str, ...]  # of the ones that take one argument each, those without an annotation

    @classmethod
    def of(cls, params: list[Param]) -> Signature:
        """The signature that these parameters make."""
        return cls(
            params,
            tuple(param.name for param in params if param.kind in _PLACES),
            frozenset(param.name for param in params if param.kind in ("p", "k")),
            next((param.name for param in params if param.kind == "*"), None),
            next((param.name for param in params if param.kind == "**"), None),
            tuple(param.name for param in params if param.annotation is None and param.kind not in ("*", "**")),
        )


def stands_in(given: Function, wanted: Function) -> bool:
    """Whether callers of `wanted`, a method of a Protocol, may be given `given` instead: structural subtyping as type
    checkers know it (https://typing.python.org/en/latest/spec/protocol.html), by parameters and by being awaited."""
    if _is_wrapped(given) or _is_wrapped(wanted):
        return True
    return _awaited_alike(given, wanted) and _takes_what_is_passed(given, wanted)


def _is_wrapped(function: Function) -> bool:
    """Whether a decorator may have made something else of a method."""
    return any(
        node is None or node[0] not in ("n", "a") or node[-1] not in _PLAIN_DECORATORS for node in function.decorators
    )


def _makes_manager(function: Function) -> bool:
    return any(node is not None and node[0] in ("n", "a") and node[-1] in _MANAGERS for node in function.decorators)


def _awaited_alike(given: Function, wanted: Function) -> bool:
    if _makes_manager(given) or _makes_manager(wanted):  # what comes back is entered, and awaited by nobody
        return all(_makes_manager(each) or not each.is_async for each in (given, wanted))
    if given.is_generator or wanted.is_generator or given.is_async == wanted.is_async:
        return True
    plain = wanted if given.is_async else given
    return plain.returns is None or not _AWAITABLE.isdisjoint(_names(plain.returns))


def _names(annotation: Node) -> set[str]:
    """The last names of the alternatives of an annotation; "Any" where one of them cannot be read."""
    if annotation is None:
        return {"Any"}
    tag = annotation[0]
    if tag in ("n", "a"):
        return {annotation[-1]}
    if tag == "s":
        outer = _names(annotation[2])
        index = annotation[3]
        inner = index[1] if index is not None and index[0] == "t" else [index]
        return outer if outer.isdisjoint({"Optional", "Union"}) else set().union(*map(_names, inner))
    if tag == "o":
        return _names(annotation[3]) | _names(annotation[4])
    if tag == "k":
        return {"None"} if annotation[1] is None else {"Any"}
    return {"Any"}


def _takes_what_is_passed(given: Function, wanted: Function) -> bool:
    """Whether every call that fits `wanted` fits `given`, too."""
    theirs, ours = given.params[1:], wanted.params[1:]  # without `self`
    kinds = {param.kind for param in theirs}
    if any(param.kind in ("*", "**") for param in ours):
        return True  # a Protocol that takes anything says nothing
    if "*" not in kinds and sum(param.kind in _PLACES for param in ours) > sum(p.kind in _PLACES for p in theirs):
        return False
    passed = {param.name for param in ours}
    named = {param.name for param in theirs if param.kind in ("p", "k")}
    if "**" not in kinds and not all(param.name in named for param in ours if _by_name(param)):
        return False
    nameless = any(not _by_name(param) for param in ours) or "*" in kinds
    return nameless or all(
        param.default is not None or param.name in passed for param in theirs if param.kind in ("p", "k")
    )


def takes_anything(function: Function) -> bool:
    """Whether a method takes `*args` and `**kwargs` and nothing else."""
    return [param.kind for param in function.params[1:]] == ["*", "**"]


def _by_name(param: Param) -> bool:
    """Whether callers may pass a parameter by its name."""
    return param.kind in ("p", "k") and not param.name.startswith("_")
