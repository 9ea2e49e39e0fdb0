"""What an edit of a module's own text means for an analysis that goes on: names, classes, who is asked again.

Functions are looked at by running them (see `relink`). What a module or a class binds is read in many places, so what
is gone, or something else now, must have been asked by nobody but those that are looked at again; what is new must be
new to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from fastlint.graph.closures import test_in_attribute
from fastlint.graph.definitions import REGISTRARS
from fastlint.graph.edits import Edit, Mentions, bound_with, class_names, fields_of, mentions_apart, says_one
from fastlint.graph.names import FEW
from fastlint.graph.narrowing import ASKING
from fastlint.graph.state import Frame
from fastlint.graph.statements import Interpreter
from fastlint.graph.traits import Traits
from fastlint.graph.unreached import coroutine_names
from fastlint.graph.values import UNKNOWN, Values, elements, union
from fastlint.graph.variants import CALLED_BY_CLASS, MOST_MENTIONS
from fastlint.graph.world import ClassRef, FunctionRef, Module, World
from fastlint.source.facts import ModuleFacts

_APART = frozenset({"__getattr__"})  # functions whose very text is read for what a module has
_PROTOCOL = "typing.Protocol"
_BY_NAME = ("pydantic.", "pydantic_settings.", "sqlmodel.")  # their fields are given by name alone
_MOST_NAMING = 200  # functions that say the name of another member of a class
_CALLED_BY_MODELS = frozenset({"model_post_init"})
_LOADS = re.compile(r"\b(import_module|__import__|iter_modules|walk_packages|spec_from_file_location)\b")


class Unlike(Exception):
    """Why an earlier analysis cannot be continued, in words for who develops fastlint."""


class Resting(NamedTuple):
    """What of a module's own text rests on a name: by keys, the functions that say it in their heads, and whether the
    body of the module has to be looked at again."""

    keys: list[Any]
    heads: list[FunctionRef]
    looked_at: bool


class Sought(NamedTuple):
    """The names for which functions are looked at, though nobody need call them: by those that they mention, fill, and
    assign."""

    mentioned: set[str]
    filled: set[str]
    assigned: set[str]


class Rebinder(Interpreter):
    """Knows what modules and classes bind before and after an edit."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.edits: list[Edit] = []
        self.mentioning: dict[FunctionRef, None] = {}  # functions that are looked at for what they mention now
        self.silent: dict[FunctionRef, None] = {}  # those that were, and mention it no more
        self.idle: dict[FunctionRef, None] = {}  # those that nobody need call to be looked at, and now must
        self.another: dict[Any, bool] = {}  # keys of names that are bound in another way; False: not bound any more
        self.rebound: list[Any] = []  # those of them of which nothing may be lost
        self.anew: list[Any] = []  # those of which all that was known is forgotten
        self.heads: dict[FunctionRef, None] = {}  # functions that take or give something else than they did
        self.naming: dict[FunctionRef, None] = {}  # functions that say the name of another member of a class
        self.written: dict[Any, list[FunctionRef]] = {}  # keys of attributes -> who assigns them now
        self._mentions: Mentions | None = None

    def put(self, now: bool) -> None:
        """Have all edited modules as they are `now`, or as they were."""
        for edit in self.edits:
            self.world.modules[edit.now.name] = edit.now if now else edit.before
        self.world.absent = frozenset(ref for edit in self.edits for ref in edit.added_classes if not now)
        if any(edit.classes or edit.added_classes or edit.gone_classes for edit in self.edits):
            self.world.forget_orders()
        self.forget_syntax()

    # Whether somebody else may have asked

    def compare_modules(self, ask_classes: bool) -> None:
        """Make sure that nobody but who is looked at again can tell what was edited in modules and classes;
        `ask_classes`: some may say something else of themselves. Raises `Unlike` where that is not certain."""
        for edit in self.edits:
            if edit.headings_differ():
                raise Unlike("not only functions were edited")
            if _APART & {self.world.function(ref).name for ref in edit.touched if ref[1] >= 0}:
                raise Unlike("what a module has may be another")
            self._compare_bindings(edit)
            for ref in edit.classes:
                self._compare_class(ref, edit)
            for ref in edit.added_classes:
                self._compare_new_class(ref)
            if edit.gone_classes:
                self._compare_gone_classes(edit)
        self._compare_middleware()
        self._compare_indices()
        if ask_classes or any(edit.has_other_body for edit in self.edits) or self._written_names():
            self._compare_traits()

    def compare_files(self, new: frozenset[str]) -> None:
        """Make sure that what was not edited imports none of the modules that are `new`."""
        if not new:
            return
        world = self.world
        before, names = set[str](), set[str]()
        aliases = [(alias, name) for alias, of in world.aliases.items() for name in of]
        known_as = [*((name, name) for name in world.modules), *aliases]
        for dotted, name in known_as:
            while dotted:
                (names if name in new else before).add(dotted)
                dotted = dotted.rpartition(".")[0]
        if any(dotted in before for dotted, name in known_as if name in new):
            raise Unlike("a module is new that goes by the name of another")
        edited = {edit.now.name: edit.facts for edit in self.edits}
        for module in world.modules.values():
            for level, target, attribute in edited.get(module.name, module.facts).imports:
                dotted = world.absolute(module, level, target)
                if not (names - before).isdisjoint((dotted, f"{dotted}.{attribute}")):
                    raise Unlike("a module is new that others import")
            if module.name not in edited and any(_LOADS.search(text) for text in module.facts.names):
                said = repr([function.body for function in module.facts.functions])
                if any(name.rpartition(".")[2] in said for name in names - before):
                    raise Unlike("a module is new that others may load by its name")

    @property
    def _said_by_others(self) -> Mentions:
        if self._mentions is None:
            self._mentions = Mentions(self.world, self.edits)
        return self._mentions

    def _look_at_those_who_say(self, name: str) -> None:
        """Have those looked at again to whom a member of a class may mean another thing now."""
        if self._said_by_others.apart(name):
            raise Unlike("a module says the name of what is another member of a class now")
        for functions in (self._said_by_others.functions, self._said_by_others.by_text):
            self.naming.update(dict.fromkeys(functions(name)))
        if len(self.naming) > _MOST_NAMING:
            raise Unlike("too many say the name of what is another member of a class now")

    def _compare_bindings(self, edit: Edit) -> None:
        module = edit.now.name
        for name in edit.rebound():
            if ("global", module, name) in self.facts:
                raise Unlike("another function binds a name of the module")
        for name, _, is_ in edit.names():
            key = ("global", module, name)
            if key in self.unbound and is_:
                raise Unlike("a name was asked for that is bound now")
            if ("items", module, name) in self.prefixes:
                raise Unlike("a router is made another way")
            if key in self.facts:
                if self._is_handed_on(module, name):
                    raise Unlike("a name is another thing, or gone, that a module hands on")
                self.another[key] = is_

    def _is_handed_on(self, module: str, name: str) -> bool:
        """Whether other modules may have taken a name over, by a star or when asked for it: that notes no reader."""
        return any(
            each.name != module
            and (each.stars or "__getattr__" in each.bindings)
            and ("global", each.name, name) in self.facts
            for each in self.world.modules.values()
        )

    def _compare_class(self, ref: ClassRef, edit: Edit) -> None:
        if _PROTOCOL in self.order(ref):
            raise Unlike("a Protocol asks for something else")
        old, new = edit.facts.classes[ref[1]], edit.now.facts.classes[ref[1]]
        before, now = edit.before.bindings_of(ref[1]), edit.now.bindings_of(ref[1])
        fields = fields_of(before)
        by_name = any(isinstance(above, str) and above.startswith(_BY_NAME) for above in self.order(ref))
        if not by_name and fields_of(now)[: len(fields)] != fields:
            raise Unlike("a class takes its fields in another order")
        for name, was, is_ in class_names(edit.before, edit.now, ref[1]):
            if was and is_ and old.methods.get(name) == new.methods.get(name):
                if ("class", ref, name) in self.facts:
                    self.another["class", ref, name] = True
                continue
            known = ("class", ref, name) in self.facts or name.startswith("__") or name in _CALLED_BY_MODELS
            if known or self._is_called_by_library(ref):
                raise Unlike("a member of a class is another")
            self._look_at_those_who_say(name)
            frame = self.frame_of_class(ref)
            if any(row[0] == "ann" and _has_own(self.annotation(row[1], frame)) for row in now.get(name, ())):
                raise Unlike("a class has a field that brings its own hooks")  # which run wherever the class is taken
            if any(_PROTOCOL in self.order(cls) for cls in self.world.methods_named.get(name, ())):
                raise Unlike("a class may fit a Protocol")
        hooks = self.model_hooks.get(ref, {})
        if any(function in edit.gone for function in hooks):
            raise Unlike("a hook of a model is gone")
        for name in old.attribute_writers.keys() | new.attribute_writers.keys():
            writers = new.attribute_writers.get(name, [])
            if writers == old.attribute_writers.get(name, []):
                continue
            key = ("attr", ref, name)
            if any(row[0] == "def" for row in (*before.get(name, ()), *now.get(name, ()))):
                raise Unlike("what a method is kept under is assigned")  # whoever finds the method asks no further
            if key in self.readers or key in self.facts:
                self.written[key] = [(ref[0], index) for index in writers if index >= 0]

    def _is_called_by_library(self, ref: ClassRef) -> bool:
        """Whether a class inherits one that may call methods of those below it: `Thread.start()` calls `run`."""
        above = (each for each in self.order(ref) if isinstance(each, str))
        return any(bool(self.catalogue.order(each)) and not each.startswith(_BY_NAME) for each in above)

    def settle_bindings(self, looked_at: list[int]) -> list[int]:
        """Decide what becomes of what is bound in another way, or no more; gives the variants to look at, with those
        more that have asked for it. Where it is known what rests on it, all of that is asked anew, and what becomes of
        it shows; else nothing of what it was may be missing."""
        again = dict.fromkeys(looked_at)
        waiting = list(self.another)
        for key in waiting:
            readers = self.readers.get(key, set())
            modules = {number for number in readers if self.variants[number].function[1] < 0}
            resting = {number: self._resting(self.variants[number].function[0], key) for number in modules}
            known = {number: rest for number, rest in resting.items() if rest is not None}
            if readers and (key[0] == "global" or not modules) and known.keys() == modules:
                again.update(dict.fromkeys(readers - modules))
                self.anew.append(key)
                for number, rest in known.items():
                    if rest.looked_at:
                        again[number] = None
                    self.heads.update(dict.fromkeys(rest.heads))
                    for name in rest.keys:
                        if name in self.facts and name not in self.another:
                            self.another[name] = self.another[key]
                            waiting.append(name)
            elif self.another[key]:
                self.rebound.append(key)
            else:
                raise Unlike("a name is gone that others ask for")
        return sorted(again)

    def _resting(self, importer: str, key: Any) -> Resting | None:
        """What of a module's own text rests on a name of a module; None where that is not certain."""
        module = self.world.modules[importer]
        if any(router[1] == importer and ":" in router[2] for router in self.prefixes):
            return None  # the prefix of a router that a function makes is read as if the module did
        imported = [
            name
            for name, rows in module.bindings.items()
            for row in rows
            if row[0] == "imp" and row[3] == key[2]
            if (home := self.world.module(self.world.absolute(module, row[1], row[2]), module)) is not None
            if home.name == key[1]
        ]
        keys: list[Any] = [("global", importer, name) for name in imported]
        if any(len(module.bindings[name]) > 1 for name in imported):
            return None
        words = {key[2], *imported}
        if imported and not any(mentions_apart(module, word) for word in words):
            return Resting(keys, [], False)
        if not self.another[key] and importer == key[1] and not mentions_apart(module, key[2]):
            return Resting([], [], True)  # who said it says something else now
        if not self.another[key] or module.kind != "app":
            return None
        bound = bound_with(module, words)
        if bound is None or any(self._has_prefix_of(module, name, words) for name in bound.names):
            return None
        keys += [("global", importer, name) for name in bound.names]
        keys += [("class", (importer, cls), name) for cls, name in bound.members]
        return Resting(keys, [(importer, index) for index in bound.heads], True)

    def _has_prefix_of(self, module: Module, name: str, words: set[str]) -> bool:
        """Whether a router of a module is made with a prefix that says one of these words."""
        if ("items", module.name, name) not in self.prefixes:
            return False
        prefixes = [
            value
            for row in module.bindings[name]
            for made in row[1:]
            if isinstance(made, list) and made and made[0] == "c"
            for keyword, value in made[4]
            if keyword in ("prefix", None)
        ]
        return says_one(prefixes, words)

    def _compare_gone_classes(self, edit: Edit) -> None:
        self.put(now=False)
        orders = [self.order(ref) for ref in sorted(edit.gone_classes)]
        self.put(now=True)
        if any(above == _PROTOCOL or isinstance(above, tuple) for order in orders for above in order[1:]):
            raise Unlike("a class is gone that was another one of the project")

    def _compare_new_class(self, ref: ClassRef) -> None:
        """A class that is new is known to nobody, but may be found by what it inherits; it must not by what it fits."""
        order = self.order(ref)
        bases = [above for above in order[1:] if isinstance(above, tuple)]
        if bases:
            self._compare_subclass(ref, bases)
        for name in self.world.class_(ref).methods:
            for cls in self.world.methods_named.get(name, ()):
                if cls != ref and _PROTOCOL in self.order(cls):
                    raise Unlike("a class may fit a Protocol")

    def _compare_subclass(self, ref: ClassRef, bases: list[ClassRef]) -> None:
        """Whoever has an instance of a base may have one of a class that is new: those are looked at again who say a
        name that it has and that may mean another thing now."""
        cls, added = self.world.class_(ref), {each for edit in self.edits for each in edit.added_classes}
        if any(added.issuperset(self.world.subclasses(base, self.bases)) for base in bases):
            raise Unlike("a class that is new is the first below another")
        if any(name.startswith("__") and name != "__init__" for name in cls.methods) or self._is_called_by_library(ref):
            raise Unlike("a class that is new is called by no name")
        if any(ref in classes for classes in Traits(self.world).answers().values()):
            raise Unlike("classes say something else of themselves")
        names = [name for name in cls.methods if not name.startswith("__")]
        others = [*cls.attribute_writers, *self.world.class_bindings(ref)]
        names += [name for name in others if not any(self._says(base, name) for base in bases)]
        for name in dict.fromkeys(names):
            self._look_at_those_who_say(name)

    def _compare_middleware(self) -> None:
        """Make sure that an edit changes nothing of which middleware is named somewhere."""
        hooks = {
            method
            for kind in self.catalogue.types.values()
            for method, (_, label) in kind.entry.items()
            if label == "middleware"
        }
        classes = [cls for method in sorted(hooks) for cls in self.world.methods_named.get(method, ())]
        names = {self.world.class_(cls).name for cls in classes}
        if any(not names.isdisjoint(edit.mentioned()) for edit in self.edits):
            raise Unlike("which middleware is used may be another")

    def _compare_indices(self) -> None:
        """Make sure that nobody was looked at for what an edited function does not mention, fill or assign any more."""
        callers = self._asked_names()
        containers = {key[-1] for key in self.readers if key[0] in ("items", "aitems")}
        assigned = {key[-1] for key in self.facts if key[0] == "outside"}
        assigned.update(key[-1] for key in self.readers if key[0] == "state")
        world = self.world
        served = [module for module in world.modules.values() if module.kind == "app"]
        coroutines = coroutine_names(served)
        asked_for = Sought({*REGISTRARS, *coroutines, *callers}, containers, assigned)
        were = {
            function.name
            for edit in self.edits
            if edit.now.kind == "app"
            for function in edit.facts.functions
            if function.is_async and not function.is_lambda
        }
        no_more = were - coroutines.keys()  # the names of coroutine functions that are none any more
        for edit in self.edits:
            before, now = edit.facts, edit.now.facts
            awaited = {
                function.index
                for function in before.functions
                if function.is_async and (edit.now.name, function.index) not in edit.gone
            }
            said = _noted(before.mentions, {*REGISTRARS, *coroutines, *no_more})
            self._is_idle(edit.now.name, awaited | said, asked_for)
            self._compare_index(edit, before.mentions, now.mentions, callers, world.mentions, MOST_MENTIONS)
            self._compare_index(edit, before.mutators, now.mutators, containers, world.mutators, FEW)
            self._compare_index(edit, before.writers, now.writers, assigned, world.writers, FEW)
            if any(before.mentions.get(question, []) != now.mentions.get(question, []) for question in ASKING):
                raise Unlike("another function asks for the loop")
        for name in sorted(no_more):
            for module, index in world.mentions.get(name, ()):
                self._is_idle(module, {index} - {-1}, asked_for)

    def _is_idle(self, module: str, functions: set[int], asked_for: Sought) -> None:
        """These functions of a module are looked at only if somebody calls them, where nothing else asks for them."""
        facts = self.world.modules[module].facts
        tables = zip((facts.mentions, facts.mutators, facts.writers), asked_for, strict=True)
        noted = {index for table, names in tables for index in _noted(table, names)}
        idle = sorted(index for index in functions - noted if not facts.functions[index].is_async)
        self.idle.update(dict.fromkeys((module, index) for index in idle))

    def _compare_index(
        self,
        edit: Edit,
        before: dict[str, list[int]],
        now: dict[str, list[int]],
        asked: set[str],
        everybody: dict[str, list[FunctionRef]],
        most: int,
    ) -> None:
        """What functions of a module were looked at for, by names that were `asked`; of more than `most` nobody was."""
        for name in before.keys() | now.keys():
            old, new = set(before.get(name, ())), set(now.get(name, ()))
            if old != new and name in asked:
                many = len(everybody.get(name, ()))
                if many - len(new - old) > most and not old - new:
                    continue  # too many before, and now
                if many > most:
                    raise Unlike("a name for which functions were looked at is mentioned by too many")
                self.silent.update(dict.fromkeys((edit.now.name, index) for index in sorted(old - new) if index >= 0))
                more = ((edit.now.name, index) for index in sorted(new - old) if index >= 0)
                self.mentioning.update(dict.fromkeys(more))

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

    def _written_names(self) -> set[str]:
        """The names of attributes that somebody assigns now and nobody did, or the other way round."""
        out: set[str] = set()
        for edit in self.edits:
            before, now = edit.facts.writers, edit.now.facts.writers
            out.update(
                name for name in before.keys() | now.keys() if set(before.get(name, ())) != set(now.get(name, ()))
            )
        return out

    def _compare_traits(self) -> None:
        """Make sure that classes say of themselves what they said, as far as that was asked, and that what nobody
        assigned is still assigned by nobody."""
        modules = {edit.now.name for edit in self.edits}
        for name in self._written_names():
            if all(ref[0] in modules for ref in self.world.writers.get(name, ())):
                was, is_ = (any(facts.writers.get(name) for facts in each) for each in self._facts_of_edits())
                if was != is_:  # nobody assigned it, or nobody does any more
                    self._look_at_those_who_say(name)
        added = {ref for edit in self.edits for ref in (*edit.added_classes, *edit.gone_classes)}
        said = [Traits(self.world).answers(added)]
        self.put(now=False)
        said.append(Traits(self.world).answers(added))
        tests = {key: test_in_attribute(self.world, key[1], key[2]) for key in self.written}
        self.put(now=True)
        if said[0] != said[1]:
            raise Unlike("classes say something else of themselves")
        if any(test_in_attribute(self.world, key[1], key[2]) != test for key, test in tests.items()):
            raise Unlike("an attribute holds the answer of another question")

    def _facts_of_edits(self) -> tuple[list[ModuleFacts], list[ModuleFacts]]:
        return [edit.facts for edit in self.edits], [edit.now.facts for edit in self.edits]

    # What is bound in another way

    def frame_of_class(self, ref: ClassRef) -> Frame:
        """A frame in which the expressions of a class's body can be evaluated, without recording."""
        frame = self.module_frame(ref[0])
        frame.class_scope = frame.owner = ref
        return frame

    def bound_now(self) -> Iterator[tuple[Any, Values]]:
        """What names that are bound in another way are bound to, by their keys."""
        for key in self.rebound:
            cls: ClassRef | None = key[1] if key[0] == "class" else None
            module = self.world.modules[key[1] if cls is None else cls[0]]
            frame = self.module_frame(module.name) if cls is None else self.frame_of_class(cls)
            rows = module.bindings.get(key[2], ()) if cls is None else module.bindings_of(cls[1]).get(key[2], ())
            values: Values = UNKNOWN
            for row in rows:
                values = union(values, self.bound(row, module.name, frame, cls))
            yield key, values

    def look_at_writers(self) -> None:
        """Have the functions looked at that assign attributes now, and those that read these."""
        for key, writers in self.written.items():
            for writer in writers:
                self.ensure(writer)
            self.look_again(key)


def _noted(table: dict[str, list[int]], names: set[str]) -> set[int]:
    """The functions that an index of a module has under one of these names."""
    return {index for name in names & table.keys() for index in table[name] if index >= 0}


def _has_own(values: Values) -> bool:
    """Whether an instance of a class of the project is among values, or in their collections."""
    return any(value[0] == "o" or (value[0] in ("l", "t", "d") and _has_own(elements((value,)))) for value in values)
