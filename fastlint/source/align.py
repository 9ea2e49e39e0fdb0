"""The facts of a module in the numbers that an earlier version of it had. Judges nothing.

Functions, classes and sites are numbered as they come, so that one import at the top of a module gives all that follows
another number. Here what is the same in both versions gets its old number back; what is new gets numbers that nothing
had. What is gone leaves an empty function or class behind, so that the numbers of the others stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from fastlint.source.facts import SITES_OF_ONE, Block, Class, Function, ModuleFacts, Node, Param
from fastlint.source.nodes import blocks_of

_FRESH = SITES_OF_ONE // 2  # the first number of a module's own sites that are new
_HEADED = {"if": 1, "while": 2, "for": 2, "with": 1, "try": 0, "match": 1}  # where the heads of what holds blocks lie


@dataclass(slots=True)
class Aligned:
    """A module in the numbers of an earlier version, and the numbers that it has by itself."""

    facts: ModuleFacts
    gone: frozenset[int] = frozenset()  # functions that are no more
    gone_classes: frozenset[int] = frozenset()
    functions: list[int] = field(default_factory=list)  # by their old numbers; empty where all are as they were
    sites: dict[int, int] = field(default_factory=dict)  # those of the module, by the old ones

    def site(self, site: int) -> int:
        """The number of a site in the module as it is."""
        if not self.functions:
            return site
        function, number = divmod(site, SITES_OF_ONE)
        if function == 0:
            return self.sites.get(site, site)
        return (self.functions[function - 1] + 1) * SITES_OF_ONE + number

    def turn(self, function: int) -> int:
        """Which of the module's functions it is, in the order of the text."""
        return self.functions[function] if self.functions and function >= 0 else function


def align(before: ModuleFacts, now: ModuleFacts) -> Aligned:
    """The facts of a module in the numbers of an earlier version."""
    if _numbered_alike(before, now):
        return Aligned(now)
    pairs = _Pairs(before, now)
    pairs.block(before.body, now.body)
    return pairs.aligned()


def _numbered_alike(before: ModuleFacts, now: ModuleFacts) -> bool:
    return (
        len(before.functions) == len(now.functions)
        and before.body == now.body
        and before.classes == now.classes
        and all(_heading(old) == _heading(new) for old, new in zip(before.functions, now.functions, strict=True))
    )


def _heading(function: Function) -> Any:
    return function.name, function.site, function.parent, function.owner, function.is_lambda


class _Pairs:
    """What is the same in two versions: numbers of now -> numbers of before."""

    def __init__(self, before: ModuleFacts, now: ModuleFacts) -> None:
        self._before = before
        self._now = now
        self._fresh = _FRESH
        self.functions: dict[int, int] = {}
        self.classes: dict[int, int] = {}
        self.sites: dict[int, int] = {}  # those of the module alone: functions number their own

    # Who is who

    def block(self, old: Block, new: Block) -> None:
        """Pair the statements of two blocks of a module or of a class, and all that is in them."""
        keys = [self._key(each, self._before) for each in old], [self._key(each, self._now) for each in new]
        left: list[Any] = []
        more: list[Any] = []
        for tag, start, end, first, last in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
            if tag == "equal":
                for one, other in zip(old[start:end], new[first:last], strict=True):
                    self._statement(one, other)
            else:
                left += old[start:end]
                more += new[first:last]
        for one in left:  # what stands somewhere else now, or has grown
            for place, other in enumerate(more):
                if _continues(one, other):
                    self._statement(one, other)
                    del more[place]
                    break

    def _key(self, statement: Any, facts: ModuleFacts) -> Any:
        tag = statement[0]
        if tag in ("def", "class"):
            return tag, statement[2]
        place = _HEADED.get(tag)
        return repr(
            _Shape(facts).of(statement) if place is None else [tag, place and _Shape(facts).of(statement[place])]
        )

    def _statement(self, old: Any, new: Any) -> None:
        tag = new[0]
        self._same_sites([old[-1]], [new[-1]])
        if tag == "def":
            self._function(old[1], new[1])
        elif tag == "class":
            self._class(old[1], new[1])
        elif tag in _HEADED:
            if tag in ("for", "while"):
                self._same_sites([old[1]], [new[1]])
            if place := _HEADED[tag]:
                self._node(old[place], new[place])
            if tag == "for":
                self._node(old[3], new[3])
            for one, other in zip(blocks_of(old), blocks_of(new), strict=False):
                self.block(one, other)
        else:
            self._node(old, new)

    def _node(self, old: Any, new: Any) -> bool:
        """Pair two parts that say the same; False where they do not."""
        one, other = _Shape(self._before), _Shape(self._now)
        if one.of(old) != other.of(new):
            return False
        self._same_sites(one.sites, other.sites)
        for mine, yours in zip(one.functions, other.functions, strict=True):
            self._function(mine, yours)
        for mine, yours in zip(one.classes, other.classes, strict=True):
            self._class(mine, yours)
        return True

    def _same_sites(self, old: Iterable[int], new: Iterable[int]) -> None:
        for one, other in zip(old, new, strict=True):
            if other < SITES_OF_ONE and one < SITES_OF_ONE:
                self.sites[other] = one

    def _function(self, old: int, new: int) -> None:
        if new in self.functions:
            return
        self.functions[new] = old
        one, other = self._before.functions[old], self._now.functions[new]
        self._same_sites([one.site], [other.site])
        for mine, yours in zip(one.decorators, other.decorators, strict=False):
            self._decorator(mine, yours)
        known = {param.name: param for param in one.params}
        for param in other.params:
            if param.name in known:
                self._node(known[param.name].annotation, param.annotation)
                self._node(known[param.name].default, param.default)
        self._node(one.returns, other.returns)
        if not self._node(one.body, other.body):
            self._edited(one.body, other.body)

    def _decorator(self, old: Node, new: Node) -> None:
        """Pair two decorators, or what is the same of what they are given."""
        if self._node(old, new) or old is None or new is None or not old[0] == new[0] == "c":
            return
        if self._node(old[2], new[2]):
            self._same_sites([old[1]], [new[1]])
            for mine, yours in zip(old[3], new[3], strict=False):
                self._node(mine, yours)
            known = dict(old[4])
            for name, value in new[4]:
                if name in known:
                    self._node(known[name], value)

    def _edited(self, old: Block, new: Block) -> None:
        """Pair the functions and classes inside of a body that says something else than it did."""
        one, other = _Shape(self._before), _Shape(self._now)
        one.of(old)
        other.of(new)
        keys = self._names(one.functions, self._before), self._names(other.functions, self._now)
        for tag, start, end, first, last in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
            if tag == "equal" or (tag == "replace" and end - start == last - first):
                for mine, yours in zip(one.functions[start:end], other.functions[first:last], strict=True):
                    if self._before.functions[mine].name == self._now.functions[yours].name:
                        self._function(mine, yours)
        classes = {self._before.classes[mine].name: mine for mine in one.classes}
        for yours in other.classes:
            same = classes.pop(self._now.classes[yours].name, None)
            if same is not None:
                self._class(same, yours)

    def _names(self, functions: list[int], facts: ModuleFacts) -> list[Any]:
        found = (facts.functions[index] for index in functions)
        return [repr(_Shape(facts).function(each)) if each.is_lambda else each.name for each in found]

    def _class(self, old: int, new: int) -> None:
        if new in self.classes:
            return
        self.classes[new] = old
        one, other = self._before.classes[old], self._now.classes[new]
        self._same_sites([one.site], [other.site])
        for mine, yours in ((one.decorators, other.decorators), (one.bases, other.bases)):
            self._node(mine, yours)
        self._node([value for _, value in one.keywords], [value for _, value in other.keywords])
        self.block(one.body, other.body)

    # All in the old numbers

    def aligned(self) -> Aligned:
        """The facts of now in the numbers of before."""
        before, now = self._before, self._now
        count = len(before.functions)
        for function in now.functions:
            if function.index not in self.functions:
                self.functions[function.index] = count
                count += 1
        classes = len(before.classes)
        for cls in now.classes:
            if cls.index not in self.classes:
                self.classes[cls.index] = classes
                classes += 1
        functions: list[Any] = [None] * count
        turns = [-1] * count
        names = [""] * count
        for function in now.functions:
            number = self.functions[function.index]
            functions[number] = self._function_of(function)
            turns[number] = function.index
            names[number] = now.names[function.index]
        gone = frozenset(number for number, function in enumerate(functions) if function is None)
        for number in gone:
            functions[number] = _emptied(before.functions[number])
            turns[number] = len(now.functions) + number  # nothing is found there
        own: list[Any] = [None] * classes
        for cls in now.classes:
            own[self.classes[cls.index]] = self._class_of(cls)
        gone_classes = frozenset(number for number, cls in enumerate(own) if cls is None)
        for number in gone_classes:
            own[number] = before.classes[number]._replace(
                bases=[], keywords=[], decorators=[], body=[], methods={}, attribute_writers={}
            )
        facts = ModuleFacts(
            functions,
            own,
            self._copy(now.body),
            self._index(now.mentions),
            self._index(now.writers),
            self._index(now.mutators),
            self._index(now.rebinders),
            now.imports,
            names,
            now.losing,
            now.retired,
            now.sites,
        )
        sites = {mine: yours for yours, mine in self.sites.items()}
        return Aligned(facts, gone, gone_classes, turns, sites)

    def _function_of(self, function: Function) -> Function:
        return function._replace(
            index=self.functions[function.index],
            params=[
                Param(each.name, self._copy(each.annotation), self._copy(each.default), each.kind)
                for each in function.params
            ],
            decorators=[self._copy(each) for each in function.decorators],
            returns=self._copy(function.returns),
            body=self._copy(function.body),
            site=self._site(function.site),
            parent=self._old(function.parent, self.functions),
            owner=self._old(function.owner, self.classes),
        )

    def _class_of(self, cls: Class) -> Class:
        return cls._replace(
            index=self.classes[cls.index],
            bases=[self._copy(each) for each in cls.bases],
            keywords=[[name, self._copy(value)] for name, value in cls.keywords],
            decorators=[self._copy(each) for each in cls.decorators],
            body=self._copy(cls.body),
            site=self._site(cls.site),
            parent=self._old(cls.parent, self.functions),
            methods=self._index(cls.methods),
            attribute_writers=self._index(cls.attribute_writers),
        )

    def _index(self, of: dict[str, list[int]]) -> dict[str, list[int]]:
        return {name: [self._old(each, self.functions) for each in indices] for name, indices in of.items()}

    def _old(self, number: int, numbers: dict[int, int]) -> int:
        return numbers[number] if number >= 0 else number

    def _copy(self, node: Any) -> Any:
        return _copied(node, self._site, self.functions.__getitem__, self.classes.__getitem__)

    def _site(self, site: int) -> int:
        function, number = divmod(site, SITES_OF_ONE)
        if function:
            return (self.functions[function - 1] + 1) * SITES_OF_ONE + number
        known = self.sites.get(site)
        if known is None:
            known = self.sites[site] = self._fresh
            self._fresh += 1
        return known


class _Shape:
    """What a part says, numbers left out; collects the sites, the functions and the classes in it."""

    def __init__(self, facts: ModuleFacts) -> None:
        self._facts = facts
        self.sites: list[int] = []
        self.functions: list[int] = []
        self.classes: list[int] = []

    def of(self, node: Any) -> Any:
        """A part without its numbers: equal for parts that say the same."""
        return _copied(node, self._site, self._function, self._class)

    def function(self, function: Function) -> Any:
        """A function without its numbers."""
        params = [[each.name, each.kind, self.of([each.annotation, each.default])] for each in function.params]
        return [function.name, function.is_async, params, self.of(function.body)]

    def _site(self, site: int) -> int:
        self.sites.append(site)
        return 0

    def _function(self, index: int) -> Any:
        self.functions.append(index)
        function = self._facts.functions[index]
        return _Shape(self._facts).function(function) if function.is_lambda else 0

    def _class(self, index: int) -> int:
        self.classes.append(index)
        return 0


def _copied(node: Any, site: Callable[[int], int], function: Callable[[int], Any], class_: Callable[[int], Any]) -> Any:
    """A node, a block or a row of them with other numbers."""
    if node.__class__ is int:
        return site(node)
    if not isinstance(node, (list, tuple)) or not node:
        return node
    tag = node[0]
    if tag.__class__ is not str:
        return [_copied(each, site, function, class_) for each in node]
    if tag in ("k", "n"):
        return node
    if tag in ("imp", "global"):
        return [tag, node[1], *(site(each) for each in node[2:])]
    if tag in ("def", "class"):
        return [tag, (function if tag == "def" else class_)(node[1]), node[2], *(site(each) for each in node[3:])]
    if tag in ("fn", "gen"):
        return [tag, function(node[1]), *(_copied(each, site, function, class_) for each in node[2:])]
    if tag == "c":
        keywords = [[name, _copied(value, site, function, class_)] for name, value in node[4]]
        inside = (_copied(each, site, function, class_) for each in node[1:4])
        return [tag, *inside, keywords]
    if tag == "cmp":
        right = [[operator, _copied(value, site, function, class_)] for operator, value in node[3]]
        return [tag, site(node[1]), _copied(node[2], site, function, class_), right]
    return [tag, *(_copied(each, site, function, class_) for each in node[1:])]


def _emptied(function: Function) -> Function:
    """What is left of a function that is no more: nothing that anybody could meet."""
    return function._replace(is_async=False, is_generator=False, params=[], decorators=[], returns=None, body=[])


def _continues(old: Any, new: Any) -> bool:
    """Whether a statement is another one that stands elsewhere now, or an import of more names."""
    if old[0] != new[0]:
        return False
    if old[0] in ("def", "class"):
        return bool(old[2] == new[2])
    return old[0] == "imp" and all(row in new[1] for row in old[1])
