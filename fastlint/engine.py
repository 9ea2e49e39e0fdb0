"""The straight line: discover, parse, facts, graph, checks, report. Prints nothing and decides no exit code."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from fastlint.cache import compiled, folder
from fastlint.cache.answers import Seen
from fastlint.cache.facts import FactStore
from fastlint.config import Config
from fastlint.deploy.find import Candidate, find_files
from fastlint.finding import Confidence, Finding, Location, Step
from fastlint.machine import Machine, read_machine
from fastlint.places import Places
from fastlint.reading import Reading, Sources, digest, read_files
from fastlint.report.model import CheckRequest, Progress, Report
from fastlint.rulebook.catalogue import Catalogue
from fastlint.rulebook.compiled import decode as decode_catalogue
from fastlint.rulebook.compiled import decode_libraries, libraries
from fastlint.rulebook.compiled import encode as encode_catalogue
from fastlint.rulebook.where import CATALOGUE, rules_folder, shipped
from fastlint.rulebook.words import RuleWords, fill_message, fill_remedy, load_words
from fastlint.source.discover import DiscoverError, SourceTree, discover, excludes
from fastlint.source.facts import ModuleFacts
from fastlint.source.parse import Unreadable, parse
from fastlint.suppress import Suppression, apply, read_suppressions
from fastlint.verdict import Grounds, Memory, Verdict
from fastlint.witness import witness

if TYPE_CHECKING:  # graph, checks and deployment are imported by who needs them: not where a verdict is taken over
    from fastlint.deploy.plan import ServerPlan
    from fastlint.deploy.python_entry import PythonFiles
    from fastlint.deploy.service import Readings
    from fastlint.graph.build import Graph
    from fastlint.project import Project

_T = TypeVar("_T")

_UNPARSABLE = "FL001"


@dataclass(slots=True)
class _Begun:
    """One project of which only the names of its files are known."""

    tree: SourceTree
    sources: Sources
    known: _Known
    words: dict[str, RuleWords]
    codes: set[str]  # of the rules that the settings select
    cache: str  # the folder of the cache; "" where none is used
    store: FactStore | None


@dataclass(slots=True)
class Opened:
    """One project, read and not yet judged."""

    tree: SourceTree
    graph: Graph
    words: dict[str, RuleWords]
    codes: set[str]  # of the rules that the settings select
    python: PythonFiles
    sources: Sources
    places: Places
    reading: Reading
    texts: dict[str, str] = field(default_factory=dict)  # files whose very text deployment read, and its digest

    def project(self, plans: tuple[ServerPlan, ...], config: Config, deployment: Readings) -> Project:
        """What checks may see of it."""
        from fastlint.project import Project

        modules = self.graph.world.modules
        return Project(
            self.graph,
            self.words,
            lambda module, site: self.places.of(modules[module].path, modules[module].site(site)),
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
    sources: Sources

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
    (begun, verdict, analysis), fault = _surely(request, _checked)
    if seen is not None:
        witness(begun.tree, request.config, verdict.named, seen)
    return _report(request, begun, verdict, started)._replace(analysis=analysis, fault=fault)


def examine(request: CheckRequest) -> Examination:
    """The project around the requested paths with all its findings. Raises `DiscoverError` as `check` does."""
    return _surely(request, _examined)[0]


def _surely(request: CheckRequest, work: Callable[[CheckRequest], _T]) -> tuple[_T, str]:
    """What the work on a request comes to, whatever lies in the cache; and what went wrong with it, where something
    did."""
    collecting = gc.isenabled()
    gc.disable()  # facts, values and trees have no cycles: looking for some only costs time
    try:
        return work(request), ""
    except DiscoverError:
        raise
    except Exception as error:
        if not request.cached:
            raise
        # A cache may come from a stranger: whatever it made go wrong, it must not be fatal. Without it a fault is ours.
        fault = f"{type(error).__name__}: {error}"
        return work(request._replace(cached=False)), fault
    finally:
        if collecting:
            gc.enable()


def _examined(request: CheckRequest) -> Examination:
    begun = _begun(request)
    opened = _opened(begun, request)
    deployment = _deployment(begun.tree, _candidates(begun.tree, request.config))
    project, findings = _judged(begun, opened, deployment, request.config)
    return Examination(project, [*_unparsable(_reasons(opened.reading), begun), *findings], begun.sources)


def _checked(request: CheckRequest) -> tuple[_Begun, Verdict, str]:
    """What is found in a project, taken over from the last run where it would be the same; and how it came about."""
    begun = _begun(request)
    tree, sources, config = begun.tree, begun.sources, request.config
    if request.progress:
        request.progress(Progress("reading", 0, len(tree.files)))
    candidates = _candidates(tree, config)
    memory = None
    if begun.store is not None:
        grounds = Grounds(
            tree, config, frozenset(begun.codes), sources, candidates, begun.store, begun.cache, request.jobs
        )
        memory = Memory(grounds, read_machine)
        recalled = memory.recall(begun.words)
        if recalled is not None:
            return begun, recalled, "taken over from an earlier run"
    deployment = _deployment(tree, candidates)
    named = (
        {path: grounds.content(path) for path in deployment.named} if memory else dict.fromkeys(deployment.named, "")
    )
    opened = _opened(begun, request, memory)
    asked: list[Machine] = []

    def machine() -> Machine:
        asked.append(read_machine())
        return asked[0]

    project, findings = _judged(begun, opened, deployment, config, machine)
    modules = opened.graph.world.modules
    verdict = Verdict(
        findings,
        [
            (modules[function[0]].path, modules[function[0]].site(site), opened.graph.world.dotted_name(function))
            for function, site in opened.graph.unresolved
        ],
        frozenset(path for plan in project.plans for path in plan.files),
        named,
        _reasons(opened.reading),
        opened.places,
    )
    if memory is not None and begun.store is not None:
        memory.keep(verdict, opened.reading, opened.texts, asked[0] if asked else None)
        begun.store.tidy()
    return begun, verdict, _came_about(opened.graph)


def _came_about(graph: Graph) -> str:
    if graph.continued:
        return "continued from an earlier run"
    return f"made anew: {graph.anew}" if graph.anew else "made anew"


def _judged(
    begun: _Begun, opened: Opened, deployment: Readings, config: Config, machine: Callable[[], Machine] = read_machine
) -> tuple[Project, list[Finding]]:
    """What the checks find, and deployment files that are broken."""
    from fastlint.deploy.join import read_plans

    project = opened.project(read_plans(deployment, opened.python), config, deployment)
    project.machine = machine
    broken = {each.where: each.reason for each in deployment.broken}
    return project, [*_broken(broken, begun.words), *judge(project, begun.codes)]


def judge(project: Project, codes: set[str]) -> list[Finding]:
    """What the checks of these rules find."""
    from fastlint.checks import run_checks
    from fastlint.graph.build import with_deep_stack

    return with_deep_stack(lambda: list(run_checks(project, codes)))


def open_project(request: CheckRequest, more: Sequence[str] = ()) -> Opened:
    """Everything that is read of the project around the requested paths; of none where there are none.

    `more` are Python files for deployment only, relative to the project root, wherever they lie. Raises `DiscoverError`
    as `check` does.
    """
    return _opened(_begun(request), request, more=more)


def _begun(request: CheckRequest) -> _Begun:
    words = load_words(rules_folder())
    codes = set(request.config.selection.codes(words))
    known = _Known(request)
    stdin = request.stdin.path if request.stdin else None
    if request.paths or stdin:
        tree = discover(
            request.paths, request.config, stdin, foreign=lambda root: known.libraries(_cache_of(request, root))
        )
    else:
        tree = SourceTree("", (), (), frozenset(), {})
    cache = _cache_of(request, tree.root)
    return _Begun(tree, Sources(tree, request), known, words, codes, cache, FactStore(cache) if cache else None)


def _opened(begun: _Begun, request: CheckRequest, memory: Memory | None = None, more: Sequence[str] = ()) -> Opened:
    from fastlint.graph.build import build_graph
    from fastlint.graph.world import Module

    tree, sources = begun.tree, begun.sources
    catalogue = begun.known.catalogue(begun.cache)
    glances = memory.glances() if memory else None
    reading = read_files(tree, sources, begun.store, request.jobs, request.progress, glances)
    if request.progress:
        request.progress(Progress("checking", 0, 0))
    modules = [
        (Module(file.module, file.relative, file.is_package, facts, file.kind), file.aliases)
        for file, facts in reading.facts
    ]
    past = memory.previous.past(reading) if memory else None
    graph = build_graph(modules, catalogue, request.config.entry_points, past, keep=memory is not None)
    if memory and graph.kept:
        memory.previous.keep(graph.kept, reading)
        graph.kept = b""
    parsed = {file.relative: facts for file, facts in reading.facts}
    sites = {path: facts.sites for path, facts in parsed.items()}
    places = Places(sources.read, sites, memory.spans(reading.contents) if memory else None)
    texts: dict[str, str] = {}
    python = _python_files(begun, parsed, sites, places, texts, more)
    return Opened(tree, graph, begun.words, begun.codes, python, sources, places, reading, texts)


def _python_files(
    begun: _Begun,
    parsed: dict[str, ModuleFacts],
    sites: dict[str, int],
    places: Places,
    texts: dict[str, str],
    more: Sequence[str],
) -> PythonFiles:
    """The Python files of the project as deployment needs them: facts and places on demand, each file once. Notes the
    files whose text was read for it."""
    from fastlint.deploy.python_entry import PythonFiles

    tree, sources = begun.tree, begun.sources
    names = {file.relative: file.module for file in tree.files}

    def read(path: str) -> bytes | Unreadable:
        source = sources.read(path)
        texts[path] = digest(source) if isinstance(source, bytes) else ""
        return source

    def facts(path: str) -> ModuleFacts | None:
        if path not in parsed:
            source = read(path)
            found = parse(source) if isinstance(source, bytes) else source
            if isinstance(found, Unreadable):
                return None
            parsed[path] = found
            sites[path] = found.sites
        return parsed[path]

    def place(path: str, site: int) -> Location:
        read(path)
        return places.of(path, site) if facts(path) is not None else Location(path)

    def lines(path: str) -> list[str]:
        source = read(path)
        return source.decode("utf-8", "replace").splitlines() if isinstance(source, bytes) else []

    def find(dotted: str) -> str | None:
        file = tree.find(dotted)
        return file.relative if file is not None else None

    served = [file.relative for file in tree.files if file.kind == "app" and file.relative in parsed]
    return PythonFiles(
        (*names, *more), tuple(sorted(served)), facts, lambda path: names.get(path, ""), find, place, lines
    )


def _cache_of(request: CheckRequest, root: str) -> str:
    """The folder of the cache; "" where none is used or can be."""
    cache = (request.cache or os.path.join(root, folder.NAME)) if request.cached else ""
    return cache if cache and folder.usable(cache) else ""


class _Known:
    """What is known of libraries: compiled once, by who built the wheel or else into the cache, where the settings add
    nothing to it. A run that takes its findings over needs their names alone."""

    def __init__(self, request: CheckRequest) -> None:
        config = request.config
        self._config = config
        self._adds = bool(config.library or config.blocking or config.offloaders)
        self._catalogue: Catalogue | None = None
        self._text: bytes | None = None

    def libraries(self, cache: str) -> frozenset[str]:
        """Top-level import names of the libraries that the catalogue knows."""
        text = self._compiled_before(cache)
        try:
            if text is not None:
                return decode_libraries(text)
        except (ValueError, TypeError):
            pass  # it is made anew
        return libraries(self.catalogue(cache))

    def catalogue(self, cache: str) -> Catalogue:
        """The catalogue, with what the settings add to it."""
        if self._catalogue is None:
            text = self._compiled_before(cache)
            try:
                self._catalogue = None if text is None else decode_catalogue(text)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError):
                pass
            self._catalogue = self._catalogue or _compiled(self._config, "" if self._adds else cache)
        return self._catalogue

    def _compiled_before(self, cache: str) -> bytes | None:
        """The catalogue as who built the wheel has compiled it, or an earlier run."""
        if self._text is None and not self._adds:
            self._text = shipped(CATALOGUE) or (compiled.load(cache, CATALOGUE) if cache else None)
        return self._text


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
        compiled.save(cache, CATALOGUE, encode_catalogue(catalogue))
    return catalogue


def _candidates(tree: SourceTree, config: Config) -> list[Candidate]:
    """The files that may say how the code is deployed."""
    return find_files(tree.root, tree.folders, excludes(config))


def _deployment(tree: SourceTree, candidates: list[Candidate]) -> Readings:
    """What the deployment files around the code say."""
    from fastlint.deploy.service import Readings

    if not candidates:
        return Readings()
    from fastlint.deploy.files import read_deployment  # here: most projects have nothing to read

    return read_deployment(tree.root, candidates)


def _reasons(reading: Reading) -> dict[str, Unreadable]:
    """Why the Python files cannot be read that cannot be read."""
    seen = {path: each.reason for path, each in reading.glances.items() if each.reason is not None}
    return {**{file.relative: why for file, why in reading.unreadable}, **seen}


def _unparsable(reasons: Mapping[str, Unreadable], begun: _Begun) -> list[Finding]:
    places = {
        Location(path, why.line, why.column): why.reason for path, why in reasons.items() if path in begun.tree.reported
    }
    return _broken(places, begun.words)


def _broken(places: Mapping[Location, str], words: dict[str, RuleWords]) -> list[Finding]:
    rule = words[_UNPARSABLE]
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
        for where, reason in places.items()
    ]


def _report(request: CheckRequest, begun: _Begun, verdict: Verdict, started: float) -> Report:
    """Silence what is suppressed, keep what is asked for, and sort."""
    tree, sources, words, codes = begun.tree, begun.sources, begun.words, begun.codes
    findings = [*_unparsable(verdict.unreadable, begun), *verdict.findings]
    config = request.config
    paths = (*(file.relative for file in tree.files), *sorted(verdict.deployed))
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
    unresolved = tuple(
        sorted(
            Step(verdict.places.of(path, site) if request.unresolved else Location(path), name)
            for path, site, name in verdict.unresolved
            if path in tree.reported
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
        cache=begun.cache,
    )


def unsilenced(opened: Opened, findings: list[Finding], config: Config) -> list[Finding]:
    """The findings that no comment and no per-file ignore silences, sorted."""
    paths = [place.path for finding in findings for place in finding.places()]
    comments = _suppressions(paths, opened.sources, opened.words)
    return sorted(apply(findings, comments, config.per_file_ignores, opened.codes).kept)


def _suppressions(paths: Iterable[str], sources: Sources, words: dict[str, RuleWords]) -> list[Suppression]:
    """The comments in these files that silence something."""
    out: list[Suppression] = []
    for path in dict.fromkeys(paths):
        source = sources.read(path)
        if isinstance(source, bytes):
            out.extend(read_suppressions(source, path, words.keys()))
    return out


def _excerpts(findings: list[Finding], sources: Sources) -> dict[tuple[str, int], str]:
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
