"""Kubernetes manifests: containers with their limits, probes and environment; templates as far as they parse.

Asks no cluster. Source: the Kubernetes API reference (workloads, autoscaling/v2, core/v1) and "Define Dependent
Environment Variables" for `$(NAME)`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from fastlint.amounts import bytes_of, cores_of, port_of
from fastlint.deploy.plan import Limits, Rank, Said
from fastlint.deploy.readers.purpose import for_development
from fastlint.deploy.readers.yaml_nodes import Yaml, documents
from fastlint.deploy.service import HOLE, Broken, Kind, Proxy, Run, Service, Text
from fastlint.deploy.texts import joined, literal, value_of, variable
from fastlint.deploy.values import Unknown, Value

_POD_AT: dict[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Rollout": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
    "Service": ("spec", "template", "spec"),  # Knative
}
_REPLICATES = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Service"})
_OTHERS = ("HorizontalPodAutoscaler", "ConfigMap", "Ingress", "List")
WANTED = re.compile(rf"^\s*(?:-\s+)?[\"']?kind[\"']?:\s*[\"']?(?:{'|'.join((*_POD_AT, *_OTHERS))})\b", re.MULTILINE)
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][\w.-]*)\)")
# Where a load balancer's or proxy's patience with idle connections to the service is written. The first two are AWS'.
_ALB = "alb.ingress.kubernetes.io/load-balancer-attributes"
_ALB_IDLE = re.compile(r"idle_timeout\.timeout_seconds=(\d+)")
_IDLE = {
    "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout": "AWS load balancer",
    "nginx.ingress.kubernetes.io/upstream-keepalive-timeout": "ingress-nginx",
}
_NGINX_MAP = "upstream-keepalive-timeout"  # in the ConfigMap of the ingress-nginx controller


@dataclass(slots=True)
class _Cluster:
    """What the manifests of a project say apart from the containers themselves."""

    maps: dict[str, Mapping[str, Yaml]] = field(default_factory=dict)
    scalers: dict[tuple[str, str], Yaml] = field(default_factory=dict)
    selectors: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)  # a Service, and the pods it means
    behind_nginx: dict[str, None] = field(default_factory=dict)  # Services that an Ingress of nginx leads to


_Key = tuple[str, str, str]  # kind and name of the resource, name of the container


def read_kubernetes(files: Mapping[str, str]) -> tuple[list[Service], list[Proxy], list[Broken]]:
    """The containers of all manifests of a project, patches laid over what they patch; and the proxies in front."""
    resources: list[Yaml] = []
    broken: list[Broken] = []
    for path in sorted(files):
        found, problems = documents(path, files[path], WANTED)
        resources += [each for document in found for each in _resources(document)]
        broken += problems
    cluster = _Cluster()
    for each in resources:
        _collect(cluster, each)
    containers = [each for resource in resources for each in _containers(cluster, resource)]
    return _patched(containers), [proxy for each in resources for proxy in _proxies(cluster, each)], broken


def _resources(document: Yaml) -> list[Yaml]:
    return _items(document.get("items")) if _text(document, "kind") == "List" else [document]


def _text(node: Yaml, *keys: str) -> str:
    found = node.get(*keys)
    return (found.scalar if found is not None else None) or ""


def _items(node: Yaml | None) -> list[Yaml]:
    return node.items() if node is not None else []


def _entries(node: Yaml | None) -> Mapping[str, Yaml]:
    return node.entries() if node is not None else {}


def _collect(cluster: _Cluster, resource: Yaml) -> None:
    kind, name = _text(resource, "kind"), _text(resource, "metadata", "name")
    if kind == "ConfigMap":
        # Two of one name are those of two environments: only what both say the same is known.
        data = _entries(resource.get("data"))
        other = cluster.maps.get(name, data)
        cluster.maps[name] = {
            key: each for key, each in data.items() if key in other and each.scalar == other[key].scalar
        }
    elif kind == "HorizontalPodAutoscaler":
        target = ("spec", "scaleTargetRef")
        cluster.scalers[_text(resource, *target, "kind"), _text(resource, *target, "name")] = resource
    elif kind == "Service":
        selector = _labels(resource.get("spec", "selector"))
        if name and HOLE not in name and selector:
            cluster.selectors.append((name, selector))
    elif kind == "Ingress":
        named = _text(resource, "spec", "ingressClassName")
        named = named or _text(resource, "metadata", "annotations", "kubernetes.io/ingress.class")
        if named in ("", "nginx"):
            cluster.behind_nginx.update(dict.fromkeys(_backends(resource)))


def _labels(node: Yaml | None) -> dict[str, str]:
    """Labels as text; empty where one of them is filled in by a template, so that none is matched by half."""
    labels = {key: each.scalar or "" for key, each in _entries(node).items()}
    return {} if any(HOLE in key + value for key, value in labels.items()) else labels


def _hosts(cluster: _Cluster, resource: Yaml, pod_at: tuple[str, ...]) -> Iterator[str]:
    """The Services that lead to the pods of a workload. (A Service of Knative is workload and Service in one.)"""
    if _text(resource, "kind") == "Service":
        yield _text(resource, "metadata", "name")
    labels = _labels(resource.get(*pod_at[:-1], "metadata", "labels")).items()
    yield from (name for name, selector in cluster.selectors if selector.items() <= labels)


def _containers(cluster: _Cluster, resource: Yaml) -> Iterator[tuple[_Key, Service]]:
    kind, name = _text(resource, "kind"), _text(resource, "metadata", "name")
    pod = resource.get(*_POD_AT[kind]) if kind in _POD_AT else None
    containers = _items(pod.get("containers")) if pod is not None else []
    for container in containers:
        inner = _text(container, "name")
        title = f"{kind}/{name}" if len(containers) == 1 else f"{kind}/{name} container {inner}"
        service = _service(cluster, resource, pod or resource, container, re.sub(f"{HOLE}+", "…", title))
        hosts = tuple(dict.fromkeys(_hosts(cluster, resource, _POD_AT[kind])))
        yield (kind, name, inner), service._replace(hosts=hosts, alone=len(containers) == 1)


def _service(cluster: _Cluster, resource: Yaml, pod: Yaml, container: Yaml, title: str) -> Service:
    kind, path = _text(resource, "kind"), container.path
    limits = _limits(cluster, resource, pod, container)
    environment, opened = _environment(cluster, container, limits)
    entrypoint = _run(container.get("command"), environment, "Kubernetes command")
    image = container.get("image")
    return Service(
        name=title,
        kind=Kind.CONTAINER,
        by="Kubernetes",
        where=container.where,
        entrypoint=entrypoint,
        command=_run(container.get("args"), environment, "Kubernetes args"),
        drops_command=entrypoint is not None,  # Kubernetes: with a command, the image's CMD is not used
        folder=_text(container, "workingDir") or None,
        environment=environment,
        environment_open=opened,
        limits=limits,
        image=image.text() if image is not None else None,
        ports=tuple(_ports(container)),
        title=_text(container, "name"),
        memory_folders=tuple(_memory_folders(pod, container)),
        orchestrated=kind in _REPLICATES,
        development=for_development(path) or for_development(_text(resource, "metadata", "name")),
        files=(path,),
    )


def _limits(cluster: _Cluster, resource: Yaml, pod: Yaml, container: Yaml) -> Limits:
    kind, name = _text(resource, "kind"), _text(resource, "metadata", "name")
    scaler = cluster.scalers.get((kind, name)) if name and HOLE not in name else None
    most = scaler.get("spec", "maxReplicas") if scaler is not None else None
    return Limits(
        cores=_figure("cores", container.get("resources", "limits", "cpu"), "Kubernetes limits.cpu", cores_of),
        memory=_figure("memory", container.get("resources", "limits", "memory"), "Kubernetes limits.memory", bytes_of),
        replicas=_figure("replicas", resource.get("spec", "replicas"), "Kubernetes replicas", _whole),
        most_replicas=_figure("replicas", most, "HorizontalPodAutoscaler maxReplicas", _whole),
        grace_period=_figure(
            "grace_period", pod.get("terminationGracePeriodSeconds"), "terminationGracePeriodSeconds", _whole
        ),
        probes=tuple(_probes(container)),
    )


def _figure(name: str, node: Yaml | None, by: str, read: Callable[[str], float | None]) -> Said | None:
    text = node.text() if node is not None else None
    if text is None:
        return None
    known = value_of(text.text)
    value: Value = read(known) if isinstance(known, str) else known
    return Said(name, Unknown("not a figure") if value is None else value, Rank.FILE, by, text.where, text.text)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _probes(container: Yaml) -> Iterator[Said]:
    """The time until a probe that fails has its consequence: threshold x period (defaults 3 and 10 s)."""
    for name in ("liveness", "readiness", "startup"):
        probe = container.get(f"{name}Probe")
        if probe is None or not probe.is_mapping:
            continue
        period, threshold = (
            _whole(_text(probe, key) or default)
            for key, default in (("periodSeconds", "10"), ("failureThreshold", "3"))
        )
        value: Value = period * threshold if period and threshold else Unknown("not a number")
        yield Said(name, value, Rank.FILE, f"Kubernetes {name}Probe", probe.where)


def _ports(container: Yaml) -> Iterator[int]:
    """The ports that a container declares, or that its probes ask."""
    written = [_text(each, "containerPort") for each in _items(container.get("ports"))]
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        written += [_text(container, name, how, "port") for how in ("httpGet", "tcpSocket")]
    yield from (port for each in written if (port := port_of(each)) is not None)


def _environment(cluster: _Cluster, container: Yaml, limits: Limits) -> tuple[dict[str, Said], bool]:
    """The variables of a container, and whether some come from where nothing can be read."""
    out: dict[str, Said] = {}
    opened = False
    for source in _items(container.get("envFrom")):
        prefix, name = _text(source, "prefix"), _text(source, "configMapRef", "name")
        data = cluster.maps.get(name) if name else None
        opened |= data is None
        for key, node in (data or {}).items():
            if (text := node.text()) is not None:
                out[prefix + key] = variable(prefix + key, text, f"ConfigMap {name}")
    for each in _items(container.get("env")):
        name = _text(each, "name")
        if name:
            out[name] = _variable(cluster, each, name, limits, out)
    return out, opened


def _variable(cluster: _Cluster, node: Yaml, name: str, limits: Limits, earlier: Mapping[str, Said]) -> Said:
    by = "Kubernetes env"
    value, source = node.get("value"), node.get("valueFrom")
    if source is None:
        text = value.text() if value is not None else None
        return variable(name, _referred(text or literal("", node.where), earlier), by)
    key = source.get("configMapKeyRef")
    if key is not None:
        entry = cluster.maps.get(_text(key, "name"), {}).get(_text(key, "key"))
        text = entry.text() if entry is not None else None
        if text is not None:
            return variable(name, text, f"ConfigMap {_text(key, 'name')}")
    resource = source.get("resourceFieldRef")
    known = _resource(resource, limits) if resource is not None else None
    why = "set from the cluster"
    return Said(name, Unknown(why) if known is None else known, Rank.ENVIRONMENT, by, node.where)


def _resource(reference: Yaml, limits: Limits) -> str | None:
    """What `resourceFieldRef` hands over: the container's own limit, rounded up to whole units of the divisor."""
    said = {"limits.cpu": limits.cores, "limits.memory": limits.memory}.get(_text(reference, "resource"))
    if said is None or not isinstance(said.value, (int, float)):
        return None
    read = cores_of if said is limits.cores else bytes_of
    divisor = read(_text(reference, "divisor") or "1")
    return str(math.ceil(said.value / divisor)) if divisor else None


def _run(node: Yaml | None, environment: Mapping[str, Said], by: str) -> Run | None:
    nodes = _items(node) or ([node] if node is not None and node.scalar is not None else [])
    words = tuple(_referred(text, environment) for each in nodes if (text := each.text()) is not None)
    return Run(by, words) if words else None


def _referred(text: Text, environment: Mapping[str, Said]) -> Text:
    """With `$(NAME)` replaced by the variable; a name that nobody defines stays as it is, `$$` is a dollar sign."""
    pieces: list[Text] = []
    at = 0
    for match in _REFERENCE.finditer(text.text):
        said = environment.get(match[1]) if match[1] else None
        if match[1] and said is None:
            continue
        pieces.append(text.cut(at, match.start()))
        value = "$" if said is None else said.value if isinstance(said.value, str) else HOLE
        pieces.append(literal(value, text.at(match.start())))
        at = match.end()
    if not pieces:
        return text
    return joined([*(each for each in pieces if each.text), text.cut(at, len(text.text))])


def _memory_folders(pod: Yaml, container: Yaml) -> Iterator[str]:
    volumes = {
        _text(each, "name") for each in _items(pod.get("volumes")) if _text(each, "emptyDir", "medium") == "Memory"
    }
    for mount in _items(container.get("volumeMounts")):
        if _text(mount, "name") in volumes:
            yield _text(mount, "mountPath")


def _patched(containers: list[tuple[_Key, Service]]) -> list[Service]:
    """Containers without an image are patches (kustomize): laid over the container of the same name, if there is one.

    A container that is patched for production counts with its patch only.
    """
    whole = {key: service for key, service in containers if not _is_patch(service)}
    covered: set[_Key] = set()
    out: list[Service] = []
    for key, service in containers:
        if _is_patch(service) and key in whole:
            out.append(_laid_over(whole[key], service))
            if not service.development:
                covered.add(key)
    out += [service for key, service in containers if not _is_patch(service) and key not in covered]
    return sorted(out, key=lambda service: (service.where, service.files))


def _is_patch(service: Service) -> bool:
    return service.image is None


def _laid_over(base: Service, patch: Service) -> Service:
    limits = Limits(
        cores=patch.limits.cores or base.limits.cores,
        memory=patch.limits.memory or base.limits.memory,
        replicas=patch.limits.replicas or base.limits.replicas,
        most_replicas=patch.limits.most_replicas or base.limits.most_replicas,
        grace_period=patch.limits.grace_period or base.limits.grace_period,
        probes=patch.limits.probes or base.limits.probes,
    )
    return base._replace(
        where=patch.where,
        entrypoint=patch.entrypoint or base.entrypoint,
        command=patch.command or base.command,
        drops_command=patch.drops_command or base.drops_command,
        folder=patch.folder or base.folder,
        environment={**base.environment, **patch.environment},
        environment_open=base.environment_open or patch.environment_open,
        limits=limits,
        development=patch.development,
        files=tuple(sorted({*base.files, *patch.files})),
    )


def _proxies(cluster: _Cluster, resource: Yaml) -> Iterator[Proxy]:
    upstreams = tuple(dict.fromkeys(_backends(resource)))
    for key, node in _entries(resource.get("metadata", "annotations")).items():
        match = _ALB_IDLE.search(node.scalar or "") if key == _ALB else None
        by = "AWS load balancer" if match is not None else _IDLE.get(key, "")
        seconds = _whole(match[1] if match is not None else node.scalar or "")
        if by and seconds is not None:
            yield Proxy(by, node.where, Said("idle", seconds, Rank.FILE, by, node.where, node.scalar or ""), upstreams)
    entry = resource.get("data", _NGINX_MAP) if _text(resource, "kind") == "ConfigMap" else None
    seconds = _whole(entry.scalar or "") if entry is not None else None
    if entry is not None and seconds is not None:
        said = Said("idle", seconds, Rank.FILE, "ingress-nginx", entry.where, entry.scalar or "")
        yield Proxy("ingress-nginx", entry.where, said, tuple(cluster.behind_nginx))


def _backends(resource: Yaml) -> Iterator[str]:
    """The Services that a Service (itself) or an Ingress leads to."""
    if _text(resource, "kind") == "Service":
        yield _text(resource, "metadata", "name")
    default = _text(resource, "spec", "defaultBackend", "service", "name")
    if default:
        yield default
    for rule in _items(resource.get("spec", "rules")):
        for path in _items(rule.get("http", "paths")):
            yield _text(path, "backend", "service", "name") or _text(path, "backend", "serviceName")
