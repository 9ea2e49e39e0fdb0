"""What one evaluation knows: names, objects of the project, the environment, and the steps that are left.

The lowest layer of the interpreter: those above fill in `block` and `value`. Decides nothing about Python.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastlint.deploy.values import Apply, Cores, Env, Unknown, bounded, compute
from fastlint.source.facts import Block, Class, Function, ModuleFacts, Node

MOST_STEPS = 20_000
LONGEST_LOOP = 500


class Exhausted(Exception):
    """The file takes more steps than any configuration needs."""


@dataclass(slots=True)
class Bound:
    """A name of the file: its value, where it was bound last, and the variables that went into it."""

    value: Any
    site: int
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnFunction:
    """A function of the project, with the names that it closes over."""

    function: Function
    scope: Scope
    receiver: Any = None


@dataclass(frozen=True, slots=True)
class OwnClass:
    """A class of the project."""

    facts: Class
    scope: Scope


@dataclass(slots=True, eq=False)
class OwnObject:
    """An object of a class of the project."""

    type: OwnClass
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something of a library, by its dotted name."""

    name: str


@dataclass(slots=True, eq=False)
class OwnModule:
    """A module of the project that the file imports."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Later:
    """What is imported from a module of the project, which is run when somebody first asks for it: most of what a
    program imports has nothing to say about the server. `environment` is the one of the moment of the import."""

    module: str
    attribute: str | None
    environment: dict[str, Any] = field(compare=False)


@dataclass(slots=True, eq=False)
class Scope:
    """Names at one level: a module, or a call of a function."""

    facts: ModuleFacts
    module: str
    names: dict[str, Bound]
    outer: Scope | None = None
    globals: set[str] = field(default_factory=set)
    main: bool = False  # run as a program


@dataclass(frozen=True, slots=True)
class Returned:
    value: Any


class Left(Exception):
    """break and continue."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


@dataclass(frozen=True, slots=True)
class Seen:
    """A call of a library's function that somebody watches for, with its arguments as far as they are known. `site` is
    a place in `module`."""

    name: str
    module: str
    site: int
    args: tuple[Any, ...]
    keywords: Mapping[str, Any]


Loader = Callable[[str], "tuple[str, ModuleFacts] | None"]
"""A dotted module name -> its full name and facts, where it is a module of the project."""


class State(ABC):
    """One evaluation: the environment, the steps left, and the variables that are being read."""

    def __init__(self, environment: Mapping[str, Any], load: Loader, watched: frozenset[str] = frozenset()) -> None:
        self.environment = dict(environment)
        self.load = load
        self.watched = watched
        self.seen: list[Seen] = []
        self.entered: set[tuple[str, int]] = set()  # functions that were called, by module and site
        self.steps = MOST_STEPS
        self.depth = 0
        self.forks = 0  # tests that nothing decides, of which both ways are being followed
        self.tries = 0  # open `try` statements: only there a failing read of the environment is looked at
        self.read: dict[str, None] = {}  # by the statement that is being run
        self.during: dict[str, None] = {}  # by the function that is being called
        self.control: dict[str, None] = {}  # by the tests around the statement
        self.modules: dict[str, Scope] = {}
        self.harmless: dict[str, bool] = {}  # modules -> whether running them leaves the environment as it is
        self.opened: list[dict[Any, Any]] = []  # dictionaries that may hold more than is known
        self.setters: set[str] = set()  # the names of functions, met so far, that set a variable of the environment

    @abstractmethod
    def block(self, block: Block, scope: Scope) -> Returned | None:
        """Run statements; what was returned, or None where the end was reached."""

    @abstractmethod
    def value(self, node: Node, scope: Scope) -> Any:
        """What an expression is."""

    def _open(self, held: dict[Any, Any] | list[Any], why: str) -> None:
        """Anything may be in a list or dictionary from here on."""
        if isinstance(held, list):
            held[:] = [Unknown(why)]
            return
        held.update(dict.fromkeys(held, Unknown(why)))
        self.opened.append(held)

    def _is_whole(self, table: dict[Any, Any]) -> bool:
        """Whether a dictionary holds nothing but what is known."""
        return not any(table is one for one in self.opened)

    def _decided(self, test: Any) -> bool:
        return not isinstance(test, (Unknown, Apply, Cores, Env, Foreign))

    def _either(self, test: Any, first: Any, second: Any) -> Any:
        if type(first) is type(second) and first == second:
            return first
        if isinstance(test, Unknown) or not (plain(test) and plain(first) and plain(second)):
            return Unknown("depends on what only the run knows")
        return bounded(Apply("if", (test, first, second)))

    def _computed(self, name: str, operands: tuple[Any, ...]) -> Any:
        if not all(plain(operand) for operand in operands):
            return Unknown(f"{name} of something unknown")
        return compute(name, tuple(tuple(part) if isinstance(part, list) else part for part in operands))


def plain(value: Any) -> bool:
    """Whether a value can be part of an expression: a literal, a symbol, or unknown."""
    if isinstance(value, (list, tuple)):
        return all(plain(part) for part in value)
    return value is None or isinstance(value, (bool, int, float, str, Unknown, Cores, Env, Apply))


def word_of(node: Node) -> str:
    return node[-1] if node is not None and node[0] in ("n", "a") else ""
