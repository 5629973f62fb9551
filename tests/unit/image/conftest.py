"""A registry without network: ASGI calls, a database, blobs in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from registry_client import Client, Time

from fairway.image.registry import Deps
from fairway.image.registry.access import Open
from fairway.kit import clock
from fairway.store.database import Database
from fairway.testing.blob import MemoryBlobs


@pytest.fixture
def time() -> Iterator[Time]:
    """The time of day."""
    moved = Time()
    former = clock.use(moved)
    yield moved
    clock.use(former)


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
async def client(database: Database, blobs: MemoryBlobs) -> AsyncIterator[Client]:
    """A client of an open registry."""
    made = Client(Deps(database, blobs, Open(), bytes(32)))
    yield made
    await made.http.aclose()
