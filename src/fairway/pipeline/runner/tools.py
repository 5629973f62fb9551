"""What a runner works with, apart from the system it works for."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from fairway.pipeline.dispatch import CaseReport
from fairway.pipeline.dispatch import Runner as Identity
from fairway.pipeline.engine import Engine, Place
from fairway.pipeline.graph import Reports
from fairway.pipeline.plugin import Plugin
from fairway.pipeline.runner.workspaces import Workspaces


class RunnerSettings(Struct, frozen=True, kw_only=True):
    """How a runner works."""

    identity: Identity
    owner: str  # installation and runner: engines sweep nothing of another owner
    hosts: tuple[str, ...] = ()  # "name:address" entries for each container
    poll_s: float = 30.0  # how long one request for work may wait
    patience_s: float = 60.0  # how long an engine may be silent before a step is given up
    sweep_s: float = 60.0  # at most so often, left-overs are looked for
    keep_workspaces_s: float = 24 * 3600.0
    keep_workspaces_bytes: int = 0  # 0: without limit


class Findings(Struct, frozen=True):
    """What a step's report files say. `error`: why they fail the step."""

    cases: tuple[CaseReport, ...] = ()
    lines_covered: int = 0
    lines_total: int = 0
    error: str = ""


class ReportReader(Protocol):
    """Reads the report files that a step promised."""

    async def read(self, folder: Path, wanted: Reports) -> Findings:
        """Find and parse them below `folder`. Never raises for what the files hold."""
        ...


class Remains(Protocol):
    """What plugins that stay leave beside the engine's own things. As `Engine`'s."""

    async def destroy(self, place: Place) -> None:
        """Remove all of a stage. Raises `Unavailable`: to be called again."""
        ...

    async def sweep(self, keep: Sequence[str]) -> list[str]:
        """Remove everything of this owner whose stage key is not in `keep`. Returns their keys."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Everything a stage's run needs. `engines` by graph type: docker, exec."""

    engines: Mapping[str, Engine]
    plugins: Mapping[str, Plugin]
    workspaces: Workspaces
    reports: ReportReader
    settings: RunnerSettings
    remains: Sequence[Remains] = ()
    spread: random.Random = field(default_factory=random.Random)
