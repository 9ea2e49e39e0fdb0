"""What an expression may be: small immutable values, and ordered sets of them. Knows nothing of files or rules.

A value is a tuple whose first element is its kind; a `Values` is a tuple of values without repetition, in the order
of discovery (sets would make the output depend on the hash seed). The empty tuple means: nothing is known.

    ("k", constant)
    ("m", module)                       a module of the project
    ("x", dotted)                       something outside the project: module, function or class, by its usual name
    ("f", module, index, env)           a function or lambda of the project; env: the id of the enclosing variant, or -1
    ("c", module, index, env)           a class of the project
    ("o", module, index, exact)         an instance of it; exact: made by its constructor, no subclass; a generic one
                                        has a fifth element: ((type variable, values), …)
    ("tv", name)                        an instance of a type variable without a bound
    ("i", type, path, opened)           an instance of a catalogue type, then the attributes and calls on it ("…" for
                                        those behind which nothing is known: one value, not one for each);
                                        opened: made by a call that blocked (files), or a handler that will (logging)
    ("b", function, receiver, flags)    a bound method; flags: MAYBE where it is one of several overrides
    ("bm", value, name)                 a method of a built-in value
    ("dep", callables, site, module)    Depends(callable)
    ("p", callee, args, keywords)       functools.partial
    ("co", values, variants)            an awaitable, what awaiting it gives, and the coroutine bodies behind it
    ("g", values, variant)              a generator: its body runs when it is iterated
    ("ag", values, variant)             an asynchronous generator
    ("map", callables)                  map(f, …) and filter(f, …): calls f when it is iterated
    ("cm", values, variant, is_async)   what a @contextmanager function returns
    ("mgr", function, is_async)         a function decorated with @contextmanager
    ("once", function)                  a function behind functools.cache
    ("off", callable, where)            a callable that runs another one elsewhere and returns an awaitable
    ("t", (values, …)) ("l", values) ("d", ((key, values), …), values)   tuples, collections, dictionaries
    ("super", module, index, receiver)  super() seen from a class
    ("ty", values, dependencies)        a type expression: its instances, and the Depends() that it carries; that of a
                                        type variable has its name as fourth element
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

Value = tuple[Any, ...]
Values = tuple[Value, ...]

UNKNOWN: Values = ()
NONE: Value = ("k", None)
SOMETHING: Value = ("k", ...)  # beside constants: it may also be something that nobody knows
TEXT: Value = ("k", "", "any")  # a text that is made while the program runs: nobody knows which
BEYOND = "…"  # the path of whatever comes of a library's type where nothing more is known
_HOLDERS = frozenset({"l", "d", "co", "g", "ag", "cm"})
_MOST = 48  # more alternatives than this say nothing useful about one call
_DEEPEST = 7
# How much of that each nesting takes: three dictionaries in each other are data, and say nothing of what is called
_LEVELS = {"d": 3, "l": 2, "t": 2, "p": 2, "co": 1, "g": 1, "ag": 1, "cm": 1, "ty": 1}
_LEVELS |= dict.fromkeys(("b", "bm", "off", "once", "mgr", "super", "map", "dep", "o"), 1)
_ROOM = 400  # values that one value may hold
_HELD = {"b": 2, "super": 3, "bm": 1, "off": 1, "once": 1, "mgr": 1}  # where the one value stands that these are about
_DICTIONARIES = (Counter, OrderedDict, defaultdict)
_NAMES_OF_KIND = {  # a dictionary that functions fill is kept as a collection; one may stand for a context variable
    "l": frozenset(name for made in (list, set, deque, *_DICTIONARIES) for name in dir(made)),
    "t": frozenset(dir(tuple)),
    "d": frozenset(name for made in (*_DICTIONARIES, ContextVar) for name in dir(made)),
}
_PLAIN = frozenset({"k", "m", "x", "f", "c", "o", "tv", "i"})


def union(left: Values, right: Values) -> Values:
    """Every value of both, in order of discovery, without repetition, and never more than `_MOST`; `left` itself where
    the right adds nothing. What holds other values (a list, a coroutine of one body) is there once and grows."""
    if not right or left is right or len(left) >= _MOST:
        return left
    if not left:
        return right
    if len(right) == 1:  # so it is most often, and most often it is known
        fresh = [] if right[0] in left else [right[0]]
    else:
        fresh = [value for value in right if value not in left]
    if not fresh:
        return left
    for value in fresh:
        if value[0] in _HOLDERS:
            return _grown(left, fresh)
    return (left + tuple(fresh))[:_MOST]


def _grown(left: Values, fresh: list[Value]) -> Values:
    """The values with fresh ones; holders of the same kind become one that holds what both hold."""
    out = list(left)
    changed = False
    for value in fresh:
        place = -1
        if value[0] in _HOLDERS:
            place = next((place for place, known in enumerate(out) if _holds_alike(known, value)), -1)
        if place < 0:
            if len(out) < _MOST:
                out.append(value)
                changed = True
            continue
        known = out[place]
        wider = _wider(known, value)
        if wider is not known and _fits((wider,)):
            out[place] = wider
            changed = True
    return tuple(out) if changed else left


def _holds_alike(known: Value, value: Value) -> bool:
    return bool(known[0] == value[0] and (known[0] == "d" or known[2:] == value[2:]))


def _wider(known: Value, value: Value) -> Value:
    """One holder for two; the known one itself where the other adds nothing. A key that one of two dictionaries lacks
    may be among what it holds under keys that nobody knows."""
    if known[0] != "d":
        inner = union(known[1], value[1])
        return known if inner is known[1] else (known[0], inner, *known[2:])
    parts: dict[Any, Values] = dict(known[1])
    given: dict[Any, Values] = dict(value[1])
    rest = union(known[2], value[2])
    changed = rest is not known[2]
    for key, part in parts.items():
        wider = union(part, given[key] if key in given else value[2])
        if wider is not part:
            parts[key] = wider
            changed = True
    for key, part in value[1]:
        if key not in parts:
            parts[key] = union(part, known[2])
            changed = True
    return ("d", tuple(parts.items()), rest) if changed else known


def mixed(parts: list[Values]) -> Values:
    """Every value of all parts; constants among which one part is not known are no longer all that it can be."""
    out: Values = UNKNOWN
    for part in parts:
        out = union(out, part)
    if out and not all(parts) and all(value[0] == "k" for value in out):
        return union(out, (SOMETHING,))
    return out


def elements(values: Values) -> Values:
    """What iterating or indexing any of the collections gives."""
    out: Values = UNKNOWN
    for value in values:
        kind = value[0]
        if kind == "l":
            out = union(out, value[1])
        elif kind == "t":
            for part in value[1]:
                out = union(out, part)
        elif kind == "d":
            for _, part in value[1]:
                out = union(out, part)
            out = union(out, value[2])
        elif kind == "g" or kind == "ag":
            out = union(out, value[1])
    return out


def under_key(value: Value, key: Any) -> Values:
    """What a dictionary gives for a key, `...` where nobody knows which: a known key that it was never given is at most
    among what it got under keys that nobody knows."""
    if key is ...:
        return elements((value,))
    return next((part for known, part in value[1] if known == key), value[2])


def _fits(values: Values) -> bool:
    """Whether these, with all that they hold, are few enough and nested shallowly enough to be kept."""
    places, levels = _extent(values)
    return places <= _ROOM and levels <= _DEEPEST


def _extent(values: Values) -> tuple[int, int]:
    """How many values these are with all that they hold, and the levels that the deepest of them takes (`_LEVELS`)."""
    places = deepest = 0
    for value in values:
        if value[0] in _PLAIN and len(value) < 5:
            places += 1
            continue
        inside, levels = _extent_of(value)
        places += inside
        deepest = max(deepest, levels)
    return places, deepest


@lru_cache(maxsize=1 << 16)
def _extent_of(value: Value) -> tuple[int, int]:
    """The extent of one value that may hold others; kept for each."""
    places, deepest = 1, 0
    for part in map(_extent, _parts(value)):
        places += part[0]
        deepest = max(deepest, part[1])
    return places, deepest + _LEVELS[value[0]]


def _parts(value: Value) -> list[Values]:
    """All that a value holds, as far as it could grow: see the table of kinds."""
    kind = value[0]
    if kind == "t":
        return list(value[1])
    if kind == "d":
        return [*(part for _, part in value[1]), value[2]]
    if kind == "p":
        return [(value[1],), *value[2], *(part for _, part in value[3])]
    if kind == "o":
        return [part for _, part in value[4]]
    place = _HELD.get(kind)
    return [value[1]] if place is None else [(value[place],)]


def shallow(values: Values) -> Values:
    """The values without those that are nested so deeply, or hold so much, that they could grow without end."""
    for value in values:
        if value[0] not in _PLAIN or len(value) > 4:
            break
    else:
        return values
    if _fits(values):
        return values
    return tuple(value for value in values if _fits((value,)))


def substitute(values: Values, arguments: tuple[tuple[str, Values], ...]) -> Values:
    """The values with type variables replaced by what a generic instance was declared with."""
    if not any(value[0] in ("tv", "l", "t", "co", "d") for value in values):
        return values
    out: Values = UNKNOWN
    for value in values:
        kind = value[0]
        if kind == "tv":
            out = union(out, next((given for name, given in arguments if name == value[1]), UNKNOWN))
        elif kind in ("l", "co"):
            out = union(out, ((kind, substitute(value[1], arguments), *value[2:]),))
        elif kind == "t":
            out = union(out, (("t", tuple(substitute(part, arguments) for part in value[1])),))
        elif kind == "d":
            named = tuple((key, substitute(part, arguments)) for key, part in value[1])
            out = union(out, (("d", named, substitute(value[2], arguments)),))
        else:
            out = union(out, (value,))
    return out


def collection(values: Values) -> Value:
    """A list, set or other iterable of these."""
    return ("l", shallow(values))


def only_constant(values: Values) -> Any:
    """The constant that this certainly is, or `Ellipsis`."""
    return values[0][1] if len(values) == 1 and values[0][0] == "k" and values[0] != TEXT else ...


def has_method(value: Value, name: str) -> bool:
    """Whether the built-in value can have an attribute of this name; where it has none, it is not what is there."""
    if value[0] == "k":
        return value != SOMETHING and hasattr(value[1], name)
    names = _NAMES_OF_KIND.get(value[0])
    return names is None or name in names


def without_none(values: Values) -> Values:
    """The values without the constant None."""
    return tuple(value for value in values if value != NONE)
