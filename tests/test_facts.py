"""Facts say what a file says, and each of their sites is found again in the source: on snippets, and on real files."""

from __future__ import annotations

import ast
import random
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastlint.source import extract
from fastlint.source.facts import ModuleFacts, Node
from fastlint.source.locate import Span, locate
from fastlint.source.parse import Unreadable, parse

CHECKOUT = Path(__file__).parent.parent


def facts(source: str) -> ModuleFacts:
    read = parse(source.encode())
    assert isinstance(read, ModuleFacts), read
    return read


def bare(node: Any) -> Any:
    """A node without its sites: the numbers that are told by their place in the record."""
    if not isinstance(node, (list, tuple)) or not node:
        return node
    tag = node[0]
    if tag == "k":
        return list(node)
    if tag in ("a", "c", "s", "w", "y", "yf", "o", "cmp"):
        return [tag, *(bare(part) for part in node[2:])]
    return [bare(part) for part in node]


def expression(source: str) -> Any:
    (statement,) = facts(f"x = {source}\n").body
    return bare(statement[2])


def n(name: str) -> Node:
    return ["n", name]


def k(value: Any) -> Node:
    return ["k", value]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("None", k(None), id="None"),
        pytest.param("-1", k(-1), id="negative"),
        pytest.param("0x_ff", k(255), id="hexadecimal"),
        pytest.param("1_0.5", k(10.5), id="float"),
        pytest.param("10**2", ["o", "pow", k(10), k(2)], id="power"),
        pytest.param("'a' \"b\"", k("ab"), id="implicit concatenation"),
        pytest.param("r'a\\b'", k("a\\b"), id="raw string"),
        pytest.param("'''a'''", k("a"), id="triple quotes"),
        pytest.param("''", k(""), id="empty string"),
        pytest.param("b'a'", ["f", []], id="bytes say only that they are there"),
        pytest.param("...", None, id="an ellipsis says nothing"),
        pytest.param("a.b.c", ["a", ["a", n("a"), "b"], "c"], id="attributes"),
        pytest.param(
            "f(1, *a, k=2, **b)", ["c", n("f"), [k(1), ["*", n("a")]], [["k", k(2)], [None, n("b")]]], id="call"
        ),
        pytest.param("f()()", ["c", ["c", n("f"), [], []], [], []], id="call of a call"),
        pytest.param("a[1]", ["s", n("a"), k(1)], id="index"),
        pytest.param("a[1:b]", ["s", n("a"), ["sl", [k(1), n("b")], "lu"]], id="slice"),
        pytest.param("a[::2]", ["s", n("a"), ["sl", [k(2)], "s"]], id="slice with a step"),
        pytest.param("a[1, b]", ["s", n("a"), ["t", [k(1), n("b")]]], id="several indices"),
        pytest.param("a + b - c", ["o", "sub", ["o", "add", n("a"), n("b")], n("c")], id="binary operators"),
        pytest.param("a < b in c", ["cmp", n("a"), [["lt", n("b")], ["in", n("c")]]], id="comparison"),
        pytest.param("not a", ["u", "not", n("a")], id="not"),
        pytest.param("a and b and c", ["bool", "and", [n("a"), n("b"), n("c")]], id="and"),
        pytest.param("a and b or c", ["bool", "or", [["bool", "and", [n("a"), n("b")]], n("c")]], id="and, or"),
        pytest.param("a if b else c", ["if", n("b"), n("a"), n("c")], id="conditional"),
        pytest.param("(a, *b)", ["t", [n("a"), ["*", n("b")]]], id="tuple"),
        pytest.param("[a]", ["l", [n("a")]], id="list"),
        pytest.param("{a}", ["set", [n("a")]], id="set"),
        pytest.param("{'a': b, **c}", ["d", [[k("a"), n("b")], [None, n("c")]]], id="dictionary"),
        pytest.param("f'{a}b{c:{d}}'", ["f", [n("a"), k("b"), n("c"), n("d"), None]], id="f-string, formatted further"),
        pytest.param("f'{a}b' 'c'", ["f", [n("a"), k("bc")]], id="f-string and text"),
        pytest.param("(y := a)", [":=", "y", n("a")], id="walrus"),
        pytest.param("await a", ["w", n("a")], id="await"),
        pytest.param("(yield)", ["y", None], id="yield"),
        pytest.param("(yield from a)", ["yf", n("a")], id="yield from"),
    ],
)
def test_an_expression_becomes_its_record(source: str, expected: Node) -> None:
    assert expression(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b as c, d", [["c", 0, "a.b", None], ["d", 0, "d", None]]),
        ("import a.b", [["a", 0, "a", None], ["", 0, "a.b", None]]),
        ("from a.b import c as d, e", [["d", 0, "a.b", "c"], ["e", 0, "a.b", "e"]]),
        ("from . import a", [["a", 1, "", "a"]]),
        ("from ..a import *", [["*", 2, "a", "*"]]),
    ],
)
def test_an_import_says_what_it_binds(source: str, expected: list[Node]) -> None:
    (statement,) = facts(source).body
    assert statement[:2] == ["imp", expected]


def tags(block: list[Any]) -> list[str]:
    return [statement[0] for statement in block]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'docstring'\npass\n...\n", []),
        ("a(); b()\n", ["e", "e"]),
        ("a = b = 1\na: int = 1\na += 1\ndel a\n", ["=", ":", "+=", "del"]),
        ("assert a, b\nraise a from b\n", ["assert", "raise"]),
        ("for a in b:\n    break\nelse:\n    a\nwhile a: continue\n", ["for", "while"]),
        ("with a as b, c: d\n", ["with"]),
        ("try: a\nexcept b as c: d\nelse: e\nfinally: f\n", ["try"]),
        ("match a:\n    case b if c: d\n", ["match"]),
        ("def f(): global a\nclass C: a = 1\n", ["def", "class"]),
    ],
)
def test_a_statement_becomes_its_record(source: str, expected: list[str]) -> None:
    assert tags(facts(source).body) == expected


def test_the_bodies_of_compound_statements_are_kept() -> None:
    (each,) = facts("try: a()\nexcept E as e: b()\nelse: c()\nfinally: d()\n").body
    _, body, ((kind, name, handler),), orelse, final, _ = each
    called = [bare(block[0][1])[1][1] for block in (body, handler, orelse, final)]
    assert (called, kind, name) == (["a", "b", "c", "d"], n("E"), "e")


def test_elif_is_an_if_in_the_else_branch() -> None:
    (first,) = facts("if a: b()\nelif c: d()\nelse: e()\n").body
    assert (first[1], tags(first[2]), tags(first[3])) == (n("a"), ["e"], ["if"])
    second = first[3][0]
    assert (second[1], tags(second[2]), tags(second[3])) == (n("c"), ["e"], ["e"])


CLASS = """\
@decorate(1)
class C(Base, metaclass=Meta):
    kind = "c"

    def __init__(self, first: int, /, second=1, *rest, third: "str" = "x", **others) -> None:
        self.client = first
        self.item, self.other = 1, 2

    async def read(self):
        def inner():
            yield 1

        return lambda value: value.get(self.client)

    @property
    def size(self):
        elsewhere.client = 2
        self.items.append(3)
"""


def test_functions_and_classes_are_known_by_place_and_shape() -> None:
    read = facts(CLASS)
    (kind,) = read.classes
    assert (kind.qualname, kind.bases, kind.keywords) == ("C", [n("Base")], [["metaclass", n("Meta")]])
    assert kind.methods == {"__init__": [0], "read": [1], "size": [4]}
    assert kind.attribute_writers == {"client": [0], "item": [0], "other": [0]}
    shapes = [(each.qualname, each.is_async, each.is_generator, each.parent, each.owner) for each in read.functions]
    assert shapes == [
        ("C.__init__", False, False, -1, 0),
        ("C.read", True, False, -1, 0),
        ("C.read.inner", False, True, 1, -1),
        ("C.read.<lambda0>", False, False, 1, -1),
        ("C.size", False, False, -1, 0),
    ]
    assert [each.index for each in read.functions] == [0, 1, 2, 3, 4]
    assert [(each.name, each.kind) for each in read.functions[0].params] == [
        ("self", "/"),
        ("first", "/"),
        ("second", "p"),
        ("rest", "*"),
        ("third", "k"),
        ("others", "**"),
    ]
    assert read.functions[0].params[4].annotation == k("str")
    assert read.functions[4].decorators == [n("property")]


def test_who_calls_writes_and_adds_is_remembered_by_name() -> None:
    read = facts(CLASS + "\n\ndef switch():\n    global state\n    state['a'] = C(1)\n\n\nswitch()\n")
    assert read.mentions["C"] == [5]
    assert read.mentions["switch"] == [-1]
    assert read.mentions["get"] == [3]
    assert read.mentions["property"] == [-1]
    assert read.writers["client"] == [0, 4]
    assert read.mutators == {"items": [4], "state": [5]}
    assert read.rebinders == {"state": [5]}


def test_a_generator_expression_is_a_generator_whose_iterable_alone_is_evaluated_at_once() -> None:
    read = facts("total = sum(f(x) for x in load() if x)\n")
    (inner,) = read.functions
    assert (inner.is_generator, inner.is_lambda, [param.name for param in inner.params]) == (True, True, [".0"])
    call = read.body[0][2]
    assert call[3][0][:2] == ["gen", 0]
    assert bare(call[3][0][2]) == ["c", n("load"), [], []]
    assert read.mentions == {"sum": [-1], "load": [-1], "f": [0]}


def test_long_constants_are_left_out() -> None:
    assert expression(repr("a" * 1000)) == ["f", []]
    assert expression(" ".join([repr("a" * 300)] * 2)) == ["f", []]


# --- sites --------------------------------------------------------------------------------------------------------


def spans_of(source: bytes) -> tuple[ModuleFacts, dict[int, Span]]:
    read = parse(source)
    assert isinstance(read, ModuleFacts), read
    spans = locate(source, read.sites)
    assert spans is not None, "extract and locate count differently"
    return read, spans


def numbered(node: Any) -> Iterator[list[Any]]:
    """Every call, attribute and await below a node, but those in f-strings: Python misplaces them before 3.12."""
    if isinstance(node, (list, tuple)) and node:
        if node[0] in ("k", "imp") or (node[0] == "f" and sys.version_info < (3, 12)):
            return
        if (node[0], len(node)) in (("c", 5), ("a", 4), ("w", 3)) and isinstance(node[1], int):
            yield list(node)
        for part in node:
            yield from numbered(part)


def calls(node: Any) -> Iterator[list[Any]]:
    return (each for each in numbered(node) if each[0] == "c")


def misplaced(source: bytes) -> list[str]:
    """What of a file's sites does not hold: the name of each callee and attribute must stand at its place."""
    read, spans = spans_of(source)
    lines = source.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    blocks: list[Any] = [read.body]
    for function in read.functions:
        blocks += [function.body, function.decorators, [param.default for param in function.params]]
    blocks += [[each.decorators, each.bases, each.body] for each in read.classes]
    wrong = []
    for node in numbered(blocks):
        line, column, end_line, end_column = spans[node[1]]
        rows = lines[line - 1 : end_line]
        rows[-1] = rows[-1][: end_column - 1]
        rows[0] = rows[0][column - 1 :]
        if not stands_in("\n".join(rows), node):
            wrong.append(f"{line}:{column}: {node[0]} {node[-1] if node[0] == 'a' else node[2]} not in {rows}")
    return wrong


def stands_in(text: str, node: list[Any]) -> bool:
    """Whether the text is the source of a node, as far as a name can tell."""
    if node[0] == "a":
        return text.endswith(str(node[3]))
    if node[0] == "w":
        return text.startswith("await")
    callee = node[2]
    if callee is None or callee[0] not in ("n", "a"):
        return True
    found = ast.parse(f"({text}\n)", mode="eval").body
    if not isinstance(found, ast.Call):
        return False
    return bool(getattr(found.func, "attr" if callee[0] == "a" else "id", None) == callee[-1])


PLACES = """\
@route("/", depends=[Depends(f)])
async def home(a: A[int] = call(1), *, b: "B" = x.y) -> C[int]:
    '''docs'''
    async with open_it(a) as f, g() as (h, i.j):
        async for k, l[0] in each(f): await k.read()
    if a(): pass
    elif b(): c.d()
    else:
        if e(): f()
    return [p(q) for q in r() if s(q)] + {t: u() for t in v()} or (w async for w in x() for y in w)
class K(Base(1), meta=M()):
    a = lambda z=1: z.w()
match a.b:
    case C(d=1) if e(): f(*g, k=h(), **i)
try: a()
except* (b, c()) as d: e()
for a.b in c: pass
else: d()
x: y[int]
del a[1], b.c
assert a, b()
raise a() from b()
f(k=a(), *b(), **c())
(a
 .b()
 .c())
-f(), not g(), a if b() else c()
print(f"{a()!r:{b()}}", rb"x", *d)
try:
    x = 'é', f('ü'), g()
finally: pass
"""


def test_places_are_those_of_the_source() -> None:
    source = PLACES if sys.version_info >= (3, 11) else PLACES.replace("except*", "except")
    assert not misplaced(source.encode())
    read, spans = spans_of(source.encode())
    home = read.functions[0]
    assert spans[home.site] == (2, 1, 2, 10)
    # The last statement but one holds characters that are one column and two bytes each.
    ((_, body, *_),) = [statement for statement in read.body if statement[0] == "try"][-1:]
    call = body[0][2][1][2]
    line, column, _, end = spans[call[1]]
    assert source.split("\n")[line - 1][column - 1 : end - 1] == "g()"


@pytest.mark.parametrize(
    "source",
    [
        b"# -*- coding: latin-1 -*-\nx = '\xe9', f()\n",
        b"\xef\xbb\xbfx = f()\n",
        b"x = f()\r\ny = [\r\n  g(),\r\n]\r\n",
        b"\x0cx = f()\n",
        b"x = \\\n  f()\n",
        b"x = f()",
    ],
    ids=["latin-1", "byte-order mark", "CRLF", "form feed", "continuation", "no last newline"],
)
def test_odd_files_have_places_too(source: bytes) -> None:
    read, spans = spans_of(source)
    first = next(calls(read.body))
    line, column, end_line, end_column = spans[first[1]]
    text = source.decode("latin-1").removeprefix("\xef\xbb\xbf").replace("\r\n", "\n").split("\n")
    assert line == end_line
    assert text[line - 1][column - 1 : end_column - 1] == "f()"


@pytest.fixture
def old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """This Python's own parser cannot read what newer versions can."""
    real = ast.parse

    def refuse(source: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(source, bytes):
            raise SyntaxError("syntax from the future")
        return real(source, *arguments, **options)

    monkeypatch.setattr(ast, "parse", refuse)


@pytest.mark.usefixtures("old_python")
def test_syntax_newer_than_this_python_has_places_too() -> None:
    assert not misplaced(PLACES.encode())
    snippets = Snippets(3)
    for source in [snippets.module() for _ in range(40)]:
        read = parse(source.encode())
        if isinstance(read, ModuleFacts):
            assert not misplaced(source.encode()), source


def test_both_ways_to_places_agree(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    source = Path(extract.__file__).read_bytes()
    read, spans = spans_of(source)
    request.getfixturevalue("old_python")
    slowly = spans_of(source)[1]
    assert {site: span[0] for site, span in slowly.items()} == {site: span[0] for site, span in spans.items()}
    numbered_nodes = [node[1] for node in numbered([function.body for function in read.functions])]
    assert [slowly[site] for site in numbered_nodes] == [spans[site] for site in numbered_nodes]


def test_a_changed_file_has_no_places() -> None:
    assert locate(b"f()\n", facts("f()\n").sites + 1) is None
    assert locate(b"f(\n", 1) is None


class Snippets:
    """Random modules with every kind of node in every place; the same ones for the same seed.

    In the templates `<n>` is a name, `<e>` an expression, `<s>` an indented block and `<i>` the indentation.
    """

    NAMES = ("a", "b", "self", "data")
    EXPRESSIONS = (
        "<n>",
        "(1)",
        "'s'",
        "<n>.<n>",
        "<e>.<n>",
        "<e>(<e>, k=<e>)",
        "<n>(*<e>, k=<e>, **<e>)",
        "<n>(k=<e>, *<e>)",
        "<e>[<e>]",
        "<e>[<e>:<e>, ::<e>]",
        "(<e> + <e> * <e>)",
        "(<e> < <e> in <e>)",
        "(not <e>)",
        "-<e>",
        "(<e> and <e> or <e> and <e>)",
        "(<e> if <e> else <e>)",
        "(<e>, *<e>)",
        "[<e>, *<e>]",
        "{<e>, <e>}",
        "{<e>: <e>, **<e>}",
        "[<e> for <n> in <e> if <e> for <n> in <e>]",
        "{<e>: <e> for <n> in <e> if <e>}",
        "(<e> for <n> in <e> for <n> in <e> if <e>)",
        "<n>(<e> for <n> in <e>)",
        "(lambda <n>=<e>, *, k=<e>: <e>)",
        "(await <e>)",
        "(yield <e>)",
        "(yield)",
        "(yield from <e>)",
        "(w := <e>)",
        "'s' 't'",
        'f"{<n>.x!r:>{<n>}}" "u"',
    )
    STATEMENTS = (
        "<e>",
        "<n> = <n>.x = <e>",
        "<n>, <n>.x, <n>[<e>] = <e>",
        "<n>: <e> = <e>",
        "<n>.x: <e>",
        "<n> += <e>",
        "return <e>",
        "raise <e> from <e>",
        "assert <e>, <e>",
        "del <n>, <n>.x, <n>[<e>]",
        "pass; <e>; pass",
        "import a.b, c as d",
        "from . import e as g",
        "global z",
        "if <e>:<s>",
        "if <e>:<s>elif <e>:<s>elif <e>:<s>else:<s>",
        "if <e>:<s>else:\n<i>    if <e>: <n>()",
        "while <e>:<s>else:<s>",
        "for <n>, <n>[<e>] in <e>:<s>else:<s>",
        "async for <n> in <e>:<s>",
        "with <e> as <n>, <e>:<s>",
        "async with <e> as (<n>, <n>.x):<s>",
        "try:<s>except <e> as q:<s>except:<s>else:<s>finally:<s>",
        "match <e>:\n<i>    case [1, *_] if <e>: <n>()\n<i>    case _:\n<i>        <n>(<e>)",
        "@<n>.x(<e>)\n<i>def f(<n>_: <e> = <e>, /, p=<e>, *r: <e>, k: <e> = <e>, **o: <e>) -> <e>:<s>",
        "@<n>\n<i>async def f(p, *, k=<e>):<s>",
        "@<n>(<e>)\n<i>class K(<n>.x, <e>, metaclass=<e>):<s>",
    )

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def module(self) -> str:
        lines = "".join(self._statement(3, 1) for _ in range(3))
        return f"async def outer():\n{lines}"

    def _expression(self, depth: int) -> str:
        template = self._random.choice(self.EXPRESSIONS if depth else self.EXPRESSIONS[:3])
        return self._fill(template, depth, 0)

    def _statement(self, depth: int, indent: int) -> str:
        template = self._random.choice(self.STATEMENTS if depth else self.STATEMENTS[:11])
        return "    " * indent + self._fill(template, depth, indent).rstrip("\n ") + "\n"

    def _fill(self, template: str, depth: int, indent: int) -> str:
        return re.sub("<([neis])>", lambda hole: self._hole(hole[1], depth, indent), template)

    def _hole(self, hole: str, depth: int, indent: int) -> str:
        if hole == "n":
            return self._random.choice(self.NAMES)
        if hole == "i":
            return "    " * indent
        if hole == "e":
            return self._expression(max(depth - 1, 0))
        body = "".join(self._statement(depth - 1, indent + 1) for _ in range(self._random.randint(1, 2)))
        return f"\n{body}{'    ' * indent}"


def test_generated_code_is_counted_alike_and_found_again() -> None:
    snippets = Snippets(20)
    read = 0
    for _ in range(400):
        source = snippets.module()
        try:
            ast.parse(source)
        except SyntaxError:  # what only a whole module can tell, as `(yield)` in a comprehension
            continue
        read += 1
        try:
            wrong = misplaced(source.encode())
        except AssertionError as error:
            pytest.fail(f"{error}\n{source}")
        assert not wrong, source
    assert read > 350


OURS = sorted(
    path for folder in ("fastlint", "tests", "fixtures", "bench") for path in (CHECKOUT / folder).rglob("*.py")
)
STDLIB = sorted(
    path
    for path in Path(sysconfig.get_path("stdlib")).rglob("*.py")
    if "site-packages" not in path.parts and path.stat().st_size < 60_000
)


@pytest.mark.parametrize("paths", [OURS, random.Random(7).sample(STDLIB, 150)], ids=["ours", "standard library"])
def test_real_files_are_counted_alike_and_found_again(paths: list[Path]) -> None:
    wrong = []
    read = 0
    for path in paths:
        source = path.read_bytes()
        try:
            ast.parse(source)
            source.decode("utf-8")
        except (SyntaxError, ValueError):  # broken on purpose
            continue
        read += 1
        try:
            wrong += [f"{path}:{each}" for each in misplaced(source)]
        except AssertionError as error:
            wrong.append(f"{path}: {error}")
    assert not wrong, "\n".join(wrong)
    assert read > len(paths) * 0.9


def test_an_unreadable_file_has_no_facts() -> None:
    assert isinstance(parse(b"def f(:\n"), Unreadable)


def test_every_statement_of_every_function_ends_in_its_site() -> None:
    found = facts("def f(x):\n    return lambda: any(bool(y) for y in x)\n")
    assert [function.name for function in found.functions] == ["f", "<lambda>", "<genexpr>"]
    assert all(isinstance(function.body[-1][-1], int) for function in found.functions)


@pytest.mark.parametrize(
    ("source", "folders"),
    [
        ("x = 'app.deprecated.mail:Plugin'", ["deprecated"]),
        ("class C:\n    x = 'archive/old.py'", ["archive"]),
        ("def f():\n    return load(['attic/a', 'retired.b'])", ["attic", "retired"]),
        ("x = 'deprecated'", []),
        ("x = 'it is in the archive. Ask for it'", []),
        ("x = app.deprecated.mail", []),
    ],
)
def test_folders_of_what_is_no_longer_used_are_noted(source: str, folders: list[str]) -> None:
    assert facts(source).retired == folders
