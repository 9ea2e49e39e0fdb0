"""Calls of a configuration: functions and classes of the project are followed, calls that are watched are noted."""

from __future__ import annotations

import builtins
from typing import Any

from fastlint.deploy.configuration.libraries import Libraries
from fastlint.deploy.configuration.names import CHANGES
from fastlint.deploy.configuration.state import (
    Bound,
    Exhausted,
    Foreign,
    OwnClass,
    OwnFunction,
    OwnModule,
    OwnObject,
    Scope,
    Seen,
    plain,
    word_of,
)
from fastlint.deploy.values import Unknown, bounded
from fastlint.source.facts import Function, Node

_DEEPEST = 30
_TELLING = frozenset({"critical", "debug", "error", "exception", "info", "log", "warning"})  # of loggers
_LEAVING = ("json.", "logging.", "pprint.", "copy.")  # modules whose functions change nothing of what they are given
TRANSPARENT = frozenset({"cache", "lru_cache", "override", "no_type_check"})  # decorators that change no result


class Calls(Libraries):
    """Calls functions, makes objects, and reads their attributes."""

    def _call(self, node: Node, scope: Scope) -> Any:
        callee_node = node[2]
        if callee_node is not None and callee_node[0] == "a":
            base = self.value(callee_node[2], scope)
            if not isinstance(base, (Foreign, OwnModule, OwnObject, OwnClass)):
                args, keywords = self._arguments(node, scope) or ([Unknown("unpacked")], {})
                if isinstance(base, (dict, list)) and callee_node[3] in CHANGES:
                    if self._is_shared(callee_node[2], scope):
                        self._open(base, f"what is there after .{callee_node[3]}()")
                if isinstance(base, Unknown) and callee_node[3] not in _TELLING:
                    self._hand_out(args, keywords)
                return self._method(base, callee_node[3], args, keywords)
            callee = self._member(base, callee_node[3])
        else:
            callee = self.value(callee_node, scope)
        given = self._arguments(node, scope)
        if given is None:
            return Unknown("a call with unpacked arguments")
        args, keywords = given
        if isinstance(callee, OwnFunction):
            return self.call_function(callee, args, keywords)
        if isinstance(callee, OwnClass):
            self._note(self._base_of(callee), node[1], args, keywords, scope)
            return self._make(callee, args, keywords)
        if isinstance(callee, Foreign):
            self._note(callee.name, node[1], args, keywords, scope)
            if callee.name == "locals().update":
                return self._update(args, keywords, node[1], scope)
            if callee.name not in self.watched and not _leaves(callee.name):
                self._hand_out(args, keywords)
            return self._foreign(callee.name, args, keywords)
        self._hand_out(args, keywords)
        return Unknown("a call of something unknown")

    def _hand_out(self, args: list[Any], keywords: dict[str, Any]) -> None:
        """Whoever is given a dictionary may put more into it."""
        self.opened.extend(one for one in (*args, *keywords.values()) if isinstance(one, dict))

    def _arguments(self, node: Node, scope: Scope) -> tuple[list[Any], dict[str, Any]] | None:
        """What a call is given by place and by name; None where it unpacks what is not known."""
        args: list[Any] = []
        for argument in node[3]:
            if argument is None or argument[0] != "*":
                args.append(self.value(argument, scope))
                continue
            more = self.value(argument[1], scope)
            if not isinstance(more, (list, tuple)) or any(isinstance(one, Unknown) for one in more):
                return None
            args += more
        keywords: dict[str, Any] = {}
        for name, argument in node[4]:
            value = self.value(argument, scope)
            if name is not None:
                keywords[name] = value
            elif isinstance(value, dict) and self._is_whole(value) and all(isinstance(key, str) for key in value):
                keywords.update(value)
            else:
                return None
        return args, keywords

    def call_function(self, called: OwnFunction, args: list[Any], keywords: dict[str, Any], whole: bool = True) -> Any:
        """What a function gives for these arguments; where they are not `whole`, somebody may give it more."""
        if self.depth >= _DEEPEST or called.function.is_async or called.function.is_generator:
            return Unknown(f"{called.function.name}()")
        self.entered.add((called.scope.module, called.function.site))
        scope = Scope(called.scope.facts, called.scope.module, {}, called.scope)
        given = list(args) if called.receiver is None else [called.receiver, *args]
        named = dict(keywords)
        for param in called.function.params:
            if param.kind in ("*", "**"):
                more: Any = tuple(given) if param.kind == "*" else named
                value = bounded(more) if whole else Unknown("more arguments")
                given = given if param.kind == "**" else []
            elif given and param.kind != "k":
                value = given.pop(0)
            elif param.name in named:
                value = named.pop(param.name)
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

    def _make(self, kind: OwnClass, args: list[Any], keywords: dict[str, Any]) -> Any:
        words = {decorator_of(one) for one in kind.facts.decorators}
        if words or ((args or keywords) and not kind.facts.methods.get("__init__")):
            return Unknown(f"an object of {kind.facts.name}")
        instance = OwnObject(kind)
        indices = kind.facts.methods.get("__init__")
        if indices:
            function = kind.scope.facts.functions[indices[-1]]
            self.call_function(OwnFunction(function, kind.scope, instance), args, keywords)
        return instance

    def _member(self, base: Any, name: str) -> Any:
        if isinstance(base, Foreign):
            return False if base.name == "typing" and name == "TYPE_CHECKING" else Foreign(f"{base.name}.{name}")
        if isinstance(base, OwnModule):
            bound = base.scope.names.get(name)
            if bound is None:
                return Unknown(f"no {name}")
            self.read.update(dict.fromkeys(bound.variables))
            return self.settled(bound)
        if isinstance(base, OwnObject):
            if name in base.attributes:
                return base.attributes[name]
            return self._class_member(base.type, name, base)
        if isinstance(base, OwnClass):
            return self._class_member(base, name, None)
        return Unknown(f".{name} of something unknown") if not isinstance(base, Unknown) else base

    def _class_member(self, kind: OwnClass, name: str, receiver: OwnObject | None) -> Any:
        if kind.facts.bases and not all(base in (["n", "object"], ["n", "Enum"]) for base in kind.facts.bases):
            inherited = True  # a base class of a library may fill anything from the environment
        else:
            inherited = False
        indices = kind.facts.methods.get(name)
        if indices:
            function = kind.scope.facts.functions[indices[-1]]
            words = {decorator_of(one) for one in function.decorators}
            if not words <= TRANSPARENT | {"property", "cached_property", "staticmethod", "classmethod"}:
                return Unknown(f"{name}() is decorated")
            itself = None if "staticmethod" in words else kind if "classmethod" in words else receiver
            method = OwnFunction(function, kind.scope, itself)
            return self.call_function(method, [], {}) if words & {"property", "cached_property"} else method
        if inherited:
            return Unknown(f"an attribute of {kind.facts.name}")
        scope = Scope(kind.scope.facts, kind.scope.module, {}, kind.scope)
        self.block(kind.facts.body, scope)
        bound = scope.names.get(name)
        return bound.value if bound is not None else Unknown(f"no attribute {name}")

    def _update(self, args: list[Any], keywords: dict[str, Any], site: int, scope: Scope) -> None:
        """`globals().update(…)`: names are bound, or any name may be."""
        if any(not isinstance(argument, dict) for argument in args):
            raise Exhausted
        for name, value in [*(pair for argument in args for pair in argument.items()), *keywords.items()]:
            self._bind(str(name), value, site, scope)

    def _note(self, name: str, site: int, args: list[Any], keywords: dict[str, Any], scope: Scope) -> None:
        if name in self.watched:
            known = tuple(self._shown(argument) for argument in args)
            named = {key: self._shown(value) for key, value in keywords.items()}
            self.seen.append(Seen(name, scope.module, site, known, named))

    def _shown(self, value: Any) -> Any:
        return value if plain(value) or isinstance(value, dict) else Unknown("an object")

    def _base_of(self, kind: OwnClass) -> str:
        for base in kind.facts.bases:
            found = self.value(base, kind.scope)
            if isinstance(found, Foreign):
                return found.name
        return ""


def _leaves(name: str) -> bool:
    """Whether a function of a library leaves a dictionary that it is given as it is."""
    return hasattr(builtins, name.removeprefix("builtins.")) or name.startswith(_LEAVING)


def defined(function: Function, scope: Scope) -> Any:
    """What a definition binds: the function, unless a decorator may have put another in its place."""
    if {decorator_of(one) for one in function.decorators} <= TRANSPARENT or function.owner >= 0:
        return OwnFunction(function, scope)
    return Unknown(f"{function.name}() is decorated")


def decorator_of(node: Node) -> str:
    """The last word of a decorator, called or not."""
    return word_of(node[2]) if node is not None and node[0] == "c" else word_of(node)
