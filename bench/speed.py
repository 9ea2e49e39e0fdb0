"""Measures `fastlint check` against parsing the same files with LibCST alone: wall time and peak memory, as ratios.

Both run in turn, each in a process of its own, so that a busy machine slows both alike. Says nothing about findings.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# The least that any linter on LibCST has to do. The child is told the files and drops each tree at once.
PARSE = """
import sys
from libcst.native import parse_module
for path in sys.stdin.read().split("\\0"):
    with open(path, encoding="utf-8", errors="replace") as handle:
        source = handle.read()
    try:
        parse_module(source)
    except Exception:
        pass  # fastlint reports such a file and goes on
"""


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds by the clock, and the greatest memory that the process held, in MB."""

    seconds: float
    megabytes: float


def main() -> None:
    """Print one row for each application folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("applications", nargs="+", type=Path, help="folders to lint")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median counts (default: 3)")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    head = ["application", "files", "lines", "parse s", "check s", "ratio", "parse MB", "check MB", "ratio"]
    say(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for folder in arguments.applications:
        say(row(folder.resolve(), arguments.runs))


def row(folder: Path, runs: int) -> str:
    """One application as a row of the table: medians, and the medians of the ratios of the runs."""
    files = files_of(folder)
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    parses: list[Cost] = []
    checks: list[Cost] = []
    for _ in range(runs):
        parses.append(measure([sys.executable, "-c", PARSE], "\0".join(map(str, files))))
        checks.append(measure(check_command(folder, "json")))
    slower = statistics.median(check.seconds / parse.seconds for check, parse in zip(checks, parses, strict=True))
    larger = statistics.median(check.megabytes / parse.megabytes for check, parse in zip(checks, parses, strict=True))
    parse_s, check_s = (statistics.median(cost.seconds for cost in costs) for costs in (parses, checks))
    parse_mb, check_mb = (statistics.median(cost.megabytes for cost in costs) for costs in (parses, checks))
    return (
        f"| {folder.name} | {len(files)} | {lines} | {parse_s:.2f} | {check_s:.2f} | {slower:.2f} "
        f"| {parse_mb:.0f} | {check_mb:.0f} | {larger:.2f} |"
    )


def files_of(folder: Path) -> list[Path]:
    """The files that fastlint itself says it reports on."""
    done = subprocess.run(
        [*check_command(folder, "concise"), "--show-files"], capture_output=True, text=True, cwd=CHECKOUT, check=False
    )
    paths = [Path(os.path.join(CHECKOUT, line)) for line in done.stdout.splitlines()]
    if done.returncode or not paths:
        sys.exit(f"{folder}: {done.stderr.strip() or 'no file'}")
    return paths


def check_command(folder: Path, output_format: str) -> list[str]:
    command = [sys.executable, "-m", "fastlint", "check", "--isolated", "--exit-zero", str(folder)]
    return [*command, "--output-format", output_format]


def measure(command: list[str], given: str = "") -> Cost:
    """Run a command to its end, from the checkout: `python -m` then takes this very fastlint, installed or not.

    Another process waits for it, because the system keeps the greatest memory of all the children one has had.
    """
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given.encode("utf-8", "surrogateescape"))
        stdin.seek(0)
        watcher = [sys.executable, __file__, "--watch", *command]
        done = subprocess.run(watcher, stdin=stdin, capture_output=True, text=True, cwd=CHECKOUT, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} …: {done.stderr.strip()[-500:]}")
    return Cost(*json.loads(done.stdout))


def watch(command: list[str]) -> None:
    """In the process of its own: run the command and say what it took."""
    import resource  # not on Windows: there is nothing to measure memory with in the standard library

    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"status {done.returncode}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    say(json.dumps([seconds, peak / unit]))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--watch"]:
        watch(sys.argv[2:])
    else:
        main()
