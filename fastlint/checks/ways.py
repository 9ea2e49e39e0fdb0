"""The way from an entry point to a place, hop by hop, and the words for it. Judges nothing."""

from __future__ import annotations

from itertools import pairwise

from fastlint.finding import Confidence, Step
from fastlint.graph.contexts import Arrival, Context, State, forgotten_cost, unreached_cost
from fastlint.graph.places import Key
from fastlint.graph.state import MAYBE
from fastlint.project import Project


def steps_to(project: Project, state: State, site: int, text: str) -> tuple[Step, ...]:
    """The steps from the entry point that a state is reached from to a site in it."""
    graph = project.graph
    way = graph.contexts.way(state)
    while len(way) > 1 and graph.variants[way[0][0][0]].function[1] < 0:  # the module only registers the entry point
        way = way[1:]
    first = graph.variants[way[0][0][0]]
    label = graph.contexts.arrivals[way[0][0]].root
    name = graph.name(first)
    steps = [Step(project.where(first.function, -1), f"{label} → {name}" if label else name)]
    for (here, edge), (following, _) in pairwise(way):
        if edge is not None:
            function = graph.variants[here[0]].function
            steps.append(Step(project.where(function, edge.site), graph.name(graph.variants[following[0]])))
    steps.append(Step(project.where(graph.variants[state[0]].function, site), text))
    return tuple(steps)


def confidence_of(project: Project, state: State, best: Confidence = Confidence.HIGH) -> Confidence:
    """How sure the way to a state is, at most `best`."""
    return min(best, Confidence.MEDIUM) if project.graph.contexts.arrivals[state].flags & MAYBE else best


def sureness(arrival: Arrival, flags: int = 0) -> Confidence:
    """How sure it is that what is reached like this, by a hop with these flags, happens on a loop that serves."""
    if arrival.cost >= forgotten_cost():
        return Confidence.LOW
    unsure = (flags | arrival.flags) & MAYBE or arrival.cost >= unreached_cost()
    return Confidence.MEDIUM if unsure else Confidence.HIGH


def runs_in(state: State) -> str:
    """Where a state runs, in words."""
    return "in a worker thread" if state[1] is Context.POOL else "on the event loop"


def spelled(project: Project, place: Key) -> str:
    """A shared place as users write it."""
    if place[0] == "global":
        return str(place[2])
    if place[0] == "state":
        return f"app.state.{place[1]}"
    return f"{project.graph.world.class_(place[1]).name}.{place[2]}"


def spelled_lock(project: Project, lock: object) -> str:
    """A lock as users write it; nothing where it has no name."""
    if not isinstance(lock, tuple):
        return ""
    if lock[0] in ("global", "attr", "state"):
        return spelled(project, lock)
    return str(lock[1]) if lock[0] == "here" else ""
