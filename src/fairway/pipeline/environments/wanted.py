"""What an environment of a Compose file is asked to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from fairway.kit import goduration
from fairway.kit.secret import Secret
from fairway.pipeline.environments import removal

_DURATION: Final = re.compile(
    r"(?:[0-9]{1,5}h)?(?:[0-9]{1,5}m)?(?:[0-9]{1,7}(?:\.[0-9]{1,3})?s)?\Z"
)


class Wanted(Struct, frozen=True, kw_only=True):
    """One environment. Paths are the runner's."""

    key: str  # the stage's, or a folder's on a person's machine
    owner: str  # whose it is: sweeps go by it
    project: str  # unique on the engine: names of containers, networks and volumes begin with it
    tree: Path  # the repository
    workspace: Path  # around it: what lies in it may be read and mounted
    files: tuple[Path, ...]
    profiles: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    services: tuple[str, ...] = ()  # only these, and what they depend on; () is all
    environment: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)  # service -> image
    trusted: bool = False
    publish: bool = False
    network: str = ""  # that services join, for others to reach them by name
    taken: frozenset[str] = frozenset()  # names that others have there
    deadline_s: float = 300.0
    registry: str = ""
    auths: Mapping[str, Secret] = field(default_factory=dict)
    built: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """What marks everything of this environment."""
        return removal.labels(self.owner, self.key, self.project)


def seconds(text: str) -> float:
    """`90s`, `5m` or `1h30m` in seconds; 0 for anything else."""
    return goduration.seconds(text) if text and _DURATION.match(text) else 0.0
