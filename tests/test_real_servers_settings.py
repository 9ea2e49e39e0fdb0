"""What fastlint computes of files and command lines equals what the real servers report, setting by setting.

Unknown is allowed, wrong is not. The real servers run in a process of their own: see `real_servers_report`.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fastlint.deploy.commands import read_command
from fastlint.deploy.effective import Effective, settings_of
from fastlint.deploy.plan import Command, Rank, Said
from fastlint.deploy.python_entry import PythonFiles
from fastlint.deploy.texts import literal
from fastlint.deploy.values import Counter, Surroundings, is_literal, resolve
from fastlint.finding import Location
from fastlint.source.parse import Unreadable, parse

CASES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("real_servers_cases.json").read_text())
# Depend on the machine or the user and are never judged; hooks are functions.
NOT_COMPARED = {"user", "group", "chdir", "control_socket", "config", "default_proc_name", "ssl_version", "cert_reqs"}


def words_of(case: Mapping[str, Any]) -> list[str]:
    return shlex.split(case["command"])


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """What the real servers say, by case."""
    asked = [
        {"words": words_of(case), "files": case.get("files", {}), "environment": case.get("environment", {})}
        for case in CASES.values()
    ]
    driver = str(Path(__file__).with_name("real_servers_report.py"))
    done = subprocess.run([sys.executable, driver], input=json.dumps(asked), capture_output=True, text=True, check=True)
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


def python_files(files: Mapping[str, str]) -> PythonFiles:
    paths = [path for path in files if path.endswith(".py")]
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in paths}

    def facts(path: str) -> Any:
        read = parse(files[path].encode())
        return None if isinstance(read, Unreadable) else read

    return PythonFiles(
        paths,
        paths,
        facts,
        {path: name for name, path in modules.items()}.__getitem__,
        modules.get,
        lambda path, _: Location(path),
        lambda path: files[path].splitlines(),
    )


def computed(case: Mapping[str, Any]) -> tuple[Command, Effective]:
    environment = {
        name: Said(name, value, Rank.ENVIRONMENT, "test", Location("environment"))
        for name, value in case.get("environment", {}).items()
    }
    values = {name: said.value for name, said in environment.items()}
    found = read_command(literal(case["command"], Location("command")), values, "test")
    command = next(one for one in found if isinstance(one, Command))
    return command, settings_of(command, environment, python_files(case.get("files", {})), ("",))


def literals(case: Mapping[str, Any], effective: Effective) -> tuple[dict[str, Any], set[str]]:
    """The values that are known on this machine, and the names of those that are not."""
    cores = {Counter.HOST: os.cpu_count() or 1, Counter.AFFINITY: len(os.sched_getaffinity(0))}
    surroundings = Surroundings(cores, case.get("environment", {}))
    values = {name: resolve(setting.value, surroundings) for name, setting in effective.settings.items()}
    known = {name: value for name, value in values.items() if is_literal(value)}
    return known, values.keys() - known.keys()


def listed(value: Any) -> Any:
    return [listed(part) for part in value] if isinstance(value, (list, tuple)) else value


def alike(ours: Any, theirs: Any) -> bool:
    """Equal, or a text that the server keeps as the list of what it holds."""
    if isinstance(ours, str) and isinstance(theirs, list):
        return theirs in ([ours], [part.strip() for part in ours.split(",")])
    return repr(listed(ours)) == repr(theirs)


def differences(case: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    _, effective = computed(case)
    known, _ = literals(case, effective)
    return [
        f"{name}: computed {listed(value)!r}, the server says {answer[name]!r}"
        for name, value in sorted(known.items())
        if name in answer and name not in NOT_COMPARED and answer[name] != "an object"
        if not alike(value, answer[name])
    ]


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_is_computed_differs_from_the_real_server(name: str, answers: dict[str, dict[str, Any]]) -> None:
    if "refused" in answers[name]:
        assert CASES[name].get("refused"), answers[name]
        command, effective = computed(CASES[name])
        assert command.problems or effective.problems, answers[name]
        return
    assert not CASES[name].get("refused"), "the real server takes it"
    assert not differences(CASES[name], answers[name])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "known" in case])
def test_what_matters_is_known(name: str, answers: dict[str, dict[str, Any]]) -> None:
    known, _ = literals(CASES[name], computed(CASES[name])[1])
    assert set(CASES[name]["known"]) <= known.keys()


def test_enough_is_compared_and_known(answers: dict[str, dict[str, Any]]) -> None:
    accepted = [name for name in CASES if "refused" not in answers[name]]
    assert len(accepted) >= 60
    sorts = [literals(CASES[name], computed(CASES[name])[1]) for name in accepted]
    known, unknown = sum(len(each[0]) for each in sorts), sum(len(each[1]) for each in sorts)
    assert unknown * 20 <= known + unknown


def test_nothing_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    spoor = f"open({str(mark)!r}, 'w').close()\nworkers = 3\n"
    case = {"command": "gunicorn app:app", "files": {"gunicorn.conf.py": f"import side\n{spoor}", "side.py": spoor}}
    _, effective = computed(case)
    assert effective.settings["workers"].value == 3
    assert not mark.exists()
    exec(spoor, {})  # the mark would have been left
    assert mark.exists()
