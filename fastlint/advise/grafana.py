"""A Grafana dashboard of one service: workers' CPU, memory, latency, loop lag and thread queue. Reads nothing.

Format: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from typing import Any

_WIDE, _HIGH = 12, 8


def dashboard(name: str, busy_share: float, memory_bytes: float) -> str:
    """The dashboard as JSON that Grafana imports."""
    job = f'job="{name}"'
    bucket = f"rate(http_request_duration_seconds_bucket{{{job}}}[5m])"
    panels = [
        ("Requests", "reqps", f"sum(rate(http_requests_total{{{job}}}[5m]))", None),
        ("Latency, 95th percentile", "s", f"histogram_quantile(0.95, sum by (le) ({bucket}))", 1.0),
        ("CPU of each worker", "percentunit", f"rate(process_cpu_seconds_total{{{job}}}[5m])", busy_share),
        ("Memory of each worker", "bytes", f"process_resident_memory_bytes{{{job}}}", memory_bytes),
        ("Lag of the event loop", "s", f"event_loop_lag_seconds{{{job}}}", 0.1),
        ("Calls that wait for a thread", "short", f"anyio_threadpool_tasks_waiting{{{job}}}", 1.0),
    ]
    content = {
        "title": f"{name}: workers and threads",
        "uid": f"fastlint-{name}"[:40],
        "schemaVersion": 39,
        "version": 1,
        "tags": ["fastapi", "fastlint"],
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(panels)],
    }
    return json.dumps(content, indent=2) + "\n"


def _panel(number: int, title: str, unit: str, query: str, limit: float | None) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if limit is not None:
        steps.append({"color": "red", "value": limit})
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": number % 2 * _WIDE, "y": number // 2 * _HIGH, "w": _WIDE, "h": _HIGH},
        "fieldConfig": {
            "defaults": {
                "unit": unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "line" if limit is not None else "off"}},
            },
            "overrides": [],
        },
        "targets": [{"refId": "A", "expr": query, "legendFormat": "{{instance}} {{pid}}"}],
    }
