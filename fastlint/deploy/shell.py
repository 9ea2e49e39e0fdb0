"""Which commands a shell text can run, with the variables and the folder they see. Runs nothing.

Of branches that known values decide, the one that is taken counts; else all are possible, and the commands of all are
told, as alternatives. What a variable holds after branches that disagree is unknown; so is what any command prints,
except the number of cores.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fastlint.deploy.plan import Said
from fastlint.deploy.service import HOLE, Text
from fastlint.deploy.shell_choices import UNDECIDED, taken_arm
from fastlint.deploy.shell_signals import giving_way, passes_on, perhaps_giving_way
from fastlint.deploy.shell_syntax import (
    Arithmetic,
    Branches,
    Function,
    Group,
    Literal,
    Loop,
    Node,
    Parameter,
    Part,
    Simple,
    Word,
    parse_shell,
)
from fastlint.deploy.texts import value_of, variable
from fastlint.deploy.values import Apply, Cores, Counter, Env, Unknown, Value, apply, bounded
from fastlint.finding import Location

_MOST_COMMANDS = 500
_DEEPEST = 8  # functions that call functions
_CORES = {
    "nproc": Counter.AFFINITY,
    "nproc --all": Counter.HOST,
    "getconf _NPROCESSORS_ONLN": Counter.HOST,
    "getconf _NPROCESSORS_CONF": Counter.HOST,
    "grep -c ^processor /proc/cpuinfo": Counter.HOST,
    "grep -c processor /proc/cpuinfo": Counter.HOST,
}
_OPERATIONS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "floordiv",  # the shell divides whole numbers
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
}
_SILENT = frozenset(": true false [ [[ test echo printf shift trap exit return wait sleep set".split())
_DECLARES = frozenset({"export", "declare", "typeset", "local", "readonly"})


class ShellWord(NamedTuple):
    """One argument of a command: its value as far as it is known, and where it is written."""

    value: Value
    where: Location
    text: str  # as written
    source: Text | None = None  # the same with the place of each character, where the word may be a text of its own
    variables: tuple[str, ...] = ()  # of the environment, that it is worked out from or stands there because of


class ShellCommand(NamedTuple):
    """A command that the text can run."""

    words: tuple[ShellWord, ...]
    environment: Mapping[str, Said]  # exported by the text or set in front of the command
    folder: str  # where it runs, relative to where the text starts, or absolute; "" is the start
    execs: bool = False  # it takes the place of the shell: by `exec`, or because the shell gives way to it
    perhaps_execs: bool = False  # it does so where `sh` is one of the shells that give way, which nobody knows
    background: bool = False
    alternative: bool = False  # in one of several branches, and nothing says which of them is taken
    heard: bool = False  # it runs behind the shell, which sends it a signal when it is told to stop


def shell_commands(
    text: Text,
    environment: Mapping[str, Value] | None = None,
    arguments: tuple[ShellWord, ...] | None = None,
    shell: str = "",
) -> tuple[ShellCommand, ...]:
    """The simple commands of a text, in the order in which they are written.

    `environment`: variables that are known to be set at the start; others are `Env`. `arguments`: what `$@` stands
    for, if that is known. `shell`: the one that is given the text with `-c`; "" for a script.
    """
    nodes = parse_shell(text.text)
    certain, perhaps = giving_way(nodes, shell, text.text), perhaps_giving_way(nodes, shell, text.text)
    walk = _Walk(text, dict(environment or {}), arguments, certain, perhaps)
    walk.run(nodes)
    if any(passes_on(action, signals, walk.functions) for action, signals in walk.traps):
        return tuple(each._replace(heard=each.background) for each in walk.commands)
    return tuple(walk.commands)


@dataclass(slots=True)
class _Variable:
    value: Value
    said: Said | None = None  # where the text sets it; None: it was set before
    variables: tuple[str, ...] = ()  # that its value is worked out from


@dataclass(slots=True)
class _Walk:
    text: Text
    given: dict[str, Value]
    arguments: tuple[ShellWord, ...] | None
    giving_way: list[Simple]
    perhaps_giving_way: list[Simple]
    traps: list[tuple[str, list[str]]] = field(default_factory=list)  # an action and its signals
    variables: dict[str, _Variable] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    all_exported: bool = False  # `set -a`
    folder: str = ""
    functions: dict[str, tuple[Node, ...]] = field(default_factory=dict)
    commands: list[ShellCommand] = field(default_factory=list)
    depth: int = 0
    undecided: int = 0  # how many branches are open of which any may be taken
    read: dict[str, None] = field(default_factory=dict)  # variables, by what is worked out now
    control: dict[str, None] = field(default_factory=dict)  # variables, by the tests around it
    left: bool = False  # the text ended here, by `exec` or `exit`, in a branch that is certainly taken

    def run(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            if len(self.commands) >= _MOST_COMMANDS or self.left:
                return
            if isinstance(node, Simple):
                self._simple(node)
            elif isinstance(node, Function):
                self.functions[node.name] = node.body
            elif isinstance(node, Branches):
                self._branches(node)
            elif isinstance(node, Loop):
                self._loop(node)
            else:
                self._group(node)

    def _group(self, node: Group) -> None:
        variables, folder = dict(self.variables), self.folder
        self.run(node.body)
        if node.inside:
            self.variables, self.folder = variables, folder

    def _branches(self, node: Branches) -> None:
        self.run(node.conditions)
        outer, self.read = self.read, {}
        taken = taken_arm(node, self._value)
        control, self.control = self.control, {**self.control, **self.read}
        self.read = outer
        self._arms(node, taken)
        self.control = control

    def _arms(self, node: Branches, taken: tuple[Node, ...]) -> None:
        if taken is not UNDECIDED:
            self.run(taken)
            self.left |= not self.undecided and not self.depth and _leaves(taken)
            return
        before, folder = self.variables, self.folder
        ends = [] if node.exhaustive else [before]
        folders = set() if node.exhaustive else {folder}
        self.undecided += 1
        for body in node.bodies:
            self.variables, self.folder = dict(before), folder
            self.run(body)
            if not _leaves(body):  # what comes after is not reached from here
                ends.append(self.variables)
                folders.add(self.folder)
        self.undecided -= 1
        self.variables = _merged(ends) if ends else dict(before)
        self._default_of(node, ends)
        self.folder = folders.pop() if len(folders) == 1 else HOLE if folders else folder

    def _default_of(self, node: Branches, ends: list[dict[str, _Variable]]) -> None:
        """`if [ -z "$X" ]; then X=4; fi`: a default for a variable that may be set."""
        only = node.conditions[0] if len(node.conditions) == 1 and len(node.arms) == 1 else None
        words = only.words if isinstance(only, Simple) else ()
        if len(words) < 3 or words[0].bare not in ("[", "[[", "test") or words[1].bare != "-z":
            return
        tested = words[2].parts[0]
        name = tested.name if isinstance(tested, Parameter) else ""
        then = ends[-1].get(name)
        if then is not None and isinstance(self._before(ends, name), Env):
            self.variables[name] = _Variable(Env(name, then.value), then.said, (name, *then.variables))

    def _before(self, ends: list[dict[str, _Variable]], name: str) -> Value:
        earlier = ends[0].get(name)
        return earlier.value if earlier is not None else self.given.get(name, Env(name, ""))

    def _loop(self, node: Loop) -> None:
        if node.variable:
            self.variables[node.variable] = _Variable(Unknown("it changes in a loop"))
        before = dict(self.variables)
        self.run(node.body)
        self.variables = _merged([before, self.variables])

    def _simple(self, node: Simple) -> None:
        front = {name: self._set_value(name, appends, word) for name, appends, word in node.assignments}
        if not node.words:
            for name, each in front.items():
                self._assign(name, each)
            return
        words = [word for each in node.words for word in self._words(each)]
        execs = False
        while words and words[0].value in ("exec", "command", "builtin", "nohup"):
            execs |= words[0].value == "exec"
            words.pop(0)
            while execs and words and isinstance(words[0].value, str) and re.fullmatch("-[cl]+", words[0].value):
                words.pop(0)
        called = words[0].value if words else None
        if not words or self._builtin(called, node, words):
            return
        body = self.functions.get(called) if isinstance(called, str) else None
        if body is not None and self.depth < _DEEPEST:
            self.depth += 1
            arguments, self.arguments = self.arguments, tuple(words[1:])
            self.run(body)
            self.arguments = arguments
            self.depth -= 1
            return
        environment = {name: each.said for name, each in front.items() if each.said is not None}
        self.commands.append(
            ShellCommand(
                tuple(words),
                {**self._exports(), **environment},
                self.folder,
                execs or any(node is each for each in self.giving_way),
                any(node is each for each in self.perhaps_giving_way),
                node.background,
                self.undecided > 0,
            )
        )

    def _exports(self) -> dict[str, Said]:
        return {
            name: each.said
            for name, each in self.variables.items()
            # A variable that was in the environment before stays there when it is set anew.
            if each.said is not None and (self.all_exported or name in self.exported or name in self.given)
        }

    def _builtin(self, name: Value, node: Simple, words: list[ShellWord]) -> bool:
        """Whether the command is one that only changes the state of the shell, which is then changed."""
        if name in _DECLARES:
            for each in node.words[1:]:
                self._declare(str(name), each)
        elif name == "trap" and len(words) > 2:
            self.traps.append((words[1].text.strip("\"'"), [word.text.upper() for word in words[2:]]))
        elif name == "cd":
            target = words[1].value if len(words) > 1 else Unknown("home")
            self.folder = posixpath.normpath(posixpath.join(self.folder, target)) if isinstance(target, str) else HOLE
        elif name == "set":
            self.all_exported |= {"-a", "allexport"} & {word.text for word in words} != set()
        elif name == "unset":
            for word in words[1:]:
                self.variables[str(word.value)] = _Variable("")
        elif name == "read":
            for word in words[1:]:
                self.variables[str(word.value)] = _Variable(Unknown("it is read from somewhere"))
        else:
            return name in _SILENT
        return True

    def _declare(self, builtin: str, word: Word) -> None:
        first = word.parts[0]
        match = re.match(r"([A-Za-z_]\w*)(=?)", first.text) if isinstance(first, Literal) else None
        if match is None or not isinstance(first, Literal):
            return
        if builtin == "export":
            self.exported.add(match[1])
        if match[2]:
            rest = first.text[match.end() :]
            parts = (*((Literal(rest, first.quoted),) if rest else ()), *word.parts[1:])
            inner = Word(parts or (Literal("", quoted=True),), word.start + match.end(), word.end)
            self._assign(match[1], self._set_value(match[1], False, inner))

    def _assign(self, name: str, value: _Variable) -> None:
        self.variables[name] = value

    def _set_value(self, name: str, appends: bool, word: Word) -> _Variable:
        outer, self.read = self.read, {}
        value = self._value(word.parts)
        if appends:
            value = _together([self._read(name), value])
        heard, self.read = self._heard(), outer
        text = self.text.cut(word.start, max(word.start, word.end))
        return _Variable(value, variable(name, text, "shell script", value)._replace(variables=heard), heard)

    def _heard(self) -> tuple[str, ...]:
        """The variables that decide what is worked out here."""
        return tuple({**self.control, **self.read})

    def _read(self, name: str) -> Value:
        if name in self.variables:
            self.read.update(dict.fromkeys(self.variables[name].variables))
            return self.variables[name].value
        self.read[name] = None
        if name in self.given:
            return self.given[name]
        return Env(name, "")

    def _words(self, word: Word) -> list[ShellWord]:
        """The arguments that one word becomes: none for an empty variable, several for `$@` or a value with spaces."""
        self.read = {}
        words, heard = self._expanded(word), self._heard()
        return [each._replace(variables=tuple(dict.fromkeys((*each.variables, *heard)))) for each in words]

    def _expanded(self, word: Word) -> list[ShellWord]:
        where, written = self.text.at(word.start), self.text.text[word.start : word.end]
        if len(word.parts) == 1 and isinstance(only := word.parts[0], Parameter):
            if only.name in ("@", "*") and not only.other:
                known = self.arguments
                return list(known) if known is not None else [ShellWord(Unknown("its arguments"), where, written)]
            value = self._part(only)
            shown = value.default if isinstance(value, Env) else value
            if not only.quoted and isinstance(shown, str) and (not shown or shown.split() != [shown]):
                if isinstance(value, Env) and not shown:
                    return [ShellWord(Unknown(f"${only.name} is set where it runs"), where, written)]
                return [ShellWord(value_of(part), where, written) for part in shown.split()]
        return [ShellWord(self._value(word.parts), where, written, self._source(word))]

    def _source(self, word: Word) -> Text | None:
        """The inside of a word that is one quoted literal without escapes: what `sh -c '…'` is given."""
        only = word.parts[0] if len(word.parts) == 1 else None
        inside = self.text.cut(word.start + 1, max(word.start + 1, word.end - 1))
        return inside if isinstance(only, Literal) and only.quoted and only.text == inside.text else None

    def _value(self, parts: tuple[Part, ...]) -> Value:
        return _together([self._part(part) for part in parts])

    def _part(self, part: Part) -> Value:
        if isinstance(part, Literal):
            return value_of(part.text)
        if isinstance(part, Parameter):
            return self._parameter(part)
        if isinstance(part, Arithmetic):
            return self._arithmetic(part.expression)
        command = " ".join(part.command.replace("'", "").replace('"', "").split())
        counter = _CORES.get(re.sub(r"\s*(?:2>\s*/dev/null|\|\|.*)$", "", command))
        return Unknown("what a command prints") if counter is None else Apply("str", (Cores(counter),))

    def _parameter(self, part: Parameter) -> Value:
        if part.other:
            return Unknown("the shell works it out")
        if not part.name[:1].isalpha() and part.name[:1] != "_":
            return self._argument(part)
        value = self._read(part.name)
        if not part.operator:
            return value
        word = self._value(part.word)
        if part.operator == "?":
            return Env(part.name, required=True) if isinstance(value, Env) else value
        if part.operator == "+":
            return word if isinstance(value, str) and value else Unknown(f"depends on ${part.name}")
        if isinstance(value, Env):
            value = bounded(Env(part.name, word))
        elif value == "":
            value = word
        if part.operator == "=":
            said = variable(part.name, self.text.cut(0, 0), "shell script", value)
            self._assign(part.name, _Variable(value, said, self._heard()))
        return value

    def _argument(self, part: Parameter) -> Value:
        number = int(part.name) if part.name.isdecimal() else 0
        known = self.arguments
        if part.name == "#" and known is not None:
            return str(len(known))
        if known is None or number == 0:
            return Unknown("an argument of the script")
        if number <= len(known):
            return known[number - 1].value
        return self._value(part.word) if part.operator in ("-", "=") else ""

    def _arithmetic(self, expression: str) -> Value:
        plain = re.sub(r"\$\{([A-Za-z_]\w*)(?::-(\d+))?\}|\$([A-Za-z_]\w*)", lambda m: m[1] or m[3], expression)
        plain = re.sub(r"\$\((.*?)\)|`(.*?)`", lambda m: _core_name(m[1] or m[2]), plain).strip()
        try:
            tree = ast.parse(plain, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Unknown("an expression of the shell")
        return Apply("str", (self._number(tree, 0),))

    def _number(self, node: ast.expr, depth: int) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        if isinstance(node, ast.Name):
            if node.id in _COUNTERS:
                return Cores(_COUNTERS[node.id])
            value = self._read(node.id)
            return value if isinstance(value, Unknown) else Apply("int", (value,))
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS and depth < 50:
            operands = (self._number(node.left, depth + 1), self._number(node.right, depth + 1))
            unknown = next((each for each in operands if isinstance(each, Unknown)), None)
            return unknown or bounded(Apply(_OPERATIONS[type(node.op)], operands))
        return Unknown("an expression of the shell")


_COUNTERS = {f"fastlint_{counter.value}": counter for counter in Counter}


def _core_name(command: str) -> str:
    counter = _CORES.get(" ".join(command.replace("'", "").replace('"', "").split()))
    return "()" if counter is None else f"fastlint_{counter.value}"


def _together(values: list[Value]) -> Value:
    """Several pieces as one text."""
    if len(values) == 1:
        return values[0]
    if all(isinstance(value, str) for value in values):
        return apply("format", tuple(values))  # which knows when a text grows too long
    unknown = next((value for value in values if isinstance(value, Unknown)), None)
    return unknown or bounded(Apply("add", tuple(values)))


def _merged(ends: list[dict[str, _Variable]]) -> dict[str, _Variable]:
    """What is known after branches: what all of them agree on."""
    out = dict(ends[0])
    for name in {name for end in ends for name in end}:
        found = [end.get(name) for end in ends]
        first = found[0]
        if first is None or any(each is None or each.value != first.value for each in found):
            known = [each for each in found if each is not None]
            heard = tuple(dict.fromkeys(one for each in known for one in each.variables))
            out[name] = _Variable(Unknown("branches set it differently"), known[0].said, heard)
    return out


def _leaves(body: tuple[Node, ...]) -> bool:
    """Whether a body ends the script: nothing after it sees its variables."""
    last = body[-1] if body else None
    return isinstance(last, Simple) and bool(last.words) and last.words[0].bare in ("exec", "exit", "return")
