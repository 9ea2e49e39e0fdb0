"""FL613 and FL624: what is believed of the proxy in front, and how long idle connections to it stay open."""

from __future__ import annotations

from collections.abc import Iterator

from fastlint.checks.deployment.given import (
    GUNICORN,
    UVICORN,
    deployed,
    found,
    number,
    place_of,
    setting_number,
    value_of,
    worst_of_each_line,
    written,
)
from fastlint.deploy.plan import ServerPlan
from fastlint.deploy.service import Proxy
from fastlint.finding import Confidence, Finding, Step
from fastlint.project import Project

_LOCAL = ("127.", "localhost", "[::1]", "::1", "unix:", "fd://")
_KEEP_ALIVE = {**dict.fromkeys(GUNICORN, "keepalive"), **dict.fromkeys(UVICORN, "timeout_keep_alive")}
_HYPERCORN_KEEP_ALIVE = "keep_alive_timeout"


def any_proxy_trusted(project: Project) -> Iterator[Finding]:
    """`forwarded_allow_ips = "*"` where others than the proxy can reach the server."""
    yield from worst_of_each_line(_trusting(project))


def _trusting(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        allowed = value_of(plan, "forwarded_allow_ips")
        trusting = allowed == "*" or (isinstance(allowed, tuple) and "*" in allowed)
        if not trusting or plan.development or plan.inner or value_of(plan, "proxy_headers") is False:
            continue
        address = _address(plan)
        if address is None or address.startswith(_LOCAL):
            continue
        detail = f"on {address} every client can choose its own address"
        published = plan.published[0] if plan.published else None
        related: tuple[Step, ...] = ()
        if published is not None and published.where is not None:
            related = (Step(published.where, f"published: {published.text or published.value}"),)
        yield found(
            project,
            "FL613",
            plan,
            place_of(plan, "forwarded_allow_ips"),
            written(plan, "forwarded_allow_ips"),
            detail,
            confidence=Confidence.HIGH if published is not None else Confidence.MEDIUM,
            related=related,
        )


def _address(plan: ServerPlan) -> str | None:
    """Where the server listens; None where that is not known."""
    if plan.server in UVICORN:
        if isinstance(value_of(plan, "uds"), str):
            return f"unix:{value_of(plan, 'uds')}"
        host = value_of(plan, "host")
        return host if isinstance(host, str) else None
    bind = value_of(plan, "bind")
    if isinstance(bind, tuple):
        texts = [each for each in bind if isinstance(each, str)]
        return next((each for each in texts if not each.startswith(_LOCAL)), texts[0] if texts else None)
    return bind if isinstance(bind, str) else None


def keep_alive_below_proxy(project: Project) -> Iterator[Finding]:
    """The server closes an idle connection before the proxy does: the proxy then sends a request into the void."""
    yield from worst_of_each_line(_short_keep_alives(project))


def _short_keep_alives(project: Project) -> Iterator[Finding]:
    for plan in project.plans:
        name = _KEEP_ALIVE.get(plan.server, _HYPERCORN_KEEP_ALIVE)
        kept = setting_number(plan, name)
        if kept is None or not deployed(plan):
            continue
        for proxy in project.proxies:
            idle = number(proxy.idle.value)
            if idle is None or kept > idle or not _in_front(proxy, plan, project):
                continue
            yield found(
                project,
                "FL624",
                plan,
                place_of(plan, name),
                written(plan, name),
                f"{kept:g} s here, {idle:g} s in {proxy.by} ({proxy.where.path}:{proxy.where.line})",
                f"`{name} = {int(idle) + 5}`",
                related=(Step(proxy.idle.where or proxy.where, f"{proxy.by} keeps idle connections {idle:g} s"),),
            )


def _in_front(proxy: Proxy, plan: ServerPlan, project: Project) -> bool:
    """Whether a proxy certainly forwards to this service: it names it. Where nothing but an image or a program says
    what it is called, it must be the only server there is, and be asked on its own port."""
    names = {plan.name, *plan.hosts}
    for upstream in proxy.upstreams:
        host, _, port = upstream.partition(":")
        if host in names or (".svc" in host and host.partition(".")[0] in names):
            return True
        alone = plan.name in plan.files and len({each.name for each in project.plans}) == 1
        if alone and port and port == _port(plan):
            return True
    return False


def _port(plan: ServerPlan) -> str:
    """The port on which a server listens; "" where that is not known."""
    port = value_of(plan, "port")
    return str(port) if isinstance(port, int) else (_address(plan) or "").rpartition(":")[2]
