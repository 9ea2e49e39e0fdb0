"""Is the advice right? Measures three applications, and holds `fastlint advise` against what was measured.

What goes into the advice is what a user has: the rate and the processor share of one worker at its limit, and the
number of cores. Run by hand (`make bench-advice`): it takes minutes, and both cores. Writes docs/advice.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

BENCH = Path(__file__).resolve().parent
REPOSITORY = BENCH.parent
QUIET = 0.3  # cores that others may use: more of it, and a worker is starved, not at its limit
TRIES = 2
PATIENCE = 8.0  # seconds that a run waits for others to be done
START = 30.0  # seconds in which a server has to be up
WARM_UP = 2.0
GOAL = 0.25  # how far a predicted rate may be off


@dataclass(frozen=True, slots=True)
class Case:
    """One application, the worker and thread counts that are measured, and the load on each worker."""

    name: str
    title: str
    workers: tuple[int, ...]
    threads: tuple[int, ...]
    connections: int  # a worker: more than it can have in hand at a time


@dataclass(frozen=True, slots=True)
class Run:
    """What one configuration did."""

    rate: float  # requests/s
    p95: float  # seconds
    share: float  # of one core that a worker used
    client: float  # cores that the load generator used
    others: float  # cores that everybody else on the machine used


HEAD = """\
# Is the advice right?

`make bench-advice` (bench/advice.py) writes this page. It measures small applications behind uvicorn with several
worker and thread counts, and holds what `fastlint advise` predicts from the measurement of *one* worker against them.
Best is the smallest worker count within a tenth of the highest rate. The goal: the advised count within one step of the
best one, rates within {goal:.0%}; what is beyond is marked as a miss.

{when}, {cores} cores that others use as well, CPython {python}. Each figure is the median
of up to {rounds} runs of {seconds:g} s in which others used at most {quiet:g} cores (a run is repeated once for that),
else the least disturbed run. `--cores` is what others left on average. Clients keep their connection and send the next
request when the last one is answered; they share the cores with the server. {note}
"""

FOOT = """
## Where it misses

Rates are taken to add up, worker by worker, until the cores are used up, and only then to stay. In truth a request that
waits for a core holds its thread meanwhile, and clients spread unevenly over workers: close to the end of the cores the
model is too high, and it stays what it is, an upper bound. Where others use the machine, what `--cores` says of it is
itself an average.
"""

CASES = (
    Case("async_io", "Async routes that wait (50 ms) and compute a little", (1, 2, 3, 4), (), 40),
    Case("cpu_bound", "Routes that compute", (1, 2, 3, 4), (), 8),
    Case("sync_threads", "Sync routes that wait (200 ms) in threads", (1, 2, 3, 4, 5, 6, 7), (10, 20, 80), 80),
)


async def _visit(port: int, late: float, end: float, begin: float, times: list[float]) -> None:
    """One client: request after request over one connection; counts those answered in time."""
    await asyncio.sleep(late)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (started := time.monotonic()) < end:
            writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            done = time.monotonic()
            if begin <= done <= end:
                times.append(done - started)
    finally:
        writer.close()


async def _load(port: int, connections: int, seconds: float, tree: list[psutil.Process]) -> Run:
    begin = time.monotonic() + WARM_UP
    end = begin + seconds
    times: list[float] = []
    # One after the other: of a burst of connections a single worker accepts as many as it finds, and has them for good.
    late = [WARM_UP / 2 * number / connections for number in range(connections)]
    clients = [asyncio.create_task(_visit(port, each, end, begin, times)) for each in late]
    await asyncio.sleep(begin - time.monotonic())
    served, own, everybody = _used(tree), _used([psutil.Process()]), _busy()
    await asyncio.sleep(end - time.monotonic())
    served, own, everybody = _used(tree) - served, _used([psutil.Process()]) - own, _busy() - everybody
    await asyncio.gather(*clients)
    times.sort()
    workers = max(len(tree), 1)
    others = max(everybody - served - own, 0.0) / seconds
    return Run(len(times) / seconds, times[int(len(times) * 0.95)], served / seconds / workers, own / seconds, others)


def _used(processes: list[psutil.Process]) -> float:
    return sum(each.cpu_times().user + each.cpu_times().system for each in processes)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice + times.irq + times.softirq)


@contextmanager
def _served(folder: Path, workers: int, threads: int) -> Iterator[tuple[int, list[psutil.Process]]]:
    """The application behind uvicorn; yields its port and the processes that answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port), "--no-access-log"]
    server = subprocess.Popen(
        [*command, "--workers", str(workers)],
        cwd=folder,
        env={**os.environ, "THREADS": str(threads)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield port, _up(psutil.Process(server.pid), port, workers)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _up(server: psutil.Process, port: int, workers: int) -> list[psutil.Process]:
    """The workers, once each of them has loaded the application: its CPU time stands still."""
    end = time.monotonic() + START
    while time.monotonic() < end:
        with socket.socket() as client:
            listens = client.connect_ex(("127.0.0.1", port)) == 0
        tree = [one for one in server.children() if "resource_tracker" not in " ".join(one.cmdline())]
        tree = tree if workers > 1 else [server]
        if listens and len(tree) == workers:
            before = _used(tree)
            time.sleep(0.5)
            if _used(tree) - before < 0.02 * workers:
                return tree
        time.sleep(0.1)
    raise RuntimeError(f"{server} did not come up with {workers} workers")


def measure(folder: Path, case: Case, workers: int, threads: int, seconds: float) -> Run:
    """One configuration under a load that keeps every worker busy."""
    connections = max(case.connections, 2 * threads if case.threads else 0) * workers
    runs: list[Run] = []
    for _ in range(TRIES):
        _wait_for_quiet()
        with _served(folder, workers, threads) as (port, tree):
            runs.append(asyncio.run(_load(port, connections, seconds, tree)))
        if runs[-1].others <= QUIET:
            break
    # Of runs that were all disturbed the least disturbed one says the most.
    return min(runs, key=lambda run: run.others)


def _wait_for_quiet() -> None:
    """Wait until others leave the cores alone, or patience is at its end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        before = _busy()
        time.sleep(0.5)
        if (_busy() - before) / 0.5 <= QUIET:
            return


def median(runs: list[Run]) -> Run:
    """The run in the middle, figure by figure, of those that nobody disturbed; the least disturbed one if all were."""
    runs = [run for run in runs if run.others <= QUIET] or [min(runs, key=lambda run: run.others)]
    return Run(*(statistics.median(getattr(run, name) for run in runs) for name in Run.__slots__))


def advised(folder: Path, one: Run, cores: float) -> dict[str, Any]:
    """What `fastlint advise` says of the application, given one worker and the cores."""
    command = [
        sys.executable,
        "-m",
        "fastlint",
        "advise",
        str(folder),
        "--cores",
        str(cores),
        "--output-format",
        "json",
    ]
    command += ["--rate-per-worker", f"{one.rate:.1f}", "--worker-cpu", f"{one.share:.2f}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    answer = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)
    assert isinstance(answer, dict)
    return answer


def best(rates: dict[int, float]) -> int:
    """The smallest count that comes within a tenth of the best rate, which is what the advice means by best."""
    most = max(rates.values())
    return min(count for count, rate in rates.items() if rate >= 0.9 * most)


def table(rows: list[tuple[int, Run, float]], word: str) -> Iterator[str]:
    """Measured against predicted; a row beyond the goal says so."""
    yield f"| {word} | measured, requests/s | p95 | predicted, requests/s | off by | |"
    yield "|---|---|---|---|---|---|"
    for count, run, predicted in rows:
        off = predicted / run.rate - 1
        miss = "miss" if abs(off) > GOAL else ""
        yield f"| {count} | {run.rate:.0f} | {run.p95 * 1000:.0f} ms | {predicted:.0f} | {off:+.0%} | {miss} |"


_Runs = dict[tuple[int, int], list[Run]]  # by workers and threads
_RECORD = re.compile(r"(\w+) (\d+) workers, (\d+) threads: Run\((.*)\)")


def collect(case: Case, rounds: int, seconds: float) -> _Runs:
    """Measure every configuration of a case, one after the other, so many times; tells each run on stderr."""
    configurations = [(count, 40) for count in case.workers] + [(1, threads) for threads in case.threads]
    runs: _Runs = {each: [] for each in configurations}
    for _ in range(rounds):
        for workers, threads in configurations:
            run = measure(BENCH / "advice_apps" / case.name, case, workers, threads, seconds)
            runs[workers, threads].append(run)
            sys.stderr.write(f"{case.name} {workers} workers, {threads} threads: {run}\n")
            sys.stderr.flush()
    return runs


def recorded(case: Case, files: list[Path]) -> _Runs:
    """The runs of a case that were told on stderr, and kept."""
    runs: _Runs = {}
    for match in (match for file in files for match in _RECORD.finditer(file.read_text())):
        if match[1] == case.name:
            figures = (float(part.partition("=")[2]) for part in match[4].split(", "))
            runs.setdefault((int(match[2]), int(match[3])), []).append(Run(*figures))
    return runs


def examine(case: Case, cores: int, runs: _Runs) -> Iterator[str]:
    """One case: advice against measurement."""
    measured = {each: median(several) for each, several in runs.items()}
    one = measured[1, 40]
    noise = statistics.median(run.others for run in measured.values())
    given = round(cores - noise, 1)  # what others use all the time is none of the service's
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(BENCH / "advice_apps" / case.name / "main.py", folder)
        (Path(folder) / "requirements.txt").write_text("fastapi\nuvicorn\n")
        advice = advised(Path(folder), one, given)
    prediction = advice["prediction"]
    most = prediction["throughput"][-1]["rate"]
    by_workers = {row["workers"]: row["rate"] for row in prediction["throughput"]}
    counts = [count for count in case.workers if (count, 40) in measured]
    found = best({count: measured[count, 40].rate for count in counts})
    step = abs(advice["workers"] - found)
    client = max(run.client for run in measured.values())
    yield f"## {case.title}"
    yield ""
    yield (
        f"Given: one worker serves {one.rate:.0f} requests/s with {one.share:.0%} of a core, while others used "
        f"{one.others:.2f} cores "
        f"(`--rate-per-worker {one.rate:.1f} --worker-cpu {one.share:.2f} --cores {given:g}`). "
        f"**Advised: {advice['workers']} worker{'' if advice['workers'] == 1 else 's'}; measured best: {found}"
        f"{'' if step <= 1 else ' (miss)'}.** The load generator used up to {client:.2f} cores, "
        f"others {noise:.2f} at the median of all configurations."
    )
    yield ""
    yield from table([(count, measured[count, 40], by_workers.get(count, most)) for count in counts], "workers")
    if case.threads and prediction["threads"]:
        by_threads = {row["tokens"]: row["rate"] for row in prediction["threads"]}
        yield ""
        rows = [
            (threads, measured[1, threads], by_threads[threads])
            for threads in sorted((*case.threads, 40))
            if (1, threads) in measured
        ]
        yield from table(rows, "threads of one worker")
    yield ""


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--runs", type=Path, action="append", help="measure nothing: take what an earlier run told")
    parser.add_argument("--note", help="what there is to say of the runs of --runs")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cores = len(psutil.Process().cpu_affinity())
    load = os.getloadavg()[0]
    chosen = [case for case in CASES if not options.case or case.name in options.case]
    when = time.strftime("%d %B %Y", time.gmtime())
    sources = {case.name: recorded(case, options.runs) for case in chosen} if options.runs else {}
    most = max((len(runs) for each in sources.values() for runs in each.values()), default=options.rounds)
    lines = [
        HEAD.format(
            goal=GOAL,
            when=when,
            cores=cores,
            python=sys.version.split()[0],
            rounds=most,
            seconds=options.seconds,
            note=options.note or f"The load average at the start was {load:.2f}.",
            quiet=QUIET,
        )
    ]
    for case in chosen:
        lines += examine(case, cores, sources.get(case.name) or collect(case, options.rounds, options.seconds))
    page = "\n".join(lines).rstrip() + "\n"
    page += FOOT if "| miss |" in page else ""
    if options.output:
        options.output.write_text(page)
    else:
        sys.stdout.write(page)


if __name__ == "__main__":
    main()
