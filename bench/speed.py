"""Measures `fastlint check` cold, on two copies at once, unchanged and edited, beside its peers and the least there is.

Everything runs in turn in the same minutes, each command in a process of its own on a copy of the application, so that
a busy machine slows all alike: what counts are the ratios. The floor is LibCST's parser alone on the files which
fastlint reads, shared between two processes. Prints Markdown; says nothing about findings.
"""

from __future__ import annotations

import argparse
import ast
import atexit
import contextlib
import ctypes
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
# The least that any linter on LibCST has to do, in two processes. Each tree is dropped at once.
PARSE = """
import os, sys
from libcst import parse_module
rows = sorted(((os.path.getsize(path), path) for path in sys.stdin.read().split("\\0")), reverse=True)
shares = [[], []]
loads = [0, 0]
for size, path in rows:
    least = loads.index(min(loads))
    shares[least].append(path)
    loads[least] += size
child = os.fork()
for path in shares[0 if child else 1]:
    with open(path, "rb") as handle:
        source = handle.read()
    try:
        parse_module(source)
    except Exception:
        pass  # fastlint reports such a file and goes on
if child:
    os.waitpid(child, 0)
else:
    os._exit(0)
"""
COLUMNS = (
    "python -c pass",
    "floor",
    "fastlint cold",
    "fastlint, two copies",
    "fastlint unchanged",
    "fastlint, comment edited",
    "fastlint, body edited",
    "fastlint, signature edited",
    "fastlint, module edited",
    "hydroid cold",
    "hydroid warm",
    "hydroid, body edited",
    "ruff",
    "flake8-async",
)


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds by the clock, seconds of CPU, and the most memory that one process held, in MB."""

    seconds: float
    cpu: float
    megabytes: float


def main() -> None:
    """Print the tables for each application folder, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("applications", nargs="+", type=Path, help="folders to lint")
    parser.add_argument("--runs", type=int, default=5, help="rounds of which the medians count (default: 5)")
    parser.add_argument("--peers", type=Path, help="environment with hydroid, ruff and flake8-async (see compare.py)")
    parser.add_argument("--skip-flake8", action="store_true", help="leave flake8-async out, which takes minutes")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    say(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {platform.machine()} {platform.system()}, {usable()} CPUs, "
        f"CPython {platform.python_version()}, fastlint {build()}, load {os.getloadavg()[0]:.1f} at the start, "
        f"medians of {arguments.runs}.\n"
    )
    costs = {
        folder: measured(folder.resolve(), arguments.runs, arguments.peers, not arguments.skip_flake8)
        for folder in arguments.applications
    }
    for title, of in (
        ("Wall seconds", "seconds"),
        ("CPU seconds", "cpu"),
        ("Most memory of one process, MB", "megabytes"),
    ):
        say(table(title, costs, of))
    say(ratios(costs))


def measured(folder: Path, runs: int, peers: Path | None, with_flake8: bool) -> dict[str, Cost]:
    """The medians of all rounds over one application, by column."""
    rounds: dict[str, list[Cost]] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as space:
            copy = Path(space) / folder.name
            shutil.copytree(
                folder, copy, symlinks=True, ignore=shutil.ignore_patterns(".fastlint_cache", ".hydroid_cache")
            )
            files = files_of(copy)
            time.sleep(2.5)  # the times of files that are just written are not believed
            for column, cost in one_round(copy, files, peers, with_flake8):
                rounds.setdefault(column, []).append(cost)
    return {
        column: Cost(
            *(statistics.median(getattr(cost, each) for cost in costs) for each in ("seconds", "cpu", "megabytes"))
        )
        for column, costs in rounds.items()
    }


def one_round(copy: Path, files: list[Path], peers: Path | None, with_flake8: bool) -> Iterable[tuple[str, Cost]]:
    """Every command once, in an order in which neighbours are compared with each other."""
    check = [sys.executable, "-m", "fastlint", "check", "--isolated", "--exit-zero", str(copy)]
    yield "python -c pass", measure([sys.executable, "-c", "pass"])
    yield "floor", measure([sys.executable, "-c", PARSE], "\0".join(map(str, files)))
    yield "fastlint cold", measure(check)
    with tempfile.TemporaryDirectory() as space:
        twice = Path(space) / copy.name
        twin(copy, twice)
        time.sleep(2.5)
        yield "fastlint, two copies", measure([*check[:-1], str(twice)])
    if peers:
        hydroid = [str(peers / "bin" / "hydroid"), "--format", "json", str(copy)]
        yield "hydroid cold", measure(hydroid)
    measure(check)  # answers from content once, then from times
    yield "fastlint unchanged", measure(check)
    if peers:
        yield "hydroid warm", measure(hydroid)
    edited = file_to_edit(files)
    before = edited.read_text("utf-8")
    edits: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("comment edited", comment_edited),
        ("body edited", body_edited),
        ("signature edited", signature_edited),
        ("module edited", module_edited),
    )
    for column, edit in edits:
        after = edit(before)
        ast.parse(after)  # what cannot be read is another project: that would not be this edit's cost
        edited.write_text(after, "utf-8")
        yield f"fastlint, {column}", measure(check)
        if peers and column == "body edited":
            yield f"hydroid, {column}", measure(hydroid)
        edited.write_text(before, "utf-8")
    if peers:
        select = ["check", "--select", "ASYNC", "--isolated", "--no-cache", "--exit-zero"]
        yield "ruff", measure([str(peers / "bin" / "ruff"), *select, str(copy)])
    if peers and with_flake8:
        flake8 = [str(peers / "bin" / "flake8"), "--isolated", "--exit-zero", "--select", "ASYNC1,ASYNC2"]
        yield "flake8-async", measure([*flake8, str(copy)])


def twin(folder: Path, twice: Path) -> None:
    """Make a folder with an application and the same under other names, which import themselves and not each other."""
    shutil.copytree(folder, twice, symlinks=True, ignore=shutil.ignore_patterns(".fastlint_cache", ".hydroid_cache"))
    names = sorted(entry.name for entry in twice.iterdir() if entry.is_dir() and any(entry.rglob("*.py")))
    imports = re.compile(rf"^(\s*(?:from|import)\s+)({'|'.join(map(re.escape, names))})\b", re.MULTILINE)
    for name in names:
        shutil.copytree(twice / name, twice / f"{name}_twin", symlinks=True)
        for path in (twice / f"{name}_twin").rglob("*.py"):
            source = path.read_text("utf-8", "surrogateescape")
            path.write_text(imports.sub(r"\1\2_twin", source), "utf-8", "surrogateescape")


def files_of(folder: Path) -> list[Path]:
    """The files that fastlint itself says it reports on."""
    command = [sys.executable, "-m", "fastlint", "check", "--isolated", "--show-files", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=installed(), check=False)
    paths = [Path(os.path.join(installed(), line)) for line in done.stdout.splitlines()]
    if done.returncode or not paths:
        sys.exit(f"{folder}: {done.stderr.strip() or 'no file'}")
    return paths


def file_to_edit(files: list[Path]) -> Path:
    """The file with routes or coroutines whose size is the median: neither the smallest nor the largest."""
    fitting = sorted(
        (
            path
            for path in files
            if b"async def" in path.read_bytes() and target_of(path.read_text("utf-8")) is not None
        ),
        key=lambda path: path.stat().st_size,
    )
    return fitting[len(fitting) // 2]


def target_of(source: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The first function on module level whose signature stands on one line and takes no `*args`."""
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            one_line = re.search(r"\)[^()]*:$", source.splitlines()[node.lineno - 1])
            if one_line and not node.args.vararg and not node.args.kwarg and node.body[0].lineno > node.lineno:
                return node
    return None


def comment_edited(source: str) -> str:
    """The source with a comment above a function: every line below it moves."""
    node, lines = target_of(source), source.splitlines(keepends=True)
    assert node is not None
    first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
    lines.insert(first - 1, "# edited\n")
    return "".join(lines)


def body_edited(source: str) -> str:
    """The source with one more statement in a function."""
    node, lines = target_of(source), source.splitlines(keepends=True)
    assert node is not None
    first = node.body[0]
    above = [each.lineno for each in getattr(first, "decorator_list", [])]  # a function inside may be decorated
    lines.insert(min([first.lineno, *above]) - 1, " " * first.col_offset + "edited = 1\n")
    return "".join(lines)


def signature_edited(source: str) -> str:
    """The source with one more parameter of a function."""
    node, lines = target_of(source), source.splitlines(keepends=True)
    assert node is not None
    given = bool(node.args.args or node.args.kwonlyargs or node.args.posonlyargs)
    more = ", edited=None)" if given else "edited=None)"
    line = lines[node.lineno - 1]
    end = (
        line.index(")", line.index("("))
        if not given
        else line.rindex(")", 0, line.rindex("->") if "->" in line else None)
    )
    lines[node.lineno - 1] = line[:end] + more + line[end + 1 :]
    return "".join(lines)


def module_edited(source: str) -> str:
    """The source with one import more, and a function that uses it."""
    lines = source.splitlines(keepends=True)
    first = next(
        node
        for node in ast.parse(source).body
        if not isinstance(node, ast.Expr) and not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
    )
    begin = min([first.lineno, *(each.lineno for each in getattr(first, "decorator_list", []))]) - 1
    lines.insert(begin, "import json as edited\n")
    return "".join([*lines, "\n\nasync def edit() -> str:\n    return edited.dumps({})\n"])


def table(title: str, costs: dict[Path, dict[str, Cost]], of: str) -> str:
    """One figure of every command for every application."""
    columns = [column for column in COLUMNS if any(column in each for each in costs.values())]
    rows = [f"### {title}\n", f"| application | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for folder, each in costs.items():
        cells = (f"{getattr(each[column], of):.{0 if of == 'megabytes' else 2}f}" for column in columns)
        rows.append(f"| {folder.name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def ratios(costs: dict[Path, dict[str, Cost]]) -> str:
    """What issue and README speak of, as ratios of medians; the last row is the geometric mean."""
    pairs: list[tuple[str, Callable[[dict[str, Cost]], float]]] = [
        ("cold / floor", lambda each: each["fastlint cold"].seconds / each["floor"].seconds),
        ("two copies / cold", lambda each: each["fastlint, two copies"].seconds / each["fastlint cold"].seconds),
        ("unchanged / python", lambda each: each["fastlint unchanged"].seconds / each["python -c pass"].seconds),
    ]
    if all("hydroid cold" in each for each in costs.values()):
        pairs += [
            ("cold / hydroid", lambda each: each["fastlint cold"].seconds / each["hydroid cold"].seconds),
            ("unchanged / hydroid", lambda each: each["fastlint unchanged"].seconds / each["hydroid warm"].seconds),
            (
                "body / hydroid",
                lambda each: each["fastlint, body edited"].seconds / each["hydroid, body edited"].seconds,
            ),
            (
                "signature / hydroid",
                lambda each: each["fastlint, signature edited"].seconds / each["hydroid, body edited"].seconds,
            ),
            (
                "module / hydroid",
                lambda each: each["fastlint, module edited"].seconds / each["hydroid, body edited"].seconds,
            ),
            ("memory / hydroid", lambda each: each["fastlint cold"].megabytes / each["hydroid cold"].megabytes),
        ]
    rows = [
        "### Ratios\n",
        f"| application | {' | '.join(name for name, _ in pairs)} |",
        f"|---|{'---:|' * len(pairs)}",
    ]
    rows += [
        f"| {folder.name} | {' | '.join(f'{of(each):.2f}' for _, of in pairs)} |" for folder, each in costs.items()
    ]
    means = (math.exp(statistics.fmean(math.log(of(each)) for each in costs.values())) for _, of in pairs)
    rows.append(f"| geometric mean | {' | '.join(f'{mean:.2f}' for mean in means)} |")
    return "\n".join(rows) + "\n"


def measure(command: list[str], given: str = "") -> Cost:
    """Run a command to its end, from the folder with the wheel: `python -m fastlint` then takes that one.

    Another process waits for it, because the system keeps the greatest memory of all the children one has had.
    """
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given.encode("utf-8", "surrogateescape"))
        stdin.seek(0)
        watcher = [sys.executable, __file__, "--watch", *command]
        done = subprocess.run(watcher, stdin=stdin, capture_output=True, text=True, cwd=installed(), check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} …: {done.stderr.strip()[-500:]}")
    return Cost(*json.loads(done.stdout))


@cache
def installed() -> Path:
    """The folder with this very fastlint as users have it: out of a wheel, with its modules and tables compiled."""
    place = tempfile.TemporaryDirectory()
    atexit.register(place.cleanup)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    subprocess.run([*pip, "--target", place.name, str(CHECKOUT)], check=True)
    return Path(place.name)


def watch(command: list[str]) -> None:
    """In the process of its own: run the command and say what it took. Status 1 says that a linter found something."""
    import resource  # not on Windows: there is nothing to measure memory with in the standard library

    if sys.platform == "linux":  # what a command leaves behind becomes a child of this process, and is counted, too
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        sys.exit(f"status {done.returncode}")
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    say(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / unit]))


def build() -> str:
    """Which build is measured: HATCH_BUILD_HOOKS_ENABLE=1 has pip compile it with mypyc."""
    code = "import fastlint.graph.state as state; print(state.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=installed(), capture_output=True, text=True, check=True)
    return "not compiled" if done.stdout.strip().endswith(".py") else "compiled"


def usable() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--watch"]:
        watch(sys.argv[2:])
    else:
        main()
