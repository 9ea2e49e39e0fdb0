"""Deployment files that are broken, huge, hostile or gone: one clear word or none, never a crash or a hang."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deployment import line, one, read

from fastlint.deploy import find
from fastlint.deploy.find import read_bytes

BOMB = "services:\n  a: &a0 {image: x, command: y}\n" + "".join(
    f"  b{number}: &a{number}\n    <<: [*a{number - 1}, *a{number - 1}]\n    x: [*a{number - 1}, *a{number - 1}]\n"
    for number in range(1, 60)
)
POD = "kind: Pod\nspec:\n  containers:\n    - {name: c, image: i, command: [u]}\n"

# A file, its content, and the lines and beginnings of reasons that are told.
BROKEN: dict[str, tuple[str, str | bytes, list[tuple[int, str]]]] = {
    "a list that never ends": ("compose.yml", "services:\n  a: [1\n", [(3, "it is not valid YAML: expected")]),
    "an alias that nobody defines": (
        "compose.yml",
        "services:\n  a: *nobody\n",
        [(2, "it is not valid YAML: f")],
    ),
    "a tab": ("k8s.yaml", "kind: Pod\nspec:\n\t- x\n", [(3, "it is not valid YAML: found character")]),
    "only the document that is broken": (
        "k8s.yaml",
        f"{POD}---\nkind: Pod\nspec: [\n---\nother: [\n",
        [(8, "it is not valid YAML")],
    ),
    "a bell": ("compose.yml", "services:\n  a: \x07\n", [(1, "it is not valid YAML: unacceptable")]),
    "depth of brackets": ("compose.yml", "services:\n  a: " + "[" * 5000, [(1, "it is not valid YAML: brackets")]),
    "depth of mappings": (
        "compose.yml",
        "services:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(600)),
        [(1, "it is not valid YAML: Recursion")],
    ),
    "no instruction": ("Dockerfile", "FROM x\nRUNN y\n", [(2, "`RUNN` is no instruction")]),
    "a conflict": ("Dockerfile", "FROM x\n<<<<<<< HEAD\n", [(2, "`<<<<<<<` is no instruction")]),
    "a Dockerfile with a NUL byte": ("Dockerfile", b"FROM x\nCMD a\0b\n", [(2, "it holds a NUL byte")]),
    "a Dockerfile in Latin-1": ("Dockerfile", b"FROM x\n# caf\xe9\n", [(2, "it is not UTF-8 text")]),
    "TOML with a script": ("Pipfile", '[scripts]\nweb = "uvicorn a:b\n', [(2, "it is not valid TOML")]),
    "fly.toml": ("fly.toml", "[env\n", [(1, "it is not valid TOML")]),
    "YAML that is not ours": ("data.yaml", "a: [1\n", []),
    "a template that is no YAML": ("t.yaml", "kind: Pod\n{{ if x }}\nspec: [{{ range }}\n", []),
    "a template for str.format": ("t.yml", "kind: Pod\nmetadata:\n  name: {name}-pod\n", []),
    "a field of it within a word": ("t.yml", "kind: Pod\nspec:\n  a: b/{tag}\n  c: {d}.e\n", []),
    "a variable, and a list that never ends": (
        "compose.yml",
        "services:\n  a:\n    image: ${REGISTRY}/x\n    command: [1\n",
        [(5, "it is not valid YAML: expected")],
    ),
    "a mapping, and a list that never ends": (
        "compose.yml",
        "services:\n  a: {image: x}\n  b: [1\n",
        [(4, "it is not valid YAML: expected")],
    ),
    "a Dockerfile template": ("Dockerfile.j2", "FROM {{ image }}\n{% if x %}\nCMD a\n{% endif %}\n{{ more }}\n", []),
    "a foreign front end": ("Dockerfile", "# syntax=acme/include\nFROM x\nINCLUDE y\n", []),
    "binary YAML": ("compose.yml", b"services:\0\n", []),
    "a binary script": ("x.sh", b"uvicorn \xff\xfe\n", []),
    "nothing": ("compose.yml", "", []),
    "a bomb": ("compose.yml", BOMB, []),
    "a mapping merged into itself": ("compose.yml", "services:\n  a: &a\n    <<: *a\n    image: x\n", []),
    "an alias cycle": ("compose.yml", "services: &s\n  a:\n    image: x\n    environment: *s\n    build: *s\n", []),
    "types that do not fit": (
        "compose.yml",
        "services:\n  a: [1]\n  b: 3\n  c:\n    image: {x: 1}\n    command: {a: b}\n    environment: 7\n"
        "    env_file: {a: b}\n    deploy: []\n    build: [1]\n    ports: {a: 1}\n    cpus: [1]\n    healthcheck: 3\n"
        "    extends: {service: c}\n",
        [],
    ),
    "a manifest of odd types": (
        "m.yaml",
        "kind: Deployment\nmetadata: []\nspec:\n  replicas: {}\n  template:\n    spec:\n      volumes: 3\n"
        "      containers:\n        - 7\n        - name: []\n          env: [1, {name: a, valueFrom: 2}]\n"
        "          envFrom: [3]\n          resources: []\n          command: {a: b}\n",
        [],
    ),
    "a python object is only text": (
        "compose.yml",
        "services:\n  a:\n    image: !!python/object:os.abort []\n",
        [],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_clear_word_or_none(name: str, tmp_path: Path) -> None:
    path, content, expected = BROKEN[name]
    started = time.monotonic()
    broken = read(tmp_path, {path: content}).broken
    assert time.monotonic() - started < 10
    assert [(each.where.path, each.where.line) for each in broken] == [(path, number) for number, _ in expected]
    for each, (_, reason) in zip(broken, expected, strict=True):
        assert each.reason.startswith(reason)


def test_a_broken_file_does_not_hide_its_neighbours(tmp_path: Path) -> None:
    readings = read(tmp_path, {"Dockerfile": "NOPE", "compose.yml": "services: {a: [", "Procfile": "web: uvicorn a:b"})
    assert [each.where.path for each in readings.broken] == ["Dockerfile", "compose.yml"]
    assert line(one(readings, "web").command) == "sh: uvicorn a:b@1"


@pytest.mark.filterwarnings("error")
def test_an_anchor_that_is_used_twice_is_nobodys_concern(tmp_path: Path) -> None:
    text = "x: &x {A: '1'}\ny: &x {A: '2'}\nservices:\n  a: {image: i, environment: *x}\n"
    assert one(read(tmp_path, {"compose.yml": text}), "a").environment["A"].value == "2"


def test_what_extends_itself_comes_to_an_end(tmp_path: Path) -> None:
    text = "services:\n  a: {extends: b, image: x}\n  b: {extends: {service: a, file: compose.yml}, command: y}\n"
    assert line(one(read(tmp_path, {"compose.yml": text}), "a").command) == "y@3"


def test_nothing_outside_of_the_project_is_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.env").write_text("A=1\n")
    text = f"services:\n  a: {{image: x, env_file: [../secret.env, {tmp_path}/secret.env]}}\n"
    service = one(read(tmp_path / "project", {"compose.yml": text}), "a")
    assert not service.environment
    assert service.environment_open


def test_links_and_pipes_are_passed_by(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "Dockerfile").symlink_to(tmp_path / "Dockerfile")
    (tmp_path / "compose.yml").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "Procfile")
    assert [each.name for each in read(tmp_path, {"deploy/Procfile": "web: uvicorn a:b"}).services] == ["web"]


def test_a_huge_file_is_passed_by(tmp_path: Path) -> None:
    readings = read(tmp_path, {"compose.yml": "services:\n  a:\n    image: x\n" + "# filler\n" * 100_000})
    assert not readings.services


def test_many_manifests_come_to_an_end(tmp_path: Path) -> None:
    filler = f"# {'filler ' * 30}\n" * 500  # 106 KB
    files: dict[str, str | bytes] = {f"k8s/{number:02}.yaml": POD + filler for number in range(12)}
    services = read(tmp_path, files).services
    assert [each.path for each in services] == [f"k8s/{number:02}.yaml" for number in range(4)]


def test_a_file_that_vanishes_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(root: str, path: str) -> bytes | None:
        os.unlink(os.path.join(root, path))
        return read_bytes(root, path)

    monkeypatch.setattr(find, "read_bytes", gone)
    assert not read(tmp_path, {"Dockerfile": "FROM x", "compose.yml": "services: ["}).broken
    assert not find.find_files(str(tmp_path), ["gone", "also/gone"], lambda path: False)


def test_what_the_settings_exclude_is_not_read(tmp_path: Path) -> None:
    read(tmp_path, {"a/Procfile": "web: uvicorn a:b", "b/Procfile": "api: uvicorn a:b"})
    found = find.find_files(str(tmp_path), ["a", "b"], lambda path: path.startswith("a/"))
    assert [each.path for each in found] == ["b/Procfile"]


SEEDS = {
    "Dockerfile": 'FROM x AS a\nARG A=1\nENV B="$A"\nCOPY --from=a . .\nHEALTHCHECK CMD x\nCMD ["u", \\\n "v"]\n',
    "compose.yml": "x: &x {A: '1'}\nservices:\n  a:\n    build: {context: .}\n"
    "    environment:\n      <<: *x\n    cpus: 1\n",
    "k.yaml": POD + "---\nkind: Deployment\nspec: {template: {spec: {containers: [{name: c, args: ['$(A)']}]}}}\n",
    "x.service": "[Service]\nEnvironment=A=1\nExecStart=/bin/u $A \\\n  --x 'y z'\nCPUQuota=20%\n",
    "s.ini": '[program:a]\ncommand=u %(ENV_A)s ; c\nenvironment=A="1",B=2\n',
    "Makefile": "A = 1\nx:\n\tuvicorn $(A) $$B \\\n\t  c\n",
    "justfile": "a := 'x'\nrun b='c':\n  uvicorn {{a}} {{b}}\n",
    "start.sh": 'A=${B:-2}\nif [ "$A" = 1 ]; then exec uvicorn a:b; else gunicorn "$@" & fi\n',
    "render.yaml": "services:\n- name: a\n  startCommand: uvicorn a:b\n  envVars: [{key: A, value: 1}]\n",
    ".env": "A=1\nB=\"$A\" # c\nC='d'\n",
    "n.conf": "upstream a { server b:80; keepalive 4; keepalive_timeout 5s; }\n",
    "fly.toml": '[processes]\nweb = "uvicorn a:b"\n[[vm]]\ncpus = 1\n',
}


def test_a_run_tells_what_is_broken(tmp_path: Path) -> None:
    read(tmp_path / "a", {"Dockerfile": "FROM x\nRUNN y\n", "conf.yaml": "a: ["})
    read(tmp_path / "b", {"compose.yml": "services:\n  a: [1\n"})

    def found(*arguments: str) -> list[str]:
        command = [sys.executable, "-m", "fastlint", "check", "--output-format", "concise", *arguments]
        shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
        return re.findall(r"^(\S+?:\d+):\d+: (?:error\S* )?.*?FL001", shown, re.MULTILINE)

    (tmp_path / "fastlint.toml").write_text("")
    assert found() == ["a/Dockerfile:2", "b/compose.yml:3"]
    assert found("b") == ["b/compose.yml:3"]
    assert found("a/app.py") == []
    assert found("--extend-exclude", "b/*.yml") == ["a/Dockerfile:2"]


@pytest.mark.parametrize("path", SEEDS)
def test_mutations_never_crash(path: str, tmp_path: Path) -> None:
    dice = random.Random(path)
    alphabet = "\n\t \\'\"{}[]()$%:=#&*|<>-;,~!?\0\ufffc\u2028é0aA"
    for _ in range(60):
        text = list(SEEDS[path])
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(text))
            text[at : at + dice.randint(0, 4)] = dice.choices(alphabet, k=dice.randint(0, 3))
            text = text or ["x"]
        readings = read(tmp_path, {path: "".join(text).encode("utf-8", "replace")})
        assert all(each.where.path == path and each.where.line >= 1 for each in readings.broken)
