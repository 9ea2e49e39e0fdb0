"""What a test tells about names and about the loop: isinstance, coroutine checks, None, "am I on a loop?"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fastlint.graph.closures import CALLABLE_TESTS, Test, test_in_attribute, tests_of_parameters
from fastlint.graph.guards import demanded_instances
from fastlint.graph.kinds import FUNCTION_TESTS, KIND_TESTS, KINDS, Kinds, is_of_kind
from fastlint.graph.state import Frame
from fastlint.graph.traits import Traits
from fastlint.graph.values import UNKNOWN, Values, union
from fastlint.graph.world import ClassRef, FunctionRef, World
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of, calls_within

_RUNNING = frozenset(
    {
        "asyncio.get_running_loop",
        "asyncio.events.get_running_loop",
        "sniffio.current_async_library",
        "anyio.get_current_task",
        "asyncio.current_task",
        "anyio.from_thread.threadlocals",
        "trio.lowlevel.current_task",
    }
)
# Raises only where the thread has no loop at all; where one runs, it is the one that comes back
_CURRENT = frozenset({"asyncio.get_event_loop", "asyncio.events.get_event_loop"})
# A loop, or the number of a child: a child has no loop that runs
_TRUE_ON_LOOP = frozenset({"asyncio._get_running_loop", "asyncio.events._get_running_loop", "os.fork"})
_ENTERING = frozenset({"run_until_complete", "run_forever"})
ASKING = frozenset(name.rpartition(".")[2] for name in _RUNNING | _CURRENT)
# The questions of pipes and queues, as they are answered where there is something to take
_READY = frozenset({("poll", True), ("ready", True), ("empty", False)})
_MOST_BELOW = 24
_ANSWERS = frozenset({"c", "u", "if", "bool"})  # expressions that may hold an answer to "am I on a loop?"


class Narrowing(Kinds):
    """Narrows values in the branches of a test."""

    _asking: frozenset[str] | None = None
    _demanding: frozenset[str] | None = None
    _traits: Traits | None = None

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._demands: dict[FunctionRef, list[tuple[str, Node]]] = {}
        self._tested: dict[FunctionRef, dict[str, list[Test]]] = {}  # see `closures`
        self._answers: dict[tuple[ClassRef, str], tuple[str, tuple[str, ...]] | None] = {}

    def forget_syntax(self) -> None:
        """See `State.forget_syntax`."""
        super().forget_syntax()
        self._asking = self._demanding = self._traits = None
        for asked in (self._demands, self._tested, self._answers):
            asked.clear()

    def narrow(self, test: Node, truth: bool, frame: Frame) -> None:
        """Adjust the frame's names to the outcome of a test."""
        if test is None:
            return
        tag = test[0]
        if tag == "u" and test[1] == "not":
            self.narrow(test[2], not truth, frame)
        elif tag == "bool":
            if (test[1] == "and") == truth:  # all parts of a true `and`, of a false `or`, are known
                for part in test[2]:
                    self.narrow(part, truth, frame)
            elif all(part is not None and part[0] == "c" and _called(part) in KIND_TESTS for part in test[2]):
                self._narrow_either(test[2], truth, frame)
        elif tag == "c":
            self._narrow_call(test, truth, frame)
        elif tag == "cmp" and len(test[3]) == 1:
            operator, right = test[3][0]
            if operator in ("eq", "ne"):
                self._narrow_class_name(test[2], right, (operator == "eq") == truth, frame)
            if right == ["k", None] and operator in ("is", "is not", "eq", "ne"):
                self._narrow_none(test[2], (operator in ("is", "eq")) == truth, frame)
        elif tag == "n":
            if test[1] in frame.tests:
                self.narrow(frame.tests[test[1]], truth, frame)
            elif truth:
                self._narrow_none(test, False, frame)
        elif tag == ":=":
            self.narrow(["n", test[1]], truth, frame)
        elif tag == "a":
            if test[2] == ["n", "self"] and frame.owner is not None:
                self._narrow_by_answer(test, truth, frame)
            self._narrow_by_trait(test, truth, False, frame)

    def _narrow_by_answer(self, test: Node, truth: bool, frame: Frame) -> None:
        """`if self.waits:` tells what `self.call` is, if that is what was asked."""
        for above in self.order(frame.owner) if frame.owner is not None else ():
            if isinstance(above, tuple) and test[3] in self.world.class_(above).attribute_writers:
                kept = self._kept_answer(above, test[3])
                if kept is not None:
                    name = str(self._narrowed_name(["a", test[1], test[2], kept[0]], frame))
                    said = [(v, [self.says(v, each) for each in kept[1]]) for v in frame.env[name]]
                    frame.env[name] = tuple(
                        value
                        for value, answers in said
                        if (any(each is not False for each in answers) if truth else True not in answers)
                    )
                return

    def _narrow_by_trait(self, asked: Node, truth: bool, called: bool, frame: Frame) -> None:
        """`if trigger.waits:` tells of which classes it may be, where each says so once for all its instances."""
        if self._traits is None:
            self._traits = Traits(self.world)
        if asked[3] not in self._traits:
            return
        name = self._narrowed_name(asked[2], frame)
        have = frame.env.get(name, UNKNOWN) if name is not None else UNKNOWN
        if name is None or not have:
            return
        kept: list[Any] = []
        for value in have:
            kept.extend(self._that_say(value, asked[3], truth, called) if value[0] == "o" else [value])
        frame.env[name] = tuple(kept)
        frame.impossible = frame.impossible or not kept

    def _that_say(self, value: Any, name: str, truth: bool, called: bool) -> list[Any]:
        """What is left of an instance where this is what it says of itself: of its class, or of some below it."""
        assert self._traits is not None
        ref = (value[1], value[2])
        below = [] if value[3] else self.world.subclasses(ref, self.bases)
        if len(below) > _MOST_BELOW:
            return [value]
        left = [each for each in (ref, *below) if self._traits.of(self.order(each), name, called) is not (not truth)]
        if len(left) > len(below):
            return [value]
        return [("o", *each, 1, *value[4:]) for each in left]

    def _kept_answer(self, ref: ClassRef, name: str) -> tuple[str, tuple[str, ...]] | None:
        if (ref, name) not in self._answers:
            self._answers[ref, name] = test_in_attribute(self.world, ref, name)
        return self._answers[ref, name]

    def as_tested(self, inner: FunctionRef, name: str, values: Values, frame: Frame) -> Values:
        """See `Names.as_tested`."""
        tested = self._tested.get(inner)
        if tested is None:
            tested = self._tested[inner] = tests_of_parameters(self.world, inner)
        if name not in tested:
            return values
        made = replace(frame, env={name: values}, quiet=True)
        for test, truth in tested[name]:
            self._narrow_call(test, truth, made)
        return made.env[name]

    def _narrow_either(self, parts: list[Node], truth: bool, frame: Frame) -> None:
        """`isfunction(f) or ismethod(f)` is true: what is left is what any of the parts leaves."""
        env = frame.env
        left: list[dict[str, Values]] = []
        for part in parts:
            frame.env, frame.impossible = dict(env), False
            self.narrow(part, truth, frame)
            if not frame.impossible:
                left.append(frame.env)
        frame.env, frame.impossible = env, not left
        for name in left[0] if left else ():
            if all(name in other for other in left) and any(other[name] is not env.get(name) for other in left):
                joined = UNKNOWN
                for other in left:
                    joined = union(joined, other[name])
                env[name] = joined

    def _narrow_none(self, node: Node, is_none: bool, frame: Frame) -> None:
        if node is not None and node[0] == ":=":
            node = ["n", node[1]]
        if node is None or node[0] != "n" or node[1] not in frame.env:
            return
        values = frame.env[node[1]]
        if is_none:
            frame.env[node[1]] = (("k", None),)
        else:
            frame.env[node[1]] = tuple(value for value in values if value != ("k", None))

    def _narrow_call(self, test: Node, truth: bool, frame: Frame) -> None:
        callee, args = test[2], test[3]
        if callee is not None and callee[0] == "a" and callee[3] == "done" and truth:
            self.finish([callee[2]], frame)
            return
        if callee is not None and callee[0] == "a" and (callee[3], truth) in _READY:
            self._make_ready(callee[2], frame)
        if callee is not None and callee[0] == "a" and not args and not test[4]:
            self._narrow_by_trait(callee, truth, True, frame)
        if callee is None or callee[0] not in ("n", "a") or not args or args[0] is None:
            return
        name = callee[-1]
        if name == "isinstance" and len(args) == 2:
            self._narrow_instance(args[0], args[1], truth, frame)
        elif name == "hasattr" and len(args) == 2 and not truth:
            self._narrow_lacking(args[0], args[1], frame)
        elif name in CALLABLE_TESTS:
            self._filter(args[0], frame, lambda value: self.says(value, name) is not (not truth))
        elif name in KINDS:
            self._filter(args[0], frame, lambda value: is_of_kind(value, name) is not (not truth))
        elif name in ("isawaitable", "iscoroutine"):
            self._filter(args[0], frame, lambda value: (value[0] == "co") is truth or value[0] in ("i", "x"))
        elif name == "callable" and not truth:
            self._filter(args[0], frame, lambda value: value[0] not in ("f", "b", "p", "once", "off"))

    def _filter(self, node: Node, frame: Frame, keep: Any) -> None:
        if node[0] == "n" and node[1] in frame.env:
            have = frame.env[node[1]]
            frame.env[node[1]] = tuple(value for value in have if keep(value))
            frame.impossible = bool(have) and not frame.env[node[1]]

    def finish(self, nodes: list[Node], frame: Frame) -> None:
        """From here on the futures under these names are done: asking for their results is free."""
        for node in nodes:
            if node is None:
                continue
            if node[0] in ("l", "t", "set"):
                self.finish(node[1], frame)
            elif node[0] == "*":
                self.finish([node[1]], frame)
            elif node[0] == "n" and node[1] not in frame.env:
                continue
            else:
                name = self._narrowed_name(node, frame)
                if name is not None:
                    frame.env[name] = _finished(frame.env[name])

    def _make_ready(self, node: Node, frame: Frame) -> None:
        """From here on there is something to receive: `while connection.poll(): connection.recv()`."""
        name = self._narrowed_name(node, frame)
        if name is not None:
            frame.env[name] = tuple(self._ready(value) for value in frame.env.get(name, UNKNOWN))

    def _ready(self, value: Any) -> Any:
        ready = f"{value[1]}:ready" if value[0] == "i" and not value[2] else ""
        return ("i", ready, "", value[3]) if ready and self.catalogue.order(ready) else value

    def _narrowed_name(self, node: Node, frame: Frame) -> str | None:
        """The name under which the environment keeps what is known of a name, or an attribute of a name, from here on;
        None for anything else."""
        if node is not None and node[0] == ":=":
            return str(node[1])
        if node is not None and node[0] == "a" and node[2] is not None and node[2][0] == "n":
            name = f".{node[2][1]}.{node[3]}"
            frame.env.setdefault(name, self.evaluate(node, frame))
            frame.narrowed = True
            return name
        return node[1] if node is not None and node[0] == "n" else None

    def narrow_by_call(self, node: Node, frame: Frame) -> None:
        """After a statement that is a call: what the function was given is of the classes that it demands."""
        if node is not None and node[0] == "w":
            node = node[2]
        if node is None or node[0] != "c" or _called(node) not in self._demanding_names():
            return
        passed = [*node[3], *(value for _, value in node[4])]
        if not any(each is not None and each[0] == "n" and len(frame.env.get(each[1], ())) > 1 for each in passed):
            return  # there is nothing to choose from
        callees = self.evaluate(node[2], replace(frame, quiet=True))
        if len(callees) != 1:
            return
        bound = callees[0][0] == "b"
        callee = callees[0][1] if bound else callees[0]
        if callee[0] != "f":
            return
        ref = (callee[1], callee[2])
        given = dict(zip(self.signature(ref, bound).positional, node[3], strict=False))
        given.update({name: value for name, value in node[4] if name is not None})
        for name, classes in self._demands.get(ref, ()):
            self._narrow_instance(given.get(name), classes, True, frame, self.frame_of_definition(ref))

    def _demanding_names(self) -> frozenset[str]:
        """The names of the functions that raise unless what they are given is of some class."""
        if self._demanding is None:
            for module in self.world.modules.values():
                for function in module.facts.functions:
                    if function.name == "__init__":  # who hands it on to a base class asks nothing of it any more
                        continue
                    params = {param.name for param in function.params}
                    demands = [each for each in demanded_instances(function.body) if each[0] in params]
                    if demands and not function.is_generator and not function.decorators:
                        self._demands[module.name, function.index] = demands
            self._demanding = frozenset(self.world.function(ref).name for ref in self._demands)
        return self._demanding

    def _narrow_instance(
        self, node: Node, classes: Node, truth: bool, frame: Frame, scope: Frame | None = None
    ) -> None:
        name = self._narrowed_name(node, frame)
        if name is None:
            return
        wanted: Values = UNKNOWN
        parts = list(_classes_in(classes))
        for part in parts:
            wanted += self.annotation(part, scope or frame)
        have = frame.env[name] if name in frame.env else self.lookup(name, frame)
        if not wanted:
            if truth:
                named = [self.evaluate(part, replace(scope or frame, quiet=True)) for part in parts]
                if all(len(each) == 1 and each[0][0] == "x" for each in named):
                    asked = {each[0][1].removeprefix("builtins.") for each in named}
                    frame.env[name] = tuple(value for value in have if self.may_be_one_of(value, asked))
            return
        if truth:
            kept = tuple(value for value in have if any(self.is_instance(value, other) for other in wanted))
            if (
                have
                and not kept
                and all(value[0] == "o" for value in have)
                and all(other[0] == "o" for other in wanted)
            ):
                frame.impossible = not any(self.is_instance(other, value) for other in wanted for value in have)
            frame.env[name] = kept or wanted
        else:
            frame.env[name] = tuple(
                value for value in have if not any(self.is_instance(value, other) for other in wanted)
            )

    def _narrow_class_name(self, node: Node, text: Node, same: bool, frame: Frame) -> None:
        """`type(x).__name__ == "Name"`: the way to ask for a class that is not imported."""
        if node is None or node[0] != "a" or node[3] != "__name__" or text is None or text[0] != "k":
            return
        kind = node[2]
        if kind is not None and kind[0] == "c" and kind[2] == ["n", "type"] and len(kind[3]) == 1:
            asked = kind[3][0]
        elif kind is not None and kind[0] == "a" and kind[3] == "__class__":
            asked = kind[2]
        else:
            return
        name = self._narrowed_name(asked, frame)
        if name is None:
            return
        have = frame.env[name] if name in frame.env else self.lookup(name, frame)
        frame.env[name] = tuple(value for value in have if self.may_be_called(value, text[1], same))
        frame.impossible = bool(have) and not frame.env[name]

    def _narrow_lacking(self, node: Node, attribute: Node, frame: Frame) -> None:
        """What is left where something has no such attribute: no instance of a class that defines a method like it."""
        name = self._narrowed_name(node, frame)
        if name is None or attribute is None or attribute[0] != "k" or not isinstance(attribute[1], str):
            return
        have = frame.env[name] if name in frame.env else self.lookup(name, frame)
        frame.env[name] = tuple(value for value in have if not self.defines(value, attribute[1]))
        frame.impossible = bool(have) and not frame.env[name]

    # "Am I on a loop?"

    def asks_for_loop(self, block: Block, frame: Frame) -> bool:
        """Whether a `try` body asks for the running loop (and so fails where there is none)."""
        calls = self.blocks_ask.get(id(block))
        if calls is None:
            calls = self.blocks_ask[id(block)] = [call for call in _calls_in(block) if _called(call) in ASKING]
        if not calls:
            return False
        # A `raise` of its own, or a loop that is entered, may fail where a loop runs, too
        asking = _RUNNING if _fails_by_itself(block) else _RUNNING | _CURRENT
        return any(value[0] == "x" and value[1] in asking for call in calls for value in self.evaluate(call[2], frame))

    def probe(self, node: Node, frame: Frame) -> str | None:
        """See `Expressions.probe`."""
        if node is None:
            return None
        tag = node[0]
        if tag == "u" and node[1] == "not":
            inner = self.probe(node[2], frame)
            return {"on": "off", "off": "on", None: None}[inner]
        if tag == "n":
            return frame.probes.get(node[1]) or ("on" if _of_fork(frame.env.get(node[1], UNKNOWN)) else None)
        if tag == "if":  # `given if given is not None else on_loop()`: whoever gives it knows
            answers = {self.probe(part, frame) for part in node[2:4]} - {None}
            return answers.pop() if len(answers) == 1 else None
        if tag == "bool" and node[1] == "and":
            verdicts = [self.probe(part, frame) for part in node[2]]
            return next((verdict for verdict in verdicts if verdict is not None), None)
        if tag == "cmp" and len(node[3]) == 1 and node[3][0][1] == ["k", None]:
            inner = self.probe(node[2], frame)
            if inner is not None:
                return "off" if node[3][0][0] in ("is", "eq") else "on"
            return None
        if tag == "cmp" and node[3] and node[3][0][1] == ["k", 0] and node[2] is not None:  # the child gets 0 of a fork
            forked = node[2][0] in ("n", "c") and _of_fork(self.evaluate(node[2], replace(frame, quiet=True)))
            return {"eq": "off", "ne": "on", "gt": "on"}.get(node[3][0][0]) if forked else None
        if tag == "c" and node[2] is not None:
            callee = node[2]
            if callee[0] == "a" and callee[3] == "is_running":
                return "on"
            for value in self.evaluate(callee, frame):
                if value[0] == "x" and value[1] in _TRUE_ON_LOOP:
                    return "on"
                if value[0] == "b":
                    value = value[1]
                if value[0] == "f":
                    verdict = self.is_probe((value[1], value[2]))
                    if verdict is not None:
                        return verdict
        return None

    def keep_answer(self, targets: list[Node], node: Node, frame: Frame) -> None:
        """Remember the names that get an answer: `loop = loop_or_none()`, `is_async = iscoroutinefunction(f)`."""
        if not frame.tests and not frame.away and (node is None or node[0] not in _ANSWERS):
            return
        names = {target[1] for target in targets if target is not None and target[0] == "n"}
        for name, test in list(frame.tests.items()):
            asked = [*test[3], test[2][2]] if test[2][0] == "a" else test[3]  # `isawaitable(x)`, `x.done()`
            if name in names or any(each is not None and each[0] == "n" and each[1] in names for each in asked):
                del frame.tests[name]
        for name in names & frame.away.keys():
            del frame.away[name]
        if node is None or node[0] not in _ANSWERS:
            return
        if node[0] == "if":
            self._keep_choice(names, node, frame)
        called = _called(node) if node[0] == "c" else ""
        if called in FUNCTION_TESTS or called == "done":
            frame.tests.update(dict.fromkeys(names, node))
        elif called == "is_running" or self._asks(node):
            verdict = self.probe(node, frame)
            if verdict is not None:
                frame.probes.update(dict.fromkeys(names, verdict))

    def _keep_choice(self, names: set[str], node: Node, frame: Frame) -> None:
        """Remember what `call = wait if off_loop else ask` means only where there is no loop."""
        verdict = self.probe(node[1], frame)
        if verdict is not None and all(part is not None and part[0] in ("n", "a") for part in node[2:4]):
            off, on = (node[2], node[3]) if verdict == "off" else (node[3], node[2])
            kept = self.evaluate(on, frame)
            away = tuple(value for value in self.evaluate(off, frame) if value not in kept)
            frame.away.update(dict.fromkeys(names, away))

    def _asks(self, node: Node) -> bool:
        """Whether a call in an expression has the name of a function that asks for the loop; kept for each."""
        known = self.expressions_ask.get(id(node))
        if known is None:
            asking = self._asking_functions()
            known = self.expressions_ask[id(node)] = any(_called(call) in asking for call in calls_within(node))
        return known

    def _asking_functions(self) -> frozenset[str]:
        """The names of the functions that ask for the loop."""
        if self._asking is None:
            askers = (ref for name in ASKING for ref in self.world.mentions.get(name, ()) if ref[1] >= 0)
            self._asking = frozenset(self.world.function(ref).name for ref in askers)
        return self._asking

    def is_probe(self, ref: FunctionRef) -> str | None:
        """Whether a function answers True on a loop ("on") or off it ("off")."""
        key = ("probe", ref)
        if key in self.facts:
            known = self.facts[key]
            return known[0][1] if known else None
        self.facts[key] = UNKNOWN
        verdict = self._answered(self.world.function(ref).body, self.module_frame(ref[0]))
        if verdict is not None:
            self.facts[key] = (("k", verdict),)
        return verdict

    def _answered(self, block: Block, frame: Frame) -> str | None:
        """What a `try` that asks for the loop makes a block return: "on" where that is true on a loop and false off it,
        "off" the other way round. It may be the last resort, in the handler of one that asks something else."""
        for place, statement in enumerate(block):
            if statement[0] != "try":
                continue
            following = block[place + 1 :]
            if not self.asks_for_loop(statement[1], frame):
                within = (self._answered([*handler[2], *following], frame) for handler in statement[2])
                verdict = next((each for each in within if each is not None), None)
                if verdict is not None:
                    return verdict
                continue
            loops = {name for inner in statement[1] for name in _assigned_names(inner)}
            on = _returned_truth([*statement[1], *statement[3], *following], loops)
            answers = [_returned_truth([*handler[2], *following], set()) for handler in statement[2]]
            off = next((truth for truth in answers if truth is not None), None)
            if on is not None and off is (not on):
                return "on" if on else "off"
        return None


def _of_fork(values: Values) -> bool:
    """Whether a value is what a fork gives: true in the process that goes on with its loop, 0 in its child."""
    return any(value[0] == "i" and value[1] == "os.fork()" for value in values)


def _finished(values: Values) -> Values:
    out: list[Any] = []
    for value in values:
        if value[0] == "i" and value[1] == "concurrent.futures.Future":
            value = ("i", "concurrent.futures.Future:done", value[2], 0)
        elif value[0] == "l":
            value = ("l", _finished(value[1]))
        elif value[0] == "t":
            value = ("t", tuple(_finished(part) for part in value[1]))
        out.append(value)
    return tuple(out)


def _returned_truth(block: Block, loops: set[str]) -> bool | None:
    """Whether what a block returns first is true, where these names are the running loop; None if that is not known."""
    for statement in block:
        if statement[0] == "raise":
            return None
        if statement[0] == "ret":
            return _truth(statement[1], loops)
    return None


def _truth(value: Node, loops: set[str]) -> bool | None:
    if value is None or value == ["k", None]:
        return False
    if value[0] == "k":
        return value[1] if isinstance(value[1], bool) else None
    if value[0] == "if":  # `None if loop.is_closed() else loop`: a loop that runs is not closed
        asked = _called(value[1]) if value[1] is not None and value[1][0] == "c" else ""
        if asked in ("is_closed", "is_running"):
            return _truth(value[3] if asked == "is_closed" else value[2], loops)
        return None
    if value[0] == "n":
        return True if value[1] in loops else None
    return True if value[0] in ("c", "cmp") else None


def _classes_in(node: Node) -> Iterator[Node]:
    """The classes that `isinstance` is asked for: one, a tuple of them, or `A | B`."""
    if node is not None and node[0] == "t":
        for part in node[1]:
            yield from _classes_in(part)
    elif node is not None and node[0] == "o" and node[2] == "or":
        yield from _classes_in(node[3])
        yield from _classes_in(node[4])
    else:
        yield node


def _called(call: Node) -> str:
    """The last name of what a call calls; "" where it has none."""
    callee = call[2]
    return str(callee[-1]) if callee is not None and callee[0] in ("n", "a") else ""


def _assigned_names(statement: Any) -> list[str]:
    """The plain names that a statement assigns."""
    targets = statement[1] if statement[0] == "=" else [statement[1]] if statement[0] == ":" else []
    return [target[1] for target in targets if target is not None and target[0] == "n"]


def _fails_by_itself(block: Block) -> bool:
    """Whether a block raises or enters a loop, where one runs: what a test for a running loop rules out is left out."""
    for statement in block:
        if statement[0] == "raise" or any(_called(call) in _ENTERING for call in _calls_in([statement])):
            return True
        inner = blocks_of(statement)
        if statement[0] == "if" and _is_running(statement[1]):
            inner = inner[:1]
        if any(map(_fails_by_itself, inner)):
            return True
    return False


def _is_running(test: Node) -> bool:
    """Whether a test is `loop.is_running()`."""
    return test is not None and test[0] == "c" and _called(test) == "is_running"


def _calls_in(block: Block) -> list[Node]:
    """The calls of simple statements, not of nested blocks."""
    out: list[Node] = []
    for statement in block:
        if statement[0] in ("e", "ret"):
            out.extend(calls_within(statement[1]))
        elif statement[0] == "=":
            out.extend(calls_within(statement[2]))
        elif statement[0] == ":":
            out.extend(calls_within(statement[3]))
    return out
