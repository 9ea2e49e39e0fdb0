"""Bytes become facts, or the reason why they cannot. Never raises for bad input; never runs what it reads.

LibCST's native parser can exhaust the C stack on deeply nested source and takes the whole process with it. Files
that look as if they could (see `suspicious`) are parsed in a child process that may be lost.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import warnings
from typing import NamedTuple

from fastlint.source.encoding import decode, encode
from fastlint.source.facts import ModuleFacts

_NESTING_LIMIT = 100  # CPython itself refuses 200 nested brackets
_LARGE = 1_000_000
_LONG_LINE = 500
_CHAIN_LIMIT = 400  # links of one expression: LibCST needs time by their square, and stack for each
_CHILD_SECONDS = 10
_CHILD_BYTES_A_SECOND = 50_000  # a third of what LibCST usually reads
_CHILD = "import sys; sys.path[:] = sys.argv[1:]; from fastlint.source.child import main; main()"
_REFUSED = b"refused "  # with which a child begins that has no facts
_BRACKETS = b"()[]{}"
_NOT_BRACKETS = bytes(set(range(256)) - set(_BRACKETS))
_LINK = re.compile(rb"[-+*/%@|&^~<>.(\[]|\b(?:not|and|or|if|in|lambda|await)\b")
_LINKED_LINE = re.compile(rb"[-+*/%@|&^~<>.)\]]|(?:not|and|or|if|else|lambda|await)\b|.*(?:[-+*/%@|&^~<>.]|\w:)$")


class Unreadable(NamedTuple):
    """Why a file gave no facts: one sentence, and the line (from 1) where it went wrong."""

    reason: str
    line: int = 1
    column: int = 1


_TOO_DEEP = Unreadable("nested too deeply to be analysed")


def parse_encoded(source: bytes) -> bytes | Unreadable:
    """The facts of one file's bytes as `encode` writes them, or why there are none."""
    if suspicious(source):
        return encoded_in_child(source)
    facts = parse_here(source)
    if isinstance(facts, Unreadable):
        return facts
    try:
        return encode(facts)
    except RecursionError:
        return _TOO_DEEP


def decoded(encoded: bytes) -> ModuleFacts | Unreadable:
    """The facts that `parse_encoded` gave."""
    try:
        return decode(encoded)
    except RecursionError:  # a child's stack is deeper than this process's
        return _TOO_DEEP


def answer_of(source: bytes) -> bytes:
    """What a child says to its parent, which reads it with `told`."""
    result = parse_here(source)
    return written(result if isinstance(result, Unreadable) else encode(result))


def written(parsed: bytes | Unreadable) -> bytes:
    """Facts as they are encoded, or the reason why there are none, for a pipe."""
    return _REFUSED + json.dumps(parsed).encode() if isinstance(parsed, Unreadable) else parsed


def told(answer: bytes) -> bytes | Unreadable:
    """The facts, or the reason, that a child has sent. Raises `ValueError` or `TypeError` on what none has."""
    return Unreadable(*json.loads(answer[len(_REFUSED) :])) if answer.startswith(_REFUSED) else answer


def parse(source: bytes) -> ModuleFacts | Unreadable:
    """The facts of one file's bytes (PEP 263 cookies and byte-order marks honoured), or why there are none."""
    if suspicious(source):
        encoded = encoded_in_child(source)
        return encoded if isinstance(encoded, Unreadable) else decoded(encoded)
    return parse_here(source)


def unreadable_reason(source: bytes) -> Unreadable | None:
    """Why a file that is not analysed cannot be read, or None: asks CPython first, which is ten times faster."""
    if not suspicious(source):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(source)
            return None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    facts = parse(source)
    return facts if isinstance(facts, Unreadable) else None


def parse_here(source: bytes) -> ModuleFacts | Unreadable:
    """As `parse`, in this process and whatever the nesting."""
    import libcst

    from fastlint.source.extract import extract

    if b"\0" in source:
        line = source[: source.index(b"\0")].count(b"\n") + 1
        return Unreadable("source code cannot contain null bytes", line)
    try:
        return extract(libcst.parse_module(source))
    except libcst.ParserSyntaxError as error:
        return _syntax_error(source, error.message)
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        return Unreadable(f"not valid {error.encoding}: {error.reason}", line)
    except RecursionError:
        return _TOO_DEEP
    except (SyntaxError, LookupError, ValueError) as error:
        return Unreadable(_first_sentence(str(error)))
    except Exception as error:  # the native parser may raise anything on hostile input: the run goes on
        return Unreadable(f"cannot be parsed ({type(error).__name__})")


def _syntax_error(source: bytes, message: str) -> Unreadable:
    """Place and words of a syntax error: CPython's own where it agrees that there is one, else what LibCST says.

    LibCST's `raw_line` is often one too high, and 1 for any error of its tokenizer; the place in its message is right.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        if error.lineno:
            return Unreadable(f"syntax error: {error.msg}", error.lineno, error.offset or 1)
    except (ValueError, RecursionError, MemoryError):
        pass
    match = re.search(r"error at (\d+):(\d+): (.*)", message, re.DOTALL)
    if match is None:
        return Unreadable(f"syntax error: {_first_sentence(message)}")
    return Unreadable(f"syntax error: {_first_sentence(match[3])}", int(match[1]), int(match[2]) + 1)


def _first_sentence(text: str) -> str:
    return " ".join(text.split())[:200] or "invalid syntax"


def suspicious(source: bytes) -> bool:
    """Whether the native parser could run out of stack, or out of reasonable time, on this source."""
    if len(source) > _LARGE:
        return True
    brackets = source.translate(None, _NOT_BRACKETS)
    for _ in range(12):
        shorter = brackets.replace(b"()", b"").replace(b"[]", b"").replace(b"{}", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    if len(brackets) > _NESTING_LIMIT:
        return True
    return _has_long_chain(source)


def _has_long_chain(source: bytes) -> bool:
    """Whether an expression may have very many links (`a.b().c()`, `a + b`, `not not a`), on one line or on several."""
    linked = 0
    for line in source.split(b"\n"):
        if len(line) > _LONG_LINE and len(_LINK.findall(line)) > _CHAIN_LIMIT:
            return True
        code = line.strip()
        if _LINKED_LINE.match(code):
            linked += 1
            if linked > _CHAIN_LIMIT:
                return True
        elif code and code[:1] != b"#":
            linked = 0
    return False


def encoded_in_child(source: bytes) -> bytes | Unreadable:
    """As `parse_encoded`, in a process of its own, which may be lost."""
    import subprocess  # here: nearly all files are parsed where they are read

    # Not `-m`: that would put the working directory, the linted project, first on the child's path
    paths = [path for path in sys.path if path and os.path.abspath(path) != os.getcwd()]
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # first: this very fastlint
    command = [sys.executable, "-c", _CHILD, own, *paths]
    seconds = _CHILD_SECONDS + len(source) // _CHILD_BYTES_A_SECOND
    try:
        done = subprocess.run(command, input=source, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return Unreadable(f"the parser did not finish within {seconds} s")
    except OSError as error:
        return Unreadable(f"no child process to parse it in: {error.strerror}")
    if done.returncode != 0:
        return Unreadable("nested too deeply: the parser ran out of stack")
    return told(done.stdout)
