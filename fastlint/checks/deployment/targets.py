"""FL620: whether `module:attribute` names an application of the project, and which one was meant. Imports nothing."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterator

from fastlint.checks.deployment.given import GUNICORN, found, worst_of_each_line
from fastlint.checks.deployment.made import calls_made, module_names
from fastlint.deploy.plan import ServerPlan
from fastlint.deploy.values import Unknown
from fastlint.finding import Confidence, Finding
from fastlint.graph.values import Values
from fastlint.graph.world import ClassRef, Module
from fastlint.project import Project

_APPS = ("fastapi.FastAPI", "fastapi.applications.FastAPI", "starlette.applications.Starlette")


def missing_apps(project: Project) -> Iterator[Finding]:
    """A target that names no module of the project, or nothing in it."""
    yield from worst_of_each_line(_missing(project))


def _missing(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        if not isinstance(plan.app, str) or not plan.app:
            continue
        dotted, _, attribute = plan.app.partition(":")
        if not attribute and plan.server not in GUNICORN:
            continue  # fastapi looks for the application by itself
        attribute = attribute or "application"
        if not all(part.isidentifier() for part in dotted.split(".")):
            continue
        modules = _modules(project, plan, dotted)
        if modules:
            if any(_has(module, attribute) for module in modules):
                continue
            detail = f"{modules[0].path} binds no `{attribute.partition('.')[0].partition('(')[0]}`"
            confidence = Confidence.HIGH if len(modules) == 1 else Confidence.MEDIUM
        elif _ours(project, dotted) or _similar(project, dotted):
            detail = f"the project has no module `{dotted}`"
            confidence = Confidence.HIGH if _ours(project, dotted) else Confidence.MEDIUM
        else:
            continue
        meant = _meant(project, plan.app, modules)
        yield found(
            project, "FL620", plan, plan.where, plan.app, detail, f"`{meant}`" if meant else "", confidence=confidence
        )


def named_app(project: Project, plan: ServerPlan) -> str | None:
    """The class of the application that a plan's target certainly names ("FastAPI"), else None."""
    if not isinstance(plan.app, str):
        return None
    dotted, _, attribute = plan.app.partition(":")
    called = attribute.endswith(")")
    name = (attribute or "application").partition("(")[0]
    for module in _modules(project, plan, dotted):
        values = module_names(project, module.name).get(name, ())
        kind = _returned(project, values) if called else _app_class(project, values)
        if kind:
            return kind
    return None


def hands_object(project: Project, plan: ServerPlan) -> bool:
    """Whether `uvicorn.run` is certainly given an application itself and not its name."""
    if not isinstance(plan.app, Unknown) or plan.command is None:
        return False
    where = plan.command.where
    for made in calls_made(project, ("uvicorn.run",)):
        place = project.where(made.function, made.site)
        if (place.path, place.line) == (where.path, where.line):
            node = made.args[0] if made.args else made.keywords.get("app")
            names = module_names(project, made.function[0])
            return node is not None and node[0] == "n" and bool(_app_class(project, names.get(node[1], ())))
    return False


def app_modules(project: Project, plan: ServerPlan) -> list[Module]:
    """The modules that a plan's target may name; those with an application where the target is an object."""
    if isinstance(plan.app, str):
        return _modules(project, plan, plan.app.partition(":")[0])
    world = project.graph.world
    if plan.command is not None:
        return [module for module in world.modules.values() if module.path == plan.command.where.path]
    return []


def _modules(project: Project, plan: ServerPlan, dotted: str) -> list[Module]:
    """The modules of the project that this name can mean: started in a folder, the folder's name may be left out."""
    world = project.graph.world
    folder = (plan.command.folder if plan.command is not None else "").strip("/")
    if folder:
        inside = world.module(f"{folder.replace('/', '.')}.{dotted}")
        if inside is not None:
            return [inside]
    exact = world.module(dotted)
    path = dotted.replace(".", "/")
    starter = plan.command.where.path if plan.command is not None else ""
    if starter.endswith(".py"):  # as a script it finds what lies beside it, before anything else
        beside = posixpath.join(posixpath.dirname(starter), path)
        near = [each for each in world.modules.values() if each.path in (f"{beside}.py", f"{beside}/__init__.py")]
        if near:
            return near if exact is None or exact in near else [*near, exact]
    if exact is not None:
        return [exact]
    endings = (f"/{path}.py", f"/{path}/__init__.py")
    return [module for module in world.modules.values() if f"/{module.path}".endswith(endings)]


def _has(module: Module, attribute: str) -> bool:
    name = attribute.partition(".")[0].partition("(")[0]
    return name in module.bindings or bool(module.stars) or "__getattr__" in module.bindings


def _ours(project: Project, dotted: str) -> bool:
    """Whether the package is the project's, so that its module must be there."""
    head, dot, _ = dotted.partition(".")
    return bool(dot) and project.graph.world.is_ours(head) and _holds_modules(project, head)


def _holds_modules(project: Project, package: str) -> bool:
    return any(module.is_package and module.name == package for module in project.graph.world.modules.values())


def _similar(project: Project, dotted: str) -> bool:
    apps = {target.partition(":")[0] for target in _targets(project)}
    return bool(difflib.get_close_matches(dotted, sorted(apps), n=1, cutoff=0.75))


def _meant(project: Project, written: str, modules: list[Module]) -> str:
    """The application that was probably meant."""
    targets = list(_targets(project))
    own = [target for target in targets if target.partition(":")[0] in {module.name for module in modules}]
    if len(own) == 1:
        return own[0]
    close = difflib.get_close_matches(written, own or targets, n=1, cutoff=0.5)
    if close:
        return close[0]
    return targets[0] if len(targets) == 1 else ""


def _targets(project: Project) -> Iterator[str]:
    """Every application at the top level of a module, as a server is told of it."""
    for variant in project.graph.in_order:
        if variant.function[1] < 0 and variant.env != -2:
            for name, values in variant.names.items():
                if _app_class(project, values) and _bound_here(project, variant.function[0], name):
                    yield f"{variant.function[0]}:{name}"


def _bound_here(project: Project, module: str, name: str) -> bool:
    return any(binding[0] != "imp" for binding in project.graph.world.modules[module].bindings.get(name, ()))


def _app_class(project: Project, values: Values) -> str:
    world = project.graph.world
    for value in values:
        if value[0] == "i" and value[1] in _APPS and not value[2]:
            return str(value[1]).rpartition(".")[2]
        if value[0] == "o" and _extends_app(project, (value[1], value[2]), set()):
            return world.class_((value[1], value[2])).name
    return ""


def _extends_app(project: Project, cls: ClassRef, seen: set[ClassRef]) -> bool:
    """Whether a class of the project has an application class among its ancestors."""
    seen.add(cls)
    names = module_names(project, cls[0])
    for base in project.graph.world.class_(cls).bases:
        for value in names.get(base[1], ()) if base is not None and base[0] == "n" else ():
            if value[0] == "x" and value[1] in _APPS:
                return True
            above = (value[1], value[2]) if value[0] == "c" else None
            if above is not None and above not in seen and _extends_app(project, above, seen):
                return True
    return False


def _returned(project: Project, values: Values) -> str:
    """The class of what calling one of the values gives."""
    factories = {(value[1], value[2]) for value in values if value[0] == "f"}
    made = (made.dotted for made in calls_made(project, _APPS) if made.function in factories)
    return next((dotted.rpartition(".")[2] for dotted in made), "")
