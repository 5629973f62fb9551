"""The logs of a namespace's pods as one: whole lines, each behind its pod's name."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from fairway.kube import Kube, Selection
from fairway.kube.kind import POD
from fairway.kube.pods import Logs, Pods
from fairway.model.errors import FairwayError
from fairway.pipeline.engine import Sink

_LOOK_S: Final = 1.0
_KEPT: Final = 20
_LONGEST: Final = 64 * 1024
_log = logging.getLogger(__name__)


class PodLogs:
    """Follows every container's every run, until cancelled."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        sink: Sink,
        *,
        since_s: int | None,
        skip: frozenset[str] = frozenset(),
    ) -> None:
        """`since_s`: of what runs already, only so much of the past. `skip`: pods left out."""
        self._kube = kube
        self._pods = Pods(kube)
        self._namespace = namespace
        self._sink = sink
        self._since_s = since_s
        self._skip = skip
        self._known: set[str] = set()
        self._lines: dict[str, deque[str]] = {}
        self._first = True
        self._said = 0  # bytes handed on

    def last(self, pod: str) -> list[str]:
        """The last lines of a pod."""
        return [line for name, lines in self._lines.items() if name.split("/")[0] == pod
                for line in lines]  # fmt: skip

    async def caught_up(self) -> None:
        """Wait until nothing new has come for a moment."""
        before = -1
        while before != self._said:
            before = self._said
            await asyncio.sleep(2 * _LOOK_S)

    async def run(self) -> None:
        """Follow. Returns only by cancellation."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._look(group)
                except FairwayError as error:
                    _log.info("the pods of %s cannot be listed: %s", self._namespace, error)
                await asyncio.sleep(_LOOK_S)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        for pod in await self._kube.list(POD, Selection(namespace=self._namespace)):
            status = pod.get("status") or {}
            if pod["metadata"]["name"] in self._skip:
                continue
            for key in ("initContainerStatuses", "containerStatuses"):
                for one in status.get(key) or []:
                    self._follow_new(group, pod, one)
        self._first = False

    def _follow_new(
        self, group: asyncio.TaskGroup, pod: Mapping[str, Any], one: Mapping[str, Any]
    ) -> None:
        """One task for each run of a container: its id is new with each."""
        run = str(one.get("containerID") or "")
        if not run or run in self._known:
            return
        self._known.add(run)
        name = str(pod["metadata"]["name"])
        alone = len(pod["spec"].get("containers") or []) == 1
        shown = name if alone else f"{name}/{one['name']}"
        since = self._since_s if self._first else None
        group.create_task(self._follow(name, str(one["name"]), shown, since))

    async def _follow(self, pod: str, container: str, shown: str, since: int | None) -> None:
        kept = self._lines.setdefault(shown, deque(maxlen=_KEPT))
        wanted = Logs(container=container, follow=True, since_s=since)
        rest = b""
        try:
            async with self._pods.logs(pod, self._namespace, wanted) as pieces:
                async for data in pieces:
                    *lines, rest = (rest + data).split(b"\n")
                    if len(rest) > _LONGEST:
                        lines.append(rest)
                        rest = b""
                    await self._say(shown, lines, kept)
                await self._say(shown, [rest] if rest else [], kept)
        except FairwayError as error:
            _log.info("the log of %s was cut: %s", shown, error)

    async def _say(self, shown: str, lines: list[bytes], kept: deque[str]) -> None:
        kept.extend(line.decode("utf-8", "replace") for line in lines)
        text = b"".join(shown.encode() + b" | " + line.rstrip(b"\r") + b"\n" for line in lines)
        if text:
            self._said += len(text)
            await self._sink(text)
