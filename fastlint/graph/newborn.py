"""Which code only runs while an object is being made: nobody else has the object yet, so nobody else has its lock,
or its attributes. Knows edges and classes; judges nothing."""

from __future__ import annotations

from typing import Any

from fastlint.graph.accesses import REBIND, Access
from fastlint.graph.contexts import Context, Contexts, State
from fastlint.graph.guards import statements_of
from fastlint.graph.places import Key
from fastlint.graph.sharing import Sharing
from fastlint.graph.state import CALL, POOL
from fastlint.graph.world import ClassRef, FunctionRef
from fastlint.source.facts import Block
from fastlint.source.nodes import nodes

_MAKING = frozenset({"__init__", "__new__", "__post_init__"})
_MOST_CALLERS = 50
_SERVED = (Context.LOOP, Context.POOL)


def is_of_newborn(sharing: Sharing, contexts: Contexts, state: State, lock: Any) -> bool:
    """Whether a lock (`("lock", module, class, attribute)`) is of the object that a state is just making."""
    if len(lock) != 4:
        return False  # a module's own
    owner = (lock[1], lock[2])
    if any(lock[3] in sharing.world.class_bindings(above) for above in sharing.classes(("o", *owner))):
        return False  # one for all objects of the class
    return only_makes(sharing, contexts, state, owner)


def only_makes(sharing: Sharing, contexts: Contexts, state: State, owner: ClassRef) -> bool:
    """Whether a state is part of the making of an object of a class: every call that leads to it comes from a
    constructor of that class, from one above it or below it."""
    interpreter = sharing.interpreter
    family = {*sharing.classes(("o", *owner)), *interpreter.world.subclasses(owner, interpreter.bases)}
    seen: set[State] = set()
    waiting = [state]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        ref = interpreter.variants[current[0]].function
        function = interpreter.world.function(ref) if ref[1] >= 0 else None
        if function is None or (ref[0], function.owner) not in family or contexts.arrivals[current].root:
            return False
        if function.name in _MAKING:
            continue
        callers = contexts.callers(current)
        if not callers or len(seen) > _MOST_CALLERS or any(edge.kind != CALL for _, edge, _ in callers):
            return False
        waiting.extend(origin for origin, _, _ in callers)
    return True


def writes_newborn(sharing: Sharing, access: Access) -> bool:
    """Whether an access is of an object that is just being made, wherever it happens: nobody else has that yet."""
    owner = own_class(sharing, access) if access.place[0] == "attr" else None
    if owner is None or (access.kind != REBIND and _is_of_all(sharing, owner, access.place)):
        return False
    states = [(number, context) for number in sharing.variants_of(access.function) for context in _SERVED]
    reached = [state for state in states if state in sharing.contexts.arrivals]
    return bool(reached) and all(only_makes(sharing, sharing.contexts, state, owner) for state in reached)


def in_own_thread(sharing: Sharing, access: Access) -> bool:
    """Whether an access is of an object by the one thread that its constructor starts: each has a thread of its own."""
    owner = own_class(sharing, access) if access.place[0] == "attr" else None
    if owner is None or (access.kind != REBIND and _is_of_all(sharing, owner, access.place)):
        return False
    interpreter, contexts = sharing.interpreter, sharing.contexts
    family = {*sharing.classes(("o", *owner)), *interpreter.world.subclasses(owner, interpreter.bases)}
    states = [(number, context) for number in sharing.variants_of(access.function) for context in _SERVED]
    waiting = [state for state in states if state in contexts.arrivals]
    started: set[tuple[FunctionRef, int]] = set()
    seen: set[State] = set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        callers = contexts.callers(current)
        if not callers or len(seen) > _MOST_CALLERS or contexts.arrivals[current].root:
            return False
        for origin, edge, _ in callers:
            ref = interpreter.variants[origin[0]].function
            function = interpreter.world.function(ref) if ref[1] >= 0 else None
            if function is None or (ref[0], function.owner) not in family:
                return False
            if edge.kind == CALL:
                waiting.append(origin)
            elif edge.kind == POOL and function.name == "__init__" and not _repeats(function.body, edge.site):
                started.add((ref, edge.site))
            else:
                return False
    return len(started) == 1


def _repeats(body: Block, site: int) -> bool:
    """Whether the node at a site is in a loop or a comprehension."""
    loops = [each for each in statements_of(body) if each[0] in ("for", "while")]
    loops += [each for each in nodes(body) if each[0] in ("comp", "gen")]
    return any(each[0] == "c" and each[1] == site for loop in loops for each in nodes(loop))


def own_class(sharing: Sharing, access: Access) -> ClassRef | None:
    """The class whose method makes an access of `self`; None where it is of anything else."""
    facts = sharing.world.function(access.function) if access.function[1] >= 0 else None
    if facts is None or facts.owner < 0 or not facts.params:
        return None
    bases = [each[2] for each in nodes(facts.body) if each[0] == "a" and each[3] == access.place[2]]
    if not bases or any(base != ["n", facts.params[0].name] for base in bases):
        return None
    return (access.function[0], facts.owner)


def _is_of_all(sharing: Sharing, owner: ClassRef, place: Key) -> bool:
    """Whether a class body makes the container that an attribute holds: one for all objects of the class."""
    above = sharing.classes(("o", *owner))
    return sharing.places.holds_container(place) and any(
        place[2] in sharing.world.class_bindings(each) for each in above
    )
