"""Advice for people and for machines: a table with its arithmetic, and versioned JSON. Sizes and prints nothing."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any

from fastlint.advise.advice import Advice, Row
from fastlint.advise.figures import Figure, written
from fastlint.advise.prediction import memory_needed
from fastlint.report.style import Style
from fastlint.report.text import paint

_BOLD, _FAINT, _YELLOW = "1", "2", "33"
_WHY_WIDTH = 76


def advice_text(advice: Advice, style: Style) -> str:
    """The table (now, advised, why), what caps throughput, and what to change first."""
    lines = [*_heading(advice, style), "", *_table(advice.rows, style)]
    if advice.ceilings:
        lines += ["", paint("What caps throughput whatever the worker count", _BOLD, style)]
        lines += _bullets(advice.ceilings)
    if advice.model is not None:
        lines += ["", paint("Predicted", _BOLD, style), *_prediction(advice)]
    if advice.first:
        lines += ["", paint("What to change first", _BOLD, style)]
        lines += [f"  {number}. {_hung(text, 5)}" for number, text in enumerate(advice.first, 1)]
    assumed = assumptions(advice)
    if assumed:
        lines += ["", paint(f"Assumed, not measured: {'; '.join(assumed)}", _FAINT, style)]
    return "\n".join(lines) + "\n"


def _heading(advice: Advice, style: Style) -> list[str]:
    situation = advice.situation
    workload = situation.workload
    target = f"{situation.cores} ({situation.cores.source})"
    if situation.memory is not None:
        target += f", {situation.memory} ({situation.memory.source})"
    name = situation.plan.name if situation.plan is not None else "the application"
    lines = [paint(f"Advice for {name} on {target}", _BOLD, style)]
    if workload.routes:
        lines.append(
            f"{_counted(len(workload.routes), 'route')}: {workload.on_loop} on the event loop, {workload.in_pool} in "
            f"the thread pool; calls that hold the loop: {len(workload.stalls)}, that compute: {workload.cpu_sites}"
        )
    return lines


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _table(rows: Iterable[Row], style: Style) -> list[str]:
    rows = list(rows)
    wide = max(len(row.setting) for row in rows)
    now = max(3, *(len(row.now) for row in rows))
    advised = max(7, *(len(row.advised) for row in rows))
    lines = [f"{'setting':<{wide}}  {'now':>{now}}  {'advised':>{advised}}  why"]
    for row in rows:
        why = textwrap.wrap(row.why, _WHY_WIDTH) or [""]
        shown = f"{row.advised:>{advised}}"
        shown = paint(shown, _YELLOW, style) if row.changed else shown
        lines.append(f"{row.setting:<{wide}}  {row.now:>{now}}  {shown}  {why[0]}")
        lines += [" " * (wide + now + advised + 6) + more for more in why[1:]]
    return lines


def _prediction(advice: Advice) -> list[str]:
    model = advice.model
    assert model is not None
    lines = []
    for workers in range(1, max(advice.workers * advice.replicas, model.best()) + 2):
        memory = written(memory_needed(workers, advice.worker_memory.value, 0), "bytes")
        rate = written(model.throughput(workers), "requests/s")
        lines.append(f"  {workers:>3} {'worker ' if workers == 1 else 'workers'}: {rate:>16}, {memory}")
    return lines


def _bullets(texts: Iterable[str]) -> list[str]:
    return [f"  - {_hung(text, 4)}" for text in texts]


def _hung(text: str, indent: int) -> str:
    return ("\n" + " " * indent).join(textwrap.wrap(text, 100) or [""])


def assumptions(advice: Advice) -> list[str]:
    """Every figure that went in and that nobody measured or declared."""
    found: dict[str, None] = {}
    for row in advice.rows:
        for figure in row.inputs:
            if figure.assumed:
                found[f"{figure} ({figure.source})"] = None
    return list(found)


def advice_json(advice: Advice) -> str:
    """The advice as versioned JSON (docs/json.md): values with their units, formulas and sources."""
    situation = advice.situation
    model = advice.model
    content: dict[str, Any] = {
        "version": 1,
        "service": situation.plan.name if situation.plan is not None else None,
        "target": {"cores": _figure(situation.cores), "memory": _figure(situation.memory)},
        "goal": _figure(situation.goal),
        "routes": {"loop": situation.workload.on_loop, "pool": situation.workload.in_pool},
        "workers": advice.workers,
        "replicas": advice.replicas,
        "worker_memory": _figure(advice.worker_memory),
        "settings": [
            {
                "setting": row.setting,
                "now": None if row.now == "-" else row.now,
                "advised": row.advised,
                "value": row.value,
                "changed": row.changed,
                "why": row.why,
                "inputs": [_figure(figure) for figure in row.inputs],
            }
            for row in advice.rows
        ],
        "prediction": None
        if model is None
        else {
            "rate_per_worker": model.rate,
            "core_share": model.share,
            "best_workers": model.best(),
            "throughput": [
                {"workers": workers, "rate": model.throughput(workers)} for workers in range(1, 2 * model.best() + 1)
            ],
            "threads": None
            if model.tokens is None
            else [
                {"tokens": tokens, "rate": model.with_tokens(tokens).rate}
                for tokens in (model.tokens // 4, model.tokens // 2, model.tokens, 2 * model.tokens, 4 * model.tokens)
            ],
        },
        "ceilings": list(advice.ceilings),
        "first": list(advice.first),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {"value": figure.value, "unit": figure.unit, "source": figure.source, "assumed": figure.assumed}
