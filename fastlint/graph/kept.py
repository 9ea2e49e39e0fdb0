"""A finished analysis as packed JSON, and back: so that the next run need not begin anew. Judges nothing in it.

All that `State` has found is tuples of texts and numbers: each is written once, after those that it holds, and is known
by its number from then on. What is only asked of the syntax of functions is not kept: whoever needs it asks again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from json.encoder import encode_basestring_ascii
from typing import Any, TypeVar

from fastlint.graph.state import Edge, Event, Record, State, Variant
from fastlint.graph.variants import variant_key
from fastlint.rulebook.compiled import SpecRows, read_specs

_T = TypeVar("_T")

_PLAIN = (str, int, float, bool, type(None))
_AT_ONCE = 100  # rows that are written in one text
_MOST_KNOWN = 30_000  # tuples that are known again without being written again: all of them would take much memory


def pack(state: State) -> bytes:
    """What a settled analysis has found, as compressed JSON. Raises `TypeError` where it holds what JSON cannot say."""
    packer = zlib.compressobj(1)  # piece by piece: all of the text at once would be the most memory of a run
    pieces = [packed for piece in _pieces(state) if (packed := packer.compress(piece.encode()))]
    return b"".join([*pieces, packer.flush()])


def unpack(packed: bytes) -> dict[str, Any]:
    """The rows that `pack` wrote, for `fill`. Raises `ValueError` where they are damaged."""
    try:
        rows = json.loads(zlib.decompress(packed))
    except (zlib.error, RecursionError) as error:
        raise ValueError(error) from None
    if not isinstance(rows, dict):
        raise ValueError("no analysis")
    return rows


def _pieces(state: State) -> Iterator[str]:
    tuples = _Tuples()
    number = tuples.number
    specs = SpecRows()
    events: dict[Event, int] = {}

    def event(one: Event) -> int:
        known = events.get(one)
        if known is None:
            row = (one.site, one.name, one.rule, specs.number(one.spec), one.lock, one.of)
            known = events[one] = number(row)
        return known

    def variant(one: Variant) -> list[Any]:
        return [
            number(one.function),
            one.env,
            number(one.receiver),
            _flat((name, number(values)) for name, values in one.bindings.items()),
            _flat((*edge, flags) for edge, flags in one.edges.items()),
            _flat((event(met), flags) for met, flags in one.events.items()),
            _flat((number(tuple(record)), flags) for record, flags in one.records.items()),
            sorted(one.unresolved),
            _flat(one.labels.items()),
            _flat((name, number(values)) for name, values in one.names.items()),
            one.vague,
        ]

    yield '{"variants":'
    yield from _listed(_dumped(map(variant, state.variants)))
    yield ',"facts":'
    yield _dump(_flat((number(key), number(values)) for key, values in state.facts.items()))
    yield ',"readers":'
    yield from _listed(_dumped([number(key), *sorted(readers)] for key, readers in state.readers.items()))
    holds = [
        [
            number(lock),
            _flat((at, event(what) if isinstance(what, Event) else -1 - number(tuple(what))) for at, what in held),
        ]
        for lock, held in state.holds.items()
    ]
    inclusions = [
        [number(key), [[number(where), node] for where, node in calls.items()]]
        for key, calls in state.inclusions.items()
    ]
    hooks = [
        [number(ref), _flat((number(hook), label) for hook, label in found.items())]
        for ref, found in state.model_hooks.items()
    ]
    others = {
        "holds": holds,
        "bodies": {name: one.number for name, one in state.bodies.items()},
        "prefixes": _flat((number(key), prefix) for key, prefix in state.prefixes.items()),
        "included": _flat((number(key), number(row)) for key, row in state.included.items()),
        "inclusions": inclusions,
        "hooks": hooks,
        "unrun": [one.number for one in state.variants if not one.runs],
        "servers": sorted(state.servers),
        "unbound": [number(key) for key in state.unbound],
        "retired": sorted(state.retired),
        "specs": specs.rows,
    }
    for name, rows in others.items():
        yield f',"{name}":{_dump(rows)}'
    yield ',"tuples":'  # last: by now all of them are known
    yield from _listed(",".join(rows) for rows in _some(tuples.rows))
    yield "}"


def fill(state: State, rows: dict[str, Any]) -> None:
    """Put what `unpack` gives into a state that has found nothing yet. Raises `ValueError`, `TypeError`,
    `KeyError` or `IndexError` on what it did not write."""
    tuples: list[Any] = []
    for row in rows["tuples"]:
        tuples.append(tuple([(tuples[each[0]] if each else ...) if each.__class__ is list else each for each in row]))
    specs = read_specs(rows["specs"])
    events: dict[int, Event] = {}

    def event(place: int) -> Event:
        known = events.get(place)
        if known is None:
            site, name, rule, spec, lock, of = tuples[place]
            known = events[place] = Event(site, name, rule, specs[spec], lock, of)
        return known

    for number, row in enumerate(rows["variants"]):
        ref, env, receiver, bindings, edges, met, records, unresolved, labels, names, vague = row
        variant = Variant(
            number,
            tuples[ref],
            env,
            tuples[receiver],
            _named(bindings, tuples) if bindings else {},
            _edges(edges) if edges else {},
            {event(each): flags for each, flags in _pairs(met)} if met else {},
            {Record(*tuples[each]): flags for each, flags in _pairs(records)} if records else {},
            set(unresolved),
            dict(_pairs(labels)) if labels else {},
            _named(names, tuples) if names else {},
            vague,
            1,
        )
        state.variants.append(variant)
        state.by_key[variant_key(variant.function, env, variant.receiver, variant.bindings)] = variant
        state.of_function.setdefault(variant.function, []).append(variant)
    for number in rows["unrun"]:
        state.variants[number].runs = 0
    state.facts.update((tuples[key], tuples[values]) for key, values in _pairs(rows["facts"]))
    state.readers.update((tuples[key], set(readers)) for key, *readers in rows["readers"])
    for lock, held in rows["holds"]:
        state.holds[tuples[lock]] = {
            (each, event(what) if what >= 0 else Edge(*tuples[-1 - what])): None for each, what in _pairs(held)
        }
    state.bodies.update((name, state.variants[number]) for name, number in rows["bodies"].items())
    state.prefixes.update((tuples[key], prefix) for key, prefix in _pairs(rows["prefixes"]))
    state.included.update((tuples[key], tuples[row]) for key, row in _pairs(rows["included"]))
    for key, calls in rows["inclusions"]:
        state.inclusions[tuples[key]] = {tuples[where]: node for where, node in calls}
    for ref, hooks in rows["hooks"]:
        state.model_hooks[tuples[ref]] = {tuples[hook]: label for hook, label in _pairs(hooks)}
    state.servers.update(rows["servers"])
    state.unbound.update(tuples[key] for key in rows["unbound"])


def _named(row: list[Any], tuples: list[Any]) -> dict[str, Any]:
    return {name: tuples[values] for name, values in zip(row[::2], row[1::2], strict=True)}


def _edges(row: list[Any]) -> dict[Edge, int]:
    return dict(zip(map(Edge._make, zip(row[::4], row[1::4], row[2::4], strict=True)), row[3::4], strict=True))


class _Tuples:
    """Tuples of texts, numbers and tuples as rows of JSON: a tuple in another one is a list of its number; the constant
    `...` is an empty list."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # by what is written: True and 1 are equal, and not the same
        self._known: dict[int, tuple[int, Any]] = {}  # by identity; the tuple is kept so that it stays its own

    @property
    def rows(self) -> Iterable[str]:
        """The rows in the order of their numbers."""
        return self._numbers

    def number(self, one: tuple[Any, ...]) -> int:
        """The number of a tuple's row, which is written now if it is new."""
        known = self._known.get(id(one))
        if known is not None:
            return known[0]
        row: list[str] = []
        for each in one:
            kind = each.__class__
            if kind is str:
                row.append(encode_basestring_ascii(each))
            elif kind is int:  # not True
                row.append(str(each))
            elif isinstance(each, tuple):
                row.append(f"[{self.number(each)}]")
            elif each is ...:
                row.append("[]")
            elif isinstance(each, _PLAIN):
                row.append(_dump(each))
            else:
                raise TypeError(each)
        text = f"[{','.join(row)}]"
        number = self._numbers.setdefault(text, len(self._numbers))
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[id(one)] = number, one
        return number


_dump = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


def _dumped(rows: Iterable[Any]) -> Iterator[str]:
    """The rows as JSON, some in one text: to begin with each takes longer than to write it."""
    return (_dump(some)[1:-1] for some in _some(rows))


def _some(rows: Iterable[_T]) -> Iterator[list[_T]]:
    """The rows, so many at a time."""
    each = iter(rows)
    while some := list(islice(each, _AT_ONCE)):
        yield some


def _listed(texts: Iterable[str]) -> Iterator[str]:
    mark = "["
    for text in texts:
        yield mark + text
        mark = ","
    yield "[]" if mark == "[" else "]"


def _flat(rows: Any) -> list[Any]:
    return [each for row in rows for each in row]


def _pairs(row: list[Any]) -> Any:
    return zip(row[::2], row[1::2], strict=True)
