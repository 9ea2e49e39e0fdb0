"""What an edit made of a module: which functions, classes and names are others now. Looks at facts alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from fastlint.graph.outline import without_sites
from fastlint.graph.world import ClassRef, FunctionRef, Module, World
from fastlint.source.facts import Block, Class, Function, ModuleFacts
from fastlint.source.nodes import nodes

_BY_TEXT = re.compile(r"\b([gs]et|has|del)attr\b|\b(attrgetter|methodcaller)\b")


class Edit:
    """One module as it was and as it is, both in the numbers that it had (see `source.align`)."""

    def __init__(self, before: ModuleFacts, now: Module) -> None:
        facts, name = now.facts, now.name
        self.now = now
        self.facts = before  # as they were
        added = facts.functions[len(before.functions) :]
        # Whoever mentions what is new must find it, though nobody runs it as long as all is as it was
        whole = replace(
            before,
            functions=[*before.functions, *added],
            classes=[*before.classes, *facts.classes[len(before.classes) :]],
        )
        self.before = Module(name, now.path, now.is_package, whole, now.kind)
        self.before.bind()
        self.edited: dict[FunctionRef, Function] = {}  # with what they were
        for old, new in zip(before.functions, facts.functions, strict=False):
            if old != new:
                self.edited[name, old.index] = old
        self.gone = frozenset((name, index) for index in (now.aligned.gone if now.aligned else ()))
        self.gone_classes = frozenset((name, index) for index in (now.aligned.gone_classes if now.aligned else ()))
        self.added = frozenset((name, function.index) for function in added)
        pairs = zip(before.classes, facts.classes, strict=False)
        self.classes: list[ClassRef] = [
            (name, old.index) for old, new in pairs if old != new and (name, old.index) not in self.gone_classes
        ]
        self.added_classes: list[ClassRef] = [(name, cls.index) for cls in facts.classes[len(before.classes) :]]
        self.has_other_body = before.body != facts.body or bool(self.classes)

    @property
    def touched(self) -> set[FunctionRef]:
        """The functions that are new, gone or say something else, and the body of the module where that is another."""
        body = [(self.now.name, -1)] if self.has_other_body else []
        return {*self.edited, *self.added, *body}

    def headings_differ(self) -> bool:
        """Whether what stands around functions (their names, decorators, where they are) is something else, or the head
        of a class."""
        functions = zip(self.facts.functions, self.now.facts.functions, strict=False)
        classes = zip(self.facts.classes, self.now.facts.classes, strict=False)
        return (
            self.before.stars != self.now.stars
            or any(
                _heading(old) != _heading(new)
                for old, new in functions
                if (self.now.name, old.index) not in self.gone and old is not new
            )
            or any(
                _class_heading(old) != _class_heading(new)
                for old, new in classes
                if (self.now.name, old.index) not in self.gone_classes and old is not new
            )
        )

    def names(self) -> Iterator[tuple[str, bool, bool]]:
        """The names that the module binds in another way: whether it bound them, and whether it does."""
        return _differing(self.before.bindings, self.now.bindings)

    def rebound(self) -> set[str]:
        """The names that other functions bind from inside."""
        before, now = self.facts.rebinders, self.now.facts.rebinders
        return {name for name in before.keys() | now.keys() if set(before.get(name, ())) != set(now.get(name, ()))}

    def mentioned(self) -> set[str]:
        """The names that occur in what was edited on one side alone."""
        sides: list[set[str]] = []
        for module, facts in ((self.before, self.facts), (self.now, self.now.facts)):
            blocks: list[Block] = [facts.functions[index].body for _, index in self.edited]
            if facts is not self.facts:
                blocks += [facts.functions[index].body for _, index in self.added]
            if self.has_other_body:
                blocks += [module.facts.body, *(cls.body for cls in facts.classes)]
            sides.append(set().union(*map(_named, blocks)))
            sides[-1].update(attribute for *_, attribute in facts.imports if attribute is not None)
        return sides[0] ^ sides[1]


class Mentions:
    """The names that functions and modules say which were not edited."""

    def __init__(self, world: World, edits: Iterable[Edit]) -> None:
        self._world = world
        touched = {ref for edit in edits for ref in edit.touched}
        self._functions = [
            ((module.name, index), f" {text} ")
            for module in world.modules.values()
            for index, text in enumerate(module.facts.names)
            if (module.name, index) not in touched
        ]
        self._asking = [  # those who may ask for what they say in a text
            repr(module.facts.functions[index].body)
            for module in world.modules.values()
            for index, text in enumerate(module.facts.names)
            if (module.name, index) not in touched and _BY_TEXT.search(text)
        ]
        self._bodies: list[str] | None = None
        self._touched = touched

    def functions(self, name: str) -> list[FunctionRef]:
        """The functions that say a name."""
        wanted = f" {name} "
        return [ref for ref, text in self._functions if wanted in text]

    def apart(self, name: str) -> bool:
        """Whether a module or class says a name, or a function may ask for it by a text."""
        if self._bodies is None:  # of few edits anybody asks for these
            self._bodies = [
                repr([each[5:8] for each in module.facts.functions]) for module in self._world.modules.values()
            ]
            self._bodies += [  # those that were edited are looked at again
                repr((module.facts.body, [cls[3:7] for cls in module.facts.classes]))
                for module in self._world.modules.values()
                if (module.name, -1) not in self._touched
            ]
        said, inside = f"'{name}'", re.compile(rf"\b{re.escape(name)}\b")  # `attrgetter("client.timeout")`
        return any(said in text for text in self._bodies) or any(inside.search(text) for text in self._asking)


def mentions_apart(module: Module, name: str) -> bool:
    """Whether a module may say a name anywhere but in the bodies of its functions, and where it imports it."""
    facts = module.facts
    blocks: list[Any] = [each for each in facts.body if each[0] != "imp"]
    blocks += [cls[3:7] for cls in facts.classes]
    blocks += [each[5:8] for each in facts.functions]
    return re.search(rf"\b{re.escape(name)}\b", repr(blocks)) is not None  # a quoted annotation may hold it


def class_names(before: Module, now: Module, cls: int) -> Iterator[tuple[str, bool, bool]]:
    """The names that the body of a class binds in another way: whether it bound them, and whether it does."""
    return _differing(before.bindings_of(cls), now.bindings_of(cls))


def fields_of(bindings: Mapping[str, list[Any]]) -> list[str]:
    """The names that the body of a class annotates, in order: what a data class takes."""
    return [name for name, rows in bindings.items() if rows[0][0] == "ann"]


def _differing(before: Mapping[str, list[Any]], now: Mapping[str, list[Any]]) -> Iterator[tuple[str, bool, bool]]:
    for name in [*before, *(name for name in now if name not in before)]:
        if before.get(name) != now.get(name):
            yield name, name in before, name in now


def _heading(function: Function) -> Any:
    qualname = "" if function.is_lambda else function.qualname
    plain = function._replace(index=0, qualname=qualname, params=[], returns=None, body=[])
    return without_sites(plain, function)


def _class_heading(cls: Class) -> Any:
    return repr((cls.name, cls.qualname, cls.bases, cls.keywords, cls.decorators, cls.parent))


def _named(block: Block) -> set[str]:
    """The names and attributes that a block mentions or imports."""
    out: set[str] = set()
    for node in nodes(block):
        if node[0] in ("n", "a"):
            out.add(node[-1])
        elif node[0] == "imp":
            out.update(attribute for *_, attribute in node[1] if attribute is not None)
    return out
