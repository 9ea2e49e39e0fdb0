"""The settings of a run, as `[tool.fastlint]` has them. Knows nothing about the command line."""

from fastlint.config.file import find_config, read_config
from fastlint.config.settings import (
    DEFAULT_EXCLUDE,
    Amount,
    Config,
    ConfigError,
    CustomBlocking,
    PerFileIgnore,
    Selection,
    TargetSettings,
    describe,
    known_selector,
    nearest,
    unknown_code,
)

__all__ = [
    "DEFAULT_EXCLUDE",
    "Amount",
    "Config",
    "ConfigError",
    "CustomBlocking",
    "PerFileIgnore",
    "Selection",
    "TargetSettings",
    "describe",
    "find_config",
    "known_selector",
    "nearest",
    "read_config",
    "unknown_code",
]
