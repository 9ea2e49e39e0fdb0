"""Which variant of a function a call means: arguments bound, dependencies provided, parameters known."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from fastlint.graph.gathered import counted_names, counts, may_give
from fastlint.graph.members import Members
from fastlint.graph.signatures import Signature
from fastlint.graph.state import (
    Frame,
    Variant,
)
from fastlint.graph.taken import asked_keyword, taken_keywords
from fastlint.graph.values import (
    UNKNOWN,
    Value,
    Values,
    collection,
    elements,
    only_constant,
    shallow,
    union,
)
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Block, Node, Param
from fastlint.source.nodes import calls_within, nodes

Keywords = Mapping[str | None, Values]

MOST_MENTIONS = 25  # of a function whose callers are worth looking for: above that the name is common
CALLED_BY_CLASS = frozenset({"__init__", "__new__", "__call__"})  # called by the name of their class
MOST_VARIANTS = 12
_SIMPLE = frozenset({"e", "ret", "=", ":", "+="})  # statements that hold no others
_UNSURE = object()  # assigned, and not a constant
_MOST_OF_HIGHER_ORDER = 400
BRIDGED: Value = ("i", "fastlint.bridged", "", 0)


class Variants(Members):
    """Binds arguments and chooses the variant of a callee."""

    @abstractmethod
    def run_value(
        self,
        value: Value,
        where: str,
        site: int,
        frame: Frame,
        args: list[Values],
        keywords: Keywords,
        label: str,
    ) -> Values:
        """Hand a callable (or coroutine, generator, collection of them) to whatever runs it elsewhere, or here."""

    @abstractmethod
    def run(self, variant: Variant) -> None:
        """Analyse a variant's body, unless that is under way; later if the analysis stands too deep."""

    def variant_for(
        self,
        callee: Value,
        receiver: Value | None,
        args: list[Values],
        keywords: Keywords,
        explicit: bool = False,
    ) -> Variant:
        """The variant of a function for these arguments: equal interesting arguments share one."""
        ref: FunctionRef = (callee[1], callee[2])
        function = self.world.function(ref)
        bindings: dict[str, Values] = {}
        gathered: dict[str, Values] = {}
        if receiver is not None and function.params and function.params[0].kind == "*":
            args = [(self._normal(receiver),), *args]  # a decorator's `wrapper(*args)`: self is one of them
            gathered = {function.params[0].name: (("t", (args[0],)),)}
        taken = self.signature(ref, receiver is not None)
        params = taken.params
        self.bind_arguments(taken, args, keywords, bindings)
        for name in taken.untyped:  # what `param_values` looks for
            values = bindings.get(name)
            useful = tuple(value for value in values if value[0] != "k") if values else UNKNOWN
            if useful:
                self.widen(("param", ref, name), useful)
        interesting = {}
        switches = self.switches(ref)
        for param in params if switches else ():
            if param.name in switches:
                values = bindings.get(param.name, UNKNOWN)
                if explicit and param.name not in bindings and not may_give(keywords, param.name):
                    default = self._fixed_default(ref, param)
                    if default is not ...:
                        values = (("k", default),)
                if is_switch(values) and stays(switches[param.name], values):
                    interesting[param.name] = values
        for name, (keyword, otherwise) in self.taken[ref].items() if switches and explicit else ():
            left_out = keyword not in keywords
            values = (("k", otherwise),) if left_out else keywords[keyword]
            if name in switches and is_switch(values) and not (left_out and may_give(keywords, keyword)):
                interesting[name] = values
        if explicit and None not in keywords and (taken.gathering or taken.rest):
            interesting.update(counts(taken, self.counted(ref), args, keywords))
        for param in params:
            given = bindings.get(param.name)
            if given:
                kept = self._interesting(given, param, ref)
                if kept:
                    interesting[param.name] = kept
        receiver = self._normal(receiver) if receiver is not None else None
        # What is called with functions (decorators, runners) is mixed up when its callers share a variant
        higher_order = any(
            value[0] in ("f", "b", "p", "once", "mgr", "co", "g", "ag")
            for kept in interesting.values()
            for value in kept
        )
        receivers = (receiver,) if receiver is not None else UNKNOWN
        most = _MOST_OF_HIGHER_ORDER if higher_order else MOST_VARIANTS
        full = len(self.of_function.get(ref, ())) >= most
        if full and variant_key(ref, callee[3], receivers, interesting) not in self.by_key:
            interesting = gathered
            if receiver is not None and receiver[0] == "o" and function.owner >= 0:
                receivers = (("o", ref[0], function.owner, 0),)
        return self.variant_of(ref, callee[3], receivers, interesting)

    def _normal(self, receiver: Value) -> Value:
        """A receiver as variants know it: exact only where that says something."""
        if receiver[0] != "o":
            return receiver
        exact = receiver[3] and bool(self.world.subclasses((receiver[1], receiver[2]), self.bases))
        return ("o", receiver[1], receiver[2], 1 if exact else 0)

    def switches(self, ref: FunctionRef) -> dict[str, Any]:
        """The parameters that a function tests, and the flags that it hands on: True and False make two functions of
        it. With each the one constant that the function itself may assign to it; `Ellipsis` if it assigns nothing."""
        known = self.switch_names.get(ref)
        if known is None:
            function = self.world.function(ref)
            tested: set[str] = set()
            assigned: dict[str, list[Any]] = {}
            _scan_switches(function.body, tested, assigned)
            if flags := {param.name for param in function.params if _is_flag(param)}:
                tested.update(flags & _handed_on(function.body))
            taken = self.taken[ref] = taken_keywords(function)
            known = self.switch_names[ref] = {
                param.name: assigned.get(param.name, [...])[0]
                for param in function.params
                if param.name in tested and _is_steady(assigned.get(param.name, [...]))
            }
            known.update((name, ...) for name in taken if name in tested)
        return known

    def counted(self, ref: FunctionRef) -> frozenset[str]:
        """The `*args` and `**options` whose number a function asks for; kept for each."""
        known = self.counted_names.get(ref)
        if known is None:
            known = self.counted_names[ref] = counted_names(self.world.function(ref))
        return known

    def signature(self, ref: FunctionRef, bound: bool) -> Signature:
        """What a call of a function can give it; of a bound method without the parameter that its receiver takes."""
        known = self.signatures.get((ref, bound))
        if known is None:
            params = self.world.function(ref).params
            takes_receiver = bound and bool(params) and params[0].kind in ("p", "/")
            known = self.signatures[ref, bound] = Signature.of(params[1:] if takes_receiver else params)
        return known

    def _fixed_default(self, ref: FunctionRef, param: Param) -> Any:
        """The constant that a parameter is where it is left out, else `Ellipsis`."""
        node = param.default
        if node is None or node[0] == "k":
            return ... if node is None else node[1]
        return self.fixed_value(node, self.frame_of_definition(ref)) if _may_be_member(node) else ...

    def fixed_value(self, node: Node, frame: Frame) -> Any:
        """The constant that a literal or a member of an enumeration (`Mode.FAST`) is, else `Ellipsis`."""
        if node is None:
            return ...
        if node[0] == "k":
            return node[1]
        if not _may_be_member(node):
            return ...
        owners = self.evaluate(node[2], frame)
        if len(owners) != 1 or owners[0][0] != "c" or not self.is_enumeration((owners[0][1], owners[0][2])):
            return ...
        return only_constant(self.class_attribute(owners[0], node[3], frame))

    def variant_of(self, ref: FunctionRef, env: int, receiver: Values, bindings: dict[str, Values]) -> Variant:
        key = variant_key(ref, env, receiver, bindings)
        found = self.by_key.get(key)
        if found is None:
            found = self.by_key[key] = Variant(len(self.variants), ref, env, receiver, bindings)
            self.variants.append(found)
            self.of_function.setdefault(ref, []).append(found)
        return found

    def _interesting(self, given: Values, param: Param, ref: FunctionRef) -> Values:
        """The arguments that are worth a variant of their own: callables, and receivers typed better than declared."""
        kept: Values = UNKNOWN
        typed = param.annotation is not None
        for value in given:
            kind = value[0]
            if kind == "k":
                continue
            if kind == "o":
                if not typed or value[3] or not self._declared_as(value, param, ref):
                    kept = (*kept, value)
            elif kind == "i":
                if self._tells(value):
                    kept = (*kept, value)
            else:
                told = self._telling(value)
                if told is not None:
                    kept = (*kept, told)
        return shallow(kept)[:8]

    def _telling(self, value: Value) -> Value | None:
        """A value without the parts that say nothing of what will be called; None where nothing is left."""
        kind = value[0]
        if kind not in ("l", "t", "d"):
            return value if self._tells(value) else None
        if not self._tells(value):
            return None
        if kind == "l":
            return ("l", tuple(told for told in map(self._telling, value[1]) if told is not None))
        if kind == "d":
            parts = ((key, self._told(part)) for key, part in value[1])
            return ("d", tuple((key, part) for key, part in parts if part), self._told(value[2]))
        return ("t", tuple(self._told(part) for part in value[1]))

    def _told(self, values: Values) -> Values:
        """The values that say something; all of them where they are constants."""
        if all(value[0] == "k" for value in values):
            return values
        return tuple(told for told in map(self._telling, values) if told is not None)

    def _tells(self, value: Value) -> bool:
        """Whether something that can be called, or whose methods are known, is in a value."""
        kind = value[0]
        if kind in ("f", "b", "p", "c", "off", "once", "mgr", "g", "ag", "cm", "map", "o"):
            return True
        if kind == "x":
            return self.catalogue.function(value[1]) is not None or bool(self.catalogue.order(value[1]))
        if kind == "i":
            if is_bridged(value):
                return True
            return bool(self.catalogue.order(value[1])) and (
                not value[2] or self.catalogue.leads_on(value[1], value[2])
            )
        if kind == "co":
            return bool(value[2]) or any(map(self._tells, value[1]))
        if kind == "l":
            return any(map(self._tells, value[1]))
        if kind == "t":
            return any(self._tells(inner) for part in value[1] for inner in part)
        if kind == "d":
            return any(map(self._tells, value[2])) or any(self._tells(inner) for _, part in value[1] for inner in part)
        return False

    def _declared_as(self, value: Value, param: Param, ref: FunctionRef) -> bool:
        declared = self.annotated(ref, param)
        return ("o", value[1], value[2], 0) in declared

    def annotated(self, ref: FunctionRef, param: Param) -> Values:
        """Instances of what a parameter's annotation says."""
        key = ("annotated", ref, param.name)
        if key not in self.facts:
            self.facts[key] = UNKNOWN
            self.facts[key] = self.annotation(param.annotation, self.frame_of_definition(ref))
        return self.facts[key]

    def bind_arguments(
        self, taken: Signature, args: list[Values], keywords: Keywords, bindings: dict[str, Values]
    ) -> None:
        bindings.update(zip(taken.positional, args, strict=False))
        if taken.gathering is not None and len(args) > len(taken.positional):
            left = args[len(taken.positional) :]
            bindings[taken.gathering] = (("t", tuple(shallow(values) for values in left)),)
        rest = taken.rest
        for name, values in keywords.items():
            if name is None:
                continue
            if name in taken.named:
                bindings[name] = values
            elif rest is not None and values:
                bindings[rest] = union(bindings.get(rest, UNKNOWN), (("d", ((name, shallow(values)),), UNKNOWN),))

    def param_values(self, variant: Variant, param: Param, frame: Frame) -> Values:
        """What a parameter may be in a variant: what was passed, what a dependency gives, what is declared."""
        given = variant.bindings.get(param.name)
        ref = variant.function
        dependency = self._dependency(variant, param, frame)
        if dependency:
            return dependency
        declared = self.annotated(ref, param)
        if given:
            return given
        if param.kind == "*":
            return (collection(declared),)
        if param.kind == "**":
            return (("d", (), shallow(declared)),)
        default = self.evaluate(param.default, self.frame_of_definition(ref)) if param.default is not None else UNKNOWN
        default = tuple(value for value in default if value[0] in ("f", "x", "c", "o", "i", "p", "b"))
        if declared:
            return union(declared, default)
        if param.annotation is None:
            self.look_for_callers(ref)
            observed = self.read(("param", ref, param.name), frame)
            return union(observed, default)
        return default

    def dependencies_of(self, param: Param, scope: Frame) -> Values:
        """The `Depends(…)` of a parameter, by its default or in its annotation."""
        found: Values = UNKNOWN
        if param.default is not None and param.default[0] == "c":
            found = tuple(v for v in self.evaluate(param.default, scope) if v[0] == "dep")
        if not found and param.annotation is not None:
            found = self.dependencies_in(param.annotation, scope)
        return found

    def _dependency(self, variant: Variant, param: Param, frame: Frame) -> Values:
        """What the `Depends(…)` of a parameter gives; the parameter's function is what runs it."""
        scope = self.frame_of_definition(variant.function)
        found = self.dependencies_of(param, scope)
        out: Values = UNKNOWN
        for dependency in found:
            callables = dependency[1] or self.evaluate(_plain(param.annotation), scope)
            site = dependency[2] if dependency[3] == variant.function[0] else self.world.function(variant.function).site
            for value in callables:
                out = union(out, self.settled(self.run_value(value, "auto", site, frame, [], {}, "")))
        if not found:
            return UNKNOWN
        declared = self.annotated(variant.function, param)
        if declared and all(value[0] == "i" and self.catalogue.order(value[1]) for value in declared):
            fitting = tuple(value for value in out if value[0] != "i" or any(self._fits(value, d) for d in declared))
            return fitting or declared
        return out or declared

    def _fits(self, value: Value, declared: Value) -> bool:
        """Whether an instance of a catalogue type is what an annotation declares, or a subclass of it."""
        return any(spec.name == declared[1] for spec in self.catalogue.order(value[1])) or value[1] == declared[1]

    def provided(self, values: Values, frame: Frame) -> Values:
        """See `Names.provided`."""
        out: Values = UNKNOWN
        for value in values:
            if value[0] != "dep":
                out = union(out, (value,))
                continue
            for callee in value[1]:
                out = union(out, self.settled(self.run_value(callee, "auto", value[2], frame, [], {}, "")))
        return out

    def settled(self, values: Values) -> Values:
        """What is there once awaited, entered or iterated: a coroutine's result, what a generator yields."""
        out: Values = UNKNOWN
        for value in values:
            out = union(out, value[1] if value[0] in ("co", "g", "ag", "cm") else (value,))
        return out

    def look_for_callers(self, ref: FunctionRef) -> None:
        """Analyse the functions that mention this one by name, so that its parameters become known."""
        key = ("callers", ref)
        if key in self.facts:
            return
        self.facts[key] = UNKNOWN
        function = self.world.function(ref)
        if function.is_lambda:
            return
        name = function.name
        if name in CALLED_BY_CLASS and function.owner >= 0:
            name = self.world.class_((ref[0], function.owner)).name
        mentions = self.world.mentions.get(name, ())
        if len(mentions) > MOST_MENTIONS:
            return
        for mention in mentions:
            if mention != ref and mention[1] >= 0:
                self.ensure(mention)

    def frame_of_definition(self, ref: FunctionRef) -> Frame:
        """A frame in which a function's annotations and defaults can be evaluated."""
        frame = self.module_frame(ref[0])
        function = self.world.function(ref)
        owner = (ref[0], function.owner) if function.owner >= 0 else None
        scoped = Frame(frame.variant, ref[0], {}, class_scope=owner, owner=owner, quiet=True)
        if function.parent >= 0:
            enclosing = self.of_function.get((ref[0], function.parent))
            if enclosing:
                scoped.env = enclosing[0].names
        return scoped

    def result_of(self, variant: Variant, what: str, frame: Frame) -> Values:
        found = self.read((what, variant.number), frame)
        if any(value[0] not in ("k", "t", "l", "d") for value in found):
            return found
        function = self.world.function(variant.function)
        if function.returns is None:
            return found
        declared = self._declared_result(variant.function, function.returns)
        if what == "yields" or (function.is_async and not function.is_generator):
            if what == "yields":
                declared = elements(declared)
        return union(declared, found) if declared else found

    def _declared_result(self, ref: FunctionRef, node: Node) -> Values:
        """Instances of what a function says that it returns."""
        key = ("returned", ref)
        if key not in self.facts:
            self.facts[key] = UNKNOWN
            self.facts[key] = self.annotation(node, self.frame_of_definition(ref))
        return self.facts[key]

    def is_async_callable(self, value: Value) -> bool:
        """FastAPI's own test: a coroutine function, behind partials, bound methods and `__call__` of instances."""
        tag = value[0]
        if tag == "f":
            function = self.world.function((value[1], value[2]))
            if function.is_async:
                return True
            wrapped = self._wrapped(function.decorators)
            return wrapped is not None and self._names_async(wrapped, value)
        if tag in ("b", "p", "once", "mgr"):
            return self.is_async_callable(value[1])
        if tag == "off":
            return True
        if tag == "o":
            method = self.find_method((value[1], value[2]), "__call__")
            return isinstance(method, tuple) and self.world.function(method).is_async
        if tag == "i":
            return self.catalogue.is_asynchronous(value[1])
        return False

    def _wrapped(self, decorators: list[Node]) -> Node:
        """The argument of `@functools.wraps(f)`: FastAPI looks through it (`inspect.unwrap`)."""
        for node in decorators:
            if node is not None and node[0] == "c" and node[2] is not None and node[2][-1] == "wraps" and node[3]:
                return node[3][0]
        return None

    def _names_async(self, node: Node, value: Value) -> bool:
        if value[3] < 0 or node[0] != "n":
            return False
        around = self.variants[value[3]]
        inner = around.names.get(node[1], UNKNOWN)
        inner = self.as_tested((value[1], value[2]), node[1], inner, Frame(around, around.function[0], {}, quiet=True))
        return any(v[0] == "f" and self.world.function((v[1], v[2])).is_async for v in inner)


def variant_key(ref: FunctionRef, env: int, receiver: Values, bindings: dict[str, Values]) -> Any:
    """What tells one variant of a function from the others."""
    return ref, env, receiver, tuple(sorted(bindings.items()))


def _scan_switches(block: Any, tested: set[str], assigned: dict[str, list[Any]]) -> None:
    for statement in block:
        tag = statement[0]
        if tag == "if":
            tested.update(_tested_names(statement[1]))
            _scan_switches(statement[2], tested, assigned)
            _scan_switches(statement[3], tested, assigned)
            continue
        if tag in _SIMPLE:
            for node in nodes(statement):
                if node[0] == "if" and len(node) == 4 and any(calls_within(branch) for branch in node[2:4]):
                    tested.update(_tested_names(node[1]))
        if tag in ("=", ":", "+="):
            targets = statement[1] if tag == "=" else [statement[1]]
            value = statement[2] if tag == "=" else None
            constant = value[1] if value is not None and value[0] == "k" else _UNSURE
            for target in targets:
                if target is not None and target[0] == "n":
                    assigned.setdefault(target[1], []).append(constant)
        elif tag == "for":
            _scan_switches(statement[4], tested, assigned)
            _scan_switches(statement[5], tested, assigned)
        elif tag == "while":
            _scan_switches(statement[3], tested, assigned)
        elif tag == "with":
            _scan_switches(statement[2], tested, assigned)
        elif tag == "try":
            for inner in (statement[1], *(handler[2] for handler in statement[2]), statement[3], statement[4]):
                _scan_switches(inner, tested, assigned)
        elif tag == "match":
            for _, inner in statement[2]:
                _scan_switches(inner, tested, assigned)


def _is_flag(param: Param) -> bool:
    """Whether a parameter is True or False by its default."""
    return param.default is not None and param.default[0] == "k" and isinstance(param.default[1], bool)


def _handed_on(block: Block) -> set[str]:
    """The names that a block gives to calls as they are."""
    return {
        given[1]
        for call in calls_within(block)
        for given in (*call[3], *(value for _, value in call[4]))
        if given is not None and given[0] == "n"
    }


def _is_steady(assigned: list[Any]) -> bool:
    """Whether what a function assigns to a name is one constant, wherever it does."""
    first = assigned[0]
    return first is not _UNSURE and all(
        each is first or (each == first and type(each) is type(first)) for each in assigned
    )


def stays(assigned: Any, values: Values) -> bool:
    """Whether a parameter that is this constant at first still is after what the function assigns to it."""
    constant = only_constant(values)
    return assigned is ... or (assigned == constant and type(assigned) is type(constant))


def is_switch(values: Values) -> bool:
    """Whether this is one constant that can decide a test."""
    constant = only_constant(values)
    return constant is None or isinstance(constant, bool) or (isinstance(constant, str) and len(constant) < 24)


def _tested_names(test: Node) -> list[str]:
    if test is None:
        return []
    if test[0] == "n":
        return [test[1]]
    if test[0] == "c":
        asked = asked_keyword(test)
        return [] if asked is None else [asked]
    if test[0] == "u" and test[1] == "not":
        return _tested_names(test[2])
    if test[0] == "cmp" and len(test[3]) == 1:
        right = test[3][0][1]
        if right is not None and (right[0] == "k" or all(map(_may_be_member, alternatives(right)))):
            return _tested_names(test[2])
    if test[0] == "bool":
        return [name for part in test[2] for name in _tested_names(part)]
    return []


def alternatives(node: Node) -> list[Node]:
    """The parts of a literal collection (`x in (A, B)`); a single node otherwise."""
    return node[1] if node is not None and node[0] in ("t", "l", "set") else [node]


def _may_be_member(node: Node) -> bool:
    """Whether a node looks like a constant or a member of an enumeration: `Mode.FAST`."""
    return node is not None and (node[0] == "k" or (node[0] == "a" and node[3].isupper()))


def is_bridged(value: Value) -> bool:
    return bool(value[0] == "i" and value[1] == BRIDGED[1])


def _plain(annotation: Node) -> Node:
    """The class in `Annotated[Class, …]` or `Class`."""
    if annotation is not None and annotation[0] == "s":
        index = annotation[3]
        return index[1][0] if index is not None and index[0] == "t" and index[1] else index
    return annotation
