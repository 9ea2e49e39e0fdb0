"""The project as one namespace: modules, names, classes and their orders. Runs nothing and judges nothing."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastlint.graph.signatures import stands_in, takes_anything
from fastlint.rulebook.catalogue import Catalogue
from fastlint.source.align import Aligned
from fastlint.source.facts import Block, Class, Function, ModuleFacts, Node
from fastlint.source.nodes import nodes

Binding = tuple[Any, ...]
"""How a name is bound at module or class level: ("imp", level, module, attribute), ("def", index), ("class", index),
("expr", node, path), ("ann", annotation, node), ("item", node) for a loop variable, ("with", node)."""

ClassRef = tuple[str, int]
FunctionRef = tuple[str, int]

_FEW = 2  # classes that fit a Protocol of one method that takes anything: more of them say nothing


@dataclass(slots=True)
class Module:
    """One module of the project: its facts and the bindings of its top level."""

    name: str
    path: str
    is_package: bool
    facts: ModuleFacts
    kind: str = "app"
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[tuple[int, str]] = field(default_factory=list)
    class_bindings: dict[int, dict[str, list[Binding]]] = field(default_factory=dict)
    aligned: Aligned | None = None  # where its facts have the numbers of an earlier version

    def bind(self) -> None:
        """Note what its top level binds; also where that was noted before."""
        self.bindings, self.stars = {}, []
        _bind(self.facts.body, self.bindings, self.stars)

    def bindings_of(self, cls: int) -> dict[str, list[Binding]]:
        """What the body of one of its classes binds."""
        known = self.class_bindings.get(cls)
        if known is None:
            known = self.class_bindings[cls] = {}
            _bind(self.facts.classes[cls].body, known, [])
        return known

    def site(self, site: int) -> int:
        """The number of a site in the module as it is now."""
        return site if self.aligned is None else self.aligned.site(site)


class World:
    """Every module of the project by every name under which it can be imported, and the catalogue beside it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.modules: dict[str, Module] = {}
        self.aliases: dict[str, list[str]] = {}
        self.packages: set[str] = set()
        self._tops: set[str] = set()  # the first parts of canonical names: what an import finds for certain
        self.mentions: dict[str, list[FunctionRef]] = {}
        self.writers: dict[str, list[FunctionRef]] = {}
        self.mutators: dict[str, list[FunctionRef]] = {}
        self.methods_named: dict[str, list[ClassRef]] = {}
        self._orders: dict[ClassRef, list[ClassRef | str]] = {}
        self._subclasses: dict[ClassRef, list[ClassRef]] | None = None
        self._subclasses_of_library: dict[str, list[ClassRef]] = {}
        self._implementers: dict[ClassRef, list[ClassRef]] = {}
        self.absent: frozenset[ClassRef] = frozenset()  # classes that are not there yet: nobody finds them
        self._libraries: frozenset[str] | None = None  # what is never looked for beside its importer

    # Modules and names

    def add(self, module: Module, aliases: Iterable[str] = ()) -> None:
        """Take a module in. `aliases` are further dotted names under which the project may import it."""
        name = module.name
        self.modules[name] = module
        self._tops.add(name.partition(".")[0])
        for alias in aliases:
            self.aliases.setdefault(alias, []).append(name)
        for dotted in (name, *aliases):
            while dotted:
                self.packages.add(dotted)
                dotted = dotted.rpartition(".")[0]
        module.bind()
        facts = module.facts
        for index, source in (
            (self.mentions, facts.mentions),
            (self.writers, facts.writers),
            (self.mutators, facts.mutators),
        ):
            for key, functions in source.items():
                index.setdefault(key, []).extend((name, function) for function in functions)
        for cls in facts.classes:
            for method in cls.methods:
                self.methods_named.setdefault(method, []).append((name, cls.index))

    def module(self, dotted: str, importer: Module | None = None) -> Module | None:
        """The module of the project with this dotted name, or None; of several the one nearest to its importer."""
        found = self.modules.get(dotted)
        others = self.aliases.get(dotted)
        if not others:
            return found
        candidates = [self.modules[name] for name in others]
        if found is not None:
            candidates.insert(0, found)
        if importer is None or len(candidates) == 1:
            return candidates[0]
        return max(candidates, key=lambda candidate: _shared_folders(candidate.path, importer.path))

    def is_ours(self, dotted: str) -> bool:
        """Whether a dotted name is a module or a package folder of the project."""
        return dotted in self.packages

    def absolute(self, module: Module, level: int, target: str) -> str:
        """The absolute dotted name of an import in a module."""
        if level == 0:
            return self._beside(module, target)
        parts = module.name.split(".")
        keep = len(parts) - level + (1 if module.is_package else 0)
        base = ".".join(parts[: max(keep, 0)])
        return f"{base}.{target}" if base and target else base or target

    def _beside(self, importer: Module, target: str) -> str:
        """What an import of `target` means: what lies beside its importer, or above, where no root has its name.

        Python finds that when the program is started in the folder of the package (`cd backend && uvicorn main:app`,
        with an `__init__.py` that nothing needs), and otherwise nothing at all.
        """
        first = target.partition(".")[0]
        if first in self._tops or not first or ("." not in importer.name and not importer.is_package):
            return target
        if self._libraries is None:
            known = (*self.catalogue.functions, *self.catalogue.types)
            self._libraries = sys.stdlib_module_names.union(name.partition(".")[0] for name in known)
        if first in self._libraries:
            return target
        package = importer.name if importer.is_package else importer.name.rpartition(".")[0]
        while package:
            dotted = f"{package}.{target}"
            if dotted in self.packages and dotted != importer.name:
                return dotted
            package = package.rpartition(".")[0]
        return target

    def refers_to(self, ref: ClassRef) -> bool:
        """Whether anything in the project uses a class: imports it by name, or says its name beside its definition."""
        name = self.class_(ref).name
        for module in self.modules.values():
            facts = module.facts
            knows = module.name == ref[0]
            for level, target, attribute in facts.imports:
                if attribute == name:
                    return True
                dotted = self.absolute(module, level, target)
                knows = knows or ref[0] in (dotted, f"{dotted}.{attribute}")
            if knows:
                blocks = [facts.body, *(function.body for function in facts.functions)]
                blocks.extend(part for cls in facts.classes for part in (cls.body, cls.bases))
                if any(node[0] in ("n", "a") and node[-1] == name for block in blocks for node in nodes(block)):
                    return True
        return False

    # Functions and classes

    def expression(self, module: str, name: str) -> tuple[str, Node] | None:
        """The expression that a name of a module is bound to, through imports of the project, and its module's name;
        None where it is bound to something else."""
        for _ in range(4):
            bindings = self.modules[module].bindings.get(name, ())
            if not bindings:
                return None
            row = bindings[0]
            if row[0] == "imp" and row[3] is not None:
                home = self.modules[module]
                found = self.module(self.absolute(home, row[1], row[2]), home)
                if found is None:
                    return None
                module, name = found.name, row[3]
                continue
            node = row[1] if row[0] == "expr" else row[2] if row[0] == "ann" else None
            return (module, node) if node is not None else None
        return None

    def function(self, ref: FunctionRef) -> Function:
        """The facts of a function."""
        return self.modules[ref[0]].facts.functions[ref[1]]

    def class_(self, ref: ClassRef) -> Class:
        """The facts of a class."""
        return self.modules[ref[0]].facts.classes[ref[1]]

    def class_bindings(self, ref: ClassRef) -> dict[str, list[Binding]]:
        """What the body of a class binds."""
        return self.modules[ref[0]].bindings_of(ref[1])

    def order(self, ref: ClassRef, bases_of: Any) -> list[ClassRef | str]:
        """The class and everything it inherits from, nearest first: project classes as references, others by name.

        `bases_of` evaluates base expressions; asked once per class. Cycles end where they close.
        """
        known = self._orders.get(ref)
        if known is not None:
            return known
        self._orders[ref] = [ref]  # a cycle of classes, in broken code, ends here
        rows: list[list[ClassRef | str]] = []
        direct: list[ClassRef | str] = []
        for base in bases_of(ref):
            direct.append(base)
            rows.append(list(self.order(base, bases_of)) if isinstance(base, tuple) else [base])
        self._orders[ref] = [ref, *_merge([*rows, direct])]
        return self._orders[ref]

    def all_classes(self) -> Iterator[ClassRef]:
        """Every class of the project, in module order."""
        for name in self.modules:
            for cls in self.modules[name].facts.classes:
                yield name, cls.index

    def subclasses(self, ref: ClassRef, bases_of: Any) -> list[ClassRef]:
        """The project classes below a project class, in module order."""
        if self._subclasses is None:
            self._subclasses = {}
            for candidate in list(self.all_classes()):
                if candidate in self.absent:
                    continue
                for above in self.order(candidate, bases_of)[1:]:
                    if isinstance(above, tuple):
                        self._subclasses.setdefault(above, []).append(candidate)
                    else:
                        self._subclasses_of_library.setdefault(above, []).append(candidate)
        return self._subclasses.get(ref, [])

    def implementers(self, ref: ClassRef, bases_of: Any) -> list[ClassRef]:
        """The classes that fit a `Protocol`: its methods, taken and awaited alike, without inheriting it."""
        known = self._implementers.get(ref)
        if known is not None:
            return known
        self._implementers[ref] = []
        wanted = [name for name in self.class_(ref).methods if not name.startswith("__")]
        if "typing.Protocol" in self.order(ref, bases_of) and wanted:
            rarest = min(wanted, key=lambda name: len(self.methods_named.get(name, ())))
            for candidate in self.methods_named.get(rarest, ()):
                if candidate == ref or candidate in self.absent or "typing.Protocol" in self.order(candidate, bases_of):
                    continue
                if all(self._has_method_like(candidate, ref, name, bases_of) for name in wanted):
                    self._implementers[ref].append(candidate)
            fitting = self._implementers[ref]
            if len(wanted) == 1 and len(fitting) > _FEW and takes_anything(self._method(ref, wanted[0])):
                self._implementers[ref] = []  # `def run(self, *args, **kwargs)`: whatever has a `run` fits
        return self._implementers[ref]

    def forget_implementers(self) -> None:
        """Functions may take something else than they did: who fits a Protocol is asked again."""
        self._implementers.clear()

    def forget_orders(self) -> None:
        """Nothing of what an analysis has found counts any more: what classes inherit is asked again, too."""
        self._orders.clear()
        self._subclasses = None
        self._subclasses_of_library.clear()
        self._implementers.clear()

    def _has_method_like(self, candidate: ClassRef, protocol: ClassRef, name: str, bases_of: Any) -> bool:
        """Whether a class has, or inherits, a method that can stand in for that of a Protocol."""
        for above in self.order(candidate, bases_of):
            found = self.class_(above).methods.get(name) if isinstance(above, tuple) else None
            if found:
                wanted = self.class_(protocol).methods[name][-1]
                return stands_in(self.function((above[0], found[-1])), self.function((protocol[0], wanted)))
        return False

    def _method(self, ref: ClassRef, name: str) -> Function:
        return self.function((ref[0], self.class_(ref).methods[name][-1]))

    def turn(self, ref: FunctionRef) -> tuple[str, int]:
        """What functions are put in order by: their modules, and their places there."""
        aligned = self.modules[ref[0]].aligned
        return ref if aligned is None else (ref[0], aligned.turn(ref[1]))

    def dotted_name(self, ref: FunctionRef) -> str:
        """The dotted name of a function, module included."""
        return f"{ref[0]}.{self.function(ref).qualname}" if ref[1] >= 0 else ref[0]


def _shared_folders(one: str, other: str) -> int:
    """How many leading folders two paths have in common."""
    count = 0
    for left, right in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if left != right:
            break
        count += 1
    return count


def _merge(rows: list[list[ClassRef | str]]) -> list[ClassRef | str]:
    """C3 linearisation; where a hierarchy has none (broken code), depth first."""
    rows = [row for row in rows if row]
    if len(rows) == 2 and rows[1] == rows[0][:1]:  # one base: long chains of classes must not cost their square each
        return rows[0]
    out: list[ClassRef | str] = []
    while rows:
        out.extend(_agreed(rows))
        if rows:  # no order that all of them agree on: the nearest comes first
            head = rows[0][0]
            out.append(head)
            rows = [left for row in rows if (left := [entry for entry in row if entry != head])]
    return out


def _agreed(rows: list[list[ClassRef | str]]) -> list[ClassRef | str]:
    """What the rows agree on, taken out of them: as long as one begins with what stands behind nothing in any."""
    out: list[ClassRef | str] = []
    starts = [0] * len(rows)
    behind = Counter(entry for row in rows for entry in row[1:])
    while True:
        heads = [row[start] for row, start in zip(rows, starts, strict=True) if start < len(row)]
        head = next((each for each in heads if not behind[each]), None)
        if head is None:
            break
        out.append(head)
        for number, row in enumerate(rows):
            if starts[number] < len(row) and row[starts[number]] == head:
                starts[number] += 1
                if starts[number] < len(row):
                    behind[row[starts[number]]] -= 1
    rows[:] = [left for row, start in zip(rows, starts, strict=True) if (left := row[start:])]
    return out


def _bind(block: Block, into: dict[str, list[Binding]], stars: list[tuple[int, str]]) -> None:
    """Collect what a module or class body binds, through every branch, loop and handler."""
    for statement in block:
        tag = statement[0]
        if tag == "=":
            for target in statement[1]:
                _bind_target(target, ("expr", statement[2]), (), into)
        elif tag == "def" or tag == "class":
            _put(into, statement[2], (tag, statement[1]))
        elif tag == "imp":
            for bound, level, target, attribute in statement[1]:
                if bound == "*":
                    stars.append((level, target))
                elif bound:
                    _put(into, bound, ("imp", level, target, attribute))
        elif tag == ":":
            if statement[1] is not None and statement[1][0] == "n":
                _put(into, statement[1][1], ("ann", statement[2], statement[3]))
        elif tag == "if":
            _bind(statement[2], into, stars)
            _bind(statement[3], into, stars)
        elif tag == "try":
            _bind(statement[1], into, stars)
            for _, _, handler in statement[2]:
                _bind(handler, into, stars)
            _bind(statement[3], into, stars)
            _bind(statement[4], into, stars)
        elif tag == "with":
            for _, expr, target in statement[1]:
                _bind_target(target, ("with", expr, statement[3]), (), into)
            _bind(statement[2], into, stars)
        elif tag == "for":
            _bind_target(statement[2], ("item", statement[3]), (), into)
            _bind(statement[4], into, stars)
            _bind(statement[5], into, stars)
        elif tag == "while":
            _bind(statement[3], into, stars)
            _bind(statement[4], into, stars)
        elif tag == "match":
            for _, body in statement[2]:
                _bind(body, into, stars)


def _put(into: dict[str, list[Binding]], name: str, binding: Binding) -> None:
    into.setdefault(name, []).append(binding)


def _bind_target(target: Node, origin: Binding, path: tuple[int, ...], into: dict[str, list[Binding]]) -> None:
    if target is None:
        return
    if target[0] == "n":
        _put(into, target[1], (*origin, path) if origin[0] != "with" else (origin[0], origin[1], path, origin[2]))
    elif target[0] in ("t", "l"):
        for place, element in enumerate(target[1]):
            _bind_target(element, origin, (*path, place), into)
