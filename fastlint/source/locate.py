"""Sites become lines and columns, for the few files in which something is reported. Says nothing about what is there.

LibCST nodes carry no positions and its position provider costs two parses. The standard library's `ast` gives them
for a tenth of one, so this walk numbers the nodes of an `ast` tree in exactly the order in which `extract` numbered
the LibCST tree, each function apart. Where `ast` cannot read the file (syntax newer than the running interpreter) the
position provider is asked after all.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from fastlint.source.facts import SITES_OF_ONE
from fastlint.source.parse import suspicious

Span = tuple[int, int, int, int]
"""line, column, end line, end column; all from 1, columns in characters, the end exclusive."""


def locate(source: bytes, expected: int) -> dict[int, Span] | None:
    """The span of every site of a file, by site number; None where the count does not match what was extracted."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        numbering = _Numbering(source)
        numbering.block(tree.body)
        spans = numbering.spans
    except SyntaxError:
        spans = _ask_libcst(source)
    except (ValueError, RecursionError, MemoryError):
        return None
    return spans if len(spans) == expected else None


def _ask_libcst(source: bytes) -> dict[int, Span]:
    """The spans by LibCST's own reckoning: two parses slower, and no newer Python is needed for newer syntax."""
    if suspicious(source):  # read by a process that may be lost: this one may not
        return {}
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider

    from fastlint.source.extract import extract

    nodes: dict[int, Any] = {}
    try:
        wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
        positions = wrapper.resolve(PositionProvider)
        extract(wrapper.module, nodes)
    except Exception:  # the file changed since it was read, or is as deep as the stack: then it has no places
        return {}
    spans: dict[int, Span] = {}
    for site, node in nodes.items():
        start, end = positions[node].start, positions[node].end
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)) and nodes.get(site - 1) is node:
            spans[site] = _opening(start.line, start.column + 1)
        else:
            spans[site] = (start.line, start.column + 1, end.line, end.column + 1)
    return spans


def _opening(line: int, column: int) -> Span:
    """The place of a function or class itself, as opposed to its statement: the first word."""
    return line, column, line, column + len("async def")


def _is_text(node: Any) -> bool:
    return type(node) is ast.Constant and isinstance(node.value, (str, bytes))


class _Numbering:
    """Walks an `ast` tree in the order of `extract`."""

    def __init__(self, source: bytes) -> None:
        self.spans: dict[int, Span] = {}
        self._site = 0  # the next one of the innermost function
        self._functions = 0  # how many were opened so far
        # The lines in which a column is not the number of its character
        lines = [] if source.isascii() else _utf8_lines(source)
        self._wide = {number: line for number, line in enumerate(lines, 1) if not line.isascii()}

    def add(self, node: Any) -> None:
        self._place(self.span(node))

    def _place(self, span: Span) -> None:
        self.spans[self._site] = span
        self._site += 1

    def _open(self) -> int:
        """The number of a function that begins here; its body comes later."""
        self._functions += 1
        return self._functions

    def _enter(self, function: int) -> int:
        """What follows is in the body of a function; the next site of what is around it, for `_leave`."""
        outer, self._site = self._site, function * SITES_OF_ONE
        return outer

    def _leave(self, outer: int) -> None:
        self._site = outer

    def span(self, node: Any) -> Span:
        line, column, end_line, end_column = node.lineno, node.col_offset, node.end_lineno, node.end_col_offset
        if self._wide:
            if line in self._wide:
                column = self._characters(line, column)
            if end_line in self._wide:
                end_column = self._characters(end_line, end_column)
        return line, column + 1, end_line, end_column + 1

    def _characters(self, line: int, column: int) -> int:
        return len(self._wide[line][:column].decode("utf-8", "replace"))

    # Statements

    def block(self, nodes: list[Any]) -> None:
        for node in nodes:
            self.statement(node)

    def statement(self, node: Any) -> None:
        kind = type(node).__name__
        if kind == "Pass" or (kind == "Expr" and _is_text(node.value)):
            return
        self.add(node)
        if kind == "Expr":
            self.expression(node.value)
        elif kind == "Assign":
            for target in node.targets:
                self.expression(target)
            self.expression(node.value)
        elif kind == "AnnAssign":
            self.expression(node.target)
            self.expression(node.annotation)
            self.expression(node.value)
        elif kind == "AugAssign":
            self.expression(node.target)
            self.expression(node.value)
        elif kind in ("FunctionDef", "AsyncFunctionDef"):
            function = self._open()
            self._place(_opening(*self.span(node)[:2]))
            for decorator in node.decorator_list:
                self.expression(decorator)
            self.parameters(node.args)
            self.expression(node.returns)
            outer = self._enter(function)
            self.block(node.body)
            self._leave(outer)
        elif kind == "ClassDef":
            self._place(_opening(*self.span(node)[:2]))
            for decorator in node.decorator_list:
                self.expression(decorator)
            for base in node.bases:
                self.expression(base)
            for keyword in node.keywords:
                self.expression(keyword.value)
            self.block(node.body)
        elif kind == "If":
            while True:  # as in `extract`, an `elif` chain must not recurse
                self.expression(node.test)
                self.block(node.body)
                orelse = node.orelse
                if len(orelse) == 1 and type(orelse[0]) is ast.If and orelse[0].col_offset == node.col_offset:
                    node = orelse[0]
                    self.add(node)
                    continue
                self.block(orelse)
                return
        elif kind == "While":
            self.add(node)
            self.expression(node.test)
            self.block(node.body)
            self.block(node.orelse)
        elif kind in ("For", "AsyncFor"):
            self.add(node.iter)
            self.expression(node.target)
            self.expression(node.iter)
            self.block(node.body)
            self.block(node.orelse)
        elif kind in ("With", "AsyncWith"):
            for item in node.items:
                self.add(item.context_expr)
                self.expression(item.context_expr)
                self.expression(item.optional_vars)
            self.block(node.body)
        elif kind in ("Try", "TryStar"):
            self.block(node.body)
            for handler in node.handlers:
                self.expression(handler.type)
                self.block(handler.body)
            self.block(node.orelse)
            self.block(node.finalbody)
        elif kind == "Match":
            self.expression(node.subject)
            for case in node.cases:
                self.expression(case.guard)
                self.block(case.body)
        elif kind == "Return":
            self.expression(node.value)
        elif kind == "Raise":
            self.expression(node.exc)
            self.expression(node.cause)
        elif kind == "Assert":
            self.expression(node.test)
            self.expression(node.msg)
        elif kind == "Delete":
            for target in node.targets:
                self.expression(target)
        elif kind == "TypeAlias":
            self.expression(node.value)

    def parameters(self, arguments: Any) -> None:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        for parameter, default in zip(positional, defaults, strict=True):
            self.expression(parameter.annotation)
            self.expression(default)
        if arguments.vararg is not None:
            self.expression(arguments.vararg.annotation)
        for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            self.expression(parameter.annotation)
            self.expression(default)
        if arguments.kwarg is not None:
            self.expression(arguments.kwarg.annotation)

    # Expressions

    def expression(self, node: Any) -> None:
        if node is None:
            return
        kind = type(node)
        if kind is ast.Name or kind is ast.Constant:
            return
        if kind is ast.Attribute or kind is ast.Call:
            self.chain(node)
        elif kind is ast.Subscript:
            self.add(node)
            self.expression(node.value)
            self.expression(node.slice)
        elif kind is ast.Await:
            self.add(node)
            self.expression(node.value)
        elif kind is ast.Yield or kind is ast.YieldFrom:
            self.add(node)
            self.expression(node.value)
        elif kind is ast.BinOp:
            links = []
            while type(node) is ast.BinOp:
                self.add(node)
                links.append(node)
                node = node.left
            self.expression(node)
            for link in reversed(links):
                self.expression(link.right)
        elif kind is ast.Compare:
            self.add(node)
            self.expression(node.left)
            for comparator in node.comparators:
                self.expression(comparator)
        elif kind is ast.UnaryOp:
            self.expression(node.operand)
        elif kind is ast.BoolOp:
            for value in node.values:
                self.expression(value)
        elif kind is ast.IfExp:
            self.expression(node.body)
            self.expression(node.test)
            self.expression(node.orelse)
        elif kind in (ast.Tuple, ast.List, ast.Set):
            for element in node.elts:
                self.expression(element)
        elif kind is ast.Dict:
            for key, value in zip(node.keys, node.values, strict=True):
                self.expression(key)
                self.expression(value)
        elif kind is ast.GeneratorExp:
            self._generator(node)
        elif kind in (ast.ListComp, ast.SetComp, ast.DictComp):
            if kind is ast.DictComp:
                self.expression(node.key)
                self.expression(node.value)
            else:
                self.expression(node.elt)
            for clause in node.generators:
                self.add(clause.iter)
                self.expression(clause.target)
                self.expression(clause.iter)
                for condition in clause.ifs:
                    self.expression(condition)
        elif kind is ast.Lambda:
            function = self._open()
            self.add(node)
            self.parameters(node.args)
            outer = self._enter(function)
            self.expression(node.body)
            self._leave(outer)
        elif kind is ast.NamedExpr or kind is ast.Starred:
            self.expression(node.value)
        elif kind is ast.Slice:
            self.expression(node.lower)
            self.expression(node.upper)
            self.expression(node.step)
        elif kind is ast.JoinedStr:
            for value in node.values:
                self.expression(value)
        elif kind is ast.FormattedValue:
            self.expression(node.value)
            self.expression(node.format_spec)

    def _generator(self, node: ast.GeneratorExp) -> None:
        function = self._open()
        self.add(node)
        outer = self._site
        for number, clause in enumerate(node.generators):
            self.add(clause.iter)
            self.expression(clause.target)
            self.expression(clause.iter)
            if not number:  # the outermost iterable is evaluated outside
                outer = self._enter(function)
            for condition in clause.ifs:
                self.expression(condition)
        self.expression(node.elt)
        self._leave(outer)

    def chain(self, node: Any) -> None:
        links: list[Any] = []
        while True:
            if type(node) is ast.Attribute:
                self.add(node)
                links.append(node)
                node = node.value
            elif type(node) is ast.Call:
                self.add(node)
                links.append(node)
                node = node.func
            else:
                break
        self.expression(node)
        for link in reversed(links):
            if type(link) is ast.Call:
                arguments = [*link.args, *(keyword.value for keyword in link.keywords)]
                if link.args and link.keywords:  # `f(*a, k=1, *b)`: source order, not ast's
                    arguments.sort(key=lambda argument: (argument.lineno, argument.col_offset))
                for argument in arguments:
                    self.expression(argument)


def _utf8_lines(source: bytes) -> list[bytes]:
    """The lines as `ast` counts columns in them: UTF-8, whatever the file's own encoding."""
    import io
    import tokenize

    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = source.decode(encoding, "replace").removeprefix("\ufeff")
    except (SyntaxError, LookupError):
        text = source.decode("utf-8", "replace")
    return [line.encode("utf-8", "replace") for line in text.split("\n")]
