"""An earlier analysis continued: functions that were edited are looked at again, and whoever depends on them.

What an analysis finds only grows. So its end is a beginning for the next one wherever an edit takes nothing away that
anybody else rests on: each edited function is analysed once more as it was, without keeping anything, and once as it
is; what it told others before (the values that it passes, keeps and returns, the functions that it makes others look
at) it must still tell them. Two things may become less: what a function gives (another try forgets it and looks at all
who ask for it), and who calls a function (one that nobody calls any more, and that told nobody anything, is taken out).
The body of a module is one more function; what it binds, and classes, are compared (see `rebind`). Where any of this is
not certain the answer is no, and everything is analysed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastlint.graph.edits import Edit
from fastlint.graph.kept import fill
from fastlint.graph.outline import (
    asked_of_arguments,
    called_by_name,
    declared,
    decorated_by,
    said_of_class,
    seen_from_outside,
)
from fastlint.graph.rebind import Rebinder, Unlike
from fastlint.graph.state import Frame, Variant
from fastlint.graph.values import UNKNOWN, Values, union
from fastlint.graph.variants import MOST_VARIANTS, variant_key
from fastlint.graph.world import FunctionRef, World
from fastlint.source.facts import Function, ModuleFacts
from fastlint.source.nodes import nodes

_SCRIPT = -2  # the environment of what runs under `if __name__ == "__main__"`
_OWN = ("returns", "yields")  # what a variant tells of itself
_OPEN = "the earlier analysis had not come to its end"


class Past(NamedTuple):
    """An earlier analysis (see `kept`), and the facts that modules had then, of those that have others now, or are
    new: then none."""

    packed: bytes
    before: Mapping[str, ModuleFacts]
    new: frozenset[str] = frozenset()  # modules that were not there


class _Less(Unlike):
    """What variants give is less than it was: what was known of it has to be forgotten before whoever asks for it is
    looked at again."""

    def __init__(self, keys: list[Any]) -> None:
        super().__init__("a function gives less than it gave")
        self.keys = keys


class _Guarded(dict[Any, Any]):
    """What an edit may not change: how routers and models are put together. While it is `guarded`, it notes what is put
    together again, and refuses all else but what is `open`."""

    def __init__(self, rows: Mapping[Any, Any] | None = None) -> None:
        super().__init__(rows or {})
        self.guarded = False
        self.again: set[Any] = set()
        self.open: Callable[[Any], bool] = lambda key: False

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.guarded:
            self.again.add(key)
            if key in self and self[key] == value:
                return
            self._refuse(key)
        super().__setitem__(key, value)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if self.guarded and key not in self:
            self._refuse(key)
        return super().setdefault(key, default)

    def _refuse(self, key: Any) -> None:
        if not self.open(key):
            raise Unlike("it puts routers or models together")


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
            raise Unlike("decorators make something else of a function")
        super().__setitem__(key, values)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)  # said here for mypyc, which calls it wrongly where only `__setitem__` is said


class Relinker(Rebinder):
    """An interpreter that goes on where an earlier one ended."""

    def __init__(self, world: World, past: Past, rows: dict[str, Any], forgotten: Sequence[Any] = ()) -> None:
        """`rows` are those of the past, `forgotten` is what an earlier try has found to be `less` than it was."""
        super().__init__(world)
        self.facts: _Facts = _Facts()
        self.included = self._included = _Guarded()
        self.inclusions = self._inclusions = _Guarded()
        self.model_hooks = self._hooks = _Guarded()
        self._effects: dict[Any, Values] | None = None
        self._demanded: dict[int, None] = {}
        self._again: set[FunctionRef] = set()  # functions that are looked at again
        self.reason = ""
        self.less: list[Any] = []  # what would have to be forgotten for another try, by key
        self._forgotten = forgotten
        self._past = past
        fill(self, rows)
        self._past_retired = rows["retired"]
        for each in (self._inclusions, self._hooks):
            each.update({key: _Guarded(inner) for key, inner in each.items()})
        self._past_inclusions = {router: tuple(calls) for router, calls in self._inclusions.items()}

    def relink(self) -> bool:
        """Take in what has changed; False where that cannot be done, and then neither this nor its world is of use any
        more: `reason` says why."""
        try:
            self._relink()
        except Unlike as unlike:
            self.reason = str(unlike)
            self.less = unlike.keys if isinstance(unlike, _Less) else []
        finally:
            self._guard(False)
            self._effects = None
        return not self.reason

    def _relink(self) -> None:
        if sorted(self.retired) != self._past_retired:
            raise Unlike("other modules are in use")
        self.edits = [Edit(before, self.world.modules[name]) for name, before in self._past.before.items()]
        self.compare_files(self._past.new)
        self._gone = {ref for edit in self.edits for ref in edit.gone}
        self._added = {ref for edit in self.edits for ref in edit.added}
        edited = {ref: function for edit in self.edits for ref, function in edit.edited.items()}
        self._take_in(edited, {ref: self.world.function(ref) for ref in edited})

    def _take_in(self, edited: dict[FunctionRef, Function], fresh: dict[FunctionRef, Function]) -> None:
        callers: set[FunctionRef] = set()
        definers: dict[FunctionRef, None] = {}
        self.put(now=False)
        before = {ref: seen_from_outside(self.world, ref) for ref in edited}
        said = {ref: said_of_class(self.world, ref) for ref in edited}
        asked = {ref: self._asked_of_arguments(ref) for ref in edited}
        self.put(now=True)
        ask_classes = False
        turned: set[FunctionRef] = set()  # what was called is awaited now, or the other way round
        for ref, function in fresh.items():
            if ref in self._gone:
                callers.add(ref)
                continue
            if seen_from_outside(self.world, ref) != before[ref]:
                raise Unlike("others look at the text of the function")
            if called_by_name(function) != called_by_name(edited[ref]):
                beside = (each for each in self.world.modules[ref[0]].facts.functions if each.parent == function.parent)
                definers.update(dict.fromkeys((ref[0], each.index) for each in beside))
            if decorated_by(function) != decorated_by(edited[ref]):
                definers[ref[0], function.parent] = None
            ask_classes = ask_classes or said_of_class(self.world, ref) != said[ref]
            if declared(function) != declared(edited[ref]):
                self._compare_head(ref)
                callers.add(ref)
                if function.decorators or function.parent >= 0:  # whoever registers it
                    definers[ref[0], function.parent] = None
            elif self._asked_of_arguments(ref) != asked[ref]:
                callers.add(ref)
            if function.is_async != edited[ref].is_async:
                turned.add(ref)
        self.compare_modules(ask_classes)
        for ref in turned:
            self._compare_turned(ref)
            definers[ref[0], self.world.function(ref).parent] = None
        if turned:
            callers |= turned
            definers.update(dict.fromkeys(self._holding(turned)))
        looked_at = self._looked_at({**edited, **definers, **self.naming}, callers)
        looked_at = self.settle_bindings(looked_at)
        if self.heads:
            looked_at = self._with_heads(looked_at, callers)
        looked_at = self._with_askers(looked_at)
        self.put(now=False)
        was = self._as_it_was(looked_at, self.bound_now())
        self.put(now=True)
        for key in self.anew:
            del self.facts[key], self.readers[key]
        for key in self._forgotten:
            self.facts.pop(key, None)
        for ref in callers:
            self._forget_signature(ref)
        self._forget_prefixes(edited)
        self._as_it_is(looked_at, was)
        self._compare_probes(edited)

    # What others see

    def _asked_of_arguments(self, ref: FunctionRef) -> Any:
        return asked_of_arguments(self.world.function(ref)), dict(self.switches(ref)), dict(self.taken[ref])

    def _compare_head(self, ref: FunctionRef) -> None:
        """Make sure that what a function takes does not decide about a class that fits a Protocol."""
        function = self.world.function(ref)
        if function.owner >= 0 and any(
            "typing.Protocol" in self.order(cls) for cls in self.world.methods_named.get(function.name, ())
        ):
            raise Unlike("somebody else than its callers may ask what it takes")

    def _compare_turned(self, ref: FunctionRef) -> None:
        """Make sure that whether a function is a coroutine function shows to nobody but who calls or holds it."""
        name = self.world.function(ref).name
        self._compare_head(ref)
        if name.startswith("__") or any(ref in hooks for hooks in self._hooks.values()):
            raise Unlike("what is called by no name is awaited now, or is not any more")

    def _holding(self, refs: set[FunctionRef]) -> Iterator[FunctionRef]:
        """Who has one of these functions as a value, and so may ask what kind it is; also those that do not call it."""
        for variant in self.variants:
            known = (variant.receiver, *variant.bindings.values(), *variant.names.values())
            if any(_holds(values, refs) for values in known):
                yield variant.function
        for key, values in self.facts.items():
            if _holds(values, refs):
                yield from (self.variants[number].function for number in sorted(self.readers.get(key, ())))

    def _with_heads(self, numbers: list[int], callers: set[FunctionRef]) -> list[int]:
        """These variants, and those of functions whose heads mean something else now, with who makes or calls them."""
        for ref in self.heads:
            self._compare_head(ref)
        callers.update(self.heads)
        makers = {(ref[0], self.world.function(ref).parent): None for ref in self.heads}
        return sorted({*numbers, *self._looked_at({**self.heads, **makers}, self.heads)})

    def _compare_probes(self, edited: Iterable[FunctionRef]) -> None:
        """Make sure that edited functions still answer whether a loop runs as they did."""
        for ref in edited:
            known = self.facts.pop(("probe", ref), None)
            if known is not None:
                self.is_probe(ref)
                if self.facts[("probe", ref)] != known:
                    raise Unlike("it tells something else of the loop")

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
        refs.update(dict.fromkeys((edit.now.name, -1) for edit in self.edits if edit.has_other_body))
        numbers = (variant for ref in refs for variant in self.of_function.get(ref, ()))
        return sorted(variant.number for variant in numbers if variant.env != _SCRIPT and variant.runs)

    def _with_askers(self, numbers: list[int]) -> list[int]:
        """These variants, and all that ask for what is forgotten; whoever gives that comes first."""
        givers = [key[1] for key in self._forgotten]
        asking = sorted({number for key in self._forgotten for number in self.readers.get(key, ())})
        again = [self.variants[number] for number in asking if self.variants[number].runs]
        with_scripts = [self.bodies[each.function[0]] if each.env == _SCRIPT else each for each in again]
        return list(dict.fromkeys((*givers, *numbers, *(each.number for each in with_scripts))))

    def _forget_signature(self, ref: FunctionRef) -> None:
        for key in [key for key in self.facts if key[0] in ("annotated", "returned") and key[1] == ref]:
            del self.facts[key]

    def _forget_prefixes(self, edited: Iterable[FunctionRef]) -> None:
        """Routers that an edited function makes for itself may be made with another prefix now."""
        inside = {(module, str(index)) for module, index in edited}
        for key in [key for key in self.prefixes if (key[1], key[2].partition(":")[0]) in inside]:
            del self.prefixes[key]

    # What they tell others

    def _as_it_was(
        self, numbers: Iterable[int], bound: Iterable[tuple[Any, Values]] = ()
    ) -> tuple[dict[Any, Values], dict[int, None], list[_Own]]:
        """What these variants told others, which variants they made others look at, and what they knew themselves.
        `bound` is what else was told: by the bodies of modules."""
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
        for key, values in bound:
            self.widen(key, values)
        self.facts.frozen = None
        for key in added:
            self.facts.pop(key, None)
        told, demanded = self._effects, self._demanded
        self._effects, self._demanded = None, {}
        return told, demanded, own

    def _as_it_is(self, numbers: list[int], was: tuple[dict[Any, Values], dict[int, None], list[_Own]]) -> None:
        """Analyse these variants, and all that depends on them; they may tell others nothing less than they told."""
        told, demanded, own = was
        demanded.update((self.ensure(ref).number, None) for ref in self.silent if ref not in self._gone)
        idle = (each for ref in self.idle if ref not in self._gone for each in self.of_function.get(ref, ()))
        demanded.update((each.number, None) for each in idle)
        self._effects, self._demanded = {}, {}
        for calls in self._inclusions.values():
            calls.again.clear()
        known = frozenset(self._included)  # of several inclusions the first one counts
        added = {ref for edit in self.edits for ref in edit.added_classes}
        self._included.open = self._inclusions.open = lambda key: key not in known
        self._hooks.open = lambda key: key in added
        inside = {*numbers, *self._scripts(numbers)}
        self._again = {self.variants[number].function for number in numbers} | self._added
        self.servers -= inside
        for held in self.holds.values():
            for each in [each for each in held if each[0] in inside]:
                del held[each]
        for number in numbers:
            self._begin(self.variants[number])
        for number in self._scripts(numbers):
            script = self.variants[number]
            for found in (script.edges, script.events, script.records, script.unresolved):
                found.clear()
        for number in numbers:
            self._run(self.variants[number])
        for name in sorted(self._past.new):
            if self.world.modules[name].kind == "app":  # as whoever begins anew does
                self.run(self.module_variant(name))
        for key, values in self.bound_now():
            self.widen(key, values)
        self.look_at_writers()
        for ref in self.mentioning:
            self.ensure(ref)
        less: list[Any] = []
        for number, before in zip(numbers, own, strict=True):
            self._compare_names(self.variants[number], before)
            less += self._less_vague(self.variants[number], before)
        self.settle()
        now = self._effects
        for key in (*self.anew, *self._forgotten):
            told.pop(key, None)
        for key, values in told.items():
            if union(now.get(key, UNKNOWN), values) is not now.get(key, UNKNOWN):
                if key[0] not in _OWN or key[1] not in inside:
                    raise Unlike("it tells others less than it told")
                less.append(key)
        if less:
            raise _Less(list(dict.fromkeys(less)))
        lost = {
            each for each in demanded.keys() - self._demanded.keys() if self.variants[each].function not in self._gone
        }
        self._compare_routers(inside)
        self._needed_by_nobody(lost, set())
        if lost:
            self._dismiss(lost, inside)

    def _needed_by_nobody(self, numbers: set[int], among: set[int]) -> None:
        """Leave those of the variants that no others call, apart from some."""
        for variant in self.variants if numbers else ():
            if variant.number not in among:
                numbers -= {edge.target for edge in variant.edges if edge.target != variant.number}

    def _dismiss(self, lost: set[int], looked_at: set[int]) -> None:
        """Take variants that nobody calls any more out of the analysis, with those that only they called: as if nobody
        ever had. Whatever they told others would have to be taken back, too."""
        more = lost
        while more:
            told, demanded, _ = self._as_it_was(sorted(more))
            if any(key[0] not in _OWN or key[1] not in more for key in told):
                raise Unlike("a function that nobody needs any more told others something")
            lost = lost | more
            more = demanded.keys() - lost
            self._needed_by_nobody(more, lost)
        for key, readers in self.readers.items():
            if key[0] in _OWN and key[1] in lost and readers - lost - looked_at:
                raise Unlike("somebody who does not call a function asks what it gives")
            readers -= lost
        for number in lost:
            variant = self.variants[number]
            beside = self.of_function[variant.function]
            if variant.labels or number in self.servers or len(beside) >= MOST_VARIANTS or variant.function[1] < 0:
                raise Unlike("a function that nobody needs any more does more than it calls")
            beside.remove(variant)
            if not beside:
                del self.of_function[variant.function]
            del self.by_key[variant_key(variant.function, variant.env, variant.receiver, variant.bindings)]
            for found in (variant.edges, variant.events, variant.records, variant.unresolved):
                found.clear()
            variant.runs = 0
        for held in self.holds.values():
            for each in [each for each in held if each[0] in lost]:
                del held[each]

    def _compare_routers(self, inside: set[int]) -> None:
        """Make sure that routers are still included, and models still have their hooks, where they were."""
        looked_at = {self.variants[number].function for number in inside}
        for router, calls in self._inclusions.items():
            before = self._past_inclusions.get(router, ())
            if any(key[0] in looked_at and key not in calls.again for key in before):
                raise Unlike("a router is not included any more")

    def _scripts(self, numbers: Iterable[int]) -> list[int]:
        """What modules do when they are started themselves: that is looked at with their bodies."""
        modules = [self.variants[number].function for number in numbers if self.variants[number].function[1] < 0]
        return [each.number for ref in modules for each in self.of_function[ref] if each.env == _SCRIPT]

    def _begin(self, variant: Variant) -> None:
        variant.names.clear()
        variant.labels.clear()
        variant.vague = False

    def _less_vague(self, variant: Variant, before: _Own) -> list[Any]:
        """The key of what a variant gives, where some of that was unknown and is not any more; what was unknown for
        reasons of others still is."""
        if ("returns", variant.number) in self._forgotten:
            return []
        known_now = before.vague and before.was_vague and not variant.vague
        variant.vague = variant.vague or (before.vague and not before.was_vague)
        return [("returns", variant.number)] if known_now else []

    def _compare_names(self, variant: Variant, before: _Own) -> None:
        """Make sure that a variant knows at least what it knew, where others ask it; what was known in between is known
        again."""
        inner = self._inside(variant.function)
        if not inner and variant.function[1] >= 0:
            return
        names = variant.names
        if variant.function[1] < 0:  # what others ask for is kept by its name (see `bound_now`)
            bound = self.world.modules[variant.function[0]].bindings
            for name, values in before.names.items():
                if name in bound:
                    names[name] = union(names.get(name, UNKNOWN), values)
            return
        asking = [function for function in inner if (variant.function[0], function.index) not in self._again]
        asked = {
            node[1]
            for function in asking
            for part in (function.body, function.decorators, *(each[1:3] for each in function.params))
            for node in nodes(part)
            if node[0] == "n"
        }
        if not asked.isdisjoint(names.keys() - before.names.keys()):
            raise Unlike("a name means another thing to a function inside")
        for name, values in before.names_were.items():
            if name in asked and union(names.get(name, UNKNOWN), values) is not names.get(name, UNKNOWN):
                raise Unlike("a name of a function inside has lost a value")
        for name, values in before.names.items():
            others = tuple(value for value in values if value not in before.names_were.get(name, UNKNOWN))
            if others or name not in before.names_were:
                names[name] = union(names.get(name, UNKNOWN), others)

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
        for each in (self._included, self._inclusions, self._hooks, *self._inclusions.values(), *self._hooks.values()):
            if isinstance(each, _Guarded):  # what is new is not
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
                raise Unlike(_OPEN)
        super().run(variant)

    def ensure(self, ref: FunctionRef) -> Variant:
        """See `Definitions.ensure`."""
        if self.facts.frozen is not None and ref in self._added:
            return Variant(-1, ref, -1, UNKNOWN, {})  # it is not there yet
        return super().ensure(ref)

    def variant_of(self, ref: FunctionRef, env: int, receiver: Values, bindings: dict[str, Values]) -> Variant:
        """See `Variants.variant_of`."""
        count = len(self.variants)
        variant = super().variant_of(ref, env, receiver, bindings)
        if self.facts.frozen is not None and len(self.variants) > count:
            raise Unlike(_OPEN)
        return variant

    def assign_name(self, name: str, values: Values, frame: Frame) -> None:
        """See `Expressions.assign_name`."""
        if self._effects is not None and name in frame.declared and frame.variant.env >= 0:
            raise Unlike("it binds a name of the function around it")
        super().assign_name(name, values, frame)


def _holds(values: Any, refs: set[FunctionRef]) -> bool:
    """Whether one of these functions is among values, or inside one of them."""
    return any(
        ((each[1], each[2]) in refs if each[0] == "f" and len(each) == 4 else _holds(each, refs))  # `dict(f=…)`: a pair
        for each in values
        if each.__class__ is tuple and each
    )


class _Own(NamedTuple):
    """What a variant knew itself: when the earlier analysis ended, and when it was looked at alone."""

    vague: bool
    names: dict[str, Values]
    was_vague: bool
    names_were: dict[str, Values]
