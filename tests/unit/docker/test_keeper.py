"""An Engine of our own is kept running."""

import asyncio
import logging

import pytest

from fairway.docker.keeper import keep
from fairway.model.errors import Unavailable


class Daemon:
    """Answers as it is told to."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.asked = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def ensure(self) -> None:
        answer = self.answers.pop(0) if self.answers else ""
        if not self.answers:
            self.loop.call_soon_threadsafe(self.asked.set)
        if answer:
            raise Unavailable(answer, remedy="wait")


async def keep_until_asked(daemon: Daemon) -> None:
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        keeper = group.create_task(keep(daemon, seconds=0))
        await daemon.asked.wait()
        keeper.cancel()


async def test_a_daemon_that_cannot_be_mended_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    daemon = Daemon(["no disk", "no disk", "", "no disk", ""])
    with caplog.at_level(logging.WARNING):
        await keep_until_asked(daemon)
    assert [record.message for record in caplog.records] == ["no disk (wait)", "no disk (wait)"]
