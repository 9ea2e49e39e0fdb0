"""An earlier analysis continued: functions that were edited are looked at again, and whoever depends on them.

What an analysis finds only grows. So its end is a beginning for the next one wherever an edit takes nothing away that
anybody else rests on: each edited function is analysed once more as it was, without keeping anything, and once as it
is; what it told others before (the values that it passes, keeps and returns, the functions that it makes others look
at) it must still tell them. Whatever else depends on syntax (the body of a module, classes, imports, decorators) must
be as it was. Where any of this is not certain the answer is no, and everything is analysed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastlint.graph.kept import fill
from fastlint.graph.names import FEW
from fastlint.graph.narrowing import ASKING
from fastlint.graph.outline import asked_of_arguments, declared, seen_from_outside, without_sites
from fastlint.graph.state import Frame, Variant
from fastlint.graph.statements import Interpreter
from fastlint.graph.values import UNKNOWN, Values, union
from fastlint.graph.variants import CALLED_BY_CLASS, MOST_MENTIONS
from fastlint.graph.world import FunctionRef, World
from fastlint.source.facts import Block, Function, ModuleFacts
from fastlint.source.nodes import nodes

_APART = frozenset({"__getattr__"})  # functions whose very text is read for what a module has
_OPEN = "the earlier analysis had not come to its end"


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier analysis (see `kept`), and the facts that modules had then, of those that have others now."""

    rows: dict[str, Any]
    before: Mapping[str, ModuleFacts]


class _Unlike(Exception):
    """Why an earlier analysis cannot be continued, in words for who develops fastlint."""


class _Guarded(dict[Any, Any]):
    """What no edited function may write: how routers are put together."""

    guarded = False

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.guarded:
            raise _Unlike("it puts routers or models together")
        super().__setitem__(key, value)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if self.guarded:
            raise _Unlike("it puts routers or models together")
        return super().setdefault(key, default)


class _Facts(dict[Any, Values]):
    """What is known, by key. While it is `frozen`, only what nobody has asked for yet is added, and noted; while it is
    `fixed`, what definitions are stays as it is."""

    frozen: set[Any] | None = None
    fixed = False

    def __setitem__(self, key: Any, values: Values) -> None:
        if self.frozen is not None and key not in self.frozen:
            if key in self:
                return
            self.frozen.add(key)
        elif self.fixed and key[0] == "defined" and self.get(key, values) != values:
            raise _Unlike("decorators make something else of a function")
        super().__setitem__(key, values)


class Relinker(Interpreter):
    """An interpreter that goes on where an earlier one ended."""

    def __init__(self, world: World, past: Past) -> None:
        super().__init__(world)
        self.facts: _Facts = _Facts()
        self.included = self._included = _Guarded()
        self.inclusions = self._inclusions = _Guarded()
        self.model_hooks = self._hooks = _Guarded()
        self._effects: dict[Any, Values] | None = None
        self._demanded: dict[int, None] = {}
        self.reason = ""
        self._mentioning: dict[FunctionRef, None] = {}  # functions that are looked at for what they mention now
        self._past = past
        fill(self, past.rows)

    def relink(self) -> bool:
        """Take in what has changed; False where that cannot be done, and then this is of no use any more: `reason` says
        why."""
        try:
            self._relink()
        except _Unlike as unlike:
            self.reason = str(unlike)
        finally:
            self._guard(False)
            self._effects = None
        return not self.reason

    def _relink(self) -> None:
        if sorted(self.retired) != self._past.rows["retired"]:
            raise _Unlike("other modules are in use")
        edited: dict[FunctionRef, Function] = {}  # with what they were before
        for name, before in self._past.before.items():
            now = self.world.modules[name].facts
            if not _differ_in_functions_alone(before, now):
                raise _Unlike("not only functions were edited")
            for old, new in zip(before.functions, now.functions, strict=True):
                if old != new:
                    edited[name, new.index] = old
        fresh = {ref: self.world.function(ref) for ref in edited}
        try:
            self._take_in(edited, fresh)
        except _Unlike:
            self._put(fresh)  # who analyses everything anew must not find what was there before
            self.forget_syntax()
            raise

    def _take_in(self, edited: dict[FunctionRef, Function], fresh: dict[FunctionRef, Function]) -> None:
        if any(
            function.name in _APART or self._is_named_anew(edited[ref], function) for ref, function in fresh.items()
        ):
            raise _Unlike("what a module has, or which middleware is used, may be another")
        callers: set[FunctionRef] = set()
        self._put(edited)
        before = {ref: seen_from_outside(self.world, ref) for ref in edited}
        asked = {ref: self._asked_of_arguments(ref) for ref in edited}
        self._put(fresh)
        self.forget_syntax()
        for ref, function in fresh.items():
            if seen_from_outside(self.world, ref) != before[ref]:
                raise _Unlike("others look at the text of the function")
            if declared(function) != declared(edited[ref]):
                if not self._is_plain(ref):
                    raise _Unlike("somebody else than its callers may ask what it takes")
                callers.add(ref)
            elif self._asked_of_arguments(ref) != asked[ref]:
                callers.add(ref)
        self._compare_mentions(edited)
        looked_at = self._looked_at(edited, callers)
        self._put(edited)
        self.forget_syntax()
        was = self._as_it_was(looked_at)
        self._put(fresh)
        self.forget_syntax()
        for ref in callers:
            self._forget_signature(ref)
        self._forget_prefixes(edited)
        self._as_it_is(looked_at, was)
        self._compare_probes(edited)

    def _put(self, functions: Mapping[FunctionRef, Function]) -> None:
        for (module, index), function in functions.items():
            self.world.modules[module].facts.functions[index] = function

    # What others see

    def _asked_of_arguments(self, ref: FunctionRef) -> Any:
        return asked_of_arguments(self.world.function(ref)), dict(self.switches(ref)), dict(self.taken[ref])

    def _is_plain(self, ref: FunctionRef) -> bool:
        """Whether only those who mention a function can ask what it takes: it fits no Protocol, no framework calls it
        by its shape."""
        function = self.world.function(ref)
        if function.is_lambda or function.decorators or function.name.startswith("__") or function.parent >= 0:
            return False
        return function.owner < 0 or not any(
            "typing.Protocol" in self.order(cls) for cls in self.world.methods_named.get(function.name, ())
        )

    def _is_named_anew(self, old: Function, new: Function) -> bool:
        """Whether an edit changes which middleware is named somewhere."""
        names = [_named(function.body) for function in (old, new)]
        hooks = {
            method
            for kind in self.catalogue.types.values()
            for method, (_, label) in kind.entry.items()
            if label == "middleware"
        }
        return any(
            self.world.class_(cls).name in names[0] ^ names[1]
            for method in hooks
            for cls in self.world.methods_named.get(method, ())
        )

    def _compare_mentions(self, edited: Iterable[FunctionRef]) -> None:
        """Make sure that nobody was looked at for what an edited function does not mention, or fill, any more."""
        callers = self._asked_names()
        containers = {key[-1] for key in self.readers if key[0] in ("items", "aitems")}
        for name, before in self._past.before.items():
            now = self.world.modules[name].facts
            inside = {ref[1] for ref in edited if ref[0] == name}
            self._compare_index(
                name, before.mentions, now.mentions, inside, callers, self.world.mentions, MOST_MENTIONS
            )
            self._compare_index(name, before.mutators, now.mutators, inside, containers, self.world.mutators, FEW)
            if any(before.mentions.get(question, []) != now.mentions.get(question, []) for question in ASKING):
                raise _Unlike("another function asks for the loop")

    def _compare_index(
        self,
        module: str,
        before: Mapping[str, list[int]],
        now: Mapping[str, list[int]],
        inside: set[int],
        asked: set[str],
        everybody: Mapping[str, list[FunctionRef]],
        most: int,
    ) -> None:
        """What functions of a module were looked at for, by names that were `asked`; of more than `most` nobody was."""
        for name in before.keys() | now.keys():
            old, new = set(before.get(name, ())), set(now.get(name, ()))
            if old == new:
                continue
            if not inside.issuperset(old ^ new):
                raise _Unlike("not only functions were edited")
            if name in asked:
                many = len(everybody.get(name, ()))
                if many - len(new - old) > most and not old - new:
                    continue  # too many before, and now
                if old - new or many > most:
                    raise _Unlike("a name for which functions were looked at is mentioned by others")
                self._mentioning.update(dict.fromkeys((module, index) for index in sorted(new - old)))

    def _asked_names(self) -> set[str]:
        """The names by which callers of functions were looked for."""
        out: set[str] = set()
        for key in self.facts:
            if key[0] == "callers":
                function = self.world.function(key[1])
                out.add(function.name)
                if function.name in CALLED_BY_CLASS and function.owner >= 0:
                    out.add(self.world.class_((key[1][0], function.owner)).name)
        return out

    def _compare_probes(self, edited: Iterable[FunctionRef]) -> None:
        """Make sure that edited functions still answer whether a loop runs as they did."""
        for ref in edited:
            known = self.facts.pop(("probe", ref), None)
            if known is not None:
                self.is_probe(ref)
                if self.facts[("probe", ref)] != known:
                    raise _Unlike("it tells something else of the loop")

    def _looked_at(self, edited: Iterable[FunctionRef], callers: Iterable[FunctionRef]) -> list[int]:
        """The variants of edited functions, and of those that call what takes something else now."""
        refs: dict[FunctionRef, None] = dict.fromkeys(edited)
        for ref in callers:
            function = self.world.function(ref)
            refs.update(dict.fromkeys(self.world.mentions.get(function.name, ())))
            own = {variant.number for variant in self.of_function.get(ref, ())}
            for variant in self.variants:
                if any(edge.target in own for edge in variant.edges):
                    refs[variant.function] = None
        numbers = sorted(variant.number for ref in refs for variant in self.of_function.get(ref, ()))
        if any(self.variants[number].env == -2 for number in numbers):
            raise _Unlike("a script starts what takes something else now")
        return numbers

    def _forget_signature(self, ref: FunctionRef) -> None:
        for key in [key for key in self.facts if key[0] in ("annotated", "returned") and key[1] == ref]:
            del self.facts[key]

    def _forget_prefixes(self, edited: Iterable[FunctionRef]) -> None:
        """Routers that an edited function makes for itself may be made with another prefix now."""
        inside = {(module, str(index)) for module, index in edited}
        for key in [key for key in self.prefixes if (key[1], key[2].partition(":")[0]) in inside]:
            del self.prefixes[key]

    # What they tell others

    def _as_it_was(self, numbers: list[int]) -> tuple[dict[Any, Values], dict[int, None], list[_Own]]:
        """What these variants told others, which variants they made others look at, and what they knew themselves."""
        self._guard(True)
        self._effects, self._demanded = {}, {}
        added: set[Any] = set()
        self.facts.frozen = added
        own: list[_Own] = []
        for number in numbers:
            variant = self.variants[number]
            vague, names = variant.vague, variant.names.copy()
            self._begin(variant)
            self._run(variant)
            own.append(_Own(vague, names, variant.vague, variant.names.copy()))
            variant.names.clear()
            variant.names.update(names)
        self.facts.frozen = None
        for key in added:
            self.facts.pop(key, None)
        told, demanded = self._effects, self._demanded
        self._effects, self._demanded = None, {}
        return told, demanded, own

    def _as_it_is(self, numbers: list[int], was: tuple[dict[Any, Values], dict[int, None], list[_Own]]) -> None:
        """Analyse these variants, and all that depends on them; they may tell others nothing less than they told."""
        told, demanded, own = was
        self._effects, self._demanded = {}, {}
        inside = set(numbers)
        self.servers -= inside
        for held in self.holds.values():
            for each in [each for each in held if each[0] in inside]:
                del held[each]
        for number in numbers:
            self._begin(self.variants[number])
        for number in numbers:
            self._run(self.variants[number])
        for ref in self._mentioning:
            self.ensure(ref)
        for number, before in zip(numbers, own, strict=True):
            self._compare_names(self.variants[number], before)
        self.settle()
        now = self._effects
        if any(union(now.get(key, UNKNOWN), values) is not now.get(key, UNKNOWN) for key, values in told.items()):
            raise _Unlike("it tells others less than it told")
        lost = demanded.keys() - self._demanded.keys()
        if lost:
            for variant in self.variants:
                lost -= {edge.target for edge in variant.edges if edge.target != variant.number}
        if lost:
            raise _Unlike("nobody else is known to need a function that it needed")

    def _begin(self, variant: Variant) -> None:
        variant.names.clear()
        variant.labels.clear()
        variant.vague = False

    def _compare_names(self, variant: Variant, before: _Own) -> None:
        """Make sure that a variant knows at least what it knew, where others ask it; what was known in between is known
        again."""
        if before.vague and before.was_vague and not variant.vague:
            raise _Unlike("what it gives is known now")
        variant.vague = variant.vague or (before.vague and not before.was_vague)
        inner = self._inside(variant.function)
        if not inner and variant.function[1] >= 0:
            return
        names = variant.names
        if variant.function[1] >= 0 and (more := names.keys() - before.names.keys()):
            used = {node[1] for function in inner for node in nodes(function.body) if node[0] == "n"}
            if not more.isdisjoint(used):
                raise _Unlike("a name means another thing to a function inside")
        for name, values in before.names_were.items():
            if union(names.get(name, UNKNOWN), values) is not names.get(name, UNKNOWN):
                raise _Unlike("a name of a function inside has lost a value")
        for name, values in before.names.items():
            names[name] = union(names.get(name, UNKNOWN), values)

    def _inside(self, ref: FunctionRef) -> list[Function]:
        """The functions inside of a function, at any depth."""
        functions = self.world.modules[ref[0]].facts.functions
        known = {ref[1]}
        for function in functions:  # outer ones come first
            if function.parent in known and ref[1] >= 0:
                known.add(function.index)
        return [functions[index] for index in sorted(known - {ref[1]})]

    def _guard(self, on: bool) -> None:
        self.facts.fixed = on
        for each in (self._included, self._inclusions, self._hooks):
            each.guarded = on

    # As `Interpreter` does it, and noted

    def widen(self, key: Any, values: Values) -> None:
        """See `State.widen`."""
        if self._effects is not None and values:
            frozen = self.facts.frozen
            if frozen is not None and (key not in self.facts or key in frozen):
                return super().widen(key, values)  # nobody has asked for it until now
            self._effects[key] = union(self._effects.get(key, UNKNOWN), values)
            if frozen is not None:
                return None
        return super().widen(key, values)

    def run(self, variant: Variant) -> None:
        """See `Calls.run`."""
        if self._effects is not None:
            self._demanded[variant.number] = None
            if self.facts.frozen is not None and not variant.runs and not variant.running:
                raise _Unlike(_OPEN)
        super().run(variant)

    def variant_of(self, ref: FunctionRef, env: int, receiver: Values, bindings: dict[str, Values]) -> Variant:
        """See `Variants.variant_of`."""
        count = len(self.variants)
        variant = super().variant_of(ref, env, receiver, bindings)
        if self.facts.frozen is not None and len(self.variants) > count:
            raise _Unlike(_OPEN)
        return variant

    def assign_name(self, name: str, values: Values, frame: Frame) -> None:
        """See `Expressions.assign_name`."""
        if self._effects is not None and name in frame.declared and frame.variant.env >= 0:
            raise _Unlike("it binds a name of the function around it")
        super().assign_name(name, values, frame)


@dataclass(frozen=True, slots=True)
class _Own:
    """What a variant knew itself: when the earlier analysis ended, and when it was looked at alone."""

    vague: bool
    names: dict[str, Values]
    was_vague: bool
    names_were: dict[str, Values]


def _named(block: Block) -> set[str]:
    """The names and attributes that a block mentions or imports."""
    out: set[str] = set()
    for node in nodes(block):
        if node[0] in ("n", "a"):
            out.add(node[-1])
        elif node[0] == "imp":
            out.update(attribute for *_, attribute in node[1] if attribute is not None)
    return out


def _differ_in_functions_alone(before: ModuleFacts, now: ModuleFacts) -> bool:
    """Whether two versions of a module have the same functions, each with the same name in the same place, and all else
    but parameters and bodies alike."""
    return (
        len(before.functions) == len(now.functions)
        and before.body == now.body
        and before.classes == now.classes
        and before.writers == now.writers
        and before.rebinders == now.rebinders
        and all(_heading(old) == _heading(new) for old, new in zip(before.functions, now.functions, strict=True))
    )


def _heading(function: Function) -> Any:
    return without_sites(function._replace(params=[], returns=None, body=[]), function)
