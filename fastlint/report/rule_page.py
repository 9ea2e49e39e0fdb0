"""The rules themselves, for `fastlint rule FL101` and `fastlint rules`: as text and as JSON. Knows of no findings."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastlint.report.style import Style
from fastlint.report.text import paint
from fastlint.rulebook.words import ExampleWords, RuleWords, general_remedy, pointing

VERSION = 1
_BOLD = "1"


def explain(rule: RuleWords, style: Style) -> str:
    """Everything that the rule has to say, for a person."""
    paragraphs = [
        paint(f"{rule.code} {rule.name} [{rule.severity.word}]", _BOLD, style),
        _wrapped(rule.summary),
        paint("Why it hurts", _BOLD, style),
        _wrapped(rule.why, "  "),
        paint("What to do", _BOLD, style),
        _wrapped(general_remedy(rule), "  "),
        *_examples("Bad", rule.bad, style),
        *_examples("Good", rule.good, style),
    ]
    if rule.references:
        paragraphs += [paint("To read", _BOLD, style), "\n".join(f"  {link}" for link in rule.references)]
    paragraphs += [
        paint("To silence one place", _BOLD, style),
        f"  # fastlint: ignore[{rule.code}] why it is right here",
    ]
    return "\n\n".join(paragraphs) + "\n"


def explain_json(rule: RuleWords) -> str:
    """Everything that the rule has to say, for a program."""
    return json.dumps({"version": VERSION, "rule": {**_row(rule), **_details(rule)}}, indent=2) + "\n"


def list_rules(rules: Mapping[str, RuleWords], style: Style) -> str:
    """One line per rule: code, severity, name, summary."""
    width = max((len(rule.name) for rule in rules.values()), default=0)
    rows = (
        f"{paint(rule.code, _BOLD, style)}  {rule.severity.word:7}  {rule.name:{width}}  {rule.summary}"
        for rule in rules.values()
    )
    return "".join(f"{row}\n" for row in rows)


def list_rules_json(rules: Mapping[str, RuleWords]) -> str:
    """The same list for a program."""
    return json.dumps({"version": VERSION, "rules": [_row(rule) for rule in rules.values()]}, indent=2) + "\n"


def _row(rule: RuleWords) -> dict[str, Any]:
    return {"code": rule.code, "name": rule.name, "severity": rule.severity.word, "summary": rule.summary}


def _details(rule: RuleWords) -> dict[str, Any]:
    return {
        "why": rule.why,
        "remedy": general_remedy(rule),
        "references": list(rule.references),
        "bad": [{"title": example.title, "files": dict(example.files)} for example in rule.bad],
        "good": [{"title": example.title, "files": dict(example.files)} for example in rule.good],
    }


def _examples(kind: str, examples: Sequence[ExampleWords], style: Style) -> Iterator[str]:
    for example in examples:
        yield paint(f"{kind}: {example.title}", _BOLD, style)
        for name, source in example.files.items():
            if source:
                yield f"  {name}\n{textwrap.indent(pointing(source).rstrip(), '    ')}"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 88, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
