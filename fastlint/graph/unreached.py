"""Coroutine functions that no entry point reaches: where they most likely run, and how much they are worth telling of.
Knows no rule."""

from __future__ import annotations

import re

from fastlint.graph.contexts import Context, Contexts, forgotten_cost, unreached_cost
from fastlint.graph.state import PRIVATE, Variant
from fastlint.graph.statements import Interpreter
from fastlint.graph.world import FunctionRef, Module, World
from fastlint.source.facts import Block
from fastlint.source.nodes import nodes

_FEW_MENTIONS = 8
_TWINS = (("a", ""), ("async_", ""), ("", "_async"))  # what the name of a coroutine function adds to its plain twin's
_LIFECYCLE = frozenset({"startup", "on_startup", "shutdown", "on_shutdown", "teardown", "tear_down"})
_RETIRED = frozenset({"deprecated", "obsolete", "archive", "archived", "attic", "retired"})  # names of folders


def start_unreached(interpreter: Interpreter, contexts: Contexts, served: list[Module]) -> None:
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
    retired = {module.name for module in served if _is_retired(interpreter.world, module)}
    for variant in left:
        cost = forgotten_cost() if variant.function[0] in retired else unreached_cost()
        cost += 50 if variant.number in called else 0
        context = Context.STARTUP if _is_lifecycle(interpreter.world, variant.function, where) else Context.LOOP
        contexts.root(variant.number, context, "", cost=cost)
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


def _is_retired(world: World, module: Module) -> bool:
    """Whether a module lies in a folder of what is no longer used, nothing outside that folder imports it, and no text
    of the project names the folder as one does who loads modules by their names."""
    *folders, _ = module.path.split("/")
    place = next((number for number, folder in enumerate(folders) if folder in _RETIRED), None)
    if place is None:
        return False
    inside = "/".join(folders[: place + 1]) + "/"
    outside = [other for other in world.modules.values() if not other.path.startswith(inside)]
    named = re.compile(rf"\S*[./]{folders[place]}(?:[./]\S*)?|{folders[place]}[./]\S*")
    return not any(_imports(world, other, module) or _names(other, named) for other in outside)


def _imports(world: World, importer: Module, module: Module) -> bool:
    """Whether a module imports another, or anything of it."""
    for level, target, attribute in importer.facts.imports:
        dotted = world.absolute(importer, level, target)
        for name in (dotted, f"{dotted}.{attribute}") if attribute else (dotted,):
            if world.module(name, importer) is module:
                return True
    return False


def _names(module: Module, named: re.Pattern[str]) -> bool:
    """Whether a text in a module, all of it, is such a name."""
    blocks: list[Block] = [module.facts.body]
    blocks.extend(function.body for function in module.facts.functions)
    blocks.extend(cls.body for cls in module.facts.classes)
    return any(
        node[0] == "k" and isinstance(node[1], str) and named.fullmatch(node[1]) is not None
        for block in blocks
        for node in nodes(block)
    )
