"""Whether a name says that a thing is for developers and tests, not for production. Knows names only."""

from __future__ import annotations

import re

_DEVELOPERS = frozenset(
    "dev develop devel development local localhost debug test tests testing ci e2e example examples override "
    "devcontainer sandbox watch reload".split()
)


def for_development(name: str) -> bool:
    """Whether one word of a path or name says so: `compose.dev.yml`, `.devcontainer/Dockerfile`, `run-local`."""
    return not _DEVELOPERS.isdisjoint(re.split(r"[^a-z0-9]+", name.lower()))
