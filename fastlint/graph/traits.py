"""What every instance of a class says of itself, where that is certain: `self.waits = True` in its `__init__`,
`waits = False` in its body, `def waits(self): return True`.

Looks at structure alone. Only names are asked for of which some class says yes and some class no: an attribute that
tells classes apart, not a setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastlint.graph.guards import statements_of
from fastlint.graph.shapes import last_name
from fastlint.graph.world import ClassRef, FunctionRef, World
from fastlint.source.facts import Block, Class, Node
from fastlint.source.nodes import calls_within

_PLAIN = frozenset({"abc.ABC", "builtins.object", "object", "typing.Protocol", "typing.Generic", "Generic", "ABC"})
_PROPERTIES = frozenset({"property", "cached_property"})

Said = tuple[str, bool | None]
"""Where a class says it ("body", "init", "method" or "property"), and what; None where that is not certain."""


class Traits:
    """The attributes and methods that tell the classes of a project apart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._said: dict[str, dict[ClassRef, list[Said]]] = {}
        own: set[tuple[str, FunctionRef]] = set()
        for module in world.modules.values():
            for cls in module.facts.classes:
                own.update((name, (module.name, at)) for name, all_of in cls.attribute_writers.items() for at in all_of)
                for name, said in sayings(world, (module.name, cls.index), cls):
                    self._said.setdefault(name, {}).setdefault((module.name, cls.index), []).append(said)
        for name, classes in list(self._said.items()):
            answers = {answer for each in classes.values() for _, answer in each}
            others = any((name, writer) not in own for writer in world.writers.get(name, ()))
            if others or not answers >= {True, False}:
                del self._said[name]

    def answers(self, without: Iterable[ClassRef] = ()) -> dict[str, dict[ClassRef, list[Said]]]:
        """All that is known, by names and classes, without what is said of some."""
        left_out = frozenset(without)
        return {
            name: {ref: said for ref, said in classes.items() if ref not in left_out}
            for name, classes in self._said.items()
        }

    def __contains__(self, name: str) -> bool:
        return name in self._said

    def of(self, order: Iterable[ClassRef | str], name: str, called: bool) -> bool | None:
        """What the instances of a class say of themselves under this name, read or `called`; None: not known."""
        by_class = self._said.get(name)
        if by_class is None:
            return None
        nearest: Said | None = None
        for ref in order:
            if isinstance(ref, str):
                if ref not in _PLAIN:
                    return None
                continue
            own = by_class.get(ref, ())
            if name in self._world.class_(ref).methods and not any(how in ("method", "property") for how, _ in own):
                return None
            if len(own) > 1 or any(answer is None for _, answer in own):
                return None
            for said in own:
                if nearest is None:
                    nearest = said
                elif nearest[0] != said[0]:  # what one class keeps in the object, another says of the class
                    return None
        if nearest is None or called is not (nearest[0] == "method"):
            return None
        return nearest[1]


def sayings(world: World, ref: ClassRef, cls: Class) -> Iterator[tuple[str, Said]]:
    """What a class says of its instances, name by name."""
    for name, answer in _assigned(cls.body, None):
        yield name, ("body", answer)
    # Of a data class, and of a model, an annotated name is what its constructor takes
    for statement in cls.body:
        if statement[0] == ":" and _names(statement[1], None) and not cls.decorators and not cls.bases:
            yield statement[1][1], ("body", _truth(statement[3]))
        elif statement[0] == ":" and _names(statement[1], None):
            yield statement[1][1], ("body", None)
    for name, indices in cls.methods.items():
        function = world.function((ref[0], indices[-1]))
        if len(indices) == 1 and len(function.body) == 1 and function.body[0][0] == "ret" and not function.is_async:
            kinds = {last_name(each) for each in function.decorators}
            answer = _truth(function.body[0][1])
            if answer is not None and kinds <= _PROPERTIES:
                yield name, ("property" if kinds else "method", answer)
            else:
                yield name, ("method", None)
    starts = cls.methods.get("__init__", [])
    in_start: dict[str, bool | None] = {}
    if len(starts) == 1 and not cls.decorators:
        in_start = dict(_assigned(world.function((ref[0], starts[0])).body, "self"))
    for name, writers in cls.attribute_writers.items():
        yield name, ("init", in_start.get(name) if writers == starts else None)


def _assigned(block: Block, owner: str | None) -> Iterator[tuple[str, bool | None]]:
    """The names of a class body, or the attributes of an owner, that a block assigns outright, and the flag that each
    is for certain: bound once, not in a branch, and not before a base class has its say."""
    found: dict[str, list[bool | None]] = {}
    for statement in statements_of(block):
        if statement[0] == "=":
            for target in statement[1]:
                if _names(target, owner):
                    found.setdefault(target[-1], []).append(_truth(statement[2]))
        elif statement[0] in (":", "+=") and owner is not None and _names(statement[1], owner):
            found.setdefault(statement[1][-1], []).append(_truth(statement[3]) if statement[0] == ":" else None)
    last_base = max(
        (place for place, statement in enumerate(block) if owner is not None and _starts_a_base(statement)), default=-1
    )
    outright = {
        target[-1]
        for place, statement in enumerate(block)
        if statement[0] in ("=", ":") and place > last_base
        for target in (statement[1] if statement[0] == "=" else [statement[1]])
        if _names(target, owner)
    }
    for name, answers in found.items():
        yield name, answers[0] if len(answers) == 1 and name in outright else None


def _starts_a_base(statement: object) -> bool:
    return any(last_name(call) == "__init__" for inner in statements_of([statement]) for call in _calls(inner))


def _calls(statement: object) -> Iterator[Node]:
    if isinstance(statement, (list, tuple)) and statement[0] in ("e", "ret"):
        yield from calls_within(statement[1])


def _names(target: Node, owner: str | None) -> bool:
    """Whether a target is a plain name (no owner), or an attribute of the owner."""
    if target is None:
        return False
    return bool(target[0] == "n" if owner is None else target[0] == "a" and target[2] == ["n", owner])


def _truth(node: Node) -> bool | None:
    return node[1] if node is not None and node[0] == "k" and isinstance(node[1], bool) else None
