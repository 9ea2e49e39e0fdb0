"""What an object of the project keeps for itself, and which of its methods use that. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.graph.guards import statements_of
from fastlint.graph.values import Value
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Node
from fastlint.source.nodes import nodes


def names_own(project: Project, value: Value, method: str, attribute: str) -> bool:
    """Whether a method of an object (or class) names an attribute of its own."""
    found = project.graph.sharing.interpreter.find_method((value[1], value[2]), method)
    if not isinstance(found, tuple):
        return False
    function = project.graph.world.function(found)
    own = function.params[0].name if function.params else ""
    return any(each[0] == "a" and each[3] == attribute and each[2] == ["n", own] for each in nodes(function.body))


def kept_for(project: Project, ref: FunctionRef, made: Node, method: str) -> Iterator[str]:
    """The plain names that `made`, a call like `Service(session)`, keeps in attributes which `method` uses."""
    if made is None or made[0] != "c" or made[2] is None or made[2][0] not in ("n", "a"):
        return
    sharing = project.graph.sharing
    for value in sharing.interpreter.evaluate(made[2], sharing.frame(ref)):
        found = sharing.interpreter.find_method((value[1], value[2]), "__init__") if value[0] == "c" else None
        if not isinstance(found, tuple):
            continue
        constructor = project.graph.world.function(found)
        params = [param.name for param in constructor.params][1:]
        given = {**dict(zip(params, made[3], strict=False)), **{name: node for name, node in made[4] if name}}
        for statement in statements_of(constructor.body):
            if statement[0] != "=" or statement[2] is None or statement[2][0] != "n":
                continue
            handed = given.get(statement[2][1])
            if handed is not None and handed[0] == "n":
                for target in statement[1]:
                    if target is not None and target[0] == "a" and names_own(project, value, method, target[3]):
                        yield handed[1]
