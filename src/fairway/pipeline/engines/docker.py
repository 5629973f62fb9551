"""The engine over the Docker Engine API.

Order of a step: create, attach, start; so its first byte is seen and no log file is polled. After
a cut the kept log is read from the byte where the runner stopped. The stage's network is made
while the first container is; what was used is removed only by `destroy` and `sweep`, which the
runner calls when nobody waits for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from fairway.docker.client import Docker, EngineRefused, Exit, Json, read_pipe
from fairway.docker.http import Connection, unavailable
from fairway.kit.aio import blocking, shielded, together
from fairway.kit.secret import Secret
from fairway.model.errors import Busy, InvalidInput
from fairway.pipeline.engine import Ended, Place, Sink
from fairway.pipeline.engines import leftovers, spec
from fairway.pipeline.engines.images import Images
from fairway.pipeline.engines.subnets import spare_subnets
from fairway.pipeline.graph import Ready, StepGraph

_REMOVE_S: Final = 120.0
_KILLED: Final = 137
_OVERLAPS: Final = "Pool overlaps"
_FULL: Final = "non-overlapping IPv4 address pool"  # 31 networks are all that Docker has


class DockerEngine:
    """Runs steps as containers of one Docker Engine. One object serves many stages at once."""

    def __init__(self, docker: Docker, *, owner: str, user: int | None = None) -> None:
        """`user`: who removes workspaces; this process's unless said."""
        self._docker = docker
        self._owner = owner
        self._user = os.geteuid() if user is None else user
        self._images = Images(docker)
        self._pipes: dict[str, Connection] = {}  # attached and not yet followed

    async def check(self) -> str:
        """The engine's name and version. Raises `Unavailable`."""
        version = await self._docker.version()
        return f"Docker Engine {version['Version']} (API {version['ApiVersion']})"

    def close(self) -> None:
        """Drop connections; containers go on."""
        for pipe in self._pipes.values():
            pipe.close()
        self._pipes.clear()
        self._docker.close()

    async def setup(self, place: Place) -> None:
        """Make the workspace folder, the stage's network and its temporary volumes."""
        await blocking(_make_workspace, place)
        labels = spec.labels(place)
        try:
            await self._make_shared(place, labels)
        except EngineRefused as error:
            if _FULL in error.message:
                raise Busy(
                    f"the engine has no addresses left for a network: {error.message}",
                    code="engine-full",
                    remedy="Lower the runner's capacity, or give the engine more address pools.",
                ) from error
            raise InvalidInput(
                f"the engine refused what the stage's steps share: {error.message}",
                code="container-refused",
            ) from error

    async def _make_shared(self, place: Place, labels: Mapping[str, str]) -> None:
        async with together() as group:
            group.create_task(self._make_network(spec.network_name(place.key), labels))
            for volume in place.graph.volumes:
                if volume.kind == "temp":
                    name = spec.volume_name(place, volume)
                    group.create_task(self._docker.create_volume(name, labels, {}))

    async def _make_network(self, name: str, labels: Mapping[str, str]) -> None:
        """The stage's bridge: in the engine's own pools, or past them where those are used up."""
        try:
            return await self._docker.create_network(name, labels)
        except EngineRefused as error:
            if _FULL not in error.message:
                raise
            full = error
        for subnet in spare_subnets(name):
            try:
                return await self._docker.create_network(name, labels, subnet=subnet)
            except EngineRefused as error:
                if _OVERLAPS not in error.message:
                    raise
        raise full

    async def start(
        self,
        place: Place,
        step: StepGraph,
        environment: Mapping[str, str | Secret],
        *,
        attempt: int = 1,
    ) -> None:
        """Create, attach, start. Adopts what exists. Errors as in the contract."""
        name = spec.container_name(place, step, attempt)
        try:
            await self._images.refresh(place, step)
            if not await self._create(place, step, environment, name=name):
                return
            await self._attach_and_start(step, name)
        except EngineRefused as error:
            raise _refused(step, error) from error

    async def _create(
        self, place: Place, step: StepGraph, environment: Mapping[str, str | Secret], *, name: str
    ) -> bool:
        """Whether there is a container that was never started."""
        body = spec.container_spec(place, step, environment, image=step.image)
        try:
            await self._docker.create(name, body)
        except EngineRefused as error:
            if error.answer == 409:
                return await self._adopt(place, name)
            if error.answer != 404:
                raise
            await self._images.fetch(place, step)
            await self._docker.create(name, body)
        return True

    async def _adopt(self, place: Place, name: str) -> bool:
        found = await self._docker.inspect(name)
        if found is None:
            raise unavailable(self._docker.address, f"container {name} is just going away")
        labels = found["Config"].get("Labels") or {}
        if labels.get(spec.LABEL_STAGE) != place.key:
            raise InvalidInput(
                f"a container named {name} exists and is not this stage's",
                code="container-refused",
                remedy=f"Remove or rename it: docker rename {name} OTHER",
            )
        return bool(found["State"]["Status"] == "created" and not found["State"]["Error"])

    async def _attach_and_start(self, step: StepGraph, name: str) -> None:
        pipe = await self._docker.attach(name)
        if pipe is not None:
            self._keep_pipe(name, pipe)
        try:
            await self._docker.start(name)
        except BaseException as error:
            self._drop_pipe(name)
            if isinstance(error, EngineRefused):
                # It exists and cannot run: gone, so that another try says the same words.
                await shielded(self._docker.remove(name))
                raise InvalidInput(
                    f"step {step.name}: the engine cannot start {step.image}: {error.message}",
                    code="container-refused",
                    remedy="See the entrypoint, working directory, user and mounts of the step.",
                ) from error
            raise

    def _keep_pipe(self, name: str, pipe: Connection) -> None:
        self._drop_pipe(name)
        self._pipes[name] = pipe

    def _drop_pipe(self, name: str) -> None:
        pipe = self._pipes.pop(name, None)
        if pipe is not None:
            pipe.close()

    async def environment(
        self, place: Place, step: StepGraph, *, attempt: int = 1
    ) -> Mapping[str, str]:
        """What the container has, by the Engine's word."""
        found = await self._docker.inspect(spec.container_name(place, step, attempt))
        pairs = (found or {"Config": {}})["Config"].get("Env") or []
        return {name: value for name, _, value in (str(pair).partition("=") for pair in pairs)}

    async def follow(
        self, place: Place, step: StepGraph, sink: Sink, *, attempt: int = 1, skip: int = 0
    ) -> Ended:
        """The log from raw byte `skip` on, then the end. A vanished container ends with 255."""
        name = spec.container_name(place, step, attempt)
        pipe = self._pipes.pop(name, None)
        if skip and pipe is not None:
            pipe.close()
            pipe = None
        try:
            # The open wait also tells a pipe that ended from an engine that died: it fails then.
            ended = await _both(self._docker.wait(name), self._read(name, pipe, sink, skip=skip))
        except EngineRefused as error:
            if error.answer == 404:
                return _vanished(name)
            raise _refused(step, error) from error
        finally:
            if pipe is not None:
                pipe.close()
        found = await self._docker.inspect(name)
        return _vanished(name) if found is None else _ended(found, ended)

    async def _read(self, name: str, pipe: Connection | None, sink: Sink, *, skip: int) -> None:
        if pipe is not None:
            await read_pipe(pipe, sink)
        else:
            await self._docker.logs(name, sink, skip=skip)

    async def probe(self, place: Place, step: StepGraph, *, attempt: int = 1) -> bool:
        """Whether the service is ready, by its own HEALTHCHECK or the probe it asked for."""
        name = spec.container_name(place, step, attempt)
        ready = step.ready
        found = await self._docker.inspect(name)
        if found is None or not found["State"]["Running"]:
            return False
        if ready is None:
            return True
        if ready.kind == "healthcheck":
            return _healthy(found, step)
        if ready.kind == "command":
            return await self._runs_well(name, ready)
        return await _answers(_address(found, place), ready)

    async def _runs_well(self, name: str, ready: Ready) -> bool:
        try:
            return await self._docker.run_inside(name, ready.command) == 0
        except EngineRefused:
            return False

    async def stop(self, place: Place, step: StepGraph, *, attempt: int = 1) -> None:
        """SIGKILL to all of the step's processes."""
        await self._docker.kill(spec.container_name(place, step, attempt))

    async def destroy(self, place: Place) -> None:
        """Remove the stage's containers, network and volumes, by label: nothing else."""
        for name in [name for name in self._pipes if name.startswith(spec.stem(place.key) + "-")]:
            self._drop_pipe(name)
        labels = [f"{spec.LABEL_STAGE}={place.key}", f"{spec.LABEL_OWNER}={place.owner}"]
        there = _ours(await self._docker.containers(labels), place.key)
        await leftovers.open_folders(self._docker, place, there, self._user)
        await self._remove_all(place.key, owner=place.owner)

    async def sweep(self, keep: Sequence[str]) -> list[str]:
        """Remove what this owner has here of stages that are not in `keep`."""
        owner = f"{spec.LABEL_OWNER}={self._owner}"
        containers = await self._docker.containers([owner])
        networks = await self._docker.networks([owner])
        volumes = await self._docker.volumes([owner])
        things = [*containers, *networks, *volumes]
        keys = {str((thing.get("Labels") or {}).get(spec.LABEL_STAGE, "")) for thing in things}
        gone = sorted(keys - set(keep) - {""})
        for key in gone:
            await self._remove_all(key, owner=self._owner)
        return gone

    async def _remove_all(self, key: str, *, owner: str) -> None:
        labels = [f"{spec.LABEL_STAGE}={key}", f"{spec.LABEL_OWNER}={owner}"]
        try:
            async with asyncio.timeout(_REMOVE_S):
                await self._remove_listed(labels, key)
        except TimeoutError as error:
            raise unavailable(self._docker.address, f"stage {key} is not removed yet") from error

    async def _remove_listed(self, labels: list[str], key: str) -> None:
        for container in _ours(await self._docker.containers(labels), key):
            await self._docker.remove(str(container["Id"]))
        for network in _ours(await self._docker.networks(labels), key):
            with contextlib.suppress(EngineRefused):  # foreign endpoints: the next sweep tries
                await self._docker.remove_network(str(network["Id"]))
        for volume in _ours(await self._docker.volumes(labels), key):
            with contextlib.suppress(EngineRefused):
                await self._docker.remove_volume(str(volume["Name"]))


def _ours(things: list[Json], key: str) -> list[Json]:
    """A second look at the labels: an engine that ignored the filter must not cost foreign data."""
    return [t for t in things if (t.get("Labels") or {}).get(spec.LABEL_STAGE) == key]


def _make_workspace(place: Place) -> None:
    if not place.workspace.is_dir():
        place.workspace.mkdir(parents=True, exist_ok=True)
        # Steps run as any user of any image, and share this folder.
        place.workspace.chmod(0o777)


async def _both(wait: Coroutine[Any, Any, Exit], read: Coroutine[Any, Any, None]) -> Exit:
    """Wait for the end and for the whole log; the first error ends both."""
    async with together() as group:
        task: asyncio.Task[Exit] = group.create_task(wait)
        group.create_task(read)
    return task.result()


def _refused(step: StepGraph, error: EngineRefused) -> InvalidInput:
    return InvalidInput(
        f"step {step.name}: the engine refused a container of {step.image}: {error.message}",
        code="container-refused",
        remedy="See the step's image, mounts, devices and limits.",
    )


def _vanished(name: str) -> Ended:
    return Ended(255, error=f"container {name} was removed by somebody else")


def _ended(found: Json, ended: Exit) -> Ended:
    state = found["State"]
    oom = bool(state.get("OOMKilled"))
    return Ended(
        _KILLED if oom else ended.code,
        oom_killed=oom,
        error=ended.error or str(state.get("Error") or ""),
        started=_millis(state.get("StartedAt")),
        stopped=_not_before(state),
    )


def _not_before(state: Json) -> int | None:
    """When it ended. The Engine may note a start after the end of what ends at once."""
    started, stopped = _millis(state.get("StartedAt")), _millis(state.get("FinishedAt"))
    return max(started or 0, stopped) if stopped is not None else None


def _millis(text: str | None) -> int | None:
    if not text or text.startswith("0001"):
        return None
    head, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.datetime.fromisoformat(head + "+00:00")
    return int(moment.timestamp()) * 1000 + int((fraction + "000")[:3] or 0)


def _healthy(found: Json, step: StepGraph) -> bool:
    health = found["State"].get("Health")
    if not health:
        raise InvalidInput(
            f"service {step.name} shall be ready by its image's HEALTHCHECK, and"
            f" {step.image_written or step.image} has none",
            code="no-healthcheck",
            remedy="Ask for a port, a path or a command in `x-fairway.ready`.",
        )
    return bool(health.get("Status") == "healthy")


def _address(found: Json, place: Place) -> str:
    networks = found["NetworkSettings"]["Networks"]
    own = networks.get(spec.network_name(place.key)) or {}
    return str(own.get("IPAddress") or "127.0.0.1")


async def _answers(address: str, ready: Ready) -> bool:
    """Whether a TCP port takes connections, or an HTTP path answers below status 400."""
    try:
        async with asyncio.timeout(max(ready.interval_s, 1.0)):
            reader, writer = await asyncio.open_connection(address, ready.port)
            try:
                if ready.kind == "tcp":
                    return True
                lines = f"GET {ready.path} HTTP/1.0\r\nHost: {address}\r\n\r\n"
                writer.write(lines.encode())
                head = (await reader.readline()).split()
                return len(head) > 1 and head[1].isdigit() and int(head[1]) < 400
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
