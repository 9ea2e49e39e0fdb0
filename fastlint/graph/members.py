"""Attributes become values: of modules, classes, instances and catalogue types. Knows nothing of rules or contexts."""

from __future__ import annotations

from fastlint.graph.names import FEW, Names
from fastlint.graph.state import IMPLICIT, MAYBE, ONCE, Frame, is_trivial
from fastlint.graph.values import (
    BEYOND,
    UNKNOWN,
    Value,
    Values,
    elements,
    has_method,
    only_constant,
    substitute,
    union,
)
from fastlint.graph.world import ClassRef, FunctionRef
from fastlint.source.facts import Function, Node

_PROPERTIES = frozenset({"property", "cached_property", "hybrid_property", "computed_field", "abstractproperty"})
_STATE = "starlette.datastructures.State"
_MODEL = "pydantic.BaseModel"
_MAKES_MODEL = frozenset({"model_validate", "model_validate_json", "parse_obj", "parse_raw", "from_orm"})
_MANY_OVERRIDES = 40
_ENUMERATIONS = frozenset({"enum.Enum", "enum.StrEnum"})
_NUMBERS = frozenset({"int", "float", "enum.IntEnum", "enum.Flag", "enum.IntFlag"})


class Members(Names):
    """Looks up attributes along class orders, assignments to `self`, `app.state` and the catalogue."""

    def attribute(self, values: Values, name: str, frame: Frame, site: int, node: Node = None) -> Values:
        """What `value.name` may be, for every value; calls properties on the way."""
        out: Values = UNKNOWN
        for value in self._with_attribute(values, name) if len(values) > 1 else values:
            out = union(out, self.attribute_of(value, name, frame, site))
        if node is not None and node[0] == "a" and node[3] == "state":  # app.state.x, request.state.x
            known = self.state_attribute(name, frame)
            if known:
                return known
        return out

    def _with_attribute(self, values: Values, name: str) -> Values:
        """The values without those that would ask their `__getattr__`, if a class of another one has the attribute."""
        catching = self.world.methods_named.get("__getattr__")
        if not catching or name.startswith("__"):
            return values
        having: list[Value] = []
        catchers: list[Value] = []
        for value in values:
            order = self.order((value[1], value[2])) if value[0] == "o" else ()
            if any(isinstance(above, tuple) and self._says(above, name) for above in order):
                having.append(value)
            elif any(above in catching for above in order):
                catchers.append(value)
        return tuple(value for value in values if value not in catchers) if having and catchers else values

    def _says(self, ref: ClassRef, name: str) -> bool:
        """Whether a class has an attribute or method of this name: in its body, or assigned by its methods."""
        return name in self.world.class_bindings(ref) or name in self.world.class_(ref).attribute_writers

    def attribute_of(self, value: Value, name: str, frame: Frame, site: int) -> Values:
        """What `value.name` may be, for one value."""
        kind = value[0]
        if kind == "o":
            return self.instance_attribute(value, name, frame, site)
        if kind == "i":
            if not value[2] and self.catalogue.is_property(value[1], name):
                return self.call(site, ("i", value[1], name, value[3]), [], {}, frame, IMPLICIT)
            return self.library_attribute(value, name, frame)
        if kind == "m":
            return self.member_of_module(value[1], name, frame)
        if kind == "x":
            declared = self.catalogue.attribute(value[1], name)
            if declared is not None:
                return self.typed(declared, ("i", value[1], "", 0), [], {}, UNKNOWN, frame)
            return (("x", self.catalogue.canonical(f"{value[1]}.{name}")),)
        if kind == "c":
            return self.class_attribute(value, name, frame)
        if kind == "super":
            return self.super_attribute(value, name, frame, site)
        if kind == "ty":
            return self.attribute(value[1], name, frame, site)
        if kind in ("f", "once", "mgr", "off"):
            return self.function_attribute(value, name)
        if kind in ("l", "d", "t", "k", "g", "co", "cm", "map"):
            return (("bm", value, name),) if has_method(value, name) else UNKNOWN
        return UNKNOWN

    def function_attribute(self, value: Value, name: str) -> Values:
        """Attributes that a decorator gives to a function (`task.delay`); the function itself for `__wrapped__`."""
        inner = value[1] if value[0] in ("once", "mgr", "off") else value
        if name == "__wrapped__":
            return (inner,)
        if inner[0] == "f":
            made = self.facts.get(("decorated", inner[1], inner[2]))
            if made:
                return tuple(("i", kind[1], name, 0) for kind in made)
        return UNKNOWN

    def library_attribute(self, value: Value, name: str, frame: Frame) -> Values:
        """An attribute of an instance of a catalogue type: what the data says, else one step along its path."""
        behind = value[2] if not value[2] or self.catalogue.leads_on(value[1], value[2]) else BEYOND
        path = f"{behind}.{name}" if behind else name
        declared = self.catalogue.attribute(value[1], path)
        if declared is not None:
            return self.typed(declared, value, [], {}, UNKNOWN, frame)
        if value[1] == _STATE and not value[2]:
            known = self.state_attribute(name, frame)
            if known:
                return known
        return (("i", value[1], path, value[3]),)

    def state_attribute(self, name: str, frame: Frame) -> Values:
        """What anybody put on an application's `state` under this name."""
        key = ("state", name)
        if key not in self.readers:
            self.readers[key] = set()
            writers = self.world.writers.get(name, ())
            for ref in writers[:FEW]:
                if ref[1] >= 0:
                    self.ensure(ref)
        return self.with_items(self.read(key, frame), ("aitems", _STATE, name), name, frame)

    # Classes

    def class_attribute(self, value: Value, name: str, frame: Frame) -> Values:
        """An attribute of a class object: methods stay unbound unless they are class methods."""
        ref: ClassRef = (value[1], value[2])
        if name == "__subclasses__":
            return (("bm", value, name),)
        if name in _MAKES_MODEL and _MODEL in self.order(ref):
            return (value,)
        for above in self.order(ref):
            if isinstance(above, str):
                found = self._inherited_by_class(above, name, frame)
                if found:
                    return found
                continue
            bindings = self.world.class_bindings(above).get(name)
            if not bindings:
                continue
            functions = [binding for binding in bindings if binding[0] == "def"]
            if functions:
                out: Values = UNKNOWN
                for binding in functions[-1:]:
                    out = union(out, self._as_class_member((above[0], binding[1]), value, frame))
                return out
            found = self.class_level(above, name, frame)
            if all(part[0] == "k" for part in found):  # `_instance = None` in the body, filled by a method
                found = union(found, self._assigned(above, name, frame))
                found = union(found, self._assigned_outside(above, name, frame))
            return self._as_enum_member(found, name) if self.is_enumeration(ref) else found
        return UNKNOWN

    def is_enumeration(self, ref: ClassRef) -> bool:
        """Whether a class is an enumeration whose members are no numbers."""
        order = self.order(ref)
        return not _ENUMERATIONS.isdisjoint(order) and _NUMBERS.isdisjoint(order)

    def _as_enum_member(self, values: Values, name: str) -> Values:
        """A member of an enumeration stands for its text, and where it has none (`auto()`, a number) for its name."""
        if all(value[0] == "k" for value in values) and not isinstance(only_constant(values), str):
            return (("k", name),)
        return values

    def _as_class_member(self, ref: FunctionRef, receiver: Value, frame: Frame) -> Values:
        function = self.world.function(ref)
        values = self.method_values(ref, frame)
        if has_decorator(function, "classmethod"):
            return tuple(("b", value, receiver) for value in values)
        return values

    def _inherited_by_class(self, base: str, name: str, frame: Frame) -> Values:
        """What a class itself has of a library's: its class methods are known by their dotted names."""
        dotted = f"{base}.{name}"
        if dotted in self.catalogue.makers or self.catalogue.function(dotted) is not None:
            return (("x", dotted),)
        return self._inherited_from_library(base, name, frame)

    def _inherited_from_library(self, base: str, name: str, frame: Frame) -> Values:
        declared = self.catalogue.attribute(base, name)
        if declared is not None:
            return self.typed(declared, ("i", base, "", 0), [], {}, UNKNOWN, frame)
        if self.catalogue.method(base, name) is not None or self.catalogue.returned(base, name) is not None:
            return (("i", base, name, 0),)
        return UNKNOWN

    def method_values(self, ref: FunctionRef, frame: Frame) -> Values:
        """What a method's name is bound to, its decorators applied."""
        return self.function_values(ref[0], ref[1], self.env_of_class(ref), frame)

    def env_of_class(self, ref: FunctionRef) -> int:
        function = self.world.function(ref)
        if function.owner < 0:
            return -1
        parent = self.world.class_((ref[0], function.owner)).parent
        if parent < 0:
            return -1
        variants = self.of_function.get((ref[0], parent))
        return variants[0].number if variants else -1

    def find_method(self, ref: ClassRef, name: str) -> FunctionRef | str | None:
        """The method that an instance would run: ours by reference, a library's by its base; None if there is none."""
        for above in self.order(ref):
            if isinstance(above, str):
                if self.catalogue.method(above, name) is not None:
                    return above
                continue
            indices = self.world.class_(above).methods.get(name)
            if indices:
                return above[0], indices[-1]
        return None

    def overrides(self, ref: ClassRef, name: str) -> list[tuple[ClassRef, FunctionRef]]:
        """The methods of this name in the project classes below a class (or that fit a Protocol)."""
        out: list[tuple[ClassRef, FunctionRef]] = []
        below = self.world.subclasses(ref, self.bases) or self.world.implementers(ref, self.bases)
        seen: set[FunctionRef] = set()
        for candidate in below:
            if candidate[0] in self.retired:
                continue
            indices = self.world.class_(candidate).methods.get(name)
            if indices and (candidate[0], indices[-1]) not in seen:
                seen.add((candidate[0], indices[-1]))
                out.append((candidate, (candidate[0], indices[-1])))
        return out if len(out) <= _MANY_OVERRIDES else []

    # Instances

    def instance_attribute(self, value: Value, name: str, frame: Frame, site: int) -> Values:
        """An attribute of an instance of a project class: a bound method, a property's value, what was assigned."""
        found = self._instance_attribute(value, name, frame, site)
        return substitute(found, value[4]) if len(value) > 4 else found

    def _instance_attribute(self, value: Value, name: str, frame: Frame, site: int) -> Values:
        ref: ClassRef = (value[1], value[2])
        order = self.order(ref)
        declared: Values = UNKNOWN
        assigned: Values = UNKNOWN
        for above in order:
            if isinstance(above, str):
                continue
            bindings = self.world.class_bindings(above).get(name)
            if bindings:
                functions = [binding for binding in bindings if binding[0] == "def"]
                if functions:
                    if not assigned:
                        return self._methods(value, above, functions, name, frame, site)
                elif not declared:
                    declared = self.class_level(above, name, frame)
                    descriptors = [v for v in declared if v[0] == "o" and self.find_method((v[1], v[2]), "__get__")]
                    if descriptors and not assigned:
                        got: Values = UNKNOWN
                        for descriptor in descriptors:
                            got = union(got, self.implicit(descriptor, "__get__", frame, site, [(value,)]))
                        return got
                    if any(v[0] in ("f", "b", "once", "off", "mgr") for v in declared):
                        declared = tuple(("b", v, value) if v[0] == "f" else v for v in declared)
            assigned = union(assigned, self._assigned(above, name, frame))
        if not assigned and not declared and not value[3]:
            for candidate in self.world.subclasses(ref, self.bases)[:FEW]:
                assigned = union(assigned, self._assigned(candidate, name, frame))
        found = (
            self.as_declared(assigned, declared) if any(v[0] != "k" for v in assigned) else union(declared, assigned)
        )
        if found:
            return self.with_items(found, ("aitems", ref, name), name, frame)
        for above in order:
            if isinstance(above, str):
                found = self._inherited_from_library(above, name, frame)
                if found:
                    return found
        overriding = () if value[3] else self.overrides(ref, name)
        if overriding:  # called on a base that only its subclasses complete
            out: Values = UNKNOWN
            for sub, method in overriding:
                out = union(out, self._bind(method, ("o", *sub, 0), frame, site, MAYBE))
            return out
        outside = self._assigned_outside(ref, name, frame)
        if outside:
            return outside
        getter = self.find_method(ref, "__getattr__")
        if isinstance(getter, tuple) and not name.startswith("__"):
            args: list[Values] = [(("k", name),)]
            out = UNKNOWN
            for bound in self._bind(getter, value, frame, site, 0):
                out = union(out, self.call(site, bound, args, {}, frame, IMPLICIT))
            return out
        return UNKNOWN

    def _methods(
        self, value: Value, owner: ClassRef, functions: list[tuple[object, ...]], name: str, frame: Frame, site: int
    ) -> Values:
        module = owner[0]
        chosen = functions[-1]
        for binding in functions:  # a property's getter comes before its setter
            if is_property(self.world.function((module, binding[1]))):  # type: ignore[arg-type]
                chosen = binding
                break
        ref: FunctionRef = (module, chosen[1])  # type: ignore[assignment]
        targets: list[tuple[Value, FunctionRef]] = [(value, ref)]
        if not value[3]:
            below = self.overrides((value[1], value[2]), name)
            if below:
                if is_trivial(self.world.function(ref).body):
                    targets = []
                targets.extend((("o", *sub, 0), method) for sub, method in below)
        flags = MAYBE if len(targets) > 1 else 0
        out: Values = UNKNOWN
        for receiver, method in targets:
            out = union(out, self._bind(method, receiver, frame, site, flags))
        return out

    def _bind(self, ref: FunctionRef, receiver: Value, frame: Frame, site: int, flags: int) -> Values:
        function = self.world.function(ref)
        values = self.method_values(ref, frame)
        if has_decorator(function, "staticmethod"):
            return values
        if has_decorator(function, "classmethod"):
            receiver = ("c", receiver[1], receiver[2], -1)
        bound: Values = tuple(
            ("b", value, receiver, flags) if value[0] not in ("k", "x") else value for value in values
        )
        if not is_property(function):
            return bound
        out: Values = UNKNOWN
        once = ONCE if has_decorator(function, "cached_property") else 0
        for value in bound:
            out = union(out, self.call(site, value, [], {}, frame, IMPLICIT | once | flags))
        return out

    def is_instance(self, value: Value, other: Value) -> bool:
        """Whether a value is certainly an instance of the class that `other` is an instance of."""
        if value[0] != other[0]:
            return value[0] == "o" and other[0] == "i" and other[1] in self.order((value[1], value[2]))
        if value[0] == "o":
            return (other[1], other[2]) in self.order((value[1], value[2])) or self.fits_protocol(value, other)
        if value[0] == "i":
            return value[1] == other[1] or any(spec.name == other[1] for spec in self.catalogue.order(value[1]))
        return value[0] in ("d", "l", "t")

    def fits_protocol(self, value: Value, other: Value) -> bool:
        """Whether a value is an instance of a class that fits the Protocol `other` without inheriting it."""
        if value[0] != "o" or other[0] != "o":
            return False
        return (value[1], value[2]) in self.world.implementers((other[1], other[2]), self.bases)

    def as_declared(self, assigned: Values, declared: Values) -> Values:
        """What was assigned to a name or attribute, as far as it is what that is declared to be."""
        if assigned and not elements(assigned) and all(value[0] in ("l", "d") for value in assigned):
            return declared if elements(declared) else assigned  # `jobs: dict[int, Thread] = {}` is filled later
        if not declared or any(value[0] not in ("o", "i") for value in declared):
            return assigned
        fitting = tuple(
            value
            for value in assigned
            if value[0] not in ("o", "i") or any(self.is_instance(value, other) for other in declared)
        )
        return tuple(_with_arguments(value, declared) for value in fitting) or declared

    def _assigned(self, ref: ClassRef, name: str, frame: Frame | None) -> Values:
        """What the methods of one class assign to `self.name`."""
        key = ("attr", ref, name)
        writers = self.world.class_(ref).attribute_writers.get(name)
        if writers:
            for index in writers:
                if index >= 0:
                    self.ensure((ref[0], index))
        return self.read(key, frame)

    def _assigned_outside(self, ref: ClassRef, name: str, frame: Frame | None) -> Values:
        """What anybody else assigns to this attribute of an instance of the class."""
        key = ("attr", ref, name)
        writers = self.world.writers.get(name, ())
        if writers and len(writers) <= FEW and ("outside", ref, name) not in self.facts:
            self.facts[("outside", ref, name)] = UNKNOWN
            for writer in writers:
                if writer[1] >= 0:
                    self.ensure(writer)
        return self.read(key, frame)

    def super_attribute(self, value: Value, name: str, frame: Frame, site: int) -> Values:
        """`super().name`: the next definition along the receiver's order."""
        here: ClassRef = (value[1], value[2])
        receiver = value[3]
        start: ClassRef = (receiver[1], receiver[2]) if receiver[0] in ("o", "c") else here
        order = self.order(start)
        if here not in order:
            order = self.order(here)
        for above in order[order.index(here) + 1 :]:
            if isinstance(above, str):
                if name == "__init__" and self.catalogue.function(above) is not None:
                    return (("i", above, name, 0),)
                inherited = self._inherited_by_class if receiver[0] == "c" else self._inherited_from_library
                found = inherited(above, name, frame)
                if found:
                    return found
                continue
            indices = self.world.class_(above).methods.get(name)
            if indices:
                return self._bind((above[0], indices[-1]), receiver, frame, site, 0)
        return (("x", "builtins.object.__new__"),) if name == "__new__" else UNKNOWN

    def implicit(self, value: Value, name: str, frame: Frame, site: int, args: list[Values], flags: int = 0) -> Values:
        """What calling a special method of a value gives, if it has one; records what runs."""
        kind = value[0]
        if kind == "o":
            method = self.find_method((value[1], value[2]), name)
            if isinstance(method, tuple):
                out: Values = UNKNOWN
                for bound in self.instance_attribute(value, name, frame, site):
                    out = union(out, self.call(site, bound, args, {}, frame, IMPLICIT | flags))
                return out
            if method is not None:
                return self.call(site, ("i", method, name, 0), args, {}, frame, IMPLICIT | flags)
        elif kind == "i":
            path = f"{value[2]}.{name}" if value[2] else name
            if self.catalogue.method(value[1], path) is not None or self.catalogue.returned(value[1], path) is not None:
                return self.call(site, ("i", value[1], path, value[3]), args, {}, frame, IMPLICIT | flags)
        return UNKNOWN


def _with_arguments(value: Value, declared: Values) -> Value:
    """A generic class's instance with the type arguments that it is declared with (`jobs: Safe[Thread] = Safe()`)."""
    if value[0] != "o" or len(value) > 4:
        return value
    return next(
        ((*value, other[4]) for other in declared if len(other) > 4 and other[:3] == value[:3]),
        value,
    )


def has_decorator(function: Function, name: str) -> bool:
    """Whether a function carries a decorator of this last name."""
    for node in function.decorators:
        if node is not None and node[0] in ("n", "a") and node[-1] == name:
            return True
    return False


def is_property(function: Function) -> bool:
    """Whether reading the attribute runs the function."""
    for node in function.decorators:
        if node is not None and node[0] in ("n", "a") and node[-1] in _PROPERTIES:
            return True
    return False
