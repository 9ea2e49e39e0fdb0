"""The commands about deployment: `host`, `config` and `advise`. Flags in, text out; sizes and reads nothing itself.

What the commands need is imported inside them: `fastlint check` must not pay for it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from fastlint.cli.terminal import COLOR, CORES, MEMORY, ROWS, TARGET, Exit, coloured
from fastlint.config import Amount, Config, find_config, read_config
from fastlint.report.model import CheckRequest
from fastlint.report.style import Style
from fastlint.rulebook.where import rules_folder
from fastlint.streams import tell, write

if TYPE_CHECKING:
    from fastlint.advise.advice import Advice
    from fastlint.advise.measured import Measured


@click.command("host")
@ROWS
def host_command(output_format: str) -> int:
    """Show the cores and the memory of this machine, and where each figure comes from."""
    from fastlint.machine import read_machine
    from fastlint.report.host import show_machine, show_machine_json

    machine = read_machine()
    write(show_machine_json(machine) if output_format == "json" else show_machine(machine), sys.stdout)
    return Exit.CLEAN


@click.command("config")
@click.argument("path", default=".")
@ROWS
@COLOR
def config_command(path: str, output_format: str, color: str) -> int:
    """Show how each service of the project is started: every setting, its value, who said it, who was overruled."""
    from fastlint.engine import examine
    from fastlint.report.plans import show_plans, show_plans_json

    plans = examine(CheckRequest((path,), _project_settings(path))).project.plans
    text = show_plans_json(plans) if output_format == "json" else show_plans(plans, Style(coloured(color)))
    write(text, sys.stdout)
    return Exit.CLEAN


def _project_settings(path: str) -> Config:
    file = find_config(path)
    return read_config(file) if file else Config()


def _positive(_context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """A callback that reads a number above zero."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise click.UsageError(f"{parameter.opts[-1]}: {value!r} is no number above zero")
    return number


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """A callback that reads a time: `0.2`, `0.2s` or `200ms`."""
    text = (value or "").strip().lower()
    if text.endswith("ms"):
        milliseconds = _positive(context, parameter, text[:-2])
        return None if milliseconds is None else milliseconds / 1000
    return _positive(context, parameter, text.removesuffix("s") if value is not None else None)


def _share(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """A callback that reads a share of one core: `0.4` or `40%`."""
    text = (value or "").strip()
    percent = _positive(context, parameter, text.removesuffix("%") if value is not None else None)
    share = percent / 100 if percent is not None and text.endswith("%") else percent
    if share is not None and share > 1.2:  # a process is seen slightly above its core at times
        raise click.UsageError(f"{parameter.opts[-1]}: {value!r} is more than the one core that an event loop can use")
    return None if share is None else min(share, 1.0)


@click.command("advise")
@click.argument("path", default=".")
@click.option("--service", metavar="NAME", help="The service to advise, if there are several.")
@click.option("--rate", callback=_positive, metavar="N", help="Requests/s that the service shall serve.")
@click.option("--rate-per-worker", callback=_positive, metavar="N", help="Requests/s that one worker served at most.")
@click.option("--latency", callback=_seconds, metavar="TIME", help="Mean response time: 0.2, 0.2s or 200ms.")
@click.option("--locust", "locust_file", metavar="FILE", help="What `locust --csv` (the …_stats.csv) or --json wrote.")
@click.option("--worker-cpu", callback=_share, metavar="SHARE", help="Share of a core it used then: 0.4 or 40%.")
@click.option("--measured-workers", callback=_positive, metavar="N", help="Workers that served during the measurement.")
@click.option("--prometheus", metavar="FILE|URL", help="Metrics: exposition text, an exporter, or a Prometheus server.")
@CORES
@MEMORY
@TARGET
@click.option("--output-format", type=click.Choice(["text", "json", "html"]), default="text", show_default=True)
@click.option("--emit", "kind", metavar="KIND", help="Write a file instead: gunicorn, uvicorn, docker, compose, …")
@click.option("--app", metavar="MODULE:NAME", help="The application, if no file of the project names it.")
@click.option("-o", "--output", metavar="FILE", help="Where to write instead of stdout.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@COLOR
def advise_command(
    path: str,
    service: str | None,
    rate: float | None,
    rate_per_worker: float | None,
    latency: float | None,
    locust_file: str | None,
    worker_cpu: float | None,
    measured_workers: float | None,
    prometheus: str | None,
    cores: Amount | None,
    memory: Amount | None,
    target: str | None,
    output_format: str,
    kind: str | None,
    app: str | None,
    output: str | None,
    force: bool,
    color: str,
) -> int:
    """Advise workers, threads, pools and limits for the project around PATH, with the arithmetic."""
    from fastlint.advise.assemble import advise
    from fastlint.advise.emit import emit
    from fastlint.advise.emit import write as write_file
    from fastlint.advise.figures import Figure
    from fastlint.advise.situation import chosen_plan, read_situation
    from fastlint.advise.workload import load_assumptions
    from fastlint.engine import examine

    measured = _measurements(rate_per_worker, latency, locust_file, worker_cpu, measured_workers, prometheus)
    settings = _project_settings(path)
    wanted = settings.target._replace(
        cores=cores or settings.target.cores,
        memory=memory or settings.target.memory,
        host=target == "host" or settings.target.host,
    )
    examination = examine(CheckRequest((path,), settings._replace(target=wanted)))
    project = examination.project
    goal = None if rate is None else Figure(rate, "requests/s", "--rate")
    plan = chosen_plan(project.plans, service)
    assumptions = load_assumptions(rules_folder())
    situation = read_situation(project, examination.findings, examination.line, assumptions, plan, measured, goal)
    if kind == "kubernetes":
        situation = replace(situation, orchestrated=True)
    advice = advise(situation)
    if kind is not None:
        named = app or (plan.app if plan is not None and isinstance(plan.app, str) else None)
        if named is None:
            raise click.UsageError("no file of the project names the application: say it with --app MODULE:NAME")
        text = emit(advice, kind, named)
    else:
        text = _told(advice, output_format, color, output is not None)
    if output is None:
        write(text, sys.stdout)
    else:
        from pathlib import Path

        write_file(Path(output), text, force)
        tell(f"wrote {output}")
    return Exit.CLEAN


def _told(advice: Advice, output_format: str, color: str, to_file: bool) -> str:
    from fastlint.report.advice import advice_json, advice_text
    from fastlint.report.advice_html import advice_html

    if output_format == "json":
        return advice_json(advice)
    return advice_html(advice) if output_format == "html" else advice_text(advice, Style(coloured(color, to_file)))


def _measurements(
    rate_per_worker: float | None,
    latency: float | None,
    locust_file: str | None,
    worker_cpu: float | None,
    measured_workers: float | None,
    prometheus: str | None,
) -> Measured:
    """Everything measured: what is said on the command line overrules what a file says."""
    from fastlint.advise.figures import Figure
    from fastlint.advise.locust import read_locust
    from fastlint.advise.measured import Measured
    from fastlint.advise.prometheus import load_names, read_prometheus

    measured = Measured(
        rate_per_worker=None if rate_per_worker is None else Figure(rate_per_worker, "requests/s", "--rate-per-worker"),
        latency=None if latency is None else Figure(latency, "s", "--latency"),
        cpu=None if worker_cpu is None else Figure(worker_cpu, "share", "--worker-cpu"),
        workers=None if measured_workers is None else Figure(measured_workers, "", "--measured-workers"),
    )
    if locust_file is not None:
        from pathlib import Path

        measured = measured.over(read_locust(Path(locust_file)))
    if prometheus is not None:
        measured = measured.over(read_prometheus(prometheus, load_names(rules_folder())))
    return measured
