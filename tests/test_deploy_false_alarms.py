"""Projects that were blamed for what is somebody else's, or for what does no harm; each beside a twin that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastlint.config import Config
from fastlint.engine import check
from fastlint.finding import Severity
from fastlint.report.model import CheckRequest

APP = "from fastapi import FastAPI\n\napp = FastAPI()\n"
BASE = 'FROM python\nENV WEB_CONCURRENCY=""\n'
IMAGE = 'FROM python:3.13\nCMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n'
GUNICORN = 'CMD ["gunicorn", "app:app", "-k", "uvicorn_worker.UvicornWorker", "-w", "2"]\n'


def ingress(service: str) -> str:
    return (
        "kind: Ingress\nmetadata:\n  name: front\n  annotations:\n"
        "    alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds=120\n"
        f"spec:\n  rules:\n    - http: {{paths: [{{backend: {{service: {{name: {service}}}}}}}]}}\n"
    )


PODS = (
    "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    metadata: {labels: {app: x, tier: y}}\n"
    "    spec:\n      containers: [{name: web, image: 'web:1'}]\n"
    "---\nkind: Service\nmetadata: {name: inner}\nspec: {selector: {app: x}}\n"
    "---\nkind: Service\nmetadata: {name: other}\nspec: {selector: {app: z}}\n---\n"
)
COMPOSE = "services:\n  api: {build: ., container_name: shop}\n  frontend: {image: node}\n"


def built(said: str) -> str:
    return f"services:\n  a: {{build: ., {said}}}\n"


def nginx(server: str) -> str:
    return f"upstream up {{\n  server {server};\n  keepalive 16;\n}}\n"


POOLS = (
    "from sqlalchemy import create_engine\n\none = create_engine('postgresql://db/x', pool_size=40, max_overflow=20)\n"
    "two = create_engine('{}', pool_size=40, max_overflow=20)\n"
)
SERVED = {"Dockerfile": IMAGE, "compose.yaml": "services:\n  a: {build: .}\n  db: {image: 'postgres:17'}\n"}

TRUSTS = IMAGE.replace('"]', '", "--forwarded-allow-ips", "*"]')
CROWDED = "services:\n  base: {build: ., cpus: 1, command: uvicorn app:app --workers 8}\n"
LESS = "services:\n  web: {extends: {file: base.yaml, service: base}, command: uvicorn app:app --workers 2}\n"

WC = "WEB_CONCURRENCY"
READ = f"int(os.environ['{WC}'])"
TOLD = {
    "Dockerfile": 'FROM python\nCOPY . .\nCMD ["./s.sh"]\n',
    "compose.yaml": f"services:\n  a:\n    build: .\n    environment:\n      {WC}: '8'\n",
}
HEARD = {
    "Dockerfile": 'FROM python\nCMD ["gunicorn", "app:app", "-k", "uvicorn_worker.UvicornWorker"]\n',
    "compose.yaml": built(f"environment: {{{WC}: '8', OTHER: '2'}}"),
}

# code, the files, how often the code is found
CASES: dict[str, tuple[str, dict[str, str], int]] = {
    "a load balancer of the front end": ("FL624", {"Dockerfile": IMAGE, "k.yaml": PODS + ingress("frontend")}, 0),
    "a load balancer of other pods": ("FL624", {"Dockerfile": IMAGE, "k.yaml": PODS + ingress("other")}, 0),
    "a load balancer of these pods": ("FL624", {"Dockerfile": IMAGE, "k.yaml": PODS + ingress("inner")}, 1),
    "nginx of the front end": (
        "FL624", {"Dockerfile": IMAGE, "compose.yaml": COMPOSE, "nginx.conf": nginx("frontend:3000")}, 0,
    ),
    "nginx of the service": (
        "FL624", {"Dockerfile": IMAGE, "compose.yaml": COMPOSE, "nginx.conf": nginx("api:8000")}, 1,
    ),
    "nginx of the container": (
        "FL624", {"Dockerfile": IMAGE, "compose.yaml": COMPOSE, "nginx.conf": nginx("shop:8000")}, 1,
    ),
    "nginx in the cluster": (
        "FL624", {"Dockerfile": IMAGE, "k.yaml": PODS, "nginx.conf": nginx("inner.prod.svc.cluster.local:80")}, 1,
    ),
    "nginx of another port": ("FL624", {"Dockerfile": IMAGE, "nginx.conf": nginx("who:3000")}, 0),
    "Traefik of nobody knows what": (
        "FL624",
        {"Dockerfile": IMAGE, "t.yml": "serversTransport: {forwardingTimeouts: {idleConnTimeout: 90s}}\n"},
        0,
    ),
    "hypercorn reads no WEB_CONCURRENCY": (
        "FL626", {"Dockerfile": 'FROM python\nENV WEB_CONCURRENCY=auto\nCMD ["hypercorn", "app:app"]\n'}, 0,
    ),
    "uvicorn is told its workers": (
        "FL626", {"Dockerfile": f'{BASE}CMD ["uvicorn", "app:app", "--workers", "2"]\n'}, 0,
    ),
    "uvicorn is told its workers by a variable": (
        "FL626", {"Dockerfile": f'{BASE}ENV UVICORN_WORKERS=2\nCMD ["uvicorn", "app:app"]\n'}, 0,
    ),
    "uvicorn is not told": ("FL626", {"Dockerfile": f'{BASE}CMD ["uvicorn", "app:app"]\n'}, 1),
    "gunicorn parses it all the same": ("FL626", {"Dockerfile": BASE + GUNICORN}, 1),
    "TMPDIR in memory": ("FL621", {"Dockerfile": f"FROM python\nENV TMPDIR=/dev/shm\n{GUNICORN}"}, 0),
    "TMPDIR on the disk": ("FL621", {"Dockerfile": f"FROM python\nENV TMPDIR=/var/tmp\n{GUNICORN}"}, 1),
    "TMPDIR of nobody knows where": (
        "FL621",
        {
            "Dockerfile": f"FROM python\n{GUNICORN}",
            "compose.yaml": "services:\n  a: {build: ., environment: [TMPDIR]}\n",
        },
        0,
    ),
    "proxies of a network where nothing is published": (
        "FL613", {"Dockerfile": TRUSTS, "compose.yaml": built("expose: ['8000']")}, 0,
    ),
    "published to this host alone": (
        "FL613", {"Dockerfile": TRUSTS, "compose.yaml": built("ports: ['127.0.0.1:80:8000']")}, 0,
    ),
    "published": ("FL613", {"Dockerfile": TRUSTS, "compose.yaml": built("ports: ['80:8000']")}, 1),
    "on the network of the host": (
        "FL613", {"Dockerfile": TRUSTS, "compose.yaml": built("network_mode: host")}, 1,
    ),
    "a pattern that another file extends": (
        "FL601", {"Dockerfile": IMAGE, "base.yaml": CROWDED, "compose.yaml": LESS}, 0,
    ),
    "a pattern that is taken as it is": (
        "FL601", {"Dockerfile": IMAGE, "base.yaml": CROWDED, "compose.yaml": LESS.partition(", command")[0] + "}\n"}, 1,
    ),
    "a file of its own that another extends": (
        "FL601", {"Dockerfile": IMAGE, "compose.yaml": CROWDED, "prod.yaml": LESS.replace("base.y", "compose.y")}, 1,
    ),
    "a file that halves the variable": (
        "FL616", {**HEARD, "gunicorn.conf.py": f"import os\nworkers = {READ} // 2\n"}, 0,
    ),
    "a file that caps it": (
        "FL616",
        {**HEARD, "gunicorn.conf.py": f"from os import environ as e\nn = int(e['{WC}'])\nworkers = min(n, 4)\n"},
        0,
    ),
    "a file that reads it in a function": (
        "FL616",
        {**HEARD, "gunicorn.conf.py": f"import os\ndef count():\n    return {READ} + 1\nworkers = count()\n"},
        0,
    ),
    "a file that does not hear it": ("FL616", {**HEARD, "gunicorn.conf.py": "workers = 4\n"}, 1),
    "a file that reads another one": (
        "FL616", {**HEARD, "gunicorn.conf.py": "import os\nworkers = int(os.environ['OTHER'])\n"}, 1,
    ),
    "a loop of uvicorn.run that is spelled wrongly": (
        "FL615", {**SERVED, "run.py": "import uvicorn\nuvicorn.run('app:app', loop='uvlop', ws='websocket')\n"}, 2,
    ),
    "a loop of uvicorn.run that is an object or imported": (
        "FL615",
        {**SERVED, "run.py": "import uvicorn, x\nuvicorn.run('app:app', loop='x:loop', ws=x.Ws, log_level='INFO')\n"},
        0,
    ),
    "a script that doubles the variable": (
        "FL616", {**TOLD, "s.sh": f"exec uvicorn app:app --workers $(({WC}*2))\n"}, 0,
    ),
    "a script that doubles it under another name": (
        "FL616", {**TOLD, "s.sh": f"W=${{{WC}:-2}}\nN=$((W * 2))\nexec uvicorn app:app --workers $N\n"}, 0,
    ),
    "a script that caps it": (
        "FL616",
        {**TOLD, "s.sh": f'W=${WC}\nif [ "${WC}" -gt 4 ]; then W=4; fi\nexec uvicorn app:app --workers $W\n'},
        0,
    ),
    "a script that starts another way for a large one": (
        "FL616",
        {**TOLD, "s.sh": f"if [ ${WC} -gt 4 ]; then exec uvicorn app:app --workers 4; fi\nexec uvicorn app:app\n"},
        0,
    ),
    "a script that hands it on to another": (
        "FL616",
        {**TOLD, "s.sh": f"export N=$(({WC}*2))\nexec ./t.sh\n", "t.sh": "exec uvicorn app:app --workers $N\n"},
        0,
    ),
    "a script that hands it on to gunicorn": (
        "FL616",
        {**TOLD, "s.sh": f'export GUNICORN_CMD_ARGS="--workers $(({WC}*2))"\nexec gunicorn app:app\n'},
        0,
    ),
    "a script that hands it on to uvicorn": (
        "FL616", {**TOLD, "s.sh": f"export UVICORN_WORKERS=$(({WC}*2))\nexec uvicorn app:app\n"}, 0,
    ),
    "a script that does not hear it": ("FL616", {**TOLD, "s.sh": "exec uvicorn app:app --workers 4\n"}, 1),
    "a script that works it out from another one": (
        "FL616", {**TOLD, "s.sh": "N=2\nexec uvicorn app:app --workers $((N*2))\n"}, 1,
    ),
    "a script that only tells it": (
        "FL616", {**TOLD, "s.sh": f"echo ${WC}\nW=${WC}\nexec uvicorn app:app --workers 4\n"}, 1,
    ),
    "a pool of another kind of database": ("FL618", {**SERVED, "db.py": POOLS.format("mysql+pymysql://h/x")}, 0),
    "pools of two servers": ("FL618", {**SERVED, "db.py": POOLS.format("postgresql://other/x")}, 0),
    "pools of one server": ("FL618", {**SERVED, "db.py": POOLS.format("postgresql+psycopg://u:p@db:5432/y")}, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_blamed_is_certain(name: str, tmp_path: Path) -> None:
    code, files, count = CASES[name]
    for path, text in {"app.py": APP, "pyproject.toml": "", **files}.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    report = check(CheckRequest((str(tmp_path),), Config(root=str(tmp_path), severity=Severity.INFO)))
    assert sum(finding.code == code for finding in report.findings) == count


SERVE = "import {0}\n\n\ndef serve(loop):\n    {1}('app:app', loop=loop, ws='websocket')\n"
CALL = "import uvicorn\nfrom server import serve\n\nserve('uvlop')\nuvicorn.run('app:app')\n"


@pytest.mark.parametrize(
    ("files", "places"),
    [
        # The module that starts it is asked itself: it knows its own words, and nobody says them twice
        ({"run.py": CALL, "server.py": SERVE.format("uvicorn", "uvicorn.run")}, {("server.py", "websocket")}),
        # This one does not look as if it started any: whoever calls it says where it stands
        (
            {"run.py": CALL, "server.py": SERVE.format("web", "web.uvicorn.run"), "web.py": "import uvicorn\n"},
            {("server.py", "uvlop"), ("server.py", "websocket")},
        ),
        ({"run.py": CALL.replace("'uvlop'", "'auto'"), "server.py": SERVE.format("os", "os.path.join")}, set()),
    ],
)
def test_a_server_stands_where_it_is_started(
    files: dict[str, str], places: set[tuple[str, str]], tmp_path: Path
) -> None:
    for path, text in {"app.py": APP, "pyproject.toml": "", **files}.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    report = check(CheckRequest((str(tmp_path),), Config(root=str(tmp_path), severity=Severity.INFO)))
    wrong = [finding for finding in report.findings if finding.code == "FL615"]
    said = {(each.where.path, word) for each in wrong for word in ("uvlop", "websocket") if word in each.message}
    assert said == places
    assert len(wrong) == len(places)
    assert all(finding.where.line == 5 for finding in wrong)
