"""What is started to run side by side: by a `gather`, or in a group of tasks. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.graph.shapes import Ancestors, calls, statements_around
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import calls_within, nodes

Started = tuple[Node, frozenset[str], int]
"""What a task is made of, the names that differ from one such task to the next, and whether there are several."""

_GROUPS = frozenset({"asyncio.TaskGroup", "anyio.abc.TaskGroup", "asyncer.TaskGroup"})
_STARTERS = frozenset({"create_task", "start_soon", "soonify"})
_LOOPS = frozenset({"for", "while", "comp"})
_CHOICES = frozenset({"if", "match", "try"})


def started_together(project: Project, ref: FunctionRef) -> Iterator[tuple[Node, list[Started]]]:
    """The calls of a function that start several tasks, each with what is started; of a group, the first one."""
    sharing = project.graph.sharing
    body = project.graph.world.function(ref).body
    if sharing.calls_by_name(ref, ("gather",)):
        for call in calls_within(body):
            if call[2] is not None and call[2][-1] == "gather":
                yield call, [_each(project, ref, argument) for argument in call[3]]
    if sharing.calls_by_name(ref, _STARTERS):
        for statement, _ in statements_around(body):
            for _, _, target in statement[1] if statement[0] == "with" and statement[3] else ():
                if target is not None and target[0] == "n" and sharing.type_of(target, ref) in _GROUPS:
                    yield from _of_group(target, statement[2])


def names_of(node: Node) -> Iterator[Node]:
    """The names in an expression, as nodes."""
    return (each for each in nodes(node) if each[0] == "n")


def _each(project: Project, ref: FunctionRef, argument: Node) -> Started:
    """What an argument of a `gather` starts: one awaitable, or one for each turn of a comprehension or generator."""
    inner = argument[1] if argument is not None and argument[0] == "*" else argument
    if inner is not None and inner[0] == "comp":
        return inner[2], frozenset(name[1] for clause in inner[4] for name in names_of(clause[1])), 2
    if inner is not None and inner[0] == "gen":
        body = project.graph.world.modules[ref[0]].facts.functions[inner[1]].body
        made = next((node[2] for node in nodes(body) if node[0] == "y"), None)
        targets = (name[1] for node in nodes(body) if node[0] == "for" for name in names_of(node[2]))
        return made, frozenset(targets), 2
    return inner, frozenset(), 1


def _of_group(group: Node, body: Block) -> Iterator[tuple[Node, list[Started]]]:
    """What is started in the block of a group; nothing where a task of it is waited for before the block ends."""
    found: list[tuple[Node, Started]] = []
    tasks: set[str] = set()
    for call, around in calls(body, (), []):
        if call[2] is None or call[2][0] != "a" or call[2][2] != group or call[2][3] not in _STARTERS or not call[3]:
            continue
        tasks.update(
            target[1] for part in around if part[0] == "=" for target in part[1] if target and target[0] == "n"
        )
        several = any(part[0] in _LOOPS for part in around)
        if several or not any(part[0] in _CHOICES for part in around):
            made = call[3][0] if call[2][3] == "create_task" else ["c", call[1], call[3][0], call[3][1:], call[4]]
            found.append((call, (made, _differing(around), 2 if several else 1)))
    waited = {name[1] for node in nodes(body) if node[0] == "w" for name in names_of(node[2])}
    if found and not tasks & waited:
        yield found[0][0], [started for _, started in found]


def _differing(around: Ancestors) -> frozenset[str]:
    """The names that a loop around a task binds anew in every turn, its target's and those of its body."""
    out: set[str] = set()
    for place, part in enumerate(around):
        if part[0] == "comp":
            out.update(name[1] for clause in part[4] for name in names_of(clause[1]))
        elif part[0] in _LOOPS:
            out.update(name[1] for name in names_of(part[2] if part[0] == "for" else None))
            out.update(_bound_in(around[place]))
    return frozenset(out)


def _bound_in(loop: Any) -> Iterator[str]:
    for node in nodes(loop[4] if loop[0] == "for" else loop[3]):
        targets: list[Node] = []
        if node[0] == "=":
            targets = node[1]
        elif node[0] in (":", "+="):
            targets = [node[1]]
        elif node[0] == "with":
            targets = [target for _, _, target in node[1]]
        elif node[0] == "for":
            targets = [node[2]]
        yield from (name[1] for target in targets for name in names_of(target))
