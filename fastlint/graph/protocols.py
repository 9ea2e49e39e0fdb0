"""What a value does when it is tested, iterated or entered: the calls that nobody writes. Evaluates no expression."""

from __future__ import annotations

from collections.abc import Callable

from fastlint.graph.calls import Calls
from fastlint.graph.state import CALL, IMPLICIT, Frame
from fastlint.graph.values import UNKNOWN, Values, elements, union

_LEFT_IDLE = frozenset({"concurrent.futures.Executor", "subprocess.Popen"})


class Protocols(Calls):
    """Runs the special methods behind truth tests, loops and `with`."""

    def truth(self, values: Values, site: int, frame: Frame) -> None:
        """A truth test runs `__bool__`, else `__len__`."""
        for value in values:
            if value[0] == "o":
                for special in ("__bool__", "__len__"):
                    if self.find_method((value[1], value[2]), special) is not None:
                        self.implicit(value, special, frame, site, [])
                        break
            elif value[0] == "i" and not value[2]:
                self.implicit(value, "__bool__", frame, site, [])

    def iterate(self, values: Values, site: int, frame: Frame) -> Values:
        """What iterating gives; generators run here, and so do `__iter__`, `__next__` and blocking cursors."""
        out: Values = UNKNOWN
        for value in values:
            kind = value[0]
            if kind == "g":
                if value[2] >= 0:
                    self.edge(frame, site, CALL, self.variants[value[2]], IMPLICIT)
                out = union(out, value[1])
            elif kind in ("l", "t", "ag"):
                out = union(out, elements((value,)))
            elif kind == "map":
                for function in value[1]:
                    out = union(out, self.call(site, function, [], {}, frame, IMPLICIT))
            elif kind == "o":
                iterator = self.implicit(value, "__iter__", frame, site, [])
                for inner in iterator:
                    if inner == value or inner[0] == "o":
                        out = union(out, self.implicit(inner, "__next__", frame, site, []))
                    elif inner[0] in ("g", "l", "t", "i"):
                        out = union(out, self.iterate((inner,), site, frame))
                if not iterator:
                    out = union(out, self.implicit(value, "__getitem__", frame, site, []))
            elif kind == "i":
                self.implicit(value, "__iter__", frame, site, [])
                self.implicit(value, "__next__", frame, site, [])
                path = value[2]
                item = self.catalogue.item(value[1]) if not path else None
                if item is not None:
                    out = union(out, self.typed(item, value, [], {}, UNKNOWN, frame))
                elif path:
                    out = union(out, (value,))
        return out

    def iterate_async(self, values: Values, site: int, frame: Frame) -> Values:
        """What `async for` gives; `__aiter__` and `__anext__` run here."""
        out = elements(values)
        for value in values:
            if value[0] == "o":
                iterator = self.implicit(value, "__aiter__", frame, site, [])
                out = union(out, elements(iterator))
                for inner in iterator:
                    if inner[0] == "o":
                        out = union(out, self.settled(self.implicit(inner, "__anext__", frame, site, [])))
            elif value[0] == "i" and not value[2]:
                item = self.catalogue.item(value[1])
                if item is not None:
                    out = union(out, self.typed(item, value, [], {}, UNKNOWN, frame))
        return out

    def enter(
        self, values: Values, site: int, frame: Frame, is_async: bool, idle: Callable[[], bool] | None = None
    ) -> Values:
        """What `with value as x` binds; entering and leaving run here. `idle` tells whether there is nothing left to
        wait for at the end; it is asked where that matters."""
        out: Values = UNKNOWN
        for value in values:
            kind = value[0]
            if kind == "cm":
                if value[2] >= 0 and not value[3]:
                    self.edge(frame, site, CALL, self.variants[value[2]], IMPLICIT)
                out = union(out, value[1])
            elif kind == "o":
                prefix = "__a" if is_async else "__"
                entered = self.implicit(value, f"{prefix}enter__", frame, site, [])
                self.implicit(value, f"{prefix}exit__", frame, site, [])
                out = union(out, self.settled(entered) or (value,))
            elif kind == "i":
                if not is_async:
                    self.implicit(value, "__enter__", frame, site, [])
                    waits = any(spec.name in _LEFT_IDLE for spec in self.catalogue.order(value[1]))
                    if not (waits and idle is not None and idle()):
                        self.implicit(value, "__exit__", frame, site, [])
                out = union(out, self.entered((value,), frame, site, is_async))
            elif kind == "co":  # async with await …; aiohttp's request objects
                out = union(out, value[1])
        return out
