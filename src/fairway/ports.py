"""What the application stands on. `opening.py` makes the real ones from settings; the simulated
world hands `app.App` other ones under the same contracts.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fairway.access.keyring import Keyring
from fairway.blob.blob import Blobs
from fairway.kube.fleet import Fleet
from fairway.native.toolbox import Toolbox
from fairway.notify.channel import Sender
from fairway.pipeline.compile import Renderer
from fairway.pipeline.draft import Signatures, Sources, Templates
from fairway.pipeline.engine import Engine
from fairway.pipeline.plugin import Plugin
from fairway.pipeline.runner.tools import Remains, ReportReader
from fairway.pipeline.runner.workspaces import Workspaces
from fairway.source.writing import Writer
from fairway.store.database import Database


class Disk(Protocol):
    """How much room is left where our data lies."""

    async def free(self) -> int | None:
        """Free bytes; None where it cannot be said."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunnerPorts:
    """What a runner of this process stands on. `engines` by graph type: docker, exec."""

    engines: Mapping[str, Engine]
    plugins: Mapping[str, Plugin]
    workspaces: Workspaces
    reports: ReportReader
    hosts: tuple[str, ...] = ()
    remains: tuple[Remains, ...] = ()  # what plugins leave beside the engines' own things
    spread: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What the system stands on. `runner` is None in a process without that role."""

    database: Database
    blobs: Blobs
    keyring: Keyring
    sources: Sources
    signatures: Signatures
    templates: Templates
    disk: Disk
    installation: str  # this installation's own name
    writer: Writer  # commits of Fairway's own
    holder: str  # this process's name in leases; the same after a restart, so that it goes on
    gateway: str = ""  # our address as containers see it, "" when there is none
    renderer: Renderer | None = None  # of templates; None: none but Starlark's
    notices: Sender | None = None  # the way to channels; None: what there is to say waits
    runner: RunnerPorts | None = None
    fleet: Fleet | None = None  # the clusters that controllers work in
    toolbox: Toolbox | None = None  # of native programs: what controllers render and compare with
