"""One walk over a function's facts tells what it does with shared places, in which order, under which locks.

Follows values and decisions back to the reads that they rest on, branch by branch, and marks them stale at every wait.
Says nothing about contexts: who else does something at the same time is for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastlint.graph.accesses import (
    ABSENT,
    ADD,
    ANYBODY,
    DISCARD,
    DROP,
    EQUAL,
    ITERATE,
    LIMIT,
    PRESENT,
    PUT,
    READ,
    REBIND,
    TASKS,
    TEST,
    THREADS,
    UPDATE,
    VALUE,
    WRITES,
    Access,
    Basis,
    Flow,
    Hold,
    Wait,
)
from fastlint.graph.guards import terminates
from fastlint.graph.places import Key, Places, is_container
from fastlint.graph.shapes import last_name
from fastlint.graph.spelling import is_called_lock, spelled_node
from fastlint.graph.state import Frame
from fastlint.graph.values import Value
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import tags

Bases = frozenset[Basis]
_NOTHING: Bases = frozenset()
_OPPOSITE = {ABSENT: PRESENT, PRESENT: ABSENT}
_ADDERS = frozenset({"append", "appendleft", "add", "insert", "extend", "extendleft", "setdefault", "update"})
_DROPPERS = frozenset({"remove", "popleft", "popitem"})
_DISCARDERS = frozenset({"discard", "clear"})
_METHODS = _ADDERS | _DROPPERS | _DISCARDERS
_VIEWS = frozenset({"items", "keys", "values"})
_LIMITED = "filelock.FileLock:limited"
_FILE_LOCKS = frozenset({"filelock.FileLock", _LIMITED})  # an object of them lets its own thread in again
_THREAD_LOCKS = _FILE_LOCKS | {"threading.Lock", "threading.Condition", "threading.Semaphore", "multiprocessing.Lock"}
_TASK_LOCKS = frozenset({"asyncio.Lock", "anyio.Lock", "trio.Lock"})
_COUNTING = frozenset({"Semaphore", "BoundedSemaphore", "CapacityLimiter"})
_REENTRANT = frozenset({"RLock", "Condition"})
_TAKING = frozenset({"acquire", "__enter__", "__aenter__"})
_RELEASING = frozenset({"release", "__exit__", "__aexit__"})
_ENTERING = frozenset({"enter_context", "enter_async_context"})
_MISSES = frozenset({"KeyError", "LookupError", "AttributeError", "IndexError"})


class Walk:
    """Walks one function. `callees` tells which functions a site calls; `flow_of` what one of them does."""

    def __init__(
        self,
        flow: Flow,
        frame: Frame,
        places: Places,
        interesting: Callable[[str], bool],
        callees: Callable[[int], Iterable[FunctionRef]],
        flow_of: Callable[[FunctionRef], Flow | None],
        suspends: Callable[[FunctionRef], bool],
    ) -> None:
        self.flow = flow
        self.frame = frame
        self.places = places
        self.interesting = interesting
        self.callees = callees
        self.flow_of = flow_of
        self.suspends = suspends
        function = places.world.function(flow.function)
        self.is_async = function.is_async
        makes = function.owner >= 0 and function.name in ("__init__", "__new__", "__post_init__") and function.params
        self.newborn = function.params[0].name if makes else ""
        self.own: set[Key] = set()  # what the instance that is just made got for itself
        self.env: dict[str, Bases] = {}
        self.aliases: dict[str, Key] = {}
        self.controls: tuple[Basis, ...] = ()
        self.locks: frozenset[Hold] = frozenset()
        self.live: list[list[Bases]] = []
        self.statement = function.site
        self.stretch = 0
        self.called = 0
        self.returned: set[Basis] = set()
        self.known: dict[str | tuple[str, str], Key | None] = {}
        self.failing = False

    def run(self) -> None:
        """Fill the flow."""
        function = self.places.world.function(self.flow.function)
        self.locks = self.flow.held_at_start
        self.block(function.body)
        self.flow.held_at_end = self.locks - self.flow.held_at_start
        self.flow.returns = frozenset(basis._replace(how=VALUE) for basis in self.returned)

    # Places

    def place(self, node: Node) -> Key | None:
        """The shared place that a name or an attribute is, if anybody writes it."""
        if node is None or node[0] not in ("n", "a") or not self.interesting(node[-1]):
            return None
        if node[0] == "n":
            return self._place_of(node, node[1])
        base = node[2]
        if base is None or base[0] != "n":
            return self.places.of(node, self.frame)
        place = self._place_of(node, (base[1], node[3]))
        return None if place in self.own and base[1] == self.newborn else place

    def _place_of(self, node: Node, spelled: str | tuple[str, str]) -> Key | None:
        """The place that a name, or an attribute of a name, is: the same wherever it stands in the function."""
        if spelled not in self.known:
            self.known[spelled] = self.places.of(node, self.frame)
        return self.known[spelled]

    def root(self, node: Node) -> Key | None:
        """The place that holds what `node` names: itself, an element of it, or a local name for either."""
        while node is not None and node[0] == "s":
            node = node[2]
        if node is None:
            return None
        if node[0] == "n" and node[1] in self.aliases:
            return self.aliases[node[1]]
        if node[0] == "c":
            for ref in self.callees(node[1]):
                inner = self.flow_of(ref)
                if inner is not None and inner.alias is not None:
                    return inner.alias
            return None
        return self.place(node)

    def read(self, place: Key, site: int, kind: str = READ, index: Node = None) -> Bases:
        where = site if site >= 0 else self.statement
        self.flow.accesses.append(Access(place, kind, where, self.flow.function, self.locks, index=index))
        return frozenset({Basis(place, where, VALUE, self.locks)})

    def write(
        self,
        place: Key,
        kind: str,
        site: int,
        value_bases: Bases,
        value: Node = None,
        index: Node = None,
        through: FunctionRef | None = None,
    ) -> None:
        bases = [basis for basis in value_bases if basis.place == place]
        newest = next((basis for basis in self.controls[::-1] if basis.place == place), None)
        if newest is not None:
            bases.append(newest)
        where = site if site >= 0 else self.statement
        self.flow.accesses.append(
            Access(
                place,
                kind,
                where,
                self.flow.function,
                self.locks,
                tuple(bases),
                value,
                index,
                through,
                failing=self.failing,
            )
        )

    # Waiting

    def wait(self, site: int) -> None:
        """Here others run: whatever was read before is stale from now on."""
        holds = tuple(hold for hold in self.locks if hold.keeps_out == THREADS)
        if holds:
            self.flow.waits.append(Wait(site, holds))
        for name, bases in self.env.items():
            if bases:
                self.env[name] = _stale(bases, site)
        for parts in self.live:
            parts[:] = [_stale(bases, site) for bases in parts]
        self.controls = tuple(basis if basis.stale >= 0 else basis._replace(stale=site) for basis in self.controls)

    # Expressions

    def value(self, node: Node) -> Bases:
        """The reads that the value of an expression rests on."""
        if node is None:
            return _NOTHING
        handler = _EXPRESSIONS.get(node[0])
        return handler(self, node) if handler is not None else _NOTHING

    def several(self, nodes: Iterable[Node]) -> Bases:
        """Expressions one after the other."""
        parts: list[Bases] = []
        self.live.append(parts)
        for node in nodes:
            parts.append(self.value(node))
        self.live.pop()
        return _NOTHING.union(*parts)

    def _name(self, node: Node) -> Bases:
        name = node[1]
        if name in self.env:
            return self.env[name]
        place = self.place(node)
        return self.read(place, -1) if place is not None else _NOTHING

    def _attribute(self, node: Node) -> Bases:
        place = self.place(node)
        if place is not None:
            return self.read(place, node[1])
        self._note_held(node[1])
        if node[3] in _METHODS and self.root(node[2]) is not None:
            return _NOTHING  # `kept.discard`, handed over as a callback, asks for nothing
        return _part_of(self.value(node[2]), node[3])

    def _subscript(self, node: Node) -> Bases:
        place = self.root(node)
        base = self.value(node[2])
        self.several(node[3][1] if node[3] is not None and node[3][0] in ("sl", "t") else [node[3]])
        if place is not None and not base:
            return self.read(place, node[1])
        return base

    def _note_held(self, site: int) -> None:
        if self.locks and site >= 0:
            self.flow.held_at[site] = self.locks

    def _call(self, node: Node) -> Bases:
        return self.call(node, False)

    def call(self, node: Node, awaited: bool) -> Bases:
        """A call: of a container's method, of a lock's, of a function of ours that reads or writes for its caller."""
        _, site, callee, args, keywords = node
        name = callee[-1] if callee is not None and callee[0] in ("n", "a") else None
        place = self.root(callee[2]) if callee is not None and callee[0] == "a" else None
        base = _NOTHING
        if place is not None and not self.places.holds_container(place):
            place = None
        if place is None and callee is not None:
            base = self.value(callee[2]) if callee[0] == "a" else self.value(callee) if callee[0] != "n" else _NOTHING
        given = self.several([*args, *(value for _, value in keywords)])
        self._note_held(site)
        self.called += 1
        if place is not None:
            return self._container(place, str(name), node, given)
        if name in _TAKING and callee[0] == "a":
            self._acquire(callee[2], site, bool(args or keywords) or awaited)
        elif name in _RELEASING and callee[0] == "a":
            self._release(callee[2], site)
        if name in _ENTERING and args:
            lock = self.lock(args[0], site)
            if lock is not None:  # until the `with` of the stack ends
                self._take(lock)
        out = base if name in _VIEWS or name in ("get", "copy") else _NOTHING
        targets = list(self.callees(site))
        if not awaited and not any(self.places.world.function(ref).is_async for ref in targets):
            out = out | given
        return out | self._inherited(targets, site, given, awaited)

    def _container(self, place: Key, name: str, node: Node, given: Bases) -> Bases:
        _, site, _, args, keywords = node
        index = args[0] if args else None
        if name in _ADDERS:
            value = args[1] if name in ("setdefault", "insert") and len(args) > 1 else index
            keyed = name in ("setdefault", "add", "update")  # a second time it adds nothing
            self.write(place, ADD, site, given, value, index if keyed else None)
        elif name in _DROPPERS or (name == "pop" and len(args) + len(keywords) < 2):
            self.write(place, DROP, site, given, None, index)
        elif name in _DISCARDERS or name == "pop":
            self.write(place, DISCARD, site, given, None, index)
        else:
            return self.read(place, site, READ, index)
        return frozenset({Basis(place, site, VALUE, self.locks)}) if name in ("pop", "setdefault", "popleft") else given

    def _inherited(self, targets: list[FunctionRef], site: int, given: Bases, awaited: bool) -> Bases:
        """What the functions called here read and write for their caller."""
        out: set[Basis] = set()
        for ref in targets:
            inner = self.flow_of(ref)
            if inner is None:
                continue
            if self.places.world.function(ref).is_async and not awaited:
                continue
            out.update(Basis(basis.place, site, VALUE, self.locks) for basis in inner.returns)
            written = {access.place: access for access in inner.accesses if access.kind in WRITES}
            for place, access in written.items():
                # A write of the callee that rests on a read of its own is fresh as far as its caller is concerned
                if access.bases or access.kind in (UPDATE, DISCARD):
                    continue
                before = len(self.flow.accesses)
                passed = given if access.kind in (REBIND, PUT) and _may_hold(access.value) else _NOTHING
                self.write(place, access.kind, site, passed, access.value, access.index, ref)
                if not self.flow.accesses[-1].bases:  # its own business, told where it stands
                    del self.flow.accesses[before:]
            self._let_go(inner.released)
            for hold in inner.held_at_end if inner.held_at_yield is None else ():
                self._take(hold._replace(site=site))
        return frozenset(out)

    def _await(self, node: Node) -> Bases:
        inner = node[2]
        if inner is None or inner[0] != "c":
            out = self.value(inner)
            self.wait(node[1])
            return out
        targets = list(self.callees(inner[1]))
        waits = not targets or any(self.suspends(ref) for ref in targets)
        parts = [self.call(inner, True)]
        if waits:
            writes = len(self.flow.accesses)
            self.live.append(parts)
            self.wait(node[1])
            self.live.pop()
            self._age_inherited(inner[1], writes, node[1])
        return parts[0]

    def _age_inherited(self, site: int, until: int, wait: int) -> None:
        """What an awaited function writes, it may write after it has waited: its caller's decision is stale by then."""
        accesses = self.flow.accesses
        for number in range(until - 1, -1, -1):
            access = accesses[number]
            if access.through is None or access.site != site:
                break
            bases = tuple(basis if basis.stale >= 0 else basis._replace(stale=wait) for basis in access.bases)
            accesses[number] = access._replace(bases=bases)

    def _yield(self, node: Node) -> Bases:
        self.value(node[2])
        held = self.flow.held_at_yield
        self.flow.held_at_yield = self.locks if held is None else held & self.locks
        if self.is_async:
            self.wait(node[1])
        return _NOTHING

    def _binary(self, node: Node) -> Bases:
        return self.several((node[3], node[4]))

    def _comparison(self, node: Node) -> Bases:
        return self.several((node[2], *(right for _, right in node[3])))

    def _unary(self, node: Node) -> Bases:
        return self.value(node[2])

    def _boolean(self, node: Node) -> Bases:
        controls = self.controls
        out: Bases = _NOTHING
        for place, part in enumerate(node[2]):
            last = place == len(node[2]) - 1
            if last:
                out = out | self.value(part)
            else:
                bases = self.test(part, node[1] == "and")
                self.controls = (*self.controls, *bases)
        self.controls = self.controls[: len(controls)]
        return out

    def _conditional(self, node: Node) -> Bases:
        controls = len(self.controls)
        self.controls = (*self.controls, *self.test(node[1], True))
        left = self.value(node[2])
        self.controls = self.controls[:controls]
        return left | self.value(node[3])

    def _elements(self, node: Node) -> Bases:
        return self.several(node[1])

    def _dict(self, node: Node) -> Bases:
        return self.several([part for pair in node[1] for part in pair])

    def _starred(self, node: Node) -> Bases:
        return self.value(node[1])

    def _comprehension(self, node: Node) -> Bases:
        _, _, element, value, clauses = node
        out: Bases = _NOTHING
        before = dict(self.env)
        for site, target, iterable, conditions, is_async in clauses:
            bases = self.iterate(iterable, site)
            out = out | bases
            if is_async:
                self.wait(site)
            self.bind(target, bases)
            self.several(conditions)
        out = out | self.several((element, value))
        self.env = before
        return out

    def _generator(self, node: Node) -> Bases:
        return self.value(node[2])

    def _named(self, node: Node) -> Bases:
        bases = self.value(node[2])
        self.env[node[1]] = bases
        self._alias(node[1], node[2])
        return bases

    def iterate(self, node: Node, site: int) -> Bases:
        """The iterable of a loop: a place, its items, or anything else."""
        base = node
        if node is not None and node[0] == "c" and node[2] is not None and node[2][0] == "a" and node[2][3] in _VIEWS:
            base = node[2][2]
        place = self.root(base) if base is not None and base[0] in ("n", "a") else None
        if place is not None and self.places.holds_container(place):
            return self.read(place, site, ITERATE)
        return self.value(node)

    # Tests

    def test(self, node: Node, truth: bool) -> list[Basis]:
        """The reads that a branch rests on, if the test came out so, each with what it means."""
        if node is None:
            return []
        tag = node[0]
        if tag == "u" and node[1] == "not":
            return self.test(node[2], not truth)
        if tag == "bool":
            return [basis for part in node[2] for basis in self.test(part, truth)]
        if tag == "cmp" and len(node[3]) == 1:
            return self._compared(node, truth)
        if tag == "c" and node[2] is not None and node[2][-1] == "hasattr" and len(node[3]) == 2:
            name = node[3][1]
            if name is not None and name[0] == "k" and isinstance(name[1], str):
                bases = self.value(["a", node[1], node[3][0], name[1]])
                return _meaning(bases, PRESENT if truth else ABSENT)
        bases = self.value(node)
        plain = tag in ("n", "a", "s", ":=") or (tag == "c" and node[2] is not None and node[2][-1] in ("get", "len"))
        return _meaning(bases, (PRESENT if truth else ABSENT) if plain else TEST)

    def _compared(self, node: Node, truth: bool) -> list[Basis]:
        operator, right = node[3][0]
        if operator in ("in", "not in"):
            self.value(node[2])
            bases = self.value(right)
            return _meaning(bases, PRESENT if (operator == "in") == truth else ABSENT)
        bases = self.several((node[2], right))
        nothing = right == ["k", None] or self.places.is_sentinel(right, self.frame)
        if operator in ("is", "is not", "eq", "ne") and nothing:
            return _meaning(bases, ABSENT if (operator in ("is", "eq")) == truth else PRESENT)
        if operator in ("lt", "gt", "le", "ge"):
            return _meaning(bases, LIMIT)
        if operator in ("eq", "is") and truth and right is not None and right[0] in ("k", "a"):
            return _meaning(bases, EQUAL)
        return _meaning(bases, TEST)

    # Assignment

    def bind(self, target: Node, bases: Bases, value: Node = None) -> None:
        """Assign to a target of any shape."""
        if target is None:
            return
        tag = target[0]
        if tag == "n":
            place = self.place(target)
            if place is not None:
                self.write(place, REBIND, -1, bases, value)
            else:
                self.env[target[1]] = bases
                self._alias(target[1], value)
        elif tag == "a":
            place = self.place(target)
            if place is not None and target[2] == ["n", self.newborn]:
                if is_container(value):
                    self.own.add(place)
                return  # nobody else has the instance yet
            if place is not None:
                self.write(place, REBIND, target[1], bases, value)
            else:
                self._inside(target, target[2], bases, value, None)
        elif tag == "s":
            place = self.root(target[2])
            self.value(target[3])
            if place is not None:
                nested = target[2] is not None and target[2][0] == "s"
                self.write(place, PUT, target[1], bases, value, None if nested else target[3])
            else:
                self.value(target[2])
        elif tag in ("t", "l"):
            parts = (
                value[1] if value is not None and value[0] in ("t", "l") and len(value[1]) == len(target[1]) else None
            )
            for number, part in enumerate(target[1]):
                self.bind(part, bases, parts[number] if parts is not None else None)
        elif tag == "*":
            self.bind(target[1], bases)

    def _inside(self, target: Node, base: Node, bases: Bases, value: Node, index: Node) -> None:
        """`entry.count = …` where `entry` is an element of a shared container."""
        place = self.root(base) if base is not None and base[0] in ("s", "n") else None
        if place is not None and (base[0] == "s" or base[1] in self.aliases):
            # Nothing gets lost of an attribute that was not read: `entry.client = connect(entry.address)`
            self.write(place, PUT, target[1], _of_part(bases, target[3]), value, index)
        elif base is not None and base[0] != "n":
            self.value(base)

    def _alias(self, name: str, value: Node) -> None:
        """A local name for a shared container or an element of it."""
        self.aliases.pop(name, None)
        if value is None:
            return
        node = value
        if node[0] == "c" and node[2] is not None and node[2][0] == "a" and node[2][3] in ("get", "setdefault"):
            node = node[2][2]
        place = self.root(node) if node[0] in ("n", "a", "s", "c") else None
        if place is not None and self.places.holds_container(place):
            self.aliases[name] = place

    # Statements

    def block(self, statements: Block) -> None:
        """Run statements in order; what an early exit rests on, the rest rests on too."""
        controls = len(self.controls)
        for statement in statements:
            if type(statement[-1]) is int:  # the body of a lambda has no site
                self.statement = statement[-1]
            handler = _STATEMENTS.get(statement[0])
            if handler is not None:
                handler(self, statement)
        self.controls = self.controls[:controls]

    def _expression(self, statement: Any) -> None:
        self.value(statement[1])

    def _return(self, statement: Any) -> None:
        node = statement[1]
        self.returned.update(self.value(node))
        place = self.root(node) if node is not None and node[0] in ("n", "a") else None
        if place is not None and self.places.holds_container(place):
            self.flow.alias = place

    def _assert(self, statement: Any) -> None:
        self.several(statement[1:3])

    def _assign(self, statement: Any) -> None:
        called = self.called
        bases = self.value(statement[2])
        before = len(self.flow.accesses)
        for target in statement[1]:
            self.bind(target, bases, statement[2])
        self._mark_calls(before, self.called > called)

    def _mark_calls(self, since: int, called: bool) -> None:
        if called:
            accesses = self.flow.accesses
            accesses[since:] = [access._replace(calls_between=True) for access in accesses[since:]]

    def _annotated(self, statement: Any) -> None:
        if statement[3] is not None:
            self.bind(statement[1], self.value(statement[3]), statement[3])

    def _augmented(self, statement: Any) -> None:
        _, target, operator, value, *_ = statement
        place = self.root(target)
        if place is None and target is not None and target[0] == "a" and target[2] is not None:
            base = target[2]
            if base[0] == "s" or (base[0] == "n" and base[1] in self.aliases):
                place = self.root(base)
        if place is None:
            bases = self.several((target, value))
            if target is not None and target[0] == "n":
                self.env[target[1]] = bases
            return
        if target[0] == "s":
            self.value(target[3])
        called = self.called
        parts = [self.read(place, -1)]
        self.live.append(parts)
        given = self.value(value)
        self.live.pop()
        kind = UPDATE
        if operator in ("iadd", "ior") and value is not None and value[0] in ("l", "set", "d", "comp", "t"):
            kind = ADD  # `names += [name]` extends in place
        index = target[3] if target[0] == "s" else None
        before = len(self.flow.accesses)
        self.write(place, kind, -1, parts[0] | given if kind == UPDATE else given, value, index)
        self.flow.accesses[-1] = self.flow.accesses[-1]._replace(operator=operator)
        self._mark_calls(before, self.called > called)

    def _delete(self, statement: Any) -> None:
        for target in statement[1]:
            if target is not None and target[0] == "s":
                place = self.root(target[2])
                self.value(target[3])
                if place is not None:
                    sliced = target[3] is not None and target[3][0] == "sl"
                    self.write(place, DISCARD if sliced else DROP, target[1], _NOTHING, None, target[3])
            elif target is not None and target[0] == "n":
                self.env.pop(target[1], None)

    def _if(self, statement: Any) -> None:
        _, test, body, orelse, *_ = statement
        before = self.controls
        when_true = self.test(test, True)
        depth = len(before)
        base = self.controls[:depth]
        when_false = [
            basis._replace(how=_OPPOSITE.get(basis.how, TEST if basis.how == EQUAL else basis.how))
            for basis in when_true
        ]
        env, aliases = self.env, self.aliases
        self.env, self.aliases = dict(env), dict(aliases)
        self.controls = (*base, *when_true)
        self.block(body)
        env_true, aliases_true, true_controls = self.env, self.aliases, self.controls
        self.env, self.aliases = dict(env), dict(aliases)
        self.controls = (*base, *when_false)
        self.block(orelse)
        env_false, false_controls = self.env, self.controls
        if terminates(body):
            self.controls = false_controls
        elif orelse and terminates(orelse):
            self.env, self.aliases = env_true, aliases_true
            self.controls = true_controls
        else:
            self.env = _joined(env_true, env_false)
            self.aliases = {**self.aliases, **aliases_true}
            self.controls = _older(true_controls[:depth], false_controls[:depth])

    def _while(self, statement: Any) -> None:
        _, _, test, body, orelse, *_ = statement
        depth = len(self.controls)
        bases = self.test(test, True)
        before = dict(self.env)
        self.controls = (*self.controls, *bases)
        self.block(body)
        self.controls = self.controls[:depth]
        self.env = _joined(before, self.env)
        self.block(orelse)

    def _for(self, statement: Any) -> None:
        _, site, target, iterable, body, orelse, is_async, *_ = statement
        bases = self.iterate(iterable, site)
        if is_async:
            self.wait(site)
        before = dict(self.env)
        self.bind(target, bases)
        self.block(body)
        self.env = _joined(before, self.env)
        self.block(orelse)

    def _with(self, statement: Any) -> None:
        _, items, body, is_async, *_ = statement
        held = self.locks
        waits = False
        for site, expression, target in items:
            self._note_held(site)
            lock = self.lock(expression, site)
            if lock is not None:
                if is_async:
                    self.wait(site)
                self._take(lock)
                continue
            bases = self.value(expression)
            if is_async:
                self.wait(site)
                waits = True
            calls = [*self.callees(site), *(self.callees(expression[1]) if _is_call(expression) else ())]
            for ref in dict.fromkeys(calls):
                inner = self.flow_of(ref)
                if inner is not None:
                    for hold in inner.held_at_end if inner.held_at_yield is None else inner.held_at_yield:
                        self._take(hold._replace(site=site))
            self.bind(target, bases)
        self.block(body)
        self.locks = held
        if waits:
            self.wait(items[0][0])

    def _take(self, hold: Hold) -> None:
        self.stretch += 1
        hold = hold._replace(number=self.stretch)
        self.flow.holds.append(hold)
        self.locks = self.locks | {hold}

    def _acquire(self, node: Node, site: int, attempt: bool) -> None:
        lock = self.lock(node, site)
        if lock is not None:  # one that may fail, or is awaited, keeps others out as well, but stops no thread
            self._take(lock._replace(keeps_out=ANYBODY) if attempt else lock)

    def _release(self, node: Node, site: int) -> None:
        lock = self.lock(node, site)
        if lock is not None:
            self._let_go({lock.lock})

    def _let_go(self, locks: set[Any]) -> None:
        """What is not held here is the caller's to be let go."""
        self.flow.released |= locks - {hold.lock for hold in self.locks}
        self.locks = frozenset(hold for hold in self.locks if hold.lock not in locks)

    def lock(self, node: Node, site: int) -> Hold | None:
        """The lock that an expression is; None if it is none, or one that lets several in."""
        if node is None:
            return None
        values = self.places.interpreter.evaluate(node, self.frame) if node[0] in ("n", "a", "s", "c") else ()
        types = {value[1] for value in values if value[0] == "i" and not value[2]}
        keeps_out = THREADS if types & _THREAD_LOCKS else TASKS if types & _TASK_LOCKS else ""
        if not keeps_out:
            if (node[0] == "c" and (types or not node[3])) or not is_called_lock(node):
                return None
            if values and all(self._does_nothing(value) for value in values):
                return None
            keeps_out = ANYBODY
        place = self.places.of(node, self.frame) if node[0] in ("n", "a") else None
        made = self.places.made(place) if place is not None else self._made_here(node)
        calls = [part for part in made if part is not None and part[0] == "c"]
        for part in calls:
            if last_name(part) in _COUNTING:
                first = part[3][0] if part[3] else next((value for _, value in part[4]), ["k", 1])
                if first != ["k", 1]:
                    return None if keeps_out == TASKS else Hold(("site", site), keeps_out, 0, site)
        again = any(last_name(part) in _REENTRANT for part in calls) or (
            place is not None and bool(types & _FILE_LOCKS)
        )
        return Hold(place or ("here", spelled_node(node)), keeps_out, 0, site, again, _LIMITED in types)

    def _does_nothing(self, value: Value) -> bool:
        """Whether a value is of a class of the project that does nothing when it is entered: no lock, whatever its
        name."""
        if value[0] != "o":
            return False
        interpreter, ref = self.places.interpreter, (value[1], value[2])
        entering = [name for name in ("__enter__", "__aenter__") if interpreter.find_method(ref, name) is not None]
        for name in entering:
            found = interpreter.find_method(ref, name)
            if not isinstance(found, tuple) or (not value[3] and interpreter.overrides(ref, name)):
                return False
            if not all(_only_answers(statement) for statement in self.places.world.function(found).body):
                return False
        return bool(entering)

    def _made_here(self, node: Node) -> list[Node]:
        """What an instance's own lock was made as."""
        if node[0] != "a":
            return []
        out: list[Node] = []
        for value in self.places.interpreter.evaluate(node[2], self.frame):
            if value[0] == "o":
                ref = self.places.owner((value[1], value[2]), node[3])
                out.extend(self.places.made(("attr", ref, node[3])))
        return out

    def _try(self, statement: Any) -> None:
        _, body, handlers, orelse, final, *_ = statement
        since = len(self.flow.accesses)
        before = dict(self.env)
        self.block(body)
        reads = [access for access in self.flow.accesses[since:] if access.kind == READ]
        self.block(orelse)
        after = self.env
        for kind, _, handler in handlers:
            self.env = _joined(before, after)
            depth = len(self.controls)
            if kind is not None and kind[0] in ("n", "a") and kind[-1] in _MISSES:
                self.controls = (
                    *self.controls,
                    *(Basis(access.place, access.site, ABSENT, access.locks) for access in reads[-3:]),
                )
            failing, self.failing = self.failing, True
            self.block(handler)
            self.failing = failing
            self.controls = self.controls[:depth]
            if not terminates(handler):
                after = _joined(after, self.env)
        self.env = after
        self.block(final)

    def _match(self, statement: Any) -> None:
        _, subject, cases, *_ = statement
        self.value(subject)
        before = dict(self.env)
        joined = before
        for guard, body in cases:
            self.env = dict(before)
            self.value(guard)
            self.block(body)
            joined = _joined(joined, self.env)
        self.env = joined


def _stale(bases: Bases, site: int) -> Bases:
    if all(basis.stale >= 0 for basis in bases):
        return bases
    return frozenset(basis if basis.stale >= 0 else basis._replace(stale=site) for basis in bases)


def _part_of(bases: Bases, name: str) -> Bases:
    """An attribute of what was read: the outermost one of an element is the one that somebody may assign."""
    return frozenset(basis if basis.part else basis._replace(part=name) for basis in bases)


def _of_part(bases: Bases, name: str) -> Bases:
    """The reads of one attribute of an element."""
    return frozenset(basis for basis in bases if basis.part == name)


def _may_hold(value: Node) -> bool:
    """Whether what a function writes may be made of what it was given: a constant or an empty `{}` is not."""
    return value is None or any(tag in ("n", "fn", "gen", "comp") for tag in tags(value))


def _only_answers(statement: Any) -> bool:
    """Whether a statement is `return self` or the like."""
    return bool(statement[0] == "ret" and (statement[1] is None or statement[1][0] in ("n", "k")))


def _is_call(node: Node) -> bool:
    return bool(node is not None and node[0] == "c")


def _meaning(bases: Bases, how: str) -> list[Basis]:
    return sorted((basis._replace(how=how) for basis in bases), key=lambda basis: (basis.site, str(basis.place)))


def _joined(left: dict[str, Bases], right: dict[str, Bases]) -> dict[str, Bases]:
    out = dict(left)
    for name, bases in right.items():
        known = out.get(name)
        out[name] = bases if known is None else known | bases
    return out


def _older(left: tuple[Basis, ...], right: tuple[Basis, ...]) -> tuple[Basis, ...]:
    """Of two ways, the one on which more time has passed."""
    return tuple(one if one.stale >= 0 else other for one, other in zip(left, right, strict=False))


_EXPRESSIONS: dict[str, Callable[[Any, Node], Bases]] = {
    "n": Walk._name,
    "a": Walk._attribute,
    "c": Walk._call,
    "s": Walk._subscript,
    "w": Walk._await,
    "y": Walk._yield,
    "yf": Walk._yield,
    "o": Walk._binary,
    "cmp": Walk._comparison,
    "u": Walk._unary,
    "bool": Walk._boolean,
    "if": Walk._conditional,
    "t": Walk._elements,
    "l": Walk._elements,
    "set": Walk._elements,
    "f": Walk._elements,
    "d": Walk._dict,
    "*": Walk._starred,
    "comp": Walk._comprehension,
    "gen": Walk._generator,
    ":=": Walk._named,
}
_STATEMENTS: dict[str, Callable[[Any, Any], None]] = {
    "e": Walk._expression,
    "=": Walk._assign,
    ":": Walk._annotated,
    "+=": Walk._augmented,
    "ret": Walk._return,
    "raise": Walk._expression,
    "assert": Walk._assert,
    "del": Walk._delete,
    "if": Walk._if,
    "while": Walk._while,
    "for": Walk._for,
    "with": Walk._with,
    "try": Walk._try,
    "match": Walk._match,
}
