"""Expressions become values, and every call in them an edge or an event: explicit calls and implicit ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastlint.graph.closures import CALLABLE_TESTS
from fastlint.graph.constants import Bindings, attribute_literal, bindings_of, is_literal, module_literal, once_literal
from fastlint.graph.gathered import spread_keywords
from fastlint.graph.guards import gives_something, raises, same_place
from fastlint.graph.routers import Routers, text_of
from fastlint.graph.state import CALL, IMPLICIT, MAYBE, OFF_LOOP, Frame
from fastlint.graph.values import (
    BEYOND,
    NONE,
    TEXT,
    UNKNOWN,
    Value,
    Values,
    collection,
    elements,
    mixed,
    only_constant,
    shallow,
    under_key,
    union,
)
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Node
from fastlint.source.nodes import calls_within

_MIXED = 8  # what may be more things than this is a cache of all there is: which library's it is, nobody knows
_BUILDING = "FL115"  # a client takes its time to be built, of whichever kind it is
_BINARY = {
    "add": "__add__",
    "sub": "__sub__",
    "mul": "__mul__",
    "truediv": "__truediv__",
    "mod": "__mod__",
    "or": "__or__",
    "and": "__and__",
    "lshift": "__lshift__",
    "rshift": "__rshift__",
    "matmul": "__matmul__",
}
_UNARY = {"-": "__neg__", "+": "__pos__", "~": "__invert__"}
_COMPARE = {"eq": "__eq__", "ne": "__ne__", "lt": "__lt__", "gt": "__gt__", "le": "__le__", "ge": "__ge__"}
# Calls whose arguments are awaitables: a call written there is awaited by them
_PLAIN = frozenset({"bool", "str", "int", "float", "bytes", "list", "dict", "set", "tuple"})
_MAY_WAIT = ("wait", "Corout", "Future", "Task", "Any")  # in the text of an annotation
_PLAIN_HOLDERS = frozenset({"list", "List", "dict", "Dict", "set", "Set", "tuple", "Tuple"})  # `list[str]`
_TELLING = CALLABLE_TESTS | {"isinstance", "isawaitable", "iscoroutine", "done"}
_AWAITERS = frozenset(
    {"gather", "wait", "wait_for", "create_task", "ensure_future", "shield", "as_completed", "run_coroutine_threadsafe"}
)
_FINISHERS = frozenset({"wait", "wrap_future", "wait_for", "gather", "as_completed"})
_MUTATORS = {"append": 0, "add": 0, "insert": 1, "appendleft": 0, "setdefault": 1, "register": 0}
_BULK_MUTATORS = frozenset({"extend", "update"})


def _named_key(index: Node) -> Any:
    """The text that a dictionary is subscripted with, else `Ellipsis`: a number may be the place in a list."""
    key = _constant_key(index)
    return key if isinstance(key, str) else ...


def _constant_key(index: Node) -> Any:
    """The constant that a container is subscripted with, else `Ellipsis`."""
    return index[1] if index is not None and index[0] == "k" else ...


def _tells_of_rest(test: Node) -> bool:
    """Whether a test says what kind of thing a value is, or that it is done, for the rest of an `and` or `or`:
    `isinstance(…)`, `not iscoroutinefunction(…)`, `future.done()`."""
    while test is not None and test[0] == "u":
        test = test[2]
    return bool(test and test[0] == "c" and test[2] and test[2][0] in ("n", "a") and test[2][-1] in _TELLING)


def _is_plain(annotation: Node) -> bool:
    """Whether an annotation says that something can never be awaited: `str`, `None`, `list[int]`, `str | None`."""
    if annotation is None or annotation[0] != "o":
        name = annotation[2] if annotation and annotation[0] == "s" else annotation
        kinds = _PLAIN if name is annotation else _PLAIN_HOLDERS
        return annotation == ["k", None] or bool(name and name[0] == "n" and name[1] in kinds)
    return _is_plain(annotation[3]) and _is_plain(annotation[4])


class Expressions(Routers):
    """Evaluates expression records."""

    def evaluate(self, node: Node, frame: Frame) -> Values:
        """See `State.evaluate`."""
        if node is None:
            return UNKNOWN
        tag = node[0]
        if tag == "n":
            return self.lookup(node[1], frame)
        if tag == "k":
            return ((("k", node[1])),)
        handler = _HANDLERS.get(tag)
        return handler(self, node, frame) if handler is not None else UNKNOWN

    def _attribute(self, node: Node, frame: Frame) -> Values:
        if frame.narrowed and node[2] is not None and node[2][0] == "n":
            known = frame.env.get(f".{node[2][1]}.{node[3]}")
            if known is not None:
                return known
        base = self.evaluate(node[2], frame)
        return self.attribute(base, node[3], frame, node[1], node[2])

    # Calls

    def _call(self, node: Node, frame: Frame) -> Values:
        return self.evaluate_call(node, frame, False)

    def evaluate_call(self, node: Node, frame: Frame, awaited: bool) -> Values:
        """Evaluate a call: callee, arguments, then whatever the callee may be."""
        _, site, callee_node, arg_nodes, keyword_nodes = node
        name = callee_node[-1] if callee_node is not None and callee_node[0] in ("n", "a") else None
        if name == "super" and callee_node[0] == "n":
            return self._super(frame)
        callees = self.evaluate(callee_node, frame)
        hands_on = name in _AWAITERS
        args: list[Values] = []
        more = False  # there may be further arguments than these
        for argument in arg_nodes:
            if argument is not None and argument[0] == "*":
                spread = self.evaluate(argument[1], frame)
                tuples = [value for value in spread if value[0] == "t"]
                if len(tuples) == 1 == len(spread):
                    args.extend(tuples[0][1])
                else:
                    args.append(self.iterate(spread, site, frame))
                    more = True
            else:
                args.append(self._argument(argument, frame, hands_on))
        keywords: dict[str | None, Values] = {None: UNKNOWN} if more else {}
        for key, argument in keyword_nodes:
            branches = spread_keywords(argument) if key is None else None
            if branches is not None and len(branches) == 1:  # as if they were written one by one
                keywords.update({name: self._argument(value, frame, hands_on) for name, value in branches[0]})
                continue
            values = self._argument(argument, frame, hands_on)
            if key is None:
                for value in values:
                    if value[0] == "d":
                        keywords.update({k: v for k, v in value[1] if isinstance(k, str)})
                # Nothing is known of which they are, or these are all that there may be
                named: Values = tuple({("k", name): None for pairs in branches or () for name, _ in pairs})
                before = keywords.get(None, named)
                keywords[None] = union(before, named) if before and named else UNKNOWN
            else:
                keywords[key] = values
        if name in _MUTATORS or name in _BULK_MUTATORS:
            self._mutate(callee_node, name, args, keywords, frame)
        variant = frame.variant
        if not callees or (callees[0][0] == "tv" and all(callee[0] == "tv" for callee in callees)):
            if not frame.quiet and callee_node is not None:
                variant.unresolved.add(site)
            return UNKNOWN
        variant.unresolved.discard(site)
        if name == "include_router" and arg_nodes and callee_node[0] == "a" and not frame.quiet:
            included, includer = self.router_at(arg_nodes[0], frame), self.router_at(callee_node[2], frame)
            if included is not None:
                self.included.setdefault(included, (text_of(keywords.get("prefix", UNKNOWN)), includer))
                self.inclusions.setdefault(included, {})[(variant.function, site)] = node
        if name in _FINISHERS:
            self.finish(arg_nodes, frame)
        out: Values = UNKNOWN
        meant = [callee for callee in callees if callee != NONE and (not awaited or self.can_be_awaited(callee))]
        if frame.tried and callee_node[0] == "a":
            meant = [callee for callee in meant if self._falls_back(callee, callee_node[2], frame)]
        if awaited and len(meant) > 1 and any(self._is_coroutine_function(callee) for callee in meant):
            meant = [callee for callee in meant if self._gives_awaitable(site, callee, args, keywords, frame)]
        if len(meant) > 1 and any(callee[0] in ("f", "b") for callee in meant):
            meant = [callee for callee in meant if not self._is_unheard_of(callee)]
        if awaited and callee_node[0] == "n" and self._is_called_plainly(callee_node[1], frame):
            if any(self._is_coroutine_function(callee) for callee in meant):
                meant = [callee for callee in meant if not self._is_plain_function(callee)]
            bare = [tuple(value for value in given if not self._is_coroutine_function(value)) for given in args]
            meant = [callee for callee in meant if self._gives_awaitable(site, callee, bare, keywords, frame)]
        kinds = len({_told_apart(callee) for callee in meant}) if len(meant) > 1 else 1
        if kinds > _MIXED:
            meant = [callee for callee in meant if callee[0] != "i"] or meant
        flags = MAYBE if kinds > 1 else 0
        if not frame.quiet and (not meant or flags):
            if all(self.is_turned_down(callee, args, keywords, flags) for callee in meant):
                variant.unresolved.add(site)  # none of those that are known by this name can be what is meant
        away = frame.away.get(callee_node[1], ()) if frame.away and callee_node[0] == "n" else ()
        for callee in meant:
            frame.calling = node
            where = flags | OFF_LOOP if callee in away else flags
            out = union(out, self.call(site, callee, args, keywords, frame, where, awaited))
        return out

    def _falls_back(self, callee: Value, receiver: Node, frame: Frame) -> bool:
        """Whether a method can be what is left where another one of the same receiver has raised NotImplementedError:
        not where every class in question implements that one."""
        inner = callee[1] if callee[0] == "b" else callee
        if inner[0] != "f":
            return True
        owner = self.world.function((inner[1], inner[2])).owner
        for tried, name in frame.tried if owner >= 0 else ():
            if same_place(tried, receiver):
                own = self.find_method((inner[1], owner), name)
                below = [ref for _, ref in self.overrides((inner[1], owner), name)]
                found = [*below, own] if isinstance(own, tuple) else below
                if found and not any(raises(self.world.function(ref).body, "NotImplementedError") for ref in found):
                    return False
        return True

    def _is_unheard_of(self, callee: Value) -> bool:
        """Whether a method of a library's type is one that the catalogue has never heard of: where the project has one
        of this name, that is the one."""
        return bool(
            callee[0] == "i"
            and callee[2] not in ("", BEYOND)
            and self.catalogue.order(callee[1])
            and not self.catalogue.names(callee[1], callee[2])
        )

    def _is_coroutine_function(self, callee: Value) -> bool:
        plain = callee[1] if callee[0] == "b" else callee
        return bool(plain[0] == "f" and self.world.function((plain[1], plain[2])).is_async)

    def _is_plain_function(self, callee: Value) -> bool:
        plain = callee[1] if callee[0] in ("b", "p") else callee
        return bool(plain[0] == "f" and not self.world.function((plain[1], plain[2])).is_async)

    def _is_called_plainly(self, name: str, frame: Frame) -> bool:
        """Whether this is a function that the function around it was given, and that also makes a plain wrapper of it:
        what is no coroutine function, and gives one only if it gets one, is for that."""
        function = frame.variant.function
        if name in frame.env or function[1] < 0:
            return False
        around = self.world.function(function).parent
        functions = self.world.modules[function[0]].facts.functions
        if around < 0 or all(param.name != name for param in functions[around].params):
            return False
        callee = ["n", name]
        return any(
            each.parent == around and not each.is_async and any(call[2] == callee for call in calls_within(each.body))
            for each in functions
        )

    def _gives_awaitable(
        self, site: int, callee: Value, args: list[Values], keywords: dict[str | None, Values], frame: Frame
    ) -> bool:
        """Whether a call may give something to await, asked of the twin of a coroutine function: of two wrappers that
        one place returns, a plain one that gives nothing known is for those who do not await."""
        plain = callee[1] if callee[0] == "b" else callee
        if plain[0] != "f" or self._is_coroutine_function(callee):
            return True
        node = self.world.function((plain[1], plain[2])).returns
        if node is not None and (node[0] not in ("n", "a") or node[-1] != "Any"):
            return True  # `can_be_awaited` has judged what it says
        given = self.call(site, callee, args, keywords, replace(frame, quiet=True))
        return any(
            value[0] in ("co", "o") or (value[0] == "i" and not self.catalogue.waits(value[1])) for value in given
        )

    def can_be_awaited(self, callee: Value) -> bool:
        """Whether awaiting a call of this value can work: a plain function with a plain result is not what is meant
        (an untyped receiver's twin, or a function that a decorator of an unknown library made awaitable)."""
        if callee[0] == "b":
            return self.can_be_awaited(callee[1])
        if callee[0] != "f":
            return True
        ref = (callee[1], callee[2])
        function = self.world.function(ref)
        if function.is_async:
            return True
        if function.is_generator:
            return False
        node = function.returns
        if node is None:
            return not function.decorators and (function.is_lambda or gives_something(function.body))
        if node[0] == "k" and isinstance(node[1], str):
            return any(word in node[1] for word in _MAY_WAIT)
        if _is_plain(node):
            return False
        declared = self.annotation(node, self.frame_of_definition(ref))
        return not declared or any(
            value[0] == "co" or (value[0] == "i" and not self.catalogue.waits(value[1])) for value in declared
        )

    def _argument(self, node: Node, frame: Frame, awaited: bool) -> Values:
        if awaited and node is not None:
            if node[0] == "c":
                return self.evaluate_call(node, frame, True)
            if node[0] in ("l", "t", "set"):
                parts = [self._argument(part, frame, True) for part in node[1]]
                return (("t", tuple(shallow(part) for part in parts)),)
        values = self.evaluate(node, frame)
        if len(values) == 1 and values[0][0] == "k" and isinstance(values[0][1], (int, float)):
            return values if self._certain(node, frame) else UNKNOWN
        return values

    def _certain(self, node: Node, frame: Frame) -> bool:
        """Whether a number or flag that an expression may be is the only one that it can be (see `constants`)."""
        if is_literal(node):
            return True
        if node[0] == "n":
            name = node[1]
            function = frame.variant.function
            if name in frame.env and function[1] >= 0:
                bound = self.bound_names(function)
                return once_literal(bound, name) or (name in frame.variant.bindings and name not in bound)
            home = self.home_of_global(name, frame)
            module = self.world.modules.get(home[1]) if home is not None else None
            return module is not None and module_literal(module, home[2])
        if node[0] == "a":
            for base in self.evaluate(node[2], frame):
                if base[0] == "m":
                    return base[1] in self.world.modules and module_literal(self.world.modules[base[1]], node[3])
                if base[0] in ("o", "c"):
                    order = [above for above in self.order((base[1], base[2])) if isinstance(above, tuple)]
                    return attribute_literal(self.world, order, node[3])
        return False

    def bound_names(self, ref: FunctionRef) -> Bindings:
        """What the body of a function binds its names to."""
        known = self.name_bindings.get(ref)
        if known is None:
            known = self.name_bindings[ref] = bindings_of(self.world.function(ref).body)
        return known

    def _super(self, frame: Frame) -> Values:
        owner = frame.owner
        if owner is None:
            return UNKNOWN
        receivers = frame.variant.receiver or (("o", owner[0], owner[1], 0),)
        return tuple(("super", owner[0], owner[1], receiver) for receiver in receivers)

    def _mutate(
        self, callee: Node, name: str, args: list[Values], keywords: dict[str | None, Values], frame: Frame
    ) -> None:
        """`container.append(value)` and the like: what goes in may come out elsewhere."""
        if callee[0] != "a":
            return
        if name in _BULK_MUTATORS:
            given = elements(args[0]) if args else UNKNOWN
            for values in keywords.values():
                given = union(given, values)
        else:
            place = _MUTATORS[name]
            given = args[place] if place < len(args) else UNKNOWN
        self.put_into(callee[2], given, frame)

    def put_into(self, container: Node, given: Values, frame: Frame, key: Any = ...) -> None:
        """Something went into a container: remember it where the container can be found again; with the key, if that
        is a constant."""
        given = shallow(tuple(value for value in given if value[0] != "k"))
        if not given or container is None:
            return
        if container[0] == "n":
            name = container[1]
            if name in frame.env:
                if frame.env[name] or name not in frame.declared:
                    held: Value = ("l", given) if key is ... else ("d", ((key, given),), UNKNOWN)
                    self.assign_name(name, union(frame.env[name], (held,)), frame)
                    if frame.variant.function[1] >= 0 and name not in frame.declared:
                        return
            home = self.home_of_global(name, frame)
            if home is not None:
                self._keep(home, given, key)
        elif container[0] == "a":
            base = container[2]
            if base is not None and base[0] == "a" and base[3] == "state":
                self._keep(("aitems", "starlette.datastructures.State", container[3]), given, key)
                return
            for value in self.evaluate(base, frame):
                if value[0] in ("o", "c"):
                    for above in self.order((value[1], value[2])):
                        if isinstance(above, tuple):
                            self._keep(("aitems", above, container[3]), given, key)
                elif value[0] == "m":
                    self._keep(("items", value[1], container[3]), given, key)
        elif container[0] == "s":
            self.put_into(container[2], (("l", given),), frame, _named_key(container[3]))
        elif container[0] == "c" and container[2] is not None and container[2][0] == "a":
            if container[2][3] in ("setdefault", "get"):
                self.put_into(container[2][2], (("l", given),), frame)

    def _keep(self, home: Any, given: Values, key: Any) -> None:
        """What went into a container that outlives the function: see `Names.with_items`."""
        if key is ...:
            self.widen(home, given)
        else:
            self.widen(("named", home), (("d", ((key, given),), UNKNOWN),))

    # Other expressions

    def _subscript(self, node: Node, frame: Frame) -> Values:
        _, site, base_node, index = node
        bases = self.evaluate(base_node, frame)
        out: Values = UNKNOWN
        key = _constant_key(index)
        types = [base for base in bases if base[0] in ("x", "c") and not _is_mapping(base)]
        if types:
            return self.subscripted_type(bases, index, frame)
        keys = self.evaluate(index, frame) if index is not None and index[0] not in ("sl", "t") else UNKNOWN
        if index is not None and index[0] == "sl":
            for part in index[1]:
                self.evaluate(part, frame)
        for base in bases:
            kind = base[0]
            if (
                kind == "t"
                and isinstance(key, int)
                and not isinstance(key, bool)
                and -len(base[1]) <= key < len(base[1])
            ):
                out = union(out, base[1][key])
            elif kind == "d":
                out = union(out, under_key(base, key))
            elif kind in ("l", "t"):
                out = union(out, _slice(base, index) if index is not None and index[0] == "sl" else elements((base,)))
            elif kind in ("o", "i"):
                found = self.implicit(base, "__getitem__", frame, site, [keys], MAYBE if len(bases) > 1 else 0)
                if not found and kind == "i":
                    item = self.catalogue.item(base[1]) if not base[2] else None
                    own = self.catalogue.method(base[1], f"{base[2]}.__getitem__" if base[2] else "__getitem__")
                    if item is not None:
                        found = self.typed(item, base, [], {}, UNKNOWN, frame)
                    elif own is None:  # `client["database"]["collection"]`: one more step along the path
                        found = (base,)
                out = union(out, found)
        return out

    def _await(self, node: Node, frame: Frame) -> Values:
        out: Values = UNKNOWN
        for value in self._to_await(node[2], frame):
            if value[0] == "co":
                out = union(out, value[1])
            elif value[0] == "o":
                out = union(out, self.implicit(value, "__await__", frame, node[1], []))
        return out

    def _to_await(self, node: Node, frame: Frame) -> Values:
        """What is awaited: a call, or whichever of two a condition chooses (`await (send(a) if a else send(b))`)."""
        if node is not None and node[0] == "c":
            return self.evaluate_call(node, frame, True)
        if node is not None and node[0] == "if":
            return self._conditional(node, frame, self._to_await)
        return self.evaluate(node, frame)

    def _yield(self, node: Node, frame: Frame) -> Values:
        values = self.evaluate(node[2], frame)
        if not frame.quiet:
            self.widen(("yields", frame.variant.number), shallow(values))
        return UNKNOWN

    def _yield_from(self, node: Node, frame: Frame) -> Values:
        values = self.iterate(self.evaluate(node[2], frame), node[1], frame)
        if not frame.quiet:
            self.widen(("yields", frame.variant.number), shallow(values))
        return UNKNOWN

    def _binary(self, node: Node, frame: Frame) -> Values:
        left = self.evaluate(node[3], frame)
        right = self.evaluate(node[4], frame)
        if node[2] == "or" and any(value[0] in ("c", "ty") or _is_class(value) for value in (*left, *right)):
            return (("ty", union(self.instances(left, frame), self.instances(right, frame)), UNKNOWN),)
        out: Values = UNKNOWN
        if node[2] == "or" and any(value[0] == "x" for value in (*left, *right)):  # flags of a library
            return union(left, right)
        special = _BINARY.get(node[2])
        for value in left:
            if value[0] in ("l", "t", "d"):
                out = union(out, (value,))
            elif special is not None and value[0] in ("o", "i"):
                found = self.implicit(value, special, frame, node[1], [right])
                if not found and value[0] == "i":  # path / "name", query + query: the same kind of thing
                    found = (value,)
                out = union(out, found)
        for value in right:
            if value[0] in ("l", "t", "d"):
                out = union(out, (value,))
            elif value[0] in ("o", "i") and special is not None and not any(v[0] in ("o", "i") for v in left):
                out = union(out, self.implicit(value, f"__r{special[2:]}", frame, node[1], [left]))
        return out

    def _comparison(self, node: Node, frame: Frame) -> Values:
        _, site, left_node, rest = node
        left = self.evaluate(left_node, frame)
        for operator, right_node in rest:
            right = self.evaluate(right_node, frame)
            if operator in ("in", "not in"):
                for value in right:
                    if value[0] == "o":
                        if self.find_method((value[1], value[2]), "__contains__") is not None:
                            self.implicit(value, "__contains__", frame, site, [left])
                        else:
                            self.implicit(value, "__iter__", frame, site, [])
                    elif value[0] == "i":
                        self.implicit(value, "__contains__", frame, site, [left])
                    elif value[0] == "g":
                        self.iterate((value,), site, frame)
            else:
                special = _COMPARE.get(operator)
                if special is not None:
                    for value in left:
                        if value[0] == "o":
                            self.implicit(value, special, frame, site, [right])
            left = right
        return UNKNOWN

    def _unary(self, node: Node, frame: Frame) -> Values:
        values = self.evaluate(node[2], frame)
        if node[1] == "not":
            self.truth(values, site_of(node[2]), frame)
            return UNKNOWN
        out: Values = UNKNOWN
        for value in values:
            if value[0] == "o":
                out = union(out, self.implicit(value, _UNARY.get(node[1], "__neg__"), frame, -1, []))
        return out

    def _boolean(self, node: Node, frame: Frame) -> Values:
        out: list[Values] = []
        saved = frame.flags
        told: dict[str, Values | None] = {}
        parts = node[2]
        for place, part in enumerate(parts):
            values = self.evaluate(part, frame)
            if place < len(parts) - 1:
                self.truth(values, site_of(part), frame)
                if _tells_of_rest(part) and frame.variant.function[1] >= 0:
                    self._narrow_rest(part, node[1] == "and", frame, told)
                    if frame.impossible:
                        frame.impossible = False
                        break
                # `on_loop() or run()` and `off_loop() and run()`: the rest runs only where there is no loop
                if self.probe(part, frame) == ("on" if node[1] == "or" else "off"):
                    frame.flags |= OFF_LOOP
            if node[1] == "or" or place == len(parts) - 1:
                out.append(values)
        frame.flags = saved
        for name, known in told.items():
            if known is None:
                frame.env.pop(name, None)
            else:
                frame.env[name] = known
        return mixed(out)

    def _narrow_rest(self, part: Node, truth: bool, frame: Frame, told: dict[str, Values | None]) -> None:
        """`isinstance(x, Text) and x.read()`: what the rest of it is evaluated for; `told` keeps what was known."""
        known = dict(frame.env)
        self.narrow(part, truth, frame)
        for name, values in frame.env.items():
            if known.get(name) is not values:
                told.setdefault(name, known.get(name))

    @abstractmethod
    def finish(self, nodes: list[Node], frame: Frame) -> None:
        """From here on the futures under these names are done."""

    @abstractmethod
    def probe(self, node: Node, frame: Frame) -> str | None:
        """Whether a test asks "am I on a loop?": "on" or "off" for what it means when true, else None."""

    def _conditional(self, node: Node, frame: Frame, evaluate: Callable[[Node, Frame], Values] | None = None) -> Values:
        evaluate = evaluate or self.evaluate
        test = self.evaluate(node[1], frame)
        self.truth(test, site_of(node[1]), frame)
        constant = only_constant(test)
        if constant is not True and constant is not False:
            constant = self.outcome(node[1], test, frame)
        if constant is not ...:
            return evaluate(node[2] if constant else node[3], frame)
        verdict = self.probe(node[1], frame)
        before, flags = frame.env, frame.flags
        branches: list[Values] = []
        for truth, branch, away in ((True, node[2], "off"), (False, node[3], "on")):
            frame.env, frame.impossible = dict(before), False
            self.narrow(node[1], truth, frame)
            if verdict == away:
                frame.flags |= OFF_LOOP
            if not frame.impossible:
                branches.append(evaluate(branch, frame))
            frame.env, frame.flags, frame.impossible = before, flags, False
        return mixed(branches)

    @abstractmethod
    def outcome(self, test: Node, values: Values, frame: Frame) -> Any:
        """The outcome of a test that can have only one, else `Ellipsis`."""

    @abstractmethod
    def narrow(self, test: Node, truth: bool, frame: Frame) -> None:
        """Adjust the frame's names to the outcome of a test."""

    def _tuple(self, node: Node, frame: Frame) -> Values:
        parts: list[Values] = []
        for element in node[1]:
            if element is not None and element[0] == "*":
                parts.append(elements(self.evaluate(element[1], frame)))
            else:
                parts.append(shallow(self.evaluate(element, frame)))
        return (("t", tuple(parts)),)

    def _list(self, node: Node, frame: Frame) -> Values:
        items: Values = UNKNOWN
        for element in node[1]:
            if element is not None and element[0] == "*":
                items = union(items, self.iterate(self.evaluate(element[1], frame), site_of(element[1]), frame))
            else:
                items = union(items, self.evaluate(element, frame))
        return (collection(tuple(item for item in items if item[0] != "k")),)

    def _dict(self, node: Node, frame: Frame) -> Values:
        pairs: list[tuple[Any, Values]] = []
        rest: Values = UNKNOWN
        for key, value_node in node[1]:
            values = shallow(self.evaluate(value_node, frame))
            if key is None:
                rest = union(rest, elements(values))
                continue
            self.evaluate(key, frame)
            useful = tuple(value for value in values if value[0] != "k")
            if not useful:
                continue
            if key[0] == "k" and len(pairs) < 64:
                pairs.append((key[1], values))
            else:
                rest = union(rest, values)
        return (("d", tuple(pairs), rest),)

    def _formatted(self, node: Node, frame: Frame) -> Values:
        for part in node[1]:
            for value in self.evaluate(part, frame):
                if value[0] == "o":
                    for special in ("__format__", "__str__"):
                        if isinstance(self.find_method((value[1], value[2]), special), tuple):
                            self.implicit(value, special, frame, site_of(part), [])
                            break
        return (TEXT,)

    def _starred(self, node: Node, frame: Frame) -> Values:
        return self.iterate(self.evaluate(node[1], frame), site_of(node[1]), frame)

    def _lambda(self, node: Node, frame: Frame) -> Values:
        for param in self.world.modules[frame.module].facts.functions[node[1]].params:
            if param.default is not None and param.default[0] != "k":
                self.evaluate(param.default, frame)
        env = frame.variant.number if frame.variant.function[1] >= 0 else -1
        return (("f", frame.module, node[1], env),)

    def _generator_expression(self, node: Node, frame: Frame) -> Values:
        """A generator: only its outermost iterable is evaluated here, the rest where it is consumed."""
        _, index, iterable = node
        outermost = self.world.modules[frame.module].facts.functions[index].body[0]
        is_async = outermost[0] == "for" and outermost[6]
        values = self.asynchronously(iterable, frame) if is_async else self.evaluate(iterable, frame)
        env = frame.variant.number if frame.variant.function[1] >= 0 else -1
        function: Value = ("f", frame.module, index, env)
        bindings = {".0": values} if values else {}
        variant = self.variant_of((frame.module, index), env, UNKNOWN, bindings)
        self.facts.setdefault(("scope", variant.number), UNKNOWN)
        return self.call_variant(-1, function, variant, frame, 0, CALL)

    def _comprehension(self, node: Node, frame: Frame) -> Values:
        _, kind, element, value, clauses = node
        before = frame.env
        frame.env = dict(before)
        for site, target, iterable, conditions, is_async in clauses:
            if is_async:
                items = self.iterate_async(self.asynchronously(iterable, frame), site, frame)
            else:
                items = self.iterate(self.evaluate(iterable, frame), site, frame)
            self.assign(target, items, frame)
            for condition in conditions:
                self.truth(self.evaluate(condition, frame), site, frame)
                self.narrow(condition, True, frame)
        if kind == "d":
            self.evaluate(element, frame)
            produced = self.evaluate(value, frame)
            result: Values = (("d", (), shallow(produced)),)
        else:
            produced = self.evaluate(element, frame)
            result = (collection(produced),)
        frame.env = before
        return result

    def asynchronously(self, node: Node, frame: Frame) -> Values:
        """What is iterated by `async for` or entered by `async with`: no blocking call gives such a thing, so a call of
        a receiver that is known as a synchronous client means its asynchronous twin here."""
        if node is not None and node[0] == "if":
            return self._conditional(node, frame, self.asynchronously)
        if node is None or node[0] != "c":
            return self.evaluate(node, frame)
        before = set(frame.variant.events)
        values = self.evaluate(node, frame)
        for event in set(frame.variant.events) - before:
            if event.site == node[1] and event.rule != _BUILDING:
                del frame.variant.events[event]
                for lock in frame.locks:
                    self.holds[lock].pop((frame.variant.number, event), None)
        return values

    def _named(self, node: Node, frame: Frame) -> Values:
        values = self.evaluate(node[2], frame)
        if node[1]:
            self.assign_name(node[1], values, frame)
        return values

    # Assignment

    def assign_name(self, name: str, values: Values, frame: Frame) -> None:
        """Bind a name from here on."""
        frame.env[name] = values
        variant = frame.variant
        if frame.quiet and frame.env is not variant.names:
            return
        known = variant.names.get(name, UNKNOWN)
        wider = union(known, values)
        if wider is not known or name not in variant.names:
            variant.names[name] = wider
            if ("local", variant.number, name) in self.readers:
                self.widen(("local", variant.number, name), values)
        if name in frame.declared:
            self.widen(("global", frame.module, name), tuple(value for value in values if value != NONE))
            enclosing = variant.env
            while enclosing >= 0:
                outer = self.variants[enclosing]
                if name in outer.names:
                    outer.names[name] = union(outer.names[name], values)
                enclosing = outer.env

    def assign(self, target: Node, values: Values, frame: Frame) -> None:
        """Assign to a target of any shape."""
        if target is None:
            return
        tag = target[0]
        if tag == "n":
            self.assign_name(target[1], values, frame)
        elif tag in ("t", "l"):
            self._assign_parts(target[1], values, frame)
        elif tag == "a":
            self._assign_attribute(target, values, frame)
        elif tag == "s":
            _, site, base_node, index = target
            bases = self.evaluate(base_node, frame)
            if index is not None and index[0] != "sl":
                self.evaluate(index, frame)
            for base in bases:
                self.implicit(base, "__setitem__", frame, site, [UNKNOWN, values])
            self.put_into(base_node, values, frame, _named_key(index))
        elif tag == "*":
            self.assign(target[1], (collection(values),), frame)

    def _assign_parts(self, targets: list[Node], values: Values, frame: Frame) -> None:
        for place, target in enumerate(targets):
            out: list[Values] = []
            for value in values:
                if value[0] == "t" and len(value[1]) == len(targets):
                    out.append(value[1][place])
                elif value[0] in ("l", "t"):
                    out.append(elements((value,)))
                elif value[0] in ("g", "o"):  # a, b = generator
                    out.append(self.iterate((value,), -1, frame))
            self.assign(target, mixed(out), frame)

    def _assign_attribute(self, target: Node, values: Values, frame: Frame) -> None:
        _, site, base_node, name = target
        if frame.narrowed and base_node is not None and base_node[0] == "n":
            frame.env.pop(f".{base_node[1]}.{name}", None)
        if base_node is not None and base_node[0] == "a" and base_node[3] == "state":
            self.widen(("state", name), shallow(values))
        for base in self.evaluate(base_node, frame):
            if base[0] in ("o", "c"):
                ref = (base[1], base[2])
                setter = self._setter(ref, name) if base[0] == "o" else None
                if setter is not None:
                    bound: Value = ("f", setter[0], setter[1], self.env_of_class(setter))
                    self.call_function(site, bound, base, [values], {}, frame, IMPLICIT, CALL)
                for above in self.order(ref) if base[0] == "o" else ():
                    if isinstance(above, tuple) and name in self.world.class_bindings(above):
                        for descriptor in self.class_level(above, name, frame):
                            if descriptor[0] == "o":
                                self.implicit(descriptor, "__set__", frame, site, [(base,), values])
                        break
                self.widen(("attr", ref, name), shallow(values))
            elif base[0] == "i" and base[1] == "starlette.datastructures.State":
                self.widen(("state", name), shallow(values))
            elif base[0] == "i" and not base[2]:
                self.play(frame, site, base[1], f"{name}=", [values], {}, 0)
            elif base[0] == "m":
                self.widen(("global", base[1], name), shallow(values))

    def _setter(self, ref: Any, name: str) -> FunctionRef | None:
        for above in self.order(ref):
            if isinstance(above, tuple):
                for index in self.world.class_(above).methods.get(name, ()):
                    function = self.world.function((above[0], index))
                    for node in function.decorators:
                        if node is not None and node[0] == "a" and node[3] == "setter":
                            return above[0], index
                special = self.world.class_(above).methods.get("__setattr__")
                if special:
                    return None
        return None


def site_of(node: Node) -> int:
    """The site of an expression, or of the first of its parts that has one; -1 if none has."""
    if node is None:
        return -1
    if node[0] in ("a", "c", "s", "w", "y", "yf", "o", "cmp"):
        return int(node[1])
    if node[0] in ("u", ":="):
        return site_of(node[2])
    if node[0] == "bool":
        return next((site for site in map(site_of, node[2]) if site >= 0), -1)
    return -1


def _slice(base: Value, index: Node) -> Values:
    """A slice of a collection; of a tuple exactly, where its bounds are written down: `args[1:]`."""
    bounds = dict(zip(index[2], index[1], strict=True))
    if base[0] != "t" or any(node is None or node[0] != "k" or type(node[1]) is not int for node in index[1]):
        return (base,)
    lower, upper, step = (bounds[name][1] if name in bounds else None for name in "lus")
    return (("t", base[1][lower:upper:step]),) if step != 0 else (base,)


def _told_apart(callee: Value) -> Value:
    """A callee without what makes no doubt: whether its receiver is of just this class, or merely declared so."""
    return (*callee[:2], callee[2][:3], *callee[3:]) if callee[0] == "b" and callee[2][0] == "o" else callee


def _is_mapping(base: Value) -> bool:
    """`os.environ` and other objects of libraries that are indexed, not subscripted as types."""
    return (
        base[0] == "x"
        and not base[1].rpartition(".")[2][:1].isupper()
        and not base[1].startswith(("builtins.", "typing."))
    )


def _is_class(value: Value) -> bool:
    last = value[1].rpartition(".")[2] if value[0] == "x" else ""
    return (last[:1].isupper() and not last.isupper()) or (value[0] == "x" and value[1].startswith("builtins."))


_HANDLERS: dict[str, Callable[[Any, Node, Frame], Values]] = {
    "a": Expressions._attribute,
    "c": Expressions._call,
    "s": Expressions._subscript,
    "w": Expressions._await,
    "y": Expressions._yield,
    "yf": Expressions._yield_from,
    "o": Expressions._binary,
    "cmp": Expressions._comparison,
    "u": Expressions._unary,
    "bool": Expressions._boolean,
    "if": Expressions._conditional,
    "t": Expressions._tuple,
    "l": Expressions._list,
    "set": Expressions._list,
    "d": Expressions._dict,
    "f": Expressions._formatted,
    "*": Expressions._starred,
    "fn": Expressions._lambda,
    "comp": Expressions._comprehension,
    "gen": Expressions._generator_expression,
    ":=": Expressions._named,
}
