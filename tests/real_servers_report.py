"""Asks the real servers what they make of files and command lines: cases in on stdin, their settings out on stdout.

Runs in a process of its own, and every case in a fork of that: gunicorn reads the environment when it is imported.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else "an object"


def _gunicorn(words: list[str]) -> dict[str, Any]:
    from gunicorn.app.wsgiapp import WSGIApplication  # type: ignore[import-untyped]

    sys.argv = words
    application = WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]")
    settings = {name: _plain(setting.value) for name, setting in application.cfg.settings.items()}
    return {**settings, "app": application.app_uri}


def _uvicorn(words: list[str]) -> dict[str, Any]:
    import uvicorn

    uvicorn.main  # noqa: B018  # the package binds the command over its module
    module = sys.modules["uvicorn.main"]
    given: dict[str, Any] = {}

    def record(app: Any, **keywords: Any) -> None:
        given.update(keywords, app=app)

    module.run = record  # type: ignore[attr-defined]
    module.main.main(words[1:], prog_name="uvicorn", standalone_mode=False)
    config = uvicorn.Config(
        given.pop("app"),
        **{name: given[name] for name in ("workers", "env_file", "forwarded_allow_ips") if name in given},
    )
    return {
        **{name: _plain(value) for name, value in given.items()},
        "workers": config.workers,
        "forwarded_allow_ips": config.forwarded_allow_ips,
    }


def _answer(case: dict[str, Any]) -> dict[str, Any]:
    words = case["words"]
    try:
        return _gunicorn(words) if words[0] == "gunicorn" else _uvicorn(words)
    except SystemExit as error:
        return {"refused": f"exit {error.code}"}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}


def _forked(case: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in case["files"].items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        out = Path(folder, "answer.json")
        child = os.fork()
        if not child:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            os.chdir(folder)
            sys.path.insert(0, folder)
            for name in [name for name in os.environ if name not in ("PATH", "HOME")]:
                del os.environ[name]
            os.environ.update(case["environment"])
            out.write_text(json.dumps(_answer(case)))
            os._exit(0)
        os.waitpid(child, 0)
        return dict(json.loads(out.read_text()))


if __name__ == "__main__":
    sys.stdout.write(json.dumps([_forked(case) for case in json.load(sys.stdin)]))
