"""The last analysis that was made of a project from its beginning, kept so that the next one may go on from its end.

Keeps it with a note of the facts that it was made of, and says which of them are others now. Whether the analysis can
be continued is not decided here (see `graph.relink`). JSON in the cache, like everything there: not trusted (a wrong
shape is no analysis), not needed.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from fastlint.cache import compiled, folder
from fastlint.cache.facts import FactStore
from fastlint.reading import digest
from fastlint.source.encoding import decode
from fastlint.source.facts import ModuleFacts

if TYPE_CHECKING:
    from fastlint.graph.relink import Past
    from fastlint.reading import Reading
    from fastlint.source.discover import SourceFile

_FOLDER = "analyses"
_MOST = 4  # of one cache: one for each set of settings and folders in use


class Previous:
    """The earlier analysis of the project that a question is about."""

    def __init__(self, cache: str, question: str, store: FactStore) -> None:
        self._cache = cache
        self._question = question
        self._store = store

    def past(self, reading: Reading) -> Past | None:
        """The analysis, with the former facts of the modules that have others now (of those that are new, none); None
        where there is no analysis, where a file is gone, or some of those facts are."""
        from fastlint.graph.relink import Past

        parts = compiled.load_parts(self._cache, self._name(reading))
        if parts is None:
            return None
        head, packed = parts
        try:
            kept: dict[str, Any] = json.loads(head)
            if kept.get("question") != self._question:
                return None
            files = {path: (known, source, facts) for path, known, source, facts in kept["files"]}
            before: dict[str, ModuleFacts] = {}
            new: list[str] = []
            for file, _ in reading.facts:
                if file.relative not in files:
                    before[file.module] = ModuleFacts()
                    new.append(file.module)
                    continue
                known, source, facts = files.pop(file.relative)
                if known != _known_as(file):
                    return None
                if reading.contents[file.relative].facts != facts:
                    encoded = self._store.load(source)
                    if encoded is None:
                        return None
                    before[file.module] = decode(encoded)
            return None if files else Past(packed, before, frozenset(new))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def keep(self, packed: bytes, reading: Reading) -> None:
        """Keep an analysis, as `graph.kept` packs it, for the next run."""
        files = [[file.relative, _known_as(file), *reading.contents[file.relative][:2]] for file, _ in reading.facts]
        head = json.dumps({"question": self._question, "files": files}, separators=(",", ":"))
        compiled.save(self._cache, self._name(reading), head.encode(), packed)
        folder.keep_newest(os.path.join(self._cache, _FOLDER), _MOST)

    def _name(self, reading: Reading) -> str:
        """Where the analysis lies. That of a project with files that cannot be read has a place of its own: when they
        can be again, which may be the next moment, the one from before is still there."""
        unreadable = sorted(file.relative for file, _ in reading.unreadable)
        asked = digest("\n".join([self._question, *unreadable]).encode()) if unreadable else self._question
        return os.path.join(_FOLDER, asked[:16])


def _known_as(file: SourceFile) -> list[str]:
    """The names under which a file can be imported, and what it is."""
    return [file.module, file.kind, *file.aliases]
