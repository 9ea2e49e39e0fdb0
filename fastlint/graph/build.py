"""All facts -> one `Graph`: the order in which the analysis looks at modules, entry points and the rest."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from fastlint.finding import Severity
from fastlint.graph.contexts import Context, Contexts, entry_edges
from fastlint.graph.definitions import REGISTRARS
from fastlint.graph.kept import pack, unpack
from fastlint.graph.servers import mark_servers
from fastlint.graph.sharing import Sharing
from fastlint.graph.state import CALL, LOOP, ONCE, Edge, Event, Variant
from fastlint.graph.statements import Interpreter
from fastlint.graph.unreached import look_at_callers, start_unreached
from fastlint.graph.world import FunctionRef, Module, World
from fastlint.rulebook.catalogue import Catalogue
from fastlint.source.align import align
from fastlint.source.facts import Function

if TYPE_CHECKING:
    from fastlint.graph.relink import Past

_T = TypeVar("_T")

_MOST_TRIES = 4  # to continue an analysis, each forgetting more of it
_STACK_BYTES = 512 * 1024 * 1024
_RECURSION = 60_000
_QUICK = frozenset({"FL113", "FL402", "FL115"})  # microseconds, or no waiting at all
_SHORT = frozenset({"FL105", "FL109"})  # a file's contents, most computations: not for long
_SERVED = (Context.LOOP, Context.STARTUP, Context.POOL)


@dataclass(slots=True)
class Graph:
    """Who calls whom, in which context, by which shortest way: what every check works on."""

    world: World
    variants: list[Variant]  # by their numbers
    in_order: list[Variant]  # by the places of their functions, whoever was looked at first
    playing: list[Variant]  # those of them, in order, that make a call which plays a part (see `Record`)
    contexts: Contexts
    unresolved: list[tuple[FunctionRef, int]]
    contended: dict[object, bool]  # locks that some thread holds while it does something slow, and if it does so again
    long_held: dict[object, bool]  # those of them that it certainly holds for long
    sharing: Sharing  # what requests share, and who touches it
    kept: bytes = b""  # the analysis, packed, where it was made anew and is to be kept
    continued: bool = False  # from an earlier analysis
    anew: str = ""  # why an earlier analysis was not continued; "" where there was none

    def function(self, variant: Variant) -> Function | None:
        """The facts of a variant's function; None for the body of a module."""
        return self.world.function(variant.function) if variant.function[1] >= 0 else None

    def name(self, variant: Variant) -> str:
        """The dotted name of a variant's function, or of its module."""
        return self.world.dotted_name(variant.function)


def build_graph(
    modules: Iterable[tuple[Module, tuple[str, ...]]],
    catalogue: Catalogue,
    entry_points: tuple[str, ...] = (),
    past: Past | None = None,
    keep: bool = False,
) -> Graph:
    """The graph of a project. `modules` come with the further names under which they can be imported;
    `entry_points` are dotted patterns of functions that the user says run on the loop. `past` is an analysis of the
    same modules that may be continued; `keep` says whether this one may be, later."""
    everything = list(modules)
    return with_deep_stack(lambda: _build(everything, catalogue, entry_points, past, keep))


def with_deep_stack(work: Callable[[], _T]) -> _T:
    """What `work` returns, run with room for deep recursion: call chains and nested code are followed depth first."""
    result: list[_T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            result.append(work())
        except BaseException as error:  # handed on to the caller's thread
            failure.append(error)

    limit = sys.getrecursionlimit()
    size = threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        thread = threading.Thread(target=target, name="fastlint-graph")
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    if failure:
        raise failure[0]
    return result[0]


def _build(
    modules: list[tuple[Module, tuple[str, ...]]],
    catalogue: Catalogue,
    entry_points: tuple[str, ...],
    past: Past | None,
    keep: bool,
) -> Graph:
    interpreter, why = _continued(modules, catalogue, past) if past is not None else (None, "")
    anew = interpreter is None
    if interpreter is None:
        interpreter = Interpreter(_world(modules, catalogue))
    world = interpreter.world
    served = [module for module in world.modules.values() if module.kind == "app"]
    if anew:
        for module in served:
            interpreter.run(interpreter.module_variant(module.name))
        interpreter.settle()
    for module in served:
        _run_registrars(interpreter, module)
    for module in served:
        for function in module.facts.functions:
            if function.is_async and not interpreter.of_function.get((module.name, function.index)):
                interpreter.ensure((module.name, function.index))
                interpreter.settle()
    if entry_points:
        _declare(interpreter, served, entry_points)
    interpreter.settle()
    look_at_callers(interpreter, served)
    kept = _kept(interpreter) if keep and anew else b""
    for variant in interpreter.variants:
        for site, label in variant.labels.items():
            variant.labels[site] = interpreter.full_label(label)
    contexts = _contexts(interpreter, served)
    unresolved: set[tuple[FunctionRef, int]] = set()
    for variant in interpreter.variants:
        if variant.unresolved and contexts.has(variant.number, (Context.LOOP,)):
            unresolved.update((variant.function, site) for site in variant.unresolved)
    calls = _Calls(interpreter)
    contended = _contended(interpreter, contexts, calls)
    long_held = _contended(interpreter, contexts, calls, certainly=True)
    interpreter.end()
    sharing = Sharing(interpreter, contexts)
    in_order = sorted(interpreter.variants, key=lambda variant: (world.turn(variant.function), variant.number))
    return Graph(
        world,
        interpreter.variants,
        in_order,
        [variant for variant in in_order if variant.records],
        contexts,
        sorted(unresolved, key=lambda call: (world.turn(call[0]), call[1])),
        contended,
        long_held,
        sharing,
        kept,
        not anew,
        why,
    )


def _kept(interpreter: Interpreter) -> bytes:
    """The analysis, packed; nothing where it holds what cannot be written: then the next one begins anew."""
    try:
        return pack(interpreter)
    except TypeError:
        return b""


def _world(modules: list[tuple[Module, tuple[str, ...]]], catalogue: Catalogue) -> World:
    world = World(catalogue)
    for module, aliases in modules:
        world.add(module, aliases)
    return world


def _continued(
    modules: list[tuple[Module, tuple[str, ...]]], catalogue: Catalogue, past: Past
) -> tuple[Interpreter | None, str]:
    """An analysis that goes on where an earlier one ended; None where it has to begin anew, and why."""
    from fastlint.graph.relink import Relinker  # here: only after an edit is there anything to continue

    numbered: list[tuple[Module, tuple[str, ...]]] = []
    for module, aliases in modules:
        before = past.before.get(module.name)
        if before is not None:
            aligned = align(before, module.facts)
            module = Module(module.name, module.path, module.is_package, aligned.facts, module.kind, aligned=aligned)
        numbered.append((module, aliases))
    forgotten: list[Any] = []
    why = ""
    for _ in range(_MOST_TRIES):
        try:
            rows = unpack(past.packed)  # once more for each try: held for the next one they would be much memory
        except ValueError:
            return None, "what is kept of it cannot be read"
        relinker = Relinker(_world(numbered, catalogue), past, rows, forgotten)
        del rows
        if relinker.relink():
            return relinker, ""
        why = relinker.reason
        if not relinker.less:
            break
        forgotten += relinker.less
    return None, why


def _contended(
    interpreter: Interpreter, contexts: Contexts, calls: _Calls, certainly: bool = False
) -> dict[object, bool]:
    """The locks for which others may really have to wait: a thread holds them around something that blocks. Each with
    whether that happens time and again, not just once behind a guard (`if client is None: client = connect()`).

    `certainly`: those only that are held for long, whichever of several classes the holder calls.
    """
    is_slow = _is_long if certainly else _is_slow
    waited_for = {event.of for variant in interpreter.variants for event in variant.events if is_slow(event)}
    slow = _slow_variants(interpreter, calls, is_slow, certainly, None)
    out: dict[object, bool] = {}
    for lock, held in interpreter.holds.items():
        # Who waits on a condition lets go of its lock meanwhile
        slow_under = slow if lock not in waited_for else _slow_variants(interpreter, calls, is_slow, certainly, lock)
        sites: dict[tuple[int, int], dict[FunctionRef, bool]] = {}  # the calls under the lock: which callees are slow
        again: set[tuple[int, int]] = set()  # those of them that no guard keeps from happening time and again
        for number, what in held:
            arrival = contexts.arrivals.get((number, Context.POOL))
            variant = interpreter.variants[number]
            flags = variant.events.get(what) if isinstance(what, Event) else variant.edges.get(what)
            if arrival is None or flags is None:  # None: so it seemed until more was known
                continue
            once = bool((flags | arrival.flags) & ONCE)
            if isinstance(what, Event) and is_slow(what) and what.of != lock:
                out[lock] = out.get(lock, False) or not once
            elif isinstance(what, Edge) and what.kind == CALL:
                site = (number, what.site if certainly else what.target)
                callees = sites.setdefault(site, {})
                callee = interpreter.variants[what.target].function
                callees[callee] = callees.get(callee, False) or what.target in slow_under
                if not once:
                    again.add(site)
        for site, callees in sites.items():
            if all(callees.values()):
                out[lock] = out.get(lock, False) or site in again
    return out


def _is_slow(event: Event) -> bool:
    """Whether an event takes its time whoever else runs; a lock takes what its holder takes, who is asked himself."""
    taken = event.lock is not None or (event.of is not None and event.name.endswith(".acquire"))
    return event.rule not in _QUICK and not taken


def _is_long(event: Event) -> bool:
    """Whether an event is slow enough that a short stall is no word for it."""
    if event.spec.severity is not None:
        return _is_slow(event) and event.spec.severity is Severity.ERROR
    return _is_slow(event) and event.rule not in _SHORT


class _Calls:
    """Who calls a variant here and now, and which functions each of these calls may mean."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._variants = interpreter.variants
        self.of: dict[int, list[tuple[int, int]]] = {}  # callee -> the calls: by caller and site
        for variant in interpreter.variants:
            for edge in variant.edges:
                if edge.kind == CALL:
                    self.of.setdefault(edge.target, []).append((variant.number, edge.site))

    def meant(self, call: tuple[int, int]) -> set[FunctionRef]:
        """The functions that a call may mean."""
        number, site = call
        edges = self._variants[number].edges
        return {self._variants[edge.target].function for edge in edges if edge.site == site and edge.kind == CALL}


def _slow_variants(
    interpreter: Interpreter, calls: _Calls, is_slow: Callable[[Event], bool], certainly: bool, lock: object
) -> set[int]:
    """The variants that do something slow, themselves or in what they call, other than a wait on `lock` itself.

    `certainly`: a call takes its time where all functions that it may mean do, else where one of them does.
    """
    slow = {
        variant.number
        for variant in interpreter.variants
        if any(is_slow(event) and (event.of is None or event.of != lock) for event in variant.events)
    }
    waiting = list(slow)
    quick: dict[tuple[int, int], set[FunctionRef]] = {}  # what a call may mean and is not known to be slow
    while waiting:
        callee = waiting.pop()
        for call in calls.of.get(callee, ()):
            if call[0] in slow:
                continue
            if certainly:
                left = quick.get(call)
                if left is None:
                    left = quick[call] = calls.meant(call)
                left.discard(interpreter.variants[callee].function)
                if left:
                    continue
            slow.add(call[0])
            waiting.append(call[0])
    return slow


def _run_registrars(interpreter: Interpreter, module: Module) -> None:
    """Factories and set-up functions that nothing visible calls (`uvicorn --factory`) still register routes."""
    indices: set[int] = set()
    for name in REGISTRARS:
        indices.update(index for index in module.facts.mentions.get(name, ()) if index >= 0)
    for index in sorted(indices):
        interpreter.ensure((module.name, index))
    interpreter.settle()


def _declare(interpreter: Interpreter, modules: list[Module], patterns: tuple[str, ...]) -> None:
    for module in modules:
        for function in module.facts.functions:
            dotted = f"{module.name}.{function.qualname}"
            if any(fnmatchcase(dotted, pattern) for pattern in patterns):
                target = interpreter.ensure((module.name, function.index))
                frame = interpreter.module_frame(module.name)
                frame.quiet = False
                interpreter.register(frame, function.site, "entry point")
                interpreter.edge(frame, function.site, LOOP, target)


def _contexts(interpreter: Interpreter, served: list[Module]) -> Contexts:
    contexts = _spread(interpreter, served, frozenset())
    apart: frozenset[int] = frozenset()
    while more := contexts.made_apart() - apart:  # and what such closures alone have made
        apart |= more
        if contexts.serves(more):
            contexts = _spread(interpreter, served, apart)
    return contexts


def _spread(interpreter: Interpreter, served: list[Module], apart: frozenset[int]) -> Contexts:
    contexts = Contexts(interpreter.variants, interpreter.world.turn, apart)
    names = {module.name for module in served}
    starters = mark_servers(interpreter)
    for variant in interpreter.variants:
        if variant.function[1] < 0 and variant.function[0] in names:
            # What a script schedules before it starts the server itself runs on the server's loop
            context = Context.IMPORT
            if variant.env == -2:
                context = Context.MAIN if variant.number in starters else Context.ELSEWHERE
            contexts.root(variant.number, context, "", cost=1)
    for variant, edge, flags, label, context in entry_edges(interpreter.variants):
        if variant.env != -2:
            contexts.root(edge.target, context, label, flags=flags)
    contexts.spread()
    start_unreached(interpreter, contexts, served, starters)
    return contexts
