"""Keeps components running: adopts, starts in order, restarts with backoff, and says why.

Processes outlive a cancelled `run`: the next Fairway adopts them by pid, start time and boot. They
are ended by `stop`, `stop_all`, or `records.stop_all` where no supervisor runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from fairway.kit.aio import Wake, blocking
from fairway.model.errors import NotFound, Unavailable
from fairway.supervise import records
from fairway.supervise.component import Backoff, Component, ComponentStatus, State
from fairway.supervise.keeper import Keeper
from fairway.supervise.lock import alone


class Supervisor:
    """The components of one folder, in which it remembers what it started."""

    def __init__(self, folder: Path, backoff: Backoff | None = None) -> None:
        self.folder = folder
        self.changed = Wake()  # some component's state changed
        self._backoff = backoff or Backoff()
        self._keepers: dict[str, Keeper] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def add(self, component: Component) -> None:
        """Keep a component running. One of its name is replaced, and restarted if it differs."""
        known = self._keepers.get(component.name)
        if known is not None:
            known.replace(component)
            return
        keeper = Keeper(
            component,
            self.folder,
            backoff=self._backoff,
            is_ready=self._is_ready,
            changed=self.changed,
            order=len(self._keepers),
        )
        self._keepers[component.name] = keeper
        self._launch(keeper)

    async def remove(self, name: str) -> None:
        """End a component and forget it. One that is not there is no error."""
        keeper = self._keepers.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if keeper is not None:
            await keeper.stop()

    async def restart(self, name: str) -> None:
        """End a component's process; it is started again at once. Raises NotFound."""
        keeper = self._keepers.get(name)
        if keeper is None:
            raise NotFound(f"no component {name}", code="no-such-component")
        keeper.restart()

    async def run(self) -> None:
        """Keep all of them running until cancelled, which leaves them running.

        Of several processes with one folder, one does it; the others wait for its end.
        """
        try:
            async with alone(self.folder / "supervisor.lock"), asyncio.TaskGroup() as group:
                self._group = group
                for keeper in self._keepers.values():
                    self._launch(keeper)
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._tasks.clear()

    def statuses(self) -> list[ComponentStatus]:
        """How each component is, in the order in which they were added."""
        return [keeper.status for keeper in self._keepers.values()]

    def status(self, name: str) -> ComponentStatus:
        """How one component is. Raises NotFound."""
        if name not in self._keepers:
            raise NotFound(f"no component {name}", code="no-such-component")
        return self._keepers[name].status

    async def wait_ready(self, *names: str, seconds: float = 60.0) -> None:
        """Wait until components (all without names) are ready.

        Raises Unavailable (code `component-not-ready`) with their reasons; may be retried.
        """
        wanted = names or tuple(self._keepers)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(map(self._is_ready, wanted)):
                    await self.changed.wait(1.0)
        missing = [self.status(name) for name in wanted if not self._is_ready(name)]
        if missing:
            said = "; ".join(f"{one.name} is {one.state}: {one.reason or '-'}" for one in missing)
            raise Unavailable(
                f"not ready after {seconds:g} s: {said}",
                code="component-not-ready",
                remedy=f"read its log; `fairway doctor` shows {missing[0].name}'s state",
            )

    async def stop_all(self) -> list[str]:
        """End everything that was started in the folder, last first; the names of what lived."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait([*self._tasks.values()])
        self._tasks.clear()
        self._keepers.clear()
        return await blocking(records.stop_all, self.folder)

    def _launch(self, keeper: Keeper) -> None:
        name = keeper.component.name
        if self._group is not None and name not in self._tasks:
            self._tasks[name] = self._group.create_task(keeper.run(), name=f"component {name}")

    def _is_ready(self, name: str) -> bool:
        keeper = self._keepers.get(name)
        return keeper is not None and keeper.status.state is State.READY
