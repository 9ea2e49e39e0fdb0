"""The command line: flags in, text out, exit code. The only module that knows click, and the only one that prints.

Decides nothing about Python code and formats no finding.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn, TextIO

import click

from fastlint import __version__
from fastlint.advise.refusals import AdviceError, MeasurementError
from fastlint.cache import answers, folder
from fastlint.cache.identity import identity
from fastlint.cli.deployment import advise_command, config_command, host_command
from fastlint.cli.inspect import inspect_command
from fastlint.cli.terminal import COLOR, CORES, MEMORY, ROWS, TARGET, Exit, coloured, way
from fastlint.config import (
    Amount,
    Config,
    ConfigError,
    TargetSettings,
    describe,
    find_config,
    known_selector,
    read_config,
    unknown_code,
)
from fastlint.finding import Confidence, Severity
from fastlint.patterns import checked
from fastlint.report import FORMATS, Style, around_seconds
from fastlint.report.model import CheckRequest, Progress, Report, StdinSource
from fastlint.rulebook.where import rules_folder
from fastlint.rulebook.words import RuleWords, load_words
from fastlint.running.refusals import RunningError
from fastlint.source.discover import DiscoverError, discover
from fastlint.source.parallel import usable_jobs
from fastlint.streams import prepare, tell, terminal, write

_ISSUES = "please report it, with the lines that --verbose prints"
_PEOPLE = ("full", "concise")  # the formats that are read by people
_PATIENCE = 1.0  # seconds after which a person wants to see that something happens


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with one of `Exit`."""
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    prepare()
    try:
        return int(
            _cli.main(arguments, prog_name="fastlint", standalone_mode=False, obj=tuple(arguments)) or Exit.CLEAN
        )
    except click.ClickException as error:
        return _refuse(error.format_message())
    except (ConfigError, DiscoverError, AdviceError, MeasurementError, RunningError) as error:
        return _refuse(str(error))
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except Exception as error:
        if {"-v", "--verbose"} & set(arguments):
            import traceback  # here: it takes its time, and is rarely wanted

            tell(traceback.format_exc().rstrip())
        tell(f"fastlint: internal error, {type(error).__name__}: {error}; {_ISSUES}")
        return Exit.FAULT


def _refuse(sentence: str) -> Exit:
    tell(f"fastlint: {sentence}")
    return Exit.USAGE


def _selector(code: str) -> str:
    if not known_selector(code):
        raise ValueError(unknown_code(code))
    return code


def _listed(
    check: Callable[[str], str],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[str, ...]]:
    """A callback that makes one tuple of `--flag a,b --flag c` and holds every value against `check`."""

    def split(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(check(part.strip()) for value in values for part in value.split(",") if part.strip())
        except ValueError as error:
            raise click.UsageError(f"{parameter.opts[-1]}: {error}") from error

    return split


_CODES = _listed(_selector)
_PATTERNS = _listed(checked)
_LEVEL = click.Choice(["error", "warning", "info"])


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, invoke_without_command=True
)
@click.version_option(__version__, message="fastlint %(version)s")
@click.pass_context
def _cli(context: click.Context) -> int:
    """Finds blocking calls on the event loop of FastAPI services, without running or importing them."""
    if context.invoked_subcommand is None:
        tell(context.get_help())
        return Exit.USAGE
    return Exit.CLEAN


@_cli.command("rule")
@click.argument("code")
@ROWS
@COLOR
def _rule(code: str, output_format: str, color: str) -> int:
    """Explain one rule: what it finds, why it hurts, what to do."""
    from fastlint.report.rule_page import explain, explain_json

    words = load_words(rules_folder()).get(code.upper())
    if words is None:
        raise click.UsageError(unknown_code(code))
    write(explain_json(words) if output_format == "json" else explain(words, Style(coloured(color))), sys.stdout)
    return Exit.CLEAN


@_cli.command("rules")
@ROWS
@COLOR
def _rules(output_format: str, color: str) -> int:
    """List all rules."""
    from fastlint.report.rule_page import list_rules, list_rules_json

    words = load_words(rules_folder())
    json = output_format == "json"
    write(list_rules_json(words) if json else list_rules(words, Style(coloured(color))), sys.stdout)
    return Exit.CLEAN


for _command in (host_command, config_command, advise_command, inspect_command):
    _cli.add_command(_command)


class _Settings(NamedTuple):
    """The flags of `check` that overrule the settings file."""

    config: str | None
    isolated: bool
    select: tuple[str, ...] | None
    extend_select: tuple[str, ...]
    ignore: tuple[str, ...]
    exclude: tuple[str, ...] | None
    extend_exclude: tuple[str, ...]
    include: tuple[str, ...]
    severity: str | None
    confidence: str | None
    fail_on: str | None
    cores: Amount | None
    memory: Amount | None
    target: str | None


class _Output(NamedTuple):
    """The flags of `check` that say how to tell the outcome."""

    format: str
    file: str | None
    statistics: bool
    unresolved: bool
    color: str
    quiet: bool
    verbose: bool
    exit_zero: bool

    @property
    def plain(self) -> bool:
        """Whether the outcome is no more than a text on stdout and an exit code."""
        return self.file is None and not self.verbose


@_cli.command("check")
@click.argument("paths", nargs=-1, type=str)
@click.option(
    "--select", callback=_CODES, multiple=True, metavar="CODES", help="Only these rules: codes, prefixes (FL1) or ALL."
)
@click.option("--extend-select", callback=_CODES, multiple=True, metavar="CODES", help="These rules, too.")
@click.option(
    "--ignore", callback=_CODES, multiple=True, metavar="CODES", help="Not these rules; the more specific code wins."
)
@click.option("--severity", type=_LEVEL, help="The lowest severity to show (default: warning).")
@click.option(
    "--confidence",
    type=click.Choice(["high", "medium", "low"]),
    help="The lowest confidence to show (default: medium).",
)
@click.option("--fail-on", type=_LEVEL, help="The lowest severity that ends in exit code 1 (default: warning).")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even if there are findings.")
@click.option(
    "--output-format",
    type=click.Choice(list(FORMATS)),
    default="full",
    show_default=True,
    envvar="FASTLINT_OUTPUT_FORMAT",
    help="Form of the report; also FASTLINT_OUTPUT_FORMAT.",
)
@click.option("--output-file", type=click.Path(dir_okay=False), help="Write the report there instead of to stdout.")
@click.option("--statistics", "with_statistics", is_flag=True, help="Count findings by rule instead of listing them.")
@click.option("--unresolved", is_flag=True, help="List the calls on the loop that could not be resolved.")
@click.option(
    "--exclude",
    callback=_PATTERNS,
    multiple=True,
    metavar="PATTERNS",
    help="Patterns of paths to leave out, instead of the defaults.",
)
@click.option(
    "--extend-exclude",
    callback=_PATTERNS,
    multiple=True,
    metavar="PATTERNS",
    help="Patterns of paths to leave out, too.",
)
@click.option(
    "--include",
    callback=_PATTERNS,
    multiple=True,
    metavar="PATTERNS",
    help="Only files that match one of these patterns.",
)
@CORES
@MEMORY
@TARGET
@click.option("--config", type=click.Path(), help="Use this pyproject.toml or fastlint.toml.")
@click.option("--isolated", is_flag=True, help="Ignore all settings files.")
@click.option("--stdin-filename", metavar="NAME", help="Check stdin (path -) in place of this file of its project.")
@click.option("--show-files", is_flag=True, help="List the files that would be reported on, and stop.")
@click.option("--show-settings", is_flag=True, help="Show the settings that would apply, and stop.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that parse at the same time (default: usable CPUs).",
)
@click.option("--no-cache", is_flag=True, help="Read everything anew, and keep nothing for the next run.")
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False),
    envvar=folder.VARIABLE,
    help=f"Folder of the cache (default: {folder.NAME} in the project); also {folder.VARIABLE}.",
)
@click.option("--watch", is_flag=True, help="Check again whenever a file changes, until Ctrl-C.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no words where there is nothing to report.")
@click.option("-v", "--verbose", is_flag=True, help="Tell what is being done; a traceback for an internal error.")
@COLOR
def _check(
    paths: tuple[str, ...],
    select: tuple[str, ...],
    extend_select: tuple[str, ...],
    ignore: tuple[str, ...],
    severity: str | None,
    confidence: str | None,
    fail_on: str | None,
    exit_zero: bool,
    output_format: str,
    output_file: str | None,
    with_statistics: bool,
    unresolved: bool,
    exclude: tuple[str, ...],
    extend_exclude: tuple[str, ...],
    include: tuple[str, ...],
    cores: Amount | None,
    memory: Amount | None,
    target: str | None,
    config: str | None,
    isolated: bool,
    stdin_filename: str | None,
    show_files: bool,
    show_settings: bool,
    jobs: int | None,
    no_cache: bool,
    cache_dir: str | None,
    watch: bool,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Check the files and folders PATHS (default: the working directory).

    The whole project around them is read; told is what touches PATHS, with any step on the way to it.
    """
    seen = answers.Seen()  # now: what changes after this moment may or may not have been read
    flags = _Settings(
        config,
        isolated,
        select or None,
        extend_select,
        ignore,
        exclude or None,
        extend_exclude,
        include,
        severity,
        confidence,
        fail_on,
        cores,
        memory,
        target,
    )
    output = _Output(output_format, output_file, with_statistics, unresolved, color, quiet, verbose, exit_zero)
    if with_statistics and output_format not in _PEOPLE:
        raise click.UsageError(f"--statistics is for people: it does not go with --output-format {output_format}")
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other")
    paths, stdin = _sources(paths, stdin_filename)
    settings = _settings(flags, stdin or (paths or (".",))[0])
    paths = paths or (() if stdin else (".",))
    if show_settings:
        write(describe(settings), sys.stdout)
        return Exit.CLEAN
    if show_files:
        tree = discover(paths, settings, stdin)
        files = sorted(os.path.relpath(file.path) for file in tree.files if file.relative in tree.reported)
        write("".join(f"{file}\n" for file in files), sys.stdout)
        return Exit.CLEAN
    if cache_dir is not None and not cache_dir:
        raise click.UsageError("--cache-dir is empty")
    if watch and stdin:
        raise click.UsageError("--watch goes with files and folders, not with stdin")
    request = CheckRequest(
        paths,
        settings,
        StdinSource(stdin, sys.stdin.buffer.read()) if stdin else None,
        jobs=jobs or usable_jobs(),
        unresolved=unresolved,
        cached=not no_cache,
        cache=cache_dir or "",
    )
    if watch:
        from fastlint.cli.watching import check_on_change

        tree = discover(paths, settings)
        check_on_change(lambda: _checked(request._replace(config=_settings(flags, paths[0])), output), tree.root)
    return _checked(request, output, seen if request.cached and request.stdin is None and output.plain else None)


def _checked(request: CheckRequest, output: _Output, seen: answers.Seen | None = None) -> Exit:
    """Run the engine, tell the outcome, keep it for the next run if `seen` is to be told, and say how the run ends."""
    from fastlint.engine import check  # here: `fastlint rules` needs none of it

    line = _ProgressLine(sys.stderr) if sys.stderr.isatty() and not output.quiet else None
    try:
        report = check(request._replace(progress=line.show if line else None), seen)
    finally:
        if line:
            line.clear()
    if output.verbose:
        tell(f"settings: {request.config.file or 'defaults'}")
        tell(f"project: {report.root}, {report.analysed} files read, {report.files} reported on")
        tell(f"rules: {', '.join(rule.code for rule in report.rules)}")
        tell(f"analysis: {report.analysis}")
        if report.fault:
            tell(f"cache: {report.fault}: everything was done once more without it; please report it")
    words = load_words(rules_folder())
    text = _deliver(report, words, output)
    code = Exit.FINDINGS if report.failed and not output.exit_zero else Exit.CLEAN
    if seen is not None and report.cache and not request.config.target.host:  # another machine has other cores
        before, digits, after = around_seconds(text)
        asked = answers.question(click.get_current_context().obj, identity(), terminal())
        answers.remember(report.cache, asked, answers.Answer(before, digits, after, code), seen)
    return code


def _deliver(report: Report, words: dict[str, RuleWords], output: _Output) -> str:
    """Write the report where it is wanted; returns what was written."""
    prefix = way(os.getcwd(), report.root)
    style = Style(
        colour=coloured(output.color, to_file=output.file is not None),
        unresolved=output.unresolved,
        prefix=prefix,
        inside="" if prefix.strip("./") else way(report.root, os.getcwd()),
    )
    form = FORMATS[output.format]
    if output.statistics:
        from fastlint.report.tally import statistics

        form = statistics
    text = form(report, words, style)
    if output.file is None:
        text = "" if output.quiet and output.format in _PEOPLE and not report.findings else text
        write(text, sys.stdout)
        return text
    try:
        with open(output.file, "w", encoding="utf-8", errors="backslashreplace") as handle:
            handle.write(text)
    except OSError as error:
        raise click.UsageError(f"--output-file {output.file}: {error.strerror or error}") from error
    return text


def _sources(paths: tuple[str, ...], stdin_filename: str | None) -> tuple[tuple[str, ...], str | None]:
    """The paths to check, and the name under which stdin is checked instead of them."""
    if "-" not in paths and stdin_filename is None:
        return paths, None
    if paths != ("-",) or stdin_filename is None:
        raise click.UsageError("source from stdin is checked alone and by name: fastlint check --stdin-filename NAME -")
    if os.path.isdir(stdin_filename):
        raise click.UsageError(f"--stdin-filename {stdin_filename}: this is a folder")
    return (), stdin_filename


def _settings(flags: _Settings, start: str) -> Config:
    """The settings of the project around `start`, overruled by the flags."""
    if flags.config and flags.isolated:
        raise click.UsageError("--config and --isolated exclude each other")
    config = Config()
    if flags.config:
        # A file that lies apart speaks of the project that fastlint is started in.
        folder = os.path.dirname(os.path.abspath(flags.config))
        inside = os.path.abspath(start).startswith(folder.rstrip(os.sep) + os.sep) or os.path.abspath(start) == folder
        config = read_config(flags.config, folder if inside else os.getcwd())
    elif not flags.isolated and (file := find_config(start)):
        config = read_config(file)
    fail_on = Severity[flags.fail_on.upper()] if flags.fail_on else config.fail_on
    severity = Severity[flags.severity.upper()] if flags.severity else config.severity
    if flags.fail_on and not flags.severity:
        severity = min(severity, fail_on)  # who asks to fail on info wants to see it
    return config._replace(
        selection=config.selection.then(flags.select, flags.extend_select, flags.ignore),
        exclude=config.exclude if flags.exclude is None else flags.exclude,
        extend_exclude=(*config.extend_exclude, *flags.extend_exclude),
        include=flags.include or config.include,
        severity=severity,
        confidence=Confidence[flags.confidence.upper()] if flags.confidence else config.confidence,
        fail_on=fail_on,
        target=_target(flags, config.target),
    )


def _target(flags: _Settings, settings: TargetSettings) -> TargetSettings:
    return settings._replace(
        cores=flags.cores or settings.cores,
        memory=flags.memory or settings.memory,
        host=flags.target == "host",
    )


class _ProgressLine:
    """One line on a terminal that says how far a longer run is, and that leaves no trace."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = time.monotonic() + _PATIENCE
        self._shown = False

    def show(self, progress: Progress) -> None:
        """Show how far the run is, at most ten times a second and not before it has lasted a while."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.1
        self._shown = True
        share = f" {progress.done}/{progress.total}" if progress.total else ""
        write(f"\r\x1b[K{progress.stage}{share}", self._stream)

    def clear(self) -> None:
        """Take the line away again."""
        if self._shown:
            write("\r\x1b[K", self._stream)
            self._shown = False
