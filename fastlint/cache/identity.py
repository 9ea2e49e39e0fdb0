"""Which fastlint this is, as exactly as it can be told within a millisecond or two. Imports nothing to find out."""

from __future__ import annotations

import os
import sys
import zlib

from fastlint import __version__
from fastlint.cache import folder

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_DECIDES = ("libcst", "pathspec", "ruamel")  # libraries whose release can change what is found


def identity() -> str:
    """A short text that differs wherever another fastlint, Python or parser could find something else."""
    parts = [__version__, sys.implementation.name, ".".join(map(str, sys.version_info[:3])), sys.platform, *_releases()]
    beside = os.path.dirname(_PACKAGE)
    record = folder.read(os.path.join(beside, f"fastlint-{__version__}.dist-info", "RECORD"))
    if record is not None and b"fastlint/cache/identity.py," in record:  # installed from a wheel: hashes of all files
        return _short("\n".join([*parts, record.decode("utf-8", "replace")]))
    return _short("\n".join([*parts, *_stamps(_PACKAGE), *_stamps(os.path.join(beside, "rules"))]))


def _short(text: str) -> str:
    # Two checksums instead of one from hashlib, whose import alone takes longer than all that is done here.
    data = text.encode("utf-8", "surrogatepass")
    return f"{len(data):x}-{zlib.crc32(data):08x}-{zlib.adler32(data):08x}"


def _releases() -> list[str]:
    """The installed releases of what decides, by the names of their folders of metadata."""
    found: list[str] = []
    for place in dict.fromkeys(sys.path):
        try:
            names = os.listdir(place or os.curdir)
        except OSError:  # not there, or a zip file
            continue
        found += (each for each in names if each.endswith(".dist-info") and each.startswith(_DECIDES))
    return sorted(found)


def _stamps(start: str) -> list[str]:
    """Name, size and time of every file below a folder: a checkout has no version that changes with each edit."""
    stamps: list[str] = []
    waiting = [start]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir():
                        if entry.name != "__pycache__":
                            waiting.append(entry.path)
                    elif entry.name.endswith((".py", ".toml", ".json", ".j2")):
                        status = entry.stat()
                        stamps.append(f"{entry.path} {status.st_size} {status.st_mtime_ns}")
        except OSError:
            continue
    return sorted(stamps)
