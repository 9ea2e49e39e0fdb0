"""Paths -> the project's Python files: sorted, named, told apart by what they are for, the reported ones marked.

Looks at folders only: opens no Python file and judges nothing.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from fastlint.config import DEFAULT_EXCLUDE, Config
from fastlint.patterns import Patterns

Kind = Literal["app", "test", "migration", "script"]

# Words for outputs that are also good names for a package: one with an __init__.py is somebody's source.
_OUTPUT_OR_PACKAGE = frozenset({"_build", "build", "dist"})
_REPOSITORY = (".git", ".hg")
_PROJECT = ("fastlint.toml", "pyproject.toml", "setup.py", "setup.cfg")
# A service is started in a folder like this, so its imports start there too.
_STARTS_HERE = frozenset(
    (*_PROJECT, "requirements.txt", "Pipfile", "Dockerfile", "alembic.ini", "manage.py", "Procfile", "poetry.lock")
)

_TEST_FOLDERS = frozenset({"tests", "test", "unittests", "e2e", "__tests__"})
_MIGRATION_FOLDERS = frozenset({"migrations", "alembic"})
_SCRIPT_FOLDERS = frozenset({"scripts", "script"})
# Outside of a package only: in a package these are words of somebody's business.
_SCRIPT_FOLDERS_OUTSIDE = frozenset(
    {"bench", "benchmark", "benchmarks", "doc", "docs", "docs_src", "example", "examples", "notebooks"}
)
_SCRIPT_FILES = frozenset(
    {"setup.py", "noxfile.py", "manage.py", "fabfile.py", "locustfile.py", "gunicorn.conf.py", "gunicorn_conf.py"}
)
_TEST_FILES = frozenset({"conftest.py", "tests.py"})


_OTHER = re.compile(
    r".*\.(?:ya?ml|toml|sh|bash|service|conf|ini|cfg|env|mk|(?:docker|container)file)"
    r"|(?:docker|container)file(?:[._-].*)?|procfile.*|(?:gnu)?makefile|justfile|\.env(?:\..*)?",
    re.IGNORECASE,
)


class DiscoverError(Exception):
    """The paths name nothing that can be checked. The message is one sentence for the person who gave them."""


class SourceFile(NamedTuple):
    """One Python file.

    `module` is its one canonical dotted name, unique in the project; `aliases` are further names under which other
    files may import it. Where the canonical name is taken or cannot be imported, it is still unique.
    """

    relative: str  # to the project root, with `/`
    path: str  # absolute
    module: str
    aliases: tuple[str, ...] = ()
    kind: Kind = "app"

    @property
    def folder(self) -> str:
        """The folder it lies in, relative, "" for the project root."""
        return self.relative.rpartition("/")[0]

    @property
    def is_package(self) -> bool:
        """Whether it is the `__init__.py` of a package: its relative imports start at itself."""
        return self.relative.rpartition("/")[2] == "__init__.py"


@dataclass(frozen=True, slots=True)
class SourceTree:
    """All files of a project that may matter to the reported ones.

    `reported` holds the relative paths of the files asked for. `names` maps every dotted name to the files that it may
    mean, the likeliest first. `roots` are the folders that imports start from. `unreadable` are folders that could not
    be listed; `folders` all that were looked into, for whoever looks for other files there; `asked` the files
    and folders that were asked for. `listed` are the names in each folder that was listed, entered or not, and
    `consulted` the ignore files that were asked, all by absolute paths.
    """

    root: str
    roots: tuple[str, ...]
    files: tuple[SourceFile, ...]
    reported: frozenset[str]
    names: dict[str, tuple[SourceFile, ...]]
    unreadable: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    consulted: tuple[str, ...] = field(default=(), compare=False)
    asked: tuple[str, ...] = field(default=(), compare=False)

    def is_asked(self, path: str) -> bool:
        """Whether a file of any kind was asked for, by itself or through a folder above it."""
        return any(_within(path, each) for each in self.asked)

    def find(self, name: str, importer: SourceFile | None = None) -> SourceFile | None:
        """What an absolute import of `name` means: of several files the nearest to `importer`, else the likeliest."""
        files = self.names.get(name, ())
        if len(files) < 2 or importer is None:
            return files[0] if files else None
        return max(files, key=lambda file: _shared_folders(file.folder, importer.folder))  # the first among equals


def discover(
    paths: Iterable[str],
    config: Config,
    stdin: str | None = None,
    foreign: Callable[[str], Collection[str]] = lambda root: (),
) -> SourceTree:
    """The whole project around `paths`, with the files under them marked as reported.

    `stdin` names one more file to report on, which need not exist. `foreign` gives, once the project's root is known,
    the top-level import names of known libraries: a file deep in the project is not taken for a library of the same
    name. Raises `DiscoverError`.
    """
    folders, named = _given(paths)
    if stdin is not None:
        named.append(os.path.abspath(stdin))
    root, marked = _project_root([*folders, *named], config)
    walk = _Walk(root, config)
    if marked:
        walk.enter(root)
        if len(folders) == 1 and not named and folders[0] not in walk.entered:
            # What the project around it excludes is no part of it: somebody else's code, a project of its own.
            root, marked = _import_root(folders[0]), False
            walk = _Walk(root, config)
    for folder in folders:
        start = folder if marked else _top_package(folder)
        if start not in walk.entered:  # asked for by name: excludes do not speak of the folder itself
            walk.enter(start)
    if not marked:
        # Nothing says where this project ends, so only go where there is Python code: never through a home folder.
        for folder in dict.fromkeys(_top_package(os.path.dirname(file)) for file in named):
            if folder not in walk.entered:
                walk.enter(folder, only_code=True)
    below = [_below(root, folder) for folder in folders]
    others = {_below(root, file) for file in named if _is_other(os.path.basename(file))}
    asked = {_below(root, file) for file in named} - others
    found = walk.found | asked
    reported = frozenset(asked | {each for each in walk.found if any(_within(each, folder) for folder in below)})
    if not reported and not others:
        raise DiscoverError("no Python file to check in " + (", ".join(_shown(folder) for folder in folders) or "."))
    roots = _source_roots(walk, config)
    files, names = _name_files(sorted(found), walk, roots, below, foreign(root))
    unreadable = tuple(sorted(walk.unreadable))
    given = (*below, *sorted(asked | others))
    return SourceTree(
        root,
        tuple(sorted(roots)),
        files,
        reported,
        names,
        unreadable,
        walk.folders(),
        walk.listed,
        tuple(sorted(walk.consulted)),
        given,
    )


def _is_other(name: str) -> bool:
    """Whether a file that was asked for is no Python by its name: a deployment file, of which others know more."""
    return bool(_OTHER.fullmatch(name))


def excludes(config: Config) -> Callable[[str], bool]:
    """Whether the settings exclude a file, by its path relative to the project root."""
    patterns = Patterns((*(config.exclude or ()), *config.extend_exclude))
    return lambda path: bool(patterns.verdict(path))


def _given(paths: Iterable[str]) -> tuple[list[str], list[str]]:
    """The folders and the files asked for, absolute."""
    folders: list[str] = []
    files: list[str] = []
    for path in dict.fromkeys(paths):
        absolute = os.path.abspath(path)
        if os.path.isdir(absolute):
            folders.append(absolute)
        elif os.path.isfile(absolute):
            files.append(absolute)
        elif os.path.lexists(absolute):
            raise DiscoverError(f"{path} is neither a file nor a folder")
        else:
            raise DiscoverError(f"{path}: no such file or folder")
    return folders, files


def _project_root(given: list[str], config: Config) -> tuple[str, bool]:
    """The project's root, and whether something marks it as one."""
    parents = [each if os.path.isdir(each) else os.path.dirname(each) for each in given]
    # Settings or a repository in the home folder are about everything a person has, and that is not one project.
    everything = {os.path.expanduser("~"), os.path.abspath(os.sep)}
    if config.root and config.root not in everything and all(_contains(config.root, parent) for parent in parents):
        return config.root, True
    try:
        folder = os.path.commonpath(parents)
        start = os.path.commonpath([_import_root(parent) for parent in parents])
    except ValueError:  # different drives
        raise DiscoverError("the paths have no folder in common") from None
    project = ""
    while folder not in everything:
        if any(os.path.exists(os.path.join(folder, mark)) for mark in _REPOSITORY):
            return folder, True  # the repository: its parts may import each other
        if not project and any(os.path.isfile(os.path.join(folder, mark)) for mark in _PROJECT):
            project = folder
        folder = os.path.dirname(folder)
    return (project, True) if project else (start, False)


def _top_package(folder: str) -> str:
    """The outermost package that the folder belongs to, or the folder itself."""
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        parent = os.path.dirname(folder)
        if not os.path.isfile(os.path.join(parent, "__init__.py")):
            break
        folder = parent
    return folder


def _import_root(folder: str) -> str:
    """The folder that imports of what lies in `folder` start from, if nothing else is known."""
    top = _top_package(folder)
    return os.path.dirname(top) if os.path.isfile(os.path.join(top, "__init__.py")) else top


class _Walk:
    """Lists folders below one root and remembers what it saw; every path in it is relative and has `/`."""

    def __init__(self, root: str, config: Config) -> None:
        self.root = root
        self._real_root = os.path.realpath(root)
        self.found: set[str] = set()
        self.entered: set[str] = set()  # absolute
        self.packages: set[str] = set()  # folders with an __init__.py
        self.starts: set[str] = set()  # folders in which something is started or installed
        self.unreadable: set[str] = set()
        self.listed: dict[str, tuple[str, ...]] = {}  # absolute
        self.consulted: set[str] = set()  # ignore files, absolute
        self._default = DEFAULT_EXCLUDE if config.exclude is None else frozenset()
        self._exclude = Patterns((*(config.exclude or ()), *config.extend_exclude))
        self._include = Patterns(config.include)
        self._gitignore = config.respect_gitignore

    def enter(self, start: str, only_code: bool = False) -> None:
        """Collect the files below `start`, an absolute folder at or below the root."""
        ignores = _outer_ignores(start, self.consulted) if self._gitignore else ()
        pending = [(start, ignores)]
        while pending:
            folder, ignores = pending.pop()
            try:
                with os.scandir(folder) as entries:
                    listed = list(entries)
            except OSError:
                self.entered.add(folder)
                self.unreadable.add(_below(self.root, folder))
                continue
            names = {entry.name for entry in listed}
            self.listed[folder] = tuple(names)
            if folder != start and self._is_foreign(os.path.basename(folder), names, only_code):
                continue
            self.entered.add(folder)
            if self._gitignore and ".gitignore" in names:
                self.consulted.add(ignore := os.path.join(folder, ".gitignore"))
                ignores = (*ignores, _Ignore(folder, _read_lines(ignore)))
            relative = _below(self.root, folder)
            if "__init__.py" in names:
                self.packages.add(relative)
            if not names.isdisjoint(_STARTS_HERE):
                self.starts.add(relative)
            for entry in listed:
                if entry.is_dir(follow_symlinks=False):
                    if not self._skips(entry, ignores, folder=True):
                        pending.append((entry.path, ignores))
                elif entry.name.endswith(".py") and self._is_ours(entry) and not self._skips(entry, ignores):
                    self.found.add(_below(self.root, entry.path))

    def folders(self) -> tuple[str, ...]:
        """The folders that were entered, relative, sorted."""
        return tuple(sorted(_below(self.root, each) for each in self.entered))

    def _is_foreign(self, name: str, names: set[str], only_code: bool) -> bool:
        if "pyvenv.cfg" in names:  # a virtual environment, whatever its name
            return True
        if name in self._default and name in _OUTPUT_OR_PACKAGE and "__init__.py" not in names:
            return True
        return only_code and not any(each.endswith(".py") for each in names)

    def _skips(self, entry: os.DirEntry[str], ignores: tuple[_Ignore, ...], folder: bool = False) -> bool:
        name = entry.name
        if folder and self._default:
            if name in self._default and name not in _OUTPUT_OR_PACKAGE:
                return True
            if "{{" in name:  # a template's placeholder: what is below is not Python yet
                return True
        path = _below(self.root, entry.path)
        if self._exclude.verdict(path, folder) or (not folder and self._include and not self._include.matches(path)):
            return True
        for ignore in reversed(ignores):  # the nearest file that speaks of this path decides
            verdict = ignore.patterns.verdict(_below(ignore.folder, entry.path), folder)
            if verdict is not None:
                return verdict
        return False

    def _is_ours(self, entry: os.DirEntry[str]) -> bool:
        # A link to a file of this very project is the same file again; folders that are links are never entered.
        try:
            return entry.is_file() and not (
                entry.is_symlink() and _contains(self._real_root, os.path.realpath(entry.path))
            )
        except OSError:
            return False


class _Ignore:
    """One `.gitignore` and the folder that it speaks of."""

    __slots__ = ("folder", "patterns")

    def __init__(self, folder: str, lines: Iterable[str]) -> None:
        self.folder = folder
        self.patterns = Patterns(lines)


def _outer_ignores(start: str, consulted: set[str]) -> tuple[_Ignore, ...]:
    """The ignore files of the repository around `start`, the weakest first; none if they ignore `start` itself.

    Adds the files that it asked to `consulted`.
    """
    outer: list[_Ignore] = []
    folder = start
    while True:
        git = os.path.join(folder, ".git")
        if os.path.exists(git):
            consulted.add(exclude := _git_exclude(git))
            outer.append(_Ignore(folder, _read_lines(exclude)))
            break
        parent = os.path.dirname(folder)
        if parent == folder:
            return ()
        folder = parent
        consulted.add(ignore := os.path.join(folder, ".gitignore"))
        if os.path.isfile(ignore):
            outer.append(_Ignore(folder, _read_lines(ignore)))
    # Who asks for an ignored folder means it, and the rules that ignore it match all that is below, too.
    if any(ignore.patterns.verdict(_below(ignore.folder, start), folder=True) for ignore in outer if start != folder):
        return ()
    return tuple(sorted(outer, key=lambda ignore: len(ignore.folder)))


def _git_exclude(git: str) -> str:
    if os.path.isfile(git):  # a worktree or submodule: the file says where the repository is
        target = next((line[8:].strip() for line in _read_lines(git) if line.startswith("gitdir: ")), "")
        git = os.path.join(os.path.dirname(git), target)
        common = next(iter(_read_lines(os.path.join(git, "commondir"))), "").strip()
        git = os.path.join(git, common) if common else git
    return os.path.join(git, "info", "exclude")


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().splitlines()
    except OSError:
        return []


def _source_roots(walk: _Walk, config: Config) -> set[str]:
    """The folders that canonical names are counted from, always with the project's own."""
    if config.src:
        absolute = (os.path.abspath(os.path.join(config.root, each)) for each in config.src)
        return {"", *(_below(walk.root, each) for each in absolute if _contains(walk.root, each))}
    folders = {each.rpartition("/")[0] for each in walk.found} | walk.starts
    every = {above for folder in folders for above in _upwards(folder)}
    layouts = {each for each in every if each.rpartition("/")[2] == "src"}
    return {"", *(each for each in layouts | (walk.starts & every) if each not in walk.packages)}


def _name_files(
    found: list[str], walk: _Walk, roots: set[str], below: list[str], foreign: Collection[str]
) -> tuple[tuple[SourceFile, ...], dict[str, tuple[SourceFile, ...]]]:
    canonical = _canonical_names(found, roots)
    library = sys.stdlib_module_names | set(foreign)
    files: list[SourceFile] = []
    names: dict[str, list[SourceFile]] = {}
    for relative in found:
        module = canonical[relative]
        likely = _dotted(relative, _nearest_root(relative, roots))
        aliases: dict[str, None] = {}
        for folder in _upwards(relative.rpartition("/")[0]):
            name = _dotted(relative, folder)
            importable = all(part.isidentifier() for part in name.split("."))
            if name == module or not importable or folder in walk.packages:
                continue
            if folder in roots or name.partition(".")[0] not in library:
                aliases[name] = None
        if "" in walk.packages:  # the project's root is a package: it is imported by its folder's name
            aliases[f"{os.path.basename(walk.root)}.{_dotted(relative, '')}".removesuffix(".__init__")] = None
        ordered = sorted(aliases, key=lambda name: (name != likely, name.count("."), name))
        kind = _kind(relative, _asked_folder(relative, below), walk.packages)
        file = SourceFile(relative, os.path.join(walk.root, *relative.split("/")), module, tuple(ordered), kind)
        files.append(file)
        for name in (module, *ordered):
            names.setdefault(name, []).append(file)
    for name, several in names.items():
        several.sort(key=lambda file: (file.module != name, _MODULE_ORDER[file.kind], not file.is_package, file))
    return tuple(files), {name: tuple(several) for name, several in names.items()}


_MODULE_ORDER: dict[Kind, int] = {"app": 0, "script": 1, "migration": 2, "test": 3}


def _canonical_names(found: list[str], roots: set[str]) -> dict[str, str]:
    """A unique name for every file: counted from its nearest root; from the project's where two roots clash."""
    groups: dict[str, list[str]] = {}
    for relative in found:
        groups.setdefault(_nearest_root(relative, roots), []).append(relative)
    names: dict[str, str] = {}
    taken: set[str] = set()
    for root in sorted(groups, key=lambda each: (each.count("/"), each)):
        # `a/__init__.py` comes before `a.py`: the package is what an import finds.
        group = sorted(groups[root], key=lambda each: (not each.endswith("/__init__.py"), each))
        clash = not taken.isdisjoint(_dotted(each, root) for each in group)
        for relative in group:
            name = _dotted(relative, "" if clash else root)
            names[relative] = name = relative if name in taken else name
            taken.add(name)
    return names


def _dotted(relative: str, root: str) -> str:
    """`app/main.py` -> `app.main`, counted from a folder above it."""
    inner = relative[len(root) + 1 :] if root else relative
    parts = inner.removesuffix(".py").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def _kind(relative: str, asked: str, packages: set[str]) -> Kind:
    """What a file is for, by the parts of its path below the folder that was asked for."""
    folder, _, name = relative.rpartition("/")
    inner = folder[len(asked) :].strip("/") if asked else folder
    parts = inner.split("/") if inner else []
    if name in _TEST_FILES or name.startswith("test_") or name.endswith("_test.py"):
        return "test"
    kind: Kind = "script" if name in _SCRIPT_FILES else "app"
    above = asked
    for part in parts:
        if part in _TEST_FOLDERS:
            return "test"
        if part in _MIGRATION_FOLDERS:
            return "migration"
        if part in _SCRIPT_FOLDERS or (part in _SCRIPT_FOLDERS_OUTSIDE and above not in packages):
            kind = "script"
        above = f"{above}/{part}" if above else part
    return kind


def _asked_folder(relative: str, below: list[str]) -> str:
    return max((folder for folder in below if _within(relative, folder)), key=len, default="")


def _nearest_root(relative: str, roots: set[str]) -> str:
    return next(folder for folder in _upwards(relative.rpartition("/")[0]) if folder in roots)


def _upwards(folder: str) -> Iterator[str]:
    """The folder, the ones above it, and last the project root as ""."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def _shared_folders(one: str, other: str) -> int:
    count = 0
    for mine, theirs in zip(one.split("/"), other.split("/"), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _within(relative: str, folder: str) -> bool:
    return not folder or relative == folder or relative.startswith(folder + "/")


def _contains(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _below(root: str, path: str) -> str:
    """`path` relative to `root`, with `/`; "" for the root itself."""
    inner = path[len(root.rstrip(os.sep)) + 1 :]
    return inner.replace(os.sep, "/") if os.sep != "/" else inner


def _shown(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
