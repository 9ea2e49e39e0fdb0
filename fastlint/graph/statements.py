"""Statements run in order, branch by branch; functions become variants with edges and events. The outermost layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastlint.graph.awaits import awaited_later, hands_over_awaited, waits_for_child
from fastlint.graph.definitions import Definitions
from fastlint.graph.expressions import site_of
from fastlint.graph.gathered import compared_count, count_key, first_called
from fastlint.graph.guards import (
    assigns,
    breaks,
    catches,
    catches_runtime_error,
    guarded_place,
    is_main_guard,
    is_type_checking,
    methods_called,
    misses_cache,
    misses_file,
    misses_in_try,
    parts_asked,
    statements_of,
    terminates,
)
from fastlint.graph.state import CALL, OFF_LOOP, ONCE, Definition, Frame, Variant
from fastlint.graph.taken import asked_keyword
from fastlint.graph.values import NONE, UNKNOWN, Value, Values, elements, mixed, only_constant, shallow, union
from fastlint.graph.variants import alternatives, is_switch, stays
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Block, Node

_DEEPEST_CALLS = 70
_MOST_RUNS = 6
_SAME = ("is", "eq", "in")
_OTHER = ("is not", "ne", "not in")
_CALLABLE = frozenset({"f", "b", "p", "c", "x", "once", "off", "mgr"})
_LOCKS = frozenset({"threading.Lock", "threading.RLock", "threading.Condition"})
_OF_LOCKS = frozenset({"acquire", "release", "wait", "wait_for"})
_PLATFORM = frozenset({"sys.platform", "os.name", "platform.system"})


class Interpreter(Definitions):
    """Runs statements, functions and modules, until nothing grows any more."""

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
        variant.records.clear()
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
            self.waiting_decorators(function.decorators, frame)
        self.block(function.body, frame)

    def _run_module(self, variant: Variant) -> None:
        name = variant.function[0]
        frame = Frame(variant, name, variant.names)
        self.block(self.world.modules[name].facts.body, frame)
        for known, values in variant.names.items():
            if ("global", name, known) in self.facts:
                self.widen(("global", name, known), tuple(value for value in values if value != NONE))

    def settle(self) -> None:
        """Run what waits, and run again what read something that has grown since; ends because values only grow."""
        while self.waiting or self.dirty or self.undecorated:
            while self.waiting:
                variant = self.waiting.pop()
                if not variant.runs:
                    self._run(variant)
            self.decorate_again()
            dirty, self.dirty = list(self.dirty), {}
            for number in dirty:
                variant = self.variants[number]
                self.dirty.pop(number, None)  # it sees all that has grown until now
                if variant.runs < _MOST_RUNS:
                    self._run(variant)

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
            elif statement[0] == "with":
                frame.flags |= self._after_with(statement[2], statements[place + 1 :], frame)
            elif statement[0] == "try" and self._leaves_loop(statement, frame):
                frame.flags |= OFF_LOOP
        frame.flags = saved
        return alive

    def _expression_statement(self, statement: Any, frame: Frame) -> bool:
        self.evaluate(statement[1], frame)
        self.narrow_by_call(statement[1], frame)
        return True

    def _assignment(self, statement: Any, frame: Frame) -> bool:
        node = statement[2]
        later = node is not None and node[0] == "c" and node[1] in self._awaited_later(frame.variant.function)
        values = self.evaluate_call(node, frame, True) if later else self.evaluate(node, frame)
        for target in statement[1]:
            self.assign(target, values, frame)
        self.keep_answer(statement[1], node, frame)
        return True

    def _awaited_later(self, ref: FunctionRef) -> frozenset[int]:
        """The sites of the calls in a function whose results get names and are awaited then; kept for each."""
        known = self.later.get(ref)
        if known is None:
            function = self.world.function(ref) if ref[1] >= 0 else None
            known = awaited_later(function.body) if function is not None and function.is_async else frozenset()
            self.later[ref] = known
        return known

    def _annotated_assignment(self, statement: Any, frame: Frame) -> bool:
        _, target, annotation, value, *_ = statement
        given = self.evaluate(value, frame) if value is not None else UNKNOWN
        declared = self.annotation(annotation, frame)
        useful = tuple(item for item in given if item[0] != "k")
        if value is None and frame.variant.function[1] >= 0 and target is not None and target[0] == "n":
            self.assign(target, declared, frame)
        else:
            self.assign(target, self.as_declared(useful, declared) or declared or given, frame)
            self.keep_answer([target], value, frame)
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
        variant = frame.variant
        if variant.function[1] >= 0 and not frame.quiet:
            key = ("returns", variant.number)
            variant.vague = variant.vague or (node is not None and not values)
            self.widen(
                key, shallow(mixed([values, self.facts.get(key, UNKNOWN), UNKNOWN]) if variant.vague else values)
            )
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
            key: Definition = ("defined", frame.module, index, env)
            if env < 0 and frame.class_scope is None:
                self.facts.setdefault(key, values)
            values = self.facts[key] = self.decorate(key, frame)
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
                target: Value = ("f", above[0], hook, self.env_of_class((above[0], hook)))
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
                    key: Definition = ("defined", inner.module, statement[1], env)
                    self.facts[key] = self.decorate(key, inner)
            else:
                inner.statement = statement[-1]
                _STATEMENTS[statement[0]](self, statement, inner)

    def _import(self, statement: Any, frame: Frame) -> bool:
        for bound, level, target, attribute in statement[1]:
            if bound == "*" or not bound:
                continue
            if attribute is not None and frame.variant.function[1] >= 0:
                frame.imports[bound] = (level, target, attribute)
            self.assign_name(bound, self.imported(frame.module, level, target, attribute, frame), frame)
        return True

    def _if(self, statement: Any, frame: Frame) -> bool:
        _, test, body, orelse, *_ = statement
        if is_type_checking(test):
            for inner in body:
                if inner[0] == "imp":
                    self._import(inner, frame)
            return self.block(orelse, frame)
        if is_main_guard(test):
            self._elsewhere(body, frame)
            return self.block(orelse, frame)
        values = self.evaluate(test, frame)
        self.truth(values, site_of(test), frame)
        constant = self.outcome(test, values, frame)
        verdict = self.probe(test, frame)
        before, flags = frame.env, frame.flags
        frame.env = dict(before)
        frame.impossible = False
        self.narrow(test, True, frame)
        if frame.impossible:
            constant, frame.impossible = False, False
        if verdict == "off":
            frame.flags |= OFF_LOOP
        if self._fills(test, body, True, frame) or misses_file(test, body, True):
            frame.flags |= ONCE
        first = constant is ... or bool(constant)
        alive_body = self.block(body, frame) if first else False
        after_body, frame.env, frame.flags = frame.env, dict(before), flags
        self.narrow(test, False, frame)
        if frame.impossible:
            constant, frame.impossible = True, False
        if verdict == "on":
            frame.flags |= OFF_LOOP
        if self._fills(test, orelse, False, frame) or misses_file(test, orelse, False):
            frame.flags |= ONCE
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

    def outcome(self, test: Node, values: Values, frame: Frame) -> Any:
        """See `Expressions.outcome`."""
        if test is None:
            return ...
        if test[0] == "k":
            return only_constant(values)
        if test[0] == "n":
            fixed = self._fixed(test[1], frame)
            if fixed is ... and test[1] not in frame.env:
                fixed = self._module_constant(test[1], frame)
            elif fixed is ...:
                fixed = self._count(test[1], frame)
            return bool(fixed) if fixed is not ... else ...
        if (asked := asked_keyword(test)) is not None:
            fixed = self._fixed(asked, frame)
            return bool(fixed) if fixed is not ... else ...
        if (called := first_called(test)) is not None:
            return self._first_is_callable(called, test, frame)
        if (compared := compared_count(test)) is not None:
            name, compare, number = compared
            count = self._count(name, frame)
            return compare(count, number) if count is not ... else ...
        if test[0] == "cmp" and len(test[3]) == 1 and test[2] is not None and test[2][0] in ("n", "c"):
            outcome = self._compared(test, frame)
            if outcome is not ...:
                return outcome
        if test[0] == "u" and test[1] == "not":
            if test[2] is not None and test[2][0] == "k":
                return not test[2][1]
            inner = self.outcome(test[2], UNKNOWN, frame)
            return not inner if inner is not ... else ...
        if test[0] == "bool":
            decisive = test[1] == "or"
            parts = [... if part is None or part[0] == "k" else self.outcome(part, UNKNOWN, frame) for part in test[2]]
            if any(part is decisive for part in parts) or ["k", decisive] in test[2]:
                return decisive
            return ... if ... in parts else not decisive
        return self._platform(test, frame)

    def _compared(self, test: Node, frame: Frame) -> Any:
        """How a parameter that certainly is one constant compares with others, else `Ellipsis`."""
        operator, right = test[3][0]
        name = test[2][1] if test[2][0] == "n" else asked_keyword(test[2])
        fixed = self._fixed(name, frame) if name is not None else ...
        if fixed is ... or right is None or (operator not in _SAME and operator not in _OTHER):
            return ...
        parts = alternatives(right) if operator in ("in", "not in") else [right]
        others = [self.fixed_value(part, frame) for part in parts]
        if (operator in ("in", "not in") and parts == [right]) or ... in others:
            return ...
        return (fixed in others) == (operator in _SAME)

    def _module_constant(self, name: str, frame: Frame) -> Any:
        """True or False for a module's `NAME = True` that nothing ever binds again, else `Ellipsis`."""
        facts = self.world.modules[frame.module]
        bindings = facts.bindings.get(name, ())
        if len(bindings) != 1 or bindings[0][0] != "expr" or name in facts.facts.rebinders or not name.isupper():
            return ...
        node = bindings[0][1]
        return node[1] if node is not None and node[0] == "k" and isinstance(node[1], bool) else ...

    def _fixed(self, name: str, frame: Frame) -> Any:
        """The constant that a parameter certainly is in this variant, else `Ellipsis`."""
        bound = frame.variant.bindings.get(name, UNKNOWN)
        switches = self.switches(frame.variant.function) if bound else {}  # a module's own code has none
        if name not in switches or not is_switch(bound) or not stays(switches[name], bound):
            return ...
        return only_constant(bound)

    def _count(self, name: str, frame: Frame) -> Any:
        """How many arguments a parameter certainly gathered in this variant, else `Ellipsis`."""
        return only_constant(frame.variant.bindings.get(count_key(name), UNKNOWN))

    def _first_is_callable(self, name: str, test: Node, frame: Frame) -> Any:
        """Whether the first of the arguments that a parameter gathered can be called, else `Ellipsis`."""
        count = self._count(name, frame)
        if count is ... or count == 0:
            return ... if count is ... else False
        can = {value[0] in _CALLABLE for value in self.evaluate(test[3][0], frame)}
        return can.pop() if len(can) == 1 else ...

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

    def _fills(self, test: Node, block: Block, outcome: bool, frame: Frame) -> bool:
        """Whether a block that runs where a test came out so fills what that found empty: `if k in cache: … else:
        cache[k] = …`, `if x is None or anew: x = …` where nobody certainly wants it anew."""
        for part in parts_asked(test, outcome):
            place = guarded_place(part, outcome)
            filled = place and assigns(block, place, frame, self.setters(part, frame))
            if place is not None and place[0] == "n" and not filled:
                kept = self._taken_from(place[1], frame)
                filled = kept and assigns(block, kept, frame)
            if (filled or misses_cache(part, block, outcome, frame)) and not self._wanted_anew(
                test, part, outcome, frame
            ):
                return True
        return False

    def _taken_from(self, name: str, frame: Frame) -> Node:
        """The attribute or the other name whose value a local name has at first: `found = self.model`."""
        function = frame.variant.function
        if function[1] < 0 or name not in frame.env:
            return None
        known = self.first_values.get(function)
        if known is None:
            known = self.first_values[function] = {}
            for statement in statements_of(self.world.function(function).body):
                for target in statement[1] if statement[0] == "=" else ():
                    if target is not None and target[0] == "n":
                        known.setdefault(target[1], statement[2])
        value = known.get(name)
        return value if value is not None and value[0] in ("n", "a") else None

    def _wanted_anew(self, test: Node, part: Node, outcome: bool, frame: Frame) -> bool:
        """Whether the switches beside a part of a test alone decide that it comes out so."""
        return (
            test is not part
            and (test[1] == "or") is outcome
            and any(self.outcome(other, UNKNOWN, frame) is outcome for other in test[2] if other is not part)
        )

    def setters(self, test: Node, frame: Frame) -> frozenset[str]:
        """The methods of the frame's class that assign the attribute a guard asks for."""
        place = guarded_place(test, True) or guarded_place(test, False)
        if place is not None and place[0] == "n":
            facts = self.world.modules[frame.module].facts
            here = frame.variant.function[1]
            return frozenset(
                facts.functions[index].name for index in facts.rebinders.get(place[1], ()) if index not in (-1, here)
            )
        if place is None or frame.owner is None:
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
        script = self.variant_of((frame.module, -1), -2, UNKNOWN, {})
        script.runs = max(script.runs, 1)
        script.labels.setdefault(-1, "__main__")
        inner = Frame(script, frame.module, dict(frame.env), quiet=frame.quiet)
        self.block(body, inner)

    def _after_if(self, statement: Any, rest: Block, frame: Frame) -> int:
        """What holds for the statements after an `if` whose body never falls through."""
        _, test, body, orelse, *_ = statement
        if orelse or not body or not terminates(body):
            return 0
        flags = 0
        if self.probe(test, frame) == "on":
            flags |= OFF_LOOP
        if self._fills(test, rest, False, frame):
            flags |= ONCE
        elif body[-1][0] == "ret" and misses_file(test, rest, False):
            flags |= ONCE
        return flags

    def _after_with(self, body: Block, rest: Block, frame: Frame) -> int:
        """The same for the statements after a `with` in which there is such an `if`: a lock is held to look only."""
        flags = 0
        for place, inner in enumerate(body):
            if inner[0] == "if":
                flags |= self._after_if(inner, [*body[place + 1 :], *rest], frame)
            elif inner[0] == "with":
                flags |= self._after_with(inner[2], [*body[place + 1 :], *rest], frame)
        return flags

    def _while(self, statement: Any, frame: Frame) -> bool:
        _, _, test, body, orelse, *_ = statement
        self.truth(self.evaluate(test, frame), site_of(test), frame)
        before = frame.env
        frame.env = dict(before)
        self.narrow(test, True, frame)
        self.block(body, frame)
        after = frame.env
        forever = test is not None and test[0] == "k" and bool(test[1]) and not breaks(body)
        frame.env = after if forever else _joined(after, before)
        if not forever and not breaks(body):
            self.narrow(test, False, frame)
        self._keep_module_env(before, frame)
        self.block(orelse, frame)
        return not forever

    def _keep_module_env(self, before: dict[str, Values], frame: Frame) -> None:
        if before is frame.variant.names:
            before.update(frame.env)
            frame.env = before

    def _for(self, statement: Any, frame: Frame) -> bool:
        _, site, target, iterable, body, orelse, is_async, *_ = statement
        if is_async:
            items = self.iterate_async(self.asynchronously(iterable, frame), site, frame)
        else:
            items = self.iterate(self.evaluate(iterable, frame), site, frame)
        before = frame.env
        frame.env = dict(before)
        self.assign(target, items, frame)
        self.block(body, frame)
        frame.env = _joined(frame.env, before)
        self._keep_module_env(before, frame)
        self.block(orelse, frame)
        return True

    def _with(self, statement: Any, frame: Frame) -> bool:
        _, items, body, is_async, *_ = statement
        suppresses = False
        held = frame.locks
        for site, expression, target in items:
            values = self.asynchronously(expression, frame) if is_async else self.evaluate(expression, frame)
            suppresses = suppresses or any(v[0] == "i" and v[1] == "contextlib.suppress" for v in values)
            lock = None if is_async else self.lock_at(expression, values, frame)
            self.entering = lock
            bound = self.enter(values, site, frame, is_async, partial(self._is_left_idle, body, target, frame))
            self.entering = None
            if lock is not None:
                frame.locks = (*frame.locks, lock)
            if target is not None:
                self.assign(target, bound, frame)
        alive = self.block(body, frame)
        frame.locks = held
        return alive or suppresses

    def _is_left_idle(self, body: Block, target: Node, frame: Frame) -> bool:
        """Whether all that a block gives to the executor of this name is awaited, or the block, or a function in it,
        waits for the child process of this name: nothing is left at its end."""
        if target is None or target[0] != "n":
            return False
        name = target[1]
        if hands_over_awaited(body, name):
            return True
        functions = self.world.modules[frame.module].facts.functions
        inner = [functions[each[1]].body for each in statements_of(body) if each[0] == "def"]
        return any(waits_for_child(block, name) for block in (body, *inner))

    def evaluate_call(self, node: Node, frame: Frame, awaited: bool) -> Values:
        """See `Expressions.evaluate_call`; from `lock.acquire()` on the lock is held, until `lock.release()`."""
        callee = node[2]
        if callee is None or callee[0] != "a" or callee[3] not in _OF_LOCKS:
            return super().evaluate_call(node, frame, awaited)
        lock = self.lock_at(callee[2], self.evaluate(callee[2], frame), frame)
        before, self.asked = self.asked, (frame.variant.number, node[1], lock)
        out = super().evaluate_call(node, frame, awaited)
        self.asked = before
        if lock is not None and callee[3] == "acquire" and lock not in frame.locks:
            frame.locks = (*frame.locks, lock)
        elif callee[3] == "release":
            frame.locks = tuple(each for each in frame.locks if each != lock)
        return out

    def lock_at(self, node: Node, values: Values, frame: Frame) -> Any:
        """Which lock an expression means: a module's name, or a class's attribute; None if no thread's lock."""
        if node is None or not any(value[0] == "i" and value[1] in _LOCKS for value in values):
            return None
        if node[0] == "n":
            home = self.home_of_global(node[1], frame) if node[1] not in frame.env else None
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
        probing = self.asks_for_loop(body, frame) and any(catches_runtime_error(kind) for kind, _, _ in handlers)
        before = frame.env
        frame.env = dict(before)
        would_raise, frame.would_raise = (
            frame.would_raise,
            frame.would_raise or any(catches(kind, "BlockingIOError") for kind, _, _ in handlers),
        )
        alive = self.block(body, frame)
        frame.would_raise = would_raise
        if probing:
            for inner in body:
                if inner[0] == "=":
                    names = (target[1] for target in inner[1] if target is not None and target[0] == "n")
                    frame.probes.update(dict.fromkeys(names, "on"))
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
            if probing and catches_runtime_error(kind):
                frame.flags = flags | OFF_LOOP
            elif misses_in_try(body, kind, handler, frame):
                frame.flags = flags | ONCE
            tried = frame.tried
            # Of several exceptions another one may have brought it here
            if kind is not None and kind[-1] == "NotImplementedError":
                frame.tried = tuple(methods_called(body))
            if self.block(handler, frame):
                joined = frame.env if joined is None else _joined(joined, frame.env)
            frame.flags, frame.tried = flags, tried
        frame.env = joined if joined is not None else _joined(dict(before), after)
        self._keep_module_env(before, frame)
        ends = self.block(final, frame)
        return ends and joined is not None

    def _leaves_loop(self, statement: Any, frame: Frame) -> bool:
        """A probing `try` that returns where there is a loop: what follows runs only where there is none."""
        _, body, handlers, orelse, *_ = statement
        if not self.asks_for_loop(body, frame):
            return False
        return terminates([*body, *orelse]) and any(
            catches_runtime_error(kind) and not terminates(handler) for kind, _, handler in handlers
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
    out = left.copy()
    if left.keys() != right.keys():
        for name in left:
            if name[:1] == "." and name != ".0" and name not in right:
                del out[name]
    for name, values in right.items():
        known = left.get(name)
        if known is values:
            continue
        if known is not None:
            out[name] = mixed([known, values])
        elif name[:1] != "." or name == ".0":
            out[name] = values
    return out


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
