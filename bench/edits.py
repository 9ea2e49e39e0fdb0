"""Edits functions and modules by chance and compares what the next run says with what a run without cache says.

    python bench/edits.py [--edits N] [--seed N] [--later FOLDER] APPLICATION...

With `--later`, where the same application of a later release lies, its files are the edits, each by itself.

After an edit a run may go on where the last analysis ended (`fastlint/graph/relink.py`); it must say what
one from the beginning says. Works on a copy of each application. Prints every difference, how many edits could be taken
in and why the others could not, and ends in 1 where anything differs.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from operator import eq
from pathlib import Path

from fastlint.config import Config
from fastlint.engine import check
from fastlint.finding import Severity
from fastlint.graph.relink import Relinker
from fastlint.report.model import CheckRequest, Report

Functions = ast.FunctionDef | ast.AsyncFunctionDef
_SHOWN = 3  # findings of each side of a difference
_OF_FILES = 0.05  # how many of the edits are files that come
_OF_MODULES = 0.5  # how many of the edits are of what stands around functions


def main() -> int:
    """Command line: edits what it is told, and says how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("applications", nargs="+", type=Path)
    parser.add_argument("--edits", type=int, default=40, help="edits of each application")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--later", type=Path, help="the same application of a later release")
    given = parser.parse_args()
    if given.later is not None and len(given.applications) != 1:
        parser.error("--later is about one application")

    def edits(root: Path) -> Iterator[tuple[Path, bytes, str]]:
        return _of_release(root, given.later) if given.later else _by_chance(root, given.edits, given.seed)

    return 1 if sum(_differences(each, edits) for each in given.applications) else 0


def _differences(application: Path, edits: Callable[[Path], Iterator[tuple[Path, bytes, str]]]) -> int:
    """How many edits of an application made the two runs differ."""
    outcomes: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    relink = Relinker.relink
    told: list[str] = []

    def counted(self: Relinker) -> bool:
        done = relink(self)
        if done or not self.less:  # else it is tried once more
            told.append("taken in" if done else f"anew: {self.reason}")
        return done

    Relinker.relink = counted  # type: ignore[method-assign]
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, application.name)
        shutil.copytree(application, root, symlinks=True, ignore=shutil.ignore_patterns(".fastlint_cache"))
        _checked(root, cached=True)
        for path, edited, what in edits(root):
            source = path.read_bytes() if path.exists() else None
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(edited)
            told.clear()
            began = time.perf_counter()
            after = _checked(root, cached=True)
            outcome = told[0] if told else "facts as they were"
            outcomes[outcome] += 1
            seconds[outcome] = seconds.get(outcome, 0.0) + time.perf_counter() - began
            wanted = _checked(root, cached=False)
            if source is None:
                path.unlink()
            else:
                path.write_bytes(source)
            if after != wanted:
                differ += 1
                _tell(f"{application.name}: {path.relative_to(root)}: {what}: {outcome}")
                for sign, one, other in (("+", after, wanted), ("-", wanted, after)):
                    for row in [row for row in one if row not in other][:_SHOWN]:
                        _tell(f"    {sign} {_shown(row, other)}")
            if outcome.startswith("anew"):
                _checked(root, cached=True)  # each edit begins with the application as it was
    Relinker.relink = relink  # type: ignore[method-assign]
    _tell(f"{application.name}: {sum(outcomes.values())} edits, {differ} differ")
    for outcome, number in outcomes.most_common():
        _tell(f"    {number:4}  {seconds[outcome] / number:6.2f} s  {outcome}")
    return differ


def _shown(row: str, others: list[str]) -> str:
    """The beginning of a line, and where it parts from the others."""
    alike = max((sum(takewhile(bool, map(eq, row, other))) for other in others), default=0)
    return row[:120] if alike < 120 else f"{row[:120]} … {row[max(120, alike - 60) : alike + 160]}"


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _checked(root: Path, cached: bool) -> list[str]:
    """Everything that is said of an application, line by line."""
    config = Config(severity=Severity.INFO, root=str(root))
    report: Report = check(CheckRequest((str(root),), config, cached=cached, unresolved=True, jobs=2))
    return [*map(repr, report.findings), *map(repr, report.unresolved)]


def _of_release(root: Path, later: Path) -> Iterator[tuple[Path, bytes, str]]:
    """The files that a later release has with another content, or has more."""
    for other in sorted(later.rglob("*.py")):
        path = root / other.relative_to(later)
        if not path.exists() or other.read_bytes() != path.read_bytes():
            yield path, other.read_bytes(), "a later release" if path.exists() else "a file more"


def _by_chance(root: Path, edits: int, seed: int) -> Iterator[tuple[Path, bytes, str]]:
    chance = random.Random(seed)
    files = sorted(path for path in root.rglob("*.py") if path.is_file() and b"def " in path.read_bytes())
    for _ in range(edits):
        yield _edit(files, chance)


def _edit(files: list[Path], chance: random.Random) -> tuple[Path, bytes, str]:
    """A file with an edit, of one of its functions or of the module, that is still Python, and what was done."""
    while True:
        path = chance.choice(files)
        source = path.read_bytes()
        if b"\r" in source or not source.isascii():
            continue
        if chance.random() < _OF_FILES:
            return path.parent / "edited_one.py", source, f"a file more, as {path.name} is"
        lines = source.decode().splitlines(keepends=True)
        try:
            tree = ast.parse(source)
            functions = list(_functions(tree))
        except SyntaxError:
            continue
        if not functions:
            continue
        if chance.random() < _OF_MODULES:
            name, of_module = chance.choice(list(_WAYS_OF_MODULES.items()))
            edited, where = "".join(of_module(tree, lines, chance)).encode(), "the module"
        else:
            name, of_function = chance.choice(list(_WAYS.items()))
            function = chance.choice(functions)
            edited, where = "".join(of_function(function, lines, chance)).encode(), function.name
        try:
            ast.parse(edited)
        except SyntaxError:
            continue
        if edited and edited != source:
            return path, edited, f"{name} in {where}"


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


def _turned(function: Functions, lines: list[str], chance: random.Random) -> list[str]:
    """A coroutine function where there was none, or the other way round: nothing is awaited in it then."""
    begin, end = function.lineno - 1, function.end_lineno or function.lineno
    head, *body = lines[begin:end]
    if isinstance(function, ast.FunctionDef):
        return [*lines[:begin], head.replace("def ", "async def ", 1), *body, *lines[end:]]
    own = [re.sub(r"\b(await|async)[ ]", "", line) for line in body]
    return [*lines[:begin], head.replace("async def ", "def ", 1), *own, *lines[end:]]


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
    "another kind": _turned,
    "a statement less": _replaced(lambda own, indent: [f"{indent}pass\n"]),
    "a statement twice": _replaced(lambda own, indent: [*own, *own]),
    "a statement behind a test": _replaced(lambda own, indent: [f"{indent}if len('edited'):\n", *_deeper(own)]),
    "a statement in a try": _replaced(
        lambda own, indent: [f"{indent}try:\n", *_deeper(own), f"{indent}except ValueError:\n", f"{indent}    raise\n"]
    ),
}


# --- what stands around functions -------------------------------------------------------------------------------------


def _span(node: ast.stmt) -> tuple[int, int]:
    """The lines of a statement, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)]) - 1, node.end_lineno or node.lineno


def _one(nodes: Iterable[ast.stmt], kinds: tuple[type, ...], chance: random.Random) -> ast.stmt | None:
    found = [node for node in nodes if isinstance(node, kinds)]
    return chance.choice(found) if found else None


def _begins(tree: ast.Module) -> int:
    """The line before which a module can import more."""
    later = [
        node
        for node in tree.body
        if not isinstance(node, ast.Expr) and not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
    ]
    return _span(later[0])[0] if later else 0


def _imports(tree: ast.Module, lines: list[str], chance: random.Random) -> list[str]:
    begin = _begins(tree)
    word = chance.choice(["import edited", "import time", "from os import path as edited", "import requests as edited"])
    return [*lines[:begin], f"{word}\n", *lines[begin:]]


def _assigns(tree: ast.Module, lines: list[str], chance: random.Random) -> list[str]:
    word = chance.choice(["edited = {}", "EDITED = 5", "edited: list = []\n\n\ndef edit(one):\n    edited.append(one)"])
    begin = _span(chance.choice(tree.body))[0] if chance.random() < 0.5 else len(lines)
    return [*lines[:begin], f"{word}\n", *lines[begin:]] if begin >= _begins(tree) else []


def _copied(kinds: tuple[type, ...], inside: bool) -> Callable[[ast.Module, list[str], random.Random], list[str]]:
    """One function, method or class more: another one under a new name, before it or at the end."""

    def edit(tree: ast.Module, lines: list[str], chance: random.Random) -> list[str]:
        body: list[ast.stmt] = tree.body
        if inside:
            home = _one(tree.body, (ast.ClassDef,), chance)
            if not isinstance(home, ast.ClassDef):
                return []
            body = home.body
        node = _one(body, kinds, chance)
        if node is None:
            return []
        begin, end = _span(node)
        name = getattr(node, "name", "")
        copy = [
            re.sub(rf"^(\s*(?:async )?(?:def|class) ){re.escape(name)}\b", r"\g<1>edited_one", line)
            for line in lines[begin:end]
        ]
        place = chance.choice([begin, end])
        return [*lines[:place], *copy, *lines[place:]]

    return edit


def _gone(kinds: tuple[type, ...]) -> Callable[[ast.Module, list[str], random.Random], list[str]]:
    def edit(tree: ast.Module, lines: list[str], chance: random.Random) -> list[str]:
        node = _one(tree.body, kinds, chance)
        if node is None:
            return []
        begin, end = _span(node)
        return [*lines[:begin], *lines[end:]]

    return edit


def _moved(tree: ast.Module, lines: list[str], chance: random.Random) -> list[str]:
    node = _one(tree.body, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), chance)
    if node is None:
        return []
    begin, end = _span(node)
    return [*lines[:begin], *lines[end:], "\n\n", *lines[begin:end]]


def _constant(tree: ast.Module, lines: list[str], chance: random.Random) -> list[str]:
    """Another value for a name of the module or of a class."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    node = _one(chance.choice(bodies), (ast.Assign, ast.AnnAssign), chance)
    value = getattr(node, "value", None)
    if node is None or value is None or value.lineno != value.end_lineno:
        return []
    line = lines[value.lineno - 1]
    return [
        *lines[: value.lineno - 1],
        f"{line[: value.col_offset]}{chance.choice(['7', 'None', 'dict()'])}{line[value.end_col_offset :]}",
        *lines[value.lineno :],
    ]


def _attribute(tree: ast.Module, lines: list[str], chance: random.Random) -> list[str]:
    """One more attribute that a method keeps, or a field of the class."""
    home = _one(tree.body, (ast.ClassDef,), chance)
    if not isinstance(home, ast.ClassDef):
        return []
    method = _one(home.body, (ast.FunctionDef, ast.AsyncFunctionDef), chance)
    if not isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) or chance.random() < 0.5:
        place = _span(home.body[-1])[1]
        return [*lines[:place], f"{' ' * home.body[-1].col_offset}edited: int = 1\n", *lines[place:]]
    first = _first(method)
    name = method.args.args[0].arg if method.args.args else ""
    others = [node.attr for node in ast.walk(home) if isinstance(node, ast.Attribute)]
    attribute = chance.choice(["edited", *others])
    line = f"{' ' * first.col_offset}{name}.{attribute} = open('edited')\n"
    begin = _span(first)[0]
    return [*lines[:begin], line, *lines[begin:]] if name and first.lineno > method.lineno else []


_WAYS_OF_MODULES: dict[str, Callable[[ast.Module, list[str], random.Random], list[str]]] = {
    "an import more": _imports,
    "a name more": _assigns,
    "a function more": _copied((ast.FunctionDef, ast.AsyncFunctionDef), False),
    "a class more": _copied((ast.ClassDef,), False),
    "a method more": _copied((ast.FunctionDef, ast.AsyncFunctionDef), True),
    "a function less": _gone((ast.FunctionDef, ast.AsyncFunctionDef)),
    "a class less": _gone((ast.ClassDef,)),
    "an import less": _gone((ast.Import, ast.ImportFrom)),
    "another statement less": _gone((ast.Assign, ast.AnnAssign, ast.Expr, ast.If)),
    "a definition elsewhere": _moved,
    "another value": _constant,
    "an attribute more": _attribute,
}

if __name__ == "__main__":
    sys.exit(main())
