"""FL305 once the deployment is known: advice for one process, a warning for several, with the place that sets them."""

from __future__ import annotations

import pytest

from fastlint.checks.memory import per_worker_state
from fastlint.deploy.plan import Limits, Rank, Said, ServerPlan, Setting
from fastlint.deploy.values import Unknown
from fastlint.finding import Finding, Location, Severity
from fastlint.graph.build import build_graph
from fastlint.graph.world import Module
from fastlint.project import Project
from fastlint.rulebook.load import load_catalogue
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words
from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import parse

SOURCE = b"""
from fastapi import FastAPI

app = FastAPI()
visits = {"home": 0}
closed = False


@app.get("/visits/{name}")
async def visit(name: str) -> int:
    visits[name] += 1
    return visits[name]


@app.put("/closed")
async def close() -> None:
    global closed
    closed = True


@app.get("/closed")
async def is_closed() -> bool:
    return closed
"""
COMPOSE = Location("compose.yaml", 7)


def plan(workers: object, replicas: int | None = None) -> ServerPlan:
    said = Said("workers", 2, Rank.COMMAND, "compose command", COMPOSE)
    limits = Limits(replicas=Said("replicas", replicas, Rank.FILE, "compose", COMPOSE)) if replicas else Limits()
    settings = {"workers": Setting(workers, said)}  # type: ignore[arg-type]
    return ServerPlan("web", "uvicorn", "app:app", Location("compose.yaml"), settings, limits)


def found(*plans: ServerPlan) -> dict[str, Finding]:
    facts = parse(SOURCE)
    assert isinstance(facts, ModuleFacts)
    graph = build_graph([(Module("app", "app.py", False, facts), ())], load_catalogue(rules_folder()))
    project = Project(graph, load_words(rules_folder()), lambda module, site: Location(f"{module}.py", site), plans)
    return {finding.subject: finding for finding in per_worker_state(project)}


@pytest.mark.parametrize("plans", [(), (plan(1),), (plan(1, 1),), (plan(Unknown("an expression")),)])
def test_one_process_or_nobody_knows_is_advice(plans: tuple[ServerPlan, ...]) -> None:
    assert {finding.severity for finding in found(*plans).values()} == {Severity.INFO}


@pytest.mark.parametrize(
    ("several", "words"), [(plan(4), "4 workers"), (plan(1, 3), "3 replicas"), (plan(Unknown("?"), 2), "2 replicas")]
)
def test_several_processes_are_a_warning_that_shows_who_sets_them(several: ServerPlan, words: str) -> None:
    finding = found(plan(1), several)["visits"]
    assert finding.severity is Severity.WARNING
    assert words in finding.notes[0]
    assert any(step.where == COMPOSE and words in step.text for step in finding.related)


def test_a_flag_may_be_the_process_s_own_and_stays_advice() -> None:
    assert found(plan(4))["closed"].severity is Severity.INFO


def test_what_only_developers_start_does_not_count() -> None:
    assert found(plan(4)._replace(development=True))["visits"].severity is Severity.INFO
