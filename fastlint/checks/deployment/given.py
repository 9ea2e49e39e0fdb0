"""What deployment checks ask of a plan: sizes, worker class, places, and how a setting is written. Judges nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fastlint.deploy.plan import Said, ServerPlan, Setting
from fastlint.deploy.values import Unknown, Value
from fastlint.finding import Confidence, Finding, Location, Severity, Step
from fastlint.project import Project

GUNICORN = frozenset({"gunicorn", "gunicorn app"})
UVICORN = frozenset({"uvicorn", "uvicorn.run", "fastapi run", "fastapi dev"})
PROGRAM = "uvicorn.run"  # started by a Python file of the project
_WSGI_CLASSES = frozenset({"sync", "gthread", "gevent", "eventlet", "tornado", "gaiohttp"})
_COMMENT = re.compile(r"\s#\s.*$")
_BY_HAND = frozenset({"Makefile", "justfile", "pyproject.toml"})  # recipes that a person starts


def value_of(plan: ServerPlan, name: str) -> Value:
    """The effective value of a setting; None where the server knows no default and nobody says anything."""
    setting = plan.settings.get(name)
    return setting.value if setting is not None else None


def said(plan: ServerPlan, name: str) -> Said | None:
    """Who decides a setting, if anybody wrote it down."""
    setting = plan.settings.get(name)
    return setting.said if setting is not None and setting.said.where is not None else None


def place_of(plan: ServerPlan, name: str) -> Location:
    """The line on which a setting is to be changed: where it is said, else the command that starts the server."""
    wrote = said(plan, name)
    return wrote.where if wrote is not None and wrote.where is not None else plan.where


def written(plan: ServerPlan, name: str) -> str:
    """A setting as people find it in the file; `name = value` where it is a default."""
    setting = plan.settings.get(name)
    if setting is None:
        return name
    return spelled(setting.said, setting)


def spelled(wrote: Said, setting: Setting | None = None) -> str:
    """What somebody wrote, as one piece of text."""
    text = _COMMENT.sub("", " ".join(wrote.text.split()))
    value = wrote.value if setting is None else setting.value
    if not text:
        return f"{wrote.name} = {value!r}" if not isinstance(value, Unknown) else wrote.name
    if text[0] == "-" or "=" in text or wrote.name in text:
        return text
    return f"{wrote.name} = {text}"


def number(value: Value) -> float | None:
    """A plain number, else None; True and False are none."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def setting_number(plan: ServerPlan, name: str) -> float | None:
    """The value of a setting where it is a plain number."""
    return number(value_of(plan, name))


def reloads(plan: ServerPlan) -> bool:
    """Whether the server certainly reloads on changes: uvicorn then runs one process, whatever `workers` says."""
    return value_of(plan, "reload") is True or plan.server == "fastapi dev"


def worker_count(plan: ServerPlan) -> int | None:
    """How many worker processes one instance runs, where that is certain."""
    if plan.server in UVICORN and reloads(plan):
        return 1
    workers = setting_number(plan, "workers")
    if workers is None or workers != int(workers):
        return 1 if plan.server in UVICORN and value_of(plan, "workers") is None else None
    return max(int(workers), 1) if plan.server in UVICORN else int(workers)


def replicas(plan: ServerPlan) -> int:
    """How many instances run at least; 1 where nobody says."""
    return _count(plan.limits.replicas) or 1


def most_replicas(plan: ServerPlan) -> int:
    """How many instances an autoscaler may start."""
    return max(_count(plan.limits.most_replicas) or 1, replicas(plan))


def _count(limit: Said | None) -> int | None:
    value = number(limit.value) if limit is not None else None
    return int(value) if value is not None else None


def worker_kind(plan: ServerPlan) -> str:
    """The worker of a gunicorn: "uvicorn", "asgi", the name of a WSGI class, or "" where that is not known."""
    if plan.server not in GUNICORN:
        return ""
    name = value_of(plan, "worker_class")
    if not isinstance(name, str):
        return ""
    name = name.removeprefix("egg:gunicorn#")
    if name.startswith(("uvicorn.workers.Uvicorn", "uvicorn_worker.Uvicorn")):
        return "uvicorn"
    if name == "asgi":
        return "asgi"
    if name == "sync" and (setting_number(plan, "threads") or 0) > 1:
        return "gthread"
    return name if name in _WSGI_CLASSES else ""


def deployed(plan: ServerPlan) -> bool:
    """Whether the plan is how the service is put into production: no developer's file, recipe or bare program, and no
    branch of a script that may be for developers."""
    if alternative(plan) or plan.development or (plan.command is not None and plan.command.by in _BY_HAND):
        return False
    return plan.server != PROGRAM or plan.container or any(not path.endswith(".py") for path in plan.files)


def alternative(plan: ServerPlan) -> bool:
    """Whether it is one of several branches of a script, and nothing says which of them is taken."""
    return plan.command is not None and plan.command.alternative


def found(
    project: Project,
    code: str,
    plan: ServerPlan,
    where: Location,
    call: str,
    detail: str = "",
    instead: str = "",
    severity: Severity | None = None,
    confidence: Confidence = Confidence.HIGH,
    notes: tuple[str, ...] = (),
    related: tuple[Step, ...] = (),
) -> Finding:
    """A finding about one plan: the service is named unless the finding already stands where it starts."""
    service = (f"service {plan.name}",) if plan.name and plan.name != where.path else ()
    started = () if where == plan.where else (Step(plan.where, f"{plan.server} is started here"),)
    return project.found(
        code,
        where,
        {"call": call, "detail": detail, "instead": instead},
        severity=severity,
        confidence=min(confidence, Confidence.MEDIUM) if alternative(plan) else confidence,
        notes=(*notes, *service),
        related=tuple(dict.fromkeys((*related, *started))),
        symbol=plan.name,
        subject=call,
    )


def worst_of_each_line(findings: Iterable[Finding]) -> Iterator[Finding]:
    """One finding a line, rule and subject: two services that share a file would say the same twice."""
    kept: dict[tuple[str, Location, str], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.where, finding.subject)
        other = kept.get(key)
        if other is None:
            kept[key] = finding
            continue
        worse, better = (finding, other) if finding.severity > other.severity else (other, finding)
        names = dict.fromkeys((*worse.notes, *(note for note in better.notes if note.startswith("service "))))
        kept[key] = worse._replace(notes=tuple(names))
    yield from kept.values()
