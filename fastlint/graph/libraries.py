"""Calling what the catalogue knows: events where it blocks, edges to what it runs, what it returns."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from fastlint.graph.roles import CONTEXT_VARIABLE, Roles, argument, holds, is_given
from fastlint.graph.state import (
    CALL,
    ELSEWHERE,
    LOOP,
    ONCE,
    POOL,
    PRIVATE,
    PROCESS,
    STARTUP,
    Frame,
)
from fastlint.graph.values import (
    BEYOND,
    UNKNOWN,
    Value,
    Values,
    collection,
    elements,
    only_constant,
    shallow,
    union,
    without_none,
)
from fastlint.graph.variants import BRIDGED, Keywords, is_bridged
from fastlint.rulebook.catalogue import Condition, Decoration, Spec

KINDS = {
    "here": CALL,
    "loop": LOOP,
    "pool": POOL,
    "thread": POOL,
    "process": PROCESS,
    "startup": STARTUP,
    "worker": ELSEWHERE,
    "cli": ELSEWHERE,
}
# Labels of callables that are handed over in passing, inside a request: not entry points of their own
_PASSING = frozenset(
    {"", "background task", "streaming response", "task", "thread", "executor", "process", "loop callback", "callback"}
)
DEPENDS = frozenset({"fastapi.Depends", "fastapi.Security"})
_FILE_RULES = frozenset({"FL105", "FL113", "FL114"})
_LOG_HANDLER = "FL116"  # blocks when somebody logs, not when it is made
_OPENERS = frozenset({"FL105"})
# What `AsyncSession.run_sync` hands over: synchronous to look at, but it waits by switching back to the loop
_SERVERS = frozenset(
    {
        "uvicorn.run",
        "uvicorn.Server",
        "uvicorn.Config",
        "uvicorn.main.run",
        "uvicorn.server.Server",
        "uvicorn.config.Config",
        "hypercorn.asyncio.serve",
        "hypercorn.run.run",
        "granian.Granian",
        "gunicorn.app.base.BaseApplication",
    }
)
_IN_MEMORY = frozenset({"io.StringIO", "io.BytesIO"})
_MOST_CALLBACK_PARAMETERS = 8
_FINISHED: Value = ("i", "asyncio.Future", "", 0)  # a future whose result is there: asking for it is free
_DECORATED = frozenset({"f", "b", "p", "c", "o", "off", "once", "mgr"})
_MADE_BY_HAND = frozenset({"same", "cached", "offloaded", "manager", "async_manager"})
_HTTP_CLIENTS = frozenset({"requests", "httpx", "httpx2", "aiohttp", "urllib3"})


class Libraries(Roles):
    """Calls functions, classes and methods outside the project."""

    def call_library(
        self,
        site: int,
        callee: Value,
        dotted: str,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        awaited: bool,
        kind: str,
    ) -> Values:
        """Call a function or class outside the project."""
        if dotted.startswith("builtins.") and kind not in (CALL, LOOP, STARTUP):
            self.consume_elsewhere(args, site, frame, kind)
            return UNKNOWN
        if dotted.startswith("builtins."):
            found = self.builtin(site, dotted[9:], args, keywords, frame, flags)
            if found is not None:
                return found
        if kind in (CALL, LOOP, STARTUP) and dotted in self.catalogue.roles:
            self.play(frame, site, "", dotted, args, keywords, flags)
        if dotted in DEPENDS:
            given = args[0] if args else keywords.get("dependency", UNKNOWN)
            return (("dep", given, site, frame.module),)
        if dotted in ("functools.partial", "functools.partialmethod"):
            rest = tuple(args[1:])
            named = tuple((name, values) for name, values in keywords.items() if name is not None)
            # One in which too much is nested is what it calls, with arguments that nobody knows
            bound = [shallow((("p", value, rest, named),)) or (value,) for value in (args[0] if args else UNKNOWN)]
            return tuple(value for values in bound for value in values)
        decorated = self._decorated_by_hand(dotted, args)
        if decorated:
            return decorated
        if dotted == "collections.defaultdict":
            produced = self.instances(args[0], frame) if args else UNKNOWN
            return (("d", (), shallow(produced)),)
        if dotted == "collections.deque" and kind == CALL:
            return (collection(self.iterate(args[0], site, frame) if args else UNKNOWN),)
        if dotted == "collections.OrderedDict" and kind == CALL:
            return self.builtin(site, "dict", args, keywords, frame, flags) or UNKNOWN
        if dotted == CONTEXT_VARIABLE:
            return (("d", (), shallow(without_none(keywords.get("default", UNKNOWN)))),)
        if dotted == "typing.cast" and args:
            meant = tuple(value for value in self.instances(args[0], frame) if value[0] != "tv")
            given = args[1] if len(args) > 1 else UNKNOWN
            # Who fits a Protocol is a guess, what is cast is known
            known = tuple(value for value in given if any(self.fits_protocol(value, other) for other in meant))
            return known or meant or given
        if dotted == "typing.NewType" and len(args) > 1:
            return (("ty", self.instances(args[1], frame), UNKNOWN),)
        if dotted == "typing.TypeVar":
            bounds = keywords.get("bound", UNKNOWN)
            for extra in args[1:]:
                bounds = union(bounds, extra)
            name = only_constant(args[0]) if args else ...
            unbound: Values = (("tv", name),) if isinstance(name, str) else UNKNOWN
            return (("ty", self.instances(bounds, frame) or unbound, UNKNOWN, name),)
        if dotted in ("asyncio.gather", "asyncio.tasks.gather"):
            parts = tuple(shallow(self.settled(values)) for values in args)
            return (("co", (("t", parts),), ()),)
        if dotted in _SERVERS and not frame.quiet:
            self.servers.add(frame.variant.number)
        if dotted.endswith(".__init__"):  # `Base.__init__(self, …)`, as `super().__init__(…)` was written once
            return self._construct_base(site, dotted[:-9], args[1:], keywords, frame, flags, kind)
        spec = self.catalogue.function(dotted)
        if kind == CALL and (spec is None or not spec.runs):
            self.consume(args, site, frame)
        maker = self.catalogue.makers.get(dotted)
        result: Values = UNKNOWN
        if spec is not None:
            result = self.apply(site, spec, dotted, None, args, keywords, frame, flags, awaited, kind)
            if result:
                return result
        name = maker or dotted
        made = self._makes_of(name, keywords, frame)
        if made:
            return made
        opened = 0
        if spec is not None and (spec.rule in _OPENERS or spec.rule == _LOG_HANDLER):
            opened = 1 if self.applies(spec, args, keywords) else 0
        order = self.catalogue.order(name)
        if order:
            made = (("i", order[0].name, "", opened),)
            # `declarative_base(cls=Model)`: what it makes is a subclass of the project's own class
            return union(made, self.instances(keywords["cls"], frame)) if maker and "cls" in keywords else made
        if name.rpartition(".")[2][:1].isupper():
            return (("i", name, "", opened),)
        if spec is None and not dotted.startswith("builtins."):
            frame.variant.unresolved.discard(site)
        return UNKNOWN

    def _construct_base(
        self, site: int, base: str, args: list[Values], keywords: Keywords, frame: Frame, flags: int, kind: str
    ) -> Values:
        """What a constructor of the project hands on to the library's: it does what making that object does."""
        spec = self.catalogue.function(base)
        if spec is not None:
            self.apply(site, spec, base, None, args, keywords, frame, flags, False, kind)
        return UNKNOWN

    def _makes_of(self, name: str, keywords: Keywords, frame: Frame) -> Values:
        """A factory that was told what to make: `sessionmaker(class_=AsyncSession)` stands for that class."""
        returned = self.catalogue.returned(name, "__call__")
        if returned is None or returned[0] != "class" or returned[1] not in keywords:
            return UNKNOWN
        usual = self.typed(returned[2], None, [], {}, UNKNOWN, frame)
        return tuple(
            ("p", value, (), ())
            for value in keywords[returned[1]]
            if self.instances((value,), frame) not in ((), usual)
        )

    def _decorated_by_hand(self, dotted: str, args: list[Values]) -> Values:
        """What a library's decorator gives that is called like any function: `cache(f)`, `lru_cache(maxsize=9)(f)`."""
        name = dotted.removesuffix("()")
        spec = self.catalogue.function(name)
        if spec is None or spec.decorates is None or spec.decorates.where is not None:
            return UNKNOWN
        if spec.decorates.becomes not in _MADE_BY_HAND:
            return UNKNOWN
        given = tuple(value for value in args[0] if value[0] in _DECORATED) if args else UNKNOWN
        if dotted == name and (not given or name == "functools.wraps"):
            return (("x", f"{name}()"),)  # the decorator itself: the next call has the function
        return decorated_as(spec.decorates, given)

    def call_method(
        self,
        site: int,
        callee: Value,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        awaited: bool,
        kind: str,
    ) -> Values:
        """Call a method (a path of attributes) of an instance of a catalogue type, or the instance itself."""
        type_name, path, opened = callee[1], callee[2], callee[3]
        if path == "__init__":
            return self._construct_base(site, type_name, args, keywords, frame, flags, kind)
        asked = path or "__call__"
        if kind in (CALL, LOOP, STARTUP):
            self.play(frame, site, type_name, asked, args, keywords, flags)
        spec = self.catalogue.method(type_name, asked)
        maker = self.catalogue.makers.get(f"{type_name}.{asked}")
        receiver: Value = ("i", type_name, "", opened)
        result: Values = UNKNOWN
        if asked.endswith("writelines") and args:
            self.iterate(args[0], site, frame)
        if asked == "addHandler" and args:
            self._handler_added(args[0], site, frame, flags)
        if asked == "add_done_callback" and args:
            for callback in args[0]:
                where = "loop" if self.catalogue.is_asynchronous(type_name) else "pool"
                self.run_value(callback, where, site, frame, [(_FINISHED,)], {}, "callback")
            return UNKNOWN
        if asked.endswith(("enter_context", "enter_async_context")):
            return self.enter(args[0] if args else UNKNOWN, site, frame, "async" in asked)
        if spec is not None:
            free = opened and spec.rule in _FILE_RULES
            result = self.apply(
                site,
                Spec(returns=spec.returns, runs=spec.runs, library=spec.library) if free else spec,
                f"{type_name}.{asked}",
                receiver,
                args,
                keywords,
                frame,
                flags,
                awaited or self.catalogue.is_asynchronous(type_name),
                kind,
            )
            if result:
                return result
        returned = self.catalogue.returned(type_name, asked)
        if returned is not None:
            made = self.typed(returned, receiver, args, keywords, result, frame)
            return _opened(made) if (spec is not None and spec.rule in _OPENERS) or kind in (POOL, PROCESS) else made
        if maker is not None:
            return (("i", maker, "", 0),)
        if self.catalogue.is_asynchronous(type_name):
            return (("co", UNKNOWN, ()),)
        if spec is not None and spec.rule is not None:
            return UNKNOWN
        if path.endswith("__"):
            return UNKNOWN
        more = not path or self.catalogue.leads_on(type_name, path)
        return (("i", type_name, path if more else BEYOND, opened),)

    def _handler_added(self, values: Values, site: int, frame: Frame, flags: int) -> None:
        """A log handler is given to a logger: from now on whoever logs waits for it."""
        for value in values:
            if value[0] == "i" and value[3] and not value[2]:
                spec = self.catalogue.function(value[1])
                if spec is not None and spec.rule == _LOG_HANDLER:
                    self.event(frame, site, value[1], spec, flags)
            elif value[0] == "o":
                self.register(frame, site, "log handler")
                for bound in self.instance_attribute(value, "emit", frame, site):
                    self.call(site, bound, [], {}, frame, kind=LOOP)

    @abstractmethod
    def enter(self, values: Values, site: int, frame: Frame, is_async: bool) -> Values:
        """What entering context managers gives; records what runs."""

    def apply(
        self,
        site: int,
        spec: Spec,
        name: str,
        receiver: Value | None,
        args: list[Values],
        keywords: Keywords,
        frame: Frame,
        flags: int,
        awaited: bool,
        kind: str,
    ) -> Values:
        """Do what the catalogue says of a call: an event if it blocks, edges to what it runs, what it returns."""
        while spec.otherwise is not None and not self.applies(spec, args, keywords):
            spec = spec.otherwise
        if any(is_bridged(value) for values in (*args, *keywords.values()) for value in values):
            return (BRIDGED,)
        if spec.rule is None and (spec.only or spec.unless) and not self.applies(spec, args, keywords):
            return UNKNOWN
        if (
            spec.rule is not None
            and spec.rule != _LOG_HANDLER
            and spec.decorates is None
            and not awaited
            and kind in (CALL, LOOP, STARTUP)
        ):
            if self.applies(spec, args, keywords) and not self._in_memory(spec, args):
                self.event(frame, site, name, spec, flags)
        if kind != ELSEWHERE and self._waits_for_ever(spec, name, args, keywords):
            self.event(frame, site, name, replace(spec, rule="FL402", unless=(), only=()), flags)
        result: Values = UNKNOWN
        for run in spec.runs:
            values = argument(run.argument, args, keywords)
            if not values:
                continue
            rest = args[run.argument.position + 1 :] if run.passes and run.argument.position is not None else []
            named = {k: v for k, v in keywords.items() if k != run.argument.name} if run.passes else {}
            if run.keeps_loop_bridge:
                rest = [(BRIDGED,)] * (1 if run.passes else _MOST_CALLBACK_PARAMETERS) + list(rest)
            before = frame.flags
            if run.once:
                frame.flags |= ONCE
            for value in values:
                # `partial(context.run, f)` handed to a thread: "here" is that thread
                where = "pool" if run.where == "here" and kind in (POOL, PROCESS) else run.where
                if run.method:
                    for bound in self.attribute((value,), run.method, frame, site) if value[0] == "o" else ():
                        self.run_value(bound, where, site, frame, rest, named, run.label)
                else:
                    result = union(result, self.run_value(value, where, site, frame, rest, named, run.label))
            frame.flags = before
        if spec.returns is not None:
            made = self.typed(spec.returns, receiver, args, keywords, self.settled(result), frame)
            return _opened(made) if spec.rule in _OPENERS or kind in (POOL, PROCESS) else made
        return UNKNOWN

    def _waits_for_ever(self, spec: Spec, name: str, args: list[Values], keywords: Keywords) -> bool:
        """An HTTP call without the time-out that its library does not set by itself, or with `timeout=None`."""
        if spec.timeout is not None:
            if None in keywords:
                return False
            given = argument(spec.timeout, args, keywords)
            return not is_given(spec.timeout, args, keywords) or only_constant(given) is None
        if spec.rule == "FL101" or name.split(".")[0] in _HTTP_CLIENTS:
            return "timeout" in keywords and only_constant(keywords["timeout"]) is None
        return False

    def applies(self, spec: Spec, args: list[Values], keywords: Keywords) -> bool:
        """Whether the call blocks with these arguments."""
        if spec.unless and any(self._holds(condition, args, keywords) for condition in spec.unless):
            return False
        return all(self._holds(condition, args, keywords) for condition in spec.only)

    def _holds(self, condition: Condition, args: list[Values], keywords: Keywords) -> bool:
        given = argument(condition.argument, args, keywords)
        if condition.operator == "has":
            return ("x", condition.value) in given
        if condition.operator == "is":
            return any(
                value[0] == "i" and any(spec.name == condition.value for spec in self.catalogue.order(value[1]))
                for value in given
            )
        if condition.operator != "asynchronous":
            return holds(condition, args, keywords)
        return any(value[0] == "i" and self.catalogue.is_asynchronous(value[1]) for value in given)

    def _in_memory(self, spec: Spec, args: list[Values]) -> bool:
        """Reading a file that was opened (and reported) elsewhere, or one that is no file at all."""
        if spec.rule not in _OPENERS or not args:
            return False
        return any(value[0] == "i" and (value[3] or value[1] in _IN_MEMORY) for value in args[0])

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
        tag = value[0]
        if tag in ("l", "t", "d"):
            out: Values = UNKNOWN
            for part in elements((value,)):
                out = union(out, self.run_value(part, where, site, frame, args, keywords, label))
            return out
        if tag == "dep":
            here = value[2] if value[3] == frame.module else site
            for part in value[1]:
                self.run_value(part, where, here, frame, args, keywords, label)
            return UNKNOWN
        if label not in _PASSING:
            self.register(frame, site, label)
        if tag == "co":
            for number in value[2]:
                self.edge(frame, site, self._kind_of_coroutine(where), self.variants[number])
            return tuple(value[1])
        if tag == "g" or tag == "ag":
            if value[2] >= 0:
                default = LOOP if tag == "ag" else POOL
                kind = KINDS.get(where, default) if tag == "g" else LOOP
                self.edge(frame, site, kind, self.variants[value[2]])
            return (value,)
        if tag == "cm":
            if value[2] >= 0:
                self.edge(frame, site, STARTUP if where == "startup" else LOOP, self.variants[value[2]])
            return tuple(value[1])
        if tag == "mgr":  # lifespan=: the function itself, decorated
            return self.run_value(value[1], where, site, frame, args, keywords, label)
        if tag == "c" and label == "middleware":
            return self._middleware(value, site, frame)
        if where == "auto":
            kind = LOOP if self.is_async_callable(value) else POOL
        else:
            kind = KINDS.get(where, CALL)
        if tag == "f" and kind in (LOOP, STARTUP):
            function = self.world.function((value[1], value[2]))
            if function.is_generator:  # a generator handed over is iterated there
                variant = self.variant_for(value, None, args, keywords)
                self.run(variant)
                self.edge(frame, site, kind, variant)
                return (("g", self.result_of(variant, "yields", frame), variant.number),)
        return self.call(site, value, args, keywords, frame, kind=kind)

    def _kind_of_coroutine(self, where: str) -> str:
        if where == "here":
            return PRIVATE
        return {"startup": STARTUP, "worker": ELSEWHERE, "cli": ELSEWHERE}.get(where, LOOP)

    def register(self, frame: Frame, site: int, label: str) -> None:
        """Remember what users call what is registered at this site."""
        if not frame.quiet:
            known = frame.variant.labels.setdefault(site, label)
            if known == "dependency":  # a route says more of its site than the dependencies that it names there
                frame.variant.labels[site] = label

    def _middleware(self, value: Value, site: int, frame: Frame) -> Values:
        """A middleware class: built once, its `__call__` (or the base class's `dispatch`) runs on the loop."""
        instance: Value = ("o", value[1], value[2], 1)
        self.call(site, value, [], {}, frame, kind=STARTUP)
        for name in ("__call__", "dispatch"):
            if isinstance(self.find_method((value[1], value[2]), name), tuple):
                for bound in self.instance_attribute(instance, name, frame, site):
                    self.call(site, bound, [], {}, frame, kind=LOOP)
        return UNKNOWN


def decorated_as(decoration: Decoration, values: Values) -> Values:
    """What a library's decorator makes of callables."""
    if decoration.becomes == "offloaded":
        return tuple(("off", value, decoration.where or "pool") for value in values)
    if decoration.becomes == "manager":
        return tuple(("mgr", value, False) for value in values)
    if decoration.becomes == "async_manager":
        return tuple(("mgr", value, True) for value in values)
    if decoration.becomes == "cached":
        return tuple(("once", value) for value in values)
    return values


def _opened(values: Values) -> Values:
    """Handles whose opening was just reported: reading them is no second finding."""
    return tuple((*value[:3], 1) if value[0] == "i" else value for value in values)
