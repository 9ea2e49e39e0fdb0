"""Which branch of an `if` or `case` a script takes, as far as known values, defaults and arguments say. Runs nothing.

A variable that nobody sets decides nothing, unless the script itself gives it a default: that is what it then is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from fastlint.deploy.shell_syntax import Branches, Literal, Node, Part, Simple, Word
from fastlint.deploy.values import Env, Value

_Values = Callable[[tuple[Part, ...]], Value]
_NUMBERS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-lt": operator.lt,
    "-le": operator.le,
    "-gt": operator.gt,
    "-ge": operator.ge,
}
UNDECIDED: tuple[Node, ...] = (Simple((), ()),)  # a body that no text has


def taken_arm(node: Branches, value: _Values) -> tuple[Node, ...]:
    """The body that is run, empty where none is; `UNDECIDED` where that is not known."""
    for arm in node.arms:
        if node.subject is not None:
            holds = _matches(node.subject, arm.patterns, value)
        else:
            holds = _succeeds(arm.conditions, value) if arm.conditions else True
        if holds is None:
            return UNDECIDED
        if holds:
            return arm.body
    return ()


def _matches(subject: Word, patterns: tuple[Word, ...], value: _Values) -> bool | None:
    text = _text(subject, value)
    undecided = False
    for pattern in patterns:
        if pattern.bare == "*":
            return True
        if text is None or not all(isinstance(part, Literal) for part in pattern.parts):
            undecided = True
        elif fnmatchcase(text, "".join(_glob(part) for part in pattern.parts)):
            return True
    return None if undecided else False


def _glob(part: Part) -> str:
    """A piece of a pattern; quoted, it stands for itself."""
    assert isinstance(part, Literal)
    if not part.quoted:
        return part.text
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in part.text)


def _succeeds(conditions: tuple[Node, ...], value: _Values) -> bool | None:
    """Whether the one test that decides succeeds. Lists of several, and commands that are no tests, are not known."""
    only = conditions[0] if len(conditions) == 1 else None
    if not isinstance(only, Simple) or not only.words or only.piped or only.background:
        return None
    name, words = only.words[0].bare, list(only.words[1:])
    if name in ("true", ":", "false"):
        answer: bool | None = name != "false"
    elif name in ("[", "[[", "test") and not only.redirected:
        if name != "test" and (not words or words.pop().bare != {"[": "]", "[[": "]]"}[name]):
            return None
        negated = bool(words) and words[0].bare == "!"
        answer = _test(words[negated:], name, value)
        answer = answer if answer is None else answer != negated
    else:
        return None
    return answer if answer is None else answer != only.negated


def _test(words: list[Word], name: str, value: _Values) -> bool | None:
    if len(words) == 1:
        text = _text(words[0], value)
        return None if text is None else bool(text)
    if len(words) == 2 and words[0].bare in ("-n", "-z"):
        text = _text(words[1], value)
        return None if text is None else bool(text) == (words[0].bare == "-n")
    if len(words) != 3:
        return None
    left, sign, right = _text(words[0], value), words[1].bare, _text(words[2], value)
    if left is None or right is None:
        return None
    if sign in _NUMBERS:
        whole = left.strip().isdecimal() and right.strip().isdecimal()
        return _NUMBERS[sign](int(left), int(right)) if whole else None
    if sign not in ("=", "==", "!="):
        return None
    if name == "[[" and any(character in words[2].bare for character in "*?["):
        return fnmatchcase(left, right) == (sign != "!=")
    return (left == right) == (sign != "!=")


def _text(word: Word, value: _Values) -> str | None:
    """What a word is; None where only the deployment knows."""
    found = value(word.parts)
    while isinstance(found, Env) and not found.required:
        found = found.default if found.default != "" else None
    return found if isinstance(found, str) else None
