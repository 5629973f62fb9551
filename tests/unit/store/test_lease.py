"""Leases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairway.kit import clock
from fairway.store import lease
from fairway.store.database import Database


@pytest.fixture
def time() -> Iterator[list[float]]:
    at = [1_000.0]
    former = clock.use(lambda: at[0])
    yield at
    clock.use(former)


def test_only_one_holds_it_and_may_renew(database: Database, time: list[float]) -> None:
    assert database.write_now(lease.acquire, "cron", "a", 9)
    assert not database.write_now(lease.acquire, "cron", "b", 9)
    time[0] += 8
    assert database.write_now(lease.acquire, "cron", "a", 9)
    time[0] += 8
    assert not database.write_now(lease.acquire, "cron", "b", 9)
    assert database.read_now(lease.holder_of, "cron") == "a"


def test_a_dead_holders_lease_is_taken_over_within_ten_seconds(
    database: Database, time: list[float]
) -> None:
    assert database.write_now(lease.acquire, "cron", "a", 9)
    time[0] += 9.9
    assert database.write_now(lease.acquire, "cron", "b", 9)
    assert not database.write_now(lease.acquire, "cron", "a", 9)


def test_a_lease_is_given_back_only_by_its_holder(database: Database) -> None:
    assert database.write_now(lease.acquire, "cron", "a", 9)
    database.write_now(lease.release, "cron", "b")
    assert database.read_now(lease.holder_of, "cron") == "a"
    database.write_now(lease.release, "cron", "a")
    assert database.read_now(lease.holder_of, "cron") is None
    assert database.write_now(lease.acquire, "cron", "b", 9)
