"""Bare repositories in a data folder, by number: no name from outside is ever part of a path.

ROOT/config         one configuration for every git process of ours
ROOT/hooks/         the hooks of pushes that touch protected refs
ROOT/empty.git      what an unborn repository looks like to `git push`
ROOT/12.git         repository 12; its file `fairway` says whose it is
ROOT/trash/         removed repositories, until they are deleted
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fairway.kit import clock

CONFIG: Final = """\
# Written by Fairway at every start: for all its git processes, instead of the user's own file.
[core]
	hooksPath = /dev/null
	logAllRefUpdates = false
	fsync = committed
	fsyncMethod = batch
	bigFileThreshold = 32m
[safe]
	directory = *
[http]
	getanyfile = false
	uploadpack = true
[uploadpack]
	allowFilter = true
	allowReachableSHA1InWant = true
	allowAnySHA1InWant = true
[receive "fsck"]
	zeroPaddedFilemode = warn
	missingSpaceBeforeDate = warn
	badTimezone = warn
[receive]
	advertisePushOptions = true
	fsckObjects = true
	autogc = false
	denyDeleteCurrent = refuse
	certNonceSeed =
[transfer]
	hideRefs = refs/fairway
[fetch "fsck"]
	zeroPaddedFilemode = warn
	missingSpaceBeforeDate = warn
	badTimezone = warn
[fetch]
	fsckObjects = true
	writeCommitGraph = false
[protocol "file"]
	allow = never
[gc]
	auto = 2000
	autoDetach = false
	writeCommitGraph = true
[repack]
	writeBitmaps = true
[pack]
	threads = 2
	windowMemory = 128m
[index]
	threads = 1
"""
_REPOSITORY: Final = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
_HOOK: Final = """\
#!/bin/sh
# Run only for pushes that touch protected refs: FAIRWAY_REFUSE holds a line `REF why` for each ref
# that is refused, FAIRWAY_FORWARD a line `REF` for each whose history may not be rewritten.
newline='
'
case "$newline$FAIRWAY_REFUSE" in
*"$newline$1 "*)
    printf '%s\\n' "$FAIRWAY_REFUSE" | while read -r ref why; do
        if [ "$ref" = "$1" ]; then echo "$why" >&2; fi
    done
    exit 1 ;;
esac
case "$newline$FAIRWAY_FORWARD$newline" in
*"$newline$1$newline"*)
    git merge-base --is-ancestor "$2" "$3" || {
        echo "$1 is protected: its history may not be rewritten (no force push)" >&2
        exit 1
    } ;;
esac
exit 0
"""
_ASKPASS: Final = """\
#!/bin/sh
case "$1" in
Username*) printf '%s\\n' "$FAIRWAY_FETCH_USER" ;;
*) printf '%s\\n' "$FAIRWAY_FETCH_PASSWORD" ;;
esac
"""
_OLD_LOCK_MS: Final = 60_000


class Folders:
    """Every call blocks for a moment on the disk: from the loop, use `kit.aio.blocking`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.config = self.root / "config"
        self.hooks = self.root / "hooks"
        self.empty = self.root / "empty.git"
        self.trash = self.root / "trash"

    def prepare(self) -> None:
        """Make the folder ready; safe to repeat."""
        self.trash.mkdir(parents=True, exist_ok=True)
        self.hooks.mkdir(exist_ok=True)
        _replace(self.config, CONFIG)
        _replace(self.hooks / "update", _HOOK, mode=0o755)
        _replace(self.hooks / "askpass", _ASKPASS, mode=0o755)
        if not self.empty.exists():
            self._make(self.empty, "empty", "main")

    def path(self, number: int) -> Path:
        """Where repository `number` is."""
        return self.root / f"{number}.git"

    def ensure(self, number: int, stamp: str, head: str) -> Path:
        """The repository's folder, made when it is missing.

        `stamp` tells it from an earlier repository of the same number, whose folder goes to the
        trash. Atomic: a folder is whole or not there.
        """
        path = self.path(number)
        if path.exists():
            with contextlib.suppress(FileNotFoundError):
                if (path / "fairway").read_text() == stamp:
                    return path
            self.remove(number)
        self._make(path, stamp, head)
        return path

    def remove(self, number: int) -> None:
        """Move the folder to the trash; `empty_trash` deletes it."""
        self.trash.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.path(number).rename(self.trash / f"{number}-{secrets.token_hex(6)}")

    def empty_trash(self) -> None:
        """Delete what was removed."""
        for path in self.trash.iterdir():
            shutil.rmtree(path, ignore_errors=True)

    def numbers(self) -> list[int]:
        """The numbers of all folders."""
        found = (path.name.removesuffix(".git") for path in self.root.glob("*.git"))
        return sorted(int(name) for name in found if name.isdigit())

    def head(self, number: int, branch: str) -> None:
        """Make HEAD name the default branch."""
        path = self.path(number) / "HEAD"
        text = f"ref: refs/heads/{branch}\n"
        with contextlib.suppress(FileNotFoundError):
            if path.read_text() != text:
                _replace(path, text)

    def refs(self, number: int) -> dict[str, str]:
        """Every branch and tag on disk with what it points at."""
        path = self.path(number)
        loose = dict(_loose(path))  # before the packed: git packs first, then unlinks
        return {**dict(_packed(path / "packed-refs")), **loose}

    def clean_locks(self, number: int) -> list[Path]:
        """Remove lock files that a killed git left behind over a minute ago."""
        path = self.path(number)
        before = (clock.now() - _OLD_LOCK_MS) / 1000
        gone = []
        for lock in (*path.glob("*.lock"), *path.glob("refs/**/*.lock")):
            with contextlib.suppress(FileNotFoundError):
                if lock.stat().st_mtime < before:
                    lock.unlink()
                    gone.append(lock)
        return gone

    def _make(self, path: Path, stamp: str, head: str) -> None:
        temporary = self.trash / f"new-{secrets.token_hex(6)}"
        for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
            (temporary / folder).mkdir(parents=True)
        (temporary / "config").write_text(_REPOSITORY)
        (temporary / "HEAD").write_text(f"ref: refs/heads/{head}\n")
        (temporary / "fairway").write_text(stamp)
        try:
            temporary.rename(path)
        except OSError:  # another task was first
            shutil.rmtree(temporary, ignore_errors=True)
            if not path.exists():
                raise


def environment(folders: Folders) -> dict[str, str]:
    """The whole environment of a git process of ours: nothing of the operator's leaks in."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C",
        "HOME": str(folders.root),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(folders.config),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_COMMITTER_NAME": "Fairway",
        "GIT_COMMITTER_EMAIL": "fairway@localhost",
    }


def _loose(path: Path) -> Iterator[tuple[str, str]]:
    for kind in ("refs/heads", "refs/tags"):
        for folder, _, names in os.walk(path / kind):
            for name in names:
                file = Path(folder, name)
                if name.endswith(".lock") or file.is_symlink():
                    continue
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    value = file.read_text(errors="replace").strip()
                    if _is_sha(value):
                        yield str(file.relative_to(path)), value


def _packed(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        sha, _, name = line.partition(" ")
        if _is_sha(sha) and name.startswith(("refs/heads/", "refs/tags/")):
            yield name, sha


def _is_sha(text: str) -> bool:
    return len(text) in {40, 64} and all(letter in "0123456789abcdef" for letter in text)


def _replace(path: Path, text: str, *, mode: int = 0o644) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    temporary.write_text(text)
    temporary.chmod(mode)
    temporary.replace(path)
