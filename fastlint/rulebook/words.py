"""The words of the rules: what `rules/FL101.toml` … say, as plain records for reports and for `fastlint rule`.

Validates nothing (the tests hold every file against `schema.RuleFile`), so that explaining a rule needs no pydantic.

Messages and remedies hold placeholders. Those of a blocking call are `{call}` (the primitive, dotted), `{instead}`
(the asynchronous way, in words that fit after "use"; empty where the catalogue knows none) and `{via}` (the call on
the loop, where it is not the primitive itself). FL001 has `{reason}` instead. In FL002 and FL003 `{call}` is the
suppression, or what of it cannot be understood, as it stands there; `{hint}` of FL003 is a clause such as
", did you mean FL102?", or empty.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import starmap
from pathlib import Path
from typing import Any, NamedTuple

from fastlint.finding import Severity
from fastlint.rulebook.where import WORDS, rules_folder, shipped

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class ExampleWords(NamedTuple):
    """A small application that shows a rule; `# expect: FL101` ends the lines on which it speaks."""

    title: str
    files: Mapping[str, str]


class RuleWords(NamedTuple):
    """All that one rule says to people. `message` and `remedy` may hold placeholders."""

    code: str
    name: str
    severity: Severity
    summary: str
    why: str
    remedy: str
    message: str
    references: tuple[str, ...] = ()
    bad: tuple[ExampleWords, ...] = ()
    good: tuple[ExampleWords, ...] = ()


@cache  # a run asks twice: who judges and who words the report
def load_words(folder: Path) -> dict[str, RuleWords]:
    """The rules of `folder` by code, in the order of their codes."""
    text = shipped(WORDS) if folder == rules_folder() else None
    rules = decode_words(text) if text is not None else map(_read, sorted(folder.glob("FL[0-9][0-9][0-9].toml")))
    return {rule.code: rule for rule in rules}


def encode_words(words: Iterable[RuleWords]) -> bytes:
    """The words of rules as JSON text, so that a wheel need not read its many files at every start."""
    return json.dumps([*words], separators=(",", ":")).encode()


def decode_words(text: bytes) -> Iterator[RuleWords]:
    """The words that `encode_words` wrote."""
    for code, name, severity, summary, why, remedy, message, references, *examples in json.loads(text):
        bad, good = (tuple(starmap(ExampleWords, each)) for each in examples)
        level = Severity(severity)
        yield RuleWords(code, name, level, summary, why, remedy, message, tuple(references), bad, good)


def fill_message(message: str, values: Mapping[str, str]) -> str:
    """The message with every placeholder filled. Raises `KeyError` for one that has no value."""
    return message.format_map(values)


def fill_remedy(remedy: str, values: Mapping[str, str]) -> str:
    """The remedy with every placeholder filled, less the sentences whose placeholder has no value or an empty one."""
    sentences = _SENTENCE_END.split(remedy)
    told = (each for each in sentences if all(values.get(name) for name in _PLACEHOLDER.findall(each)))
    return " ".join(told).format_map(values)


def general_remedy(rule: RuleWords) -> str:
    """The remedy as it reads apart from any finding."""
    return fill_remedy(rule.remedy, {"instead": "the asynchronous way that the finding names"})


def pointing(source: str) -> str:
    """An example's source with the markers of the tests as arrows that a reader understands."""
    return source.replace("# expect-below: ", "# ↓ ").replace("# expect: ", "# ← ")


def _read(path: Path) -> RuleWords:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    return RuleWords(
        code=raw["code"],
        name=raw["name"],
        severity=Severity[raw["severity"].upper()],
        summary=_one_line(raw["summary"]),
        why=_one_line(raw["why"]),
        remedy=_one_line(raw["remedy"]),
        message=_one_line(raw["message"]),
        references=tuple(raw.get("references", ())),
        bad=_examples(raw["bad"]),
        good=_examples(raw["good"]),
    )


def _examples(raw: list[dict[str, Any]]) -> tuple[ExampleWords, ...]:
    return tuple(ExampleWords(each["title"], each["files"]) for each in raw)


def _one_line(text: str) -> str:
    # The files break their lines at 120 columns; whoever shows the words wraps them anew.
    return " ".join(text.split())
