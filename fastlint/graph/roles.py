"""Calls that play a part beyond blocking become records with a place. Judges nothing and knows no library by name."""

from __future__ import annotations

from typing import Any

from fastlint.graph.builtin_calls import Builtins
from fastlint.graph.state import Frame, Record
from fastlint.graph.values import Value, Values, only_constant
from fastlint.graph.variants import Keywords
from fastlint.rulebook.catalogue import Argument, Condition
from fastlint.source.facts import Node

CONTEXT_VARIABLE = "contextvars.ContextVar"
_OF_CONTEXT = {"set": "set context", "reset": "set context", "get": "get context"}


class Roles(Builtins):
    """Notes which calls make or use executors, tasks, queues, clients and the like."""

    def play(
        self,
        frame: Frame,
        site: int,
        type_name: str,
        name: str,
        args: list[Values],
        keywords: Keywords,
        flags: int,
    ) -> None:
        """Record the part that a function (`type_name` empty) or method plays, if it plays one."""
        catalogue = self.catalogue
        spec = catalogue.method_role(type_name, name) if type_name else catalogue.roles.get(name)
        if spec is None or frame.quiet or any(holds(condition, args, keywords) for condition in spec.unless):
            return
        given = tuple(
            (meaning, only_constant(argument(wanted, args, keywords)))
            for meaning, wanted in spec.given
            if is_given(wanted, args, keywords)
        )
        if None in keywords:
            given = (*given, ("**", ...))
        full = f"{type_name}.{name}" if type_name else name
        self.record(frame, Record(site, spec.role, full, self._receiver(frame, site), given), flags)

    def use_context(self, frame: Frame, site: int, name: str) -> None:
        """Record that a context variable is set or read, where the receiver is known to be one."""
        place = self._receiver(frame, site) if name in _OF_CONTEXT else None
        if place is not None and place[0] == "global" and self._is_context_variable(place[1], place[2]):
            self.record(frame, Record(site, _OF_CONTEXT[name], CONTEXT_VARIABLE, place))

    def _is_context_variable(self, module: str, name: str) -> bool:
        """Whether a module binds a name to a `ContextVar(…)`."""
        for binding in self.world.modules[module].bindings.get(name, ()):
            made = binding[1] if binding[0] == "expr" else binding[2] if binding[0] == "ann" else None
            if made is not None and made[0] == "c" and made[2] is not None and made[2][-1] == "ContextVar":
                return True
        return False

    def _receiver(self, frame: Frame, site: int) -> Any:
        node = frame.calling
        if node is None or node[1] != site or node[2] is None or node[2][0] != "a":
            return None
        return self.place_of(node[2][2], frame)

    def place_of(self, node: Node, frame: Frame) -> Any:
        """What a name or attribute means across functions: ("global", module, name), ("local", module, function,
        name), ("attr", module, class, name) or ("state", name); None where that is not known."""
        if node is None:
            return None
        if node[0] == "n":
            return self._place_of_name(node[1], frame)
        if node[0] != "a":
            return None
        if node[2] is not None and node[2][0] == "a" and node[2][3] == "state":
            return ("state", node[3])
        for base in self.evaluate(node[2], frame):
            if base[0] in ("o", "c"):
                return self._place_of_attribute(base, node[3])
            if base[0] == "m":
                return ("global", base[1], node[3])
        return None

    def _place_of_name(self, name: str, frame: Frame) -> Any:
        variant = frame.variant
        if variant.function[1] >= 0 and name in frame.env and name not in frame.declared:
            return ("local", *variant.function, name)
        enclosing = variant.env
        while enclosing >= 0:
            outer = self.variants[enclosing]
            if name in outer.names:
                return ("local", *outer.function, name)
            enclosing = outer.env
        home = self.home_of_global(name, frame)
        return ("global", home[1], home[2]) if home is not None else None

    def _place_of_attribute(self, base: Value, name: str) -> Any:
        for above in self.order((base[1], base[2])):
            if isinstance(above, tuple):
                cls = self.world.class_(above)
                if name in cls.attribute_writers or name in self.world.class_bindings(above):
                    return ("attr", *above, name)
        return None


def argument(wanted: Argument, args: list[Values], keywords: Keywords) -> Values:
    """The values given for an argument, by keyword or position; nothing if it was not given."""
    if wanted.name and wanted.name in keywords:
        return keywords[wanted.name]
    if wanted.position is not None and wanted.position < len(args):
        return args[wanted.position]
    return ()


def is_given(wanted: Argument, args: list[Values], keywords: Keywords) -> bool:
    """Whether the call says anything for an argument."""
    return wanted.name in keywords or (wanted.position is not None and wanted.position < len(args))


def holds(condition: Condition, args: list[Values], keywords: Keywords) -> bool:
    """Whether a condition on the arguments certainly holds."""
    given = is_given(condition.argument, args, keywords)
    if condition.operator == "given":
        return given
    if condition.operator == "missing":
        return not given and None not in keywords
    if not given:
        return False
    constant = only_constant(argument(condition.argument, args, keywords))
    if constant is ...:
        return False
    if condition.operator == "<":
        return isinstance(constant, (int, float)) and not isinstance(constant, bool) and constant < condition.value
    same_kind = isinstance(constant, bool) == isinstance(condition.value, bool)
    return bool(constant == condition.value) and (same_kind or condition.value is None)
