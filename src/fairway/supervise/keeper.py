"""One component's life: wait for what it needs, start or adopt, watch, and start again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from fairway.kit import clock, processes
from fairway.kit.aio import Wake, blocking
from fairway.kit.processes import Process
from fairway.model.errors import FairwayError
from fairway.supervise import records, words
from fairway.supervise.component import (
    MARK,
    Backoff,
    Component,
    ComponentStatus,
    Record,
    State,
)

_SOON_S: Final = 0.1  # between looks while it is not ready
_PROBE_S: Final = 3.0  # between probes of one that is ready
_LOG_S: Final = 10.0
_log = logging.getLogger(__name__)


class Keeper:
    """Keeps one component running. `is_ready` answers for the components it waits for."""

    def __init__(
        self,
        component: Component,
        folder: Path,
        *,
        backoff: Backoff,
        is_ready: Callable[[str], bool],
        changed: Wake,
        order: int,
    ) -> None:
        self.component = component
        self.status = ComponentStatus(component.name, State.WAITING, None, clock.now(), 0)
        self._folder = folder
        self._backoff = backoff
        self._is_ready = is_ready
        self._changed = changed
        self._order = order
        self._process: Process | None = None
        self._status_known: int | None = None
        self._begin = 0
        self._restart = False
        self._poke = Wake()

    def replace(self, component: Component) -> None:
        """Go on with another definition; the process is restarted if that needs it."""
        differs = component.digest != self.component.digest
        self.component = component
        if differs:
            self.restart()

    def restart(self) -> None:
        """End the process and start it again without delay."""
        self._restart = True
        self._poke.set()

    async def stop(self) -> None:
        """End it for good. Its `run` must have ended."""
        if self._process is None:
            record = await blocking(records.read, self._folder, self.component.name)
            self._process = record.process if record else None
        await blocking(processes.end, self._process, self.component.stop_s)
        await blocking(records.forget, self._folder, self.component.name)
        self._process = None
        self._is(State.STOPPED)

    async def run(self) -> None:
        """Until cancelled; the process lives on."""
        failures = 0
        await self._adopt()
        while True:
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                if self._process is None:
                    await self._start()
                reason = await self._watch()
            except (FairwayError, OSError) as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 a defect in one component's parts ends no other
                _log.exception("%s", self.component.name)
                reason = f"{type(error).__name__}: {error}"
            if self._restart:
                self._restart, failures = False, 0
                await self._end()
                continue
            await self._end()
            failures = self._backoff.failures(failures, loop.time() - began)
            self._failed(reason)
            await self._poke.wait(self._backoff.delay(failures))

    # Starting

    async def _adopt(self) -> None:
        """Take up what a former Fairway started; what differs from our definition is ended."""
        name = self.component.name
        record = await blocking(records.read, self._folder, name)
        if record is not None and await blocking(processes.is_alive, record.process):
            self._process = record.process
            self._update(restarts=record.restarts, since=record.since, reason=record.reason)
            self._restart = record.digest != self.component.digest
        else:
            found = await blocking(records.marked, self._folder)
            self._process = found.get(name)
            self._restart = self._process is not None  # of which definition, nobody knows
        if self._restart:
            self._restart = False
            await self._end()
        elif self._process is not None:
            self._begin = await blocking(words.size, self.component.log)
            self._update(pid=self._process.pid)

    async def _start(self) -> None:
        component = self.component
        self._is(State.WAITING)
        while not all(map(self._is_ready, component.after)):
            missing = [name for name in component.after if not self._is_ready(name)]
            if not self.status.restarts:
                self._update(reason=f"waits for {', '.join(missing)}")
            await self._changed.wait(1.0)
        if component.prepare is not None:
            await component.prepare()
        reason = "" if self.status.reason.startswith("waits for ") else self.status.reason
        self._process = await blocking(self._launch)
        self._is(State.STARTING, reason=reason, pid=self._process.pid)

    def _launch(self) -> Process:
        component = self.component
        component.log.parent.mkdir(parents=True, exist_ok=True)
        words.rotate(component.log, component.log_bytes)
        self._begin = words.size(component.log)
        enter = ["nsenter", f"--net={component.netns}", "--"] if component.netns else []
        own = {**component.environment, MARK: records.mark(self._folder, component.name)}
        given = [f"{name}={value}" for name, value in own.items()]
        process = processes.start(["env", *given, *enter, *component.command], component.log)
        try:
            records.write(self._folder, self._record(process))
        except OSError as error:  # a full disk; the mark in its environment finds it as well
            _log.warning("%s cannot be written down: %s", component.name, error)
        return process

    def _record(self, process: Process) -> Record:
        return Record(
            name=self.component.name,
            process=process,
            digest=self.component.digest,
            order=self._order,
            stop_s=self.component.stop_s,
            since=clock.now(),
            restarts=self.status.restarts,
            reason=self.status.reason,
        )

    # Watching

    async def _watch(self) -> str:
        """Until it ends, hangs, or shall be restarted; the reason."""
        loop = asyncio.get_running_loop()
        answered = looked = loop.time()
        was_ready = False
        with self._told_of_its_end():
            while await blocking(self._alive):
                if self._restart:
                    return "it was told to restart"
                ready = await self._probe()
                now = loop.time()
                answered = now if ready else answered
                was_ready = was_ready or ready
                self._judge(ready=ready, was_ready=was_ready)
                limit = self.component.hung_s if was_ready else self.component.start_s
                if now - answered > limit:
                    return f"it did not answer for {limit:g} s"
                if now - looked >= _LOG_S:
                    looked = now
                    await blocking(words.rotate, self.component.log, self.component.log_bytes)
                await self._poke.wait(_PROBE_S if ready else _SOON_S)
        return await blocking(self._why)

    @contextlib.contextmanager
    def _told_of_its_end(self) -> Iterator[None]:
        """Be woken by the kernel when the process ends, whoever's child it is."""
        loop = asyncio.get_running_loop()
        process = self._process
        try:
            handle = os.pidfd_open(process.pid) if process is not None else -1
        except OSError:  # it is gone already: the first look tells
            handle = -1
        if handle < 0:
            yield
            return

        def ended() -> None:
            loop.remove_reader(handle)
            self._poke.set()

        loop.add_reader(handle, ended)
        try:
            yield
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    async def _probe(self) -> bool:
        try:
            return await self.component.ready()
        except Exception:  # noqa: BLE001 a probe that breaks must not end what it looks at
            _log.debug("the probe of %s", self.component.name, exc_info=True)
            return False

    def _judge(self, *, ready: bool, was_ready: bool) -> None:
        if ready and self.status.state is not State.READY:
            self._is(State.READY, reason=self.status.reason if self.status.restarts else "")
        elif not ready and was_ready and self.status.state is State.READY:
            self._is(State.UNREADY, reason="it runs and does not answer")

    def _alive(self) -> bool:
        process = self._process
        if process is None:
            return False
        try:
            pid, status = os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:  # a former Fairway's child
            return processes.is_alive(process)
        if pid == process.pid:
            self._status_known = os.waitstatus_to_exitcode(status)
            return False
        return True

    def _why(self) -> str:
        said = words.last_words(self.component.log, self._begin)
        ended = words.ending(self._status_known)
        return f"{ended}: {said}" if said else ended

    # Ending

    async def _end(self) -> None:
        process, self._process = self._process, None
        self._status_known = None
        if process is not None:
            await blocking(processes.end, process, self.component.stop_s)

    def _failed(self, reason: str) -> None:
        self._is(State.FAILED, reason=reason)
        self._update(restarts=self.status.restarts + 1, pid=None)
        _log.warning("%s: %s", self.component.name, reason, extra={"component": self.status.name})

    def _is(self, state: State, *, reason: str | None = None, pid: int | None = None) -> None:
        if state is not self.status.state:
            self._update(state=state, since=clock.now())
        if reason is not None:
            self._update(reason=reason)
        if pid is not None or state in (State.WAITING, State.STOPPED):
            self._update(pid=pid)
        self._changed.set()

    def _update(self, **values: object) -> None:
        self.status = msgspec.structs.replace(self.status, **values)
