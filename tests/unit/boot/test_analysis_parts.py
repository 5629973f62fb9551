"""Who tells what a version's traffic was like, by this process's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.boot import analysis
from fairway.model.errors import Unavailable
from fairway.rollout.measured_http import HttpTraffic
from fairway.settings import Rollout, Settings


async def test_another_fairway_is_asked_where_one_is_named(tmp_path: Path) -> None:
    given = Rollout(gateway_url="https://fairway.example.org", gateway_token="t")
    found = analysis.traffic(Settings(data=tmp_path, rollout=given), None)
    assert isinstance(found, HttpTraffic)
    await found.close()


async def test_without_any_gateway_a_measurement_says_what_to_name(tmp_path: Path) -> None:
    found = analysis.traffic(Settings(data=tmp_path), None)
    with pytest.raises(Unavailable) as raised:
        await found.measured("local", "n", "s", seconds=60.0, version="")
    assert raised.value.code == "no-gateway-counts"
    assert "rollout.gateway_url" in raised.value.remedy
