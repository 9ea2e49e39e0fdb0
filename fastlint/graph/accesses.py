"""The records of what a function does with shared places: accesses, what they rest on, the locks held, the waits.

Plain data, without judgement: which of them can meet, and whether that hurts, is for the checks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastlint.graph.places import Key
from fastlint.graph.world import FunctionRef
from fastlint.source.facts import Node

# Kinds of accesses
READ = "read"
ITERATE = "iterate"  # statement by statement: another thread can change the size in between
REBIND = "rebind"  # the name or attribute itself is assigned
UPDATE = "update"  # `x += 1`, `d[k] += 1`: a read and a write in one statement
PUT = "put"  # `d[k] = v`
ADD = "add"  # append, add, insert, extend, setdefault …
DROP = "drop"  # removal that fails where there is nothing to remove: del, remove, pop(k) …
DISCARD = "discard"  # removal that does not: clear, discard, pop(k, default)
WRITES = frozenset({REBIND, UPDATE, PUT, ADD, DROP, DISCARD})

# How a write rests on an earlier read
VALUE = "value"  # the new value is made of the old one
ABSENT = "absent"  # it happens where something was not there
PRESENT = "present"  # … or was
LIMIT = "limit"  # … or a number compared so
EQUAL = "equal"  # … or a constant did
TEST = "test"  # … or any other test said so

# Who can be kept out by a lock
THREADS = "threads"
TASKS = "tasks"
ANYBODY = "anybody"  # called a lock, but of a kind that nothing is known of


class Hold(NamedTuple):
    """A lock that is held. `number` tells one stretch from the next: what was read in the first is stale in the
    second."""

    lock: Any
    keeps_out: str
    number: int
    site: int = -1
    reentrant: bool = False  # its owner, one thread and so the whole loop, gets in again
    limited: bool = False  # whoever waits for it gives up after a while


class Basis(NamedTuple):
    """A read on which a later value or decision rests; `stale` is the site of a wait that happened since, or -1.
    `part` is what was read of an element: the attribute of `entries[key].count`; "" for the element as a whole."""

    place: Key
    site: int
    how: str
    locks: frozenset[Hold]
    stale: int = -1
    part: str = ""


class Access(NamedTuple):
    """One access of a shared place. `function` is where it stands; `through` the function called there that does it,
    where it does not stand there itself."""

    place: Key
    kind: str
    site: int
    function: FunctionRef
    locks: frozenset[Hold]
    bases: tuple[Basis, ...] = ()
    value: Node = None
    index: Node = None
    through: FunctionRef | None = None
    calls_between: bool = False  # something is called between its read and its write
    operator: str = ""  # of an update: "iadd", "isub" …
    failing: bool = False  # it stands in an `except`: what was tried has failed


class Wait(NamedTuple):
    """An await (or a `yield` of an asynchronous generator) while locks of threads are held."""

    site: int
    holds: tuple[Hold, ...]


@dataclass(slots=True)
class Flow:
    """What one function does, in order."""

    function: FunctionRef
    accesses: list[Access] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)  # every stretch in which it holds a lock
    held_at: dict[int, frozenset[Hold]] = field(default_factory=dict)  # site -> the locks held there, where any is
    held_at_yield: frozenset[Hold] | None = None
    held_at_start: frozenset[Hold] = frozenset()  # by what a framework has entered for it: its dependencies
    held_at_end: frozenset[Hold] = frozenset()  # what it takes and keeps: `__enter__`, `begin()`
    released: set[Any] = field(default_factory=set)  # the locks of its caller that it gives back: `__exit__`, `end()`
    returns: frozenset[Basis] = frozenset()
    alias: Key | None = None  # it returns the place itself
