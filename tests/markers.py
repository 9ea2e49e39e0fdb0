"""The markers in fixtures and examples: which finding is expected on which line, read strictly, held against a run.

Knows nothing of the engine: whoever runs it hands its findings over.

    requests.get(url)  # expect: FL101, FL402
    # expect-below: FL002
    load()  # expect: FL102(warning; route=GET /items; note=start; via=services/load.py; names=time.sleep)

In parentheses stands what else is promised: a severity; then, each with a value: `confidence`, `route` (words of a
step of the chain), `note` (words of a note), `names` (words of the message), `via` (a file that the chain passes).
A Dockerfile, compose file, manifest, shell script, Procfile, unit or TOML file takes the same comments; where a line
of theirs cannot end in one (CMD, ENTRYPOINT, Procfile), it stands on the line above as `# expect-below:`.

Files that cannot hold a comment are listed in `expected.txt`, as `path FL001`: on whatever line.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastlint.finding import Finding, Severity

LIST = "expected.txt"
_DEPLOYED = (".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".sh", ".service", ".env")

_COMMENT = re.compile(r"#.*")
_ATTEMPT = re.compile(r"#\s*expect(?!ed\b)", re.IGNORECASE)
_MARKER = re.compile(r"# expect(?P<below>-below)?: (?P<specs>.+?)\s*$")
_SPEC = re.compile(r"(?P<code>FL\d{3})(?:\((?P<promises>[^()]+)\))?")
_SEPARATOR = re.compile(r", (?=FL\d{3})")
_KEYS = ("confidence", "route", "note", "names", "via")
_SEVERITIES = tuple(severity.word for severity in Severity)


class MarkerError(Exception):
    """A marker that cannot be read. The message begins with its file and line."""


@dataclass(frozen=True, order=True)
class Expected:
    """One expected finding; line 0 stands for any line of the file."""

    path: str
    line: int
    code: str
    severity: str = ""
    promises: tuple[tuple[str, str], ...] = ()

    def broken_promises(self, finding: Finding) -> list[str]:
        """What of the promise does not hold for a finding of the right rule in the right place."""
        broken = []
        if self.severity and finding.severity.word != self.severity:
            broken.append(f"severity {self.severity}, found {finding.severity.word}")
        texts: Mapping[str, Iterable[str]] = {
            "confidence": [finding.confidence.word],
            "route": [step.text for step in finding.steps],
            "note": finding.notes,
            "names": [finding.message],
            "via": [place.path for place in finding.places()],
        }
        for key, words in self.promises:
            if not any(words.lower() in text.lower() for text in texts[key]):
                broken.append(f"{key} {words!r}, found {list(texts[key])}")
        return broken


def read_folder(folder: Path, codes: Collection[str]) -> list[Expected]:
    """All that is expected in an application, sorted. Raises `MarkerError`."""
    expected = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".py" or (path.is_file() and _speaks_with_hashes(path)):
            expected += read_markers(path.read_bytes(), path.relative_to(folder).as_posix(), codes)
    if (folder / LIST).is_file():
        expected += _read_list((folder / LIST).read_text(encoding="utf-8"), folder, codes)
    return sorted(expected)


def read_markers(source: bytes, path: str, codes: Collection[str]) -> list[Expected]:
    """What the comments of one file expect. `codes` are the rules that exist. Raises `MarkerError`."""
    expected = []
    for line, comment in _comments(source, path):
        attempts = _ATTEMPT.findall(comment)
        if not attempts:
            continue
        where = f"{path}:{line}"
        found = _MARKER.search(comment)
        if found is None or len(attempts) > 1:
            raise MarkerError(f"{where}: unreadable marker: {comment}")
        for spec in _SEPARATOR.split(found["specs"]):
            expected.append(_one(spec, where, path, line + bool(found["below"]), codes))
    if len(set(expected)) < len(expected):
        raise MarkerError(f"{path}: the same finding is expected twice on one line")
    return expected


def differences(expected: Iterable[Expected], findings: Iterable[Finding]) -> list[str]:
    """One line for each expected finding that is missing or not as promised, and for each that nobody expects."""
    open_findings = list(findings)
    lines: list[tuple[str, int, str]] = []
    for each in sorted(expected, key=lambda one: one.line == 0):  # "any line" takes what is left
        hits = [
            finding
            for finding in open_findings
            if (finding.where.path, finding.code) == (each.path, each.code) and each.line in (0, finding.where.line)
        ]
        open_findings = [finding for finding in open_findings if finding not in hits]
        broken = min((each.broken_promises(hit) for hit in hits), key=len, default=["nothing found"])
        if broken:
            lines.append((each.path, each.line, f"expected {each.code}: {'; '.join(broken)}"))
    for finding in open_findings:
        chain = " > ".join(f"{step.text} ({step.where.path}:{step.where.line})" for step in finding.steps)
        said = f"found {finding.code}, expected nothing: {finding.message}" + (f"  [{chain}]" if chain else "")
        lines.append((finding.where.path, finding.where.line, said))
    return [f"{path}:{line}  {said}" for path, line, said in sorted(lines)]


def _one(spec: str, where: str, path: str, line: int, codes: Collection[str]) -> Expected:
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise MarkerError(f"{where}: unreadable marker: {spec}")
    if match["code"] not in codes:
        raise MarkerError(f"{where}: there is no rule {match['code']}")
    severity = ""
    promises = []
    for promise in (match["promises"] or "").split(";"):
        key, equals, words = (part.strip() for part in promise.partition("="))
        if not equals and key in _SEVERITIES and not severity:
            severity = key
        elif equals and key in _KEYS and words:
            promises.append((key, words))
        elif match["promises"]:
            raise MarkerError(f"{where}: unreadable promise: {promise.strip() or '(nothing)'}")
    return Expected(path, line, match["code"], severity, tuple(promises))


def _speaks_with_hashes(path: Path) -> bool:
    """Whether a file is one of those that say how a service is deployed: in all of them a hash begins a comment."""
    return (
        path.suffix in _DEPLOYED
        or path.name.startswith((".env", "Procfile", "Makefile", "justfile"))
        or bool(re.search(r"docker-?file", path.name, re.IGNORECASE))
    )


def _comments(source: bytes, path: str) -> list[tuple[int, str]]:
    """Every comment with its line. Of a file that is not Python: whatever stands behind a hash sign."""
    try:
        if not path.endswith(".py"):
            raise ValueError(path)
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError, ValueError, LookupError):
        lines = enumerate(source.decode("latin-1").splitlines(), 1)
        return [(number, found[0]) for number, line in lines if (found := _COMMENT.search(line))]


def _read_list(text: str, folder: Path, codes: Collection[str]) -> Iterator[Expected]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{LIST}:{number}"
        path, _, code = line.partition(" ")
        if not (folder / path).is_file():
            raise MarkerError(f"{where}: there is no file {path}")
        yield _one(code, where, path, 0, codes)
