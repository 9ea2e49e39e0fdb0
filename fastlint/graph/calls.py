"""Calling a value: functions, methods, classes, libraries of the catalogue. Knows contexts only as edge kinds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastlint.graph.members import Members
from fastlint.graph.state import (
    CALL,
    COROUTINE,
    ELSEWHERE,
    LOOP,
    MAYBE,
    ONCE,
    POOL,
    PRIVATE,
    PROCESS,
    STARTUP,
    Frame,
    Variant,
)
from fastlint.graph.values import (
    UNKNOWN,
    Value,
    Values,
    collection,
    elements,
    only_constant,
    shallow,
    substitute,
    union,
    without_none,
)
from fastlint.graph.world import FunctionRef
from fastlint.rulebook.catalogue import Argument, Condition, Spec
from fastlint.source.facts import Function, Node, Param

Keywords = Mapping[str | None, Values]

_KINDS = {
    "here": CALL,
    "loop": LOOP,
    "pool": POOL,
    "thread": POOL,
    "process": PROCESS,
    "startup": STARTUP,
    "worker": ELSEWHERE,
    "cli": ELSEWHERE,
}
# Labels of callables that are handed over in passing, inside a request: not entry points of their own
_PASSING = frozenset(
    {"", "background task", "streaming response", "task", "thread", "executor", "process", "loop callback", "callback"}
)
_MOST_VARIANTS = 12
_MOST_OF_HIGHER_ORDER = 400
_DEPENDS = frozenset({"fastapi.Depends", "fastapi.Security"})
_FILE_RULES = frozenset({"FL105", "FL113", "FL114"})
_LOG_HANDLER = "FL116"  # blocks when somebody logs, not when it is made
_OPENERS = frozenset({"FL105"})
# What `AsyncSession.run_sync` hands over: synchronous to look at, but it waits by switching back to the loop
_MOST_CALLBACK_PARAMETERS = 8
_FINISHED: Value = ("i", "asyncio.Future", "", 0)  # a future whose result is there: asking for it is free
BRIDGED: Value = ("i", "fastlint.bridged", "", 0)
_HTTP_CLIENTS = frozenset({"requests", "httpx", "httpx2", "aiohttp", "urllib3"})


class Calls(Members):
    """Binds arguments, chooses the variant of a callee, and records edges and events."""

    @abstractmethod
    def run(self, variant: Variant) -> None:
        """Analyse a variant's body, unless that is under way; later if the analysis stands too deep."""

    def call(
        self,
        site: int,
        callee: Value,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int = 0,
        awaited: bool = False,
        kind: str = CALL,
    ) -> Values:
        """What calling a value gives; see `State.call`. `kind` says where the callee runs, seen from here."""
        tag = callee[0]
        if tag == "f":
            return self.call_function(site, callee, None, args, keywords, frame, flags, kind)
        if tag == "b":
            return self._call_bound(site, callee, args, keywords, frame, flags, awaited, kind)
        if tag == "x":
            return self.call_library(site, callee, callee[1], args, keywords, frame, flags, awaited, kind)
        if tag == "i":
            return self.call_method(site, callee, args, keywords, frame, flags, awaited, kind)
        if tag == "c":
            return self.instantiate(site, callee, args, keywords, frame, flags, kind)
        if tag == "o":
            out: Values = UNKNOWN
            for bound in self.instance_attribute(callee, "__call__", frame, site):
                out = union(out, self.call(site, bound, args, keywords, frame, flags, awaited, kind))
            return out
        if tag == "p":
            merged = {**dict(callee[3]), **keywords}
            return self.call(site, callee[1], [*callee[2], *args], merged, frame, flags, awaited, kind)
        if tag == "once":
            return self.call(site, callee[1], args, keywords, frame, flags | ONCE, awaited, kind)
        if tag == "off":
            inner = self.call(site, callee[1], args, keywords, frame, flags, False, _KINDS.get(callee[2], POOL))
            return (("co", shallow(self.settled(inner)), ()),)
        if tag == "mgr":
            return self._call_manager(site, callee, None, args, keywords, frame)
        if tag == "bm":
            return self.builtin_method(site, callee, args, keywords, frame)
        if tag == "ty":
            for value in callee[1]:
                if value[0] == "o":
                    self.instantiate(site, ("c", value[1], value[2], -1), args, keywords, frame, flags, kind)
            return tuple(callee[1])
        return UNKNOWN

    # Functions of the project

    def _call_bound(
        self,
        site: int,
        callee: Value,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        awaited: bool,
        kind: str,
    ) -> Values:
        inner, receiver = callee[1], callee[2]
        if len(callee) > 3:
            flags |= callee[3]
        tag = inner[0]
        if tag == "f":
            result = self.call_function(site, inner, receiver, args, keywords, frame, flags, kind)
            return substitute(result, receiver[4]) if receiver[0] == "o" and len(receiver) > 4 else result
        if tag == "once":
            return self._call_bound(site, ("b", inner[1], receiver), args, keywords, frame, flags | ONCE, awaited, kind)
        if tag == "off":
            where = _KINDS.get(inner[2], POOL)
            result = self._call_bound(site, ("b", inner[1], receiver), args, keywords, frame, flags, False, where)
            return (("co", shallow(self.settled(result)), ()),)
        if tag == "mgr":
            return self._call_manager(site, inner, receiver, args, keywords, frame)
        return self.call(site, inner, [(receiver,), *args], keywords, frame, flags, awaited, kind)

    def call_function(
        self,
        site: int,
        callee: Value,
        receiver: Value | None,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        kind: str,
    ) -> Values:
        """Call a function of the project: an edge, and what it returns, yields, or gives when awaited."""
        ref: FunctionRef = (callee[1], callee[2])
        function = self.world.function(ref)
        declared = self.catalogue.functions.get(self.world.dotted_name(ref)) if self.catalogue.custom else None
        if declared is not None:  # a project function that the settings speak of
            return self._apply(
                site, declared, self.world.dotted_name(ref), None, args, keywords, frame, flags, False, kind
            )
        if flags & MAYBE and not _accepts(function, receiver is not None, args, keywords):
            return UNKNOWN  # of several possible targets, one that this call cannot mean
        variant = self.variant_for(callee, receiver, args, keywords, explicit=kind == CALL)
        result = self.call_variant(site, callee, variant, frame, flags, kind)
        return self._of_type_variable(ref, receiver, args, keywords) or result

    def _of_type_variable(
        self, ref: FunctionRef, receiver: Value | None, args: list[Values], keywords: Keywords
    ) -> Values:
        """What `def make(kind: type[T]) -> T` gives: an instance of the class that was passed."""
        function = self.world.function(ref)
        node = function.returns
        if node is None or node[0] != "n" or function.is_async or function.is_generator:
            return UNKNOWN
        scope = self.frame_of_definition(ref)
        if not any(value[0] == "ty" and len(value) > 3 for value in self.evaluate(node, scope)):
            return UNKNOWN
        params = function.params[1:] if receiver is not None else function.params
        bindings: dict[str, Values] = {}
        self._bind_arguments(params, args, keywords, bindings)
        for param in params:
            given = bindings.get(param.name)
            declared = param.annotation
            if given and declared is not None:
                if declared == node:
                    return given
                if declared[0] == "s" and declared[2] is not None and declared[2][-1] in ("type", "Type"):
                    if declared[3] == node:
                        return self.instances(given, scope)
        return UNKNOWN

    def call_variant(self, site: int, callee: Value, variant: Variant, frame: Frame, flags: int, kind: str) -> Values:
        """Call a function of the project whose variant is known."""
        function = self.world.function(variant.function)
        self.run(variant)
        if function.is_async:
            if function.is_generator:
                if kind in (CALL, LOOP):
                    self.edge(frame, site, COROUTINE, variant, flags)
                return (("ag", shallow(self._result(variant, "yields", frame)), variant.number),)
            if kind == CALL:
                self.edge(frame, site, COROUTINE, variant, flags)
            elif kind in (LOOP, STARTUP, ELSEWHERE):
                self.edge(frame, site, kind, variant, flags)
            return (("co", shallow(self._result(variant, "returns", frame)), (variant.number,)),)
        if function.is_generator:
            if kind not in (CALL, LOOP):
                self.edge(frame, site, kind, variant, flags)
            return (("g", shallow(self._result(variant, "yields", frame)), variant.number),)
        self.edge(frame, site, kind, variant, flags)
        return self._result(variant, "returns", frame)

    def _result(self, variant: Variant, what: str, frame: Frame) -> Values:
        found = self.read((what, variant.number), frame)
        if any(value[0] not in ("k", "t", "l", "d") for value in found):
            return found
        function = self.world.function(variant.function)
        if function.returns is None:
            return found
        declared = self.annotation(function.returns, self.frame_of_definition(variant.function))
        if what == "yields" or (function.is_async and not function.is_generator):
            if what == "yields":
                declared = elements(declared)
        return union(declared, found) if declared else found

    def frame_of_definition(self, ref: FunctionRef) -> Frame:
        """A frame in which a function's annotations and defaults can be evaluated."""
        frame = self.module_frame(ref[0])
        function = self.world.function(ref)
        owner = (ref[0], function.owner) if function.owner >= 0 else None
        scoped = Frame(frame.variant, ref[0], {}, class_scope=owner, owner=owner, quiet=True)
        if function.parent >= 0:
            enclosing = self.of_function.get((ref[0], function.parent))
            if enclosing:
                scoped.env = enclosing[0].names
        return scoped

    def _call_manager(
        self, site: int, callee: Value, receiver: Value | None, args: list[Values], keywords: Keywords, frame: Frame
    ) -> Values:
        inner = callee[1]
        if inner[0] != "f":
            return UNKNOWN
        variant = self.variant_for(inner, receiver, args, keywords)
        self.run(variant)
        if callee[2]:
            self.edge(frame, site, COROUTINE, variant)
        return (("cm", shallow(self._result(variant, "yields", frame)), variant.number, callee[2]),)

    def variant_for(
        self,
        callee: Value,
        receiver: Value | None,
        args: list[Values],
        keywords: Keywords,
        explicit: bool = False,
    ) -> Variant:
        """The variant of a function for these arguments: equal interesting arguments share one."""
        ref: FunctionRef = (callee[1], callee[2])
        function = self.world.function(ref)
        bindings: dict[str, Values] = {}
        params = function.params
        if receiver is not None and params and params[0].kind in ("p", "/"):
            params = params[1:]
        self._bind_arguments(params, args, keywords, bindings)
        for name, values in bindings.items():
            useful = tuple(value for value in values if value[0] != "k")
            if useful:
                self.widen(("param", ref, name), useful)
        interesting = {}
        switches = self.switches(ref)
        for param in params if switches else ():
            if param.name in switches:
                values = bindings.get(param.name, UNKNOWN)
                left_out = param.name not in bindings and None not in keywords
                if explicit and left_out and param.default is not None and param.default[0] == "k":
                    values = (("k", param.default[1]),)
                if isinstance(only_constant(values), bool):
                    interesting[param.name] = values
        for param in params:
            given = bindings.get(param.name)
            if given:
                kept = self._interesting(given, param, ref)
                if kept:
                    interesting[param.name] = kept
        if receiver is not None and receiver[0] == "o":
            exact = receiver[3] and bool(self.world.subclasses((receiver[1], receiver[2]), self.bases))
            receiver = ("o", receiver[1], receiver[2], 1 if exact else 0)
        # What is called with functions (decorators, runners) is mixed up when its callers share a variant
        higher_order = any(
            value[0] in ("f", "b", "p", "once", "mgr", "co", "g", "ag")
            for kept in interesting.values()
            for value in kept
        )
        if len(self.of_function.get(ref, ())) >= (_MOST_OF_HIGHER_ORDER if higher_order else _MOST_VARIANTS):
            interesting = {}
            if receiver is not None and receiver[0] == "o" and function.owner >= 0:
                receiver = ("o", ref[0], function.owner, 0)
        return self._variant(ref, callee[3], (receiver,) if receiver is not None else UNKNOWN, interesting)

    def switches(self, ref: FunctionRef) -> frozenset[str]:
        """The parameters that a function tests and nothing assigns: True and False make two functions of it."""
        known = self.switch_names.get(ref)
        if known is None:
            function = self.world.function(ref)
            tested: set[str] = set()
            assigned: set[str] = set()
            _scan_switches(function.body, tested, assigned)
            names = {param.name for param in function.params}
            known = self.switch_names[ref] = frozenset((tested & names) - assigned)
        return known

    def _variant(self, ref: FunctionRef, env: int, receiver: Values, bindings: dict[str, Values]) -> Variant:
        key = (ref, env, receiver, tuple(sorted(bindings.items())))
        found = self.by_key.get(key)
        if found is None:
            found = self.by_key[key] = Variant(len(self.variants), ref, env, receiver, bindings)
            self.variants.append(found)
            self.of_function.setdefault(ref, []).append(found)
        return found

    def _interesting(self, given: Values, param: Param, ref: FunctionRef) -> Values:
        """The arguments that are worth a variant of their own: callables, and receivers typed better than declared."""
        kept: Values = UNKNOWN
        typed = param.annotation is not None
        for value in given:
            kind = value[0]
            if kind in ("f", "b", "p", "c", "off", "once", "mgr", "co", "g", "ag", "cm", "map"):
                kept = (*kept, value)
            elif kind == "x":
                if self.catalogue.function(value[1]) is not None or self.catalogue.order(value[1]):
                    kept = (*kept, value)
            elif kind == "i":
                if not typed or _is_bridged(value) or self.catalogue.order(value[1]):
                    kept = (*kept, value)
            elif kind == "o":
                if not typed or value[3] or not self._declared_as(value, param, ref):
                    kept = (*kept, value)
            elif kind in ("l", "t", "d"):
                if any(v[0] in ("f", "b", "p", "c", "co", "g", "i", "o") for v in elements((value,))):
                    kept = (*kept, value)
        return shallow(kept)[:8]

    def _declared_as(self, value: Value, param: Param, ref: FunctionRef) -> bool:
        declared = self.annotated(ref, param)
        return ("o", value[1], value[2], 0) in declared

    def annotated(self, ref: FunctionRef, param: Param) -> Values:
        """Instances of what a parameter's annotation says."""
        key = ("annotated", ref, param.name)
        if key not in self.facts:
            self.facts[key] = UNKNOWN
            self.facts[key] = self.annotation(param.annotation, self.frame_of_definition(ref))
        return self.facts[key]

    def _bind_arguments(
        self, params: list[Param], args: list[Values], keywords: Keywords, bindings: dict[str, Values]
    ) -> None:
        place = 0
        positional = [param for param in params if param.kind in ("p", "/")]
        for values in args:
            if place < len(positional):
                bindings[positional[place].name] = values
                place += 1
            else:
                for param in params:
                    if param.kind == "*":
                        bindings[param.name] = union(bindings.get(param.name, UNKNOWN), (collection(values),))
        names = {param.name for param in params if param.kind in ("p", "k")}
        rest = next((param.name for param in params if param.kind == "**"), None)
        for name, values in keywords.items():
            if name in names:
                bindings[name] = values
            elif name is not None and rest is not None and values:
                bindings[rest] = union(bindings.get(rest, UNKNOWN), (("d", ((name, shallow(values)),), UNKNOWN),))

    def param_values(self, variant: Variant, param: Param, frame: Frame) -> Values:
        """What a parameter may be in a variant: what was passed, what a dependency gives, what is declared."""
        given = variant.bindings.get(param.name)
        ref = variant.function
        dependency = self._dependency(variant, param, frame)
        if dependency:
            return dependency
        declared = self.annotated(ref, param)
        if given:
            return given
        if param.kind == "*":
            return (collection(declared),)
        if param.kind == "**":
            return (("d", (), shallow(declared)),)
        default = self.evaluate(param.default, self.frame_of_definition(ref)) if param.default is not None else UNKNOWN
        default = tuple(value for value in default if value[0] in ("f", "x", "c", "o", "i", "p", "b"))
        if declared:
            return union(declared, default)
        if param.annotation is None:
            self.look_for_callers(ref)
            observed = self.read(("param", ref, param.name), frame)
            return union(observed, default)
        return default

    def _dependency(self, variant: Variant, param: Param, frame: Frame) -> Values:
        """What the `Depends(…)` of a parameter gives; the parameter's function is what runs it."""
        scope = self.frame_of_definition(variant.function)
        found: Values = UNKNOWN
        if param.default is not None and param.default[0] == "c":
            found = tuple(v for v in self.evaluate(param.default, scope) if v[0] == "dep")
        if not found and param.annotation is not None:
            found = self.dependencies_in(param.annotation, scope)
        out: Values = UNKNOWN
        for dependency in found:
            callables = dependency[1] or self.evaluate(_plain(param.annotation), scope)
            site = dependency[2] if dependency[3] == variant.function[0] else self.world.function(variant.function).site
            for value in callables:
                out = union(out, self.settled(self.run_value(value, "auto", site, frame, [], {}, "")))
        if not found:
            return UNKNOWN
        declared = self.annotated(variant.function, param)
        if declared and all(value[0] == "i" and self.catalogue.order(value[1]) for value in declared):
            fitting = tuple(value for value in out if value[0] != "i" or any(self._fits(value, d) for d in declared))
            return fitting or declared
        return out or declared

    def _fits(self, value: Value, declared: Value) -> bool:
        """Whether an instance of a catalogue type is what an annotation declares, or a subclass of it."""
        return any(spec.name == declared[1] for spec in self.catalogue.order(value[1])) or value[1] == declared[1]

    def provided(self, values: Values, frame: Frame) -> Values:
        """See `Names.provided`."""
        out: Values = UNKNOWN
        for value in values:
            if value[0] != "dep":
                out = union(out, (value,))
                continue
            for callee in value[1]:
                out = union(out, self.settled(self.run_value(callee, "auto", value[2], frame, [], {}, "")))
        return out

    def settled(self, values: Values) -> Values:
        """What is there once awaited, entered or iterated: a coroutine's result, what a generator yields."""
        out: Values = UNKNOWN
        for value in values:
            out = union(out, value[1] if value[0] in ("co", "g", "ag", "cm") else (value,))
        return out

    def look_for_callers(self, ref: FunctionRef) -> None:
        """Analyse the functions that mention this one by name, so that its parameters become known."""
        key = ("callers", ref)
        if key in self.facts:
            return
        self.facts[key] = UNKNOWN
        function = self.world.function(ref)
        if function.is_lambda:
            return
        name = function.name
        if name in ("__init__", "__new__", "__call__") and function.owner >= 0:
            name = self.world.class_((ref[0], function.owner)).name
        mentions = self.world.mentions.get(name, ())
        if len(mentions) > 25:
            return
        for mention in mentions:
            if mention != ref and mention[1] >= 0:
                self.ensure(mention)

    # Classes of the project

    def instantiate(
        self, site: int, callee: Value, args: list[Values], keywords: Keywords, frame: Frame, flags: int, kind: str
    ) -> Values:
        """Call a class of the project: its constructor runs, an exact instance comes back."""
        ref = (callee[1], callee[2])
        receiver: Value = ("o", callee[1], callee[2], 1)
        done: set[str] = set()
        for above in self.order(ref):
            if isinstance(above, str):
                if "__init__" not in done:
                    spec = self.catalogue.function(above)
                    if spec is not None and spec.rule is not None:
                        self._apply(site, spec, above, None, args, keywords, frame, flags, False, kind)
                        done.add("__init__")
                continue
            methods = self.world.class_(above).methods
            for name in ("__init__", "__new__", "__post_init__", "model_post_init"):
                if name in methods and name not in done:
                    done.add(name)
                    target: Value = (
                        "f",
                        above[0],
                        methods[name][-1],
                        self._env_of_class((above[0], methods[name][-1])),
                    )
                    passed = args if name in ("__init__", "__new__") else []
                    named = keywords if name in ("__init__", "__new__") else {}
                    self.call_function(site, target, receiver, passed, named, frame, flags, kind)
            if "__init__" not in done:
                self._fields(above, args, keywords)
            for hook, label in self.model_hooks.get(above, {}).items():
                if label == "validator":
                    self.call_function(site, ("f", hook[0], hook[1], -1), receiver, [], {}, frame, flags, kind)
        return (receiver,)

    def _fields(self, ref: Any, args: list[Values], keywords: Keywords) -> None:
        """A dataclass, model or attrs class without `__init__`: keywords become attributes."""
        bindings = self.world.class_bindings(ref)
        names = [name for name, rows in bindings.items() if rows[0][0] == "ann"]
        for name, values in [*zip(names, args, strict=False), *keywords.items()]:
            if name in bindings:
                useful = tuple(v for v in values if v[0] in ("f", "b", "p", "o", "i", "once", "off", "c"))
                self.widen(("attr", ref, name), useful)

    # Libraries

    def call_library(
        self,
        site: int,
        callee: Value,
        dotted: str,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        awaited: bool,
        kind: str,
    ) -> Values:
        """Call a function or class outside the project."""
        if dotted.startswith("builtins.") and kind not in (CALL, LOOP, STARTUP):
            self._consume_elsewhere(args, site, frame, kind)
            return UNKNOWN
        if dotted.startswith("builtins."):
            found = self.builtin(site, dotted[9:], args, keywords, frame, flags)
            if found is not None:
                return found
        if dotted in _DEPENDS:
            given = args[0] if args else keywords.get("dependency", UNKNOWN)
            return (("dep", given, site, frame.module),)
        if dotted in ("functools.partial", "functools.partialmethod"):
            rest = tuple(args[1:])
            named = tuple((name, values) for name, values in keywords.items() if name is not None)
            return shallow(tuple(("p", value, rest, named) for value in (args[0] if args else UNKNOWN)))
        if dotted == "functools.wraps":
            return (("x", "functools.wraps()"),)
        if dotted == "functools.wraps()":
            return args[0] if args else UNKNOWN
        if dotted == "contextvars.ContextVar":
            return (("d", (), shallow(without_none(keywords.get("default", UNKNOWN)))),)
        if dotted == "typing.cast" and args:
            return self.instances(args[0], frame) or (args[1] if len(args) > 1 else UNKNOWN)
        if dotted == "typing.NewType" and len(args) > 1:
            return (("ty", self.instances(args[1], frame), UNKNOWN),)
        if dotted == "typing.TypeVar":
            bounds = keywords.get("bound", UNKNOWN)
            for extra in args[1:]:
                bounds = union(bounds, extra)
            name = only_constant(args[0]) if args else ...
            unbound: Values = (("tv", name),) if isinstance(name, str) else UNKNOWN
            return (("ty", self.instances(bounds, frame) or unbound, UNKNOWN, name),)
        if dotted in ("asyncio.gather", "asyncio.tasks.gather"):
            parts = tuple(shallow(self.settled(values)) for values in args)
            return (("co", (("t", parts),), ()),)
        spec = self.catalogue.function(dotted)
        if kind == CALL and (spec is None or not spec.runs):
            self._consume(args, site, frame)
        maker = self.catalogue.makers.get(dotted)
        result: Values = UNKNOWN
        if spec is not None:
            result = self._apply(site, spec, dotted, None, args, keywords, frame, flags, awaited, kind)
            if result:
                return result
        name = maker or dotted
        opened = 0
        if spec is not None and (spec.rule in _OPENERS or spec.rule == _LOG_HANDLER):
            opened = 1 if self.applies(spec, args, keywords) else 0
        order = self.catalogue.order(name)
        if order:
            return (("i", order[0].name, "", opened),)
        if name.rpartition(".")[2][:1].isupper():
            return (("i", name, "", opened),)
        if spec is None and not dotted.startswith("builtins."):
            frame.variant.unresolved.discard(site)
        return UNKNOWN

    def _consume(self, args: list[Values], site: int, frame: Frame) -> None:
        """A generator expression written as an argument of a plain call is nearly always consumed by it."""
        for values in args:
            for value in values:
                if (
                    value[0] == "g"
                    and value[2] >= 0
                    and self.world.function(self.variants[value[2]].function).is_lambda
                ):
                    self.iterate((value,), site, frame)

    def _consume_elsewhere(self, args: list[Values], site: int, frame: Frame, kind: str) -> None:
        """`to_thread(list, generator)`: the thread iterates."""
        for values in args:
            for value in values:
                if value[0] == "g" and value[2] >= 0:
                    self.edge(frame, site, kind, self.variants[value[2]])
                elif value[0] == "map":
                    for function in value[1]:
                        self.call(site, function, [], {}, frame, kind=kind)

    def call_method(
        self,
        site: int,
        callee: Value,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        awaited: bool,
        kind: str,
    ) -> Values:
        """Call a method (a path of attributes) of an instance of a catalogue type, or the instance itself."""
        type_name, path, opened = callee[1], callee[2], callee[3]
        asked = path or "__call__"
        spec = self.catalogue.method(type_name, asked)
        maker = self.catalogue.makers.get(f"{type_name}.{asked}")
        receiver: Value = ("i", type_name, "", opened)
        result: Values = UNKNOWN
        if asked == "addHandler" and args:
            self._handler_added(args[0], site, frame, flags)
        if asked == "add_done_callback" and args:
            for callback in args[0]:
                where = "loop" if self.catalogue.is_asynchronous(type_name) else "pool"
                self.run_value(callback, where, site, frame, [(_FINISHED,)], {}, "callback")
            return UNKNOWN
        if asked.endswith(("enter_context", "enter_async_context")):
            return self.enter(args[0] if args else UNKNOWN, site, frame, "async" in asked)
        if spec is not None:
            free = opened and spec.rule in _FILE_RULES
            result = self._apply(
                site,
                Spec(returns=spec.returns, runs=spec.runs, library=spec.library) if free else spec,
                f"{type_name}.{asked}",
                receiver,
                args,
                keywords,
                frame,
                flags,
                awaited or self.catalogue.is_asynchronous(type_name),
                kind,
            )
            if result:
                return result
        returned = self.catalogue.returned(type_name, asked)
        if returned is not None:
            made = self.typed(returned, receiver, args, keywords, result, frame)
            return _opened(made) if (spec is not None and spec.rule in _OPENERS) or kind in (POOL, PROCESS) else made
        if maker is not None:
            return (("i", maker, "", 0),)
        if self.catalogue.is_asynchronous(type_name):
            return (("co", UNKNOWN, ()),)
        if spec is not None and spec.rule is not None:
            return UNKNOWN
        if path.endswith("__") or len(path) > 120:
            return UNKNOWN
        return (("i", type_name, path, opened),)

    def _handler_added(self, values: Values, site: int, frame: Frame, flags: int) -> None:
        """A log handler is given to a logger: from now on whoever logs waits for it."""
        for value in values:
            if value[0] == "i" and value[3] and not value[2]:
                spec = self.catalogue.function(value[1])
                if spec is not None and spec.rule == _LOG_HANDLER:
                    self.event(frame, site, value[1], spec, flags)
            elif value[0] == "o":
                self.register(frame, site, "log handler")
                for bound in self.instance_attribute(value, "emit", frame, site):
                    self.call(site, bound, [], {}, frame, kind=LOOP)

    @abstractmethod
    def enter(self, values: Values, site: int, frame: Frame, is_async: bool) -> Values:
        """What entering context managers gives; records what runs."""

    def _apply(
        self,
        site: int,
        spec: Spec,
        name: str,
        receiver: Value | None,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        awaited: bool,
        kind: str,
    ) -> Values:
        """Do what the catalogue says of a call: an event if it blocks, edges to what it runs, what it returns."""
        while spec.otherwise is not None and not self.applies(spec, args, keywords):
            spec = spec.otherwise
        if any(_is_bridged(value) for values in (*args, *keywords.values()) for value in values):
            return (BRIDGED,)
        if spec.rule is None and (spec.only or spec.unless) and not self.applies(spec, args, keywords):
            return UNKNOWN
        if (
            spec.rule is not None
            and spec.rule != _LOG_HANDLER
            and spec.decorates is None
            and not awaited
            and kind in (CALL, LOOP, STARTUP)
        ):
            if self.applies(spec, args, keywords) and not self._in_memory(spec, args):
                self.event(frame, site, name, spec, flags)
        if kind != ELSEWHERE and self._waits_for_ever(spec, name, args, keywords):
            self.event(frame, site, name, replace(spec, rule="FL402", unless=(), only=()), flags)
        result: Values = UNKNOWN
        for run in spec.runs:
            values = argument(run.argument, args, keywords)
            if not values:
                continue
            rest = args[run.argument.position + 1 :] if run.passes and run.argument.position is not None else []
            named = {k: v for k, v in keywords.items() if k != run.argument.name} if run.passes else {}
            if run.keeps_loop_bridge:
                rest = [(BRIDGED,)] * (1 if run.passes else _MOST_CALLBACK_PARAMETERS) + list(rest)
            for value in values:
                # `partial(context.run, f)` handed to a thread: "here" is that thread
                where = "pool" if run.where == "here" and kind in (POOL, PROCESS) else run.where
                if run.method:
                    for bound in self.attribute((value,), run.method, frame, site) if value[0] == "o" else ():
                        self.run_value(bound, where, site, frame, rest, named, run.label)
                else:
                    result = union(result, self.run_value(value, where, site, frame, rest, named, run.label))
        if spec.returns is not None:
            made = self.typed(spec.returns, receiver, args, keywords, self.settled(result), frame)
            return _opened(made) if spec.rule in _OPENERS or kind in (POOL, PROCESS) else made
        return UNKNOWN

    def _waits_for_ever(self, spec: Spec, name: str, args: list[Values], keywords: Keywords) -> bool:
        """An HTTP call without the time-out that its library does not set by itself, or with `timeout=None`."""
        if spec.timeout is not None:
            if None in keywords:
                return False
            given = argument(spec.timeout, args, keywords)
            return not self._is_given(spec.timeout, args, keywords) or only_constant(given) is None
        if spec.rule == "FL101" or name.split(".")[0] in _HTTP_CLIENTS:
            return "timeout" in keywords and only_constant(keywords["timeout"]) is None
        return False

    @staticmethod
    def _is_given(wanted: Argument, args: list[Values], keywords: Keywords) -> bool:
        return wanted.name in keywords or (wanted.position is not None and wanted.position < len(args))

    def applies(self, spec: Spec, args: list[Values], keywords: Keywords) -> bool:
        """Whether the call blocks with these arguments."""
        if spec.unless and any(self._holds(condition, args, keywords) for condition in spec.unless):
            return False
        return all(self._holds(condition, args, keywords) for condition in spec.only)

    def _holds(self, condition: Condition, args: list[Values], keywords: Keywords) -> bool:
        given = argument(condition.argument, args, keywords)
        if condition.operator == "has":
            return ("x", condition.value) in given
        if condition.operator != "asynchronous":
            return holds(condition, args, keywords)
        return any(value[0] == "i" and self.catalogue.is_asynchronous(value[1]) for value in given)

    def _in_memory(self, spec: Spec, args: list[Values]) -> bool:
        """Reading a file that was opened (and reported) elsewhere, or one that is no file at all."""
        if spec.rule not in _OPENERS or not args:
            return False
        return any(value[0] == "i" and (value[3] or value[1] in ("io.StringIO", "io.BytesIO")) for value in args[0])

    def run_value(
        self,
        value: Value,
        where: str,
        site: int,
        frame: Frame,
        args: list[Values],
        keywords: Keywords,
        label: str,
    ) -> Values:
        """Hand a callable (or coroutine, generator, collection of them) to whatever runs it elsewhere, or here."""
        tag = value[0]
        if tag in ("l", "t", "d"):
            out: Values = UNKNOWN
            for part in elements((value,)):
                out = union(out, self.run_value(part, where, site, frame, args, keywords, label))
            return out
        if tag == "dep":
            for part in value[1]:
                self.run_value(part, where, site, frame, args, keywords, label)
            return UNKNOWN
        if label not in _PASSING:
            self.register(frame, site, label)
        if tag == "co":
            for number in value[2]:
                self.edge(frame, site, self._kind_of_coroutine(where), self.variants[number])
            return tuple(value[1])
        if tag == "g" or tag == "ag":
            if value[2] >= 0:
                default = LOOP if tag == "ag" else POOL
                kind = _KINDS.get(where, default) if tag == "g" else LOOP
                self.edge(frame, site, kind, self.variants[value[2]])
            return (value,)
        if tag == "cm":
            if value[2] >= 0:
                self.edge(frame, site, STARTUP if where == "startup" else LOOP, self.variants[value[2]])
            return tuple(value[1])
        if tag == "mgr":  # lifespan=: the function itself, decorated
            return self.run_value(value[1], where, site, frame, args, keywords, label)
        if tag == "c" and label == "middleware":
            return self._middleware(value, site, frame)
        if where == "auto":
            kind = LOOP if self.is_async_callable(value) else POOL
        else:
            kind = _KINDS.get(where, CALL)
        if tag == "f" and kind in (LOOP, STARTUP):
            function = self.world.function((value[1], value[2]))
            if function.is_generator:  # a generator handed over is iterated there
                variant = self.variant_for(value, None, args, keywords)
                self.run(variant)
                self.edge(frame, site, kind, variant)
                return (("g", self._result(variant, "yields", frame), variant.number),)
        return self.call(site, value, args, keywords, frame, kind=kind)

    def _kind_of_coroutine(self, where: str) -> str:
        if where == "here":
            return PRIVATE
        return {"startup": STARTUP, "worker": ELSEWHERE, "cli": ELSEWHERE}.get(where, LOOP)

    def register(self, frame: Frame, site: int, label: str) -> None:
        """Remember what users call what is registered at this site."""
        if not frame.quiet:
            frame.variant.labels.setdefault(site, label)

    def _middleware(self, value: Value, site: int, frame: Frame) -> Values:
        """A middleware class: built once, its `__call__` (or the base class's `dispatch`) runs on the loop."""
        instance: Value = ("o", value[1], value[2], 1)
        self.call(site, value, [], {}, frame, kind=STARTUP)
        for name in ("__call__", "dispatch"):
            if isinstance(self.find_method((value[1], value[2]), name), tuple):
                for bound in self.instance_attribute(instance, name, frame, site):
                    self.call(site, bound, [], {}, frame, kind=LOOP)
        return UNKNOWN

    def is_async_callable(self, value: Value) -> bool:
        """FastAPI's own test: a coroutine function, behind partials, bound methods and `__call__` of instances."""
        tag = value[0]
        if tag == "f":
            function = self.world.function((value[1], value[2]))
            if function.is_async:
                return True
            wrapped = self._wrapped(function.decorators)
            return wrapped is not None and self._names_async(wrapped, value)
        if tag in ("b", "p", "once", "mgr"):
            return self.is_async_callable(value[1])
        if tag == "off":
            return True
        if tag == "o":
            method = self.find_method((value[1], value[2]), "__call__")
            return isinstance(method, tuple) and self.world.function(method).is_async
        if tag == "i":
            return self.catalogue.is_asynchronous(value[1])
        return False

    def _wrapped(self, decorators: list[Node]) -> Node:
        """The argument of `@functools.wraps(f)`: FastAPI looks through it (`inspect.unwrap`)."""
        for node in decorators:
            if node is not None and node[0] == "c" and node[2] is not None and node[2][-1] == "wraps" and node[3]:
                return node[3][0]
        return None

    def _names_async(self, node: Node, value: Value) -> bool:
        if value[3] < 0 or node[0] != "n":
            return False
        inner = self.variants[value[3]].names.get(node[1], UNKNOWN)
        return any(v[0] == "f" and self.world.function((v[1], v[2])).is_async for v in inner)

    # Built-in functions and methods

    @abstractmethod
    def iterate(self, values: Values, site: int, frame: Frame) -> Values:
        """What iterating values gives; records what runs."""

    def builtin(
        self, site: int, name: str, args: list[Values], keywords: Keywords, frame: Frame, flags: int
    ) -> Values | None:
        """What a built-in function gives; None where it is left to the catalogue."""
        first = args[0] if args else UNKNOWN
        if name in ("list", "set", "tuple", "frozenset", "sorted", "reversed"):
            items = self.iterate(first, site, frame)
            for key in keywords.get("key", UNKNOWN):
                self.call(site, key, [items], {}, frame)
            if name == "sorted" and "key" not in keywords:
                for item in items:
                    if item[0] == "o":
                        self.implicit(item, "__lt__", frame, site, [items])
            return (collection(items),)
        if name == "dict":
            if any(value[0] in ("g", "o") for value in first):
                self.iterate(first, site, frame)
            pairs = tuple((key, shallow(values)) for key, values in keywords.items() if key is not None)
            inner = [value for value in first if value[0] == "d"]
            return (*inner, ("d", pairs, UNKNOWN)) if pairs or not inner else tuple(inner)
        if name in ("sum", "any", "all", "max", "min"):
            items = self.iterate(first, site, frame)
            for key in keywords.get("key", UNKNOWN):
                self.call(site, key, [items], {}, frame)
            return items if name in ("max", "min") else UNKNOWN
        if name in ("next", "anext"):
            return self.iterate(first, site, frame)
        if name == "enumerate":
            return (collection((("t", (UNKNOWN, shallow(self.iterate(first, site, frame)))),)),)
        if name == "zip":
            return (collection((("t", tuple(shallow(self.iterate(values, site, frame)) for values in args)),)),)
        if name in ("map", "filter"):
            return (("map", first),) if first else (("l", UNKNOWN),)
        if name == "iter":
            return first
        if name in ("len", "bool", "str", "repr", "hash", "int", "float", "bytes"):
            special = {"len": "__len__", "bool": "__bool__", "str": "__str__", "repr": "__repr__", "hash": "__hash__"}
            if name in special:
                for value in first:
                    self.implicit(value, special[name], frame, site, [])
            return (("k", ""),) if name in ("str", "repr") else UNKNOWN
        if name == "getattr":
            attribute = only_constant(args[1]) if len(args) > 1 else ...
            found = self.attribute(first, attribute, frame, site) if isinstance(attribute, str) else UNKNOWN
            return union(found, args[2]) if len(args) > 2 else found
        if name == "type" and len(args) == 1:
            return tuple(("c", value[1], value[2], -1) for value in first if value[0] == "o")
        if name in ("isinstance", "issubclass", "hasattr", "callable", "id", "range", "ord", "chr", "abs", "round"):
            return UNKNOWN
        if name == "setattr":
            attribute = only_constant(args[1]) if len(args) > 1 else ...
            if isinstance(attribute, str) and len(args) > 2:
                for value in first:
                    if value[0] == "o":
                        self.widen(("attr", (value[1], value[2]), attribute), args[2])
            return UNKNOWN
        return None

    def builtin_method(self, site: int, callee: Value, args: list[Values], keywords: Keywords, frame: Frame) -> Values:
        """What a method of a built-in collection, string, generator or awaitable gives."""
        value, name = callee[1], callee[2]
        kind = value[0]
        if kind == "d":
            if name in ("get", "pop", "setdefault", "__getitem__"):
                key = only_constant(args[0]) if args else ...
                named = next((part for known, part in value[1] if known == key and key is not ...), None)
                found = named if named is not None else elements((value,))
                return union(found, args[1]) if len(args) > 1 else found
            if name == "values":
                return (collection(elements((value,))),)
            if name == "items":
                return (collection((("t", (UNKNOWN, shallow(elements((value,))))),)),)
            return (value,) if name == "copy" else UNKNOWN
        if kind in ("l", "t"):
            if name in ("pop", "popleft", "__getitem__"):
                return elements((value,))
            return (value,) if name in ("copy", "union", "difference") else UNKNOWN
        if kind == "g":
            return self.iterate((value,), site, frame)
        if kind == "k":
            if name == "join" and args:
                self.iterate(args[0], site, frame)
            return (("k", ""),) if name not in ("split", "splitlines", "encode") else UNKNOWN
        if kind == "co":
            if name == "result":
                return tuple(value[1])
            if name == "add_done_callback" and args:
                for callback in args[0]:
                    self.call(site, callback, [], {}, frame, kind=LOOP)
        return UNKNOWN


def _accepts(function: Function, bound: bool, args: list[Values], keywords: Keywords) -> bool:
    """Whether a function can be called with these arguments: so many of them, by these names."""
    params = function.params[1:] if bound else function.params
    kinds = {param.kind for param in params}
    if "*" not in kinds and len(args) > sum(param.kind in ("p", "/") for param in params):
        return False
    names = {param.name for param in params if param.kind in ("p", "k")}
    return "**" in kinds or all(name is None or name in names for name in keywords)


def _scan_switches(block: Any, tested: set[str], assigned: set[str]) -> None:
    for statement in block:
        tag = statement[0]
        if tag == "if":
            tested.update(_tested_names(statement[1]))
            _scan_switches(statement[2], tested, assigned)
            _scan_switches(statement[3], tested, assigned)
        elif tag in ("=", ":", "+="):
            targets = statement[1] if tag == "=" else [statement[1]]
            assigned.update(target[1] for target in targets if target is not None and target[0] == "n")
        elif tag == "for":
            _scan_switches(statement[4], tested, assigned)
            _scan_switches(statement[5], tested, assigned)
        elif tag == "while":
            _scan_switches(statement[3], tested, assigned)
        elif tag == "with":
            _scan_switches(statement[2], tested, assigned)
        elif tag == "try":
            for inner in (statement[1], *(handler[2] for handler in statement[2]), statement[3], statement[4]):
                _scan_switches(inner, tested, assigned)
        elif tag == "match":
            for _, inner in statement[2]:
                _scan_switches(inner, tested, assigned)


def _tested_names(test: Node) -> list[str]:
    if test is None:
        return []
    if test[0] == "n":
        return [test[1]]
    if test[0] == "u" and test[1] == "not":
        return _tested_names(test[2])
    if test[0] == "bool":
        return [name for part in test[2] for name in _tested_names(part)]
    return []


def _is_bridged(value: Value) -> bool:
    return bool(value[0] == "i" and value[1] == BRIDGED[1])


def _opened(values: Values) -> Values:
    """Handles whose opening was just reported: reading them is no second finding."""
    return tuple((*value[:3], 1) if value[0] == "i" else value for value in values)


def argument(wanted: Argument, args: list[Values], keywords: Keywords) -> Values:
    """The values given for an argument, by keyword or position; nothing if it was not given."""
    if wanted.name and wanted.name in keywords:
        return keywords[wanted.name]
    if wanted.position is not None and wanted.position < len(args):
        return args[wanted.position]
    return UNKNOWN


def holds(condition: Condition, args: list[Values], keywords: Keywords) -> bool:
    """Whether a condition on the arguments certainly holds."""
    wanted = condition.argument
    given = (bool(wanted.name) and wanted.name in keywords) or (
        wanted.position is not None and wanted.position < len(args)
    )
    if condition.operator == "given":
        return given
    if condition.operator == "missing":
        return not given and None not in keywords
    if not given:
        return False
    values = argument(wanted, args, keywords)
    constant = only_constant(values)
    if constant is ...:
        return False
    if condition.operator == "<":
        return isinstance(constant, (int, float)) and not isinstance(constant, bool) and constant < condition.value
    same_kind = isinstance(constant, bool) == isinstance(condition.value, bool)
    return bool(constant == condition.value) and (same_kind or condition.value is None)


def _plain(annotation: Node) -> Node:
    """The class in `Annotated[Class, …]` or `Class`."""
    if annotation is not None and annotation[0] == "s":
        index = annotation[3]
        return index[1][0] if index is not None and index[0] == "t" and index[1] else index
    return annotation
