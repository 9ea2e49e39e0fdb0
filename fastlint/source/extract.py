"""One walk over a LibCST tree gives the facts of a module. Visits only what holds code and judges nothing.

One function per node type, found in a table by `type(node)`; each returns the small record of its node (see
`facts`). No visitors, matchers or metadata providers: they cost one to twelve parses each. Sites are numbered on
entry, in the order that `locate` repeats on the positions of `ast`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from fastlint.source.facts import SITES_OF_ONE, Block, Class, Function, ModuleFacts, Node, Param
from fastlint.source.mentioned import note_names

_LONGEST_ELIF = 500  # each is one `else` deeper, and whoever reads the facts needs stack for that
_LONGEST_STRING = 400  # longer constants (prompts, templates) are never a name, a path, a URL or a mode
_MUTATORS = frozenset({"append", "add", "insert", "extend", "update", "setdefault", "appendleft", "register"})
_LOOK_UPS = frozenset({"setdefault", "get"})  # handlers.setdefault(name, []).append(f) fills `handlers`


class _Walk:
    """The state of one walk: facts so far, the functions and the classes that are open, the next site of the innermost
    function and of those around it."""

    __slots__ = ("class_", "facts", "functions", "generators", "nameless", "outer", "path", "selves", "site", "trace")

    def __init__(self, trace: dict[int, Any] | None = None) -> None:
        self.facts = ModuleFacts()
        self.functions: list[int] = []  # open functions, innermost last
        self.generators: list[bool] = []
        self.path: list[str] = []  # names of the open functions and classes
        self.nameless: dict[str, int] = {}  # how many functions without a name there are, by what would be their name
        self.class_ = -1  # the class whose body is being read directly, or -1
        self.selves: list[tuple[str, int]] = []  # (first parameter, class) of the open functions; ("", -1) if none
        self.site = 0
        self.outer: list[int] = []
        self.trace = trace

    def number(self, node: Any) -> int:
        site = self.site
        if self.trace is not None:
            self.trace[site] = node
        self.site = site + 1
        return site

    def enter(self, function: int) -> None:
        """What follows is in the body of a function."""
        self.functions.append(function)
        self.outer.append(self.site)
        self.site = (function + 1) * SITES_OF_ONE

    def leave(self) -> None:
        """The body of the innermost function ends here."""
        function = self.functions.pop()
        self._count(function)
        self.site = self.outer.pop()

    def close(self) -> None:
        """The module ends here."""
        self._count(-1)

    def _count(self, function: int) -> None:
        used = self.site - (function + 1) * SITES_OF_ONE
        if used > SITES_OF_ONE:
            raise ValueError("a function of more than a million calls, attributes and statements")
        self.facts.sites += used

    def unnamed(self, kind: str) -> str:
        """What stands for the qualified name of a function that has none: numbered only among those beside it, so that
        it stays when others come."""
        place = ".".join([*self.path, f"<{kind}"])
        number = self.nameless[place] = self.nameless.get(place, -1) + 1
        return f"{place}{number}>"

    def inside(self) -> int:
        return self.functions[-1] if self.functions else -1

    def note(self, index: dict[str, list[int]], name: str) -> None:
        here = self.inside()
        known = index.get(name)
        if known is None:
            index[name] = [here]
        elif known[-1] != here:
            known.append(here)


_Handler = Callable[[Any, _Walk], Node]
_EXPRESSIONS: dict[type, _Handler] = {}
_STATEMENTS: dict[type, Callable[[Any, _Walk, Block], None]] = {}


def extract(module: cst.Module, trace: dict[int, Any] | None = None) -> ModuleFacts:
    """The facts of a parsed module; `trace`, where given, receives the node of every site, for `locate`.

    Raises `RecursionError` on trees deeper than Python's recursion limit, `ValueError` where a function is too large to
    be numbered.
    """
    walk = _Walk(trace)
    _statements(module.body, walk, walk.facts.body)
    walk.close()
    note_names(walk.facts)
    return walk.facts


def _expression(node: Any, walk: _Walk) -> Node:
    kind = type(node)
    if kind is cst.Name:
        name = node.value
        if name == "None":
            return ["k", None]
        if name == "True":
            return ["k", True]
        if name == "False":
            return ["k", False]
        return ["n", name]
    handler = _EXPRESSIONS.get(kind)
    return handler(node, walk) if handler is not None else None


def _statements(nodes: Sequence[Any], walk: _Walk, out: Block) -> None:
    for node in nodes:
        if type(node) is cst.SimpleStatementLine:
            for small in node.body:
                _statement(small, walk, out)
        else:
            _statement(node, walk, out)


def _statement(node: Any, walk: _Walk, out: Block) -> None:
    handler = _STATEMENTS.get(type(node))
    if handler is not None and not (type(node) is cst.Expr and _is_text(node.value)):
        site = walk.number(node)
        before = len(out)
        handler(node, walk, out)
        if len(out) > before:
            out[-1].append(site)


def _is_text(node: Any) -> bool:
    """Whether a statement is a docstring or any other plain string: it says nothing, and is not even numbered, so that
    writing one changes no fact of its file."""
    while type(node) is cst.ConcatenatedString and type(node.left) is cst.SimpleString:
        node = node.right
    return type(node) is cst.SimpleString


def _suite(node: Any, walk: _Walk) -> Block:
    out: Block = []
    body = node.body
    if type(node) is cst.SimpleStatementSuite:
        for small in body:
            _statement(small, walk, out)
    else:
        _statements(body, walk, out)
    return out


# --- expressions ------------------------------------------------------------------------------------------------


def _integer(node: cst.Integer, walk: _Walk) -> Node:
    try:
        value = int(node.value.replace("_", ""), 0)
    except ValueError:
        return None
    return ["k", value] if -(2**53) < value < 2**53 else None


def _float(node: cst.Float, walk: _Walk) -> Node:
    try:
        return ["k", float(node.value.replace("_", ""))]
    except ValueError:
        return None


def _string(node: cst.SimpleString, walk: _Walk) -> Node:
    text = node.value
    if len(text) > _LONGEST_STRING:
        return ["f", []]
    first = text[0]
    if first not in "'\"":
        prefix = node.prefix
        if "b" in prefix:
            return ["f", []]
        text = text[len(prefix) :]
        if "r" in prefix:
            return ["k", text[3:-3] if text[:3] in ("'''", '"""') and len(text) > 5 else text[1:-1]]
    if "\\" in text:
        value = node.evaluated_value
        return ["k", value] if isinstance(value, str) else ["f", []]
    quotes = 3 if text[:3] in ("'''", '"""') and len(text) > 5 else 1
    return ["k", text[quotes:-quotes]]


_END: Node = ["f", []]


def _concatenated(node: cst.ConcatenatedString, walk: _Walk) -> Node:
    parts: list[Any] = []
    while True:  # right-nested: implicit concatenation of many strings must not recurse
        parts.append(node.left)
        right: Any = node.right
        if type(right) is not cst.ConcatenatedString:
            parts.append(right)
            break
        node = right
    pieces: list[Node] = []
    for part in parts:
        record = _expression(part, walk)
        if record is None:
            continue
        if record[0] == "f":
            pieces.extend(record[1] or [None])
        else:
            pieces.append(record)
    if any(piece is None or piece[0] != "k" for piece in pieces):
        return ["f", _joined(pieces)]
    text = "".join(piece[1] for piece in pieces)
    return ["f", []] if len(text) > _LONGEST_STRING else ["k", text]


def _joined(pieces: list[Node]) -> list[Node]:
    """The parts of an f-string, texts side by side as one: how a string is broken over lines says nothing."""
    out: list[Node] = []
    text: list[str] = []
    for piece in (*pieces, _END):
        if piece is not None and piece[0] == "k" and isinstance(piece[1], str):
            text.append(piece[1])
            continue
        if text:
            whole = "".join(text)
            out.append(["k", whole] if len(whole) <= _LONGEST_STRING else None)
            text = []
        out.append(piece)
    return out[:-1]


def _formatted(node: Any, walk: _Walk) -> Node:
    inner: list[Node] = []
    _formatted_parts(node.parts, walk, inner)
    return ["f", inner]


def _formatted_parts(parts: Sequence[Any], walk: _Walk, inner: list[Node]) -> None:
    for part in parts:
        if type(part) is cst.FormattedStringExpression:
            inner.append(_expression(part.expression, walk))
            if part.format_spec:
                _formatted_parts(part.format_spec, walk, inner)
                inner.append(None)
            elif part.conversion is not None:
                inner.append(None)
        elif len(part.value) <= _LONGEST_STRING and "\\" not in part.value:
            inner.append(["k", part.value.replace("{{", "{").replace("}}", "}")])
        else:
            inner.append(None)


def _chain(node: Any, walk: _Walk) -> Node:
    # Left-deep chains (`a.b().c().d`) alternate attributes and calls: walked by a loop, so that a long fluent chain
    # cannot exhaust the stack.
    links: list[tuple[Any, int]] = []
    current: Any = node
    while True:
        kind = type(current)
        if kind is cst.Attribute:
            links.append((current, walk.number(current)))
            current = current.value
        elif kind is cst.Call:
            links.append((current, walk.number(current)))
            current = current.func
        else:
            break
    record = _expression(current, walk)
    for link, site in reversed(links):
        if type(link) is cst.Attribute:
            record = ["a", site, record, link.attr.value]
        else:
            record = _finish_call(link, site, record, walk)
    return record


def _finish_call(node: cst.Call, site: int, callee: Node, walk: _Walk) -> Node:
    args: list[Node] = []
    keywords: list[list[Node]] = []
    for argument in node.args:
        value = _expression(argument.value, walk)
        if argument.keyword is not None:
            keywords.append([argument.keyword.value, value])
        elif argument.star == "**":
            keywords.append([None, value])
        elif argument.star == "*":
            args.append(["*", value])
        else:
            args.append(value)
    if callee is not None:
        tag = callee[0]
        if tag == "n":
            walk.note(walk.facts.mentions, callee[1])
        elif tag == "a":
            attribute = callee[3]
            walk.note(walk.facts.mentions, attribute)
            if attribute in _MUTATORS:
                _note_mutation(callee[2], walk)
    return ["c", site, callee, args, keywords]


def _note_mutation(base: Node, walk: _Walk) -> None:
    if base is not None:
        if base[0] == "n":
            walk.note(walk.facts.mutators, base[1])
        elif base[0] == "a":
            walk.note(walk.facts.mutators, base[3])
        elif base[0] == "s":  # handlers[name].append(f)
            _note_mutation(base[2], walk)
        elif base[0] == "c" and base[2] is not None and base[2][0] == "a" and base[2][3] in _LOOK_UPS:
            _note_mutation(base[2][2], walk)


def _subscript(node: cst.Subscript, walk: _Walk) -> Node:
    site = walk.number(node)
    base = _expression(node.value, walk)
    elements = [_index(element.slice, walk) for element in node.slice]
    return ["s", site, base, elements[0] if len(elements) == 1 else ["t", elements]]


def _index(node: Any, walk: _Walk) -> Node:
    if type(node) is cst.Index:
        record = _expression(node.value, walk)
        return ["*", record] if node.star else record
    given = {"l": node.lower, "u": node.upper, "s": node.step}
    parts = {name: _expression(part, walk) for name, part in given.items() if part is not None}
    return ["sl", list(parts.values()), "".join(parts)]


def _await(node: cst.Await, walk: _Walk) -> Node:
    site = walk.number(node)
    return ["w", site, _expression(node.expression, walk)]


def _yield(node: cst.Yield, walk: _Walk) -> Node:
    site = walk.number(node)
    if walk.generators:
        walk.generators[-1] = True
    value = node.value
    if type(value) is cst.From:
        return ["yf", site, _expression(value.item, walk)]
    return ["y", site, None if value is None else _expression(value, walk)]


def _binary(node: cst.BinaryOperation, walk: _Walk) -> Node:
    links: list[tuple[cst.BinaryOperation, int]] = []
    current: Any = node
    while type(current) is cst.BinaryOperation:
        links.append((current, walk.number(current)))
        current = current.left
    record = _expression(current, walk)
    for link, site in reversed(links):
        record = ["o", site, _OPERATORS.get(type(link.operator), "?"), record, _expression(link.right, walk)]
    return record


_OPERATORS: dict[type, str] = {
    cst.Add: "add",
    cst.Subtract: "sub",
    cst.Multiply: "mul",
    cst.Divide: "truediv",
    cst.FloorDivide: "floordiv",
    cst.Modulo: "mod",
    cst.Power: "pow",
    cst.LeftShift: "lshift",
    cst.RightShift: "rshift",
    cst.BitOr: "or",
    cst.BitAnd: "and",
    cst.BitXor: "xor",
    cst.MatrixMultiply: "matmul",
    cst.AddAssign: "iadd",
    cst.SubtractAssign: "isub",
    cst.MultiplyAssign: "imul",
    cst.DivideAssign: "itruediv",
    cst.FloorDivideAssign: "ifloordiv",
    cst.BitOrAssign: "ior",
    cst.BitAndAssign: "iand",
}
_COMPARISONS: dict[type, str] = {
    cst.Equal: "eq",
    cst.NotEqual: "ne",
    cst.LessThan: "lt",
    cst.GreaterThan: "gt",
    cst.LessThanEqual: "le",
    cst.GreaterThanEqual: "ge",
    cst.In: "in",
    cst.NotIn: "not in",
    cst.Is: "is",
    cst.IsNot: "is not",
}


def _comparison(node: cst.Comparison, walk: _Walk) -> Node:
    site = walk.number(node)
    left = _expression(node.left, walk)
    rest = [[_COMPARISONS.get(type(c.operator), "?"), _expression(c.comparator, walk)] for c in node.comparisons]
    return ["cmp", site, left, rest]


def _unary(node: cst.UnaryOperation, walk: _Walk) -> Node:
    operand = _expression(node.expression, walk)
    kind = type(node.operator)
    if kind is cst.Not:
        return ["u", "not", operand]
    if kind is cst.Minus and operand is not None and operand[0] == "k" and isinstance(operand[1], (int, float)):
        return ["k", -operand[1]]
    sign = {cst.Minus: "-", cst.Plus: "+", cst.BitInvert: "~"}.get(kind, "-")
    return ["u", sign, operand] if operand is not None else None


def _boolean(node: cst.BooleanOperation, walk: _Walk) -> Node:
    word = "and" if type(node.operator) is cst.And else "or"
    rest: list[Any] = []
    current: Any = node
    while type(current) is cst.BooleanOperation and (type(current.operator) is cst.And) == (word == "and"):
        rest.append(current.right)
        current = current.left
    return ["bool", word, [_expression(part, walk) for part in (current, *reversed(rest))]]


def _conditional(node: cst.IfExp, walk: _Walk) -> Node:
    body = _expression(node.body, walk)
    test = _expression(node.test, walk)
    return ["if", test, body, _expression(node.orelse, walk)]


def _elements(node: Any, walk: _Walk) -> list[Node]:
    return [
        ["*", _expression(e.value, walk)] if type(e) is cst.StarredElement else _expression(e.value, walk)
        for e in node.elements
    ]


def _tuple(node: cst.Tuple, walk: _Walk) -> Node:
    return ["t", _elements(node, walk)]


def _list(node: cst.List, walk: _Walk) -> Node:
    return ["l", _elements(node, walk)]


def _set(node: cst.Set, walk: _Walk) -> Node:
    return ["set", _elements(node, walk)]


def _dict(node: cst.Dict, walk: _Walk) -> Node:
    pairs: list[list[Node]] = []
    for element in node.elements:
        if type(element) is cst.DictElement:
            key = _expression(element.key, walk)
            pairs.append([key, _expression(element.value, walk)])
        else:
            pairs.append([None, _expression(element.value, walk)])
    return ["d", pairs]


def _starred(node: cst.StarredElement, walk: _Walk) -> Node:
    return ["*", _expression(node.value, walk)]


def _named(node: cst.NamedExpr, walk: _Walk) -> Node:
    name = node.target.value if type(node.target) is cst.Name else ""
    return [":=", name, _expression(node.value, walk)]


def _generator_expression(node: cst.GeneratorExp, walk: _Walk) -> Node:
    """A nested generator function of one parameter, the outermost iterable, which alone is evaluated at once."""
    index = _open_function(walk)
    site = walk.number(node)
    clauses = []
    clause: Any = node.for_in
    while clause is not None:
        clauses.append(clause)
        clause = clause.inner_for_in
    outer = walk.number(clauses[0].iter)
    target = _expression(clauses[0].target, walk)
    iterable = _expression(clauses[0].iter, walk)
    walk.enter(index)
    walk.generators.append(True)
    walk.selves.append(("", -1))
    body: Block = []
    place = body
    for number, clause in enumerate(clauses):
        if number:
            outer = walk.number(clause.iter)
            target = _expression(clause.target, walk)
        source = _expression(clause.iter, walk) if number else ["n", ".0"]
        inner: Block = []
        place.append(["for", outer, target, source, inner, [], clause.asynchronous is not None, outer])
        place = inner
        for condition in clause.ifs:
            test = _expression(condition.test, walk)
            inner = []
            place.append(["if", test, inner, [], outer])
            place = inner
    place.append(["e", ["y", site, _expression(node.elt, walk)], site])
    walk.leave()
    walk.selves.pop()
    walk.generators.pop()
    is_async = any(clause.asynchronous is not None for clause in clauses)
    qualname = walk.unnamed("genexpr")
    params = [Param(".0", None, None, "/")]
    walk.facts.functions[index] = Function(
        index, "<genexpr>", qualname, is_async, True, params, [], None, body, site, walk.inside(), -1, True
    )
    return ["gen", index, iterable]


_COMPREHENSIONS: dict[type, str] = {cst.ListComp: "l", cst.SetComp: "s", cst.DictComp: "d"}


def _comprehension(node: Any, walk: _Walk) -> Node:
    kind = _COMPREHENSIONS[type(node)]
    if kind == "d":
        element = _expression(node.key, walk)
        value = _expression(node.value, walk)
    else:
        element, value = _expression(node.elt, walk), None
    clauses: list[list[Node]] = []
    clause = node.for_in
    while clause is not None:
        site = walk.number(clause.iter)
        target = _expression(clause.target, walk)
        iterable = _expression(clause.iter, walk)
        conditions = [_expression(condition.test, walk) for condition in clause.ifs]
        clauses.append([site, target, iterable, conditions, clause.asynchronous is not None])
        clause = clause.inner_for_in
    return ["comp", kind, element, value, clauses]


def _lambda(node: cst.Lambda, walk: _Walk) -> Node:
    index = _open_function(walk)
    site = walk.number(node)
    params = _parameters(node.params, walk)
    walk.enter(index)
    walk.generators.append(False)
    walk.selves.append(("", -1))
    value = _expression(node.body, walk)
    walk.leave()
    walk.selves.pop()
    is_generator = walk.generators.pop()
    parent = walk.inside()
    qualname = walk.unnamed("lambda")
    walk.facts.functions[index] = Function(
        index,
        "<lambda>",
        qualname,
        False,
        is_generator,
        params,
        [],
        None,
        [["ret", value, site]],
        site,
        parent,
        -1,
        True,
    )
    return ["fn", index]


# --- functions and classes --------------------------------------------------------------------------------------

_OPEN: Any = None  # holds the place of a function or class until it closes


def _open_function(walk: _Walk) -> int:
    functions = walk.facts.functions
    functions.append(_OPEN)
    return len(functions) - 1


def _parameters(node: cst.Parameters, walk: _Walk) -> list[Param]:
    out: list[Param] = []
    for kind, group in (("/", node.posonly_params), ("p", node.params)):
        out.extend(_parameter(param, kind, walk) for param in group)
    if type(node.star_arg) is cst.Param:
        out.append(_parameter(node.star_arg, "*", walk))
    out.extend(_parameter(param, "k", walk) for param in node.kwonly_params)
    if node.star_kwarg is not None:
        out.append(_parameter(node.star_kwarg, "**", walk))
    return out


def _parameter(node: cst.Param, kind: str, walk: _Walk) -> Param:
    annotation = None if node.annotation is None else _expression(node.annotation.annotation, walk)
    default = None if node.default is None else _expression(node.default, walk)
    return Param(node.name.value, annotation, default, kind)


def _function(node: cst.FunctionDef, walk: _Walk, out: Block) -> None:
    index = _open_function(walk)
    site = walk.number(node)
    name = node.name.value
    decorators = [_expression(decorator.decorator, walk) for decorator in node.decorators]
    for decorator in decorators:  # applying a decorator is a call of it
        if decorator is not None and decorator[0] in ("n", "a"):
            walk.note(walk.facts.mentions, decorator[-1])
    params = _parameters(node.params, walk)
    returns = None if node.returns is None else _expression(node.returns.annotation, walk)
    owner = walk.class_
    walk.enter(index)
    walk.generators.append(False)
    walk.path.append(name)
    walk.class_ = -1
    walk.selves.append((params[0].name, owner) if owner >= 0 and params else ("", -1))
    body = _suite(node.body, walk)
    walk.selves.pop()
    walk.class_ = owner
    qualname = ".".join(walk.path)
    walk.path.pop()
    walk.leave()
    is_generator = walk.generators.pop()
    walk.facts.functions[index] = Function(
        index,
        name,
        qualname,
        node.asynchronous is not None,
        is_generator,
        params,
        decorators,
        returns,
        body,
        site,
        walk.inside(),
        owner,
        False,
    )
    if owner >= 0:
        walk.facts.classes[owner].methods.setdefault(name, []).append(index)
    out.append(["def", index, name])


def _class(node: cst.ClassDef, walk: _Walk, out: Block) -> None:
    classes = walk.facts.classes
    index = len(classes)
    classes.append(_OPEN)
    site = walk.number(node)
    decorators = [_expression(decorator.decorator, walk) for decorator in node.decorators]
    bases = [_expression(base.value, walk) for base in node.bases]
    keywords = [
        [None if base.keyword is None else base.keyword.value, _expression(base.value, walk)] for base in node.keywords
    ]
    name = node.name.value
    walk.path.append(name)
    outer = walk.class_
    walk.class_ = index
    body: Block = []
    qualname = ".".join(walk.path)
    classes[index] = Class(index, name, qualname, bases, keywords, decorators, body, site, walk.inside(), {}, {})
    body.extend(_suite(node.body, walk))
    walk.class_ = outer
    walk.path.pop()
    out.append(["class", index, name])


# --- statements -------------------------------------------------------------------------------------------------


def _expr(node: cst.Expr, walk: _Walk, out: Block) -> None:
    record = _expression(node.value, walk)
    if record is not None and record[0] != "k":
        out.append(["e", record])


def _assign(node: cst.Assign, walk: _Walk, out: Block) -> None:
    targets = [_target(target.target, walk) for target in node.targets]
    out.append(["=", targets, _expression(node.value, walk)])


def _annotated_assign(node: cst.AnnAssign, walk: _Walk, out: Block) -> None:
    target = _target(node.target, walk)
    annotation = _expression(node.annotation.annotation, walk)
    value = None if node.value is None else _expression(node.value, walk)
    out.append([":", target, annotation, value])


def _augmented_assign(node: cst.AugAssign, walk: _Walk, out: Block) -> None:
    target = _target(node.target, walk)
    out.append(["+=", target, _OPERATORS.get(type(node.operator), "?"), _expression(node.value, walk)])


def _target(node: Any, walk: _Walk) -> Node:
    """A target's record; whoever assigns an attribute or an item is remembered under its name."""
    record = _expression(node, walk)
    _note_target(record, walk)
    return record


def _note_target(record: Node, walk: _Walk) -> None:
    if record is None:
        return
    tag = record[0]
    if tag == "a":
        base, attribute = record[2], record[3]
        if base is not None and base[0] == "n":
            for self_name, owner in reversed(walk.selves):
                if self_name and owner >= 0:
                    if base[1] == self_name:
                        writers = walk.facts.classes[owner].attribute_writers.setdefault(attribute, [])
                        if walk.inside() not in writers:
                            writers.append(walk.inside())
                    break
        walk.note(walk.facts.writers, attribute)
    elif tag == "s":
        _note_mutation(record[2], walk)
    elif tag in ("t", "l"):
        for element in record[1]:
            _note_target(element, walk)
    elif tag == "*":
        _note_target(record[1], walk)


def _delete(node: cst.Del, walk: _Walk, out: Block) -> None:
    record = _expression(node.target, walk)
    if record is not None:
        targets = record[1] if record[0] == "t" else [record]
        for target in targets:
            if target is not None and target[0] == "s":
                _note_mutation(target[2], walk)
        out.append(["del", targets])


def _return(node: cst.Return, walk: _Walk, out: Block) -> None:
    out.append(["ret", None if node.value is None else _expression(node.value, walk)])


def _raise(node: cst.Raise, walk: _Walk, out: Block) -> None:
    record = None if node.exc is None else _expression(node.exc, walk)
    if node.cause is not None:
        _expression(node.cause.item, walk)
    out.append(["raise", record])


def _assert(node: cst.Assert, walk: _Walk, out: Block) -> None:
    test = _expression(node.test, walk)
    message = None if node.msg is None else _expression(node.msg, walk)
    out.append(["assert", test, message])


def _global(node: Any, walk: _Walk, out: Block) -> None:
    for item in node.names:
        walk.note(walk.facts.rebinders, item.name.value)
    out.append(["global", [item.name.value for item in node.names]])


def _type_alias(node: cst.TypeAlias, walk: _Walk, out: Block) -> None:
    out.append(["=", [["n", node.name.value]], _expression(node.value, walk)])


def _break(node: cst.Break, walk: _Walk, out: Block) -> None:
    out.append(["break"])


def _continue(node: cst.Continue, walk: _Walk, out: Block) -> None:
    out.append(["continue"])


def _if(node: cst.If, walk: _Walk, out: Block) -> None:
    current: Any = node
    place = out
    for _ in range(_LONGEST_ELIF):  # an `elif` chain is a loop, not a recursion
        ending = [] if place is out else [walk.number(current)]  # the first `if` is numbered as every statement is
        test = _expression(current.test, walk)
        body = _suite(current.body, walk)
        orelse: Block = []
        place.append(["if", test, body, orelse, *ending])
        following = current.orelse
        if following is None:
            return
        if type(following) is cst.If:
            current, place = following, orelse
            continue
        orelse.extend(_suite(following.body, walk))
        return
    raise RecursionError


def _while(node: cst.While, walk: _Walk, out: Block) -> None:
    site = walk.number(node)
    test = _expression(node.test, walk)
    body = _suite(node.body, walk)
    out.append(["while", site, test, body, [] if node.orelse is None else _suite(node.orelse.body, walk)])


def _for(node: cst.For, walk: _Walk, out: Block) -> None:
    site = walk.number(node.iter)
    target = _target(node.target, walk)
    iterable = _expression(node.iter, walk)
    body = _suite(node.body, walk)
    orelse = [] if node.orelse is None else _suite(node.orelse.body, walk)
    out.append(["for", site, target, iterable, body, orelse, node.asynchronous is not None])


def _with(node: cst.With, walk: _Walk, out: Block) -> None:
    items: list[list[Node]] = []
    for item in node.items:
        site = walk.number(item.item)
        record = _expression(item.item, walk)
        items.append([site, record, None if item.asname is None else _target(item.asname.name, walk)])
    out.append(["with", items, _suite(node.body, walk), node.asynchronous is not None])


def _try(node: Any, walk: _Walk, out: Block) -> None:
    body = _suite(node.body, walk)
    handlers: list[list[Node]] = []
    for handler in node.handlers:
        kind = None if handler.type is None else _expression(handler.type, walk)
        name = handler.name.name.value if handler.name is not None and type(handler.name.name) is cst.Name else None
        handlers.append([kind, name, _suite(handler.body, walk)])
    orelse = [] if node.orelse is None else _suite(node.orelse.body, walk)
    final = [] if node.finalbody is None else _suite(node.finalbody.body, walk)
    out.append(["try", body, handlers, orelse, final])


def _match(node: cst.Match, walk: _Walk, out: Block) -> None:
    subject = _expression(node.subject, walk)
    cases: list[list[Node]] = []
    for case in node.cases:
        guard = None if case.guard is None else _expression(case.guard, walk)
        cases.append([guard, _suite(case.body, walk)])
    out.append(["match", subject, cases])


def _dotted(node: Any) -> str:
    names: list[str] = []
    while type(node) is cst.Attribute:
        names.append(node.attr.value)
        node = node.value
    names.append(node.value)
    return ".".join(reversed(names))


def _import(node: cst.Import, walk: _Walk, out: Block) -> None:
    bindings: list[list[Any]] = []
    for alias in node.names:
        dotted = _dotted(alias.name)
        walk.facts.imports.append([0, dotted, None])
        if alias.asname is not None:
            bindings.append([alias.asname.name.value, 0, dotted, None])  # type: ignore[union-attr]
        else:
            bindings.append([dotted.partition(".")[0], 0, dotted.partition(".")[0], None])
            if "." in dotted:  # the submodule is loaded too: its import may register things
                bindings.append(["", 0, dotted, None])
    out.append(["imp", bindings])


def _import_from(node: cst.ImportFrom, walk: _Walk, out: Block) -> None:
    level = len(node.relative)
    module = "" if node.module is None else _dotted(node.module)
    names = node.names
    if isinstance(names, cst.ImportStar):
        out.append(["imp", [["*", level, module, "*"]]])
        walk.facts.imports.append([level, module, None])
        return
    bindings: list[list[Any]] = []
    for alias in names:
        name = alias.name.value
        bound = name if alias.asname is None else alias.asname.name.value  # type: ignore[union-attr]
        bindings.append([bound, level, module, name])
        walk.facts.imports.append([level, module, name])
    out.append(["imp", bindings])


_EXPRESSIONS.update(
    {
        cst.Integer: _integer,
        cst.Float: _float,
        cst.SimpleString: _string,
        cst.ConcatenatedString: _concatenated,
        cst.FormattedString: _formatted,
        cst.Attribute: _chain,
        cst.Call: _chain,
        cst.Subscript: _subscript,
        cst.Await: _await,
        cst.Yield: _yield,
        cst.BinaryOperation: _binary,
        cst.Comparison: _comparison,
        cst.UnaryOperation: _unary,
        cst.BooleanOperation: _boolean,
        cst.IfExp: _conditional,
        cst.Tuple: _tuple,
        cst.List: _list,
        cst.Set: _set,
        cst.Dict: _dict,
        cst.StarredElement: _starred,
        cst.NamedExpr: _named,
        cst.ListComp: _comprehension,
        cst.SetComp: _comprehension,
        cst.DictComp: _comprehension,
        cst.GeneratorExp: _generator_expression,
        cst.Lambda: _lambda,
    }
)
_STATEMENTS.update(
    {
        cst.Expr: _expr,
        cst.Assign: _assign,
        cst.AnnAssign: _annotated_assign,
        cst.AugAssign: _augmented_assign,
        cst.Del: _delete,
        cst.Return: _return,
        cst.Raise: _raise,
        cst.Assert: _assert,
        cst.Global: _global,
        cst.Nonlocal: _global,
        cst.TypeAlias: _type_alias,
        cst.Break: _break,
        cst.Continue: _continue,
        cst.If: _if,
        cst.While: _while,
        cst.For: _for,
        cst.With: _with,
        cst.Try: _try,
        cst.TryStar: _try,
        cst.Match: _match,
        cst.Import: _import,
        cst.ImportFrom: _import_from,
        cst.FunctionDef: _function,
        cst.ClassDef: _class,
    }
)
