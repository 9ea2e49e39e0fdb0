"""Files as text whose every piece knows its place: lines, continuations, words. Knows no file format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fastlint.deploy.plan import Rank, Said
from fastlint.deploy.service import HOLE, Broken, Text
from fastlint.deploy.values import Unknown, Value
from fastlint.finding import Location

_SHEBANG = re.compile(r"#!.*\b(?:sh|bash|dash|ash|zsh)\b")
_PLACEHOLDER = "filled in when it is deployed"


def decoded(path: str, data: bytes) -> str | Broken:
    """The text of a file; broken where it holds what no text file does."""
    if b"\0" in data:
        return Broken(Location(path, data[: data.index(b"\0")].count(b"\n") + 1), "it holds a NUL byte")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Broken(Location(path, line), f"it is not UTF-8 text: {error.reason} at byte {error.start}")


def names_shell(text: str) -> bool:
    """Whether the first line of a file says that a shell runs it."""
    return _SHEBANG.match(text) is not None


def lines_of(path: str, text: str) -> Iterator[Text]:
    """Every physical line, without its end."""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        yield Text(line, ((0, Location(path, number)),))


def joined(pieces: Iterable[Text], between: str = "") -> Text:
    """One text of several, each piece at its own place. At least one piece."""
    out: list[str] = []
    places: list[tuple[int, Location]] = []
    length = 0
    for piece in pieces:
        if out and between:
            out.append(between)
            length += len(between)
        places.extend((offset + length, where) for offset, where in piece.places)
        out.append(piece.text)
        length += len(piece.text)
    starts: dict[int, Location] = dict(places)  # of an empty piece and the next one, the next one has the characters
    return Text("".join(out), tuple(starts.items()))


def stripped(text: Text) -> Text:
    """Without white space at either end."""
    start = len(text.text) - len(text.text.lstrip())
    return text.cut(start, max(start, len(text.text.rstrip())))


def matched(text: Text, match: re.Match[str], group: int | str = 0) -> Text:
    """The part of a text that a group of a match covers; the group took part in the match."""
    return text.cut(match.start(group), match.end(group))


_QUOTED = re.compile(
    r"""(?P<single>'[^']*')|(?P<double>"(?:[^"\\]|\\.)*")|(?P<escape>\\.)|(?P<plain>[^\s'"\\]+)""", re.DOTALL
)


def words_of(text: Text) -> tuple[Text, ...]:
    """The words of a line as POSIX quoting tells them apart, nothing expanded; an open quote ends with the text."""
    words: list[Text] = []
    pieces: list[Text] = []
    at = 0
    while at <= len(text.text):
        match = _QUOTED.match(text.text, at)
        if match is None:  # white space, the end, or an open quote
            if pieces:
                words.append(joined(pieces))
                pieces = []
            if at < len(text.text) and text.text[at] in "'\"":
                words.append(text.cut(at + 1, len(text.text)))
                break
            at += 1
            continue
        pieces.extend(_unquoted(text, match))
        at = match.end()
    return tuple(words)


def _unquoted(text: Text, match: re.Match[str]) -> Iterator[Text]:
    if match.lastgroup == "plain":
        yield matched(text, match)
    elif match.lastgroup == "escape":
        yield text.cut(match.start() + 1, match.end() if match[0] != "\\\n" else match.start() + 1)
    else:
        inner = text.cut(match.start() + 1, match.end() - 1)
        escaped = match.lastgroup == "double" and "\\" in inner.text
        yield literal(re.sub(r'\\(["\\$`\n])', r"\1", inner.text), inner.where) if escaped else inner


def literal(text: str, where: Location) -> Text:
    """A text that stands, or as good as stands, at one place."""
    return Text(text, ((0, where),))


def value_of(text: str) -> str | Unknown:
    """The text itself, or unknown if a piece of it is a placeholder."""
    return Unknown(_PLACEHOLDER) if HOLE in text else text


def variable(name: str, text: Text, by: str, value: Value | None = None) -> Said:
    """An environment variable that a file sets; `text` is its value and where it stands."""
    return Said(name, value_of(text.text) if value is None else value, Rank.ENVIRONMENT, by, text.where, text.text)
