"""Processes, recipes and blueprints: what they start, with which variables, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployment import line, one, read, told

from fastlint.deploy.service import Kind
from fastlint.deploy.values import Unknown
from fastlint.finding import Location

# A file, its text, and what is read from it: name and command.
STARTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "Procfile": (
        "Procfile",
        "# comment\nweb: uvicorn a:b --port $PORT\nworker:celery -A x\nno colon here\nempty:\n",
        {"web": "sh: uvicorn a:b --port $PORT@2", "worker": "sh: celery -A x@3"},
    ),
    "systemd": (
        "deploy/api.service",
        "[Unit]\nDescription=x\n[Service]\n# ExecStart=no\nExecStart=-/venv/bin/gunicorn \\\n  # comment\n"
        "  -w 4 'a b' \\\n  app:app\n",
        {"api.service": "/venv/bin/gunicorn@5 -w@7 4@7 a b@7 app:app@8"},
    ),
    "systemd variables": (
        "api.service",
        '[Service]\nEnvironment=PORT=80 "OPTS=-w 2"\nExecStart=/bin/u --port ${PORT} $OPTS ${NO} %i %% $$x\n',
        {"api.service": "/bin/u@3 --port@3 80@3 -w@3 2@3 ?@3 ?@3 %@3 $x@3"},
    ),
    "systemd without a start": ("api.service", "[Service]\nType=oneshot\nExecStart=\n", {}),
    "supervisor": (
        "supervisord.conf",
        "[supervisord]\nenvironment=A=1\n[program:api]\ncommand=gunicorn -w 2 ; comment\n  --bind :%(ENV_PORT)s\n"
        '  app:app\nenvironment=PORT="80"\n[program:other]\ncommand=%(here)s/x %(ENV_NO)s\n[group:g]\nprograms=api\n',
        {"api": "gunicorn@4 -w@4 2@4 --bind@5 :80@5 app:app@6", "other": "?/x@9 ?@9"},
    ),
    "Makefile": (
        "Makefile",
        "W ?= 2\nOPTS = -w $(W) # comment\nOPTS += --reload\n.PHONY: run\nrun: install\n\t@echo hi\n"
        "\t@uvicorn a:b $(OPTS) \\\n\t  --port $$PORT $(UNKNOWN) $(shell nproc)\nother:\n\tpytest\n",
        {"run": "sh: echo hi\nuvicorn a:b -w 2 --reload \\\n\t  --port $PORT ? ?@6"},
    ),
    "justfile": (
        "justfile",
        'w := "2"\nrun port="80" *args: install\n    @uvicorn a:b --workers {{w}} --port {{ port }} {{args}}\n'
        "test:\n  pytest\n",
        {"run": "sh: uvicorn a:b --workers 2 --port 80 ?@3"},
    ),
    "PDM": (
        "pyproject.toml",
        '[tool.pdm.scripts]\nserve = "uvicorn a:b"\nlist = {cmd = ["uvicorn", "c:d"]}\ntest = "pytest"\n',
        {"serve": "sh: uvicorn a:b@2", "list": "sh: uvicorn c:d@3"},
    ),
    "Hatch": (
        "pyproject.toml",
        '[tool.hatch.envs.default.scripts]\nserve = [\n  "alembic upgrade head",\n  "uvicorn a:b",\n]\n',
        {"serve": "sh: uvicorn a:b@4"},
    ),
    "taskipy and Poe": (
        "pyproject.toml",
        '[tool.taskipy.tasks]\na = "gunicorn a:b"\n[tool.poe.tasks.b]\nshell = "uvicorn a:b"\n',
        {"a": "sh: gunicorn a:b@2", "b": "sh: uvicorn a:b@4"},
    ),
    "Pipfile": ("Pipfile", '[scripts]\nweb = "uvicorn a:b"\n', {"web": "sh: uvicorn a:b@2"}),
    "Render": (
        "render.yaml",
        "services:\n  - type: web\n    name: api\n    startCommand: uvicorn a:b --port $PORT\n"
        "  - type: pserv\n    name: x\n",
        {"api": "sh: uvicorn a:b --port $PORT@4"},
    ),
    "fly.toml": (
        "fly.toml",
        '[env]\nPORT = 80\n[processes]\nweb = "uvicorn a:b"\njobs = "celery"\n',
        {"web": "sh: uvicorn a:b@4", "jobs": "sh: celery@5"},
    ),
    "railway.toml": ("railway.toml", '[deploy]\nstartCommand = "uvicorn a:b"\n', {"railway.toml": "sh: uvicorn a:b@2"}),
    "railway.json": (
        "railway.json",
        '{\n "deploy": {\n  "startCommand": "uvicorn a:b"\n }\n}\n',
        {"railway.json": "sh: uvicorn a:b@3"},
    ),
    "App Engine": (
        "app.yaml",
        "runtime: python312\nentrypoint: gunicorn a:b\n",
        {"app.yaml": "sh: gunicorn a:b@2"},
    ),
    "App Platform": (
        ".do/app.yaml",
        "name: x\nservices:\n- name: api\n  run_command: gunicorn a:b\n  instance_count: 2\n",
        {"api": "sh: gunicorn a:b@4"},
    ),
    "heroku.yml": ("heroku.yml", "run:\n  web: uvicorn a:b\n", {"web": "sh: uvicorn a:b@2"}),
    "a script": ("bin/start.sh", "set -e\nuvicorn a:b\n", {"bin/start.sh": "sh: set -e\nuvicorn a:b\n@1"}),
    "a script without an ending": (
        "start",
        "#!/usr/bin/env bash\nuvicorn a:b",
        {"start": "sh: #!/usr/bin/env bash\nuvicorn a:b@1"},
    ),
    "a Python script is none": ("start", "#!/usr/bin/env python\nimport uvicorn", {}),
    "a script that starts nothing of ours": ("x.sh", "ls", {}),
    "no workflow": (".github/workflows/x.yml", "services:\n  a:\n    image: x\n", {}),
    "no openapi file": ("openapi.yaml", "openapi: 3.0.0\npaths: {}\n", {}),
    "something else that has services": ("conf.yaml", "services:\n  a: {port: 1}\n", {}),
}


@pytest.mark.parametrize("name", STARTS)
def test_what_is_started(name: str, tmp_path: Path) -> None:
    path, text, expected = STARTS[name]
    readings = read(tmp_path, {path: text})
    assert {each.name: line(each.command) for each in readings.services} == expected
    assert not readings.broken


def test_a_unit_is_granted(tmp_path: Path) -> None:
    unit = (
        "[Service]\nExecStart=/bin/u\nCPUQuota=150%\nMemoryMax=2G\nTimeoutStopSec=1min 30s\nWorkingDirectory=/srv\n"
        "EnvironmentFile=-/etc/x\nEnvironment=A=1\n"
    )
    service = one(read(tmp_path, {"x.service": unit}), "x.service")
    assert (told(service.limits.cores), told(service.limits.memory)) == ((1.5, 3), (2**31, 4))
    assert told(service.limits.grace_period) == (90.0, 5)
    assert (service.folder, service.environment_open, told(service.environment["A"])) == ("/srv", True, ("1", 8))
    assert service.kind is Kind.PROCESS


def test_a_program_is_granted(tmp_path: Path) -> None:
    text = "[program:x]\ncommand=u\nnumprocs=3\nstopwaitsecs=20\ndirectory=/srv\nenvironment=A='1',B=\"%(ENV_X)s\"\n"
    service = one(read(tmp_path, {"s.ini": text}), "x")
    assert (told(service.limits.replicas), told(service.limits.grace_period)) == ((3, 3), (20.0, 4))
    assert (service.folder, told(service.environment["A"])) == ("/srv", ("1", 6))
    assert isinstance(service.environment["B"].value, Unknown)


def test_blueprints_are_granted(tmp_path: Path) -> None:
    render = (
        "services:\n  - name: api\n    startCommand: u\n    rootDir: backend\n    numInstances: 3\n"
        "    dockerfilePath: ./b/Dockerfile\n    dockerContext: ./b\n"
        "    envVars:\n      - key: WEB_CONCURRENCY\n        value: 4\n      - key: S\n        sync: false\n"
    )
    fly = 'kill_timeout = "20s"\n[env]\nA = 1\n[processes]\nweb = "u"\n[[vm]]\ncpus = 2\nmemory = "1gb"\n'
    readings = read(tmp_path, {"render.yaml": render, "fly.toml": fly})
    api, web = one(readings, "api"), one(readings, "web")
    assert (api.folder, told(api.limits.replicas)) == ("backend", (3, 5))
    assert api.build is not None
    assert (api.build.dockerfile, api.build.context) == ("b/Dockerfile", "b")
    assert {name: told(said) for name, said in api.environment.items()} == {"WEB_CONCURRENCY": ("4", 10)}
    assert (told(web.limits.cores), told(web.limits.memory)) == ((2.0, 7), (2**30, 8))
    assert (told(web.limits.grace_period), told(web.environment["A"])) == ((20.0, 1), ("1", 3))


@pytest.mark.parametrize(
    ("name", "development"),
    [("run", True), ("serve", True), ("dev", True), ("prod", False), ("run-production", False), ("dev-deploy", True)],
)
def test_recipes_are_for_developers_unless_they_say_otherwise(name: str, development: bool, tmp_path: Path) -> None:
    assert one(read(tmp_path, {"Makefile": f"{name}:\n\tuvicorn a:b\n"}), name).development == development


@pytest.mark.parametrize(
    ("path", "development"),
    [
        ("start.sh", False),
        ("start-dev.sh", True),
        ("docker/local/start.sh", True),
        ("developer/start.sh", False),
        ("latest/start.sh", False),
    ],
)
def test_files_for_developers(path: str, development: bool, tmp_path: Path) -> None:
    assert one(read(tmp_path, {path: "uvicorn a:b"}), path).development == development


def test_environment_files(tmp_path: Path) -> None:
    text = "# comment\nA=1\nexport B = \"two words\" # x\nC='$A'\nD=${A}x # y\nE=a#b\nnot an assignment\nF=\nG=$NO\n"
    readings = read(tmp_path, {"conf/.env.prod": text, "Procfile": "web: x"})
    values = {name: said.value for name, said in readings.environment_files["conf/.env.prod"].items()}
    assert values == {
        "A": "1",
        "B": "two words",
        "C": "$A",
        "D": "1x",
        "E": "a#b",
        "F": "",
        "G": Unknown("filled in when it is deployed"),
    }
    assert readings.environment_files["conf/.env.prod"]["B"].where == Location("conf/.env.prod", 3, 13)
