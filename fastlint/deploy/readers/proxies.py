"""How long nginx and Traefik keep idle connections to a service open, where their files say so. Judges nothing.

Sources: nginx' `ngx_http_upstream_module` (`keepalive`, `keepalive_timeout`: 60 s by default), Traefik's
`serversTransport.forwardingTimeouts.idleConnTimeout`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastlint.amounts import seconds_of
from fastlint.deploy.plan import Rank, Said
from fastlint.deploy.readers.yaml_nodes import Yaml, documents
from fastlint.deploy.service import Broken, Proxy, Text
from fastlint.deploy.texts import joined, lines_of

_UPSTREAM = re.compile(r"\bupstream\s+([\w.-]+)\s*\{([^{}]*)\}")
_KEEPALIVE = re.compile(r"(?<![\w-])keepalive\s+\d+")
_TIMEOUT = re.compile(r"(?<![\w-])keepalive_timeout\s+(\w+)")
_SERVER = re.compile(r"(?<![\w-])server\s+([\w.-]+(?::\d+)?)")
WANTED = re.compile(r"idleConnTimeout")
_DEEPEST = 8


def read_nginx(path: str, text: str) -> list[Proxy]:
    """Every upstream whose connections nginx keeps open."""
    whole = joined([_uncommented(line) for line in lines_of(path, text)], "\n")
    out = []
    for match in _UPSTREAM.finditer(whole.text):
        kept = _KEEPALIVE.search(match[2])
        if kept is None:
            continue
        start = match.start(2)
        timeout = _TIMEOUT.search(match[2])
        seconds = seconds_of(timeout[1]) if timeout is not None else 60.0
        if seconds is None:
            continue
        where = whole.at(start + (timeout or kept).start())
        by = "nginx keepalive_timeout" if timeout is not None else "default of nginx"
        said = Said(
            "idle", seconds, Rank.FILE if timeout is not None else Rank.DEFAULT, by, where, (timeout or kept)[0]
        )
        servers = dict.fromkeys((match[1], *_SERVER.findall(match[2])))
        out.append(Proxy("nginx", where, said, tuple(servers)))
    return out


def _uncommented(line: Text) -> Text:
    return line.cut(0, len(line.text.partition("#")[0]))


def read_traefik(path: str, text: str) -> tuple[list[Proxy], list[Broken]]:
    """Every transport that says how long idle connections live."""
    nodes, broken = documents(path, text, WANTED)
    return [proxy for node in nodes for proxy in _transports(node, 0)], broken


def _transports(node: Yaml, depth: int) -> Iterator[Proxy]:
    for key, each in node.entries().items():
        seconds = seconds_of(each.scalar or "") if key == "idleConnTimeout" else None
        if seconds is not None:
            said = Said("idle", seconds, Rank.FILE, "Traefik idleConnTimeout", each.where, each.scalar or "")
            yield Proxy("Traefik", each.where, said)
        elif each.is_mapping and depth < _DEEPEST:
            yield from _transports(each, depth + 1)
