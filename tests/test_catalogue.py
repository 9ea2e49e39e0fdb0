"""What is known of libraries: how the data is written, what it means, and that all of `rules/known` is sound."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastlint.finding import Severity
from fastlint.rulebook.catalogue import (
    Argument,
    Catalogue,
    Condition,
    Spec,
    expand_braces,
    parse_argument,
    parse_condition,
    parse_type,
)
from fastlint.rulebook.compiled import decode, encode
from fastlint.rulebook.load import RulebookError, load_catalogue
from fastlint.rulebook.schema import KnownFile
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import load_words

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KNOWN_FILES = sorted((rules_folder() / "known").glob("*.toml"))
KNOWN = load_catalogue(rules_folder())
WORDS = load_words(rules_folder())


# --- the small languages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b", ["a.b"]),
        ("a.{b,c}", ["a.b", "a.c"]),
        ("a.{b, c }.d", ["a.b.d", "a.c.d"]),
        ("{a,b}.{c,d}", ["a.c", "a.d", "b.c", "b.d"]),
        ("a{,s}", ["a", "as"]),
        ("a.{b,c{d,e}}", ["a.b", "a.cd", "a.ce"]),
        ("{a}", ["a"]),
    ],
)
def test_braces_are_alternatives(text: str, expected: list[str]) -> None:
    assert expand_braces(text) == expected


def test_unbalanced_braces_are_refused() -> None:
    with pytest.raises(ValueError, match="unbalanced braces"):
        expand_braces("a.{b,c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("timeout@1", Argument("timeout", 1)), ("timeout", Argument("timeout", None)), ("@0", Argument("", 0))],
)
def test_an_argument_has_a_name_a_position_or_both(text: str, expected: Argument) -> None:
    assert parse_argument(text) == expected


@pytest.mark.parametrize("text", ["", "@", "a@b", "@x"])
def test_anything_else_is_no_argument(text: str) -> None:
    with pytest.raises(ValueError, match=r"argument|invalid literal"):
        parse_argument(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timeout@1=0", Condition(Argument("timeout", 1), "=", 0)),
        ("blocking = False", Condition(Argument("blocking", None), "=", False)),
        ("mode@1='r'", Condition(Argument("mode", 1), "=", "r")),
        ("sign='<='", Condition(Argument("sign", None), "=", "<=")),
        ("@0=None", Condition(Argument("", 0), "=", None)),
        ("@0<0.1", Condition(Argument("", 0), "<", 0.1)),
        ("host@0 missing", Condition(Argument("host", 0), "missing")),
        ("host given", Condition(Argument("host", None), "given")),
        ("target@0 asynchronous", Condition(Argument("target", 0), "asynchronous")),
        ("@1 has fcntl.LOCK_NB", Condition(Argument("", 1), "has", "fcntl.LOCK_NB")),
    ],
)
def test_a_condition_asks_about_an_argument(text: str, expected: Condition) -> None:
    assert parse_condition(text) == expected


@pytest.mark.parametrize(
    "text", ["", "timeout", "timeout=", "timeout=zero()", "=0", " missing", "@0<x", "@0<", "@0<'x'"]
)
def test_anything_else_is_no_condition(text: str) -> None:
    with pytest.raises(ValueError, match=r"condition|argument"):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.B", ("type", "a.B")),
        ("self", ("self",)),
        ("result", ("result",)),
        ("unknown", ("unknown",)),
        ("argument[2]", ("argument", 2)),
        ("list[a.B]", ("list", ("type", "a.B"))),
        ("awaitable[list[self]]", ("awaitable", ("list", ("self",)))),
        ("manager[a.B]", ("manager", ("type", "a.B"))),
        ("class[class_]", ("class", "class_", ("unknown",))),
        ("class[class_]|a.B", ("class", "class_", ("type", "a.B"))),
    ],
)
def test_a_type_expression_is_read(text: str, expected: Any) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize("text", ["list[a.B", "dict[a, b]", "a.B|c.D", "argument[x]", "a[b]"])
def test_anything_else_is_no_type_expression(text: str) -> None:
    with pytest.raises(ValueError, match=r"no type expression|invalid literal"):
        parse_type(text)


# --- asking -------------------------------------------------------------------------------------------------------

LIBRARY = """
[[library]]
name = "acme"
rule = "FL107"
instead = "`acme.aio`"
modules = { "acme.v2" = "acme", "acmelib" = "acme" }
blocks = ["acme.{get,put}", "acme.admin.*", "acme.admin.fast.*"]
free = ["acme.admin.fast.*", "acme.admin.name"]

[[library.call]]
names = ["acme.wait"]
rule = "FL102"
severity = "warning"
instead = "`acme.aio.wait`"
unless = ["timeout@0=0"]

[[library.call]]
names = ["acme.open"]
only = ["mode@1='async'"]
returns = "acme.aio.Client"

[[library.call]]
names = ["acme.open"]
rule = "FL105"
returns = "acme.Client"

[[library.type]]
name = "acme.Client"
aliases = ["acme.client.{Client,OldClient}"]
made_by = ["acme.connect", "acme.v2.Factory.make"]
blocks = ["**.execute", "get*", "files.read", "__enter__"]
free = ["get_name", "*.prepared.execute"]
returns = { "files.open" = "acme.File", "get_*" = "list[self]", "get_one" = "self" }
attributes = { "{first,second}" = "acme.File" }
enters = "acme.Session"
item = "acme.File"
entry = { "on_{open,close}" = "loop hook of the client" }

[[library.type]]
name = "acme.Special"
bases = ["acme.client.Client"]
free = ["get_special"]
item = "self"

[[library.type]]
name = "acme.aio.Client"
asynchronous = true

[[library.type]]
name = "acme.File"

[[library.type]]
name = "acme.Session"
"""


def catalogue(folder: Path, *texts: str) -> Catalogue:
    (folder / "known").mkdir()
    for number, text in enumerate(texts):
        (folder / "known" / f"{number}.toml").write_text(text, "utf-8")
    return load_catalogue(folder)


@pytest.fixture
def acme(tmp_path: Path) -> Catalogue:
    return catalogue(tmp_path, LIBRARY)


def rule_of(spec: Spec | None) -> str | None:
    """The rule of a call, "free" for one that is known to be free, None for one that is not known."""
    return None if spec is None else spec.rule or "free"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("acme.get", "FL107"),
        ("acme.put", "FL107"),
        ("acme.post", None),
        ("acme.wait", "FL102"),
        ("acme.admin.drop", "FL107"),
        ("acme.admin.name", "free"),
        ("acme.admin.fast.drop", "free"),
        ("acme.admin.drop.all", None),  # one star is one attribute
        ("acme.admin.__init__", None),  # and never an implicit call
        ("acme.admin", None),
        ("other.get", None),
    ],
)
def test_a_function_is_known_by_its_name_or_the_narrowest_pattern(
    acme: Catalogue, name: str, expected: str | None
) -> None:
    assert rule_of(acme.function(name)) == expected


def test_a_call_has_its_own_words_or_those_of_its_library(acme: Catalogue) -> None:
    get, wait = acme.function("acme.get"), acme.function("acme.wait")
    assert get is not None
    assert wait is not None
    assert (get.instead, get.severity, get.unless, get.library) == ("`acme.aio`", None, (), "acme")
    assert (wait.instead, wait.severity) == ("`acme.aio.wait`", Severity.WARNING)
    assert wait.unless == (Condition(Argument("timeout", 0), "=", 0),)


def test_several_entries_for_one_name_are_asked_in_order(acme: Catalogue) -> None:
    first = acme.function("acme.open")
    assert first is not None
    assert (first.rule, first.returns, first.only[0].value) == (None, ("type", "acme.aio.Client"), "async")
    assert first.otherwise is not None
    assert (first.otherwise.rule, first.otherwise.returns, first.otherwise.otherwise) == (
        "FL105",
        ("type", "acme.Client"),
        None,
    )


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("acme.Client", "get", "FL107"),
        ("acme.Client", "get_all", "FL107"),
        ("acme.Client", "get_name", "free"),
        ("acme.Client", "execute", "FL107"),
        ("acme.Client", "db.table.execute", "FL107"),
        ("acme.Client", "db.prepared.execute", "free"),  # more of the pattern is spelled out
        ("acme.Client", "files.read", "FL107"),
        ("acme.Client", "files.write", None),
        ("acme.Client", "__enter__", "FL107"),
        ("acme.Client", "__exit__", None),
        ("acme.Client", "db.__getitem__.execute", None),  # a wildcard never stands for an implicit call
        ("acme.client.OldClient", "get", "FL107"),
        ("acme.Special", "get", "FL107"),  # inherited
        ("acme.Special", "get_special", "free"),  # and redefined
        ("acme.Nothing", "get", None),
    ],
)
def test_a_method_is_known_by_its_path_from_the_type_and_its_bases(
    acme: Catalogue, kind: str, path: str, expected: str | None
) -> None:
    assert rule_of(acme.method(kind, path)) == expected


def test_what_calls_attributes_with_and_iteration_give(acme: Catalogue) -> None:
    assert acme.returned("acme.Client", "files.open") == ("type", "acme.File")
    assert acme.returned("acme.Client", "get_many") == ("list", ("self",))
    assert acme.returned("acme.Client", "get_one") == ("self",)
    assert acme.returned("acme.Special", "get_one") == ("self",)
    assert acme.returned("acme.Client", "put") is None
    assert acme.attribute("acme.Client", "second") == ("type", "acme.File")
    assert acme.attribute("acme.Client", "third") is None
    assert (acme.enters("acme.Special"), acme.enters("acme.File")) == (("type", "acme.Session"), None)
    assert (acme.item("acme.Client"), acme.item("acme.Special")) == (("type", "acme.File"), ("self",))
    assert acme.entry("acme.Special", "on_close") == ("loop", "hook of the client")
    assert acme.entry("acme.Client", "close") is None
    assert acme.is_asynchronous("acme.aio.Client")
    assert not acme.is_asynchronous("acme.Client")
    assert not acme.is_asynchronous("acme.Nothing")


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("psycopg2.extensions.cursor", True),  # by the names of its methods
        ("together.Together", True),  # by a pattern alone
        ("redis.asyncio.Redis", False),
        ("qiniu.BucketManager", True),
        ("of.nobody.Known", False),
    ],
)
def test_a_type_waits_by_names_and_by_patterns(name: str, waits: bool) -> None:
    assert load_catalogue(rules_folder()).waits(name) is waits


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("acme.get", "acme.get"),
        ("acme.v2.get", "acme.get"),
        ("acmelib.get", "acme.get"),
        ("acmelib", "acme"),
        ("acmelibrary.get", "acmelibrary.get"),
        ("acme.client.Client", "acme.Client"),
        ("acmelib.client.OldClient", "acme.Client"),
        ("acme.client.Client.get", "acme.Client.get"),
        ("other", "other"),
        ("", ""),
    ],
)
def test_every_spelling_has_one_usual_name(acme: Catalogue, written: str, usual: str) -> None:
    assert acme.canonical(written) == usual


def test_makers_are_known_under_their_usual_name_too(acme: Catalogue) -> None:
    assert acme.makers["acme.connect"] == "acme.Client"
    assert acme.makers["acme.Factory.make"] == "acme.Client"


def test_the_order_of_a_type_starts_at_itself_and_ends_even_in_a_circle(tmp_path: Path) -> None:
    text = """
    [[library]]
    name = "round"
    type = [{ name = "a.A", bases = ["a.B"] }, { name = "a.B", bases = ["a.A", "a.Missing"] }]
    """
    order = catalogue(tmp_path, text).order("a.B")
    assert [each.name for each in order] == ["a.B", "a.A"]


def test_what_stands_later_wins_over_another_library(tmp_path: Path) -> None:
    first = '[[library]]\nname = "a"\nrule = "FL101"\nblocks = ["x.get"]\n'
    second = '[[library]]\nname = "b"\nfree = ["x.get"]\n'
    assert rule_of(catalogue(tmp_path, first, second).function("x.get")) == "free"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[library]]\nname = "a"\nblock = ["x"]\n', r"0\.toml: .*block"),
        ('[[library]]\nrule = "FL101"\n', r"0\.toml: .*name"),
        ("[[library]\n", r"0\.toml: "),
        ('[[library]]\nname = "a"\nblocks = ["x.{y"]\n', "library 'a': unbalanced braces"),
        ('[[library]]\nname = "a"\ncall = [{ names = ["x"], unless = ["y"] }]\n', "library 'a': no condition: 'y'"),
        ('[[library]]\nname = "a"\ncall = [{ names = ["x"], returns = "y[z]" }]\n', "library 'a': no type expression"),
        ('[[library]]\nname = "a"\ncall = [{ names = [] }]\n', r"0\.toml: .*names"),
    ],
)
def test_a_mistake_in_the_data_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RulebookError, match=f"(?s){message}"):
        catalogue(tmp_path, text)


# --- rules/known --------------------------------------------------------------------------------------------------


def specs() -> Iterator[tuple[str, Spec]]:
    """Everything that is known of any call, with the name it is known under."""
    known: list[tuple[str, Spec]] = list(KNOWN.functions.items())
    for patterns in KNOWN.function_patterns.values():
        known += [(".".join(pattern), spec) for pattern, spec in patterns]
    for name, kind in KNOWN.types.items():
        known += [(f"{name}.{method}", spec) for method, spec in kind.exact.items()]
        known += [(f"{name}.{'.'.join(pattern)}", spec) for pattern, spec in kind.patterns]
    for name, each in known:
        spec: Spec | None = each
        while spec is not None:
            yield name, spec
            spec = spec.otherwise


def types_in(expression: Any) -> Iterator[str]:
    """The names of types in a type expression."""
    if isinstance(expression, tuple):
        if expression[0] == "type":
            yield expression[1]
        for part in expression[1:]:
            yield from types_in(part)


@pytest.mark.parametrize("path", KNOWN_FILES, ids=lambda path: path.stem)
def test_a_file_fits_the_schema_and_repeats_no_library(path: Path) -> None:
    libraries = KnownFile.model_validate(tomllib.loads(path.read_text("utf-8"))).library
    names = [library.name for library in libraries]
    assert sorted(set(names)) == sorted(names)


def test_the_whole_catalogue_is_there() -> None:
    assert len({spec.library for _, spec in specs()}) >= 150
    assert len(KNOWN_FILES) >= 20


def test_no_type_expression_names_an_unknown_type() -> None:
    named = [(name, spec.returns) for name, spec in specs()]
    for name, kind in KNOWN.types.items():
        answers = [*kind.returns.values(), *(answer for _, answer in kind.return_patterns), *kind.attributes.values()]
        named += [(name, answer) for answer in (*answers, kind.enters, kind.item)]
        named += [(name, ("type", base)) for base in kind.bases]
    named += [(maker, ("type", made)) for maker, made in KNOWN.makers.items()]
    unknown = {(name, each) for name, answer in named for each in types_in(answer) if not KNOWN.order(each)}
    assert not unknown


def test_every_rule_exists_and_every_error_says_what_to_use_instead() -> None:
    assert not {(name, spec.rule) for name, spec in specs() if spec.rule and spec.rule not in WORDS}
    silent = {
        name
        for name, spec in specs()
        if spec.rule and (spec.severity or WORDS[spec.rule].severity) is Severity.ERROR and not spec.instead
    }
    assert not silent


def test_instead_fits_into_a_sentence() -> None:
    odd = {(name, spec.instead) for name, spec in specs() if spec.instead.endswith(".") or spec.instead[:4] == "use "}
    assert not odd


def test_a_name_that_has_a_usual_spelling_is_known_no_better_than_that() -> None:
    """The usual spelling alone is asked for, so that knowledge under another one would be lost."""
    lost = []
    for name, spec in KNOWN.functions.items():
        usual = KNOWN.canonical(name)
        known = KNOWN.function(usual) or Spec()
        if (spec.rule, spec.runs, spec.returns) != (known.rule, known.runs, known.returns):
            lost.append((name, usual))
    assert not lost


def test_usual_names_are_their_own_usual_names() -> None:
    usual = {*KNOWN.types, *KNOWN.aliases.values(), *KNOWN.makers.values(), *KNOWN.prefixes.values()}
    assert not {name for name in usual if KNOWN.canonical(name) != name}


def test_asynchronous_twins_block_nowhere() -> None:
    blocking = {
        f"{name}.{method}"
        for name, kind in KNOWN.types.items()
        if kind.asynchronous
        for method, spec in kind.exact.items()
        if spec.rule
    }
    assert not blocking


def test_a_compiled_catalogue_gives_the_same_answers() -> None:
    text = encode(KNOWN)
    again = decode(text)
    for name in ("functions", "function_patterns", "types", "aliases", "makers", "roles", "prefixes", "holds_gil"):
        assert getattr(again, name) == getattr(KNOWN, name), name
    assert again.custom == KNOWN.custom
    assert list(again.types) == list(KNOWN.types)  # the first of equals wins
    assert encode(again) == text


@pytest.mark.parametrize("harm", [b"", b"[]", b"{}", b'{"specs": [[1]]}', b'{"specs": []}'])
def test_what_is_no_compiled_catalogue_is_refused(harm: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        decode(harm)
