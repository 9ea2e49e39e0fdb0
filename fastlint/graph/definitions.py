"""Functions and classes where they are defined: decorators, what they register, what frameworks call on them."""

from __future__ import annotations

from typing import Any

from fastlint.graph.libraries import decorated_as
from fastlint.graph.narrowing import Narrowing
from fastlint.graph.state import LOOP, POOL, Definition, Frame, Variant
from fastlint.graph.values import UNKNOWN, Value, Values, elements, mixed, union
from fastlint.graph.variants import BRIDGED
from fastlint.graph.world import ClassRef, FunctionRef
from fastlint.rulebook.catalogue import Decoration, Spec
from fastlint.source.facts import Node

_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})

# Functions that mention one of these register entry points or callbacks, wherever they are called from
REGISTRARS = (
    "add_api_route",
    "add_route",
    "add_websocket_route",
    "add_api_websocket_route",
    "add_middleware",
    "add_event_handler",
    "add_exception_handler",
    "include_router",
    "FastAPI",
    "APIRouter",
    "Starlette",
    "Depends",
    "Security",
    "Route",
    "Mount",
    "on_event",
    "middleware",
    "exception_handler",
    "listens_for",
    "add_job",
)


class Definitions(Narrowing):
    """Applies decorators and registers entry points."""

    def ensure(self, ref: FunctionRef) -> Variant:
        """See `State.ensure`."""
        function = self.world.function(ref)
        receiver: Values = UNKNOWN
        env = -1
        if function.owner >= 0 and not function.is_lambda:
            env = self.env_of_class(ref)
            if function.params:
                receiver = (("o", ref[0], function.owner, 0),)
                if any(
                    node is not None and node[0] == "n" and node[1] == "classmethod" for node in function.decorators
                ):
                    receiver = (("c", ref[0], function.owner, -1),)
                elif any(
                    node is not None and node[0] == "n" and node[1] == "staticmethod" for node in function.decorators
                ):
                    receiver = UNKNOWN
        elif function.parent >= 0:
            outer = self.of_function.get((ref[0], function.parent))
            env = outer[0].number if outer else self.ensure((ref[0], function.parent)).number
        variant = self.variant_of(ref, env, receiver, {})
        self.run(variant)
        return variant

    def module_frame(self, module: str) -> Frame:
        """See `State.module_frame`."""
        return Frame(self.module_variant(module), module, {}, quiet=True)

    def module_variant(self, module: str) -> Variant:
        """The variant that is the body of a module."""
        known = self.bodies.get(module)
        if known is None:
            known = self.bodies[module] = self.variant_of((module, -1), -1, UNKNOWN, {})
        return known

    def function_values(self, module: str, index: int, env: int, frame: Frame | None) -> Values:
        """See `State.function_values`."""
        function = self.world.modules[module].facts.functions[index]
        plain: Values = (("f", module, index, env),)
        if not function.decorators:
            return plain
        key: Definition = ("defined", module, index, env)
        if key not in self.facts:
            self.facts[key] = plain  # a decorator that refers to its own function ends here
            self.facts[key] = self.decorate(key, self.frame_of_definition((module, index)))
        return self.read(key, frame) if key in self.undecorated else self.facts[key]

    def decorate(self, key: Definition, frame: Frame) -> Values:
        """What its decorators make of a function; noted where the analysis stands too deep to say."""
        _, module, index, env = key
        plain: Values = (("f", module, index, env),)
        waiting = len(self.waiting)
        values = self.decorated(plain, self.world.function((module, index)).decorators, frame) or plain
        if len(self.waiting) > waiting and env < 0:  # a function that runs looks at its own definitions again
            self.undecorated.setdefault(key, values)
        return values

    def decorate_again(self) -> None:
        """Decorate what was met too deep, now that there is room; whoever was told otherwise looks again."""
        undecorated, self.undecorated = self.undecorated, {}
        changed: dict[Value, Values] = {}
        for key, told in undecorated.items():
            values = self.facts[key] = self.decorate(key, self.frame_of_definition((key[1], key[2])))
            if values != told:
                changed[("f", *key[1:])] = values
                self.look_again(key)
        for name, known in self.facts.items() if changed else ():
            if name[0] in ("global", "class") and not changed.keys().isdisjoint(known):
                self.facts[name] = mixed([changed.get(value, (value,)) for value in known])
                self.look_again(name)

    def decorated(self, values: Values, decorators: list[Node], frame: Frame) -> Values:
        """What decorators make of a function, innermost first; records what they register."""
        for node in reversed(decorators):
            if node is not None:
                values = self._decorate(values, node, frame) or values
        return values

    def _decorate(self, values: Values, node: Node, frame: Frame) -> Values:
        if node[0] == "c":
            callee_node = node[2]
            found = False
            for callee in self.evaluate(callee_node, frame):
                decoration = self._decoration(callee, node, frame)
                if decoration is not None:
                    self.evaluate_call(node, frame, False)
                    self._note_decorated(callee, values)
                    values = self._apply_decoration(decoration, values, node, callee_node[-1], frame)
                    found = True
            if found:
                return values
            label = _route_by_shape(node)
            produced = self.evaluate_call(node, frame, False)
            if label is not None and not any(value[0] in ("f", "b", "once", "o") for value in produced):
                return self._apply_decoration(Decoration("auto", "route", "same"), values, node, callee_node[-1], frame)
            decorators = produced
        else:
            decorators = self.evaluate(node, frame)
        made: Values = UNKNOWN  # each of several is applied to the function itself: it is one of them
        for decorator in decorators:
            made = union(made, self._made_by(decorator, values, node, frame))
        return made or values

    def _made_by(self, decorator: Any, values: Values, node: Node, frame: Frame) -> Values:
        """What one decorator makes of a function; nothing where that is not known."""
        site = node[1] if node[0] in ("a", "c") else -1
        decoration = self._decoration(decorator, None, frame)
        if decoration is not None:
            self._note_decorated(decorator, values)
            label = node[-1] if node[0] in ("n", "a") else ""
            return self._apply_decoration(decoration, values, node, label, frame)
        if decorator[0] in ("f", "b", "o", "once", "c"):
            produced = self.call(site, decorator, [values], {}, frame)
            return tuple(v for v in produced if v[0] in ("f", "b", "p", "o", "off", "once", "mgr"))
        if decorator[0] == "x" and decorator[1] in self.catalogue.makers:
            made = self.call(site, decorator, [values], {}, frame)
            called = (self.catalogue.method(v[1], "__call__") for v in made if v[0] == "i")
            return made if any(spec is not None for spec in called) else UNKNOWN
        if decorator[0] == "x" and decorator[1].endswith("()"):  # `cached = lru_cache(9)`, then `@cached`
            return self.call(site, decorator, [values], {}, frame)
        if decorator[0] == "off":
            return tuple(("off", value, decorator[2]) for value in values)
        return UNKNOWN

    def _decoration(self, decorator: Any, node: Node, frame: Frame) -> Decoration | None:
        spec = self._decorating_spec(decorator)
        if spec is None:
            return None
        if spec.decorates is None and spec.runs and spec.runs[0].where in ("pool", "thread"):
            return Decoration(None, "", "offloaded") if "sync_to_async" in decorator[1] else None
        if spec.decorates is not None and spec.rule is None and (spec.only or spec.unless) and node is not None:
            args = [self.evaluate(argument, frame) for argument in node[3]]
            named = {key: self.evaluate(value, frame) for key, value in node[4]}
            while not self.applies(spec, args, named):
                if spec.otherwise is None:
                    return None
                spec = spec.otherwise
        return spec.decorates

    def _decorating_spec(self, decorator: Any) -> Spec | None:
        if decorator[0] == "x":
            return self.catalogue.function(decorator[1])
        if decorator[0] == "i":
            return self.catalogue.method(decorator[1], decorator[2] or "__call__")
        return None

    def _note_decorated(self, decorator: Any, values: Values) -> None:
        """Remember the interface that a decorator gives to a function (`task.delay`, `group.command`)."""
        spec = self._decorating_spec(decorator)
        made = spec.returns if spec is not None else None
        if made is None and decorator[0] == "i":
            made = self.catalogue.returned(decorator[1], decorator[2] or "__call__")
        if made is None and decorator[0] == "x" and decorator[1] in self.catalogue.makers:
            made = ("type", self.catalogue.makers[decorator[1]])
        if made is not None and made[0] == "type":
            for value in values:
                if value[0] == "f":
                    kind = self.catalogue.canonical(made[1])
                    self.facts[("decorated", value[1], value[2])] = (("i", kind, "", 0),)

    def _apply_decoration(self, decoration: Decoration, values: Values, node: Node, name: str, frame: Frame) -> Values:
        site = node[1] if node[0] in ("a", "c") else -1
        if decoration.label in ("validator", "serializer"):
            if frame.class_scope is not None:
                hooks = self.model_hooks.setdefault(frame.class_scope, {})
                for value in values:
                    if value[0] == "f":
                        hooks[(value[1], value[2])] = decoration.label
            return values
        if decoration.where is not None:
            label = _label(decoration.label, name, node, self._router_of(node, frame))
            self.register(frame, site, label)
            for value in values:
                if value[0] == "f" and self.world.function((value[1], value[2])).owner >= 0:
                    function = self.world.function((value[1], value[2]))
                    value = ("b", value, ("o", value[1], function.owner, 0))
                given: list[Values] = [(BRIDGED,)] * 8 if decoration.keeps_loop_bridge else []
                self.run_value(value, decoration.where, site, frame, given, {}, label)
                if decoration.label == "route":
                    self.serve_models(value, node, site, frame)
        return decorated_as(decoration, values)

    def waiting_decorators(self, decorators: list[Node], frame: Frame) -> None:
        """A decorator that itself waits (`@retry` sleeps between tries) does so whenever the function is called."""
        for node in decorators:
            if node is None or node[0] not in ("n", "a", "c"):
                continue
            callee = node[2] if node[0] == "c" else node
            for value in self.evaluate(callee, self.frame_of_definition(frame.variant.function)):
                if value[0] == "x":
                    spec = self.catalogue.function(value[1])
                    if spec is not None and spec.decorates is not None and spec.rule is not None:
                        scope = self.frame_of_definition(frame.variant.function)
                        args = [self.evaluate(part, scope) for part in node[3]] if node[0] == "c" else []
                        named = {k: self.evaluate(part, scope) for k, part in node[4]} if node[0] == "c" else {}
                        if not self.applies(spec, args, named):
                            continue
                        self.event(frame, node[1] if node[0] != "n" else -1, value[1], spec)

    def _router_of(self, node: Node, frame: Frame) -> Any:
        """Which router a route's decorator belongs to, where that is a module's name."""
        if node[0] != "c" or node[2] is None or node[2][0] != "a":
            return None
        return self.router_at(node[2][2], frame)

    def full_label(self, label: str) -> str:
        """A label with the prefixes of its router and of those that include it."""
        if "\0" not in label:
            return label
        verb, _, rest = label.partition(" ")
        parts = rest.split("\0")
        path = parts[-1]
        router: Any = ("items", parts[1], parts[2])  # None where it is included by one that has no name
        for _ in range(6):
            path = self.prefixes.get(router, "") + path
            if router not in self.included:
                break
            prefix, router = self.included[router]
            path = prefix + path
        return f"{verb} {path}"

    def serve_models(self, value: Value, node: Node, site: int, frame: Frame) -> None:
        """The validators and serializers that FastAPI runs for a route: on the loop, also for plain `def` routes;
        only the validation of a plain route's answer happens in its worker thread."""
        function_value = value[1] if value[0] == "b" else value
        if function_value[0] != "f":
            return
        ref = (function_value[1], function_value[2])
        function = self.world.function(ref)
        scope = self.frame_of_definition(ref)
        for param in function.params:
            # What a dependency gives is nothing that the request brings: it is handed on as it is
            if param.annotation is not None and not self.dependencies_of(param, scope):
                self._run_hooks(self.annotated(ref, param), "validator", LOOP, site, frame, set())
        answer = self.annotation(function.returns, scope)
        if node is not None and node[0] == "c":
            declared = next((value for key, value in node[4] if key == "response_model"), None)
            answer = self.annotation(declared, frame) or answer
        self._run_hooks(answer, "serializer", LOOP, site, frame, set())
        self._run_hooks(answer, "validator", LOOP if function.is_async else POOL, site, frame, set())

    def _run_hooks(
        self, values: Values, label: str, kind: str, site: int, frame: Frame, seen: set[tuple[str, int]]
    ) -> None:
        """The hooks of models, and of the models in their fields."""
        for value in values:
            if value[0] in ("l", "t", "d"):
                self._run_hooks(elements((value,)), label, kind, site, frame, seen)
                continue
            ref = (value[1], value[2]) if value[0] == "o" else None
            if ref is None or ref in seen:
                continue
            seen.add(ref)
            for above in self.order(ref):
                if isinstance(above, str):
                    continue
                self.define_hooks(above)
                for hook, what in self.model_hooks.get(above, {}).items():
                    if what == label:
                        target: Value = ("f", hook[0], hook[1], -1)
                        self.call_function(site, target, ("o", ref[0], ref[1], 0), [], {}, frame, 0, kind)
                bindings = self.world.class_bindings(above)
                for name, rows in bindings.items():
                    if rows[0][0] == "ann":
                        self._run_hooks(self.class_level(above, name, frame), label, kind, site, frame, seen)

    def define_hooks(self, ref: ClassRef) -> None:
        """Make sure that the module of a class has been run, so that its hooks are known."""
        self.run(self.module_variant(ref[0]))

    def framework_methods(self, ref: Any, site: int, frame: Frame) -> None:
        """Methods that a framework calls on subclasses of its classes (`BaseHTTPMiddleware.dispatch` …)."""
        bases = [above for above in self.order(ref) if isinstance(above, str)]
        if not bases:
            return
        for name in self.world.class_(ref).methods:
            for base in bases:
                entry = self.catalogue.entry(base, name)
                if entry is None:
                    continue
                where, label = entry
                if label == "middleware" and not self.world.refers_to(ref):
                    continue  # written, and never added to an application
                method = (ref[0], self.world.class_(ref).methods[name][-1])
                self.register(frame, site, label)
                for value in self.method_values(method, frame):
                    bound = ("b", value, ("o", ref[0], ref[1], 0))
                    self.run_value(bound, where, site, frame, [], {}, label)
                break


def _route_by_shape(node: Node) -> str | None:
    """`@anything.get("/path")`: a route, whatever `anything` is; None if it does not look like one."""
    callee = node[2]
    if callee is None or callee[0] != "a" or callee[3] not in _VERBS | {"api_route", "websocket", "websocket_route"}:
        return None
    first = node[3][0] if node[3] else next((value for key, value in node[4] if key == "path"), None)
    if (
        first is not None
        and first[0] == "k"
        and isinstance(first[1], str)
        and (first[1].startswith("/") or not first[1])
    ):
        return "route"
    return None


def _label(label: str, name: str, node: Node, router: Any) -> str:
    """What users call an entry point: "GET /items", "websocket /feed", or the catalogue's label."""
    if node[0] != "c":
        return label
    first = node[3][0] if node[3] else next((value for key, value in node[4] if key == "path"), None)
    path = first[1] if first is not None and first[0] == "k" and isinstance(first[1], str) else ""
    if label in ("route", "websocket"):
        verb = name.upper() if name in _VERBS else label
        where = f"\0{router[1]}\0{router[2]}\0" if router is not None else ""  # prefixes are known later
        return f"{verb} {where}{path}".strip()
    return label
