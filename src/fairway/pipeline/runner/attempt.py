"""One attempt at one step: a container through an engine, or a plugin that Fairway runs itself.

Every wait here ends at once when the stage wants the step killed. An engine that does not answer
is asked again for a while: its containers go on without it, and are found again by name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct

from fairway.kit import clock
from fairway.kit.aio import background, together
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError, InvalidInput, Unavailable
from fairway.model.image import BuiltImage
from fairway.model.status import Status
from fairway.pipeline import progress
from fairway.pipeline.dispatch import Lease
from fairway.pipeline.engine import Ended, Engine, Place
from fairway.pipeline.graph import StageGraph, StepGraph
from fairway.pipeline.plugin import Job, Plugin, PluginEnd
from fairway.pipeline.runner.environment import Environment, revealed
from fairway.pipeline.runner.link import backoff
from fairway.pipeline.runner.logs import LogWriter
from fairway.pipeline.runner.tools import Tools

T = TypeVar("T")
_PROBE_LEAST_S: Final = 0.05
_LAST_WORDS_S: Final = 5.0
_ALIVE_S: Final = 10.0  # an engine that held a call so long was not silent before
_log = logging.getLogger(__name__)


class Result(Struct, frozen=True, kw_only=True):
    """How an attempt ended."""

    status: Status
    exit_code: int = 0
    error: str = ""
    started: int | None = None
    stopped: int | None = None
    images: tuple[BuiltImage, ...] = ()


class Killed(Exception):
    """The stage wants the step to end."""


class Attempt:
    """One attempt. `kill` ends it from outside; `up` is called when a daemon may be relied on."""

    def __init__(
        self,
        tools: Tools,
        engine: Engine,
        place: Place,
        step: StepGraph,
        *,
        number: int,
        log: LogWriter,
        up: Callable[[], None],
        shared: Callable[[], Awaitable[None]],
    ) -> None:
        self._tools = tools
        self._engine = engine
        self._place = place
        self._step = step
        self._number = number
        self._log = log
        self._up = up
        self._shared = shared
        self._killed = asyncio.Event()
        self._timed_out = False
        self._not_ready = ""
        self._is_up = False
        self._was_silent = False  # the engine did not answer for a while
        self._followed = clock.now()  # an earlier holder's container may have ended before

    def kill(self) -> None:
        """End it: what runs gets SIGKILL, what waits is given up."""
        self._killed.set()

    # ---- containers ------------------------------------------------------------------------------

    async def container(self, environment: Environment, *, since: int | None) -> Result:
        """Start or adopt the container and follow it to its end.

        `since`: when an earlier holder saw it start, for the step's own time limit.
        """
        began = since or clock.now()
        try:
            await self._or_killed(self._hide_former(environment if since is not None else {}))
            await self._or_killed(self._start(environment))
        except Killed:
            # The engine may have started it after all; destroying the stage ends it for good.
            await self._stop()
            await self._last_words(environment if since is not None else {})
            return Result(status=Status.CANCELLED, exit_code=progress.KILLED, started=since)
        except FairwayError as error:
            return _errored(str(error), began)
        async with background(*self._watchers(began)):
            try:
                ended = await self._patiently(self._follow)
            except FairwayError as error:
                return _errored(str(error), began)
        return self._judge(ended, began)

    async def _hide_former(self, environment: Environment) -> None:
        """Mask what an earlier holder's container knows, too: a secret may have changed since."""
        if not environment:
            return
        had = await self._patiently(
            lambda: self._engine.environment(self._place, self._step, attempt=self._number)
        )
        hidden = [name for name, value in environment.items() if isinstance(value, Secret)]
        self._log.hide([had[name] for name in hidden if had.get(name)])

    async def _last_words(self, environment: Environment) -> None:
        """What a container that an earlier holder started has said until it was killed."""
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._hide_former(environment)
                await self._follow()
        except (FairwayError, TimeoutError) as error:
            _log.info("step %s: the end of its log cannot be had: %s", self._step.name, error)

    async def _start(self, environment: Environment) -> None:
        await self._shared()
        await self._patiently(
            lambda: self._engine.start(self._place, self._step, environment, attempt=self._number)
        )

    async def _follow(self) -> Ended:
        return await self._engine.follow(
            self._place,
            self._step,
            self._log.write,
            attempt=self._number,
            skip=self._log.consumed,
        )

    def _watchers(self, began: int) -> list[Coroutine[Any, Any, None]]:
        watchers = [self._stop_when_killed()]
        if self._step.timeout_s is not None:
            watchers.append(self._expire(began))
        if progress.is_daemon(self._step):
            watchers.append(self._await_ready())
        return watchers

    async def _stop_when_killed(self) -> None:
        await self._killed.wait()
        await self._stop()

    async def _expire(self, began: int) -> None:
        limit = self._step.timeout_s or 0.0
        await asyncio.sleep(max(0.0, limit - (clock.now() - began) / 1000))
        self._timed_out = True
        await self._stop()

    async def _stop(self) -> None:
        try:
            await self._patiently(
                lambda: self._engine.stop(self._place, self._step, attempt=self._number)
            )
        except FairwayError as error:
            _log.warning("step %s could not be stopped: %s", self._step.name, error)

    async def _await_ready(self) -> None:
        ready = self._step.ready
        try:
            async with asyncio.timeout(ready.timeout_s if ready is not None else None):
                while not (ready is None or await self._probe()):  # noqa: ASYNC110 an engine is asked
                    await asyncio.sleep(max(ready.interval_s, _PROBE_LEAST_S))
        except TimeoutError:
            limit = f"{ready.timeout_s:g} s" if ready is not None else ""
            self._not_ready = f"service {self._step.name} was not ready within {limit}"
        except InvalidInput as error:
            self._not_ready = str(error)
        if self._not_ready:
            await self._stop()
            return
        self._is_up = True
        self._up()

    async def _probe(self) -> bool:
        try:
            return await self._engine.probe(self._place, self._step, attempt=self._number)
        except Unavailable:
            return False

    def _judge(self, ended: Ended, began: int) -> Result:
        status, error = self._verdict(ended)
        return Result(
            status=status,
            exit_code=ended.exit_code,
            error=error,
            started=ended.started or began,
            stopped=ended.stopped or clock.now(),
        )

    def _verdict(self, ended: Ended) -> tuple[Status, str]:
        step, code = self._step, ended.exit_code
        if self._timed_out:
            return Status.FAILED, f"the step took longer than its limit of {step.timeout_s:g} s"
        if self._killed.is_set() and not self._not_ready:
            return Status.CANCELLED, ""
        alone = ended.stopped is not None and ended.stopped < self._followed
        if progress.is_daemon(step) and alone and _was_killed(ended):
            return Status.CANCELLED, ""  # by an earlier holder, when all else had ended
        early = step.ready is not None and not self._is_up
        if early and not self._not_ready:
            self._not_ready = f"service {step.name} ended ({code}) before it was ready"
        cannot = ended.error if code == progress.CANNOT_RUN else ""
        if (self._was_silent or alone) and _was_killed(ended):
            cannot = cannot or "the engine stopped while the step ran, and killed it"
        if self._not_ready or cannot:
            return Status.ERRORED, self._not_ready or cannot
        memory = "the step was killed: it used more memory than it may"
        return progress.result(code), memory if ended.oom_killed else ended.error

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask a silent engine again, for as long as the settings' patience goes."""
        loop, tries, silent = asyncio.get_running_loop(), 0, 0.0
        while True:
            began, consumed = loop.time(), self._log.consumed
            try:
                return await call()
            except Unavailable as error:
                now, self._was_silent = loop.time(), True
                if not tries or consumed != self._log.consumed or now - began > _ALIVE_S:
                    silent, tries = now, 0
                if now - silent >= self._tools.settings.patience_s:
                    raise
                _log.warning("step %s, try %d: %s", self._step.name, tries + 1, error)
            await asyncio.sleep(backoff(tries, self._tools.spread))
            tries += 1

    async def _or_killed(self, work: Coroutine[Any, Any, T]) -> T:
        async with together() as group:
            task = group.create_task(work)
            watcher = group.create_task(self._killed.wait())
            await asyncio.wait((task, watcher), return_when=asyncio.FIRST_COMPLETED)
            watcher.cancel()
            task.cancel()
        if task.cancelled():
            raise Killed
        return task.result()

    # ---- plugins ---------------------------------------------------------------------------------

    async def plugin(self, plugin: Plugin, job: Job) -> Result:
        """Run a built-in plugin to its end, its time limit, or its kill."""
        began = clock.now()
        # One that stays is like a service: that it cannot be relied on is an error.
        stays = progress.is_daemon(self._step)
        lost = _errored if stays else _failed
        try:
            async with asyncio.timeout(self._step.timeout_s):
                if stays:
                    await self._or_killed(self._wait_shared())
                end = await self._or_killed(plugin.run(job))
        except Killed:
            return Result(status=Status.CANCELLED, exit_code=progress.KILLED, started=began)
        except TimeoutError:
            error = f"the step took longer than its limit of {self._step.timeout_s:g} s"
            return lost(error, began)
        except Unavailable as error:
            return _errored(str(error), began)
        except FairwayError as error:
            await self._log.note(f"{error}\n{error.remedy}".rstrip())
            return lost(str(error), began)
        return _plugin_result(end, began)

    async def _wait_shared(self) -> None:
        await self._shared()


def job_for(
    lease: Lease,
    place: Place,
    step: StepGraph,
    *,
    attempt: int,
    environment: Environment,
    log: LogWriter,
    tree: Path,
    built: Mapping[str, str],
) -> Job:
    """What a plugin is given."""
    return Job(
        step=step.name,
        image=step.image_written or step.image,
        environment=revealed(environment),
        workspace=place.workspace,
        tree=tree,
        key=f"{place.key}/{step.number}/{attempt}",
        log=log.write,
        clone_url=lease.clone_url,
        clone_user=lease.clone_user,
        clone_password=Secret(lease.clone_password),
        registry=lease.registry,
        registry_token=Secret(lease.registry_token),
        auths=place.auths,
        built=built,
        stage=place.key,
        owner=place.owner,
        number=step.number,
        trusted=lease.trusted,
        repository=lease.repository,
        build=lease.build,
        deploys=lease.deploys,
        taken=_taken(place.graph),
    )


def _taken(graph: StageGraph) -> frozenset[str]:
    """Names that containers of the stage have on its network."""
    if not graph.network_aliases:
        return frozenset()
    return frozenset(
        step.name for step in graph.steps if not step.builtin and not step.network_mode
    )


def _was_killed(ended: Ended) -> bool:
    return ended.exit_code in (progress.KILLED, progress.CANNOT_RUN) and not ended.oom_killed


def _plugin_result(end: PluginEnd, began: int) -> Result:
    status = Status.ERRORED if end.error else progress.result(end.exit_code)
    return Result(
        status=status,
        exit_code=end.exit_code,
        error=end.error,
        started=began,
        stopped=clock.now(),
        images=end.images,
    )


def _errored(error: str, began: int) -> Result:
    return Result(
        status=Status.ERRORED,
        exit_code=progress.CANNOT_RUN,
        error=error,
        started=began,
        stopped=clock.now(),
    )


def _failed(error: str, began: int) -> Result:
    return Result(
        status=Status.FAILED, exit_code=1, error=error, started=began, stopped=clock.now()
    )
