"""The Python files of a project become facts: those that the cache knows, those that are parsed now. Judges nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fastlint.cache.facts import FactStore
from fastlint.report.model import CheckRequest, Progress
from fastlint.source.discover import SourceFile, SourceTree
from fastlint.source.encoding import decode
from fastlint.source.facts import ModuleFacts
from fastlint.source.hosting import parse_each
from fastlint.source.parse import Unreadable, decoded, unreadable_reason


class Sources:
    """The bytes of the project's files, read when asked for; standard input stands in for its file."""

    def __init__(self, tree: SourceTree, request: CheckRequest) -> None:
        self._root = tree.root
        self._given: dict[str, bytes] = {}
        if request.stdin is not None:
            path = os.path.relpath(os.path.abspath(request.stdin.path), tree.root).replace(os.sep, "/")
            self._given[path] = request.stdin.source

    def read(self, relative: str) -> bytes | Unreadable:
        """The content of a file, or why it cannot be read."""
        if relative in self._given:
            return self._given[relative]
        try:
            with open(os.path.join(self._root, relative), "rb") as handle:
                return handle.read()
        except OSError as error:
            return Unreadable(f"cannot be read: {error.strerror or error}")


class Content(NamedTuple):
    """What a file was when it was read: digests of its bytes and of its facts, "" where there are none; its sites."""

    source: str
    facts: str
    sites: int


class Glance(NamedTuple):
    """Whether a file could be read that nothing is read from: the digest of its bytes, and what is wrong with it."""

    source: str
    reason: Unreadable | None


@dataclass(slots=True)
class Reading:
    """The facts of every file that can matter, in the order in which they were read, and the files that have none."""

    facts: list[tuple[SourceFile, ModuleFacts]] = field(default_factory=list)
    unreadable: list[tuple[SourceFile, Unreadable]] = field(default_factory=list)
    contents: dict[str, Content] = field(default_factory=dict)  # of both, by path
    glances: dict[str, Glance] = field(default_factory=dict)


def digest(content: bytes) -> str:
    """What stands for a content: two that differ have two of them."""
    return hashlib.sha256(content).hexdigest()


def read_files(
    tree: SourceTree,
    sources: Sources,
    store: FactStore | None,
    jobs: int,
    tell: Callable[[Progress], None] | None = None,
    known: Mapping[str, Glance] | None = None,
) -> Reading:
    """The facts of the application, and of what it imports of tests and scripts. `known` are glances of earlier."""
    reading = Reading()
    progress = _Counted(tell, len(tree.files))
    files = [file for file in tree.files if file.kind == "app"]
    while files:  # the application first, then what it imports of tests and scripts, and so on
        following: dict[str, SourceFile] = {}
        for file, (content, facts) in zip(files, _parsed(files, sources, store, jobs, progress.more), strict=True):
            reading.contents[file.relative] = content
            if isinstance(facts, Unreadable):
                reading.unreadable.append((file, facts))
                continue
            reading.facts.append((file, facts))
            following.update((other.relative, other) for other in _imported_outsiders(file, facts, tree))
        files = [file for file in following.values() if file.relative not in reading.contents]
    reading.glances = glance(tree, sources, reading.contents, known or {})
    return reading


def glance(tree: SourceTree, sources: Sources, taken: Iterable[str], known: Mapping[str, Glance]) -> dict[str, Glance]:
    """The reported tests and scripts that nothing imports: only whether they can be read at all."""
    out: dict[str, Glance] = {}
    for path in sorted(tree.reported.difference(taken)):
        source = sources.read(path)
        if isinstance(source, Unreadable):
            out[path] = Glance("", source)
            continue
        before = known.get(path)
        now = digest(source)
        out[path] = before if before and before.source == now else Glance(now, unreadable_reason(source))
    return out


def _parsed(
    files: list[SourceFile], sources: Sources, store: FactStore | None, jobs: int, done: Callable[[int], None]
) -> list[tuple[Content, ModuleFacts | Unreadable]]:
    """The facts of files, in their order; a file that cannot be read has a reason instead."""
    read = [sources.read(file.relative) for file in files]
    facts: dict[int, tuple[Content, ModuleFacts | Unreadable]] = {}
    missing: dict[int, bytes] = {}
    contents: dict[int, str] = {}
    for number, source in enumerate(read):
        if isinstance(source, Unreadable):
            facts[number] = Content("", "", 0), source
            continue
        contents[number] = digest(source)
        encoded = store.load(contents[number]) if store is not None else None
        kept = _decoded(encoded)
        if encoded is None or kept is None:
            missing[number] = source
        else:
            facts[number] = Content(contents[number], digest(encoded), kept.sites), kept
    done(sum(bool(content.source) for content, _ in facts.values()))
    numbers = list(missing)
    for place, parsed in parse_each(list(missing.values()), jobs):
        number = numbers[place]
        done(1)
        if isinstance(parsed, Unreadable):
            facts[number] = Content(contents[number], "", 0), parsed
            continue
        found = decoded(parsed)
        sites = found.sites if isinstance(found, ModuleFacts) else 0
        facts[number] = Content(contents[number], digest(parsed), sites), found
        if store is not None:
            store.save(contents[number], parsed)
    return [facts[number] for number in range(len(files))]


def _decoded(encoded: bytes | None) -> ModuleFacts | None:
    """The facts that the cache has; whatever is wrong with them, they are then made anew."""
    try:
        return None if encoded is None else decode(encoded)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class _Counted:
    """Tells how many files are read so far, if anybody wants to know."""

    def __init__(self, tell: Callable[[Progress], None] | None, total: int) -> None:
        self._tell = tell
        self._done = 0
        self._total = total

    def more(self, number: int) -> None:
        """So many more files are read."""
        self._done += number
        if self._tell:
            self._tell(Progress("reading", self._done, self._total))


def _imported_outsiders(file: SourceFile, facts: ModuleFacts, tree: SourceTree) -> list[SourceFile]:
    """The tests, migrations and scripts that a file imports: part of the application after all."""
    out: list[SourceFile] = []
    parts = file.module.split(".")
    for level, target, attribute in facts.imports:
        keep = len(parts) - level + (1 if file.is_package else 0)
        base = ".".join(parts[: max(keep, 0)]) if level else ""
        dotted = f"{base}.{target}" if base and target else base or target
        for name in (dotted, f"{dotted}.{attribute}") if attribute else (dotted,):
            found = tree.find(name, file)
            if found is not None and found.kind != "app":
                out.append(found)
    return out
