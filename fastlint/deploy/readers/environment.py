"""Environment files and the variables that stand for text in other files. Sets no variable and asks none.

Sources: the Compose specification (interpolation, `.env` syntax), systemd.exec (EnvironmentFile).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fastlint.deploy.plan import Said
from fastlint.deploy.service import HOLE, Text
from fastlint.deploy.texts import joined, lines_of, literal, matched, stripped, variable

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*=\s*(.*)")
_COMMENT = re.compile(r"\s+#.*")
_NAMED = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(:?[-?+])?)")
_DEEPEST = 10  # defaults within defaults


def read_environment_file(path: str, text: str, by: str = "env file") -> dict[str, Said]:
    """The variables of a `.env` file; a line that is no assignment is passed by, as Docker and python-dotenv do."""
    out: dict[str, Said] = {}
    for line in lines_of(path, text):
        match = _LINE.fullmatch(line.text)
        if match is None:
            continue
        value, quoted = _value(stripped(matched(line, match, 2)))
        if not quoted:
            known = {name: each.text for name, each in out.items() if isinstance(each.value, str)}
            value = interpolated(value, known)
        out[match[1]] = variable(match[1], value, by)
    return out


def _value(raw: Text) -> tuple[Text, bool]:
    """A value without its quotes or the comment behind it, and whether it is taken literally (single quotes)."""
    quote = raw.text[:1]
    if quote in ("'", '"') and (end := raw.text.find(quote, 1)) > 0:
        return raw.cut(1, end), quote == "'"
    match = _COMMENT.search(raw.text)
    return (raw.cut(0, match.start()) if match else raw), False


def interpolated(text: Text, variables: Mapping[str, str]) -> Text:
    """The text with `$X`, `${X}`, `${X:-default}`, `${X:?error}` and `${X:+word}` replaced and `$$` as `$`.

    A variable that nobody sets and that has no default becomes a hole; with its default, the default.
    """
    if "$" not in text.text:
        return text
    pieces = [piece for piece in _pieces(text, variables, 0) if piece.text]
    return joined(pieces) if pieces else literal("", text.where)


def _pieces(text: Text, variables: Mapping[str, str], depth: int) -> Iterator[Text]:
    at = 0
    while match := _NAMED.search(text.text, at):
        if match.start() > at:
            yield text.cut(at, match.start())
        name, at = match[2] or match[3], match.end()
        where = text.at(match.start())
        if match[1]:
            yield literal("$", where)
            continue
        word = literal("", where)
        if match[3]:
            end = _closing(text.text, at)
            word, at = text.cut(at, end), end + 1
        value = variables.get(name)
        operator = (match[4] or "")[-1:]
        chosen = value if value or (match[4] or "")[:1] != ":" else None  # `:-` and the like take empty for unset
        if operator == "+":
            yield word if chosen is not None else literal("", where)
        elif chosen is not None:
            yield literal(chosen, where)
        elif operator == "-" and depth < _DEEPEST:
            yield from _pieces(word, variables, depth + 1)
        else:
            yield literal(HOLE, where)
    if at < len(text.text):
        yield text.cut(at, len(text.text))


def _closing(text: str, at: int) -> int:
    """Where the brace closes that was opened before `at`; the end of the text if it never does."""
    depth = 1
    for offset in range(at, len(text)):
        depth += (text[offset] == "{") - (text[offset] == "}")
        if depth == 0:
            return offset
    return len(text)
