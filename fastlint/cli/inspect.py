"""The command `inspect`: flags in, text out, once or again and again. Looks at no process itself."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING

import click

from fastlint.cli.terminal import COLOR, ROWS, Exit, coloured, way
from fastlint.finding import Severity
from fastlint.report.style import Style
from fastlint.streams import write

if TYPE_CHECKING:
    from fastlint.running.look import Look

_LEVEL = click.Choice(["error", "warning", "info"])
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


@click.command("inspect")
@click.option(
    "--pid", type=click.IntRange(min=1), metavar="N", help="The server that this process belongs to, or starts."
)
@click.option(
    "--port", type=click.IntRange(min=1, max=65535), metavar="N", help="The server that listens on this TCP port."
)
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1, max=86400),
    metavar="SECONDS",
    help="Time between two looks of --watch (default: 2).",
)
@click.option("--severity", type=_LEVEL, help="The lowest severity to show (default: warning).")
@click.option("--fail-on", type=_LEVEL, help="The lowest severity that ends in exit code 1 (default: warning).")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
@ROWS
@COLOR
def inspect_command(
    pid: int | None,
    port: int | None,
    watch: bool,
    interval: float | None,
    severity: str | None,
    fail_on: str | None,
    exit_zero: bool,
    output_format: str,
    color: str,
) -> int:
    """Look at the gunicorn, uvicorn and hypercorn servers that run on this machine.

    Without --pid and --port: at all of them. Needs no privileges; what this user may not see is told as unknown. Exits
    with 2 where there is nothing to look at.
    """
    from fastlint.inspection import Inspector, Wanted

    if pid is not None and port is not None:
        raise click.UsageError("--pid and --port exclude each other")
    if interval is not None and not watch:
        raise click.UsageError("--interval is the time between the looks of --watch")
    wanted = Wanted(
        pid,
        port,
        Severity[severity.upper()] if severity else None,
        Severity[fail_on.upper()] if fail_on else None,
    )
    inspector = Inspector(wanted)
    if watch:
        gc.enable()  # this process does not end soon
    while True:
        look = inspector.look()
        write(_told(look, output_format, coloured(color), watch), sys.stdout)
        if not watch:
            return Exit.FINDINGS if look.failed and not exit_zero else Exit.CLEAN
        time.sleep(2.0 if interval is None else interval)


def _told(look: Look, output_format: str, colour: bool, watched: bool) -> str:
    from fastlint.report.running import clock, look_json, look_text

    if output_format == "json":
        return look_json(look, indent=None if watched else 2)  # watched: one line a look
    if not watched:
        return look_text(look, lambda root: _style(root, colour))
    text = f"{clock(look.at)}\n{look_text(look, lambda root: _style(root, colour), settings=False)}"
    if not sys.stdout.isatty():
        return text + "\n"
    from shutil import get_terminal_size  # here: it imports compression, and `check` imports this module

    rows = get_terminal_size().lines - 1
    return _CLEAR + "\n".join(text.splitlines()[:rows])


def _style(root: str, colour: bool) -> Style:
    """Paths as they lead from the working directory, or from the root of the disk to what lies elsewhere."""
    prefix = way(os.getcwd(), root) if root else ""
    return Style(colour, prefix=f"{root}/" if prefix.startswith("..") else prefix)
