"""One expression is one finding of a rule, however many of its calls wait; two statements on a line stay two."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastlint.config import Config
from fastlint.engine import check
from fastlint.finding import Severity
from fastlint.report.model import CheckRequest

APPLICATION = """
import sqlite3

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def home(connection: sqlite3.Connection) -> object:
    {body}
"""


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param('return connection.execute("SELECT 1").fetchone()', ["sqlite3.Connection.execute"], id="chain"),
        pytest.param(
            'return connection.cursor().execute("SELECT 1").fetchall()', ["sqlite3.Cursor.execute"], id="longer chain"
        ),
        pytest.param(
            'return (\n        connection.execute("SELECT 1")\n        .fetchone()\n    )',
            ["sqlite3.Connection.execute"],
            id="chain over several lines",
        ),
        pytest.param(
            'row = connection.execute("SELECT 1"); connection.commit()',
            ["sqlite3.Connection.execute", "sqlite3.Connection.commit"],
            id="two statements on one line",
        ),
        pytest.param(
            'return connection.execute("SELECT 1"), connection.execute("SELECT 2")',
            ["sqlite3.Connection.execute", "sqlite3.Connection.execute"],
            id="two calls in one statement",
        ),
    ],
)
def test_a_chain_of_calls_is_one_finding(tmp_path: Path, body: str, found: list[str]) -> None:
    (tmp_path / "main.py").write_text(APPLICATION.format(body=body))
    config = Config(root=str(tmp_path), severity=Severity.INFO)
    report = check(CheckRequest((str(tmp_path),), config))
    assert [finding.subject for finding in report.findings if finding.code == "FL103"] == found
