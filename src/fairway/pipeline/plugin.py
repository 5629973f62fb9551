"""The contract of plugins that Fairway runs itself, in the runner, instead of an image.

A plugin sees what its image would have seen (the step's environment with PLUGIN_* settings, and
the workspace), writes a log, and ends with an exit code. It may be run again after a crash of the
runner: its effects must be repeatable, or carry the job's idempotency key.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from fairway.kit.secret import Secret
from fairway.model.image import BuiltImage
from fairway.pipeline.engine import Sink


class Up(Protocol):
    """Tells the stage that a plugin that stays may be relied on."""

    async def __call__(self, *hosts: str) -> None:
        """Let what hangs on it begin, with these "name:address" entries in later containers."""
        ...


async def _nobody(*hosts: str) -> None:
    """Nobody waits for a plugin that ends by itself."""


class Job(Struct, frozen=True, kw_only=True):
    """One run of a plugin."""

    step: str
    image: str  # as the file says: plugins/ecr differs from plugins/docker in its settings
    environment: Mapping[str, str]  # secrets put in
    workspace: Path  # the folder that containers see as the workspace's base
    tree: Path  # the repository's files, a folder of the workspace or the workspace itself
    key: str  # the same for every run of this step's attempt: repeated effects carry it
    log: Sink  # masked, kept and limited like any step's log
    clone_url: str = ""
    clone_user: str = ""
    clone_password: Secret = field(default_factory=lambda: Secret(""))
    registry: str = ""  # our registry as the runner's engine reaches it
    registry_token: Secret = field(default_factory=lambda: Secret(""))
    auths: Mapping[str, Secret] = field(default_factory=dict)  # host -> Docker auth JSON
    built: Mapping[str, str] = field(default_factory=dict)  # as written -> path@digest in ours
    stage: str = ""  # the stage's key: what is labelled with it goes when the stage ends
    owner: str = ""  # the other label of everything that the stage makes
    number: int = 0  # the step's
    trusted: bool = False  # whether the repository may use the machine itself
    repository: str = ""  # organisation/name, whatever the step's variables say
    build: int = 0  # the build's id
    deploys: bool = False  # acts for its repository in clusters
    taken: frozenset[str] = frozenset()  # names by which containers of the stage are reached
    up: Up = _nobody  # of one that stays: it may be relied on now


class PluginEnd(Struct, frozen=True):
    """How a plugin ended. `error`: it could not be carried out, which is not the user's failure."""

    exit_code: int = 0
    error: str = ""
    images: tuple[BuiltImage, ...] = ()


class Plugin(Protocol):
    """One built-in plugin.

    Its cancellation must end all that it started. One that stays (a detached step) leaves what is
    labelled with the stage: whoever goes on finds it there, and it is removed with the stage.
    """

    async def run(self, job: Job) -> PluginEnd:
        """Do the work. Raises `InvalidInput` for settings that cannot be right."""
        ...
