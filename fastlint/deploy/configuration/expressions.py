"""What an expression of a configuration is. Binds nothing but by `:=`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastlint.deploy.configuration.calls import Calls
from fastlint.deploy.configuration.state import LONGEST_LOOP, Exhausted, Foreign, OwnFunction, Scope
from fastlint.deploy.values import Raises, Unknown, bounded, is_literal
from fastlint.source.facts import Node

_IN_PLACE = {"iadd": "add", "isub": "sub", "imul": "mul", "ifloordiv": "floordiv", "itruediv": "truediv"}
_OPERATORS = {"is": "is", "is not": "is not", "in": "in", "not in": "not in"}


class Expressions(Calls):
    """Works out expressions."""

    def value(self, node: Node, scope: Scope) -> Any:
        """What an expression is."""
        self.steps -= 1
        if self.steps < 0:
            raise Exhausted
        if node is None:
            return Unknown("not followed")
        handler = _EXPRESSIONS.get(node[0])
        value = handler(self, node, scope) if handler is not None else Unknown("not followed")
        return value if node[0] in ("n", "a", "k") else bounded(value)  # a name was bounded when it was bound

    def _constant(self, node: Node, scope: Scope) -> Any:
        return node[1]

    def _name(self, node: Node, scope: Scope) -> Any:
        return self.lookup(node[1], scope)

    def _attribute(self, node: Node, scope: Scope) -> Any:
        return self._member(self.value(node[2], scope), node[3])

    def _subscript(self, node: Node, scope: Scope) -> Any:
        base = self.value(node[2], scope)
        if node[3] is not None and node[3][0] == "sl":
            return Unknown("a slice")
        key = self.value(node[3], scope)
        if base == Foreign("os.environ"):
            return self._variable(key, None, required=True)
        if isinstance(base, Unknown) or not is_literal(key):
            return Unknown("an item")
        if isinstance(base, dict) and key not in base and not self._is_whole(base):
            return Unknown("an item")
        if isinstance(base, list) and any(isinstance(one, Unknown) for one in base):  # there may be more of it
            return Unknown("an item")
        if isinstance(base, (dict, list, tuple, str)):
            try:
                return base[key]
            except (KeyError, IndexError, TypeError) as error:
                raise Raises(type(error).__name__) from error
        return Unknown("an item")

    def _operation(self, node: Node, scope: Scope) -> Any:
        return self._operate(node[2], self.value(node[3], scope), self.value(node[4], scope))

    def _operate(self, name: str, left: Any, right: Any) -> Any:
        if isinstance(left, Foreign) or isinstance(right, Foreign):
            return Unknown("an operation on something unknown")
        if name == "truediv" and isinstance(left, str) and isinstance(right, str):
            return self._computed("format", (left.rstrip("/"), "/", right))  # a path: they are strings here
        if isinstance(left, list) and isinstance(right, (list, tuple)) and name == "iadd":
            self._grow(left, len(left), right)
            return left
        if isinstance(left, list) and isinstance(right, list) and name == "add":
            return left + right
        return self._computed(_IN_PLACE.get(name, name), (left, right))

    def _unary(self, node: Node, scope: Scope) -> Any:
        name = {"not": "not", "-": "neg", "+": "pos", "~": "invert", "neg": "neg", "pos": "pos"}.get(node[1], node[1])
        inner = self.value(node[2], scope)
        if name == "not" and isinstance(inner, (list, dict)):
            return not inner
        return self._computed(name, (inner,))

    def _boolean(self, node: Node, scope: Scope) -> Any:
        parts: list[Any] = []
        for part in node[2]:
            value = self.value(part, scope)
            parts.append(value)
            if self._decided(value) and bool(value) == (node[1] == "or"):
                break  # what follows is not evaluated
        if all(self._decided(part) for part in parts):
            return parts[-1]
        return self._computed(node[1], tuple(parts))

    def _compared(self, node: Node, scope: Scope) -> Any:
        left = self.value(node[2], scope)
        result: Any = True
        for name, right_node in node[3]:
            right = self.value(right_node, scope)
            if isinstance(right, dict):
                right = tuple(right) if self._is_whole(right) else Unknown("what a dictionary holds")
            result = self._computed(_OPERATORS.get(name, name), (left, right))
            if self._decided(result) and not result:
                return False
            left = right
        return result

    def _conditional(self, node: Node, scope: Scope) -> Any:
        test = self.value(node[1], scope)
        if self._decided(test):
            return self.value(node[2] if test else node[3], scope)
        return self._either(test, self.value(node[2], scope), self.value(node[3], scope))

    def _sequence(self, node: Node, scope: Scope) -> Any:
        if any(part is not None and part[0] == "*" for part in node[1]):
            return Unknown("unpacked")
        parts = [self.value(part, scope) for part in node[1]]
        return parts if node[0] == "l" else tuple(parts)

    def _dictionary(self, node: Node, scope: Scope) -> Any:
        out: dict[Any, Any] = {}
        for key, value in node[1]:
            if key is None:
                more = self.value(value, scope)
                if not isinstance(more, dict) or not self._is_whole(more):
                    return Unknown("unpacked")
                out.update(more)
                continue
            name = self.value(key, scope)
            if not is_literal(name):
                return Unknown("a dictionary")
            out[name] = self.value(value, scope)
        return out

    def _formatted(self, node: Node, scope: Scope) -> Any:
        if not node[1] or any(part is None for part in node[1]):
            return Unknown("text that is formatted further")
        parts = tuple(self.value(part, scope) for part in node[1])
        return self._computed("format", parts)

    def _walrus(self, node: Node, scope: Scope) -> Any:
        value = self.value(node[2], scope)
        self._bind(node[1], value, -1, scope)
        return value

    def _comprehension(self, node: Node, scope: Scope) -> Any:
        _, kind, element, value, clauses = node
        if len(clauses) != 1:
            return Unknown("a comprehension")
        items = self.value(clauses[0][2], scope)
        if not isinstance(items, (list, tuple)) or len(items) > LONGEST_LOOP:
            return Unknown("a comprehension")
        inner = Scope(scope.facts, scope.module, {}, scope)
        out: list[Any] = []
        for item in items:
            self._assign(clauses[0][1], item, -1, inner)
            tests = [self.value(test, inner) for test in clauses[0][3]]
            if not all(self._decided(test) for test in tests):
                return Unknown("a comprehension")
            if all(tests):
                out.append((self.value(element, inner), self.value(value, inner) if kind == "d" else None))
        return dict(out) if kind == "d" else [pair[0] for pair in out]

    def _lambda(self, node: Node, scope: Scope) -> Any:
        return OwnFunction(scope.facts.functions[node[1]], scope)


_EXPRESSIONS: dict[str, Callable[[Expressions, Node, Scope], Any]] = {
    "k": Expressions._constant,
    "n": Expressions._name,
    "a": Expressions._attribute,
    "c": Expressions._call,
    "s": Expressions._subscript,
    "o": Expressions._operation,
    "u": Expressions._unary,
    "bool": Expressions._boolean,
    "cmp": Expressions._compared,
    "if": Expressions._conditional,
    "t": Expressions._sequence,
    "l": Expressions._sequence,
    "set": Expressions._sequence,
    "d": Expressions._dictionary,
    "f": Expressions._formatted,
    ":=": Expressions._walrus,
    "comp": Expressions._comprehension,
    "fn": Expressions._lambda,
}
