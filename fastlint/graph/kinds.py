"""Of what kind a value is: what `isinstance`, `iscoroutinefunction`, `hasattr` and the like would say of it."""

from __future__ import annotations

from typing import Any

from fastlint.graph.closures import CALLABLE_TESTS, COROUTINE_TESTS
from fastlint.graph.expressions import Expressions

# What a value certainly is, by its tag, if such a test says yes
KINDS: dict[str, tuple[str, ...]] = {
    "isclass": ("c",),
    "isfunction": ("f",),
    "ismethod": ("b",),
    "isroutine": ("f", "b"),
}
_SURE = frozenset({"c", "f", "b", "o", "i", "k", "l", "t", "d"})  # the tags of values that are of one kind only
# Neither texts nor numbers: what the catalogue knows, functions, classes, coroutines and generators
_NO_DATA = frozenset({"i", "f", "b", "c", "co", "g", "ag"})
_TEXTS_AND_NUMBERS = frozenset({"str", "bytes", "bytearray", "int", "float", "complex", "bool"})
_ENUMERATIONS = frozenset({"IntEnum", "StrEnum", "IntFlag"})  # texts and numbers, too
_SAYING_NOTHING = frozenset({"object", "ABC", "Generic", "Protocol", "Enum"})  # bases that every class may have
KIND_TESTS = frozenset({*COROUTINE_TESTS, *KINDS, "isinstance"})
FUNCTION_TESTS = CALLABLE_TESTS | {"iscoroutine", "isawaitable", "callable"}


class Kinds(Expressions):
    """Answers what a test asks of a value."""

    def says(self, value: Any, test: str) -> bool | None:
        """What a test says of a callable; None if that is not known."""
        return self._generates(value) if test == "isgeneratorfunction" else self._asynchronous(value, test)

    def _asynchronous(self, value: Any, test: str) -> bool | None:
        """Whether a test says of a callable that it is asynchronous; None if that is not known. Only FastAPI's own
        looks at what a wrapper wraps."""
        if value[0] not in ("f", "b", "p", "once", "off", "o", "mgr"):
            return None
        plain = value[1] if value[0] == "b" else value
        if plain[0] != "f" or test == "is_coroutine_callable":
            return self.is_async_callable(value)
        function = self.world.function((plain[1], plain[2]))
        return function.is_async and function.is_generator is (test == "isasyncgenfunction")

    def _generates(self, value: Any) -> bool | None:
        """Whether a callable is a plain generator function; None if that is not known."""
        if value[0] == "b":
            return self._generates(value[1])
        if value[0] != "f":
            return None
        function = self.world.function((value[1], value[2]))
        return function.is_generator and not function.is_async

    def may_be_one_of(self, value: Any, names: set[str]) -> bool:
        """Whether a value may be an instance of one of these classes, of which the catalogue knows none."""
        if not names.isdisjoint(_TEXTS_AND_NUMBERS) and value[0] in _NO_DATA:
            return not names <= _TEXTS_AND_NUMBERS
        if value[0] != "o":
            return True
        bases = {above for above in self.order((value[1], value[2])) if isinstance(above, str)}
        last = {above.rpartition(".")[2] for above in bases}
        if names <= _TEXTS_AND_NUMBERS:
            return not last.isdisjoint(names | _ENUMERATIONS)
        return not last <= _SAYING_NOTHING

    def may_be_called(self, value: Any, name: Any, same: bool) -> bool:
        """Whether the class of a value may have this name, or (not `same`) another one."""
        if value[0] != "o":
            return True
        ref = (value[1], value[2])
        below = [] if value[3] else self.world.subclasses(ref, self.bases)
        return any((self.world.class_(each).name == name) is same for each in (ref, *below))

    def defines(self, value: Any, name: str) -> bool:
        """Whether a value is an instance of a class of the project with a plain method of this name."""
        found = self.find_method((value[1], value[2]), name) if value[0] == "o" else None
        return isinstance(found, tuple) and not self.world.function(found).decorators


def is_of_kind(value: Any, test: str) -> bool | None:
    """Whether a value is a class, a function or a method, as `inspect` would say; None where that is not known."""
    if value[0] not in _SURE or (value[0] == "i" and value[2]):
        return None
    return value[0] in KINDS[test]
