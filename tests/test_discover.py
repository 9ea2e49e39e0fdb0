"""From paths to files: which ones, under which names, of which kind, and which of them are reported on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fastlint.config import Config
from fastlint.source.discover import DiscoverError, SourceFile, SourceTree, discover

Plant = Callable[..., None]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Makes files (with their text, "" by default) below the working directory."""
    monkeypatch.chdir(tmp_path)

    def make(*paths: str, **texts: str) -> None:
        for path in paths:
            name, _, text = path.partition(":")
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text)

    return make


def found(*paths: str, config: Config | None = None) -> list[str]:
    return [file.relative for file in discover(paths or (".",), config or Config()).files]


def reported(*paths: str, config: Config | None = None) -> list[str]:
    return sorted(discover(paths, config or Config()).reported)


def by_path(tree: SourceTree) -> dict[str, SourceFile]:
    return {file.relative: file for file in tree.files}


def test_files_come_sorted_and_only_python(plant: Plant) -> None:
    plant("b.py", "a/z.py", "a/README.md", "c.pyi", "d.pyc", "a.py", "e.PY.txt")
    assert found() == ["a.py", "a/z.py", "b.py"]


def test_no_python_file_is_opened(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant("pkg/__init__.py", "pkg/a.py", ".gitignore:x\n")
    opened: list[str] = []
    real = open

    def spy(file: str, *arguments: str, **options: str) -> object:
        opened.append(os.path.basename(file))
        return real(file, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", spy)
    assert found() == ["pkg/__init__.py", "pkg/a.py"]
    assert set(opened) <= {".gitignore"}


@pytest.mark.parametrize(
    "folder",
    [
        ".venv",
        "venv",
        "node_modules",
        "__pycache__",
        "build",
        "dist",
        "site-packages",
        ".tox",
        ".nox",
        ".eggs",
        "a/.git",
    ],
)
def test_folders_that_hold_nobodys_source_are_left_out(plant: Plant, folder: str) -> None:
    plant(f"{folder}/x.py", f"{folder}/sub/x.py", "app.py")
    assert found() == ["app.py"]


def test_a_virtual_environment_is_known_by_its_mark_whatever_its_name(plant: Plant) -> None:
    plant("env/pyvenv.cfg", "env/lib/x.py", "app/env/__init__.py", "app.py")
    assert found() == ["app.py", "app/env/__init__.py"]


def test_a_package_called_build_is_source(plant: Plant) -> None:
    plant("app/build/__init__.py", "app/build/steps.py", "build/lib/app/x.py", "app/main.py")
    assert found() == ["app/build/__init__.py", "app/build/steps.py", "app/main.py"]


def test_the_folders_of_a_project_template_are_no_python(plant: Plant) -> None:
    plant("{{cookiecutter.name}}/main.py", "hooks.py")
    assert found() == ["hooks.py"]


def test_excludes_and_includes_are_gitignore_patterns(plant: Plant) -> None:
    plant("app/main.py", "app/gen/a_pb2.py", "legacy/x.py", "tools/legacy/y.py", ".venv/z.py")
    assert found(config=Config(extend_exclude=("*_pb2.py", "/legacy"))) == ["app/main.py", "tools/legacy/y.py"]
    assert found(config=Config(exclude=("legacy",))) == [".venv/z.py", "app/gen/a_pb2.py", "app/main.py"]
    assert found(config=Config(exclude=(".venv/", "legacy", "!/legacy"))) == [
        "app/gen/a_pb2.py",
        "app/main.py",
        "legacy/x.py",
    ]
    assert found(config=Config(include=("app/**", "!app/gen/**"))) == ["app/main.py"]


def test_gitignore_is_honoured_as_git_reads_it(plant: Plant) -> None:
    plant(
        ".gitignore:# a comment\n*.gen.py\n/out/\n!keep.gen.py\n/sub/deep/\n",
        "sub/.gitignore:local.py\n!special.gen.py\n",
        ".git/info/exclude:mine.py\n",
        *("a.py", "x.gen.py", "keep.gen.py", "out/o.py", "sub/out/o.py", "sub/local.py", "local.py", "mine.py"),
        *("sub/special.gen.py", "sub/other.gen.py", "sub/deep/a.py"),
    )
    assert found() == ["a.py", "keep.gen.py", "local.py", "sub/out/o.py", "sub/special.gen.py"]
    assert "mine.py" in found(config=Config(respect_gitignore=False))
    subprocess.run(["git", "init", "-q"], check=True)
    Path(".git/info/exclude").write_text("mine.py\n")
    listed = subprocess.run(
        ["git", "ls-files", "-o", "--exclude-standard", "*.py"], check=True, capture_output=True, text=True
    )
    assert found() == sorted(listed.stdout.split())


def test_the_ignore_files_above_the_project_count_within_the_repository(plant: Plant) -> None:
    plant(".git/HEAD", ".gitignore:*.gen.py\n", "api/fastlint.toml", "api/app.py", "api/x.gen.py")
    config = Config(root=os.path.abspath("api"))
    assert found("api", config=config) == ["app.py"]


def test_a_project_inside_an_ignored_folder_is_a_project_of_its_own(plant: Plant) -> None:
    plant(".git/HEAD", ".gitignore:/apps/*\n*.gen.py\n", "main.py", "apps/shop/app/__init__.py", "apps/shop/app/a.py")
    tree = discover(["apps/shop"], Config())
    assert tree.root == os.path.abspath("apps/shop")
    assert [file.module for file in tree.files] == ["app", "app.a"]


def test_a_worktree_finds_the_excludes_of_its_repository(plant: Plant) -> None:
    plant("repo/.git/info/exclude:mine.py\n", "repo/.git/worktrees/w/commondir:../..\n", "repo/.git/HEAD")
    plant("tree/mine.py", "tree/a.py", f"tree/.git:gitdir: {os.path.abspath('repo/.git/worktrees/w')}\n")
    assert found("tree") == ["a.py"]


def test_a_file_named_outright_is_checked_whatever_excludes_it(plant: Plant) -> None:
    plant(".git/HEAD", ".gitignore:x.py\n", "x.py", "a.py", "node_modules/y.py", "script")
    assert reported("x.py") == ["x.py"]
    assert reported("node_modules/y.py", "script") == ["node_modules/y.py", "script"]
    assert found("x.py") == ["a.py", "x.py"]


def test_a_folder_named_outright_is_checked_whatever_excludes_it(plant: Plant) -> None:
    plant(".git/HEAD", "build/x.py", "build/node_modules/y.py", "a.py")
    assert discover(["build"], Config()).reported == {"x.py"}
    assert reported("build", "a.py") == ["a.py", "build/x.py"]


def test_the_whole_project_is_read_and_only_the_given_paths_are_reported(plant: Plant) -> None:
    plant(".git/HEAD", "app/main.py", "app/services/mail.py", "lib/http.py", "tests/test_app.py")
    tree = discover(["app/main.py", "app/services"], Config())
    assert len(tree.files) == 4
    assert tree.reported == {"app/main.py", "app/services/mail.py"}
    assert tree.root == os.getcwd()


@pytest.mark.parametrize(
    ("marks", "given", "root"),
    [
        ((".git/HEAD", "api/pyproject.toml"), "api/app", "."),
        (("api/pyproject.toml",), "api/app", "api"),
        (("api/setup.py",), "api/app/a.py", "api"),
        ((), "api/app", "api/app"),
        ((), "api/app/a.py", "api/app"),
        (("api/app/__init__.py", "api/app/deep/__init__.py"), "api/app/deep", "api"),
    ],
)
def test_the_root_is_the_repository_or_else_the_project_or_else_what_was_given(
    plant: Plant, marks: tuple[str, ...], given: str, root: str
) -> None:
    plant(*marks, "api/app/a.py", "api/app/deep/b.py", "other/c.py")
    assert discover([given], Config()).root == os.path.abspath(root)


def test_the_settings_decide_the_root_where_they_are_above_the_paths(plant: Plant) -> None:
    plant(".git/HEAD", "api/a.py", "web/b.py")
    config = Config(root=os.path.abspath("api"))
    assert discover(["api"], config).root == os.path.abspath("api")
    assert discover(["api", "web"], config).root == os.getcwd()


def test_a_home_folder_is_never_a_project(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(".git/HEAD", "fastlint.toml", "work/shop/a.py", "work/other/b.py")
    monkeypatch.setenv("HOME", os.getcwd())
    assert discover(["work/shop"], Config(root=os.getcwd())).root == os.path.abspath("work/shop")


def test_a_lone_file_brings_its_neighbours_but_not_every_folder_around(plant: Plant) -> None:
    plant("main.py", "routers/users.py", "routers/v1/items.py", "downloads/many/things.py", "notes.txt")
    assert found("main.py") == ["main.py", "routers/users.py", "routers/v1/items.py"]


def test_a_lone_file_of_a_package_brings_the_package(plant: Plant) -> None:
    plant("shop/__init__.py", "shop/api/__init__.py", "shop/api/a.py", "shop/db/__init__.py", "elsewhere/b.py")
    tree = discover(["shop/api/a.py"], Config())
    assert [file.module for file in tree.files] == ["shop", "shop.api", "shop.api.a", "shop.db"]


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (("nope",), "nope: no such file or folder"),
        (("a.py", "nope/x.py"), "nope/x.py: no such file or folder"),
        (("empty",), "no Python file to check in empty"),
        (("pipe",), "pipe is neither a file nor a folder"),
        (("dangling.py",), "dangling.py is neither a file nor a folder"),
    ],
)
def test_nothing_to_check_is_an_error(plant: Plant, paths: tuple[str, ...], sentence: str) -> None:
    plant("a.py", "empty/README.md")
    os.mkfifo("pipe")
    os.symlink("gone.py", "dangling.py")
    with pytest.raises(DiscoverError) as caught:
        discover(paths, Config())
    assert str(caught.value) == sentence


def test_links_lead_in_no_circles_and_to_no_file_twice(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> None:
    plant(".git/HEAD", "app/main.py")
    outside = tmp_path_factory.mktemp("outside") / "shared.py"
    outside.write_text("")
    os.symlink(".", "app/again")
    os.symlink("main.py", "app/copy.py")
    os.symlink(outside, "app/shared.py")
    os.symlink("gone.py", "app/dangling.py")
    assert found() == ["app/main.py", "app/shared.py"]


def test_a_folder_that_cannot_be_listed_is_remembered(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant("a.py", "locked/b.py")
    real = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "no")
        return real(path)

    monkeypatch.setattr("os.scandir", refuse)
    tree = discover(["."], Config())
    assert [file.relative for file in tree.files] == ["a.py"]
    assert tree.unreadable == ("locked",)


def test_stdin_stands_in_for_a_file_that_need_not_exist(plant: Plant) -> None:
    plant(".git/HEAD", "app/__init__.py", "app/main.py")
    tree = discover([], Config(), stdin="app/new.py")
    assert tree.reported == {"app/new.py"}
    assert by_path(tree)["app/new.py"].module == "app.new"
    assert len(tree.files) == 3


# --- names


@pytest.mark.parametrize(
    ("marks", "path", "module", "aliases"),
    [
        pytest.param((), "app/main.py", "app.main", ("main",), id="flat app, started in or above its folder"),
        pytest.param(("app/__init__.py",), "app/main.py", "app.main", (), id="package"),
        pytest.param(("app/__init__.py",), "app/__init__.py", "app", (), id="package itself"),
        pytest.param(("src/shop/__init__.py",), "src/shop/api.py", "shop.api", ("src.shop.api",), id="src layout"),
        pytest.param((), "src/shop/api.py", "shop.api", ("api", "src.shop.api"), id="src layout, namespace package"),
        pytest.param(
            ("backend/app/__init__.py",), "backend/app/main.py", "backend.app.main", ("app.main",), id="unmarked root"
        ),
        pytest.param(
            ("backend/app/__init__.py", "backend/requirements.txt"),
            "backend/app/main.py",
            "app.main",
            ("backend.app.main",),
            id="marked root",
        ),
        pytest.param((), "my-service/app/main.py", "my-service.app.main", ("main", "app.main"), id="no identifier"),
        pytest.param((), "app/redis.py", "app.redis", (), id="not taken for a library"),
        pytest.param((), "app/json.py", "app.json", (), id="not taken for the standard library"),
        pytest.param((), "redis.py", "redis", (), id="shadows a library"),
        pytest.param(("__init__.py",), "api/main.py", "api.main", ("main", "PROJECT.api.main"), id="root is a package"),
        pytest.param((), "001-init.py", "001-init", (), id="cannot be imported"),
    ],
)
def test_a_file_has_one_name_and_those_it_may_be_imported_by(
    plant: Plant, marks: tuple[str, ...], path: str, module: str, aliases: tuple[str, ...]
) -> None:
    plant(".git/HEAD", *marks, path)
    file = by_path(discover(["."], Config(), foreign=lambda root: {"redis"}))[path]
    assert file.module == module
    assert file.aliases == tuple(alias.replace("PROJECT", os.path.basename(os.getcwd())) for alias in aliases)


def test_source_roots_can_be_set(plant: Plant) -> None:
    plant(".git/HEAD", "python/core/app/main.py", "python/core/app/__init__.py")
    config = Config(root=os.getcwd(), src=("python/core",))
    tree = discover(["."], config)
    assert tree.roots == ("", "python/core")
    assert by_path(tree)["python/core/app/main.py"].module == "app.main"


def test_names_are_unique_and_an_import_finds_the_nearest_of_several(plant: Plant) -> None:
    services = ("billing", "orders")
    plant(".git/HEAD", *(f"{name}/{file}" for name in services for file in ("Dockerfile", "app/main.py", "app/db.py")))
    tree = discover(["."], Config())
    files = by_path(tree)
    assert len({file.module for file in tree.files}) == len(tree.files) == 4
    for name in services:
        assert tree.find("app.db", files[f"{name}/app/main.py"]) == files[f"{name}/app/db.py"]
        assert tree.find(f"{name}.app.db", files["billing/app/main.py"]) == files[f"{name}/app/db.py"]
    assert tree.find("app.cache", files["billing/app/main.py"]) is None


def test_a_package_hides_a_module_of_its_name(plant: Plant) -> None:
    plant(".git/HEAD", "app/__init__.py", "app/db.py", "app/db/__init__.py")
    tree = discover(["."], Config())
    assert tree.find("app.db") == by_path(tree)["app/db/__init__.py"]
    assert by_path(tree)["app/db.py"].module == "app/db.py"


def test_an_application_is_likelier_meant_than_its_tests(plant: Plant) -> None:
    plant(".git/HEAD", "a/tests/helpers/db.py", "b/db.py")
    tree = discover(["."], Config())
    assert tree.find("db") == by_path(tree)["b/db.py"]


def test_only_a_package_is_one(plant: Plant) -> None:
    plant("app/__init__.py", "app/a.py", "not__init__.py")
    tree = by_path(discover(["."], Config()))
    assert [path for path, file in tree.items() if file.is_package] == ["app/__init__.py"]
    assert tree["app/a.py"].folder == "app"
    assert tree["not__init__.py"].folder == ""


# --- kinds


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("app/main.py", "app"),
        ("app/__main__.py", "app"),
        ("main.py", "app"),
        ("tests/helpers.py", "test"),
        ("app/tests/data.py", "test"),
        ("app/test_main.py", "test"),
        ("app/main_test.py", "test"),
        ("app/conftest.py", "test"),
        ("app/contest.py", "app"),
        ("app/testing.py", "app"),
        ("app/latest/main.py", "app"),
        ("app/migrations/0001_init.py", "migration"),
        ("alembic/env.py", "migration"),
        ("alembic/versions/1.py", "migration"),
        ("app/versions/1.py", "app"),
        ("scripts/seed.py", "script"),
        ("app/scripts/seed.py", "script"),
        ("examples/one.py", "script"),
        ("docs/conf.py", "script"),
        ("benchmarks/load.py", "script"),
        ("setup.py", "script"),
        ("noxfile.py", "script"),
        ("manage.py", "script"),
        ("gunicorn.conf.py", "script"),
        ("pkg/docs/router.py", "app"),
        ("scripts/tests/x.py", "test"),
    ],
)
def test_a_file_is_told_apart_by_its_path(plant: Plant, path: str, kind: str) -> None:
    plant(".git/HEAD", "pkg/__init__.py", path)
    assert by_path(discover(["."], Config()))[path].kind == kind


def test_the_project_may_itself_lie_below_tests_or_examples(plant: Plant) -> None:
    plant(".git/HEAD", "tests/examples/shop/app/main.py", "tests/examples/shop/tests/x.py", "tests/examples/shop/a.py")
    inside = by_path(discover(["tests/examples/shop"], Config()))
    assert inside["tests/examples/shop/app/main.py"].kind == "app"
    assert inside["tests/examples/shop/tests/x.py"].kind == "test"
    rooted = by_path(discover(["tests/examples/shop"], Config(root=os.path.abspath("tests/examples/shop"))))
    assert rooted["app/main.py"].kind == "app"


def test_a_file_of_a_commit_keeps_the_kind_that_it_has_in_its_project(plant: Plant) -> None:
    plant(".git/HEAD", "tests/helpers.py", "app/main.py")
    assert by_path(discover(["tests/helpers.py"], Config()))["tests/helpers.py"].kind == "test"


def test_the_same_tree_gives_the_same_answer(plant: Plant) -> None:
    plant(".git/HEAD", *(f"{a}/{b}/{c}.py" for a in "ab" for b in "cd" for c in "ef"))
    one, other = discover(["."], Config()), discover(["b", "a"], Config())
    assert one.files == other.files
    assert replace(one) == other
