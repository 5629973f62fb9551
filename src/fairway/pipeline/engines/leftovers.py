"""Folders that containers made as another user, opened so that the runner may remove them.

A runner that is not root shares its workspaces with containers that are. What those made as root
it can neither age out nor purge. Before a stage's containers go, one more of them opens the
folders: of folders alone, since a private key that others may read is refused by its program.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fairway.docker.client import Docker, EngineRefused, Json
from fairway.kit.aio import blocking
from fairway.model.errors import Unavailable
from fairway.pipeline.engine import Place
from fairway.pipeline.engines import spec

_INSIDE: Final = "/fairway-workspace"
_OPEN: Final = f"find {_INSIDE} -type d ! -perm -0007 -exec chmod a+rwx {{}} +"
_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


async def open_folders(docker: Docker, place: Place, containers: Sequence[Json], user: int) -> None:
    """Let `user` remove the workspace of a stage that has ended. Best effort: it only logs.

    `containers`: the stage's own, as the Engine lists them. Their images are here, and have a
    shell where steps have commands.
    """
    if user == 0 or not await blocking(closed_to, place.workspace, user):
        return
    try:
        async with asyncio.timeout(_SECONDS):
            for image in dict.fromkeys(str(found["ImageID"]) for found in containers):
                if await _opened_by(docker, place, image):
                    return
    except (EngineRefused, Unavailable, TimeoutError) as error:
        _log.warning("folders of %s stay closed to this runner: %s", place.workspace, error)
        return
    _log.warning("no image of the stage can open the folders of %s", place.workspace)


async def _opened_by(docker: Docker, place: Place, image: str) -> bool:
    name = f"{spec.stem(place.key)}-open"
    body: Json = {
        "Image": image,
        "User": "0:0",
        "Entrypoint": ["/bin/sh", "-c", _OPEN],
        "Cmd": [],
        "WorkingDir": "/",
        "Labels": spec.labels(place),
        "NetworkDisabled": True,
        "HostConfig": {"Binds": [f"{place.workspace}:{_INSIDE}"], "NetworkMode": "none"},
    }
    await docker.remove(name)
    await docker.create(name, body)
    try:
        await docker.start(name)
        return (await docker.wait(name)).code == 0
    except EngineRefused as error:
        _log.info("%s cannot open folders: %s", image, error)
        return False
    finally:
        await docker.remove(name)


def closed_to(folder: Path, user: int) -> bool:
    """Whether a folder in a tree belongs to somebody else and lets no others write. Blocks."""
    for here, _folders, _files in os.walk(folder, onerror=lambda _error: None):
        found = Path(here).lstat()
        if found.st_uid != user and not found.st_mode & stat.S_IWOTH:
            return True
    return False
