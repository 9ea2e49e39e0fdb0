"""The rules on executors once the target is known: sizes are computed for its cores, and workers multiply them."""

from __future__ import annotations

import pytest

from fastlint.checks.executors import executors_without_limit, oversized_executors, processes_multiply
from fastlint.config import Amount, TargetSettings
from fastlint.deploy.plan import Limits, Rank, Said, ServerPlan, Setting
from fastlint.finding import Finding, Location, Severity
from fastlint.graph.build import build_graph
from fastlint.graph.world import Module
from fastlint.machine import Machine
from fastlint.project import Project
from fastlint.rulebook.load import load_catalogue
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words
from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import parse

SOURCE = b"""
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

threads = ThreadPoolExecutor()
many = ThreadPoolExecutor(30)
processes = ProcessPoolExecutor()
three = ProcessPoolExecutor(3)
"""


def plan(cores: float | None, workers: int) -> ServerPlan:
    said = Said("workers", workers, Rank.COMMAND, "command")
    limits = Limits(cores=Said("cpus", cores, Rank.FILE, "compose")) if cores is not None else Limits()
    return ServerPlan(
        "web", "uvicorn", "app:app", Location("compose.yaml"), {"workers": Setting(workers, said)}, limits
    )


def project(*plans: ServerPlan) -> Project:
    facts = parse(SOURCE)
    assert isinstance(facts, ModuleFacts)
    graph = build_graph([(Module("app", "app.py", False, facts), ())], load_catalogue(rules_folder()))
    return Project(graph, load_words(rules_folder()), lambda module, site: Location(f"{module}.py"), plans)


def messages(findings: list[Finding]) -> list[str]:
    return [finding.message for finding in findings]


@pytest.mark.parametrize(
    ("plans", "threads", "processes"),
    [
        ((), "min(32, cores + 4)", "one process a core"),
        ((plan(2, 1),), "min(32, 2 + 4) = 6", "one process a core = 2"),
        ((plan(64, 1),), "min(32, 64 + 4) = 32", "one process a core = 64"),
        ((plan(2, 1), plan(4, 1)), "min(32, cores + 4)", "one process a core"),
    ],
)
def test_the_size_of_a_pool_is_that_of_the_target(plans: tuple[ServerPlan, ...], threads: str, processes: str) -> None:
    found = messages(list(executors_without_limit(project(*plans))))
    assert [text.partition("takes ")[2] for text in found] == [threads, processes]


def test_declared_cores_count_without_any_plan() -> None:
    declared = project()
    declared.settings = TargetSettings(cores=Amount(2, "--cores"))
    assert "min(32, 2 + 4) = 6" in messages(list(executors_without_limit(declared)))[0]


def test_the_linting_machine_is_never_asked() -> None:
    def asked() -> Machine:
        raise AssertionError("nobody said that this machine is the server")

    silent = project()
    silent.machine = asked
    assert "min(32, cores + 4)" in messages(list(executors_without_limit(silent)))[0]


def test_thirty_threads_are_many_for_two_cores_only() -> None:
    assert messages(list(oversized_executors(project()))) == []
    assert messages(list(oversized_executors(project(plan(8, 1))))) == []
    found = messages(list(oversized_executors(project(plan(2, 1)))))
    assert [text.partition(": ")[2] for text in found] == ["30 > 5 x 2 cores", "3 > 1 x 2 cores"]


def test_half_a_core_still_serves_two_threads() -> None:
    found = messages(list(oversized_executors(project(plan(0.5, 1)))))
    assert [text.partition(": ")[2] for text in found] == ["30 > 5 x 0.5 cores", "3 > 1 x 0.5 cores"]


def test_workers_multiply_processes() -> None:
    found = list(processes_multiply(project(plan(4, 2))))
    assert [finding.message.partition("worker: ")[2] for finding in found] == [
        "2 workers x 4 processes = 8 > 4 cores",
        "2 workers x 3 processes = 6 > 4 cores",
    ]
    assert {finding.severity for finding in found} == {Severity.WARNING}


def test_one_worker_multiplies_nothing() -> None:
    assert list(processes_multiply(project(plan(4, 1)))) == []


def test_without_a_plan_only_a_process_a_core_is_worth_a_word() -> None:
    found = list(processes_multiply(project()))
    assert [finding.severity for finding in found] == [Severity.INFO]


def test_every_worker_has_a_pool_of_its_own() -> None:
    found = messages(list(oversized_executors(project(plan(8, 2)))))
    assert [text.partition(": ")[2] for text in found] == ["2 workers x 30 = 60 > 5 x 8 cores"]


def test_the_factors_are_settings() -> None:
    generous = project(plan(2, 1))
    generous.settings = TargetSettings(threads_per_core=Amount(20, "x"), processes_per_core=Amount(2, "x"))
    assert messages(list(oversized_executors(generous))) == []


def native(source: str, *plans: ServerPlan) -> list[str]:
    facts = parse(source.encode())
    assert isinstance(facts, ModuleFacts)
    graph = build_graph([(Module("app", "app.py", False, facts), ())], load_catalogue(rules_folder()))
    places = lambda module, site: Location(f"{module}.py")  # noqa: E731
    return messages(list(processes_multiply(Project(graph, load_words(rules_folder()), places, plans))))


def test_native_threads_multiply_with_workers() -> None:
    (message,) = native("import torch\n", plan(4, 2))
    assert message == "`torch` multiplies with every worker: 2 workers x 4 threads = 8 > 4 cores"


@pytest.mark.parametrize(
    ("source", "workers"),
    [
        pytest.param("import torch\n", 1, id="one worker"),
        pytest.param("import numpy\n", 2, id="arrays are not computing all the time"),
        pytest.param("import torch\ntorch.set_num_threads(1)\n", 2, id="bounded by a call"),
        pytest.param("import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport torch\n", 2, id="by a variable"),
        pytest.param("from .torch import x\n", 2, id="a module of the project"),
    ],
)
def test_native_threads_that_are_bounded_stay_quiet(source: str, workers: int) -> None:
    assert native(source, plan(4, workers)) == []
