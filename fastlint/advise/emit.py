"""Advice -> files that servers, orchestrators and monitors accept. Writes nothing where something stands already.

Every kind is held by a test against its own tool: gunicorn, uvicorn, locust, promtool, the schemas of Kubernetes and
compose.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from fastlint.advise.advice import Advice, Row
from fastlint.advise.figures import MIB
from fastlint.advise.grafana import dashboard
from fastlint.advise.prediction import memory_needed
from fastlint.advise.refusals import AdviceError
from fastlint.advise.workload import Route

# What each kind is called where it lies.
KINDS = {
    "gunicorn": "gunicorn.conf.py",
    "uvicorn": "uvicorn.sh",
    "docker": "Dockerfile",
    "compose": "compose.yaml",
    "kubernetes": "kubernetes.yaml",
    "systemd": "service.service",
    "locust": "locustfile.py",
    "prometheus": "alerts.yaml",
    "grafana": "dashboard.json",
}
_PORT = 8000
_MARGIN = 5  # seconds between the server's last word and the orchestrator's
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_HEALTH = re.compile(r"/(?:api/)?(?:health|healthz|ready|readyz|live|livez|ping)/?$")
_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_WRAPPED = 104


def emit(advice: Advice, kind: str, app: str) -> str:
    """The text of one kind of file. `app` is the application as the server imports it ("module:attribute").

    Raises `AdviceError` where the kind is not known.
    """
    if kind not in KINDS:
        raise AdviceError(f"no such kind of file: {kind}; there are {', '.join(KINDS)}")
    name = _slug(advice, app)
    if kind == "grafana":
        return dashboard(name, advice.situation.assumptions.busy_share, advice.worker_memory.value)
    import jinja2  # only those who ask for a file pay for it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fastlint.advise"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{KINDS[kind]}.j2").render(_context(advice, app, name))


def write(path: Path, text: str, force: bool) -> None:
    """Write a file whole or not at all. Raises `AdviceError` where one stands there already, unless `force`."""
    if path.exists() and not force:
        raise AdviceError(f"{path} exists already: --force overwrites it")
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o755 if text.startswith("#!") else 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise AdviceError(f"{path}: {error.strerror or error}") from error


def _context(advice: Advice, app: str, name: str) -> dict[str, Any]:
    """Everything that the templates say."""
    situation, routes = advice.situation, advice.situation.workload.routes
    held = memory_needed(advice.workers, advice.worker_memory.value, situation.assumptions.parent_memory)
    graceful = _number(advice, "graceful timeout")
    cores = situation.cores.value
    why = advice.row("workers")
    return {
        "app": app,
        "name": name,
        "port": _PORT,
        "workers": advice.workers,
        "replicas": max(advice.replicas, 1),
        "cores": f"{cores:g}",
        "per_core": f"{max(1.0, advice.workers / cores):.3g}",
        "pod_cores": f"{min(cores, float(advice.workers)):g}",
        "cpu_percent": math.ceil(cores * 100),
        "memory_mib": math.ceil((situation.memory.value if situation.memory is not None else held * 1.25) / MIB),
        "timeout": _number(advice, "timeout"),
        "graceful": graceful,
        "grace": graceful + _MARGIN,
        "keepalive": _number(advice, "keep-alive"),
        "backlog": _number(advice, "backlog"),
        "limit_concurrency": _number(advice, "limit_concurrency"),
        "why": _wrapped(why) if why is not None else "",
        "health": next((route.path for route in routes if _HEALTH.search(route.path)), "/docs"),
        "liveness_failures": 3,
        "busy": f"{situation.assumptions.busy_share:g}",
        "busy_percent": round(situation.assumptions.busy_share * 100),
        "memory_alert": math.ceil(advice.worker_memory.value),
        "memory_alert_mib": round(advice.worker_memory.value / MIB),
        "reading": [_example(route, number) for number, route in enumerate(routes) if route.method in _READING],
        "writing": [
            _example(route, number)
            for number, route in enumerate(routes)
            if route.method not in _READING and route.method != "websocket"
        ],
    }


def _number(advice: Advice, setting: str) -> int:
    row = advice.row(setting)
    return int(row.value) if row is not None and isinstance(row.value, (int, float)) else 0


def _wrapped(row: Row) -> str:
    return "\n".join(textwrap.wrap(row.why.replace('"""', "'''") + ".", _WRAPPED))


def _slug(advice: Advice, app: str) -> str:
    """A name that Kubernetes, compose and Prometheus all accept."""
    plan = advice.situation.plan
    # A plan that only a file names says nothing of what people call the service
    base = plan.name if plan is not None and "/" not in plan.name and "." not in plan.name else app.partition(":")[0]
    return re.sub(r"[^a-z0-9]+", "-", base.lower()).strip("-")[:40].strip("-") or "app"


def _example(route: Route, number: int) -> dict[str, str]:
    """A route as a locust task calls it: path parameters filled with examples of their type."""
    filled = _PARAMETER.sub(lambda match: "1.5" if match[2] == "float" else "1", route.path)
    words = re.sub(r"\W+", "_", _PARAMETER.sub(r"by_\1", route.path)).strip("_").lower()
    return {
        "method": route.method.lower(),
        "function": f"{route.method.lower()}_{words or 'root'}_{number}",
        "example": repr(filled),
        "name": repr(route.path),
    }
