"""Shell text -> the simple commands in it, every word with its value and its place. Runs nothing and knows no server.

Both branches of an `if` or a `case` count. Variables that the text assigns are put in; others stay `Env` values, with
the default of `${NAME:-default}`. Grammar: POSIX shell command language, as far as start scripts use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fastlint.deploy.service import HOLE, Text
from fastlint.deploy.values import Apply, Cores, Counter, Env, Unknown, Value, apply
from fastlint.finding import Location

_KEYWORDS = frozenset(
    {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "{", "}", "!"}
)
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=")
_PARAMETER = re.compile(
    r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-=?+])((?:[^{}]|\$\{[^{}]*\})*))?\}|([@*#?0-9$!]))"
)
_COUNTS = {
    "nproc": Counter.AFFINITY,
    "nproc --all": Counter.HOST,
    "getconf _NPROCESSORS_ONLN": Counter.HOST,
    "grep -c processor /proc/cpuinfo": Counter.HOST,
    "grep -c ^processor /proc/cpuinfo": Counter.HOST,
}
_ARITHMETIC = re.compile(r"\s*(?:(\d+)|\$?\{?([A-Za-z_]\w*)\}?|\$\((nproc(?: --all)?)\)|([-+*/%()]))")
_OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "floordiv", "%": "mod"}
ALL_ARGUMENTS = "\x00@"  # what `"$@"` stands for, until whoever knows the arguments puts them in


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command: its value, how it is written, and where."""

    value: Value
    text: str
    where: Location

    @property
    def literal(self) -> str | None:
        """The text of the word, if nothing in it is open."""
        return self.value if isinstance(self.value, str) else None


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command: its words, and the variables that are set for it alone."""

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, Word], ...] = ()


def plain_words(words: tuple[Text, ...]) -> tuple[Word, ...]:
    """The words of an exec form: nothing in them is expanded."""
    return tuple(Word(Unknown("filled in when it is deployed") if HOLE in one.text else one.text, one.text, one.where)
                 for one in words)  # fmt: skip


def commands_in(text: Text) -> list[Simple]:
    """Every simple command of a shell text, in order."""
    return list(_Reader(text).commands())


@dataclass(slots=True)
class _Reader:
    """The state of one reading: where it stands, and the variables assigned so far."""

    text: Text
    at: int = 0
    variables: dict[str, Value] = field(default_factory=dict)
    pieces: list[Value] | None = None  # of the word that is being read
    start: int = 0
    words: list[Word] = field(default_factory=list)

    def commands(self) -> Iterator[Simple]:
        source = self.text.text
        while self.at < len(source):
            character = source[self.at]
            if character in "\n;&|":
                self.end_word()
                yield from self.end_command()
                self.at += 1
            elif character == ")":
                self.pieces = None
                self.words.clear()  # a pattern of `case`, or the head of a function
                self.at += 1
            elif character == "(":
                self.end_word()
                yield from self.end_command()
                self.at += 1
            elif character in " \t":
                self.end_word()
                self.at += 1
            else:
                self.character(source, character)
        self.end_word()
        yield from self.end_command()

    def character(self, source: str, character: str) -> None:
        """One character, or quoted or expanded stretch, of a word."""
        if character == "\\":
            if source[self.at : self.at + 2] != "\\\n":
                self.add(source[self.at + 1 : self.at + 2])
            self.at += 2
        elif character == "#" and self.pieces is None:
            end = source.find("\n", self.at)
            self.at = len(source) if end < 0 else end
        elif character == "'":
            end = source.find("'", self.at + 1)
            end = len(source) if end < 0 else end
            self.add(source[self.at + 1 : end])
            self.at = end + 1
        elif character == '"':
            self.double(source)
        elif character in "<>":
            self.redirection(source)
        elif character == "`" or source[self.at : self.at + 2] == "$(" or character == "$":
            self.expansion(source)
        else:
            end = self.at + 1
            while end < len(source) and source[end] not in " \t\n;&|()\\'\"$`<>":
                end += 1
            self.add(source[self.at : end])
            self.at = end

    def add(self, piece: Value) -> None:
        if self.pieces is None:
            self.pieces = []
            self.start = self.at
        self.pieces.append(piece)

    def double(self, source: str) -> None:
        self.add("")
        self.at += 1
        while self.at < len(source) and source[self.at] != '"':
            if source[self.at] == "\\" and source[self.at + 1 : self.at + 2] in ('"', "$", "`", "\\", "\n"):
                if source[self.at + 1] != "\n":
                    self.add(source[self.at + 1])
                self.at += 2
            elif source[self.at] in "$`":
                self.expansion(source)
            else:
                end = self.at + 1
                while end < len(source) and source[end] not in '"$`\\':
                    end += 1
                self.add(source[self.at : end])
                self.at = end
        self.at += 1

    def redirection(self, source: str) -> None:
        """`> file`, `2>&1`, `<<< text`: no word of the command."""
        if self.pieces is not None and all(isinstance(piece, str) and piece.isdigit() for piece in self.pieces):
            self.pieces = None
        self.end_word()
        match = re.compile(r"[<>]+&?[ \t]*[^\s;&|()]*").match(source, self.at)
        self.at = match.end() if match else self.at + 1

    def expansion(self, source: str) -> None:
        """`$NAME`, `${NAME:-default}`, `$(command)`, `$((arithmetic))` and backquotes."""
        if source.startswith("$((", self.at):
            end = _closing(source, self.at + 1)
            self.add(arithmetic(source[self.at + 3 : end - 1], self.named))
            self.at = end + 1
            return
        if source.startswith("$(", self.at) or source[self.at] == "`":
            end = source.find("`", self.at + 1) if source[self.at] == "`" else _closing(source, self.at + 1)
            end = len(source) if end < 0 else end
            inner = source[self.at + (1 if source[self.at] == "`" else 2) : end].strip()
            counter = _COUNTS.get(" ".join(inner.split()))
            self.add(Cores(counter) if counter is not None else Unknown(f"what `{inner[:40]}` prints"))
            self.at = end + 1
            return
        match = _PARAMETER.match(source, self.at)
        if match is None:
            self.add("$")
            self.at += 1
            return
        self.add(self.parameter(match))
        self.at = match.end()

    def parameter(self, match: re.Match[str]) -> Value:
        name, braced, operator, default, special = match.groups()
        if special is not None:
            return ALL_ARGUMENTS if special in "@*" else Unknown(f"${special}")
        known = self.named(name or braced)
        if not operator or not isinstance(known, Env):
            return known
        if operator in (":-", "-", ":=", "="):
            value = expanded(default or "", self.named)
            if operator in (":=", "="):
                self.variables[braced] = Env(braced, value)
            return Env(braced, value)
        return Env(braced, required=True) if "?" in operator else Unknown(f"${{{braced}{operator}…}}")

    def named(self, name: str) -> Value:
        """A variable: what the text assigned, else whatever the environment holds."""
        return self.variables[name] if name in self.variables else Env(name, required=True)

    def end_word(self) -> None:
        if self.pieces is None:
            return
        raw = self.text.text[self.start : self.at]
        self.words.append(Word(joined(self.pieces), raw, self.text.at(self.start)))
        self.pieces = None

    def end_command(self) -> Iterator[Simple]:
        words, self.words = self.words, []
        while words and words[0].text in _KEYWORDS:
            words = words[1:]
        if words and words[0].text in ("export", "local", "readonly", "declare", "set"):
            words = words[1:]
        assignments: list[tuple[str, Word]] = []
        while words and (match := _ASSIGNMENT.match(words[0].text)):
            assignments.append((match[1], _assigned(words[0], match[1])))
            words = words[1:]
        if words:
            yield Simple(tuple(words), tuple(assignments))
        else:
            self.variables.update((name, word.value) for name, word in assignments)


def _assigned(word: Word, name: str) -> Word:
    """The value of an assignment: the word without `NAME=`."""
    value = word.value
    prefix = f"{name}="
    if isinstance(value, str):
        value = value[len(prefix) :]
    elif isinstance(value, Apply) and value.operation == "format" and isinstance(value.operands[0], str):
        value = joined([value.operands[0][len(prefix) :], *value.operands[1:]])
    return Word(value, word.text[len(prefix) :], word.where)


def joined(pieces: list[Value]) -> Value:
    """The value of a word of several pieces."""
    kept = [piece for piece in pieces if piece != ""] or [""]
    return kept[0] if len(kept) == 1 else _format(kept)


def _format(pieces: list[Value]) -> Value:
    merged: list[Value] = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged[0] if len(merged) == 1 else apply("format", tuple(merged))


def expanded(text: str, named: Callable[[str], Value]) -> Value:
    """Text with its variables put in (the default of `${A:-${B:-1}}`)."""
    pieces: list[Value] = []
    at = 0
    text = text.strip("\"'")
    for match in _PARAMETER.finditer(text):
        pieces.append(text[at : match.start()])
        name, braced, operator, default, special = match.groups()
        if special is not None:
            pieces.append(Unknown(f"${special}"))
        elif operator in (":-", "-", ":=", "="):
            pieces.append(Env(braced, expanded(default or "", named)))
        else:
            pieces.append(named(name or braced))
        at = match.end()
    pieces.append(text[at:])
    return joined(pieces)


def _closing(source: str, opening: int) -> int:
    """Where the parenthesis at `opening` closes; the end of the text where it does not."""
    depth = 0
    for place in range(opening, len(source)):
        depth += {"(": 1, ")": -1}.get(source[place], 0)
        if depth == 0:
            return place
    return len(source)


def arithmetic(text: str, named: Callable[[str], Value]) -> Value:
    """The value of `$((…))`: numbers, variables, `$(nproc)`, + - * / % and parentheses."""
    tokens: list[Value | str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _ARITHMETIC.match(text, at)
        if match is None:
            return Unknown("arithmetic of the shell")
        number, name, count, operator = match.groups()
        if number is not None:
            tokens.append(int(number))
        elif count is not None:
            tokens.append(Cores(_COUNTS[count]))
        elif name is not None:
            tokens.append(apply("int", (named(name),)))
        else:
            tokens.append(operator)
        at = match.end()
    tokens.reverse()
    value = _sum(tokens)
    return Unknown("arithmetic of the shell") if tokens or value is None else value


def _sum(tokens: list[Value | str]) -> Value:
    value = _product(tokens)
    while tokens and tokens[-1] in ("+", "-"):
        operator = str(tokens.pop())
        value = apply(_OPERATORS[operator], (value, _product(tokens)))
    return value


def _product(tokens: list[Value | str]) -> Value:
    value = _atom(tokens)
    while tokens and tokens[-1] in ("*", "/", "%"):
        operator = str(tokens.pop())
        value = apply(_OPERATORS[operator], (value, _atom(tokens)))
    return value


def _atom(tokens: list[Value | str]) -> Value:
    if not tokens:
        return Unknown("arithmetic of the shell")
    token = tokens.pop()
    if token == "(":
        value = _sum(tokens)
        if tokens and tokens[-1] == ")":
            tokens.pop()
        return value
    return Unknown("arithmetic of the shell") if isinstance(token, str) else token
