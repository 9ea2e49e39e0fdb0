"""The shapes of guards, caches and endings in a block. Looks at structure alone: evaluates nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastlint.graph.state import Frame
from fastlint.source.facts import Block, Node
from fastlint.source.nodes import blocks_of, calls_within

_ASK_FILES = frozenset({"exists", "isfile", "isdir", "is_file", "is_dir"})
_ENDINGS = frozenset(
    {"closed", "is_closed", "is_closing", "is_alive", "is_running", "connected", "is_connected", "is_open"}
)
_OWNERS = ("loop", "pid")
_TAKERS = ("get", "setdefault", "pop", "find", "fetch", "lookup")
_FILLERS = frozenset({"append", "extend", "update", "add", "insert", "setdefault"})


def statements_of(block: Block) -> Iterator[Any]:
    """Every statement of a block, those of its inner blocks included; nested functions and classes stay closed."""
    waiting = [block]
    while waiting:
        for statement in waiting.pop():
            yield statement
            waiting.extend(blocks_of(statement))


def guarded_place(test: Node, absent: bool) -> Node:
    """The name or attribute that a test asks to be absent (`x is None`, `not x`) or present, or None."""
    if test is None:
        return None
    if test[0] == "u" and test[1] == "not":
        return guarded_place(test[2], not absent)
    if test[0] == "cmp" and len(test[3]) == 1 and test[3][0][1] == ["k", None]:
        asks_absent = test[3][0][0] in ("is", "eq")
        return _place(test[2]) if asks_absent == absent else None
    if not absent:
        if test[0] == "c" and test[2] == ["n", "hasattr"] and len(test[3]) == 2 and test[3][1] and test[3][1][0] == "k":
            return ["a", -1, test[3][0], test[3][1][1]]
        return _place(test)
    return None


def parts_asked(test: Node, outcome: bool) -> list[Node]:
    """The parts that came out as a test did: all of a true `and`, all of a false `or`; else the one beside which there
    is only the wish to have it anew (`x is None or anew`, `key in cache and not anew`), or the question whether it is
    of no use any more (`x is None or x.closed`) or has not been filled (`x is None or x.model is None`)."""
    if test is None or test[0] != "bool":
        return [test]
    if (test[1] == "and") is outcome:
        return list(test[2])
    return [
        part
        for part in test[2]
        if all(
            other is part
            or _wishes(other, outcome)
            or _lapses(other, guarded_place(part, outcome))
            or (outcome and _asks_inside(other, part))
            for other in test[2]
        )
    ]


def _asks_inside(node: Node, outer: Node) -> bool:
    """Whether a part asks if something is absent that lies inside of what another part asks for."""
    place, around = guarded_place(node, True), guarded_place(outer, True)
    while place is not None and around is not None and place[0] == "a":
        place = place[2]
        if same_place(place, around):
            return True
    return False


def _lapses(node: Node, place: Node) -> bool:
    """Whether a part asks if what stands at a place has come to an end (`x.closed`, `not x.is_alive()`), or belongs to
    another loop or process (`its_loop is not loop`): seldom, and never from request to request."""
    while node is not None and node[0] == "u" and node[1] == "not":
        node = node[2]
    if node is None or place is None:
        return False
    if node[0] == "cmp" and len(node[3]) == 1 and node[3][0][0] in ("is not", "ne", "is", "eq"):
        sides = [side for side in (node[2], node[3][0][1]) if side is not None and side[0] in ("n", "a")]
        return any(str(side[-1]).endswith(_OWNERS) for side in sides)
    asked = node[2] if node[0] == "c" and not node[3] and not node[4] else node
    return asked is not None and asked[0] == "a" and asked[3].lstrip("_") in _ENDINGS and same_place(asked[2], place)


def _wishes(node: Node, outcome: bool) -> bool:
    """Whether a part is `anew`, or `not anew` where its being false decides."""
    if not outcome:
        return node is not None and node[0] == "u" and node[1] == "not" and _wishes(node[2], True)
    return node is not None and node[0] == "n"


def misses_cache(test: Node, block: Block, absent: bool, frame: Frame) -> bool:
    """Whether a block runs once a key: `if k not in cache: cache[k] = …`, or `x = cache.get(k)`, `if not x:` …"""
    if test is None:
        return False
    if test[0] == "cmp" and len(test[3]) == 1 and test[3][0][0] == ("not in" if absent else "in"):
        cache = _place(test[3][0][1])
        return cache is not None and _outlives(cache, frame) and _stores(block, cache, None, frame)
    asked = test[2] if test[0] == "u" and test[1] == "not" else None
    if absent and asked is not None and asked[0] == "c" and asked[2] is not None and asked[2][-1] == "get":
        cache = _place(asked[2][2]) if asked[2][0] == "a" else None
        return cache is not None and _outlives(cache, frame) and _stores(block, cache, None, frame)
    missing = guarded_place(test, absent)
    return missing is not None and missing[0] == "n" and _stores(block, None, missing[1], frame)


def misses_file(test: Node, block: Block, absent: bool) -> bool:
    """Whether a block runs once a file: `if not path.exists():` and then something is made of that path."""
    if test is not None and test[0] == "u" and test[1] == "not":
        return misses_file(test[2], block, not absent)
    if absent or test is None or test[0] != "c" or test[2] is None or test[2][0] != "a" or test[2][3] not in _ASK_FILES:
        return False
    path = _place(test[3][0] if test[3] else test[2][2])
    return path is not None and _is_used(block, path)


def _is_used(node: Any, place: Node) -> bool:
    """Whether a place is an argument, or the receiver, of some call below a node."""
    for call in calls_within(node):
        given = [*call[3], *(value for _, value in call[4])]
        if call[2] is not None and call[2][0] == "a":
            given.append(call[2][2])
        if any(same_place(argument, place) for argument in given):
            return True
    return False


def misses_in_try(body: Block, kind: Node, handler: Block, frame: Frame) -> bool:
    """`try: return cache[k]`, `except KeyError: cache[k] = …`: the handler runs once a key."""
    if kind is None or kind[0] not in ("n", "a") or kind[-1] not in ("KeyError", "LookupError", "AttributeError"):
        return False
    for statement in body:
        node = statement[1] if statement[0] in ("ret", "e") else statement[2] if statement[0] == "=" else None
        cache = _place(node[2]) if node is not None and node[0] == "s" else None
        if cache is not None and _outlives(cache, frame) and _stores(handler, cache, None, frame):
            return True
    return False


def _stores(block: Block, cache: Node, name: str | None, frame: Frame) -> bool:
    """Whether a block puts something (the value of a name) under a key of a cache that outlives the call."""
    for statement in block:
        tag = statement[0]
        if tag == "=":
            for target in statement[1]:
                if target is None or target[0] != "s" or not _place(target[2]):
                    continue
                if cache is not None and same_place(target[2], cache):
                    return True
                named = statement[2] == ["n", name] or ["n", name] in statement[1]
                if name is not None and named and _outlives(target[2], frame):
                    return True
        elif cache is not None and _fills(statement, cache):
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
    if node is not None and node[0] == ":=":
        return ["n", node[1]]
    return node if node is not None and node[0] in ("n", "a") else None


def assigns(block: Block, place: Node, frame: Frame, setters: frozenset[str] = frozenset()) -> bool:
    """Whether a block assigns a place that outlives the call: a declared global, or an attribute."""
    outlives = place[0] != "n" or place[1] in frame.declared
    for statement in block:
        tag = statement[0]
        if setters and _calls_one_of(statement, setters):
            return True
        if _fills(statement, place) and (outlives or place[1] not in frame.env):
            return True
        if outlives and tag == "=" and any(_binds(target, place) for target in statement[1]):
            return True
        if outlives and tag == ":" and same_place(statement[1], place):
            return True
        if tag == "e" and place[0] == "a" and _sets_attribute(statement[1], place):
            return True
        if tag == "with" and assigns(statement[2], place, frame, setters):
            return True
        if tag == "if" and (
            assigns(statement[2], place, frame, setters) or assigns(statement[3], place, frame, setters)
        ):
            return True
        if tag == "try" and (
            assigns(statement[1], place, frame, setters) or assigns(statement[3], place, frame, setters)
        ):
            return True
    return False


def _sets_attribute(call: Node, place: Node) -> bool:
    """Whether a call is `setattr(self, "client", …)` or `object.__setattr__(self, "client", …)` of a place."""
    if call is None or call[0] != "c" or call[2] is None or len(call[3]) != 3:
        return False
    owner, name, _ = call[3]
    return call[2][-1] in ("setattr", "__setattr__") and name == ["k", place[3]] and same_place(owner, place[2])


def _binds(target: Node, place: Node) -> bool:
    """Whether a target is a place, or unpacks into it: `client, owner = make(), getpid()`."""
    if target is not None and target[0] in ("t", "l"):
        return any(_binds(part, place) for part in target[1])
    return same_place(target, place)


def _calls_one_of(statement: Any, setters: frozenset[str]) -> bool:
    """Whether a statement calls (or awaits) one of these functions, or methods of `self`."""
    node = statement[1] if statement[0] in ("e", "ret") else statement[2] if statement[0] == "=" else None
    if node is not None and node[0] == "w":
        node = node[2]
    if node is None or node[0] != "c" or node[2] is None:
        return False
    callee = node[2]
    if callee[0] == "n":
        return callee[1] in setters
    return bool(callee[0] == "a" and callee[3] in setters and callee[2] is not None and callee[2][0] == "n")


def _fills(statement: Any, place: Node) -> bool:
    """Whether a statement puts something into the container at a place (`x.extend(…)`, `x[k] = v`)."""
    if statement[0] == "e" and statement[1][0] == "c":
        callee = statement[1][2]
        return callee is not None and callee[0] == "a" and callee[3] in _FILLERS and same_place(callee[2], place)
    return statement[0] == "=" and any(
        target is not None and target[0] == "s" and same_place(target[2], place) for target in statement[1]
    )


def same_place(left: Node, right: Node) -> bool:
    """Whether two nodes name the same place (their sites differ)."""
    if left is None or right is None or left[0] != right[0]:
        return False
    if left[0] == "n":
        return bool(left[1] == right[1])
    if left[0] == "a":
        return bool(left[3] == right[3]) and same_place(left[2], right[2])
    return False


def terminates(block: Block) -> bool:
    """Whether a block certainly ends in return, raise, break or continue."""
    for statement in block:
        tag = statement[0]
        if tag in ("ret", "raise", "break", "continue"):
            return True
        if tag == "if" and statement[3] and terminates(statement[2]) and terminates(statement[3]):
            return True
        if tag == "with" and terminates(statement[2]):
            return True
    return False


def _ends_in_raise(block: Block) -> bool:
    return bool(block) and block[-1][0] == "raise"


def demanded_instances(block: Block) -> Iterator[tuple[str, Node]]:
    """The names, each with the classes of which it has to be an instance, or else a function that begins like this
    raises: `if not isinstance(store, Store): raise …`, `assert isinstance(store, Store)`."""
    for statement in block:
        if statement[0] == "assert":
            test, outcome = statement[1], True
        elif statement[0] == "if" and not statement[3] and _ends_in_raise(statement[2]):
            test, outcome = statement[1], False
        elif statement[0] in ("e", "imp"):
            continue
        else:
            return  # from here on it may have returned, or have bound the name anew
        together = test is not None and test[0] == "bool" and (test[1] == "and") is outcome
        for part in test[2] if together else [test]:
            if part is not None and part[0] == "u" and part[1] == "not" and not outcome:
                asked = part[2]
            else:
                asked = part if outcome else None
            if asked is not None and asked[0] == "c" and asked[2] == ["n", "isinstance"] and len(asked[3]) == 2:
                if asked[3][0] is not None and asked[3][0][0] == "n":
                    yield asked[3][0][1], asked[3][1]


def breaks(block: Block) -> bool:
    """Whether a loop body can leave its loop by `break`."""
    for statement in block:
        tag = statement[0]
        if tag == "break":
            return True
        if tag == "if" and (breaks(statement[2]) or breaks(statement[3])):
            return True
        if tag == "with" and breaks(statement[2]):
            return True
        if tag == "try" and (
            breaks(statement[1])
            or any(breaks(handler[2]) for handler in statement[2])
            or breaks(statement[3])
            or breaks(statement[4])
        ):
            return True
        if tag == "match" and any(breaks(case[1]) for case in statement[2]):
            return True
    return False


def is_type_checking(test: Node) -> bool:
    return test is not None and test[0] in ("n", "a") and test[-1] == "TYPE_CHECKING"


def is_main_guard(test: Node) -> bool:
    return (
        test is not None
        and test[0] == "cmp"
        and test[2] == ["n", "__name__"]
        and len(test[3]) == 1
        and test[3][0][1] == ["k", "__main__"]
    )


def catches(kind: Node, name: str) -> bool:
    """Whether a handler is for exceptions of this name, alone or among others."""
    if kind is None:
        return False
    if kind[0] == "t":
        return any(catches(part, name) for part in kind[1])
    return kind[0] in ("n", "a") and bool(kind[-1] == name)


def methods_called(block: Block) -> Iterator[tuple[Node, str]]:
    """The receivers (a name, or an attribute) and the names of the methods that the statements of a block call."""
    for statement in block:
        for call in calls_within(statement):
            if call[2] is not None and call[2][0] == "a" and _place(call[2][2]) is not None:
                yield call[2][2], call[2][3]


def raises(block: Block, name: str) -> bool:
    """Whether a block raises an exception of this name by itself."""
    for statement in statements_of(block):
        if statement[0] == "raise" and statement[1] is not None:
            raised = statement[1][2] if statement[1][0] == "c" else statement[1]
            if raised is not None and raised[0] in ("n", "a") and raised[-1] == name:
                return True
    return False


def gives_something(block: Block) -> bool:
    """Whether a function with this body returns anything but None, or is the stub of one that does."""
    statements = list(statements_of(block))
    return not statements or any(
        statement[0] == "raise" or (statement[0] == "ret" and statement[1] not in (None, ["k", None]))
        for statement in statements
    )


def catches_runtime_error(kind: Node) -> bool:
    if kind is None:
        return True
    if kind[0] == "t":
        return any(catches_runtime_error(part) for part in kind[1])
    return kind[0] in ("n", "a") and kind[-1] in (
        "RuntimeError",
        "Exception",
        "BaseException",
        "AsyncLibraryNotFoundError",
        "NoEventLoopError",
    )


def gives_new(block: Block) -> bool:
    """Whether what a function with this body returns comes out of a call every time and is kept by nobody here: not
    out of a container, an attribute or a variable of the module, and not put into one either."""
    kept: set[str] = set()
    made: dict[str, list[Node]] = {}
    given: list[Node] = []
    for statement in statements_of(block):
        if statement[0] == "ret" and statement[1] is not None and statement[1] != ["k", None]:
            given.append(statement[1])
        elif statement[0] in ("=", ":"):
            targets, value = (statement[1], statement[2]) if statement[0] == "=" else ([statement[1]], statement[3])
            for target in targets:
                if target is not None and target[0] == "n":
                    made.setdefault(target[1], []).append(value if len(targets) == 1 else None)
            if value is not None and value[0] == "n" and any(target is None or target[0] != "n" for target in targets):
                kept.add(value[1])
        elif statement[0] == "global":
            kept.update(statement[1])
    return bool(given) and all(
        _is_made(node)
        or (node[0] == "n" and node[1] not in kept and node[1] in made and all(map(_is_made, made[node[1]])))
        for node in given
    )


def _is_made(node: Node) -> bool:
    """Whether an expression is a call that makes something, as far as its name says: not `kept.get(key)`."""
    if node is not None and node[0] == "w":
        node = node[2]
    return bool(node and node[0] == "c" and node[2]) and not str(node[2][-1]).startswith(_TAKERS)
