"""The builds that change requests are judged by: what the source chapter asks of this one."""

from __future__ import annotations

from fairway.model.change_request import ChangeRequest
from fairway.pipeline.builds import Builds


class ChangeTests:
    """Makes them."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds

    async def begin(self, change: ChangeRequest) -> int:
        """Build what the target would become, once however often it is asked.

        Returns the build's number, 0 where no pipeline of the file is for pull requests.
        """
        made = await self._builds.change_request(change)
        return made.number if made is not None else 0
