"""What functions of the standard library, and methods of plain values, give a configuration. Calls none of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastlint.deploy.configuration.names import Names
from fastlint.deploy.configuration.state import LONGEST_LOOP, Exhausted, Foreign
from fastlint.deploy.values import Cores, Counter, Env, Raises, Unknown, bounded, is_literal

# Who counts cores (dotted name -> counter), see `values.Counter`.
_COUNTERS = {
    "os.cpu_count": Counter.HOST,
    "multiprocessing.cpu_count": Counter.HOST,
    "multiprocessing.context.cpu_count": Counter.HOST,
    "psutil.cpu_count": Counter.HOST,
    "os.process_cpu_count": Counter.AFFINITY,
    "joblib.cpu_count": Counter.LIMIT,
    "loky.cpu_count": Counter.LIMIT,
}
_READ_VARIABLE = frozenset({"os.getenv", "os.environ.get", "os.environ.setdefault", "decouple.config"})
_BUILTINS = frozenset({"int", "float", "str", "bool", "abs", "round", "len", "max", "min", "sum"})
_REBINDS = frozenset({"exec", "setattr", "locals().pop", "locals().clear", "locals().setdefault"})  # any name
_FLOORS = {"math.ceil": "ceil", "math.floor": "floor"}
_METHODS = frozenset(
    {
        "lower", "upper", "strip", "rstrip", "lstrip", "title", "isdigit", "startswith", "endswith", "replace",
        "removeprefix", "removesuffix", "join", "split",
    }
)  # fmt: skip


class Libraries(Names):
    """Knows what is not of the project."""

    def _foreign(self, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        name = name.removeprefix("builtins.")
        if name in _REBINDS:
            raise Exhausted
        counter = _COUNTERS.get(name)
        if counter is not None:
            return Unknown("physical cores") if keywords.get("logical") is False else Cores(counter)
        if name in _READ_VARIABLE and args:
            default = args[1] if len(args) > 1 else keywords.get("default")
            value = self._variable(args[0], default, required=name == "decouple.config" and default is None)
            if name == "os.environ.setdefault" and isinstance(args[0], str):
                self.environment = {**self.environment, args[0]: value}
            return value if "cast" not in keywords else self._cast(keywords["cast"], value)
        if name == "os.sched_getaffinity":
            return Foreign("os.sched_getaffinity()")
        if name == "len" and args == [Foreign("os.sched_getaffinity()")]:
            return Cores(Counter.AFFINITY)
        if name in ("locals", "globals", "vars") and not args:
            return Foreign("locals()")
        if name in ("os.environ.items", "os.environ.copy"):  # the environment is what the caller says it is
            return [(key, value) for key, value in self.environment.items()]
        if name == "os.environ.keys":
            return list(self.environment)
        if name == "dict" and all(isinstance(one, dict) and self._is_whole(one) for one in args):
            return {key: value for table in (*args, keywords) for key, value in table.items()}
        return self._library(name, args)

    def _variable(self, name: Any, default: Any, required: bool) -> Any:
        if not isinstance(name, str):
            return Unknown("a variable whose name is not known")
        self.read[name] = None
        self.during[name] = None
        if name in self.environment:
            return self.environment[name]
        if required:
            if not self.tries:  # else the server would not start: it is set where it runs
                return Env(name, required=True)
            raise Raises("KeyError")
        return default

    def _cast(self, kind: Any, value: Any) -> Any:
        if isinstance(kind, Foreign) and kind.name in _BUILTINS:
            return self._computed(kind.name, (value,))
        return Unknown("a value that is cast")

    def _library(self, name: str, args: list[Any]) -> Any:
        if name in _BUILTINS or name in _FLOORS:
            wanted = _FLOORS.get(name, name)
            if len(args) == 1 and isinstance(args[0], (list, dict)) and wanted in ("max", "min", "sum", "len"):
                args = [tuple(args[0])]
            return self._computed(wanted, tuple(args)) if args or wanted in ("int", "str") else Unknown(f"{name}()")
        if name == "json.loads" and len(args) == 1 and isinstance(args[0], str):
            try:
                return json.loads(args[0])
            except (ValueError, RecursionError) as error:
                raise Raises("JSONDecodeError") from error
        if name in ("pathlib.Path", "str", "os.path.join", "pathlib.PurePath") and args:
            known = all(isinstance(arg, str) for arg in args)
            return self._computed("join", ("/", tuple(args))) if known else Unknown("a path")
        if name in ("list", "tuple") and len(args) == 1 and isinstance(args[0], (list, tuple)):
            return list(args[0])
        if name in ("print", "dotenv.load_dotenv", "logging.basicConfig"):
            return None
        if name == "range" and args and all(isinstance(arg, int) for arg in args):
            return self._range(args)
        if name in ("sys.exit", "exit", "quit", "os._exit"):
            raise Raises("SystemExit")
        return Unknown(f"{name}()")

    def _range(self, args: list[int]) -> Any:
        try:
            numbers = range(*args)
            return list(numbers) if len(numbers) <= LONGEST_LOOP else Unknown("a long range")
        except (TypeError, ValueError, OverflowError) as error:
            raise Raises(type(error).__name__) from error

    def _method(self, base: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
        """A method of a literal: of text, or of a list or dictionary of this file."""
        if isinstance(base, list) and name in ("append", "extend", "insert"):
            if name == "append" and len(args) == 1:
                self._grow(base, len(base), args)
            elif name == "insert" and len(args) == 2 and isinstance(args[0], int):
                self._grow(base, args[0], args[1:])
            elif name == "extend" and len(args) == 1 and isinstance(args[0], (list, tuple)):
                self._grow(base, len(base), args[0])
            else:
                base.append(Unknown("more of a list"))
            return None
        if isinstance(base, list) and name not in ("copy", "index", "count"):
            base[:] = [Unknown(f"a list after .{name}()")]
        if isinstance(base, dict):
            if name == "get" and args and is_literal(args[0]) and (args[0] in base or self._is_whole(base)):
                return base.get(args[0], args[1] if len(args) > 1 else None)
            if name in ("items", "keys", "values") and self._is_whole(base):
                return [*{"items": base.items(), "keys": base.keys(), "values": base.values()}[name]]
            if name == "update" and all(isinstance(one, dict) and self._is_whole(one) for one in args):
                for one in (*args, keywords):
                    base.update(one)
                if bounded(base) is not base:
                    self._open(base, f"a dictionary after .{name}()")
            elif name in ("update", "pop", "popitem", "clear", "setdefault"):
                self._open(base, f"a dictionary after .{name}()")
            return Unknown(f".{name}()")
        if name == "format" and isinstance(base, str):
            return self._format(base, args)
        if name in _METHODS:
            return self._computed(name, (base, *args))
        return Unknown(f".{name}()")

    def _grow(self, base: list[Any], place: int, more: Sequence[Any]) -> None:
        """Put more into a list, in place."""
        base[place:place] = more
        if bounded(base) is not base:
            base[:] = [Unknown("more of a list")]

    def _format(self, text: str, args: list[Any]) -> Any:
        if text.count("{}") != len(args) or text.count("{") != len(args):
            return Unknown("text that is formatted further")
        pieces = text.split("{}")
        parts: list[Any] = [pieces[0]]
        for argument, piece in zip(args, pieces[1:], strict=True):
            parts += [argument, piece]
        return self._computed("format", tuple(parts))
