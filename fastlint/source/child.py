"""A process that may be lost: reads source on standard input, writes its facts as JSON. Knows nothing of files."""

from __future__ import annotations

import json
import sys

from fastlint.source.parse import Unreadable, parse_here, to_json


def main() -> None:
    """Answer one request and end."""
    sys.setrecursionlimit(20_000)
    result = parse_here(sys.stdin.buffer.read())
    if isinstance(result, Unreadable):
        answer: dict[str, object] = {"reason": result.reason, "line": result.line, "column": result.column}
    else:
        answer = to_json(result)
    sys.stdout.write(json.dumps(answer))
