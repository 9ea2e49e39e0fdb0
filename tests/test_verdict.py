"""After an edit that changes no facts a run takes over what was found, and says what a run without cache says."""

from __future__ import annotations

import ast
import io
import json
import random
import re
import shutil
import tokenize
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import fastlint.engine
import fastlint.graph.build
import fastlint.rulebook.load
import fastlint.source.parallel
from fastlint.cache import folder
from fastlint.config import Amount, Config, TargetSettings
from fastlint.engine import check
from fastlint.finding import Confidence, Severity
from fastlint.report import FORMATS, Style
from fastlint.report.model import CheckRequest, Report, StdinSource
from fastlint.rulebook.catalogue import Catalogue
from fastlint.rulebook.schema import Library
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words
from fastlint.source.parse import parse_encoded

FIXTURES = Path(__file__).parent.parent / "fixtures"
WORDS = load_words(rules_folder())
EVERYTHING = Config(severity=Severity.INFO, confidence=Confidence.LOW)
BROKEN = "broken"  # some of its files cannot even be cut into tokens
BY_PYTHON = frozenset({"deploy_code", "deploy_settings", "deploy_demo"})  # the text of a file is read
APPLICATIONS = (
    "demo",
    "entry_dependencies",
    "executors_and_threads",
    "fastapi_semantics",
    "one_finding",
    "regressions_held_locks",
    "shared_state",
    "suppression",
    "tasks_and_queues",
    BROKEN,
    *sorted(BY_PYTHON),
)
APP = """import time
from fastapi import FastAPI
from .work import work, {names}

app = FastAPI()


@app.get("/")
async def index():
    return work(), {names}
"""


parsed_once = cache(parse_encoded)


def said(report: Report, unresolved: bool = True) -> str:
    """The report as JSON, byte for byte but for the seconds."""
    text = FORMATS["json"](report, WORDS, Style(unresolved=unresolved))
    return re.sub(r'"seconds": [\d.]+', '"seconds": 0', text)


def request(root: Path, cached: bool, config: Config = EVERYTHING) -> CheckRequest:
    return CheckRequest((str(root),), config._replace(root=str(root)), cached=cached, unresolved=True)


def both(root: Path, config: Config = EVERYTHING) -> str:
    """What is said with and without cache, which must be the same."""
    text = said(check(request(root, cached=True, config=config)))
    assert text == said(check(request(root, cached=False, config=config)))
    return text


@cache
def catalogue_of(folder: Path, own: str) -> list[Catalogue]:
    """Room for the catalogue with what some settings add to it."""
    return []


@pytest.fixture(autouse=True)
def _asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes say the same, and so do the tables of the catalogue: with or without cache they are read once."""
    load = fastlint.rulebook.load.load_catalogue

    def loaded(folder: Path, own: list[Library]) -> Catalogue:
        known = catalogue_of(folder, repr(own))
        if not known:
            known.append(load(folder, own))
        return known[0]

    monkeypatch.setattr(fastlint.rulebook.load, "load_catalogue", loaded)
    monkeypatch.setattr(fastlint.source.parallel, "parse_encoded", parsed_once)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every graph that is built."""
    built: list[int] = []
    build = fastlint.graph.build.build_graph

    def counted(*given: Any, **named: Any) -> object:
        built.append(1)
        return build(*given, **named)

    monkeypatch.setattr(fastlint.graph.build, "build_graph", counted)
    return built


def taken_over(root: Path, graphs: list[int], config: Config = EVERYTHING) -> str:
    """What is said with and without cache, where the former built no graph."""
    before = len(graphs)
    text = both(root, config)
    assert len(graphs) == before + 1, "the graph was built with the cache, too"
    return text


def falls_once(root: Path, graphs: list[int]) -> None:
    """After a change that counts all is judged anew, and that is taken over in its turn."""
    built = len(graphs)
    both(root)
    assert len(graphs) == built + 2
    edit(root / "app" / "main.py", comment_at_the_top)
    taken_over(root, graphs)


# --- edits ----------------------------------------------------------------------------------------------------------


def comment_at_the_top(source: str) -> str:
    return f"# A comment of today,\n# of two lines.\n{source}"


def docstrings(source: str) -> str:
    """A docstring for every function: a new one, or one more string behind the old one."""
    lines = source.splitlines(keepends=True)
    for node in sorted(ast.walk(ast.parse(source)), key=lambda each: -getattr(each, "lineno", 0)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = node.body[0]
            indent = lines[first.lineno - 1][: first.col_offset]
            if not indent.strip() and not getattr(first, "decorator_list", None) and first.lineno > node.lineno:
                lines.insert(first.lineno - 1, f'{indent}"""Words"""\n{indent}"of " \'today.\'\n')
    return "".join(lines)


def blank_lines(source: str) -> str:
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        first = node.decorator_list[0] if getattr(node, "decorator_list", None) else node  # type: ignore[attr-defined]
        if first.col_offset - isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) <= 0:
            lines.insert(first.lineno - 1, "\n\n\n")
    return "".join(lines)


def calls_over_several_lines(source: str) -> str:
    """A new line behind every opening bracket and comma inside of brackets, as no formatter would break them."""
    lines = source.splitlines(keepends=True)
    depth, inside, breaks = 0, 0, []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        inside += (name in ("FSTRING_START", "TSTRING_START")) - (name in ("FSTRING_END", "TSTRING_END"))
        if token.type == tokenize.OP and not inside:
            depth += (token.string in "([{") - (token.string in ")]}")
            if depth and token.string in "([{,":
                breaks.append(token.end)
    for line, column in reversed(breaks):
        text = lines[line - 1]
        lines[line - 1] = f"{text[:column]}\n    {text[column:]}"
    return "".join(lines)


def other_quotes(source: str) -> str:
    """Plain strings in the other quotes."""
    lines = source.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        text = token.string
        if token.type == tokenize.STRING and re.fullmatch(r"\"[^\"'\\\n]+\"", text):
            (line, start), (_, end) = token.start, token.end
            lines[line - 1] = f"{lines[line - 1][:start]}'{text[1:-1]}'{lines[line - 1][end:]}"
    return "".join(lines)


EDITS = (comment_at_the_top, docstrings, blank_lines, calls_over_several_lines, other_quotes)


def files(root: Path) -> list[Path]:
    return [path for path in sorted(root.rglob("*.py")) if folder.NAME not in path.parts]


def edit(path: Path, how: Callable[[str], str]) -> None:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            after = how(handle.read())
        ast.parse(after)
    except (SyntaxError, ValueError, tokenize.TokenError):  # a fixture that is broken on purpose
        return
    path.write_text(after, "utf-8", newline="")


@pytest.fixture(params=APPLICATIONS)
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one application that may be edited."""
    root = tmp_path / str(request.param)
    shutil.copytree(FIXTURES / str(request.param), root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


# --- what must be the same ------------------------------------------------------------------------------------------


def test_edits_without_meaning_are_taken_over_with_their_places(application: Path, graphs: list[int]) -> None:
    first = both(application)
    for how in EDITS:
        before = len(graphs)
        for path in files(application):
            edit(path, how)
        text = both(application)
        if application.name not in (BROKEN, *BY_PYTHON):
            assert len(graphs) == before + 1, f"{how.__name__}: the graph was built with the cache, too"
    assert text != first or not json.loads(first)["findings"]


def test_comments_that_silence_are_heeded_when_they_come_and_go(application: Path, graphs: list[int]) -> None:
    first = both(application)
    findings = json.loads(first)["findings"]
    told = [each for each in findings if each["location"]["path"].endswith(".py") and each["code"] != "FL001"][:3]
    assert told or application.name in (BROKEN, *BY_PYTHON)
    for finding in told:
        where = finding["location"]
        path = application / where["path"]
        before = path.read_text("utf-8")
        lines = before.splitlines(keepends=True)
        line = lines[where["line"] - 1]
        lines[where["line"] - 1] = f"{line.rstrip()}  # fastlint: ignore[{finding['code']}, FL999]\n"
        path.write_text("".join(lines), "utf-8")
        text = both(application)
        path.write_text(before, "utf-8")
        assert '"FL003"' in text
        assert said(check(request(application, cached=True))) == first  # as without cache


def test_edits_with_a_meaning_are_seen(application: Path) -> None:
    before = both(application)
    chance = random.Random(application.name)
    sound = [path for path in files(application) if application.name != BROKEN or path.name == "main.py"]
    for path in chance.sample(sound, min(3, len(sound))):
        edit(path, lambda source: f"{source}\n\nasync def of_today():\n    import time\n\n    time.sleep(1)\n")
        assert both(application) != before or application.name in BY_PYTHON


# --- what a verdict rests on ----------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with findings in one module that follow from two."""
    (tmp_path / "app").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "main.py").write_text(APP.format(names="1").replace(", 1", ""))
    (tmp_path / "app" / "work.py").write_text("import time\n\n\ndef work():\n    time.sleep(1)\n")
    (tmp_path / "tests" / "test_work.py").write_text("def test_work():\n    assert True\n")
    return tmp_path


def _settings(**changes: object) -> Config:
    return EVERYTHING._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(_settings(selection=EVERYTHING.selection.then(ignore=["FL102"])), id="rules"),
        pytest.param(_settings(offloaders=("app.work.work",)), id="offloaders"),
        pytest.param(_settings(entry_points=("app.work.work",)), id="entry points"),
        pytest.param(_settings(target=TargetSettings(cores=Amount(4, "--cores"))), id="target"),
    ],
)
def test_other_settings_have_verdicts_of_their_own(project: Path, graphs: list[int], config: Config) -> None:
    both(project)
    built = len(graphs)
    both(project, config)
    assert len(graphs) == built + 2
    edit(project / "app" / "work.py", comment_at_the_top)
    taken_over(project, graphs)
    taken_over(project, graphs, config)


def test_what_is_shown_is_no_matter_of_the_verdict(project: Path, graphs: list[int]) -> None:
    both(project)
    for config in (_settings(severity=Severity.ERROR), _settings(confidence=Confidence.HIGH), Config()):
        taken_over(project, graphs, config)


def _new_file(project: Path) -> None:
    (project / "app" / "other.py").write_text("")


def _renamed(project: Path) -> None:
    (project / "app" / "work.py").rename(project / "app" / "works.py")


def _dockerfile(project: Path) -> None:
    (project / "Dockerfile").write_text("FROM python:3.12\nCMD uvicorn app.main:app --reload --workers 4\n")


def _broken(project: Path) -> None:
    (project / "app" / "work.py").write_text("def work(:\n")


def _called(project: Path) -> None:
    (project / "app" / "work.py").write_text("import time\n\n\ndef work():\n    time.clock(1)\n")


@pytest.mark.parametrize("change", [_new_file, _renamed, _dockerfile, _broken, _called])
def test_a_verdict_falls_with_what_it_rests_on(
    project: Path, graphs: list[int], change: Callable[[Path], None]
) -> None:
    both(project)
    change(project)
    falls_once(project, graphs)


def test_a_file_that_deployment_names_is_part_of_it(project: Path, graphs: list[int]) -> None:
    (project / "compose.yaml").write_text(
        "services:\n  web:\n    image: web\n    command: uvicorn app.main:app --port $PORT\n    env_file: web.env\n"
    )
    (project / "web.env").write_text("PORT=8000\n")
    both(project)
    taken_over(project, graphs)
    (project / "web.env").write_text("WEB_CONCURRENCY=4\n")
    falls_once(project, graphs)


def test_a_python_file_whose_text_was_read_is_part_of_it(project: Path, graphs: list[int]) -> None:
    (project / "Dockerfile").write_text("FROM python:3.12\nCMD gunicorn -c gunicorn.conf.py app.main:app\n")
    settings = project / "gunicorn.conf.py"
    settings.write_text('worker_class = "uvicorn.workers.UvicornWorker"\nworkers = 4\ntimeout = 0\nkeepalive = -1\n')
    both(project)
    edit(project / "app" / "main.py", comment_at_the_top)
    taken_over(project, graphs)
    edit(settings, comment_at_the_top)
    both(project)


def test_a_line_that_is_told_in_words_moves_too(project: Path, graphs: list[int]) -> None:
    (project / "Dockerfile").write_text("FROM python:3.12\nCMD gunicorn --preload -w 4 app.main:app\n")
    edit(project / "app" / "main.py", lambda source: f"{source}\nimport requests\n\nsession = requests.Session()\n")
    assert "app/main.py:14" in both(project)
    edit(project / "app" / "work.py", comment_at_the_top)
    taken_over(project, graphs)
    edit(project / "app" / "main.py", comment_at_the_top)
    assert "app/main.py:16" in both(project)


def test_places_in_another_order_are_judged_anew(project: Path, graphs: list[int]) -> None:
    work = "import time\n\n\ndef work(db):\n    {}.sleep(time.sleep(2)) or time.sleep(1)\n"
    (project / "app" / "work.py").write_text(work.format("time"))
    both(project)
    (project / "app" / "work.py").write_text(work.format("(\n        time\n    )"))
    both(project)


def test_files_that_cannot_be_read_stay_so_until_they_change(project: Path, graphs: list[int]) -> None:
    (project / "tests" / "test_work.py").write_text("def test_work(:\n")
    (project / "app" / "other.py").write_text("def other(:\n")
    assert both(project).count('"FL001"') >= 2
    edit(project / "app" / "work.py", comment_at_the_top)
    taken_over(project, graphs)
    (project / "tests" / "test_work.py").write_text("\n\ndef test_work(:\n")
    (project / "app" / "other.py").write_text("\n\ndef other(:\n")
    taken_over(project, graphs)
    (project / "tests" / "test_work.py").write_text("")
    (project / "app" / "other.py").write_text("")
    assert '"FL001"' not in both(project)


def test_a_part_of_a_project_and_standard_input_share_its_verdict(project: Path, graphs: list[int]) -> None:
    both(project)
    path = project / "app" / "work.py"
    part = CheckRequest((str(path),), EVERYTHING._replace(root=str(project)), cached=True, unresolved=True)
    built = len(graphs)
    text = said(check(part))
    assert len(graphs) == built
    assert text == said(check(part._replace(cached=False)))
    typed = part._replace(
        paths=(), stdin=StdinSource(str(path), comment_at_the_top(path.read_text("utf-8")).encode("utf-8"))
    )
    built = len(graphs)
    text = said(check(typed))
    assert len(graphs) == built
    assert text == said(check(typed._replace(cached=False)))
    taken_over(project, graphs)


def _verdicts(project: Path) -> list[Path]:
    return [path for path in (project / folder.NAME / "verdicts").iterdir() if path.is_file()]


def _changed(document: dict[str, object], key: str, value: object) -> dict[str, object]:
    return {**document, key: value}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("findings", [[99, "FL102", "x", 3, 3, "", "", [], [], [], "", "", 0]]),
        ("findings", [[["a", "b", 1, 0, 0], "FL102", "x", 3, 3, "", "", [], [], [], "", "", 0]]),
        ("findings", [[["a", 1, 1, 0, 0], "FL998", "x", 3, 3, "", "", [], [], [], "", "", 0]]),
        ("findings", [[["a", 1, 1, 0, 0], "FL102", None, 9, 3, "", "", [], [], [], "", "", 0]]),
        ("findings", 7),
        ("places", [["app/work.py", [[10**9, 1, 1, 1, 1]]]]),
        ("places", [["app/nowhere.py", [[1, 1, 1, 1, 1]]]]),
        ("files", [["app/nowhere.py", "", "", 0]]),
        ("files", None),
        ("texts", []),
        ("named", [[1, 2]]),
        ("glances", {"x": 5}),
        ("unresolved", [["app/work.py", "one", "two"]]),
    ],
)
def test_a_forged_verdict_is_none(project: Path, key: str, value: object) -> None:
    import zlib

    expected = both(project)
    (path,) = _verdicts(project)
    head, _, text = zlib.decompress(path.read_bytes()).partition(b"\n")
    forged = json.dumps(_changed(json.loads(text), key, value)).encode()
    path.write_bytes(zlib.compress(head + b"\n" + forged))
    edit(project / "app" / "work.py", comment_at_the_top)
    assert both(project) != expected
    path.write_bytes(zlib.compress(head + b"\n" + b"[" * 100_000))
    both(project)


def test_few_verdicts_are_kept(project: Path) -> None:
    for number in range(12):
        check(request(project, cached=True, config=_settings(entry_points=(f"app.work.f{number}",))))
    assert len(_verdicts(project)) == 8


def test_no_check_decides_by_lines() -> None:
    """A verdict is taken over while places stand in the same order. That two stand on one line is more than that: only
    what reads the very text of a file (`uvicorn.run`), or says a line in words, may look at one."""
    known = {"blocking.py": 1, "proxies.py": 1, "targets.py": 2, "workers.py": 1, "budget.py": 1, "shutdown.py": 1}
    known["imports.py"] = 2
    found = {
        path.name: count
        for path in (Path(fastlint.engine.__file__).parent / "checks").rglob("*.py")
        if (count := len(re.findall(r"\.line\b", path.read_text("utf-8"))))
    }
    assert found == known
