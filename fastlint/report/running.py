"""What `fastlint inspect` tells of running servers: text, and versioned JSON (docs/json.md). Looks at nothing."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

from fastlint.amounts import shown_bytes, shown_cores
from fastlint.finding import Finding, Location
from fastlint.report.json_v1 import finding_json
from fastlint.report.plans import app_of, plan_json, setting_rows
from fastlint.report.style import Style
from fastlint.report.text import header, paint, story, visible
from fastlint.running.look import Inspected, Look, Observed, Server
from fastlint.running.recognise import shown_words
from fastlint.running.trees import HELPER, WORKER

VERSION = 1  # of the JSON form
_BOLD, _FAINT, _YELLOW = "1", "2", "33"
_HELPERS_SHOWN = 8
_WIDTH = 100

StyleOf = Callable[[str], Style]
"""The style for the paths below one project root."""


def look_text(look: Look, style_of: StyleOf, settings: bool = True) -> str:
    """Every server for people: what it is, its processes, the settings behind it, and what was found."""
    blocks = ["\n".join(_server(each, style_of(each.root), look.at, settings)) for each in look.servers]
    return "\n\n".join(blocks) + "\n"


def _server(each: Inspected, style: Style, at: float, settings: bool) -> Iterator[str]:
    server = each.server
    around = server.started.around
    of = f" of {around.user}" if around.user else ""
    age = _age(at - server.entry.created)
    head = f"{server.plan.server} {app_of(server.plan)}: process {server.entry.pid}{of}, up {age}"
    yield paint(visible(head), _BOLD, style)
    yield from _labelled("command", " ".join(shown_words(server.entry.words or ("unknown",))))
    yield from _labelled("folder", around.folder or "unknown")
    yield from _labelled("listens", _listens(server))
    yield from _labelled("target", _target(server))
    memory = server.memory
    if memory.size is not None:
        yield from _labelled("memory", f"{shown_bytes(memory.size)} for all its processes ({memory.how})")
    if server.replaced:
        yield from _labelled("replaced", f"{_counted(server.replaced, 'worker')} since it is watched")
    yield ""
    yield from _processes(server, style, at)
    for note in each.notes:
        yield from _labelled("note", note)
    if settings:
        yield ""
        yield from setting_rows(server.plan, style)
    if each.findings:
        yield ""
    for finding in each.findings:
        yield header(finding, style)
        yield from (f"    {line}" for line in story(finding, style))


def _labelled(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(visible(text), _WIDTH, break_on_hyphens=False) or [""]
    yield f"  {label:<8}  {lines[0]}"
    yield from (" " * 12 + line for line in lines[1:])


def _listens(server: Server) -> str:
    if server.addresses is None:
        return "unknown"
    return ", ".join(server.addresses) or "nowhere"


def _target(server: Server) -> str:
    machine = server.started.machine
    if machine.hidden:
        return "unknown"
    return (
        f"{shown_cores(machine.cores.value)} cores ({machine.cores.source}), "
        f"{shown_bytes(machine.memory.value)} ({machine.memory.source})"
    )


def _processes(server: Server, style: Style, at: float) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [("process", "role", "age", "cpu", "rss", "own", "threads", "")]
    helpers = [one for one in server.processes if one.member.role == HELPER]
    shown = [one for one in server.processes if one.member.role != HELPER] + helpers[:_HELPERS_SHOWN]
    rows += [_row(one, at) for one in shown]
    wide = [max(len(row[column]) for row in rows) for column in range(7)]
    for number, row in enumerate(rows):
        left = f"{row[0]:>{wide[0]}}  {row[1]:<{wide[1]}}"
        cells = "  ".join(f"{row[column]:>{wide[column]}}" for column in range(2, 7))
        line = f"  {left}  {cells}"
        if number == 0:
            line = paint(line, _FAINT, style)
        yield (f"{line}  {paint(row[7], _YELLOW, style)}" if row[7] else line).rstrip()
    if len(helpers) > _HELPERS_SHOWN:
        yield f"  and {_counted(len(helpers) - _HELPERS_SHOWN, 'helper')} more"


def _row(one: Observed, at: float) -> tuple[str, ...]:
    vitals = one.vitals
    return (
        str(one.entry.pid),
        one.member.role,
        _age(at - one.entry.created),
        "?" if one.cpu is None else f"{one.cpu * 100:.0f} %",
        "?" if vitals.rss is None else shown_bytes(vitals.rss),
        "?" if vitals.own is None else shown_bytes(vitals.own),
        "?" if vitals.threads is None else str(vitals.threads),
        _late_words(one),
    )


def _late_words(one: Observed) -> str:
    late = one.member.late
    if late is None:
        return ""
    if one.member.certain:
        return f"{_age(late)} after the first: replaced or added"
    return f"{_age(late)} after the master: replaced, or slow to load"


def _age(seconds: float) -> str:
    """A time as two units: `3 d 4 h`, `2 min 5 s`, `0.4 s`."""
    seconds = max(seconds, 0.0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, name, smaller, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name} {rest} {small}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def look_json(look: Look, indent: int | None = 2) -> str:
    """Everything that was seen, for programs: null is what may not be seen."""
    document = {
        "version": VERSION,
        "at": round(look.at, 3),
        "failed": look.failed,
        "servers": [_server_json(each, look.at) for each in look.servers],
    }
    return json.dumps(document, indent=indent) + "\n"


def _server_json(each: Inspected, at: float) -> dict[str, Any]:
    server, machine = each.server, each.server.started.machine
    around = server.started.around
    words = server.entry.words
    memory = server.memory
    addresses = server.addresses
    return {
        "pid": server.entry.pid,
        "server": server.plan.server,
        "app": server.plan.app if isinstance(server.plan.app, str) else None,
        "user": around.user,
        "started": round(server.entry.created, 3),
        "age": round(at - server.entry.created, 3),
        "command": None if words is None or server.started.root.title else list(shown_words(words)),
        "title": " ".join(words or ()) if server.started.root.title else None,
        "folder": around.folder,
        "addresses": None if addresses is None else list(addresses),
        "target": {
            "cores": None if machine.hidden else {"value": machine.cores.value, "source": machine.cores.source},
            "memory": None if machine.hidden else {"value": machine.memory.value, "source": machine.memory.source},
        },
        "memory": {"bytes": memory.size, "how": memory.how},
        "workers": sum(one.member.role == WORKER for one in server.processes),
        "replaced": server.replaced,
        "processes": [_process_json(one, at) for one in server.processes],
        "notes": list(each.notes),
        "root": each.root or None,
        "plan": plan_json(server.plan),
        "findings": [_finding_json(finding) for finding in each.findings],
    }


def _process_json(one: Observed, at: float) -> dict[str, Any]:
    vitals = one.vitals
    return {
        "pid": one.entry.pid,
        "role": one.member.role,
        "started": round(one.entry.created, 3),
        "age": round(at - one.entry.created, 3),
        "late": None if one.member.late is None else round(one.member.late, 3),
        "cpu": None if one.cpu is None else round(one.cpu, 4),
        "cpu_seconds": vitals.cpu_seconds,
        "rss": vitals.rss,
        "own": vitals.own,
        "shared": vitals.shared,
        "threads": vitals.threads,
        "addresses": None if vitals.addresses is None else sorted(vitals.addresses),
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as `fastlint check` writes it; a place in a process has no line."""
    document = finding_json(finding)
    document["location"] = _place(finding.where, document["location"])
    for step, written in zip(finding.related, document["related"], strict=True):
        written["location"] = _place(step.where, written["location"])
    return document


def _place(where: Location, written: dict[str, Any]) -> dict[str, Any]:
    return {**written, "line": None, "column": None} if where.line < 1 else written


def clock(at: float) -> str:
    """The time of a look, for the line above it."""
    return time.strftime("%H:%M:%S", time.localtime(at))
