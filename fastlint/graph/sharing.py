"""What is shared while requests are served, who accesses it, in which contexts, and behind which locks.

Joins the flows of functions with the contexts of the graph. Judges nothing: whether an access hurts is for the checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from fastlint.graph.accesses import ANYBODY, WRITES, Access, Flow, Hold
from fastlint.graph.awaits import awaits_call, suspends
from fastlint.graph.contexts import Context, Contexts, State, unreached_cost
from fastlint.graph.flows import Walk
from fastlint.graph.overlap import ALONE, MANY, SINGLE_THREAD, executor_used, overlaps
from fastlint.graph.places import Key, Places, maker
from fastlint.graph.providers import providers
from fastlint.graph.spelling import is_called_lock, spelled_node
from fastlint.graph.state import CALL, COROUTINE, POOL, Frame, Variant
from fastlint.graph.statements import Interpreter
from fastlint.graph.values import Value, without_none
from fastlint.graph.world import ClassRef, FunctionRef
from fastlint.source.facts import Block, Node
from fastlint.source.mentioned import TAKING, WITH
from fastlint.source.nodes import calls_within, nodes, parts

_DEEPEST = 5
_SERVED = (Context.LOOP, Context.POOL)


class Served(NamedTuple):
    """Where a function runs while requests are served; `many`: several calls of it can be under way at once; `queue`:
    the executor of one thread in which requests run it, one call after the other."""

    loop: State | None
    pool: State | None
    loop_many: bool
    pool_many: bool
    queue: Key | None = None

    @property
    def many(self) -> bool:
        """Whether requests run it, in whatever context."""
        return self.loop_many or self.pool_many or self.queue is not None

    @property
    def state(self) -> State | None:
        """One state of it: on the loop if it is there at all."""
        return self.loop or self.pool


class Use(NamedTuple):
    """A use of a shared object: where, which of its methods, and whether a lock is held (or a look taken) first."""

    function: FunctionRef
    site: int
    method: str
    guarded: bool


class Sharing:
    """The shared places of a project, and every access of them by functions that serve requests."""

    def __init__(self, interpreter: Interpreter, contexts: Contexts) -> None:
        self.interpreter = interpreter
        self.world = interpreter.world
        self.contexts = contexts
        self.places = Places(interpreter, contexts)
        self.served: dict[FunctionRef, Served] = {}
        self.accesses: dict[Key, list[Access]] = {}
        self._flows: dict[FunctionRef, Flow | None] = {}
        self._suspending: dict[FunctionRef, bool] = {}
        self._calls: dict[FunctionRef, dict[tuple[FunctionRef, int], None]] | None = None
        self._by_site: dict[FunctionRef, dict[int, Node]] = {}
        self.passed: dict[tuple[FunctionRef, str, frozenset[str], int], bool] = {}  # what `origins` found out
        self._losing: set[str] | None = None
        self._above: dict[State, frozenset[Any] | None] = {}
        self._overlaps = overlaps(interpreter.variants, contexts, self._queue_of)
        self._names = self._written_names()
        self._serve()
        self._collect()

    def flow(self, ref: FunctionRef) -> Flow | None:
        """What a function does; None for module bodies, while it is being walked, and where it was never analysed."""
        if ref in self._flows:
            return self._flows[ref]
        self._flows[ref] = None
        variants = self.interpreter.of_function.get(ref)
        if ref[1] < 0 or not variants:
            return None
        targets: dict[int, dict[FunctionRef, None]] = {}
        for each in variants:
            for edge in each.edges:
                if edge.kind in (CALL, COROUTINE):
                    targets.setdefault(edge.site, {})[self.interpreter.variants[edge.target].function] = None
        flow = Flow(ref, held_at_start=self._entered_for(ref))
        Walk(
            flow,
            self.frame(ref),
            self.places,
            self._names.__contains__,
            lambda site: targets.get(site, ()),
            self._flow_below,
            self.suspends,
        ).run()
        self._flows[ref] = flow
        return flow

    def _entered_for(self, ref: FunctionRef) -> frozenset[Hold]:
        """The locks that the dependencies of a function hold until it is done: one request at a time."""
        out: set[Hold] = set()
        for provider in providers(self.places, ref):
            inner = self._flow_below(provider)
            if inner is not None:
                held = inner.held_at_start if inner.held_at_yield is None else inner.held_at_yield
                out.update(hold._replace(keeps_out=ANYBODY) for hold in held)
        return frozenset(out)

    def _flow_below(self, ref: FunctionRef) -> Flow | None:
        if len(self._open) >= _DEEPEST and ref not in self._flows:
            return None
        self._open.append(ref)
        try:
            return self.flow(ref)
        finally:
            self._open.pop()

    def suspends(self, ref: FunctionRef) -> bool:
        """Whether awaiting a coroutine function can let others run: not one that never awaits anything itself."""
        known = self._suspending.get(ref)
        if known is None:
            self._suspending[ref] = True  # a cycle of calls is taken to wait
            known = self._suspending[ref] = suspends(self.world.function(ref).body)
        return known

    def guards(self, access: Access, context: Context) -> frozenset[Any]:
        """The locks that are held at an access in a context: its own, and those that every caller holds."""
        own = frozenset(hold.lock for hold in access.locks)
        out: frozenset[Any] | None = None
        for variant in self.interpreter.of_function.get(access.function, ()):
            state = (variant.number, context)
            if state in self.contexts.arrivals:
                above = self.held_above(state)
                if above is not None:
                    out = above if out is None else out & above
        return own | (out or frozenset())

    def held_above(self, state: State) -> frozenset[Any] | None:
        """The locks that every way to a state holds; None while that is being asked (a cycle adds no way)."""
        if state in self._above:
            return self._above[state]
        self._above[state] = None
        out: frozenset[Any] | None = None
        callers = self.contexts.callers(state)
        for origin, edge, _ in callers:
            function = self.interpreter.variants[origin[0]].function
            # Who awaits a thread's work keeps its locks until that is done
            handed = edge.kind == POOL and function[1] >= 0
            if edge.kind not in (CALL, COROUTINE) and not (
                handed and awaits_call(self.world.function(function).body, edge.site)
            ):
                out = frozenset()
                break
            flow = self.flow(function)
            held = frozenset(hold.lock for hold in flow.held_at.get(edge.site, ())) if flow is not None else frozenset()
            above = self.held_above(origin)
            if above is None and origin != state and self.contexts.arrivals[origin].before is None:
                above = frozenset()
            if above is not None:
                out = held | above if out is None else out & (held | above)
        if self.contexts.arrivals[state].before is None:
            out = frozenset()
        self._above[state] = frozenset() if out is None and not callers else out
        return self._above[state]

    # Everything at once

    def _written_names(self) -> frozenset[str]:
        """The names that functions change: only these can be shared state."""
        names: set[str] = set()
        world = self.world
        for name, writers in (*world.mutators.items(), *world.writers.items()):
            if any(index >= 0 for _, index in writers):
                names.add(name)
        for method in TAKING:
            for ref in world.mentions.get(method, ()):
                if ref[1] >= 0:
                    names.update(_receivers(world.function(ref).body))
        for module in world.modules.values():
            names.update(name for name, indices in module.facts.rebinders.items() if any(i >= 0 for i in indices))
        return frozenset(names)

    def _serve(self) -> None:
        self._open: list[FunctionRef] = []
        states: dict[FunctionRef, dict[Context, list[State]]] = {}
        for state, arrival in self.contexts.arrivals.items():
            if state[1] in _SERVED and arrival.cost < unreached_cost():
                function = self.interpreter.variants[state[0]].function
                if function[1] >= 0:
                    states.setdefault(function, {}).setdefault(state[1], []).append(state)
        for function, found in states.items():
            loop, pool = found.get(Context.LOOP, []), found.get(Context.POOL, [])
            queues = {self._overlaps[state] for state in pool if state in self._overlaps}
            several = MANY in queues or len(queues) > 1
            self.served[function] = Served(
                self._nearest(loop),
                self._nearest(pool),
                any(state in self._overlaps for state in loop),
                several,
                next(iter(queues)) if queues and not several else None,
            )

    def _nearest(self, states: list[State]) -> State | None:
        """Of several states the one on whose way requests are, else the one with the shortest way."""
        ranked = [
            (state not in self._overlaps, self.contexts.arrivals[state].cost, self.contexts.turn(state), state)
            for state in states
        ]
        return min(ranked, key=lambda row: row[:3])[3] if ranked else None

    def _collect(self) -> None:
        named, locking = self._naming(self._names), self._naming((WITH,))
        for ref in sorted(self.served, key=self.world.turn):
            if ref not in named and not (ref in locking and _locks(self.world.function(ref).body)):
                continue
            flow = self.flow(ref)
            for access in flow.accesses if flow is not None else ():
                self.accesses.setdefault(access.place, []).append(access)

    def flows(self) -> Iterator[Flow]:
        """The flows of the functions that were walked, in order."""
        for ref in sorted(self._flows, key=self.world.turn):
            flow = self._flows[ref]
            if flow is not None:
                yield flow

    # Questions of the checks

    def frame(self, ref: FunctionRef) -> Frame:
        """A frame in which expressions of a function can be evaluated quietly."""
        variants = self.interpreter.of_function[ref]
        return self._frame_of(next((v for v in variants if self.contexts.has(v.number, _SERVED)), variants[0]))

    def _frame_of(self, variant: Variant) -> Frame:
        ref = variant.function
        function = self.world.function(ref)
        owner = (ref[0], function.owner) if function.owner >= 0 else None
        if owner is None and variant.env >= 0:  # a function nested in a method still knows its class
            outer = self.world.function(self.interpreter.variants[variant.env].function)
            owner = (ref[0], outer.owner) if outer.owner >= 0 else None
        return Frame(variant, ref[0], dict(variant.names), owner=owner, quiet=True)

    def _queue_of(self, variant: Variant, site: int) -> Key | None:
        """The shared executor of a single thread to which a call of a function hands its work."""
        if variant.function[1] < 0:
            return None
        node = executor_used(self.world.function(variant.function).body, site)
        if node is None:
            return None
        frame = self._frame_of(variant)
        return self.places.of(node, frame) if self._type_in(node, frame) == SINGLE_THREAD else None

    def type_of(self, node: Node, ref: FunctionRef) -> str | None:
        """The catalogue type that an expression of a function certainly has."""
        return self._type_in(node, self.frame(ref))

    def _type_in(self, node: Node, frame: Frame) -> str | None:
        if node is None or node[0] not in ("n", "a"):
            return None
        values = without_none(self.interpreter.evaluate(node, frame))
        types = {value[1] if value[0] == "i" and not value[2] else None for value in values}
        return types.pop() if len(types) == 1 else None

    def spelled(self, node: Node) -> str:
        """A chain of names and attributes as it is written."""
        return spelled_node(node)

    def classes(self, value: Value) -> list[ClassRef]:
        """The project classes of an instance, its own first."""
        return [above for above in self.interpreter.order((value[1], value[2])) if isinstance(above, tuple)]

    def variants_of(self, ref: FunctionRef) -> list[int]:
        """The numbers of a function's variants."""
        return [variant.number for variant in self.interpreter.of_function.get(ref, ())]

    def is_entry(self, ref: FunctionRef) -> bool:
        """Whether a framework calls a function for requests: a route, a dependency …"""
        served = self.served.get(ref)
        return served is not None and any(
            arrival is not None and arrival.root and arrival.root not in ALONE
            for arrival in (self.contexts.arrivals[state] for state in (served.loop, served.pool) if state is not None)
        )

    def callers_of(self, ref: FunctionRef) -> list[tuple[FunctionRef, int]]:
        """Every call of a function: who, at which site."""
        if self._calls is None:
            self._calls = {}
            for variant in self.interpreter.variants:
                for edge in variant.edges:
                    target = self.interpreter.variants[edge.target].function
                    self._calls.setdefault(target, {})[variant.function, edge.site] = None
        return list(self._calls.get(ref, ()))

    def call_at(self, ref: FunctionRef, site: int) -> Node:
        """The call at a site of a function; None where there is none."""
        known = self._by_site.get(ref)
        if known is None:
            known = self._by_site[ref] = {call[1]: call for call in calls_within(self.world.function(ref).body)}
        return known.get(site)

    def calls_by_name(self, ref: FunctionRef, names: Iterable[str]) -> bool:
        """Whether a function calls anything of one of these last names."""
        mentions = self.world.modules[ref[0]].facts.mentions
        return any(ref[1] in mentions.get(name, ()) for name in names)

    def objects(self, kinds: Collection[str]) -> Iterator[tuple[Key, str, list[Use]]]:
        """The shared places that hold an object of one of these types, each with its uses in served code."""
        holding: dict[Key, str] = {}
        for key, values in self.interpreter.facts.items():
            if key[0] in ("global", "state", "attr"):
                for value in values:
                    if value[0] == "i" and not value[2] and value[1] in kinds:
                        holding[key] = value[1]
        names = frozenset(key[-1] for key in holding)
        uses: dict[Key, list[Use]] = {}
        for ref in sorted(self._naming(names) & self.served.keys(), key=self.world.turn):
            for node, site, method in _methods_called(self.world.function(ref).body, names):
                key = self.places.of(node, self.frame(ref))
                if key in holding:
                    uses.setdefault(key, []).append(Use(ref, site, method, self._is_locked(ref, site)))
        for key in sorted(uses, key=str):
            yield key, holding[key], uses[key]

    def _naming(self, names: Collection[str]) -> set[FunctionRef]:
        """The functions that read or write a name or attribute out of these."""
        wanted = frozenset(names)
        return {
            (module.name, index)
            for module in self.world.modules.values()
            for index, mentioned in enumerate(module.facts.names)
            if not wanted.isdisjoint(mentioned.split())
        }

    def _is_locked(self, ref: FunctionRef, site: int) -> bool:
        flow = self.flow(ref)
        if flow is not None and flow.held_at.get(site):
            return True
        served = self.served[ref]
        return any(state is not None and self.held_above(state) for state in (served.loop, served.pool))

    def thread_local_uses(self) -> Iterator[tuple[Key, str, list[Use]]]:
        """The attributes of `threading.local` objects with their uses; method "=" for an assignment, "" for a read;
        guarded: the function first looks whether the attribute is there."""
        keys: set[Key] = set()
        for module in self.world.modules.values():
            for name, rows in module.bindings.items():
                for row in rows:
                    node = row[1] if row[0] == "expr" else row[2] if row[0] == "ann" else None
                    if maker(node) and self._is_thread_local(node, module.name):
                        keys.add(("global", module.name, name))
        names = frozenset(key[2] for key in keys)
        uses: dict[tuple[Key, str], list[Use]] = {}
        for ref in sorted(self._naming(names) & self.served.keys(), key=self.world.turn):
            body = self.world.function(ref).body
            looked: set[str] | None = None
            for node, site, attribute, method in _attributes_used(body, names):
                key = self.places.of(node, self.frame(ref))
                if key in keys:
                    looked = _looked_for(body) if looked is None else looked
                    uses.setdefault((key, attribute), []).append(Use(ref, site, method, attribute in looked))
        for key, attribute in sorted(uses, key=str):
            yield key, attribute, uses[key, attribute]

    def _is_thread_local(self, node: Node, module: str) -> bool:
        for value in self.interpreter.evaluate(node[2], self.interpreter.module_frame(module)):
            if value == ("x", "threading.local"):
                return True
            if value[0] == "c" and "threading.local" in self.interpreter.order((value[1], value[2])):
                return True
        return False

    def may_shrink(self, place: Key) -> bool:
        """Whether anything in the project can take something out of a container of this name: by a method, `del`, a
        new binding, or by handing it to somebody."""
        if self._losing is None:
            self._losing = {name for module in self.world.modules.values() for name in module.facts.losing}
        return place[-1] in self._losing

    def only_used_by(self, lock: Key, functions: set[FunctionRef]) -> bool:
        """Whether nobody else in the project mentions the name of a lock."""
        others = self._naming((lock[-1],)) - functions
        return all(self.world.function(ref).name == "__init__" for ref in others)

    def written(self) -> Iterator[tuple[Key, list[Access]]]:
        """The places that somebody changes while requests are served, with every access of them."""
        for key in sorted(self.accesses, key=str):
            if any(access.kind in WRITES for access in self.accesses[key]):
                yield key, self.accesses[key]


def _locks(block: Block) -> bool:
    """Whether a block holds a `with` that may be of a lock."""
    return any(each[0] == "with" and _may_lock(each) for each in nodes(block))


def _may_lock(statement: Any) -> bool:
    """Whether a `with` may be of a lock: `with lock:`, `with self.guard():`, `with FileLock(path):`, but not
    `with open(path) as file:`."""
    for _, expression, _ in statement[1]:
        if expression is not None and (expression[0] in ("n", "a", "s") or expression[3:] == [[], []]):
            return True
        if expression is not None and expression[0] == "c" and is_called_lock(expression[2]):
            return True
    return False


def _receivers(block: Block) -> Iterator[str]:
    """The names and attributes out of which a block takes something."""
    for call in calls_within(block):
        callee = call[2]
        if callee is not None and callee[0] == "a" and callee[3] in TAKING:
            if callee[2] is not None and callee[2][0] in ("n", "a"):
                yield callee[2][-1]


def _methods_called(block: Block, names: frozenset[str]) -> Iterator[tuple[Node, int, str]]:
    """Every `name.method(…)` in a block (and `async with name`): (the name's node, site, method)."""
    for node in nodes(block):
        if node[0] == "c" and node[2] is not None and node[2][0] == "a":
            base = node[2][2]
            if base is not None and base[0] in ("n", "a") and base[-1] in names:
                yield base, node[1], node[2][3]
        elif node[0] == "with":
            for item in node[1]:
                if item[1] is not None and item[1][0] in ("n", "a") and item[1][-1] in names:
                    yield item[1], item[0], "__aenter__"


def _attributes_used(block: Block, names: frozenset[str]) -> Iterator[tuple[Node, int, str, str]]:
    """Every `name.attribute` in a block: (the name's node, site, attribute, "=" where it is assigned)."""
    waiting: list[tuple[Any, str]] = [(block, "")]
    while waiting:
        node, method = waiting.pop()
        if not node:
            continue
        if node[0] == "a" and node[2] is not None and node[2][0] == "n" and node[2][1] in names:
            yield node[2], node[1], node[3], method
            continue
        targets = node[1] if node[0] == "=" else [node[1]] if node[0] in (":", "+=") else []
        for part in parts(node)[::-1]:
            if part is not targets and not any(part is each for each in targets):
                waiting.append((part, ""))
        waiting.extend((target, "=") for target in reversed(targets))


def _looked_for(block: Block) -> set[str]:
    """The attribute names that `hasattr(x, "name")` or `getattr(x, "name", …)` ask for."""
    return {
        call[3][1][1]
        for call in calls_within(block)
        if call[2] in (["n", "hasattr"], ["n", "getattr"]) and len(call[3]) > 1
        if call[3][1] is not None and call[3][1][0] == "k"
    }
