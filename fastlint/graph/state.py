"""What the analysis has found so far: variants of functions, their edges and events, and who must look again.

A *variant* is one function analysed with one set of interesting arguments (callables, typed receivers). Its edges and
events are plain data: everything after the analysis works on them alone. Evaluates nothing itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastlint.graph.retired import retired_modules
from fastlint.graph.signatures import Signature
from fastlint.graph.values import UNKNOWN, Value, Values, union
from fastlint.graph.world import ClassRef, FunctionRef, World
from fastlint.rulebook.catalogue import Spec
from fastlint.source.facts import Block, Node

# How a callee runs, seen from its caller
CALL = "call"  # here, now, in the caller's own context
COROUTINE = "coroutine"  # a coroutine was made: it runs on the caller's loop, if the caller has one
PRIVATE = "private"  # asyncio.run and the like: a loop of its own in the caller's thread
SERVING = "serving"  # the same, of something that starts the server: this loop becomes the server's
LOOP = "loop"  # on the event loop, wherever the caller is
POOL = "pool"  # in a worker thread
PROCESS = "process"  # in another process
STARTUP = "startup"  # before (or after) requests are served
ELSEWHERE = "elsewhere"  # not in the server at all: a command line, a task queue's worker

# Flags of edges and events
ONCE = 1  # behind a cache or a once-guard
OFF_LOOP = 2  # only where no event loop runs in this thread
MAYBE = 4  # one of several possible targets, or a receiver that is merely declared so
IMPLICIT = 8  # no call is written there: with, for, subscript, property, operator …


Definition = tuple[str, str, int, int]  # ("defined", module, function, enclosing variant): what a name is bound to


class Edge(NamedTuple):
    """From a variant to another: at which site, how, to which variant."""

    site: int
    kind: str
    target: int


class Event(NamedTuple):
    """A call of something that the catalogue knows to block. `name` is what users call it; `rule` its code."""

    site: int
    name: str
    rule: str
    spec: Spec
    lock: Any = None  # which lock is waited for, where that is known
    of: Any = None  # the lock whose method this is: `lock.acquire()`, `condition.wait()`


class Record(NamedTuple):
    """A call that plays a part beyond blocking (see `schema.Role`): it makes an executor, a task, a client …

    `place` says on what it was called, where that has a name that outlives the statement; `given` are the arguments
    that the data asks for: (what it means, the constant), the constant `...` where it is no constant.
    """

    site: int
    role: str
    name: str
    place: Any = None
    given: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True, eq=False)
class Variant:
    """One function with one set of arguments. `function[1] == -1` is the body of the module itself."""

    number: int
    function: FunctionRef
    env: int
    receiver: Values
    bindings: dict[str, Values]
    edges: dict[Edge, int] = field(default_factory=dict)
    events: dict[Event, int] = field(default_factory=dict)
    records: dict[Record, int] = field(default_factory=dict)
    unresolved: set[int] = field(default_factory=set)
    labels: dict[int, str] = field(default_factory=dict)  # what users call what is registered at a site
    names: dict[str, Values] = field(default_factory=dict)
    vague: bool = False  # some `return` gives what nobody knows
    runs: int = 0
    running: bool = False


@dataclass(slots=True, eq=False)
class Frame:
    """Where the analysis stands inside one variant: the names as they are known at this statement."""

    variant: Variant
    module: str
    env: dict[str, Values]
    class_scope: ClassRef | None = None
    owner: ClassRef | None = None
    flags: int = 0
    locks: tuple[Any, ...] = ()  # the locks held at this statement
    statement: int = -1  # the site of the statement that is being run
    calling: Node = None  # the call that is being made
    declared: set[str] = field(default_factory=set)
    imports: dict[str, tuple[int, str, str]] = field(default_factory=dict)  # what a function imports for itself
    impossible: bool = False  # the test that was just narrowed cannot have this outcome
    narrowed: bool = False  # some attribute is narrowed: kept in `env` under ".base.attribute"
    probes: dict[str, str] = field(default_factory=dict)  # names that are true on a loop ("on"), or off it ("off")
    away: dict[str, Values] = field(default_factory=dict)  # what a name holds only where no loop runs
    tests: dict[str, Node] = field(default_factory=dict)  # the names that hold what a test of a function has said
    quiet: bool = False  # evaluate for the values alone: record no edges and no events
    would_raise: bool = False  # what would have to wait raises instead: `except BlockingIOError` waits for that
    tried: tuple[tuple[Node, str], ...] = ()  # receivers and methods that have just raised NotImplementedError


# Of a file or socket that was made non-blocking, they raise BlockingIOError where they would have to wait
_RAISES_INSTEAD = ("socket.socket.", "ssl.SSLSocket.", "multiprocessing.connection.Connection.", "os.read", "os.write")
_TRANSFERS = frozenset({"accept", "connect", "recv", "recv_bytes", "recv_into", "recvfrom", "read", "send", "write"})


class State(ABC):
    """Everything found so far, and the notes on who read what, so that readers look again when it grows."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.catalogue = world.catalogue
        self.variants: list[Variant] = []
        self.by_key: dict[Any, Variant] = {}
        self.of_function: dict[FunctionRef, list[Variant]] = {}
        self.bodies: dict[str, Variant] = {}  # of modules, by their names
        self.prefixes: dict[Any, str] = {}  # router -> the prefix it was made with
        self.included: dict[Any, tuple[str, Any]] = {}  # router -> the prefix it was included with, and by whom
        self.retired: frozenset[str] = retired_modules(world)  # they stand in for nothing
        self.inclusions: dict[Any, dict[tuple[FunctionRef, int], Any]] = {}  # router -> the calls that include it
        self.model_hooks: dict[ClassRef, dict[FunctionRef, str]] = {}  # validators and serializers of models
        self.readers: dict[Any, set[int]] = {}
        self.facts: dict[Any, Values] = {}  # grows only: attributes, parameters, globals, returns, by key
        self.dirty: dict[int, None] = {}
        self.waiting: list[Variant] = []
        self.undecorated: dict[Definition, Values] = {}  # what was said of those met too deep to decorate them
        self.servers: set[int] = set()  # the variants that start a server
        self.name_bindings: dict[FunctionRef, dict[str, Any]] = {}  # what function bodies bind their names to
        self.unbound: set[Any] = set()  # keys of names that their modules do not bind
        self.signatures: dict[tuple[FunctionRef, bool], Signature] = {}  # of functions, and of the methods they are
        self.counted_names: dict[FunctionRef, frozenset[str]] = {}  # `*args` and `**options` that it asks the number of
        self.switch_names: dict[FunctionRef, dict[str, Any]] = {}
        self.taken: dict[FunctionRef, Mapping[str, tuple[str, Any]]] = {}  # name -> the keyword that it is, its default
        # Facts outlive the analysis, so that no other node or block gets the identity of one
        self.expressions_ask: dict[int, bool] = {}  # whether a call in an expression may ask for the loop
        self.blocks_ask: dict[int, list[Node]] = {}  # the calls in blocks that may
        self.first_values: dict[FunctionRef, dict[str, Node]] = {}  # what function bodies assign to each name at first
        self.later: dict[FunctionRef, frozenset[int]] = {}  # the calls whose results are awaited by a name
        self.quoted: set[str] = set()  # the quoted annotations that are being read
        self.depth = 0
        self.entering: Any = None  # the lock that is just being entered
        self.asked: tuple[int, int, Any] = (-1, -1, None)  # the lock whose method a variant calls at a site
        self.holds: dict[Any, dict[tuple[int, Edge | Event], None]] = {}  # lock -> what runs while it is held

    def forget_syntax(self) -> None:
        """Functions say something else than they did: what was only asked of their syntax is asked again."""
        for asked in (
            self.name_bindings,
            self.signatures,
            self.counted_names,
            self.switch_names,
            self.taken,
            self.expressions_ask,
            self.blocks_ask,
            self.first_values,
            self.later,
        ):
            asked.clear()
        self.world.forget_implementers()

    # What grows

    def read(self, key: Any, frame: Frame | None) -> Values:
        """What is known under a key; the frame's variant looks again when that grows."""
        if frame is not None and (number := frame.variant.number) >= 0:
            readers = self.readers.get(key)
            if readers is None:
                self.readers[key] = {number}
            else:
                readers.add(number)
        return self.facts.get(key, UNKNOWN)

    def widen(self, key: Any, values: Values) -> None:
        """Add to what is known under a key."""
        if not values:
            return
        known = self.facts.get(key, UNKNOWN)
        wider = union(known, values)
        if wider is not known:
            self.facts[key] = wider
            self.look_again(key)

    def look_again(self, key: Any) -> None:
        """Have those who read what is known under a key run once more."""
        for reader in sorted(self.readers.get(key, ())):
            self.dirty[reader] = None

    def end(self) -> None:
        """Nothing will be looked at again: what was noted for that is given up. Whether a key was asked for stays."""
        nobody: set[int] = set()
        self.readers = {key: nobody for key in self.readers}  # noqa: C420  # shared on purpose: nobody asks it

    def edge(self, frame: Frame, site: int, kind: str, target: Variant, flags: int = 0) -> None:
        """Record that the frame's variant runs another one."""
        if frame.quiet:
            return
        key = Edge(site if site >= 0 else frame.statement, kind, target.number)
        flags |= frame.flags
        if frame.would_raise and target.function[1] >= 0 and self.world.function(target.function).name in _TRANSFERS:
            flags |= OFF_LOOP  # a wrapper's method of the same meaning
        for lock in frame.locks:
            self.holds.setdefault(lock, {})[frame.variant.number, key] = None
        known = frame.variant.edges.get(key)
        frame.variant.edges[key] = flags if known is None else known & flags

    def event(self, frame: Frame, site: int, name: str, spec: Spec, flags: int = 0) -> None:
        """Record that the frame's variant calls something that blocks."""
        if frame.quiet or spec.rule is None or (frame.would_raise and name.startswith(_RAISES_INSTEAD)):
            return
        of = self.asked[2] if self.asked[:2] == (frame.variant.number, site) else None
        key = Event(site if site >= 0 else frame.statement, name, spec.rule, spec, self.entering, of)
        flags |= frame.flags
        for lock in frame.locks:
            self.holds.setdefault(lock, {})[frame.variant.number, key] = None
        known = frame.variant.events.get(key)
        frame.variant.events[key] = flags if known is None else known & flags

    def record(self, frame: Frame, record: Record, flags: int = 0) -> None:
        """Record that the frame's variant makes a call that plays a part."""
        if frame.quiet:
            return
        flags |= frame.flags
        known = frame.variant.records.get(record)
        frame.variant.records[record] = flags if known is None else known & flags

    # The knot: evaluating, calling and looking up need each other; the outermost layer ties them

    @abstractmethod
    def evaluate(self, node: Node, frame: Frame) -> Values:
        """What an expression may be; records the edges and events of evaluating it."""

    @abstractmethod
    def call(
        self,
        site: int,
        callee: Value,
        args: list[Values],
        keywords: Mapping[str | None, Values],
        frame: Frame,
        flags: int = 0,
        awaited: bool = False,
        kind: str = CALL,
    ) -> Values:
        """What calling a value with these arguments may give; records what runs."""

    @abstractmethod
    def ensure(self, ref: FunctionRef) -> Variant:
        """The variant of a function with nothing known of its arguments, analysed unless it is being so."""

    @abstractmethod
    def function_values(self, module: str, index: int, env: int, frame: Frame | None) -> Values:
        """What the name of a defined function is bound to, its decorators applied."""

    @abstractmethod
    def module_frame(self, module: str) -> Frame:
        """A frame in which the expressions of a module's top level can be evaluated, without recording."""


def is_trivial(body: Block) -> bool:
    """Whether a body says only `...`, `pass`, or `raise NotImplementedError`: an abstract method or a stub."""
    for statement in body:
        if statement[0] == "raise":
            continue
        return False
    return True
