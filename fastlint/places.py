"""Sites become places, and places that were handed out are known again as sites. Says nothing about what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
        self._spans: dict[str, dict[int, Span] | None] = {}
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
                self._spans[path] = locate(source, self._sites[path]) if isinstance(source, bytes) else None
            span = (self._spans[path] or {}).get(site)
            place = handed[site] = Location(path) if span is None else Location(path, *span)
        return place

    def handed(self) -> Mapping[str, Mapping[int, Location]]:
        """Every place that was handed out, by path and site."""
        return self._handed
