"""Copies of what a service mounts from the workspace, made without following a link anywhere.

Steps of the same stage may change the workspace while a service starts: what was judged a folder
of it may be a link to the host's root a moment later. So a service of a repository that is not
trusted mounts a copy, which no step can reach, and which was read from the workspace's own folder
downwards, part by part, links left as links.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fairway.model.errors import InvalidInput, TooLarge

_LARGEST: Final = 4 * 1024**3  # bytes of all that one environment mounts
_PIECE: Final = 1024 * 1024
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def inside(root: Path, path: str) -> bool:
    """Whether a path, its links followed, lies in `root`. It need not exist."""
    return Path(path).resolve().is_relative_to(root.resolve())


class Copies:
    """Copies below `target` of things below `root`. Blocks."""

    def __init__(self, root: Path, target: Path) -> None:
        self._root = root.resolve()
        self._target = target
        self._left = _LARGEST

    def copy(self, path: str) -> Path:
        """Copy a file or folder; one that does not exist becomes an empty folder, as Docker has it.

        What was copied before stays as it is: services that outlived a restart of ours mount it.
        Raises `InvalidInput` (`environment-mount`) when a link leads out of `root`, `TooLarge`.
        """
        real = Path(path).resolve()
        if not real.is_relative_to(self._root):
            raise InvalidInput(f"{path} leads out of the workspace", code="environment-mount")
        self._target.mkdir(parents=True, exist_ok=True)
        target = self._target / hashlib.sha256(path.encode()).hexdigest()[:16]
        if target.exists():
            return target
        fresh = Path(tempfile.mkdtemp(dir=self._target), "copy")
        try:
            with self._opened(real.relative_to(self._root).parts) as source:
                self._any(source, fresh)
        except FileNotFoundError:
            fresh.mkdir()
            fresh.chmod(0o777)
        except OSError as error:
            raise InvalidInput(
                f"{path} cannot be read as a part of the workspace: {error.strerror}",
                code="environment-mount",
            ) from error
        fresh.rename(target)
        fresh.parent.rmdir()
        return target

    @contextmanager
    def _opened(self, parts: tuple[str, ...]) -> Iterator[int]:
        """The descriptor at the end of a path of which no part may be a link."""
        here = os.open(self._root, _FLAGS | os.O_DIRECTORY)
        try:
            for part in parts:
                below = os.open(part, _FLAGS, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    def _any(self, source: int, target: Path) -> None:
        found = os.fstat(source)
        if stat.S_ISDIR(found.st_mode):
            target.mkdir()
            for name in sorted(os.listdir(source)):
                self._entry(source, name, target / name)
        elif stat.S_ISREG(found.st_mode):
            self._file(source, target)
        else:
            return  # a pipe or socket is nobody's file
        target.chmod(stat.S_IMODE(found.st_mode))
        with contextlib.suppress(PermissionError):  # as an ordinary user all is ours
            os.chown(target, found.st_uid, found.st_gid)

    def _entry(self, folder: int, name: str, target: Path) -> None:
        mode = os.lstat(name, dir_fd=folder).st_mode
        if stat.S_ISLNK(mode):
            target.symlink_to(os.readlink(name, dir_fd=folder))
            return
        below = os.open(name, _FLAGS, dir_fd=folder)
        try:
            self._any(below, target)
        finally:
            os.close(below)

    def _file(self, source: int, target: Path) -> None:
        with target.open("xb") as file:
            while data := os.read(source, _PIECE):
                self._left -= len(data)
                if self._left < 0:
                    raise TooLarge(
                        f"what the services mount is larger than {_LARGEST // 1024**3} GiB",
                        code="environment-too-large",
                    )
                file.write(data)
