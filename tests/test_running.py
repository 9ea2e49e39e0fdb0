"""Trees of processes, told apart on recorded tables: who is master, worker or neither, and what is not to be seen."""

from __future__ import annotations

import pytest

from fastlint.deploy.commands import Program
from fastlint.deploy.plan import Command, ServerPlan
from fastlint.deploy.python_entry import PythonFiles
from fastlint.deploy.values import Unknown
from fastlint.finding import Location
from fastlint.machine import Figure, Machine
from fastlint.running.look import chosen
from fastlint.running.plan import Started, read_running
from fastlint.running.processes import Entry, Surroundings
from fastlint.running.recognise import command_of, shown_words
from fastlint.running.refusals import RunningError
from fastlint.running.trees import Root, find_roots, members

PYTHON = "/srv/venv/bin/python3.12"
GUNICORN = (PYTHON, "/srv/venv/bin/gunicorn", "shop:app", "-w", "2")
SPAWNED = (PYTHON, "-c", "from multiprocessing.spawn import spawn_main; spawn_main(7)", "--multiprocessing-fork")
TRACKER = (PYTHON, "-c", "from multiprocessing.resource_tracker import main;main(4)")
MACHINE = Machine(Figure("cores", 2, "test"), Figure("memory", 2**30, "test"), ())
NO_FILES = PythonFiles(
    (), (), lambda path: None, lambda path: "", lambda name: None, lambda path, site: Location(path), lambda path: ()
)


def entry(pid: int, parent: int, words: tuple[str, ...] | None, created: float = 0.0) -> Entry:
    return Entry(pid, parent, created, "python", words)


def table(*entries: Entry) -> dict[int, Entry]:
    return {each.pid: each for each in entries}


def roots_of(processes: dict[int, Entry]) -> dict[int, Root]:
    return {root.entry.pid: root for root in find_roots(processes)}


def plan_of(root: Root, around: Surroundings | None = None) -> ServerPlan:
    plan = read_running(Started(root, around or Surroundings(environment={}), MACHINE), NO_FILES, {})
    assert plan is not None
    return plan


def roles(processes: dict[int, Entry], pid: int, around: Surroundings | None = None) -> dict[int, str]:
    roots = roots_of(processes)
    found = members(processes, roots[pid], plan_of(roots[pid], around), roots)
    return {member.entry.pid: member.role for member in found}


@pytest.mark.parametrize(
    ("words", "server"),
    [
        (GUNICORN, "gunicorn"),
        (("/opt/python", "-X", "dev", "-m", "uvicorn", "a:b"), "uvicorn"),
        (("uvicorn", "a:b"), "uvicorn"),
        ((PYTHON, "/usr/bin/fastapi", "run", "main.py"), "fastapi run"),
        ((r"C:\venv\Scripts\uvicorn.exe", "a:b"), "uvicorn"),
        (("/Library/Python.app/Contents/MacOS/Python", "-m", "hypercorn", "a:b"), "hypercorn"),
        (("sh", "-c", "uvicorn a:b"), None),
        (("tini", "--", "uvicorn", "a:b"), None),
        ((PYTHON, "-c", "import uvicorn; uvicorn.run('a:b')"), None),
        ((PYTHON, "/usr/bin/fastapi", "--version"), None),
        (("vim", "uvicorn"), None),
        ((), None),
        (None, None),
    ],
)
def test_only_the_server_itself_is_one(words: tuple[str, ...] | None, server: str | None) -> None:
    found = command_of(entry(7, 1, words))
    assert (found.server if isinstance(found, Command) else found) == server


def test_a_program_is_left_to_whoever_reads_it() -> None:
    found = command_of(entry(7, 1, (PYTHON, "serve.py")))
    assert isinstance(found, Program)


def test_a_worker_of_gunicorn_is_a_fork_and_its_own_children_are_none() -> None:
    processes = table(
        entry(1, 0, ("sh", "-c", "gunicorn shop:app -w 2")),
        entry(10, 1, GUNICORN),
        entry(11, 10, GUNICORN),
        entry(12, 10, GUNICORN),
        entry(13, 12, GUNICORN),  # a process pool of the application
        entry(14, 10, ("ffmpeg",)),
    )
    assert list(roots_of(processes)) == [10]
    assert roles(processes, 10) == {10: "master", 11: "worker", 12: "worker", 13: "helper", 14: "helper"}


def test_a_server_that_an_application_starts_is_one_of_its_own() -> None:
    other = (PYTHON, "-m", "uvicorn", "other:app", "--workers", "2")
    processes = table(
        entry(10, 1, GUNICORN),
        entry(11, 10, GUNICORN),
        entry(20, 11, other),
        entry(21, 20, SPAWNED),
        entry(22, 20, TRACKER),
    )
    assert roles(processes, 10) == {10: "master", 11: "worker"}
    assert roles(processes, 20) == {20: "master", 21: "worker", 22: "helper"}


def test_what_a_uvicorn_without_supervisor_spawns_belongs_to_the_application() -> None:
    processes = table(entry(10, 1, (PYTHON, "-m", "uvicorn", "a:b")), entry(11, 10, SPAWNED), entry(12, 10, TRACKER))
    assert roles(processes, 10) == {10: "server", 11: "helper", 12: "helper"}
    # WEB_CONCURRENCY may be set where the environment is not to be seen: then they are taken for workers.
    assert roles(processes, 10, Surroundings()) == {10: "master", 11: "worker", 12: "helper"}
    given = Surroundings(environment={"WEB_CONCURRENCY": "2"})
    assert roles(processes, 10, given) == {10: "master", 11: "worker", 12: "helper"}


def test_a_hypercorn_of_no_workers_serves_by_itself() -> None:
    alone = table(entry(10, 1, (PYTHON, "-m", "hypercorn", "a:b", "-w", "0")), entry(11, 10, SPAWNED))
    assert roles(alone, 10) == {10: "server", 11: "helper"}
    one = table(entry(10, 1, (PYTHON, "-m", "hypercorn", "a:b")), entry(11, 10, SPAWNED))
    assert roles(one, 10) == {10: "master", 11: "worker"}


def test_a_late_worker_is_told_from_the_first_ones() -> None:
    def lateness(*started: float) -> list[float | None]:
        workers = [entry(11 + number, 10, GUNICORN, at) for number, at in enumerate(started)]
        processes = table(entry(10, 1, GUNICORN, 100.0), *workers)
        roots = roots_of(processes)
        return [each.late for each in members(processes, roots[10], plan_of(roots[10]), roots)[1:]]

    assert lateness(100.2, 101.5) == [None, None]
    assert lateness(100.5, 160.5) == [None, 60.0]
    assert lateness(130.0, 131.0) == [None, None]  # a preloaded application takes a while
    assert lateness(500.0, 501.0) == [400.0, 401.0]  # nobody is left of the first ones


def test_an_environment_that_is_not_to_be_seen_is_unknown_and_not_absent() -> None:
    root = roots_of(table(entry(10, 1, (PYTHON, "-m", "uvicorn", "a:b", "--port", "1"))))[10]
    open_, hidden = plan_of(root), plan_of(root, Surroundings())
    assert (open_.value("workers"), open_.value("timeout_keep_alive")) == (1, 5)
    assert isinstance(hidden.value("workers"), Unknown)
    assert isinstance(hidden.value("timeout_keep_alive"), Unknown)
    assert (open_.value("port"), hidden.value("port")) == (1, 1)  # the command line wins in any case


def test_a_configuration_that_is_not_to_be_read_is_unknown_and_not_absent() -> None:
    root = roots_of(table(entry(10, 1, (*GUNICORN, "-c", "/nowhere/conf.py"))))[10]
    around = Surroundings(folder="/nowhere", environment={})
    assert isinstance(plan_of(root, around).value("timeout"), Unknown)
    plain = roots_of(table(entry(10, 1, GUNICORN)))[10]
    assert plan_of(plain, around).value("timeout") == 30  # there is no gunicorn.conf.py
    assert isinstance(plan_of(plain, Surroundings(environment={})).value("timeout"), Unknown)  # or nobody knows where


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("gunicorn", "-e", "KEY=abc", "a:b"), ("gunicorn", "-e", "KEY=***", "a:b")),
        (("gunicorn", "--env=KEY=abc"), ("gunicorn", "--env=KEY=***")),
        (("gunicorn", "-eKEY=abc"), ("gunicorn", "-eKEY=***")),
        (("hypercorn", "--keyfile-password", "abc"), ("hypercorn", "--keyfile-password", "***")),
        (("python", "x.py", "--db-password=abc"), ("python", "x.py", "--db-password=***")),
        (("python", "x.py", "--token", "abc", "next"), ("python", "x.py", "--token", "***", "next")),
        (("python", "x.py", "redis://me:abc@host/0"), ("python", "x.py", "redis://me:***@host/0")),
        (("uvicorn", "a:b", "--port", "80"), ("uvicorn", "a:b", "--port", "80")),
    ],
)
def test_secrets_of_a_command_line_are_masked(words: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert shown_words(words) == shown


def test_nothing_to_look_at_is_a_sentence() -> None:
    processes = table(entry(10, 1, ("bash",)), entry(11, 10, GUNICORN), entry(12, 1, None))
    roots = roots_of(processes)
    assert [root.entry.pid for root in chosen(processes, roots, 10, None)] == [11]  # it starts it
    for pid, words in ((99, "no process 99"), (12, "command line may not be seen")):
        with pytest.raises(RunningError, match=words):
            chosen(processes, roots, pid, None)
    with pytest.raises(RunningError, match="no gunicorn, uvicorn or hypercorn runs"):
        chosen({}, {}, None, None)
