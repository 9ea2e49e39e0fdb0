"""Locust's statistics -> `Measured`: the CSV of `--csv` and the JSON of `--json`. Knows nothing about sizes.

Columns: https://docs.locust.io/en/stable/retrieving-stats.html
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastlint.advise.figures import Figure
from fastlint.advise.measured import Measured, RouteLoad
from fastlint.advise.refusals import MeasurementError

_MOST_BYTES = 64 * 1024 * 1024
_COLUMNS = ("Type", "Name", "Request Count", "Failure Count", "Average Response Time", "Requests/s")
_TOTAL = "Aggregated"


def read_locust(path: Path) -> Measured:
    """What a load test measured of the whole service. Raises `MeasurementError` where the file is no such thing."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MeasurementError(f"{path}: larger than 64 MiB, which no locust statistics are")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise MeasurementError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise MeasurementError(f"{path}: not UTF-8 text") from error
    rows = _json_rows(text, path) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text, path)
    return _measured(rows, path)


def _csv_rows(text: str, path: Path) -> list[tuple[RouteLoad, int]]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        hint = ""
        if "Timestamp" in (reader.fieldnames or ()):
            hint = ": this is locust's history, the file that ends in _stats.csv is meant"
        raise MeasurementError(f"{path}: no locust statistics (no column {missing[0]!r}){hint}")
    rows: list[tuple[RouteLoad, int]] = []
    try:
        for row in reader:
            rows.append(_csv_row(row, path))
    except csv.Error as error:
        raise MeasurementError(f"{path}: line {reader.line_num}: {error}") from error
    return rows


def _csv_row(row: Mapping[str, str | None], path: Path) -> tuple[RouteLoad, int]:
    if any(row.get(name) is None for name in _COLUMNS):
        raise MeasurementError(f"{path}: the row of {row.get('Name') or '?'} is cut short")
    p95 = row.get("95%")
    load = RouteLoad(
        f"{row['Type']} {row['Name']}".strip(),
        int(_number(row["Request Count"], path)),
        _number(row["Requests/s"], path),
        _number(row["Average Response Time"], path) / 1000,
        _number(p95, path) / 1000 if p95 and p95 != "N/A" else None,
    )
    return load, int(_number(row["Failure Count"], path))


def _json_rows(text: str, path: Path) -> list[tuple[RouteLoad, int]]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MeasurementError(f"{path}: neither CSV nor complete JSON") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MeasurementError(f"{path}: no locust statistics (a JSON list of entries is expected)")
    return [_json_row(entry, path) for entry in entries]


def _json_row(entry: Mapping[str, Any], path: Path) -> tuple[RouteLoad, int]:
    try:
        count = int(_number(entry["num_requests"], path))
        seconds = _number(entry["last_request_timestamp"] or 0, path) - _number(entry["start_time"] or 0, path)
        mean = _number(entry["total_response_time"], path) / 1000 / count if count else 0.0
        times = {_number(key, path): _number(value, path) for key, value in entry["response_times"].items()}
        name = f"{entry.get('method') or ''} {entry['name']}".strip()
        failures = int(_number(entry["num_failures"], path))
    except (KeyError, AttributeError, TypeError) as error:
        raise MeasurementError(f"{path}: no locust statistics ({error} is missing in an entry)") from error
    rate = count / seconds if seconds > 0 else 0.0
    return RouteLoad(name, count, rate, mean, _percentile(times, 0.95)), failures


def _percentile(times: Mapping[float, float], share: float) -> float | None:
    """The response time (s) that this share of the requests stays within; times are counted by milliseconds."""
    total, seen = sum(times.values()), 0.0
    for milliseconds in sorted(times):
        seen += times[milliseconds]
        if seen >= total * share:
            return milliseconds / 1000
    return None


def _number(value: Any, path: Path) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise MeasurementError(f"{path}: {value!r} stands where a number belongs") from error
    if not math.isfinite(number) or number < 0:
        raise MeasurementError(f"{path}: {value!r} stands where a positive number belongs")
    return number


def _measured(rows: list[tuple[RouteLoad, int]], path: Path) -> Measured:
    routes = [(load, failed) for load, failed in rows if load.name != _TOTAL and load.requests]
    total = next((row for row in rows if row[0].name == _TOTAL), None) or _total(routes)
    if total is None or not total[0].requests:
        raise MeasurementError(f"{path}: a load test without a single request")
    load, failed = total
    source = f"measured, {path.name}"
    return Measured(
        rate=Figure(load.rate, "requests/s", source),
        latency=Figure(load.latency, "s", source),
        p95=None if load.p95 is None else Figure(load.p95, "s", source),
        failures=Figure(failed / load.requests, "share", source),
        routes=tuple(load for load, _ in routes),
    )


def _total(routes: list[tuple[RouteLoad, int]]) -> tuple[RouteLoad, int] | None:
    """All routes together, where the file has no such row: rates add up, latencies by their share of requests."""
    count = sum(load.requests for load, _ in routes)
    if not count:
        return None
    latency = sum(load.latency * load.requests for load, _ in routes) / count
    p95 = max((load.p95 for load, _ in routes if load.p95 is not None), default=None)
    return RouteLoad(_TOTAL, count, sum(load.rate for load, _ in routes), latency, p95), sum(f for _, f in routes)
