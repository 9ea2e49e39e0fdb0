"""Files that start processes without containers: Procfile, systemd units, supervisor programs. Starts nothing.

Sources: the Procfile format of Heroku, systemd.service/systemd.exec/systemd.resource-control, supervisor's
configuration reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastlint.amounts import bytes_of, seconds_of
from fastlint.deploy.plan import Limits, Rank, Said
from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.service import HOLE, Kind, Run, Service, Text
from fastlint.deploy.texts import joined, lines_of, literal, matched, stripped, value_of, variable, words_of
from fastlint.deploy.values import Unknown, Value

_PROCESS = re.compile(r"([A-Za-z0-9_-]+)\s*:\s*(\S.*)")
_SECTION = re.compile(r"\s*\[(.+?)\]\s*")
_KEY = re.compile(r"\s*([\w.-]+)\s*[=:]\s*(.*)", re.DOTALL)
_PREFIX = re.compile(r"[@:+!|-]+")
_SPECIFIER = re.compile(r"%(?:%|[a-zA-Z])")
_SUPERVISOR_VARIABLE = re.compile(r"%%|%\(([A-Za-z_]\w*)\)(?:0?\d*[ds])?")
_SYSTEMD_VARIABLE = re.compile(r"\$\$|\$\{(\w+)\}|\$([A-Za-z_]\w*)")


def read_procfile(path: str, text: str) -> list[Service]:
    """Every process type; a line without a colon is passed by, as Heroku does."""
    services = []
    for line in lines_of(path, text):
        match = _PROCESS.fullmatch(line.text.rstrip())
        if match is not None:
            command = Run("Procfile", shell=matched(line, match, 2))
            services.append(
                Service(
                    name=match[1],
                    kind=Kind.PROCESS,
                    by="Procfile",
                    where=line.where,
                    command=command,
                    folder="",
                    environment_open=True,  # the platform's own variables
                    development=for_development(path),
                    files=(path,),
                )
            )
    return services


@dataclass(frozen=True, slots=True)
class _Entry:
    section: str
    key: str
    value: Text


def _systemd_entries(path: str, text: str) -> Iterator[_Entry]:
    section = ""
    pieces: list[Text] = []
    for line in lines_of(path, text):
        bare = line.text.strip()
        if bare.startswith(("#", ";")) or (not bare and not pieces):  # within a continuation, too
            continue
        if bare.endswith("\\"):
            pieces.append(line.cut(0, len(line.text.rstrip()) - 1))
            continue
        whole = joined([*pieces, line], " ")
        pieces = []
        if match := _SECTION.fullmatch(whole.text):
            section = match[1]
        elif match := _KEY.fullmatch(whole.text):
            yield _Entry(section, match[1], stripped(matched(whole, match, 2)))


def read_systemd(path: str, text: str) -> list[Service]:
    """The service of a unit file, if it starts one."""
    entries = [each for each in _systemd_entries(path, text) if each.section == "Service"]
    starts = [each for each in entries if each.key == "ExecStart" and each.value.text]
    if not starts:
        return []
    environment: dict[str, Said] = {}
    for each in entries:
        if each.key == "Environment":
            for word in words_of(each.value):
                name, sign, _ = word.text.partition("=")
                if sign:
                    value = word.cut(len(name) + 1, len(word.text))
                    environment[name] = variable(name, value, "systemd Environment")
    last = {each.key: each.value for each in entries}
    return [
        Service(
            name=path.rpartition("/")[2],
            kind=Kind.PROCESS,
            by="systemd",
            where=start.value.where,
            command=Run("systemd ExecStart", tuple(_systemd_words(start.value, environment))),
            folder=last["WorkingDirectory"].text.lstrip("-") if "WorkingDirectory" in last else None,
            environment=environment,
            environment_open="EnvironmentFile" in last or "PassEnvironment" in last,
            limits=Limits(
                cores=_cpu_quota(last.get("CPUQuota")),
                memory=_systemd_memory(last),
                grace_period=_seconds(last.get("TimeoutStopSec") or last.get("TimeoutSec"), "systemd TimeoutStopSec"),
            ),
            development=for_development(path),
            files=(path,),
        )
        for start in starts
    ]


def _systemd_words(value: Text, environment: Mapping[str, Said]) -> Iterator[Text]:
    """The words of ExecStart: systemd itself replaces variables, and there is no shell."""
    match = _PREFIX.match(value.text)
    bare = value.cut(match.end(), len(value.text)) if match is not None else value
    for word in words_of(bare):
        plain = literal(_SPECIFIER.sub(lambda m: "%" if m[0] == "%%" else HOLE, word.text), word.where)
        whole = _SYSTEMD_VARIABLE.fullmatch(plain.text)
        filled = literal(_SYSTEMD_VARIABLE.sub(lambda m: _variable(m, environment), plain.text), word.where)
        if whole is not None and whole[2]:  # `$NAME` alone is split into words
            yield from words_of(filled)
        else:
            yield filled if filled.text != word.text else word


def _variable(match: re.Match[str], environment: Mapping[str, Said]) -> str:
    name = match[1] or match[2]
    if name is None:
        return "$"
    said = environment.get(name)
    return said.value if said is not None and isinstance(said.value, str) else HOLE


def _cpu_quota(text: Text | None) -> Said | None:
    if text is None or not text.text:
        return None
    number = text.text.rstrip("%")
    value: Value = int(number) / 100 if number.isdecimal() and int(number) else Unknown("not a percentage")
    return Said("cores", value, Rank.FILE, "systemd CPUQuota", text.where, text.text)


def _systemd_memory(last: Mapping[str, Text]) -> Said | None:
    for key in ("MemoryMax", "MemoryHigh", "MemoryLimit"):
        text = last.get(key)
        if text is not None and text.text and text.text != "infinity":
            size = bytes_of(text.text, docker=True)
            value: Value = Unknown("not a size") if size is None else size
            return Said("memory", value, Rank.FILE, f"systemd {key}", text.where, text.text)
    return None


def _seconds(text: Text | None, by: str) -> Said | None:
    if text is None or text.text in ("", "infinity", "0"):
        return None
    seconds = seconds_of(text.text)
    value: Value = Unknown("not a duration") if seconds is None else seconds
    return Said("grace_period", value, Rank.FILE, by, text.where, text.text)


def _supervisor_entries(path: str, text: str) -> Iterator[_Entry]:
    section = ""
    key = ""
    pieces: list[Text] = []
    for line in lines_of(path, text):
        bare = line.text.strip()
        if bare.startswith(("#", ";")):
            continue
        if key and line.text[:1] in (" ", "\t") and bare:
            pieces.append(_uncommented(stripped(line)))
            continue
        if key:
            yield _Entry(section, key, stripped(joined(pieces, " ")))
            key, pieces = "", []
        if match := _SECTION.fullmatch(_uncommented(line).text):
            section = match[1]
        elif match := _KEY.fullmatch(line.text):
            key, pieces = match[1], [_uncommented(matched(line, match, 2))]
    if key:
        yield _Entry(section, key, stripped(joined(pieces, " ")))


def _uncommented(text: Text) -> Text:
    """Without the comment that a semicolon after white space begins."""
    match = re.search(r"\s;.*", text.text)
    return text if match is None else text.cut(0, match.start())


def read_supervisor(path: str, text: str) -> list[Service]:
    """Every program."""
    entries = list(_supervisor_entries(path, text))
    shared = {e.key: e.value for e in entries if e.section == "supervisord"}
    services = []
    for section in dict.fromkeys(each.section for each in entries):
        own = {each.key: each.value for each in entries if each.section == section}
        if not section.startswith("program:") or "command" not in own:
            continue
        environment = {**_pairs(shared.get("environment")), **_pairs(own.get("environment"))}
        command, copies = own["command"], own.get("numprocs")
        services.append(
            Service(
                name=section.partition(":")[2].strip(),
                kind=Kind.PROCESS,
                by="supervisor",
                where=command.where,
                command=Run("supervisor command", tuple(_supervisor_words(command, environment))),
                folder=own["directory"].text if "directory" in own else None,
                environment=environment,
                environment_open=True,  # that of supervisord
                limits=Limits(
                    replicas=_copies(copies),
                    grace_period=_seconds(own.get("stopwaitsecs"), "supervisor stopwaitsecs"),
                ),
                development=for_development(path),
                files=(path,),
            )
        )
    return services


def _copies(text: Text | None) -> Said | None:
    if text is None or not text.text.isdecimal():
        return None
    return Said("replicas", int(text.text), Rank.FILE, "supervisor numprocs", text.where, text.text)


def _pairs(text: Text | None) -> dict[str, Said]:
    """`A="1",B=2`."""
    out: dict[str, Said] = {}
    if text is None:
        return out
    for match in re.finditer(r"""([A-Za-z_]\w*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,\s]*))""", text.text):
        group = next(number for number in (2, 3, 4) if match[number] is not None)
        value = literal(_SUPERVISOR_VARIABLE.sub(_unknown, match[group]), text.at(match.start(group)))
        out[match[1]] = variable(match[1], value, "supervisor environment")
    return out


def _unknown(match: re.Match[str]) -> str:
    return "%" if match[0] == "%%" else HOLE


def _supervisor_words(command: Text, environment: Mapping[str, Said]) -> Iterator[Text]:
    def filled(match: re.Match[str]) -> str:
        said = environment.get(match[1][4:]) if match[1] and match[1].startswith("ENV_") else None
        return said.text if said is not None and isinstance(value_of(said.text), str) else _unknown(match)

    for word in words_of(command):
        text = _SUPERVISOR_VARIABLE.sub(filled, word.text)
        yield word if text == word.text else literal(text, word.where)
