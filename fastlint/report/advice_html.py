"""Advice as one HTML page with pictures: throughput and memory against the worker count, limits drawn in.

Self-contained: no script, no style sheet and no picture is loaded from anywhere. Sizes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from fastlint.advise.advice import Advice, Row
from fastlint.advise.figures import written
from fastlint.advise.prediction import memory_needed
from fastlint.report.advice import assumptions

_WIDTH, _HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 18, 40

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --soft: #667085; --line: #d0d5dd; --main: #1570ef;
  --warn: #b54708; --good: #067647; --band: #f2f4f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --paper: #12161c; --soft: #98a2b3; --line: #344054;
  --main: #53b1fd; --warn: #fdb022; --good: #47cd89; --band: #1d232c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p.sub, figcaption, small { color: var(--soft); }
table { border-collapse: collapse; width: 100%; } th { text-align: left; color: var(--soft); font-weight: 500; }
td, th { padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; text-align: right; }
tr.changed td.advised { color: var(--warn); font-weight: 600; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0; flex: 1 1 26rem; }
svg { width: 100%; height: auto; background: var(--band); border-radius: 6px; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); } svg .axis { stroke: var(--line); }
svg .curve { fill: none; stroke: var(--main); stroke-width: 2.5; }
svg .limit { stroke: var(--warn); stroke-dasharray: 5 4; }
svg .limit-text { fill: var(--warn); } svg .advised { fill: var(--good); } svg .now { fill: var(--warn); }
li { margin: .3rem 0; }
"""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A point on a curve that has a name."""

    workers: int
    text: str
    kind: str  # "advised" or "now"


@dataclass(frozen=True, slots=True)
class _Picture:
    """One curve over the worker count, with limits as horizontal lines."""

    title: str
    unit: str
    points: tuple[tuple[int, float], ...]
    limits: tuple[tuple[float, str], ...]
    marks: tuple[_Mark, ...]

    @property
    def top(self) -> float:
        """The largest value that is to be seen."""
        return max([value for _, value in self.points] + [value for value, _ in self.limits]) * 1.15 or 1.0

    def x(self, workers: float) -> float:
        """Where a worker count stands."""
        first, last = self.points[0][0], self.points[-1][0]
        return _LEFT + (workers - first) / max(last - first, 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Where a value stands."""
        return _HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM)


def advice_html(advice: Advice) -> str:
    """The page."""
    situation = advice.situation
    name = situation.plan.name if situation.plan is not None else "the application"
    memory = f", {situation.memory}" if situation.memory is not None else ""
    pictures = "".join(_drawn(picture) for picture in _pictures(advice))
    parts = [
        f"<h1>Advice for {escape(name)}</h1>",
        f'<p class="sub">{escape(str(situation.cores))}{escape(memory)} ({escape(situation.cores.source)})</p>',
        f'<div class="pictures">{pictures}</div>',
        "<h2>Settings</h2>",
        _table(advice.rows),
        _section("What caps throughput whatever the worker count", advice.ceilings, "ul"),
        _section("What to change first", advice.first, "ol"),
        _section("Assumed, not measured", assumptions(advice), "ul"),
    ]
    head = f'<meta charset="utf-8"><title>Advice for {escape(name)}</title><style>{_STYLE}</style>'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    body = "\n".join(part for part in parts if part)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _section(title: str, texts: tuple[str, ...] | list[str], kind: str) -> str:
    if not texts:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<h2>{escape(title)}</h2><{kind}>{items}</{kind}>"


def _table(rows: tuple[Row, ...]) -> str:
    body = "".join(
        f'<tr class="{"changed" if row.changed else ""}"><td>{escape(row.setting)}</td>'
        f'<td class="number">{escape(row.now)}</td><td class="number advised">{escape(row.advised)}</td>'
        f"<td>{escape(row.why)}</td></tr>"
        for row in rows
    )
    return f"<table><thead><tr><th>setting</th><th>now</th><th>advised</th><th>why</th></tr></thead>{body}</table>"


def _pictures(advice: Advice) -> list[_Picture]:
    total = advice.workers * advice.replicas
    now = advice.situation.number("workers")
    last = max(total * 2, int(now or 0) + 1, advice.model.best() + 2 if advice.model is not None else 0, 4)
    counts = range(1, min(last, 64) + 1)
    marks = [_Mark(total, f"advised: {total}", "advised")]
    if now is not None and 1 <= now <= counts[-1] and int(now) != total:
        marks.append(_Mark(int(now), f"now: {int(now)}", "now"))
    pictures = []
    if advice.model is not None:
        model, goal = advice.model, advice.situation.goal
        limits = [(model.rate * model.most_useful, "all cores used")]
        if goal is not None:
            limits.append((goal.value, f"goal: {goal}"))
        points = tuple((count, model.throughput(count)) for count in counts)
        pictures.append(_Picture("Throughput", "requests/s", points, tuple(limits), tuple(marks)))
    parent = advice.situation.assumptions.parent_memory
    held = tuple((count, memory_needed(count, advice.worker_memory.value, parent)) for count in counts)
    memory = advice.situation.memory
    bound = ((memory.value, f"limit: {memory}"),) if memory is not None else ()
    pictures.append(_Picture("Memory", "bytes", held, bound, tuple(marks)))
    return pictures


def _drawn(picture: _Picture) -> str:
    line = " ".join(f"{picture.x(count):.1f},{picture.y(value):.1f}" for count, value in picture.points)
    parts = [*_axes(picture), *_limit_lines(picture), f'<polyline class="curve" points="{line}"/>', *_marks(picture)]
    label = f"{picture.title} against the number of workers"
    svg = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f"<figure>{svg}<figcaption>{label}</figcaption></figure>"


def _axes(picture: _Picture) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    out = [f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>']
    for part in range(5):
        value = picture.top / 1.15 * part / 4
        y = picture.y(value)
        out.append(f'<line class="axis" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" opacity=".5"/>')
        shown = escape(written(value, picture.unit).removesuffix(" requests/s"))
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
    counts = [count for count, _ in picture.points]
    step = max(1, len(counts) // 10)
    for count in counts[::step]:
        out.append(f'<text x="{picture.x(count):.1f}" y="{bottom + 16}" text-anchor="middle">{count}</text>')
    out.append(f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">workers</text>')
    return out


def _limit_lines(picture: _Picture) -> list[str]:
    out: list[str] = []
    for value, text in picture.limits:
        y = picture.y(value)
        out.append(f'<line class="limit" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        x = _WIDTH - _RIGHT - 4  # at the right: the curves begin at the left, below their limits
        out.append(f'<text class="limit-text" x="{x}" y="{y - 5:.1f}" text-anchor="end">{escape(text)}</text>')
    return out


def _marks(picture: _Picture) -> list[str]:
    values = dict(picture.points)
    out: list[str] = []
    for mark in picture.marks:
        if mark.workers not in values:
            continue
        x, y = picture.x(mark.workers), picture.y(values[mark.workers])
        anchor = "end" if x > _WIDTH / 2 else "start"
        shift = -9 if anchor == "end" else 9
        out.append(f'<circle class="{mark.kind}" cx="{x:.1f}" cy="{y:.1f}" r="5.5"/>')
        out.append(f'<text x="{x + shift:.1f}" y="{y + 16:.1f}" text-anchor="{anchor}">{escape(mark.text)}</text>')
    return out
