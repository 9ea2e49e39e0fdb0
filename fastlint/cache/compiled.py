"""What this fastlint's own data was compiled to, kept from one run to the next. Knows nothing of what it says.

Compressed JSON behind the identity of the fastlint that wrote it: another's is not read, and nothing can be executed.
"""

from __future__ import annotations

import os
import zlib

from fastlint.cache import folder
from fastlint.cache.identity import identity


def load(cache: str, name: str) -> bytes | None:
    """The text that was kept under a name by this very fastlint; None where there is none."""
    text = folder.read_compressed(os.path.join(cache, name))
    if text is None:
        return None
    head = identity().encode() + b"\n"
    return text[len(head) :] if text.startswith(head) else None


def save(cache: str, name: str, text: bytes) -> None:
    """Keep a text for the next run."""
    folder.replace(os.path.join(cache, name), zlib.compress(identity().encode() + b"\n" + text, 1))
