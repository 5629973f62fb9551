"""A job's files as a folder that the toolbox may read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from fairway.gitops.renderer import Files


@contextlib.contextmanager
def exported(files: Files, extra: Mapping[str, bytes] | None = None) -> Iterator[Path]:
    """A folder with the files below `source/` and `extra` beside it, until it is left. Blocks."""
    with tempfile.TemporaryDirectory(prefix="fairway-render-") as name:
        top = Path(name)
        (top / "source").mkdir()
        for entry in files.entries:
            place = top / "source" / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            data = files.contents[entry.sha]
            if entry.kind == "link":
                place.symlink_to(data.decode("utf-8", "surrogateescape"))
            else:
                place.write_bytes(data)
        for path, data in (extra or {}).items():
            (top / path).write_bytes(data)
        yield top
