"""What a function takes out of its `**keywords`: `mode = options.get("mode", "fast")`, once, under a name; or nameless,
where it is asked for: `if options.get("mode"):`.

Both are as good as a parameter with a default. Looks at structure alone: evaluates nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastlint.graph.guards import statements_of
from fastlint.source.facts import Function, Node
from fastlint.source.nodes import calls_within, nodes

_TAKES = frozenset({"get", "pop"})
_CHANGES = frozenset({"update", "setdefault", "clear", "popitem"})


class Taken(NamedTuple):
    """The keyword behind a name, and the constant that the name is where that is left out."""

    keyword: str
    default: Any


def taken_keywords(function: Function) -> dict[str, Taken]:
    """The names that are bound once in a function, to one of the keywords that it gathers, before anything else can
    have changed what is gathered."""
    gathering = next((param.name for param in function.params if param.kind == "**"), None)
    if gathering is None:
        return {}
    named = {param.name for param in function.params}
    nameless: dict[str, tuple[Taken, int]] = {}
    found: dict[str, tuple[Taken, int]] = {}
    bound: list[str] = []
    changed: dict[str | None, int] = {}  # keyword (None: any) -> the site from which on it may be another one
    for statement in statements_of(function.body):
        names = _bound_names(statement)
        bound.extend(names)
        taken = _taken(_value(statement), gathering) if len(names) == 1 else None
        if taken is not None and taken.keyword not in named:
            found[names[0]] = taken, statement[-1]
        for part in _own(statement):
            for call in calls_within(part):
                asked = _taken(call, gathering)
                if asked is not None and asked.keyword not in named and call[2][3] == "get":
                    nameless[str(asked_keyword(call))] = asked, statement[-1]  # the last place at which it is asked for
        for keyword in [None] if gathering in names else _changed(statement, gathering):
            changed[keyword] = min(changed.get(keyword, statement[-1]), statement[-1])
    once = {name: row for name, row in found.items() if bound.count(name) == 1}
    return {
        name: taken
        for name, (taken, site) in {**once, **nameless}.items()
        if all(site <= changed.get(each, site) for each in (None, taken.keyword))
    }


def asked_keyword(node: Node) -> str | None:
    """The name that stands for `options.get("mode", "fast")`: no name that a program can have."""
    if node is None or node[0] != "c" or node[2] is None or node[2][0] != "a" or node[2][3] != "get":
        return None
    base = node[2][2]
    taken = _taken(node, base[1]) if base is not None and base[0] == "n" else None
    return None if taken is None else f"{base[1]}[{taken.keyword!r}:{taken.default!r}]"


def _value(statement: Any) -> Node:
    return statement[2] if statement[0] == "=" else statement[3] if statement[0] == ":" else None


def _taken(node: Node, gathering: str) -> Taken | None:
    """What a call of `get` or `pop` takes out of the keywords."""
    if node is None or node[0] != "c" or not _is_method(node[2], gathering, _TAKES) or node[4]:
        return None
    arguments = node[3]
    if not 1 <= len(arguments) <= 2 or any(each is None or each[0] != "k" for each in arguments):
        return None
    keyword = _constant(arguments[0])
    if keyword is None or (len(arguments) == 1 and node[2][3] == "pop"):
        return None
    return Taken(keyword, arguments[1][1] if len(arguments) == 2 else None)


def _bound_names(statement: Any) -> list[str]:
    """The names that a statement binds, itself."""
    tag = statement[0]
    targets: list[Node] = []
    if tag == "=":
        targets = statement[1]
    elif tag in (":", "+="):
        targets = [statement[1]]
    elif tag == "for":
        targets = [statement[2]]
    elif tag == "with":
        targets = [target for _, _, target in statement[1]]
    elif tag in ("def", "class"):
        return [statement[2]]
    elif tag == "imp":
        return [row[0] for row in statement[1]]
    elif tag == "global":
        return list(statement[1])
    names = [name for target in targets for name in _names_of(target)]
    return names + [each[1] for part in _own(statement) for each in nodes(part) if each[0] == ":="]


def _names_of(target: Node) -> list[str]:
    """The names that a target binds: what it reaches by a subscript or an attribute keeps its name."""
    if target is None or target[0] not in ("n", "t", "l", "*"):
        return []
    if target[0] == "n":
        return [target[1]]
    return [name for part in (target[1] if target[0] != "*" else [target[1]]) for name in _names_of(part)]


def _changed(statement: Any, gathering: str) -> Iterator[str | None]:
    """The keywords that may be others after a statement, None for any. Who is handed all of them only reads them, and
    what is taken away under a name that is not written here is not asked for afterwards."""
    for part in _own(statement):
        for each in nodes(part):
            if each[0] == "s" and each[2] == ["n", gathering] and statement[0] in ("=", "+=", "del"):
                yield _constant(each[3])
            elif each[0] == "c" and _is_method(each[2], gathering, _CHANGES):
                yield _constant(each[3][0]) if each[2][3] == "setdefault" and each[3] else None
            elif each[0] == "c" and _is_method(each[2], gathering, _TAKES) and each[2][3] == "pop" and each[3]:
                keyword = _constant(each[3][0])
                if keyword is not None:
                    yield keyword


def _constant(node: Node) -> str | None:
    return node[1] if node is not None and node[0] == "k" and isinstance(node[1], str) else None


def _is_method(callee: Node, gathering: str, methods: frozenset[str]) -> bool:
    return callee is not None and callee[0] == "a" and callee[2] == ["n", gathering] and callee[3] in methods


def _own(statement: Any) -> list[Node]:
    """The expressions of a statement; those of the statements in its blocks are not its own."""
    tag = statement[0]
    if tag in ("e", "ret", "raise", "+=", ":", "=", "assert", "del"):
        return [part for part in statement[1:-1] if isinstance(part, (list, tuple)) and part]
    if tag == "if":
        return [statement[1]] if statement[1] else []
    if tag == "while":
        return [statement[2]] if statement[2] else []
    if tag == "for":
        return [statement[3]] if statement[3] else []
    if tag == "with":
        return [expression for _, expression, _ in statement[1] if expression]
    if tag == "match":
        return [statement[1]] if statement[1] else []
    return []
