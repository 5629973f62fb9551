"""Files that nobody ever sees half written, and such that nobody else may read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put a file with these bytes in the place of what is there, in one step. Raises OSError."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def replace_private(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put a file (mode 0600) with these bytes in the place of what is there, in one step.

    `durable`: it is on the disk before the name changes. Raises OSError; what was there stays then.
    """
    with writing_private(path, durable=durable) as file:
        file.write(data)


@contextmanager
def writing_private(path: Path, *, durable: bool = False) -> Iterator[BufferedWriter]:
    """The same for what is written bit by bit: it takes its place when the block ends well.

    Where the block raises, nothing of it is left.
    """
    part = path.with_name(path.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
