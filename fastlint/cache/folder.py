"""The folder that the cache lies in: where it is, how it comes into being, how a file in it is replaced.

Everything here gives up quietly: a cache that cannot be read or written is no cache.
"""

from __future__ import annotations

import os
import zlib

NAME = ".fastlint_cache"
VARIABLE = "FASTLINT_CACHE_DIR"

# https://bford.info/cachedir/: backup programs leave out a folder that holds this file with this first line.
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# The cache of fastlint. It may be deleted at any time.\n"
_IGNORE = "# Made by fastlint.\n*\n"


def usable(folder: str) -> bool:
    """Make the folder with its two marks where it is not there yet; False where that cannot be done."""
    try:
        os.makedirs(folder, exist_ok=True)
        for name, text in (("CACHEDIR.TAG", _TAG), (".gitignore", _IGNORE)):
            path = os.path.join(folder, name)
            if not os.path.exists(path):
                with open(path, "w", encoding="utf-8") as handle:
                    handle.write(text)
    except (OSError, ValueError):
        return False
    return os.access(folder, os.W_OK)


def read(path: str) -> bytes | None:
    """The bytes of one file of the cache; None where there is none."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except (OSError, ValueError):
        return None


def read_compressed(path: str) -> bytes | None:
    """What `zlib.compress` made of one file of the cache; None where there is none, or it fails its checksum."""
    content = read(path)
    try:
        return None if content is None else zlib.decompress(content)
    except zlib.error:
        return None


def replace(path: str, content: bytes) -> bool:
    """Write a file so that readers see all of the old content or all of the new; False where that cannot be done."""
    draft = f"{path}.{os.getpid()}.draft"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(draft, "wb") as handle:
            handle.write(content)
        os.replace(draft, path)
    except (OSError, ValueError):
        delete(draft)
        return False
    return True


def delete(path: str) -> None:
    """Remove one file of the cache, if it is there."""
    try:
        os.unlink(path)
    except OSError:
        pass  # gone already, or not to be had: then it stays


def keep_newest(folder: str, number: int) -> None:
    """Delete all but so many of the files in a folder, the oldest first."""
    try:
        with os.scandir(folder) as entries:
            files = sorted(((entry.stat().st_mtime_ns, entry.path) for entry in entries), reverse=True)
    except OSError:
        return
    for _, path in files[number:]:
        delete(path)
