"""Credentials for one pull by nodes that are not ours: a Secret that ends with it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from fairway.access import nodes
from fairway.access.tokens import revoke
from fairway.cluster.known import Client
from fairway.cluster.registered import NAMESPACE
from fairway.kit.aio import shielded
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError, Unavailable
from fairway.store.database import Database

_LASTS_MS: Final = 3600 * 1000
_ACTOR: Final = "fairway"
_SECRETS: Final = f"/api/v1/namespaces/{NAMESPACE}/secrets"


@asynccontextmanager
async def pull_secret(
    database: Database, client: Client, cluster: str, registry: str
) -> AsyncIterator[str]:
    """The name of a Secret in our namespace that pulls everything from `registry`, in the block."""
    made = await database.write(_mint, cluster)
    name = f"pull-{secrets.token_hex(5)}"
    try:
        await client.request("POST", _SECRETS, docker_config(name, registry, made.value))
        yield name
    finally:
        await shielded(_end(database, client, name, made.id))


def docker_config(name: str, registry: str, token: Secret) -> dict[str, Any]:
    """An image pull Secret."""
    pair = base64.b64encode(f"node:{token.reveal()}".encode()).decode("ascii")
    config = msgspec.json.encode({"auths": {registry: {"auth": pair}}})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {".dockerconfigjson": base64.b64encode(config).decode("ascii")},
    }


def unreachable_registry(cluster: str, registry: str) -> Unavailable:
    """The error for a registry whose name means another machine to a cluster's nodes."""
    return Unavailable(
        f"images are named {registry}/..., which to the nodes of {cluster} is themselves",
        code="registry-unreachable",
        remedy="give Fairway an address that they reach: --external-url https://HOST, or"
        " registry.name",
    )


def _mint(db: Connection, cluster: str) -> nodes.NodeToken:
    return nodes.renew(db, cluster, lasts_ms=_LASTS_MS)


async def _end(database: Database, client: Client, name: str, token: int) -> None:
    await database.write(_revoke, token)
    try:
        await client.request("DELETE", f"{_SECRETS}/{name}")
    except FairwayError:
        return  # what is left holds no more: its token has ended


def _revoke(db: Connection, token: int) -> None:
    revoke(db, token, actor=_ACTOR)
