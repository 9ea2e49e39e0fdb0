"""What the checks said of a project last time, and whether they would say it again. Judges nothing and parses no tree.

Graph and checks see facts, settings and what deployment files say; of the source they see nothing else. While all of
that is as it was, they would find the same, only at other lines: after an edit of comments, docstrings or layout. So
findings are kept with the sites of their places, and the places are found anew in the files that changed. A check may
compare places (which of two calls comes first): where an edit changes the order of places that were asked for, or a
file whose text itself was read, nothing is taken over.

Kept as JSON in the cache, like everything there: not trusted (a wrong shape is no verdict), not needed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from fastlint.cache import compiled, folder
from fastlint.cache.facts import FactStore
from fastlint.config import Config
from fastlint.deploy.find import Candidate, read_bytes
from fastlint.finding import Confidence, Finding, Location, Severity, Step
from fastlint.machine import Machine
from fastlint.places import Places
from fastlint.previous import Previous
from fastlint.reading import Content, Glance, Reading, Sources, digest, glance
from fastlint.source.discover import SourceTree
from fastlint.source.hosting import parse_each
from fastlint.source.locate import Span, locate
from fastlint.source.parse import Unreadable

_FOLDER = "verdicts"
_MOST = 8  # of one cache: one for each set of settings and folders in use
_QUOTED = re.compile(r":\d")  # a place in words, "app/main.py:12", has this in it
_SURE = "syntax error: "  # reasons that depend on nothing but the file


@dataclass(slots=True)
class Verdict:
    """What a report is made of before anything is silenced or hidden."""

    findings: Sequence[Finding]  # of the checks, and of deployment files that are broken
    unresolved: Sequence[tuple[str, int, str]]  # path, site and function of each call that could not be resolved
    deployed: frozenset[str]  # files that plans were read from
    named: Mapping[str, str]  # files that deployment files name, with what stands for their content
    unreadable: Mapping[str, Unreadable]  # Python files, reported or not
    places: Places


class Grounds(NamedTuple):
    """What is there before a verdict: the project's files as they are now, and where its parts are kept."""

    tree: SourceTree
    config: Config
    codes: frozenset[str]
    sources: Sources
    candidates: Sequence[Candidate]  # deployment files
    store: FactStore
    cache: str
    jobs: int

    def question(self, files: bool = True) -> str:
        """All that decides about a verdict apart from contents; without `files` apart from which files there are."""
        neutral = Config()
        asked = self.config._replace(
            file="",
            selection=neutral.selection,
            per_file_ignores=(),
            severity=neutral.severity,
            confidence=neutral.confidence,
            fail_on=neutral.fail_on,
        )
        known = [[file.relative, file.module, file.kind, *file.aliases] for file in self.tree.files if files]
        return digest(json.dumps([self.tree.root, sorted(self.codes), repr(asked), known]).encode())

    def deployment(self) -> list[list[str]]:
        """The deployment files by content."""
        return [[each.path, each.kind, digest(each.data)] for each in self.candidates]

    def content(self, path: str) -> str:
        """What stands for the content of a file that deployment files name; "" where there is none."""
        data = read_bytes(self.tree.root, path)
        return "" if data is None else digest(data)


class Memory:
    """The verdict that the cache has of such a project. Nothing in it is believed before it is looked at."""

    def __init__(self, grounds: Grounds, machine: Callable[[], Machine]) -> None:
        self._grounds = grounds
        self._machine = machine
        self._asked = grounds.question()
        self._settings = grounds.question(files=False)
        self.previous = Previous(grounds.cache, self._settings, grounds.store)
        self._name = os.path.join(_FOLDER, self._settings[:16])
        self._kept = self._loaded()

    def _loaded(self) -> dict[str, Any]:
        text = compiled.load(self._grounds.cache, self._name)
        try:
            kept = json.loads(text) if text is not None else {}
        except (ValueError, RecursionError):
            return {}
        return kept if isinstance(kept, dict) and kept.get("settings") == self._settings else {}

    def glances(self) -> dict[str, Glance]:
        """What was seen of the files from which nothing is read, whatever became of the others."""
        try:
            return {_text(path): _glance(row) for path, row in self._kept["glances"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            return {}

    def spans(self, contents: Mapping[str, Content]) -> dict[str, dict[int, Span]]:
        """The places of sites in the files that have not changed since, whatever became of the others."""
        try:
            unchanged = {path for path, *content in self._kept["files"] if contents.get(path) == tuple(content)}
            return {
                path: {int(row[0]): (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows}
                for path, rows in self._kept["places"]
                if path in unchanged
            }
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return {}

    def recall(self, known: Iterable[str]) -> Verdict | None:
        """The verdict with today's places; None where it may not hold any longer. `known` are the rules that exist."""
        try:
            return self._recalled(frozenset(known)) if self._kept.get("question") == self._asked else None
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return None

    def _recalled(self, known: frozenset[str]) -> Verdict | None:
        kept, grounds = self._kept, self._grounds
        named = {_text(path): _text(content) for path, content in kept["named"]}
        if kept["deployment"] != grounds.deployment():
            return None
        if any(grounds.content(path) != content for path, content in named.items()):
            return None
        if kept["machine"] and kept["machine"] != _shown(self._machine()):
            return None
        changes = _Changes(grounds, kept)
        if not changes.harmless():
            return None
        now, fresh = changes.now, changes.fresh
        rows = [
            (_text(path), _moved(rows, fresh[path], now[path].sites) if path in fresh else rows)
            for path, rows in kept["places"]
        ]
        locations = [Location(path, *map(int, row[1:])) for path, places in rows for row in places]
        seen = self.glances()
        glances = glance(grounds.tree, grounds.sources, now, seen)
        unreadable = {**changes.unreadable, **{path: each.reason for path, each in glances.items() if each.reason}}
        verdict = Verdict(
            [_finding(row, locations, known) for row in kept["findings"]],
            [(_text(path), int(site), _text(name)) for path, site, name in kept["unresolved"]],
            frozenset(map(_text, kept["deployed"])),
            named,
            unreadable,
            Places(grounds.sources.read, {path: content.sites for path, content in now.items() if content.facts}),
        )
        if fresh or seen != glances:
            self._save({**kept, "files": _contents(now), "places": rows, "glances": _glances({**seen, **glances})})
        return verdict

    def keep(self, verdict: Verdict, reading: Reading, texts: Mapping[str, str], asked: Machine | None) -> None:
        """Keep a verdict for the next run, unless something that it rests on changed during this one. `texts` are the
        Python files whose very text was read for it, with what stands for their content."""
        grounds = self._grounds
        handed = verdict.places.handed()
        for path, content in reading.contents.items():
            source = grounds.sources.read(path)
            if isinstance(source, Unreadable) or digest(source) != content.source:
                return
        places = [(path, sorted(handed[path].items())) for path in sorted(handed)]
        numbers = {id(place): number for number, place in enumerate(each for _, rows in places for _, each in rows)}
        if any(
            id(place) not in numbers and place != Location(place.path) and place.path in reading.contents.keys() - texts
            for finding in verdict.findings
            for place in _places(finding)
        ):
            return  # a place that no site tells
        quoted = _quoted(verdict.findings, handed)
        unreadable = {file.relative: why for file, why in reading.unreadable if why.reason.startswith(_SURE)}
        self._save(
            {
                "settings": self._settings,
                "question": self._asked,
                "deployment": grounds.deployment(),
                "named": sorted(verdict.named.items()),
                "machine": "" if asked is None else _shown(asked),
                "files": _contents(reading.contents),
                "reasons": {path: _reason(why) for path, why in unreadable.items()},
                "glances": _glances({**self.glances(), **reading.glances}),
                "texts": {**{path: reading.contents[path].source for path in quoted}, **texts},
                "places": [(path, [[site, *_span(place)] for site, place in rows]) for path, rows in places],
                "findings": [_row(finding, numbers) for finding in verdict.findings],
                "unresolved": verdict.unresolved,
                "deployed": sorted(verdict.deployed),
            }
        )

    def _save(self, kept: dict[str, Any]) -> None:
        cache = self._grounds.cache
        compiled.save(cache, self._name, json.dumps(kept, separators=(",", ":")).encode())
        folder.keep_newest(os.path.join(cache, _FOLDER), _MOST)


class _Changes:
    """What became of the Python files since a verdict."""

    def __init__(self, grounds: Grounds, kept: dict[str, Any]) -> None:
        self._grounds = grounds
        self._before = {_text(path): Content(_text(one), _text(two), int(n)) for path, one, two, n in kept["files"]}
        self._reasons: dict[str, Unreadable] = {path: _unreadable(row) for path, row in kept["reasons"].items()}
        self._texts: dict[str, str] = kept["texts"]
        self.now: dict[str, Content] = {}
        self.fresh: dict[str, bytes] = {}  # those that say the same in another text
        self.unreadable: dict[str, Unreadable] = {}

    def harmless(self) -> bool:
        """Whether every file says what it said; the rest of this object is only then of use."""
        missing: dict[str, bytes] = {}
        for path in dict.fromkeys([*self._before, *self._texts]):
            source = self._grounds.sources.read(path)
            if isinstance(source, Unreadable):
                return False
            content = digest(source)
            if self._texts.get(path, content) != content:
                return False
            old = self._before.get(path)
            if old is None:
                continue
            self.now[path] = old._replace(source=content)
            if content == old.source and (old.facts or path in self._reasons):
                if not old.facts:
                    self.unreadable[path] = self._reasons[path]
                continue
            encoded = self._grounds.store.load(content)
            if encoded is None:
                missing[path] = source
            elif digest(encoded) != old.facts:
                return False
            if old.facts:
                self.fresh[path] = source
        return self._parsed_alike(missing)

    def _parsed_alike(self, missing: dict[str, bytes]) -> bool:
        """Whether these files say what they said; they are parsed for that, and their facts kept."""
        paths = list(missing)
        alike = True
        for number, facts in parse_each(list(missing.values()), self._grounds.jobs):
            path = paths[number]
            if isinstance(facts, Unreadable):
                self.unreadable[path] = facts
            else:
                self._grounds.store.save(self.now[path].source, facts)
            alike = alike and ("" if isinstance(facts, Unreadable) else digest(facts)) == self._before[path].facts
        return alike


def _moved(rows: list[list[int]], source: bytes, sites: int) -> list[list[int]]:
    """Sites with their places in a new text. Raises `ValueError` where they stand in another order there."""
    spans = locate(source, sites)
    if spans is None:
        raise ValueError("no places")
    nowhere = _span(Location(""))
    today = [spans.get(row[0], nowhere) for row in rows]
    if _order(today) != _order([(row[1], row[2], row[3], row[4]) for row in rows]):
        raise ValueError("another order")
    return [[row[0], *span] for row, span in zip(rows, today, strict=True)]


def _order(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Places by rank, and their beginnings: which comes first, which begin at one place, and which of those ends last.
    Checks compare no more than that (ends of places that begin apart follow parentheses, which say nothing)."""
    ranks = {span: rank for rank, span in enumerate(sorted(set(spans)))}
    beginnings = {point: rank for rank, point in enumerate(sorted({span[:2] for span in spans}))}
    return [(ranks[span], beginnings[span[:2]]) for span in spans]


def _quoted(findings: Iterable[Finding], paths: Iterable[str]) -> set[str]:
    """The files of which a text names a line."""
    steps = [(each.text for each in (*finding.steps, *finding.related)) for finding in findings]
    words = [(finding.message, finding.remedy, finding.subject, *finding.notes) for finding in findings]
    texts = {text for text in chain(*steps, *words) if _QUOTED.search(text)}
    return {path for path in paths if any(f"{path}:" in text for text in texts)} if texts else set()


def _shown(machine: Machine) -> str:
    return f"{machine.cores} {machine.memory}"


# --- rows of JSON ---------------------------------------------------------------------------------------------------


def _row(finding: Finding, numbers: Mapping[int, int]) -> list[Any]:
    def place(where: Location) -> Any:
        return numbers.get(id(where), [where.path, *_span(where)])

    return [
        place(finding.where),
        finding.code,
        finding.name,
        finding.severity.value,
        finding.confidence.value,
        finding.message,
        finding.remedy,
        [[place(step.where), step.text] for step in finding.steps],
        [[place(step.where), step.text] for step in finding.related],
        finding.notes,
        finding.symbol,
        finding.subject,
        finding.ordinal,
    ]


def _finding(row: list[Any], locations: Sequence[Location], known: frozenset[str]) -> Finding:
    def place(number: Any) -> Location:
        if isinstance(number, int):
            return locations[number]
        return Location(_text(number[0]), *map(int, number[1:]))

    where, code, name, severity, confidence, message, remedy, steps, related, notes, symbol, subject, ordinal = row
    if code not in known:
        raise ValueError(code)
    return Finding(
        place(where),
        code,
        _text(name),
        Severity(severity),
        Confidence(confidence),
        _text(message),
        _text(remedy),
        tuple(Step(place(number), _text(text)) for number, text in steps),
        tuple(Step(place(number), _text(text)) for number, text in related),
        tuple(map(_text, notes)),
        _text(symbol),
        _text(subject),
        int(ordinal),
    )


def _places(finding: Finding) -> Iterable[Location]:
    return (finding.where, *(step.where for step in (*finding.steps, *finding.related)))


def _span(place: Location) -> Span:
    return place.line, place.column, place.end_line, place.end_column


def _contents(contents: Mapping[str, Content]) -> list[Any]:
    return [[path, *content] for path, content in contents.items()]


def _glances(glances: Mapping[str, Glance]) -> dict[str, Any]:
    return {
        path: [each.source, each.reason and _reason(each.reason)]
        for path, each in glances.items()
        if each.reason is None or each.reason.reason.startswith(_SURE)
    }


def _glance(row: list[Any]) -> Glance:
    source, reason = row
    return Glance(_text(source), None if reason is None else _unreadable(reason))


def _reason(why: Unreadable) -> list[Any]:
    return [why.reason, why.line, why.column]


def _unreadable(row: list[Any]) -> Unreadable:
    reason, line, column = row
    return Unreadable(_text(reason), int(line), int(column))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
