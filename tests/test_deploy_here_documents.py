"""Scripts that stand in the Dockerfile itself lead to the server that they start, on the line where they say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from deployment import read
from test_deploy_projects import NO_PYTHON

from fastlint.deploy.join import read_plans

START = 'ENTRYPOINT ["/start.sh"]\n'
# A Dockerfile, and what its plans are: server, line, workers, whether it takes the shell's place.
CASES: dict[str, tuple[str, list[tuple[str, int, object, bool]]]] = {
    "quoted": (
        f"FROM python\nCOPY <<'EOF' /start.sh\n#!/bin/sh\nW=2\nexec uvicorn a:b --workers $W\nEOF\n{START}",
        [("uvicorn", 5, 2, True)],
    ),
    "with double quotes and a mode": (
        f'FROM python\nCOPY --chmod=755 <<"END" /start.sh\n#!/bin/sh\nuvicorn a:b --workers 2\nEND\n{START}',
        [("uvicorn", 4, 2, False)],
    ),
    "with tabs taken away": (
        f"FROM python\nCOPY <<-'EOF' /start.sh\n\t#!/bin/sh\n\texec uvicorn a:b --workers 2\n\tEOF\n{START}",
        [("uvicorn", 4, 2, True)],
    ),
    "the build fills in what it knows": (
        f"FROM python\nARG W=3\nCOPY <<EOF /start.sh\n#!/bin/sh\nexec uvicorn a:b --workers $W\nEOF\n{START}",
        [("uvicorn", 5, 3, True)],
    ),
    "an escaped dollar is the script's": (
        f"FROM python\nARG W=3\nCOPY <<EOF /start.sh\n#!/bin/sh\nW=4\nuvicorn a:b --workers \\$W\nEOF\n{START}",
        [("uvicorn", 6, 4, False)],
    ),
    "its arguments": (
        "FROM python\nCOPY <<'EOF' /start.sh\n#!/bin/sh\nexec \"$@\"\nEOF\n"
        f'{START}CMD ["uvicorn", "a:b", "--workers", "2"]\n',
        [("uvicorn", 7, 2, True)],
    ),
    "into the working folder": (
        "FROM python\nWORKDIR /srv\nCOPY <<'start.sh' <<other ./\nexec uvicorn a:b --workers 2\nstart.sh\nno\nother\n"
        'CMD ["sh", "./start.sh"]\n',
        [("uvicorn", 4, 2, True)],
    ),
    "found by the search path": (
        "FROM python\nADD <<'EOF' /usr/local/bin/start.sh\n#!/bin/bash\nexec uvicorn a:b --workers 2\nEOF\n"
        'CMD ["start.sh"]\n',
        [("uvicorn", 4, 2, True)],
    ),
    "written by a command": (
        f"FROM python\nRUN cat <<'EOF' > /start.sh && chmod +x /start.sh\n#!/bin/sh\nuvicorn a:b\nEOF\n{START}",
        [("uvicorn", 4, 1, False)],
    ),
    "written by a command, the target first": (
        f"FROM python\nRUN cat > /start.sh <<'EOF'\n#!/bin/sh\nuvicorn a:b\nEOF\n{START}",
        [("uvicorn", 4, 1, False)],
    ),
    "of the stage below": (
        f"FROM python AS base\nCOPY <<'EOF' /start.sh\n#!/bin/sh\nexec uvicorn a:b\nEOF\nFROM base\n{START}",
        [("uvicorn", 4, 1, True)],
    ),
    "of another stage": (
        "FROM python AS base\nCOPY <<'EOF' /x/s.sh\n#!/bin/sh\nexec uvicorn a:b\nEOF\n"
        f"FROM python\nCOPY --from=base /x/s.sh /start.sh\n{START}",
        [("uvicorn", 4, 1, True)],
    ),
    "of another stage that is not taken": (
        f"FROM python AS base\nCOPY <<'EOF' /start.sh\n#!/bin/sh\nexec uvicorn a:b\nEOF\nFROM python\n{START}",
        [],
    ),
    "another file": (
        f"FROM python\nCOPY <<'EOF' /stop.sh\n#!/bin/sh\nexec uvicorn a:b\nEOF\n{START}",
        [],
    ),
    "no script": (
        "FROM python\nCOPY <<'EOF' /start\n#!/usr/bin/env python\nuvicorn a:b\nEOF\nENTRYPOINT [\"/start\"]\n",
        [],
    ),
    "appended to what is there": (
        f"FROM python\nRUN cat <<'EOF' >> /start.sh\nexec uvicorn a:b\nEOF\n{START}",
        [],
    ),
    "empty": (f"FROM python\nCOPY <<EOF /start.sh\nEOF\n{START}", []),
    "it calls itself": (f"FROM python\nCOPY <<'EOF' /start.sh\n#!/bin/sh\nexec /start.sh\nEOF\n{START}", []),
}


@pytest.mark.parametrize("name", CASES)
def test_scripts_in_the_dockerfile_are_followed(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    plans = read_plans(read(tmp_path, {"Dockerfile": text}), NO_PYTHON)
    assert [
        (plan.server, plan.where.line, plan.value("workers"), plan.command is not None and plan.command.replaces_shell)
        for plan in plans
    ] == expected
    assert {plan.where.path for plan in plans} <= {"Dockerfile"}
