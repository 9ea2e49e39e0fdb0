"""Which calls of known classes and functions the code makes, with their arguments. Judges nothing, runs nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from fastlint.graph.values import Value, Values, only_constant
from fastlint.graph.world import FunctionRef, Module
from fastlint.project import Project
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import parts


class Made(NamedTuple):
    """One call, by the dotted name of what is called. `guarded`: under an `if`, so it may not happen at all."""

    function: FunctionRef  # in which it stands; the module itself where the index is -1
    site: int
    dotted: str
    args: list[Node]
    keywords: dict[str, Node]
    guarded: bool
    complete: bool  # no `**options` among the arguments


def calls_made(project: Project, dotted: Collection[str]) -> Iterator[Made]:
    """Every call of these functions and classes in the application, in the order of modules."""
    catalogue = project.graph.world.catalogue
    wanted = {catalogue.canonical(name): name for name in dotted}
    seen: set[FunctionRef] = set()
    simple = {name.rpartition(".")[2] for name in dotted}
    for name in simple:
        seen.update(project.graph.world.mentions.get(name, ()))
    for module in project.graph.world.modules.values():
        for bound in _renamed(module, simple):
            seen.update((module.name, index) for index in module.facts.mentions.get(bound, ()))
    for function in sorted(seen):
        if project.graph.world.modules[function[0]].kind == "app":
            yield from _calls_in(project, function, wanted)


def module_names(project: Project, module: str) -> dict[str, Values]:
    """What the names at the top level of a module may be."""
    for variant in project.graph.in_order:
        if variant.function == (module, -1) and variant.env != -2:
            return variant.names
    return {}


def constant(project: Project, module: str, node: Node) -> Any:
    """The constant that an expression is: a literal, or a name that is bound to one; else `Ellipsis`."""
    if node is None:
        return ...
    if node[0] == "k":
        return node[1]
    if node[0] == "n":
        return only_constant(module_names(project, module).get(node[1], ()))
    if node[0] == "u" and node[1] == "-":
        value = constant(project, module, node[2])
        return -value if isinstance(value, (int, float)) else ...
    return ...


def _calls_in(project: Project, function: FunctionRef, wanted: dict[str, str]) -> Iterator[Made]:
    world = project.graph.world
    body = world.function(function).body if function[1] >= 0 else world.modules[function[0]].facts.body
    names = module_names(project, function[0])
    own = dict(_imports(project, function[0], body)) if function[1] >= 0 else {}
    for node, guarded in _walk(body, False):
        dotted = world.catalogue.canonical(_dotted(node[2], names, own))
        if dotted in wanted:
            keywords = {name: value for name, value in node[4] if name is not None}
            complete = len(keywords) == len(node[4])
            yield Made(function, node[1], wanted[dotted], list(node[3]), keywords, guarded, complete)


def _renamed(module: Module, simple: Collection[str]) -> Iterator[str]:
    """The names under which a module imports one of these as something else."""
    for bound, bindings in module.bindings.items():
        if any(binding[0] == "imp" and binding[3] in simple and binding[3] != bound for binding in bindings):
            yield bound


def _walk(node: Any, guarded: bool) -> Iterator[tuple[Node, bool]]:
    """Every call below a node."""
    if not node:
        return
    tag = node[0]
    if tag == "c":
        yield node, guarded
    inner = guarded or tag in ("if", "match", "while")
    for part in parts(node):
        yield from _walk(part, inner)


def _dotted(node: Node, names: dict[str, Values], own: dict[str, str]) -> str:
    if node is None:
        return ""
    if node[0] == "n":
        if node[1] in own:
            return own[node[1]]
        return next((str(value[1]) for value in names.get(node[1], ()) if _is_named(value)), "")
    if node[0] == "c":
        return _dotted(node[2], names, own)
    if node[0] == "a":
        base = _dotted(node[2], names, own)
        return f"{base}.{node[3]}" if base else ""
    return ""


def _is_named(value: Value) -> bool:
    """Whether a value is something outside the project, or a fresh instance of it."""
    return bool(value[0] == "x" or (value[0] == "i" and not value[2]))


def _imports(project: Project, module: str, body: Block) -> Iterator[tuple[str, str]]:
    """What a function imports for itself."""
    known = project.graph.world.modules[module]
    for statement in body:
        if statement[0] == "imp":
            for bound, level, target, attribute in statement[1]:
                dotted = project.graph.world.absolute(known, level, target)
                yield bound, f"{dotted}.{attribute}" if attribute else dotted
        elif statement[0] == "try":
            yield from _imports(project, module, statement[1])
