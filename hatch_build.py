"""What a wheel carries beside its sources: catalogue and words, compiled, so that nobody's run has to do it.

An editable install carries neither: its tables may change with every edit. They are compiled into the cache, and the
words of the rules read where they stand.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zlib
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledRules(BuildHookInterface[Any]):
    """Compiles `rules/known/*.toml` and `rules/FL*.toml` while a wheel is built, and puts the outcome beside them."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add what is compiled to the files of the wheel. Raises `RulebookError` where a table is wrong."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        try:
            from fastlint.rulebook.compiled import encode
            from fastlint.rulebook.load import load_catalogue
            from fastlint.rulebook.where import CATALOGUE, WORDS, rules_folder
            from fastlint.rulebook.words import encode_words, load_words

            texts = {
                CATALOGUE: encode(load_catalogue(rules_folder())),
                WORDS: encode_words(load_words(rules_folder()).values()),
            }
        finally:
            sys.path.remove(self.root)
        self._folder = tempfile.TemporaryDirectory()
        for name, text in texts.items():
            made = os.path.join(self._folder.name, name)
            with open(made, "wb") as handle:
                handle.write(zlib.compress(text, 9))
            build_data["force_include"][made] = f"fastlint/_rules/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        if version != "editable":
            self._folder.cleanup()
