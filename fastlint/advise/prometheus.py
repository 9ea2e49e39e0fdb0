"""Prometheus metrics -> `Measured`: exposition text from a file or an exporter, or a server's HTTP API.

Knows how exporters name things from `rules/sizing/metrics.toml` alone, and computes no sizes.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastlint.advise.figures import Figure
from fastlint.advise.measured import Measured
from fastlint.advise.refusals import MeasurementError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MOST_BYTES = 64 * 1024 * 1024
_PATIENCE = 5.0  # seconds for one answer
_BETWEEN_SCRAPES = 5.0  # seconds: counters become rates by being read twice
_WINDOW = "5m"

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Names:
    """What exporters call things (`rules/sizing/metrics.toml`)."""

    cpu_seconds: tuple[str, ...]
    memory_bytes: tuple[str, ...]
    start_time: tuple[str, ...]
    requests: tuple[str, ...]
    latency: Mapping[str, float]
    queues: tuple[str, ...]
    queue_pattern: re.Pattern[str]


def load_names(rules: Path) -> Names:
    """The exporters' names, from the folder of the rules."""
    data = tomllib.loads((rules / "sizing" / "metrics.toml").read_text("utf-8"))
    queue = data["thread_queue"]
    return Names(
        tuple(data["cpu_seconds"]),
        tuple(data["memory_bytes"]),
        tuple(data["start_time"]),
        tuple(data["requests"]),
        data["latency"],
        tuple(queue["names"]),
        re.compile(queue["pattern"]),
    )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All samples of one moment: name -> labels -> value. `at` is in seconds since the epoch."""

    samples: Mapping[str, Mapping[Labels, float]]
    at: float
    source: str

    def total(self, names: Iterable[str]) -> float | None:
        """The sum of all series of the first of these names that is there."""
        for name in names:
            if name in self.samples:
                return sum(self.samples[name].values())
        return None

    def largest(self, names: Iterable[str]) -> float | None:
        """The largest series of the first of these names that is there."""
        for name in names:
            if name in self.samples:
                return max(self.samples[name].values(), default=None)
        return None


def read_prometheus(source: str, names: Names) -> Measured:
    """What a file of exposition text, an exporter's page, or a Prometheus server says of the service.

    Raises `MeasurementError` where the source cannot be read, or says nothing that can be used.
    """
    if source.startswith(("http://", "https://")):
        return _from_url(source, names)
    text, written = _file_text(Path(source))
    if text.lstrip()[:1] == "{":
        return read_api_answer(text, Path(source).name, names)
    return _since_start(parse_exposition(text, Path(source).name, written), names)


def _file_text(path: Path) -> tuple[str, float]:
    """The text of a file, and when it was written (seconds since the epoch)."""
    try:
        facts = path.stat()
        if facts.st_size > _MOST_BYTES:
            raise MeasurementError(f"{path}: larger than 64 MiB, which no metrics page is")
        return path.read_text("utf-8"), facts.st_mtime
    except OSError as error:
        raise MeasurementError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise MeasurementError(f"{path}: not UTF-8 text") from error


def parse_exposition(text: str, source: str, at: float) -> Snapshot:
    """The samples of exposition text. Raises `MeasurementError` where it is none."""
    from prometheus_client.parser import text_string_to_metric_families  # only those who measure pay for it

    samples: dict[str, dict[Labels, float]] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if math.isfinite(sample.value):
                    samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = float(sample.value)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise MeasurementError(f"{source}: not Prometheus exposition text ({error})") from error
    if not samples:
        raise MeasurementError(f"{source}: no Prometheus metrics in it")
    return Snapshot(samples, at, source)


def _since_start(snapshot: Snapshot, names: Names) -> Measured:
    """Means over the life of the process: its counters through the time since it started."""
    started = snapshot.largest(names.start_time)
    age = snapshot.at - started if started is not None else None
    if age is not None and age <= 0:
        age = None  # the file is older than the process it speaks of: its age says nothing
    return _figures(snapshot, None, age, names, f"measured, {snapshot.source}, mean since the process started")


def between(before: Snapshot, after: Snapshot, names: Names) -> Measured:
    """Rates over the time between two snapshots of the same exporter."""
    return _figures(after, before, after.at - before.at, names, f"measured, {after.source}, two readings")


def _figures(now: Snapshot, before: Snapshot | None, seconds: float | None, names: Names, source: str) -> Measured:
    def rate(wanted: Iterable[str]) -> float | None:
        wanted = tuple(wanted)
        current = now.total(wanted)
        if current is None or not seconds:
            return None
        return max(current - ((before.total(wanted) or 0.0) if before else 0.0), 0.0) / seconds

    cpu, requests = rate(names.cpu_seconds), rate(names.requests)
    mean, p95 = _latency(now, before, names)
    queue = now.total((*names.queues, *(name for name in now.samples if names.queue_pattern.search(name))))
    earlier = before.total(names.queues) if before else None
    memory = now.largest(names.memory_bytes)
    measured = Measured(
        rate=None if requests is None else Figure(requests, "requests/s", source),
        latency=None if mean is None else Figure(mean, "s", source),
        p95=None if p95 is None else Figure(p95, "s", source),
        cpu=None if cpu is None else Figure(cpu, "share", source),
        memory=None if memory is None else Figure(memory, "bytes", source),
        thread_queue=None if queue is None else Figure(queue, "", source),
        queue_growing=queue is not None and earlier is not None and queue > earlier,
    )
    if measured == Measured():
        raise MeasurementError(f"{now.source}: no metric in it that says anything of load, latency, CPU or memory")
    return measured


def _latency(now: Snapshot, before: Snapshot | None, names: Names) -> tuple[float | None, float | None]:
    """Mean and 95th percentile (s) of the first histogram that is there; linear within a bucket, as Prometheus does."""
    for name, scale in names.latency.items():
        count = _grown(now, before, f"{name}_count")
        if not count:
            continue
        total = _grown(now, before, f"{name}_sum")
        mean = None if total is None else total / count / scale
        return mean, _quantile(now, before, f"{name}_bucket", scale)
    return None, None


def _grown(now: Snapshot, before: Snapshot | None, name: str) -> float | None:
    current = now.total([name])
    return None if current is None else current - ((before.total([name]) or 0.0) if before else 0.0)


def _quantile(now: Snapshot, before: Snapshot | None, name: str, scale: float, share: float = 0.95) -> float | None:
    buckets: dict[float, float] = {}
    for snapshot, sign in ((now, 1.0), (before, -1.0)):
        for labels, value in (snapshot.samples.get(name, {}) if snapshot else {}).items():
            limit = float(dict(labels).get("le", "nan").replace("+Inf", "inf"))
            if not math.isnan(limit):
                buckets[limit] = buckets.get(limit, 0.0) + sign * value
    total = buckets.get(math.inf, 0.0)
    if total <= 0:
        return None
    lower, below = 0.0, 0.0
    for limit in sorted(buckets):
        if buckets[limit] >= share * total:
            if math.isinf(limit):
                return lower / scale
            inside = buckets[limit] - below
            return (lower + (limit - lower) * ((share * total - below) / inside if inside else 1.0)) / scale
        lower, below = limit, buckets[limit]
    return None


# --- over HTTP ---------------------------------------------------------------------------------------------------


def _from_url(url: str, names: Names) -> Measured:
    """An exporter's page is read twice; a Prometheus server is asked for rates."""
    text = _get(url)
    if text.lstrip()[:1] == "{":
        return read_api_answer(text, url, names)
    if "/api/v1" in url or not _looks_exposed(text):
        return _from_server(url, names)
    first = parse_exposition(text, url, time.time())
    time.sleep(_BETWEEN_SCRAPES)
    second = parse_exposition(_get(url), url, time.time())
    return between(first, second, names)


def _looks_exposed(text: str) -> bool:
    return any(
        line.startswith(("# HELP", "# TYPE")) or re.match(r"[a-zA-Z_:][\w:]*[{ ]", line)
        for line in text.splitlines()[:50]
        if line.strip() and not line.lstrip().startswith("<")
    )


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:  # the schemes are http and https only
            body: bytes = answer.read(_MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise MeasurementError(f"{url}: {reason}") from error
    return body.decode("utf-8", "replace")


def _from_server(url: str, names: Names) -> Measured:
    """Rates over the last five minutes, from a Prometheus server's HTTP API."""
    base = url.split("/api/v1")[0].rstrip("/")
    source = f"measured, {base}, last {_WINDOW}"

    def ask(query: str) -> float | None:
        address = f"{base}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        return _api_value(_get(address), address)

    def first(queries: Iterable[str]) -> float | None:
        return next((value for query in queries if (value := ask(query)) is not None), None)

    requests = first(f"sum(rate({name}[{_WINDOW}]))" for name in names.requests if name.endswith(("total", "counter")))
    cpu = first(f"max(rate({name}[{_WINDOW}]))" for name in names.cpu_seconds[:1])
    memory = first(f"max({name})" for name in names.memory_bytes)
    queue = first(f"sum({name})" for name in names.queues)
    workers = first(f"count({name})" for name in names.start_time)
    mean = p95 = None
    for name, scale in names.latency.items():
        mean = ask(f"sum(rate({name}_sum[{_WINDOW}])) / sum(rate({name}_count[{_WINDOW}])) / {scale}")
        if mean is not None:
            p95 = ask(f"histogram_quantile(0.95, sum by (le) (rate({name}_bucket[{_WINDOW}]))) / {scale}")
            break
    measured = Measured(
        rate=None if requests is None else Figure(requests, "requests/s", source),
        latency=None if mean is None else Figure(mean, "s", source),
        p95=None if p95 is None else Figure(p95, "s", source),
        cpu=None if cpu is None else Figure(cpu, "share", source),
        memory=None if memory is None else Figure(memory, "bytes", source),
        workers=None if workers is None else Figure(workers, "", source),
        thread_queue=None if queue is None else Figure(queue, "", source),
    )
    if measured == Measured():
        raise MeasurementError(f"{base}: this Prometheus server knows none of the usual metrics of FastAPI exporters")
    return measured


def read_api_answer(text: str, source: str, names: Names) -> Measured:
    """A stored answer of the HTTP API to an instant query, as `curl` saves it."""
    samples: dict[str, dict[Labels, float]] = {}
    at = 0.0
    for metric, (moment, value) in _api_rows(text, source):
        name = metric.pop("__name__", "")
        samples.setdefault(name, {})[frozenset(metric.items())] = value
        at = max(at, moment)
    return _since_start(Snapshot(samples, at, source), names)


def _api_value(text: str, source: str) -> float | None:
    rows = _api_rows(text, source)
    return rows[0][1][1] if rows and math.isfinite(rows[0][1][1]) else None


def _api_rows(text: str, source: str) -> list[tuple[dict[str, str], tuple[float, float]]]:
    try:
        answer: Any = json.loads(text)
        if answer["status"] != "success":
            raise MeasurementError(f"{source}: Prometheus refuses: {answer.get('error', 'no reason given')}")
        return [
            (dict(row["metric"]), (float(row["value"][0]), float(row["value"][1]))) for row in answer["data"]["result"]
        ]
    except MeasurementError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise MeasurementError(f"{source}: no answer of Prometheus' HTTP API") from error
