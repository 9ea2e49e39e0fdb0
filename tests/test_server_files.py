"""The data of the servers is read strictly: what nobody would read is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from fastlint.deploy.servers import server
from fastlint.rulebook.server_schema import ServerFile, SettingRow
from fastlint.rulebook.where import rules_folder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROW = {"name": "workers", "kind": "count"}


@pytest.mark.parametrize("path", sorted((rules_folder() / "servers").glob("*.toml")), ids=lambda path: path.stem)
def test_every_file_is_of_the_shape(path: Path) -> None:
    shape = ServerFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    known = server(path.stem)
    assert known.name == shape.server == path.stem
    assert list(known.settings) == [row.name for row in shape.setting]
    for row in shape.setting:  # what is read without a look at the shape is what the shape says
        one = known.settings[row.name]
        same = [name for name in SettingRow.model_fields if name != "default"]
        assert [getattr(one, name) for name in same] == [getattr(row, name) for name in same]
        assert one.default == (tuple(row.default) if isinstance(row.default, list) else row.default)
        assert one.has_default == ("default" in row.model_fields_set)


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
    assert ServerFile.model_validate({"server": "x", "setting": [ROW]}).setting[0].name == "workers"
    with pytest.raises(ValidationError):
        ServerFile.model_validate(data)
