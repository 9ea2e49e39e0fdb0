"""Quoted annotations: read as the same words without quotes would be, wherever they stand, and without LibCST."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastlint.config import Config
from fastlint.engine import check
from fastlint.report.model import CheckRequest
from fastlint.source.facts import Node
from fastlint.source.parse import parse_here
from fastlint.source.quoted import expression_of

TYPES = [
    "Session",
    "None",
    " Session ",
    "orm.Session",
    "a.b.c",
    "list[Item]",
    "dict[str, list[orm.Item]]",
    "Item | None",
    "a.Item | list[Item] | None",
    "Literal['a', 1, 1.5, True, None]",
    "Annotated[Session, Depends(get_session)]",
    "Annotated[Session, Depends(dependency=get.session, use_cache=False)]",
    "Callable[[int, str], Item]",
    "tuple[()]",
    "'Session'",
    "list['Session']",
]
if sys.version_info >= (3, 11):  # for 3.10 it is no Python, and nothing is known of it
    TYPES.append("tuple[Item, *Rest]")


def without_sites(node: Any) -> Any:
    if not isinstance(node, list):
        return node
    sites = {"a": 1, "s": 1, "c": 1, "o": 1}
    place = sites.get(node[0]) if node and isinstance(node[0], str) else None
    return [-1 if number == place else without_sites(part) for number, part in enumerate(node)]


@pytest.mark.parametrize("text", TYPES)
def test_quotes_change_nothing(text: str) -> None:
    facts: Any = parse_here(f"x: {text.strip()}".encode())
    annotation: Node = facts.body[0][2]
    assert expression_of(text) == without_sites(annotation)


@pytest.mark.parametrize(
    "text", ["", "a b", "x[", "lambda: 1", "not x", "a and b", "x if y else z", "0x", "\\d", "(" * 300]
)
def test_what_is_no_type_says_nothing(text: str) -> None:
    assert expression_of(text) is None


APP = """\
import time
from typing import Annotated

from fastapi import Depends, FastAPI

app = FastAPI()


class Store:
    def get(self):
        time.sleep(1)


async def get_store():
    time.sleep(2)
    return Store()


async def get_other(store: "Annotated[Store, Depends(get_store)]"):
    store.get()


@app.get("/")
async def home(store: "Annotated[Store, Depends(get_store)]", other: Annotated["Store", Depends(get_other)]):
    store.get()
"""


def test_what_they_carry_stands_where_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    report = check(CheckRequest((str(tmp_path),), Config(), cached=False))
    lines = {line: number for number, line in enumerate(APP.splitlines(), 1)}
    route = next(number for line, number in lines.items() if line.startswith("async def home"))
    (chain,) = (each.steps for each in report.findings if each.where.line == lines["    time.sleep(2)"])
    assert [step.where.line for step in chain] == [route, route, lines["    time.sleep(2)"]]


def test_who_has_the_facts_needs_no_libcst(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    for _ in range(2):  # the second time with all facts, and no findings to take over
        code = f"""
import sys
from fastlint.config import Config
from fastlint.engine import check
from fastlint.report.model import CheckRequest
check(CheckRequest(({str(tmp_path)!r},), Config(), cached=True))
print("libcst" in sys.modules)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for kept in (tmp_path / ".fastlint_cache" / "verdicts").iterdir():
            kept.unlink()
    assert done.stdout == "False\n"
