"""What every command shares with the person who runs it: exit codes, the terminal, and options that several have.

Knows no command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import IntEnum

import click

from fastlint.amounts import bytes_of, cores_of
from fastlint.config import Amount


class Exit(IntEnum):
    """How a run ends."""

    CLEAN = 0
    FINDINGS = 1  # at or above --fail-on
    USAGE = 2  # asked for something impossible: a flag, setting, rule, path that is not there, no file at all
    FAULT = 3  # our own fault
    INTERRUPTED = 130


def coloured(choice: str, to_file: bool = False) -> bool:
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return not to_file and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def amount(
    read: Callable[[str], float | None], example: str
) -> Callable[[click.Context, click.Parameter, str | None], Amount | None]:
    """A callback that reads an amount of the target."""

    def amount(_context: click.Context, parameter: click.Parameter, text: str | None) -> Amount | None:
        if text is None:
            return None
        value = read(text)
        if value is None:
            raise click.UsageError(f'{parameter.opts[-1]}: "{text}" is no amount like {example}')
        return Amount(value, parameter.opts[-1])

    return amount


def way(start: str, end: str) -> str:
    """From one folder to another, to be put before a path: "", "services/api/" or "../"."""
    relative = os.path.relpath(end, start).replace(os.sep, "/")
    return "" if relative == "." else relative + "/"


COLOR = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours: auto follows the terminal, NO_COLOR and FORCE_COLOR.",
)
CORES = click.option(
    "--cores",
    callback=amount(cores_of, "2, 0.5 or 500m"),
    metavar="CORES",
    help="Cores that one instance of a service has: 2, 0.5, 500m.",
)
MEMORY = click.option(
    "--memory",
    callback=amount(bytes_of, "512Mi or 2GiB"),
    metavar="SIZE",
    help="Memory that one instance of a service has: 512Mi, 2GiB.",
)
TARGET = click.option(
    "--target", type=click.Choice(["host"]), help="This machine is the server: take its cores and memory as declared."
)
ROWS = click.option(
    "--output-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the output.",
)
