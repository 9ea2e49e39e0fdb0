"""Edits functions by chance and compares what the next run says with what a run without cache says.

    python bench/edits.py [--edits N] [--seed N] APPLICATION...

After an edit of functions a run may go on where the last analysis ended (`fastlint/graph/relink.py`); it must say what
one from the beginning says. Works on a copy of each application. Prints every difference, how many edits could be taken
in and why the others could not, and ends in 1 where anything differs.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from fastlint.config import Config
from fastlint.engine import check
from fastlint.finding import Severity
from fastlint.graph.relink import Relinker
from fastlint.report.model import CheckRequest, Report

Functions = ast.FunctionDef | ast.AsyncFunctionDef
_SHOWN = 3  # findings of each side of a difference


def main() -> int:
    """Command line: edits what it is told, and says how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("applications", nargs="+", type=Path)
    parser.add_argument("--edits", type=int, default=40, help="edits of each application")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    return 1 if sum(_differences(each, given.edits, random.Random(given.seed)) for each in given.applications) else 0


def _differences(application: Path, edits: int, chance: random.Random) -> int:
    """How many edits of an application made the two runs differ."""
    outcomes: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    relink = Relinker.relink
    told: list[str] = []

    def counted(self: Relinker) -> bool:
        done = relink(self)
        told.append("taken in" if done else f"anew: {self.reason}")
        return done

    Relinker.relink = counted  # type: ignore[method-assign]
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, application.name)
        shutil.copytree(application, root, symlinks=True, ignore=shutil.ignore_patterns(".fastlint_cache"))
        _checked(root, cached=True)
        files = sorted(path for path in root.rglob("*.py") if path.is_file() and b"def " in path.read_bytes())
        for _ in range(edits):
            path, edited, what = _edit(files, chance)
            source = path.read_bytes()
            path.write_bytes(edited)
            told.clear()
            began = time.perf_counter()
            after = _checked(root, cached=True)
            outcome = told[0] if told else "facts as they were"
            outcomes[outcome] += 1
            seconds[outcome] = seconds.get(outcome, 0.0) + time.perf_counter() - began
            wanted = _checked(root, cached=False)
            path.write_bytes(source)
            if after != wanted:
                differ += 1
                _tell(f"{application.name}: {path.relative_to(root)}: {what}: {outcome}")
                for sign, one, other in (("+", after, wanted), ("-", wanted, after)):
                    for row in [row for row in one if row not in other][:_SHOWN]:
                        _tell(f"    {sign} {row[:240]}")
            if outcome.startswith("anew"):
                _checked(root, cached=True)  # each edit begins with the application as it was
    Relinker.relink = relink  # type: ignore[method-assign]
    _tell(f"{application.name}: {edits} edits, {differ} differ")
    for outcome, number in outcomes.most_common():
        _tell(f"    {number:4}  {seconds[outcome] / number:6.2f} s  {outcome}")
    return differ


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _checked(root: Path, cached: bool) -> list[str]:
    """Everything that is said of an application, line by line."""
    config = Config(severity=Severity.INFO, root=str(root))
    report: Report = check(CheckRequest((str(root),), config, cached=cached, unresolved=True, jobs=2))
    return [*map(repr, report.findings), *map(repr, report.unresolved)]


def _edit(files: list[Path], chance: random.Random) -> tuple[Path, bytes, str]:
    """A file with an edit of one of its functions that is still Python, and what was done."""
    while True:
        path = chance.choice(files)
        source = path.read_bytes()
        if b"\r" in source or not source.isascii():
            continue
        try:
            functions = list(_functions(ast.parse(source)))
        except SyntaxError:
            continue
        if not functions:
            continue
        name, way = chance.choice(list(_WAYS.items()))
        function = chance.choice(functions)
        lines = way(function, source.decode().splitlines(keepends=True), chance)
        edited = "".join(lines).encode() if lines else source
        try:
            ast.parse(edited)
        except SyntaxError:
            continue
        if edited != source:
            return path, edited, f"{name} in {function.name}"


def _functions(tree: ast.AST) -> Iterator[Functions]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.body[0].lineno > node.lineno:
            yield node


def _first(function: Functions) -> ast.stmt:
    """The first statement of a function that is no docstring, if there is one."""
    texts = isinstance(function.body[0], ast.Expr) and isinstance(function.body[0].value, ast.Constant)
    return function.body[1] if texts and len(function.body) > 1 else function.body[0]


def _statements(function: Functions, lines: list[str]) -> list[ast.stmt]:
    """The simple statements of a function that have lines of their own."""
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign, ast.Return))
        and not lines[node.lineno - 1][: node.col_offset].strip()
        and not lines[(node.end_lineno or node.lineno) - 1][node.end_col_offset :].strip()
    ]


def _more(function: Functions, lines: list[str], chance: random.Random) -> list[str]:
    first = _first(function)
    if getattr(first, "decorator_list", None):
        return []
    word = chance.choice(["edited = 1", "print('edited')", "open('edited').read()", "import time; time.sleep(1)"])
    return [*lines[: first.lineno - 1], f"{' ' * first.col_offset}{word}\n", *lines[first.lineno - 1 :]]


def _called(function: Functions, lines: list[str], chance: random.Random) -> list[str]:
    """One more call, of a function that is in scope."""
    first = _first(function)
    others = [each for line in lines if (each := line.partition("def ")[2].partition("(")[0]) and line[:1] in "da"]
    if getattr(first, "decorator_list", None) or not others:
        return []
    return [
        *lines[: first.lineno - 1],
        f"{' ' * first.col_offset}{chance.choice(others)}()\n",
        *lines[first.lineno - 1 :],
    ]


def _parameter(function: Functions, lines: list[str], chance: random.Random) -> list[str]:
    line = lines[function.lineno - 1]
    if not line.rstrip().endswith(":") or ")" not in line or function.args.vararg or function.args.kwarg:
        return []
    end = line.rindex(")", 0, line.rindex("->") if "->" in line else None)
    given = function.args.args or function.args.kwonlyargs or function.args.posonlyargs
    more = f"{line[:end]}{', ' if given else ''}edited=None{line[end:]}"
    return [*lines[: function.lineno - 1], more, *lines[function.lineno :]]


def _replaced(how: Callable[[list[str], str], list[str]]) -> Callable[[Functions, list[str], random.Random], list[str]]:
    """The edit that makes something else of the lines of one statement, given with their indentation."""

    def edit(function: Functions, lines: list[str], chance: random.Random) -> list[str]:
        statements = _statements(function, lines)
        if not statements:
            return []
        one = chance.choice(statements)
        begin, end = one.lineno - 1, one.end_lineno or one.lineno
        return [*lines[:begin], *how(lines[begin:end], " " * one.col_offset), *lines[end:]]

    return edit


def _deeper(own: list[str]) -> list[str]:
    return [f"    {line}" for line in own]


def _argument(function: Functions, lines: list[str], chance: random.Random) -> list[str]:
    """Another first argument of some call."""
    given = [
        node.args[0]
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.Starred)
    ]
    given = [node for node in given if node.lineno == node.end_lineno]
    if not given:
        return []
    one = chance.choice(given)
    line = lines[one.lineno - 1]
    other = f"{line[: one.col_offset]}None{line[one.end_col_offset :]}"
    return [*lines[: one.lineno - 1], other, *lines[one.lineno :]]


_WAYS: dict[str, Callable[[Functions, list[str], random.Random], list[str]]] = {
    "a statement more": _more,
    "a call more": _called,
    "a parameter more": _parameter,
    "another argument": _argument,
    "a statement less": _replaced(lambda own, indent: [f"{indent}pass\n"]),
    "a statement twice": _replaced(lambda own, indent: [*own, *own]),
    "a statement behind a test": _replaced(lambda own, indent: [f"{indent}if len('edited'):\n", *_deeper(own)]),
    "a statement in a try": _replaced(
        lambda own, indent: [f"{indent}try:\n", *_deeper(own), f"{indent}except ValueError:\n", f"{indent}    raise\n"]
    ),
}

if __name__ == "__main__":
    sys.exit(main())
