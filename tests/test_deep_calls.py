"""What stands below more calls than the analysis follows at once is judged all the same, when there is room again."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastlint.config import Config
from fastlint.engine import check
from fastlint.report.model import CheckRequest

# The module comes after the one whose route goes down to it: nobody has looked at its decorators before
_DECORATORS = """
import asyncio
import functools
import time


def tried(function):
    @functools.wraps(function)
    def wrapper(*args):
        time.sleep(1)
        return function(*args)
    return wrapper


def counted(name):
    def decorate(function):
        def wrapper(*args):
            time.sleep(2)
            return function(*args)
        return wrapper
    return decorate


class Logged:
    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        time.sleep(3)
        return self.function(*args)


def offloaded(function):
    async def wrapper(*args):
        return await asyncio.to_thread(function, *args)
    return wrapper
"""
_WORK = """
import time
import ztools as tools


class Work:
    @tools.tried
    def method(self):
        return 1

    @tools.offloaded
    def away(self):
        time.sleep(4)


@tools.counted("work")
def function():
    return 1


@tools.Logged
def instance():
    return 1


WORK = Work()
"""
_ROUTES = """
import work


@app.get("/method")
async def method():
    work.WORK.method()


@app.get("/function")
async def function():
    work.function()


@app.get("/instance")
async def instance():
    work.instance()


@app.get("/away")
async def away():
    await work.WORK.away()
"""


@pytest.mark.parametrize("deep", [8, 68, 69, 70, 71, 72, 90])
def test_a_decorator_that_is_met_deep_down_decorates(deep: int, tmp_path: Path) -> None:
    steps = [f"def step{n}():\n    step{n + 1}()\n" for n in range(deep)]
    last = f"def step{deep}():\n    work.WORK.method(), work.function(), work.instance(), work.WORK.away()\n"
    first = "import fastapi\n\napp = fastapi.FastAPI()\n\n\n"
    route = '@app.get("/deep")\nasync def down():\n    step0()\n'
    (tmp_path / "main.py").write_text("\n\n".join([first, *steps, last, route, _ROUTES]))
    (tmp_path / "work.py").write_text(_WORK)
    (tmp_path / "ztools.py").write_text(_DECORATORS)
    report = check(CheckRequest((str(tmp_path),), Config(root=str(tmp_path))))
    text = (tmp_path / "main.py").read_text().splitlines()
    found = {text[each.where.line - 1].strip() for each in report.findings if each.code == "FL102"}
    assert found == {"work.WORK.method()", "work.function()", "work.instance()"}
