"""Configuration in Python, followed without being run: what its names are, what stays open, and that it always ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from fastlint.deploy.configuration.state import Foreign
from fastlint.deploy.evaluate import Evaluated, Seen, evaluate, watch
from fastlint.deploy.values import Apply, Cores, Counter, Env, Surroundings, Unknown, render, resolve
from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import parse_here

Project = Mapping[str, str]


def facts_of(text: str) -> ModuleFacts:
    facts = parse_here(text.encode())
    assert isinstance(facts, ModuleFacts), facts
    return facts


def loader(project: Project) -> Any:
    return lambda dotted: (dotted, facts_of(project[dotted])) if dotted in project else None


def run(text: str, project: Project | None = None, module: str = "", **environment: Any) -> Evaluated:
    return evaluate(facts_of(text), environment, loader(project or {}), module)


def value(text: str, name: str = "workers", **environment: Any) -> Any:
    return run(text, **environment).names[name].value


def calls(text: str, *watched: str, **environment: Any) -> list[Seen]:
    return watch(facts_of(text), environment, loader({}), "app", frozenset(watched))


# A file, and what its name `workers` is afterwards.
KNOWN: list[tuple[str, Any]] = [
    # assignments
    ("workers = 4", 4),
    ("workers: int = 4", 4),
    ("a = workers = 4", 4),
    ("a, workers = 1, 4", 4),
    ("[a, (b, workers)] = 1, [2, 4]", 4),
    ("workers = 1\nworkers = 4", 4),
    ("workers = 2\nworkers += 2", 4),
    ("workers = 8\nworkers //= 2", 4),
    ("b = (workers := 4)", 4),
    ("bind = 3\nworkers = bind\nbind = 5", 3),
    ("workers = None", None),
    ("workers = ['a', 'b']\nworkers.append('c')", ["a", "b", "c"]),
    ("workers = ['b']\nworkers.insert(0, 'a')\nworkers.extend(['c'])\nworkers += ['d']", ["a", "b", "c", "d"]),
    ("workers = [1] + [2]", [1, 2]),
    ("options = {'w': 2}\noptions['w'] = 4\nworkers = options['w']", 4),
    ("options = {'w': 4}\nworkers = options.get('x', options.get('w'))", 4),
    # arithmetic and text
    ("workers = 2 * 3 + 1", 7),
    ("workers = -(-7 // 2)", 4),
    ("workers = 2 ** 3 % 5", 3),
    ("workers = max(2, min(9, 4))", 4),
    ("workers = max([1, 4, 2])", 4),
    ("workers = int('4') + round(0.4) + abs(-1)", 5),
    ("import math\nworkers = math.ceil(3.2)", 4),
    ("from math import floor as down\nworkers = down(4.9)", 4),
    ("workers = sum([1, 3])", 4),
    ("workers = len('four')", 4),
    ("port = 80\nworkers = f'0.0.0.0:{port}'", "0.0.0.0:80"),
    ("port = 80\nworkers = '{}:{}'.format('0.0.0.0', port)", "0.0.0.0:80"),
    ("workers = ' Info '.strip().lower()", "info"),
    ("workers = ','.join(['a', 'b'])", "a,b"),
    ("import os\nworkers = os.path.join('run', 'app.sock')", "run/app.sock"),
    ("from pathlib import Path\nworkers = Path('run') / 'app.sock'", "run/app.sock"),
    ("import json\nworkers = json.loads('{\"w\": 4}')['w']", 4),
    # the environment, in which nothing is set
    ("import os\nworkers = os.getenv('W', 4)", 4),
    ("import os\nworkers = int(os.environ.get('W', '4'))", 4),
    ("from os import environ as e\nworkers = int(e.get('W', default='4'))", 4),
    ("import os\nworkers = os.getenv('W') or 4", 4),
    ("import os\nworkers = os.environ['W']", Env("W", required=True)),
    ("import os\ntry:\n    workers = os.environ['W']\nexcept KeyError:\n    workers = 4", 4),
    ("import os\nos.environ['W'] = '4'\nworkers = int(os.getenv('W', '2'))", 4),
    ("import os\nos.environ.setdefault('W', '4')\nworkers = int(os.environ['W'])", 4),
    ("from decouple import config\nworkers = config('W', default='4', cast=int)", 4),
    # cores
    ("import os\nworkers = os.cpu_count()", Cores(Counter.HOST)),
    ("import multiprocessing as mp\nworkers = mp.cpu_count()", Cores(Counter.HOST)),
    ("from multiprocessing import cpu_count\nworkers = cpu_count()", Cores(Counter.HOST)),
    ("import os\nworkers = len(os.sched_getaffinity(0))", Cores(Counter.AFFINITY)),
    ("import os\nworkers = os.process_cpu_count()", Cores(Counter.AFFINITY)),
    ("import joblib\nworkers = joblib.cpu_count()", Cores(Counter.LIMIT)),
    (
        "import os\nworkers = os.cpu_count() * 2 + 1",
        Apply("add", (Apply("mul", (Cores(Counter.HOST), 2)), 1)),
    ),
    # conditions
    ("workers = 4 if True else 2", 4),
    ("if 1 > 2:\n    workers = 2\nelif 'a' in 'abc':\n    workers = 4\nelse:\n    workers = 3", 4),
    ("workers = 2\nif not []:\n    workers = 4", 4),
    ("import os\nif os.getenv('DEBUG'):\n    workers = 1\nelse:\n    workers = 4", 4),
    ("workers = 0 or 4", 4),
    ("workers = 1 < 2 < 3", True),
    ("try:\n    workers = int('x')\nexcept ValueError:\n    workers = 4", 4),
    ("try:\n    workers = {}['x']\nexcept LookupError:\n    workers = 4", 4),
    ("try:\n    workers = 2\nfinally:\n    workers = 4", 4),
    # loops
    ("workers = 0\nfor n in [1, 3]:\n    workers += n", 4),
    ("workers = 0\nfor n in range(9):\n    if n == 4:\n        break\n    workers = n + 1", 4),
    ("workers = 0\nwhile workers < 4:\n    workers += 1", 4),
    ("workers = [n * 2 for n in (1, 2, 3) if n > 1]", [4, 6]),
    ("workers = {k: 4 for k in ('w',)}['w']", 4),
    # functions and classes
    ("def count():\n    return 4\nworkers = count()", 4),
    ("def count(a, b=3, *, c=0):\n    return a + b + c\nworkers = count(1)", 4),
    ("def count(a, *, c):\n    return a + c\nworkers = count(c=3, a=1)", 4),
    ("n = 4\ndef count():\n    return n\nworkers = count()", 4),
    ("def set_it():\n    global workers\n    workers = 4\nset_it()", 4),
    ("double = lambda n: n * 2\nworkers = double(2)", 4),
    ("def outer():\n    n = 4\n    def inner():\n        return n\n    return inner()\nworkers = outer()", 4),
    ("def nothing():\n    pass\nworkers = nothing()", None),
    ("class C:\n    n = 4\nworkers = C.n", 4),
    ("class C:\n    def __init__(self, n):\n        self.n = n\nworkers = C(4).n", 4),
    ("class C:\n    @property\n    def n(self):\n        return 4\nworkers = C().n", 4),
    ("from functools import lru_cache\n@lru_cache\ndef count():\n    return 4\nworkers = count()", 4),
    # names by another way
    ("globals()['workers'] = 4", 4),
    ("locals().update({'workers': 4})", 4),
    ("import sys\nif __name__ == '__main__':\n    workers = 2\nelse:\n    workers = 4", 4),
]


@pytest.mark.parametrize(("text", "expected"), KNOWN)
def test_what_a_name_is(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


# A file of which nobody can say what `workers` is.
UNKNOWN = [
    "import acme\nworkers = acme.workers()",
    "import acme\nworkers = acme.n + 1",
    "workers = undefined",
    "workers = open('n').read()",
    "import acme\nworkers = 2\nif acme.big:\n    workers = 4",
    "import acme\nworkers = 4 if acme.big else 2",
    "import acme\nworkers = 2\nfor n in acme.all():\n    workers = n",
    "import acme\nworkers = 2\nwhile acme.more():\n    workers += 1",
    "import acme\nworkers = 2\nmatch acme.kind:\n    case 1:\n        workers = 4",
    "import acme\na, workers = acme.pair()",
    "import acme\nworkers = [*acme.all()]",
    "import acme\nworkers = dict(**acme.all)",
    "@acme.patched\ndef count():\n    return 4\nworkers = count()",
    "async def count():\n    return 4\nworkers = count()",
    "def count():\n    yield 4\nworkers = count()",
    "def count(n):\n    return n\nworkers = count()",
    "from acme import Settings\nclass S(Settings):\n    n: int = 4\nworkers = S().n",
    "from dataclasses import dataclass\n@dataclass\nclass S:\n    n: int = 4\nworkers = S().n",
    "import psutil\nworkers = psutil.cpu_count(logical=False)",
    "import os, acme\nworkers = os.getenv(acme.name, '4')",
    "workers = 'abcd'[1:]",
    "workers = '%d' % undefined",
    "try:\n    import acme\n    workers = 2\nexcept ImportError:\n    workers = 4",
    "workers = [4]\nworkers.clear()\nworkers = workers[0]",
]


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_nobody_can_say_stays_unknown(text: str) -> None:
    found = value(text)
    assert isinstance(found, (Unknown, Foreign)), found


def test_the_environment_that_is_given_counts() -> None:
    text = "import os\nworkers = int(os.getenv('W', '2')) * 2"
    assert value(text) == 4
    assert value(text, W="3") == 6
    assert value("import os\nworkers = dict(os.environ.items())", W="3") != {}
    assert value("import os\nworkers = [k for k in os.environ.keys()]", W="3") == ["W"]
    assert value("import os\nworkers = 2\nif os.environ['W'] == 'big':\n    workers = 4", W="big") == 4
    assert isinstance(value(text, W=Unknown("a secret")), Unknown)


def test_a_test_that_only_the_run_decides_is_kept() -> None:
    text = "import os\nworkers = 2\nif os.cpu_count() > 4:\n    workers = 4"
    assert render(value(text)) == "4 if (cores > 4) else 2"
    assert render(value("import os\nworkers = min(os.cpu_count() or 1, 4)")) == "min(cores or 1, 4)"
    returned = "import os\ndef count():\n    if os.cpu_count() > 4:\n        return 4\n    return 2\nworkers = count()"
    assert render(value(returned)) == "4 if (cores > 4) else 2"


def test_a_way_that_ends_the_program_is_not_taken() -> None:
    text = "import acme, sys\nworkers = 4\nif acme.wrong:\n    workers = 2\n    sys.exit(1)"
    assert value(text) == 4


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("import os\nworkers = int(os.getenv('A', '4'))", ("A",)),
        ("import os\nn = os.getenv('A', '4')\nm = int(n)\nworkers = m * 2", ("A",)),
        ("import os\nworkers = int(os.getenv('A') or os.getenv('B') or 4)", ("A", "B")),
        ("import os\nworkers = 4\nif os.getenv('A'):\n    workers = 2", ()),
        ("import os\nworkers = 4\nif not os.getenv('A'):\n    workers = 2", ("A",)),
        ("import os\ndef read():\n    return os.getenv('A', '4')\nworkers = int(read())", ("A",)),
        ("import os\nn = os.getenv('A')\nworkers = 4", ()),
    ],
)
def test_a_name_knows_which_variables_went_into_it(text: str, variables: tuple[str, ...]) -> None:
    assert run(text).names["workers"].variables == variables


def test_a_name_knows_where_it_was_bound_last() -> None:
    first, last = run("workers = 1"), run("workers = 1\nworkers = 2")
    assert first.names["workers"].site != last.names["workers"].site


@pytest.mark.parametrize(
    "text",
    [
        "from settings import workers",
        "from settings import *",
        "from settings import workers as w\nworkers = w",
        "import settings\nworkers = settings.workers",
        "import settings as s\nworkers = s.workers",
        "from deploy.settings import workers",
        "from deploy import settings\nworkers = settings.workers",
    ],
)
def test_files_beside_it_are_followed(text: str) -> None:
    inner = "import os\nworkers = int(os.getenv('W', '4'))\n_hidden = 1\n"
    project = {"settings": inner, "deploy": "", "deploy.settings": inner}
    outcome = run(text, project)
    assert outcome.names["workers"].value == 4
    assert run(text, project, W="8").names["workers"].value == 8
    assert "_hidden" not in outcome.names


def test_relative_imports_are_those_of_the_package() -> None:
    project = {"shop.settings": "n = 4", "settings": "n = 2"}
    assert run("from .settings import n", project, module="shop.conf").names["n"].value == 4
    assert run("from ..settings import n", project, module="shop.deploy.conf").names["n"].value == 4


def test_files_that_import_each_other_end() -> None:
    project = {"a": "from b import y\nx = 1", "b": "from a import x\ny = 4"}
    assert run("from b import y as workers", project).names["workers"].value == 4


LONG = "for a in range(400):\n    for b in range(400):\n        c = b\n"


@pytest.mark.parametrize(
    "text",
    [
        "import long\nworkers = 4",
        "from long import c\nworkers = 4",
        "from long import c as d, n as e\nworkers = 4",
        "import short\nworkers = short.n",  # what it imports itself is not asked for, either
        "if True:\n    from short import n\nworkers = n",
    ],
)
def test_what_nobody_asks_for_is_not_run(text: str) -> None:
    project = {"long": f"{LONG}n = 4", "short": "import long\nfrom long import c\nn = 4"}
    assert run(text, project).names["workers"].value == 4


def test_what_is_imported_is_known_at_the_end() -> None:
    outcome = run("from settings import n as workers, s as bind", {"settings": "n = 4\ns = ':80'"})
    assert outcome.complete
    assert {name: bound.value for name, bound in outcome.names.items()} == {"workers": 4, "bind": ":80"}
    outcome = run("threads = 2\nfrom long import n as workers", {"long": f"{LONG}n = 4"})
    assert outcome.names["threads"].value == 2
    assert isinstance(outcome.names["workers"].value, Unknown)


@pytest.mark.parametrize(
    "settings",
    [
        "import os\nos.environ['W'] = '8'",
        "import os\nos.environ.setdefault('W', '8')",
        "from os import environ\ndef prepare():\n    environ['W'] = '8'\nprepare()",
        "import inner",
        "from inner import n",
    ],
)
def test_a_module_that_sets_variables_is_run_when_it_is_imported(settings: str) -> None:
    project = {"settings": settings, "inner": "import os\nos.environ['W'] = '8'\nn = 1"}
    assert run("import os, settings\nworkers = int(os.getenv('W', '4'))", project).names["workers"].value == 8
    assert run("import os\nworkers = int(os.getenv('W', '4'))\nimport settings", project).names["workers"].value == 4


def test_a_module_that_calls_what_sets_variables_is_run_when_it_is_imported() -> None:
    project = {
        "setting": "import os\ndef prepare():\n    os.environ['W'] = '8'",
        "first": "import setting\nn = 1",
        "second": "from setting import prepare\nprepare()\nm = 1",
    }
    text = "import os\nfrom first import n\nfrom second import m\nworkers = int(os.getenv('W', '4'))"
    assert run(text, project).names["workers"].value == 8
    assert run(text.replace("from second import m\n", ""), project).names["workers"].value == 4


def test_a_module_sees_the_environment_of_its_import() -> None:
    project = {"settings": "import os\nn = int(os.getenv('W', '4'))"}
    setting = "import os\n{}os.environ['W'] = '8'\n{}workers = n"
    assert run(setting.format("from settings import n\n", ""), project).names["workers"].value == 4
    assert run(setting.format("", "from settings import n\n"), project).names["workers"].value == 8


def test_either_of_two_imports() -> None:
    project = {"a": "n = 1", "b": "n = 4", "c": "n = 4"}
    text = "import os\nif os.path.exists('x'):\n    from {} import n\nelse:\n    from {} import n\nworkers = n"
    assert run(text.format("b", "c"), project).names["workers"].value == 4
    assert run(text.format("b", "b"), project).names["workers"].value == 4
    assert isinstance(run(text.format("a", "b"), project).names["workers"].value, Unknown)


# What a file may do to whoever reads it: it must end, soon, and claim nothing that it did not see.
HOSTILE = [
    "workers = 1\nwhile True:\n    workers += 1",
    "while True:\n    workers = 1",
    "def f(n):\n    return f(n + 1)\nworkers = f(0)",
    "def f(n):\n    return f(n) + f(n)\nworkers = f(0)",
    "f = lambda: f()\nworkers = f()",
    "workers = 9 ** 9 ** 9",
    "workers = 1 << 10 ** 9",
    "workers = 'x' * 10 ** 10",
    "workers = 'x'\nfor n in range(400):\n    workers = workers + workers",
    "workers = [0]\nfor n in range(100):\n    workers = workers + workers",
    "workers = [n for n in range(10 ** 9)]",
    "workers = '{:>999999999}'.format(1)",
    "workers = f'{1:>999999999}'",
    "workers = 1 / 0",
    "workers = int('9' * 5000)",
    "import json\nworkers = json.loads('[' * 100000)",
    "workers = 1\nworkers = exec('workers = 2')",
    "workers = 1\nraise SystemExit",
    "workers = " + "(" * 80 + "1" + ")" * 80 + " + undefined",
    "workers = " + " + ".join(["undefined"] * 2000),
    "class C(C):\n    pass\nworkers = C().x",
    "class C:\n    @property\n    def x(self):\n        return self.x\nworkers = C().x",
    "def f():\n" + "".join(f"    if a{n}:\n        x = {n}\n" for n in range(60)) + "    return x\nworkers = f()",
    "workers = 1\n" + "".join(f"if a{n}:\n    workers = {n}\n" for n in range(60)),
    "break",
    "a = []\na.append(a)\nworkers = a",
    "a = {}\na['a'] = a\nworkers = a",
    "workers = 'x'\nfor n in range(100):\n    workers = workers / workers",
    "import os\nworkers = 'x'\nfor n in range(100):\n    workers = os.path.join(workers, workers)",
    "workers = 'x'\nfor n in range(100):\n    workers = '%s%s' % (workers, workers)",
    "workers = 'x'\nfor n in range(100):\n    workers = str((workers, workers))",
    "workers = [0]\nfor n in range(100):\n    workers += workers",
    "workers = [0]\nfor n in range(100):\n    workers.extend(workers)",
    "a = (1,)\nfor n in range(100):\n    a = (a, a)\nworkers = str(a)",
    "a = []\nfor n in range(100):\n    b = []\n    b.append(a)\n    b.append(a)\n    a = b\nworkers = max(a)",
    "import os\nworkers = os.cpu_count()\nfor n in range(100):\n    workers = workers + workers",
    "import os\nworkers = os.cpu_count()\nfor n in range(400):\n    workers += 1",
    "import os\nworkers = os.cpu_count()\nfor n in range(99):\n    workers = 1 if workers > 2 else workers or workers",
    "for n in range(-10 ** 9, 1):\n    workers = n",
    "workers = list(range(1, 5, 0))",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_end(text: str) -> None:
    began = time.process_time()
    outcome = run(text)
    assert time.process_time() - began < 5
    bound = outcome.names.get("workers")
    if bound is not None and isinstance(bound.value, (Apply, Unknown)):
        render(resolve(bound.value, Surroundings({Counter.HOST: 2})))  # whoever asks later ends, too
    assert time.process_time() - began < 5
    assert bound is None or not isinstance(bound.value, (int, str)), bound


def test_a_file_that_is_given_up_says_so() -> None:
    outcome = run("bind = 'a:1'\nworkers = 4\nexec('workers = 2')\nthreads = 2")
    assert not outcome.complete
    assert isinstance(outcome.names["workers"].value, Unknown)
    assert "threads" not in outcome.names
    assert run("workers = 4").complete


def test_watched_calls_are_seen_with_their_arguments() -> None:
    (seen,) = calls("import os, uvicorn as u\nu.run('app:app', workers=int(os.getenv('W', '4')))", "uvicorn.run")
    assert (seen.name, seen.args, dict(seen.keywords)) == ("uvicorn.run", ("app:app",), {"workers": 4})
    (seen,) = calls("from uvicorn import run\nclass A:\n    pass\nrun(A(), port=80)", "uvicorn.run")
    assert isinstance(seen.args[0], Unknown)
    assert seen.keywords == {"port": 80}
    assert not calls("import uvicorn\nuvicorn.run('a:b')", "uvicorn.Config")


def test_a_program_runs_its_main_part_and_functions_that_nothing_calls() -> None:
    text = "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('a:b')"
    assert [seen.args for seen in calls(text, "uvicorn.run")] == [("a:b",)]
    uncalled = "import uvicorn\ndef main(port=80):\n    uvicorn.run('a:b', port=port)"
    assert [dict(seen.keywords) for seen in calls(uncalled, "uvicorn.run")] == [{"port": 80}]
    called = f"{uncalled}\nmain(81)"
    assert [dict(seen.keywords) for seen in calls(called, "uvicorn.run")] == [{"port": 81}]


def test_many_open_questions_on_the_way_to_a_call() -> None:
    ways = "".join(f"    if thing({n}):\n        x{n} = {n}\n    else:\n        x{n} = -1\n" for n in range(40))
    text = f"import uvicorn\nfrom things import thing\ndef main(port=80):\n{ways}    uvicorn.run('a:b', port=port)"
    assert [dict(seen.keywords) for seen in calls(text, "uvicorn.run")] == [{"port": 80}]
    early = ways.replace("x3 = 3", "return").replace("x5 = -1", "raise SystemExit")
    assert [seen.args for seen in calls(text.replace(ways, early), "uvicorn.run")] == [("a:b",)]
    left = "import uvicorn\nfrom things import thing\ndef main():\n" + ways + "    return x7\nuvicorn.run(main())"
    (seen,) = calls(left, "uvicorn.run")
    assert isinstance(seen.args[0], Unknown)


WHICH = "import uvicorn\nfrom things import thing\n"


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("options = {'workers': 4}\nuvicorn.run('a:b', **options)", {"workers": 4}),
        (
            "options = dict(workers=4)\nuvicorn.run('a:b', port=1, **options, host='h')",
            {"port": 1, "workers": 4, "host": "h"},
        ),
        (
            "options = {}\noptions['port'] = 80\noptions.update(workers=2)\nuvicorn.run('a:b', **options)",
            {"port": 80, "workers": 2},
        ),
        ("options = {'port': 80}\ndel options['port']\nuvicorn.run('a:b', **options)", {}),
        ("options = {'port': 80}\nuvicorn.run('a:b', **{**options, 'workers': 2})", {"port": 80, "workers": 2}),
        (
            "for name in ('workers', 'port'):\n    options[name] = 3\nuvicorn.run('a:b', **options)",
            {"workers": 3, "port": 3},
        ),
        ("options['port'] = 80\nprint(options)\nuvicorn.run('a:b', **options)", {"port": 80}),
        (
            "import logging\nlog = logging.getLogger()\noptions['port'] = 80\nlog.info('%s', options)\n"
            "uvicorn.run('a:b', **options)",
            {"port": 80},
        ),
        ("def add(into):\n    into['port'] = 80\nadd(options)\nuvicorn.run('a:b', **options)", {"port": 80}),
        ("def serve(app, **more):\n    uvicorn.run(app, **more)\nserve('a:b', port=80)", {"port": 80}),
        ("def serve(*args, **more):\n    uvicorn.run(*args, **more)\nserve('a:b', port=80)", {"port": 80}),
        ("if thing:\n    options['reload'] = True\nuvicorn.run('a:b', **options)", {"reload": ...}),
        (
            "options = {'port': 80}\nif thing:\n    options['port'] = 81\nelse:\n    options['workers'] = 2\n"
            "uvicorn.run('a:b', **options)",
            {"port": ..., "workers": ...},
        ),
        ("other = options\nif thing:\n    other['reload'] = True\nuvicorn.run('a:b', **options)", {"reload": ...}),
        ("port = 80\nif thing:\n    port = 81\nuvicorn.run('a:b', port=port, workers=2)", {"port": ..., "workers": 2}),
        (
            "def serve(port):\n    uvicorn.run('a:b', port=port, workers=2)\nserve(80)\nserve(81)",
            {"port": ..., "workers": 2},
        ),
    ],
)
def test_what_a_call_unpacks(text: str, keywords: dict[str, Any]) -> None:
    (seen,) = calls(f"{WHICH}options = {{}}\n{text}", "uvicorn.run")
    assert seen.args == ("a:b",)
    assert {name: ... if isinstance(value, Unknown) else value for name, value in seen.keywords.items()} == keywords


@pytest.mark.parametrize(
    "text",
    [
        "uvicorn.run('a:b', **thing)",
        "uvicorn.run(*thing)",
        "options.update(thing)\nuvicorn.run('a:b', **options)",
        "options.update(**thing)\nuvicorn.run('a:b', **options)",
        "options[thing] = 1\nuvicorn.run('a:b', **options)",
        "for name in thing:\n    options[name] = 1\nuvicorn.run('a:b', **options)",
        "for name in thing:\n    options.update(reload=True)\nuvicorn.run('a:b', **options)",
        "for name in thing:\n    del options['port']\nuvicorn.run('a:b', **options)",
        "options.setdefault('reload', True)\nuvicorn.run('a:b', **options)",
        "options.update(thing)\ncopy = {**options}\nuvicorn.run('a:b', **copy)",
        "def serve():\n    if thing:\n        options['reload'] = True\n    uvicorn.run('a:b', **options)\nserve()",
        "def serve():\n    if thing:\n        options.update(reload=True)\n    uvicorn.run('a:b', **options)\nserve()",
        "thing.fill(options)\nuvicorn.run('a:b', **options)",
        "thing(options)\nuvicorn.run('a:b', **options)",
        "thing(into=options)\nuvicorn.run('a:b', **options)",
        "for name in thing:\n    thing(options)\nuvicorn.run('a:b', **options)",
        "other = {}\nfor name in thing:\n    other[name], options[name] = 1, 2\nuvicorn.run('a:b', **options)",
        "other = {}\nfor name in thing:\n    other[name] = options[name] = 1\nuvicorn.run('a:b', **options)",
        "class Held:\n    def __init__(self):\n        self.more = {}\nheld = Held()\n"
        "for name in thing:\n    held.more[name] = 1\nuvicorn.run('a:b', **held.more)",
        "def add(into):\n    into['reload'] = True\ndef serve():\n    if thing:\n        add(options)\n"
        "    uvicorn.run('a:b', **options)\nserve()",
        "def serve(**more):\n    uvicorn.run('a:b', **more)",
        "def serve(*args):\n    uvicorn.run(*args)",
    ],
)
def test_what_a_call_may_unpack_is_not_guessed(text: str) -> None:
    assert calls(f"{WHICH}options = {{'port': 80}}\n{text}", "uvicorn.run") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("names = {'a': 1}\nnames.update(thing)\nfound = 'b' in names", ...),
        ("names = {'a': 1}\nnames.update(thing)\nfound = names.get('b', 2)", ...),
        ("names = {'a': 1}\nnames.update(thing)\nfound = names['b']", ...),
        ("names = {'a': 1}\nnames.update({'b': 2})\nfound = names['b']", 2),
        ("names = [1]\nfor one in thing:\n    names.append(one)\nfound = names[3]", ...),
        ("names = [1]\nif thing:\n    names.append(2)\nfound = names", ...),
        ("names = [1]\nif thing:\n    pass\nfound = names", [1]),
    ],
)
def test_lists_and_dictionaries_that_may_hold_more(text: str, value: object) -> None:
    found = evaluate(facts_of(f"{WHICH}{text}"), {}, loader({})).names["found"].value
    assert (... if isinstance(found, Unknown) else found) == value


def test_a_call_knows_its_module() -> None:
    project = {"server": "import uvicorn\n\n\ndef serve(app):\n    uvicorn.run(app, port=80)"}
    text = "import uvicorn\nfrom server import serve\nserve('a:b')\nuvicorn.run('c:d')"
    found = watch(facts_of(text), {}, loader(project), "app", frozenset({"uvicorn.run"}))
    assert [(seen.module, seen.args) for seen in found] == [("server", ("a:b",)), ("app", ("c:d",))]


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("settings.PORT = 81", 81),
        ("if thing:\n    settings.PORT = 81", ...),
        ("settings.OTHER = 81", 80),
    ],
)
def test_a_name_of_another_module_may_be_set(line: str, port: object) -> None:
    text = f"{WHICH}import settings\n{line}\nuvicorn.run('a:b', port=settings.PORT)"
    (seen,) = watch(facts_of(text), {}, loader({"settings": "PORT = 80"}), "app", frozenset({"uvicorn.run"}))
    assert (... if isinstance(seen.keywords["port"], Unknown) else seen.keywords["port"]) == port


def test_classes_that_stand_on_a_watched_one_are_seen() -> None:
    text = "from gunicorn.app.base import BaseApplication as B\nclass App(B):\n    def __init__(self, app, options):\n"
    text += "        self.options = options\nApp('a', {'workers': 4})"
    (seen,) = calls(text, "gunicorn.app.base.BaseApplication")
    assert seen.args == ("a", {"workers": 4})


@pytest.mark.parametrize(
    "project",
    [
        {"shop": "from shop import web\n", "shop.web": "PORT = 81\n"},
        {"shop": "from shop import web as web\nweb = web\n", "shop.web": "from shop import web\nPORT = 81\n"},
        {"shop": "from other import web\n", "other": "from shop import web\n", "shop.web": "PORT = 81\n"},
        {"shop": "from shop.web import *\nfrom shop import web\n", "shop.web": "from shop import web\nPORT = 81\n"},
    ],
    ids=["itself", "and what it imports", "two of each other", "by a star"],
)
def test_an_import_may_lead_back_to_itself(project: dict[str, str]) -> None:
    text = "import uvicorn\nfrom shop import web\nuvicorn.run('a:b', port=web.PORT)\nuvicorn.run('c:d')"
    found = watch(facts_of(text), {}, loader(project), "app", frozenset({"uvicorn.run"}))
    assert [(seen.args, dict(seen.keywords)) for seen in found] == [(("a:b",), {"port": 81}), (("c:d",), {})]
