"""Statements of a configuration, run one after the other; both ways where a test cannot be decided."""

from __future__ import annotations

from typing import Any

from fastlint.deploy.configuration.calls import defined
from fastlint.deploy.configuration.expressions import Expressions
from fastlint.deploy.configuration.names import bound_in
from fastlint.deploy.configuration.state import (
    LONGEST_LOOP,
    Bound,
    Exhausted,
    Later,
    Left,
    OwnClass,
    Returned,
    Scope,
    word_of,
)
from fastlint.deploy.values import Raises, Unknown, bounded
from fastlint.source.facts import Block, Node

_MOST_FORKS = 3  # undecided tests, one in another's ways, up to which each way is followed by itself to the end

_Way = tuple[dict[str, Bound], "Returned | None"]
"""The names that one way through a block leaves, and what it returns."""


class Statements(Expressions):
    """Runs statements."""

    def block(self, block: Block, scope: Scope) -> Returned | None:
        """Run statements; what was returned, or None where the end was reached."""
        for place, statement in enumerate(block):
            self.steps -= 1
            if self.steps < 0:
                raise Exhausted
            if statement[0] == "if":
                test = self.value(statement[1], scope)
                if not self._decided(test):
                    return self._both(test, statement, block[place + 1 :], scope)
            returned = self._statement(statement, scope)
            if returned is not None:
                return returned
        return None

    def _statement(self, statement: Any, scope: Scope) -> Returned | None:
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
            return Returned(self.value(statement[1], scope))
        elif tag == "e":
            self.value(statement[1], scope)
        elif tag == "def":
            self._bind(statement[2], defined(scope.facts.functions[statement[1]], scope), statement[-1], scope)
        elif tag == "del":
            for target in statement[1]:
                if word_of(target) and target[0] == "n":
                    scope.names.pop(target[1], None)
                elif target is not None and target[0] == "s":
                    self._delete(target, scope)
        elif tag == "class":
            self._bind(statement[2], OwnClass(scope.facts.classes[statement[1]], scope), statement[-1], scope)
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
            raise Left(tag)
        return None

    def _both(self, test: Any, statement: Any, rest: Block, scope: Scope) -> Returned | None:
        """A test that cannot be decided: both ways to the end of the block, then whatever each of them left. Where such
        ways have parted several times already, they join again before the rest of the block."""
        before = dict(scope.names)
        sides = (statement[2], dict(before)), (statement[3], self._apart(before))
        joined = self.forks >= _MOST_FORKS
        self.forks += 1
        try:
            ways = [self._way(branch if joined else [*branch, *rest], names, scope) for branch, names in sides]
            if joined and all(way is not None and way[1] is None for way in ways):
                scope.names = self._both_left(test, ways)
                return self.block(rest, scope)
            if joined:
                ways = [way if way is None or way[1] is not None else self._way(rest, way[0], scope) for way in ways]
        finally:
            self.forks -= 1
        first, second = ways
        if first is None or second is None:
            alive = first or second
            scope.names = alive[0] if alive is not None else before
            if alive is None:
                raise Raises("SystemExit")
            return alive[1]
        scope.names = self._both_left(test, ways)
        if first[1] is None and second[1] is None:
            return None
        values = [None if way is None or way[1] is None else way[1].value for way in ways]
        return Returned(self._either(test, values[0], values[1]))

    def _apart(self, names: dict[str, Bound]) -> dict[str, Bound]:
        """The names with lists and dictionaries of their own: what one way puts into them the other has not."""
        copies: dict[int, Any] = {}
        return {
            name: Bound(self._copied(bound.value, copies), bound.site, bound.variables)
            if isinstance(bound.value, (dict, list))
            else bound
            for name, bound in names.items()
        }

    def _copied(self, value: Any, copies: dict[int, Any]) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        if id(value) not in copies:
            if isinstance(value, list):
                copies[id(value)] = [self._copied(one, copies) for one in value]
            else:
                table = copies[id(value)] = {key: self._copied(one, copies) for key, one in value.items()}
                if not self._is_whole(value):
                    self.opened.append(table)
        return copies[id(value)]

    def _way(self, block: Block, names: dict[str, Bound], scope: Scope) -> _Way | None:
        """What statements leave and return; None where they end the program: whoever goes on took the other way."""
        scope.names = names
        try:
            returned = self.block(block, scope)
            return scope.names, returned
        except Raises:
            return None

    def _both_left(self, test: Any, ways: list[_Way | None]) -> dict[str, Bound]:
        first, second = (way[0] if way is not None else {} for way in ways)
        return {name: self._merged(test, first.get(name), second.get(name)) for name in {**first, **second}}

    def _merged(self, test: Any, first: Bound | None, second: Bound | None) -> Bound:
        if first is None or second is None:
            alive = first or second
            assert alive is not None
            return Bound(Unknown("set in one case only"), alive.site, alive.variables)
        if first is second or first.value is second.value:
            return first
        if isinstance(first.value, Later) or isinstance(second.value, Later):
            if first.value == second.value:
                return first
            self.settled(first)
            self.settled(second)
        variables = tuple(dict.fromkeys((*first.variables, *second.variables)))
        return Bound(self._either(test, first.value, second.value), max(first.site, second.site), variables)

    def _loop(self, statement: Any, scope: Scope) -> Returned | None:
        """A loop over what is known is run; of any other, what it binds is unknown afterwards."""
        body, orelse = (statement[4], statement[5]) if statement[0] == "for" else (statement[3], statement[4])
        if statement[0] == "while":
            return self._while(statement, body, scope)
        items = self.value(statement[3], scope)
        if isinstance(items, dict) and self._is_whole(items):
            items = list(items)
        if isinstance(items, str):
            items = list(items)
        if not isinstance(items, (list, tuple)) or len(items) > LONGEST_LOOP:
            self._forget([body, orelse], scope, statement[2])
            return None
        for item in items:
            self._assign(statement[2], item, statement[-1], scope)
            try:
                returned = self.block(body, scope)
            except Left as left:
                if left.how == "break":
                    return None
                continue
            if returned is not None:
                return returned
        return self.block(orelse, scope)

    def _while(self, statement: Any, body: Block, scope: Scope) -> Returned | None:
        for _ in range(LONGEST_LOOP):
            test = self.value(statement[2], scope)
            if not self._decided(test):
                break
            if not test:
                return None
            try:
                returned = self.block(body, scope)
            except Left as left:
                if left.how == "break":
                    return None
                continue
            if returned is not None:
                return returned
        self._forget([body], scope)
        return None

    def _try(self, statement: Any, scope: Scope) -> Returned | None:
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
                    bound_in(one[2], names)
                for name in names & scope.names.keys():
                    if before.get(name) is not scope.names[name]:
                        scope.names[name] = Bound(Unknown("depends on what only the run knows"), scope.names[name].site)
        ended = self.block(final, scope)
        return ended if ended is not None else returned

    def _raised(self, node: Node) -> str:
        while node is not None and node[0] == "c":
            node = node[2]
        return node[-1] if node is not None and node[0] in ("n", "a") else "Exception"


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
