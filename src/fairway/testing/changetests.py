"""The builds of change requests, played by a test: made when asked for, ended when it says so."""

from __future__ import annotations

from fairway.model.change_request import ChangeRequest
from fairway.model.events import BuildFinished
from fairway.source.change_course import ChangeCourse


class PlayedTests:
    """Passes for `source.change_course.Tests`. `begun` are the merges that were to be built."""

    def __init__(self, *, none: bool = False) -> None:
        """`none`: no pipeline is for pull requests."""
        self.begun: list[ChangeRequest] = []
        self.none = none

    async def begin(self, change: ChangeRequest) -> int:
        """A number for each merge, the same when it is asked again."""
        if self.none:
            return 0
        merges = [each.merge for each in self.begun]
        if change.merge not in merges:
            self.begun.append(change)
            return len(self.begun)
        return merges.index(change.merge) + 1

    async def end(
        self, course: ChangeCourse, status: str = "passed", *, number: int = 0
    ) -> BuildFinished:
        """Tell that a build (the last one) has ended; as a retry with another `number`."""
        change = self.begun[-1]
        event = BuildFinished(
            repository=change.repository,
            slug="",
            build=number or len(self.begun),
            number=number or len(self.begun),
            status=status,
            event="pull_request",
            ref=change.ref,
            after=change.merge,
        )
        await course.judge(event, "played")
        return event
