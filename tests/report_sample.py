"""A hand-made report with everything that is hard to write down, and what is committed of each format's output.

Run as a program it writes `tests/expected/` anew; read the diff before you commit it.
"""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from fastlint.config import Config
from fastlint.finding import Confidence, Finding, Location, Severity, Step
from fastlint.report import FORMATS, Report, Style
from fastlint.report.rule_page import explain, explain_json, list_rules, list_rules_json
from fastlint.report.tally import statistics
from fastlint.rulebook.words import ExampleWords, RuleWords

EXPECTED = Path(__file__).parent / "expected"

HTTP = RuleWords(
    code="FL101",
    name="blocking-http-call",
    severity=Severity.ERROR,
    summary="A synchronous HTTP client waits on the event loop.",
    why="One thread serves every request. While it waits here, nobody else is served.",
    remedy="Use {instead}. A plain `def` route runs in the thread pool.",
    message="`{call}` blocks the event loop",
    references=("https://docs.example.com/async?a=1&b=2",),
    bad=(
        ExampleWords(
            "in a route",
            {
                "app.py": "from shop import price\n\n\nasync def route():\n    return price()  # expect: FL101\n",
                "shop/__init__.py": "",
                "shop/prices.py": "# expect-below: FL001\nprice = <html> & 100%\n",
            },
        ),
    ),
    good=(ExampleWords("awaited", {"app.py": "async def route():\n    return await price()\n"}),),
)
FILES = RuleWords(
    code="FL105",
    name="blocking-file-io",
    severity=Severity.WARNING,
    summary="Files are read on the event loop.",
    why="A small file is quick, a large one is not.",
    remedy="Use {instead}.",
    message="`{call}` reads a file",
    bad=(ExampleWords("opened", {"app.py": "open('x')  # expect: FL105\n"}),),
    good=(ExampleWords("in memory", {"app.py": "io.StringIO()\n"}),),
)
METADATA = RuleWords(
    code="FL113",
    name="file-metadata-call",
    severity=Severity.INFO,
    summary="The event loop asks the file system.",
    why="Microseconds, mostly.",
    remedy="Leave it on a local disk. On a network volume use {instead}.",
    message="`{call}` asks the file system",
    bad=(ExampleWords("asked", {"app.py": "os.stat('x')  # expect: FL113\n"}),),
    good=(ExampleWords("not asked", {"app.py": "'x'\n"}),),
)
RULES = {rule.code: rule for rule in (HTTP, FILES, METADATA)}

CHAINED = Finding(
    where=Location("shop/my orders.py", 12, 12, 12, 31),
    code="FL101",
    name="blocking-http-call",
    severity=Severity.ERROR,
    confidence=Confidence.HIGH,
    message="`requests.get` blocks the event loop while it waits for an HTTP answer",
    remedy="Use `httpx.AsyncClient`.",
    steps=(
        Step(Location("shop/my orders.py", 10, 1), "GET /orders/{number} → shop.my orders.read"),
        Step(Location("shop/my orders.py", 12, 12, 12, 31), "shop.carriers.Carrier.quote"),
        Step(Location("shop/carriers.py", 8, 16, 9, 2), "requests.get"),
    ),
    related=(
        Step(Location("shop/admin.py", 3, 5), "also called by shop.admin.audit"),
        Step(Location("shop/admin.py", 30, 5), "and by shop.admin.export"),
    ),
    notes=("reached from 12 routes", "GET /health is one of them"),
    symbol="shop.orders.read",
    subject="requests.get",
)
ODD = Finding(
    where=Location("odd/100%, a:b & <c> é.py", 3, 7, 3, 17),
    code="FL105",
    name="blocking-file-io",
    severity=Severity.WARNING,
    confidence=Confidence.MEDIUM,
    message='`open("100%<&>\n\x1b[31m")` reads a file: \u202e\u65e5\u672c\u8a9e',
    remedy="Use `anyio.Path`,\r\nor a thread: 100% safe.",
    notes=('"quoted" ::error::%0A, ]]> & <b>',),
    symbol="odd.λ",
)
SPREAD = Finding(
    where=Location("odd/100%, a:b & <c> é.py", 7, 5, 9, 6),
    code="FL101",
    name="blocking-http-call",
    severity=Severity.WARNING,
    confidence=Confidence.LOW,
    message="`httpx.post` blocks the event loop",
    notes=("only during start-up",),
)
BARE = Finding(
    where=Location("zz.py"),
    code="FL113",
    name="file-metadata-call",
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="`os.stat` asks the file system",
)
REPORT = Report(
    findings=(ODD, SPREAD, CHAINED, BARE),
    config=Config(severity=Severity.INFO),
    root="/srv/shop",
    rules=(FILES,),
    files=41,
    analysed=57,
    seconds=1.23456,
    suppressed=3,
    unresolved=(
        Step(Location("shop/admin.py", 9, 5, 9, 20), "self.backend.load: type of self.backend is not known"),
        Step(Location("shop/admin.py", 11, 5), "plugins[name](): \x07 indexed by a request"),
    ),
    excerpts={
        (ODD.where.path, 3): "\t\u65e5\u672c = open(\x1b[0m)",
        (SPREAD.where.path, 7): "    httpx.post(\n",
        (CHAINED.where.path, 12): "    return carrier.quote(order)",
    },
)
CLEAN = Report(findings=(), config=Config(), root="/srv/shop", files=1, analysed=1, seconds=0.004)


def rendered() -> dict[str, str]:
    """Every committed file of `tests/expected/`, as it comes out now."""
    plain, style = Style(), Style(unresolved=True, prefix="services/api/")
    with patch("fastlint.report.json_v1.__version__", "1.2.3"), patch("fastlint.report.sarif.__version__", "1.2.3"):
        return {
            "full.txt": FORMATS["full"](REPORT, RULES, plain),
            "full-colour.txt": FORMATS["full"](REPORT, RULES, Style(colour=True)),
            "full-styled.txt": FORMATS["full"](REPORT, RULES, style),
            "concise.txt": FORMATS["concise"](REPORT, RULES, plain),
            "statistics.txt": statistics(REPORT, RULES, plain),
            "report.json": FORMATS["json"](REPORT, RULES, style),
            "report.sarif": FORMATS["sarif"](REPORT, RULES, style),
            "github.txt": FORMATS["github"](REPORT, RULES, style),
            "gitlab.json": FORMATS["gitlab"](REPORT, RULES, style),
            "junit.xml": FORMATS["junit"](REPORT, RULES, style),
            "rule.txt": explain(HTTP, plain),
            "rule.json": explain_json(HTTP),
            "rules.txt": list_rules(RULES, plain),
            "rules.json": list_rules_json(RULES),
        }


def differs(name: str) -> str:
    """Why the output of today is not the committed one; "" if it is."""
    path = EXPECTED / name
    committed = path.read_bytes().decode("utf-8") if path.exists() else "(not committed)"
    now = rendered()[name]
    if committed == now:
        return ""
    return f"{name} was:\n{committed}\n{name} is:\n{now}\nif that is right: python tests/report_sample.py"


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for file_name, text in rendered().items():
        (EXPECTED / file_name).write_bytes(text.encode("utf-8"))
