"""Coroutine functions that no entry point reaches: where they most likely run, and how much they are worth telling of.
Knows no rule."""

from __future__ import annotations

from collections.abc import Iterable

from fastlint.graph.contexts import Context, Contexts, forgotten_cost, unreached_cost
from fastlint.graph.state import PRIVATE, SERVING, Variant
from fastlint.graph.statements import Interpreter
from fastlint.graph.world import FunctionRef, Module, World

_FEW_MENTIONS = 8
_TWINS = (("a", ""), ("async_", ""), ("", "_async"))  # what the name of a coroutine function adds to its plain twin's
_LIFECYCLE = frozenset(
    {
        "lifespan",
        "_lifespan",
        "app_lifespan",
        "startup",
        "on_startup",
        "shutdown",
        "on_shutdown",
        "teardown",
        "tear_down",
    }
)


def look_at_callers(interpreter: Interpreter, served: list[Module]) -> None:
    """Who runs a coroutine function? Perhaps one that nobody visible calls: those that say its name are looked at."""
    for name in coroutine_names(served):
        for mention in interpreter.world.mentions.get(name, ())[:_FEW_MENTIONS]:
            if mention[1] >= 0 and not interpreter.of_function.get(mention):
                interpreter.ensure(mention)
    interpreter.settle()


def coroutine_names(served: Iterable[Module]) -> dict[str, None]:
    """The names of all coroutine functions."""
    functions = (function for module in served for function in module.facts.functions)
    return dict.fromkeys(function.name for function in functions if function.is_async and not function.is_lambda)


def start_unreached(interpreter: Interpreter, contexts: Contexts, served: list[Module], starters: set[int]) -> None:
    """An `async def` that no entry point reaches can still only run on a loop; those that others call wait for them.
    `starters` are the variants that start a server."""
    reached = {interpreter.variants[number].function for number, _ in contexts.arrivals}
    for variant in interpreter.variants:
        for edge in variant.edges:
            target = interpreter.variants[edge.target].function
            if target in reached:
                continue
            if edge.kind == SERVING:
                # `asyncio.run(serve())` of a command line: nobody is served before it has begun to
                contexts.root(edge.target, Context.STARTUP, "", cost=unreached_cost())
            elif edge.kind == PRIVATE and not _has_twin(interpreter.world, target):
                # `asyncio.run(main())`: a loop of its own, in a script or a thread
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
        cost = forgotten_cost() if variant.function[0] in interpreter.retired else unreached_cost()
        cost += 50 if variant.number in called else 0
        # What starts the server itself, by whatever it awaits, is done with all else before anybody is served
        starts = variant.number in starters
        likely = Context.STARTUP if starts else _likely(interpreter.world, variant.function, where)
        contexts.root(variant.number, likely, "", cost=cost)
    contexts.spread()


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


def _likely(world: World, ref: FunctionRef, where: dict[FunctionRef, set[Context]]) -> Context:
    """Where what nobody visible calls most likely runs: on the loop, unless its name says that it runs before or after
    requests are served, or every function that calls something of its name runs then (`await manager.drain()` after
    the lifespan's `yield`), or outside the server (`await self.adapter.evaluate()` of a command line)."""
    name = world.function(ref).name
    if name in _LIFECYCLE:
        return Context.STARTUP
    asking = [
        where.get(other, set())
        for other in world.mentions.get(name, ())
        if world.modules[other[0]].kind == "app"
        and (other in where or other[1] < 0 or world.function(other).name != name)  # not its own kind, handing it on
    ]
    for context in (Context.STARTUP, Context.ELSEWHERE):
        if asking and all(contexts == {context} for contexts in asking):
            return context
    return Context.LOOP
