"""Command lines -> what they start: a server with its settings, a script, a Python file. Runs nothing, joins nothing.

Wrappers (`poetry run`, `tini --`, `exec`, `sh -c` …) are looked through. Flags are read as each server reads them
itself: gunicorn and hypercorn by argparse (abbreviations, `-w4`), uvicorn and fastapi by click.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from fastlint.deploy.plan import Command, Problem, Rank, Said
from fastlint.deploy.servers import Server, ServerSetting, server
from fastlint.deploy.service import HOLE, Run, Text
from fastlint.deploy.shell import ShellWord, shell_commands
from fastlint.deploy.shell_signals import shell_of
from fastlint.deploy.texts import value_of
from fastlint.deploy.values import Apply, Raises, Surroundings, Unknown, Value, compute, is_literal, resolve
from fastlint.finding import Location

_DEEPEST = 6
_PYTHON = re.compile(r"(?:python|pypy)(?:\d(?:\.\d+)?)?$")
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "busybox"})
# Wrappers that run the rest of their words; value: how many words after the name belong to the wrapper itself.
_RUNNERS = {
    "poetry": "run", "uv": "run", "pipenv": "run", "pdm": "run", "hatch": "run", "rye": "run", "conda": "run",
    "micromamba": "run", "mamba": "run", "pixi": "run", "doppler": "run", "infisical": "run", "dotenv": "run",
    "newrelic-admin": "run-program",
}  # fmt: skip
_PLAIN = frozenset(
    {
        "nohup", "time", "setsid", "ddtrace-run", "opentelemetry-instrument", "tini", "tini-static", "dumb-init",
        "catatonit", "nice", "ionice", "stdbuf", "gosu", "su-exec", "sudo", "env", "chroot", "timeout", "uvx",
        "command", "wait-for-it", "wait-for-it.sh", "wait-for", "wait-for.sh", "dockerize", "strace",
        "docker-entrypoint.sh",
    }
)  # fmt: skip
_WITH_VALUE = {  # options of wrappers that take the next word
    "nice": {"-n"}, "ionice": {"-c", "-n"}, "stdbuf": {"-o", "-e", "-i"}, "sudo": {"-u", "-g"}, "env": {"-u"},
    "uv": {"--with", "--python", "-p", "--project", "--directory", "--extra", "--group", "--env-file", "--package"},
    "conda": {"-n", "-p", "--name", "--prefix"}, "micromamba": {"-n", "-p"}, "mamba": {"-n", "-p"},
    "dockerize": {"-wait", "-timeout", "-template", "-stdout", "-stderr", "-wait-retry-interval"},
    "wait-for-it": {"-t", "-h", "-p", "--timeout", "--host", "--port"},
    "wait-for-it.sh": {"-t", "-h", "-p", "--timeout", "--host", "--port"},
    "wait-for": {"-t"}, "wait-for.sh": {"-t"}, "timeout": {"-k", "-s"}, "tini": {"-p", "-e"},
    "opentelemetry-instrument": {"--traces_exporter", "--metrics_exporter", "--service_name", "--logs_exporter"},
    "poetry": {"-C", "--directory", "-P", "--project"}, "doppler": {"-p", "-c", "--project", "--config"},
}  # fmt: skip
_ONE_OPERAND = frozenset({"gosu", "su-exec", "chroot", "timeout"})  # a user or a time before the command
_MODULES = {
    "uvicorn": "uvicorn", "gunicorn": "gunicorn", "gunicorn.app.wsgiapp": "gunicorn", "hypercorn": "hypercorn",
    "fastapi": "fastapi", "fastapi_cli": "fastapi",
}  # fmt: skip
SERVERS = frozenset({"uvicorn", "gunicorn", "hypercorn", "fastapi"})
_SURELY_MEANT = 0.85  # how alike two words are, see difflib
_NUMBERS = frozenset({"count", "integer", "number"})
_ABBREVIATES = frozenset({"gunicorn", "hypercorn"})  # argparse accepts unambiguous beginnings of long flags


class Program(NamedTuple):
    """Something else of the project that a command starts: a shell script or a Python file or module."""

    kind: str  # "script", "python file", "python module"
    name: str
    where: Location
    by: str
    arguments: tuple[ShellWord, ...] = ()
    environment: Mapping[str, Said] = MappingProxyType({})
    replaces_shell: bool = True
    perhaps_replaces: bool = False


class _Way(NamedTuple):
    """How a command is reached: by what, in a shell or not, and whether the server takes the shell's place."""

    by: str
    shell: bool
    replaces: bool
    environment: Mapping[str, Said]
    depth: int = 0
    alternative: bool = False  # in a branch of a script of which nobody knows whether it is taken
    given_to: str = ""  # the shell that is given the text with `-c`
    sh: str = "dash"  # what `sh` is where it runs
    perhaps: bool = False  # it takes the shell's place where `sh` is one that gives way, which nobody knows


def read_run(run: Run, environment: Mapping[str, Value], folder: str = "", sh: str = "dash") -> list[Command | Program]:
    """Everything of interest that a container, unit or recipe starts. `environment` decides `$NAME` in its words; `sh`
    is what that name means there (`system_shells.sh_of`)."""
    if run.shell is not None:
        inside = _Way(run.by, True, True, {}, given_to=shell_of(run.interpreter, sh), sh=sh)
        return list(_in_shell(run.shell, environment, inside, folder, () if run.interpreter else None))
    way = _Way(run.by, False, True, {}, sh=sh)
    return list(_started(plain_words(run.words), environment, way, folder))


def read_command(
    text: Text,
    environment: Mapping[str, Value],
    by: str,
    folder: str = "",
    arguments: tuple[ShellWord, ...] = (),
    sh: str = "dash",
) -> list[Command | Program]:
    """The servers, scripts and Python files that a shell text starts, in order.

    `arguments` stand for `"$@"`. Unknown variables stay unknown in the settings; nothing is guessed.
    """
    return list(_in_shell(text, environment, _Way(by, True, True, {}, sh=sh), folder, arguments))


def read_words(
    words: tuple[ShellWord, ...], environment: Mapping[str, Value], by: str, sh: str = "dash"
) -> list[Command | Program]:
    """Everything of interest that a command of these words starts."""
    return list(_started(words, environment, _Way(by, False, True, {}, sh=sh), ""))


def _in_shell(
    text: Text, environment: Mapping[str, Value], way: _Way, folder: str, arguments: tuple[ShellWord, ...] | None
) -> Iterator[Command | Program]:
    for command in shell_commands(text, environment, arguments, way.given_to):
        own = {**way.environment, **command.environment}
        hears = way.replaces and (command.execs or command.heard)
        open_ = way.alternative or command.alternative
        maybe = (way.replaces or way.perhaps) and (command.execs or command.heard or command.perhaps_execs)
        inner = way._replace(
            environment=own, replaces=hears, perhaps=maybe and not hears, shell=True, alternative=open_
        )
        yield from _started(command.words, environment, inner, _joined_path(folder, command.folder))


def plain_words(words: tuple[Text, ...]) -> tuple[ShellWord, ...]:
    """The words of an exec form: nothing in them is expanded."""
    return tuple(ShellWord(value_of(one.text), one.where, one.text, one) for one in words)


def is_python(name: str) -> bool:
    """Whether a program of this name is a Python interpreter."""
    return bool(_PYTHON.match(name.lower()))


def literal_of(word: ShellWord) -> str | None:
    """The text of a word, if nothing in it is open."""
    return word.value if isinstance(word.value, str) else None


def _joined_path(folder: str, to: str) -> str:
    if to.startswith("/"):
        return to
    return "/".join(part for part in (folder, to.rstrip("/")) if part not in ("", "."))


def _started(
    words: tuple[ShellWord, ...], environment: Mapping[str, Value], way: _Way, folder: str
) -> Iterator[Command | Program]:
    """Look through the wrappers of a simple command."""
    if way.depth > _DEEPEST:
        return
    way = way._replace(depth=way.depth + 1)
    while words and literal_of(words[0]) == "exec":
        words = words[1:]
        while words and (literal_of(words[0]) or "").startswith("-"):
            words = words[2:] if literal_of(words[0]) == "-a" else words[1:]
    if not words:
        return
    first = literal_of(words[0])
    if first is None:
        return
    name = first.rpartition("/")[2]
    if name in SERVERS:
        yield from _server(name, words, environment, way, folder)
    elif name in _SHELLS or name == "su":
        yield from _shell(words, environment, way, folder)
    elif is_python(name):
        yield from _python(words, environment, way, folder)
    elif name in _RUNNERS and any(literal_of(word) == _RUNNERS[name] for word in words[1:6]):
        place = next(number for number, word in enumerate(words) if literal_of(word) == _RUNNERS[name])
        yield from _started(_after_options(words[place + 1 :], name), environment, way, folder)
    elif name in _PLAIN:
        yield from _started(_behind(words, name), environment, way, folder)
    elif first.endswith(".sh") or first.startswith(("./", "/")) or name.startswith(("start", "entrypoint", "run")):
        yield Program("script", first, words[0].where, way.by, words[1:], way.environment, way.replaces, way.perhaps)
    elif first.endswith(".py"):
        yield Program(
            "python file", first, words[0].where, way.by, words[1:], way.environment, way.replaces, way.perhaps
        )


def _after_options(words: tuple[ShellWord, ...], wrapper: str) -> tuple[ShellWord, ...]:
    """The command behind the options of a wrapper."""
    with_value: set[str] = _WITH_VALUE.get(wrapper, set())
    while words:
        text = literal_of(words[0]) or ""
        if text == "--":
            return words[1:]
        if not text.startswith("-"):
            return words
        words = words[2:] if text in with_value else words[1:]
    return words


def _behind(words: tuple[ShellWord, ...], name: str) -> tuple[ShellWord, ...]:
    """The command behind a plain wrapper, its options, operands and assignments."""
    if name.startswith("wait-for") and any(literal_of(word) == "--" for word in words):
        place = next(number for number, word in enumerate(words) if literal_of(word) == "--")
        return words[place + 1 :]
    rest = _after_options(words[1:], name)
    if name in _ONE_OPERAND:
        rest = rest[1:]
    while name in ("env", "sudo") and rest and re.match(r"[A-Za-z_]\w*=", rest[0].text):
        rest = rest[1:]
    if name == "uvx":  # `uvx --from x uvicorn …`: the rest is the tool itself
        return rest
    return rest


def _shell(
    words: tuple[ShellWord, ...], environment: Mapping[str, Value], way: _Way, folder: str
) -> Iterator[Command | Program]:
    """`sh -c 'text' arguments`, `bash script arguments`, `su -c 'text' user`."""
    shell = shell_of(tuple(literal_of(word) or "" for word in words[:2]), way.sh)
    if shell == "ash" and len(words) > 1 and literal_of(words[1]) in _SHELLS:
        words = words[1:]  # `busybox sh …`
    takes_value = False
    for number, word in enumerate(words[1:], 1):
        text = literal_of(word)
        if text is None:
            return
        if takes_value or text in ("-o", "+o", "-O"):
            takes_value = not takes_value
            continue
        if re.match(r"-\w*c$", text):
            if number + 1 < len(words):
                inner = words[number + 1]
                # What an outer shell would expand first, the inner text says just as well
                plain = literal_of(inner)
                script = inner.text.strip("\"'") if plain is None else plain
                rest = words[number + 3 :]  # after the text comes $0
                inside = inner.source if inner.source is not None else Text(script, ((0, inner.where),))
                # su stays for itself; what shell it runs is not known
                inner_way = way._replace(
                    given_to=shell, replaces=way.replaces and shell != "su", perhaps=way.perhaps and shell != "su"
                )
                yield from _in_shell(inside, environment, inner_way, folder, rest)
            return
        if not text.startswith("-") and literal_of(words[0]) != "su":
            yield Program(
                "script", text, word.where, way.by, words[number + 1 :], way.environment, way.replaces, way.perhaps
            )
            return


def _python(
    words: tuple[ShellWord, ...], environment: Mapping[str, Value], way: _Way, folder: str
) -> Iterator[Command | Program]:
    """`python -m module …`, `python file.py …` and `python /usr/local/bin/uvicorn …`."""
    number = 1
    while number < len(words):
        text = literal_of(words[number])
        if text is None:
            return
        if text == "-m":
            module = literal_of(words[number + 1]) if number + 1 < len(words) else None
            rest = words[number + 1 :]
            if module in _MODULES:
                yield from _server(_MODULES[module], rest, environment, way, folder)
            elif module is not None:
                yield Program(
                    "python module", module, rest[0].where, way.by, rest[1:], way.environment, way.replaces, way.perhaps
                )
            return
        if text == "-c":
            return  # code, not a file
        if text.startswith("-"):
            number += 2 if text in ("-W", "-X") else 1
            continue
        if text.rpartition("/")[2] in SERVERS:  # the script that an installer writes
            yield from _server(text.rpartition("/")[2], words[number:], environment, way, folder)
            return
        yield Program(
            "python file",
            text,
            words[number].where,
            way.by,
            words[number + 1 :],
            way.environment,
            way.replaces,
            way.perhaps,
        )
        return


# --- the servers' own flags ---------------------------------------------------------------------------------------


def _server(
    name: str, words: tuple[ShellWord, ...], environment: Mapping[str, Value], way: _Way, folder: str
) -> Iterator[Command]:
    label, rest = name, words[1:]
    if name == "fastapi":
        if not rest or literal_of(rest[0]) not in ("run", "dev"):
            return
        label, rest = f"fastapi {literal_of(rest[0])}", rest[1:]
    known = server(name)
    surroundings = Surroundings(environment={**environment, **{k: v.value for k, v in way.environment.items()}})
    said, operands, problems = read_flags(known, rest, way.by, Rank.COMMAND, surroundings, label)
    folder = _changed_folder(said, folder)
    app, configs = _application(name, said, operands)
    yield Command(
        label,
        words[0].where,
        way.by,
        app,
        tuple(one for one in said if one.name not in ("config", "app_dir", "chdir") or name != "gunicorn"),
        configs,
        folder,
        way.shell,
        way.replaces,
        way.perhaps,
        way.environment,
        problems,
        way.alternative,
    )


def _changed_folder(said: list[Said], folder: str) -> str:
    for one in said:
        if one.name in ("app_dir", "chdir") and isinstance(one.value, str):
            return folder if one.name == "chdir" else _joined_path(folder, one.value)
    return folder


def _application(name: str, said: list[Said], operands: list[ShellWord]) -> tuple[Value, tuple[str, ...]]:
    configs = tuple(one.value for one in said if one.name == "config" and isinstance(one.value, str))
    if operands:
        value = operands[0].value
        if name == "fastapi":
            app = next((one.value for one in said if one.name == "app"), None)
            return _fastapi_target(value, app), configs
        return value, configs
    target = next((one.value for one in said if one.name in ("wsgi_app", "entrypoint")), None)
    return target, configs


def _fastapi_target(path: Value, app: Value) -> Value:
    """`fastapi run app/main.py --app api` as an import string; the name is found later where it is not given."""
    if not isinstance(path, str):
        return path
    module = path.removesuffix(".py").strip("./").replace("/", ".")
    return f"{module}:{app}" if isinstance(app, str) else module


def read_flags(
    known: Server, words: tuple[ShellWord, ...], by: str, rank: Rank, surroundings: Surroundings, label: str = ""
) -> tuple[list[Said], list[ShellWord], tuple[Problem, ...]]:
    """The settings that flags give, the operands, and what the server would refuse."""
    said: list[Said] = []
    operands: list[ShellWord] = []
    problems: list[Problem] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        text = literal_of(word)
        if text is None:
            decided = resolve(word.value, surroundings)
            text = decided if isinstance(decided, str) else None
        if text is None or not text.startswith("-") or text == "-":
            operands.append(word)
            continue
        if text == "--":
            operands.extend(rest)
            break
        if known.name in _ABBREVIATES and " " in text and text.startswith("--"):
            operands.append(word)  # argparse takes an argument with a space for no flag
            continue
        flag, given = _split(known, text)
        found = _named(known, flag)
        if isinstance(found, Problem):
            problems.append(found._replace(where=word.where))
            continue
        setting, negative = found
        if setting.commands and label and label.split()[-1] not in setting.commands:
            problems.append(Problem("unknown-setting", flag, f"`{label}` has no {flag}", word.where))
        if not setting.takes_value:
            said.append(Said(setting.name, not negative, rank, by, word.where, word.text, word.variables))
            continue
        if given is None and not rest:
            problems.append(Problem("invalid-value", flag, f"{flag} needs a value", word.where))
            continue
        value = word if given is not None else rest.pop(0)
        raw: Value = given if given is not None else value.value
        shown = word.text if given is not None else f"{word.text} {value.text}"
        heard = tuple(dict.fromkeys((*word.variables, *value.variables)))
        _say(setting, raw, Said(setting.name, None, rank, by, word.where, shown, heard), said, problems, surroundings)
    return said, operands, tuple(problems)


def _split(known: Server, text: str) -> tuple[str, str | None]:
    """The flag of a word and the value that is attached to it: `--workers=4`, `-w4`, `-k value`."""
    if text.startswith("--"):
        flag, equals, value = text.partition("=")
        return flag, value if equals else None
    if len(text) > 2 and text[:2] in known.flags:
        return text[:2], text[2:].lstrip("=").strip()
    return text, None


def _named(known: Server, flag: str) -> tuple[ServerSetting, bool] | Problem:
    found = known.flags.get(flag)
    if found is not None:
        return found
    if known.name in _ABBREVIATES and flag.startswith("--"):
        candidates = sorted(name for name in known.flags if name.startswith(flag))
        if len({known.flags[name][0].name for name in candidates}) == 1:
            return known.flags[candidates[0]]
        if candidates:
            text = f"{flag} could be {', '.join(candidates[:4])}"
            return Problem("unknown-setting", flag, text, Location(""), candidates[0])
    return Problem("unknown-setting", flag, f"{known.name} has no {flag}", Location(""), known.nearest(flag))


def _say(
    setting: ServerSetting,
    raw: Value,
    said: Said,
    out: list[Said],
    problems: list[Problem],
    surroundings: Surroundings,
) -> None:
    """Record a setting with its value as the server converts it; a list grows."""
    value = raw if not isinstance(raw, str) or HOLE not in raw else Unknown("filled in when it is deployed")
    if isinstance(value, Apply) and value.operation == "str" and setting.kind in _NUMBERS:
        value = value.operands[0]  # what `$(nproc)` prints is read as a number again
    checked = converted(setting, resolve(value, surroundings))
    if isinstance(checked, Problem):
        assert said.where is not None
        problems.append(checked._replace(where=said.where))
        out.append(said._replace(value=Unknown("the server refuses it")))
        return
    final = checked if is_literal(value) else value
    if setting.repeats:
        before = next((one for one in out if one.name == setting.name), None)
        if before is not None and isinstance(before.value, tuple):
            out.remove(before)
            final = (*before.value, final)
        else:
            final = (final,)
    out.append(said._replace(value=final))


def chosen(setting: ServerSetting, value: str) -> str | Problem:
    """A choice as the server compares it, or that it is none. An import string is only known to be none where it has no
    colon and is a choice that is spelled wrongly: later versions may have other choices."""
    plain = value.lower().strip() if setting.any_case else value
    if plain in setting.choices:
        return plain
    wanted, nearest = ", ".join(setting.choices), ""
    if setting.kind == "import":
        nearest = next(iter(difflib.get_close_matches(value.lower(), setting.choices, 1, _SURELY_MEANT)), "")
        if ":" in value or not nearest:
            return value
    return Problem("invalid-value", setting.name, f"{value!r} is none of {wanted}", Location(""), nearest)


def converted(setting: ServerSetting, value: Value) -> Value | Problem:
    """A value as a server's command line converts it, or what it says against it."""
    if not isinstance(value, str):
        return value
    if setting.choices and value:
        return chosen(setting, value)
    if setting.kind not in _NUMBERS:
        return value
    try:
        number = compute("float" if setting.kind == "number" else "int", (value,))
    except Raises:
        kind = "a number" if setting.kind == "number" else "a whole number"
        return Problem("invalid-value", setting.name, f"{value!r} is not {kind}", Location(""))
    if setting.kind == "count" and isinstance(number, int) and number < 0:
        return Problem("invalid-value", setting.name, f"{value} is negative", Location(""))
    return number


__all__ = ["Program", "chosen", "converted", "read_command", "read_flags", "read_run", "read_words"]
