"""Where nobody wants to hear anything, nothing is written."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kit.aio import Wake
from fairway.model.events import PromotionChanged
from fairway.notify.telling import Telling
from fairway.store.database import Database


async def test_without_a_rule_an_event_begins_no_writing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_given: Any) -> None:
        raise AssertionError("it began to write")

    monkeypatch.setattr(database, "write", refused)
    event = PromotionChanged(
        delivery="shop",
        service="catalogue",
        environment="production",
        promotion=5,
        release=9,
        version="1.0.0",
        digest="sha256:1",
        way="promotion",
        state="passed",
    )
    await Telling(database, url="https://fairway.test", wake=Wake()).tell(event, "key")
