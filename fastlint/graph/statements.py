"""Statements run in order, branch by branch; functions become variants with edges and events. The outermost layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastlint.graph.calls import BRIDGED
from fastlint.graph.expressions import site_of
from fastlint.graph.narrowing import Narrowing, collect_calls
from fastlint.graph.state import CALL, LOOP, OFF_LOOP, ONCE, POOL, Frame, Variant
from fastlint.graph.values import NONE, UNKNOWN, Value, Values, elements, only_constant, shallow, union
from fastlint.graph.world import ClassRef, FunctionRef
from fastlint.rulebook.catalogue import Decoration, Spec
from fastlint.source.facts import Block, Node

_DEEPEST_CALLS = 70
_MOST_RUNS = 6
SERVER_SCRIPT = "starts the server"
_SERVES = frozenset({"run", "serve", "Server", "Config"})
_SERVERS = frozenset({"uvicorn", "hypercorn", "granian", "gunicorn"})
_FILLERS = frozenset({"append", "extend", "update", "add", "insert", "setdefault"})
_LOCKS = frozenset({"threading.Lock", "threading.RLock", "threading.Condition"})
_PLATFORM = frozenset({"sys.platform", "os.name", "platform.system"})
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})


class Interpreter(Narrowing):
    """Runs statements, functions and modules, until nothing grows any more."""

    # Functions

    def ensure(self, ref: FunctionRef) -> Variant:
        """See `State.ensure`."""
        function = self.world.function(ref)
        receiver: Values = UNKNOWN
        env = -1
        if function.owner >= 0 and not function.is_lambda:
            env = self._env_of_class(ref)
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
        variant = self._variant(ref, env, receiver, {})
        self.run(variant)
        return variant

    def run(self, variant: Variant) -> None:
        """See `Calls.run`."""
        if variant.runs or variant.running:
            return
        if self.depth > _DEEPEST_CALLS:
            self.waiting.append(variant)
            return
        self._run(variant)

    def _run(self, variant: Variant) -> None:
        variant.running = True
        variant.runs += 1
        variant.edges.clear()
        variant.events.clear()
        variant.unresolved.clear()
        self.depth += 1
        try:
            if variant.function[1] < 0:
                self._run_module(variant)
            else:
                self._run_function(variant)
        finally:
            self.depth -= 1
            variant.running = False

    def _run_function(self, variant: Variant) -> None:
        module, index = variant.function
        function = self.world.modules[module].facts.functions[index]
        owner = (module, function.owner) if function.owner >= 0 else None
        if owner is None and variant.env >= 0:  # a function nested in a method still knows its class
            outer = self.world.function(self.variants[variant.env].function)
            owner = (module, outer.owner) if outer.owner >= 0 else None
        frame = Frame(variant, module, {}, owner=owner)
        frame.env = {}
        params = function.params
        if variant.receiver and params and params[0].kind in ("p", "/"):
            self.assign_name(params[0].name, variant.receiver, frame)
            params = params[1:]
        for param in params:
            self.assign_name(param.name, self.param_values(variant, param, frame), frame)
        if not function.is_async:
            self._waiting_decorators(function.decorators, frame)
        self.block(function.body, frame)

    def _waiting_decorators(self, decorators: list[Node], frame: Frame) -> None:
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

    def _run_module(self, variant: Variant) -> None:
        name = variant.function[0]
        frame = Frame(variant, name, variant.names)
        self.block(self.world.modules[name].facts.body, frame)
        for known, values in variant.names.items():
            if ("global", name, known) in self.facts:
                self.widen(("global", name, known), tuple(value for value in values if value != NONE))

    def module_frame(self, module: str) -> Frame:
        """See `State.module_frame`."""
        variant = self._variant((module, -1), -1, UNKNOWN, {})
        return Frame(variant, module, {}, quiet=True)

    def module_variant(self, module: str) -> Variant:
        """The variant that is the body of a module."""
        return self._variant((module, -1), -1, UNKNOWN, {})

    def settle(self) -> None:
        """Run what waits, and run again what read something that has grown since; ends because values only grow."""
        while self.waiting or self.dirty:
            while self.waiting:
                variant = self.waiting.pop()
                if not variant.runs:
                    self._run(variant)
            dirty, self.dirty = list(self.dirty), {}
            for number in dirty:
                variant = self.variants[number]
                if variant.runs < _MOST_RUNS:
                    self._run(variant)

    # Decorators

    def function_values(self, module: str, index: int, env: int, frame: Frame | None) -> Values:
        """See `State.function_values`."""
        function = self.world.modules[module].facts.functions[index]
        plain: Values = (("f", module, index, env),)
        if not function.decorators:
            return plain
        key = ("defined", module, index, env)
        if key not in self.facts:
            self.facts[key] = plain  # a decorator that refers to its own function ends here
            scope = self.frame_of_definition((module, index))
            self.facts[key] = self.decorated(plain, function.decorators, scope) or plain
        return self.facts[key]

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
        site = node[1] if node[0] in ("a", "c") else -1
        for decorator in decorators:
            decoration = self._decoration(decorator, None, frame)
            if decoration is not None:
                self._note_decorated(decorator, values)
                values = self._apply_decoration(
                    decoration, values, node, node[-1] if node[0] in ("n", "a") else "", frame
                )
            elif decorator[0] in ("f", "b", "o", "once", "c"):
                produced = self.call(site, decorator, [values], {}, frame)
                callables = tuple(v for v in produced if v[0] in ("f", "b", "p", "o", "off", "once", "mgr"))
                values = callables or values
            elif decorator[0] == "x" and decorator[1] in self.catalogue.makers:
                made = self.call(site, decorator, [values], {}, frame)
                if any(v[0] == "i" and self.catalogue.method(v[1], "__call__") is not None for v in made):
                    values = made
            elif decorator[0] == "off":
                values = tuple(("off", value, decorator[2]) for value in values)
        return values

    def _decoration(self, decorator: Any, node: Node, frame: Frame) -> Decoration | None:
        spec = self._decorating_spec(decorator)
        if spec is None:
            return None
        if spec.decorates is None and spec.runs and spec.runs[0].where in ("pool", "thread"):
            return Decoration(None, "", "offloaded") if "sync_to_async" in decorator[1] else None
        if spec.decorates is not None and spec.rule is None and (spec.only or spec.unless) and node is not None:
            args = [self.evaluate(argument, frame) for argument in node[3]]
            if not self.applies(spec, args, {key: self.evaluate(value, frame) for key, value in node[4]}):
                return None
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
        becomes = decoration.becomes
        if becomes == "offloaded":
            return tuple(("off", value, "pool") for value in values)
        if becomes == "manager":
            return tuple(("mgr", value, False) for value in values)
        if becomes == "async_manager":
            return tuple(("mgr", value, True) for value in values)
        if becomes == "cached":
            return tuple(("once", value) for value in values)
        return values

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
        path, router = parts[-1], ("items", parts[1], parts[2])
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
            if param.annotation is not None:
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

    # Statements

    def block(self, statements: Block, frame: Frame) -> bool:
        """Run statements in order; False where the block never reaches its end."""
        saved = frame.flags
        alive = True
        for place, statement in enumerate(statements):
            frame.statement = statement[-1]
            if not _STATEMENTS[statement[0]](self, statement, frame):
                alive = False
                break
            if statement[0] == "if":
                frame.flags |= self._after_if(statement, statements[place + 1 :], frame)
            elif statement[0] == "try" and self._leaves_loop(statement, frame):
                frame.flags |= OFF_LOOP
        frame.flags = saved
        return alive

    def _expression_statement(self, statement: Any, frame: Frame) -> bool:
        self.evaluate(statement[1], frame)
        return True

    def _assignment(self, statement: Any, frame: Frame) -> bool:
        values = self.evaluate(statement[2], frame)
        for target in statement[1]:
            self.assign(target, values, frame)
        return True

    def _annotated_assignment(self, statement: Any, frame: Frame) -> bool:
        _, target, annotation, value, *_ = statement
        given = self.evaluate(value, frame) if value is not None else UNKNOWN
        declared = self.annotation(annotation, frame)
        useful = tuple(item for item in given if item[0] != "k")
        if value is None and frame.variant.function[1] >= 0 and target is not None and target[0] == "n":
            self.assign(target, declared, frame)
        else:
            self.assign(target, self.as_declared(useful, declared) or declared or given, frame)
        return True

    def _augmented(self, statement: Any, frame: Frame) -> bool:
        _, target, operator, value, *_ = statement
        right = self.evaluate(value, frame)
        left = self.evaluate(target, frame)
        for item in left:
            if item[0] == "o":
                self.implicit(item, f"__{operator}__", frame, site_of(target), [right])
        if target is not None and target[0] == "s":
            self.assign(target, union(left, right), frame)
        elif operator == "iadd" and target is not None:
            self.put_into(target, elements(right), frame)
        return True

    def _return(self, statement: Any, frame: Frame) -> bool:
        node = statement[1]
        values = self.evaluate(node, frame)
        if frame.variant.function[1] >= 0 and not frame.quiet:
            self.widen(("returns", frame.variant.number), shallow(values))
        return False

    def _raise(self, statement: Any, frame: Frame) -> bool:
        self.evaluate(statement[1], frame)
        return False

    def _assert(self, statement: Any, frame: Frame) -> bool:
        self.truth(self.evaluate(statement[1], frame), site_of(statement[1]), frame)
        self.narrow(statement[1], True, frame)
        self.evaluate(statement[2], frame)
        return True

    def _delete(self, statement: Any, frame: Frame) -> bool:
        for target in statement[1]:
            if target is not None and target[0] == "s":
                for base in self.evaluate(target[2], frame):
                    self.implicit(base, "__delitem__", frame, target[1], [UNKNOWN])
        return True

    def _leave(self, statement: Any, frame: Frame) -> bool:
        return False

    def _declare(self, statement: Any, frame: Frame) -> bool:
        frame.declared.update(statement[1])
        return True

    def _define(self, statement: Any, frame: Frame) -> bool:
        _, index, name, *_ = statement
        env = frame.variant.number if frame.variant.function[1] >= 0 else -1
        function = self.world.modules[frame.module].facts.functions[index]
        values: Values = (("f", frame.module, index, env),)
        for param in function.params:  # defaults are evaluated where the function is made
            if param.default is not None and param.default[0] != "k":
                self.evaluate(param.default, frame)
        if function.decorators:
            if env < 0 and frame.class_scope is None:
                self.facts.setdefault(("defined", frame.module, index, env), values)
            values = self.decorated(values, function.decorators, frame) or values
            self.facts[("defined", frame.module, index, env)] = values
        self.assign_name(name, values, frame)
        return True

    def _define_class(self, statement: Any, frame: Frame) -> bool:
        _, index, name, *_ = statement
        env = frame.variant.number if frame.variant.function[1] >= 0 else -1
        cls = self.world.modules[frame.module].facts.classes[index]
        ref = (frame.module, index)
        for node in cls.decorators:
            if node is not None:
                self.evaluate(node, frame)
        inner = Frame(frame.variant, frame.module, {}, class_scope=ref, owner=ref, flags=frame.flags, quiet=frame.quiet)
        outer_names = dict(frame.variant.names)
        self._class_body(cls.body, inner, frame)
        frame.variant.names.clear()
        frame.variant.names.update(outer_names)
        self.framework_methods(ref, cls.site, frame)
        for above in self.order(ref)[1:]:
            if isinstance(above, tuple) and "__init_subclass__" in self.world.class_(above).methods:
                hook = self.world.class_(above).methods["__init_subclass__"][-1]
                target: Value = ("f", above[0], hook, self._env_of_class((above[0], hook)))
                self.call_function(cls.site, target, ("c", frame.module, index, env), [], {}, frame, 0, CALL)
                break
        self.assign_name(name, (("c", frame.module, index, env),), frame)
        return True

    def _class_body(self, body: Block, inner: Frame, outer: Frame) -> None:
        for statement in body:
            if statement[0] == "def":
                function = self.world.modules[inner.module].facts.functions[statement[1]]
                if function.decorators:
                    env = outer.variant.number if outer.variant.function[1] >= 0 else -1
                    plain: Values = (("f", inner.module, statement[1], env),)
                    values = self.decorated(plain, function.decorators, inner) or plain
                    self.facts[("defined", inner.module, statement[1], env)] = values
            else:
                inner.statement = statement[-1]
                _STATEMENTS[statement[0]](self, statement, inner)

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
                method = (ref[0], self.world.class_(ref).methods[name][-1])
                self.register(frame, site, label)
                for value in self.method_values(method, frame):
                    bound = ("b", value, ("o", ref[0], ref[1], 0))
                    self.run_value(bound, where, site, frame, [], {}, label)
                break

    def _import(self, statement: Any, frame: Frame) -> bool:
        for bound, level, target, attribute in statement[1]:
            if bound == "*" or not bound:
                continue
            self.assign_name(bound, self.imported(frame.module, level, target, attribute, frame), frame)
        return True

    def _if(self, statement: Any, frame: Frame) -> bool:
        _, test, body, orelse, *_ = statement
        if _is_type_checking(test):
            for inner in body:
                if inner[0] == "imp":
                    self._import(inner, frame)
            return self.block(orelse, frame)
        if _is_main_guard(test):
            self._elsewhere(body, frame)
            return self.block(orelse, frame)
        values = self.evaluate(test, frame)
        self.truth(values, site_of(test), frame)
        constant = self._constant(test, values, frame)
        verdict = self.probe(test, frame)
        before, flags = frame.env, frame.flags
        frame.env = dict(before)
        frame.impossible = False
        self.narrow(test, True, frame)
        if frame.impossible:
            constant, frame.impossible = False, False
        if verdict == "off":
            frame.flags |= OFF_LOOP
        if _guards(test, True) and _assigns(body, _guards(test, True), frame, self.setters(test, frame)):
            frame.flags |= ONCE
        elif _misses_cache(test, body, True, frame):
            frame.flags |= ONCE
        first = constant is ... or bool(constant)
        alive_body = self.block(body, frame) if first else False
        after_body, frame.env, frame.flags = frame.env, dict(before), flags
        self.narrow(test, False, frame)
        if verdict == "on":
            frame.flags |= OFF_LOOP
        alive_else = self.block(orelse, frame) if constant is ... or not constant else False
        after_else, frame.flags = frame.env, flags
        if alive_body and alive_else:
            frame.env = _joined(after_body, after_else)
        elif alive_body:
            frame.env = after_body
        elif alive_else:
            frame.env = after_else
        else:
            frame.env = after_else
            return False
        if frame.variant.function[1] < 0 and frame.class_scope is None and before is frame.variant.names:
            before.update(frame.env)
            frame.env = before
        return True

    def _constant(self, test: Node, values: Values, frame: Frame) -> Any:
        """The outcome of a test that can have only one, else `Ellipsis`."""
        if test is None:
            return ...
        if test[0] == "k":
            return only_constant(values)
        if test[0] == "n":
            fixed = frame.variant.bindings.get(test[1])
            return only_constant(fixed) if fixed and isinstance(only_constant(fixed), bool) else ...
        if test[0] == "u" and test[1] == "not":
            inner = self._constant(test[2], UNKNOWN, frame) if test[2] is not None and test[2][0] == "n" else ...
            return not inner if inner is not ... else ...
        if test[0] == "bool":
            decisive = test[1] == "or"
            parts = [
                self._constant(part, UNKNOWN, frame) for part in test[2] if part is not None and part[0] in ("n", "u")
            ]
            return decisive if any(part is decisive for part in parts) or ["k", decisive] in test[2] else ...
        return self._platform(test, frame)

    def _platform(self, test: Node, frame: Frame) -> Any:
        """False for a test that asks for a desktop's operating system (servers run on Linux), else `Ellipsis`."""
        if test[0] == "cmp" and len(test[3]) == 1 and test[3][0][0] in ("eq", "ne"):
            right = test[3][0][1]
            if (
                right is not None
                and right[0] == "k"
                and right[1] in ("win32", "cygwin", "nt", "Windows", "darwin", "Darwin")
            ):
                asked = test[2][2] if test[2] is not None and test[2][0] == "c" else test[2]
                if any(value[0] == "x" and value[1] in _PLATFORM for value in self.evaluate(asked, frame)):
                    return test[3][0][0] == "ne"
        if test[0] == "c" and test[2] is not None and test[2][0] == "a" and test[2][3] == "startswith":
            prefix = test[3][0] if test[3] else None
            if prefix is not None and prefix[0] == "k" and prefix[1] in ("win", "win32", "darwin"):
                if any(value[0] == "x" and value[1] in _PLATFORM for value in self.evaluate(test[2][2], frame)):
                    return False
        return ...

    def setters(self, test: Node, frame: Frame) -> frozenset[str]:
        """The methods of the frame's class that assign the attribute a guard asks for."""
        place = _guards(test, True) or _guards(test, False)
        if place is None or place[0] != "a" or frame.owner is None:
            return frozenset()
        out: set[str] = set()
        for above in self.order(frame.owner):
            if isinstance(above, tuple):
                for index in self.world.class_(above).attribute_writers.get(place[3], ()):
                    if index >= 0 and (above[0], index) != frame.variant.function:
                        out.add(self.world.function((above[0], index)).name)
        return frozenset(out)

    def _elsewhere(self, body: Block, frame: Frame) -> None:
        """`if __name__ == "__main__":` is a script's own start, not the server's import."""
        script = self._variant((frame.module, -1), -2, UNKNOWN, {})
        script.runs = max(script.runs, 1)
        script.labels.setdefault(-1, "__main__")
        inner = Frame(script, frame.module, dict(frame.env), quiet=frame.quiet)
        self.block(body, inner)
        calls: list[Node] = []
        collect_calls(body, calls)
        for call in calls:
            if call[2] is not None and call[2][0] in ("n", "a") and call[2][-1] in _SERVES:
                for value in self.evaluate(call[2], Frame(script, frame.module, dict(inner.env), quiet=True)):
                    if value[0] == "x" and value[1].partition(".")[0] in _SERVERS:
                        script.labels[-1] = SERVER_SCRIPT

    def _after_if(self, statement: Any, rest: Block, frame: Frame) -> int:
        """What holds for the statements after an `if` whose body never falls through."""
        _, test, body, orelse, *_ = statement
        if orelse or not body or not _terminates(body):
            return 0
        flags = 0
        if self.probe(test, frame) == "on":
            flags |= OFF_LOOP
        guarded = _guards(test, False)
        if (guarded and _assigns(rest, guarded, frame, self.setters(test, frame))) or _misses_cache(
            test, rest, False, frame
        ):
            flags |= ONCE
        return flags

    def _while(self, statement: Any, frame: Frame) -> bool:
        _, _, test, body, orelse, *_ = statement
        self.truth(self.evaluate(test, frame), site_of(test), frame)
        before = frame.env
        frame.env = dict(before)
        self.narrow(test, True, frame)
        self.block(body, frame)
        after = frame.env
        forever = test is not None and test[0] == "k" and bool(test[1]) and not _breaks(body)
        frame.env = after if forever else _joined(after, before)
        self._keep_module_env(before, frame)
        self.block(orelse, frame)
        return not forever

    def _keep_module_env(self, before: dict[str, Values], frame: Frame) -> None:
        if before is frame.variant.names:
            before.update(frame.env)
            frame.env = before

    def _for(self, statement: Any, frame: Frame) -> bool:
        _, site, target, iterable, body, orelse, is_async, *_ = statement
        values = self.evaluate(iterable, frame)
        items = self._iterate_async(values, site, frame) if is_async else self.iterate(values, site, frame)
        before = frame.env
        frame.env = dict(before)
        self.assign(target, items, frame)
        self.block(body, frame)
        frame.env = _joined(frame.env, before)
        self._keep_module_env(before, frame)
        self.block(orelse, frame)
        return True

    def _iterate_async(self, values: Values, site: int, frame: Frame) -> Values:
        out = elements(values)
        for value in values:
            if value[0] == "o":
                iterator = self.implicit(value, "__aiter__", frame, site, [])
                out = union(out, elements(iterator))
                for inner in iterator:
                    if inner[0] == "o":
                        out = union(out, self.settled(self.implicit(inner, "__anext__", frame, site, [])))
            elif value[0] == "i" and not value[2]:
                item = self.catalogue.item(value[1])
                if item is not None:
                    out = union(out, self.typed(item, value, [], {}, UNKNOWN, frame))
        return out

    def _with(self, statement: Any, frame: Frame) -> bool:
        _, items, body, is_async, *_ = statement
        suppresses = False
        held = frame.locks
        for site, expression, target in items:
            values = self.evaluate(expression, frame)
            suppresses = suppresses or any(v[0] == "i" and v[1] == "contextlib.suppress" for v in values)
            lock = None if is_async else self.lock_at(expression, values, frame)
            self.entering = lock
            bound = self.enter(values, site, frame, is_async)
            self.entering = None
            if lock is not None:
                frame.locks = (*frame.locks, lock)
            if target is not None:
                self.assign(target, bound, frame)
        alive = self.block(body, frame)
        frame.locks = held
        return alive or suppresses

    def lock_at(self, node: Node, values: Values, frame: Frame) -> Any:
        """Which lock an expression means: a module's name, or a class's attribute; None if no thread's lock."""
        if node is None or not any(value[0] == "i" and value[1] in _LOCKS for value in values):
            return None
        if node[0] == "n":
            home = self._home_of_global(node[1], frame) if node[1] not in frame.env else None
            return ("lock", *home[1:]) if home is not None else None
        if node[0] == "a":
            for base in self.evaluate(node[2], frame):
                if base[0] in ("o", "c"):
                    return ("lock", base[1], base[2], node[3])
                if base[0] == "m":
                    return ("lock", base[1], node[3])
        return None

    def _try(self, statement: Any, frame: Frame) -> bool:
        _, body, handlers, orelse, final, *_ = statement
        probing = self.asks_for_loop(body, frame) and any(_catches_runtime_error(kind) for kind, _, _ in handlers)
        before = frame.env
        frame.env = dict(before)
        alive = self.block(body, frame)
        if probing:
            for inner in body:
                if inner[0] == "=":
                    frame.probes.update(target[1] for target in inner[1] if target is not None and target[0] == "n")
        if alive:
            alive = self.block(orelse, frame)
        after = frame.env
        joined = after if alive else None
        flags = frame.flags
        for kind, name, handler in handlers:
            self.evaluate(kind, frame)
            frame.env = _joined(dict(before), after)
            if name is not None:
                frame.env[name] = UNKNOWN
            if probing and _catches_runtime_error(kind):
                frame.flags = flags | OFF_LOOP
            if self.block(handler, frame):
                joined = frame.env if joined is None else _joined(joined, frame.env)
            frame.flags = flags
        frame.env = joined if joined is not None else _joined(dict(before), after)
        self._keep_module_env(before, frame)
        ends = self.block(final, frame)
        return ends and joined is not None

    def _leaves_loop(self, statement: Any, frame: Frame) -> bool:
        """A probing `try` that returns where there is a loop: what follows runs only where there is none."""
        _, body, handlers, orelse, *_ = statement
        if not self.asks_for_loop(body, frame):
            return False
        return _terminates([*body, *orelse]) and any(
            _catches_runtime_error(kind) and not _terminates(handler) for kind, _, handler in handlers
        )

    def _match(self, statement: Any, frame: Frame) -> bool:
        _, subject, cases, *_ = statement
        self.evaluate(subject, frame)
        before = frame.env
        joined = dict(before)
        for guard, body in cases:
            frame.env = dict(before)
            self.evaluate(guard, frame)
            if self.block(body, frame):
                joined = _joined(joined, frame.env)
        frame.env = joined
        self._keep_module_env(before, frame)
        return True


def _joined(left: dict[str, Values], right: dict[str, Values]) -> dict[str, Values]:
    """What names may be after two branches."""
    out = dict(left)
    for name, values in right.items():
        known = out.get(name)
        if known is None:
            out[name] = values
        elif known is not values:
            out[name] = union(known, values)
    return out


def _terminates(block: Block) -> bool:
    """Whether a block certainly ends in return, raise, break or continue."""
    for statement in block:
        tag = statement[0]
        if tag in ("ret", "raise", "break", "continue"):
            return True
        if tag == "if" and statement[3] and _terminates(statement[2]) and _terminates(statement[3]):
            return True
        if tag == "with" and _terminates(statement[2]):
            return True
    return False


def _breaks(block: Block) -> bool:
    """Whether a loop body can leave its loop by `break`."""
    for statement in block:
        tag = statement[0]
        if tag == "break":
            return True
        if tag == "if" and (_breaks(statement[2]) or _breaks(statement[3])):
            return True
        if tag == "with" and _breaks(statement[2]):
            return True
        if tag == "try" and (
            _breaks(statement[1])
            or any(_breaks(handler[2]) for handler in statement[2])
            or _breaks(statement[3])
            or _breaks(statement[4])
        ):
            return True
        if tag == "match" and any(_breaks(case[1]) for case in statement[2]):
            return True
    return False


def _is_type_checking(test: Node) -> bool:
    return test is not None and test[0] in ("n", "a") and test[-1] == "TYPE_CHECKING"


def _is_main_guard(test: Node) -> bool:
    return (
        test is not None
        and test[0] == "cmp"
        and test[2] == ["n", "__name__"]
        and len(test[3]) == 1
        and test[3][0][1] == ["k", "__main__"]
    )


def _catches_runtime_error(kind: Node) -> bool:
    if kind is None:
        return True
    if kind[0] == "t":
        return any(_catches_runtime_error(part) for part in kind[1])
    return kind[0] in ("n", "a") and kind[-1] in (
        "RuntimeError",
        "Exception",
        "BaseException",
        "AsyncLibraryNotFoundError",
        "NoEventLoopError",
    )


def _guards(test: Node, absent: bool) -> Node:
    """The name or attribute that a test asks to be absent (`x is None`, `not x`) or present, or None."""
    if test is None:
        return None
    if test[0] == "u" and test[1] == "not":
        return _guards(test[2], not absent)
    if test[0] == "cmp" and len(test[3]) == 1 and test[3][0][1] == ["k", None]:
        asks_absent = test[3][0][0] in ("is", "eq")
        return _place(test[2]) if asks_absent == absent else None
    if not absent:
        if test[0] == "c" and test[2] == ["n", "hasattr"] and len(test[3]) == 2 and test[3][1] and test[3][1][0] == "k":
            return ["a", -1, test[3][0], test[3][1][1]]
        return _place(test)
    return None


def _misses_cache(test: Node, block: Block, absent: bool, frame: Frame) -> bool:
    """Whether a block runs once a key: `if k not in cache: cache[k] = …`, or `x = cache.get(k)`, `if not x:` …"""
    if test is None:
        return False
    if test[0] == "cmp" and len(test[3]) == 1 and test[3][0][0] == ("not in" if absent else "in"):
        cache = _place(test[3][0][1])
        return cache is not None and _outlives(cache, frame) and _stores(block, cache, None, frame)
    missing = _guards(test, absent)
    return missing is not None and missing[0] == "n" and _stores(block, None, missing[1], frame)


def _stores(block: Block, cache: Node, name: str | None, frame: Frame) -> bool:
    """Whether a block puts something (the value of a name) under a key of a cache that outlives the call."""
    for statement in block:
        tag = statement[0]
        if tag == "=":
            for target in statement[1]:
                if target is None or target[0] != "s" or not _place(target[2]):
                    continue
                if cache is not None and _same(target[2], cache):
                    return True
                if name is not None and statement[2] == ["n", name] and _outlives(target[2], frame):
                    return True
        elif tag == "if" and (_stores(statement[2], cache, name, frame) or _stores(statement[3], cache, name, frame)):
            return True
        elif tag in ("with", "try") and _stores(statement[2 if tag == "with" else 1], cache, name, frame):
            return True
    return False


def _outlives(place: Node, frame: Frame) -> bool:
    """Whether a container is more than a local of this call."""
    return bool(place[0] == "a" or place[1] in frame.declared or place[1] not in frame.env)


def _place(node: Node) -> Node:
    return node if node is not None and node[0] in ("n", "a") else None


def _assigns(block: Block, place: Node, frame: Frame, setters: frozenset[str] = frozenset()) -> bool:
    """Whether a block assigns a place that outlives the call: a declared global, or an attribute."""
    outlives = place[0] != "n" or place[1] in frame.declared
    for statement in block:
        tag = statement[0]
        if setters and _calls_one_of(statement, setters):
            return True
        if _fills(statement, place) and (outlives or place[1] not in frame.env):
            return True
        if not outlives:
            continue
        if tag == "=" and any(_same(target, place) for target in statement[1]):
            return True
        if tag == ":" and _same(statement[1], place):
            return True
        if tag == "with" and _assigns(statement[2], place, frame, setters):
            return True
        if tag == "if" and (
            _assigns(statement[2], place, frame, setters) or _assigns(statement[3], place, frame, setters)
        ):
            return True
        if tag == "try" and (
            _assigns(statement[1], place, frame, setters) or _assigns(statement[3], place, frame, setters)
        ):
            return True
    return False


def _calls_one_of(statement: Any, setters: frozenset[str]) -> bool:
    """Whether a statement calls (or awaits) one of these methods of `self`."""
    node = statement[1] if statement[0] == "e" else statement[2] if statement[0] == "=" else None
    if node is not None and node[0] == "w":
        node = node[2]
    return (
        node is not None
        and node[0] == "c"
        and node[2] is not None
        and node[2][0] == "a"
        and node[2][3] in setters
        and node[2][2] is not None
        and node[2][2][0] == "n"
    )


def _fills(statement: Any, place: Node) -> bool:
    """Whether a statement puts something into the container at a place (`x.extend(…)`, `x[k] = v`)."""
    if statement[0] == "e" and statement[1][0] == "c":
        callee = statement[1][2]
        return callee is not None and callee[0] == "a" and callee[3] in _FILLERS and _same(callee[2], place)
    return statement[0] == "=" and any(
        target is not None and target[0] == "s" and _same(target[2], place) for target in statement[1]
    )


def _same(left: Node, right: Node) -> bool:
    """Whether two nodes name the same place (their sites differ)."""
    if left is None or right is None or left[0] != right[0]:
        return False
    if left[0] == "n":
        return bool(left[1] == right[1])
    if left[0] == "a":
        return bool(left[3] == right[3]) and _same(left[2], right[2])
    return False


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


_STATEMENTS: dict[str, Callable[[Any, Any, Frame], bool]] = {
    "e": Interpreter._expression_statement,
    "=": Interpreter._assignment,
    ":": Interpreter._annotated_assignment,
    "+=": Interpreter._augmented,
    "ret": Interpreter._return,
    "raise": Interpreter._raise,
    "assert": Interpreter._assert,
    "del": Interpreter._delete,
    "break": Interpreter._leave,
    "continue": Interpreter._leave,
    "global": Interpreter._declare,
    "def": Interpreter._define,
    "class": Interpreter._define_class,
    "imp": Interpreter._import,
    "if": Interpreter._if,
    "while": Interpreter._while,
    "for": Interpreter._for,
    "with": Interpreter._with,
    "try": Interpreter._try,
    "match": Interpreter._match,
}
