"""Which router is meant where one is named: the module's, or the one that a function makes and gives back.

Knows prefixes, and no routes: `definitions` labels them.
"""

from __future__ import annotations

from typing import Any

from fastlint.graph.constants import bindings_of
from fastlint.graph.guards import statements_of
from fastlint.graph.protocols import Protocols
from fastlint.graph.state import Frame
from fastlint.graph.values import Values, only_constant
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Node


class Routers(Protocols):
    """Finds the keys of routers, and remembers the prefixes that they were made with."""

    def router_at(self, node: Node, frame: Frame) -> Any:
        """The key of a router that is a module's name (`router`, `users.router`), or a local name of what makes it
        (`make_router()`); remembers its own prefix."""
        key: Any = None
        if node is not None and node[0] == "n":
            if frame.variant.function[1] >= 0 and node[1] in frame.env and node[1] not in frame.imports:
                return self._local_router(frame.variant.function, node[1])
            key = self.home_of_global(node[1], frame)
        elif node is not None and node[0] == "c":
            return self._made_router(node, frame)
        elif node is not None and node[0] == "a":
            for value in self.evaluate(node[2], frame):
                if value[0] == "m":
                    key = ("items", value[1], node[3])
        if key is not None and key not in self.prefixes:
            module = self.world.modules.get(key[1])
            for binding in module.bindings.get(key[2], ()) if module is not None else ():
                if binding[0] == "imp" and binding[3] is not None:
                    return self.home_of_global(key[2], self.module_frame(key[1]))
                if binding[0] in ("expr", "ann"):
                    made = binding[1] if binding[0] == "expr" else binding[2]
                    if made is not None and made[0] == "c":
                        home = self.module_frame(key[1])
                        if (inner := self._made_router(made, home)) is not None:
                            return inner
                        self.prefixes[key] = self._prefix(made, home)
        return key

    def _made_router(self, call: Node, frame: Frame) -> Any:
        """The key of the router that `make_router()` returns: the local name that it has there."""
        if call[2] is None or call[2][0] not in ("n", "a"):
            return None
        for value in self.evaluate(call[2], frame):
            if value[0] == "f":
                ref: FunctionRef = (value[1], value[2])
                for statement in statements_of(self.world.function(ref).body):
                    if statement[0] == "ret" and statement[1] is not None and statement[1][0] == "n":
                        return self._local_router(ref, statement[1][1])
        return None

    def _local_router(self, ref: FunctionRef, name: str) -> Any:
        key = ("items", ref[0], f"{ref[1]}:{name}")  # no name that a module can have
        if key not in self.prefixes:
            made = bindings_of(self.world.function(ref).body).get(name)
            prefix = self._prefix(made, self.module_frame(ref[0])) if isinstance(made, list) and made[0] == "c" else ""
            self.prefixes[key] = prefix
        return key

    def _prefix(self, made: Node, frame: Frame) -> str:
        """The prefix with which `APIRouter(prefix=…)` makes a router."""
        return text_of(self.evaluate(next((value for name, value in made[4] if name == "prefix"), None), frame))


def text_of(values: Values) -> str:
    """The string that this certainly is, else nothing."""
    text = only_constant(values)
    return text if isinstance(text, str) else ""
