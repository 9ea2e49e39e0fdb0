"""Comments and per-file ignores that silence findings, and what to say about those that silence nothing.

Works on bytes and findings: reads no file, and never needs the source to be valid Python.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple

from fastlint.config import PerFileIgnore, nearest
from fastlint.finding import Finding, Location
from fastlint.patterns import Patterns

Scope = Literal["line", "function", "file"]

UNUSED = "FL002"
INVALID = "FL003"
UNPARSABLE = "FL001"

_MAY_HOLD = re.compile(rb"fastlint\s*:|noqa\s*:[^\n]*\bFL\d", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*fastlint\s*:\s*(?P<word>(?:ignore|disable|noqa|skip)[\w-]*)\s*(?P<codes>\[[^\]]*\]?)?")
_NOQA = re.compile(r"#\s*noqa\s*:\s*(?P<codes>[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*)", re.IGNORECASE)
_OURS = re.compile(r"FL\d+")
_LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING})


class Suppression(NamedTuple):
    """One comment: where it stands, which lines it speaks of (both included), and for which rules."""

    where: Location
    scope: Scope
    first: int
    last: int
    codes: tuple[str, ...]
    form: str = ""  # as written, without codes and reason: "ignore", "ignore-file", "noqa"
    mistake: str = ""  # what of it names no rule, as written
    hint: str = ""  # how it may have been meant, as a clause: ", did you mean FL101?"

    def written(self, code: str) -> str:
        """The comment as it would be written for one code."""
        return f"noqa: {code}" if self.form == "noqa" else f"fastlint: {self.form}[{code}]"


class Notice(NamedTuple):
    """Something to report about a suppression itself: `code` is FL002 or FL003, `values` fill its message."""

    where: Location
    code: str
    written: str
    hint: str = ""

    @property
    def values(self) -> dict[str, str]:
        """The placeholders of the rule's message."""
        return {"call": self.written, "hint": self.hint}


class Applied(NamedTuple):
    """The findings that stay, those that are silenced, and what there is to say about the silencing."""

    kept: tuple[Finding, ...]
    suppressed: tuple[Finding, ...]
    notices: tuple[Notice, ...]


def read_suppressions(source: bytes, path: str, known: Collection[str]) -> list[Suppression]:
    """The suppression comments in one file, in the order of their lines. `known` are the codes that exist."""
    lower = source.lower()  # plain searches take a twentieth of the pattern's time, and nearly every file ends here
    if (b"fastlint" not in lower and b"noqa" not in lower) or _MAY_HOLD.search(source) is None:
        return []
    if not path.endswith((".py", ".pyi")):  # deployment files: `#` begins a comment in all of them
        return list(_read_lines(source, path, known))
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    except (tokenize.TokenError, SyntaxError, ValueError, LookupError):
        return list(_read_lines(source, path, known))
    return list(_read_tokens(tokens, path, known))


def apply(
    findings: Iterable[Finding],
    suppressions: Iterable[Suppression],
    per_file_ignores: Iterable[PerFileIgnore],
    ran: Collection[str],
    settings: str = "",
    quiet: Collection[str] = (),
) -> Applied:
    """Divide the findings, and say which suppressions were of no use.

    Give all findings of the rules that `ran`, before anything is hidden by severity or confidence: a suppression of a
    hidden finding is in use. `settings` is the path of the file with the per-file ignores; empty where only a part of
    the project was looked at, so that nothing can be said of them. Files in `quiet` were not judged.
    """
    used: set[tuple[Suppression, str]] = set()
    by_path: dict[str, list[Suppression]] = {}
    for suppression in sorted(suppressions):
        by_path.setdefault(suppression.where.path, []).append(suppression)
    ignores = [(each, Patterns([each.pattern])) for each in per_file_ignores]
    used_ignores: set[tuple[PerFileIgnore, str]] = set()

    def silenced(code: str, places: Iterable[Location], path: str) -> bool:
        hit = False
        for place in places:
            for suppression in by_path.get(place.path, ()):
                if code in suppression.codes and suppression.first <= place.line <= suppression.last:
                    used.add((suppression, code))
                    hit = True
        for ignore, patterns in ignores:
            for prefix in ignore.codes:
                if (prefix == "ALL" or code.startswith(prefix)) and patterns.matches(path):
                    used_ignores.add((ignore, prefix))
                    hit = True
        return hit

    kept: list[Finding] = []
    suppressed: list[Finding] = []
    for finding in findings:
        hit = silenced(finding.code, _places(finding), finding.where.path)
        (suppressed if hit else kept).append(finding)
    every = [each for several in by_path.values() for each in several]
    unparsed = {finding.where.path for finding in (*kept, *suppressed) if finding.code == UNPARSABLE}
    notices = [Notice(each.where, INVALID, each.mistake, each.hint) for each in every if each.mistake]
    notices += [
        _unused(each, code)
        for each in every
        for code in each.codes
        if code in ran
        and code not in (UNUSED, INVALID)
        and (each, code) not in used
        and each.where.path not in quiet
        and (each.where.path not in unparsed or code == UNPARSABLE)
    ]
    notices = [each for each in notices if each.code in ran and not silenced(each.code, [each.where], each.where.path)]
    # Only now is it known whether the suppressions of FL002 and FL003 themselves were of use.
    if UNUSED in ran:
        notices += [
            _unused(each, code)
            for each in every
            for code in each.codes
            if code in (UNUSED, INVALID) and code in ran and (each, code) not in used
        ]
        if settings:
            notices += [
                _unused_ignore(each, prefix, settings)
                for each, _ in ignores
                for prefix in each.codes
                if (each, prefix) not in used_ignores and _any_ran(prefix, ran)
            ]
    return Applied(tuple(kept), tuple(suppressed), tuple(sorted(notices)))


def _places(finding: Finding) -> Iterator[Location]:
    """Where a comment speaks of this finding: on the reported call, and on the way from it down to the culprit.

    Not on the way that leads to it: who silences one route does not silence what other routes reach, too.
    """
    yield finding.where
    places = [step.where for step in finding.steps]
    start = places.index(finding.where) + 1 if finding.where in places else len(places) - 1
    yield from places[max(start, 0) :]


def _unused(suppression: Suppression, code: str) -> Notice:
    return Notice(suppression.where, UNUSED, suppression.written(code))


def _unused_ignore(ignore: PerFileIgnore, prefix: str, settings: str) -> Notice:
    return Notice(Location(settings, max(ignore.line, 1)), UNUSED, f'"{ignore.pattern}" = ["{prefix}"]')


def _any_ran(prefix: str, ran: Collection[str]) -> bool:
    return any(prefix == "ALL" or code.startswith(prefix) for code in ran)


def _read_lines(source: bytes, path: str, known: Collection[str]) -> Iterator[Suppression]:
    """Line by line, for a file that is not Python, or does not even consist of tokens."""
    lines = source.decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines, 1):
        column = line.find("#")
        if column < 0:
            continue
        alone = not line[:column].strip()
        yield from _comments(line[column:], path, number, column, (number, number + alone), "line", known)


def _read_tokens(tokens: list[tokenize.TokenInfo], path: str, known: Collection[str]) -> Iterator[Suppression]:
    """Comment by comment; what a comment speaks of is the logical line that it ends, begins or stands above."""
    if not any(token.type == tokenize.COMMENT and _speaks(token.string) for token in tokens):
        return
    statements = _statements(tokens)
    code_lines = sorted({token.start[0] for token in tokens if token.type not in _LAYOUT and token.string})
    for token in tokens:
        if token.type != tokenize.COMMENT or not _speaks(token.string):
            continue
        line, column = token.start
        target = line
        if not token.line[:column].strip():  # alone on its line: it speaks of what comes next
            target = next((each for each in code_lines if each > line), line)
        first = last = target
        scope: Scope = "line"
        for statement in statements:
            # In the middle of a long statement a comment speaks of its own line only.
            if statement.function and statement.first <= target <= statement.header:
                first, last, scope = statement.first, statement.last, "function"
                break
            if target in (statement.first, statement.last):
                first, last = statement.first, statement.last
                break
        yield from _comments(token.string, path, line, column, (first, last), scope, known)


class _Statement(NamedTuple):
    """The lines of one logical line; of a function: from its first decorator to the end of its header and body."""

    first: int
    header: int
    last: int
    function: bool = False


def _statements(tokens: list[tokenize.TokenInfo]) -> list[_Statement]:
    """All logical lines and functions; an inner function comes before the one around it."""
    statements: list[_Statement] = []
    open_functions: list[tuple[int, int, int]] = []  # first line, end of the header, depth of the header
    depth = 0
    decorators = 0  # the line of the first decorator above, 0 if there is none
    logical: list[tokenize.TokenInfo] = []
    last = 0
    waiting: tuple[int, int] | None = None  # a function header, until it is seen whether a block follows
    for token in tokens:
        if waiting and token.type not in (tokenize.COMMENT, tokenize.NL):
            if token.type == tokenize.INDENT:
                open_functions.append((*waiting, depth))
            else:
                statements.append(_Statement(waiting[0], waiting[1], waiting[1], function=True))
            waiting = None
        if token.type == tokenize.INDENT:
            depth += 1
        elif token.type == tokenize.DEDENT:
            depth -= 1
            while open_functions and open_functions[-1][2] >= depth:
                first, header, _ = open_functions.pop()
                statements.append(_Statement(first, header, last, function=True))
        elif token.type == tokenize.NEWLINE:
            words = [each.string for each in logical[:2]]
            first = logical[0].start[0] if logical else token.start[0]
            last = max(token.start[0], logical[-1].end[0] if logical else 0)
            if words[:1] == ["@"]:
                decorators = decorators or first
            elif words[:1] == ["def"] or words == ["async", "def"]:
                waiting = (decorators or first, last)
                decorators = 0
            else:
                decorators = 0
                statements.append(_Statement(first, last, last))
            logical = []
        elif token.type not in _LAYOUT:
            logical.append(token)
    return statements


def _speaks(comment: str) -> bool:
    return _DIRECTIVE.search(comment) is not None or (_NOQA.search(comment) is not None and "FL" in comment)


def _comments(
    comment: str, path: str, line: int, column: int, lines: tuple[int, int], scope: Scope, known: Collection[str]
) -> Iterator[Suppression]:
    """The suppressions that one comment holds; `lines` is what it speaks of unless it speaks of the whole file."""
    for match in _DIRECTIVE.finditer(comment):
        form, bracket = match["word"], match["codes"] or ""
        where = Location(path, line, column + match.start() + 1, line, column + match.end() + 1)
        written = [code.strip() for code in bracket.strip("[]").split(",") if code.strip()]
        whole = form == "ignore-file"
        codes: tuple[str, ...] = ()
        if form not in ("ignore", "ignore-file"):
            mistake, hint = f"fastlint: {form}", ": write `fastlint: ignore[CODE]`"
        elif not written or not bracket.endswith("]"):
            mistake, hint = f"fastlint: {form}{bracket}", f": write `fastlint: {form}[CODE]`"
        else:
            mistake, hint, codes = _told_apart(written, known)
        first, last = (1, 1 << 31) if whole else lines
        yield Suppression(where, "file" if whole else scope, first, last, codes, form, mistake, hint)
    for match in _NOQA.finditer(comment):
        ours = [code for code in re.split(r"[\s,]+", match["codes"]) if _OURS.fullmatch(code)]
        if ours:
            where = Location(path, line, column + match.start() + 1, line, column + match.end() + 1)
            mistake, hint, codes = _told_apart(ours, known)
            yield Suppression(where, scope, *lines, codes, "noqa", mistake, hint)


def _told_apart(written: list[str], known: Collection[str]) -> tuple[str, str, tuple[str, ...]]:
    """The first code that does not exist with a hint at the nearest that does, and the codes that exist."""
    codes = tuple(code for code in dict.fromkeys(written) if code in known)
    unknown = next((code for code in written if code not in known), "")
    near = nearest(unknown.upper(), known) if unknown else ""
    return unknown, f", did you mean {near}?" if near else "", codes
