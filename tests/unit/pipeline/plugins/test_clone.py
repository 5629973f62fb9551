"""The clone plugin, with the real git and repositories on disk."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.pipeline.plugins.clone import ClonePlugin, prepare

BASE = {"PATH": os.environ["PATH"]}


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """main: one, two; tag v1 at one; branch change from one."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v1")
    git(folder, "checkout", "-qb", "change")
    (folder / "b.txt").write_text("change\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "change")
    git(folder, "update-ref", "refs/pull/1/head", "HEAD")
    git(folder, "checkout", "-q", "main")
    (folder / "a.txt").write_text("two\n")
    git(folder, "commit", "-qam", "two")
    return folder


def push(origin: Path, ref: str = "refs/heads/main", **more: str) -> dict[str, str]:
    return {
        "DRONE_BUILD_EVENT": "push",
        "DRONE_COMMIT_REF": ref,
        "DRONE_COMMIT_BRANCH": "main",
        "DRONE_COMMIT_SHA": git(origin, "rev-parse", "main"),
        **more,
    }


async def clone(job: Any, origin: Path, variables: dict[str, str], **more: Any) -> tuple[Path, int]:
    what = job("drone/git", clone_url=f"file://{origin}", **variables, **more)
    end = await ClonePlugin(BASE, retry_s=0.0).run(what)
    return what.tree, end.exit_code


async def test_a_push_gets_its_branch_with_the_whole_history_and_no_tags(
    job: Any, origin: Path
) -> None:
    tree, code = await clone(job, origin, push(origin))
    assert code == 0
    assert (tree / "a.txt").read_text() == "two\n"
    assert git(tree, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert git(tree, "rev-list", "--count", "HEAD") == "2"
    assert git(tree, "tag") == ""
    assert git(tree, "remote", "get-url", "origin") == f"file://{origin}"
    assert git(tree, "status", "--porcelain") == ""


async def test_depth_and_tags_are_kept_to(job: Any, origin: Path) -> None:
    tree, code = await clone(job, origin, push(origin, PLUGIN_DEPTH="1", PLUGIN_TAGS="true"))
    assert code == 0
    assert git(tree, "rev-parse", "--is-shallow-repository") == "true"
    assert "v1" in git(tree, "tag")


async def test_a_commit_that_its_branch_has_left_is_found(job: Any, origin: Path) -> None:
    left = git(origin, "rev-parse", "main")
    git(origin, "reset", "-q", "--hard", "v1")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    tree, code = await clone(job, origin, push(origin, DRONE_COMMIT_SHA=left))
    assert code == 0
    assert git(tree, "rev-parse", "HEAD") == left


async def test_a_branch_whose_commit_is_unknown_to_the_server_is_an_error_that_says_so(
    job: Any, origin: Path, log: Any
) -> None:
    _tree, code = await clone(job, origin, push(origin, DRONE_COMMIT_SHA="ab" * 20))
    assert code != 0
    assert "not to be had by its name: its branch follows" in log.text


async def test_a_tag_is_checked_out(job: Any, origin: Path) -> None:
    tree, code = await clone(job, origin, push(origin, "refs/tags/v1", DRONE_BUILD_EVENT="tag"))
    assert code == 0
    assert (tree / "a.txt").read_text() == "one\n"


async def test_a_pull_request_is_merged_into_its_target(job: Any, origin: Path) -> None:
    sha = git(origin, "rev-parse", "change")
    variables = push(
        origin, "refs/pull/1/head", DRONE_BUILD_EVENT="pull_request", DRONE_COMMIT_SHA=sha
    )
    tree, code = await clone(job, origin, variables)
    assert code == 0
    assert (tree / "a.txt").read_text() == "two\n"
    assert (tree / "b.txt").read_text() == "change\n"
    assert git(tree, "rev-list", "--count", "--merges", "HEAD") == "1"


async def test_a_pull_request_without_a_ref_of_its_own_is_found_by_its_commit(
    job: Any, origin: Path
) -> None:
    sha = git(origin, "rev-parse", "change")
    git(origin, "update-ref", "-d", "refs/pull/1/head")
    variables = push(
        origin, "refs/pull/1/head", DRONE_BUILD_EVENT="pull_request", DRONE_COMMIT_SHA=sha
    )
    tree, code = await clone(job, origin, variables)
    assert code == 0
    assert (tree / "b.txt").read_text() == "change\n"


async def test_credentials_are_in_no_file_and_no_argument(job: Any, origin: Path, log: Any) -> None:
    tree, code = await clone(
        job, origin, push(origin), clone_user="u", clone_password=Secret("hunter2")
    )
    assert code == 0
    assert "hunter2" not in log.text
    kept = [path for path in tree.rglob("*") if path.is_file()]
    assert all(b"hunter2" not in path.read_bytes() for path in kept)
    plugin = ClonePlugin(BASE)
    what = job("drone/git", clone_user="u", clone_password=Secret("hunter2"))
    from fairway.pipeline.plugins.settings import Settings

    environment = plugin._environment(what, Settings({}), "https://u:x@host:8/a/b.git")
    assert environment["GIT_CONFIG_KEY_3"] == "http.https://host:8/.extraHeader"
    assert environment["GIT_CONFIG_VALUE_3"] == "Authorization: Basic dTpodW50ZXIy"


async def test_a_failing_clone_is_tried_again_and_then_fails(job: Any, log: Any) -> None:
    what = job(
        "drone/git",
        clone_url="file:///nowhere/at/all",
        PLUGIN_RETRIES="2",
        DRONE_COMMIT_BRANCH="main",
    )
    assert (await ClonePlugin(BASE, retry_s=0.0).run(what)).exit_code != 0
    assert log.text.count("it is tried again") == 2


async def test_a_repository_that_a_step_prepared_is_not_obeyed(
    job: Any, origin: Path, tmp_path: Path
) -> None:
    tree, _code = await clone(job, origin, push(origin))
    mark = tmp_path / "mark"
    config = f'[core]\n\tfsmonitor = "touch {mark}; false"\n\tsshCommand = touch {mark}\n'
    with (tree / ".git/config").open("a") as file:
        file.write(config)
    hook = tree / ".git/hooks/post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    _tree, code = await clone(job, origin, push(origin))
    assert code == 0
    assert not mark.exists()


def test_a_tree_that_is_a_link_is_refused(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (workspace / "src").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="is a link"):
        prepare(workspace, workspace / "src")


def test_a_git_folder_that_is_a_link_is_unlinked_and_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (tmp_path / "w").mkdir()
    (tmp_path / "w/.git").symlink_to(elsewhere)
    prepare(tmp_path / "w", tmp_path / "w")
    assert not (tmp_path / "w/.git").is_symlink()
    assert (elsewhere / "kept").exists()
