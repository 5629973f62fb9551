"""Templates of pipeline files, by the toolbox of this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairway.boot.environments import toolbox
from fairway.native.programs import find
from fairway.native.server import Server
from fairway.native.templates import Templates
from fairway.native.toolbox import Toolbox
from fairway.settings import Settings, load


def templates(settings: Settings) -> Templates:
    """By the toolbox of a data directory."""
    return Templates(toolbox(settings))


@contextmanager
def passing() -> Iterator[Templates]:
    """Templates for a command that needs no server: a toolbox of its own, if it comes to that,
    which ends with the command. Blocks.
    """
    with tempfile.TemporaryDirectory(prefix="fairway-toolbox-") as folder:
        own = Server(Path(folder), lambda: find(load().native.dir).native)
        try:
            yield Templates(Toolbox(own))
        finally:
            own.stop()
