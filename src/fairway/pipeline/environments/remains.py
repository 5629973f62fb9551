"""What environments leave beside the engine's containers, networks and volumes: images that were
made for them, and the folders with what was run. Removed with the stage, and swept after a crash.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fairway.docker.client import Docker
from fairway.kit.aio import blocking
from fairway.pipeline.engine import Place
from fairway.pipeline.engines.spec import LABEL_OWNER, LABEL_STAGE
from fairway.pipeline.environments import removal

_MARK: Final = "whose.json"


class EnvironmentRemains:
    """Of one owner, in one engine and one folder."""

    def __init__(self, docker: Docker, root: Path, *, owner: str) -> None:
        self._docker = docker
        self._root = root
        self._owner = owner

    async def destroy(self, place: Place) -> None:
        """Remove a stage's. Raises `Unavailable`."""
        await self._remove(place.owner, place.key)

    async def sweep(self, keep: Sequence[str]) -> list[str]:
        """Remove those of stages that are not in `keep`. Raises `Unavailable`."""
        images = await self._docker.images(removal.filters({LABEL_OWNER: self._owner}))
        found = {str((one.get("Labels") or {}).get(LABEL_STAGE, "")) for one in images}
        found |= {key for _folder, key in await blocking(_marked, self._root, self._owner)}
        gone = sorted(found - set(keep) - {""})
        for key in gone:
            await self._remove(self._owner, key)
        return gone

    async def _remove(self, owner: str, key: str) -> None:
        marks = {LABEL_OWNER: owner, LABEL_STAGE: key}
        await removal.remove_images(self._docker, marks)
        for folder, whose in await blocking(_marked, self._root, owner):
            if whose == key:
                await blocking(shutil.rmtree, folder, ignore_errors=True)


def mark(folder: Path, *, owner: str, key: str) -> None:
    """Write down whose a folder is."""
    (folder / _MARK).write_text(json.dumps([owner, key]), encoding="utf-8")


def _marked(root: Path, owner: str) -> list[tuple[Path, str]]:
    """The folders of an owner, each with its stage."""
    found: list[tuple[Path, str]] = []
    for path in sorted(root.glob(f"*/{_MARK}")):
        try:
            whose, key = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if whose == owner:
            found.append((path.parent, str(key)))
    return found
