"""What a wheel carries beside its sources: the catalogue, compiled, so that nobody's first run has to do it.

An editable install carries none: its tables may change with every edit, and are compiled into the cache.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zlib
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledCatalogue(BuildHookInterface[Any]):
    """Compiles `rules/known/*.toml` while a wheel is built, and puts the outcome beside the rules."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the compiled catalogue to the files of the wheel. Raises `RulebookError` where a table is wrong."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        try:
            from fastlint.rulebook.compiled import encode
            from fastlint.rulebook.load import load_catalogue
            from fastlint.rulebook.where import SHIPPED, rules_folder

            text = encode(load_catalogue(rules_folder()))
        finally:
            sys.path.remove(self.root)
        self._folder = tempfile.TemporaryDirectory()
        made = os.path.join(self._folder.name, SHIPPED)
        with open(made, "wb") as handle:
            handle.write(zlib.compress(text, 9))
        build_data["force_include"][made] = f"fastlint/_rules/{SHIPPED}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        if version != "editable":
            self._folder.cleanup()
