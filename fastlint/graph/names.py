"""Names, imports and annotations become values. Knows nothing of calls, rules or contexts."""

from __future__ import annotations

import builtins
from abc import abstractmethod
from typing import Any

from fastlint.graph.late import origins_of
from fastlint.graph.state import Frame, State
from fastlint.graph.values import UNKNOWN, Value, Values, collection, elements, shallow, union
from fastlint.graph.world import Binding, ClassRef, FunctionRef, Module
from fastlint.rulebook.catalogue import TypeExpr
from fastlint.source.facts import Function, Node
from fastlint.source.quoted import expression_of

_BUILTINS = frozenset(dir(builtins))
FEW = 40  # functions worth looking into for who fills a container or sets an attribute; above that the name is common

_COLLECTIONS = frozenset(
    {
        "list",
        "set",
        "frozenset",
        "Sequence",
        "MutableSequence",
        "Iterable",
        "Iterator",
        "Collection",
        "List",
        "Set",
        "FrozenSet",
        "AbstractSet",
        "Generator",
        "AsyncGenerator",
        "AsyncIterator",
        "AsyncIterable",
        "deque",
        "Deque",
    }
)
_MAPPINGS = frozenset(
    {"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict", "ChainMap"}
)
_WRAPPERS = frozenset({"Optional", "Union", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly", "InitVar"})
_AWAITABLES = frozenset({"Awaitable", "Coroutine", "Task", "Future"})
_MANAGERS = frozenset(
    {"ContextManager", "AbstractContextManager", "AsyncContextManager", "AbstractAsyncContextManager"}
)
_TYPING = (
    "contextvars.",
    "typing.",
    "typing_extensions.",
    "collections.abc.",
    "builtins.",
    "collections.",
    "contextlib.",
    "asyncio.",
)
_TRANSPARENT = frozenset({"Mapped", "DynamicMapped", "WriteOnlyMapped", "SkipValidation", "SerializeAsAny", "Provide"})


class Names(State):
    """Looks up names where they are used: locals, enclosing functions, the module, imports, builtins."""

    def lookup(self, name: str, frame: Frame) -> Values:
        """What a name may be at this point."""
        env = frame.env
        if name in env:
            return env[name]
        if frame.class_scope is not None:
            bindings = self.world.class_bindings(frame.class_scope).get(name)
            if bindings:
                return self.class_level(frame.class_scope, name, frame)
        inner, enclosing = frame.variant.function, frame.variant.env
        while enclosing >= 0:
            variant = self.variants[enclosing]
            self.read(("local", enclosing, name), frame)  # it may get its value only after this function was made
            if name in variant.names:
                return self.as_tested(inner, name, variant.names[name], frame)
            inner, enclosing = variant.function, variant.env
        found = self.global_value(frame.module, name, frame)
        if found is None:
            return (("x", f"builtins.{name}"),) if name in _BUILTINS else UNKNOWN
        return found

    def global_value(self, module: str, name: str, frame: Frame | None) -> Values | None:
        """What a module-level name may be; None where the module does not bind it."""
        key = ("global", module, name)
        if key not in self.facts:
            if key in self.unbound:
                return None
            if not self._bind_global(module, name, key):
                self.unbound.add(key)
                return None
        values = self.read(key, frame)
        return self.with_items(values, ("items", module, name), name, frame)

    def _bind_global(self, module: str, name: str, key: Any) -> bool:
        found = self.world.module(module)
        if found is None:
            return False
        bindings = found.bindings.get(name)
        rebinders = found.facts.rebinders.get(name)
        if bindings is None and rebinders is None:
            return self._bind_by_star(module, name, key) or self._bind_late(found, name, key)
        self.facts[key] = UNKNOWN  # a cycle of imports or of definitions ends here
        for binding in bindings or ():
            if binding[0] != "def" or not _is_overload(found.facts.functions[binding[1]]):
                self.widen(key, self.bound(binding, found.name, self.module_frame(found.name), None))
        for index in (rebinders or ())[:FEW]:
            if index >= 0:
                self.ensure((found.name, index))
        return True

    def _bind_by_star(self, module: str, name: str, key: Any) -> bool:
        found = self.world.module(module)
        if found is None or name.startswith("__"):
            return False
        for level, target in found.stars:
            absolute = self.world.absolute(found, level, target)
            star = self.world.module(absolute, found)
            if star is not None:
                if star is not found and self._bind_as(key, star, name):
                    return True
                continue
            dotted = self.catalogue.canonical(f"{absolute}.{name}")
            if self.catalogue.function(dotted) is not None or self.catalogue.order(dotted):
                self.facts[key] = (("x", dotted),)
                return True
        return False

    def _bind_late(self, found: Module, name: str, key: Any) -> bool:
        """A name that the module's own `__getattr__` imports when somebody asks for it."""
        if "__getattr__" not in found.bindings or name.startswith("__"):
            return False
        for level, target, attribute in origins_of(found, name):
            there = self.world.module(self.world.absolute(found, level, target), found)
            if there is not None and there is not found and self._bind_as(key, there, attribute):
                return True
        return False

    def _bind_as(self, key: Any, there: Module, name: str) -> bool:
        self.facts[key] = UNKNOWN
        values = self.global_value(there.name, name, None)
        if values is None:
            del self.facts[key]
            return False
        self.widen(key, values)
        return True

    def with_items(self, values: Values, key: Any, name: str, frame: Frame | None) -> Values:
        """A container together with what the project's functions put into it."""
        for value in values:
            if value[0] in ("l", "d"):
                break
        else:
            return values
        mutators = self.world.mutators.get(name, ())
        if mutators and key not in self.readers and len(mutators) <= FEW:
            self.readers[key] = set()
            for ref in mutators:
                if ref[1] >= 0:
                    self.ensure(ref)
        items = self.read(key, frame)
        if items:
            values = union(values, (collection(items),))
        return union(values, self.read(("named", key), frame))  # a dictionary, where the keys are known

    def bound(self, binding: Binding, module: str, frame: Frame, owner: ClassRef | None) -> Values:
        """What one binding of a module or a class body gives."""
        tag = binding[0]
        if tag == "imp":
            return self.imported(module, binding[1], binding[2], binding[3], frame)
        if tag == "def":
            return self.function_values(module, binding[1], -1, frame)
        if tag == "class":
            return (("c", module, binding[1], -1),)
        if tag == "expr":
            values = self.evaluate(binding[1], frame)
            return unpack(self.provided(values, frame) if owner is not None else values, binding[2])
        if tag == "ann":
            declared = self.annotation(binding[1], frame)
            given = self.evaluate(binding[2], frame) if binding[2] is not None else UNKNOWN
            useful = tuple(value for value in given if value[0] not in ("k", "dep") and not _is_placeholder(value))
            if all(value[0] in ("l", "d", "t") for value in useful):  # an empty container says less than its annotation
                return union(declared, useful)
            return useful
        if tag == "item":
            return unpack(elements(self.evaluate(binding[1], frame)), binding[2])
        if tag == "with":
            return unpack(self.entered(self.evaluate(binding[1], frame), frame, -1, binding[3]), binding[2])
        return UNKNOWN

    @abstractmethod
    def as_tested(self, inner: FunctionRef, name: str, values: Values, frame: Frame) -> Values:
        """What a name of the function around `inner` may be where that one is made."""

    @abstractmethod
    def provided(self, values: Values, frame: Frame) -> Values:
        """The values, with every `Depends(…)` among them replaced by what its callable gives."""

    def entered(self, values: Values, frame: Frame, site: int, is_async: bool) -> Values:
        """What `with … as x` binds."""
        out: Values = UNKNOWN
        for value in values:
            if value[0] == "cm":
                out = union(out, value[1])
            elif value[0] == "i":
                expression = self.catalogue.enters(value[1]) if not value[2] else None
                out = union(out, self.typed(expression, value, [], {}, UNKNOWN, frame) if expression else (value,))
            else:
                out = union(out, (value,))
        return out

    def imported(self, module: str, level: int, target: str, attribute: str | None, frame: Frame | None) -> Values:
        """What an import binds: a module, or something in one, ours or not."""
        here = self.world.modules[module]
        absolute = self.world.absolute(here, level, target)
        if attribute is None:
            return (self.module_value(absolute, here),)
        nearest = self.world.module(absolute, here)
        return self.member_of_module(nearest.name if nearest is not None else absolute, attribute, frame)

    def module_value(self, dotted: str, importer: Module | None = None) -> Value:
        """The value of a module by its dotted name."""
        found = self.world.module(dotted, importer)
        if found is not None:
            return ("m", found.name)
        if self.world.is_ours(dotted):
            return ("m", dotted)
        return ("x", self.catalogue.canonical(dotted))

    def member_of_module(self, dotted: str, name: str, frame: Frame | None) -> Values:
        """What `module.name` is: a global, a submodule, or something outside the project."""
        found = self.world.module(dotted)
        if found is not None:
            values = self.global_value(found.name, name, frame)
            if values:
                return values
            if values is not None and not self.world.is_ours(f"{found.name}.{name}"):
                return values
        if found is not None or self.world.is_ours(dotted):
            submodule = f"{found.name if found is not None else dotted}.{name}"
            if self.world.module(submodule) is not None or self.world.is_ours(submodule):
                return (self.module_value(submodule),)
            return UNKNOWN
        return (("x", self.catalogue.canonical(f"{dotted}.{name}")),)

    def home_of_global(self, name: str, frame: Frame) -> Any:
        """The key of a module-level container, through the import that brought it here."""
        module = self.world.modules.get(frame.module)
        if name in frame.imports and module is not None:
            level, target, name = frame.imports[name]
            module = self.world.module(self.world.absolute(module, level, target))
        for _ in range(5):
            if module is None:
                return None
            bindings = module.bindings.get(name)
            if not bindings:
                return None
            if bindings[0][0] != "imp" or bindings[0][3] is None:
                return ("items", module.name, name)
            _, level, target, attribute = bindings[0]
            module = self.world.module(self.world.absolute(module, level, target))
            name = attribute
        return None

    # Classes

    def order(self, ref: ClassRef) -> list[ClassRef | str]:
        """The linearised bases of a class, itself first."""
        return self.world.order(ref, self.bases)

    def bases(self, ref: ClassRef) -> list[ClassRef | str]:
        """The direct bases of a class: project classes by reference, others by their usual dotted name."""
        out: list[ClassRef | str] = []
        frame = self.module_frame(ref[0])
        for node in self.world.class_(ref).bases:
            plain = node[2] if node is not None and node[0] == "s" else node
            for value in self.evaluate(plain, frame):
                if value[0] in ("c", "o"):  # an instance: what `declarative_base(cls=Model)` adds
                    out.append((value[1], value[2]))
                elif value[0] == "x":
                    out.append(value[1] if value[1] != "typing_extensions.Protocol" else "typing.Protocol")
                elif value[0] == "i" and not value[2]:  # declarative_base() and other factories of base classes
                    out.append(value[1])
        return [base for base in out if base != ref]

    def class_level(self, ref: ClassRef, name: str, frame: Frame | None) -> Values:
        """What the body of a class binds a name to (not its bases)."""
        key = ("class", ref, name)
        if key not in self.facts:
            self.facts[key] = UNKNOWN
            scope = self.module_frame(ref[0])
            inner = Frame(scope.variant, ref[0], {}, class_scope=ref, owner=ref, quiet=True)
            for binding in self.world.class_bindings(ref).get(name, ()):
                self.widen(key, self.bound(binding, ref[0], inner, ref))
        return self.with_items(self.read(key, frame), ("aitems", ref, name), name, frame)

    # Annotations

    def annotation(self, node: Node, frame: Frame) -> Values:
        """Instances of what an annotation says; nothing where it says nothing usable."""
        if node is None:
            return UNKNOWN
        tag = node[0]
        if tag == "k":
            return self._quoted(node[1], frame) if isinstance(node[1], str) else UNKNOWN
        if tag == "n" or tag == "a":
            return self.instances(self.evaluate(node, frame), frame)
        if tag == "s":
            return self.instances(self.subscripted_type(self.evaluate(node[2], frame), node[3], frame), frame)
        if tag == "o" and node[2] == "or":
            return union(self.annotation(node[3], frame), self.annotation(node[4], frame))
        return UNKNOWN

    def _quoted(self, text: str, frame: Frame) -> Values:
        """Instances of what a quoted annotation says, as far as it does not say itself: `Json = "list[Json] | str"`."""
        if text in self.quoted:
            return UNKNOWN
        self.quoted.add(text)
        try:
            return self.annotation(expression_of(text), frame)
        finally:
            self.quoted.discard(text)

    def instances(self, classes: Values, frame: Frame) -> Values:
        """Instances of classes and type expressions."""
        out: Values = UNKNOWN
        for value in classes:
            kind = value[0]
            if kind == "c":
                out = union(out, (("o", value[1], value[2], 0),))
            elif kind == "ty":
                out = union(out, value[1])
            elif kind == "x":
                out = union(out, self._library_instance(value[1], frame))
            elif kind == "k" and isinstance(value[1], str):
                out = union(out, self.annotation(value, frame))
        return out

    def _library_instance(self, dotted: str, frame: Frame) -> Values:
        last = dotted.rpartition(".")[2]
        if last == "Self" and dotted.startswith(_TYPING):
            return (("o", *frame.owner, 0),) if frame.owner is not None else UNKNOWN
        if dotted.startswith(("builtins.", "typing.", "typing_extensions.", "collections.")):
            if last in _COLLECTIONS:
                return (("l", UNKNOWN),)
            if last in _MAPPINGS:
                return (("d", (), UNKNOWN),)
            if last in ("str", "int", "float", "bool", "bytes", "object", "Any", "Callable", "type", "Type", "tuple"):
                return UNKNOWN
            if last in _WRAPPERS or last in ("TypeAlias", "Literal", "LiteralString", "Annotated"):
                return UNKNOWN  # `client: Final = Client()` leaves it to the value to say what it is
        if not self.catalogue.order(dotted) and not last[:1].isupper():
            return UNKNOWN
        return (("i", dotted, "", 0),)

    def subscripted_type(self, bases: Values, index: Node, frame: Frame) -> Values:
        """A type expression `base[index]` as values: ("ty", instances, dependencies), or classes for `type[T]`."""
        arguments = index[1] if index is not None and index[0] == "t" else [index]
        for base in bases:
            if base[0] == "c":  # a generic class of the project
                names = self.type_variables((base[1], base[2]))
                if not names:
                    return (base,)
                given = [shallow(self.annotation(node, frame)) for node in arguments]
                return (("ty", (("o", base[1], base[2], 0, tuple(zip(names, given, strict=False))),), UNKNOWN),)
            if base[0] != "x":
                continue
            dotted = base[1]
            last = dotted.rpartition(".")[2]
            if dotted.startswith(_TYPING) or last in _TRANSPARENT:
                found = self._typing(last, arguments, frame)
                if found is not None:
                    return found
            return (base,)
        return UNKNOWN

    def type_variables(self, ref: ClassRef) -> list[str]:
        """The names of the type variables that a generic class is subscripted with."""
        out: list[str] = []
        for node in self.world.class_(ref).bases:
            if node is not None and node[0] == "s" and node[3] is not None:
                names = [
                    part[1] for part in (node[3][1] if node[3][0] == "t" else [node[3]]) if part and part[0] == "n"
                ]
                if node[2] is not None and node[2][-1] in ("Generic", "Protocol"):
                    return names
                out.extend(name for name in names if name not in out and self._is_variable(name, ref[0]))
        return out

    def _is_variable(self, name: str, module: str) -> bool:
        values = self.global_value(module, name, None) or UNKNOWN
        return any(value[0] == "ty" and len(value) > 3 for value in values)

    def _typing(self, name: str, arguments: list[Node], frame: Frame) -> Values | None:
        first = arguments[0] if arguments else None
        if name == "Annotated":
            inner = self.annotation(first, frame)
            extra: Values = UNKNOWN
            for node in arguments[1:]:
                extra = union(extra, tuple(v for v in self.evaluate(node, frame) if v[0] == "dep"))
            resolved: Values = UNKNOWN
            for dependency in extra:
                resolved = union(resolved, (("dep", dependency[1] or self._class_of(first, frame), *dependency[2:]),))
            return (("ty", inner, resolved),)
        if name in _WRAPPERS or name in _TRANSPARENT:
            out: Values = UNKNOWN
            for node in arguments:
                out = union(out, self.annotation(node, frame))
            return (("ty", out, UNKNOWN),)
        if name in ("type", "Type"):
            return (("ty", (("ty", self.annotation(first, frame), UNKNOWN),), UNKNOWN),)
        if name in _COLLECTIONS:
            return (("ty", (collection(self.annotation(first, frame)),), UNKNOWN),)
        if name in _MAPPINGS:
            value = self.annotation(arguments[1], frame) if len(arguments) > 1 else UNKNOWN
            return (("ty", (("d", (), shallow(value)),), UNKNOWN),)
        if name == "ContextVar":  # `.get()` gives what it holds, as a mapping's does
            return (("ty", (("d", (), shallow(self.annotation(first, frame))),), UNKNOWN),)
        if name in ("tuple", "Tuple"):
            parts = tuple(shallow(self.annotation(node, frame)) for node in arguments)
            return (("ty", (("t", parts),), UNKNOWN),)
        if name in _AWAITABLES:
            last = arguments[-1] if arguments else None
            return (("ty", (("co", shallow(self.annotation(last, frame)), ()),), UNKNOWN),)
        if name in _MANAGERS:
            return (("ty", (("cm", shallow(self.annotation(first, frame)), -1, name.startswith("A")),), UNKNOWN),)
        if name in ("Callable", "Literal", "Any", "Concatenate", "TypeGuard"):
            return (("ty", UNKNOWN, UNKNOWN),)
        return None

    def _class_of(self, node: Node, frame: Frame) -> Values:
        if node is not None and node[0] == "k" and isinstance(node[1], str):
            node = expression_of(node[1])
        return self.evaluate(node, frame)

    def dependencies_in(self, annotation: Node, frame: Frame) -> Values:
        """The `Depends(…)` values that an annotation carries, through aliases."""
        if annotation is None or annotation[0] not in ("n", "a", "s", "k"):
            return UNKNOWN
        if annotation[0] == "k":
            inside = expression_of(annotation[1]) if isinstance(annotation[1], str) else None
            return self.dependencies_in(inside, frame)
        values = self.evaluate(annotation, frame)
        out: Values = UNKNOWN
        for value in values:
            if value[0] == "ty" and len(value) > 2:
                out = union(out, value[2])
        return out

    # Type expressions of the catalogue

    def typed(
        self,
        expression: TypeExpr,
        receiver: Value | None,
        args: list[Values],
        keywords: Any,
        result: Values,
        frame: Frame,
    ) -> Values:
        """The values that a type expression of the catalogue stands for."""
        tag = expression[0]
        if tag == "type":
            return (("i", self.catalogue.canonical(expression[1]), "", 0),)
        if tag == "self":
            if receiver is None:
                return UNKNOWN
            return (("i", receiver[1], "", 0),) if receiver[0] == "i" else (receiver,)
        if tag == "argument":
            return args[expression[1]] if expression[1] < len(args) else UNKNOWN
        if tag == "result":
            return result
        if tag == "class":
            given = keywords.get(expression[1], UNKNOWN)
            return self.instances(given, frame) or self.typed(expression[2], receiver, args, keywords, result, frame)
        if tag == "awaitable":
            return (("co", shallow(self.typed(expression[1], receiver, args, keywords, result, frame)), ()),)
        if tag == "first":
            return (("t", (shallow(self.typed(expression[1], receiver, args, keywords, result, frame)),)),)
        if tag == "list":
            return (collection(self.typed(expression[1], receiver, args, keywords, result, frame)),)
        if tag == "manager":
            return (("cm", shallow(self.typed(expression[1], receiver, args, keywords, result, frame)), -1, False),)
        return UNKNOWN


def _is_overload(function: Function) -> bool:
    """Whether a definition only tells type checkers how the one after it can be called (`typing.overload`)."""
    return any(node is not None and node[0] in ("n", "a") and node[-1] == "overload" for node in function.decorators)


def _is_placeholder(value: Value) -> bool:
    """pydantic's `Field(...)`, dataclasses' `field()` and the like: says nothing about the attribute's value."""
    if value[0] not in ("i", "x"):
        return False
    last = value[1].rpartition(".")[2]
    return last in {
        "Field",
        "field",
        "PrivateAttr",
        "FieldInfo",
        "mapped_column",
        "relationship",
        "Column",
        "Relationship",
        "Body",
        "Query",
        "Header",
        "Form",
        "Path",
        "Cookie",
        "File",
    } and value[1].split(".")[0] in ("pydantic", "dataclasses", "sqlalchemy", "sqlmodel", "fastapi", "attr", "attrs")


def unpack(values: Values, path: tuple[int, ...]) -> Values:
    """The element of unpacked tuples that a path of positions names."""
    for place in path:
        out: Values = UNKNOWN
        for value in values:
            if value[0] == "t":
                if place < len(value[1]):
                    out = union(out, value[1][place])
            elif value[0] == "l":
                out = union(out, value[1])
        values = out
    return values
