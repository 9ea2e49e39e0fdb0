"""Findings for people: `full` with source, chain and remedy, `concise` with one line each, both with a last line.

Never prints, never asks the terminal anything: colours are used only when the style says so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from fastlint.finding import Finding, Location, Severity, Step
from fastlint.report.model import Report
from fastlint.report.style import Style
from fastlint.rulebook.words import RuleWords

_INKS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;34"}
_BOLD, _FAINT, _GREEN = "1", "2", "32"
_LONGEST_LINE = 160
_TAB = "    "

# What moves the cursor, rings the bell or turns the writing direction must not reach a terminal as it is.
_UNSAFE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_UNSAFE |= {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_UNSAFE |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def full(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """Every finding with its source line, chain, notes and remedy; then the last line of the run."""
    blocks = ["\n".join(_block(finding, report, style)) for finding in report.findings]
    return "\n\n".join([*blocks, "\n".join(_closing(report, style))]) + "\n"


def concise(report: Report, rules: Mapping[str, RuleWords], style: Style) -> str:
    """Every finding on one line; then the last line of the run."""
    return "\n".join([*(header(finding, style) for finding in report.findings), *_closing(report, style)]) + "\n"


def story(finding: Finding, style: Style) -> Iterator[str]:
    """How the finding comes about and what helps, line by line: chain, further places, notes, remedy."""
    yield from _listed("chain", [_hop(step, style) for step in finding.steps])
    yield from _listed("also", [_hop(step, style) for step in finding.related])
    for note in finding.notes:
        yield f"= note: {visible(note)}"
    if finding.remedy:
        yield f"= help: {visible(finding.remedy)}"


def summary(report: Report, style: Style) -> str:
    """The last line of a run: counts by severity, files, time, and what could not be resolved."""
    counts = [_count(number, severity) for severity, number in report.counts.items() if severity >= report.shown]
    line = f"{', '.join(counts)} in {_plural(report.files, 'file')}"
    if report.analysed > report.files:
        line += f" ({report.analysed} read)"
    line += f", {report.seconds:.2f} s"
    if report.suppressed:
        line += f"; {report.suppressed} suppressed"
    return f"{line}; {unresolved_words(report)}"


def unresolved_words(report: Report) -> str:
    """How many calls on the loop stay unknown, as the end of a sentence."""
    if not report.unresolved:
        return "every call on the loop was resolved"
    return f"{_plural(len(report.unresolved), 'call')} on the loop could not be resolved"


def visible(text: str) -> str:
    """The text with everything that could disturb a terminal spelled out."""
    return text.translate(_UNSAFE).encode("utf-8", "backslashreplace").decode()


def paint(text: str, ink: str, style: Style) -> str:
    """The text in an ANSI rendition, if colours are allowed."""
    return f"\x1b[{ink}m{text}\x1b[0m" if style.colour else text


def _block(finding: Finding, report: Report, style: Style) -> Iterator[str]:
    yield header(finding, style)
    margin = " " * len(str(finding.where.line))
    source = report.excerpts.get((finding.where.path, finding.where.line))
    if source is not None:
        line, carets = _excerpt(source, finding.where)
        yield paint(f"{margin} |", _FAINT, style)
        yield paint(f"{finding.where.line} |", _FAINT, style) + f" {line}".rstrip()
        yield paint(f"{margin} |", _FAINT, style) + " " + paint(carets, _INKS[finding.severity], style)
    for line in story(finding, style):
        yield f"{margin} {line}"


def header(finding: Finding, style: Style) -> str:
    """The finding on one line: place, code, severity, message."""
    where, ink = _place(finding.where, style), _INKS[finding.severity]
    code, severity = paint(finding.code, ink, style), paint(f"[{finding.severity.word}]", ink, style)
    return f"{paint(where, _BOLD, style)}: {code} {severity} {visible(finding.message)}"


def _place(where: Location, style: Style) -> str:
    if where.line < 1:
        return visible(where.path)
    return f"{visible(style.shown(where.path))}:{where.line}:{where.column}"


def _hop(step: Step, style: Style) -> str:
    if step.where.line < 1:
        return f"{visible(step.text)} ({visible(step.where.path)})"
    return f"{visible(step.text)} ({visible(style.shown(step.where.path))}:{step.where.line})"


def _listed(label: str, lines: Sequence[str]) -> Iterator[str]:
    lead = f"= {label}: "
    for line in lines:
        yield lead + line
        lead = " " * len(lead)


def _excerpt(source: str, where: Location) -> tuple[str, str]:
    """The source line as it can be shown, and the carets that go under it."""
    source = source.rstrip("\r\n")
    first = min(where.column - 1, len(source))
    last = where.end_column - 1 if where.end_line == where.line else len(source)
    start = max(0, first - _LONGEST_LINE // 2) if len(source) > _LONGEST_LINE else 0
    stop = min(len(source), start + _LONGEST_LINE)
    before, marked, after = (
        "".join(_TAB if character == "\t" else visible(character) for character in part)
        for part in (source[start:first], source[first : min(last, stop)], source[max(first, min(last, stop)) : stop])
    )
    lead, trail = "…" if start else "", "…" if stop < len(source) else ""
    carets = " " * _width(lead + before) + "^" * max(1, _width(marked))
    return f"{lead}{before}{marked}{after}{trail}", carets


def _width(text: str) -> int:
    """How many columns a terminal gives to the text."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(bool(unicodedata.combining(character)) for character in text)


def _closing(report: Report, style: Style) -> Iterator[str]:
    if style.unresolved and report.unresolved:
        yield "Calls on the loop that could not be resolved:"
        for step in report.unresolved:
            yield f"  {_place(step.where, style)}: {visible(step.text)}"
    hint = " (--unresolved lists them)" if report.unresolved and not style.unresolved else ""
    worst = max((finding.severity for finding in report.findings), default=None)
    yield paint(summary(report, style) + hint, _INKS[worst] if worst else _GREEN, style)


def _count(number: int, severity: Severity) -> str:
    return f"{number} info" if severity is Severity.INFO else _plural(number, severity.word)


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
