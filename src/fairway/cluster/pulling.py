"""How a node's containerd pulls from our registry: by the name that images have, with a token.

The name (127.0.0.1:8480, say) means another machine to a node: a `hosts.toml` leads it to our
address on the cluster's bridge, and holds the node's token as a header. containerd reads the file
at each pull, so a new token needs no restart; it lies in a folder of root's, and no pod sees it.
https://github.com/containerd/containerd/blob/release/1.6/docs/hosts.md
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from fairway.access import nodes
from fairway.access.tokens import Tokens
from fairway.kit.aio import blocking
from fairway.kit.files import replace_private
from fairway.kit.secret import Secret
from fairway.model.errors import Unauthenticated
from fairway.store.database import Database

_FILE: Final = "hosts.toml"
_BASIC: Final = re.compile(r'"Basic ([A-Za-z0-9+/=]+)"')
_USER: Final = "node"


def hosts_toml(address: str, token: Secret) -> str:
    """The file's text: ours is the only host, also where containerd would fall back to the name."""
    pair = base64.b64encode(f"{_USER}:{token.reveal()}".encode()).decode("ascii")
    header = f'authorization = "Basic {pair}"'
    return (
        f'server = "{address}"\n\n'
        f"[header]\n{header}\n\n"
        f'[host."{address}"]\ncapabilities = ["pull", "resolve"]\n\n'
        f'[host."{address}".header]\n{header}\n'
    )


def token_in(text: str) -> Secret | None:
    """The token of a file that we wrote; None where there is none."""
    match = _BASIC.search(text)
    if match is None:
        return None
    pair = base64.b64decode(match[1]).decode("utf-8", "replace")
    return Secret(pair.partition(":")[2])


class Pulling:
    """Keeps the nodes of every embedded cluster able to pull."""

    def __init__(self, database: Database, tokens: Tokens, *, registry: str) -> None:
        self._database = database
        self._tokens = tokens
        self._registry = registry

    async def ensure(self, cluster: str, folder: Path, address: str) -> bool:
        """Have the file in containerd's `config_path` with a token that serves on.

        `address`: our HTTP as the nodes reach it. Returns whether it was written anew.
        """
        path = folder / self._registry / _FILE
        text = await blocking(_read, path)
        if await self._serves(cluster, text, address):
            return False
        made = await self._database.write(nodes.renew, cluster)
        await blocking(_write, path, hosts_toml(address, made.value))
        await self._database.write(_end_others, cluster, made.id)
        self._tokens.forget()
        return True

    async def forget(self, cluster: str) -> None:
        """A cluster has gone: its nodes' tokens end."""
        await self._database.write(_end_others, cluster, None)
        self._tokens.forget()

    async def _serves(self, cluster: str, text: str, address: str) -> bool:
        token = token_in(text)
        if token is None or text != hosts_toml(address, token):
            return False
        counts = await self._database.read(nodes.serving, cluster)
        try:
            identity = await self._tokens.verify(token)
        except Unauthenticated:
            return False
        return counts is not None and counts.id == identity.token_id


def _end_others(db: Connection, cluster: str, keep: int | None) -> int:
    return nodes.end_others(db, cluster, keep)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    replace_private(path, text.encode(), durable=True)
