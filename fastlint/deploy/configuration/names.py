"""Names of a configuration: bound, looked up, imported from files of the project, forgotten. Runs no statement."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from fastlint.deploy.configuration.state import (
    Bound,
    Exhausted,
    Foreign,
    Later,
    Left,
    OwnModule,
    OwnObject,
    Scope,
    State,
    plain,
)
from fastlint.deploy.values import Raises, Unknown, bounded, is_literal
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of, calls_within, nodes

CHANGES = frozenset(
    {"append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update"}
)
"""Methods that put something into a list or dictionary, or take it out."""
_CIRCLE = Unknown("an import that leads back to itself")


class Names(State):
    """Binds and finds names."""

    def _bind(self, name: str, value: Any, site: int, scope: Scope) -> None:
        home = scope
        while name in home.globals and home.outer is not None:
            home = home.outer
        home.names[name] = Bound(value, site, tuple({**self.control, **self.read}))

    def _assign(self, target: Node, value: Any, site: int, scope: Scope) -> None:
        if target is None:
            return
        if target[0] == "n":
            self._bind(target[1], value, site, scope)
        elif target[0] in ("t", "l"):
            parts = value if isinstance(value, (tuple, list)) and len(value) == len(target[1]) else None
            for number, element in enumerate(target[1]):
                self._assign(element, Unknown("unpacked") if parts is None else parts[number], site, scope)
        elif target[0] == "a":
            base = self.value(target[2], scope)
            if isinstance(base, OwnObject):
                base.attributes[target[3]] = value
            elif isinstance(base, OwnModule):
                both = Unknown("set on one of two ways")  # a module has no names for each of them
                base.scope.names[target[3]] = Bound(both if self.forks else value, -1)
        elif target[0] == "s":
            self._store(target, value, site, scope)

    def _store(self, target: Node, value: Any, site: int, scope: Scope) -> None:
        base, key = self.value(target[2], scope), self.value(target[3], scope)
        if base == Foreign("os.environ") and isinstance(key, str):
            self.environment = {**self.environment, key: value}  # what was imported before has seen the other one
        elif base == Foreign("locals()"):
            if isinstance(key, str):
                self._bind(key, value, site, scope)
            else:
                raise Exhausted  # any name may be anything from here on
        elif isinstance(base, dict) and is_literal(key) and not self._is_shared(target[2], scope):
            base[key] = value
            if bounded(base) is not base:
                base[key] = Unknown("more of a dictionary")
        elif isinstance(base, dict):
            self._open(base, "a dictionary after one of its keys was set")

    def _is_shared(self, node: Node, scope: Scope) -> bool:
        """Whether a list or dictionary is not this scope's own while it follows both ways of a test: each way has but
        its own names for itself."""
        if not self.forks:
            return False
        if node is None or node[0] != "n" or node[1] not in scope.names:
            return True
        held, outer = scope.names[node[1]].value, scope.outer
        while outer is not None and not any(bound.value is held for bound in outer.names.values()):
            outer = outer.outer
        return outer is not None  # it was handed in

    def _delete(self, target: Node, scope: Scope) -> None:
        base, key = self.value(target[2], scope), self.value(target[3], scope)
        if isinstance(base, dict) and is_literal(key) and not self._is_shared(target[2], scope):
            base.pop(key, None)
        elif isinstance(base, (dict, list)):
            self._open(base, "what is left of it")

    def lookup(self, name: str, scope: Scope) -> Any:
        """What a name is."""
        here: Scope | None = scope
        while here is not None:
            bound = here.names.get(name)
            if bound is not None:
                self.read.update(dict.fromkeys(bound.variables))
                return self.settled(bound)
            here = here.outer
        if name == "__name__":
            while scope.outer is not None:
                scope = scope.outer
            return "__main__" if scope.main else scope.module or "gunicorn.conf"
        return Foreign(name)

    def _forget(self, blocks: list[Block], scope: Scope, target: Node = None) -> None:
        """What these blocks may bind is unknown from here on; all names are where they write `locals()`."""
        names: set[str] = set()
        for block in blocks:
            bound_in(block, names)
        targets_in(target, names)
        for node in _changed_in(blocks):
            found = self._held(node, scope)
            if isinstance(found, (dict, list)):
                self._open(found, "changed in a loop or case that is not followed")
        if any(_writes_names(block) for block in blocks):
            names.update(n for n, bound in scope.names.items() if plain(bound.value) or isinstance(bound.value, Later))
        for name in names:
            site = scope.names[name].site if name in scope.names else -1
            scope.names[name] = Bound(Unknown("set in a loop or case that is not followed"), site)

    def _held(self, node: Node, scope: Scope) -> Any:
        """What a name or attribute holds so far, or the outermost container of an item; nothing is run for it."""
        if node is None or node[0] not in ("n", "a", "s"):
            return None
        if node[0] == "n":
            here: Scope | None = scope
            while here is not None and node[1] not in here.names:
                here = here.outer
            return here.names[node[1]].value if here is not None else None
        base = self._held(node[2], scope)
        if node[0] == "s":
            return base
        if isinstance(base, OwnModule):
            return base.scope.names[node[3]].value if node[3] in base.scope.names else None
        return base.attributes.get(node[3]) if isinstance(base, OwnObject) else None

    def _import(self, statement: Any, scope: Scope) -> None:
        for bound, level, target, attribute in statement[1]:
            if not bound:
                continue
            dotted = _absolute(scope.module, level, target)
            if bound == "*":
                found = self._module(dotted)
                if found is not None:
                    scope.names.update({n: b for n, b in found.names.items() if not n.startswith("_")})
                continue
            self._bind(bound, self._import_one(dotted, attribute), statement[-1], scope)

    def _import_one(self, dotted: str, attribute: str | None) -> Any:
        """What an import binds: now, where it may fail, or where others may see what running the module does."""
        done = self.modules.get(dotted)
        if self.tries or (done is not None and (attribute is None or attribute in done.names)):
            return self._imported(dotted, attribute)
        modules = (dotted, f"{dotted}.{attribute}") if attribute else (dotted,)
        found = next((name for name in modules if self.load(name) is not None), None)
        if found is None or not self._is_harmless(found):
            return self._imported(dotted, attribute)
        return Later(dotted, attribute, self.environment)

    def settled(self, bound: Bound) -> Any:
        """The value of a name; what it is imported from is run now, if nobody has asked for it yet."""
        later = bound.value
        if isinstance(later, Later):
            before = self.environment, self.read, self.during, self.control, self.tries
            self.environment, self.read, self.during, self.control, self.tries = later.environment, {}, {}, {}, 0
            bound.value = _CIRCLE
            try:
                bound.value = self._imported(later.module, later.attribute)
            finally:
                if bound.value is _CIRCLE:
                    bound.value = later
                self.environment, self.read, self.during, self.control, self.tries = before
        return bound.value

    def _is_harmless(self, dotted: str) -> bool:
        """Whether neither a module nor anything that it imports sets a variable of the environment: by a look at what
        they call, not by running them."""
        reached: dict[str, None] = {dotted: None}
        called: set[str] = set()
        waiting = [dotted]
        while waiting:
            name = waiting.pop()
            if not self.harmless.get(name, True):
                self.harmless[dotted] = False
                break
            found = self.load(name) if name not in self.harmless else None
            if found is None:
                continue
            facts = found[1]
            called.update(each for each, indices in facts.mentions.items() if -1 in indices)
            indices = facts.mutators.get("environ", ())
            self.setters.update(facts.functions[index].name for index in indices if index >= 0)
            if -1 in indices:
                self.harmless[name] = self.harmless[dotted] = False
                break
            for target, attribute in _imports(facts.body, found[0]):
                for module in (target, f"{target}.{attribute}") if attribute else (target,):
                    if module not in reached:
                        reached[module] = None
                        waiting.append(module)
        else:
            self.harmless[dotted] = called.isdisjoint(self.setters)
            if self.harmless[dotted]:
                self.harmless.update(dict.fromkeys(reached, True))
        return self.harmless[dotted]

    def _imported(self, dotted: str, attribute: str | None) -> Any:
        if attribute is None:
            found = self._module(dotted)
            return OwnModule(found) if found is not None else Foreign(dotted)
        if dotted == "typing" and attribute == "TYPE_CHECKING":
            return False
        found = self._module(dotted)
        bound = found.names.get(attribute) if found is not None else None
        if bound is not None and bound.value is not _CIRCLE:  # `from package import module` in the package itself
            return self.settled(bound)
        inner = self._module(f"{dotted}.{attribute}")
        if inner is not None:
            return OwnModule(inner)
        return Foreign(f"{dotted}.{attribute}") if found is None else Unknown(f"{attribute} of {dotted}")

    def _module(self, dotted: str) -> Scope | None:
        if dotted not in self.modules:
            found = self.load(dotted)
            if found is None:
                return None
            scope = self.modules[dotted] = Scope(found[1], found[0], {})
            read, self.read = self.read, {}
            try:
                self.block(found[1].body, scope)
            except (Raises, Left):  # what it had bound until then is there
                pass
            self.read = read
        return self.modules[dotted]

    def _imports_foreign(self, body: Block) -> bool:
        """Whether a block imports what is neither of the project nor of the standard library."""
        rows = [row for statement in body if statement[0] == "imp" for row in statement[1]]
        names = {row[2].partition(".")[0] for row in rows if not row[1]}
        return any(name not in sys.stdlib_module_names and self.load(name) is None for name in names)


def _absolute(module: str, level: int, target: str) -> str:
    if not level:
        return target
    base = module.split(".")[: -level if level <= len(module.split(".")) else None]
    return ".".join([*base, target] if target else base)


def _imports(block: Block, module: str) -> Iterator[tuple[str, str | None]]:
    """The modules that the statements of a module import, and what of them."""
    for statement in block:
        if statement[0] == "imp":
            for _, level, target, attribute in statement[1]:
                yield _absolute(module, level, target), attribute
        for inner in blocks_of(statement):
            yield from _imports(inner, module)


def bound_in(block: Block, names: set[str]) -> None:
    for statement in block:
        tag = statement[0]
        if tag == "=":
            for target in statement[1]:
                targets_in(target, names)
        elif tag in (":", "+="):
            targets_in(statement[1], names)
        elif tag in ("def", "class"):
            names.add(statement[2])
        for part in statement:
            if isinstance(part, list) and part and isinstance(part[0], list):
                bound_in([inner for inner in part if isinstance(inner, list) and inner], names)


def targets_in(target: Node, names: set[str]) -> None:
    if target is None:
        return
    if target[0] == "n":
        names.add(target[1])
    elif target[0] in ("t", "l"):
        for element in target[1]:
            targets_in(element, names)


def _changed_in(blocks: list[Block]) -> Iterator[Node]:
    """What these blocks put something into or take something out of, and what they give to somebody who may."""
    for node in (each for block in blocks for each in nodes(block)):
        if node[0] == "c":
            if node[2] is not None and node[2][0] == "a" and node[2][3] in CHANGES:
                yield node[2][2]
            yield from node[3]
            yield from (value for _, value in node[4])
        elif node[0] in ("=", "del"):
            yield from _items_in(node[1])
        elif node[0] in (":", "+="):
            yield from _items_in([node[1]])
            if node[0] == "+=":
                yield node[1]


def _items_in(targets: list[Node]) -> Iterator[Node]:
    """The lists and dictionaries of whose items some targets are."""
    for target in targets:
        if target is not None and target[0] == "s":
            yield target[2]
        elif target is not None and target[0] in ("t", "l"):
            yield from _items_in(target[1])


def _writes_names(node: Any) -> bool:
    """Whether anything below calls `locals()`, `globals()` or `vars()`."""
    return any(
        call[2] is not None and call[2][0] == "n" and call[2][1] in ("locals", "globals", "vars")
        for call in calls_within(node)
    )
