"""Which names and attributes outlive a request and are shared by all of them, and what they were made as.

Works on what the interpreter has found, and asks it quietly for receivers. Knows no access, no lock and no rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastlint.graph.contexts import Context, Contexts
from fastlint.graph.guards import gives_new, statements_of
from fastlint.graph.state import ONCE, Frame, Variant
from fastlint.graph.statements import Interpreter
from fastlint.graph.values import Values
from fastlint.graph.world import ClassRef, FunctionRef
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of

Key = tuple[Any, ...]
"""A shared place: ("global", module, name), ("attr", class, name) for a class's own attribute or that of an instance
that everybody shares, ("state", name) for what is kept on an application's `state`."""

_SERVED = (Context.LOOP, Context.POOL)
_NEW = frozenset({"__new__", "__init__", "__init_subclass__"})
_APPLICATIONS = frozenset({"fastapi.FastAPI", "starlette.applications.Starlette"})
_PLAIN_BASES = frozenset({"object", "ABC", "Generic", "Protocol", "local", "Enum"})
_FIELD_DECORATORS = ("dataclass", "define", "attrs", "mutable", "frozen", "s")
_REQUESTS = frozenset({"request", "req", "websocket", "ws", "connection", "scope", "info", "context", "ctx"})


_MAKES = re.compile(r"_*(load|create|make|build|new|construct|instantiate|clone)(_|$)|(\w*_)?from_", re.IGNORECASE)
CONTAINERS = frozenset({"dict", "list", "set", "defaultdict", "Counter", "deque", "OrderedDict", "ChainMap"})
# Instances of their subclasses are what one request, or one session of a database, brings
_RECORDS = ("pydantic.", "sqlmodel.", "sqlalchemy.", "tortoise.", "peewee.", "mongoengine.", "beanie.", "odmantic.")
FRAGILE = frozenset(  # cachetools says so itself: every access needs a lock
    {"TTLCache", "LRUCache", "LFUCache", "FIFOCache", "RRCache", "TLRUCache"}
)


def maker(node: Node) -> str:
    """The last name of what an expression calls; nothing where it is no call."""
    return str(node[2][-1]) if node is not None and node[0] == "c" and node[2] and node[2][0] in ("n", "a") else ""


def is_container(node: Node) -> bool:
    """Whether an expression makes a mutable container of Python's own, or one of cachetools'."""
    if node is None:
        return False
    return node[0] in ("d", "l", "set", "comp") or maker(node) in CONTAINERS | FRAGILE


class Places:
    """Finds the shared place that a node means, seen from a function."""

    def __init__(self, interpreter: Interpreter, contexts: Contexts) -> None:
        self.interpreter = interpreter
        self.world = interpreter.world
        self.contexts = contexts
        self._given_anew = self._classes_given_anew()
        self._shared = self._shared_classes()
        self._made: dict[Key, list[Node]] = {}
        self._containers: dict[Key, bool] = {}
        self.carried: dict[tuple[str, int, str], Values] = {}  # see `providers`
        self._everybodys: dict[tuple[ClassRef, str], bool] = {}
        self._owners: dict[tuple[ClassRef, str], ClassRef] = {}

    # From a node to a place

    def of(self, node: Node, frame: Frame) -> Key | None:
        """The shared place that a name or an attribute is; None for everything else."""
        if node is None:
            return None
        if node[0] == "n":
            return self._of_name(node[1], frame)
        return self._of_attribute(node, frame) if node[0] == "a" else None

    def _of_name(self, name: str, frame: Frame) -> Key | None:
        if self.is_local(name, frame):
            return None
        home = self.interpreter.home_of_global(name, frame)
        if home is None or self.world.modules[home[1]].bindings[home[2]][0][0] in ("imp", "def", "class"):
            return None
        return "global", home[1], home[2]

    def is_local(self, name: str, frame: Frame) -> bool:
        """Whether a name belongs to the frame's function, or to one around it."""
        variant = frame.variant
        while variant.function[1] >= 0:
            rebinders = self.world.modules[variant.function[0]].facts.rebinders.get(name, ())
            if name in variant.names and variant.function[1] not in rebinders:
                return True
            if variant.env < 0:
                return False
            variant = self.interpreter.variants[variant.env]
        return False

    def _of_attribute(self, node: Node, frame: Frame) -> Key | None:
        base, name = node[2], node[3]
        if base is None or base[0] not in ("n", "a", "c") or name == "__dict__":  # by that, it can be any of them
            return None
        if base[0] == "a" and base[3] == "state":
            return ("state", name) if self._is_application(base[2], frame) else None
        if base[0] == "c" and (base[3] or base[4]):  # a call with arguments: whatever it gives, it is not shared
            return None
        found: set[Key] = set()
        for value in self.interpreter.evaluate(base, frame):
            if value[0] == "m":
                found.add(("global", value[1], name))
            elif value[0] == "c":
                found.add(("attr", self.owner((value[1], value[2]), name), name))
            elif value[0] == "o" and self._is_shared_attribute((value[1], value[2]), name):
                found.add(("attr", self.owner((value[1], value[2]), name), name))
            elif value[0] != "k":
                return None
        key = found.pop() if len(found) == 1 else None
        return key if key is not None and not self.is_method(key) else None

    def _is_application(self, node: Node, frame: Frame) -> bool:
        if node is None or node[0] not in ("n", "a") or (node[0] == "n" and node[1] in _REQUESTS):
            return False
        if node[-1] in ("app", "application"):
            return True
        return any(value[0] == "i" and value[1] in _APPLICATIONS for value in self.interpreter.evaluate(node, frame))

    def _is_shared_attribute(self, ref: ClassRef, name: str) -> bool:
        """Whether the attribute of an instance is everybody's: of a shared instance, or the class's own."""
        known = self._everybodys.get((ref, name))
        if known is None:
            known = self._everybodys[ref, name] = self._is_everybodys(ref, name)
        return known

    def _is_everybodys(self, ref: ClassRef, name: str) -> bool:
        everything = self.interpreter.order(ref)
        if ref in self._shared and "threading.local" not in everything:
            return True
        order = [above for above in everything if isinstance(above, tuple)]
        if any(name in self.world.class_(above).attribute_writers for above in order):
            return False
        if self._is_given_to_instances(name, order):
            return False
        return any(self._is_class_level(above, name) for above in order)

    def _is_given_to_instances(self, name: str, order: list[ClassRef]) -> bool:
        """Whether somebody assigns the attribute on an object that is not the class (`copy.name = …`): then the class
        body only declares it."""
        names = {self.world.class_(above).name for above in order} | {"cls"}
        writers = self.world.writers.get(name, ())
        return any(base not in names for ref in writers for base in self._bases_written(ref, name))

    def _bases_written(self, ref: FunctionRef, name: str) -> Iterator[str]:
        """The names before the dot in `base.name = …` of a function."""
        body = self.world.function(ref).body if ref[1] >= 0 else self.world.modules[ref[0]].facts.body
        for statement in statements_of(body):
            targets = statement[1] if statement[0] == "=" else [statement[1]] if statement[0] in (":", "+=") else []
            for target in targets:
                if target is not None and target[0] == "a" and target[3] == name and target[2] is not None:
                    yield target[2][1] if target[2][0] == "n" else ""

    def _is_class_level(self, ref: ClassRef, name: str) -> bool:
        """A class body's `name = {}`; the declared fields of models and dataclasses are each instance's own."""
        bindings = self.world.class_bindings(ref).get(name, ())
        made = any(row[0] == "expr" or (row[0] == "ann" and row[2] is not None) for row in bindings)
        return made and not self._has_fields(ref)

    def _has_fields(self, ref: ClassRef) -> bool:
        order = self.interpreter.order(ref)
        if any(isinstance(above, str) and above.rpartition(".")[2] not in _PLAIN_BASES for above in order):
            return True
        named = [node[2] if node and node[0] == "c" else node for node in self.world.class_(ref).decorators]
        return any(node is not None and node[0] in ("n", "a") and node[-1] in _FIELD_DECORATORS for node in named)

    def owner(self, ref: ClassRef, name: str) -> ClassRef:
        """The class that first gives instances this attribute: subclasses share its key."""
        known = self._owners.get((ref, name))
        if known is None:
            known = ref
            for above in self.interpreter.order(ref):
                if isinstance(above, tuple):
                    cls = self.world.class_(above)
                    if name in cls.attribute_writers or name in self.world.class_bindings(above):
                        known = above
            self._owners[ref, name] = known
        return known

    def is_method(self, key: Key) -> bool:
        """Whether the attribute is a method, property or descriptor of the class: nothing that is held."""
        if key[0] != "attr":
            return False
        if key[2] in self.world.class_(key[1]).methods:
            return True
        values = self.interpreter.facts.get(("class", key[1], key[2]), ())
        return any(v[0] == "o" and self.interpreter.find_method((v[1], v[2]), "__set__") for v in values)

    # What it was made as

    def made(self, key: Key) -> list[Node]:
        """The expressions that are bound to a place at import, in a class body or in a constructor."""
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = list(self._creations(key))
        return known

    def _creations(self, key: Key) -> Iterator[Node]:
        if key[0] == "global":
            module = self.world.modules.get(key[1])
            rows = module.bindings.get(key[2], ()) if module is not None else ()
            yield from (row[1] if row[0] == "expr" else row[2] for row in rows if row[0] in ("expr", "ann"))
        elif key[0] == "attr":
            ref, name = key[1], key[2]
            rows = self.world.class_bindings(ref).get(name, ())
            yield from (row[1] if row[0] == "expr" else row[2] for row in rows if row[0] in ("expr", "ann"))
            for index in self.world.class_(ref).attribute_writers.get(name, ()):
                if index >= 0 and self.world.function((ref[0], index)).name in _NEW:
                    yield from _assigned(self.world.function((ref[0], index)).body, name)

    def is_sentinel(self, node: Node, frame: Frame) -> bool:
        """Whether a name or an attribute stands for "nothing yet": `UNSET = object()`."""
        key = self.of(node, frame)
        made = self.made(key) if key is not None else []
        return bool(made) and all(each is not None and each[0] == "c" and each[2] == ["n", "object"] for each in made)

    def holds_container(self, key: Key) -> bool:
        """Whether a place holds a dictionary, list, set or the like, as far as it is visible."""
        known = self._containers.get(key)
        if known is None:
            known = self._containers[key] = not self.is_method(key) and self._is_container(key)
        return known

    def _is_container(self, key: Key) -> bool:
        if any(value[0] in ("o", "i") for value in self.values(key)):
            return any(maker(node) in FRAGILE for node in self.made(key))
        if any(is_container(node) for node in self.made(key)):
            return True
        return any(value[0] in ("l", "d") for value in self.values(key)) and not any(
            maker(node) for node in self.made(key)
        )

    def home(self, key: Key) -> tuple[FunctionRef, int] | None:
        """Where a place is made: (function or module, site), as far as the expression has a site."""
        module = key[1] if key[0] == "global" else key[1][0] if key[0] == "attr" else None
        site = next((node[1] for node in self.made(key) if node is not None and node[0] in ("c", "s", "a")), None)
        return ((module, -1), site) if module is not None and site is not None else None

    def values(self, key: Key) -> Values:
        """What the interpreter knows of the content."""
        if key[0] == "attr":
            found = self.interpreter.facts.get(key, ())
            return found or self.interpreter.facts.get(("class", key[1], key[2]), ())
        return self.interpreter.facts.get(key, ())

    # Instances that everybody shares

    def _shared_classes(self) -> set[ClassRef]:
        facts = self.interpreter.facts
        found: set[ClassRef] = set()
        for key, values in list(facts.items()):
            if key[0] in ("global", "state"):
                found.update((value[1], value[2]) for value in values if value[0] == "o")
            elif key[0] in ("class", "attr") and key[2] in self.world.class_bindings(key[1]):
                found.update((value[1], value[2]) for value in values if value[0] == "o" and value[1:3] == key[1])
            elif key[0] == "defined":
                for value in values:
                    if value[0] == "once" and value[1][0] == "f":
                        found.update(self._given_by((value[1][1], value[1][2])))
        waiting = [ref for ref in sorted(found) if not self._made_per_request(ref)]
        shared = set(waiting)
        while waiting:
            ref = waiting.pop()
            for name in self.world.class_(ref).attribute_writers:
                for value in facts.get(("attr", ref, name), ()):
                    inner = (value[1], value[2]) if value[0] == "o" else None
                    if inner is not None and inner not in shared and not self._made_per_request(inner):
                        shared.add(inner)
                        waiting.append(inner)
        return shared

    def _given_by(self, ref: FunctionRef) -> Iterator[ClassRef]:
        for variant in self.interpreter.of_function.get(ref, ()):
            for value in self.interpreter.facts.get(("returns", variant.number), ()):
                if value[0] == "o":
                    yield value[1], value[2]

    def _classes_given_anew(self) -> set[ClassRef]:
        """The classes of which requests get instances from functions whose names say that they make them, however
        they do: `load_plugin()` may look for a class by its name."""
        found: set[ClassRef] = set()
        for variant in self.interpreter.variants:
            ref = variant.function
            function = self.world.function(ref) if ref[1] >= 0 else None
            if function is None or not _MAKES.match(function.name) or any(map(_caches, function.decorators)):
                continue
            if gives_new(function.body) and any(self._is_reached(variant, context) for context in _SERVED):
                facts = self.interpreter.facts
                given = (*facts.get(("returns", variant.number), ()), *facts.get(("returned", ref), ()))
                found.update((value[1], value[2]) for value in given if value[0] == "o")
        return found

    def _made_per_request(self, ref: ClassRef) -> bool:
        """Whether instances of a class are also made while requests are served, other than once."""
        if ref in self._given_anew:
            return True
        cls = self.world.class_(ref)
        if any(isinstance(above, str) and above.startswith(_RECORDS) for above in self.interpreter.order(ref)):
            return "pydantic_settings" not in str(self.interpreter.order(ref))
        for mention in self.world.mentions.get(cls.name, ()):
            if mention[1] < 0:
                continue
            function = self.world.function(mention)
            facts = self.world.modules[mention[0]].facts
            if any(mention[1] in indices for indices in facts.rebinders.values()) or function.name in _NEW:
                continue
            if any(_caches(node) for node in function.decorators):
                continue
            for variant in self.interpreter.of_function.get(mention, ()):
                if any(self._is_reached(variant, context) for context in _SERVED) and self._makes(variant, cls.name):
                    return True
        return False

    def _is_reached(self, variant: Variant, context: Context) -> bool:
        arrival = self.contexts.arrivals.get((variant.number, context))
        return arrival is not None and not arrival.flags & ONCE

    def _makes(self, variant: Variant, name: str) -> bool:
        """Whether the function makes an instance for itself: not one that it puts where it stays."""
        function = self.world.function(variant.function)
        return not _kept(function.body, name)


def _caches(decorator: Node) -> bool:
    """Whether a decorator keeps what a function gives."""
    named = decorator[2] if decorator is not None and decorator[0] == "c" else decorator
    return bool(named) and "cache" in str(named[-1])


def _kept(block: Block, name: str) -> bool:
    """Whether every instance that is made here goes straight into an attribute (`cls._instance = Name()`)."""
    for statement in block:
        if statement[0] in ("=", ":"):
            value = statement[2] if statement[0] == "=" else statement[3]
            targets = statement[1] if statement[0] == "=" else [statement[1]]
            if value is not None and value[0] == "c" and value[2] is not None and value[2][-1] in (name, "cls"):
                return any(_is_own(target) for target in targets)
        if any(_kept(inner, name) for inner in blocks_of(statement)):
            return True
    return False


def _is_own(target: Node) -> bool:
    """Whether a target is an attribute of the class or of the instance at hand (`cls._instance`, `self.client`)."""
    base = target[2] if target is not None and target[0] == "a" else None
    return base is not None and base[0] == "n" and (base[1] in ("self", "cls") or base[1][:1].isupper())


def _assigned(block: Block, name: str) -> Iterator[Node]:
    for statement in block:
        if statement[0] == "=":
            for target in statement[1]:
                if target is not None and target[0] == "a" and target[3] == name:
                    yield statement[2]
        elif statement[0] == ":" and statement[1] is not None and statement[1][0] == "a" and statement[1][3] == name:
            yield statement[3]
        for inner in blocks_of(statement):
            yield from _assigned(inner, name)
