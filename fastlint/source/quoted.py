"""What the text of a quoted annotation says, as the record that the same words would give without quotes.

CPython's parser reads them: they are known only where a name is looked up, when LibCST is long done with the file or,
in a run after an edit, was never loaded. Its import takes longer than all quoted annotations of a project.
"""

from __future__ import annotations

import ast
import warnings
from functools import lru_cache
from typing import Any

from fastlint.source.facts import Node

_NOWHERE = -1  # the site of what has no place of its own in the file


@lru_cache(maxsize=4096)
def expression_of(text: str) -> Node:
    """The record of the expression that a text spells, without sites; None where it is none that the Python which runs
    knows (`*Rest` in brackets: from 3.11 on), or none of types: names, attributes, subscripts, alternatives (`A | B`),
    constants, tuples, lists and calls."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none: nobody has asked
            return _record(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _record(node: ast.expr | None) -> Node:
    if isinstance(node, ast.Name):
        return ["n", node.id]
    if isinstance(node, ast.Attribute):
        return ["a", _NOWHERE, _record(node.value), node.attr]
    if isinstance(node, ast.Subscript):
        return ["s", _NOWHERE, _record(node.value), _record(node.slice)]
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.Tuple):
        return ["t", [_record(each) for each in node.elts]]
    if isinstance(node, ast.List):
        return ["l", [_record(each) for each in node.elts]]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return ["o", _NOWHERE, "or", _record(node.left), _record(node.right)]
    if isinstance(node, ast.Starred):
        return ["*", _record(node.value)]
    if isinstance(node, ast.Call):
        keywords = [[each.arg, _record(each.value)] for each in node.keywords]
        return ["c", _NOWHERE, _record(node.func), [_record(each) for each in node.args], keywords]
    return None


def _constant(value: Any) -> Node:
    if isinstance(value, bytes):
        return ["f", []]
    return ["k", value] if value is None or isinstance(value, (bool, int, float, str)) else None
