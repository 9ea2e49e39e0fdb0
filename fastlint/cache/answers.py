"""What a run printed, kept with a note of all that it looked at: while that is unchanged, the next run prints it again.

Knows nothing of findings, and imports nothing that takes time: a run in which nothing changed does little else.
"""

from __future__ import annotations

import os
import time
import zlib

from fastlint.cache import folder

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_FORM = "fastlint answer 1"
_FOLDER = "answers"
_MOST = 32  # answers that are kept: one for each set of arguments in use
_MARGIN = 2_000_000_000  # ns: within this time of a run a file may change again and keep its time (FAT: 2 s)
_TICK = 20_000_000  # ns: how far the time of a file may lag behind the clock (Linux: one tick, 1 to 10 ms)
_UNSURE = -1  # in place of a time: look at the content
_ABSENT = -1  # in place of a size
_FILE, _FOLDER_LISTED, _MARK = "f", "d", "m"
_COLOURS = ("NO_COLOR", "FORCE_COLOR", "TERM", "HOME", "USERPROFILE")
_PASSING = ("__pycache__", folder.NAME)  # come and go in a folder without meaning anything


class Answer:
    """What a run ended in: its text around the seconds it took, which are those of each run, and its exit code."""

    __slots__ = ("after", "before", "code", "digits")

    def __init__(self, before: str, digits: int | None, after: str, code: int) -> None:
        self.before = before
        self.digits = digits  # decimal places of the seconds; None where the text does not tell any
        self.after = after
        self.code = code

    def text(self, seconds: float) -> str:
        """The text of a run that took so many seconds."""
        return self.before if self.digits is None else f"{self.before}{seconds:.{self.digits}f}{self.after}"


def question(arguments: Sequence[str], identity: str, terminal: str) -> str:
    """All that decides about a run apart from files: fastlint itself, arguments, folder, terminal, environment."""
    variables = [f"{name}={os.environ.get(name)}" for name in _COLOURS]
    variables += sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("FASTLINT_"))
    parts = [identity, *arguments, "", os.getcwd(), terminal, *variables]
    return "\n".join(part.replace("\n", "\n\n") for part in parts)


def recall(caches: Iterable[str], asked: str) -> Answer | None:
    """The answer to this question in the first cache that has one, if all that it rests on is as it was."""
    for cache in caches:
        path = _path(cache, asked)
        content = folder.read(path)
        if content is None:
            continue
        fields = _opened(content)
        if fields is None or fields[0] != asked:
            continue
        try:
            answer = Answer(fields[1], int(fields[2]) if fields[2] else None, fields[3], int(fields[4]))
            seen = fields[5:]
            fresh = _still(seen)
        except (ValueError, IndexError):
            continue
        if fresh is None:
            return None
        if fresh != seen:
            folder.replace(path, _closed([*fields[:5], *fresh]))
        return answer
    return None


def remember(cache: str, asked: str, answer: Answer, seen: Seen) -> bool:
    """Keep an answer for the next run; False where a file changed during this one, or the cache cannot be written."""
    rows = seen.rows()
    if rows is None:
        return False
    digits = "" if answer.digits is None else str(answer.digits)
    fields = [asked, answer.before, digits, answer.after, str(answer.code), *rows]
    if any("\0" in field for field in fields):
        return False
    kept = folder.replace(_path(cache, asked), _closed(fields))
    folder.keep_newest(os.path.join(cache, _FOLDER), _MOST)
    return kept


class Seen:
    """What a run looked at: files by their content, folders by their names, marks by whether they are there."""

    def __init__(self) -> None:
        self._started = time.time_ns()
        self._files: dict[str, None] = {}
        self._folders: dict[str, str] = {}
        self._marks: dict[str, bool] = {}

    def files(self, paths: Iterable[str]) -> None:
        """Files that were read, or that would have been if they were there."""
        self._files.update(dict.fromkeys(paths))

    def folders(self, names: Mapping[str, Iterable[str]]) -> None:
        """Folders that were listed, with the names that were found."""
        self._folders.update((path, _listed(each)) for path, each in names.items())

    def marks(self, paths: Iterable[str]) -> None:
        """Paths of which only their being there was asked."""
        self._marks.update((path, os.path.exists(path)) for path in paths)

    def rows(self) -> list[str] | None:
        """All of it as fields, or None where something changed since the run began."""
        rows: list[str] = []
        for path in self._files:
            try:
                status = os.stat(path)
            except (OSError, ValueError):
                rows += (_FILE, path, str(_ABSENT), "", "")
                continue
            changed = _changed(status)
            if changed > self._started - _TICK:
                return None
            sure = changed < self._started - _MARGIN
            # Unchanged since the run began, so this is the content that was read
            digest = _digest(path) or ""
            rows += (_FILE, path, str(status.st_size), str(changed if sure else _UNSURE), digest)
        for path, names in self._folders.items():
            now, changed = _names(path)
            if now != names:
                return None
            sure = changed < self._started - _MARGIN
            rows += (_FOLDER_LISTED, path, "", str(changed if sure else _UNSURE), names)
        for path, there in self._marks.items():
            rows += (_MARK, path, "1" if there else "", "", "")
        return rows


def _still(seen: list[str]) -> list[str] | None:
    """The fields of what was seen with times of today, or None where something is not as it was."""
    began = time.time_ns()
    fresh = seen
    for start in range(0, len(seen), 5):
        kind, path, size, changed, content = seen[start : start + 5]
        if kind == _MARK:
            if os.path.exists(path) != bool(size):
                return None
            continue
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            if kind == _FILE and int(size) == _ABSENT:
                continue
            return None
        now = _changed(status)
        if kind == _FILE and status.st_size != int(size):
            return None
        if now == int(changed):
            continue
        if (_digest(path) if kind == _FILE else _names(path)[0]) != content:
            return None
        if now < began - _MARGIN:
            fresh = seen[:] if fresh is seen else fresh
            fresh[start + 3] = str(now)
    return fresh


def _changed(status: os.stat_result) -> int:
    # The inode's own time cannot be set back by `touch` or `rsync -t`; on Windows it is the time of creation.
    return max(status.st_mtime_ns, status.st_ctime_ns)


def _digest(path: str) -> str | None:
    import hashlib  # here: not needed where times tell enough

    content = folder.read(path)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _names(path: str) -> tuple[str | None, int]:
    """The names in a folder as one text, and when it was changed last; None where it cannot be listed."""
    try:
        changed = _changed(os.stat(path))  # before the names: a later change is then seen by the next run
        return _listed(os.listdir(path)), changed
    except (OSError, ValueError):
        return None, _UNSURE


def _listed(names: Iterable[str]) -> str:
    return "/".join(sorted(each for each in names if each not in _PASSING))


def _path(cache: str, asked: str) -> str:
    return os.path.join(cache, _FOLDER, f"{zlib.crc32(asked.encode('utf-8', 'surrogatepass')):08x}")


def _closed(fields: Sequence[str]) -> bytes:
    """Fields as the bytes of a file, which begin with a checksum of the rest."""
    rest = "\0".join(fields).encode("utf-8", "surrogatepass")
    return f"{_FORM}\0{zlib.crc32(rest):08x}\0".encode() + rest


def _opened(content: bytes) -> list[str] | None:
    """The fields of a file, or None where it is damaged, or not ours."""
    head, _, body = content.partition(b"\0")
    total, _, rest = body.partition(b"\0")
    if head != _FORM.encode() or total != f"{zlib.crc32(rest):08x}".encode():
        return None
    try:
        return rest.decode("utf-8", "surrogatepass").split("\0")
    except UnicodeDecodeError:
        return None
