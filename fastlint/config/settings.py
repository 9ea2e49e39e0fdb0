"""The settings of a run as plain frozen records, defaults included. Reads and validates nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fastlint.amounts import shown_bytes, shown_cores
from fastlint.finding import Confidence, Severity
from fastlint.rulebook.where import rule_codes

if TYPE_CHECKING:
    from fastlint.rulebook.schema import Library

DEFAULT_BLOCKING_RULE = "FL107"  # a call that only the project knows is most often its own SDK

# Folders that are never entered unless `exclude` says otherwise.
DEFAULT_EXCLUDE = frozenset(
    (
        ".bzr",
        ".direnv",
        ".eggs",
        ".fastlint_cache",
        ".git",
        ".git-rewrite",
        ".hg",
        ".idea",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pants.d",
        ".pyenv",
        ".pytest_cache",
        ".pytype",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        ".vscode",
        "__pycache__",
        "__pypackages__",
        "_build",
        "buck-out",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "venv",
    )
)


class ConfigError(Exception):
    """Settings that cannot be meant as they are written. The message is one sentence for the person who wrote them."""


class Selector(NamedTuple):
    """One `FL1` or `ALL` of a select or ignore list; `rank` orders the lists, a later list has the last word."""

    prefix: str  # "" selects every rule
    wanted: bool
    rank: int


class Selection(NamedTuple):
    """Which rules run. The most specific prefix decides; among equals the later list does."""

    selectors: tuple[Selector, ...] = (Selector("", True, 0),)

    def includes(self, code: str) -> bool:
        """Whether the rule runs."""
        matching = [selector for selector in self.selectors if code.startswith(selector.prefix)]
        return bool(matching) and max(matching, key=lambda each: (len(each.prefix), each.rank)).wanted

    def codes(self, known: Iterable[str]) -> tuple[str, ...]:
        """Those of the known codes that run, sorted."""
        return tuple(sorted(code for code in known if self.includes(code)))

    def then(
        self,
        select: Iterable[str] | None = None,
        extend_select: Iterable[str] = (),
        ignore: Iterable[str] = (),
    ) -> Selection:
        """This selection, overruled by a later source. A `select` replaces the earlier ones; ignores add up."""
        kept = [each for each in self.selectors if select is None or not each.wanted]
        rank = max((each.rank for each in self.selectors), default=0)
        added = [Selector(_prefix(code), True, rank + 1) for code in (*(select or ()), *extend_select)]
        added += [Selector(_prefix(code), False, rank + 2) for code in ignore]
        return Selection((*kept, *added))


class PerFileIgnore(NamedTuple):
    """Codes (or prefixes of codes) that stay quiet in the files that match a gitignore-style pattern."""

    pattern: str
    codes: tuple[str, ...]
    line: int = 0  # where it stands in the settings file


class CustomBlocking(NamedTuple):
    """A call that the project knows to block, by its dotted name."""

    name: str
    rule: str = DEFAULT_BLOCKING_RULE
    instead: str = ""


class Amount(NamedTuple):
    """A figure of the target that somebody declares: cores, bytes or a number, and by which flag or key."""

    value: float
    by: str  # "--cores", "tool.fastlint.target.cores"


class TargetSettings(NamedTuple):
    """What is declared of the machine that the services run on; what is left out is found by other means."""

    cores: Amount | None = None
    memory: Amount | None = None  # bytes
    memory_per_worker: Amount | None = None  # bytes
    max_connections: Amount | None = None  # what the database allows
    threads_per_core: Amount | None = None  # that executors for I/O may have (default 5)
    processes_per_core: Amount | None = None  # that executors for computing may have (default 1)
    host: bool = False  # `--target host`: the machine that runs fastlint is the server


class Config(NamedTuple):
    """All settings of a run. Patterns are gitignore-style and relative to `root`."""

    file: str = ""  # the absolute path of the file that was read, "" if there is none
    root: str = ""  # its folder
    selection: Selection = Selection()
    per_file_ignores: tuple[PerFileIgnore, ...] = ()
    exclude: tuple[str, ...] | None = None  # None: `DEFAULT_EXCLUDE`
    extend_exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()  # only files that match one of these, if there are any
    src: tuple[str, ...] = ()  # folders that the project's imports start from; found by itself if empty
    severity: Severity = Severity.WARNING
    confidence: Confidence = Confidence.MEDIUM
    fail_on: Severity = Severity.WARNING
    blocking: tuple[CustomBlocking, ...] = ()
    offloaders: tuple[str, ...] = ()
    entry_points: tuple[str, ...] = ()
    library: tuple[Library, ...] = ()
    respect_gitignore: bool = True
    target: TargetSettings = TargetSettings()


def describe(config: Config) -> str:
    """The settings as a person would write them, defaults included."""
    rows: list[tuple[str, object]] = [
        ("select", config.selection.codes(rule_codes())),
        ("exclude", sorted(DEFAULT_EXCLUDE) if config.exclude is None else config.exclude),
        ("extend-exclude", config.extend_exclude),
        ("include", config.include),
        ("src", config.src),
        ("respect-gitignore", config.respect_gitignore),
        ("severity", config.severity.word),
        ("confidence", config.confidence.word),
        ("fail-on", config.fail_on.word),
        ("offloaders", config.offloaders),
        ("entry-points", config.entry_points),
    ]
    lines = [f"# {config.file or 'no settings file: these are the defaults'}"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in rows]
    for blocking in config.blocking:
        pairs = (("name", blocking.name), ("rule", blocking.rule), ("instead", blocking.instead))
        lines += ["", "[[blocking]]", *(f"{key} = {json.dumps(value)}" for key, value in pairs if value)]
    target = config.target
    declared = (
        ("cores", target.cores, shown_cores),
        ("memory", target.memory, shown_bytes),
        ("memory-per-worker", target.memory_per_worker, shown_bytes),
        ("max-connections", target.max_connections, shown_cores),
        ("threads-per-core", target.threads_per_core, shown_cores),
        ("processes-per-core", target.processes_per_core, shown_cores),
    )
    if any(amount for _, amount, _ in declared):
        lines += ["", "[target]"]
        lines += [f"{key} = {each.value:.12g} # {show(each.value)}, {each.by}" for key, each, show in declared if each]
    if config.per_file_ignores:
        lines += ["", "[per-file-ignores]"]
        lines += [f"{json.dumps(each.pattern)} = {json.dumps(each.codes)}" for each in config.per_file_ignores]
    lines += [f"\n[[library]]\nname = {json.dumps(library.name)} # …" for library in config.library]
    return "\n".join(lines) + "\n"


def known_selector(code: str) -> bool:
    """Whether a code, prefix of a code or `ALL` names at least one shipped rule."""
    prefix = _prefix(code)
    return code == "ALL" or (bool(prefix) and any(each.startswith(prefix) for each in rule_codes()))


def unknown_code(code: str) -> str:
    """What to say about a code that no rule has, with the nearest one that exists."""
    if not code.upper().startswith("FL"):
        return f'unknown rule "{code}": the codes of fastlint begin with FL'
    digits = code.upper()[2:].translate(str.maketrans("OILSB", "01158"))  # letters that are taken for digits
    meant = f"FL{digits}"
    theme = [known for known in rule_codes() if known[:3] == meant[:3]]  # the first digit is rarely the wrong one
    near = meant if meant in theme else nearest(meant, theme) or nearest(meant, rule_codes())
    return f'unknown rule "{code}"' + (f", did you mean {near}?" if near else ": `fastlint rules` lists them all")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that looks most like it, or "" if none does."""
    import difflib  # here: who spells everything right needs none of it

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def _prefix(code: str) -> str:
    return "" if code == "ALL" else code
