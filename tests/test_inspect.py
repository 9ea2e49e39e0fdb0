"""`fastlint inspect` on servers that really run: gunicorn, uvicorn and hypercorn, looked at from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import fastlint

BIN = Path(sys.executable).parent
REPOSITORY = Path(fastlint.__file__).parent.parent
PATIENCE = 40.0
WATCH = (sys.executable, "-m", "fastlint", "inspect", "--watch", "--interval", "0.3", "--pid")
APPLICATION = """
from pathlib import Path

from fastapi import FastAPI

app = FastAPI()
Path("imported").open("a").write("x")


@app.get("/")
async def home() -> dict[str, str]:
    return {}


if __name__ == "__main__":
    import os

    import uvicorn

    uvicorn.run("main:app", port=int(os.environ["PORT"]), workers=2)
"""
# What setproctitle leaves: a command line of one piece. Each process reads its program from stdin.
TITLED = """
import os, time
if os.fork() == 0:
    os.dup2(os.open("worker.py", os.O_RDONLY), 0)
    os.execv({python!r}, ["gunicorn: worker [shop:app]"])
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APPLICATION)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def served(
    folder: Path, command: list[str], workers: int, port: int = 0, **environment: str
) -> Iterator[psutil.Process]:
    """A server in a process group of its own, once it listens and so many workers run."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "WEB_CONCURRENCY")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**clean, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        server = psutil.Process(process.pid)
        until(lambda: answers(port) and len(serving(server)) >= workers)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(port: int) -> bool:
    if not port:
        return True
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def serving(server: psutil.Process) -> list[psutil.Process]:
    children = []
    for child in server.children():
        try:
            if not any("resource_tracker" in word for word in child.cmdline()):
                children.append(child)
        except psutil.Error:
            continue
    return children


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "the server never came up"
        time.sleep(0.1)


def inspect(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastlint", "inspect", *arguments],
        cwd=folder or REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
    )


def seen(*arguments: str) -> dict[str, Any]:
    """The one server of a look."""
    ended = inspect(*arguments, "--output-format", "json", "--exit-zero")
    assert ended.returncode == 0, ended.stderr
    (server,) = json.loads(ended.stdout)["servers"]
    assert isinstance(server, dict)
    return server


def roles(server: dict[str, Any]) -> list[str]:
    return [process["role"] for process in server["processes"]]


def gunicorn(port: int, *more: str, workers: int = 3) -> list[str]:
    kind = ["-k", "uvicorn_worker.UvicornWorker", "-w", str(workers), "-b", f"127.0.0.1:{port}"]
    return [str(BIN / "gunicorn"), "main:app", *kind, *more]


def test_gunicorn_with_three_workers_one_of_them_killed_and_replaced(folder: Path) -> None:
    port = free_port()
    with served(folder, gunicorn(port, "--max-requests", "500"), 3, port) as master:
        first = seen("--pid", str(master.pid))
        assert (first["server"], first["app"], first["workers"]) == ("gunicorn", "main:app", 3)
        assert roles(first) == ["master", "worker", "worker", "worker"]
        assert first["addresses"] == [f"127.0.0.1:{port}"]
        assert Path(first["folder"]) == folder
        assert first["plan"]["settings"]["max_requests"]["value"] == 500
        assert [process["late"] for process in first["processes"]] == [None] * 4

        victim = first["processes"][2]["pid"]
        time.sleep(max(0.0, first["processes"][1]["started"] + 4 - time.time()))  # its successor is clearly later
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in {child.pid for child in serving(master)} and len(serving(master)) == 3)
        then = seen("--port", str(port))
        assert then["pid"] == master.pid
        assert roles(then) == roles(first)
        *others, newest = then["processes"][1:]
        assert victim not in {process["pid"] for process in then["processes"]}
        assert newest["late"] > 3
        assert [process["late"] for process in others] == [None, None]

        # Any process of the tree stands for it, and the findings are about what really runs.
        ended = inspect("--pid", str(newest["pid"]), "--color", "never")
        assert ended.returncode == 1
        assert f"process {master.pid}: FL610 [warning] `--max-requests 500`" in ended.stdout
        assert "after the first: replaced or added" in ended.stdout
        assert inspect("--pid", str(master.pid), "--fail-on", "error").returncode == 0


def test_memory_is_counted_once_and_belongs_to_somebody(folder: Path) -> None:
    port = free_port()
    with served(folder, gunicorn(port, "--preload"), 3, port) as master:
        server = seen("--pid", str(master.pid))
        resident = sum(process["rss"] for process in server["processes"])
        own = sum(process["own"] for process in server["processes"])
        assert own < server["memory"]["bytes"] < resident
        for process in server["processes"]:
            assert 0 < process["own"] <= process["shared"] <= process["rss"]
            assert process["threads"] >= 1
            assert 0 <= process["cpu"] < 3


def test_uvicorn_with_two_workers(folder: Path) -> None:
    port = free_port()
    command = [str(BIN / "uvicorn"), "main:app", "--workers", "2", "--port", str(port)]
    with served(folder, command, 2, port) as server:
        found = seen("--port", str(port))
        assert (found["pid"], found["server"], found["workers"]) == (server.pid, "uvicorn", 2)
        assert roles(found) == ["master", "worker", "worker", "helper"]  # the last one tracks shared resources


def test_uvicorn_that_serves_by_itself_and_one_that_reloads(folder: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port)]
    with served(folder, command, 0, port, UVICORN_TIMEOUT_KEEP_ALIVE="7") as server:
        found = seen("--pid", str(server.pid))
        assert (roles(found), found["workers"]) == (["server"], 0)
        kept = found["plan"]["settings"]["timeout_keep_alive"]
        assert (kept["value"], kept["said"]["by"]) == (7, "environment")
    port = free_port()
    with served(folder, [str(BIN / "uvicorn"), "main:app", "--reload", "--port", str(port)], 1, port) as server:
        found = seen("--pid", str(server.pid))
        assert roles(found)[:2] == ["reloader", "worker"]
        assert found["findings"] == []  # nobody else can reach it: somebody is at work
        assert any("reloads" in note for note in found["notes"])


def test_reload_that_others_can_reach_is_a_finding(folder: Path) -> None:
    port = free_port()
    command = [str(BIN / "uvicorn"), "main:app", "--reload", "--host", "0.0.0.0", "--port", str(port)]
    with served(folder, command, 1, port) as server:
        assert [finding["code"] for finding in seen("--pid", str(server.pid))["findings"]] == ["FL607"]


def test_hypercorn(folder: Path) -> None:
    port = free_port()
    command = [str(BIN / "hypercorn"), "main:app", "-w", "2", "-b", f"127.0.0.1:{port}"]
    with served(folder, command, 2, port) as server:
        found = seen("--port", str(port))
        assert (found["pid"], found["server"], found["workers"]) == (server.pid, "hypercorn", 2)


def test_a_program_that_starts_uvicorn_is_read_not_run(folder: Path) -> None:
    port = free_port()
    with served(folder, [sys.executable, "main.py"], 2, port, PORT=str(port)) as server:
        # by the program, and in each worker as the spawned main module and as the application
        until(lambda: len((folder / "imported").read_text()) == 5)
        found = seen("--pid", str(server.pid))
        assert (found["server"], found["app"], found["workers"]) == ("uvicorn.run", "main:app", 2)
        assert found["plan"]["settings"]["port"]["value"] == port
        assert len((folder / "imported").read_text()) == 5


def test_the_configuration_file_and_the_environment_decide_as_they_do_for_gunicorn(folder: Path) -> None:
    port = free_port()
    (folder / "gunicorn.conf.py").write_text(
        "import os\n"
        'worker_class = "uvicorn_worker.UvicornWorker"\n'
        'workers = int(os.environ.get("SHOP_WORKERS", 5))\n'
        "max_requests = 100  # fastlint: ignore[FL610] a test\n"
        'raw_env = ["TOKEN=" + os.environ["SHOP_TOKEN"]]\n'
    )
    command = [str(BIN / "gunicorn"), "main:app", "-b", f"127.0.0.1:{port}", "-e", "KEY=hunter2"]
    given = {"SHOP_WORKERS": "2", "SHOP_TOKEN": "hunter3", "GUNICORN_CMD_ARGS": "--timeout 77"}
    with served(folder, command, 2, port, **given) as server:
        found = seen("--pid", str(server.pid))
        settings = found["plan"]["settings"]
        assert (settings["workers"]["value"], settings["workers"]["said"]["path"]) == (2, "gunicorn.conf.py")
        assert (settings["timeout"]["value"], found["workers"]) == (77, 2)
        assert found["findings"] == []
        for text in (json.dumps(found), inspect("--pid", str(server.pid)).stdout):
            assert "hunter" not in text  # nobody asked for secrets


def test_a_title_hides_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "master.py").write_text(TITLED.format(python=sys.executable))
    (tmp_path / "worker.py").write_text("import time\ntime.sleep(600)\n")
    with (tmp_path / "master.py").open() as program:
        process = subprocess.Popen(
            ["gunicorn: master [shop:app]"],
            executable=sys.executable,
            cwd=tmp_path,
            stdin=program,
            env={"PYTHONHOME": sys.base_prefix},
            start_new_session=True,
        )
    try:
        server = psutil.Process(process.pid)
        until(lambda: any("worker" in " ".join(child.cmdline()) for child in server.children()))
        found = seen("--pid", str(process.pid))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert (found["server"], found["app"], found["workers"]) == ("gunicorn", "shop:app", 1)
    assert (found["command"], found["title"]) == (None, "gunicorn: master [shop:app]")
    assert any("title hides the command line" in note for note in found["notes"])
    assert not found["plan"]["settings"]["workers"]["known"]
    assert found["findings"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--pid", "4194304"), "there is no process 4194304"),
        (("--pid", "{own}"), "is no server that fastlint knows, and none runs below it"),
        (("--port", "{free}"), "nothing listens on port"),
        (("--pid", "0"), "0 is not in the range"),
        (("--port", "70000"), "70000 is not in the range"),
        (("--pid", "1", "--port", "1"), "exclude each other"),
        (("--interval", "2"), "--watch"),
        (("--watch", "--interval", "0"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_looked_at_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    ended = inspect(*(each.format(free=free_port(), own=os.getpid()) for each in arguments))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_of_something_else_and_a_process_that_ended() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ended = inspect("--port", str(listener.getsockname()[1]))
    assert (ended.returncode, "no server that fastlint knows" in ended.stderr) == (2, True)
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    ended = inspect("--pid", str(process.pid))
    assert (ended.returncode, "there is no process" in ended.stderr) == (2, True)


def test_watching_sees_a_replacement_and_ends_with_the_server(folder: Path) -> None:
    port = free_port()
    with served(folder, gunicorn(port, workers=2), 2, port) as master:
        watching = subprocess.Popen(
            [*WATCH, str(master.pid), "--output-format", "json"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert watching.stdout is not None
            looks = (json.loads(line)["servers"][0] for line in watching.stdout)
            first = next(looks)
            assert (first["replaced"], first["workers"]) == (0, 2)
            os.kill(first["processes"][1]["pid"], signal.SIGKILL)
            end = time.monotonic() + PATIENCE
            replaced = next(look for look in looks if look["replaced"] or time.monotonic() > end)
            assert (replaced["replaced"], replaced["workers"]) == (1, 2)
            os.killpg(master.pid, signal.SIGKILL)
            psutil.wait_procs([master], timeout=PATIENCE)
            _, told = watching.communicate(timeout=PATIENCE)
        finally:
            watching.kill()
    assert watching.returncode == 2
    assert told.startswith(("fastlint: there is no process", "fastlint: process "))
    assert told.count("\n") == 1


def test_watching_ends_with_control_c(folder: Path) -> None:
    port = free_port()
    with served(folder, gunicorn(port, workers=1), 1, port) as master:
        watching = subprocess.Popen(
            [*WATCH, str(master.pid)],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,  # a shell's job ignores it
        )
        assert watching.stdout is not None
        next(line for line in watching.stdout if line.startswith("gunicorn"))
        watching.send_signal(signal.SIGINT)
        try:
            _, told = watching.communicate(timeout=PATIENCE)
        finally:
            watching.kill()
        assert (watching.returncode, told.strip()) == (130, "")
