"""Advice: the article's example, memory and cores, measurements of every form, refusals, and words that show why."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastlint.advise.advice import Advice, Situation
from fastlint.advise.assemble import advise
from fastlint.advise.figures import GIB, MIB, Figure, written
from fastlint.advise.locust import read_locust
from fastlint.advise.measured import Measured
from fastlint.advise.prediction import WorkerModel
from fastlint.advise.prometheus import between, load_names, parse_exposition, read_api_answer, read_prometheus
from fastlint.advise.refusals import AdviceError, MeasurementError
from fastlint.advise.workload import Route, Stall, Workload, load_assumptions
from fastlint.cli import main
from fastlint.finding import Location
from fastlint.rulebook.where import rules_folder

ASSUMED = load_assumptions(rules_folder())
NAMES = load_names(rules_folder())
HERE = Location("app/main.py", 7)


def cores(number: float) -> Figure:
    return Figure(number, "cores", "--cores")


def measured(**figures: float) -> Measured:
    units = {"latency": "s", "cpu": "share", "memory": "bytes", "rate": "requests/s", "rate_per_worker": "requests/s"}
    made: dict[str, Any] = {name: Figure(value, units.get(name, ""), "test") for name, value in figures.items()}
    return Measured(**made)


def situation(number: float, **rest: object) -> Situation:
    return replace(Situation(cores(number), None, Workload(), ASSUMED), **rest)  # type: ignore[arg-type]


def goal(rate: float) -> Figure:
    return Figure(rate, "requests/s", "--rate")


def test_the_article_has_four_workers_for_a_thousand_requests() -> None:
    advice = advise(situation(4, measured=measured(rate_per_worker=250), goal=goal(1000)))
    assert advice.workers == 4
    row = advice.row("workers")
    assert row is not None
    assert "ceil(1000 requests/s / 250 requests/s a worker) = 4" in row.why


@pytest.mark.parametrize(
    ("number", "wanted", "each", "workers"),
    [
        pytest.param(8, 1000, 250, 5, id="headroom where cores are left"),
        pytest.param(4, 1000, 250, 4, id="no headroom left"),
        pytest.param(2, 1000, 250, 2, id="never more than the cores can use"),
        pytest.param(4, 100, 250, 1, id="a small goal needs one"),
        pytest.param(0.5, 100, 250, 1, id="half a core"),
    ],
)
def test_workers_follow_the_goal_within_the_cores(number: float, wanted: float, each: float, workers: int) -> None:
    assert advise(situation(number, measured=measured(rate_per_worker=each), goal=goal(wanted))).workers == workers


def test_memory_decides_where_it_is_short() -> None:
    memory = Figure(512 * MIB, "bytes", "--memory")
    advice = advise(situation(8, memory=memory))
    assert advice.workers == 2
    assert "which decides" in advice.rows[0].why


def test_a_worker_that_waits_leaves_room_for_more_on_its_core() -> None:
    advice = advise(situation(2, measured=measured(rate_per_worker=40, cpu=0.25)))
    assert advice.workers == 8
    assert advice.model is not None
    assert advice.model.throughput(8) == pytest.approx(320)


POOLED = Workload(routes=(Route("GET", "/", False, HERE),))


def test_threads_that_only_wait_leave_their_core_to_more_workers() -> None:
    advice = advise(situation(2, workload=POOLED, measured=measured(rate_per_worker=200, cpu=0.4)))
    assert advice.model == WorkerModel(200, 0.4, 2, tokens=40)
    assert advice.workers == 5  # 2 cores / 0.4
    assert [round(advice.model.with_tokens(tokens).rate) for tokens in (10, 40, 80, 400)] == [50, 200, 400, 500]
    row = advice.row("thread tokens")
    assert row is not None
    assert "100 of them would use it all, with 500 requests/s" in row.why


@pytest.mark.parametrize(
    ("rate", "latency", "share", "limit", "then"),
    [
        pytest.param(50, 0.2, 0.1, 200, 0.4, id="10 of 40 threads were in use"),
        pytest.param(50, 0.2, 0.4, 125, 1.0, id="the core is used up before the threads are"),
        pytest.param(200, 0.2, 0.4, 200, 0.4, id="all threads were in use"),
        pytest.param(200, 0.6, 0.4, 200, 0.4, id="and requests waited for one"),
    ],
)
def test_a_load_too_small_for_the_threads_is_no_limit(
    rate: float, latency: float, share: float, limit: float, then: float
) -> None:
    seen = measured(rate_per_worker=rate, latency=latency, cpu=share)
    model = advise(situation(2, workload=POOLED, measured=seen)).model
    assert model is not None
    assert (model.rate, model.share) == pytest.approx((limit, then))


def test_threads_limit_nothing_where_the_core_does_or_the_loop_serves() -> None:
    busy = advise(situation(2, workload=POOLED, measured=measured(rate_per_worker=200, latency=0.01, cpu=0.95)))
    assert busy.model == WorkerModel(200, 0.95, 2)
    mixed = replace(POOLED, routes=(*POOLED.routes, Route("GET", "/async", True, HERE)))
    served = advise(situation(2, workload=mixed, measured=measured(rate_per_worker=50, latency=0.2, cpu=0.1)))
    assert served.model == WorkerModel(50, 0.1, 2)
    assert served.model.with_tokens(400) == served.model


def test_a_stalled_loop_leaves_its_core_to_a_second_worker() -> None:
    stall = Stall("time.sleep", HERE, "FL102", Figure(0.2, "s", "written at app/main.py:7"), "GET /slow → slow")
    advice = advise(situation(4, workload=Workload(stalls=(stall,))))
    assert advice.workers == 8
    assert "at most 5 requests/s per worker, whatever the worker count" in advice.ceilings[0]
    assert "time.sleep" in advice.first[0]


def test_an_orchestrator_gets_replicas_of_one_worker() -> None:
    advice = advise(situation(1, orchestrated=True, measured=measured(rate_per_worker=250), goal=goal(1000)))
    assert (advice.workers, advice.replicas) == (1, 5)


def test_an_orchestrator_keeps_a_large_process_together() -> None:
    memory = Figure(8 * GIB, "bytes", "--memory")
    large = measured(memory=2 * GIB)
    advice = advise(situation(4, orchestrated=True, memory=memory, measured=large))
    assert advice.workers == 3
    assert "preloaded workers of one pod share it" in advice.rows[0].why


def test_busy_workers_ask_for_more() -> None:
    busy = measured(cpu=0.95, workers=2)
    row = advise(situation(4, measured=busy)).row("workers")
    assert row is not None
    assert "ceil(2 x 0.95 / 0.8) = 3" in row.why


def test_threads_follow_littles_law_and_a_queue() -> None:
    routes = (Route("GET", "/a", False, HERE),)
    advice = advise(
        situation(
            4,
            workload=Workload(routes=routes, sync_clients=("`requests.get` (a.py:3)",)),
            measured=replace(measured(latency=0.5, rate_per_worker=250, thread_queue=12), queue_growing=True),
            goal=goal(1000),
        )
    )
    row = advice.row("thread tokens")
    assert row is not None
    assert row.advised == "157"  # 250 requests/s x 0.5 s x 1.25
    assert "requests.get" in row.why


def test_database_pools_stay_within_the_server() -> None:
    advice = advise(situation(4, pool=Figure(15, "", "app/db.py:3"), connections=Figure(100, "", "compose.yaml:9")))
    row = advice.row("pool_size + max_overflow")
    assert row is not None
    assert "floor((100 connections - 3 reserved) / (4 workers x 1 replicas)) = 24" in row.why


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        pytest.param(situation(0), "nothing to run on", id="no cores"),
        pytest.param(situation(2, goal=goal(-5)), "must be above zero", id="negative rate"),
        pytest.param(situation(2, memory=Figure(20 * MIB, "bytes", "--memory")), "not one worker", id="no memory"),
    ],
)
def test_what_makes_no_sense_is_refused(broken: Situation, words: str) -> None:
    with pytest.raises(AdviceError, match=words):
        advise(broken)


def test_throughput_ends_at_the_cores() -> None:
    model = WorkerModel(rate=100, share=1.0, cores=2)
    assert [model.throughput(workers) for workers in (1, 2, 3)] == [100, 200, 200]
    assert model.best() == 2
    assert WorkerModel(rate=100, share=0.5, cores=2).best() == 4


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (250, "requests/s", "250 requests/s"),
        (0.12, "s", "120 ms"),
        (1.5, "cores", "1.5 cores"),
        (180 * MIB, "bytes", "180 MiB"),
    ],
)
def test_numbers_are_written_for_people(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


# --- measurements -------------------------------------------------------------------------------------------------

STATS = """Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,/items,900,0,20,25.5,5,300,120,90.0,0.0,20,22,25,28,40,55,90,120,300,300,300
,Aggregated,1000,20,20,30.0,5,300,120,100.0,2.0,20,22,25,28,40,60,90,120,300,300,300
"""  # noqa: E501


def write(folder: Path, text: str, name: str = "load_stats.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_locust_statistics_are_read(tmp_path: Path) -> None:
    load = read_locust(write(tmp_path, STATS))
    assert load.rate is not None
    assert load.latency is not None
    assert load.p95 is not None
    assert load.failures is not None
    assert (load.rate.value, load.latency.value, load.p95.value, load.failures.value) == (100, 0.03, 0.06, 0.02)
    assert [route.name for route in load.routes] == ["GET /items"]


def test_locust_json_is_read(tmp_path: Path) -> None:
    entry = {
        "name": "/items",
        "method": "GET",
        "start_time": 100.0,
        "last_request_timestamp": 110.0,
        "num_requests": 500,
        "num_failures": 0,
        "total_response_time": 10_000.0,
        "response_times": {"10": 400, "50": 100},
    }
    load = read_locust(write(tmp_path, json.dumps([entry]), "load.json"))
    assert load.rate is not None
    assert load.latency is not None
    assert load.p95 is not None
    assert (load.rate.value, load.latency.value, load.p95.value) == (50, 0.02, 0.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "no locust statistics", id="empty"),
        pytest.param("a,b\n1,2\n", "no column 'Type'", id="foreign"),
        pytest.param("Timestamp,User Count,Type,Name\n", "_stats.csv is meant", id="history"),
        pytest.param(STATS[: STATS.index("25.5")], "cut short", id="truncated"),
        pytest.param(STATS.replace("100.0", "-1"), "positive number", id="negative"),
        pytest.param(
            STATS.replace(",1000,", ",0,").replace("GET,/items,900", "GET,/items,0"), "single request", id="idle"
        ),
        pytest.param("[1, 2]", "JSON list of entries", id="other json"),
        pytest.param('[{"name": "x"}]', "is missing in an entry", id="foreign json"),
        pytest.param("{", "complete JSON", id="half json"),
    ],
)
def test_what_is_no_load_test_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=words):
        read_locust(write(tmp_path, text))


def exposition(requests: int, cpu: float, waiting: int = 0) -> str:
    return f"""# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total {cpu}
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 104857600
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1000
# TYPE http_requests_total counter
http_requests_total{{handler="/a",status="2xx"}} {requests}
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{{le="0.1"}} {requests // 2}
http_request_duration_seconds_bucket{{le="0.5"}} {requests}
http_request_duration_seconds_bucket{{le="+Inf"}} {requests}
http_request_duration_seconds_sum {requests * 0.1}
http_request_duration_seconds_count {requests}
# TYPE anyio_threadpool_tasks_waiting gauge
anyio_threadpool_tasks_waiting {waiting}
"""


def test_two_readings_of_an_exporter_give_rates() -> None:
    first = parse_exposition(exposition(100, 10.0, 1), "metrics", 2000)
    second = parse_exposition(exposition(600, 14.0, 5), "metrics", 2010)
    load = between(first, second, NAMES)
    assert load.rate is not None
    assert load.cpu is not None
    assert load.latency is not None
    assert load.p95 is not None
    assert (load.rate.value, load.cpu.value, load.latency.value) == (50, 0.4, 0.1)
    assert load.p95.value == pytest.approx(0.46)
    assert load.memory is not None
    assert load.memory.value == 100 * MIB
    assert load.queue_growing


def test_a_page_that_a_real_client_exports_is_read(tmp_path: Path) -> None:
    from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

    registry = CollectorRegistry()
    Counter("http_requests", "requests", ["handler"], registry=registry).labels("/a").inc(10)
    seconds = Histogram("http_request_duration_seconds", "seconds", registry=registry)
    for _ in range(10):
        seconds.observe(0.2)
    page = write(tmp_path, generate_latest(registry).decode(), "metrics.txt")
    load = read_prometheus(str(page), NAMES)
    assert load.latency is not None
    assert load.latency.value == pytest.approx(0.2)
    assert load.rate is None  # the process does not say when it started


def test_an_answer_of_the_http_api_is_read() -> None:
    rows = [{"metric": {"__name__": "process_resident_memory_bytes"}, "value": [2000, "52428800"]}]
    answer = json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}})
    load = read_api_answer(answer, "answer.json", NAMES)
    assert load.memory is not None
    assert load.memory.value == 50 * MIB


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no Prometheus metrics"),
        ("<html></html>", "not Prometheus|no Prometheus"),
        ("# TYPE a counter\na_total 1\n", "says anything of load"),
        ('{"status": "error", "error": "no"}', "refuses: no"),
        ('{"status": "success"}', "no answer"),
    ],
)
def test_what_is_no_metrics_page_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=words):
        read_prometheus(str(write(tmp_path, text, "metrics.txt")), NAMES)


# --- the command --------------------------------------------------------------------------------------------------

APPLICATION = """
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/slow")
async def slow() -> None:
    time.sleep(0.2)


@app.get("/items/{number}")
def item(number: int) -> int:
    return number
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "main.py").write_text(APPLICATION)
    monkeypatch.chdir(tmp_path)

    def running(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ending:
            main(["advise", *arguments])
        out = capsys.readouterr()
        assert isinstance(ending.value.code, int)
        return ending.value.code, out.out, out.err

    return running


def test_the_command_shows_the_arithmetic_and_the_ceiling(run: Run) -> None:
    code, out, _ = run("--cores", "4", "--memory", "2GiB", "--rate", "1000", "--rate-per-worker", "250")
    assert code == 0
    assert "ceil(1000 requests/s / 250 requests/s a worker) = 4" in " ".join(out.split())
    assert "at most 5 requests/s per worker, whatever the worker count" in " ".join(out.split())


def test_json_and_html_hold_the_same_advice(run: Run) -> None:
    code, out, _ = run("--cores", "4", "--output-format", "json", "--rate", "1000", "--rate-per-worker", "250")
    content = json.loads(out)
    assert (code, content["version"], content["workers"]) == (0, 1, 4)
    assert content["routes"] == {"loop": 1, "pool": 1}
    code, page, _ = run("--cores", "4", "--output-format", "html", "--rate", "1000", "--rate-per-worker", "250")
    assert code == 0
    assert page.count("<svg") == 2
    assert "goal: 1000 requests/s" in page


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rate", "0"),
        ("--rate", "-3"),
        ("--rate-per-worker", "many"),
        ("--latency", "soon"),
        ("--locust", "nowhere.csv"),
        ("--prometheus", "nowhere.txt"),
        ("--cores", "0"),
        ("--cores", "0.1"),
        ("--cores", "50m"),
        ("--worker-cpu", "0"),
        ("--worker-cpu", "300%"),
        ("--locust", "empty"),
        ("--locust", "foreign"),
        ("--prometheus", "empty"),
        ("--prometheus", "foreign"),
        ("--cores", "1", "--memory", "10MiB"),
        ("--service", "nobody"),
        ("--emit", "nothing", "--app", "main:app"),
        ("--emit", "gunicorn"),
        ("nowhere",),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence_and_nothing_written(arguments: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "foreign").write_text("a,b\n1,2\n")
    before = sorted(tmp_path.iterdir())
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("fastlint: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_is_only_overwritten_by_force(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "gunicorn.conf.py"
    arguments = ("--cores", "2", "--emit", "gunicorn", "--app", "main:app", "-o", str(target))
    assert run(*arguments)[0] == 0
    written_first = target.read_text()
    target.write_text("mine = 1\n")
    code, _, err = run(*arguments)
    assert code == 2
    assert "--force overwrites it" in err
    assert target.read_text() == "mine = 1\n"
    assert run(*arguments, "--force")[0] == 0
    assert target.read_text() == written_first


def test_rows_name_what_changes() -> None:
    advice: Advice = advise(situation(2))
    assert advice.row("workers") is not None
    assert advice.row("no such setting") is None


def test_the_readme_shows_real_output(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parent.parent
    monkeypatch.chdir(root)
    shown = (root / "README.md").read_text().split("```console\n$ fastlint ")[1].split("\n```")[0]
    command, _, output = shown.partition("\n")
    with pytest.raises(SystemExit):
        main(command.split())
    assert capsys.readouterr().out.rstrip("\n") == output
