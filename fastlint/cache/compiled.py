"""What this fastlint's own data was compiled to, kept from one run to the next. Knows nothing of what it says.

Compressed JSON behind the identity of the fastlint that wrote it: another's is not read, and nothing can be executed.
Behind that may come more, as whoever keeps it has packed it.
"""

from __future__ import annotations

import os
import zlib

from fastlint.cache import folder
from fastlint.cache.identity import identity


def load(cache: str, name: str) -> bytes | None:
    """The text that was kept under a name by this very fastlint; None where there is none."""
    parts = load_parts(cache, name)
    return None if parts is None else parts[0]


def load_parts(cache: str, name: str) -> tuple[bytes, bytes] | None:
    """The same, with what was packed and kept behind it."""
    content = folder.read(os.path.join(cache, name))
    if content is None:
        return None
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(content)
    except zlib.error:
        return None
    head = identity().encode() + b"\n"
    return (text[len(head) :], reader.unused_data) if reader.eof and text.startswith(head) else None


def save(cache: str, name: str, text: bytes, packed: bytes = b"") -> None:
    """Keep a text for the next run, and what is packed already."""
    folder.replace(os.path.join(cache, name), zlib.compress(identity().encode() + b"\n" + text, 1) + packed)
