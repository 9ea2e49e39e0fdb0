"""Every file that advice writes is accepted by its own tool, and `fastlint check` has nothing to say about it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastlint.advise.emit import KINDS

APPLICATION = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "up"}


@app.get("/items/{number}")
async def item(number: int) -> int:
    return number


@app.post("/items")
async def create() -> None:
    return None
"""
BIN = Path(sys.executable).parent
PATIENCE = 30.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emitted")
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "main.py").write_text(APPLICATION)
    (folder / "requirements.txt").write_text("fastapi\nuvicorn\n")
    for kind, name in KINDS.items():
        target = folder / kind / name
        target.parent.mkdir()
        command = [sys.executable, "-m", "fastlint", "advise", ".", "--app", "shop.main:app", "--cores", "2"]
        command += ["--memory", "1GiB", "--rate", "300", "--rate-per-worker", "250", "--emit", kind, "-o", str(target)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[str]:
    """A server until the block ends; yields its address once it answers."""
    environment = {**os.environ, "PORT": str(port), "PYTHONPATH": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    server = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=2):
                    break
            except OSError:
                assert time.monotonic() < deadline, "the server never answered"
                assert server.poll() is None, "the server ended"
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)


def test_gunicorn_accepts_its_configuration_and_serves(folder: Path) -> None:
    config = folder / "gunicorn" / KINDS["gunicorn"]
    command = [str(BIN / "gunicorn"), "-c", str(config)]
    done = subprocess.run(
        [*command, "--check-config"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    with running(command, folder, free_port()) as address, urllib.request.urlopen(f"{address}/items/3") as answer:
        assert answer.read() == b"3"


def test_uvicorn_starts_with_its_command(folder: Path) -> None:
    script = folder / "uvicorn" / KINDS["uvicorn"]
    assert os.access(script, os.X_OK)
    with running(["/bin/sh", str(script)], folder, free_port()) as address:
        with urllib.request.urlopen(f"{address}/items/3") as answer:
            assert answer.status == 200


def test_locust_runs_the_routes(folder: Path) -> None:
    port = free_port()
    server = [str(BIN / "uvicorn"), "shop.main:app", "--port", str(port)]
    with running(server, folder, port) as address:
        command = [
            str(BIN / "locust"),
            "-f",
            str(folder / "locust" / KINDS["locust"]),
            "--headless",
            "-u",
            "2",
            "-r",
            "2",
        ]
        command += ["-t", "5s", "--host", address, "--csv", str(folder / "load"), "--only-summary"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    stats = folder / "load_stats.csv"
    assert "/items/{number}" in stats.read_text()
    command = [sys.executable, "-m", "fastlint", "advise", ".", "--cores", "2", "--locust", str(stats)]
    command += ["--measured-workers", "1", "--output-format", "json"]
    advised = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert advised.returncode == 0, advised.stderr
    assert json.loads(advised.stdout)["prediction"]["rate_per_worker"] > 0


def test_kubernetes_accepts_the_manifest(folder: Path) -> None:
    import kubernetes_validate  # type: ignore[import-untyped]
    from ruamel.yaml import YAML

    documents = list(YAML(typ="safe").load_all((folder / "kubernetes" / KINDS["kubernetes"]).read_text()))
    assert [document["kind"] for document in documents] == ["Deployment", "HorizontalPodAutoscaler"]
    for document in documents:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def against_the_specification(path: Path) -> subprocess.CompletedProcess[str]:
    """What the schema of the Compose Specification, which check-jsonschema (a development dependency) ships, says."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_specification_of_compose_accepts_the_file(folder: Path) -> None:
    done = against_the_specification(folder / "compose" / KINDS["compose"])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("deploy:", "deployment:"),  # a key that no service has
        ("cpus:", "cores:"),  # the same three levels deeper
        ("stop_grace_period: 10s", "stop_grace_period: [10s]"),  # a value of another kind
        ('cpus: "2"', "cpus: [2]"),
    ],
)
def test_the_specification_of_compose_refuses_mistakes(
    written: str, instead: str, folder: Path, tmp_path: Path
) -> None:
    text = (folder / "compose" / KINDS["compose"]).read_text()
    assert written in text
    broken = tmp_path / KINDS["compose"]
    broken.write_text(text.replace(written, instead, 1))
    done = against_the_specification(broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Schema validation errors were encountered" in done.stdout


def test_compose_says_what_it_should(folder: Path) -> None:
    from ruamel.yaml import YAML

    document = YAML(typ="safe").load((folder / "compose" / KINDS["compose"]).read_text())
    (service,) = document["services"].values()
    assert service["deploy"]["resources"]["limits"] == {"cpus": "2", "memory": "1024M"}
    assert service["command"][:2] == ["uvicorn", "shop.main:app"]


def test_docker_accepts_the_compose_file(folder: Path) -> None:
    if shutil.which("docker") is None:
        pytest.skip("no docker client on this machine: `docker compose config` is not asked")
    command = ["docker", "compose", "-f", str(folder / "compose" / KINDS["compose"]), "config", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "not a docker command" in done.stderr or "unknown shorthand" in done.stderr:
        pytest.skip("the docker client has no compose plugin on this machine")
    assert done.returncode == 0, done.stderr


def test_promtool_accepts_the_alerts(folder: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine: Debian's package `prometheus` has it, .ci/run installs it")
    command = [promtool, "check", "rules", str(folder / "prometheus" / KINDS["prometheus"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "5 rules found" in done.stdout


def test_the_dashboard_is_one(folder: Path) -> None:
    dashboard = json.loads((folder / "grafana" / KINDS["grafana"]).read_text())
    assert len(dashboard["panels"]) == 6
    assert len({panel["id"] for panel in dashboard["panels"]}) == 6
    for panel in dashboard["panels"]:
        assert panel["targets"][0]["expr"]


def test_systemd_accepts_the_unit(folder: Path, tmp_path: Path) -> None:
    unit = (folder / "systemd" / KINDS["systemd"]).read_text()
    assert "CPUQuota=200%" in unit
    assert "MemoryMax=1024M" in unit
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze on this machine: the unit is only read")
    path = tmp_path / "shop.service"
    path.write_text(re.sub(r"/srv/\S+/bin/uvicorn", "/bin/true", unit))
    done = subprocess.run([analyze, "verify", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert "shop.service" not in done.stderr, done.stderr


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("grafana", "locust", "prometheus")])
def test_fastlint_has_nothing_to_say(kind: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "shop", tmp_path / "shop")
    shutil.copy(folder / kind / KINDS[kind], tmp_path / KINDS[kind])
    command = [sys.executable, "-m", "fastlint", "check", ".", "--output-format", "concise"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
