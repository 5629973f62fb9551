"""A call of the toolbox that is cancelled while its connection is being opened."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from fairway.native.languages import Expr
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox


class _Slow:
    """A server whose connection takes until the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked, self.let = threading.Event(), threading.Event()
        self.ours, self.theirs = socket.socketpair()

    def connect(self) -> socket.socket:
        self.asked.set()
        self.let.wait(90)
        return self.ours


async def test_a_connection_that_nobody_waits_for_is_closed(tmp_path: Path) -> None:
    slow = _Slow(tmp_path)
    toolbox = Toolbox(cast("Server", cast("Any", slow)))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(toolbox.ask(Expr(source="1")))
        await asyncio.to_thread(slow.asked.wait, 90)
        task.cancel()
        await asyncio.wait([task])
        slow.let.set()
    slow.theirs.settimeout(90)
    try:
        assert await asyncio.to_thread(slow.theirs.recv, 1) == b""
    finally:
        slow.theirs.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        slow.ours.getpeername()
