"""State that belongs to its process whatever other processes do: handles, registers of code, flags of its own life.
Knows nothing of workers."""

from __future__ import annotations

import re

from fastlint.checks.ways import spelled
from fastlint.graph.accesses import ADD, PUT, REBIND, UPDATE, Access
from fastlint.graph.origins import assigned_to
from fastlint.graph.places import Key, maker
from fastlint.graph.spelling import words_of
from fastlint.graph.values import Value, without_none
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Node

# Of use in its own process only, and kept for that: the words of what makes them
_OWN = re.compile("lock|semaphore|condition|event|task|future|thread|process", re.IGNORECASE)
# The same as types of the catalogue
_HANDLE = re.compile(
    r"(?!starlette|fastapi).*\.(?:\w*Lock|\w*Semaphore|Condition|Event|Barrier|Task|Future|Thread|Timer|Process|Popen"
    r"|TaskGroup|AbstractEventLoop|\w*Executor|\w*Pool|\w*Connection|\w*Engine)(?::\w+)?"
)
_SHARED = "multiprocessing.managers."  # what a manager hands out is the same for all processes already
_CODE = frozenset({"f", "c", "once", "off", "mgr", "co"})  # and tasks
_LIFE = frozenset({"started", "initialized", "initialised", "closing", "stopped", "stopping", "accepting"})
_LOG = frozenset({"debug", "suppressed", "dropped", "warned", "logged"})  # counted for a line in this process's log


def is_own_state(project: Project, place: Key, writes: list[Access]) -> bool:
    """Whether no request would miss what another process has in such a place."""
    words = words_of(spelled(project, place).rpartition(".")[2])
    kinds = {access.kind for access in writes}
    if kinds <= {REBIND, UPDATE}:
        return not _LOG.isdisjoint(words) or (kinds == {REBIND} and bool(words) and words[-1] in _LIFE)
    if not {"lock", "locks"}.isdisjoint(words):
        return True
    filling = [access for access in writes if access.kind in (PUT, ADD)]
    return bool(filling) and all(_is_own(project, access) for access in filling)


def is_own_made(node: Node) -> bool:
    """Whether what an expression makes is of use in its own process only."""
    return _OWN.search(maker(node)) is not None


def _is_own(project: Project, access: Access) -> bool:
    return any(_belongs_here(project, node, access.function) for node in (access.value, access.index))


def _belongs_here(project: Project, node: Node, ref: FunctionRef) -> bool:
    """Whether a value is a handle or code of this process, or the number of an object (`id(engine)`)."""
    if node is None or node[0] == "k":
        return False
    if node[0] == "t":
        return any(_belongs_here(project, part, ref) for part in node[1])
    sharing = project.graph.sharing
    made = [node, *(assigned_to(sharing.world.function(ref).body, node[1]) if node[0] == "n" else ())]
    if any(maker(each) == "id" for each in made):
        return True
    values = without_none(sharing.interpreter.evaluate(node, sharing.frame(ref)))
    if any(value[0] == "i" and value[1].startswith(_SHARED) for value in values):
        return True
    return bool(values) and all(_is_handle(project, value) for value in values)


def _is_handle(project: Project, value: Value) -> bool:
    if value[0] in _CODE:
        return True
    if value[0] == "b":
        return _is_handle(project, value[1])
    if value[0] == "i":
        return not value[2] and _HANDLE.fullmatch(value[1]) is not None
    if value[0] == "o":
        order = project.graph.sharing.interpreter.order((value[1], value[2]))
        return any(isinstance(above, str) and _HANDLE.fullmatch(above) is not None for above in order)
    return False
