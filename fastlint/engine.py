"""The straight line: discover, parse, facts, graph, checks, report. Prints nothing and decides no exit code."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from fastlint.cache import compiled, folder
from fastlint.cache.answers import Seen
from fastlint.cache.facts import FactStore
from fastlint.checks import run_checks
from fastlint.config import Config
from fastlint.deploy.find import find_files
from fastlint.deploy.join import read_plans
from fastlint.deploy.plan import ServerPlan
from fastlint.deploy.python_entry import PythonFiles
from fastlint.deploy.service import Readings
from fastlint.finding import Confidence, Finding, Location, Step
from fastlint.graph.build import Graph, build_graph, with_deep_stack
from fastlint.graph.world import Module
from fastlint.project import Project
from fastlint.report.model import CheckRequest, Progress, Report
from fastlint.rulebook.catalogue import Catalogue
from fastlint.rulebook.compiled import decode as decode_catalogue
from fastlint.rulebook.compiled import encode as encode_catalogue
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import RuleWords, fill_message, fill_remedy, load_words
from fastlint.source.discover import DiscoverError, SourceFile, SourceTree, discover, excludes
from fastlint.source.encoding import decode
from fastlint.source.facts import ModuleFacts
from fastlint.source.locate import Span, locate
from fastlint.source.parallel import parse_all
from fastlint.source.parse import Unreadable, decoded, parse, unreadable_reason
from fastlint.suppress import Suppression, apply, read_suppressions
from fastlint.witness import witness

_UNPARSABLE = "FL001"
_CATALOGUE = "catalogue"  # the name of its file in the cache


@dataclass(slots=True)
class Opened:
    """One project, read and not yet judged."""

    tree: SourceTree
    graph: Graph
    words: dict[str, RuleWords]
    codes: set[str]  # of the rules that the settings select
    python: PythonFiles
    sources: _Sources
    places: _Places
    unreadable: list[tuple[SourceFile, Unreadable]]
    cache: str = ""
    store: FactStore | None = None

    def project(self, plans: tuple[ServerPlan, ...], config: Config, deployment: Readings) -> Project:
        """What checks may see of it."""
        return Project(
            self.graph,
            self.words,
            self.places.of,
            plans=plans,
            proxies=deployment.proxies,
            databases=deployment.databases,
            settings=config.target,
        )


@dataclass(slots=True)
class Examination:
    """One project, read and judged: what it is, and everything that was found before anything is silenced."""

    project: Project
    findings: list[Finding]
    tree: SourceTree
    sources: _Sources
    places: _Places
    codes: set[str]
    deployment: Readings
    cache: str = ""  # the folder of the cache; "" where none is used

    def line(self, where: Location) -> str:
        """The source line of a place; "" where it cannot be read."""
        source = self.sources.read(where.path)
        rows = source.decode("utf-8", "replace").splitlines() if isinstance(source, bytes) else []
        return rows[where.line - 1] if 0 < where.line <= len(rows) else ""


def check(request: CheckRequest, seen: Seen | None = None) -> Report:
    """Everything there is to say about the project around the requested paths, reported for these paths only.

    `seen` is told all that the outcome rests on. Raises `DiscoverError` where the paths name nothing that can be
    checked.
    """
    started = time.perf_counter()
    examination = examine(request)
    if seen is not None:
        witness(examination.tree, request.config, examination.deployment, seen)
    return _report(request, examination, started)


def examine(request: CheckRequest) -> Examination:
    """The project around the requested paths with all its findings. Raises `DiscoverError` as `check` does."""
    collecting = gc.isenabled()
    gc.disable()  # facts, values and trees have no cycles: looking for some only costs time
    try:
        return _examine(request)
    except DiscoverError:
        raise
    except Exception:
        if not request.cached:
            raise
        # A cache may come from a stranger: whatever it made go wrong, it must not be fatal. Without it a fault is ours.
        return _examine(replace(request, cached=False))
    finally:
        if collecting:
            gc.enable()


def _examine(request: CheckRequest) -> Examination:
    config = request.config
    opened = open_project(request)
    deployment = _deployment(opened.tree, config)
    project = opened.project(read_plans(deployment, opened.python), config, deployment)
    judged = judge(project, opened.codes)
    findings = [*_unparsable(opened.unreadable, deployment, opened.words), *judged]
    if opened.store is not None:
        opened.store.tidy()
    return Examination(
        project, findings, opened.tree, opened.sources, opened.places, opened.codes, deployment, opened.cache
    )


def judge(project: Project, codes: set[str]) -> list[Finding]:
    """What the checks of these rules find."""
    return with_deep_stack(lambda: list(run_checks(project, codes)))


def open_project(request: CheckRequest, more: Sequence[str] = ()) -> Opened:
    """Everything that is read of the project around the requested paths; of none where there are none.

    `more` are Python files for deployment only, relative to the project root, wherever they lie. Raises `DiscoverError`
    as `check` does.
    """
    config = request.config
    words = load_words(rules_folder())
    codes = set(config.selection.codes(words))
    known = _Known(request)
    stdin = request.stdin.path if request.stdin else None
    if request.paths or stdin:
        tree = discover(request.paths, config, stdin, foreign=lambda root: known.libraries(_cache_of(request, root)))
    else:
        tree = SourceTree("", (), (), frozenset(), {})
    sources = _Sources(tree, request)
    cache = _cache_of(request, tree.root)
    catalogue = known.catalogue(cache)
    store = FactStore(cache) if cache else None
    modules, unreadable = _read(tree, sources, request, store)
    if request.progress:
        request.progress(Progress("checking", 0, 0))
    graph = build_graph(modules, catalogue, config.entry_points)
    places = _Places(tree, graph, sources)
    python = _python_files(tree, sources, modules, more)
    return Opened(tree, graph, words, codes, python, sources, places, unreadable, cache, store)


def _python_files(
    tree: SourceTree, sources: _Sources, modules: list[tuple[Module, tuple[str, ...]]], more: Sequence[str] = ()
) -> PythonFiles:
    """The Python files of the project as deployment needs them: facts and places on demand, each file once."""
    parsed = {module.path: module.facts for module, _ in modules}
    spans: dict[str, list[Span] | None] = {}
    names = {file.relative: file.module for file in tree.files}

    def facts(path: str) -> ModuleFacts | None:
        if path not in parsed:
            source = sources.read(path)
            read = parse(source) if isinstance(source, bytes) else source
            if isinstance(read, Unreadable):
                return None
            parsed[path] = read
        return parsed[path]

    def place(path: str, site: int) -> Location:
        if path not in spans:
            source, known = sources.read(path), facts(path)
            spans[path] = locate(source, known.sites) if isinstance(source, bytes) and known is not None else None
        found = spans[path]
        return Location(path, *found[site]) if found is not None and 0 <= site < len(found) else Location(path)

    def lines(path: str) -> list[str]:
        source = sources.read(path)
        return source.decode("utf-8", "replace").splitlines() if isinstance(source, bytes) else []

    def find(dotted: str) -> str | None:
        file = tree.find(dotted)
        return file.relative if file is not None else None

    served = [module.path for module, _ in modules if module.kind == "app"]
    return PythonFiles(
        (*names, *more), tuple(sorted(served)), facts, lambda path: names.get(path, ""), find, place, lines
    )


def _cache_of(request: CheckRequest, root: str) -> str:
    """The folder of the cache; "" where none is used or can be."""
    cache = (request.cache or os.path.join(root, folder.NAME)) if request.cached else ""
    return cache if cache and folder.usable(cache) else ""


class _Known:
    """What is known of libraries: compiled once, and kept in the cache where the settings add nothing to it."""

    def __init__(self, request: CheckRequest) -> None:
        self._config = request.config
        self._catalogue: Catalogue | None = None

    def libraries(self, cache: str) -> frozenset[str]:
        """Top-level import names of the libraries that the catalogue knows."""
        catalogue = self.catalogue(cache)
        return frozenset(name.partition(".")[0] for name in (*catalogue.functions, *catalogue.types))

    def catalogue(self, cache: str) -> Catalogue:
        """The catalogue, with what the settings add to it."""
        if self._catalogue is None:
            config = self._config
            adds = bool(config.library or config.blocking or config.offloaders)
            self._catalogue = (None if adds else _kept_catalogue(cache)) or _compiled(config, "" if adds else cache)
        return self._catalogue


def _kept_catalogue(cache: str) -> Catalogue | None:
    text = compiled.load(cache, _CATALOGUE) if cache else None
    try:
        return None if text is None else decode_catalogue(text)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def _compiled(config: Config, cache: str) -> Catalogue:
    """The catalogue from its tables, with what the settings add to it in its own shape."""
    from fastlint.rulebook.load import load_catalogue  # here: it needs pydantic, and most runs need neither
    from fastlint.rulebook.schema import Known, Library, Runs

    own: list[Library] = list(config.library)
    if config.blocking:
        calls = [Known(names=[each.name], rule=each.rule, instead=each.instead) for each in config.blocking]
        own.append(Library(name="settings: blocking", call=calls))
    if config.offloaders:
        runs = [Runs(argument="@0", where="pool", label="thread")]
        calls = [Known(names=list(config.offloaders), runs=runs, returns="awaitable[result]")]
        own.append(Library(name="settings: offloaders", call=calls))
    catalogue = load_catalogue(rules_folder(), own)
    if cache:
        compiled.save(cache, _CATALOGUE, encode_catalogue(catalogue))
    return catalogue


class _Sources:
    """The bytes of the project's files, read when asked for; standard input stands in for its file."""

    def __init__(self, tree: SourceTree, request: CheckRequest) -> None:
        self._root = tree.root
        self._given: dict[str, bytes] = {}
        if request.stdin is not None:
            path = os.path.relpath(os.path.abspath(request.stdin.path), tree.root).replace(os.sep, "/")
            self._given[path] = request.stdin.source

    def read(self, relative: str) -> bytes | Unreadable:
        """The content of a file, or why it cannot be read."""
        if relative in self._given:
            return self._given[relative]
        try:
            with open(os.path.join(self._root, relative), "rb") as handle:
                return handle.read()
        except OSError as error:
            return Unreadable(f"cannot be read: {error.strerror or error}")


def _read(
    tree: SourceTree, sources: _Sources, request: CheckRequest, store: FactStore | None
) -> tuple[list[tuple[Module, tuple[str, ...]]], list[tuple[SourceFile, Unreadable]]]:
    """The facts of every file that can matter, and the files that have none."""
    modules: list[tuple[Module, tuple[str, ...]]] = []
    unreadable: list[tuple[SourceFile, Unreadable]] = []
    progress = _Counted(request.progress, len(tree.files))
    taken: set[str] = set()
    files = [file for file in tree.files if file.kind == "app"]
    while files:  # the application first, then what it imports of tests and scripts, and so on
        taken.update(file.relative for file in files)
        following: dict[str, SourceFile] = {}
        for file, facts in zip(files, _parsed(files, sources, store, request.jobs, progress.more), strict=True):
            if isinstance(facts, Unreadable):
                if file.relative in tree.reported:
                    unreadable.append((file, facts))
                continue
            modules.append((Module(file.module, file.relative, file.is_package, facts, file.kind), file.aliases))
            following.update((other.relative, other) for other in _imported_outsiders(file, facts, tree))
        files = [file for file in following.values() if file.relative not in taken]
    for file in tree.files:  # tests and scripts that nothing imports: only whether they can be read at all
        if file.relative in tree.reported and file.relative not in taken:
            source = sources.read(file.relative)
            verdict = source if isinstance(source, Unreadable) else unreadable_reason(source)
            if verdict is not None:
                unreadable.append((file, verdict))
    return modules, unreadable


def _parsed(
    files: list[SourceFile], sources: _Sources, store: FactStore | None, jobs: int, done: Callable[[int], None]
) -> list[ModuleFacts | Unreadable]:
    """The facts of files, in their order; a file that cannot be read has a reason instead."""
    read = [sources.read(file.relative) for file in files]
    known = {number: source for number, source in enumerate(read) if isinstance(source, Unreadable)}
    facts: dict[int, ModuleFacts | Unreadable] = dict(known)
    missing: dict[int, bytes] = {}
    for number, source in enumerate(read):
        if isinstance(source, bytes):
            kept = _kept(store, source)
            if kept is None:
                missing[number] = source
            else:
                facts[number] = kept
    done(len(facts) - len(known))
    for (number, source), encoded in zip(missing.items(), parse_all(list(missing.values()), jobs, done), strict=True):
        facts[number] = encoded if isinstance(encoded, Unreadable) else decoded(encoded)
        if store is not None and isinstance(encoded, bytes):
            store.save(source, encoded)
    return [facts[number] for number in range(len(files))]


def _kept(store: FactStore | None, source: bytes) -> ModuleFacts | None:
    """The facts of this source that the cache has; whatever is wrong with them, they are then made anew."""
    encoded = store.load(source) if store is not None else None
    if encoded is None:
        return None
    try:
        return decode(encoded)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class _Counted:
    """Tells how many files are read so far, if anybody wants to know."""

    def __init__(self, tell: Callable[[Progress], None] | None, total: int) -> None:
        self._tell = tell
        self._done = 0
        self._total = total

    def more(self, number: int) -> None:
        """So many more files are read."""
        self._done += number
        if self._tell:
            self._tell(Progress("reading", self._done, self._total))


def _imported_outsiders(file: SourceFile, facts: ModuleFacts, tree: SourceTree) -> list[SourceFile]:
    """The tests, migrations and scripts that a file imports: part of the application after all."""
    out: list[SourceFile] = []
    parts = file.module.split(".")
    for level, target, attribute in facts.imports:
        keep = len(parts) - level + (1 if file.is_package else 0)
        base = ".".join(parts[: max(keep, 0)]) if level else ""
        dotted = f"{base}.{target}" if base and target else base or target
        for name in (dotted, f"{dotted}.{attribute}") if attribute else (dotted,):
            found = tree.find(name, file)
            if found is not None and found.kind != "app":
                out.append(found)
    return out


class _Places:
    """Sites as places: each file is located once, and only if something in it is reported."""

    def __init__(self, tree: SourceTree, graph: Graph, sources: _Sources) -> None:
        self._graph = graph
        self._sources = sources
        self._spans: dict[str, list[Span] | None] = {}

    def of(self, module: str, site: int) -> Location:
        """The place of a site; line 1 where it has none or the file changed meanwhile."""
        known = self._graph.world.modules[module]
        if module not in self._spans:
            source = self._sources.read(known.path)
            self._spans[module] = locate(source, known.facts.sites) if isinstance(source, bytes) else None
        spans = self._spans[module]
        if spans is None or not 0 <= site < len(spans):
            return Location(known.path)
        return Location(known.path, *spans[site])


def _deployment(tree: SourceTree, config: Config) -> Readings:
    """What the deployment files around the code say."""
    candidates = find_files(tree.root, tree.folders, excludes(config))
    if not candidates:
        return Readings()
    from fastlint.deploy.files import read_deployment  # here: most projects have nothing to read

    return read_deployment(tree.root, candidates)


def _unparsable(
    unreadable: list[tuple[SourceFile, Unreadable]], deployment: Readings, words: dict[str, RuleWords]
) -> list[Finding]:
    rule = words[_UNPARSABLE]
    places = [(Location(file.relative, why.line, why.column), why.reason) for file, why in unreadable]
    places += [(broken.where, broken.reason) for broken in deployment.broken]
    return [
        Finding(
            where,
            rule.code,
            rule.name,
            rule.severity,
            confidence=Confidence.HIGH,
            message=fill_message(rule.message, {"reason": reason}),
            remedy=fill_remedy(rule.remedy, {"reason": reason}),
            subject=reason,
        )
        for where, reason in places
    ]


def _report(request: CheckRequest, examination: Examination, started: float) -> Report:
    """Silence what is suppressed, keep what is asked for, and sort."""
    tree, sources, places = examination.tree, examination.sources, examination.places
    findings, codes = examination.findings, examination.codes
    words, graph = examination.project.rules, examination.project.graph
    config = request.config
    deployed = {path for plan in examination.project.plans for path in plan.files}
    paths = (*(file.relative for file in tree.files), *sorted(deployed))
    suppressions = _suppressions(paths, sources, words)
    complete = len(tree.reported) == len(tree.files)
    settings = os.path.relpath(config.file, tree.root).replace(os.sep, "/") if complete and config.file else ""
    quiet = frozenset(file.relative for file in tree.files if file.kind != "app")
    applied = apply(
        [finding for finding in findings if finding.code in codes],
        suppressions,
        config.per_file_ignores,
        codes,
        settings,
        quiet,
    )
    notices = [
        Finding(
            notice.where,
            notice.code,
            words[notice.code].name,
            words[notice.code].severity,
            Confidence.HIGH,
            fill_message(words[notice.code].message, notice.values),
            fill_remedy(words[notice.code].remedy, notice.values),
            subject=notice.written,
        )
        for notice in applied.notices
    ]
    shown = sorted(
        finding
        for finding in (*applied.kept, *notices)
        if finding.severity >= config.severity
        and finding.confidence >= config.confidence
        and (
            finding.where.path == settings
            or any(place.path in tree.reported or tree.is_asked(place.path) for place in finding.places())
        )
    )
    world = graph.world
    unresolved = tuple(
        sorted(
            Step(
                places.of(function[0], site) if request.unresolved else Location(world.modules[function[0]].path),
                world.dotted_name(function),
            )
            for function, site in graph.unresolved
            if world.modules[function[0]].path in tree.reported
        )
    )
    return Report(
        findings=tuple(shown),
        config=config,
        root=tree.root,
        rules=tuple(words[code] for code in sorted(codes)),
        files=len(tree.reported),
        analysed=len(tree.files),
        seconds=time.perf_counter() - started,
        suppressed=len(applied.suppressed),
        unresolved=unresolved,
        excerpts=_excerpts(shown, sources),
        cache=examination.cache,
    )


def unsilenced(opened: Opened, findings: list[Finding], config: Config) -> list[Finding]:
    """The findings that no comment and no per-file ignore silences, sorted."""
    paths = [place.path for finding in findings for place in finding.places()]
    comments = _suppressions(paths, opened.sources, opened.words)
    return sorted(apply(findings, comments, config.per_file_ignores, opened.codes).kept)


def _suppressions(paths: Iterable[str], sources: _Sources, words: dict[str, RuleWords]) -> list[Suppression]:
    """The comments in these files that silence something."""
    out: list[Suppression] = []
    for path in dict.fromkeys(paths):
        source = sources.read(path)
        if isinstance(source, bytes):
            out.extend(read_suppressions(source, path, words.keys()))
    return out


def _excerpts(findings: list[Finding], sources: _Sources) -> dict[tuple[str, int], str]:
    """The source line of every place that a finding names."""
    wanted: dict[str, set[int]] = {}
    for finding in findings:
        for place in (*finding.places(), *(step.where for step in finding.related)):
            wanted.setdefault(place.path, set()).add(place.line)
    out: dict[tuple[str, int], str] = {}
    for path, lines in wanted.items():
        source = sources.read(path)
        if not isinstance(source, bytes):
            continue
        rows = source.decode("utf-8", "replace").splitlines()
        out.update(((path, line), rows[line - 1]) for line in lines if line <= len(rows))
    return out
