"""Where the rules lie on disk: inside the installed package, or beside it in a checkout. Understands none of them."""

from __future__ import annotations

import os
import re
import zlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
CATALOGUE, WORDS = "catalogue", "words"  # what `hatch_build.py` calls the compiled tables and words in a wheel
_CODE = re.compile(r"(FL\d{3})\.toml")


class RulesMissing(RuntimeError):
    """This installation of fastlint has no rules: our own fault, never the user's."""


@cache
def rules_folder() -> Path:
    """The folder with `FL101.toml` … and `known/`.

    A wheel carries a copy inside the package (`_rules`); an editable install has none and uses the checkout's `rules/`.
    """
    for folder in (_PACKAGE / "_rules", _PACKAGE.parent / "rules"):
        if folder.is_dir():
            return folder
    raise RulesMissing(f"no rules beside {_PACKAGE}: the installation is incomplete")


def shipped(name: str) -> bytes | None:
    """What the wheel carries compiled from the rules beside it (see `compiled` and `words`); None in a checkout."""
    try:
        return zlib.decompress((rules_folder() / name).read_bytes())
    except (OSError, zlib.error):
        return None


@cache
def rule_codes() -> tuple[str, ...]:
    """The codes of all shipped rules, sorted: one file each."""
    matches = (_CODE.fullmatch(name) for name in os.listdir(rules_folder()))
    return tuple(sorted(match[1] for match in matches if match))
