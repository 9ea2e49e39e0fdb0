"""After an edit the last analysis goes on from its end, and says what one from the beginning says."""

from __future__ import annotations

import ast
import json
import random
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import fastlint.graph.build
import fastlint.rulebook.load
import fastlint.source.parallel
from fastlint.cache import folder
from fastlint.config import Config
from fastlint.engine import check
from fastlint.finding import Confidence, Severity
from fastlint.graph.edits import mentions_apart
from fastlint.graph.kept import fill, pack, unpack
from fastlint.graph.relink import Past, Relinker
from fastlint.graph.statements import Interpreter
from fastlint.graph.world import Module, World
from fastlint.report import FORMATS, Style
from fastlint.report.model import CheckRequest
from fastlint.rulebook.catalogue import Catalogue
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words
from fastlint.source.facts import ModuleFacts
from fastlint.source.locate import locate
from fastlint.source.parse import parse, parse_encoded

APPLICATIONS = ("demo", "entry_dependencies", "executors_and_threads", "regressions_held_locks", "shared_state")
FIXTURES = Path(__file__).parent.parent / "fixtures"
WORDS = load_words(rules_folder())
MAIN = """import asyncio
import time
from typing import Protocol

import requests
from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.base import BaseHTTPMiddleware

from app import helpers, models, store

app = FastAPI()
router = APIRouter(prefix="/items")


@app.get("/")
async def index():
    value = helpers.quick(3)
    return value


@app.get("/slow")
async def slow():
    return helpers.slow()


@router.get("/{key}")
async def item(key: str, session=Depends(helpers.session)):
    def inner():
        return here(key)

    here = helpers.quick
    result = inner()
    store.keep(key, result)
    return result


@app.get("/both")
async def both():
    await asyncio.to_thread(helpers.in_thread)
    return helpers.chosen()()


def build(target):
    target.include_router(router)


def register(target):
    wait = 1

    @target.get("/nested")
    async def nested(session=Depends(helpers.session)):
        return wait, session


def local():
    own = APIRouter(prefix="/own")

    @own.get("/deep")
    async def deep():
        time.sleep(6)


build(app)
register(app)
local()


class Waiter(Protocol):
    def wait(self, seconds): ...


class Clock:
    def wait(self, seconds):
        return seconds

    def tick(self):
        return self.wait(1)


class Unused(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        time.sleep(1)
        return await call_next(request)


async def look(waiter: Waiter):
    return waiter.wait(2)


@app.post("/outer")
async def outer(given: models.Outer):
    return given.size


@app.get("/busy")
async def busy(times: int = 1):
    return store.busy(), store.LIMIT > times


async def fetch(number: int, session=Depends(helpers.session)):
    return number


app.add_api_route("/fetch", fetch)


@app.get("/once")
async def once():
    Clock().tick()
    await helpers.all_of_it()
    return helpers.first(), helpers.kept()
"""
HELPERS = """import asyncio
import time

import requests


def quick(number):
    return number


def slow():
    return deep()


def deep():
    total = 1
    return total


def lonely():
    time.sleep(2)


def session():
    return None


def in_thread():
    return 1


def chosen():
    return quick_one


def quick_one():
    return len("1")


def slow_one():
    time.sleep(3)


def on_loop():
    try:
        asyncio.get_running_loop()
        return True
    except RuntimeError:
        return False


def ask():
    if not on_loop():
        time.sleep(4)


def outer():
    name = 1

    def change():
        nonlocal name
        name = 2

    change()
    return name


async def everybody():
    ask()
    outer()


def numbers():
    time.sleep(7)
    yield 1


def first():
    return next(numbers())


def fetched():
    time.sleep(8)
    return 8


async def all_of_it():
    fetched()


remembered = []


def remember(value):
    remembered.append(value)
    return remembered


def kept():
    return remember(asyncio.Queue())
"""
STORE = """import time

LIMIT = 3
kept = {}


class Base:
    def start(self):
        return 1


class Worker(Base):
    wait = 1

    def __init__(self):
        self.job = None

    def work(self):
        return self.job


class Spare:
    size = 1


worker = Worker()


def begin(one: Base):
    return one.start() or one.doze(1)


def busy():
    if LIMIT:
        time.sleep(LIMIT)
    return worker.work() or worker.start() or begin(None)


def keep(key, value):
    kept[key] = value


def forget(key):
    del kept[key]
"""


MODELS = """import time

from pydantic import BaseModel, field_validator


class Inner(BaseModel):
    name: str = ""

    @field_validator("name")
    @classmethod
    def check(cls, value):
        time.sleep(7)
        return value


class Outer(BaseModel):
    size: int = 1
"""


JOBS = """import asyncio

from app import helpers, store


last = None


async def sweep():
    store.busy()
    return last


def by_hand():
    asyncio.run(sweep())


def by_hand_and_kept():
    asyncio.run(sweep())
    store.keep("swept", asyncio.Queue())


def by_hand_and_bound():
    global last
    asyncio.run(sweep())
    last = asyncio.Queue()


def by_hand_and_filled():
    asyncio.run(sweep())
    helpers.remembered.append(asyncio.Queue())


def alone():
    return 1
"""


@dataclass
class Links:
    """How often an analysis was continued, and why it was not."""

    continued: int = 0
    reasons: list[str] = field(default_factory=list)


parsed_once = cache(parse_encoded)
loaded_once = cache(fastlint.rulebook.load.load_catalogue)


@pytest.fixture(autouse=True)
def _asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes say the same, and so do the tables of the catalogue: with or without cache they are read once."""
    monkeypatch.setattr(fastlint.source.parallel, "parse_encoded", parsed_once)
    monkeypatch.setattr(fastlint.rulebook.load, "load_catalogue", lambda folder, own: loaded_once(folder))


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Links:
    told = Links()
    relink = Relinker.relink

    def counted(self: Relinker) -> bool:
        done = relink(self)
        told.continued += done
        if not done and not self.less:  # else it is tried again
            told.reasons.append(self.reason)
        return done

    monkeypatch.setattr(Relinker, "relink", counted)
    return told


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "app").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[project]\nname = 'app'\n")
    files = {"__init__": "", "main": MAIN, "helpers": HELPERS, "store": STORE, "models": MODELS, "jobs": JOBS}
    for name, text in files.items():
        (root / "app" / f"{name}.py").write_text(text)
    both(root)
    return root


def said(root: Path, cached: bool, forged: bool = False) -> str:
    config = Config(severity=Severity.INFO, confidence=Confidence.LOW, root=str(root))
    report = check(CheckRequest((str(root),), config, cached=cached, unresolved=True))
    assert forged or not report.fault
    text = FORMATS["json"](report, WORDS, Style(unresolved=True))
    return re.sub(r'"seconds": [\d.]+', '"seconds": 0', text)


def both(root: Path, forged: bool = False) -> str:
    """What is said with and without cache, which must be the same; a cache that is no forged one does no harm."""
    text = said(root, cached=True, forged=forged)
    assert text == said(root, cached=False)
    return text


def findings(text: str) -> list[dict[str, Any]]:
    found = json.loads(text)["findings"]
    assert isinstance(found, list)
    return found


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / "app" / f"{name}.py"
    text = path.read_text()
    assert text.count(old) == 1, (old, text.count(old))
    path.write_text(text.replace(old, new))


CONTINUED = {
    "who nobody calls says the name of a coroutine function": (
        "jobs",
        "    return 1\n",
        "    asyncio.run(sweep())\n    time.sleep(1)\n",
    ),
    "who nobody calls, and calls whom others ask for callers, says it no more": (
        "jobs",
        '    asyncio.run(sweep())\n    store.keep("swept"',
        '    store.keep("swept"',
    ),
    "who nobody calls, and fills what others ask for, says it no more": (
        "jobs",
        "    asyncio.run(sweep())\n    helpers.remembered",
        "    helpers.remembered",
    ),
    "who nobody calls says it no more": ("jobs", "by_hand():\n    asyncio.run(sweep())\n", "by_hand():\n    pass\n"),
    "a statement": ("helpers", "    total = 1\n", "    total = 1\n    edited = 1\n"),
    "a blocking call": ("helpers", "    total = 1\n", "    total = 1\n    time.sleep(1)\n"),
    "a call of a function that nobody had called": (
        "helpers",
        "    total = 1\n",
        "    total = 1\n    lonely()\n",
    ),
    "another value": ("helpers", "    return quick_one\n", "    return quick_one if time.time() else slow_one\n"),
    "a branch": (
        "main",
        "    value = helpers.quick(3)\n",
        "    if value := helpers.quick(3):\n        time.sleep(1)\n",
    ),
    "a parameter": ("helpers", "def deep():\n", "def deep(times=2):\n"),
    "a statement around a route": ("main", "    wait = 1\n", "    time.sleep(5)\n    wait = 1\n"),
    "a statement inside of an inner route": (
        "main",
        "        return wait, session\n",
        "        time.sleep(5)\n        return wait, session\n",
    ),
    "the prefix of a router of its own": ("main", 'APIRouter(prefix="/own")', 'APIRouter(prefix="/other")'),
    "a parameter of a method": ("main", "    def tick(self):\n", "    def tick(self, twice=False):\n"),
    "a name that no inner function uses": (
        "main",
        "    result = inner()\n",
        "    fresh = 1\n    result = inner()\n",
    ),
    "a mention of a function whose callers are looked for": (
        "main",
        "async def slow():\n    return helpers.slow()\n",
        "async def slow():\n    store.keep(1, requests.Session())\n    return helpers.slow()\n",
    ),
    "a parameter with a default that decides": (
        "helpers",
        "def deep():\n    total = 1\n",
        "def deep(wait=True):\n    total = 1\n    if wait:\n        time.sleep(1)\n",
    ),
    "a call less": ("helpers", "    return deep()\n", "    return None\n"),
    "a value less": ("helpers", "    return quick_one\n", "    return None\n"),
    "a value less, two calls below": ("helpers", "    total = 1\n    return total\n", "    total = 1\n"),
    "what it gives is known": ("helpers", "    return number\n", "    return len(str(number))\n"),
    "a call less of what calls others": ("helpers", "    ask()\n    outer()\n", "    outer()\n"),
    "a call less of a coroutine": ("main", "    await helpers.all_of_it()\n", "    pass\n"),
    "a call less of a method": ("main", "    Clock().tick()\n", ""),
    "a call less of a generator": ("helpers", "    return next(numbers())\n", "    return None\n"),
    "a thread's function": ("helpers", "def in_thread():\n", "def in_thread():\n    requests.get('http://a')\n"),
}
OF_MODULES = {
    "a function that others call": ("helpers", "def slow():\n    return deep()\n\n\n", ""),
    "a method that others call": (
        "store",
        "    def work(self):\n",
        "    def start(self):\n        time.sleep(1)\n\n    def work(self):\n",
    ),
    "a call": ("main", "build(app)\n", "build(app)\nbuild(app)\n"),
    "an import": ("helpers", "import asyncio\n", "import asyncio\nimport os\n"),
    "an import that is used": (
        "helpers",
        "import requests\n\n\ndef quick(number):\n",
        "import requests\nfrom time import sleep as rest\n\n\ndef quick(number):\n    rest(1)\n",
    ),
    "one more name of an import": (
        "main",
        "from app import helpers, models, store\n",
        "from app import helpers, models, other, store\n",
    ),
    "an import less": ("helpers", "import requests\n", ""),
    "a function": ("helpers", "def lonely():\n", "def lonelier():\n    pass\n\n\ndef lonely():\n"),
    "a function that is called": (
        "helpers",
        "def deep():\n    total = 1\n",
        "def deeper():\n    time.sleep(2)\n\n\ndef deep():\n    total = deeper()\n",
    ),
    "a function less": ("helpers", "def lonely():\n    time.sleep(2)\n\n\n", ""),
    "a function elsewhere": (
        "store",
        "def forget(key):\n    del kept[key]\n",
        "def forget(key):\n    del kept[key]\n\n\ndef remember(key):\n    kept[key] = 1\n",
    ),
    "a lambda": ("helpers", "    total = 1\n", "    total = (lambda: time.sleep(1))()\n"),
    "a generator": ("helpers", "    total = 1\n", "    total = sum(time.sleep(each) for each in range(3))\n"),
    "a function inside": (
        "main",
        "    result = inner()\n",
        "    def more():\n        time.sleep(1)\n\n    more()\n    result = inner()\n",
    ),
    "a route": (
        "main",
        '@router.get("/{key}")\n',
        '@router.get("/all")\nasync def everything(session=Depends(helpers.session)):\n    time.sleep(1)\n\n\n'
        '@router.get("/{key}")\n',
    ),
    "a plain route": (
        "main",
        '@app.get("/slow")\n',
        '@app.get("/thread")\ndef thread():\n    return helpers.slow()\n\n\n@app.get("/slow")\n',
    ),
    "a route of an application that a function makes": (
        "main",
        '    @target.get("/nested")\n',
        '    @target.get("/more")\n    async def more():\n        time.sleep(1)\n\n    @target.get("/nested")\n',
    ),
    "a parameter of a route": (
        "main",
        "async def busy(times: int = 1):\n",
        "async def busy(times: int = 1, more=0):\n",
    ),
    "a dependency of a route": (
        "main",
        "async def busy(times: int = 1):\n",
        "async def busy(times: int = 1, session=Depends(helpers.slow_one)):\n",
    ),
    "a parameter of a route that a call registers": (
        "main",
        "async def fetch(number: int,",
        "async def fetch(number: int, slow=Depends(helpers.slow_one),",
    ),
    "a parameter of a constructor": (
        "store",
        "    def __init__(self):\n        self.job = None\n",
        "    def __init__(self, wait=time.sleep):\n        wait(1)\n        self.job = None\n",
    ),
    "a method": (
        "store",
        "    def work(self):\n",
        "    def rest(self):\n        time.sleep(1)\n\n    def work(self):\n",
    ),
    "a method that is called": (
        "store",
        "    def work(self):\n",
        "    def rest(self):\n        time.sleep(1)\n\n    def work(self):\n        self.rest()\n",
    ),
    "a class": (
        "store",
        "class Spare:\n",
        "class Fresh:\n    def work(self):\n        time.sleep(1)\n\n\nclass Spare:\n",
    ),
    "a class below another": ("store", "class Spare:\n", "class Own(Base):\n    pass\n\n\nclass Spare:\n"),
    "a class below another that does it in another way": (
        "store",
        "class Spare:\n",
        "class Own(Base):\n    def start(self):\n        time.sleep(1)\n\n\nclass Spare:\n",
    ),
    "a class below another that keeps what the other has not": (
        "store",
        "class Spare:\n",
        "class Own(Base):\n    def __init__(self):\n        self.doze = time.sleep\n\n\nclass Spare:\n",
    ),
    "a class inside of a function, below another": (
        "store",
        "def begin(one: Base):\n",
        "def other():\n    class Own(Base):\n        def start(self):\n            time.sleep(1)\n\n"
        "    return Own\n\n\n"
        "def begin(one: Base):\n",
    ),
    "a field of a model": ("models", "    size: int = 1\n", "    size: int = 1\n    more: int = 2\n"),
    "a class less": ("store", "class Spare:\n    size = 1\n\n\n", ""),
    "a field": ("store", "    wait = 1\n", "    wait = 1\n    rest = 2\n"),
    "another value of a field": ("store", "    size = 1\n", "    size = 2\n"),
    "an attribute": ("store", "        self.job = None\n", "        self.job = None\n        self.file = open('a')\n"),
    "an attribute that a method more assigns": (
        "store",
        "    def work(self):\n",
        "    def hire(self):\n        self.job = Spare()\n\n    def work(self):\n",
    ),
    "a name": ("store", "kept = {}\n", "kept = {}\nmore = []\n\n\ndef add(one):\n    more.append(one)\n"),
    "a name that a function binds": (
        "store",
        "kept = {}\n",
        "kept = {}\nlast = None\n\n\ndef remember(one):\n    global last\n    last = one\n",
    ),
    "another constant": ("store", "LIMIT = 3\n", "LIMIT = 4\n"),
    "a definition elsewhere": (
        "helpers",
        "def lonely():\n    time.sleep(2)\n\n\ndef session():\n    return None\n",
        "def session():\n    return None\n\n\ndef lonely():\n    time.sleep(2)\n",
    ),
    "a start of its own": (
        "store",
        "def forget(key):\n    del kept[key]\n",
        "def forget(key):\n    del kept[key]\n\n\nif __name__ == '__main__':\n    busy()\n",
    ),
    "what fills a container": (
        "store",
        "def keep(key, value):\n",
        "def put(key):\n    kept[key] = time\n\n\ndef keep(key, value):\n",
    ),
}
CONTINUED["what a decorator is given"] = ("main", '@app.get("/both")\n', '@app.get("/other", deprecated=True)\n')
CONTINUED["the path of an inner route"] = ("main", '    @target.get("/nested")\n', '    @target.get("/inner")\n')
CONTINUED.update(OF_MODULES)
ANEW = {
    "who nobody calls, and binds a name, says the name of a coroutine function no more": (
        "jobs",
        "    asyncio.run(sweep())\n    last = ",
        "    last = ",
    ),
    "a field that is a model": ("models", "    size: int = 1\n", "    size: int = 1\n    inner: Inner = None\n"),
    "a field of models": ("models", "    size: int = 1\n", "    size: int = 1\n    inner: list[Inner] = []\n"),
    "a field that may be a model": (
        "models",
        "    size: int = 1\n",
        "    size: int = 1\n    inner: Inner | None = None\n",
    ),
    "a base class": ("store", "class Spare:\n", "class Spare(Base):\n"),
    "the first class below another": ("store", "class Spare:\n", "class Own(Worker):\n    pass\n\n\nclass Spare:\n"),
    "a class below another that is called by no name": (
        "store",
        "class Spare:\n",
        "class Own(Base):\n    def __enter__(self):\n        time.sleep(1)\n\n\nclass Spare:\n",
    ),
    "a class that fits a Protocol": (
        "store",
        "class Spare:\n",
        "class Own:\n    def wait(self, seconds):\n        time.sleep(seconds)\n\n\nclass Spare:\n",
    ),
    "a method that fits a Protocol": (
        "store",
        "    def work(self):\n",
        "    def wait(self, seconds):\n        time.sleep(1)\n\n    def work(self):\n",
    ),
    "what a Protocol asks": (
        "main",
        "    def wait(self, seconds): ...\n",
        "    def wait(self, seconds): ...\n\n    def other(self): ...\n",
    ),
    "a name that is Python's": ("helpers", "import requests\n", "import requests\nfrom time import sleep as len\n"),
    "a name that others ask for": ("store", "worker = Worker()\n", ""),
    "a class that others use": ("main", "class Waiter(Protocol):\n    def wait(self, seconds): ...\n\n\n", ""),
    "another router": ("main", 'router = APIRouter(prefix="/items")\n', 'router = APIRouter(prefix="/things")\n'),
    "a router less": ("main", "    target.include_router(router)\n", "    pass\n"),
    "a function that a module has when it is asked": (
        "helpers",
        "def lonely():\n",
        "def __getattr__(name):\n    return time\n\n\ndef lonely():\n",
    ),
    "a decorator": ("main", '@app.get("/both")\n', '@app.post("/both")\n'),
    "a star": ("helpers", "import asyncio\n", "import asyncio\nfrom app.store import *\n"),
    "a call less of what changes a name of another": ("helpers", "    ask()\n    outer()\n", "    ask()\n"),
    "a call less of what keeps something": (
        "helpers",
        "    return remember(asyncio.Queue())\n",
        "    return None\n",
    ),
    "a router": ("main", "    target.include_router(router)\n", "    target.include_router(router, prefix='/more')\n"),
    "a question about the loop": ("helpers", "        return True\n", "        return False\n"),
    "the name of a middleware": ("main", "    value = helpers.quick(3)\n", "    value = helpers.quick(Unused)\n"),
    "what an inner function calls": ("main", "    here = helpers.quick\n", "    here = helpers.slow\n"),
    "a name of the function around it": ("helpers", "        name = 2\n", "        name = quick_one\n"),
    "what a Protocol takes": ("main", "    def wait(self, seconds):\n", "    def wait(self, seconds, more=1):\n"),
    "a stub": ("main", "    def wait(self, seconds): ...\n", "    def wait(self, seconds): return 1\n"),
}


@pytest.mark.parametrize("name", CONTINUED)
def test_an_edit_that_takes_nothing_away_is_taken_in(project: Path, links: Links, name: str) -> None:
    edit(project, *CONTINUED[name])
    both(project)
    assert (links.continued, links.reasons) == (1, [])


@pytest.mark.parametrize("name", ANEW)
def test_after_any_other_edit_all_is_analysed_anew(project: Path, links: Links, name: str) -> None:
    edit(project, *ANEW[name])
    both(project)
    assert links.continued == 0
    assert len(links.reasons) == 1
    edit(project, "helpers", "def lonely():\n", "def lonely():\n    edited = 1\n")
    both(project)
    assert links.continued == 1, "what was made anew was not kept"


def test_what_was_added_is_found_and_what_was_taken_away_is_not(project: Path, links: Links) -> None:
    before = findings(both(project))
    edit(project, *CONTINUED["a blocking call"])
    more = [each["message"] for each in findings(both(project)) if each not in before]
    assert any(message.startswith("`time.sleep` ") for message in more)
    edit(project, *reversed_edit(CONTINUED["a blocking call"]))
    assert findings(both(project)) == before
    assert links.reasons == []


@pytest.mark.parametrize(
    "name",
    [
        "a class below another that does it in another way",
        "a class below another that keeps what the other has not",
        "a class inside of a function, below another",
        "a method that is called",
        "a parameter of a constructor",
        "a function inside",
        "a route",
    ],
)
def test_what_an_edit_of_a_module_brings_is_found(project: Path, links: Links, name: str) -> None:
    before = findings(both(project))
    edit(project, *OF_MODULES[name])
    assert [each for each in findings(both(project)) if each["code"] == "FL102" and each not in before]
    assert links.continued == 1


def reversed_edit(given: tuple[str, str, str]) -> tuple[str, str, str]:
    return given[0], given[2], given[1]


TAKEN_BACK = (
    "an import that is used",
    "a function",
    "a function inside",
    "a method",
    "a class",
    "a field",
    "a name",
    "a start of its own",
)


@pytest.mark.parametrize("name", [name for name, (_, _, new) in OF_MODULES.items() if new])
def test_what_is_taken_back_is_gone(project: Path, links: Links, name: str) -> None:
    edit(project, *OF_MODULES[name])
    shutil.rmtree(project / folder.NAME)
    both(project)
    edit(project, *reversed_edit(OF_MODULES[name]))
    both(project)
    assert links.continued == 1 or name not in TAKEN_BACK, links.reasons


def test_a_script_asks_for_what_is_less_too(project: Path, links: Links) -> None:
    started = "def forget(key):\n    del kept[key]\n\n\nif __name__ == '__main__':\n    from app import helpers\n\n"
    edit(project, "store", "def forget(key):\n    del kept[key]\n", f"{started}    helpers.chosen()()\n")
    both(project)
    edit(project, *CONTINUED["a value less"])
    both(project)
    assert (links.continued, links.reasons) == (2, [])


def test_a_file_that_cannot_be_read_for_a_while_costs_no_analysis_more(project: Path, links: Links) -> None:
    edit(project, "helpers", "def lonely():\n", "def lonely(:\n")
    both(project)
    assert (links.continued, links.reasons) == (0, [])
    edit(project, "helpers", "def lonely(:\n    time.sleep(2)\n", "def lonely():\n    time.sleep(3)\n")
    both(project)
    edit(project, *CONTINUED["a blocking call"])
    both(project)
    assert (links.continued, links.reasons) == (2, [])


def test_edits_of_several_files_add_up(project: Path, links: Links) -> None:
    edit(project, *CONTINUED["a blocking call"])
    both(project)
    edit(project, "store", "    del kept[key]\n", "    del kept[key]\n    time.sleep(1)\n")
    both(project)
    edit(project, *CONTINUED["a branch"])
    both(project)
    assert (links.continued, links.reasons) == (3, [])


FILES = {
    "a file": "import time\n\n\ndef wait():\n    time.sleep(1)\n",
    "a file with routes": (
        "import time\n\nfrom fastapi import APIRouter\n\nfrom app import helpers\nfrom app.main import app\n\n"
        "own = APIRouter(prefix='/own')\n\n\n@own.get('/wait')\nasync def wait():\n    time.sleep(1)\n"
        "    return helpers.slow()\n\n\napp.include_router(own)\n"
    ),
    "a file with a class": "class Fresh:\n    def work(self):\n        return 1\n",
    "an empty file": "",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_may_come(project: Path, links: Links, name: str) -> None:
    (project / "app" / "fresh.py").write_text(FILES[name])
    both(project)
    edit(project, "main", "from app import helpers, models, store\n", "from app import fresh, helpers, models, store\n")
    edit(project, "main", "    value = helpers.quick(3)\n", "    value = fresh.wait()\n")
    both(project)
    assert (links.continued, links.reasons) == (2, [])


DECORATED = """import functools
import time

from fastapi import APIRouter, Depends
from tenacity import retry as again, stop_after_attempt, wait_fixed

from app import helpers
from app.main import app

router = APIRouter()


def checked(limit):
    time.sleep(limit)
    return lambda function: function


@again(stop=stop_after_attempt(3))
def tried():
    return helpers.quick(1)


def wrapper(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


def deep():
    time.sleep(1)


@router.get("/tried", dependencies=[Depends(helpers.session)])
@checked(1)
async def route():
    return tried()


def make(target):
    class Handlers:
        @target.get("/made")
        async def made():
            return tried()

    return Handlers


make(app)
app.include_router(router)
"""


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ("stop=stop_after_attempt(3)", "stop=stop_after_attempt(3), wait=wait_fixed(5)", []),
        ('"/tried", dependencies=[Depends(helpers.session)]', '"/tried", summary="Tries"', []),
        ("[Depends(helpers.session)]", "[Depends(helpers.session), Depends(deep)]", []),
        ("@checked(1)", "@checked(limit=tried())", []),
        ('"/made"', '"/other", status_code=201', []),
        ("@functools.wraps(function)", "@functools.wraps(deep)", ["not only functions were edited"]),
        ("@checked(1)\n", "", ["not only functions were edited"]),
    ],
)
def test_what_decorators_are_given_may_be_another(
    project: Path, links: Links, old: str, new: str, reasons: list[str]
) -> None:
    (project / "app" / "fresh.py").write_text(DECORATED)
    shutil.rmtree(project / folder.NAME)
    both(project)
    edit(project, "fresh", old, new)
    both(project)
    assert (links.continued, links.reasons) == (not reasons, reasons)
    edit(project, "fresh", new, old) if new else None
    both(project)


TURNED = """import asyncio
import functools
import inspect
import time

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool

from app import helpers
from app.main import app

router = APIRouter()


def near():
    time.sleep(1)


async def far():
    time.sleep(1)


HANDLERS = [near, far]
BY_NAME = {"f": functools.partial(near, f=far)}


async def each():
    for handler in (*HANDLERS, *BY_NAME.values()):
        if inspect.iscoroutinefunction(handler):
            await handler()
        else:
            await run_in_threadpool(handler)


def timed(function):
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def later(*args):
            return await function(*args)

        return later

    @functools.wraps(function)
    def now(*args):
        time.sleep(1)
        return function(*args)

    return now


@timed
def measured():
    return helpers.slow()


def opened():
    yield time.sleep(1)


async def user(session=Depends(opened)):
    return time.sleep(1)


def helper():
    time.sleep(1)
    return helpers.slow()


def nobody():
    time.sleep(1)


async def awaited():
    time.sleep(1)


class Store:
    def load(self):
        time.sleep(1)

    def __call__(self):
        time.sleep(1)


@router.get("/turned")
async def turned(user=Depends(user), held=Depends(Store())):
    measured()
    Store().load()
    await each()
    return await asyncio.to_thread(helper)


@router.get("/plain")
def plain():
    helper()
    asyncio.run(awaited())


app.include_router(router)
"""


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ("def near", "async def near", []),
        ("async def far", "def far", []),
        ("async def each", "def each", []),
        ("def measured", "async def measured", ["decorators make something else of a function"]),
        ("def opened", "async def opened", []),
        ("async def user", "def user", []),
        ("def helper", "async def helper", []),
        ("def nobody", "async def nobody", []),
        ("async def awaited", "def awaited", []),
        ("def load", "async def load", []),
        ("async def turned", "def turned", []),
        ("def plain", "async def plain", []),
        ("def __call__", "async def __call__", ["what is called by no name is awaited now, or is not any more"]),
    ],
)
def test_a_function_may_be_awaited_that_was_called(
    project: Path, links: Links, old: str, new: str, reasons: list[str]
) -> None:
    (project / "app" / "fresh.py").write_text(TURNED)
    shutil.rmtree(project / folder.NAME)
    before = both(project)
    edit(project, "fresh", f"{old}(", f"{new}(")
    there = both(project)
    assert (links.continued, links.reasons) == (not reasons, reasons)
    assert there != before or old == "async def awaited"  # run by `asyncio.run`, in a thread: the same either way
    shutil.rmtree(project / folder.NAME)
    both(project)
    edit(project, "fresh", f"{new}(", f"{old}(")
    assert both(project) == before
    assert (links.continued, links.reasons) == (2 * (not reasons), 2 * reasons)


LIMITS = """import time

import requests

import app.store as shop

WAIT = 1
NAME = "one"
call = requests.get
Base = shop.Worker
PREFIX = "/limits"

own = unused = shop.worker


class Near:
    size = 1


Fast = Near


def near(one: Fast):
    return one.size
"""
LIMITED = """from fastapi import APIRouter, FastAPI

from app import limits
from app.limits import NAME, PREFIX, Base as Above, call as ask
from app.main import app

asked = ask
table = {"ask": asked, "wait": limits.WAIT}
service = FastAPI(title=NAME)
router = APIRouter(prefix=PREFIX, tags=[NAME])


class Settings:
    wait = limits.WAIT
    ask = staticmethod(asked)


class Own(Above):
    pass


def given(ask=asked, seconds: float = limits.WAIT):
    return ask("http://x", timeout=seconds)


@router.get("/" + NAME)
async def limited():
    Settings.ask("http://y", timeout=Settings.wait)
    table["ask"]("http://z")
    return given()


app.include_router(router)
"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("WAIT = 1", "WAIT = 2", ""),
        ('NAME = "one"', 'NAME = "two"', ""),
        ("call = requests.get", "call = time.sleep", ""),
        ("call = requests.get", "call = len", ""),
        ('PREFIX = "/limits"', 'PREFIX = "/more"', "it tells others less than it told"),
        ("Base = shop.Worker", "Base = shop.Spare", "it tells others less than it told"),
        ("WAIT = 1\n", "", "a name is gone that others ask for"),
        ("own = unused = shop.worker\n", "other = 1\n", ""),
        ("Fast = Near\n", "Fast = int\n", ""),
        ("class Near:\n    size = 1\n\n\nFast = Near\n", "Fast = int\n", ""),
    ],
)
def test_what_a_module_makes_of_the_name_of_another(
    project: Path, links: Links, old: str, new: str, reason: str
) -> None:
    (project / "app" / "limits.py").write_text(LIMITS)
    (project / "app" / "limited.py").write_text(LIMITED)
    shutil.rmtree(project / folder.NAME)
    before = findings(both(project))
    edit(project, "limits", old, new)
    after = findings(both(project))
    assert (links.continued, links.reasons) == ((0, [reason]) if reason else (1, []))
    assert (before != after) == ("= time.sleep" in new or "= len" in new or "PREFIX" in new)
    if new:
        edit(project, "limits", new, old)
        assert findings(both(project)) == before


@pytest.mark.parametrize(
    ("source", "apart"),
    [
        ("def f():\n    return LIMIT\n", False),
        ("def f(x: 'dict[str, LIMIT]'): ...\n", True),
        ("def f(x=LIMIT): ...\n", True),
        ("class C:\n    x: 'LIMIT | None' = None\n", True),
        ("LIMITED = 1\n", False),
        ("@LIMIT\ndef f(): ...\n", True),
    ],
)
def test_who_says_a_name_outside_of_functions(source: str, apart: bool) -> None:
    facts = parse(f"from store import LIMIT\n{source}".encode())
    assert isinstance(facts, ModuleFacts)
    assert mentions_apart(Module("m", "m.py", False, facts), "LIMIT") is apart


def test_a_file_that_others_import_or_that_is_gone_is_another_project(project: Path, links: Links) -> None:
    edit(project, "main", "from app import helpers, models, store\n", "from app import helpers, later, models, store\n")
    shutil.rmtree(project / folder.NAME)
    both(project)
    (project / "app" / "later.py").write_text(FILES["a file"])
    edit(project, "main", "    value = helpers.quick(3)\n", "    value = later.wait()\n")
    both(project)
    assert links.reasons[-1] == "a module is new that others import"
    continued = links.continued
    (project / "app" / "store.py").unlink()
    both(project)
    assert links.continued == continued


def test_a_file_with_the_name_of_another_is_another_project(project: Path, links: Links) -> None:
    """Which of them is meant depends on who imports it."""
    for folder_of in ("one", "two"):
        (project / folder_of).mkdir()
        (project / folder_of / "main.py").write_text("import tools\n\n\nasync def main():\n    tools.work()\n")
    (project / "one" / "tools.py").write_text("def work():\n    return 1\n")
    shutil.rmtree(project / folder.NAME)
    both(project)
    (project / "two" / "tools.py").write_text(FILES["a file"].replace("wait", "work"))
    both(project)
    assert (links.continued, links.reasons) == (0, ["a module is new that goes by the name of another"])


def test_places_are_known_though_files_come(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "app" / "fresh.py").write_text(FILES["a file"])
    asked: list[int] = []

    def counted(source: bytes, sites: int) -> dict[int, tuple[int, int, int, int]] | None:
        asked.append(sites)
        return locate(source, sites)

    monkeypatch.setattr("fastlint.places.locate", counted)
    config = Config(severity=Severity.INFO, confidence=Confidence.LOW, root=str(project))
    assert check(CheckRequest((str(project),), config, cached=True)).findings
    assert asked == []


def test_an_analysis_without_its_facts_is_none(project: Path, links: Links) -> None:
    edit(project, *CONTINUED["a blocking call"])
    shutil.rmtree(project / folder.NAME / "facts")
    both(project)
    assert (links.continued, links.reasons) == (0, [])


@pytest.mark.parametrize("key", ["question", "files", "variants", "tuples", "readers", ""])
@pytest.mark.parametrize("value", [None, [], {}, "x", [[1]]])
def test_a_forged_analysis_is_none(project: Path, key: str, value: object) -> None:
    (kept,) = (project / folder.NAME / "analyses").iterdir()
    reader = zlib.decompressobj()
    head, _, text = reader.decompress(kept.read_bytes()).partition(b"\n")
    document, rows = json.loads(text), unpack(reader.unused_data)
    forged: Any = {**rows, key: value} if key in rows else rows if key else value
    document = {**document, key: value} if key in document else document
    packed = (zlib.compress(head + b"\n" + json.dumps(document).encode()), zlib.compress(json.dumps(forged).encode()))
    kept.write_bytes(b"".join(packed))
    edit(project, *CONTINUED["a blocking call"])
    both(project, forged=True)


@pytest.mark.parametrize("end", [0, 1, 40, -1], ids=["no rows", "one byte", "cut short", "the last byte missing"])
def test_a_damaged_analysis_is_none(project: Path, links: Links, end: int) -> None:
    (kept,) = (project / folder.NAME / "analyses").iterdir()
    content = kept.read_bytes()
    reader = zlib.decompressobj()
    reader.decompress(content)
    packed = reader.unused_data
    kept.write_bytes(content[: len(content) - len(packed)] + packed[:end])
    edit(project, *CONTINUED["a blocking call"])
    both(project)
    assert (links.continued, links.reasons) == (0, [])
    assert kept.stat().st_size > len(content) // 2, "it was not made anew"


def test_few_analyses_are_kept(project: Path) -> None:
    for number in range(6):
        root = project / "app"
        config = Config(severity=Severity.INFO, root=str(project), entry_points=(f"app.helpers.{number}*",))
        check(CheckRequest((str(root),), config, cached=True, cache=str(project / folder.NAME)))
    assert len(list((project / folder.NAME / "analyses").iterdir())) == 4


# --- an analysis and its rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("application", APPLICATIONS)
def test_rows_of_json_are_the_analysis(application: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Continued from its own rows with nothing changed."""
    root = tmp_path / application
    shutil.copytree(FIXTURES / application, root, ignore=shutil.ignore_patterns(folder.NAME))
    before = said(root, cached=False)
    built = fastlint.graph.build.build_graph
    done: list[bool] = []

    def twice(modules: Any, catalogue: Any, entry_points: Any, past: Any = None, keep: bool = False) -> Any:
        modules = list(modules)
        packed = built(modules, catalogue, entry_points, keep=True).kept
        again = [(replace(module, bindings={}, stars=[], class_bindings={}), aliases) for module, aliases in modules]
        graph = built(again, catalogue, entry_points, Past(packed, {}), keep=True)
        done.append(not graph.kept)
        return graph

    monkeypatch.setattr(fastlint.graph.build, "build_graph", twice)
    assert said(root, cached=False) == before
    assert done == [True]


def test_what_cannot_be_written_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refused(state: object) -> bytes:
        raise TypeError(state)

    monkeypatch.setattr(fastlint.graph.build, "pack", refused)
    (tmp_path / "main.py").write_text("import time\n\n\nasync def main():\n    time.sleep(1)\n")
    assert "`time.sleep`" in both(tmp_path)
    assert (tmp_path / folder.NAME / "verdicts").is_dir(), "all of it was done again without the cache"
    assert not (tmp_path / folder.NAME / "analyses").exists()


def test_true_is_not_one() -> None:
    world = World(Catalogue())
    state = Interpreter(world)
    values = (("k", True), ("k", 1), ("k", 1.0), ("k", None), ("k", ...), ("k", ""))
    state.facts[("param", ("m", 0), "x")] = values
    state.facts[("param", ("m", 0), "y")] = (("k", 1),)
    again = Interpreter(world)
    fill(again, unpack(pack(state)))
    assert again.facts == state.facts
    kept = again.facts[("param", ("m", 0), "x")]
    assert [type(value[1]) for value in kept] == [type(value[1]) for value in values]
    assert type(again.facts[("param", ("m", 0), "y")][0][1]) is int


# --- edits by chance ----------------------------------------------------------------------------------------------


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.body[0].lineno > node.lineno:
            yield node


def edited(source: str, chance: random.Random) -> str:
    """The source with one statement of one function left out, written twice, or put behind a test."""
    tree, lines = ast.parse(source), source.splitlines(keepends=True)
    found = [
        statement
        for function in functions(tree)
        for statement in function.body
        if isinstance(statement, (ast.Expr, ast.Assign, ast.Return, ast.If, ast.With))
    ]
    if not found:
        return source
    statement = chance.choice(found)
    begin, end = statement.lineno - 1, statement.end_lineno or statement.lineno
    own, indent = lines[begin:end], " " * statement.col_offset
    ways: list[Callable[[], list[str]]] = [
        lambda: [f"{indent}pass\n"],
        lambda: [*own, *own],
        lambda: [f"{indent}if len('edited'):\n", *(f"    {line}" for line in own)],
        lambda: [f"{indent}print('edited')\n", *own],
        lambda: [f"{indent}open('edited').read()\n", *own],
    ]
    lines[begin:end] = chance.choice(ways)()
    return "".join(lines)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_edits_by_chance(application: str, tmp_path: Path, links: Links) -> None:
    root = tmp_path / application
    shutil.copytree(FIXTURES / application, root, ignore=shutil.ignore_patterns(folder.NAME))
    both(root)
    chance = random.Random(application)
    files = sorted(path for path in root.rglob("*.py") if b"def " in path.read_bytes())
    for _ in range(8):
        path = chance.choice(files)
        source = path.read_bytes()
        text = edited(source.decode(), chance)
        path.write_bytes(text.encode())
        both(root)
        path.write_bytes(source)
    assert links.continued >= 2, links.reasons
