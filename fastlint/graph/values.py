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
    ("i", type, path, opened)           an instance of a catalogue type, then the attributes and calls on it;
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

from typing import Any

Value = tuple[Any, ...]
Values = tuple[Value, ...]

UNKNOWN: Values = ()
NONE: Value = ("k", None)
SOMETHING: Value = ("k", ...)  # beside constants: it may also be something that nobody knows
_MOST = 48  # more alternatives than this say nothing useful about one call
_DEEPEST = 4


def union(left: Values, right: Values) -> Values:
    """Every value of both, in order of discovery, without repetition, and never more than `_MOST`."""
    if not right or left is right:
        return left
    if not left:
        return right
    fresh = [value for value in right if value not in left]
    if not fresh:
        return left
    return (left + tuple(fresh))[:_MOST]


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


def depth(values: Values) -> int:
    """How deeply collections are nested in these values."""
    deepest = 0
    for value in values:
        kind = value[0]
        inner = 0
        if kind in ("l", "co", "g", "ag", "cm", "ty"):
            inner = 1 + depth(value[1])
        elif kind == "t":
            inner = 1 + max((depth(part) for part in value[1]), default=0)
        elif kind == "d":
            inner = 1 + max((depth(part) for _, part in value[1]), default=0)
            inner = max(inner, 1 + depth(value[2]))
        elif kind == "p":
            inner = 1 + max([depth((value[1],)), *(depth(part) for part in value[2])])
        elif kind in ("b", "off", "once", "mgr", "super"):
            inner = 1
        deepest = max(deepest, inner)
    return deepest


def shallow(values: Values) -> Values:
    """The values, or nothing where they are nested so deeply that they could grow without end."""
    return values if depth(values) <= _DEEPEST else tuple(value for value in values if depth((value,)) <= _DEEPEST)


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
    return values[0][1] if len(values) == 1 and values[0][0] == "k" else ...


def without_none(values: Values) -> Values:
    """The values without the constant None."""
    return tuple(value for value in values if value != NONE)
