"""Random accidents to Python source, the same ones for the same seed. Knows nothing of what a reader makes of them."""

from __future__ import annotations

import random

_PIECES = (b"(", b"]", b":", b"'", b'"""', b"\\", b"\n", b"    ", b"\0", b"\xff", b"async ", b"await ", b"lambda: ")
_KINDS = (
    "lost",
    "doubled",
    "put in",
    "changed",
    "line lost",
    "line lost",
    "line doubled",
    "line moved",
    "word swapped",
)


def mutant(source: bytes, chance: random.Random) -> bytes:
    """The source after one to four accidents: bytes or lines lost, doubled, moved, changed or put in."""
    out = bytearray(source)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(out) + 1)
        end = min(len(out), start + chance.choice((1, 1, 3, 20, 200)))
        kind = chance.choice(_KINDS)
        if kind.startswith("line"):
            start = out.rfind(b"\n", 0, start) + 1
            end = out.find(b"\n", start) + 1 or len(out)
        if kind.endswith("lost"):
            del out[start:end]
        elif kind.endswith("doubled"):
            out[start:start] = out[start:end]
        elif kind.endswith("moved"):
            line = out[start:end]
            del out[start:end]
            place = out.rfind(b"\n", 0, chance.randrange(len(out) + 1)) + 1
            out[place:place] = line
        elif kind.endswith("swapped"):
            out = _swap(out, chance)
        elif kind == "put in":
            out[start:start] = chance.choice(_PIECES)
        else:
            out[start:end] = bytes([chance.randrange(256)])
    return bytes(out)


def _swap(source: bytearray, chance: random.Random) -> bytearray:
    """One word in the place of another: mostly still Python, and a program that nobody would write."""
    words = sorted({word for word in bytes(source).replace(b".", b" ").split() if word.isalpha()})
    if not words:
        return source
    return source.replace(chance.choice(words), chance.choice(words), chance.randint(1, 3))
