"""Options and fixtures of the crash tests."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.testing.installation import Installation

ROUNDS = 30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rounds", type=int, default=ROUNDS, help=f"how often Fairway is killed ({ROUNDS})"
    )


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--rounds"))


@pytest.fixture
def seed() -> int:
    """Printed with a failure; FAIRWAY_CRASH_SEED replays its choices."""
    given = os.environ.get("FAIRWAY_CRASH_SEED")
    return int(given) if given else secrets.randbelow(1 << 32)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """One that nobody has started yet. Whatever happens, nothing of it stays."""
    made = Installation(tmp_path / "fairway", words=["--capacity", "4"])
    yield made
    made.kill()
    if made.data.exists():
        made.command("down", "--purge", "--yes")
