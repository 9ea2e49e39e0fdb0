"""The records that one file becomes: plain lists, strings and numbers, without judgement and without positions.

Facts are JSON-native on purpose: they can be cached without pickle and read in parallel. A function body is kept as
a compact tree of *nodes*; a node is a list (or tuple) whose first element is its tag:

Expressions (`None` is an expression that says nothing):
    ["k", value]                          constant: str, int, float, bool, None
    ["n", name]                           a name
    ["a", site, base, attribute]          base.attribute
    ["c", site, callee, args, keywords]   args: [expr]; keywords: [[name, expr]], name None for **expr
    ["s", site, base, index]              base[index]; index ["sl", bounds, which] for a slice
                                          (which: the letters of lower, upper, step where they are given)
    ["w", site, expr]                     await expr
    ["y", site, expr] / ["yf", site, expr]  yield / yield from
    ["o", site, operator, left, right]    binary operator
    ["cmp", site, left, [[operator, right]]]
    ["u", operator, expr]                 unary; "not" included
    ["bool", operator, [expr]]            "and" / "or"
    ["if", test, body, orelse]            conditional expression
    ["t", [expr]] / ["l", [expr]] / ["set", [expr]]
    ["d", [[key, value]]]                 key None for **value
    ["*", expr]                           starred
    ["f", [expr]]                         the parts of an f-string, text included; None for what is formatted further;
                                          with no parts: bytes, or a text too long to be kept
    ["fn", index]                         lambda: functions[index]
    ["comp", kind, element, value, [[site, target, iterable, [condition], is_async]]]   kind: l, s, d
    ["gen", index, iterable]              generator expression: a generator function of one parameter, `.0`
    [":=", name, expr]

Statements (each ends in its site, which is left out here; plain strings, such as docstrings, are none):
    ["e", expr]  ["ret", expr]  ["raise", expr]  ["assert", test, message]  ["del", [target]]
    ["=", [target], value]  [":", target, annotation, value]  ["+=", target, operator, value]
    ["if", test, body, orelse]  ["while", site, test, body, orelse]
    ["for", site, target, iterable, body, orelse, is_async]
    ["with", [[site, expr, target]], body, is_async]
    ["try", body, [[type, name, body]], orelse, final]
    ["match", subject, [[guard, body]]]
    ["def", index, name]  ["class", index, name]  ["global", [name]]  ["break"]  ["continue"]
    ["imp", [[bound, level, module, attribute]]]   attribute None: the module itself; bound "*": star import

A *site* is the number of a node in its module; `locate` turns sites into lines and columns, only where something is
reported. The body of each function has numbers of its own, in walk order, from (its index + 1) * SITES_OF_ONE on: an
edit of one body leaves those of all others as they are. Decorators, parameters and the class around a function have
the numbers of what is around them; of the module, from 0 on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Node = Any
"""A node as described above, or None."""

Block = list[Any]

SITES_OF_ONE = 1 << 20  # numbers for the sites of one function: more than a file of 20 MB has


class Param(NamedTuple):
    """A parameter; `kind` is "p" (positional or keyword), "/" (positional only), "k" (keyword only), "*" or "**"."""

    name: str
    annotation: Node
    default: Node
    kind: str


class Function(NamedTuple):
    """A function, method or lambda. `parent` and `owner` are indices of the enclosing function and class, or -1."""

    index: int  # type: ignore[assignment]  # a tuple's own `index` is of no use in a record
    name: str
    qualname: str
    is_async: bool
    is_generator: bool
    params: list[Param]
    decorators: list[Node]
    returns: Node
    body: Block
    site: int
    parent: int
    owner: int  # the class whose body holds the definition directly
    is_lambda: bool


class Class(NamedTuple):
    """A class: base expressions, class keywords, body statements; `methods` maps a name to its function indices."""

    index: int  # type: ignore[assignment]  # a tuple's own `index` is of no use in a record
    name: str
    qualname: str
    bases: list[Node]
    keywords: list[list[Node]]
    decorators: list[Node]
    body: Block
    site: int
    parent: int  # enclosing function, or -1
    methods: dict[str, list[int]]
    attribute_writers: dict[str, list[int]]  # self.NAME = … : the methods that do it


@dataclass(slots=True)
class ModuleFacts:
    """What one file says. `mentions` maps a called simple name to the functions that call it (-1: module level);
    `writers` maps an attribute name to the functions that assign it on anything but `self`;
    `mutators` maps a name to the functions that add to it (`x[k] = v`, `x.append(v)` …);
    `rebinders` maps a name to the functions that declare it `global` or `nonlocal`.
    `imports` are all imports at any depth: [level, module, attribute or None];
    `names` are those that each function mentions, as one text; `losing` are those out of which some function may take
    something; `retired` are the folders of what is no longer used that its texts name (see `mentioned` for all)."""

    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    body: Block = field(default_factory=list)
    mentions: dict[str, list[int]] = field(default_factory=dict)
    writers: dict[str, list[int]] = field(default_factory=dict)
    mutators: dict[str, list[int]] = field(default_factory=dict)
    rebinders: dict[str, list[int]] = field(default_factory=dict)
    imports: list[list[Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    losing: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    sites: int = 0  # how many there are
