"""The syntax of shell text: commands, branches, loops and functions as a tree. Expands nothing and runs nothing.

Source: POSIX.1 "Shell Command Language", with what bash adds where start scripts use it (`[[`, `function`, `<<<`).
Text that is no shell is read as far as it goes.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

_MOST_TOKENS = 20_000
_DEEPEST = 40
_OPERATOR = re.compile(r"\n|&&|\|\||;;&?|;&|[;&|()]")
_REDIRECTION = re.compile(r"(?:\d+|&)?(?:>>|>\||>&|<&|<<<|<<-?|<>|>|<)&?")
_PLAIN = re.compile(r"[^\s'\"\\$`;&|()<>]+")
_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=")


class Literal(NamedTuple):
    """Text that stands for itself."""

    text: str
    quoted: bool = False


class Parameter(NamedTuple):
    """`$NAME` or `${NAME:-word}`; `operator` is "", "-", "=", "?" or "+", and `other` says that an operation that we do
    not work out (`%`, `/` …) is applied."""

    name: str
    operator: str = ""
    word: tuple[Part, ...] = ()
    quoted: bool = False
    other: bool = False


class Substitution(NamedTuple):
    """`$(command)` or its old form with back quotes."""

    command: str
    quoted: bool = False


class Arithmetic(NamedTuple):
    """`$(( … ))`."""

    expression: str


Part: TypeAlias = "Literal | Parameter | Substitution | Arithmetic"


class Word(NamedTuple):
    """One word and where it stands in the text."""

    parts: tuple[Part, ...]
    start: int
    end: int
    redirected: bool = False  # a redirection stands behind it

    @property
    def bare(self) -> str:
        """The word if it is one unquoted literal, as keywords are; else ""."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only.text if isinstance(only, Literal) and not only.quoted else ""


class Simple(NamedTuple):
    """A simple command: assignments in front, then words."""

    assignments: tuple[tuple[str, bool, Word], ...]  # name, whether it appends, value
    words: tuple[Word, ...]
    background: bool = False
    piped: bool = False
    negated: bool = False  # `!` stands in front
    redirected: bool = False


class Arm(NamedTuple):
    """One body of an `if` or `case`, with what has to hold: commands that succeed (none: `else`), or patterns."""

    body: tuple[Node, ...]
    conditions: tuple[Node, ...] = ()
    patterns: tuple[Word, ...] = ()


class Branches(NamedTuple):
    """`if` or `case`: one of several bodies runs, or none unless `exhaustive`. The conditions run in any case."""

    arms: tuple[Arm, ...]
    exhaustive: bool
    subject: Word | None = None  # of a `case`

    @property
    def conditions(self) -> tuple[Node, ...]:
        """Those of all arms."""
        return tuple(node for arm in self.arms for node in arm.conditions)

    @property
    def bodies(self) -> tuple[tuple[Node, ...], ...]:
        """Those of all arms."""
        return tuple(arm.body for arm in self.arms)


class Loop(NamedTuple):
    """A body that runs any number of times, with the variable of a `for`."""

    variable: str
    body: tuple[Node, ...]


class Group(NamedTuple):
    """`{ … }` or `( … )`; the latter keeps its variables to itself."""

    body: tuple[Node, ...]
    inside: bool


class Function(NamedTuple):
    """A function that is defined here."""

    name: str
    body: tuple[Node, ...]


Node: TypeAlias = "Simple | Branches | Loop | Group | Function"


def parse_shell(text: str) -> tuple[Node, ...]:
    """The commands of a text in their order; none where it nests deeper than Python calls can."""
    try:
        return _Parser(_tokens(text)).body(frozenset(), 0)
    except RecursionError:
        return ()


Token: TypeAlias = "Word | str"


def _tokens(text: str) -> list[Token]:
    """Words and operators (as text); comments, here-documents and redirections are left out."""
    out: list[Token] = []
    here: list[str] = []
    at = 0
    while at < len(text) and len(out) < _MOST_TOKENS:
        character = text[at]
        if text.startswith("\\\n", at):
            at += 2
        elif character == "\n":
            out.append("\n")
            at += 1
            for end in here:
                at = _after_here(text, at, end)
            here = []
        elif character.isspace():
            at += 1
        elif character == "#":
            at = _line_end(text, at)
        elif match := _REDIRECTION.match(text, at):
            at = match.end()
            while at < len(text) and text[at] in " \t":
                at += 1
            target, at = _word(text, at)
            if out and isinstance(before := out[-1], Word):
                out[-1] = before._replace(redirected=True)
            if "<<" in match[0] and not match[0].endswith("<<<"):
                here.append("".join(part.text for part in target.parts if isinstance(part, Literal)))
        elif match := _OPERATOR.match(text, at):
            out.append(match[0])
            at = match.end()
        else:
            word, after = _word(text, at)
            at = max(after, at + 1)
            if word.parts:
                out.append(word)
    return out


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _after_here(text: str, at: int, end: str) -> int:
    while at < len(text):
        stop = _line_end(text, at)
        line, at = text[at:stop], stop + 1
        if line.strip("\t\r") == end:
            break
    return min(at, len(text))


def _word(text: str, start: int) -> tuple[Word, int]:
    """The word that begins at an offset, and the offset behind it."""
    parts: list[Part] = []
    at = start
    while at < len(text):
        character = text[at]
        if match := _PLAIN.match(text, at):
            parts.append(Literal(match[0]))
            at = match.end()
        elif character == "'":
            end = _closing(text, at + 1, "'")
            parts.append(Literal(text[at + 1 : end], quoted=True))
            at = end + 1
        elif character == '"':
            inner, at = _double(text, at + 1)
            parts.extend(inner)
        elif character == "\\":
            if text.startswith("\\\n", at):
                at += 2
                continue
            parts.append(Literal(text[at + 1 : at + 2], quoted=True))
            at += 2
        elif character in "$`":
            part, at = _dollar(text, at, quoted=False)
            parts.append(part)
        else:
            break
    return Word(_merged(parts), start, at), at


def _merged(parts: list[Part]) -> tuple[Part, ...]:
    out: list[Part] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, Literal) and isinstance(last, Literal) and part.quoted == last.quoted:
            out[-1] = Literal(last.text + part.text, part.quoted)
        else:
            out.append(part)
    return tuple(out)


def _closing(text: str, at: int, quote: str) -> int:
    end = text.find(quote, at)
    return len(text) if end < 0 else end


def _double(text: str, at: int) -> tuple[list[Part], int]:
    """What stands in double quotes, and the offset behind them."""
    parts: list[Part] = []
    plain = ""
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\", "$", "`", "\n"):
            plain += "" if text[at + 1] == "\n" else text[at + 1]
            at += 2
        elif text[at] in "$`":
            if plain:
                parts.append(Literal(plain, quoted=True))
                plain = ""
            part, at = _dollar(text, at, quoted=True)
            parts.append(part)
        else:
            plain += text[at]
            at += 1
    if plain or not parts:
        parts.append(Literal(plain, quoted=True))
    return parts, at + 1


def _dollar(text: str, at: int, quoted: bool) -> tuple[Part, int]:
    """The expansion that begins at a `$` or back quote, and the offset behind it."""
    if text[at] == "`":
        end = _closing(text, at + 1, "`")
        return Substitution(text[at + 1 : end], quoted), end + 1
    if text.startswith("$((", at):
        end = _balanced(text, at + 3, "(", ")")
        return Arithmetic(text[at + 3 : end]), end + 2
    if text.startswith("$(", at):
        end = _balanced(text, at + 2, "(", ")")
        return Substitution(text[at + 2 : end], quoted), end + 1
    if text.startswith("${", at):
        end = _balanced(text, at + 2, "{", "}")
        return _parameter(text[at + 2 : end], quoted), end + 1
    if match := _NAME.match(text, at + 1):
        return Parameter(match[0], quoted=quoted), match.end()
    if text[at + 1 : at + 2] in tuple("@*#?$!-0123456789"):
        return Parameter(text[at + 1], quoted=quoted), at + 2
    return Literal("$", quoted), at + 1


def _balanced(text: str, at: int, opening: str, closing: str) -> int:
    depth = 1
    quote = ""
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character == opening) - (character == closing)
            if depth == 0:
                return at
        at += 1
    return len(text)


def _parameter(inner: str, quoted: bool) -> Parameter:
    match = re.match(r"([A-Za-z_]\w*|[@*#?0-9])(:?[-=?+])?", inner)
    if match is None:
        return Parameter(inner, quoted=quoted, other=True)
    rest = inner[match.end() :]
    if match[2] is None:
        return Parameter(match[1], quoted=quoted, other=bool(rest))
    parts: list[Part] = []
    at = 0
    while at < len(rest):  # spaces are part of the word here
        word, after = _word(rest, at)
        parts.extend(word.parts)
        if after == at:
            parts.append(Literal(rest[at]))
            after += 1
        at = after
    return Parameter(match[1], match[2][-1], _merged(parts), quoted)


_ENDS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})


class _Parser:
    """Recursive descent over the tokens; what does not fit is passed by, so it always ends."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def body(self, ends: frozenset[str], depth: int) -> tuple[Node, ...]:
        """Commands up to one of the words or operators that end it, which is left to be read."""
        nodes: list[Node] = []
        while self._at < len(self._tokens):
            token = self._peek()
            if token in ends:
                break
            if token in ("|", "&"):
                last = nodes[-1] if nodes else None
                if isinstance(last, Simple):
                    piped, behind = last.piped or token == "|", last.background or token == "&"
                    nodes[-1] = last._replace(piped=piped, background=behind)
            elif token == "(" and depth < _DEEPEST:
                self._at += 1
                nodes.append(Group(self.body(frozenset({")"}), depth + 1), inside=True))
            elif isinstance(self._tokens[self._at], Word) and token not in _ENDS:
                node = self._command(depth)
                if node is not None:
                    nodes.append(node)
                continue
            self._at += 1
        return tuple(nodes)

    def _peek(self) -> str:
        """The operator or bare word at hand; "" for any other word."""
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        return token.bare if isinstance(token, Word) else token

    def _command(self, depth: int) -> Node | None:
        word = self._peek()
        if depth < _DEEPEST:
            if word == "if":
                return self._if(depth + 1)
            if word == "case":
                return self._case(depth + 1)
            if word in ("while", "until", "for", "select"):
                return self._loop(depth + 1)
            if word == "{":
                self._at += 1
                body = self.body(frozenset({"}"}), depth + 1)
                self._at += 1
                return Group(body, inside=False)
            if word == "function" or self._is_function():
                return self._function(depth + 1)
        return self._simple()

    def _is_function(self) -> bool:
        following = self._tokens[self._at + 1 : self._at + 3]
        return following == ["(", ")"] and isinstance(self._tokens[self._at], Word)

    def _function(self, depth: int) -> Node | None:
        if self._peek() == "function":
            self._at += 1
        name = self._peek()
        self._at += 1
        while self._peek() in ("(", ")", "\n"):
            if self._at >= len(self._tokens):
                return None
            self._at += 1
        node = self._command(depth)
        return Function(name, node.body if isinstance(node, Group) else (node,) if node is not None else ())

    def _if(self, depth: int) -> Branches:
        arms: list[Arm] = []
        exhaustive = False
        self._at += 1
        while True:
            conditions = self.body(frozenset({"then", "fi"}), depth)
            self._at += 1
            arms.append(Arm(self.body(frozenset({"elif", "else", "fi"}), depth), conditions))
            end = self._peek()
            self._at += 1
            if end == "else":
                exhaustive = True
                arms.append(Arm(self.body(frozenset({"fi"}), depth)))
                self._at += 1
            if end != "elif":
                return Branches(tuple(arms), exhaustive)

    def _case(self, depth: int) -> Branches:
        arms: list[Arm] = []
        exhaustive = False
        self._at += 1
        subject = self._tokens[self._at] if self._at < len(self._tokens) else ""
        while self._at < len(self._tokens) and self._peek() != "in":
            self._at += 1
        self._at += 1
        while self._at < len(self._tokens) and self._peek() != "esac":
            patterns: list[Word] = []
            while self._at < len(self._tokens) and self._peek() not in (")", "esac"):
                if isinstance(token := self._tokens[self._at], Word):
                    patterns.append(token)
                self._at += 1
            if self._peek() != ")":
                break
            self._at += 1
            exhaustive |= any(pattern.bare == "*" for pattern in patterns)
            arms.append(Arm(self.body(frozenset({";;", ";&", ";;&", "esac"}), depth), patterns=tuple(patterns)))
            if self._peek() != "esac":
                self._at += 1
        self._at += 1
        return Branches(tuple(arms), exhaustive, subject if isinstance(subject, Word) else None)

    def _loop(self, depth: int) -> Loop:
        kind = self._peek()
        self._at += 1
        variable = self._peek() if kind in ("for", "select") else ""
        if variable:
            while self._at < len(self._tokens) and self._peek() != "do":
                self._at += 1
            head: tuple[Node, ...] = ()
        else:
            head = self.body(frozenset({"do", "done"}), depth)
        self._at += 1
        body = self.body(frozenset({"done"}), depth)
        self._at += 1
        return Loop(variable, (*head, *body))

    def _simple(self) -> Node | None:
        words: list[Word] = []
        assignments: list[tuple[str, bool, Word]] = []
        negated = redirected = False
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if not isinstance(token, Word):
                break
            self._at += 1
            redirected |= token.redirected
            negated ^= not words and token.bare == "!"
            if not words and (assigned := _assigned(token)) is not None:
                assignments.append(assigned)
                if self._peek() == "(" and token.end == assigned[2].start:
                    self._skip_array()
            elif words or token.bare not in ("!", "time", *_ENDS):
                words.append(token)
        return (
            Simple(tuple(assignments), tuple(words), negated=negated, redirected=redirected)
            if words or assignments
            else None
        )

    def _skip_array(self) -> None:
        while self._at < len(self._tokens) and self._peek() != ")":
            self._at += 1
        self._at += 1


def _assigned(word: Word) -> tuple[str, bool, Word] | None:
    first = word.parts[0]
    match = _ASSIGNMENT.match(first.text) if isinstance(first, Literal) and not first.quoted else None
    if match is None or not isinstance(first, Literal):
        return None
    rest = first.text[match.end() :]
    parts = ((Literal(rest),) if rest else ()) + word.parts[1:]
    return match[1], bool(match[2]), Word(parts or (Literal("", quoted=True),), word.start + match.end(), word.end)
