"""YAML as nodes that know their place: the one place that knows ruamel.yaml. Builds no objects, so nothing can run.

Aliases are shared nodes, so a "bomb" stays as small as its text, and each is merged once. Documents are told apart
before parsing, so that only those that matter cost time.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastlint.deploy.service import HOLE, Broken, Text
from fastlint.deploy.texts import literal
from fastlint.finding import Location

_MOST_ENTRIES = 5000  # of one mapping or list
_DEEPEST = 500  # brackets: Python's calls end soon after
_BRACKET = re.compile(r"[\[\]{}]")
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
# A line that holds nothing but template tags steers the template and is no YAML; a tag inside a line stands for text.
_TAG = re.compile(r"\{\{(?:[^{}]|\{[^{]|\}[^}])*?\}\}|\{%.*?%\}", re.DOTALL)
# `name: {name}-config`: a field of `str.format`. A mapping ends where its bracket does.
_FIELD = re.compile(r"(?<!\$)(?:(?<=[\w.:/@-])\{\w+\}|\{\w+\}(?=[\w./@-]))")
_STEERING = re.compile(rf"^[ \t]*(?:{HOLE}[ \t]*)+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Yaml:
    """One node: a mapping, a list or a scalar."""

    path: str
    node: object  # of ruamel.yaml
    lines: tuple[str, ...]  # of the whole file

    @property
    def where(self) -> Location:
        """Where the node begins."""
        mark = self.node.start_mark  # type: ignore[attr-defined]
        return Location(self.path, mark.line + 1, mark.column + 1)

    @property
    def tag(self) -> str:
        """`!reset`, `!override`, or the long name of a standard tag."""
        return str(getattr(self.node, "tag", "") or "")

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return getattr(self.node, "id", "") == "mapping"

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return getattr(self.node, "id", "") == "sequence"

    @property
    def scalar(self) -> str | None:
        """A scalar as text, whatever its type; None for null and for anything else."""
        if getattr(self.node, "id", "") != "scalar" or self.tag.endswith(":null"):
            return None
        return str(self.node.value)  # type: ignore[attr-defined]

    def get(self, *keys: str) -> Yaml | None:
        """What stands under a path of keys; None where something on the way is missing."""
        node: Yaml | None = self
        for key in keys:
            node = node.entries().get(key) if node is not None else None
        return node

    def entries(self) -> Mapping[str, Yaml]:
        """The entries of a mapping by key, merged (`<<`) ones included; empty for anything else.

        A key that is there twice (both branches of a template's `if`) has the first value, as a placeholder.
        """
        return self._entries({})

    def _entries(self, done: dict[int, dict[str, Yaml]]) -> dict[str, Yaml]:
        if not self.is_mapping:
            return {}
        if id(self.node) in done:  # merged twice, or into itself
            return done[id(self.node)]
        out: dict[str, Yaml] = {}
        merged: dict[str, Yaml] = {}
        done[id(self.node)] = {}
        for key, value in self.node.value[:_MOST_ENTRIES]:  # type: ignore[attr-defined]
            name = str(key.value) if getattr(key, "id", "") == "scalar" else ""
            if getattr(value, "value", None) == "":  # an empty value has no place of its own
                value = _Scalar(key.start_mark, key.end_mark, value.tag, "")
            inner = Yaml(self.path, value, self.lines)
            if name == "<<":
                for source in inner.items() if inner.is_list else [inner]:
                    for each, found in source._entries(done).items():
                        merged.setdefault(each, found)
            elif name in out:
                out[name] = out[name]._as_placeholder()
            else:
                out[name] = inner
        done[id(self.node)] = {**merged, **out}
        return done[id(self.node)]

    def items(self) -> list[Yaml]:
        """The entries of a list; empty for anything else."""
        values = self.node.value[:_MOST_ENTRIES] if self.is_list else ()  # type: ignore[attr-defined]
        return [Yaml(self.path, value, self.lines) for value in values]

    def text(self) -> Text | None:
        """A scalar with the place of each of its words; None for null and anything else."""
        value = self.scalar
        if value is None:
            return None
        return Text(value, tuple(self._places(value))) if value else literal("", self.where)

    def _places(self, value: str) -> Iterator[tuple[int, Location]]:
        """Where the words of a value stand: found one after the other in the lines of the node."""
        start, end = self.node.start_mark, self.node.end_mark  # type: ignore[attr-defined]
        line, column = start.line, start.column
        if value[0].isspace():
            yield 0, self.where
        for word in re.finditer(r"\S+", value):
            for number in range(line, min(end.line + 1, len(self.lines))):
                found = self.lines[number].find(word[0], column if number == line else 0)
                if found >= 0:
                    yield word.start(), Location(self.path, number + 1, found + 1)
                    line, column = number, found + len(word[0])
                    break
            else:  # written with an escape in it
                yield word.start(), Location(self.path, line + 1, column + 1)

    def _as_placeholder(self) -> Yaml:
        node = _Scalar(self.node.start_mark, self.node.end_mark, "", HOLE)  # type: ignore[attr-defined]
        return Yaml(self.path, node, self.lines)


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A scalar that stands in for one of ruamel.yaml."""

    start_mark: object
    end_mark: object
    tag: str
    value: str
    id: str = "scalar"


def documents(path: str, text: str, wanted: re.Pattern[str]) -> tuple[list[Yaml], list[Broken]]:
    """The documents in which `wanted` is found, and what of these cannot be parsed.

    Placeholders of templates become `HOLE`s; a templated document that even so is no YAML is passed by.
    """
    found: list[Yaml] = []
    broken: list[Broken] = []
    plain = text.replace("\r\n", "\n")
    bare = without_tags(plain)
    lines = tuple(bare.split("\n"))
    for start, end in _spans(bare):
        part = bare[start:end]
        if not wanted.search(part):
            continue
        outcome = _parsed(path, "\n" * bare.count("\n", 0, start) + part, lines)
        if isinstance(outcome, Yaml):
            found.append(outcome)
        elif outcome is not None and part == plain[start:end] and HOLE not in part and not _FIELD.search(part):
            broken.append(outcome)
    return found, broken


def without_tags(text: str) -> str:
    """The text with `{{ … }}` as placeholders of the same length, and without the lines that only steer."""
    if "{{" not in text and "{%" not in text:
        return text
    marked = _TAG.sub(lambda tag: re.sub(r"[^\n]", HOLE, tag[0]), text)
    return _STEERING.sub(lambda line: " " * len(line[0]), marked)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    starts = [0, *(match.end() for match in _SEPARATOR.finditer(text))]
    ends = [*(match.start() for match in _SEPARATOR.finditer(text)), len(text)]
    return zip(starts, ends, strict=True)


def _too_deep(text: str) -> bool:
    """Whether brackets open again and again: the parser would take seconds to find that out."""
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > _DEEPEST:
            return True
    return False


def _parsed(path: str, text: str, lines: tuple[str, ...]) -> Yaml | Broken | None:
    if _too_deep(text):
        return Broken(Location(path), "it is not valid YAML: brackets nest too deeply")
    from ruamel.yaml import YAML  # here: importing it is slow, and most runs have no YAML that matters
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is used twice: the last one counts
            node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = Location(path, mark.line + 1, mark.column + 1) if mark is not None else Location(path)
        return Broken(where, f"it is not valid YAML: {error.problem or error.context}")
    except YAMLError as error:
        return Broken(Location(path), f"it is not valid YAML: {str(error).splitlines()[0]}")
    except (RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        # Nested deeper than Python calls can nest, or input that the parser was not made for.
        return Broken(Location(path), f"it is not valid YAML: {type(error).__name__} in the parser")
    return None if node is None else Yaml(path, node, lines)
