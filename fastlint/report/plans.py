"""Server plans for people and machines: every setting, its value, who said it, who was overruled. Never prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastlint.amounts import shown_bytes, shown_cores
from fastlint.deploy.plan import Said, ServerPlan, Setting
from fastlint.deploy.values import Unknown, is_literal, render
from fastlint.report.style import Style
from fastlint.report.text import paint

VERSION = 1  # of the JSON form
_BOLD, _FAINT = "1", "2"


def show_plans(plans: Sequence[ServerPlan], style: Style) -> str:
    """One table a service: what somebody said first, then the defaults that matter."""
    if not plans:
        return "no file of this project starts a server that fastlint knows\n"
    return "\n".join(_table(plan, style) for plan in plans)


def _table(plan: ServerPlan, style: Style) -> str:
    head = f"{plan.name}: {plan.server} {app_of(plan)} ({plan.where.path}:{plan.where.line})"
    return "\n".join([paint(head, _BOLD, style), *setting_rows(plan, style)]) + "\n"


def setting_rows(plan: ServerPlan, style: Style) -> list[str]:
    """The settings of a plan, one line each, with everything that the server would refuse."""
    lines: list[str] = []
    rows: list[tuple[str, str, str, Setting | None]] = [
        (name, _value(setting), _by(setting.said, style), setting) for name, setting in _ordered(plan)
    ]
    rows += [(name, value, _by(said, style), None) for name, value, said in _limits(plan)]
    wide = max((len(row[0]) for row in rows), default=0)
    for name, value, by, setting in rows:
        lines.append(f"  {name:<{wide}}  {value}  {paint(by, _FAINT, style)}")
        for said in setting.overruled if setting is not None else ():
            lines.append(paint(f"  {'':<{wide}}  overruled: {render(said.value)}, {_by(said, style)}", _FAINT, style))
    for problem in plan.problems:
        near = f" (meant: {problem.nearest})" if problem.nearest else ""
        lines.append(f"  refused: {problem.name}: {problem.text}{near}  {problem.where.path}:{problem.where.line}")
    if plan.hooks:
        lines.append(f"  hooks: {', '.join(sorted(plan.hooks))}")
    return lines


def app_of(plan: ServerPlan) -> str:
    """The application as the server is told of it, in words where it is no import string."""
    return (
        plan.app
        if isinstance(plan.app, str)
        else "(an object)"
        if isinstance(plan.app, Unknown)
        else "(no application)"
    )


def _ordered(plan: ServerPlan) -> list[tuple[str, Setting]]:
    """What somebody said, in alphabetical order; of the defaults only the number of workers and its class."""
    said = [(name, setting) for name, setting in sorted(plan.settings.items()) if setting.said.where is not None]
    named = {name for name, _ in said}
    wanted = ("workers", "worker_class", "bind", "timeout", "graceful_timeout", "keepalive", "timeout_keep_alive")
    return said + [(name, plan.settings[name]) for name in wanted if name in plan.settings and name not in named]


def _limits(plan: ServerPlan) -> list[tuple[str, str, Said]]:
    limits = plan.limits
    rows: list[tuple[str, str, Said]] = []
    for name, said in (("cores", limits.cores), ("memory", limits.memory), ("replicas", limits.replicas)):
        if said is not None:
            number = said.value if isinstance(said.value, (int, float)) else None
            shown = render(said.value)
            if number is not None and name != "replicas":
                shown = shown_bytes(number) if name == "memory" else shown_cores(number)
            rows.append((f"limit: {name}", shown, said))
    return rows


def _value(setting: Setting) -> str:
    if is_literal(setting.value) and setting.value is not None:
        return render(setting.value).strip("'")
    return render(setting.value)


def _by(said: Said, style: Style) -> str:
    if said.where is None or said.where.line < 1:
        return said.by
    return f"{said.by}, {style.shown(said.where.path)}:{said.where.line}"


def show_plans_json(plans: Sequence[ServerPlan]) -> str:
    """The plans for programs: values are JSON where they are known, expressions in words where they are not."""
    return json.dumps({"version": VERSION, "services": [plan_json(plan) for plan in plans]}, indent=2) + "\n"


def plan_json(plan: ServerPlan) -> dict[str, Any]:
    """One plan, with every setting that it has."""
    return {
        "name": plan.name,
        "server": plan.server,
        "app": plan.app if isinstance(plan.app, str) else None,
        "where": {"path": plan.where.path, "line": plan.where.line},
        "container": plan.container,
        "orchestrated": plan.orchestrated,
        "development": plan.development,
        "settings": {
            name: {
                "value": _json(setting.value),
                "known": is_literal(setting.value),
                "expression": None if is_literal(setting.said.value) else render(setting.said.value),
                "said": _said(setting.said),
                "overruled": [{**_said(said), "value": _json(said.value)} for said in setting.overruled],
            }
            for name, setting in sorted(plan.settings.items())
        },
        "limits": {name: {"value": value, **_said(said)} for name, value, said in _limits(plan)},
        "problems": [
            {
                "kind": one.kind,
                "name": one.name,
                "text": one.text,
                "nearest": one.nearest,
                "line": one.where.line,
                "path": one.where.path,
            }
            for one in plan.problems
        ],
        "hooks": sorted(plan.hooks),
        "files": list(plan.files),
    }


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(part) for part in value]
    return value if is_literal(value) else render(value)


def _said(said: Said) -> dict[str, Any]:
    where = said.where
    return {
        "by": said.by,
        "path": where.path if where else None,
        "line": where.line if where else None,
        "text": said.text or None,
    }
