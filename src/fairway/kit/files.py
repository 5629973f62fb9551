"""Files that nobody ever sees half written, and such that nobody else may read."""

from __future__ import annotations

import os
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
    part = path.with_name(path.name + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)
