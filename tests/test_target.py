"""Amounts, and the target: who says how many cores and how much memory a service has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastlint.amounts import bytes_of, cores_of, seconds_of, shown_bytes
from fastlint.config import Amount, ConfigError, TargetSettings, describe, read_config
from fastlint.deploy.plan import Limits, Rank, Said
from fastlint.deploy.target import Origin, target_of
from fastlint.deploy.values import Unknown
from fastlint.finding import Location
from fastlint.machine import Counts, Machine, read_machine


@pytest.mark.parametrize(
    ("text", "cores"),
    [("2", 2), ("0.5", 0.5), ("500m", 0.5), (".25", 0.25), (" 1 ", 1), ("2e0", 2)]
    + [(text, None) for text in ("", "0", "-1", "two", "2 cores", "500M", "1e9", "nan", "inf", "\u0662")],
)
def test_cores(text: str, cores: float | None) -> None:
    assert cores_of(text) == cores


@pytest.mark.parametrize(
    ("text", "docker", "size"),
    [
        ("512Mi", False, 512 * 2**20),
        ("2GiB", False, 2 * 2**30),
        ("1G", False, 10**9),
        ("1G", True, 2**30),
        ("1.5g", True, 3 * 2**29),
        ("512mb", True, 512 * 2**20),
        ("300M", False, 300 * 10**6),
        ("128974848", False, 128974848),
        ("1e9", False, 10**9),
        ("2 GiB", False, 2 * 2**30),
        ("", False, None),
        ("0", False, None),
        ("-5Mi", False, None),
        ("lots", False, None),
        ("1e99", False, None),
        ("\ufffc", False, None),
    ],
)
def test_bytes(text: str, docker: bool, size: int | None) -> None:
    assert bytes_of(text, docker) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("10s", 10), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("2min", 120), ("1min 5s", 65)]
    + [(text, None) for text in ("", "soon", "10 apples", "-3s", "infinity")],
)
def test_seconds(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_shown_bytes() -> None:
    assert [shown_bytes(size) for size in (1, 2**10, 512 * 2**20, 3 * 2**29)] == [
        "1 bytes",
        "1 KiB",
        "512 MiB",
        "1.5 GiB",
    ]


WHERE = Location("compose.yml", 7, 15)
MANIFEST = Said("cores", 1.5, Rank.FILE, "compose cpus", WHERE, "1.5")
HIDDEN = Said("cores", Unknown("a template's placeholder"), Rank.FILE, "Kubernetes limits", WHERE)


def machine() -> Machine:
    return read_machine("/nowhere", Counts(8, 4, 2**33))


@pytest.mark.parametrize(
    ("settings", "limits", "value", "origin", "by"),
    [
        (TargetSettings(cores=Amount(2, "--cores")), Limits(cores=MANIFEST), 2, Origin.COMMAND, "--cores"),
        (
            TargetSettings(cores=Amount(3, "[tool.x] cores")),
            Limits(cores=MANIFEST),
            3,
            Origin.SETTINGS,
            "[tool.x] cores",
        ),
        (TargetSettings(), Limits(cores=MANIFEST), 1.5, Origin.MANIFEST, "compose cpus"),
        (TargetSettings(), Limits(cores=HIDDEN), None, Origin.MANIFEST, "Kubernetes limits"),
        (TargetSettings(), Limits(), 4, Origin.MACHINE, "this machine: CPU affinity of this process"),
        (TargetSettings(host=True), Limits(), 4, Origin.COMMAND, "--target host: CPU affinity of this process"),
        (TargetSettings(host=True), Limits(cores=MANIFEST), 1.5, Origin.MANIFEST, "compose cpus"),
    ],
)
def test_who_says_how_many_cores(
    settings: TargetSettings, limits: Limits, value: float | None, origin: Origin, by: str
) -> None:
    cores = target_of(settings, limits, machine).cores
    assert (cores.value, cores.origin, cores.by) == (value, origin, by)
    assert cores.declared == (origin > Origin.MACHINE)


def test_a_declared_target_never_asks_the_machine() -> None:
    def asked() -> Machine:
        raise AssertionError("asked")

    settings = TargetSettings(cores=Amount(2, "--cores"), memory=Amount(2**30, "--memory"))
    target = target_of(settings, Limits(), asked)
    assert (target.shown_cores, target.memory.value, target.memory.by) == ("2 cores (--cores)", 2**30, "--memory")


def configured(folder: Path, text: str) -> TargetSettings:
    file = folder / "fastlint.toml"
    file.write_text(text)
    return read_config(str(file)).target


def test_settings_declare_a_target(tmp_path: Path) -> None:
    target = configured(
        tmp_path,
        '[target]\ncores = 0.5\nmemory = "512Mi"\nmemory-per-worker = "200MiB"\n'
        "max-connections = 90\nthreads-per-core = 8\n",
    )
    assert target.cores == Amount(0.5, "[tool.fastlint.target] cores")
    assert target.memory == Amount(512 * 2**20, "[tool.fastlint.target] memory")
    assert target.memory_per_worker is not None
    assert target.memory_per_worker.value == 200 * 2**20
    assert target.max_connections is not None
    assert target.max_connections.value == 90
    assert target.threads_per_core is not None
    assert target.threads_per_core.value == 8
    assert target.processes_per_core is None
    again = configured(tmp_path, describe(read_config(str(tmp_path / "fastlint.toml"))))
    assert again == target


@pytest.mark.parametrize("line", ['cores = "many"', "cores = 0", "memory = true", "max-connections = 0", "cpus = 2"])
def test_an_impossible_target_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fastlint\.toml:2: .*target"):
        configured(tmp_path, f"[target]\n{line}\n")


def run(*arguments: str, folder: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "fastlint", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    return done.returncode, done.stdout, done.stderr


def test_flags_overrule_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "fastlint.toml").write_text('[target]\ncores = 8\nmemory = "1GiB"\n')
    code, shown, _ = run("check", "--show-settings", "--cores", "500m", folder=tmp_path)
    assert code == 0
    assert "cores = 0.5 # 0.5, --cores\n" in shown
    assert "memory = 1073741824 # 1 GiB, [tool.fastlint.target] memory\n" in shown


@pytest.mark.parametrize(
    "flags", [("--cores", "0"), ("--cores", "two"), ("--memory", "2 apples"), ("--target", "moon")]
)
def test_impossible_flags_are_refused(flags: tuple[str, str], tmp_path: Path) -> None:
    code, _, told = run("check", *flags, folder=tmp_path)
    assert code == 2
    assert flags[0] in told


def test_host_tells_the_machine(tmp_path: Path) -> None:
    code, shown, _ = run("host", folder=tmp_path)
    assert code == 0
    assert shown.startswith("cores ")
    code, shown, _ = run("host", "--output-format", "json", folder=tmp_path)
    assert code == 0
    assert '"version": 1' in shown
