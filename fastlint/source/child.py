"""A process that may be lost: reads source on standard input, writes what became of it. Knows nothing of files."""

from __future__ import annotations

import sys

from fastlint.source.parse import answer_of


def main() -> None:
    """Answer one request and end."""
    sys.setrecursionlimit(20_000)
    sys.stdout.buffer.write(answer_of(sys.stdin.buffer.read()))
