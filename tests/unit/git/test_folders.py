"""Bare repositories on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fairway.git.folders import Folders
from fairway.testing.gitwriter import write_commit


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "git")
    made.prepare()
    made.prepare()
    return made


def test_a_folder_is_made_once(folders: Folders) -> None:
    path = folders.ensure(1, "1 100", "main")
    sha = write_commit(path, {"a": "x"})
    assert folders.ensure(1, "1 100", "other") == path
    assert folders.refs(1) == {"refs/heads/main": sha}
    assert folders.numbers() == [1]


def test_a_number_that_is_used_again_never_shows_the_former_repository(folders: Folders) -> None:
    write_commit(folders.ensure(1, "1 100", "main"), {"a": "x"})
    folders.ensure(1, "1 200", "main")
    assert folders.refs(1) == {}
    assert len(list(folders.trash.iterdir())) == 1
    folders.empty_trash()
    assert list(folders.trash.iterdir()) == []


def test_refs_are_read_loose_and_packed_but_neither_locks_nor_links(folders: Folders) -> None:
    path = folders.ensure(1, "1", "main")
    one, two, three = ("1" * 40, "2" * 40, "3" * 40)
    (path / "packed-refs").write_text(
        f"# pack-refs with: peeled\n{one} refs/heads/main\n{two} refs/tags/v1\n^{three}\n"
        f"{three} refs/notes/x\n"
    )
    (path / "refs/heads/main").write_text(two + "\n")
    (path / "refs/heads/a").mkdir()
    (path / "refs/heads/a/b").write_text(three + "\n")
    (path / "refs/heads/main.lock").write_text(three)
    (path / "refs/heads/link").symlink_to("/etc/hostname")
    (path / "refs/heads/half").write_text("123")
    assert folders.refs(1) == {
        "refs/heads/main": two,
        "refs/tags/v1": two,
        "refs/heads/a/b": three,
    }


def test_only_old_locks_are_removed(folders: Folders) -> None:
    path = folders.ensure(1, "1", "main")
    old, new = path / "refs/heads/main.lock", path / "packed-refs.lock"
    for lock in (old, new):
        lock.write_text("")
    os.utime(old, (1, 1))
    assert folders.clean_locks(1) == [old]
    assert new.exists()


def test_the_head_names_the_default_branch(folders: Folders) -> None:
    path = folders.ensure(1, "1", "main")
    folders.head(1, "trunk")
    assert (path / "HEAD").read_text() == "ref: refs/heads/trunk\n"
    folders.head(2, "trunk")
    assert not folders.path(2).exists()
