"""Shell texts: which commands they can run, with which values, in which folder, and on which line."""

from __future__ import annotations

import time

import pytest

from fastlint.deploy.service import Text
from fastlint.deploy.shell import ShellCommand, ShellWord, shell_commands
from fastlint.deploy.texts import joined, lines_of
from fastlint.deploy.values import Apply, Cores, Counter, Env, Surroundings, Unknown, Value, resolve
from fastlint.finding import Location


def script(text: str) -> Text:
    return joined(lines_of("start.sh", text), "\n")


def commands(text: str, **known: Value) -> list[ShellCommand]:
    return list(shell_commands(script(text), known))


def shown(command: ShellCommand) -> str:
    return " ".join(word.value if isinstance(word.value, str) else "?" for word in command.words)


# A script and what it runs: line, command with `?` for what is not plain text.
RUNS: list[tuple[str, list[tuple[int, str]]]] = [
    ("uvicorn app:app --port 80", [(1, "uvicorn app:app --port 80")]),
    ("#!/bin/sh\nset -e\n\n# uvicorn old:app\nexec uvicorn app:app # now\n", [(5, "uvicorn app:app")]),
    ("uvicorn app:app \\\n  --workers 2 \\\n  --port 80", [(1, "uvicorn app:app --workers 2 --port 80")]),
    ("alembic upgrade head && uvicorn app:app", [(1, "alembic upgrade head"), (1, "uvicorn app:app")]),
    ("alembic upgrade head &&\n  uvicorn app:app", [(1, "alembic upgrade head"), (2, "uvicorn app:app")]),
    ("echo uvicorn app:app; printf 'gunicorn'; uvicorn a:b", [(1, "uvicorn a:b")]),
    ("while ! nc -z db 5432; do\n  sleep 1\ndone\ngunicorn a:b", [(1, "nc -z db 5432"), (4, "gunicorn a:b")]),
    ("for i in 1 2; do uvicorn a:b --port 80$i & done", [(1, "uvicorn a:b --port ?")]),
    ("cat > x <<EOF\nuvicorn no:no\nEOF\nuvicorn a:b", [(1, "cat"), (4, "uvicorn a:b")]),
    ("cat <<-'END'\n\tuvicorn no:no\n\tEND\nuvicorn a:b", [(1, "cat"), (4, "uvicorn a:b")]),
    ("uvicorn a:b > /dev/null 2>&1 &", [(1, "uvicorn a:b")]),
    ("uvicorn a:b | tee log", [(1, "uvicorn a:b"), (1, "tee log")]),
    ("if [ -f x ]; then\n  uvicorn a:b\nelse\n  uvicorn c:d\nfi", [(2, "uvicorn a:b"), (4, "uvicorn c:d")]),
    (
        "case $1 in\n  dev) uvicorn a:b --reload ;;\n  *) uvicorn a:b\nesac",
        [(2, "uvicorn a:b --reload"), (3, "uvicorn a:b")],
    ),
    ("start() {\n  uvicorn a:b\n}\nstart", [(2, "uvicorn a:b")]),
    ("function start {\n  uvicorn a:b $1\n}\nstart --reload", [(2, "uvicorn a:b --reload")]),
    ("never() { uvicorn a:b; }\necho done", []),
    ('run() { exec "$@"; }\nrun uvicorn a:b', [(2, "uvicorn a:b")]),
    ("again() { again; }\nagain", [(1, "again")]),
    ("W=2\nuvicorn a:b --workers $W", [(2, "uvicorn a:b --workers 2")]),
    ("OPTS='--workers 2'\nuvicorn a:b $OPTS", [(2, "uvicorn a:b --workers 2")]),
    ("OPTS='--workers 2'\nuvicorn a:b \"$OPTS\"", [(2, "uvicorn a:b --workers 2")]),
    ("A=\nuvicorn a:b $A --reload", [(2, "uvicorn a:b --reload")]),
    ("A=1\nA+=0\nuvicorn a:b --workers $A", [(3, "uvicorn a:b --workers 10")]),
    ("W=2\nif x; then W=3; fi\nuvicorn a:b --workers $W", [(2, "x"), (3, "uvicorn a:b --workers ?")]),
    ("if x; then W=3; else W=3; fi\nuvicorn a:b --workers $W", [(1, "x"), (2, "uvicorn a:b --workers 3")]),
    ("W=2\nif x; then W=3; exit 1; fi\nuvicorn a:b -w $W", [(2, "x"), (3, "uvicorn a:b -w 2")]),
    ("W=2; (W=3); uvicorn a:b --workers $W", [(1, "uvicorn a:b --workers 2")]),
    ("read W\nuvicorn a:b --workers $W", [(2, "uvicorn a:b --workers ?")]),
    ('ARGS=(gunicorn a:b)\n"${ARGS[@]}" -w 2', [(2, "? -w 2")]),
    ("uvicorn 'a b':c \"d\"e\\ f", [(1, "uvicorn a b:c de f")]),
    ('uvicorn a:b --log "$(cat file)"', [(1, "uvicorn a:b --log ?")]),
    ("uvicorn a:b --log `date`", [(1, "uvicorn a:b --log ?")]),
    ("nohup uvicorn a:b", [(1, "uvicorn a:b")]),
]


@pytest.mark.parametrize(("text", "expected"), RUNS, ids=[text for text, _ in RUNS])
def test_what_a_script_runs(text: str, expected: list[tuple[int, str]]) -> None:
    assert [(each.words[0].where.line, shown(each)) for each in commands(text)] == expected


def test_places_are_those_of_words() -> None:
    words = commands("set -e\nexec  uvicorn app:app \\\n   --port 80")[0].words
    assert [(word.text, word.where.line, word.where.column) for word in words] == [
        ("uvicorn", 2, 7),
        ("app:app", 2, 15),
        ("--port", 3, 4),
        ("80", 3, 11),
    ]


HOST, AFFINITY = Cores(Counter.HOST), Cores(Counter.AFFINITY)
VALUES: list[tuple[str, Value]] = [
    ("$W", Env("W", "")),
    ("${W:-2}", Env("W", "2")),
    ("${W-2}", Env("W", "2")),
    ("${W:=2}", Env("W", "2")),
    ("${W:?set it}", Env("W", required=True)),
    ("${W:-${V:-3}}", Env("W", Env("V", "3"))),
    ("${W%x}", Unknown("the shell works it out")),
    ("$(nproc)", Apply("str", (AFFINITY,))),
    ("$(nproc --all)", Apply("str", (HOST,))),
    ("$(getconf _NPROCESSORS_ONLN)", Apply("str", (HOST,))),
    ("$(hostname)", Unknown("what a command prints")),
    ("$((2 * 3))", Apply("str", (Apply("mul", (2, 3)),))),
    ("$(( $(nproc) * 2 + 1 ))", Apply("str", (Apply("add", (Apply("mul", (AFFINITY, 2)), 1)),))),
    ("$((W / 2))", Apply("str", (Apply("floordiv", (Apply("int", (Env("W", ""),)), 2)),))),
    ("$((W ? 1 : 2))", Unknown("an expression of the shell")),
    ("0.0.0.0:$P", Apply("add", ("0.0.0.0:", Env("P", "")))),
    ("$1", Unknown("an argument of the script")),
    ("${1:-dev}", Unknown("an argument of the script")),
]


@pytest.mark.parametrize(("written", "value"), VALUES, ids=[written for written, _ in VALUES])
def test_what_a_word_is(written: str, value: Value) -> None:
    assert commands(f'run "{written}"')[0].words[1].value == value


def test_a_variable_that_is_known_is_its_value() -> None:
    assert shown(commands("run ${W:-2} $V", W="3", V="4")[0]) == "run 3 4"
    assert commands("run $W", W=Unknown("x"))[0].words[1].value == Unknown("x")


def test_a_default_for_a_variable_that_may_be_set() -> None:
    command = commands('if [ -z "$W" ]; then\n  W=4\nfi\nrun $W')[0]
    assert command.words[1].value == Env("W", "4")
    assert commands("W=${W:-4}\nrun $W")[0].words[1].value == Env("W", "4")
    assert commands(": ${W:=4}\nrun $W")[0].words[1].value == Env("W", "4")


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("A=1 run", {"A": "1"}),
        ("export A=1\nrun", {"A": "1"}),
        ("A=1\nexport A\nrun", {"A": "1"}),
        ("A=1\nrun", {}),
        ("set -a\nA=1\nrun", {"A": "1"}),
        ("A=1\nrun2() { run; }\nB=2 run2", {}),
        ("export A=1 B='2 3'\nA=4 run", {"A": "4", "B": "2 3"}),
    ],
)
def test_what_is_exported(text: str, environment: dict[str, str]) -> None:
    assert {name: said.value for name, said in commands(text)[-1].environment.items()} == environment


def test_an_exported_variable_says_where() -> None:
    said = commands("\nexport WEB_CONCURRENCY=3\nrun")[0].environment["WEB_CONCURRENCY"]
    assert (said.where, said.text, said.by) == (Location("start.sh", 2, 24), "3", "shell script")


@pytest.mark.parametrize(
    ("text", "folder"),
    [("cd src && run", "src"), ("cd /app; cd x; run", "/app/x"), ("cd a; cd ..; run", "."), ("(cd a); run", "")],
)
def test_the_folder(text: str, folder: str) -> None:
    assert commands(text)[-1].folder == folder


def test_how_a_command_is_started() -> None:
    behind, front = commands("uvicorn a:b &\nexec nginx -g 'daemon off;'")
    assert (behind.background, behind.execs) == (True, False)
    assert (front.background, front.execs) == (False, True)


CHOICES: list[tuple[str, dict[str, Value], list[tuple[str, bool]]]] = [  # text, variables, commands and `alternative`
    ('case "$E" in\n dev) a ;;\n *) b ;;\nesac', {"E": "production"}, [("b", False)]),
    ('case "$E" in\n dev) a ;;\n *) b ;;\nesac', {"E": "dev"}, [("a", False)]),
    ('case "$E" in\n dev) a ;;\n *) b ;;\nesac', {}, [("a", True), ("b", True)]),
    ('case "$E" in\n dev) a ;;\n *) b ;;\nesac', {"E": Unknown("x")}, [("a", True), ("b", True)]),
    ('case "${E:-prod}" in\n dev|test*) a ;;\n prod) b ;;\nesac', {}, [("b", False)]),
    ("case $E in\n de[!x]*) a ;;\n prod) b ;;\nesac", {"E": "develop"}, [("a", False)]),
    ("case $E in\n '*') a ;;\nesac\nc", {"E": "x"}, [("c", False)]),
    ('if [ "${R:-false}" = "true" ]; then exec a; fi\nexec b', {}, [("b", False)]),
    ('if [ "${R:-false}" = "true" ]; then exec a; fi\nexec b', {"R": "true"}, [("a", False)]),
    ('if [ "$R" = "true" ]; then exec a; fi\nexec b', {}, [("a", True), ("b", False)]),
    ('if ! [ "$R" = 1 ]; then a; else b; fi', {"R": "1"}, [("b", False)]),
    ('if [ ! -z "$R" ]; then a; else b; fi', {"R": "1"}, [("a", False)]),
    ("if [[ $R == pro* ]]; then a; elif [[ -n $Q ]]; then b; else c; fi", {"R": "x", "Q": ""}, [("c", False)]),
    ('if [ "${W:-2}" -gt 1 ]; then a; else b; fi', {}, [("a", False)]),
    ("if [ $# -eq 0 ]; then a; else b; fi", {}, [("a", True), ("b", True)]),
    ('if [ "$R" = 1 ] && [ "$Q" = 2 ]; then a; else b; fi', {"R": "1", "Q": "2"}, [("a", True), ("b", True)]),
    ("if [ -f x ]; then a; else b; fi", {}, [("a", True), ("b", True)]),
    ("while c; do a; done", {}, [("c", False), ("a", False)]),
]


@pytest.mark.parametrize(("text", "known", "expected"), CHOICES)
def test_the_branch_that_is_taken(text: str, known: dict[str, Value], expected: list[tuple[str, bool]]) -> None:
    assert [(shown(each), each.alternative) for each in commands(text, **known)] == expected


@pytest.mark.parametrize(("argument", "taken"), [("web", "a"), ("worker", "b"), ("other", "other"), (None, "b2")])
def test_the_branch_of_an_argument(argument: str | None, taken: str) -> None:
    text = 'if [ $# -gt 0 ]; then\n case "$1" in\n web) a ;;\n worker) b ;;\n *) exec "$@" ;;\n esac\nelse\n b2\nfi'
    given = (ShellWord(argument, Location("Dockerfile", 9), argument),) if argument else ()
    assert [shown(each) for each in shell_commands(script(text), {}, given)] == [taken]


# A text given with `-c`, and the shells whose last command takes their place (each row run, shells as in
# fastlint/deploy/shell_signals.py).
GIVES_WAY: list[tuple[str, set[str]]] = [
    ("serve", {"bash", "ash", "zsh"}),
    ("a && serve", {"bash", "ash", "zsh"}),
    ("a; serve", {"bash", "ash", "zsh"}),
    ("a || serve", {"bash", "ash", "zsh"}),
    ("a\nserve", {"bash", "ash", "zsh"}),
    ("A=1 serve", {"bash", "ash", "zsh"}),
    ("while a; do b; done; serve", {"bash", "ash", "zsh"}),
    ("a\nserve\n", {"bash", "zsh"}),
    ("if a; then serve; fi", {"ash", "zsh"}),
    ("{ serve; }", {"ash", "zsh"}),
    ("serve >/dev/null 2>&1", {"ash", "zsh"}),
    ("a & serve", {"ash", "zsh"}),
    ("a | serve", set()),
    ("serve | a", set()),
    ("serve &", set()),
    ("serve; a", set()),
    ("serve && a", set()),
    ("trap 'echo x' TERM; serve", set()),
    ("run() { serve; }; run", set()),
    ("exec serve", {"bash", "ash", "zsh", "dash", ""}),
]


@pytest.mark.parametrize(("text", "shells"), GIVES_WAY, ids=[text for text, _ in GIVES_WAY])
def test_which_shell_gives_way_to_its_last_command(text: str, shells: set[str]) -> None:
    def taken(shell: str) -> bool:
        return next(one for one in shell_commands(script(text), {}, None, shell) if shown(one) == "serve").execs

    assert {shell for shell in ("bash", "ash", "zsh", "dash", "") if taken(shell)} == shells


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("serve &\npid=$!\ntrap 'kill -TERM $pid; wait $pid' TERM INT\nwait $pid", True),
        ('stop() { kill -TERM "$pid"; }\ntrap stop SIGTERM\nserve &\nwait', True),
        ("trap 'kill 0' EXIT\nserve &\nwait", True),
        ("serve &\nwait", False),
        ("trap '' TERM\nserve &\nwait", False),
        ("trap 'rm -f lock' TERM\nserve &\nwait", False),
        ("trap 'kill $pid' HUP\nserve &\nwait", False),
        ("trap 'kill $pid' TERM\nserve", False),  # a shell runs its traps after what it waits for in front
    ],
)
def test_a_trap_that_passes_the_signal_on(text: str, heard: bool) -> None:
    assert next(one for one in commands(text) if shown(one) == "serve").heard is heard


def test_the_arguments_of_a_script() -> None:
    given = tuple(ShellWord(word, Location("Dockerfile", 9), word) for word in ("uvicorn", "a:b"))
    command = shell_commands(script('exec "$@"'), {}, given)[0]
    assert (shown(command), command.words[0].where.path) == ("uvicorn a:b", "Dockerfile")
    assert commands('exec "$@"')[0].words[0].value == Unknown("its arguments")


BROKEN = ["if", "if x then", "case x in", "case", "((((", "$(", "${", '"', "'", "`", "f()", "for", "while", "a=(", "}"]
BROKEN += ["fi done", "<<EOF", "&&", "\\", "$", "))", ";;", "|", "function", "{{ x }}", "{% if %}", "\ufffc", "\x1b"]


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_shell_is_read_as_far_as_it_goes(text: str) -> None:
    assert isinstance(commands(f"{text}\n"), list)
    assert isinstance(commands(f"run {text} run\nrun"), list)


@pytest.mark.parametrize(
    "text", ["{ ", "( ", "if ", "${a:-", "$((", "$(", '"$(', "a;", "f() { f; f; }\nf\n", "x|", "case x in "]
)
def test_depth_and_length_have_an_end(text: str) -> None:
    started = time.monotonic()
    assert len(commands(text * 3000)) <= 3000
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "A=xxxxxxxxxx\n" + "A=$A$A\n" * 40,  # a text that is known
        "A=$A$A\n" * 40,  # one that is not
        "A=$((A+A))\n" * 40,
        "A=$((A+1))\n" * 400,
        "A=${B:-$A$A}\n" * 40,
    ],
)
def test_texts_that_double_themselves_end(text: str) -> None:
    began = time.process_time()
    (command,) = commands(f"{text}uvicorn a:b --port $A")
    assert len(str(resolve(command.words[-1].value, Surroundings()))) < 100_000
    assert time.process_time() - began < 5
