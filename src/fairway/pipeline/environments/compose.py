"""An environment of a Compose file, from the file to services that may be relied on.

Docker Compose starts it; what it is given was resolved, judged and arranged before, so nothing is
read a second time from files that may have changed. Everything is labelled with the stage: the
engine removes it when the stage has ended, whatever becomes of this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from fairway.docker.client import Docker
from fairway.kit.aio import background, blocking, shielded, together
from fairway.model.errors import BadFile, FairwayError, InvalidInput
from fairway.pipeline.engine import Sink
from fairway.pipeline.environments import health, place, removal
from fairway.pipeline.environments.copies import Copies, inside
from fairway.pipeline.environments.follow import Follower
from fairway.pipeline.environments.health import Verdict
from fairway.pipeline.environments.judge import Ground, Refusal, judge
from fairway.pipeline.environments.model import Shape, arranged, names
from fairway.pipeline.environments.provide import Provider
from fairway.pipeline.environments.remains import mark
from fairway.pipeline.environments.resolve import Asked, Program, Resolver, shown, split
from fairway.pipeline.environments.wanted import Wanted
from fairway.pipeline.plugins import child

_LOOK_S: Final = 0.3
_WORDS: Final = re.compile(r"^(?:Error response from daemon: )+")
_NOISE: Final = re.compile(r"^\s*(?:\S+ \S+|\S+ \S+ \S+)\s+"
                           r"(?:Creating|Created|Starting|Started|Waiting|Healthy|Running|Exited"
                           r"|Recreate|Recreated)\s*$")  # fmt: skip
Json = Mapping[str, Any]
Up = Callable[[], Awaitable[None]]


class ComposeEnvironments:
    """Environments of Compose files on one engine."""

    def __init__(
        self,
        docker: Docker,
        program: Program,
        provider: Provider,
        *,
        trusting: Resolver,
        confined: Resolver,
        root: Path,
    ) -> None:
        """`root`: a folder of ours for what is run, which has secrets in it."""
        self._docker = docker
        self._program = program
        self._provider = provider
        self._trusting = trusting
        self._confined = confined
        self._root = root

    async def run(self, wanted: Wanted, log: Sink, up: Up) -> None:
        """Start it, call `up` once it may be relied on, and follow its logs until cancelled.

        What failed is removed at once; what was cancelled stays, for whoever goes on or removes
        the stage. Raises `InvalidInput` and `BadFile` (`environment-...`), `Unavailable`.
        """
        try:
            await self._run(wanted, log, up)
        except FairwayError:
            await shielded(self.remove(wanted))
            raise

    async def start(self, wanted: Wanted, log: Sink) -> None:
        """Start it, and return once it may be relied on. It stays, whatever came of it."""

        async def up() -> None:
            """Nobody else waits."""

        await self._run(wanted, log, up, stay=False)

    async def follow(self, wanted: Wanted, log: Sink, *, on: bool) -> None:
        """Its logs from their beginnings; `on`: until cancelled, else what there is now."""
        notes = self._folder(wanted) / "none"
        follower = Follower(self._docker, removal.filters(wanted.labels), log, notes=notes)
        async with background(follower.run(keep=False)):
            await (asyncio.Event().wait() if on else follower.caught_up())

    async def remove(self, wanted: Wanted) -> int:
        """Remove all of one environment."""
        count = await removal.remove(self._docker, wanted.labels)
        await blocking(shutil.rmtree, self._folder(wanted), ignore_errors=True)
        return count

    def _folder(self, wanted: Wanted) -> Path:
        return self._root / wanted.project

    async def _run(self, wanted: Wanted, log: Sink, up: Up, *, stay: bool = True) -> None:
        began = asyncio.get_running_loop().time()
        model = await self.model(wanted, log)
        images = await self._provider.provide(wanted, model["services"], log)
        folder = await blocking(_fresh, self._folder(wanted), wanted)
        binds = {} if wanted.trusted else await blocking(_copied, model, wanted, folder / "files")
        shape = Shape(
            project=wanted.project,
            labels=wanted.labels,
            images=images,
            network=wanted.network,
            binds=binds,
            publish=wanted.publish,
        )
        run = arranged(model, shape)
        file = folder / "compose.json"
        await blocking(_write, file, run)
        follower = Follower(
            self._docker,
            removal.filters(wanted.labels),
            log,
            notes=folder / "logs.json",
            width=max(len(name) for name in run["services"]),
        )
        async with background(follower.run()):
            await self._ready(wanted, run, file, log=log, follower=follower)
            follower.settle()
            took = asyncio.get_running_loop().time() - began
            await log(_told(wanted, run, took).encode())
            await up()
            if stay:
                await asyncio.Event().wait()  # until cancelled: logs are followed meanwhile

    # ---- what is run -----------------------------------------------------------------------------

    async def model(self, wanted: Wanted, log: Sink) -> dict[str, Any]:
        """The file's model, judged. Raises `BadFile`, `InvalidInput`."""
        asked = Asked(
            folder=wanted.files[0].parent,
            files=wanted.files,
            project=wanted.project,
            confined=wanted.workspace,
            profiles=wanted.profiles,
            env_files=wanted.env_files,
            environment=wanted.environment,
        )

        async def told(words: str) -> None:
            await log(f"[fairway] {words}\n".encode())

        resolver = self._trusting if wanted.trusted else self._confined
        resolved = await resolver.resolve(asked, told)
        for warning in resolved.warnings:
            await told(warning)
        model = resolved.model
        if not model.get("services"):
            raise InvalidInput(
                f"{shown(wanted.files[0], wanted.tree)} has no services to start",
                code="environment-file",
                remedy="Name the profiles that are meant: `profiles: [NAME]`.",
            )
        if not wanted.trusted:
            ground = Ground(lambda path: inside(wanted.workspace, path))
            await blocking(_refuse, judge(model, ground), wanted)
        await blocking(_refuse, clashes(model, wanted.taken), wanted)
        return model

    # ---- starting --------------------------------------------------------------------------------

    async def _ready(
        self, wanted: Wanted, run: Json, file: Path, *, log: Sink, follower: Follower
    ) -> None:
        """Start all of it and wait until it is well. Raises `InvalidInput`."""
        counts = health.wanted(run["services"])
        try:
            async with asyncio.timeout(wanted.deadline_s), together() as group:
                starting = group.create_task(self._start(wanted, run, file, log=log))
                await self._wait(wanted, counts, starting, log=log)
        except TimeoutError as error:
            late = [one for one in await self._verdicts(wanted) if one.state != health.State.READY]
            words = "; ".join(f"service {one.service}: {one.why}" for one in late if one.why)
            raise await self._unwell(
                f"not ready within {wanted.deadline_s:g} s: {words or 'it did not start'}",
                late,
                log=log,
                follower=follower,
            ) from error
        except _Unwell as error:
            words = "; ".join(f"service {one.service}: {one.why}" for one in error.verdicts)
            raise await self._unwell(
                words or error.said, error.verdicts, log=log, follower=follower
            ) from error

    async def _start(self, wanted: Wanted, run: Json, file: Path, *, log: Sink) -> None:
        said: list[bytes] = []

        async def keep(data: bytes) -> None:
            said.append(data)

        folder = file.parent
        own = ["--project-name", wanted.project, "--project-directory", str(folder)]
        how = ["--detach", "--no-build", "--pull", "never", "--remove-orphans", "--quiet-pull"]

        async def told(words: str) -> None:
            await log(f"[fairway] {words}\n".encode())

        program = await self._program(told)
        code = await child.run(
            [str(program), *own, "--file", str(file), "--progress", "plain", "up", *how,
             *wanted.services],
            folder=folder,
            environment={
                **_read_by(run, wanted.environment),
                "PATH": "/usr/bin:/bin",
                "HOME": str(folder),
                "DOCKER_CONFIG": str(folder / "docker"),
                "DOCKER_HOST": self._docker.address,
            },
            log=keep,
            deadline_s=wanted.deadline_s + 10,
        )  # fmt: skip
        warnings, rest = split(b"".join(said).decode("utf-8", "replace"))
        for warning in warnings:
            await told(warning)
        if code:
            raise _Unwell(health.failed(await self._verdicts(wanted)), _words(rest, wanted))

    async def _wait(
        self,
        wanted: Wanted,
        counts: Mapping[str, int],
        starting: asyncio.Task[None],
        *,
        log: Sink,
    ) -> None:
        """Until every container is well. One that is lost ends the wait at once."""
        loop, told, steady = asyncio.get_running_loop(), set[str](), health.Steady()
        began = loop.time()
        if wanted.services:
            counts = {}
        while True:
            verdicts = steady.judge(await self._verdicts(wanted), loop.time())
            for one in verdicts:
                if one.service not in told and one.state is not health.State.WAITING:
                    told.add(one.service)
                    words = one.why or f"it is well after {loop.time() - began:.1f} s"
                    await log(f"[fairway] {one.service}: {words}\n".encode())
            if starting.done() and health.failed(verdicts):
                raise _Unwell(health.failed(verdicts), "")
            if starting.done() and health.ready(verdicts, counts):
                return
            await asyncio.sleep(_LOOK_S)

    async def _verdicts(self, wanted: Wanted) -> list[Verdict]:
        found = []
        for one in await self._docker.containers(removal.filters(wanted.labels)):
            inspected = await self._docker.inspect(str(one["Id"]))
            if inspected is not None:
                found.append(health.verdict(inspected))
        return sorted(found, key=lambda one: one.service)

    async def _unwell(
        self, words: str, verdicts: list[Verdict], *, log: Sink, follower: Follower
    ) -> InvalidInput:
        """The error, after the log has the last lines of whoever is to blame."""
        await asyncio.sleep(_LOOK_S)  # the follower looks once more
        await follower.drained()
        for service in dict.fromkeys(one.service for one in verdicts):
            lines = follower.last(service)
            head = f"[fairway] the last lines of {service}:" if lines else (
                f"[fairway] {service} has said nothing")  # fmt: skip
            shown_lines = "".join(f"    {line}\n" for line in lines)
            await log(f"{head}\n{shown_lines}".encode())
        return InvalidInput(
            f"the environment did not start: {words}",
            code="environment-unwell",
            remedy="See the log of the service; a longer wait is `timeout: 10m` in the settings.",
        )


class _Unwell(Exception):
    """Starting failed: of these services, or in these words."""

    def __init__(self, verdicts: list[Verdict], said: str) -> None:
        super().__init__(said)
        self.verdicts = verdicts
        self.said = said


def clashes(model: Json, taken: frozenset[str]) -> list[Refusal]:
    """Services whose name a step has too: both would answer to it."""
    return [
        Refusal(
            f"services.{name}",
            f"a step or service of the pipeline is named '{called}' as well, and both would answer",
        )
        for name, service in model["services"].items()
        for called in names(name, service)
        if called in taken
    ]


def _refuse(refusals: list[Refusal], wanted: Wanted) -> None:
    if not refusals:
        return
    first = wanted.files[0]
    text = first.read_text(encoding="utf-8", errors="replace")
    name = shown(first, wanted.tree)
    lines = [f"{place.where(text, one.path, name=name)}: {one}" for one in refusals]
    raise BadFile(
        "\n".join([f"{refusals[0]}", *lines[1:]]),
        code="environment-refused",
        where=place.where(text, refusals[0].path, name=name),
        remedy="Leave it out for builds (another file, or a profile), or ask an administrator to"
        " mark the repository as trusted.",
    )


def _fresh(folder: Path, wanted: Wanted) -> Path:
    """The folder for what is run. Secrets are written there: nobody else may look."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.chmod(0o700)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "docker").mkdir(exist_ok=True)
    mark(folder, owner=wanted.owner, key=wanted.key)
    return folder


def _copied(model: Json, wanted: Wanted, target: Path) -> dict[str, str]:
    """Copies of the files that services mount."""
    copies = Copies(wanted.workspace, target)
    paths = [
        str(volume["source"])
        for service in model["services"].values()
        for volume in service.get("volumes") or []
        if volume.get("type") == "bind"
    ]
    for kind in ("secrets", "configs"):
        paths += [one["file"] for one in (model.get(kind) or {}).values() if one.get("file")]
    return {path: str(copies.copy(path)) for path in dict.fromkeys(paths)}


def _write(path: Path, run: Json) -> None:
    data = json.dumps(run, indent=1).encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _read_by(run: Json, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that secrets and configs are made of."""
    named = {
        str(one["environment"])
        for kind in ("secrets", "configs")
        for one in (run.get(kind) or {}).values()
        if one.get("environment")
    }
    return {name: environment[name] for name in sorted(named) if name in environment}


def _words(said: str, wanted: Wanted) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    text = lines[-1] if lines else "Docker Compose ended without a word"
    return _WORDS.sub("", text).replace(f"{wanted.project}-", "")


def _told(wanted: Wanted, run: Json, took: float) -> str:
    answering = ", ".join(run["services"])
    where = "later steps reach them by these names" if wanted.network else "they run"
    return f"[fairway] ready after {took:.1f} s: {answering}; {where}\n"
