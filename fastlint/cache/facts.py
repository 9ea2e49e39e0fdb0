"""The facts of files by their content: what was parsed once is not parsed again. Decides nothing about what they say.

Kept as compressed JSON, one small file for each content: two runs at once cannot disturb each other, a damaged file
fails its checksum (zlib's), and nothing in it can be executed.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib

from fastlint.cache import folder
from fastlint.cache.identity import identity

_FOLDER = "facts"
_DAY = 86_400  # seconds
_KEPT = 14 * _DAY  # unused for so long, a file is deleted


class FactStore:
    """The facts kept in one cache folder, as the JSON text that they are made of."""

    def __init__(self, cache: str) -> None:
        self._folder = os.path.join(cache, _FOLDER)
        self._seed = identity().encode()
        self._now = time.time()

    def load(self, content: str) -> bytes | None:
        """The facts of the source with this digest, or None where they are not known (any longer)."""
        path = self._path(content)
        text = folder.read_compressed(path)
        if text is not None:
            self._used(path)
        return text

    def save(self, content: str, facts: bytes) -> None:
        """Keep the facts of the source with this digest."""
        folder.replace(self._path(content), zlib.compress(facts, 1))

    def tidy(self) -> None:
        """Delete what nobody has used for two weeks; looks at most once a day."""
        mark = os.path.join(self._folder, "tidied")
        if self._age(mark) < _DAY or not folder.replace(mark, b""):
            return
        for inside in sorted(os.listdir(self._folder)):
            drawer = os.path.join(self._folder, inside)
            if os.path.isdir(drawer):
                for name in os.listdir(drawer):
                    if self._age(path := os.path.join(drawer, name)) > _KEPT:
                        folder.delete(path)

    def _path(self, content: str) -> str:
        name = hashlib.sha256(self._seed + b"\0" + content.encode()).hexdigest()
        return os.path.join(self._folder, name[:2], name[2:])

    def _used(self, path: str) -> None:
        if self._age(path) > _DAY:
            try:
                os.utime(path)
            except OSError:
                pass  # another's file, or gone: then it is made again one day

    def _age(self, path: str) -> float:
        """Seconds since a file was written or used, by the day; endless where it is not there."""
        try:
            return self._now - os.stat(path).st_mtime
        except OSError:
            return float("inf")
