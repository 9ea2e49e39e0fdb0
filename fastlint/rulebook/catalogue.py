"""What is known of libraries, ready to be asked: plain records and dictionaries. Reads no files, validates nothing.

The data and its grammar are described in `schema`; `load` turns it into a `Catalogue`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from fastlint.finding import Severity

TypeExpr = tuple[Any, ...]
"""A parsed type expression: ("type", name), ("self",), ("argument", n), ("result",), ("class", keyword, fallback),
("awaitable", T), ("first", T), ("list", T), ("manager", T) or ("unknown",)."""


class Argument(NamedTuple):
    """An argument of a call by keyword name, by position, or both; "decorated" is the decorated function."""

    name: str
    position: int | None


class Condition(NamedTuple):
    """A question about the arguments of a call: `operator` is "=", "missing", "given", "has",
    "<", "is" or "asynchronous"."""

    argument: Argument
    operator: str
    value: Any = None


class Run(NamedTuple):
    """A callable among the arguments that the call runs, and where (see `schema.Runs`)."""

    argument: Argument
    where: str
    label: str
    passes: bool
    method: str
    keeps_loop_bridge: bool
    once: bool = False


class Decoration(NamedTuple):
    """What a decorator does with its function (see `schema.Decorates`)."""

    where: str | None
    label: str
    becomes: str
    keeps_loop_bridge: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """What is known of one call; `rule` is None where it is known to be free."""

    rule: str | None = None
    severity: Severity | None = None
    instead: str = ""
    note: str = ""
    unless: tuple[Condition, ...] = ()
    only: tuple[Condition, ...] = ()
    returns: TypeExpr | None = None
    runs: tuple[Run, ...] = ()
    decorates: Decoration | None = None
    timeout: Argument | None = None
    library: str = ""
    otherwise: Spec | None = None  # what holds where the conditions do not


class RoleSpec(NamedTuple):
    """A part that a call plays beyond blocking (see `schema.Role`)."""

    role: str
    given: tuple[tuple[str, Argument], ...] = ()
    unless: tuple[Condition, ...] = ()


@dataclass(slots=True)
class TypeSpec:
    """What is known of one class: exact method names, patterns in order of precedence, attributes, iteration."""

    name: str
    library: str
    bases: tuple[str, ...] = ()
    asynchronous: bool = False
    exact: dict[str, Spec] = field(default_factory=dict)
    patterns: list[tuple[tuple[str, ...], Spec]] = field(default_factory=list)
    returns: dict[str, TypeExpr] = field(default_factory=dict)
    return_patterns: list[tuple[tuple[str, ...], TypeExpr]] = field(default_factory=list)
    attributes: dict[str, TypeExpr] = field(default_factory=dict)
    enters: TypeExpr | None = None
    item: TypeExpr | None = None
    properties: set[str] = field(default_factory=set)
    entry: dict[str, tuple[str, str]] = field(default_factory=dict)


class Catalogue:
    """Answers: what is this dotted name, what does this method of this type do, what does it return."""

    def __init__(self) -> None:
        self.functions: dict[str, Spec] = {}
        self.function_patterns: dict[str, list[tuple[tuple[str, ...], Spec]]] = {}
        self.types: dict[str, TypeSpec] = {}
        self.aliases: dict[str, str] = {}  # other dotted name of a class -> its usual one
        self.makers: dict[str, str] = {}  # callable -> the type that it returns
        self.roles: dict[str, RoleSpec] = {}  # function, class or "Type.method" -> the part that it plays
        self.holds_gil: set[str] = set()  # the libraries whose work threads cannot share
        self.custom = False  # the project's own settings name calls, which may be the project's own functions
        self.prefixes: dict[str, str] = {}  # other spelling of a module or class prefix -> the usual one
        self._methods: dict[tuple[str, str], Spec | None] = {}
        self._method_roles: dict[tuple[str, str], RoleSpec | None] = {}
        self._canonical: dict[str, str] = {}
        self._orders: dict[str, tuple[TypeSpec, ...]] = {}
        self._leading: dict[tuple[str, str], bool] = {}
        self._part_owners: frozenset[str] | None = None

    def canonical(self, dotted: str) -> str:
        """The usual spelling of a dotted name."""
        known = self._canonical.get(dotted)
        if known is None:
            known = self._canonical[dotted] = self._canonicalise(dotted)
        return known

    def _canonicalise(self, dotted: str) -> str:
        for _ in range(4):
            if dotted in self.aliases:
                return self.aliases[dotted]
            head = dotted
            while head:
                usual = self.prefixes.get(head) or (self.aliases.get(head) if head != dotted else None)
                if usual is not None and usual != head and not usual.startswith(head + "."):
                    dotted = usual + dotted[len(head) :]
                    break
                head = head.rpartition(".")[0]
            else:
                return dotted
        return dotted

    def function(self, dotted: str) -> Spec | None:
        """What is known of calling this (canonical) dotted name as a function or constructor."""
        spec = self.functions.get(dotted)
        if spec is not None:
            return spec
        root = dotted.partition(".")[0]
        patterns = self.function_patterns.get(root)
        if patterns:
            segments = tuple(dotted.split("."))
            for pattern, candidate in patterns:
                if _matches(pattern, segments):
                    return candidate
        return None

    def order(self, name: str) -> tuple[TypeSpec, ...]:
        """The type and its bases, nearest first; empty for a type that the catalogue does not hold."""
        known = self._orders.get(name)
        if known is None:
            out: list[TypeSpec] = []
            waiting = [name]
            while waiting:
                spec = self.types.get(self.canonical(waiting.pop(0)))
                if spec is not None and spec not in out:
                    out.append(spec)
                    waiting.extend(spec.bases)
            known = self._orders[name] = tuple(out)
        return known

    def method(self, type_name: str, path: str) -> Spec | None:
        """What is known of calling `path` (attributes joined by dots) on an instance of a type."""
        key = (type_name, path)
        if key in self._methods:
            return self._methods[key]
        found: Spec | None = None
        order = self.order(type_name)
        for spec in order:
            found = spec.exact.get(path)
            if found is not None:
                break
        if found is None:
            segments = tuple(path.split("."))
            for spec in order:
                found = next((known for pattern, known in spec.patterns if _matches(pattern, segments)), None)
                if found is not None:
                    break
        self._methods[key] = found
        return found

    def method_role(self, type_name: str, path: str) -> RoleSpec | None:
        """The part that calling `path` on an instance of a type plays, if any."""
        key = (type_name, path)
        if key in self._method_roles:
            return self._method_roles[key]
        names = [spec.name for spec in self.order(type_name)] or [type_name]
        found = next((self.roles[f"{name}.{path}"] for name in names if f"{name}.{path}" in self.roles), None)
        self._method_roles[key] = found
        return found

    def returned(self, type_name: str, path: str) -> TypeExpr | None:
        """The type expression of what calling `path` on a type gives, if the data says."""
        segments = tuple(path.split("."))
        for spec in self.order(type_name):
            if path in spec.returns:
                return spec.returns[path]
            for pattern, answer in spec.return_patterns:
                if _matches(pattern, segments):
                    return None if pattern == ("*",) and path in _OF_PLAIN else answer
        return None

    def names(self, type_name: str, path: str) -> bool:
        """Whether the data names a method of a type, rather than all that it leaves out (`"*" = "self"`)."""
        if self.method(type_name, path) is not None:
            return True
        return any(path in spec.returns or path in spec.attributes for spec in self.order(type_name))

    def leads_on(self, type_name: str, path: str) -> bool:
        """Whether anything is known of what lies behind `path` of a type: of its attributes and calls, or theirs."""
        key = (type_name, path)
        known = self._leading.get(key)
        if known is None:
            segments = tuple(path.split("."))
            known = any(_reaches(spec, segments) for spec in self.order(type_name))
            if not known:
                names = [spec.name for spec in self.order(type_name)] or [type_name]
                known = any(f"{name}.{path}" in self._owners() for name in names)
            self._leading[key] = known
        return known

    def _owners(self) -> frozenset[str]:
        """What stands before a dot in the names of calls that play a part or make something."""
        if self._part_owners is None:
            owners: set[str] = set()
            for name in (*self.roles, *self.makers):
                owner = name.rpartition(".")[0]
                while owner and owner not in owners:
                    owners.add(owner)
                    owner = owner.rpartition(".")[0]
            self._part_owners = frozenset(owners)
        return self._part_owners

    def attribute(self, type_name: str, path: str) -> TypeExpr | None:
        """The type expression of an attribute of a type, if the data says."""
        for spec in self.order(type_name):
            if path in spec.attributes:
                return spec.attributes[path]
        return None

    def is_property(self, type_name: str, path: str) -> bool:
        """Whether reading this attribute of a type does its work there and then."""
        return any(path in spec.properties for spec in self.order(type_name))

    def enters(self, type_name: str) -> TypeExpr | None:
        """What `with` binds, if the data says."""
        return next((spec.enters for spec in self.order(type_name) if spec.enters is not None), None)

    def item(self, type_name: str) -> TypeExpr | None:
        """What iterating or indexing gives, if the data says."""
        return next((spec.item for spec in self.order(type_name) if spec.item is not None), None)

    def entry(self, type_name: str, method: str) -> tuple[str, str] | None:
        """Where the framework runs a method of a project subclass, and what users call it."""
        for spec in self.order(type_name):
            if method in spec.entry:
                return spec.entry[method]
        return None

    def waits(self, type_name: str) -> bool:
        """Whether some calls of a type block: nobody awaits an object of it."""
        return any(
            known.rule is not None
            for spec in self.order(type_name)
            for known in (*spec.exact.values(), *(each for _, each in spec.patterns))
        )

    def is_asynchronous(self, type_name: str) -> bool:
        """Whether the type is an async twin, whose calls are awaited or free."""
        order = self.order(type_name)
        return bool(order) and order[0].asynchronous


def _reaches(spec: TypeSpec, segments: tuple[str, ...]) -> bool:
    """Whether some entry of a type says more than that all is free, of a path that begins with these segments."""
    start = ".".join(segments) + "."
    for names in (spec.exact, spec.returns, spec.attributes, spec.properties):
        if any(name.startswith(start) for name in names):
            return True
    if any(_is_telling(known) and _may_begin(pattern, segments) for pattern, known in spec.patterns):
        return True
    return any(answer != ("unknown",) and _may_begin(pattern, segments) for pattern, answer in spec.return_patterns)


def _is_telling(spec: Spec) -> bool:
    """Whether what is known of a call is more than that it is free."""
    return spec.rule is not None or bool(spec.runs) or spec.returns is not None or spec.decorates is not None


def _may_begin(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    """Whether a longer path that begins with these segments can match a pattern."""
    if "**" in pattern[: len(segments)]:
        return _matches(pattern[: pattern.index("**")], segments[: pattern.index("**")])
    return len(pattern) > len(segments) and _matches(pattern[: len(segments)], segments)


# Methods of texts and dictionaries that no query or builder has: who calls one has a text or dictionary in hand
_OF_PLAIN = frozenset(
    {
        *("items", "keys", "setdefault", "popitem"),
        *("startswith", "endswith", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "splitlines"),
        *("lower", "upper", "casefold", "encode", "decode", "isdigit", "isalpha", "isalnum", "partition", "rpartition"),
    }
)


@lru_cache(maxsize=65536)
def _matches(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if not pattern:
        return not segments
    if pattern[0] == "**":
        rest = pattern[1:]
        for start in range(len(segments) + 1):
            if start and _is_implicit(segments[start - 1]):
                return False
            if _matches(rest, segments[start:]):
                return True
        return False
    if not segments:
        return False
    head, first = pattern[0], segments[0]
    if head == first or ("*" in head and not _is_implicit(first) and _glob(head).fullmatch(first) is not None):
        return _matches(pattern[1:], segments[1:])
    return False


def _is_implicit(segment: str) -> bool:
    """Implicit calls (`__enter__`, `__iter__` …) are never meant by a wildcard: the data names them."""
    return segment.startswith("__") and segment.endswith("__")


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))


def expand_braces(name: str) -> list[str]:
    """Every spelling of a name with brace alternatives: `a.{b,c}` gives `a.b` and `a.c`; braces may nest."""
    start = name.find("{")
    if start < 0:
        return [name]
    depth, parts, last = 0, [], start + 1
    for place in range(start, len(name)):
        character = name[place]
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                parts.append(name[last:place])
                return [
                    expanded
                    for part in parts
                    for expanded in expand_braces(name[:start] + part.strip() + name[place + 1 :])
                ]
        elif character == "," and depth == 1:
            parts.append(name[last:place])
            last = place + 1
    raise ValueError(f"unbalanced braces in {name!r}")


def parse_argument(text: str) -> Argument:
    """`name@1`, `name` or `@1`. Raises `ValueError` on anything else."""
    name, at, position = text.strip().partition("@")
    if not name and not at:
        raise ValueError("an argument needs a name or a position")
    return Argument(name, int(position) if at else None)


def parse_condition(text: str) -> Condition:
    """`name@1=0`, `@0<0.1`, `name missing`, `@0 given`, `@0 asynchronous`. Raises `ValueError` on anything else."""
    for word in ("missing", "given", "asynchronous"):
        if text.endswith(" " + word):
            return Condition(parse_argument(text[: -len(word)]), word)
    for word in ("has", "is"):
        wanted, found, name = text.partition(f" {word} ")
        if found:
            return Condition(parse_argument(wanted), word, name.strip())
    compared = re.fullmatch(r"([^<=]*)([<=])(.*)", text)
    if compared is None:
        raise ValueError(f"no condition: {text!r}")
    argument, operator, written = compared.groups()
    try:
        value = ast.literal_eval(written.strip())
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"no literal in condition {text!r}") from error
    if operator == "<" and not isinstance(value, (int, float)):
        raise ValueError(f"no number in condition {text!r}")
    return Condition(parse_argument(argument), operator, value)


def parse_type(text: str) -> TypeExpr:
    """The parsed form of a type expression. Raises `ValueError` on an unbalanced one."""
    text = text.strip()
    if text in ("self", "result", "unknown"):
        return (text,)
    match = re.fullmatch(r"(awaitable|first|list|manager|argument|class)\[(.*)\](?:\|(.+))?", text)
    if match is None:
        if "[" in text or "|" in text:
            raise ValueError(f"no type expression: {text!r}")
        return ("type", text)
    word, inner, fallback = match.groups()
    if word == "argument":
        return (word, int(inner))
    if word == "class":
        return (word, inner, parse_type(fallback) if fallback else ("unknown",))
    return (word, parse_type(inner))


def is_pattern(name: str) -> bool:
    """Whether a function or method name holds a wildcard."""
    return "*" in name


def by_precision(patterns: Iterable[tuple[tuple[str, ...], Any]]) -> list[tuple[tuple[str, ...], Any]]:
    """Patterns with the most literal characters first, so that a narrower one wins; ties keep their order."""
    return sorted(patterns, key=lambda entry: -sum(len(part.replace("*", "")) for part in entry[0]))
