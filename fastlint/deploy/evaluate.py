"""A configuration file in Python -> the values of its names, as far as they can be known. Executes nothing.

Works on the facts of the file with values instead of objects: literals are computed, the number of cores stays a
symbol, the environment is what the caller gives, and everything else is `Unknown`. Where a test cannot be decided both
branches count, and what differs between them depends on the test. Steps are counted: an endless loop ends as unknown.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fastlint.deploy.values import Apply, Cores, Counter, Env, Raises, Unknown, bounded, compute, is_literal
from fastlint.source.facts import Block, Class, Function, ModuleFacts, Node
from fastlint.source.nodes import calls_within

_MOST_STEPS = 20_000
_DEEPEST = 30
_LONGEST_LOOP = 500

# Who counts cores (dotted name -> counter), see `values.Counter`.
_COUNTERS = {
    "os.cpu_count": Counter.HOST,
    "multiprocessing.cpu_count": Counter.HOST,
    "multiprocessing.context.cpu_count": Counter.HOST,
    "psutil.cpu_count": Counter.HOST,
    "os.process_cpu_count": Counter.AFFINITY,
    "joblib.cpu_count": Counter.LIMIT,
    "loky.cpu_count": Counter.LIMIT,
}
_READ_VARIABLE = frozenset({"os.getenv", "os.environ.get", "os.environ.setdefault", "decouple.config"})
_BUILTINS = frozenset({"int", "float", "str", "bool", "abs", "round", "len", "max", "min", "sum"})
_REBINDS = frozenset({"exec", "setattr", "locals().pop", "locals().clear", "locals().setdefault"})  # any name
_FLOORS = {"math.ceil": "ceil", "math.floor": "floor"}
_METHODS = frozenset(
    {
        "lower", "upper", "strip", "rstrip", "lstrip", "title", "isdigit", "startswith", "endswith", "replace",
        "removeprefix", "removesuffix", "join", "split",
    }
)  # fmt: skip
_IN_PLACE = {"iadd": "add", "isub": "sub", "imul": "mul", "ifloordiv": "floordiv", "itruediv": "truediv"}
_TRANSPARENT = frozenset({"cache", "lru_cache", "override", "no_type_check"})  # decorators that change no result
_OPERATORS = {"is": "is", "is not": "is not", "in": "in", "not in": "not in"}


class _Exhausted(Exception):
    """The file takes more steps than any configuration needs."""


@dataclass(slots=True)
class Bound:
    """A name of the file: its value, where it was bound last, and the variables that went into it."""

    value: Any
    site: int
    variables: tuple[str, ...] = ()


@dataclass(slots=True)
class Evaluated:
    """The names of a file after it ran. `complete` is False where the run was given up: names may be missing then."""

    names: dict[str, Bound]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Callable:
    """A function of the project, with the names that it closes over."""

    function: Function
    scope: _Scope
    receiver: Any = None


@dataclass(frozen=True, slots=True)
class _Type:
    """A class of the project."""

    facts: Class
    scope: _Scope


@dataclass(slots=True, eq=False)
class _Instance:
    """An object of a class of the project."""

    type: _Type
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Foreign:
    """Something of a library, by its dotted name."""

    name: str


@dataclass(slots=True, eq=False)
class _Module:
    """A module of the project that the file imports."""

    scope: _Scope


@dataclass(slots=True, eq=False)
class _Scope:
    """Names at one level: a module, or a call of a function."""

    facts: ModuleFacts
    module: str
    names: dict[str, Bound]
    outer: _Scope | None = None
    globals: set[str] = field(default_factory=set)
    main: bool = False  # run as a program


@dataclass(frozen=True, slots=True)
class _Returned:
    value: Any


class _Left(Exception):
    """break and continue."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


@dataclass(frozen=True, slots=True)
class Seen:
    """A call of a library's function that somebody watches for, with its arguments as far as they are known."""

    name: str
    site: int
    args: tuple[Any, ...]
    keywords: Mapping[str, Any]


Loader = Callable[[str], "tuple[str, ModuleFacts] | None"]
"""A dotted module name -> its full name and facts, where it is a module of the project."""


def evaluate(facts: ModuleFacts, environment: Mapping[str, Any], load: Loader, module: str = "") -> Evaluated:
    """What the names of a file are after it ran in this environment. Raises nothing."""
    run = _Run(environment, load)
    scope = _Scope(facts, module, {})
    try:
        run.block(facts.body, scope)
    except (_Exhausted, RecursionError, _Left, Raises):
        given_up = Unknown("the file could not be followed to its end")  # what comes later may bind any name anew
        names = {name: Bound(given_up, bound.site) for name, bound in scope.names.items() if _plain(bound.value)}
        return Evaluated({**scope.names, **names}, complete=False)
    return Evaluated(scope.names)


def watch(
    facts: ModuleFacts, environment: Mapping[str, Any], load: Loader, module: str, watched: frozenset[str]
) -> list[Seen]:
    """The calls of `watched` functions, and of project classes derived from a watched class, that running a file makes,
    or that one of its functions makes which nothing calls. An object of the file among the arguments is `Unknown`."""
    run = _Run(environment, load, watched)
    scope = _Scope(facts, module, {}, main=True)
    with suppress(_Exhausted, RecursionError, _Left, Raises):
        run.block(facts.body, scope)
    for function in facts.functions:
        if function.owner < 0 and function.parent < 0 and function.site not in run.entered:
            run.steps = _MOST_STEPS
            with suppress(_Exhausted, RecursionError, _Left, Raises):
                run._call_function(_Callable(function, scope), [], {})
    return list({seen.site: seen for seen in run.seen}.values())


class _Run:
    """One evaluation: the environment, the steps left, and the variables that are being read."""

    def __init__(self, environment: Mapping[str, Any], load: Loader, watched: frozenset[str] = frozenset()) -> None:
        self.environment = dict(environment)
        self.load = load
        self.watched = watched
        self.seen: list[Seen] = []
        self.entered: set[int] = set()  # functions that were called
        self.steps = _MOST_STEPS
        self.depth = 0
        self.tries = 0  # open `try` statements: only there a failing read of the environment is looked at
        self.read: dict[str, None] = {}  # by the statement that is being run
        self.during: dict[str, None] = {}  # by the function that is being called
        self.control: dict[str, None] = {}  # by the tests around the statement
        self.modules: dict[str, _Scope] = {}

    # --- statements ---------------------------------------------------------------------------------------------

    def block(self, block: Block, scope: _Scope) -> _Returned | None:
        """Run statements; what was returned, or None where the end was reached."""
        for place, statement in enumerate(block):
            self.steps -= 1
            if self.steps < 0:
                raise _Exhausted
            if statement[0] == "if":
                test = self.value(statement[1], scope)
                if not self._decided(test):
                    return self._both(test, statement, block[place + 1 :], scope)
            returned = self._statement(statement, scope)
            if returned is not None:
                return returned
        return None

    def _statement(self, statement: Any, scope: _Scope) -> _Returned | None:
        tag = statement[0]
        self.read = {}
        if tag == "=":
            value = self.value(statement[2], scope)
            for target in statement[1]:
                self._assign(target, value, statement[-1], scope)
        elif tag == ":":
            if statement[3] is not None:
                self._assign(statement[1], self.value(statement[3], scope), statement[-1], scope)
        elif tag == "+=":
            old = self.value(statement[1], scope)
            value = bounded(self._operate(statement[2], old, self.value(statement[3], scope)))
            self._assign(statement[1], value, statement[-1], scope)
        elif tag == "if":
            branch = statement[2 if self.value(statement[1], scope) else 3]
            outer, self.control = self.control, {**self.control, **self.read}
            returned = self.block(branch, scope)
            self.control = outer
            return returned
        elif tag == "ret":
            return _Returned(self.value(statement[1], scope))
        elif tag == "e":
            self.value(statement[1], scope)
        elif tag == "def":
            self._bind(statement[2], _defined(scope.facts.functions[statement[1]], scope), statement[-1], scope)
        elif tag == "del":
            for target in statement[1]:
                if _named(target) and target[0] == "n":
                    scope.names.pop(target[1], None)
        elif tag == "class":
            self._bind(statement[2], _Type(scope.facts.classes[statement[1]], scope), statement[-1], scope)
        elif tag == "imp":
            self._import(statement, scope)
        elif tag == "global":
            scope.globals.update(statement[1])
        elif tag in ("for", "while"):
            return self._loop(statement, scope)
        elif tag == "with":
            for _, expression, target in statement[1]:
                self._assign(target, self.value(expression, scope), statement[-1], scope)
            return self.block(statement[2], scope)
        elif tag == "try":
            return self._try(statement, scope)
        elif tag == "match":
            self._forget([case[1] for case in statement[2]], scope)
        elif tag == "raise":
            raise Raises(self._raised(statement[1]))
        elif tag in ("break", "continue"):
            raise _Left(tag)
        return None

    def _decided(self, test: Any) -> bool:
        return not isinstance(test, (Unknown, Apply, Cores, Env, _Foreign))

    def _both(self, test: Any, statement: Any, rest: Block, scope: _Scope) -> _Returned | None:
        """A test that cannot be decided: both ways to the end of the block, then whatever each of them left."""
        before = dict(scope.names)
        outcomes: list[tuple[dict[str, Bound], _Returned | None] | None] = []
        for branch in (statement[2], statement[3]):
            scope.names = dict(before)
            try:
                returned = self.block([*branch, *rest], scope)
                outcomes.append((scope.names, returned))
            except Raises:  # this way ends the program: whoever goes on took the other one
                outcomes.append(None)
        first, second = outcomes
        if first is None or second is None:
            alive = first or second
            scope.names = alive[0] if alive is not None else before
            if alive is None:
                raise Raises("SystemExit")
            return alive[1]
        scope.names = {
            name: self._merged(test, first[0].get(name), second[0].get(name)) for name in {**first[0], **second[0]}
        }
        if first[1] is None and second[1] is None:
            return None
        values = [None if outcome[1] is None else outcome[1].value for outcome in (first, second)]
        return _Returned(self._either(test, values[0], values[1]))

    def _merged(self, test: Any, first: Bound | None, second: Bound | None) -> Bound:
        if first is None or second is None:
            alive = first or second
            assert alive is not None
            return Bound(Unknown("set in one case only"), alive.site, alive.variables)
        if first is second or first.value is second.value:
            return first
        variables = tuple(dict.fromkeys((*first.variables, *second.variables)))
        return Bound(self._either(test, first.value, second.value), max(first.site, second.site), variables)

    def _either(self, test: Any, first: Any, second: Any) -> Any:
        if type(first) is type(second) and first == second:
            return first
        if isinstance(test, Unknown) or not (_plain(test) and _plain(first) and _plain(second)):
            return Unknown("depends on what only the run knows")
        return bounded(Apply("if", (test, first, second)))

    def _loop(self, statement: Any, scope: _Scope) -> _Returned | None:
        """A loop over what is known is run; of any other, what it binds is unknown afterwards."""
        body, orelse = (statement[4], statement[5]) if statement[0] == "for" else (statement[3], statement[4])
        if statement[0] == "while":
            return self._while(statement, body, scope)
        items = self.value(statement[3], scope)
        if isinstance(items, dict):
            items = list(items)
        if isinstance(items, str):
            items = list(items)
        if not isinstance(items, (list, tuple)) or len(items) > _LONGEST_LOOP:
            self._forget([body, orelse], scope, statement[2])
            return None
        for item in items:
            self._assign(statement[2], item, statement[-1], scope)
            try:
                returned = self.block(body, scope)
            except _Left as left:
                if left.how == "break":
                    return None
                continue
            if returned is not None:
                return returned
        return self.block(orelse, scope)

    def _while(self, statement: Any, body: Block, scope: _Scope) -> _Returned | None:
        for _ in range(_LONGEST_LOOP):
            test = self.value(statement[2], scope)
            if not self._decided(test):
                break
            if not test:
                return None
            try:
                returned = self.block(body, scope)
            except _Left as left:
                if left.how == "break":
                    return None
                continue
            if returned is not None:
                return returned
        self._forget([body], scope)
        return None

    def _forget(self, blocks: list[Block], scope: _Scope, target: Node = None) -> None:
        """What these blocks may bind is unknown from here on; all names are where they write `locals()`."""
        names: set[str] = set()
        for block in blocks:
            _bound_in(block, names)
        _targets(target, names)
        if any(_writes_names(block) for block in blocks):
            names.update(name for name, bound in scope.names.items() if _plain(bound.value))
        for name in names:
            site = scope.names[name].site if name in scope.names else -1
            scope.names[name] = Bound(Unknown("set in a loop or case that is not followed"), site)

    def _try(self, statement: Any, scope: _Scope) -> _Returned | None:
        _, body, handlers, orelse, final, *_ = statement
        before = dict(scope.names)
        self.tries += 1
        try:
            try:
                returned = self.block(body, scope)
            finally:
                self.tries -= 1
            if returned is None:
                returned = self.block(orelse, scope)
        except Raises as error:
            handler = next((one for one in handlers if _catches(one[0], error.kind)), None)
            if handler is None:
                raise
            if handler[1]:
                scope.names[handler[1]] = Bound(Unknown("an exception"), -1)
            returned = self.block(handler[2], scope)
        else:
            if any(_catches(one[0], "ImportError") for one in handlers) and self._imports_foreign(body):
                self._forget([body, orelse, *(one[2] for one in handlers)], scope)  # it may not be installed
            elif _uncertain(before, scope.names) or (returned is not None and isinstance(returned.value, Unknown)):
                names: set[str] = set()
                for one in handlers:  # whether it fails is not known: what the handlers bind may be either
                    _bound_in(one[2], names)
                for name in names & scope.names.keys():
                    if before.get(name) is not scope.names[name]:
                        scope.names[name] = Bound(Unknown("depends on what only the run knows"), scope.names[name].site)
        ended = self.block(final, scope)
        return ended if ended is not None else returned

    def _imports_foreign(self, body: Block) -> bool:
        """Whether a block imports what is neither of the project nor of the standard library."""
        rows = [row for statement in body if statement[0] == "imp" for row in statement[1]]
        names = {row[2].partition(".")[0] for row in rows if not row[1]}
        return any(name not in sys.stdlib_module_names and self.load(name) is None for name in names)

    def _raised(self, node: Node) -> str:
        while node is not None and node[0] == "c":
            node = node[2]
        return node[-1] if node is not None and node[0] in ("n", "a") else "Exception"

    def _import(self, statement: Any, scope: _Scope) -> None:
        for bound, level, target, attribute in statement[1]:
            if not bound:
                continue
            dotted = _absolute(scope.module, level, target)
            if bound == "*":
                found = self._module(dotted)
                if found is not None:
                    scope.names.update({n: b for n, b in found.names.items() if not n.startswith("_")})
                continue
            self._bind(bound, self._imported(dotted, attribute), statement[-1], scope)

    def _imported(self, dotted: str, attribute: str | None) -> Any:
        if attribute is None:
            found = self._module(dotted)
            return _Module(found) if found is not None else _Foreign(dotted)
        if dotted == "typing" and attribute == "TYPE_CHECKING":
            return False
        found = self._module(dotted)
        if found is not None and attribute in found.names:
            return found.names[attribute].value
        inner = self._module(f"{dotted}.{attribute}")
        if inner is not None:
            return _Module(inner)
        return _Foreign(f"{dotted}.{attribute}") if found is None else Unknown(f"{attribute} of {dotted}")

    def _module(self, dotted: str) -> _Scope | None:
        if dotted not in self.modules:
            found = self.load(dotted)
            if found is None:
                return None
            scope = self.modules[dotted] = _Scope(found[1], found[0], {})
            read, self.read = self.read, {}
            try:
                self.block(found[1].body, scope)
            except (Raises, _Left):  # what it had bound until then is there
                pass
            self.read = read
        return self.modules[dotted]

    # --- names --------------------------------------------------------------------------------------------------

    def _bind(self, name: str, value: Any, site: int, scope: _Scope) -> None:
        home = scope
        while name in home.globals and home.outer is not None:
            home = home.outer
        home.names[name] = Bound(value, site, tuple({**self.control, **self.read}))

    def _assign(self, target: Node, value: Any, site: int, scope: _Scope) -> None:
        if target is None:
            return
        if target[0] == "n":
            self._bind(target[1], value, site, scope)
        elif target[0] in ("t", "l"):
            parts = value if isinstance(value, (tuple, list)) and len(value) == len(target[1]) else None
            for number, element in enumerate(target[1]):
                self._assign(element, Unknown("unpacked") if parts is None else parts[number], site, scope)
        elif target[0] == "a":
            base = self.value(target[2], scope)
            if isinstance(base, _Instance):
                base.attributes[target[3]] = value
        elif target[0] == "s":
            self._store(target, value, site, scope)

    def _store(self, target: Node, value: Any, site: int, scope: _Scope) -> None:
        base, key = self.value(target[2], scope), self.value(target[3], scope)
        if base == _Foreign("os.environ") and isinstance(key, str):
            self.environment[key] = value
        elif base == _Foreign("locals()"):
            if isinstance(key, str):
                self._bind(key, value, site, scope)
            else:
                raise _Exhausted  # any name may be anything from here on
        elif isinstance(base, dict) and is_literal(key):
            base[key] = value
            if bounded(base) is not base:
                base[key] = Unknown("more of a dictionary")

    def lookup(self, name: str, scope: _Scope) -> Any:
        """What a name is."""
        here: _Scope | None = scope
        while here is not None:
            bound = here.names.get(name)
            if bound is not None:
                self.read.update(dict.fromkeys(bound.variables))
                return bound.value
            here = here.outer
        if name == "__name__":
            while scope.outer is not None:
                scope = scope.outer
            return "__main__" if scope.main else scope.module or "gunicorn.conf"
        return _Foreign(name)

    # --- expressions --------------------------------------------------------------------------------------------

    def value(self, node: Node, scope: _Scope) -> Any:
        """What an expression is."""
        self.steps -= 1
        if self.steps < 0:
            raise _Exhausted
        if node is None:
            return Unknown("not followed")
        handler = _EXPRESSIONS.get(node[0])
        value = handler(self, node, scope) if handler is not None else Unknown("not followed")
        return value if node[0] in ("n", "a", "k") else bounded(value)  # a name was bounded when it was bound

    def _constant(self, node: Node, scope: _Scope) -> Any:
        return node[1]

    def _name(self, node: Node, scope: _Scope) -> Any:
        return self.lookup(node[1], scope)

    def _attribute(self, node: Node, scope: _Scope) -> Any:
        return self._member(self.value(node[2], scope), node[3])

    def _member(self, base: Any, name: str) -> Any:
        if isinstance(base, _Foreign):
            return False if base.name == "typing" and name == "TYPE_CHECKING" else _Foreign(f"{base.name}.{name}")
        if isinstance(base, _Module):
            bound = base.scope.names.get(name)
            if bound is None:
                return Unknown(f"no {name}")
            self.read.update(dict.fromkeys(bound.variables))
            return bound.value
        if isinstance(base, _Instance):
            if name in base.attributes:
                return base.attributes[name]
            return self._class_member(base.type, name, base)
        if isinstance(base, _Type):
            return self._class_member(base, name, None)
        return Unknown(f".{name} of something unknown") if not isinstance(base, Unknown) else base

    def _class_member(self, kind: _Type, name: str, receiver: _Instance | None) -> Any:
        if kind.facts.bases and not all(base in (["n", "object"], ["n", "Enum"]) for base in kind.facts.bases):
            inherited = True  # a base class of a library may fill anything from the environment
        else:
            inherited = False
        indices = kind.facts.methods.get(name)
        if indices:
            function = kind.scope.facts.functions[indices[-1]]
            words = {_decorator(one) for one in function.decorators}
            if not words <= _TRANSPARENT | {"property", "cached_property", "staticmethod", "classmethod"}:
                return Unknown(f"{name}() is decorated")
            itself = None if "staticmethod" in words else kind if "classmethod" in words else receiver
            method = _Callable(function, kind.scope, itself)
            return self._call_function(method, [], {}) if words & {"property", "cached_property"} else method
        if inherited:
            return Unknown(f"an attribute of {kind.facts.name}")
        scope = _Scope(kind.scope.facts, kind.scope.module, {}, kind.scope)
        self.block(kind.facts.body, scope)
        bound = scope.names.get(name)
        return bound.value if bound is not None else Unknown(f"no attribute {name}")

    def _subscript(self, node: Node, scope: _Scope) -> Any:
        base = self.value(node[2], scope)
        if node[3] is not None and node[3][0] == "sl":
            return Unknown("a slice")
        key = self.value(node[3], scope)
        if base == _Foreign("os.environ"):
            return self._variable(key, None, required=True)
        if isinstance(base, Unknown) or not is_literal(key):
            return Unknown("an item")
        if isinstance(base, (dict, list, tuple, str)):
            try:
                return base[key]
            except (KeyError, IndexError, TypeError) as error:
                raise Raises(type(error).__name__) from error
        return Unknown("an item")

    def _operation(self, node: Node, scope: _Scope) -> Any:
        return self._operate(node[2], self.value(node[3], scope), self.value(node[4], scope))

    def _operate(self, name: str, left: Any, right: Any) -> Any:
        if isinstance(left, _Foreign) or isinstance(right, _Foreign):
            return Unknown("an operation on something unknown")
        if name == "truediv" and isinstance(left, str) and isinstance(right, str):
            return self._computed("format", (left.rstrip("/"), "/", right))  # a path: they are strings here
        if isinstance(left, list) and isinstance(right, (list, tuple)) and name == "iadd":
            self._grow(left, len(left), right)
            return left
        if isinstance(left, list) and isinstance(right, list) and name == "add":
            return left + right
        return self._computed(_IN_PLACE.get(name, name), (left, right))

    def _computed(self, name: str, operands: tuple[Any, ...]) -> Any:
        if not all(_plain(operand) for operand in operands):
            return Unknown(f"{name} of something unknown")
        return compute(name, tuple(tuple(part) if isinstance(part, list) else part for part in operands))

    def _unary(self, node: Node, scope: _Scope) -> Any:
        name = {"not": "not", "-": "neg", "+": "pos", "~": "invert", "neg": "neg", "pos": "pos"}.get(node[1], node[1])
        inner = self.value(node[2], scope)
        if name == "not" and isinstance(inner, (list, dict)):
            return not inner
        return self._computed(name, (inner,))

    def _boolean(self, node: Node, scope: _Scope) -> Any:
        parts: list[Any] = []
        for part in node[2]:
            value = self.value(part, scope)
            parts.append(value)
            if self._decided(value) and bool(value) == (node[1] == "or"):
                break  # what follows is not evaluated
        if all(self._decided(part) for part in parts):
            return parts[-1]
        return self._computed(node[1], tuple(parts))

    def _compared(self, node: Node, scope: _Scope) -> Any:
        left = self.value(node[2], scope)
        result: Any = True
        for name, right_node in node[3]:
            right = self.value(right_node, scope)
            if isinstance(right, dict):
                right = tuple(right)
            result = self._computed(_OPERATORS.get(name, name), (left, right))
            if self._decided(result) and not result:
                return False
            left = right
        return result

    def _conditional(self, node: Node, scope: _Scope) -> Any:
        test = self.value(node[1], scope)
        if self._decided(test):
            return self.value(node[2] if test else node[3], scope)
        return self._either(test, self.value(node[2], scope), self.value(node[3], scope))

    def _sequence(self, node: Node, scope: _Scope) -> Any:
        if any(part is not None and part[0] == "*" for part in node[1]):
            return Unknown("unpacked")
        parts = [self.value(part, scope) for part in node[1]]
        return parts if node[0] == "l" else tuple(parts)

    def _dictionary(self, node: Node, scope: _Scope) -> Any:
        out: dict[Any, Any] = {}
        for key, value in node[1]:
            if key is None:
                return Unknown("unpacked")
            name = self.value(key, scope)
            if not is_literal(name):
                return Unknown("a dictionary")
            out[name] = self.value(value, scope)
        return out

    def _formatted(self, node: Node, scope: _Scope) -> Any:
        if not node[1] or any(part is None for part in node[1]):
            return Unknown("text that is formatted further")
        parts = tuple(self.value(part, scope) for part in node[1])
        return self._computed("format", parts)

    def _walrus(self, node: Node, scope: _Scope) -> Any:
        value = self.value(node[2], scope)
        self._bind(node[1], value, -1, scope)
        return value

    def _comprehension(self, node: Node, scope: _Scope) -> Any:
        _, kind, element, value, clauses = node
        if len(clauses) != 1:
            return Unknown("a comprehension")
        items = self.value(clauses[0][2], scope)
        if not isinstance(items, (list, tuple)) or len(items) > _LONGEST_LOOP:
            return Unknown("a comprehension")
        inner = _Scope(scope.facts, scope.module, {}, scope)
        out: list[Any] = []
        for item in items:
            self._assign(clauses[0][1], item, -1, inner)
            tests = [self.value(test, inner) for test in clauses[0][3]]
            if not all(self._decided(test) for test in tests):
                return Unknown("a comprehension")
            if all(tests):
                out.append((self.value(element, inner), self.value(value, inner) if kind == "d" else None))
        return dict(out) if kind == "d" else [pair[0] for pair in out]

    def _lambda(self, node: Node, scope: _Scope) -> Any:
        return _Callable(scope.facts.functions[node[1]], scope)

    # --- calls --------------------------------------------------------------------------------------------------

    def _call(self, node: Node, scope: _Scope) -> Any:
        _, _, callee_node, arg_nodes, keyword_nodes = node
        if any(argument is not None and argument[0] == "*" for argument in arg_nodes) or any(
            key is None for key, _ in keyword_nodes
        ):
            return Unknown("a call with unpacked arguments")
        if callee_node is not None and callee_node[0] == "a":
            base = self.value(callee_node[2], scope)
            callee = base if not isinstance(base, (_Foreign, _Module, _Instance, _Type)) else None
            if callee is not None or isinstance(base, Unknown):
                args = [self.value(argument, scope) for argument in arg_nodes]
                return self._method(base, callee_node[3], args)
            callee = self._member(base, callee_node[3])
        else:
            callee = self.value(callee_node, scope)
        args = [self.value(argument, scope) for argument in arg_nodes]
        keywords = {key: self.value(argument, scope) for key, argument in keyword_nodes}
        if isinstance(callee, _Callable):
            return self._call_function(callee, args, keywords)
        if isinstance(callee, _Type):
            self._note(self._base_of(callee), node[1], args, keywords)
            return self._make(callee, args, keywords)
        if isinstance(callee, _Foreign):
            self._note(callee.name, node[1], args, keywords)
            if callee.name == "locals().update":
                return self._update(args, keywords, node[1], scope)
            return self._foreign(callee.name, args, keywords)
        return Unknown("a call of something unknown")

    def _update(self, args: list[Any], keywords: dict[str, Any], site: int, scope: _Scope) -> None:
        """`globals().update(…)`: names are bound, or any name may be."""
        if any(not isinstance(argument, dict) for argument in args):
            raise _Exhausted
        for name, value in [*(pair for argument in args for pair in argument.items()), *keywords.items()]:
            self._bind(str(name), value, site, scope)

    def _note(self, name: str, site: int, args: list[Any], keywords: dict[str, Any]) -> None:
        if name in self.watched:
            known = tuple(self._shown(argument) for argument in args)
            self.seen.append(Seen(name, site, known, {key: self._shown(value) for key, value in keywords.items()}))

    def _shown(self, value: Any) -> Any:
        return value if _plain(value) or isinstance(value, dict) else Unknown("an object")

    def _base_of(self, kind: _Type) -> str:
        for base in kind.facts.bases:
            found = self.value(base, kind.scope)
            if isinstance(found, _Foreign):
                return found.name
        return ""

    def _method(self, base: Any, name: str, args: list[Any]) -> Any:
        """A method of a literal: of text, or of a list or dictionary of this file."""
        if isinstance(base, list) and name in ("append", "extend", "insert"):
            if name == "append" and len(args) == 1:
                self._grow(base, len(base), args)
            elif name == "insert" and len(args) == 2 and isinstance(args[0], int):
                self._grow(base, args[0], args[1:])
            elif name == "extend" and len(args) == 1 and isinstance(args[0], (list, tuple)):
                self._grow(base, len(base), args[0])
            else:
                base.append(Unknown("more of a list"))
            return None
        if isinstance(base, list) and name not in ("copy", "index", "count"):
            base[:] = [Unknown(f"a list after .{name}()")]
        if isinstance(base, dict):
            if name == "get" and args and is_literal(args[0]):
                return base.get(args[0], args[1] if len(args) > 1 else None)
            if name in ("items", "keys", "values"):
                return [*{"items": base.items(), "keys": base.keys(), "values": base.values()}[name]]
            if name in ("update", "pop", "popitem", "clear", "setdefault"):
                base.update(dict.fromkeys(base, Unknown(f"a dictionary after .{name}()")))
            return Unknown(f".{name}()")
        if name == "format" and isinstance(base, str):
            return self._format(base, args)
        if name in _METHODS:
            return self._computed(name, (base, *args))
        return Unknown(f".{name}()")

    def _grow(self, base: list[Any], place: int, more: Sequence[Any]) -> None:
        """Put more into a list, in place."""
        base[place:place] = more
        if bounded(base) is not base:
            base[:] = [Unknown("more of a list")]

    def _format(self, text: str, args: list[Any]) -> Any:
        if text.count("{}") != len(args) or text.count("{") != len(args):
            return Unknown("text that is formatted further")
        pieces = text.split("{}")
        parts: list[Any] = [pieces[0]]
        for argument, piece in zip(args, pieces[1:], strict=True):
            parts += [argument, piece]
        return self._computed("format", tuple(parts))

    def _foreign(self, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        name = name.removeprefix("builtins.")
        if name in _REBINDS:
            raise _Exhausted
        counter = _COUNTERS.get(name)
        if counter is not None:
            return Unknown("physical cores") if keywords.get("logical") is False else Cores(counter)
        if name in _READ_VARIABLE and args:
            default = args[1] if len(args) > 1 else keywords.get("default")
            value = self._variable(args[0], default, required=name == "decouple.config" and default is None)
            if name == "os.environ.setdefault" and isinstance(args[0], str):
                self.environment[args[0]] = value
            return value if "cast" not in keywords else self._cast(keywords["cast"], value)
        if name == "os.sched_getaffinity":
            return _Foreign("os.sched_getaffinity()")
        if name == "len" and args == [_Foreign("os.sched_getaffinity()")]:
            return Cores(Counter.AFFINITY)
        if name in ("locals", "globals", "vars") and not args:
            return _Foreign("locals()")
        if name in ("os.environ.items", "os.environ.copy"):  # the environment is what the caller says it is
            return [(key, value) for key, value in self.environment.items()]
        if name == "os.environ.keys":
            return list(self.environment)
        return self._library(name, args)

    def _cast(self, kind: Any, value: Any) -> Any:
        if isinstance(kind, _Foreign) and kind.name in _BUILTINS:
            return self._computed(kind.name, (value,))
        return Unknown("a value that is cast")

    def _library(self, name: str, args: list[Any]) -> Any:
        if name in _BUILTINS or name in _FLOORS:
            wanted = _FLOORS.get(name, name)
            if len(args) == 1 and isinstance(args[0], (list, dict)) and wanted in ("max", "min", "sum", "len"):
                args = [tuple(args[0])]
            return self._computed(wanted, tuple(args)) if args or wanted in ("int", "str") else Unknown(f"{name}()")
        if name == "json.loads" and len(args) == 1 and isinstance(args[0], str):
            try:
                return json.loads(args[0])
            except (ValueError, RecursionError) as error:
                raise Raises("JSONDecodeError") from error
        if name in ("pathlib.Path", "str", "os.path.join", "pathlib.PurePath") and args:
            known = all(isinstance(arg, str) for arg in args)
            return self._computed("join", ("/", tuple(args))) if known else Unknown("a path")
        if name in ("list", "tuple") and len(args) == 1 and isinstance(args[0], (list, tuple)):
            return list(args[0])
        if name in ("print", "dotenv.load_dotenv", "logging.basicConfig"):
            return None
        if name == "range" and args and all(isinstance(arg, int) for arg in args):
            return self._range(args)
        if name in ("sys.exit", "exit", "quit", "os._exit"):
            raise Raises("SystemExit")
        return Unknown(f"{name}()")

    def _range(self, args: list[int]) -> Any:
        try:
            numbers = range(*args)
            return list(numbers) if len(numbers) <= _LONGEST_LOOP else Unknown("a long range")
        except (TypeError, ValueError, OverflowError) as error:
            raise Raises(type(error).__name__) from error

    def _variable(self, name: Any, default: Any, required: bool) -> Any:
        if not isinstance(name, str):
            return Unknown("a variable whose name is not known")
        self.read[name] = None
        self.during[name] = None
        if name in self.environment:
            return self.environment[name]
        if required:
            if not self.tries:  # else the server would not start: it is set where it runs
                return Env(name, required=True)
            raise Raises("KeyError")
        return default

    def _call_function(self, called: _Callable, args: list[Any], keywords: dict[str, Any]) -> Any:
        if self.depth >= _DEEPEST or called.function.is_async or called.function.is_generator:
            return Unknown(f"{called.function.name}()")
        self.entered.add(called.function.site)
        scope = _Scope(called.scope.facts, called.scope.module, {}, called.scope)
        given = list(args) if called.receiver is None else [called.receiver, *args]
        for param in called.function.params:
            if param.kind in ("*", "**"):
                value: Any = Unknown("more arguments")
            elif given and param.kind != "k":
                value = given.pop(0)
            elif param.name in keywords:
                value = keywords[param.name]
            elif param.default is not None:
                value = self.value(param.default, called.scope)
            else:
                value = Unknown("an argument that is not given")
            scope.names[param.name] = Bound(value, -1)
        self.depth += 1
        outer, during = self.read, self.during
        self.during = {}
        try:
            returned = self.block(called.function.body, scope)
        finally:
            self.depth -= 1
            self.read = {**outer, **self.during}
            self.during = {**during, **self.during}
        return returned.value if returned is not None else None

    def _make(self, kind: _Type, args: list[Any], keywords: dict[str, Any]) -> Any:
        words = {_decorator(one) for one in kind.facts.decorators}
        if words or ((args or keywords) and not kind.facts.methods.get("__init__")):
            return Unknown(f"an object of {kind.facts.name}")
        instance = _Instance(kind)
        indices = kind.facts.methods.get("__init__")
        if indices:
            function = kind.scope.facts.functions[indices[-1]]
            self._call_function(_Callable(function, kind.scope, instance), args, keywords)
        return instance


def _defined(function: Function, scope: _Scope) -> Any:
    """What a definition binds: the function, unless a decorator may have put another in its place."""
    if {_decorator(one) for one in function.decorators} <= _TRANSPARENT or function.owner >= 0:
        return _Callable(function, scope)
    return Unknown(f"{function.name}() is decorated")


def _decorator(node: Node) -> str:
    """The last word of a decorator, called or not."""
    return _named(node[2]) if node is not None and node[0] == "c" else _named(node)


def _plain(value: Any) -> bool:
    """Whether a value can be part of an expression: a literal, a symbol, or unknown."""
    if isinstance(value, (list, tuple)):
        return all(_plain(part) for part in value)
    return value is None or isinstance(value, (bool, int, float, str, Unknown, Cores, Env, Apply))


def _catches(kind: Node, error: str) -> bool:
    if kind is None:
        return True
    if kind[0] == "t":
        return any(_catches(part, error) for part in kind[1])
    name = kind[-1] if kind[0] in ("n", "a") else ""
    family = {"KeyError": "LookupError", "IndexError": "LookupError", "JSONDecodeError": "ValueError"}
    return name in (error, "Exception", "BaseException", family.get(error)) and not (
        error == "SystemExit" and name == "Exception"
    )


def _uncertain(before: dict[str, Bound], after: dict[str, Bound]) -> bool:
    """Whether a block bound anything to what is unknown: it may just as well have failed."""
    return any(isinstance(bound.value, Unknown) for name, bound in after.items() if before.get(name) is not bound)


def _named(node: Node) -> str:
    return node[-1] if node is not None and node[0] in ("n", "a") else ""


def _absolute(module: str, level: int, target: str) -> str:
    if not level:
        return target
    base = module.split(".")[: -level if level <= len(module.split(".")) else None]
    return ".".join([*base, target] if target else base)


def _bound_in(block: Block, names: set[str]) -> None:
    for statement in block:
        tag = statement[0]
        if tag == "=":
            for target in statement[1]:
                _targets(target, names)
        elif tag in (":", "+="):
            _targets(statement[1], names)
        elif tag in ("def", "class"):
            names.add(statement[2])
        for part in statement:
            if isinstance(part, list) and part and isinstance(part[0], list):
                _bound_in([inner for inner in part if isinstance(inner, list) and inner], names)


def _targets(target: Node, names: set[str]) -> None:
    if target is None:
        return
    if target[0] == "n":
        names.add(target[1])
    elif target[0] in ("t", "l"):
        for element in target[1]:
            _targets(element, names)


def _writes_names(node: Any) -> bool:
    """Whether anything below calls `locals()`, `globals()` or `vars()`."""
    return any(
        call[2] is not None and call[2][0] == "n" and call[2][1] in ("locals", "globals", "vars")
        for call in calls_within(node)
    )


_EXPRESSIONS: dict[str, Callable[[_Run, Node, _Scope], Any]] = {
    "k": _Run._constant,
    "n": _Run._name,
    "a": _Run._attribute,
    "c": _Run._call,
    "s": _Run._subscript,
    "o": _Run._operation,
    "u": _Run._unary,
    "bool": _Run._boolean,
    "cmp": _Run._compared,
    "if": _Run._conditional,
    "t": _Run._sequence,
    "l": _Run._sequence,
    "set": _Run._sequence,
    "d": _Run._dictionary,
    "f": _Run._formatted,
    ":=": _Run._walrus,
    "comp": _Run._comprehension,
    "fn": _Run._lambda,
}
