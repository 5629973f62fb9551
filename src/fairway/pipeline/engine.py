"""The engine contract: where containers (or plain processes) run. Implementations: `engines/`.

An engine knows graphs, never YAML, builds or the database. Everything it makes is labelled with
the stage's key, is found again after a crash of the caller by a name derived from (stage key, step
number, attempt), and is removed by `destroy` or `sweep`; nothing else is ever touched.

One contract suite (`fairway.testing.contracts.engine`) is passed by every implementation and by the
simulated one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from fairway.kit.secret import Secret
from fairway.pipeline.graph import StageGraph, StepGraph


class Place(Struct, frozen=True, kw_only=True):
    """One stage's place in an engine: its key, and what it may use there."""

    key: str  # unique over all builds and installations: names and labels derive from it
    graph: StageGraph
    workspace: Path  # the runner's folder that becomes the workspace volume
    owner: str  # the installation's id: `sweep` never touches another owner's things
    auths: Mapping[str, Secret] = field(default_factory=dict)  # registry host -> Docker auth JSON
    hosts: Sequence[str] = ()  # "name:address" pairs added to each container


class Ended(Struct, frozen=True):
    """How a container ended. Exit code 255 with `error` set: the engine could not run it."""

    exit_code: int
    oom_killed: bool = False
    error: str = ""
    started: int | None = None  # milliseconds UTC, by the engine's word
    stopped: int | None = None


Sink = Callable[[bytes], Awaitable[None]]
"""Takes the next raw bytes of a log; returning means they are kept. Slow sinks slow the engine."""


class Engine(Protocol):
    """Runs the steps of stages.

    Every method raises `Unavailable` (code `engine-unavailable`) when the engine does not answer:
    it may then be called again with the same arguments. All calls are idempotent.
    """

    async def check(self) -> str:
        """The engine's name and version. Raises `Unavailable`."""
        ...

    async def setup(self, place: Place) -> None:
        """Make what the stage's containers share: network, volumes. Finds what exists."""
        ...

    async def start(
        self,
        place: Place,
        step: StepGraph,
        environment: Mapping[str, str | Secret],
        *,
        attempt: int = 1,
    ) -> None:
        """Fetch the image by the step's policy, create the container and start it.

        `environment` is complete: the graph's with secrets put in and the late variables set.
        A container of this (stage, step, attempt) that exists already is adopted and never started
        twice. Raises `InvalidInput` (codes `image-not-found`, `image-refused`, `container-refused`,
        each naming image and cause): retrying does not help.
        """
        ...

    async def environment(
        self, place: Place, step: StepGraph, *, attempt: int = 1
    ) -> Mapping[str, str]:
        """What the container of this attempt was started with; {} where there is none.

        One that an earlier holder started may know secrets that have been changed since.
        """
        ...

    async def follow(
        self, place: Place, step: StepGraph, sink: Sink, *, attempt: int = 1, skip: int = 0
    ) -> Ended:
        """Feed the log to `sink` from raw byte `skip` on until end-of-file, then say how it ended.

        stdout and stderr come as one stream in the engine's order. Returns only when every byte
        was taken by the sink. Safe to call again after a cut, with `skip` at what was kept.
        """
        ...

    async def probe(self, place: Place, step: StepGraph, *, attempt: int = 1) -> bool:
        """Whether a service with `ready` is ready now. False too when it has ended.

        Raises `InvalidInput` (code `no-healthcheck`) when its image has no HEALTHCHECK to ask.
        """
        ...

    async def stop(self, place: Place, step: StepGraph, *, attempt: int = 1) -> None:
        """End a step's processes at once (SIGKILL). What is gone already is fine."""
        ...

    async def destroy(self, place: Place) -> None:
        """Remove every container, network and volume of the stage; the workspace stays."""
        ...

    async def sweep(self, keep: Sequence[str]) -> list[str]:
        """Remove everything of this owner whose stage key is not in `keep`. Returns their keys."""
        ...
