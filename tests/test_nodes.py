"""Walking trees of nodes: names never look like nodes, whatever they are called."""

from __future__ import annotations

import re
from keyword import iskeyword
from pathlib import Path

import pytest

from fastlint.source import facts as described
from fastlint.source.facts import ModuleFacts
from fastlint.source.nodes import calls_within, nodes, tags
from fastlint.source.parse import parse

ROOT = Path(__file__).parent.parent
TAGS = frozenset(re.findall(r'\["([^"]+)"', described.__doc__ or ""))
NAMES = sorted(tag for tag in TAGS if tag.isidentifier() and not iskeyword(tag))
APP = """
import asyncio
import threading
import json as NAME_two
from fastapi import FastAPI

app = FastAPI()
guard = threading.Lock()
NAME = 0


def use(**given):
    return given


@app.post("/")
async def hit(key):
    global NAME
    from json import dumps as other
    NAME += 1
    use(NAME=[guard], other=key)
    await asyncio.gather(*[use(NAME=each) for each in key])
    return f"NAME{key}"


@app.get("/")
def held():
    global NAME
    with guard:
        NAME = NAME + 1
"""


def test_the_tags_are_those_that_facts_describes() -> None:
    assert {"n", "c", "w", "global", "imp", "comp"} <= TAGS
    seen: set[str] = set()
    for path in sorted((ROOT / "fixtures").rglob("*.py")):
        parsed = parse(path.read_bytes())
        if isinstance(parsed, ModuleFacts):
            for body in (parsed.body, *(function.body for function in parsed.functions)):
                seen.update(tags(body))
    assert seen <= TAGS
    assert len(seen) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_taken_for_a_node(name: str) -> None:
    plain, named = (parse(APP.replace("NAME", each).encode()) for each in ("neutral", name))
    assert isinstance(plain, ModuleFacts)
    assert isinstance(named, ModuleFacts)
    for one, other in zip(plain.functions, named.functions, strict=True):
        assert list(tags(one.body)) == list(tags(other.body))
        assert [call[1] for call in calls_within(one.body)] == [call[1] for call in calls_within(other.body)]


def test_order_is_that_of_the_text_and_outer_nodes_come_first() -> None:
    parsed = parse(b"first(second(third), k=fourth())\nfifth()\n")
    assert isinstance(parsed, ModuleFacts)
    assert [call[2][1] for call in calls_within(parsed.body)] == ["first", "second", "fourth", "fifth"]
    assert [node[1] for node in nodes(parsed.body) if node[0] == "n"] == ["first", "second", "third", "fourth", "fifth"]
    assert list(nodes(None)) == list(nodes([])) == []
