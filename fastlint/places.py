"""Sites become places, and places that were handed out are known again as sites. Says nothing about what is there."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from itertools import chain

from fastlint.finding import Location
from fastlint.source.locate import Span, locate
from fastlint.source.parse import Unreadable


class Places:
    """Each file is located once, and only if something in it is asked for. `sites` are the numbers of sites of files,
    by their paths; `known` are spans that need not be looked for any more."""

    def __init__(
        self,
        read: Callable[[str], bytes | Unreadable],
        sites: Mapping[str, int],
        known: Mapping[str, Mapping[int, Span]] | None = None,
    ) -> None:
        self._read = read
        self._sites = sites
        self._known = known or {}
        self._spans: dict[str, _Spans] = {}
        self._handed: dict[str, dict[int, Location]] = {}

    def of(self, path: str, site: int) -> Location:
        """The place of a site, the same object each time; line 1 where it has none or the file changed meanwhile."""
        handed = self._handed.setdefault(path, {})
        place = handed.get(site)
        if place is None and path in self._known and site in self._known[path]:
            place = handed[site] = Location(path, *self._known[path][site])
        if place is None:
            if path not in self._spans:
                source = self._read(path) if path in self._sites else None
                found = locate(source, self._sites[path]) if isinstance(source, bytes) else None
                self._spans[path] = _Spans(found or {})
            span = self._spans[path].of(site)
            place = handed[site] = Location(path) if span is None else Location(path, *span)
        return place

    def handed(self) -> Mapping[str, Mapping[int, Location]]:
        """Every place that was handed out, by path and site."""
        return self._handed


class _Spans:
    """The spans of a file in an eighth of the memory: few of them are ever asked for."""

    def __init__(self, spans: Mapping[int, Span]) -> None:
        rows = sorted(spans.items())
        self._sites = array("Q", [site for site, _ in rows])
        self._numbers = array("i", chain.from_iterable(span for _, span in rows))

    def of(self, site: int) -> Span | None:
        """The span of a site; None where there is none."""
        if site < 0:
            return None
        at = bisect_left(self._sites, site)
        if at == len(self._sites) or self._sites[at] != site:
            return None
        line, column, end_line, end_column = self._numbers[4 * at : 4 * at + 4]
        return line, column, end_line, end_column
