"""Calling a value of the project: functions, methods, classes; all else is handed down. Contexts are edge kinds."""

from __future__ import annotations

from typing import Any

from fastlint.graph.libraries import KINDS, Libraries
from fastlint.graph.members import has_decorator
from fastlint.graph.state import (
    CALL,
    COROUTINE,
    ELSEWHERE,
    LOOP,
    MAYBE,
    ONCE,
    POOL,
    STARTUP,
    Frame,
    Variant,
)
from fastlint.graph.values import (
    UNKNOWN,
    Value,
    Values,
    shallow,
    substitute,
    union,
)
from fastlint.graph.variants import Keywords
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Function


class Calls(Libraries):
    """Calls values of every kind."""

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
            inner = self.call(site, callee[1], args, keywords, frame, flags, False, KINDS.get(callee[2], POOL))
            return (("co", shallow(self.settled(inner)), ()),)
        if tag == "mgr":
            return self._call_manager(site, callee, None, args, keywords, frame)
        if tag == "bm":
            if callee[1][0] == "d":
                self.use_context(frame, site, callee[2])
            return self.builtin_method(site, callee, args, keywords, frame)
        if tag == "ty":
            for value in callee[1]:
                if value[0] == "o":
                    self.instantiate(site, ("c", value[1], value[2], -1), args, keywords, frame, flags, kind)
            return tuple(callee[1])
        return UNKNOWN

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
            where = KINDS.get(inner[2], POOL)
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
            return self.apply(
                site, declared, self.world.dotted_name(ref), None, args, keywords, frame, flags, False, kind
            )
        if receiver is None and function.owner >= 0 and args and len(args[0]) == 1 and args[0][0][0] == "o":
            if not has_decorator(function, "staticmethod"):  # `method(*args)` in a decorator, `Class.method(instance)`
                receiver, args = args[0][0], args[1:]
        if flags & MAYBE and not _accepts(function, receiver is not None, args, keywords):
            return UNKNOWN  # see `is_turned_down`
        variant = self.variant_for(callee, receiver, args, keywords, explicit=kind == CALL)
        result = self.call_variant(site, callee, variant, frame, flags, kind)
        return self._of_type_variable(ref, receiver, args, keywords) or result

    def is_turned_down(self, callee: Value, args: list[Values], keywords: Keywords, flags: int) -> bool:
        """Whether a callee is, of several possible targets, one that a call cannot mean: it does not take as much."""
        plain = callee[1] if callee[0] == "b" else callee
        if not flags & MAYBE or plain[0] != "f":
            return False
        return not _accepts(self.world.function((plain[1], plain[2])), callee[0] == "b", args, keywords)

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
        taken = self.signature(ref, receiver is not None)
        bindings: dict[str, Values] = {}
        self.bind_arguments(taken, args, keywords, bindings)
        for param in taken.params:
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
                return (("ag", shallow(self.result_of(variant, "yields", frame)), variant.number),)
            if kind == CALL:
                self.edge(frame, site, COROUTINE, variant, flags)
            elif kind in (LOOP, STARTUP, ELSEWHERE):
                self.edge(frame, site, kind, variant, flags)
            return (("co", shallow(self.result_of(variant, "returns", frame)), (variant.number,)),)
        if function.is_generator:
            if kind not in (CALL, LOOP):
                self.edge(frame, site, kind, variant, flags)
            return (("g", shallow(self.result_of(variant, "yields", frame)), variant.number),)
        self.edge(frame, site, kind, variant, flags)
        return self.result_of(variant, "returns", frame)

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
        return (("cm", shallow(self.result_of(variant, "yields", frame)), variant.number, callee[2]),)

    def instantiate(
        self, site: int, callee: Value, args: list[Values], keywords: Keywords, frame: Frame, flags: int, kind: str
    ) -> Values:
        """Call a class of the project: its constructor runs, an exact instance comes back."""
        ref = (callee[1], callee[2])
        receiver: Value = ("o", callee[1], callee[2], 1)
        done: set[str] = set()
        for above in self.order(ref):
            if isinstance(above, str):
                if above in self.catalogue.roles:
                    self.play(frame, site, "", above, args, keywords, flags)
                if "__init__" not in done:
                    spec = self.catalogue.function(above)
                    if spec is not None and (spec.rule is not None or spec.runs):
                        self.apply(site, spec, above, None, args, keywords, frame, flags, False, kind)
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
                        self.env_of_class((above[0], methods[name][-1])),
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


def _accepts(function: Function, bound: bool, args: list[Values], keywords: Keywords) -> bool:
    """Whether a function can be called with these arguments: so many of them, by these names."""
    takes_receiver = bound and bool(function.params) and function.params[0].kind in ("p", "/")
    params = function.params[1:] if takes_receiver else function.params
    kinds = {param.kind for param in params}
    if "*" not in kinds and len(args) > sum(param.kind in ("p", "/") for param in params):
        return False
    names = {param.name for param in params if param.kind in ("p", "k")}
    return "**" in kinds or all(name is None or name in names for name in keywords)
