"""The data of the servers is read strictly: what nobody would read is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from fastlint.deploy.servers import server
from fastlint.rulebook.server_schema import ServerFile

ROW = {"name": "workers", "kind": "count"}


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn", "fastapi", "hypercorn"])
def test_every_file_is_of_the_shape(name: str) -> None:
    assert server(name).name == name
    assert server(name).settings


@pytest.mark.parametrize(
    "data",
    [
        {"server": "x", "setting": [{**ROW, "flag": ["-w"]}]},
        {"server": "x", "setting": [{**ROW, "kind": "counts"}]},
        {"server": "x", "setting": [{**ROW, "ignored_by": {"uvicorn_worker": "why"}}]},
        {"server": "x", "setting": [{**ROW, "ignored_by": ["uvicorn"]}]},
        {"server": "x", "setting": [ROW], "config_file": "x.py"},
        {"server": "x", "setting": [{**ROW, "any_case": "sometimes"}]},
        {"server": "x"},
    ],
)
def test_an_unknown_key_or_word_is_refused(data: dict[str, object]) -> None:
    assert ServerFile.model_validate({"server": "x", "setting": [ROW]}).setting[0].has_default is False
    with pytest.raises(ValidationError):
        ServerFile.model_validate(data)
