"""FL5: what FastAPI and asyncio make of a function: where it runs, what outlives what, which context it sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.checks.blocking import primitives_on_loop, shown
from fastlint.checks.keeping import kept_for
from fastlint.checks.served import SERVED, Played, by_place, confidence, played
from fastlint.checks.ways import steps_to
from fastlint.checks.yielded import ends_what_it_yields
from fastlint.finding import Finding, Severity, Step
from fastlint.graph.contexts import Context, State, unreached_cost
from fastlint.graph.shapes import last_name
from fastlint.graph.state import CALL, COROUTINE, LOOP, MAYBE, OFF_LOOP, ONCE, POOL, Event, Variant
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Function, Node
from fastlint.source.nodes import nodes, tags

_NEEDS_LOOP = frozenset(
    {"create_task", "ensure_future", "get_running_loop", "get_event_loop", "current_task", "create_task_group"}
)
_WAITERS = frozenset({"gather", "wait", "wait_for", "shield", "as_completed"})
_DOUBTS = ONCE | OFF_LOOP | MAYBE
_FAR = 300  # variants: a task that reaches more than this is not read to its end
_LONG = frozenset({"FL102", "FL104", "FL109", "FL114"})
_EXIT_SCOPES = "FastAPI 0.106 to 0.117 closes it before background tasks run; later versions after them"


def async_routes_that_block(project: Project) -> Iterator[Finding]:
    """An `async def` route or dependency that blocks and never awaits: plain `def` runs it in the pool."""
    graph = project.graph
    done: set[FunctionRef] = set()
    for primitive, (state, site) in primitives_on_loop(project):
        variant = graph.variants[state[0]]
        function = graph.function(variant)
        arrival = graph.contexts.arrivals[state]
        if function is None or variant.function in done or arrival.cost >= unreached_cost():
            continue
        if (primitive.flags | arrival.flags) & (ONCE | OFF_LOOP | MAYBE) or primitive.state[1] is not Context.LOOP:
            continue
        severity = primitive.event.spec.severity or project.rules[primitive.event.rule].severity
        if severity is Severity.INFO or not _could_be_sync(project, variant, function):
            continue
        label = _endpoint(project, state)
        if label is None:
            continue
        done.add(variant.function)
        name = shown(primitive.event.name)
        yield project.found(
            "FL501",
            project.where(variant.function, -1),
            {"call": function.name, "detail": f"`{name}`"},
            confidence=confidence(project, state, primitive.flags),
            steps=steps_to(project, state, site, name),
            related=(Step(project.where(primitive.function, primitive.event.site), f"{name} blocks the loop"),),
            symbol=graph.name(variant),
            subject=function.name,
        )


def _could_be_sync(project: Project, variant: Variant, function: Function) -> bool:
    """Whether nothing in the function needs a running loop."""
    if not function.is_async or (function.is_generator and not _yields_once(function)):
        return False
    found = set(tags(function.body))
    if "w" in found or _waits(function.body) or any(name in _NEEDS_LOOP for name in _called(function.body)):
        return False
    makes = any(
        edge.kind in (COROUTINE, LOOP) and not _is_own_dependency(project, variant, edge.site) for edge in variant.edges
    )
    return not makes and not any(r.role in ("task", "gather", "coroutine", "hop", "kept task") for r in variant.records)


def _yields_once(function: Function) -> bool:
    return sum(tag == "y" for tag in tags(function.body)) == 1


def _is_own_dependency(project: Project, variant: Variant, site: int) -> bool:
    """What runs at a site outside the body is a parameter's dependency, or hooks of its models."""
    return project.shapes.call(variant.function, site) is None


def _waits(block: Any) -> bool:
    """Whether anything in a block is `async with`, `async for` or an asynchronous comprehension."""
    for node in nodes(block):
        if node[0] == "with" and len(node) == 5 and node[3] is True:
            return True
        if node[0] == "for" and len(node) == 8 and node[6] is True:
            return True
        if node[0] == "comp" and any(clause[4] for clause in node[4]):
            return True
    return False


def _called(block: Any) -> Iterator[str]:
    for node in nodes(block):
        if node[0] == "c" and node[2] is not None and node[2][0] in ("n", "a"):
            yield str(node[2][-1])


def _endpoint(project: Project, state: State) -> str | None:
    """What users call a state that a framework runs itself: a route's label, or "dependency"; None for others."""
    contexts = project.graph.contexts
    arrival = contexts.arrivals[state]
    callers = contexts.callers(state)
    if any(edge.kind in (COROUTINE, CALL) for _, edge, _ in callers):
        return None  # others await it: it cannot become a plain function by itself
    if arrival.before is None:
        verb = arrival.root.partition(" ")[0]
        plain = verb.isupper() or arrival.root in ("route", "exception handler")
        return arrival.root if plain and "websocket" not in arrival.root.lower() else None
    if arrival.edge is None or arrival.edge.kind != LOOP:
        return None
    before = project.graph.variants[arrival.before[0]]
    if before.function[1] >= 0 and _is_own_dependency(project, before, arrival.edge.site):
        return "dependency"
    return None


def needless_thread_hops(project: Project) -> Iterator[Finding]:
    """A plain `def` route or dependency whose body does nothing that could take time."""
    graph = project.graph
    done: set[FunctionRef] = set()
    for number, context in sorted(graph.contexts.arrivals, key=lambda state: state[0]):
        variant = graph.variants[number]
        function = graph.function(variant)
        if context is not Context.POOL or function is None or variant.function in done or function.is_lambda:
            continue
        if function.is_async or function.is_generator or function.decorators[1:] or function.name == "__init__":
            continue
        label = _pool_endpoint(project, (number, context))
        if label is None or variant.events or not function.body or not all(map(_is_instant, function.body)):
            continue
        if any(edge.kind == CALL for edge in variant.edges):
            continue
        done.add(variant.function)
        yield project.found(
            "FL502",
            project.where(variant.function, -1),
            {"call": function.name},
            steps=(Step(project.where(variant.function, -1), f"{label} → {graph.name(variant)}"),),
            symbol=graph.name(variant),
            subject=function.name,
        )


def _pool_endpoint(project: Project, state: State) -> str | None:
    """The label of a route or dependency that the framework runs in the pool; None for others."""
    contexts = project.graph.contexts
    arrival = contexts.arrivals[state]
    if arrival.before is None:
        verb = arrival.root.partition(" ")[0]
        return arrival.root if verb.isupper() or arrival.root in ("route", "dependency") else None
    if arrival.edge is None or arrival.edge.kind != POOL or arrival.before[1] not in SERVED:
        return None
    before = project.graph.variants[arrival.before[0]]
    if before.function[1] >= 0 and _is_own_dependency(project, before, arrival.edge.site):
        return "dependency"
    return None


def _is_instant(statement: Any) -> bool:
    """A statement that only names, packs and returns what is there."""
    if statement[0] == "ret":
        return _is_plain(statement[1])
    if statement[0] == "e":
        return bool(statement[1] is None or statement[1][0] == "k")
    return bool(
        statement[0] == "=" and all(t is not None and t[0] == "n" for t in statement[1]) and _is_plain(statement[2])
    )


def _is_plain(node: Node) -> bool:
    if node is None or node[0] in ("k", "n"):
        return True
    if node[0] in ("t", "l", "set", "f"):
        return all(_is_plain(part) for part in node[1])
    if node[0] == "d":
        return all(key is not None and _is_plain(key) and _is_plain(value) for key, value in node[1])
    return False


def heavy_background_tasks(project: Project) -> Iterator[Finding]:
    """A background task that blocks the loop, or keeps one of the server's threads for long."""
    graph = project.graph
    for (function, site), calls in by_place(played(project, "background")).items():
        for call in calls:
            found = _heavy(project, call)
            state = next((s for s in ((call.variant.number, c) for c in SERVED) if s in graph.contexts.arrivals), None)
            if found is None or state is None:
                continue
            target, where, name, on_loop = found
            effect = "blocks the event loop" if on_loop else "keeps a worker thread"
            yield project.found(
                "FL503",
                project.where(function, site),
                {"call": graph.name(target).rpartition(".")[2], "detail": f"`{name}` {effect}"},
                confidence=confidence(project, state, call.flags),
                steps=steps_to(project, state, site, f"background task {graph.name(target)}"),
                related=(Step(where, f"{name} {effect}"),),
                symbol=graph.name(call.variant),
                subject=graph.name(target),
            )
            break


def _heavy(project: Project, call: Played) -> tuple[Variant, Any, str, bool] | None:
    """The task, and where and how it blocks (on the loop) or takes long (in a thread); None where it does neither."""
    graph = project.graph
    for edge in call.variant.edges:
        if edge.site != call.record.site or edge.kind not in (LOOP, POOL):
            continue
        seen = {edge.target}
        waiting = [edge.target]
        while waiting and len(seen) < _FAR:
            variant = graph.variants[waiting.pop(0)]
            for event, flags in variant.events.items():
                if not flags & _DOUBTS and _is_heavy(project, event, edge.kind == LOOP):
                    where = project.where(variant.function, event.site)
                    return graph.variants[edge.target], where, shown(event.name), edge.kind == LOOP
            for following, flags in variant.edges.items():
                if following.kind in (CALL, COROUTINE) and not flags & _DOUBTS and following.target not in seen:
                    seen.add(following.target)
                    waiting.append(following.target)
    return None


def _is_heavy(project: Project, event: Event, on_loop: bool) -> bool:
    """Whether a call stops the loop for long, or is of a kind that keeps a thread for long."""
    if event.lock is not None or not event.rule.startswith("FL1"):
        return False
    severity = event.spec.severity or project.rules[event.rule].severity
    return severity is Severity.ERROR if on_loop else event.rule in _LONG and severity is not Severity.INFO


def dependencies_that_outlive(project: Project) -> Iterator[Finding]:
    """What a dependency yields, handed to a task that runs on when the dependency has closed it."""
    graph = project.graph
    done: set[tuple[FunctionRef, int]] = set()
    for call in played(project, "background", "task"):
        key = (call.function, call.record.site)
        shape = project.shapes.call(*key)
        function = graph.function(call.variant)
        if key in done or shape is None or function is None:
            continue
        yielded = _yielded_parameters(project, call.variant, function)
        names = (
            *_arguments(call.record.role, shape[0]),
            *_received(project, call.function, call.record.role, shape[0]),
        )
        handed = next((name for name in names if name in yielded), None)
        if handed is None or _is_awaited_here(function, shape[1]):
            continue
        state = next((s for s in ((call.variant.number, c) for c in SERVED) if s in graph.contexts.arrivals), None)
        if state is None:
            continue
        provider, scope = yielded[handed]
        background = call.record.role == "background"
        severity = Severity.INFO if background and scope != "function" else None
        done.add(key)
        yield project.found(
            "FL505",
            project.where(*key),
            {"call": handed, "detail": "a background task" if background else "a task"},
            severity=severity,
            confidence=confidence(project, state, call.flags),
            steps=steps_to(project, state, call.record.site, f"`{handed}` is handed on"),
            related=(Step(project.where(provider.function, -1), f"`{handed}` comes from here, and is closed here"),),
            notes=(_EXIT_SCOPES,) if severity is not None else (),
            symbol=graph.name(call.variant),
            subject=handed,
        )


def _yielded_parameters(project: Project, variant: Variant, function: Function) -> dict[str, tuple[Variant, str]]:
    """The parameters that a dependency provides and ends after its `yield`, with the dependency and its `scope`."""
    graph = project.graph
    sites: dict[int, Variant] = {}
    for edge in variant.edges:
        target = graph.variants[edge.target]
        provider = graph.function(target)
        if provider is None or not provider.is_generator or not ends_what_it_yields(provider.body):
            continue
        if _is_own_dependency(project, variant, edge.site):
            sites[edge.site] = target
    out: dict[str, tuple[Variant, str]] = {}
    for param in function.params:
        for node in (*nodes(param.default), *nodes(param.annotation)):
            if node[0] == "c" and node[1] in sites:
                scope = next((value[1] for name, value in node[4] if name == "scope" and value[0] == "k"), "")
                out[param.name] = (sites[node[1]], scope)
        alias = _site_of_alias(project, variant, param.annotation) if param.name not in out else None
        if alias in sites:
            out[param.name] = (sites[alias], "")
    return out


def _site_of_alias(project: Project, variant: Variant, annotation: Node) -> int | None:
    """At which site a function runs the dependency of an annotation that names an `Annotated[…, Depends(…)]`: that of
    the `Depends`, or the function's own where the alias comes from another module; None where it names none."""
    function = project.graph.function(variant)
    if function is None or annotation is None or annotation[0] != "n":
        return None
    found = project.graph.world.expression(variant.function[0], annotation[1])
    if found is None:
        return None
    for node in nodes(found[1]):
        if node[0] == "c" and node[2] is not None and node[2][-1] in ("Depends", "Security"):
            return int(node[1]) if found[0] == variant.function[0] else function.site
    return None


def _arguments(role: str, call: Node) -> Iterator[str]:
    """The plain names that are handed to the task: arguments after the function, or those of the coroutine."""
    handed = call[3][1:] if role == "background" else []
    keywords = call[4] if role == "background" else []
    if role == "task" and call[3] and call[3][0] is not None and call[3][0][0] == "c":
        handed, keywords = call[3][0][3], call[3][0][4]
    for node in (*handed, *(value for _, value in keywords)):
        if node is not None and node[0] == "n":
            yield node[1]


def _received(project: Project, ref: FunctionRef, role: str, call: Node) -> Iterator[str]:
    """The plain names that the receiver of the task's method is, or keeps: `Service(session).audit()`."""
    first = call[3][0] if call[3] else None
    method = first[2] if role == "task" and first is not None and first[0] == "c" else first
    if method is None or method[0] != "a" or method[2] is None:
        return
    base = method[2]
    if base[0] == "n":
        yield base[1]
        made = project.shapes.assigned(ref, base[1])
        base = made[0] if len(made) == 1 else None
    yield from kept_for(project, ref, base, method[3])


def _is_awaited_here(function: Function, around: tuple[Any, ...]) -> bool:
    """Whether the function waits for the task itself: it is kept in a local that is awaited later, or gathered."""
    if any(part[0] in ("w", "l", "t", "comp", "ret") for part in around):
        return True
    if any(part[0] == "c" and last_name(part) in _WAITERS for part in around):
        return True
    statement = around[0]
    for part in around:
        if part[0] in ("=", ":"):
            statement = part
    if statement[0] not in ("=", ":"):
        return False
    target = statement[1][0] if statement[0] == "=" else statement[1]
    if target is None or target[0] != "n":
        return False
    return any(node[0] == "w" and ["n", target[1]] in list(nodes(node)) for node in nodes(function.body))


def contexts_lost(project: Project) -> Iterator[Finding]:
    """A context variable set where nobody else can see it: in a sync dependency, whose context is a copy."""
    graph = project.graph
    reads: dict[Any, list[Played]] = {}
    for call in played(project, "get context"):
        reads.setdefault(call.record.place, []).append(call)
    for (function, site), calls in by_place(played(project, "set context")).items():
        call = calls[0]
        state = (call.variant.number, Context.POOL)
        if call.record.name and graph.contexts.has(call.variant.number, (Context.LOOP,)):
            continue
        if state not in graph.contexts.arrivals:
            continue
        below = _below(project, call.variant.number)
        dependency = _dependency_above(project, state)
        if dependency is None or _is_reset(project, function, site):
            continue
        below |= _below(project, dependency.number)
        outside = [read for read in reads.get(call.record.place, ()) if read.variant.number not in below]
        if not outside:
            continue
        name = str(call.record.place[-1])
        yield project.found(
            "FL506",
            project.where(function, site),
            {"call": name},
            confidence=confidence(project, state, call.flags),
            steps=steps_to(project, state, site, f"`{name}` is set"),
            related=(Step(project.where(outside[0].function, outside[0].record.site), f"`{name}` is read here"),),
            symbol=graph.name(call.variant),
            subject=name,
        )


def _is_reset(project: Project, function: FunctionRef, site: int) -> bool:
    shape = project.shapes.call(function, site)
    return shape is None or shape[0][2] is None or shape[0][2][-1] == "reset"


def _dependency_above(project: Project, state: State) -> Variant | None:
    """The sync dependency at which the way into the pool begins; None where it begins with anything else."""
    contexts = project.graph.contexts
    way = contexts.way(state)
    for place, (here, edge) in enumerate(way):
        if here[1] is Context.POOL:
            if place == 0:
                named = contexts.arrivals[here].root == "dependency"
                return project.graph.variants[here[0]] if named else None
            before = project.graph.variants[way[place - 1][0][0]]
            entered = way[place - 1][1]
            if entered is not None and before.function[1] >= 0 and _is_own_dependency(project, before, entered.site):
                return project.graph.variants[here[0]]
            return None
        if edge is None:
            return None
    return None


def _below(project: Project, number: int) -> set[int]:
    """Every variant that runs in the same thread below this one, itself too."""
    seen = {number}
    waiting = [number]
    while waiting:
        for edge in project.graph.variants[waiting.pop()].edges:
            if edge.kind == CALL and edge.target not in seen:
                seen.add(edge.target)
                waiting.append(edge.target)
    return seen


def middleware_hazards(project: Project) -> Iterator[Finding]:
    """`BaseHTTPMiddleware` in an application that streams: every piece passes through one more task and queue."""
    graph = project.graph
    streams = [
        call
        for call in played(project, "streaming")
        if any((call.variant.number, context) in graph.contexts.arrivals for context in SERVED)
    ]
    if not streams:
        return
    first = min(streams, key=lambda call: (graph.world.turn(call.function), call.record.site))
    related = (Step(project.where(first.function, first.record.site), "a response that is sent piece by piece"),)
    for variant in graph.in_order:
        arrival = graph.contexts.arrivals.get((variant.number, Context.LOOP))
        function = graph.function(variant)
        if arrival is None or function is None or arrival.root != "middleware" or arrival.before is not None:
            continue
        if function.name == "__call__":
            continue
        name = graph.name(variant)
        yield project.found(
            "FL507",
            project.where(variant.function, -1),
            {"call": name},
            steps=(Step(project.where(variant.function, -1), f"middleware → {name}"),),
            related=related,
            symbol=name,
            subject=name,
        )
