"""Whole projects as people deploy them: from their files to plans, with the line of every setting that counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployment import read

from fastlint.deploy.join import read_plans
from fastlint.deploy.plan import Said, ServerPlan
from fastlint.deploy.python_entry import PythonFiles
from fastlint.finding import Location

NO_PYTHON = PythonFiles(
    (), (), lambda _: None, lambda _: "", lambda _: None, lambda path, _: Location(path), lambda _: ()
)

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: api
          image: acme/api:1
          resources: {limits: {cpu: 500m, memory: 256Mi}}
"""
# The files of a project, and its plans: name, server, where it starts, limits, and settings with the line that counts.
PROJECTS: dict[str, tuple[dict[str, str], set[str]]] = {
    "a Dockerfile alone": (
        {"Dockerfile": 'FROM python:3.12\nENV WEB_CONCURRENCY=3\nCMD ["uvicorn", "app:app", \\\n  "--port", "80"]\n'},
        {"Dockerfile: uvicorn at Dockerfile:3, workers=3 Dockerfile:2, port=80 Dockerfile:4"},
    ),
    "the image's command with the limits of a manifest": (
        {"Dockerfile": 'FROM python:3.12\nCMD ["uvicorn", "app:app", "--workers", "4"]\n', "k8s/api.yaml": DEPLOYMENT},
        {"Deployment/api: uvicorn at Dockerfile:2, cores=0.5 k8s/api.yaml:11, replicas=3 k8s/api.yaml:5, "
        "workers=4 Dockerfile:2"},
    ),
    "a script as entrypoint, exec": (
        {
            "docker/Dockerfile": 'FROM python:3.12\nCOPY docker/start.sh /start.sh\nENTRYPOINT ["/start.sh"]\n',
            "docker/start.sh": "#!/bin/sh\nalembic upgrade head\n"
            "exec gunicorn app:app \\\n  -w ${W:-2} \\\n  --threads 4\n",
        },
        {"docker/Dockerfile: gunicorn at docker/start.sh:3, workers=2 docker/start.sh:4, threads=4 docker/start.sh:5"},
    ),
    "an entrypoint that runs its arguments": (
        {
            "Dockerfile": 'FROM python:3.12\nENTRYPOINT ["./entrypoint.sh"]\n'
            'CMD ["uvicorn", "app:app", "--workers", "2"]\n',
            "entrypoint.sh": '#!/bin/sh\nset -e\nexec "$@"\n',
        },
        {"Dockerfile: uvicorn at Dockerfile:3, workers=2 Dockerfile:3"},
    ),
    "compose over an image that is built here": (
        {
            "Dockerfile": 'FROM python:3.12 AS base\nARG N=1\nENV WEB_CONCURRENCY=$N\nCMD ["gunicorn", "app:app"]\n',
            "compose.yml": "services:\n  api:\n    build:\n      context: .\n      args: {N: 6}\n    cpus: 2\n"
            "    mem_limit: 1g\n",
        },
        {"api: gunicorn at Dockerfile:4, cores=2 compose.yml:6, workers=6 Dockerfile:3"},
    ),
    "compose says another command": (
        {
            "Dockerfile": 'FROM python:3.12\nCMD ["uvicorn", "app:app"]\n',
            "compose.yml": "services:\n  api:\n    build: .\n    command: >\n      gunicorn app:app\n"
            "      --workers ${W:-3}\n"
            "  worker:\n    build: .\n    command: celery -A app worker\n",
        },
        {"api: gunicorn at compose.yml:5, workers=3 compose.yml:6"},
    ),
    "the environment of compose is stronger than that of the image": (
        {
            "Dockerfile": 'FROM python:3.12\nENV WEB_CONCURRENCY=2\nCMD ["uvicorn", "app:app"]\n',
            "compose.yml": "services:\n  api:\n    build: .\n    environment:\n      - WEB_CONCURRENCY=5\n",
        },
        {"api: uvicorn at Dockerfile:3, workers=5 compose.yml:5"},
    ),
    "sh -c over several lines": (
        {"k8s/api.yaml": DEPLOYMENT + "          command: [sh, -c]\n          args:\n            - |\n"
         "              alembic upgrade head\n              exec gunicorn app:app \\\n                --workers 9\n"},
        {"Deployment/api: gunicorn at k8s/api.yaml:16, cores=0.5 k8s/api.yaml:11, replicas=3 k8s/api.yaml:5, "
        "workers=9 k8s/api.yaml:17"},
    ),
    "a Procfile": (
        {"Procfile": "release: alembic upgrade head\nweb: gunicorn app:app --workers 4 --bind 0.0.0.0:$PORT\n"},
        {"web: gunicorn at Procfile:2, workers=4 Procfile:2"},
    ),
    "systemd": (
        {"deploy/api.service": "[Service]\nEnvironment=W=5\n"
        "ExecStart=/srv/venv/bin/gunicorn \\\n  --workers ${W} app:app\nCPUQuota=200%\n"},
        {"api.service: gunicorn at deploy/api.service:3, cores=2 deploy/api.service:5, workers=5 deploy/api.service:4"},
    ),
    "supervisor": (
        {"supervisord.conf": "[program:api]\ncommand=uvicorn app:app\n  --workers 2 ; two\n[program:other]\n"
        "command=celery\n"},
        {"api: uvicorn at supervisord.conf:2, workers=2 supervisord.conf:3"},
    ),
    "a recipe": (
        {"Makefile": "W := 4\nprod:\n\t@echo starting\n\tcd src && uvicorn app:app \\\n\t  --workers $(W)\n"},
        {"prod: uvicorn at Makefile:4, workers=4 Makefile:5"},
    ),
    "a stage for developers does not count": (
        {"Dockerfile": 'FROM python AS dev\nCMD ["uvicorn", "app:app", "--reload"]\nFROM python\n'
        'CMD ["uvicorn", "app:app"]\n'},
        {"Dockerfile: uvicorn at Dockerfile:4"},
    ),
    "two servers of one script": (
        {
            "Dockerfile": "FROM python:3.12\nCMD bash scripts/run.sh\n",
            "scripts/run.sh": 'case "$MODE" in\n  dev) exec uvicorn app:app --reload ;;\n'
            '  *) exec gunicorn app:app -w 3 ;;\nesac\n',
        },
        {
            "Dockerfile: uvicorn at scripts/run.sh:2, reload=True scripts/run.sh:2",
            "Dockerfile: gunicorn at scripts/run.sh:3, workers=3 scripts/run.sh:3",
        },
    ),
    "nothing that serves": (
        {"Dockerfile": 'FROM python\nCMD ["celery", "worker"]\n', "x.sh": "echo uvicorn\n", "Procfile": "worker: rq"},
        set(),
    ),
}  # fmt: skip


def shown(plan: ServerPlan) -> str:
    rows = [("cores", plan.limits.cores), ("replicas", plan.limits.replicas)]
    parts = [f"{name}={_short(said.value)} {_line(said)}" for name, said in rows if said is not None]
    for name in ("workers", "threads", "port", "reload"):
        setting = plan.settings.get(name)
        if setting is not None and setting.said.where is not None:
            parts.append(f"{name}={_short(setting.value)} {_line(setting.said)}")
    return ", ".join([f"{plan.name}: {plan.server} at {plan.where.path}:{plan.where.line}", *parts])


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _line(said: Said) -> str:
    return f"{said.where.path}:{said.where.line}" if said.where is not None else "nowhere"


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_as_people_deploy_it(name: str, tmp_path: Path) -> None:
    files, expected = PROJECTS[name]
    readings = read(tmp_path, dict(files))
    assert not readings.broken
    assert {shown(plan) for plan in read_plans(readings, NO_PYTHON)} == expected
