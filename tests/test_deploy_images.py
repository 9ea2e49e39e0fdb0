"""A container runs an image of the project where something says so, and nobody's where nothing does."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployment import read

from fastlint.deploy.join import read_plans
from fastlint.deploy.python_entry import PythonFiles
from fastlint.finding import Location

NO_PYTHON = PythonFiles(
    (), (), lambda _: None, lambda _: "", lambda _: None, lambda path, _: Location(path), lambda _: ()
)
SERVES = 'FROM python:3.13\nCMD ["uvicorn", "app:app", "--port", "8000"]\n'
OTHER = 'FROM golang\nCMD ["/server"]\n'


def pod(name: str, *containers: str, kind: str = "Deployment") -> str:
    inner = "".join(f"        - {{name: c{at}, {container}}}\n" for at, container in enumerate(containers))
    return f"kind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  template:\n    spec:\n      containers:\n{inner}---\n"


def compose(**services: str) -> str:
    return "services:\n" + "".join(f"  {name.replace('_', '-')}: {{{said}}}\n" for name, said in services.items())


PORT = "ports: [{containerPort: 8000}]"
# The files of a project, and what serves in it: services that run its image, and images that none of them runs.
PROJECTS: dict[str, tuple[dict[str, str], set[str]]] = {
    # --- somebody else's images -----------------------------------------------------------------------------------
    "a vector store beside the service": (
        {"Dockerfile": SERVES, "k8s.yaml": pod("web", "image: web:1") + pod("qdrant", "image: 'qdrant/qdrant:v1'")},
        {"Deployment/web"},
    ),
    "a store alone": (
        {"Dockerfile": SERVES, "k8s.yaml": pod("qdrant", "image: 'qdrant/qdrant:v1'", kind="StatefulSet")},
        {"Dockerfile"},
    ),
    "a store alone that nobody has heard of": (
        {"Dockerfile": SERVES, "k8s.yaml": pod("x", "image: acme/keepsake, ports: [{containerPort: 6333}]")},
        {"Dockerfile"},
    ),
    "side-cars": (
        {
            "Dockerfile": SERVES,
            "k8s.yaml": pod("web", "image: r.example.com/web:1", "image: 'quay.io/oauth2-proxy/oauth2-proxy:v7'"),
        },
        {"Deployment/web container c0"},
    ),
    "a side-car beside an image of which nothing is known": (
        {"Dockerfile": SERVES, "k8s.yaml": pod("x", f"image: acme/thing, {PORT}", f"image: acme/other, {PORT}")},
        {"Dockerfile"},
    ),
    "what compose starts for developers": (
        {
            "api/Dockerfile": SERVES,
            "compose.yaml": compose(
                api="build: ./api", ollama="image: ollama/ollama", adminer="image: adminer, ports: ['8000:8000']",
                flower="image: mher/flower", db="image: bitnami/postgresql",
            ),
        },
        {"api"},
    ),
    "another image of a monorepo": (
        {"services/a/Dockerfile": SERVES, "k8s.yaml": pod("b", "image: reg/acme/b") + pod("a", "image: reg/acme/a")},
        {"Deployment/a"},
    ),
    "the front end of an API": (
        {"Dockerfile": SERVES, "k8s.yaml": pod("api", "image: acme/api") + pod("web", "image: acme/web")},
        {"Deployment/api"},
    ),
    "a role in a project of which the Dockerfile is called otherwise": (
        {"services/orders/Dockerfile": SERVES, "k8s.yaml": pod("api", "image: acme/api")},
        {"services/orders/Dockerfile"},
    ),
    "a Dockerfile of the same name serves nothing": (
        {"api/Dockerfile": SERVES, "web/Dockerfile": OTHER, "k8s.yaml": pod("web", "image: acme/web")},
        {"api/Dockerfile"},
    ),
    # --- the project's own ----------------------------------------------------------------------------------------
    "compose builds and names it": (
        {
            "Dockerfile": SERVES,
            "compose.yaml": compose(x="build: ., image: acme/shop"),
            "k8s.yaml": pod("y", "image: 'r.example.com:5000/acme/shop:1@sha256:0'"),
        },
        {"x", "Deployment/y"},
    ),
    "compose builds it under the service's name": (
        {"Dockerfile": SERVES, "compose.yaml": compose(shop="build: ."), "k8s.yaml": pod("y", "image: acme/shop")},
        {"shop", "Deployment/y"},
    ),
    "the folder of the Dockerfile": (
        {"services/orders/Dockerfile": SERVES, "b/Dockerfile": SERVES, "k8s.yaml": pod("x", "image: acme/orders")},
        {"Deployment/x", "b/Dockerfile"},
    ),
    "the folder above docker/": (
        {"orders/docker/Dockerfile": SERVES, "b/Dockerfile": SERVES, "k8s.yaml": pod("x", "image: acme/orders-api")},
        {"Deployment/x", "b/Dockerfile"},
    ),
    "the suffix of the Dockerfile": (
        {"Dockerfile.orders": SERVES, "Dockerfile.b": SERVES, "k8s.yaml": pod("x", "image: acme-orders")},
        {"Deployment/x", "Dockerfile.b"},
    ),
    "the name of the project": (
        {"Dockerfile": SERVES, "pyproject.toml": "[project]\nname = 'Order_Book'\ndependencies = ['fastapi']\n",
         "k8s.yaml": pod("x", "image: order-book") + pod("y", "image: acme/ledger")},
        {"Deployment/x"},
    ),
    "the name of a Poetry project": (
        {"Dockerfile": SERVES, "pyproject.toml": "[tool.poetry]\nname = 'orders'  # fastapi\n",
         "k8s.yaml": pod("x", "image: acme/orders-service")},
        {"Deployment/x"},
    ),
    "the package that is served": (
        {"Dockerfile": SERVES.replace("app:app", "orders.main:app"), "k8s.yaml": pod("x", "image: acme/orders")},
        {"Deployment/x"},
    ),
    "the only workload listens where the image does": (
        {"Dockerfile": SERVES, "k8s.yaml": pod("x", f"image: acme/platform, {PORT}")},
        {"Deployment/x"},
    ),
    "it is asked where the image listens": (
        {"Dockerfile": SERVES, "k8s.yaml": pod("x", "image: acme/platform, livenessProbe: {httpGet: {port: 8000}}")},
        {"Deployment/x"},
    ),
    "the image exposes what compose publishes": (
        {"Dockerfile": SERVES.replace("8000", "$P") + "EXPOSE 9000/tcp\n",
         "compose.yaml": compose(x="image: acme/platform, ports: ['80:9000']", db="image: postgres")},
        {"x"},
    ),
    "an image that is filled in later": (
        {"Dockerfile": SERVES, "chart/templates/d.yaml": pod("x", "image: '{{ .Values.image }}'")},
        {"Deployment/x"},
    ),
    "two images that are filled in later": (
        {"Dockerfile": SERVES,
         "k.yaml": pod("x", "image: '{{ .Values.image }}'") + pod("y", "image: '{{ .Values.other.image }}'")},
        {"Dockerfile"},
    ),
    "one image for several services": (
        {"Dockerfile": SERVES,
         "compose.yaml": compose(a="image: 'web:1'", b="image: 'web:1', command: uvicorn app:app --workers 2")},
        {"a", "b"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROJECTS)
def test_an_image_is_the_project_s_where_something_says_so(name: str, tmp_path: Path) -> None:
    files, expected = PROJECTS[name]
    readings = read(tmp_path, dict(files))
    assert not readings.broken
    assert {plan.name for plan in read_plans(readings, NO_PYTHON)} == expected
