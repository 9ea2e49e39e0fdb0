"""How a report is to be rendered: `Style`, decided by whoever asked. Looks at no terminal and no environment itself."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """`prefix` leads from the reader's folder to the project root ("", "services/api/" or "../"), before every path.

    `inside` leads from the project root to the reader's folder, where that lies in the project: "backend/".
    `colour` allows ANSI colours, `unresolved` lists the calls that could not be resolved instead of only counting them.
    """

    colour: bool = False
    unresolved: bool = False
    prefix: str = ""
    inside: str = ""

    def shown(self, path: str) -> str:
        """A path of the report as the reader's tools find it."""
        if self.inside and path.startswith(self.inside):
            return path[len(self.inside) :]
        return self.prefix + path
