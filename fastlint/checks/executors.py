"""FL2: pools and threads, how large they are, who makes them and who waits for whom. Knows no library by name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from fastlint.checks.blocking import shown
from fastlint.checks.bounds import admits_few, turns_away
from fastlint.checks.served import Played, by_place, confidence, per_request, played, running, serves_request
from fastlint.checks.ways import steps_to
from fastlint.deploy.plan import Limits
from fastlint.deploy.target import target_of
from fastlint.finding import Confidence, Finding, Severity, Step
from fastlint.graph.contexts import Context, State, unreached_cost
from fastlint.graph.guards import statements_of
from fastlint.graph.shapes import Ancestors, last_name, names_in, targets_of
from fastlint.graph.state import CALL, COROUTINE, LOOP, ONCE, POOL, PROCESS, Event, Variant
from fastlint.graph.world import FunctionRef
from fastlint.project import Project
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import calls_within

_POOLS = ("threads", "processes")
_ENDING = ("shutdown", "terminate", "close", "join")
_NATIVE = frozenset({"torch", "onnxruntime", "tensorflow"})  # each computes on one native thread a core by default
_NATIVE_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TORCH_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
_NATIVE_CALLS = ("set_num_threads", "SessionOptions", "set_intra_op_parallelism_threads", "threadpool_limits")
_THREADS_A_CORE = 5  # sizing: some five threads a core keep it busy with I/O
_MANY_CORES = 32  # more than one service is usually given: what is too much for these is too much anywhere
_TOKENS = 40  # AnyIO's default limiter (anyio._backends._asyncio: current_default_thread_limiter)
_COUNTERS = frozenset({"cpu_count", "process_cpu_count", "sched_getaffinity"})
_HEALTH = ("health", "healthz", "ready", "readyz", "live", "livez", "liveness", "readiness", "ping", "status")


def cores_of(project: Project) -> float | None:
    """The cores of the target, where somebody declares exactly one number: never those of the linting machine."""
    limits = [plan.limits for plan in project.plans if not plan.development] or [Limits()]
    if project.settings.cores is None and not project.settings.host and all(each.cores is None for each in limits):
        return None
    grants = [target_of(project.settings, each, project.machine).cores for each in limits]
    declared = {grant.value for grant in grants if grant.declared}
    return next(iter(declared)) if len(declared) == 1 else None


def workers_of(project: Project) -> int | None:
    """The number of workers of the service, if the plans name exactly one."""
    known = {plan.value("workers") for plan in project.plans if not plan.development}
    only = next(iter(known)) if len(known) == 1 else None
    return only if isinstance(only, int) and not isinstance(only, bool) else None


def executors_without_limit(project: Project) -> Iterator[Finding]:
    """A pool without a size of its own."""
    for calls in by_place(played(project, *_POOLS)).values():
        record = calls[0].record
        state = running(project, calls)
        if state is None or dict(record.given).get("size") is not None or "**" in dict(record.given):
            continue
        if per_request(project, calls) is not None:  # FL202 says more
            continue
        yield _pool_finding(project, "FL201", calls, state, default_size(project, record.role))


def default_size(project: Project, role: str) -> str:
    """The size that a pool of this kind takes by itself, for the target where its cores are known."""
    cores = cores_of(project)
    if role == "threads":  # CPython: concurrent.futures.thread
        return "min(32, cores + 4)" if cores is None else f"min(32, {cores:g} + 4) = {min(32, int(cores) + 4)}"
    return "one process a core" if cores is None else f"one process a core = {max(int(cores), 1)}"


def executors_per_request(project: Project) -> Iterator[Finding]:
    """A pool made while a request is served."""
    for calls in by_place(played(project, *_POOLS)).values():
        state = per_request(project, calls)
        if state is not None:
            yield _less_if_unsure(_pool_finding(project, "FL202", calls, state, ""))


def oversized_executors(project: Project) -> Iterator[Finding]:
    """A pool larger than the cores can serve."""
    for (function, site), calls in by_place(played(project, *_POOLS)).items():
        state = running(project, calls)
        if state is None:
            continue
        record = calls[0].record
        detail = _too_large(project, record.role, dict(record.given).get("size"), function, site)
        if detail:
            yield _pool_finding(project, "FL203", calls, state, detail)


def _too_large(project: Project, role: str, size: Any, function: FunctionRef, site: int) -> str:
    """The arithmetic of a pool that is too large; nothing where it is not, or not known to be."""
    factor = _factor(project, role)
    if isinstance(size, int) and not isinstance(size, bool):
        cores = cores_of(project)
        if cores is not None:
            return _above(size, workers_of(project) or 1, factor, cores)
        most = 2 * _MANY_CORES if role == "processes" else factor * _MANY_CORES
        return "" if size <= most else f"{size} > {most}, too many even for {_MANY_CORES} cores"
    shape = project.shapes.call(function, site)
    times = _times_cores(_size_node(shape[0])) if shape is not None else 0
    return f"{times} x cores > {factor} x cores" if times > max(factor, 1) else ""


def _factor(project: Project, role: str) -> int:
    """How many threads or processes a core may have: declared, else the rules of thumb (sizing)."""
    threads, processes = project.settings.threads_per_core, project.settings.processes_per_core
    declared, usual = (threads, _THREADS_A_CORE) if role == "threads" else (processes, 1)
    return usual if declared is None else int(declared.value)


def _above(size: int, workers: int, factor: int, cores: float) -> str:
    """The arithmetic of so many pools of this size; nothing where the cores can serve them."""
    most = max(int(factor * cores), 1)
    if workers > 1 and size * workers > most:
        return f"{workers} workers x {size} = {size * workers} > {factor} x {cores:g} cores"
    return f"{size} > {factor} x {cores:g} cores" if size > most else ""


def _size_node(call: Node) -> Node:
    named = next((value for name, value in call[4] if name in ("max_workers", "processes")), None)
    return named if named is not None else (call[3][0] if call[3] else None)


def _times_cores(node: Node) -> int:
    """The factor of `cpu_count() * N`, `(os.cpu_count() or 1) * N`; 0 where the node is nothing of the kind."""
    if node is None or node[0] != "o" or node[2] != "mul":
        return 0
    for counted, factor in ((node[3], node[4]), (node[4], node[3])):
        if factor is not None and factor[0] == "k" and isinstance(factor[1], int):
            first = counted[2][0] if counted is not None and counted[0] == "bool" else counted
            if last_name(first) in _COUNTERS:
                return int(factor[1])
    return 0


def cpu_bound_in_threads(project: Project) -> Iterator[Finding]:
    """Work that holds the interpreter, handed to threads that take turns at it: one finding a place of handing."""
    graph = project.graph
    done: set[Any] = set()
    for variant in graph.in_order:
        state = (variant.number, Context.POOL)
        arrival = graph.contexts.arrivals.get(state)
        if arrival is None:
            continue
        for event, flags in variant.events.items():
            if event.rule != "FL109" or event.spec.library not in graph.world.catalogue.holds_gil:
                continue
            handed = _handed_over(project, state)
            if handed is None or handed in done:
                continue
            done.add(handed)
            yield project.found(
                "FL204",
                project.where(variant.function, event.site),
                {"call": shown(event.name)},
                confidence=confidence(project, state, flags),
                steps=steps_to(project, state, event.site, shown(event.name)),
                related=(Step(handed, "handed to a thread here"),),
                symbol=graph.name(variant),
                subject=shown(event.name),
            )


def _handed_over(project: Project, state: State) -> Any:
    """Where the way to a state in the pool was handed to a thread by code of the project; None if a framework did."""
    graph = project.graph
    for (place, edge), (following, _) in pairwise(graph.contexts.way(state)):
        if edge is not None and edge.kind == POOL and following[1] is Context.POOL and place[1] is Context.LOOP:
            if graph.variants[place[0]].function[1] >= 0 and not _is_dependency(project, place, edge.site):
                return project.where(graph.variants[place[0]].function, edge.site)
    return None


def _is_dependency(project: Project, place: State, site: int) -> bool:
    """Whether what runs at a site of a function is one of its own dependencies, called by the framework."""
    shape = project.shapes.call(project.graph.variants[place[0]].function, site)
    return shape is None


def executors_never_shut_down(project: Project) -> Iterator[Finding]:
    """A pool that lives as long as the application, and that nothing ends."""
    for (function, site), calls in by_place(played(project, *_POOLS)).items():
        state = running(project, calls)
        shape = project.shapes.call(function, site)
        if state is None or shape is None or per_request(project, calls) is not None:
            continue
        kept = [last_name(target) for target in targets_of(shape[1]) if _outlives(target, function)]
        if kept and not project.shapes.is_received(kept, *_ENDING):
            yield _pool_finding(project, "FL205", calls, state, "")


def _outlives(target: Node, function: FunctionRef) -> bool:
    """Whether a target is more than a local name of a function."""
    return target is not None and (target[0] == "a" or (target[0] == "n" and function[1] < 0))


def threads_per_request(project: Project) -> Iterator[Finding]:
    """A thread or process started while a request is served."""
    for (function, site), calls in by_place(played(project, "start")).items():
        state = per_request(project, calls)
        if state is None:
            continue
        shape = project.shapes.call(function, site)
        if shape is not None and (
            _is_kept(project, function, shape[0]) or _asks_whether_alive(project.shapes.body(function))
        ):
            continue
        if shape is not None and (
            _is_waited_for(project, function, shape) or _is_told_to_stop(project, function, shape)
        ):
            facts = project.graph.world.function(function)
            if not (facts.is_async or facts.is_generator) or admits_few(project, state, site):
                continue
        if turns_away(project, state, site):
            continue
        kind = "multiprocessing.Process" if "Process" in calls[0].record.name else "threading.Thread"
        yield _less_if_unsure(_found(project, "FL209", calls, state, f"{kind}.start", ""))


def _is_kept(project: Project, function: FunctionRef, call: Node) -> bool:
    """`self.worker.start()`, or `self.worker = worker` beside `worker.start()`: one thread that an object keeps,
    not one a request."""
    started = call[2][2] if call[2] is not None and call[2][0] == "a" else None
    if started is None or started[0] not in ("n", "a"):
        return False
    return bool(started[0] == "a") or any(
        statement[0] == "="
        and statement[2] == started
        and any(target is not None and target[0] == "a" for target in statement[1])
        for statement in statements_of(project.shapes.body(function))
    )


def _is_waited_for(project: Project, function: FunctionRef, shape: tuple[Node, Ancestors]) -> bool:
    """Whether a function goes on only when its thread has ended: `thread.start()` … `thread.join()`, or it iterates to
    the end over something that the thread was given (a streamer, a queue). Then it has one thread a call."""
    callee = shape[0][2]
    if function[1] < 0 or any(part[0] in ("for", "while") for part in shape[1]):
        return False
    if callee is None or callee[0] != "a" or callee[2] is None or callee[2][0] != "n":
        return False
    body = project.shapes.body(function)
    if any(
        call[2] is not None and call[2][0] == "a" and call[2][2:] == [callee[2], "join"] for call in calls_within(body)
    ):
        return True
    given = {name for made in project.shapes.assigned(function, callee[2][1]) for name in names_in(made)}
    given |= {name for each in given for value in project.shapes.assigned(function, each) for name in names_in(value)}
    drained = (statement[3] for statement in statements_of(body) if statement[0] == "for")
    return any(
        not given.isdisjoint(names_in(iterable)) and _is_made_here(project, function, iterable) for iterable in drained
    )


def _is_told_to_stop(project: Project, function: FunctionRef, shape: tuple[Node, Ancestors]) -> bool:
    """Whether a thread ends with the function that starts it: it looks at an event of that, `finally: done.set()`."""
    started = shape[0][2]
    if function[1] < 0 or started is None or started[0] != "a" or started[2] is None:
        return False
    made = project.shapes.assigned(function, started[2][1]) if started[2][0] == "n" else [started[2]]
    looked_at = {name for node in made for name in names_in(node)}
    inner = project.graph.world.modules[function[0]].facts.functions
    bodies = [each.body for each in inner if each.parent == function[1] and each.name in looked_at]
    looked_at |= {name for body in bodies for name in names_in(body)}
    finals = [statement[4] for statement in statements_of(project.shapes.body(function)) if statement[0] == "try"]
    told = (call[2][2][1] for block in finals for call in calls_within(block) if _is_set(call[2]))
    return any(
        last_name(node).endswith("Event")
        for name in told
        if name in looked_at
        for node in project.shapes.assigned(function, name)
    )


def _is_set(callee: Node) -> bool:
    """Whether what is called is `name.set`."""
    return (
        callee is not None and callee[0] == "a" and callee[3] == "set" and callee[2] is not None and callee[2][0] == "n"
    )


def _is_made_here(project: Project, function: FunctionRef, node: Node) -> bool:
    """Whether what is iterated is an object that the function itself has made: `streamer`, `enumerate(streamer)`,
    `iter(queue.get, None)`."""
    while node is not None and node[0] in ("a", "c"):
        wraps = node[0] == "c" and node[2] is not None and node[2][0] == "n" and node[3]
        node = node[3][0] if wraps else node[2]
    made = project.shapes.assigned(function, node[1]) if node is not None and node[0] == "n" else []
    return any(each is not None and each[0] == "c" and last_name(each)[:1].isupper() for each in made)


def _asks_whether_alive(body: Block) -> bool:
    """Started only where the one before has ended."""
    return any("is_alive" in names_in(part) for part in body)


def processes_multiply(project: Project) -> Iterator[Finding]:
    """A pool of processes in an application that is itself several processes."""
    workers, cores = workers_of(project), cores_of(project)
    for calls in by_place(played(project, "processes")).values():
        state = running(project, calls)
        if state is None or per_request(project, calls) is not None:
            continue
        size = dict(calls[0].record.given).get("size")
        if workers is None or cores is None:
            if size is None or size is ...:
                yield _pool_finding(
                    project, "FL210", calls, state, "workers x processes on the same cores", severity=Severity.INFO
                )
            continue
        each = size if isinstance(size, int) else max(int(cores), 1)
        if workers > 1 and workers * each > cores:
            detail = f"{workers} workers x {each} processes = {workers * each} > {cores:g} cores"
            yield _pool_finding(project, "FL210", calls, state, detail)
    yield from native_threads_multiply(project)


def native_threads_multiply(project: Project) -> Iterator[Finding]:
    """A library that starts a native thread a core in each of several workers, and nothing that keeps it to fewer."""
    workers, cores = workers_of(project), cores_of(project)
    if workers is None or cores is None or workers < 2 or cores < 2:
        return
    served = (module for module in project.graph.world.modules.values() if module.kind == "app")
    imports = ((module.name, one, _native(one)) for module in served for one in module.facts.body)
    found = next((row for row in imports if row[2]), None)
    if found is None or _threads_are_set(project):
        return
    name, statement, library = found
    yield project.found(
        "FL210",
        project.locate(name, statement[-1]),
        {"call": library, "detail": f"{workers} workers x {cores:g} threads = {workers * cores:g} > {cores:g} cores"},
        confidence=Confidence.MEDIUM,
        notes=(f"{library} computes on one native thread a core in every process; OMP_NUM_THREADS bounds them",),
        symbol=name,
        subject=library,
    )


def _native(statement: Any) -> str:
    """The library with native threads that an import statement brings in, if any."""
    if statement[0] != "imp":
        return ""
    tops = (target.partition(".")[0] for _, level, target, _ in statement[1] if not level)
    return next((top for top in tops if top in _NATIVE), "")


def _threads_are_set(project: Project) -> bool:
    """Whether anything says how many native threads there are to be: a variable of the service, or a call."""
    if any(name in plan.environment for plan in project.plans for name in _NATIVE_VARIABLES):
        return True
    mentions = project.graph.world.mentions
    if any(name in mentions for name in _NATIVE_CALLS):
        return True
    bodies = (repr(module.facts.body) for module in project.graph.world.modules.values())
    return any(name in body for body in bodies for name in _NATIVE_VARIABLES)


def pool_waits_on_itself(project: Project) -> Iterator[Finding]:
    """Work in a pool that waits for other work in the same pool: when all threads wait so, none is left to do it."""
    graph = project.graph
    submitted: dict[Any, dict[int, Played]] = {}
    for call in played(project, "submit"):
        if call.record.place is not None:
            for edge in call.variant.edges:
                if edge.site == call.record.site and edge.kind in (POOL, PROCESS):
                    submitted.setdefault(call.record.place, {}).setdefault(edge.target, call)
    done: set[tuple[FunctionRef, int]] = set()
    for place, targets in submitted.items():
        for target, outer in targets.items():
            for inner, wait in _submits_and_waits(project, target, place):
                key = (inner.function, wait.record.site)
                if key in done or not graph.contexts.has(inner.variant.number, (Context.POOL, Context.PROCESS)):
                    continue
                done.add(key)
                pool = place[-1]
                yield project.found(
                    "FL211",
                    project.where(*key),
                    {"call": shown(wait.record.name), "detail": f"`{pool}`"},
                    steps=(
                        Step(
                            project.where(outer.function, outer.record.site),
                            f"`{pool}` runs {graph.name(graph.variants[target])}",
                        ),
                        Step(project.where(inner.function, inner.record.site), f"more work for `{pool}`"),
                        Step(project.where(*key), shown(wait.record.name)),
                    ),
                    related=(Step(project.where(outer.function, outer.record.site), f"`{pool}` is given this work"),),
                    symbol=graph.name(inner.variant),
                    subject=shown(wait.record.name),
                )
    yield from _shared_pool_waits(project)


def _shared_pool_waits(project: Project) -> Iterator[Finding]:
    """A thread of the server that waits for loop code, which in turn waits for one more of these threads."""
    graph = project.graph
    for (function, site), calls in by_place(played(project, "call back")).items():
        for call in calls:
            state = (call.variant.number, Context.POOL)
            if state not in graph.contexts.arrivals or not _holds_token(project, state):
                continue
            hop = _hop_below(project, [e.target for e in call.variant.edges if e.site == site and e.kind == LOOP])
            if hop is None:
                continue
            name = shown(call.record.name)
            yield project.found(
                "FL211",
                project.where(function, site),
                {"call": name, "detail": "of all sync routes"},
                severity=Severity.WARNING,  # forty of them have to meet
                confidence=confidence(project, state, call.flags),
                steps=steps_to(project, state, site, name),
                related=(Step(project.where(hop.function, hop.record.site), "one more thread of the same pool"),),
                symbol=graph.name(call.variant),
                subject=name,
            )
            break


def _hop_below(project: Project, starts: list[int]) -> Played | None:
    """The first call, in these coroutines or below them, that asks for a thread that sync routes share."""
    seen: set[int] = set()
    waiting = list(starts)
    while waiting and len(seen) < 500:
        number = waiting.pop(0)
        if number in seen:
            continue
        seen.add(number)
        variant = project.graph.variants[number]
        for record, flags in variant.records.items():
            if record.role == "hop":
                return Played(variant, record, flags)
        waiting.extend(edge.target for edge in variant.edges if edge.kind in (CALL, COROUTINE))
    return None


def _submits_and_waits(project: Project, start: int, place: Any) -> Iterator[tuple[Played, Played]]:
    """Functions, called from one that runs in a pool, that submit to the same pool and wait for the result."""
    graph = project.graph
    seen = {start}
    waiting = [start]
    while waiting and len(seen) < 500:
        variant = graph.variants[waiting.pop()]
        if _makes_anew(project, variant, place):
            continue
        inner = [r for r in variant.records if r.role == "submit" and r.place == place]
        waits = [r for r in variant.records if r.role == "wait" and dict(r.given).get("timeout") is None]
        for record in waits[:1] if inner else ():
            yield Played(variant, inner[0], variant.records[inner[0]]), Played(variant, record, 0)
        for edge in variant.edges:
            if edge.kind == CALL and edge.target not in seen:
                seen.add(edge.target)
                waiting.append(edge.target)


def _makes_anew(project: Project, variant: Variant, place: Any) -> bool:
    """Whether a function has such a pool of its own at every call, unless its callers give it one."""
    if place[0] != "local" or variant.function != place[1:3]:
        return False
    return all(param.name != place[3] for param in project.graph.world.function(variant.function).params)


def thread_pool_pressure(project: Project) -> Iterator[Finding]:
    """A worker thread of the server that waits without a limit: forty such waits, and every sync route waits too."""
    graph = project.graph
    health = _sync_health_route(project)
    done: set[tuple[FunctionRef, int]] = set()
    for variant in graph.in_order:
        state = (variant.number, Context.POOL)
        arrival = graph.contexts.arrivals.get(state)
        if arrival is None or arrival.cost >= unreached_cost() or not variant.events:
            continue
        for event, flags in variant.events.items():
            key = (variant.function, event.site)
            unlimited = event.rule == "FL402" or _waits_without_limit(project, variant, event)
            if not unlimited or key in done or not serves_request(project, state):
                continue
            if event.rule == "FL402" and health is None:  # FL402 itself says enough
                continue
            if not _holds_token(project, state):
                continue
            if (flags | arrival.flags) & ONCE and (event.lock or event.of) is not None:
                continue  # whoever comes later finds what is made there, and does not wait
            done.add(key)
            related = (Step(health, "this health route waits for a free thread too"),) if health is not None else ()
            yield project.found(
                "FL212",
                project.where(*key),
                {"call": shown(event.name), "detail": f"{_TOKENS}"},
                confidence=confidence(project, state, flags),
                steps=steps_to(project, state, event.site, shown(event.name)),
                related=related,
                symbol=graph.name(variant),
                subject=shown(event.name),
            )


def _holds_token(project: Project, state: State) -> bool:
    """Whether the thread is one of the server's own: the framework, not the project, handed the work to it."""
    way = project.graph.contexts.way(state)
    return way[0][0][1] is Context.POOL or any(
        edge is not None and edge.kind == POOL and _is_dependency(project, place, edge.site)
        for place, edge in way
        if place[1] is Context.LOOP and project.graph.variants[place[0]].function[1] >= 0
    )


def _waits_without_limit(project: Project, variant: Variant, event: Event) -> bool:
    """A wait for other threads, without a time-out."""
    if event.rule != "FL108":
        return False
    if event.lock is not None:
        return project.graph.contended.get(event.lock, False)
    if event.of is not None and event.name.endswith(".acquire") and not project.graph.contended.get(event.of, False):
        return False
    if any(record.role in ("submit", *_POOLS) for record in variant.records):
        return False  # it waits for work that it handed out itself
    shape = project.shapes.call(variant.function, event.site)
    if shape is None or event.name.rpartition(".")[2] not in ("get", "wait", "result", "join", "acquire"):
        return False
    node = shape[0]
    limited = any(name in ("timeout", "block", "blocking", None) for name, _ in node[4])
    return not limited and not node[3]


def _sync_health_route(project: Project) -> Any:
    """A plain `def` health route, which needs a thread of the pool; None where there is none."""
    graph = project.graph
    for (number, context), arrival in sorted(graph.contexts.arrivals.items(), key=lambda item: item[0][0]):
        if context is Context.POOL and arrival.before is None and arrival.root:
            words = arrival.root.lower().replace("-", "/").replace("_", "/").split("/")
            if arrival.root.startswith(("GET ", "HEAD ")) and words[-1] in _HEALTH:
                return project.where(graph.variants[number].function, -1)
    return None


def shared_limiter_shrunk(project: Project) -> Iterator[Finding]:
    """The limiter of all sync routes made smaller than it is by default."""
    graph = project.graph
    routes = [
        number
        for (number, context), arrival in graph.contexts.arrivals.items()
        if context is Context.POOL and arrival.before is None and arrival.root
    ]
    for calls in by_place(played(project, "thread tokens")).values():
        state = running(project, calls)
        size = dict(calls[0].record.given).get("size")
        if state is None or not isinstance(size, int) or isinstance(size, bool) or size >= _TOKENS or not routes:
            continue
        related = tuple(Step(project.where(graph.variants[n].function, -1), "needs a thread") for n in routes[:5])
        yield _found(
            project,
            "FL213",
            calls,
            state,
            "current_default_thread_limiter().total_tokens",
            f"{_TOKENS} → {size} for {len(routes)} sync route{'s' if len(routes) > 1 else ''}",
            related=related,
        )


def tokens_of(project: Project) -> int:
    """How many sync routes can run at a time: AnyIO's forty, or what the application sets."""
    sizes = [dict(call.record.given).get("size") for call in played(project, "thread tokens")]
    known = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    return known[0] if len(known) == 1 else _TOKENS


def _less_if_unsure(finding: Finding) -> Finding:
    """One level less bad where only one of several possible ways leads there."""
    if finding.confidence is Confidence.HIGH:
        return finding
    return finding._replace(severity=finding.severity.lowered())


def _pool_finding(
    project: Project, code: str, calls: list[Played], state: State, detail: str, severity: Severity | None = None
) -> Finding:
    return _found(project, code, calls, state, f"{calls[0].record.name.rpartition('.')[2]}(…)", detail, severity)


def _found(
    project: Project,
    code: str,
    calls: list[Played],
    state: State,
    name: str,
    detail: str,
    severity: Severity | None = None,
    related: tuple[Step, ...] = (),
) -> Finding:
    variant = project.graph.variants[state[0]]
    call = next(each for each in calls if each.variant is variant)
    return project.found(
        code,
        project.where(variant.function, call.record.site),
        {"call": name, "detail": detail},
        severity=severity,
        confidence=confidence(project, state, call.flags),
        steps=steps_to(project, state, call.record.site, name),
        related=related,
        symbol=project.graph.name(variant),
        subject=name,
    )
