"""The checks of FL6 and FL310, each on plans that are built by hand: what they say, where, how bad, and when not."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from deployment import read

from fastlint.checks.deployment import DEPLOYMENT
from fastlint.config import Amount, Config, TargetSettings
from fastlint.deploy.effective import checked
from fastlint.deploy.join import read_plans
from fastlint.deploy.plan import Command, Limits, Problem, Rank, Said, ServerPlan, Setting
from fastlint.deploy.python_entry import PythonFiles
from fastlint.deploy.servers import server
from fastlint.deploy.service import Database, Proxy
from fastlint.deploy.values import Apply, Cores, Counter, Env, Unknown, Value
from fastlint.engine import check
from fastlint.finding import Confidence, Finding, Location, Severity
from fastlint.machine import Counts, Figure, Machine
from fastlint.project import Project
from fastlint.report.model import CheckRequest

UVICORN_WORKER = "uvicorn_worker.UvicornWorker"
NO_PYTHON = PythonFiles(
    (), (), lambda _: None, lambda _: "", lambda _: None, lambda path, _: Location(path), lambda _: ()
)
APP = """
from fastapi import FastAPI

app = FastAPI()
"""
GIB = 1024**3
HERE = Location("Dockerfile", 9)
TWO_N_PLUS_ONE = Apply("add", (Apply("mul", (Cores(Counter.HOST), 2)), 1))

DEFAULTS: dict[str, dict[str, Value]] = {
    "gunicorn": {
        "workers": 1,
        "worker_class": "uvicorn_worker.UvicornWorker",
        "threads": 1,
        "timeout": 30,
        "graceful_timeout": 30,
        "keepalive": 2,
        "max_requests": 0,
        "max_requests_jitter": 0,
        "preload_app": False,
        "reload": False,
        "bind": "0.0.0.0:8000",
        "worker_tmp_dir": "/dev/shm",
    },
    "uvicorn": {
        "workers": None,
        "host": "0.0.0.0",
        "reload": False,
        "limit_concurrency": None,
        "limit_max_requests": None,
        "limit_max_requests_jitter": 0,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": None,
    },
}


def at(line: int, path: str = "gunicorn.conf.py") -> Location:
    return Location(path, line)


def limit(value: Value, line: int = 7) -> Said:
    return Said("limit", value, Rank.COMMAND, "compose limits", Location("compose.yaml", line), str(value))


def plan(server: str = "gunicorn", app: Value = "main:app", **given: Any) -> ServerPlan:
    """A plan with the server's defaults; lower-case keywords that are settings are said in gunicorn.conf.py."""
    fields = {name: given.pop(name) for name in list(given) if name in ServerPlan._fields}
    kind = "gunicorn" if server.startswith("gunicorn") else "uvicorn"
    settings: dict[str, Setting] = {}
    for name, value in DEFAULTS[kind].items():
        settings[name] = Setting(value, Said(name, value, Rank.DEFAULT, "default"))
    for line, (name, value) in enumerate(given.items(), 1):
        settings[name] = Setting(value, Said(name, value, Rank.FILE, "gunicorn.conf.py", at(line), f"{name} = {value}"))
    fields.setdefault("files", ("Dockerfile", "gunicorn.conf.py"))
    return ServerPlan("web", server, app, HERE, {**settings, **fields.pop("settings", {})}, **fields)


def project(folder: Path, *plans: ServerPlan, files: dict[str, str] | None = None, **more: Any) -> Project:
    for path, source in (files or {"main.py": APP}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source, encoding="utf-8")
    made = _analysed(folder)
    made.plans = plans
    cores = more.pop("machine_cores", 2.0)
    figures = Figure("cores", cores, "affinity"), Figure("memory", 8 * GIB, "meminfo")
    made.machine = lambda: Machine(*figures, figures)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def _analysed(folder: Path) -> Project:
    """The project as the engine hands it to the checks."""
    handed: list[Project] = []

    def take(project: Project, _codes: set[str]) -> list[Finding]:
        handed.append(project)
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastlint.checks.run_checks", take)
        check(CheckRequest((str(folder),), Config(root=str(folder))))
    return handed[0]


def found(code: str, made: Project) -> list[Finding]:
    return sorted(finding for finding in DEPLOYMENT[code](made) if finding.code == code)


def one(code: str, made: Project) -> Finding:
    findings = found(code, made)
    assert len(findings) == 1, findings
    return findings[0]


TWO_CORES = Limits(cores=limit(2.0))


class TestWorkers:
    @pytest.mark.parametrize(
        ("workers", "cores", "severity"),
        [
            (4, 2.0, None),
            (5, 2.0, Severity.WARNING),
            (6, 2.0, Severity.ERROR),
            (1, 0.1, None),
            (2, 0.5, Severity.WARNING),
            (3, 0.5, Severity.ERROR),
        ],
    )
    def test_workers_are_held_against_twice_the_cores(
        self, tmp_path: Path, workers: int, cores: float, severity: Severity | None
    ) -> None:
        findings = found("FL601", project(tmp_path, plan(workers=workers, limits=Limits(cores=limit(cores)))))
        assert [finding.severity for finding in findings] == ([severity] if severity else [])
        for finding in findings:
            assert finding.where == at(1)
            assert f"{workers} > 2 x {cores:g}" in finding.message
            assert "compose.yaml:7" in finding.message

    def test_the_machine_at_hand_is_no_ground_for_an_error(self, tmp_path: Path) -> None:
        finding = one("FL601", project(tmp_path, plan(workers=6)))
        assert finding.severity is Severity.WARNING
        assert any("no target is declared" in note for note in finding.notes)

    def test_unless_it_is_declared_to_be_the_target(self, tmp_path: Path) -> None:
        made = project(tmp_path, plan(workers=6), settings=TargetSettings(host=True))
        assert one("FL601", made).severity is Severity.ERROR

    @pytest.mark.parametrize("machine_cores", [2.0, 64.0])
    @pytest.mark.parametrize("workers", [6, TWO_N_PLUS_ONE])
    def test_a_declared_target_decides_on_every_machine(
        self, tmp_path: Path, machine_cores: float, workers: Value
    ) -> None:
        service = plan(workers=workers, limits=Limits(TWO_CORES.cores, limit(256 * 1024**2, 8)), container=True)
        made = project(tmp_path, service, machine_cores=machine_cores)
        said = [(f.code, f.where, f.message, f.severity) for code in DEPLOYMENT for f in found(code, made)]
        codes = {code for code, *_ in said}
        assert codes == ({"FL601", "FL604"} if workers == 6 else {"FL603"})
        again = project(tmp_path, service, machine_cores=4.0)
        assert said == [(f.code, f.where, f.message, f.severity) for code in DEPLOYMENT for f in found(code, again)]

    def test_the_command_line_speaks_of_a_formula_outside_a_container(self, tmp_path: Path) -> None:
        settings = TargetSettings(cores=Amount(2.0, "--cores"))
        finding = one("FL601", project(tmp_path, plan(workers=TWO_N_PLUS_ONE), settings=settings))
        assert finding.severity is Severity.WARNING
        assert "5 > 2 x 2 = 4, on 2 cores (--cores)" in finding.message

    def test_a_count_that_knows_the_limit_is_counted(self, tmp_path: Path) -> None:
        formula = Apply("mul", (Cores(Counter.LIMIT), 4))
        service = plan(workers=formula, limits=TWO_CORES, container=True)
        assert "8 > 2 x 2 + 1 = 5" in one("FL601", project(tmp_path, service)).message
        assert not found("FL603", project(tmp_path, service))

    def test_the_host_is_counted_in_a_container(self, tmp_path: Path) -> None:
        finding = one("FL603", project(tmp_path, plan(workers=TWO_N_PLUS_ONE, limits=TWO_CORES, container=True)))
        assert finding.severity is Severity.ERROR
        assert "33 workers on a host of 16 cores for 2 cores" in finding.message

    def test_without_a_limit_the_whole_host_may_be_meant(self, tmp_path: Path) -> None:
        finding = one("FL603", project(tmp_path, plan(workers=TWO_N_PLUS_ONE, container=True)))
        assert finding.severity is Severity.INFO

    @pytest.mark.parametrize(
        "service",
        [
            plan(workers=TWO_N_PLUS_ONE, limits=TWO_CORES),
            plan(workers=Apply("min", (4, TWO_N_PLUS_ONE)), limits=TWO_CORES, container=True),
            plan(workers=Apply("min", (8, TWO_N_PLUS_ONE)), container=True),
            plan(workers=TWO_N_PLUS_ONE, limits=Limits(cores=limit(Env("CPU_LIMIT"))), container=True),
            plan(workers=Unknown("read from a file"), limits=TWO_CORES, container=True),
            plan(workers=4, limits=TWO_CORES, container=True),
        ],
        ids=["no container", "capped", "capped without limit", "limit by variable", "unknown", "a number"],
    )
    def test_no_core_count_is_blind_here(self, tmp_path: Path, service: ServerPlan) -> None:
        assert not found("FL603", project(tmp_path, service))

    def test_a_variable_that_nobody_sets_makes_it_less_sure(self, tmp_path: Path) -> None:
        value = Apply("if", (Env("WEB_CONCURRENCY"), Apply("int", (Env("WEB_CONCURRENCY"),)), TWO_N_PLUS_ONE))
        finding = one("FL603", project(tmp_path, plan(workers=value, limits=TWO_CORES, container=True)))
        assert finding.confidence is Confidence.MEDIUM
        assert any("`WEB_CONCURRENCY` is set" in note for note in finding.notes)

    def test_memory_that_certainly_does_not_do(self, tmp_path: Path) -> None:
        finding = one("FL604", project(tmp_path, plan(workers=8, limits=Limits(memory=limit(256 * 1024**2)))))
        assert finding.severity is Severity.ERROR
        assert "8 x 50 MiB-200 MiB = 400 MiB-1.562 GiB > 256 MiB" in finding.message
        assert any("rule of thumb" in note for note in finding.notes)

    def test_memory_that_may_not_do_is_advice(self, tmp_path: Path) -> None:
        made = project(tmp_path, plan(workers=4, limits=Limits(memory=limit(512 * 1024**2))))
        assert one("FL604", made).severity is Severity.INFO

    def test_heavy_imports_raise_what_a_worker_needs(self, tmp_path: Path) -> None:
        files = {"main.py": "import pandas\n" + APP}
        made = project(tmp_path, plan(workers=4, limits=Limits(memory=limit(512 * 1024**2))), files=files)
        assert one("FL604", made).severity is Severity.ERROR
        assert any("importing pandas" in note for note in one("FL604", made).notes)

    def test_a_declared_need_replaces_the_rule_of_thumb(self, tmp_path: Path) -> None:
        settings = TargetSettings(memory_per_worker=Amount(100 * 1024**2, "memory-per-worker"))
        limits = Limits(memory=limit(512 * 1024**2))
        assert not found("FL604", project(tmp_path, plan(workers=5, limits=limits), settings=settings))
        assert (
            "6 x 100 MiB = 600 MiB"
            in one("FL604", project(tmp_path, plan(workers=6, limits=limits), settings=settings)).message
        )

    def test_one_worker_on_many_cores(self, tmp_path: Path) -> None:
        service = plan("uvicorn", limits=TWO_CORES)
        assert one("FL602", project(tmp_path, service)).where == HERE
        for quiet in (
            plan("uvicorn"),
            plan("uvicorn", limits=TWO_CORES, orchestrated=True),
            plan("uvicorn", limits=Limits(TWO_CORES.cores, replicas=limit(2))),
            plan("uvicorn", limits=Limits(limit(1.0))),
            plan("uvicorn", limits=TWO_CORES, workers=2),
            plan("uvicorn", limits=TWO_CORES, development=True),
        ):
            assert not found("FL602", project(tmp_path, quiet))

    def test_workers_in_a_pod(self, tmp_path: Path) -> None:
        service = plan(workers=4, orchestrated=True, limits=Limits(replicas=limit(3)))
        assert "3 replicas x 4 workers = 12 processes" in one("FL617", project(tmp_path, service)).message
        assert not found("FL617", project(tmp_path, plan(workers=4)))
        assert not found("FL617", project(tmp_path, plan(workers=1, orchestrated=True)))


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "call"),
        [
            ({"worker_class": "sync"}, "worker_class = sync"),
            ({"worker_class": "gevent"}, "worker_class = gevent"),
            ({"worker_class": "egg:gunicorn#gthread"}, "worker_class = egg:gunicorn#gthread"),
        ],
    )
    def test_wsgi_workers_fail_on_an_asgi_application(
        self, tmp_path: Path, settings: dict[str, Any], call: str
    ) -> None:
        assert call in one("FL605", project(tmp_path, plan(**settings))).message

    def test_the_default_class_is_one_of_them(self, tmp_path: Path) -> None:
        default = {"worker_class": Setting("sync", Said("worker_class", "sync", Rank.DEFAULT, "default"))}
        finding = one("FL605", project(tmp_path, plan(settings=default)))
        assert finding.where == HERE

    @pytest.mark.parametrize(
        "service",
        [
            plan(worker_class="uvicorn_worker.UvicornWorker"),
            plan(worker_class="asgi"),
            plan(worker_class="conf.MyWorker"),
            plan(worker_class=Unknown("read from settings")),
            plan(app=None, worker_class="sync"),
            plan(app="wsgi:application", worker_class="sync"),
        ],
    )
    def test_other_classes_and_other_applications_stay_quiet(self, tmp_path: Path, service: ServerPlan) -> None:
        assert not found("FL605", project(tmp_path, service))

    def test_a_subclass_and_a_factory_are_applications(self, tmp_path: Path) -> None:
        source = (
            "from fastapi import FastAPI\nclass Api(FastAPI): ...\napi = Api()\ndef make():\n    return FastAPI()\n"
        )
        for target in ("main:api", "main:make()"):
            assert one("FL605", project(tmp_path, plan(app=target, worker_class="sync"), files={"main.py": source}))

    def test_the_deprecated_class_and_its_successor(self, tmp_path: Path) -> None:
        finding = one("FL606", project(tmp_path, plan(worker_class="uvicorn.workers.UvicornH11Worker")))
        assert "`uvicorn_worker.UvicornH11Worker`" in finding.remedy
        assert not found("FL606", project(tmp_path, plan()))

    def test_reload_where_it_is_deployed(self, tmp_path: Path) -> None:
        assert one("FL607", project(tmp_path, plan("uvicorn", reload=True))).where == at(1)
        by_hand = Command("uvicorn", HERE, "Makefile", "main:app")
        for quiet in (
            plan("uvicorn", reload=True, development=True),
            plan("uvicorn", reload=Env("RELOAD")),
            plan("uvicorn", reload=True, command=by_hand),
            plan("uvicorn.run", reload=True, files=("main.py",)),
        ):
            assert not found("FL607", project(tmp_path, quiet))

    def test_reload_switches_workers_off_everywhere(self, tmp_path: Path) -> None:
        finding = one("FL607", project(tmp_path, plan("uvicorn", reload=True, workers=4, development=True)))
        assert "4 workers are asked for, one process runs" in finding.message

    def test_an_object_with_workers(self, tmp_path: Path) -> None:
        here = Location("main.py", 6)
        source = "import uvicorn\n" + APP.strip() + "\nif __name__ == '__main__':\n    uvicorn.run(app)\n"
        files = {"main.py": source}
        command = Command("uvicorn.run", here, "Python", Unknown("an object"))
        by_keyword = {"workers": Setting(4, Said("workers", 4, Rank.COMMAND, "uvicorn.run", here, "workers=4"))}
        by_variable = {"workers": Setting(2, Said("WEB_CONCURRENCY", 2, Rank.ENVIRONMENT_DEFAULT, "compose", at(3)))}
        thing = Unknown("an object")

        def made(app: Value, settings: dict[str, Setting]) -> Project:
            service = plan("uvicorn.run", app, settings=settings, command=command)
            return project(tmp_path, service, files=files)

        assert one("FL608", made(thing, by_keyword)).where == here
        assert not found("FL626", made(thing, by_keyword))
        assert one("FL626", made(thing, by_variable)).where == at(3)
        assert not found("FL608", made(thing, by_variable))
        assert not found("FL608", made("main:app", by_keyword))
        files["main.py"] = source.replace("uvicorn.run(app)", "uvicorn.run(settings.app)")
        assert not found("FL608", made(thing, by_keyword))

    @pytest.mark.parametrize(
        ("service", "name"),
        [
            (plan(threads=4), "threads"),
            (plan(worker_connections=1000), "worker_connections"),
            (plan(limit_request_line=100), "limit_request_line"),
            (plan(reload=True), "reload"),
            (plan(worker_class="asgi", backlog=2048), "backlog"),
            (plan(worker_class="asgi", threads=2), "threads"),
            (plan(max_requests_jitter=50), "max_requests_jitter"),
            (plan("uvicorn", limit_max_requests_jitter=50), "limit_max_requests_jitter"),
        ],
    )
    def test_what_is_ignored(self, tmp_path: Path, service: ServerPlan, name: str) -> None:
        assert name in one("FL609", project(tmp_path, service)).message

    @pytest.mark.parametrize(
        "service",
        [
            plan(threads=1),
            plan(backlog=2048),
            plan(worker_class="gthread", threads=4),
            plan(worker_class=Unknown("?"), threads=4),
            plan(max_requests=500, max_requests_jitter=50),
            plan(reload=False),
        ],
    )
    def test_what_has_an_effect_or_is_not_known(self, tmp_path: Path, service: ServerPlan) -> None:
        assert not found("FL609", project(tmp_path, service))

    def test_recycling_together(self, tmp_path: Path) -> None:
        finding = one("FL610", project(tmp_path, plan(max_requests=1000, workers=4)))
        assert "all 4 workers after 1000 requests each" in finding.message
        assert "`max_requests_jitter = 100`" in finding.remedy
        assert found("FL610", project(tmp_path, plan(max_requests=1000, workers=TWO_N_PLUS_ONE)))
        for quiet in (
            plan(max_requests=1000, workers=1),
            plan(max_requests=1000, max_requests_jitter=5, workers=4),
            plan(max_requests=0, workers=4),
            plan(max_requests=1000, workers=4, development=True),
            plan(max_requests=1000, workers=4, command=Command("gunicorn", HERE, "Makefile", "main:app")),
            plan(max_requests=1000, max_requests_jitter=Env("JITTER"), workers=4),
        ):
            assert not found("FL610", project(tmp_path, quiet))

    @pytest.mark.parametrize(
        ("service", "count"),
        [
            (plan(timeout=0), 1),
            (plan(timeout=600), 1),
            (plan(timeout=599), 0),
            (plan(timeout=Env("TIMEOUT", 0)), 0),
            (plan(timeout=30, graceful_timeout=120, max_requests=1000, worker_class=UVICORN_WORKER), 1),
            (plan(timeout=30, graceful_timeout=120, max_requests=1000, worker_class="asgi"), 1),
            (plan(timeout=30, graceful_timeout=120, max_requests=1000, worker_class="gthread"), 0),
            (plan(timeout=30, graceful_timeout=120, worker_class=UVICORN_WORKER), 0),
            (plan(graceful_timeout=120, max_requests=1000, worker_class=UVICORN_WORKER), 0),
            (plan(timeout=120, graceful_timeout=120, max_requests=1000, worker_class=UVICORN_WORKER), 0),
            (plan("uvicorn", timeout_keep_alive=0), 1),
            (plan("uvicorn", timeout_keep_alive=75), 0),
        ],
    )
    def test_timeouts(self, tmp_path: Path, service: ServerPlan, count: int) -> None:
        assert len(found("FL611", project(tmp_path, service))) == count

    @pytest.mark.parametrize(
        ("kind", "code"), [("unknown-setting", "FL614"), ("invalid-value", "FL615"), ("never-serves", "FL626")]
    )
    def test_what_the_readers_could_not_accept(self, tmp_path: Path, kind: str, code: str) -> None:
        problem = Problem(kind, "worker", "the server does not know it", at(4), "workers")
        command = Command("gunicorn", HERE, "Dockerfile CMD", "main:app", problems=(problem,))
        made = project(tmp_path, plan(problems=(problem,), command=command))
        assert one(code, made).where == at(4)
        assert [c for c in ("FL614", "FL615", "FL626") if found(c, made)] == [code]

    def test_a_variable_that_nothing_expands_is_no_value(self, tmp_path: Path) -> None:
        problem = Problem("invalid-value", "port", "'$PORT' is not a whole number", at(4))
        made = project(tmp_path, plan("uvicorn", problems=(problem,)))
        assert one("FL626", made).where == at(4)
        assert not found("FL615", made)

    def test_the_nearest_name_is_the_remedy(self, tmp_path: Path) -> None:
        near = Problem("unknown-setting", "worker", "unknown", at(4), "workers")
        far = Problem("unknown-setting", "zzz", "unknown", at(5))
        first, second = found("FL614", project(tmp_path, plan(problems=(near, far))))
        assert "`workers`" in first.remedy
        assert second.remedy
        assert "``" not in second.remedy

    def test_sources_that_disagree(self, tmp_path: Path) -> None:
        flag = Said("workers", 4, Rank.COMMAND, "Dockerfile CMD", HERE, "-w 4")
        in_file = Said("workers", 2, Rank.FILE, "gunicorn.conf.py", at(3), "workers = 2")
        same = Said("workers", 4, Rank.FILE, "gunicorn.conf.py", at(3), "workers = 4")
        variable = Said("workers", Env("N"), Rank.FILE, "gunicorn.conf.py", at(3), "workers = N")
        default = Said("workers", 1, Rank.DEFAULT, "default")
        finding = one("FL616", project(tmp_path, plan(settings={"workers": Setting(4, flag, (in_file,))})))
        assert finding.where == at(3)
        assert "`workers = 2`" in finding.message
        assert "4" in finding.message
        port = Said("bind", "0.0.0.0:80", Rank.ENVIRONMENT_DEFAULT, "systemd Environment", at(3), "PORT=80")
        bound = Setting("unix:/run/x", Said("bind", "unix:/run/x", Rank.COMMAND, "systemd", HERE, "--bind"), (port,))
        assert not found("FL616", project(tmp_path, plan(settings={"bind": bound})))
        for loser in (same, variable, default):
            assert not found("FL616", project(tmp_path, plan(settings={"workers": Setting(4, flag, (loser,))})))

    def test_heartbeats_on_a_disk(self, tmp_path: Path) -> None:
        unset = {"worker_tmp_dir": Setting(None, Said("worker_tmp_dir", None, Rank.DEFAULT, "default"))}
        assert one("FL621", project(tmp_path, plan(settings=unset, container=True))).severity is Severity.INFO
        assert found("FL621", project(tmp_path, plan(worker_tmp_dir="/var/tmp", container=True)))
        for quiet in (
            plan(settings=unset),
            plan(container=True),
            plan(settings=unset, container=True, memory_folders=("/tmp",)),
            plan(worker_tmp_dir=Env("TMP"), container=True),
        ):
            assert not found("FL621", project(tmp_path, quiet))

    @pytest.mark.parametrize(
        ("service", "count"),
        [
            (plan(workers=0), 1),
            (plan("uvicorn", workers=0), 0),
            (plan("uvicorn", limit_concurrency=1), 1),
            (plan("uvicorn", limit_concurrency=0), 1),
            (plan("uvicorn", limit_concurrency=2), 0),
            (plan("uvicorn", limit_concurrency=Env("N", 1)), 0),
        ],
    )
    def test_servers_that_never_serve(self, tmp_path: Path, service: ServerPlan, count: int) -> None:
        assert len(found("FL626", project(tmp_path, service))) == count


class TestCode:
    def test_a_loop_at_import_under_several_children(self, tmp_path: Path) -> None:
        files = {
            "main.py": "import asyncio\nimport warm\n" + APP,
            "warm.py": "import asyncio\nasync def up(): ...\nasyncio.run(up())\n",
            "tool.py": "import asyncio\nasync def up(): ...\nasyncio.run(up())\n",
        }
        finding = one("FL626", project(tmp_path, plan("uvicorn", workers=2), files=files))
        assert (finding.where.path, finding.where.line) == ("warm.py", 3)
        assert not found("FL626", project(tmp_path, plan("uvicorn", workers=1), files=files))
        assert not found("FL626", project(tmp_path, plan(workers=2), files=files))
        files["warm.py"] = "import asyncio\nasync def up(): ...\nif __name__ == '__main__':\n    asyncio.run(up())\n"
        assert not found("FL626", project(tmp_path, plan("uvicorn", workers=2), files=files))

    @pytest.mark.parametrize(
        ("target", "instead"),
        [
            ("main:api", "main:app"),
            ("mian:app", "main:app"),
            ("pkg.web:app", "pkg.api:app"),
            ("pkg:app", "pkg.api:app"),
        ],
    )
    def test_targets_that_name_no_application(self, tmp_path: Path, target: str, instead: str) -> None:
        files = {"main.py": APP, "pkg/__init__.py": "", "pkg/api.py": APP}
        finding = one("FL620", project(tmp_path, plan(app=target), files=files))
        assert finding.where == HERE
        assert f"`{instead}`" in finding.remedy

    @pytest.mark.parametrize(
        "target",
        [
            "main",
            "main:app",
            "main:make()",
            "main:make",
            "pkg.api:app",
            "api:app",
            "elsewhere.main:app",
            "app.api:app",
            "",
        ],
    )
    def test_targets_that_name_one_or_that_are_not_ours(self, tmp_path: Path, target: str) -> None:
        files = {
            "main.py": APP + "\ndef make():\n    return app\n",
            "pkg/__init__.py": "",
            "pkg/api.py": "from main import *\n",
        }
        server = "fastapi run" if target == "main" else "gunicorn"
        assert not found("FL620", project(tmp_path, plan(server, app=target), files=files))

    def test_preload_with_what_lives_before_the_fork(self, tmp_path: Path) -> None:
        alive = {"main.py": "import threading\nt = threading.Thread(target=print)\nt.start()\n" + APP}
        finding = one("FL612", project(tmp_path, plan(preload_app=True), files=alive))
        assert finding.severity is Severity.ERROR
        assert "main.py:3" in finding.message
        assert not found("FL612", project(tmp_path, plan(preload_app=False), files=alive))

    def test_preload_with_an_engine_is_safe_until_it_connects(self, tmp_path: Path) -> None:
        lazy = {
            "main.py": "import db\n" + APP,
            "db.py": "from sqlalchemy import create_engine\nengine = create_engine('postgresql://db/x')\n",
        }
        assert one("FL612", project(tmp_path, plan(preload_app=True), files=lazy)).severity is Severity.WARNING
        lazy["db.py"] += "from sqlalchemy import MetaData\nMetaData().create_all(engine)\n"
        assert one("FL612", project(tmp_path, plan(preload_app=True), files=lazy)).severity is Severity.ERROR

    CONNECTED = (
        "import os\nfrom sqlalchemy import MetaData, create_engine\n"
        "engine = create_engine('postgresql://db/x')\nMetaData().create_all(engine)\n"
        "def clean():\n    engine.dispose(close=False)\n"
    )

    @pytest.mark.parametrize(
        ("hook", "quiet"),
        [
            ("os.register_at_fork(after_in_child=clean)\n", True),
            ("from os import register_at_fork\nregister_at_fork(before=print, after_in_child=clean)\n", True),
            ("os.register_at_fork(after_in_child=engine.dispose)\n", True),
            ("os.register_at_fork(before=clean)\n", False),
            ("os.register_at_fork(after_in_child=print)\n", False),
            ("", False),
        ],
    )
    def test_preload_with_an_engine_that_each_worker_disposes_of(self, tmp_path: Path, hook: str, quiet: bool) -> None:
        files = {"main.py": "import db\n" + APP, "db.py": self.CONNECTED + hook}
        assert (not found("FL612", project(tmp_path, plan(preload_app=True), files=files))) is quiet

    @pytest.mark.parametrize(("hook", "quiet"), [("post_fork", True), ("post_worker_init", True), ("on_exit", False)])
    def test_preload_with_an_engine_and_a_hook_of_the_workers(self, tmp_path: Path, hook: str, quiet: bool) -> None:
        files = {"main.py": "import db\n" + APP, "db.py": self.CONNECTED}
        hooked = plan(preload_app=True, hooks=frozenset({hook}))
        assert (not found("FL612", project(tmp_path, hooked, files=files))) is quiet
        files["main.py"] = "import threading\nthreading.Thread(target=print).start()\n" + APP
        assert found("FL612", project(tmp_path, hooked, files=files))  # a thread does not come back

    @pytest.mark.parametrize("threads", ["", "1", "max_workers=1", "8"])
    def test_preload_with_an_executor_of_any_size(self, tmp_path: Path, threads: str) -> None:
        made = f"from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor({threads})\n"
        finding = one("FL612", project(tmp_path, plan(preload_app=True), files={"main.py": made + APP}))
        assert "`pool = ThreadPoolExecutor(…)`" in finding.message

    def test_preload_with_what_the_lifespan_makes(self, tmp_path: Path) -> None:
        source = (
            "import httpx\nfrom fastapi import FastAPI\ndef up():\n    return httpx.AsyncClient()\napp = FastAPI()\n"
        )
        assert not found("FL612", project(tmp_path, plan(preload_app=True), files={"main.py": source}))

    POOL = (
        "from sqlalchemy import create_engine\n"
        "engine = create_engine('postgresql://db/x', pool_size=20, max_overflow=10)\n" + APP
    )

    def test_the_connections_of_all_processes(self, tmp_path: Path) -> None:
        said = Said("max_connections", 200, Rank.COMMAND, "compose command", Location("compose.yaml", 4), "200")
        database = Database("db", "postgres", Location("compose.yaml", 2), said)
        service = plan(workers=4, limits=Limits(replicas=limit(2)))
        made = project(tmp_path, service, files={"main.py": self.POOL}, databases=(database,))
        finding = one("FL618", made)
        assert finding.severity is Severity.ERROR
        assert (finding.where.path, finding.where.line) == ("main.py", 2)
        assert "2 x 4 x (20 + 10) = 240 > 200" in finding.message
        assert "compose.yaml:4" in finding.message

    def test_an_assumed_limit_is_a_warning_and_says_so(self, tmp_path: Path) -> None:
        finding = one("FL618", project(tmp_path, plan(workers=4), files={"main.py": self.POOL}))
        assert finding.severity is Severity.WARNING
        assert any(note.startswith("assumed: 100 connections") for note in finding.notes)

    @pytest.mark.parametrize(
        "source",
        [
            POOL.replace("20", "5"),
            POOL.replace("postgresql://db/x", "sqlite:///x.db"),
            POOL.replace("'postgresql://db/x'", "url"),
            POOL.replace("pool_size=20", "poolclass=NullPool"),
            POOL.replace("pool_size=20", "**options"),
        ],
        ids=["small", "sqlite", "unknown database", "no pool", "unknown options"],
    )
    def test_pools_that_fit_or_are_not_known(self, tmp_path: Path, source: str) -> None:
        assert not found("FL618", project(tmp_path, plan(workers=4), files={"main.py": source}))

    @pytest.mark.parametrize(
        ("source", "count"),
        [
            ("from slowapi import Limiter\nlimiter = Limiter(key_func=str)\n", 1),
            ("from slowapi import Limiter\nlimiter = Limiter(key_func=str, storage_uri='redis://r')\n", 0),
            ("from slowapi import Limiter\nlimiter = Limiter(key_func=str, storage_uri=uri)\n", 0),
            ("from limits.storage import MemoryStorage\nstorage = MemoryStorage()\n", 1),
            ("from apscheduler.schedulers.asyncio import AsyncIOScheduler as S\ns = S()\ns.start()\n", 1),
            ("from apscheduler.schedulers.asyncio import AsyncIOScheduler as S\ns = S()\n", 0),
            (
                "import apscheduler.schedulers.background as b\ndef up():\n    b.BackgroundScheduler().start()\n",
                1,
            ),
            ("from prometheus_client import make_asgi_app\nmetrics = make_asgi_app()\n", 1),
            ("from local import Limiter\nlimiter = Limiter()\n", 0),
        ],
    )
    def test_what_must_exist_once(self, tmp_path: Path, source: str, count: int) -> None:
        files = {"main.py": source + APP}
        assert len(found("FL310", project(tmp_path, plan(workers=4), files=files))) == count
        assert not found("FL310", project(tmp_path, plan(workers=1), files=files))

    def test_metrics_with_their_folder_and_metrics_of_replicas_are_fine(self, tmp_path: Path) -> None:
        files = {"main.py": "from prometheus_client import make_asgi_app\nmetrics = make_asgi_app()\n" + APP}
        folder = Said("PROMETHEUS_MULTIPROC_DIR", "/tmp", Rank.ENVIRONMENT, "compose")
        shared = plan(workers=4, environment={"PROMETHEUS_MULTIPROC_DIR": folder})
        assert not found("FL310", project(tmp_path, shared, files=files))
        pods = plan(workers=1, limits=Limits(replicas=limit(3)))
        assert not found("FL310", project(tmp_path, pods, files=files))

    SLOW = (
        "import time\nfrom fastapi import FastAPI\napp = FastAPI()\n"
        "@app.get('/')\nasync def home():\n    time.sleep(25)\n"
    )

    def test_work_that_outlasts_a_heartbeat(self, tmp_path: Path) -> None:
        finding = one("FL623", project(tmp_path, plan(), files={"main.py": self.SLOW}))
        assert finding.where.line == 6
        assert "25 s while requests are served, `timeout = 30`" in finding.message
        assert not found("FL623", project(tmp_path, plan(timeout=60), files={"main.py": self.SLOW}))
        assert not found("FL623", project(tmp_path, plan(timeout=0), files={"main.py": self.SLOW}))
        assert not found("FL623", project(tmp_path, plan(worker_class="asgi"), files={"main.py": self.SLOW}))
        threaded = self.SLOW.replace("async def", "def")
        assert not found("FL623", project(tmp_path, plan(), files={"main.py": threaded}))

    def test_work_that_outlasts_a_probe(self, tmp_path: Path) -> None:
        probe = Said("livenessProbe", 10, Rank.COMMAND, "livenessProbe", Location("k8s.yaml", 12), "livenessProbe")
        made = project(tmp_path, plan("uvicorn", limits=Limits(probes=(probe,))), files={"main.py": self.SLOW})
        assert "livenessProbe gives up after 10 s" in one("FL623", made).message


class TestOutside:
    @pytest.mark.parametrize(
        ("service", "count"),
        [
            (plan(forwarded_allow_ips="*"), 1),
            (plan("uvicorn", forwarded_allow_ips="*"), 1),
            (plan(forwarded_allow_ips=("10.0.0.1", "*")), 1),
            (plan(forwarded_allow_ips="10.0.0.0/8"), 0),
            (plan(forwarded_allow_ips="*", bind="127.0.0.1:8000"), 0),
            (plan(forwarded_allow_ips="*", bind="unix:/run/app.sock"), 0),
            (plan(forwarded_allow_ips="*", bind=Env("BIND")), 0),
            (plan("uvicorn", forwarded_allow_ips="*", host="127.0.0.1"), 0),
            (plan("uvicorn", forwarded_allow_ips="*", proxy_headers=False), 0),
            (plan(forwarded_allow_ips="*", development=True), 0),
        ],
    )
    def test_trusting_anybody(self, tmp_path: Path, service: ServerPlan, count: int) -> None:
        assert len(found("FL613", project(tmp_path, service))) == count

    def test_keep_alive_below_the_proxy(self, tmp_path: Path) -> None:
        idle = Said("keepalive_timeout", 60, Rank.FILE, "nginx.conf", Location("nginx.conf", 3), "60s")
        proxy = Proxy("nginx", Location("nginx.conf", 1), idle, ("web",))
        finding = one("FL624", project(tmp_path, plan(), proxies=(proxy,)))
        assert finding.where == HERE
        assert "2 s here, 60 s in nginx (nginx.conf:1)" in finding.message
        assert "`keepalive = 65`" in finding.remedy
        assert not found("FL624", project(tmp_path, plan(keepalive=75), proxies=(proxy,)))
        assert not found("FL624", project(tmp_path, plan()))
        other = Proxy("nginx", Location("nginx.conf", 1), idle, ("grafana",))
        two = (plan(keepalive=2), plan(keepalive=5)._replace(name="grafana", where=Location("compose.yaml", 9)))
        only = one("FL624", project(tmp_path, *two, proxies=(other,)))
        assert "5 s here" in only.message
        assert "service grafana" in only.notes

    def test_a_grace_period_that_is_too_short(self, tmp_path: Path) -> None:
        chosen = Limits(grace_period=limit(10))
        default = Limits(grace_period=Said("grace", 10, Rank.DEFAULT, "Docker"))
        assert one("FL619", project(tmp_path, plan(graceful_timeout=60, limits=chosen))).where == at(1)
        assert one("FL619", project(tmp_path, plan(graceful_timeout=60, limits=default))).where == at(1)
        assert one("FL619", project(tmp_path, plan(limits=chosen))).where == Location("compose.yaml", 7)
        for quiet in (
            plan(limits=default),
            plan(graceful_timeout=10, limits=chosen),
            plan(graceful_timeout=60),
            plan("uvicorn", limits=chosen),
        ):
            assert not found("FL619", project(tmp_path, quiet))

    @pytest.mark.parametrize(
        ("environment", "script", "told"),
        [
            ("E=dev", 'case "$E" in\n dev) exec uvicorn main:app --reload ;;\n *) exec uvicorn main:app ;;\nesac', 1),
            ("E=prod", 'case "$E" in\n dev) exec uvicorn main:app --reload ;;\n *) exec uvicorn main:app ;;\nesac', 0),
            ("X=1", 'case "$E" in\n dev) exec uvicorn main:app --reload ;;\n *) exec uvicorn main:app ;;\nesac', 0),
            ("X=1", 'if [ "${R:-0}" = 1 ]; then exec uvicorn main:app --reload; fi\nexec uvicorn main:app', 0),
            ("R=1", 'if [ "${R:-0}" = 1 ]; then exec uvicorn main:app --reload; fi\nexec uvicorn main:app', 1),
        ],
    )
    def test_reload_in_a_branch_of_a_script(self, tmp_path: Path, environment: str, script: str, told: int) -> None:
        dockerfile = f'FROM python:3.13\nENV {environment}\nCMD ["./s.sh"]\n'
        plans = read_plans(read(tmp_path, {"Dockerfile": dockerfile, "s.sh": script}), NO_PYTHON)
        assert len(found("FL607", project(tmp_path, *plans))) == told

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("uvicorn main:app --log-level verbose", 1),
            ("uvicorn main:app --log-level INFO", 1),
            ("uvicorn main:app --lifespan=maybe", 1),
            ("uvicorn main:app --interface asgi", 1),
            ("uvicorn main:app --log-level debug --lifespan off --interface asgi3", 0),
            ('uvicorn main:app --log-level "$LEVEL"', 0),
            ("uvicorn main:app --loop app.loops:make", 0),
            ("uvicorn main:app --loop uvlop", 1),
            ("uvicorn main:app --http httptool", 1),
            ("uvicorn main:app --http=HTTPTOOLS", 1),
            ("uvicorn main:app --ws websocket", 1),
            ("uvicorn main:app --loop uvloop --http h11 --ws websockets-sansio", 0),
            ("uvicorn main:app --loop none --ws none", 0),
            ("uvicorn main:app --loop uvlop:new_event_loop", 0),
            ("uvicorn main:app --http h3 --loop winloop --ws websockets-sync", 0),  # a later version may have them
            ("gunicorn main:app --asgi-loop uvlop", 1),
            ("gunicorn main:app --asgi-lifespan onn", 1),
            ("gunicorn main:app --asgi-loop UVLoop --asgi-lifespan ' ON '", 0),
        ],
    )
    def test_a_value_that_is_none_of_the_choices(self, tmp_path: Path, command: str, told: int) -> None:
        plans = read_plans(read(tmp_path, {"Procfile": f"web: {command}\n"}), NO_PYTHON)
        assert len(found("FL615", project(tmp_path, *plans))) == told

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("asgi_loop = 'uvlop'", 1),
            ("asgi_lifespan = 'always'", 1),
            ("asgi_loop = 'UVLOOP '", 0),
            ("asgi_loop = None", 0),
        ],
    )
    def test_a_choice_in_a_file(self, tmp_path: Path, line: str, told: int) -> None:
        name, _, value = line.partition(" = ")
        outcome = checked(server("gunicorn").settings[name], ast.literal_eval(value))
        assert isinstance(outcome, Problem) == bool(told)
        assert told or outcome in (None, "uvloop")

    def test_what_only_the_asgi_worker_reads(self, tmp_path: Path) -> None:
        idle = plan(asgi_disconnect_grace_period=5, worker_class=UVICORN_WORKER)
        assert "only the asgi worker reads it" in one("FL609", project(tmp_path, idle)).message
        assert not found("FL609", project(tmp_path, plan(asgi_disconnect_grace_period=5, worker_class="asgi")))

    def test_a_branch_that_may_be_taken_is_less_sure(self, tmp_path: Path) -> None:
        sure = Command("gunicorn", HERE, "shell script", "main:app", shell=True)
        maybe = Command("gunicorn", HERE, "shell script", "main:app", shell=True, alternative=True)
        levels = [
            one("FL605", project(tmp_path, plan(command=each, worker_class="sync"))).confidence
            for each in (sure, maybe)
        ]
        assert levels == [Confidence.HIGH, Confidence.MEDIUM]

    @pytest.mark.parametrize(
        ("files", "remedy"),
        [
            ({"Dockerfile": "CMD uvicorn main:app"}, "`exec uvicorn`"),
            ({"Dockerfile": 'CMD ["sh", "-c", "alembic upgrade head && gunicorn main:app"]'}, "`exec gunicorn`"),
            ({"Dockerfile": 'CMD ["bash", "-c", "uvicorn main:app; echo stopped"]'}, "`exec uvicorn`"),
            ({"Dockerfile": 'CMD ["bash", "-c", "uvicorn main:app > log"]'}, "`exec uvicorn`"),
            ({"Dockerfile": 'ENTRYPOINT ["tini", "-g", "--"]\nCMD ["sh", "-c", "uvicorn main:app"]'}, "`exec uvicorn`"),
            ({"Dockerfile": 'CMD ["./s.sh"]', "s.sh": "#!/bin/bash\nuvicorn main:app\n"}, "`exec uvicorn`"),
            ({"Dockerfile": 'CMD ["./s.sh"]', "s.sh": 'bash -c "exec uvicorn main:app"\n'}, "`exec uvicorn`"),
            ({"Dockerfile": 'CMD ["./s.sh"]', "s.sh": "uvicorn main:app &\nwait\n"}, "`exec uvicorn`"),
            ({"Dockerfile": 'CMD ["uvicorn", "main:app"]'}, ""),
            ({"Dockerfile": "CMD exec uvicorn main:app"}, ""),
            ({"Dockerfile": 'CMD ["bash", "-c", "uvicorn main:app"]'}, ""),
            ({"Dockerfile": 'CMD ["bash", "-o", "pipefail", "-c", "alembic upgrade head && uvicorn main:app"]'}, ""),
            ({"Dockerfile": 'SHELL ["/bin/bash", "-c"]\nCMD alembic upgrade head; uvicorn main:app'}, ""),
            ({"Dockerfile": 'CMD ["busybox", "sh", "-c", "uvicorn main:app"]'}, ""),
            ({"Dockerfile": 'CMD ["./s.sh"]', "s.sh": 'exec bash -c "a && uvicorn main:app"\n'}, ""),
            (
                {
                    "Dockerfile": 'CMD ["./s.sh"]',
                    "s.sh": "uvicorn main:app &\ntrap 'kill -TERM $!; wait $!' TERM\nwait $!\n",
                },
                "",
            ),
            ({"Procfile": 'web: sh -c "uvicorn main:app; true"'}, ""),
            ({"Dockerfile.dev": "CMD uvicorn main:app"}, ""),
        ],
    )
    def test_a_shell_that_keeps_the_signal(self, tmp_path: Path, files: dict[str, str], remedy: str) -> None:
        whole = {name: f"FROM python:3.13\n{text}\n" if "Docker" in name else text for name, text in files.items()}
        plans = read_plans(read(tmp_path, dict(whole)), NO_PYTHON)
        assert len(plans) == 1
        told = found("FL622", project(tmp_path, *plans))
        assert [remedy in each.remedy for each in told] == ([True] if remedy else [])

    @pytest.mark.parametrize(
        ("image", "command", "told"),
        [
            ("python:3.13-alpine", 'CMD ["sh", "-c", "a && uvicorn main:app"]', ""),
            ("python:3.13-alpine", "CMD a && uvicorn main:app", ""),
            ("python:3.13-alpine", "CMD if a; then uvicorn main:app; fi", ""),
            ("acme.io/mirror/alpine:3.22", "CMD uvicorn main:app", ""),
            ("python:3.13-alpine", "CMD uvicorn main:app; echo stopped", "HIGH"),
            ("python:3.13-alpine", 'CMD ["dash", "-c", "uvicorn main:app"]', "HIGH"),
            ("python:3.13-alpine", 'CMD ["./s.sh"]', "HIGH"),  # a file is no text given with `-c`
            ("fedora:43", "CMD a && uvicorn main:app", ""),
            ("registry.access.redhat.com/ubi9/python-312", "CMD a && uvicorn main:app", ""),
            ("oraclelinux:9-slim", "CMD uvicorn main:app", ""),
            ("fedora:43", "CMD uvicorn main:app > log", "HIGH"),
            ("python:3.13", "CMD a && uvicorn main:app", "HIGH"),
            ("docker.io/library/python:3.13", "CMD uvicorn main:app", "HIGH"),
            ("ghcr.io/astral-sh/uv:python3.13-bookworm-slim", "CMD uvicorn main:app", "HIGH"),
            ("nvidia/cuda:13.0-runtime-ubuntu24.04", "CMD uvicorn main:app", "HIGH"),
            ("acme/base:1", "CMD a && uvicorn main:app", "MEDIUM"),
            ("acme/base:1", 'CMD ["sh", "-c", "if a; then uvicorn main:app; fi"]', "MEDIUM"),
            ("acme/base:1", 'CMD ["sh", "-c", "a && ./t.sh"]', "MEDIUM"),
            ("acme/base:1", 'CMD ["sh", "-c", "a && ./s.sh"]', "HIGH"),
            ("acme/base:1", "CMD uvicorn main:app; echo stopped", "HIGH"),
            ("acme/base:1", "CMD exec uvicorn main:app", ""),
            ("python:$TAG", "CMD uvicorn main:app", "MEDIUM"),
            ("python:$TAG-alpine", "CMD uvicorn main:app", ""),
            ("python:3.13-alpine AS base\nFROM base", "CMD uvicorn main:app", ""),
            ("python:3.13-alpine AS base\nFROM python:3.13", "CMD uvicorn main:app", "HIGH"),
        ],
    )
    def test_which_shell_an_image_has(self, tmp_path: Path, image: str, command: str, told: str) -> None:
        files: dict[str, str | bytes] = {
            "Dockerfile": f"ARG TAG\nFROM {image}\n{command}\n",
            "s.sh": "#!/bin/sh\na\nuvicorn main:app\n",
            "t.sh": "#!/bin/sh\nexec uvicorn main:app\n",
        }
        plans = [each for each in read_plans(read(tmp_path, files), NO_PYTHON) if each.container]
        assert len(plans) == 1
        found_ones = found("FL622", project(tmp_path, *plans))
        assert [each.confidence.name for each in found_ones] == ([told] if told else [])
        assert all(("not known" in str(each.notes)) == (told == "MEDIUM") for each in found_ones)

    SOCKET = APP + "\n@app.websocket('/ws')\nasync def ws(socket): ...\n"

    def test_no_limit_at_stop_with_connections_that_stay(self, tmp_path: Path) -> None:
        assert "WebSocket" in one("FL625", project(tmp_path, plan("uvicorn"), files={"main.py": self.SOCKET})).message
        stream = "from fastapi.responses import StreamingResponse\n" + APP
        stream += "\n@app.get('/')\nasync def home():\n    return StreamingResponse(iter(()))\n"
        assert "streaming" in one("FL625", project(tmp_path, plan("uvicorn"), files={"main.py": stream})).message
        for quiet in (plan("uvicorn", timeout_graceful_shutdown=20), plan()):
            assert not found("FL625", project(tmp_path, quiet, files={"main.py": self.SOCKET}))
        (tmp_path / "plain").mkdir()
        assert not found("FL625", project(tmp_path / "plain", plan("uvicorn")))


def test_two_services_that_share_a_line_give_one_finding(tmp_path: Path) -> None:
    first = plan(worker_class="uvicorn.workers.UvicornWorker")
    second = ServerPlan("admin", "gunicorn", "main:app", HERE, first.settings)
    finding = one("FL606", project(tmp_path, first, second))
    assert {"service web", "service admin"} <= set(finding.notes)


def test_no_plan_no_finding(tmp_path: Path) -> None:
    made = project(tmp_path)
    assert not [finding for code in DEPLOYMENT for finding in found(code, made)]


@pytest.mark.parametrize("cores", [2.0, 64.0])
def test_the_demo_says_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch, cores: float) -> None:
    counted = Counts(int(cores), int(cores), int(cores) * GIB)
    monkeypatch.setattr("fastlint.machine.count", lambda: counted)
    monkeypatch.setattr("os.cpu_count", lambda: int(cores))
    folder = str(Path(__file__).parent.parent / "fixtures" / "deploy_demo")
    report = check(CheckRequest((folder,), Config(root=folder, severity=Severity.INFO)))
    said = [(finding.code, finding.where.path, finding.where.line) for finding in report.findings]
    assert said == [
        ("FL621", "Dockerfile", 5),
        ("FL603", "gunicorn.conf.py", 5),
        ("FL609", "gunicorn.conf.py", 8),
        ("FL405", "shop/db.py", 6),
        ("FL305", "shop/main.py", 17),
        ("FL308", "shop/main.py", 17),
    ]
    assert "33 workers on a host of 16 cores for 2 cores" in report.findings[1].message


def test_a_comment_silences_a_finding_in_a_deployment_file(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    dockerfile = tmp_path / "Dockerfile"
    command = 'CMD ["gunicorn", "-k", "sync", "main:app"]'
    dockerfile.write_text(f"FROM python:3.13\nCOPY . .\n{command}\n")
    request = CheckRequest((str(tmp_path),), Config(root=str(tmp_path)))
    assert "FL605" in {finding.code for finding in check(request).findings}
    dockerfile.write_text(f"FROM python:3.13\nCOPY . .\n# fastlint: ignore[FL605] a stand-in\n{command}\n")
    report = check(request)
    assert "FL605" not in {finding.code for finding in report.findings}
    assert report.suppressed == 1
    dockerfile.write_text("FROM python:3.13\n# fastlint: ignore[FL605] of no use\nCMD uvicorn main:app\n")
    assert "FL002" in {finding.code for finding in check(request).findings}


@pytest.mark.parametrize(
    ("environment", "codes"),
    [
        pytest.param(
            '    environment: {WEB_CONCURRENCY: "3"}\n', set(), id="an image's default is there to be overruled"
        ),
        pytest.param("    command: uvicorn main:app --workers 3\n", set(), id="by a flag, too"),
    ],
)
def test_what_an_image_sets_is_no_contradiction(environment: str, codes: set[str], tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    (tmp_path / "Dockerfile").write_text('FROM python:3.13\nENV WEB_CONCURRENCY=2\nCMD ["uvicorn", "main:app"]\n')
    (tmp_path / "compose.yaml").write_text(f"services:\n  web:\n    build: .\n{environment}")
    report = check(CheckRequest((str(tmp_path),), Config(root=str(tmp_path))))
    assert {finding.code for finding in report.findings if finding.code == "FL616"} == codes


def test_a_deployment_file_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import time\nfrom fastapi import FastAPI\n\napp = FastAPI()\n")
    (tmp_path / "Dockerfile").write_text('FROM python:3.13\nCMD ["gunicorn", "-k", "sync", "main:app"]\n')
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    build: .\n")
    config = Config(root=str(tmp_path))
    report = check(CheckRequest((str(tmp_path / "Dockerfile"),), config))
    assert [finding.code for finding in report.findings if finding.where.path == "Dockerfile"] == ["FL605"]
    assert not check(CheckRequest((str(tmp_path / "compose.yaml"),), config)).findings
