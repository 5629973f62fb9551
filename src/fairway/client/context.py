"""The command line's contexts: which server, as whom. One file, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

from fairway.model.errors import BadFile, NotFound

_MODE: Final = 0o600


class Context(Struct, kw_only=True):
    """One server and an identity there."""

    url: str
    token: str = ""
    ca: str = ""  # PEM file of the server's authority
    repository: str = ""  # where none is named and none is found in Git
    hosts: list[str] = field(default_factory=list)  # its other names: registry, external URL


class Contexts(Struct, kw_only=True):
    """All of them, and the one that counts unless another is named."""

    version: int = 1
    current: str = ""
    contexts: dict[str, Context] = field(default_factory=dict)

    def named(self, name: str = "") -> Context:
        """A context. Raises `NotFound` (code `no-context`)."""
        found = self.contexts.get(name or self.current)
        if found is None and name:
            raise NotFound(
                f"there is no context {name!r}",
                code="no-context",
                remedy="`fairway context` lists them; `fairway login URL` makes one",
            )
        if found is None:
            raise NotFound(
                "no server is chosen",
                code="no-context",
                remedy="`fairway up` starts one here; `fairway login URL` signs in to one"
                + (", `fairway context use NAME` chooses" if self.contexts else ""),
            )
        return found


def default_path(environment: Mapping[str, str]) -> Path:
    """Where the file lies: $XDG_CONFIG_HOME/fairway/config, or ~/.config/fairway/config."""
    base = environment.get("XDG_CONFIG_HOME", "")
    home = environment.get("HOME", "") or "~"
    folder = Path(base) if base.startswith("/") else Path(home).expanduser() / ".config"
    return folder / "fairway" / "config"


def load(path: Path) -> Contexts:
    """Read the file; an absent one is empty. Raises `BadFile`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}", where=str(path)) from error
    try:
        return msgspec.json.decode(data, type=Contexts)
    except msgspec.MsgspecError as error:
        raise BadFile(
            f"not a file of contexts: {error}",
            code="bad-contexts",
            where=str(path),
            remedy="move it away and `fairway login` again",
        ) from error


def save(path: Path, contexts: Contexts) -> None:
    """Write the file, whole or not at all, for its owner only. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = msgspec.json.format(msgspec.json.encode(contexts), indent=2) + b"\n"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def add(path: Path, name: str, context: Context, *, use: bool = True) -> None:
    """Put a context in, replacing one of its name. For `fairway up` and `fairway login`."""
    contexts = load(path)
    contexts.contexts[name] = context
    if use or not contexts.current:
        contexts.current = name
    save(path, contexts)


def too_open(path: Path) -> bool:
    """Whether others may read the tokens."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False
