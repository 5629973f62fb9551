"""Where the Go programs are: a folder that `scripts/native` or the wheel `fairway-native` made.

A folder of them holds `versions.json` besides, which is written last: what has it is complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fairway.kit import aio
from fairway.model.errors import InvalidInput, Unavailable

_CHECKOUT: Final = Path(__file__).parents[3]
_VERSIONS: Final = "versions.json"
_NAMES: Final = ("fairway-native", "fairway-compose", "pause")
_POLL: Final = 0.5  # seconds between two looks while a build is under way


class Programs(Struct, frozen=True):
    """The three programs of one build, and what they were built from."""

    folder: Path
    versions: dict[str, str]  # by part: kubernetes, helm, coredns, etcd, compose, ... ("v1.36.3")

    @property
    def native(self) -> Path:
        """Kubernetes' components, kubectl, helm, the toolbox: `native COMPONENT [flags]`."""
        return self.folder / "fairway-native"

    @property
    def compose(self) -> Path:
        """Docker Compose."""
        return self.folder / "fairway-compose"

    @property
    def pause(self) -> Path:
        """The static program of the pause image."""
        return self.folder / "pause"

    @property
    def version(self) -> str:
        """Kubernetes' version, as "v1.36.3"."""
        return self.versions.get("kubernetes", "")


def find(dir_setting: str = "", checkout: Path = _CHECKOUT) -> Programs:
    """The programs in the setting's folder, else the installed wheel's, else this checkout's.

    Blocks for a few file accesses. Raises InvalidInput (`native-dir`) when the setting names a
    folder without them, and Unavailable (`native-missing`, may be retried while they are being
    built) when there are none.
    """
    if dir_setting:
        return _named(Path(dir_setting))
    for folder in (_installed(), checkout / ".cache" / "native" / "current"):
        found = _read(folder) if folder is not None else None
        if found is not None:
            return found
    under_way = progress(checkout)
    raise Unavailable(
        "the programs of native/ are " + (f"being built: {under_way}" if under_way else "missing"),
        code="native-missing",
        remedy=_remedy(checkout),
    )


def _remedy(checkout: Path) -> str:
    if (checkout / "native" / "go.mod").exists():
        return "scripts/native --wait builds them"
    return "pip install fairway-native, or set native.dir to a folder that has them"


def progress(checkout: Path = _CHECKOUT) -> str:
    """How far a build of this checkout is, as one line; "" when none is known to be under way."""
    try:
        return (checkout / ".cache" / "native" / "progress").read_text().strip()
    except OSError:
        return ""


async def wait(dir_setting: str = "", told: Callable[[str], None] | None = None) -> Programs:
    """Wait until the programs are there; `told` hears each time the reason changes.

    Has no end of its own: programs may appear at any time. Raises InvalidInput as `find` does.
    """
    said = ""
    while True:
        try:
            return await aio.blocking(find, dir_setting)
        except Unavailable as error:
            if told is not None and str(error) != said:
                said = str(error)
                told(said)
        await asyncio.sleep(_POLL)


def _named(folder: Path) -> Programs:
    found = _read(folder)
    if found is None:
        raise InvalidInput(
            f"{folder} does not hold {', '.join(_NAMES)} and {_VERSIONS}",
            code="native-dir",
            where="native.dir",
            remedy="name a folder that scripts/native made, or leave the setting empty",
        )
    return found


def _installed() -> Path | None:
    """The folder of the wheel `fairway-native`."""
    with contextlib.suppress(ImportError):
        found = importlib.import_module("fairway_native").folder()
        return found if isinstance(found, Path) else None
    return None


def _read(folder: Path) -> Programs | None:
    folder = folder.resolve()  # a link moves on to the next build; a process keeps to one
    if not all((folder / name).is_file() for name in _NAMES):
        return None
    try:
        versions = msgspec.json.decode((folder / _VERSIONS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return None
    return Programs(folder=folder, versions=versions)
