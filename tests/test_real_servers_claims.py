"""What the rules of FL6 say of the servers is so: each claim is seen on the real server, on loopback, in good time."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("gunicorn")
pytest.importorskip("uvicorn")
pytest.importorskip("uvicorn_worker")
pytest.importorskip("hypercorn")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes and signals as on Linux")

PATIENCE = 25.0  # seconds for whatever is to happen, on a machine that does other things as well
UW = ("-k", "uvicorn_worker.UvicornWorker")
APP = """
import asyncio, os, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    if path == "/block":
        time.sleep(8)
    if path == "/wait":
        await asyncio.sleep(float(scope["query_string"] or b"1"))
    body = {"/pid": str(os.getpid()), "/client": scope["client"][0], "/scheme": scope["scheme"]}.get(path, "ok")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server as a process of its own, with what it wrote, and requests to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    @property
    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def ends(self) -> int:
        """The exit status; fails if the server runs on."""
        return self.process.wait(PATIENCE)

    def says(self, pattern: str) -> bool:
        return until(lambda: re.search(pattern, self.text) is not None)

    def ask(self, path: str = "/", headers: str = "", patience: float = PATIENCE) -> tuple[int, str]:
        """Status and body of one request, over a connection of its own. Raises `OSError`."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        if not answer:
            raise ConnectionError("closed without an answer")
        head, _, body = answer.decode().partition("\r\n\r\n")
        if "chunked" in head.lower():
            body = "".join(re.findall(r"[0-9a-f]+\r\n(.*?)\r\n", body, re.DOTALL))
        return int(head.split()[1]), body

    def up(self) -> Server:
        """Itself, once it answers anything at all."""
        assert until(self._answers), self.text
        return self

    def _answers(self) -> bool:
        try:
            self.ask(patience=5)
        except OSError:
            return False
        return True

    def pids(self) -> set[str]:
        return {self.ask("/pid")[1] for _ in range(40)}


def until(what: Callable[[], bool], patience: float = PATIENCE) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.1)
    return False


@contextmanager
def started(folder: Path, *command: str, app: str = APP, **environment: str) -> Iterator[Server]:
    """A server started by `command`, in which PORT stands for a free one; it and its children are gone afterwards."""
    (folder / "service.py").write_text(app, "utf-8")
    port = free_port()
    words = [sys.executable if word == "python" else word.replace("PORT", str(port)) for word in command]
    kept = {
        key: value for key, value in os.environ.items() if not re.match("GUNICORN|UVICORN|WEB_CONC|PORT|FORWARD", key)
    }
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", "HOME": str(folder), **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Server(process, port, log)
        finally:
            _end_group(process.pid)
            process.wait(PATIENCE)


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def gunicorn(*more: str) -> tuple[str, ...]:
    return ("python", "-m", "gunicorn", "-b", "127.0.0.1:PORT", "--no-control-socket", *more, "service:app")


def uvicorn(*more: str) -> tuple[str, ...]:
    return ("python", "-m", "uvicorn", "service:app", "--port", "PORT", *more)


def children(server: Server) -> set[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return {int(pid) for pid in listed.split()}


# FL605: worker classes


@pytest.mark.parametrize("more", [(), ("--threads", "4"), ("-k", "gthread")])
def test_a_wsgi_worker_answers_every_request_of_an_asgi_application_with_500(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    with started(tmp_path, *gunicorn(*more)) as server:
        assert server.up().ask()[0] == 500
        assert server.process.poll() is None


@pytest.mark.parametrize("kind", ["uvicorn_worker.UvicornWorker", "asgi"])
def test_the_asgi_workers_serve_it(tmp_path: Path, kind: str) -> None:
    with started(tmp_path, *gunicorn("-k", kind)) as server:
        assert server.up().ask() == (200, "ok")


# FL606: the deprecated class


def test_the_deprecated_class_still_serves_and_warns_only_if_asked(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn("-k", "uvicorn.workers.UvicornWorker")) as server:
        assert server.up().ask()[0] == 200
        assert "deprecated" not in server.text
    with started(tmp_path, *gunicorn("-k", "uvicorn.workers.UvicornWorker"), PYTHONWARNINGS="default") as server:
        assert server.up().says("`uvicorn.workers` module is deprecated")


# FL607: reload


def test_reload_switches_workers_off(tmp_path: Path) -> None:
    with started(tmp_path, *uvicorn("--reload", "--workers", "4")) as server:
        assert len(server.up().pids()) == 1
        assert server.says('"workers" flag is ignored when reloading is enabled')


# FL608: an object where a name is needed

RUN = "\nimport uvicorn\nif __name__ == '__main__':\n    uvicorn.run({}, port=PORT, {})\n"


def run_file(folder: Path, target: str, more: str) -> tuple[str, ...]:
    port = free_port()
    (folder / "serve.py").write_text(APP + RUN.format(target, more).replace("PORT", str(port)), "utf-8")
    return ("python", "serve.py")


@pytest.mark.parametrize("more", ["workers=2", "reload=True"])
def test_an_object_with_workers_or_reload_ends_with_status_3(tmp_path: Path, more: str) -> None:
    with started(tmp_path, *run_file(tmp_path, "app", more)) as server:
        assert server.ends() == 3
        assert "You must pass the application as an import string" in server.text


def test_so_does_an_object_with_web_concurrency(tmp_path: Path) -> None:
    with started(tmp_path, *run_file(tmp_path, "app", ""), WEB_CONCURRENCY="2") as server:
        assert server.ends() == 3


# FL609: settings without effect


@pytest.mark.parametrize("more", [("--threads", "8"), ("--worker-connections", "1"), ("--limit-request-line", "100")])
def test_the_uvicorn_worker_ignores_these_without_a_word(tmp_path: Path, more: tuple[str, ...]) -> None:
    with started(tmp_path, *gunicorn(*UW, *more)) as server:
        assert server.up().ask("/" + "x" * 400)[0] == 200
        first, second = (subprocess.Popen([sys.executable, "-c", _request(server, "/wait?1.5")]) for _ in range(2))
        began = time.monotonic()
        assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0)
        assert time.monotonic() - began < 2.9  # both waited at once
        assert not re.search("thread|connection|limit", server.text, re.IGNORECASE)


def _request(server: Server, path: str) -> str:
    return f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{server.port}{path}', timeout=20).read()"


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss (iproute2)")
def test_the_asgi_worker_says_that_it_ignores_threads_and_listens_with_100(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn("-k", "asgi", "--threads", "4", "--backlog", "777")) as server:
        server.up()
        assert server.says("ASGI worker does not use threads configuration")
        assert 777 not in _queues(server)
    with started(tmp_path, *gunicorn(*UW, "--backlog", "777")) as server:
        server.up()
        assert 777 in _queues(server)


def _queues(server: Server) -> set[int]:
    """The lengths of the listen queues of the port."""
    listed = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {int(row.split()[2]) for row in listed if row.split()[3].endswith(f":{server.port}")}


def test_reload_with_the_uvicorn_worker_goes_on_serving_the_old_code(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn(*UW, "--reload", "--reload-engine", "poll")) as server:
        before = server.up().ask("/pid")
        (tmp_path / "service.py").write_text(APP.replace('"ok"', '"new"'), "utf-8")
        assert server.says("Worker reloading")
        time.sleep(3)
        assert server.ask("/pid") == before
        assert server.ask() == (200, "ok")


def test_jitter_alone_recycles_nothing(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn(*UW, "--max-requests-jitter", "2")) as server:
        server.up()
        assert len({server.ask("/pid")[1] for _ in range(12)}) == 1


# FL610: recycling


def test_jitter_draws_a_limit_for_each_worker(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn(*UW, "--max-requests", "3")) as server:
        server.up()
        assert until(lambda: server.ask("/pid")[1] != "" and "Maximum request limit of 3 exceeded" in server.text)
    with started(tmp_path, *gunicorn(*UW, "--max-requests", "3", "--max-requests-jitter", "1000")) as server:
        server.up()
        assert len({server.ask("/pid")[1] for _ in range(3)}) == 1


# FL611, FL623: the heartbeat


@pytest.mark.parametrize("kind", ["uvicorn_worker.UvicornWorker", "asgi"])
@pytest.mark.parametrize("recycles", [False, True])
def test_only_a_worker_that_ends_by_itself_is_killed_while_it_drains(tmp_path: Path, kind: str, recycles: bool) -> None:
    more = ("--max-requests", "2") if recycles else ()
    limits = ("--timeout", "3", "--graceful-timeout", "20")
    with started(tmp_path, *gunicorn("-k", kind, *limits, *more)) as server:
        assert server.says("Booting worker")
        assert until(lambda: _listens(server))
        with ThreadPoolExecutor(5) as pool:
            slow = pool.submit(server.ask, "/wait?9")
            time.sleep(1)
            if recycles:
                for _ in range(4):  # the worker ends once it has had enough; the next one takes the rest
                    pool.submit(server.ask)
                assert isinstance(slow.exception(), OSError)
            else:
                server.process.terminate()
                assert slow.result() == (200, "ok")
        assert ("WORKER TIMEOUT" in server.text) is recycles


def _listens(server: Server) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=2).close()
    except OSError:
        return False
    return True


def test_a_blocked_loop_is_killed_by_the_heartbeat_and_without_one_it_is_not(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn(*UW, "--timeout", "3")) as server:
        server.up()
        with pytest.raises(OSError, match=r"closed|reset"):
            server.ask("/block")
        assert server.says("WORKER TIMEOUT")
    with started(tmp_path, *gunicorn(*UW, "--timeout", "0")) as server:
        assert server.up().ask("/block")[0] == 200


def test_the_heartbeat_does_not_see_a_request_that_awaits(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn(*UW, "--timeout", "2")) as server:
        assert server.up().ask("/wait?6")[0] == 200
        assert "WORKER TIMEOUT" not in server.text


@pytest.mark.parametrize("kind", ["uvicorn_worker.UvicornWorker", "asgi"])
@pytest.mark.parametrize(
    "app",
    [
        "import time\ntime.sleep(6)\n" + APP,
        APP.replace("message = await receive()", "message = await receive(); time.sleep(6)"),
    ],
    ids=["import", "lifespan"],
)
def test_the_heartbeat_does_not_watch_a_worker_that_starts_up(tmp_path: Path, kind: str, app: str) -> None:
    with started(tmp_path, *gunicorn("-k", kind, "--timeout", "2"), app=app) as server:
        assert server.up().ask()[0] == 200
        assert "WORKER TIMEOUT" not in server.text


def test_the_health_check_of_uvicorn_does_not_see_a_blocked_loop(tmp_path: Path) -> None:
    with started(tmp_path, *uvicorn("--workers", "2", "--timeout-worker-healthcheck", "2")) as server:
        assert server.up().ask("/block")[0] == 200
        assert "died" not in server.text


def test_keep_alive_zero_drops_the_connection_without_saying_so(tmp_path: Path) -> None:
    with started(tmp_path, *uvicorn("--timeout-keep-alive", "0")) as server:
        server.up()
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" not in answer.lower()


# FL612: preload


def test_a_thread_of_the_import_does_not_exist_in_a_preloaded_worker(tmp_path: Path) -> None:
    app = "import threading, time\nthread = threading.Thread(target=time.sleep, args=(60,), daemon=True)\n"
    app += "thread.start()\n"
    app += APP.replace('"ok")', "str(thread.is_alive()))")
    with started(tmp_path, *gunicorn(*UW, "--preload"), app=app) as server:
        assert server.up().ask() == (200, "False")
    with started(tmp_path, *gunicorn(*UW), app=app) as server:
        assert server.up().ask() == (200, "True")


# FL613: forwarding headers

LIE = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"


@pytest.mark.parametrize(
    "command", [gunicorn(*UW, "--forwarded-allow-ips", "*"), uvicorn("--forwarded-allow-ips", "*")]
)
def test_with_a_star_the_client_says_who_it_is(tmp_path: Path, command: tuple[str, ...]) -> None:
    with started(tmp_path, *command) as server:
        assert server.up().ask("/client", LIE) == (200, "6.6.6.6")
        assert server.ask("/scheme", LIE) == (200, "https")


def test_an_address_that_is_not_trusted_is_not_believed(tmp_path: Path) -> None:
    with started(tmp_path, *uvicorn("--forwarded-allow-ips", "10.0.0.1")) as server:
        assert server.up().ask("/client", LIE) == (200, "127.0.0.1")


# FL614, FL615: names and values


def test_unknown_names_in_the_file_are_ignored_and_upper_case_is_one(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("worker = 3\nWORKERS = 3\nmax_request = 1\nkeep_alive = 9\n", "utf-8")
    with started(tmp_path, *gunicorn(*UW)) as server:
        assert len(server.up().pids()) == 1
        assert "max_request" not in server.text


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (gunicorn("--limit-concurrency", "5"), "unrecognized arguments"),
        (gunicorn("--worker", "2"), "ambiguous option"),
        (gunicorn("-w", "1.5"), "invalid int value"),
        (uvicorn("--threads", "4"), "No such option"),
        (uvicorn("--workers", "two"), "is not a valid integer"),
        (uvicorn("--workers", "$WEB_CONCURRENCY"), "is not a valid integer"),
        (("python", "-m", "fastapi", "run", "service.py", "--limit-concurrency", "5"), "No such option"),
    ],
)
def test_unknown_flags_and_wrong_values_end_the_server_with_status_2(
    tmp_path: Path, command: tuple[str, ...], words: str
) -> None:
    with started(tmp_path, *command) as server:
        assert server.ends() == 2
        assert words in server.text


@pytest.mark.parametrize("value", ["2.5", "None", "-2", "''", "'two'"])
def test_values_that_the_file_cannot_have_end_it_with_status_1(tmp_path: Path, value: str) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(f"workers = {value}\n", "utf-8")
    with started(tmp_path, *gunicorn(*UW)) as server:
        assert server.ends() == 1
        assert "Invalid value for workers" in server.text


def test_a_number_as_text_is_a_number_for_gunicorn(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("workers = '2'\n", "utf-8")
    with started(tmp_path, *gunicorn(*UW)) as server:
        assert until(lambda: len(children(server.up())) == 2)


# FL616: who wins


def test_command_line_then_variable_then_file_then_web_concurrency(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("workers = 2\n", "utf-8")
    for more, environment, expected in (
        ((), {"WEB_CONCURRENCY": "5"}, 2),
        ((), {"GUNICORN_CMD_ARGS": "-w 3"}, 3),
        (("-w", "4"), {"GUNICORN_CMD_ARGS": "-w 3"}, 4),
    ):
        with started(tmp_path, *gunicorn(*UW, *more), **environment) as server:
            server.up()
            assert until(lambda server=server, expected=expected: len(children(server)) == expected)  # type: ignore[misc]


def test_uvicorn_workers_beats_web_concurrency(tmp_path: Path) -> None:
    with started(tmp_path, *uvicorn(), UVICORN_WORKERS="1", WEB_CONCURRENCY="3") as server:
        assert len(server.up().pids()) == 1


def test_hypercorn_does_not_read_web_concurrency(tmp_path: Path) -> None:
    command = ("python", "-m", "hypercorn", "service:app", "-b", "127.0.0.1:PORT")
    with started(tmp_path, *command, WEB_CONCURRENCY="3") as server:
        assert len(server.up().pids()) == 1


# FL619, FL625: stopping


def test_uvicorn_waits_for_a_request_without_a_limit_and_with_one_it_does_not(tmp_path: Path) -> None:
    for more, ends in (((), False), (("--timeout-graceful-shutdown", "1"), True)):
        with started(tmp_path, *uvicorn(*more)) as server:
            server.up()
            client = subprocess.Popen([sys.executable, "-c", _request(server, "/wait?15")], stderr=subprocess.DEVNULL)
            time.sleep(1.5)
            server.process.terminate()
            time.sleep(5)
            assert (server.process.poll() is not None) is ends
            client.kill()
            client.wait()


# FL622: shells


def test_a_script_keeps_the_signal_and_exec_hands_it_over(tmp_path: Path) -> None:
    line = f"{sys.executable} -m uvicorn service:app --port $1\n"
    for text, heard in ((f"#!/bin/sh\n{line}", False), (f"#!/bin/sh\nexec {line}", True)):
        (tmp_path / "start.sh").write_text(text, "utf-8")
        with started(tmp_path, "sh", "start.sh", "PORT") as server:
            server.up()
            server.process.terminate()
            time.sleep(2)
            assert ("Shutting down" in server.text) is heard


@pytest.mark.skipif(shutil.which("dash") is None, reason="needs dash, the shell of Debian's images")
@pytest.mark.parametrize("before", ["", "true && ", "true; "])
def test_the_shell_of_the_usual_images_keeps_the_signal_of_a_shell_form(tmp_path: Path, before: str) -> None:
    for executing, heard in (("", False), ("exec ", True)):
        line = f"{before}{executing}{sys.executable} -m uvicorn service:app --port PORT"
        with started(tmp_path, "dash", "-c", line) as server:
            server.up()
            server.process.terminate()
            time.sleep(2)
            assert ("Shutting down" in server.text) is heard


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("before", "after"), [("", ""), ("true && ", ""), ("true; ", ""), ("true\n", "\n")])
def test_bash_gives_way_to_the_last_command_of_a_text(tmp_path: Path, before: str, after: str) -> None:
    line = f"{before}{sys.executable} -m uvicorn service:app --port PORT{after}"
    with started(tmp_path, "bash", "-c", line) as server:
        server.up()
        server.process.terminate()
        assert server.says("Shutting down")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("before", ["", "true && ", "true; "])
def test_bash_gives_way_as_sh_too(tmp_path: Path, before: str) -> None:
    """The `sh` of Fedora's and Red Hat's images."""
    (tmp_path / "sh").symlink_to(str(shutil.which("bash")))
    with started(
        tmp_path, str(tmp_path / "sh"), "-c", f"{before}{sys.executable} -m uvicorn service:app --port PORT"
    ) as server:
        server.up()
        server.process.terminate()
        assert server.says("Shutting down")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    "line", ["trap 'echo x' TERM; SERVE", "if true; then SERVE; fi", "SERVE 2>&1", "sleep 60 & SERVE"]
)
def test_bash_stays_where_something_is_left_to_do(tmp_path: Path, line: str) -> None:
    serve = f"{sys.executable} -m uvicorn service:app --port PORT"
    with started(tmp_path, "bash", "-c", line.replace("SERVE", serve)) as server:
        server.up()
        server.process.terminate()
        time.sleep(2)
        assert "Shutting down" not in server.text


@pytest.mark.parametrize(("trapped", "heard"), [("'kill -TERM $pid; wait $pid' TERM", True), ("'' TERM", False)])
def test_a_trap_passes_the_signal_on_to_a_server_behind(tmp_path: Path, trapped: str, heard: bool) -> None:
    serve = f"{sys.executable} -m uvicorn service:app --port PORT"
    with started(tmp_path, "sh", "-c", f"{serve} & pid=$!; trap {trapped}; wait $pid") as server:
        server.up()
        server.process.terminate()
        time.sleep(2)
        assert ("Shutting down" in server.text) is heard


def test_a_command_after_the_server_keeps_the_shell_alive(tmp_path: Path) -> None:
    line = f"{sys.executable} -m uvicorn service:app --port PORT; echo stopped"
    with started(tmp_path, "sh", "-c", line) as server:
        server.up()
        server.process.terminate()
        time.sleep(2)
        assert "Shutting down" not in server.text


# FL626: never serving


def test_no_workers_means_that_clients_connect_and_hang(tmp_path: Path) -> None:
    with started(tmp_path, *gunicorn(*UW, "--workers", "0")) as server:
        assert server.says("Listening at")
        with pytest.raises(TimeoutError):
            server.ask(patience=3)
        assert server.process.poll() is None


@pytest.mark.parametrize("limit", ["0", "1"])
def test_a_limit_of_one_admits_nobody(tmp_path: Path, limit: str) -> None:
    with started(tmp_path, *uvicorn("--limit-concurrency", limit)) as server:
        assert server.up().ask()[0] == 503


def test_a_limit_of_two_admits_one(tmp_path: Path) -> None:
    with started(tmp_path, *uvicorn("--limit-concurrency", "2")) as server:
        assert server.up().ask()[0] == 200


@pytest.mark.parametrize("command", [gunicorn(*UW, "-w", "2"), uvicorn()])
def test_an_empty_web_concurrency_ends_the_server(tmp_path: Path, command: tuple[str, ...]) -> None:
    with started(tmp_path, *command, WEB_CONCURRENCY="") as server:
        assert server.ends() == 1
        assert "invalid literal for int()" in server.text


def test_a_loop_at_import_kills_the_children_of_uvicorn_for_ever_but_not_a_single_process(tmp_path: Path) -> None:
    app = "import asyncio\nasync def load(): ...\nasyncio.run(load())\n" + APP
    with started(tmp_path, *uvicorn(), app=app) as server:
        assert server.up().ask()[0] == 200
    with started(tmp_path, *uvicorn("--workers", "2"), app=app) as server:
        assert server.says("cannot be called from a running event loop")
        assert server.says(r"(?s)(died.*){4}")
        assert server.process.poll() is None
    with started(tmp_path, *gunicorn(*UW, "-w", "2"), app=app) as server:
        assert server.up().ask()[0] == 200


def test_without_the_main_guard_the_children_die_for_ever(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "serve.py").write_text(f"import uvicorn\nuvicorn.run('service:app', port={port}, workers=2)\n", "utf-8")
    with started(tmp_path, "python", "serve.py") as server:
        assert server.says("bootstrapping phase")
        assert server.process.poll() is None


def test_a_literal_port_variable_is_no_number(tmp_path: Path) -> None:
    with started(tmp_path, "python", "-m", "uvicorn", "service:app", "--port", "$PORTNUMBER") as server:
        assert server.ends() == 2
        assert "is not a valid integer" in server.text


# FL620: targets


def test_a_missing_attribute_ends_gunicorn_and_a_missing_module_ends_uvicorn(tmp_path: Path) -> None:
    with started(tmp_path, "python", "-m", "gunicorn", "-b", "127.0.0.1:PORT", *UW, "service:api") as server:
        assert server.ends() == 4
    with started(tmp_path, "python", "-m", "uvicorn", "servise:app", "--port", "PORT") as server:
        assert server.ends() not in (0, None)
        assert "Could not import module" in server.text


@pytest.mark.parametrize("words", ["--loop uvlop", "--http httptool", "--ws websocket", "--http HTTPTOOLS"])
def test_uvicorn_takes_what_is_none_of_its_names_for_an_import(words: str, tmp_path: Path) -> None:
    """FL615: an import string without a colon ends the server at once."""
    (tmp_path / "app.py").write_text(APP)
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(free_port()), *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode != 0
    assert 'must be in format "<module>:<attribute>"' in done.stderr


@pytest.mark.parametrize(("said", "accepted"), [("UVLOOP ", True), ("uvlop", False)])
def test_gunicorn_compares_its_choices_in_lower_case(said: str, accepted: bool, tmp_path: Path) -> None:
    """FL615: `asgi_loop` and `asgi_lifespan`."""
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "gunicorn.conf.py").write_text(f"asgi_loop = {said!r}\nasgi_lifespan = ' ON'\n")
    command = [sys.executable, "-m", "gunicorn", "--check-config", "app:app"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode == 0) == accepted, done.stderr
