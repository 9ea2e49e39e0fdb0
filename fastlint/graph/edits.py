"""What an edit made of a module: which functions, classes and names are others now. Looks at facts alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from fastlint.graph.outline import without_sites
from fastlint.graph.world import ClassRef, FunctionRef, Module, World
from fastlint.source.facts import Block, Class, Function, ModuleFacts, Node
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
        self._asking = {  # those who may ask for what some text says
            (module.name, index): repr(module.facts.functions[index].body)
            for module in world.modules.values()
            for index, text in enumerate(module.facts.names)
            if (module.name, index) not in touched and _BY_TEXT.search(text)
        }
        self._parts: list[tuple[str, list[Any]]] | None = None
        self._touched = touched

    def functions(self, name: str) -> list[FunctionRef]:
        """The functions that say a name."""
        wanted = f" {name} "
        return [ref for ref, text in self._functions if wanted in text]

    def apart(self, name: str) -> bool:
        """Whether a module or class asks an object for a name, or a function may do so by a text of its own."""
        inside = re.compile(rf"\b{re.escape(name)}\b")  # `attrgetter("client.timeout")`
        return any(inside.search(text) for text in self._asking.values()) or any(
            _asks(node, name) for node in self._saying(name)
        )

    def by_text(self, name: str) -> list[FunctionRef]:
        """The functions that may ask for a name because a module or class has it as a text."""
        said = any(node[0] == "k" and node[1] == name for node in self._saying(name))
        return list(self._asking) if said else []

    def _saying(self, name: str) -> Iterator[Any]:
        """The nodes of modules, classes and heads of functions in which a name occurs somewhere."""
        if self._parts is None:  # of few edits anybody asks for these
            parts = [part for module in self._world.modules.values() for part in self._parts_of(module)]
            self._parts = [(repr(part), part) for part in parts]
        said = f"'{name}'"
        for text, part in self._parts:
            if said in text:
                yield from nodes(part)

    def _parts_of(self, module: Module) -> Iterator[list[Any]]:
        facts = module.facts
        yield [
            [
                [part for param in function.params for part in param[1:3]],
                function.decorators,
                function.returns,
            ]
            for function in facts.functions
        ]
        if (module.name, -1) not in self._touched:  # those that were edited are looked at again
            yield facts.body
            for cls in facts.classes:
                yield [cls.bases, [value for _, value in cls.keywords], cls.decorators, cls.body]


def _asks(node: Any, name: str) -> bool:
    """Whether a node asks for a name of an object, or gives it something by that name: `it.name`, `make(name=1)`,
    `make(**{"name": 1})`. Who defines it, or binds it for itself, does not."""
    tag: str = node[0]
    if tag == "a":
        return bool(node[3] == name)
    if tag == "c":
        by_text = node[2] is not None and _BY_TEXT.search(str(node[2][-1])) is not None
        return by_text or name in dict(node[4])
    if tag == "d":
        return any(key is not None and (key[0], key[1]) == ("k", name) for key, _ in node[1])
    return tag == "match"  # facts keep no patterns: one may name it


def mentions_apart(module: Module, name: str) -> bool:
    """Whether a module may say a name anywhere but in the bodies of its functions, and where it imports it."""
    facts = module.facts
    blocks: list[Any] = [each for each in facts.body if each[0] != "imp"]
    blocks += [cls[3:7] for cls in facts.classes]
    blocks += [each[5:8] for each in facts.functions]
    return re.search(rf"\b{re.escape(name)}\b", repr(blocks)) is not None  # a quoted annotation may hold it


class Bound(NamedTuple):
    """Names that a module binds with what it says of another one, such members of its classes, and the functions that
    say it in their heads."""

    names: list[str]
    members: list[tuple[int, str]]  # class, name
    heads: list[int]


def bound_with(module: Module, words: set[str]) -> Bound | None:
    """What a module binds with one of these words outside of functions; None where the head of a class says one: nobody
    notes what rests on that."""
    facts = module.facts
    if says_one([cls[3:6] for cls in facts.classes], words):
        return None
    heads = [each.index for each in facts.functions if says_one(each[5:8], words)]
    names = [name for name, rows in module.bindings.items() if says_one(_bound_by_more(rows), words)]
    members = [
        (cls.index, name)
        for cls in facts.classes
        for name, rows in module.bindings_of(cls.index).items()
        if says_one(_bound_by_more(rows), words)
    ]
    return Bound(names, members, heads)


def _bound_by_more(rows: Iterable[Any]) -> list[Any]:
    return [row for row in rows if row[0] not in ("imp", "def", "class")]


def says_one(part: Any, words: Iterable[str]) -> bool:
    """Whether a part of a module says one of these words anywhere, in texts too."""
    return re.search(rf"\b({'|'.join(map(re.escape, words))})\b", repr(part)) is not None


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
    decorators = [_bare(each) for each in function.decorators]
    plain = function._replace(index=0, qualname=qualname, params=[], decorators=decorators, returns=None, body=[])
    return without_sites(plain._replace(is_async=False), function)


def _bare(decorator: Node) -> Node:
    """A decorator without what it is given: that only matters to whoever runs it, and so makes the function. But whose
    wrapper a function is (`functools.wraps`), others ask."""
    is_call = decorator is not None and decorator[0] == "c" and decorator[2] is not None
    return ["c", decorator[1], decorator[2], [], []] if is_call and decorator[2][-1] != "wraps" else decorator


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
