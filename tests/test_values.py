"""Values grow, but never without end: data nested in data does not multiply what is analysed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastlint.graph.build import Graph, build_graph
from fastlint.graph.values import UNKNOWN, Value, has_method, shallow, union
from fastlint.graph.world import Module
from fastlint.rulebook.load import load_catalogue
from fastlint.rulebook.where import rules_folder
from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import parse

ONE: Value = ("f", "app", 1, -1)
TWO: Value = ("f", "app", 2, -1)
THREE: Value = ("f", "app", 3, -1)


def test_adding_nothing_new_gives_the_left_itself() -> None:
    left = (ONE, ("l", (ONE, TWO)), ("d", (("a", (ONE,)),), (TWO,)))
    assert union(left, (ONE,)) is left
    assert union(left, (("l", (TWO,)),)) is left
    assert union(left, (("d", (("a", (ONE,)),), UNKNOWN),)) is left


def test_a_list_grows_and_is_not_there_twice() -> None:
    assert union((("l", (ONE,)),), (("l", (TWO,)),)) == (("l", (ONE, TWO)),)


def test_what_one_dictionary_lacks_may_be_under_its_unknown_keys() -> None:
    left = (("d", (("a", (ONE,)),), UNKNOWN),)
    assert union(left, (("d", (("b", (TWO,)),), (THREE,)),)) == (("d", (("a", (ONE, THREE)), ("b", (TWO,))), (THREE,)),)


def test_coroutines_of_one_body_are_one_and_those_of_two_are_two() -> None:
    one, more, other = ("co", (ONE,), (4,)), ("co", (TWO,), (4,)), ("co", (TWO,), (5,))
    assert union((one,), (more,)) == (("co", (ONE, TWO), (4,)),)
    assert union((one,), (other,)) == (one, other)


def test_a_registry_of_registries_is_kept_and_three_of_them_are_data() -> None:
    registry: Value = ("d", (("on", (ONE,)),), UNKNOWN)
    spaces: Value = ("d", (("space", (registry,)),), UNKNOWN)
    assert shallow((spaces,)) == (spaces,)
    assert shallow((("d", (("more", (spaces,)),), UNKNOWN), ONE)) == (ONE,)
    assert shallow((("d", (("rows", (("l", (("t", ((ONE,), (TWO,))),)),)),), UNKNOWN),)) != UNKNOWN


def test_what_holds_too_much_stops_growing() -> None:
    wide = (("d", tuple((str(number), (ONE,)) for number in range(390)), UNKNOWN),)
    assert shallow(wide) == wide
    more = (("d", tuple((f"more {number}", (ONE,)) for number in range(390)), UNKNOWN),)
    assert union(wide, more) == wide
    assert shallow((("d", tuple((str(number), (ONE,)) for number in range(500)), UNKNOWN),)) == UNKNOWN


def test_what_is_one_of_too_many_adds_nothing_and_has_nobody_look_again() -> None:
    many = tuple(("f", "app", number, -1) for number in range(10, 70))
    full = union(many[:40], many)
    assert len(full) == 48
    assert union(full, many) is full
    listed = union((("l", (ONE,)),), full)
    assert len(listed) == 48
    assert union(listed, (("l", (TWO,)),)) is listed


RUN: Value = ("f", "app", 0, -1)
NESTINGS: dict[str, Callable[[Value], Value]] = {
    "positional": lambda value: ("p", RUN, ((value,), (value,)), ()),
    "named": lambda value: ("p", RUN, (), (("step", (value,)), ("fallback", (value,)))),
    "mapped": lambda value: ("map", (value, ("once", value))),
    "method of a collection": lambda value: ("bm", ("l", (value, ("off", value, "pool"))), "append"),
    "generic": lambda value: ("o", "app", 0, 0, (("T", (value,)), ("K", (value,)))),
    "depends": lambda value: ("dep", (value, ("mgr", value, True)), 1, "app"),
}


@pytest.mark.parametrize("nesting", NESTINGS.values(), ids=NESTINGS)
def test_what_holds_itself_twice_stops_growing(nesting: Callable[[Value], Value]) -> None:
    kept: list[Value] = [RUN]  # comparing what is nested so forty times would not end
    while shallow((kept[-1],)) and len(kept) < 40:
        kept.append(nesting(kept[-1]))
    assert 1 < len(kept) < 10


def test_a_step_that_is_made_of_itself_twice_ends() -> None:
    again = "    hook = partial(run, step=hook, fallback=hook)\n" * 40
    graph = graph_of(
        "from functools import partial\nfrom fastapi import FastAPI\napp = FastAPI()\n"
        "def run(step=None, fallback=None):\n    return step\n"
        f"@app.get('/')\nasync def index():\n    hook = run\n{again}    return hook()\n"
    )
    assert "app.run" in [graph.name(variant) for variant in graph.variants]


def test_what_has_no_such_method_is_not_what_is_there() -> None:
    text: Value = ("k", "a text")
    assert has_method(text, "join")
    assert not has_method(text, "start")
    assert not has_method(("k", None), "get")
    assert has_method(("k", None), "__class__")
    assert not has_method(("k", ...), "join")
    assert has_method(("l", (ONE,)), "popleft")
    assert not has_method(("l", (ONE,)), "commit")
    assert has_method(("g", (ONE,), 1), "send")
    assert has_method(("d", (), UNKNOWN), "reset")


def graph_of(source: str) -> Graph:
    facts = parse(source.encode())
    assert isinstance(facts, ModuleFacts)
    return build_graph([(Module("app", "app.py", False, facts), ())], load_catalogue(rules_folder()))


def test_data_that_says_nothing_of_calls_makes_no_variants() -> None:
    calls = "\n".join(
        f"    await save({{'key{n}': rows.scalars().all(), 'n': [{{'at': rows.first().id}}]}})" for n in range(8)
    )
    source = (
        "from fastapi import FastAPI\nfrom sqlalchemy.ext.asyncio import AsyncSession\napp = FastAPI()\n"
        "async def save(document):\n    return document['n']\n"
        "@app.get('/')\nasync def index(session: AsyncSession):\n    rows = await session.execute('')\n" + calls
    )
    graph = graph_of(source)
    assert [graph.name(variant) for variant in graph.variants].count("app.save") == 1


def test_data_that_holds_what_is_called_makes_variants() -> None:
    calls = "\n".join(f"    await run({{'job': job{n}, 'n': {n}}})" for n in range(3))
    jobs = "\n".join(f"def job{n}(): ..." for n in range(3))
    source = (
        f"from fastapi import FastAPI\napp = FastAPI()\n{jobs}\n"
        "async def run(document):\n    document['job']()\n@app.get('/')\nasync def index():\n" + calls
    )
    graph = graph_of(source)
    assert [graph.name(variant) for variant in graph.variants].count("app.run") == 3


def test_paths_behind_which_nothing_is_known_are_one() -> None:
    catalogue = load_catalogue(rules_folder())
    assert catalogue.leads_on("openai.OpenAI", "chat")
    assert catalogue.leads_on("openai.OpenAI", "chat.completions")
    assert catalogue.leads_on("pymongo.MongoClient", "shop")
    assert not catalogue.leads_on("sqlalchemy.engine.ScalarResult", "all")
    assert not catalogue.leads_on("of.nobody.Known", "anything")


def test_a_variant_that_is_known_stays_its_own_when_there_are_too_many() -> None:
    switches = ", ".join(f"mode_{number}=None" for number in range(13))
    tests = "\n".join(f"    if mode_{number}:\n        pass" for number in range(13))
    calls = "\n".join(f"run(mode_{number}=True)" for number in range(13))
    interpreter = graph_of(f"def run({switches}):\n{tests}\n\nrun()\n{calls}\n").sharing.interpreter
    callee: Value = ("f", "app", 0, -1)
    first = next(each for each in interpreter.of_function["app", 0] if len(each.bindings) == 13)
    assert interpreter.variant_for(callee, None, [], {}, explicit=True) is first
    unheard: Value = ("k", "a mode of which nobody has heard")
    assert interpreter.variant_for(callee, None, [], {"mode_0": (unheard,)}, explicit=True).bindings == {}


def test_who_runs_again_has_seen_what_grew_before_its_turn() -> None:
    source = (
        "class Box: ...\nbox = Box()\n"
        "def first():\n    return box.item\n"
        "def second():\n    return [box.item, first()]\n"
        "first()\nsecond()\nbox.item = Box\n"  # both have read it, and `second` what `first` gives
    )
    runs = {variant.function[1]: variant.runs for variant in graph_of(source).variants}
    assert (runs[0], runs[1]) == (2, 2)


def test_a_call_that_none_of_the_known_can_mean_is_not_resolved() -> None:
    source = (
        "from fastapi import FastAPI\napp = FastAPI()\n"
        "class One:\n    def send(self, text): ...\n"
        "class Two:\n    def send(self, text, copies): ...\n"
        "sender = One() if app else Two()\n"
        "@app.get('/')\nasync def index():\n    sender.send({})\n"
    )
    assert [ref[0] for ref, _ in graph_of(source.format("1, 2, 3")).unresolved] == ["app"]
    assert graph_of(source.format("1, 2")).unresolved == []
