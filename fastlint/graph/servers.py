"""Which functions start an ASGI server, by themselves or through what they run, and on whose loop; edges alone."""

from __future__ import annotations

from fastlint.graph.state import CALL, COROUTINE, PRIVATE, SERVING
from fastlint.graph.statements import Interpreter


def mark_servers(interpreter: Interpreter) -> set[int]:
    """The numbers of the variants that start a server; `asyncio.run` of one of them becomes an edge to the server's
    own loop."""
    starters = _starters(interpreter)
    for variant in interpreter.variants:
        if starters and any(edge.kind == PRIVATE and edge.target in starters for edge in variant.edges):
            variant.edges = {
                edge._replace(kind=SERVING) if edge.kind == PRIVATE and edge.target in starters else edge: flags
                for edge, flags in variant.edges.items()
            }
    return starters


def _starters(interpreter: Interpreter) -> set[int]:
    callers: dict[int, list[int]] = {}
    for variant in interpreter.variants:
        for edge in variant.edges:
            if edge.kind in (CALL, COROUTINE, PRIVATE):
                callers.setdefault(edge.target, []).append(variant.number)
    starters = set(interpreter.servers)
    waiting = list(starters)
    while waiting:
        for caller in callers.get(waiting.pop(), ()):
            if caller not in starters:
                starters.add(caller)
                waiting.append(caller)
    return starters
