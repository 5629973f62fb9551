"""Fixtures of the access tests."""

from __future__ import annotations

import pytest

from fairway.store.database import Database
from fairway.testing.people import People


@pytest.fixture
def world(database: Database) -> People:
    """Users, organisations and repositories of all kinds."""
    return People(database)
