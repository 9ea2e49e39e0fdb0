"""The marker parser reads what it should, and refuses everything that only looks like a marker."""

from __future__ import annotations

from pathlib import Path

import pytest
from markers import Expected, MarkerError, differences, read_folder, read_markers

from fastlint.finding import Confidence, Finding, Location, Severity, Step

CODES = {"FL001", "FL101", "FL102", "FL402"}


def read(source: str) -> list[Expected]:
    return read_markers(source.encode(), "app.py", CODES)


def finding(line: int, code: str = "FL102", severity: Severity = Severity.ERROR) -> Finding:
    where = Location("app.py", line, 5)
    steps = (Step(where, "GET /items"), Step(Location("deep.py", 9, 1), "time.sleep"))
    words = "`time.sleep` blocks the event loop"
    return Finding(
        where, code, "blocking-sleep", severity, Confidence.HIGH, words, "", steps, (), ("only at start-up",)
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("f()  # expect: FL102\n", [Expected("app.py", 1, "FL102")]),
        ("f()  # expect: FL101, FL402\n", [Expected("app.py", 1, "FL101"), Expected("app.py", 1, "FL402")]),
        ("# expect-below: FL102\nf()\n", [Expected("app.py", 2, "FL102")]),
        ("f()  # noqa: E702  # expect: FL102\n", [Expected("app.py", 1, "FL102")]),
        ("f()  # expect: FL102(warning)\n", [Expected("app.py", 1, "FL102", "warning")]),
        (
            "f()  # expect: FL102(info; route=GET /a, b), FL101(via=x.py)\n",
            [
                Expected("app.py", 1, "FL102", "info", (("route", "GET /a, b"),)),
                Expected("app.py", 1, "FL101", "", (("via", "x.py"),)),
            ],
        ),
        ('TEXT = "# expect: FL102"\n', []),
        ("# expected: nothing, this is prose\n", []),
        ("f(:  # expect: FL001\n", [Expected("app.py", 1, "FL001")]),
    ],
)
def test_a_marker_names_rules_and_a_line(source: str, expected: list[Expected]) -> None:
    assert read(source) == expected


@pytest.mark.parametrize(
    "comment",
    [
        "# expect FL102",
        "# expect:FL102",
        "#expect: FL102",
        "# Expect: FL102",
        "# expects: FL102",
        "# expect: FL1O2",
        "# expect: fl102",
        "# expect: FL102,FL101",
        "# expect: FL102 FL101",
        "# expect: FL102 because it sleeps",
        "# expect: FL999",
        "# expect:",
        "# expect-above: FL102",
        "# expect-bellow: FL102",
        "# expect: FL102()",
        "# expect: FL102(bad)",
        "# expect: FL102(route=)",
        "# expect: FL102(colour=red)",
        "# expect: FL102(info; warning)",
        "# expect: FL102, FL102",
        "# expect: FL102  # expect: FL101",
    ],
)
def test_an_unreadable_marker_fails(comment: str) -> None:
    with pytest.raises(MarkerError, match=r"app\.py"):
        read(f"f()  {comment}\n")


def test_a_list_names_files_that_hold_no_marker(tmp_path: Path) -> None:
    (tmp_path / "nul.py").write_bytes(b"\0")
    (tmp_path / "expected.txt").write_text("# why\n\nnul.py FL001\n", encoding="utf-8")
    assert read_folder(tmp_path, CODES) == [Expected("nul.py", 0, "FL001")]
    (tmp_path / "expected.txt").write_text("none.py FL001\n", encoding="utf-8")
    with pytest.raises(MarkerError, match="no file"):
        read_folder(tmp_path, CODES)


def test_what_is_as_expected_gives_no_difference() -> None:
    expected = read("a()\nf()  # expect: FL102(error; confidence=high; route=GET /items; note=START; via=deep.py)\n")
    assert differences(expected, [finding(2)]) == []
    assert differences([Expected("app.py", 0, "FL102")], [finding(2)]) == []
    assert differences([Expected("app.py", 2, "FL102")], [finding(2), finding(2)]) == []


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        ([Expected("app.py", 2, "FL102")], [], ["app.py:2  expected FL102: nothing found"]),
        ([], [finding(2)], ["app.py:2  found FL102, expected nothing"]),
        ([Expected("app.py", 3, "FL102")], [finding(2)], ["app.py:2  found FL102", "app.py:3  expected FL102"]),
        ([Expected("app.py", 2, "FL101")], [finding(2)], ["app.py:2  expected FL101", "app.py:2  found FL102"]),
        ([Expected("app.py", 2, "FL102", "info")], [finding(2)], ["app.py:2  expected FL102: severity info"]),
        ([Expected("app.py", 2, "FL102", "", (("route", "POST"),))], [finding(2)], ["app.py:2  expected FL102: route"]),
        ([Expected("app.py", 2, "FL102", "", (("note", "login"),))], [finding(2)], ["app.py:2  expected FL102: note"]),
        ([Expected("app.py", 2, "FL102", "", (("via", "x.py"),))], [finding(2)], ["app.py:2  expected FL102: via"]),
        ([Expected("app.py", 2, "FL102", "", (("names", "open"),))], [finding(2)], ["app.py:2  expected FL102: names"]),
    ],
)
def test_each_difference_is_one_line(expected: list[Expected], found: list[Finding], said: list[str]) -> None:
    lines = differences(expected, found)
    assert len(lines) == len(said)
    assert all(line.startswith(start) for line, start in zip(lines, said, strict=True)), lines


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("compose.yaml", "services:\n  web:\n    cpus: 2  # expect: FL102\n", 3),
        ("deploy/web.yml", "# expect-below: FL102\nkind: Pod\n", 2),
        ("Dockerfile", 'FROM x\n# expect-below: FL102\nCMD ["uvicorn", "app:app"]\n', 3),
        ("api.Dockerfile", "# expect-below: FL102\nCMD uvicorn app:app\n", 2),
        ("Procfile", "# expect-below: FL102\nweb: uvicorn app:app\n", 2),
        ("start.sh", "uvicorn app:app  # expect: FL102\n", 1),
        ("web.service", "[Service]\n# expect-below: FL102\nExecStart=uvicorn app:app\n", 3),
        ("supervisord.ini", "[program:web]\n# expect-below: FL102\ncommand=uvicorn app:app\n", 3),
        ("hypercorn.toml", "workers = 2  # expect: FL102\n", 1),
        (".env", "WEB_CONCURRENCY=  # expect: FL102\n", 1),
    ],
)
def test_markers_stand_in_the_files_of_a_deployment_too(tmp_path: Path, name: str, text: str, line: int) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert read_folder(tmp_path, CODES) == [Expected(name, line, "FL102")]


def test_a_marker_that_cannot_be_read_is_refused_there_as_well(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("cpus: 2 # expects FL102\n")
    with pytest.raises(MarkerError):
        read_folder(tmp_path, CODES)
    (tmp_path / "compose.yaml").unlink()
    (tmp_path / "README.md").write_text("# expect: FL102\n")
    assert read_folder(tmp_path, CODES) == []
