"""All facts -> one `Graph`: the order in which the analysis looks at modules, entry points and the rest."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from fastlint.graph.contexts import Context, Contexts, entry_edges, unreached_cost
from fastlint.graph.sharing import Sharing
from fastlint.graph.state import CALL, COROUTINE, LOOP, PRIVATE, SERVING, Edge, Event, Variant
from fastlint.graph.statements import Interpreter
from fastlint.graph.world import FunctionRef, Module, World
from fastlint.rulebook.catalogue import Catalogue
from fastlint.source.facts import Function

_T = TypeVar("_T")

_STACK_BYTES = 512 * 1024 * 1024
_RECURSION = 60_000
# Functions that mention one of these register entry points or callbacks, wherever they are called from
_REGISTRARS = (
    "add_api_route",
    "add_route",
    "add_websocket_route",
    "add_api_websocket_route",
    "add_middleware",
    "add_event_handler",
    "add_exception_handler",
    "include_router",
    "FastAPI",
    "APIRouter",
    "Starlette",
    "Depends",
    "Security",
    "Route",
    "Mount",
    "on_event",
    "middleware",
    "exception_handler",
    "listens_for",
    "add_job",
)
_FEW_MENTIONS = 8
_LIFECYCLE = frozenset({"startup", "on_startup", "shutdown", "on_shutdown", "teardown", "tear_down"})
_TWINS = (("a", ""), ("async_", ""), ("", "_async"))  # what the name of a coroutine function adds to its plain twin's
_QUICK = frozenset({"FL113", "FL402", "FL115"})  # microseconds, or no waiting at all
_SERVED = (Context.LOOP, Context.STARTUP, Context.POOL)


@dataclass(slots=True)
class Graph:
    """Who calls whom, in which context, by which shortest way: what every check works on."""

    world: World
    variants: list[Variant]
    contexts: Contexts
    unresolved: list[tuple[FunctionRef, int]]
    contended: frozenset[object]  # locks that some thread holds while it does something slow
    sharing: Sharing  # what requests share, and who touches it

    def function(self, variant: Variant) -> Function | None:
        """The facts of a variant's function; None for the body of a module."""
        return self.world.function(variant.function) if variant.function[1] >= 0 else None

    def name(self, variant: Variant) -> str:
        """The dotted name of a variant's function, or of its module."""
        return self.world.dotted_name(variant.function)


def build_graph(
    modules: Iterable[tuple[Module, tuple[str, ...]]], catalogue: Catalogue, entry_points: tuple[str, ...] = ()
) -> Graph:
    """The graph of a project. `modules` come with the further names under which they can be imported;
    `entry_points` are dotted patterns of functions that the user says run on the loop."""
    world = World(catalogue)
    for module, aliases in modules:
        world.add(module, aliases)
    return with_deep_stack(lambda: _build(world, entry_points))


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


def _build(world: World, entry_points: tuple[str, ...]) -> Graph:
    interpreter = Interpreter(world)
    served = [module for module in world.modules.values() if module.kind == "app"]
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
    for variant in interpreter.variants:
        for site, label in variant.labels.items():
            variant.labels[site] = interpreter.full_label(label)
    contexts = _contexts(interpreter, served)
    unresolved: set[tuple[FunctionRef, int]] = set()
    for variant in interpreter.variants:
        if variant.unresolved and contexts.has(variant.number, (Context.LOOP,)):
            unresolved.update((variant.function, site) for site in variant.unresolved)
    contended = _contended(interpreter, contexts)
    sharing = Sharing(interpreter, contexts)
    return Graph(world, interpreter.variants, contexts, sorted(unresolved), contended, sharing)


def _contended(interpreter: Interpreter, contexts: Contexts) -> frozenset[object]:
    """The locks for which others may really have to wait: a thread holds them around something that blocks."""
    callers: dict[int, set[int]] = {}
    for variant in interpreter.variants:
        for edge in variant.edges:
            if edge.kind == CALL:
                callers.setdefault(edge.target, set()).add(variant.number)
    waited_for = {event.of for variant in interpreter.variants for event in variant.events if _is_slow(event)}
    slow = _slow_variants(interpreter, callers, None)
    out: set[object] = set()
    for lock, held in interpreter.holds.items():
        # Who waits on a condition lets go of its lock meanwhile
        slow_under = slow if lock not in waited_for else _slow_variants(interpreter, callers, lock)
        for number, what in held:
            if (number, Context.POOL) not in contexts.arrivals:
                continue
            if isinstance(what, Event) and _is_slow(what) and what.of != lock:
                out.add(lock)
            elif isinstance(what, Edge) and what.kind == CALL and what.target in slow_under:
                out.add(lock)
    return frozenset(out)


def _is_slow(event: Event) -> bool:
    """Whether an event takes its time whoever else runs; a lock takes what its holder takes, who is asked himself."""
    taken = event.lock is not None or (event.of is not None and event.name.endswith(".acquire"))
    return event.rule not in _QUICK and not taken


def _slow_variants(interpreter: Interpreter, callers: dict[int, set[int]], lock: object) -> set[int]:
    """The variants that do something slow, themselves or in what they call, other than a wait on `lock` itself."""
    slow = {
        variant.number
        for variant in interpreter.variants
        if any(_is_slow(event) and (event.of is None or event.of != lock) for event in variant.events)
    }
    waiting = list(slow)
    while waiting:
        for caller in callers.get(waiting.pop(), ()):
            if caller not in slow:
                slow.add(caller)
                waiting.append(caller)
    return slow


def _run_registrars(interpreter: Interpreter, module: Module) -> None:
    """Factories and set-up functions that nothing visible calls (`uvicorn --factory`) still register routes."""
    indices: set[int] = set()
    for name in _REGISTRARS:
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
    contexts = Contexts(interpreter.variants)
    names = {module.name for module in served}
    starters = _server_starters(interpreter)
    for variant in interpreter.variants:
        if starters and any(edge.kind == PRIVATE and edge.target in starters for edge in variant.edges):
            variant.edges = {
                edge._replace(kind=SERVING) if edge.kind == PRIVATE and edge.target in starters else edge: flags
                for edge, flags in variant.edges.items()
            }
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
    _start_unreached(interpreter, contexts, served)
    return contexts


def _server_starters(interpreter: Interpreter) -> set[int]:
    """The variants that start an ASGI server, by themselves or through what they run."""
    callers: dict[int, list[int]] = {}
    for variant in interpreter.variants:
        for edge in variant.edges:
            if edge.kind in (CALL, COROUTINE, PRIVATE):
                callers.setdefault(edge.target, []).append(variant.number)
    starters = set(interpreter.servers)
    waiting = list(starters)
    while waiting:
        for caller in callers.get(waiting.pop(), ()):
            if caller not in starters:
                starters.add(caller)
                waiting.append(caller)
    return starters


def _has_twin(world: World, ref: FunctionRef) -> bool:
    """Whether a public coroutine function has a synchronous twin beside it (`aexport` and `export`): the twin runs it
    on a loop of its own for those who have none, so it is there for those who have one."""
    function = world.function(ref)
    name = function.name
    if name.startswith("_") or not function.is_async:
        return False
    plain = {name.removeprefix(before).removesuffix(after) for before, after in _TWINS} - {name}
    if function.owner >= 0:
        methods = world.class_((ref[0], function.owner)).methods
        twins = [index for twin in (*plain, f"{name}_sync") for index in methods.get(twin, ())]
    else:
        bindings = world.modules[ref[0]].bindings
        found = [binding for twin in (*plain, f"{name}_sync") for binding in bindings.get(twin, ())]
        twins = [binding[1] for binding in found if binding[0] == "def"]
    return any(not world.function((ref[0], index)).is_async for index in twins)


def _start_unreached(interpreter: Interpreter, contexts: Contexts, served: list[Module]) -> None:
    """An `async def` that no entry point reaches can still only run on a loop; those that others call wait for them."""
    reached = {interpreter.variants[number].function for number, _ in contexts.arrivals}
    for module in served:  # who runs them? perhaps a function that nobody visible calls
        for function in module.facts.functions:
            if function.is_async and not function.is_lambda and (module.name, function.index) not in reached:
                for mention in interpreter.world.mentions.get(function.name, ())[:_FEW_MENTIONS]:
                    if mention[1] >= 0 and not interpreter.of_function.get(mention):
                        interpreter.ensure(mention)
    interpreter.settle()
    for variant in interpreter.variants:  # `asyncio.run(main())`: a loop of its own, in a script or a thread
        for edge in variant.edges:
            target = interpreter.variants[edge.target].function
            if edge.kind == PRIVATE and target not in reached and not _has_twin(interpreter.world, target):
                contexts.root(edge.target, Context.ELSEWHERE, "", cost=unreached_cost())
    contexts.spread()
    reached = {interpreter.variants[number].function for number, _ in contexts.arrivals}
    left: list[Variant] = []
    for module in served:
        for function in module.facts.functions:
            ref = (module.name, function.index)
            if function.is_async and ref not in reached:
                left.extend(interpreter.of_function.get(ref, ())[:1])
    called = {edge.target for variant in left for edge in variant.edges}
    where: dict[FunctionRef, set[Context]] = {}
    for number, context in contexts.arrivals:
        where.setdefault(interpreter.variants[number].function, set()).add(context)
    for variant in left:
        cost = unreached_cost() + (50 if variant.number in called else 0)
        context = Context.STARTUP if _is_lifecycle(interpreter.world, variant.function, where) else Context.LOOP
        contexts.root(variant.number, context, "", cost=cost)
    contexts.spread()


def _is_lifecycle(world: World, ref: FunctionRef, where: dict[FunctionRef, set[Context]]) -> bool:
    """Whether what nobody visible calls most likely runs before or after requests are served: its name says so, or
    every function that calls something of its name runs then (`await manager.drain()` after the lifespan's `yield`)."""
    name = world.function(ref).name
    if name in _LIFECYCLE:
        return True
    asking = [
        where.get(other, set())
        for other in world.mentions.get(name, ())
        if other in where or other[1] < 0 or world.function(other).name != name  # not its own kind, handing it on
    ]
    return bool(asking) and all(contexts == {Context.STARTUP} for contexts in asking)
