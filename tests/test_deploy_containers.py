"""Dockerfiles, compose files and Kubernetes manifests: what is started and granted, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployment import line, one, read, told

from fastlint.deploy.plan import Rank
from fastlint.deploy.service import Build
from fastlint.deploy.values import Unknown

# A Dockerfile and what its last stage starts: ENTRYPOINT, CMD.
STARTS: dict[str, tuple[str, str, str]] = {
    "exec form": ('FROM x\nCMD ["uvicorn", "a:b"]', "", "uvicorn@2 a:b@2"),
    "exec form over lines": ('FROM x\nCMD ["uvicorn", \\\n  "a:b"]', "", "uvicorn@2 a:b@3"),
    "shell form": ("FROM x\nCMD uvicorn a:b --port $PORT", "", "sh: uvicorn a:b --port $PORT@2"),
    "no JSON is shell form": ("FROM x\nCMD ['uvicorn', 'a:b']", "", "sh: ['uvicorn', 'a:b']@2"),
    "the last CMD wins": ('FROM x\nCMD ["a"]\n\nCMD ["b"]', "", "b@4"),
    "both": ('FROM x\nENTRYPOINT ["tini", "--"]\nCMD ["uvicorn"]', "tini@2 --@2", "uvicorn@3"),
    "a dollar is no variable in exec form": ('FROM x\nENV P=1\nCMD ["run", "$P"]', "", "run@3 $P@3"),
    "an escape in exec form": (r"FROM x" + "\n" + r'CMD ["sh", "-c", "a \"b\""]', "", 'sh@2 -c@2 a "b"@2'),
    "the last stage counts": ('FROM x AS a\nCMD ["a"]\nFROM y\nCMD ["b"]', "", "b@4"),
    "a stage inherits": ('FROM x AS a\nCMD ["a"]\nFROM a\nENV A=1', "", "a@2"),
    "a stage on something else does not": ('FROM x AS a\nCMD ["a"]\nFROM y', "", ""),
    "comments and empty lines in between": ("FROM x\nCMD a \\\n# no\n\n  b", "", "sh: a   b@2"),
    "directives": ("# syntax=docker/dockerfile:1\n# escape=`\nFROM x\nCMD a `\n b", "", "sh: a  b@4"),
    "a here-document is no instruction": ('FROM x\nRUN <<EOF\nCMD ["no"]\nEOF\nCMD ["yes"]', "", "yes@5"),
    "lower case": ('from x\ncmd ["a"]', "", "a@2"),
    "CRLF": ('FROM x\r\nCMD ["a", \\\r\n "b"]\r\n', "", "a@2 b@3"),
    "ONBUILD is for others": ('FROM x\nCMD ["a"]\nONBUILD CMD ["b"]', "", "a@2"),
    "an empty list takes it back": ('FROM x AS a\nCMD ["a"]\nFROM a\nCMD []', "", ""),
}


@pytest.mark.parametrize("name", STARTS)
def test_what_a_dockerfile_starts(name: str, tmp_path: Path) -> None:
    text, entrypoint, command = STARTS[name]
    readings = read(tmp_path, {"Dockerfile": text})
    service = one(readings, "Dockerfile")
    assert not readings.broken
    assert service.last_stage
    assert (line(service.entrypoint), line(service.command)) == (entrypoint, command)


ENVIRONMENTS: list[tuple[str, dict[str, object]]] = [
    ("ENV A=1 B=2", {"A": "1", "B": "2"}),
    ("ENV A one value", {"A": "one value"}),
    ("ENV A=\"x y\" B='z w' C=a\\ b", {"A": "x y", "B": "z w", "C": "a b"}),
    ("ENV A=1\nENV B=$A${A}x", {"A": "1", "B": "11x"}),
    ("ENV A=1 B=$A", {"A": "1", "B": Unknown("filled in when it is deployed")}),
    ("ENV A=1\nENV A=2 B=$A", {"A": "2", "B": "1"}),
    ("ENV A=${NO:-d} B=${NO:+d}", {"A": "d", "B": ""}),
    ("ENV A='$B' C=\\$D", {"A": "$B", "C": "$D"}),
    ("ENV A=$HOME/x", {"A": Unknown("filled in when it is deployed")}),
    ("ARG P=80\nENV PORT=$P", {"PORT": "80"}),
    ("ARG P\nENV PORT=$P", {"PORT": Unknown("filled in when it is deployed")}),
    ("ARG OUTER\nENV A=$OUTER", {"A": "o"}),
    ("ENV A=$OUTER", {"A": Unknown("filled in when it is deployed")}),
    ("ENV A=1 \\\n  # comment\n  B=2", {"A": "1", "B": "2"}),
]


@pytest.mark.parametrize(("text", "expected"), ENVIRONMENTS, ids=[text for text, _ in ENVIRONMENTS])
def test_the_environment_of_a_dockerfile(text: str, expected: dict[str, object], tmp_path: Path) -> None:
    service = one(read(tmp_path, {"Dockerfile": f"ARG OUTER=o\nFROM x\n{text}\n"}), "Dockerfile")
    assert {name: said.value for name, said in service.environment.items()} == expected


STAGES = """\
ARG PY=3.12
FROM python:${PY}-slim AS base
WORKDIR /srv
WORKDIR app
COPY pyproject.toml src ./
ENV PORT=8000
FROM base AS dev
CMD uvicorn app:app --reload
FROM debian AS final
COPY --from=base /srv/app /code
COPY --chmod=755 start.sh /start.sh
COPY ["conf/gunicorn.py", "/etc/"]
HEALTHCHECK --interval=5s --retries=4 CMD curl localhost
SHELL ["/bin/bash", "-c"]
ENTRYPOINT /start.sh
"""


def test_stages(tmp_path: Path) -> None:
    readings = read(tmp_path, {"deploy/api.Dockerfile": STAGES})
    base, dev = one(readings, "deploy/api.Dockerfile stage base"), one(readings, "deploy/api.Dockerfile stage dev")
    final = one(readings, "deploy/api.Dockerfile")
    assert base.image is not None
    assert (base.image.text, base.stage, base.folder) == ("python:3.12-slim", "base", "/srv/app")
    assert (dev.development, dev.last_stage, line(dev.command)) == (True, False, "sh: uvicorn app:app --reload@8")
    assert (dev.folder, told(dev.environment["PORT"])) == ("/srv/app", ("8000", 6))
    assert (final.development, final.last_stage, final.folder) == (False, True, None)
    assert final.drops_command  # a shell form ENTRYPOINT is given no arguments
    assert final.entrypoint is not None
    assert final.entrypoint.interpreter == ("/bin/bash", "-c")
    assert told(final.limits.probes[0]) == (20.0, 13)
    assert final.copies == (
        ("pyproject.toml", "/code"),
        ("src", "/code"),
        ("start.sh", "/start.sh"),
        ("conf/gunicorn.py", "/etc/"),
    )


@pytest.mark.parametrize(
    ("name", "taken"),
    [(name, True) for name in ("Dockerfile", "DockerFile", "Dockerfile.prod", "api.Dockerfile", "Containerfile")]
    + [(name, False) for name in ("Dockerfile.md", "dockerfile.py", "MyDockerfile", "x.txt")],
)
def test_the_names_of_dockerfiles(name: str, taken: bool, tmp_path: Path) -> None:
    assert bool(read(tmp_path, {name: 'FROM x\nCMD ["a"]'}).services) == taken


COMPOSE = """\
x-env: &env
  LOG_LEVEL: info
  WEB_CONCURRENCY: ${WORKERS:-4}
services:
  api:
    build:
      context: ./api
      dockerfile: Dockerfile.prod
      args: {PY: "3.12"}
    command: >
      gunicorn app:app -w ${WORKERS:-4}
      --bind 0.0.0.0:$PORT
    environment:
      <<: *env
      SECRET:
      QUOTED: "a b"
    env_file: [.env.api, missing.env]
    working_dir: /srv
    stop_grace_period: 1m10s
    healthcheck: {test: curl localhost, interval: 4s, retries: 5}
    deploy: {resources: {limits: {cpus: "1.5", memory: 1.5G}}, replicas: 2}
    ports: ["127.0.0.1:9000:9000", "80:8000", {target: 8001, host_ip: 127.0.0.1}, {target: 8002}]
    tmpfs: /tmp
  worker:
    extends: api
    entrypoint: ["sh", "-c", "exec uvicorn a:b --port $$PORT"]
    command: !reset null
    ports: !reset []
    cpus: 0.5
    mem_limit: 512m
    scale: 3
  db:
    image: postgres:16
    command: postgres -c max_connections=50
  cache:
    image: redis
    cpu_quota: 50000
"""


def test_a_compose_service(tmp_path: Path) -> None:
    readings = read(
        tmp_path, {"compose.yml": COMPOSE, ".env": "PORT=99 # x\n", ".env.api": "LOG_LEVEL=debug\nexport MODE='x'\n"}
    )
    api = one(readings, "api")
    assert not readings.broken
    assert line(api.command) == "gunicorn@11 app:app@11 -w@11 4@11 --bind@12 0.0.0.0:99@12"
    assert {name: told(said) for name, said in api.environment.items()} == {
        "LOG_LEVEL": ("info", 2),
        "WEB_CONCURRENCY": ("4", 3),
        "SECRET": (Unknown("taken from where compose is started"), 15),
        "QUOTED": ("a b", 16),
        "MODE": ("x", 2),
    }
    assert api.environment["MODE"].by == "compose env_file"
    assert api.environment_open  # missing.env
    assert api.build is not None
    assert (api.build.dockerfile, api.build.context, api.build.target) == ("api/Dockerfile.prod", "api", "")
    assert told(api.build.arguments["PY"]) == ("3.12", 9)
    limits = api.limits
    assert (told(limits.cores), told(limits.memory)) == ((1.5, 21), (3 * 2**29, 21))
    assert (told(limits.replicas), told(limits.grace_period)) == ((2, 21), (70.0, 19))
    assert [told(probe) for probe in limits.probes] == [(20.0, 20)]
    assert [said.text for said in api.published] == ["80:8000", "8002"]
    assert (api.folder, api.memory_folders, api.orchestrated, api.development) == ("/srv", ("/tmp",), True, False)


def test_a_compose_service_extends_another(tmp_path: Path) -> None:
    worker = one(read(tmp_path, {"compose.yml": COMPOSE}), "worker")
    assert line(worker.entrypoint) == "sh@26 -c@26 exec uvicorn a:b --port $PORT@26"
    assert worker.command is None
    assert worker.drops_command
    assert worker.published == ()
    assert (told(worker.limits.cores), told(worker.limits.memory)) == ((0.5, 29), (2**29, 30))
    assert told(worker.limits.replicas) == (3, 31)
    assert told(worker.environment["LOG_LEVEL"]) == ("info", 2)


def test_databases_of_compose(tmp_path: Path) -> None:
    (database,) = read(tmp_path, {"compose.yml": COMPOSE}).databases
    assert (database.name, database.kind, told(database.max_connections)) == ("db", "postgres", (50, 34))
    (database,) = read(tmp_path, {"compose.yml": "services:\n  d:\n    image: mysql:8\n"}).databases
    assert (database.max_connections.value, database.max_connections.rank) == (151, Rank.DEFAULT)
    assert told(one(read(tmp_path, {"compose.yml": COMPOSE}), "cache").limits.cores) == (0.5, 37)


BASE = 'services:\n  api:\n    image: acme/api\n    command: ["a"]\n    environment: {A: "1", B: "2"}\n    cpus: 1\n'
# The overrides beside a base, and every service then: file of its place, command, A, cores, for developers.
OVERRIDES: dict[str, tuple[dict[str, str], set[tuple[str, str, object, object, bool]]]] = {
    "a base alone": ({}, {("compose.yml", "a@4", "1", 1.0, False)}),
    "an override is for developers": (
        {"compose.override.yml": "services:\n  api:\n    command: b c\n    environment: [A=3]\n"},
        {("compose.yml", "a@4", "1", 1.0, False), ("compose.override.yml", "b@3 c@3", "3", 1.0, True)},
    ),
    "a production file takes the place of the base": (
        {"compose.prod.yml": "services:\n  api:\n    cpus: 4\n"},
        {("compose.prod.yml", "a@4", "1", 4.0, False)},
    ),
    "a complete file stands alone": (
        {"compose.prod.yml": "services:\n  api:\n    image: x\n    cpus: 4\n"},
        {("compose.yml", "a@4", "1", 1.0, False), ("compose.prod.yml", "", None, 4.0, False)},
    ),
    "!reset and !override": (
        {"compose.prod.yml": "services:\n  api:\n    command: !reset null\n    environment: !override {C: x}\n"},
        {("compose.prod.yml", "", None, 1.0, False)},
    ),
    "a file elsewhere has nothing to do with it": (
        {"other/compose.prod.yml": "services:\n  api:\n    cpus: 4\n    command: z\n"},
        {("compose.yml", "a@4", "1", 1.0, False), ("other/compose.prod.yml", "z@4", None, 4.0, False)},
    ),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_overrides(name: str, tmp_path: Path) -> None:
    files, expected = OVERRIDES[name]
    found = set()
    for each in read(tmp_path, {"compose.yml": BASE, **files}).services:
        setting = each.environment.get("A")
        cores = each.limits.cores.value if each.limits.cores is not None else None
        found.add((each.path, line(each.command), setting.value if setting else None, cores, each.development))
    assert found == expected


def test_an_override_of_a_build_keeps_the_rest_of_it(tmp_path: Path) -> None:
    files = {
        "compose.yml": "services:\n  api:\n    build: {context: x, dockerfile: D}\n",
        "compose.prod.yml": "services:\n  api:\n    build: {target: slim}\n",
    }
    build = one(read(tmp_path, dict(files)), "api").build
    assert isinstance(build, Build)
    assert (build.dockerfile, build.context, build.target) == ("x/D", "x", "slim")


BUILT = """\
ARG BASE=slim
FROM python:$BASE AS base
ARG WORKERS=2
ARG UNSAID
ENV WEB_CONCURRENCY=$WORKERS OTHER=$UNSAID
CMD ["base"]
FROM base AS dev
CMD ["dev"]
FROM base
CMD ["last"]
"""
# `build` of a compose service: command, image and two variables of the stage that it makes.
BUILDS: dict[str, tuple[str, tuple[str, str, object, object] | None]] = {
    "the last stage": ("{context: .}", ("last@10", "python:slim", "2", None)),
    "a short form": (".", ("last@10", "python:slim", "2", None)),
    "a target": ("{context: ., target: dev}", ("dev@8", "python:slim", "2", None)),
    "arguments": ("{context: ., args: {BASE: x, WORKERS: 5, UNSAID: u}}", ("last@10", "python:x", "5", "u")),
    "a list of arguments": ("{context: ., args: [WORKERS=5]}", ("last@10", "python:slim", "5", None)),
    "an argument from outside": ("{context: ., args: [WORKERS]}", ("last@10", "python:slim", None, None)),
    "no such target": ("{context: ., target: nobody}", None),
    "no such file": ("{context: ., dockerfile: nobody}", None),
    "a repository elsewhere": ("https://example.com/x.git", None),
}


@pytest.mark.parametrize("name", BUILDS)
def test_what_a_build_makes(name: str, tmp_path: Path) -> None:
    build, expected = BUILDS[name]
    compose = f"services:\n  api:\n    build: {build}\n"
    made = one(read(tmp_path, {"compose.yml": compose, "Dockerfile": BUILT}), "api").build
    image = made.image if made is not None else None
    if expected is None:
        assert image is None
        return
    assert image is not None
    assert image.image is not None
    variables = [image.environment[key].value for key in ("WEB_CONCURRENCY", "OTHER")]
    known = [value if isinstance(value, str) else None for value in variables]
    assert (line(image.command), image.image.text, *known) == expected


INTERPOLATIONS: list[tuple[str, str]] = [
    ("${X:-4}", "4"),
    ("${X-4}", "4"),
    ("${X}", "?"),
    ("$X", "?"),
    ("${X:?set it}", "?"),
    ("${SET}", "s"),
    ("${SET:-4}", "s"),
    ("${EMPTY:-4}", "4"),
    ("${EMPTY-4}", ""),
    ("${SET:+4}", "4"),
    ("${X:+4}", ""),
    ("${X:-${SET}}", "s"),
    ("${X:-${Y:-5}}", "5"),
    ("$$X", "$X"),
    ("$${X}", "${X}"),
    ("a${X:-1}b${SET}c", "a1bsc"),
    ("${X:-4", "4"),
    ("cost: 5$", "cost: 5$"),
]


@pytest.mark.parametrize(("written", "meant"), INTERPOLATIONS)
def test_interpolation(written: str, meant: str, tmp_path: Path) -> None:
    compose = f"services:\n  api:\n    image: x\n    command: ['{written}']\n"
    service = one(read(tmp_path, {"compose.yml": compose, ".env": "SET=s\nEMPTY=\n"}), "api")
    assert line(service.command) == f"{meant}@4"


DEPLOYMENT = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data:
  WORKERS: "3"
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 3
  template:
    spec:
      terminationGracePeriodSeconds: 20
      volumes: [{name: shm, emptyDir: {medium: Memory}}, {name: disk, emptyDir: {}}]
      initContainers:
        - {name: wait, image: busybox, command: [uvicorn]}
      containers:
        - name: web
          image: acme/api:1
          command: ["gunicorn"]
          args:
            - -w
            - $(WORKERS)
            - $(NOBODY)
            - $$(WORKERS)
            - $(LATER)
          envFrom: [{configMapRef: {name: conf}}]
          env:
            - name: CPUS
              valueFrom: {resourceFieldRef: {resource: limits.cpu}}
            - name: LATER
              valueFrom: {secretKeyRef: {name: s, key: k}}
            - {name: BOTH, value: "$(WORKERS)0"}
          resources: {limits: {cpu: 1500m, memory: 512Mi}, requests: {cpu: 8}}
          livenessProbe: {periodSeconds: 5, httpGet: {path: /}}
          readinessProbe: {failureThreshold: 2}
          volumeMounts: [{name: shm, mountPath: /tmp}, {name: disk, mountPath: /var}]
        - name: log
          image: fluent
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
spec: {maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: api}}
"""


def test_a_deployment(tmp_path: Path) -> None:
    readings = read(tmp_path, {"k8s/api.yaml": DEPLOYMENT})
    assert [each.name for each in readings.services] == ["Deployment/api container web", "Deployment/api container log"]
    web = readings.services[0]
    assert line(web.entrypoint) == "gunicorn@21"
    assert line(web.command) == "-w@23 3@24 $(NOBODY)@25 $(WORKERS)@26 ?@27"
    limits = web.limits
    assert (told(limits.cores), told(limits.memory)) == ((1.5, 35), (2**29, 35))
    assert (told(limits.replicas), told(limits.most_replicas)) == ((3, 11), (9, 44))
    assert told(limits.grace_period) == (20, 14)
    assert [(probe.name, *(told(probe) or ())) for probe in limits.probes] == [
        ("liveness", 15, 36),
        ("readiness", 20, 37),
    ]
    assert {name: told(said) for name, said in web.environment.items()} == {
        "WORKERS": ("3", 5),
        "CPUS": ("2", 30),
        "LATER": (Unknown("set from the cluster"), 32),
        "BOTH": ("30", 34),
    }
    assert (web.orchestrated, web.environment_open, web.memory_folders) == (True, False, ("/tmp",))


KINDS = {
    "Deployment": ("spec:\n  template:\n    spec:\n      containers: [{name: c, image: i, args: [a]}]", True),
    "StatefulSet": ("spec:\n  template:\n    spec:\n      containers: [{name: c, image: i, args: [a]}]", True),
    "DaemonSet": ("spec:\n  template:\n    spec:\n      containers: [{name: c, image: i, args: [a]}]", True),
    "Job": ("spec:\n  template:\n    spec:\n      containers: [{name: c, image: i, args: [a]}]", False),
    "Pod": ("spec:\n  containers: [{name: c, image: i, args: [a]}]", False),
    "CronJob": (
        "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n"
        "          containers: [{name: c, image: i, args: [a]}]",
        False,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind: str, tmp_path: Path) -> None:
    body, replicates = KINDS[kind]
    service = one(read(tmp_path, {"m.yaml": f"kind: {kind}\nmetadata: {{name: n}}\n{body}\n"}), f"{kind}/n")
    assert (service.command is not None, service.orchestrated) == (True, replicates)
    nested = "\n".join(f"    {row}" for row in f"kind: {kind}\nmetadata: {{name: n}}\n{body}".splitlines())
    readings = read(tmp_path, {"m.yaml": "kind: List\nitems:\n  -\n" + nested})
    assert one(readings, f"{kind}/n").command is not None


def test_a_kustomize_patch(tmp_path: Path) -> None:
    patch = "kind: Deployment\nmetadata: {name: api}\nspec:\n  template:\n    spec:\n      containers:\n"
    patch += "        - name: web\n"
    files: dict[str, str | bytes] = {
        "base/api.yaml": DEPLOYMENT,
        "overlays/prod/api.yaml": patch + "          resources: {limits: {cpu: 4}}\n",
        "overlays/dev/api.yaml": patch + "          args: [--reload]\n",
        "overlays/prod/unknown.yaml": patch.replace("api", "other"),
    }
    found = [
        (each.path, told(each.limits.cores), each.development, len(each.command.words) if each.command else 0)
        for each in read(tmp_path, files).services
        if each.name.endswith("web")
    ]
    assert found == [
        ("overlays/dev/api.yaml", (1.5, 35), True, 1),
        ("overlays/prod/api.yaml", (4.0, 8), False, 5),
    ]


HELM = """\
{{- if .Values.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "x.fullname" . }}
  labels:
    {{- include "x.labels" . | nindent 4 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicaCount }}
  {{- end }}
  template:
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          command:
            - uvicorn
            - app:app
            - --workers={{ .Values.workers }}
          resources:
            limits:
              cpu: 2
              {{- if .Values.big }}
              memory: 2Gi
              {{- else }}
              memory: 1Gi
              {{- end }}
          {{- with .Values.nodeSelector }}
          nodeSelector:
            {{- toYaml . | nindent 12 }}
          {{- end }}
{{- end }}
"""


def test_a_helm_template(tmp_path: Path) -> None:
    readings = read(tmp_path, {"chart/templates/deployment.yaml": HELM})
    service = one(readings, "Deployment/…")
    assert not readings.broken
    command = line(service.entrypoint)
    assert command.startswith("uvicorn@18 app:app@19 --workers=?")
    assert command.endswith("@20")
    assert told(service.limits.cores) == (2.0, 23)
    assert service.limits.memory is not None
    assert isinstance(service.limits.memory.value, Unknown)
    assert service.limits.replicas is not None
    assert isinstance(service.limits.replicas.value, Unknown)


def test_block_scalars_know_their_lines(tmp_path: Path) -> None:
    text = (
        "kind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: c\n      image: i\n"
        "      command: [sh, -c]\n      args:\n        - |\n          alembic upgrade head\n\n"
        "          exec uvicorn a:b\n"
    )
    service = one(read(tmp_path, {"p.yaml": text}), "Pod/p")
    assert service.command is not None
    shell = service.command.words[0]
    assert [shell.at(shell.text.index(word)).line for word in ("alembic", "head", "exec", "uvicorn")] == [
        10,
        10,
        12,
        12,
    ]
    assert shell.at(shell.text.index("uvicorn")).column == 16


def test_proxies(tmp_path: Path) -> None:
    readings = read(
        tmp_path,
        {
            "ingress.yaml": "kind: Ingress\nmetadata:\n  annotations:\n"
            "    alb.ingress.kubernetes.io/load-balancer-attributes: a=b,idle_timeout.timeout_seconds=120\n"
            "spec:\n  rules:\n"
            "    - http: {paths: [{backend: {service: {name: api}}}]}\n",
            "nginx/app.conf": "upstream api { # c\n  server web:8000;\n  keepalive 16;\n  keepalive_timeout 75s;\n}\n"
            "upstream plain { server web:9000; }\nupstream usual { server x; keepalive 4; }\n",
            "traefik.yml": "http:\n  serversTransports:\n    t:\n"
            "      forwardingTimeouts:\n        idleConnTimeout: 90s\n",
        },
    )
    assert [(each.by, each.where.line, each.idle.value, each.upstreams) for each in readings.proxies] == [
        ("AWS load balancer", 4, 120, ("api",)),
        ("nginx", 4, 75.0, ("api", "web:8000")),
        ("nginx", 7, 60.0, ("usual", "x")),
        ("Traefik", 5, 90.0, ()),
    ]
    assert readings.proxies[2].idle.rank == Rank.DEFAULT
