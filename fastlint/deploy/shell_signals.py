"""Whether a server hears a SIGTERM that its shell is sent: which command takes the shell's place, and which traps pass
a signal on. Runs nothing.

Observed (bash 5.2, dash 0.5.12, ash of busybox 1.35, zsh 5.9; tests/test_real_servers_claims.py): given a text with
`-c`, bash, also as `sh`, lets the last plain command take its place, also at the end of a list, unless something is
left to do for it (a trap, a job behind, a redirection); ash and zsh also do so inside of `if`, `case` and groups; dash
never does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fastlint.deploy.shell_syntax import Branches, Function, Group, Loop, Node, Simple, parse_shell
from fastlint.deploy.system_shells import UNKNOWN_SH

_INSIDE_TOO = frozenset({"ash", "zsh"})
_KILLERS = frozenset({"kill", "pkill", "killall"})
_STOPS = frozenset({"TERM", "SIGTERM", "15", "EXIT", "0"})
_DEEPEST = 5


def giving_way(nodes: tuple[Node, ...], shell: str, text: str) -> list[Simple]:
    """The commands of a text given with `-c` that take the place of this shell, whichever of its branches is run."""
    if shell not in ("bash", *_INSIDE_TOO) or any(_traps(each) for each in _every(nodes)):
        return []
    if shell == "ash" and text.endswith("\n"):
        return []  # it only sees the end of the text after the command
    if shell == "bash" and any(each.background for each in _every(nodes)):
        return []
    return list(_last(nodes, shell))


def perhaps_giving_way(nodes: tuple[Node, ...], shell: str, text: str) -> list[Simple]:
    """The commands that take the place of a shell of which nobody knows whether it is dash, bash or ash."""
    if shell != UNKNOWN_SH:
        return []
    return [*giving_way(nodes, "bash", text), *giving_way(nodes, "ash", text)]


def _last(nodes: tuple[Node, ...], shell: str) -> Iterator[Simple]:
    last = nodes[-1] if nodes else None
    before = nodes[-2] if len(nodes) > 1 else None
    if isinstance(before, Simple) and before.piped:
        return
    if isinstance(last, Simple):
        if not last.background and not last.piped and not last.negated and not (last.redirected and shell == "bash"):
            yield last
    elif shell in _INSIDE_TOO and isinstance(last, Group):
        yield from _last(last.body, shell)
    elif shell in _INSIDE_TOO and isinstance(last, Branches):
        for body in last.bodies:
            yield from _last(body, shell)


def passes_on(action: str, signals: list[str], functions: Mapping[str, tuple[Node, ...]]) -> bool:
    """Whether `trap action signals` sends what runs behind the shell a signal when the shell is told to stop."""
    return bool(_STOPS & set(signals)) and _kills(parse_shell(action), functions, 0)


def _kills(nodes: tuple[Node, ...], functions: Mapping[str, tuple[Node, ...]], depth: int) -> bool:
    for each in _every(nodes):
        name = each.words[0].bare if each.words else ""
        if name in _KILLERS or (
            name in functions and depth < _DEEPEST and _kills(functions[name], functions, depth + 1)
        ):
            return True
    return False


def _traps(node: Simple) -> bool:
    return bool(node.words) and node.words[0].bare == "trap"


def _every(nodes: tuple[Node, ...]) -> Iterator[Simple]:
    """Every simple command, however deep."""
    for node in nodes:
        if isinstance(node, Simple):
            yield node
        elif isinstance(node, Branches):
            yield from _every(node.conditions)
            for body in node.bodies:
                yield from _every(body)
        elif isinstance(node, (Group, Loop, Function)):
            yield from _every(node.body)


def shell_of(words: tuple[str, ...], sh: str) -> str:
    """Which shell a command calls, by its name; `sh` is whatever the image has under that name."""
    names = [re.split(r"[/\\]", word)[-1] for word in words[:2]]
    if names[:1] == ["busybox"]:
        return "ash"
    return sh if names[:1] == ["sh"] else names[0] if names else ""
