"""Compares fastlint with hydroid, ruff and flake8-async on whole applications: one Markdown table for each.

Run by hand (`make compare`): it downloads the peers and, unless told otherwise, the applications' dependencies. Judges
nothing: whatever a peer found and fastlint did not is listed by file and line, for a person to open.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import venv
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
PEERS = ("hydroid-cli==0.5.0", "ruff==0.17.6", "flake8==7.5.0", "flake8-async==26.8.1")
SCRIPTS = "Scripts" if os.name == "nt" else "bin"

# What a call waits for. Tools draw the lines between remote services differently (a Redis client is a database, a
# socket or an SDK), so that these are one kind; a lock and a file are never mistaken for each other.
REMOTE, FILE, PROCESS, SLEEP, THREAD, CPU, OTHER = "remote", "file", "process", "sleep", "thread", "cpu", "other"
KIND_OF_RULE = {
    "FL101": REMOTE,
    "FL102": SLEEP,
    "FL103": REMOTE,
    "FL104": PROCESS,
    "FL105": FILE,
    "FL106": REMOTE,
    "FL107": REMOTE,
    "FL108": THREAD,
    "FL109": CPU,
    "FL110": THREAD,
    "FL111": THREAD,
    "FL113": FILE,
    "FL114": FILE,
    "FL115": CPU,
    "FL116": REMOTE,
}
KIND_OF_HYDROID = {
    "http": REMOTE,
    "network": REMOTE,
    "database": REMOTE,
    "file": FILE,
    "subprocess": PROCESS,
    "sleep": SLEEP,
    "synchronization": THREAD,
    "cpu": CPU,
}
# The ASYNC2xx of ruff and flake8-async are about blocking; the other ASYNC rules are about something else.
KIND_OF_ASYNC = {"20": OTHER, "21": REMOTE, "22": PROCESS, "23": FILE, "24": FILE, "250": THREAD, "251": SLEEP}

Place = tuple[str, int]
"""A file, relative to the application's folder with `/`, and a line."""


@dataclass(frozen=True)
class Ours:
    """One finding of fastlint: `places` is wherever it points to, `culprit` where its chain ends."""

    code: str
    kind: str
    severity: str
    by_default: bool  # shown without any option
    places: frozenset[Place]
    culprit: Place


@dataclass(frozen=True, order=True)
class Theirs:
    """One finding of another tool; `culprit` is the last place of its chain that lies in the application."""

    where: Place
    kind: str
    severity: str
    words: str
    culprit: Place

    @property
    def matters(self) -> bool:
        """Whether fastlint ought to have it, too."""
        return self.severity in ("critical", "blocking")


@dataclass(frozen=True)
class Verdict:
    """Which findings of a tool are ours, too: at the same place, at the same culprit, hidden by default, or not."""

    same_place: list[Theirs]
    same_culprit: list[Theirs]
    hidden: list[Theirs]
    missed: list[tuple[Theirs, str]]  # with what we say on that line instead


class ToolFailed(Exception):
    """A tool could not be set up or run; the text is one line for the table."""


def main() -> None:
    """Compare on every application asked for, one table after the other."""
    arguments = read_arguments()
    applications = find_applications(arguments)
    if not applications:
        sys.exit(f"no application in {arguments.corpus}")
    bench = Bench(arguments.cache, arguments.hydroid_output, arguments.requirements, arguments.with_dependencies)
    for folder in applications:
        say(compare(folder, bench))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="applications (default: every subfolder of the corpus)")
    corpus = os.environ.get("FASTLINT_CORPUS")
    parser.add_argument("--corpus", type=Path, default=corpus, help="folder of applications ($FASTLINT_CORPUS)")
    parser.add_argument("--fetch", type=Path, help="script that fills the corpus; called with `--into CORPUS`")
    parser.add_argument("--cache", type=Path, required=True, help="folder for environments and raw outputs")
    parser.add_argument("--hydroid-output", type=Path, help="folder with raw outputs of hydroid, used as they are")
    parser.add_argument("--requirements", type=Path, help="folder with APPLICATION.txt: what to install for hydroid")
    parser.add_argument(
        "--without-dependencies",
        dest="with_dependencies",
        action="store_false",
        help="do not install the applications' dependencies for hydroid",
    )
    arguments = parser.parse_args()
    if arguments.corpus is None:
        parser.error("say --corpus or set FASTLINT_CORPUS")
    return arguments


def find_applications(arguments: argparse.Namespace) -> list[Path]:
    """The applications' folders (`name-version`), fetched first where a script is given."""
    corpus: Path = arguments.corpus.expanduser().resolve()
    if arguments.fetch:
        command = [sys.executable, str(arguments.fetch), "--into", str(corpus), *arguments.names]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    folders = sorted(folder for folder in corpus.iterdir() if folder.is_dir())
    return [folder for folder in folders if not arguments.names or name_of(folder) in arguments.names]


def name_of(application: Path) -> str:
    return application.name.rpartition("-")[0] or application.name


# --- the tools --------------------------------------------------------------------------------------------------


class Bench:
    """The environments of the tools, made when they are first asked for, and the tools' raw outputs."""

    def __init__(
        self, cache: Path, hydroid_output: Path | None, requirements: Path | None, with_dependencies: bool
    ) -> None:
        self._cache = cache.expanduser().resolve()
        self._raw = hydroid_output
        self._requirements = requirements
        self._with_dependencies = with_dependencies
        (self._cache / "output").mkdir(parents=True, exist_ok=True)

    def fastlint(self, application: Path) -> list[Ours]:
        """Everything that fastlint knows to say, whatever its severity and confidence."""
        command = [sys.executable, "-m", "fastlint", "check", "--isolated", "--no-cache", "--output-format", "json"]
        command += ["--severity", "info", "--confidence", "low", str(application)]
        # From the checkout: `python -m` then takes this very fastlint, installed or not.
        report = json.loads(self._run("fastlint", application, command, folder=CHECKOUT))
        prefix = os.path.relpath(report["root"], application)
        return [read_ours(each, prefix) for each in report["findings"]]

    def hydroid(self, application: Path) -> list[Theirs]:
        """hydroid with nothing but itself installed, as fastlint."""
        return self._hydroid("hydroid", application, self._empty)

    def hydroid_with_dependencies(self, application: Path) -> list[Theirs]:
        """hydroid with the application's main dependencies installed."""
        if not self._with_dependencies and self._raw is None:
            raise ToolFailed("not run")
        return self._hydroid("hydroid-deps", application, self._environment)

    def ruff(self, application: Path) -> list[Theirs]:
        """ruff's ASYNC rules, that need no installed package."""
        command = [self._peer("ruff"), "check", "--select", "ASYNC", "--isolated", "--no-cache"]
        raw = self._run("ruff", application, [*command, "--output-format", "json", str(application)])
        rows = [(each["filename"], each["location"]["row"], each["code"], each["message"]) for each in json.loads(raw)]
        return [async_rule(application, *row) for row in rows if row[2]]

    def flake8(self, application: Path) -> list[Theirs]:
        """flake8-async, with the rules that are on by default."""
        command = [self._peer("flake8"), "--isolated", "--select", "ASYNC1,ASYNC2", str(application)]
        raw = self._run("flake8", application, command)
        rows = re.findall(r"^(.+?):(\d+):\d+: (ASYNC\d+) (.*)$", raw, re.MULTILINE)
        return [async_rule(application, path, int(line), code, words) for path, line, code, words in rows]

    def _hydroid(self, tool: str, application: Path, environment: Callable[[Path], Path]) -> list[Theirs]:
        if self._raw is not None:
            path = self._raw / f"{name_of(application)}.{tool}.json"
            if not path.is_file():
                raise ToolFailed("no raw output")
            raw = path.read_text("utf-8")
        else:
            python = environment(application) / SCRIPTS / "python"
            command = [self._peer("hydroid"), "--no-cache", "--python", str(python), "--format", "json"]
            raw = self._run(tool, application, [*command, str(application)])
        return [read_hydroid(each) for each in json.loads(raw)["diagnostics"]]

    def _run(self, tool: str, application: Path, command: Sequence[str], folder: Path | None = None) -> str:
        """The standard output of a linter, kept under the cache. Status 1 says that it found something."""
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder or self._cache, check=False)
        if done.returncode not in (0, 1) or not (done.stdout or done.returncode == 0):
            raise ToolFailed(f"status {done.returncode}: {last_line(done.stderr)}")
        (self._cache / "output" / f"{name_of(application)}.{tool}.txt").write_text(done.stdout, "utf-8")
        return done.stdout

    def _peer(self, command: str) -> str:
        home = self._cache / "peers"
        self._install(home, PEERS)
        return str(home / SCRIPTS / command)

    def _empty(self, application: Path) -> Path:
        home = self._cache / "empty"
        if not home.is_dir():
            venv.create(home, with_pip=False)
        return home

    def _environment(self, application: Path) -> Path:
        """What the application needs, without the application: its own modules are to be read from its folder."""
        name = name_of(application)
        home = self._cache / f"with-{name}"
        listed = self._requirements / f"{name}.txt" if self._requirements else None
        if listed is not None and listed.is_file():
            self._install(home, ["--requirement", str(listed.resolve())])
        else:
            version = application.name.removeprefix(f"{name}-")
            self._install(home, [f"{name}=={version}"], remove=name)
        return home

    def _install(self, home: Path, wanted: Iterable[str], remove: str = "") -> None:
        done = home / "complete"
        if done.is_file():
            return
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / SCRIPTS / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        # Wheels only: building a package would run the code of strangers.
        commands = [[*pip, "install", "--only-binary", ":all:", *wanted]]
        if remove:
            commands.append([*pip, "uninstall", "--yes", remove])
        for command in commands:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise ToolFailed(f"cannot be installed: {last_line(ended.stderr)}")
        done.touch()


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no word"])[-1][:160]


# --- their words in ours ----------------------------------------------------------------------------------------


def read_ours(finding: dict[str, Any], prefix: str) -> Ours:
    """A finding of fastlint's JSON report; `prefix` leads from the application's folder to the report's root."""

    def place(step: dict[str, Any]) -> Place:
        where = step["location"]
        return os.path.normpath(os.path.join(prefix, where["path"])).replace(os.sep, "/"), where["line"]

    chain = [place(step) for step in finding["chain"]] or [place(finding)]
    return Ours(
        code=finding["code"],
        kind=KIND_OF_RULE.get(finding["code"], OTHER),
        severity=finding["severity"],
        by_default=finding["severity"] != "info" and finding["confidence"] != "low",
        places=frozenset([place(finding), *chain, *(place(step) for step in finding["related"])]),
        culprit=chain[-1],
    )


def read_hydroid(diagnostic: dict[str, Any]) -> Theirs:
    """A diagnostic of hydroid's JSON; paths in it are relative to the folder it was given, or absolute outside."""
    where = (diagnostic["location"]["path"], diagnostic["location"]["line"])
    chain = [(step["location"]["path"], step["location"]["line"]) for step in diagnostic["chain"]]
    own = [place for place in chain if not os.path.isabs(place[0]) and "site-packages" not in place[0]]
    hops = " → ".join(step["text"] for step in diagnostic["chain"])
    sink = diagnostic["sink"]
    return Theirs(
        where=where,
        kind=KIND_OF_HYDROID.get(sink["category"], OTHER),
        severity=diagnostic["severity"],
        words=f"{sink['category']}: {hops} ({sink['qualname']})",
        culprit=own[-1] if own else where,
    )


def async_rule(application: Path, path: str, line: int, code: str, words: str) -> Theirs:
    """A finding of ruff or flake8-async, which point at the blocking call itself."""
    digits = code.removeprefix("ASYNC")
    kind = KIND_OF_ASYNC.get(digits, KIND_OF_ASYNC.get(digits[:2], OTHER))
    where = (os.path.relpath(path, application).replace(os.sep, "/"), line)
    severity = "blocking" if digits.startswith("2") else "other"
    return Theirs(where, kind, severity, f"{code} {words}", where)


# --- the comparison ---------------------------------------------------------------------------------------------


def judge(theirs: Iterable[Theirs], ours: Sequence[Ours]) -> Verdict:
    """Where each finding that matters stands among ours.

    hydroid prints one finding for every call site, fastlint one for every culprit with the shortest chain to it: the
    same culprit behind another call is the same finding.
    """
    by_place: dict[Place, list[Ours]] = {}
    by_culprit: dict[Place, list[Ours]] = {}
    for finding in ours:
        for place in finding.places:
            by_place.setdefault(place, []).append(finding)
        by_culprit.setdefault(finding.culprit, []).append(finding)
    verdict = Verdict([], [], [], [])
    for each in sorted(theirs):
        if not each.matters:
            continue
        there = by_place.get(each.where, [])
        at_place = [finding for finding in there if OTHER in (each.kind, finding.kind) or finding.kind == each.kind]
        at_culprit = by_culprit.get(each.culprit, [])
        if any(finding.by_default for finding in at_place):
            verdict.same_place.append(each)
        elif any(finding.by_default for finding in at_culprit):
            verdict.same_culprit.append(each)
        elif at_place or at_culprit:
            verdict.hidden.append(each)
        else:
            verdict.missed.append((each, ", ".join(sorted({finding.code for finding in there}))))
    return verdict


def compare(application: Path, bench: Bench) -> str:
    """One application as Markdown: the table, then what fastlint does not have."""
    title = f"## {application.name}\n\n"
    try:
        ours = bench.fastlint(application)
    except ToolFailed as failure:
        return f"{title}fastlint failed: {failure}\n"
    shown = Counter(finding.severity for finding in ours if finding.by_default)
    counted = [*(f"{shown[severity]} {severity}" for severity in ("error", "warning")), f"{len(ours)} in all"]
    rows = [
        "| tool | findings | of interest | at a place of ours | at a culprit of ours | hidden by default | not ours |",
        "|---|---|---|---|---|---|---|",
        f"| fastlint | {', '.join(counted)} | | | | | |",
    ]
    lists: list[str] = []
    tools: list[tuple[str, Callable[[Path], list[Theirs]]]] = [
        ("hydroid", bench.hydroid),
        ("hydroid, dependencies installed", bench.hydroid_with_dependencies),
        ("ruff ASYNC", bench.ruff),
        ("flake8-async", bench.flake8),
    ]
    for name, run in tools:
        try:
            theirs = run(application)
        except ToolFailed as failure:
            rows.append(f"| {name} | {failure} | | | | | |")
            continue
        verdict = judge(theirs, ours)
        severities = Counter(each.severity for each in theirs)
        findings = ", ".join(f"{number} {severity}" for severity, number in sorted(severities.items())) or "none"
        interest = sum(each.matters for each in theirs)
        numbers = [len(verdict.same_place), len(verdict.same_culprit), len(verdict.hidden), len(verdict.missed)]
        rows.append(f"| {name} | {findings} | {interest} | {' | '.join(map(str, numbers))} |")
        lists += listed(name, verdict)
    return title + "\n".join([*rows, "", *lists])


def listed(tool: str, verdict: Verdict) -> list[str]:
    lines: list[str] = []
    if verdict.hidden:
        lines += [f"Only with `--severity info --confidence low` ({tool}):", ""]
        lines += [f"- {line_of(each)}" for each in verdict.hidden] + [""]
    if verdict.missed:
        lines += [f"Not found by fastlint ({tool}):", ""]
        lines += [f"- {line_of(each)}" + (f" [here: {codes}]" if codes else "") for each, codes in verdict.missed]
        lines += [""]
    return lines


def line_of(each: Theirs) -> str:
    at = f"{each.where[0]}:{each.where[1]}"
    end = "" if each.culprit == each.where else f" at {each.culprit[0]}:{each.culprit[1]}"
    return f"{at} {each.words}{end}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
