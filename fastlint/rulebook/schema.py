"""The shape of the files in `rules/`, validated strictly. Knows nothing about how the knowledge is used.

`rules/FL101.toml` is one `RuleFile`. `rules/known/*.toml` hold `[[library]]` tables, one `Library` each.
A project may add `[[tool.fastlint.library]]` tables of the same shape.

Dotted names may hold brace alternatives: `requests.{get,post}` is two names. In function names a segment may be
`*` (any one attribute). In method names (`chat.completions.create`, attributes and calls on the way are joined by
dots) a segment may be `*` (any one) and a pattern may begin or end with `**` (any number of segments).
Implicit calls are written as Python names them: `__enter__`, `__exit__`, `__iter__` (for, list(), …), `__next__`,
`__call__`, `__getitem__`, `__setitem__`, `__delitem__`, `__contains__`, `__len__`, `__bool__`, `__getattr__`.

Conditions look at the arguments of a call: `timeout@1=0` (keyword `timeout`, or the positional argument with index
1, is the constant 0; values are Python literals), `@0<0.1` (a constant below), `host@0 missing`, `host@0 given`,
`target@0 asynchronous` (an object of an async twin), `executor@0 is TYPE` (an instance of a
type of the catalogue), `@1 has fcntl.LOCK_NB` (a flag is among those given). Leave out the keyword (`@0=0`) or the
position (`blocking=False`) where there is none. Where a call has no rule, its conditions guard all that is said of it;
several entries for one name are asked in order.

Type expressions (`returns`, `enters`, `item`, `attributes`) name a type of the catalogue, or are one of
`self` (the receiver's own type), `argument[N]` (whatever the argument with index N is), `result` (what the callable
that this call runs returns), `class[NAME]` (an instance of the class given as keyword argument NAME; else the type
after `|`, as in `class[class_]|sqlalchemy.orm.Session`), `awaitable[T]`, `first[T]` (a tuple that begins with T),
`list[T]`, `manager[T]` (`with` binds T), `unknown` (nothing is known of it: silence).

A type that stands for objects which were built in a certain way is called `queue.Queue:unbounded` and has the class as
its base; reports leave the second part out.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Where = Literal["here", "loop", "pool", "thread", "process", "auto", "startup", "worker", "cli"]
"""Where a callable that is handed over runs. `here`: in the caller's own context, at once. `auto`: a coroutine
function on the loop, a plain function in the thread pool. `worker`: in a task queue's own process."""

Part = Literal[
    "threads",  # makes a pool of threads
    "processes",  # makes a pool of processes
    "start",  # starts a thread or process
    "submit",  # hands work to a pool
    "wait",  # waits for work that was handed to a pool
    "task",  # makes a task that nothing but its caller keeps
    "kept task",  # makes a task that its group keeps
    "gather",  # waits for all of its arguments
    "coroutine",  # makes a coroutine that does nothing until it is awaited
    "hop",  # makes a coroutine that runs a function in the threads that all sync routes share
    "call back",  # keeps its thread while the loop runs something
    "background",  # hands work to a background task of the response
    "queue",  # makes a queue
    "put",  # puts something into a queue
    "client",  # makes a client that keeps connections
    "engine",  # makes a database engine with a pool of connections
    "thread tokens",  # sets the size of the default limiter
    "context variable",
    "set context",
    "get context",
    "streaming",  # makes a response that is sent piece by piece
]
"""What a call does, beyond blocking, that some rule asks about."""

Level = Literal["error", "warning", "info"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Runs(Strict):
    """A callable (or a list, tuple or dict of them) among the arguments is run by this call."""

    argument: str  # "func@0", "target", "@1"; "decorated" when the call is used as a decorator
    where: Where
    label: str = ""  # what users call it: "route", "background task", "middleware" …
    passes: bool = True  # the positional arguments that follow are passed on to the callable
    method: str = ""  # not the argument itself is run, but this method of the object that it is
    keeps_loop_bridge: bool = False  # AsyncSession.run_sync: the callable's first argument does not block
    once: bool = False  # what it returns is kept, and it is not run again


class Decorates(Strict):
    """The call (or bare name) is used as a decorator: what happens with the decorated function."""

    keeps_loop_bridge: bool = False  # as in `Runs`: what the function is given does not block
    where: Where | None = None  # it becomes an entry point that runs there
    label: str = ""  # "route", "websocket", "exception handler", "task" …
    becomes: Literal[
        "same", "offloaded", "manager", "async_manager", "cached", "property", "static", "class", "async"
    ] = "same"


class Known(Strict):
    """What is known of one or several calls. A call that is merely listed (no `rule`) is known and free."""

    names: list[str] = Field(min_length=1)
    rule: str | None = None  # FL code if it blocks; leave out if it is free
    severity: Level | None = None  # only where it differs from the rule's
    instead: str | None = None  # only where it differs from the library's
    note: str | None = None  # one short sentence shown with the finding
    unless: list[str] = []  # any of these conditions: not reported
    only: list[str] = []  # all of these conditions must hold
    returns: str | None = None
    runs: list[Runs] = []
    decorates: Decorates | None = None
    timeout: str | None = None  # the timeout argument that FL402 asks for ("timeout" in requests.get)


class KnownType(Strict):
    """A class, or whatever a factory returns, and what its methods do."""

    name: str  # its usual import name; for factories the factory's name
    aliases: list[str] = []  # other dotted names of the same class
    made_by: list[str] = []  # callables (dotted, or "Type.method") that return it; its own constructor always does
    bases: list[str] = []  # types of this catalogue whose knowledge it inherits
    asynchronous: bool = False  # an async twin: its methods are awaited or free, never reported
    blocks: list[str] = []  # method names or patterns that block, with the library's rule and remedy
    free: list[str] = []  # method names or patterns known to be free (wins over `blocks`)
    returns: dict[str, str] = {}  # method name or pattern -> type expression
    attributes: dict[str, str] = {}  # attribute -> type expression (on the class and on instances)
    enters: str | None = None  # what `with x as y` binds; default `self`
    item: str | None = None  # what iterating or indexing gives
    properties: list[str] = []  # attributes that do their work when they are read; what they do stands in `method`
    entry: dict[str, str] = {}  # method that the framework calls on project subclasses -> "where label"
    method: list[Known] = []  # methods that need details; `names` are method names or patterns


class Role(Strict):
    """Calls that play a part beyond blocking; checks ask for parts, never for names. A name is a function, a class,
    or `Type.method` with a type of this catalogue; `Type.attribute=` is an assignment."""

    names: list[str] = Field(min_length=1)
    role: Part
    given: dict[str, str] = {}  # what an argument means -> the argument ("size" -> "max_workers@0")
    unless: list[str] = []  # any of these conditions: it does not play the part


class Library(Strict):
    """One library: its names, which of its calls block, and what to use instead."""

    name: str  # the distribution's name on PyPI, or "stdlib:module"
    rule: str | None = None  # default rule of everything in `blocks`
    instead: str = ""  # the async way, in words that fit after "use"
    severity: Level | None = None
    modules: dict[str, str] = {}  # other spelling of a module or class prefix -> the usual one
    blocks: list[str] = []  # functions and constructors that block
    free: list[str] = []  # functions and constructors known to be free (wins over `blocks` patterns)
    call: list[Known] = []  # functions and constructors that need details
    role: list[Role] = []  # calls that play a part beyond blocking
    holds_gil: bool = False  # its CPU-bound calls run in the interpreter: threads do not run them at the same time
    type: list[KnownType] = []


class KnownFile(Strict):
    library: list[Library] = Field(min_length=1)


class Example(Strict):
    title: str
    files: dict[str, str]  # path -> source; the culprit's line ends in  # expect: FL101
    config: str = ""  # the body of [tool.fastlint], where the example needs one


class RuleFile(Strict):
    code: str = Field(pattern=r"^FL\d{3}$")
    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    severity: Level
    summary: str  # one line for `fastlint rules`
    message: str  # with {call}, {instead} … ; the culprit in backticks
    why: str
    remedy: str
    references: list[str] = []
    bad: list[Example] = Field(min_length=1)
    good: list[Example] = Field(min_length=1)
