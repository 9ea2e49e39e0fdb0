"""Built-in functions and methods: what they give, and what they iterate. Knows no library and no context."""

from __future__ import annotations

from abc import abstractmethod

from fastlint.graph.state import (
    LOOP,
    Frame,
)
from fastlint.graph.values import (
    TEXT,
    UNKNOWN,
    Value,
    Values,
    collection,
    elements,
    only_constant,
    shallow,
    under_key,
    union,
)
from fastlint.graph.variants import Keywords, Variants

_MOST_SUBCLASSES = 24
_RESUMES = frozenset({"__next__", "send", "throw"})  # the methods of a generator that run its body


class Builtins(Variants):
    """Calls what Python itself brings."""

    @abstractmethod
    def iterate(self, values: Values, site: int, frame: Frame) -> Values:
        """What iterating values gives; records what runs."""

    @abstractmethod
    def iterate_async(self, values: Values, site: int, frame: Frame) -> Values:
        """What `async for` gives; records what runs."""

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
        if name == "next":
            return self.iterate(first, site, frame)
        if name == "anext":  # what is plain cannot be what it is given
            return self.iterate_async(first, site, frame)
        if name == "enumerate":
            return (collection((("t", (UNKNOWN, shallow(self.iterate(first, site, frame)))),)),)
        if name == "zip":
            return (collection((("t", tuple(shallow(self.iterate(values, site, frame)) for values in args)),)),)
        if name in ("map", "filter"):
            return (("map", first),) if first else (("l", UNKNOWN),)
        if name == "iter":
            if len(args) < 2:
                return first
            items = UNKNOWN  # `iter(queue.get, None)` calls it for each item
            for value in first:
                items = union(items, self.call(site, value, [], {}, frame))
            return (collection(items),)
        if name in ("len", "bool", "str", "repr", "hash", "int", "float", "bytes"):
            special = {"len": "__len__", "bool": "__bool__", "str": "__str__", "repr": "__repr__", "hash": "__hash__"}
            if name in special:
                for value in first:
                    self.implicit(value, special[name], frame, site, [])
            return (TEXT,) if name in ("str", "repr") else UNKNOWN
        if name == "getattr":
            attribute = only_constant(args[1]) if len(args) > 1 else ...
            found = self.attribute(first, attribute, frame, site) if isinstance(attribute, str) else UNKNOWN
            return union(found, args[2]) if len(args) > 2 else found
        if name == "type" and len(args) == 1:
            return tuple(("c", value[1], value[2], -1) for value in first if value[0] == "o")
        if name == "object.__new__":  # what a class's own `__new__` gets from `super()`
            return tuple(("o", value[1], value[2], 1) if value[0] == "c" else value for value in first)
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
                found = under_key(value, key)
                return union(found, args[1]) if len(args) > 1 else found
            if name == "values":
                return (collection(elements((value,))),)
            if name == "items":
                return (collection((("t", (UNKNOWN, shallow(elements((value,))))),)),)
            return (value,) if name == "copy" else UNKNOWN
        if kind in ("l", "t"):
            if name in ("extend", "update", "union") and args:
                self.iterate(args[0], site, frame)
            if name in ("pop", "popleft", "__getitem__"):
                return elements((value,))
            # What functions put into a dictionary is kept as a collection of its values
            if name in ("get", "setdefault"):
                return union(elements((value,)), args[1]) if len(args) > 1 else elements((value,))
            if name == "items":
                return (collection((("t", (UNKNOWN, shallow(elements((value,))))),)),)
            if name == "values":
                return (collection(elements((value,))),)
            return (value,) if name in ("copy", "union", "difference") else UNKNOWN
        if kind == "c":  # __subclasses__()
            below = self.world.subclasses((value[1], value[2]), self.bases)[:_MOST_SUBCLASSES]
            return (collection(tuple(("c", *ref, -1) for ref in below)),)
        if kind == "g":  # closing it (`close`; `aclose` it has not) runs no more of it than its `finally`
            if name == "__iter__":
                return (value,)
            return self.iterate((value,), site, frame) if name in _RESUMES else UNKNOWN
        if kind == "k":
            if name == "join" and args:
                self.iterate(args[0], site, frame)
            return (TEXT,) if name not in ("split", "splitlines", "encode") else UNKNOWN
        if kind == "co":
            if name == "result":
                return tuple(value[1])
            if name == "add_done_callback" and args:
                for callback in args[0]:
                    self.call(site, callback, [], {}, frame, kind=LOOP)
        return UNKNOWN

    def consume(self, args: list[Values], site: int, frame: Frame) -> None:
        """A generator expression written as an argument of a plain call is nearly always consumed by it."""
        for values in args:
            for value in values:
                if (
                    value[0] == "g"
                    and value[2] >= 0
                    and self.world.function(self.variants[value[2]].function).is_lambda
                ):
                    self.iterate((value,), site, frame)

    def consume_elsewhere(self, args: list[Values], site: int, frame: Frame, kind: str) -> None:
        """`to_thread(list, generator)`: the thread iterates."""
        for values in args:
            for value in values:
                if value[0] == "g" and value[2] >= 0:
                    self.edge(frame, site, kind, self.variants[value[2]])
                elif value[0] == "map":
                    for function in value[1]:
                        self.call(site, function, [], {}, frame, kind=kind)
