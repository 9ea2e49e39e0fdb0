"""Whatever becomes of an application's files, a run ends in an answer: findings or none, never an exception."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from accidents import mutant

from fastlint.cli import main

FIXTURES = Path(__file__).parent.parent / "fixtures"
APPLICATIONS = sorted(
    folder for folder in FIXTURES.iterdir() if folder.is_dir() and folder.name != "broken" and any(folder.rglob("*.py"))
)
MUTANTS = 60


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The codes that a run finds; fails if the run ends in anything but findings or none."""
    command = [
        "check",
        "--verbose",
        "--isolated",
        "--output-format",
        "json",
        "--severity",
        "info",
        "--confidence",
        "low",
    ]
    with pytest.raises(SystemExit) as ended:
        main([*command, str(folder)])
    written = capsys.readouterr()
    assert ended.value.code in (0, 1), written.err
    report = json.loads(written.out)
    for finding in report["findings"]:
        where = finding["location"]
        lines = (Path(report["root"]) / where["path"]).read_bytes().splitlines()
        assert 1 <= where["line"] <= max(len(lines), 1), finding
    return [finding["code"] for finding in report["findings"]]


@pytest.mark.parametrize("number", range(MUTANTS))
def test_a_damaged_application_is_checked(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(number)
    application = APPLICATIONS[number * len(APPLICATIONS) // MUTANTS]
    shutil.copytree(application, tmp_path / "app")
    files = sorted((tmp_path / "app").rglob("*.py"))
    for path in chance.sample(files, min(2, len(files))):
        path.write_bytes(mutant(path.read_bytes(), chance))
    checked(tmp_path / "app", capsys)


ROUTE = "import time\nfrom fastapi import FastAPI\napp = FastAPI()\n\n\n@app.get('/')\nasync def home(a, b, c):\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("    return a" + ".b()" * 450, id="a long chain"),
        pytest.param("    x = a" + " + a()" * 380 + "\n    x.get()", id="a long sum"),
        pytest.param("    return " + "a(" * 150 + ")" * 150, id="nested calls"),
        pytest.param("    return " + "(lambda x: a(" * 90 + "))" * 90, id="nested lambdas"),
        pytest.param("    if a: b()\n" + "    elif b:\n        a()\n" * 490, id="a long elif"),
        pytest.param(
            "".join(f"    {' ' * depth}if a:\n" for depth in range(90)) + " " * 94 + "b()", id="nested blocks"
        ),
        pytest.param("    a()" + "".join(f"\n\ndef f{n}():\n    f{n + 1}()" for n in range(2000)), id="a long way"),
        pytest.param(
            "    C2999().f(a)\n\nclass C0:\n    def f(self, x): x()\n"
            + "".join(f"class C{n + 1}(C{n}): pass\n" for n in range(2999)),
            id="a long descent",
        ),
        pytest.param("    try: a()\n    except b: time.sleep(9)\n" * 2000, id="very many ways to wait"),
        pytest.param("    return home(home(a, b, c), home, lambda: home)", id="calls itself"),
        pytest.param("    a = b = c = [a, b, c]\n    a = [a]\n    b = {a: b}\n    return a[b][c]()", id="holds itself"),
    ],
)
def test_extreme_code_is_checked(body: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.py").write_text(f"{ROUTE}    time.sleep(1)\n{body}\n")
    assert "FL102" in checked(tmp_path, capsys)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("class A(B): pass\nclass B(A):\n    async def f(self): self.g()\n", id="classes in a circle"),
        pytest.param("class A(A):\n    async def f(self): super().f()\n", id="a class of itself"),
        pytest.param("from app import *\nfrom app import f as f\nasync def g(): f()\n", id="imports itself"),
        pytest.param("import app as app\nasync def f(): app.app.app.f()\n", id="a module in itself"),
        pytest.param("f = g\ng = f\nasync def h(): f()()\n", id="names in a circle"),
        pytest.param("f = lambda: f()\nasync def g(): f()\n", id="a lambda that calls itself"),
        pytest.param("def f(x): return f(f)\nasync def g(): f(f)(f)\n", id="returns itself"),
        pytest.param("def d(f): return d\n@d\n@d(d)\nasync def g(): g()\n", id="decorates itself"),
        pytest.param("A = list['A']\nasync def g(a: A, b: 'B' = 1): a[0][0].f()\nB = A | B\n", id="types in a circle"),
        pytest.param("A = 'list[A] | B'\nasync def g(a: A, b: 'B' = 1): a[0].f()\nB = 'A | B'\n", id="quoted types"),
        pytest.param(
            "class A:\n    @property\n    def a(self): return self.a\nasync def f(): A().a.a()\n", id="property"
        ),
        pytest.param(
            "from . import x\nfrom ... import y\nfrom ....z import *\nasync def f(): x.y()\n", id="above the top"
        ),
        pytest.param("async def f(f, f): f()\n", id="a name twice"),
        pytest.param("return\nyield\nawait f()\nbreak\nasync with a: pass\n", id="statements out of place"),
        pytest.param("class C:\n    yield 1\n    await f()\n    return\n", id="statements in a class"),
        pytest.param("del f\nglobal f\nasync def f(): nonlocal g; g()\n", id="names out of scope"),
        pytest.param("async def f():\n    (*a,) = *b, = c\n    a[::][...]()\n    [*a, *b][0]()\n", id="stars"),
        pytest.param("async def f(a=f(), *, b=(yield), **c): f(*a, **c, *b)\n", id="odd arguments"),
        pytest.param("match a:\n    case {'a': [b, *c], **d} | C(x=e) as f if g(): b()\n", id="patterns"),
    ],
)
def test_code_that_makes_no_sense_is_checked(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.py").write_text(source)
    checked(tmp_path, capsys)


def test_odd_files_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.py").write_text(f"{ROUTE}    time.sleep(1)\n")
    (tmp_path / "empty.py").touch()
    (tmp_path / "nul.py").write_bytes(b"x = 1\n\0")
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    (tmp_path / "wide.py").write_bytes("x = 1\n".encode("utf-16"))
    (tmp_path / "program.py").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "deep.py").write_text("x = " + "[" * 30_000)
    (tmp_path / "with space.py").write_text("import app\n")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "gone")
    found = checked(tmp_path, capsys)
    assert found.count("FL001") == 4
    assert found.count("FL102") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is unreadable here")
def test_files_that_may_not_be_read_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.py").write_text(f"{ROUTE}    time.sleep(1)\n")
    (tmp_path / "secret.py").write_text("x = 1\n")
    (tmp_path / "secret.py").chmod(0)
    assert checked(tmp_path, capsys) == ["FL102", "FL001"]


ODD_CALLEES = """
import threading
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import Protocol


class Waits(Protocol):
    @known["wait"]
    def wait(self): ...


@known["dataclass"]
@known["dataclass"]()
class Sleeper:
    kept: int = 0
    @known["wait"]
    @known[0]["wait"]()
    @(lambda function: function)
    def wait(self):
        time.sleep(1)

    @known["manager"]
    def entered(self):
        with self.lock, known["lock"](), (lambda: self.lock)():
            self.count = known["count"](self.count)
            setattr(self, "kept", known["kept"]())
            known["setattr"](self, "kept", 1)

    def __init__(self, call):
        self.lock = known["lock"]()
        self.kept = self.kept or known["made"]()
        self.call = call
        self.waits = known["test"](call) or iscoroutinefunction(call)
        self.tested = known["test"](call)
        self.client = (lambda: self)()

    def run(self):
        if self.waits:
            return self.call()
        if self.tested and known["asked"](self.call):
            known["wait"]().wait()
        return (yield known["more"]())


def wrap(call):
    if known["test"](call) and (lambda: call)():
        @known["wrap"](call)
        def inner(*args): return call(*args)
        return inner


@app.get("/odd", dependencies=[known["Depends"](wrap), (lambda: wrap)()])
async def odd(waits: Waits, made=known["Depends"](wrap), more: known["type"]("x")[0] = known["x"]()):
    sleeper = Sleeper(known["call"])
    waits.wait()
    [known["each"]() for each in known["all"]() if known["some"]()]
    threading.Thread(target=known["target"]).start()
    await known["gather"](*[known["one"]() for one in known])
    async with known["lock"](), known["semaphore"](3) as held:
        known["held"](held)
    return sleeper.run()
"""


def test_what_is_called_may_have_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.py").write_text(f"{ROUTE}    time.sleep(1)\n\n\nknown = {{}}\n{ODD_CALLEES}")
    assert "FL102" in checked(tmp_path, capsys)
