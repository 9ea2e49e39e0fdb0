"""A Dockerfile: what each stage starts, with the environment and the copies it inherits. Builds nothing.

Source: the Dockerfile reference (instructions, parser directives, here-documents, variable replacement). Docker itself
takes an exec form that is no JSON list of strings for a shell form, and so does this reader.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fastlint.amounts import port_of, seconds_of
from fastlint.deploy.plan import Limits, Rank, Said
from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.readers.yaml_nodes import without_tags
from fastlint.deploy.service import HOLE, Broken, Kind, Run, Service, Text
from fastlint.deploy.texts import joined, lines_of, literal, matched, stripped, variable
from fastlint.deploy.values import Unknown, Value
from fastlint.finding import Location

_KNOWN = frozenset(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME "
    "WORKDIR".split()
)
_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*")
_INSTRUCTION = re.compile(r"\s*(\S+)(?:\s+(.*))?", re.DOTALL)
_HERE = re.compile(r"<<(-?)([\"']?)([\w./-]*\w)\2")
_SPECIAL = re.compile(r"(?<!\\)\$[@*#?!-]")
_WRITES = re.compile(r"\bcat\s*(?:<<\S+\s*>(?!>)\s*(?P<after>[^\s;&|]+)|>(?!>)\s*(?P<before>\S+)\s*<<\S+)")
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_PAIR = re.compile(r"""([^\s=]+)=((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])*)""", re.DOTALL)
_FLAG = re.compile(r"--([\w-]+)(?:=(\S*))?\s+")
_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?::?([-+?])([^{}]*))?\})")


@dataclass(frozen=True, slots=True)
class _HereDocument:
    """Text that stands in the Dockerfile itself, behind the instruction that uses it."""

    name: str
    quoted: bool  # nothing in it is replaced
    rows: tuple[Text, ...]

    def whole(self, variables: Mapping[str, str]) -> Text:
        """All of it, with the variables of the build in their places; what a shell fills in at run time is gone then,
        as it is for Docker."""
        rows = self.rows or (literal("", Location("")),)
        if not self.quoted:
            rows = tuple(
                literal(_expanded(_SPECIAL.sub("", row.text), variables), row.where) if "$" in row.text else row
                for row in rows
            )
        return joined(rows, "\n")


@dataclass(slots=True)
class _Stage:
    """A stage as far as it was read."""

    name: str
    where: Text
    image: Text | None
    entrypoint: Run | None = None
    command: Run | None = None
    drops: bool = False
    folder: str = ""
    environment: dict[str, Said] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    shells: tuple[str, ...] = ("/bin/sh", "-c")
    copies: list[tuple[str, str]] = field(default_factory=list)
    written: dict[str, Text] = field(default_factory=dict)
    probe: Said | None = None
    ports: list[int] = field(default_factory=list)
    outer: Mapping[str, str] = field(default_factory=dict)  # arguments from before FROM: seen where ARG names them

    def inherit(self, parent: _Stage) -> None:
        self.image, self.folder, self.shells, self.probe = parent.image, parent.folder, parent.shells, parent.probe
        self.entrypoint, self.command, self.drops = parent.entrypoint, parent.command, parent.drops
        self.environment, self.copies = dict(parent.environment), list(parent.copies)
        self.ports, self.written = list(parent.ports), dict(parent.written)

    def variables(self) -> dict[str, str]:
        """What `$NAME` means here: the environment is stronger than arguments."""
        values = {name: each.text if isinstance(each.value, str) else HOLE for name, each in self.environment.items()}
        return {**self.arguments, **values}


def read_dockerfile(
    path: str, text: str, given: Mapping[str, str] = MappingProxyType({})
) -> tuple[list[Service], list[Broken]]:
    """A record of every stage, the one that counts last. `given` are the arguments of the build."""
    plain = without_tags(text)
    stages: list[_Stage] = []
    globals_: dict[str, str] = {}
    foreign = False
    for name, line, rest, documents in _instructions(path, plain):
        if name == "#syntax":
            foreign = "docker/dockerfile" not in rest.text
        elif name not in _KNOWN:
            if foreign or plain != text:
                continue
            return [], [Broken(line.where, f"`{line.text.split()[0][:40]}` is no instruction of a Dockerfile")]
        elif name == "FROM":
            _begin(stages, globals_, rest)
        elif name == "ARG" and not stages:
            globals_.update(_arguments(rest, globals_, given))
        elif stages:
            _instruct(stages, name, rest, given)
            stages[-1].written.update(_written(stages[-1], name, rest, documents))
    return [_service(path, stage, number, stages) for number, stage in enumerate(stages)], []


def _instructions(path: str, text: str) -> Iterator[tuple[str, Text, Text, list[_HereDocument]]]:
    """Every instruction: its name in capitals, its whole text, what follows the name, and its here-documents."""
    escape, rows = "\\", list(lines_of(path, text))
    at = 0
    while at < len(rows) and (directive := _DIRECTIVE.fullmatch(rows[at].text)):
        if directive[1].lower() == "escape":
            escape = directive[2][:1]
        elif directive[1].lower() == "syntax":
            yield "#syntax", rows[at], matched(rows[at], directive, 2), []
        at += 1
    while at < len(rows):
        pieces, at = _logical_line(rows, at, escape)
        if not pieces:
            continue
        line = stripped(joined(pieces))
        match = _INSTRUCTION.fullmatch(line.text)
        if match is None:
            continue
        name = match[1].upper()
        documents: list[_HereDocument] = []
        if name in ("RUN", "COPY", "ADD"):
            documents, at = _here_documents(rows, at, line.text)
        yield name, line, stripped(matched(line, match, 2)) if match[2] else literal("", line.where), documents


def _logical_line(rows: list[Text], at: int, escape: str) -> tuple[list[Text], int]:
    """The pieces of the instruction at a row, without comments in between, and the row after it."""
    pieces: list[Text] = []
    while at < len(rows):
        row = rows[at]
        at += 1
        bare = row.text.strip()
        if not bare or bare.startswith("#"):
            if pieces:
                continue
            break
        if not bare.endswith(escape):
            pieces.append(row)
            break
        pieces.append(row.cut(0, len(row.text.rstrip()) - 1))
    return pieces, at


def _here_documents(rows: list[Text], at: int, line: str) -> tuple[list[_HereDocument], int]:
    """The here-documents that an instruction opens, and the row after the last of them."""
    out: list[_HereDocument] = []
    for dash, quote, end in (match.groups() for match in _HERE.finditer(line)):
        closing = at
        while closing < len(rows) and (rows[closing].text.lstrip("\t") if dash else rows[closing].text) != end:
            closing += 1
        if closing < len(rows):  # else `<<` meant something else
            inside = rows[at:closing]
            if dash:
                inside = [row.cut(len(row.text) - len(row.text.lstrip("\t")), len(row.text)) for row in inside]
            out.append(_HereDocument(end, bool(quote), tuple(inside)))
            at = closing + 1
    return out, at


def _written(stage: _Stage, name: str, rest: Text, documents: list[_HereDocument]) -> Iterator[tuple[str, Text]]:
    """The files that here-documents become: `COPY <<EOF /start.sh`, `RUN cat <<EOF > /start.sh`."""
    variables = stage.variables()
    if name == "RUN":
        match = _WRITES.search(rest.text)
        if match is not None and len(documents) == 1:
            target = _expanded((match["after"] or match["before"]).strip("\"'"), variables)
            yield posixpath.normpath(posixpath.join(stage.folder or "/", target)), documents[0].whole(variables)
        return
    words = _flags(rest)[1].text.split()
    if len(words) < 2:
        return
    target = _expanded(words[-1], variables)
    folder = target.endswith("/") or len(words) > 2 or target in (".", "..")
    path = posixpath.normpath(posixpath.join(stage.folder or "/", target))
    for one in documents:
        yield posixpath.join(path, one.name) if folder else path, one.whole(variables)


def _begin(stages: list[_Stage], arguments: Mapping[str, str], rest: Text) -> None:
    _, rest = _flags(rest)
    words = [matched(rest, match) for match in re.finditer(r"\S+", rest.text)]
    named = len(words) >= 3 and words[1].text.lower() == "as"
    image = literal(_expanded(words[0].text, arguments), words[0].where) if words else None
    stage = _Stage(words[2].text if named else str(len(stages)), rest, image, outer=dict(arguments))
    if image is not None and (parent := _stage(stages, image.text)) is not None:
        stage.inherit(parent)
    stages.append(stage)


def _stage(stages: list[_Stage], name: str) -> _Stage | None:
    return next((each for each in reversed(stages) if each.name.lower() == name.lower()), None)


def _instruct(stages: list[_Stage], name: str, rest: Text, given: Mapping[str, str]) -> None:
    stage = stages[-1]
    if name == "ARG":
        stage.arguments.update(_arguments(rest, stage.variables(), given, stage.outer))
    elif name == "ENV":
        variables = stage.variables()  # of the line before: a line does not see its own
        for key, value in _pairs(rest):
            stage.environment[key] = variable(
                key, literal(_expanded(value.text, variables), value.where), "Dockerfile ENV"
            )
    elif name == "WORKDIR":
        stage.folder = posixpath.normpath(posixpath.join(stage.folder or "/", _expanded(rest.text, stage.variables())))
    elif name == "SHELL":
        stage.shells = tuple(word.text for word in _exec_form(rest) or ()) or stage.shells
    elif name == "CMD":
        stage.command, stage.drops = _run(rest, "Dockerfile CMD", stage.shells), False
    elif name == "ENTRYPOINT":
        stage.entrypoint = _run(rest, "Dockerfile ENTRYPOINT", stage.shells)
        # Docker: an ENTRYPOINT of this image takes the CMD of the image below out of force; shell form always does.
        if stage.entrypoint is not None and stage.entrypoint.shell is not None:
            stage.drops = True
    elif name == "HEALTHCHECK":
        stage.probe = _probe(rest)
    elif name == "EXPOSE":
        words = _expanded(rest.text, stage.variables()).split()
        stage.ports += [port for word in words if (port := port_of(word)) is not None]
    elif name == "COPY":
        stage.copies += _copies(stages, rest)


def _arguments(
    rest: Text, variables: Mapping[str, str], given: Mapping[str, str], outer: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Arguments as the build gives them, else their defaults; one without a default is whatever another build says."""
    out: dict[str, str] = {}
    assigned = {key: value.text for key, value in _pairs(rest, old_form=False)}
    for word in re.findall(r"[^\s=]+(?==)|(?<!\S)[\w]+(?!\S)", rest.text):
        if word in given:
            out[word] = given[word]
        elif word in assigned:
            out[word] = _expanded(assigned[word], variables)
        elif word.isidentifier():
            out[word] = (outer or {}).get(word, HOLE)
    return out


def _pairs(rest: Text, old_form: bool = True) -> Iterator[tuple[str, Text]]:
    """`A=1 B="two words"`, or the old `A one value`."""
    first = rest.text.split(None, 1)
    if old_form and first and "=" not in first[0]:
        if len(first) == 2:
            yield first[0], rest.cut(rest.text.index(first[1], len(first[0])), len(rest.text))
        return
    for match in _PAIR.finditer(rest.text):
        value = matched(rest, match, 2)
        yield match[1], literal(_unquoted(value.text), value.where)


def _unquoted(text: str) -> str:
    """Without quotes and escapes, except those of a dollar sign."""
    pieces = re.findall(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^'"\\]+|.""", text, re.DOTALL)
    out = []
    for piece in pieces:
        if piece[0] == "'":
            out.append(piece[1:-1].replace("$", "\\$"))
        else:
            bare = piece[1:-1] if piece[0] == '"' and len(piece) > 1 else piece
            out.append(re.sub(r"\\([^$])", r"\1", bare, flags=re.DOTALL))
    return "".join(out)


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """With `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+word}` replaced; a name that nobody sets is a hole,
    because the image below may set it."""

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name is None:
            return "$"
        value = variables.get(name)
        if match[3] == "-":
            return value or match[4]
        if match[3] == "+":
            return match[4] if value else ""
        return HOLE if value is None else value

    return _VARIABLE.sub(replace, text)


def _run(rest: Text, by: str, shells: tuple[str, ...]) -> Run | None:
    words = _exec_form(rest)
    if words is not None:
        return Run(by, words) if words else None
    return Run(by, shell=rest, interpreter=shells) if rest.text else None


def _exec_form(rest: Text) -> tuple[Text, ...] | None:
    """The words of a JSON list of strings; None for anything else, which Docker takes for a shell form."""
    if not rest.text.startswith("["):
        return None
    try:
        values = json.loads(rest.text)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values):
        return None
    spans = list(_JSON_STRING.finditer(rest.text))
    return tuple(
        rest.cut(span.start() + 1, span.end() - 1) if "\\" not in span[0] else literal(value, rest.at(span.start() + 1))
        for value, span in zip(values, spans, strict=True)
    )


def _flags(rest: Text) -> tuple[dict[str, str], Text]:
    flags: dict[str, str] = {}
    while match := _FLAG.match(rest.text):
        flags[match[1]] = match[2] or ""
        rest = rest.cut(match.end(), len(rest.text))
    return flags, rest


def _probe(rest: Text) -> Said | None:
    flags, command = _flags(rest)
    if command.text.strip().upper() == "NONE":
        return None
    interval, retries = seconds_of(flags.get("interval", "30s")), flags.get("retries", "3")
    known = interval is not None and retries.isdecimal()
    value: Value = interval * int(retries) if interval is not None and known else Unknown("not a duration")
    return Said("healthcheck", value, Rank.FILE, "Dockerfile HEALTHCHECK", rest.where, rest.text[:200])


def _copies(stages: list[_Stage], rest: Text) -> Iterator[tuple[str, str]]:
    """What a COPY brings from the build context, directly or through an earlier stage."""
    stage = stages[-1]
    flags, rest = _flags(rest)
    words = [word.text for word in _exec_form(rest) or ()] or rest.text.split()
    if len(words) < 2 or words[0].startswith("<<"):
        return
    *sources, target = (_expanded(word, stage.variables()) for word in words)
    folder = target.endswith("/") or len(sources) > 1 or target in (".", "..")
    target = posixpath.normpath(posixpath.join(stage.folder or "/", target))
    target = target.rstrip("/") + "/" if folder else target
    origin = flags.get("from")
    if origin is None:
        yield from ((posixpath.normpath(source.lstrip("/") or "."), target) for source in sources)
        return
    earlier = _stage(stages[:-1], origin) or (
        stages[int(origin)] if origin.isdecimal() and int(origin) < len(stages) else None
    )
    for source in sources if earlier is not None else ():
        source = posixpath.normpath(posixpath.join("/", source))
        for inner, outer in list(earlier.copies) if earlier is not None else ():
            yield from _carried(inner, outer, source, target)
        for path, text in earlier.written.items() if earlier is not None else ():
            for _, to in _carried("", path, source, target):
                stage.written[to + posixpath.basename(path) if to.endswith("/") else to] = text


def _carried(inner: str, outer: str, source: str, target: str) -> Iterator[tuple[str, str]]:
    """A copy (context path `inner` -> `outer`) as it looks after `source` of that stage was copied to `target`."""
    bare = outer.rstrip("/") or "/"
    if bare == source or source == "/":
        yield inner, target.rstrip("/") + bare if source == "/" else target
    elif bare.startswith(source + "/"):
        yield inner, posixpath.join(target, outer[len(source) + 1 :])
    elif source.startswith(bare.rstrip("/") + "/"):
        yield posixpath.normpath(posixpath.join(inner, source[len(bare.rstrip("/")) + 1 :])), target


def _service(path: str, stage: _Stage, number: int, stages: list[_Stage]) -> Service:
    last = number == len(stages) - 1
    return Service(
        name=path if last else f"{path} stage {stage.name}",
        kind=Kind.IMAGE,
        by="Dockerfile",
        where=stage.where.where,
        entrypoint=stage.entrypoint,
        command=stage.command,
        drops_command=stage.drops,
        folder=stage.folder or None,
        environment=stage.environment,
        limits=Limits(probes=(stage.probe,) if stage.probe else ()),
        image=stage.image,
        stage=stage.name,
        last_stage=last,
        ports=tuple(stage.ports),
        copies=tuple(stage.copies),
        written=stage.written,
        development=for_development(path) or for_development(stage.name),
        files=(path,),
    )
