"""What was ready stays for a moment when nothing else is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fairway.gateway.grace import GRACE_S, Grace, doubtful
from fairway.kube import Json

READY: Json = {"ready": True, "serving": True, "terminating": False}
NOT_YET: Json = {"ready": False, "serving": False, "terminating": False}
ENDING: Json = {"ready": False, "serving": True, "terminating": True}


def sliced(*pods: tuple[str, Json]) -> Json:
    endpoints = [{"addresses": [address], "conditions": state} for address, state in pods]
    return {"metadata": {"name": "web-1", "namespace": "shop"}, "endpoints": endpoints}


@pytest.mark.parametrize(
    ("before", "after", "doubt"),
    [
        (sliced(("a", READY)), sliced(("a", NOT_YET)), True),
        (sliced(("a", READY), ("b", READY)), sliced(("c", NOT_YET)), True),
        (sliced(("a", {})), sliced(("a", NOT_YET)), True),
        (sliced(("a", READY), ("b", READY)), sliced(("a", NOT_YET), ("b", READY)), False),
        (sliced(("a", READY)), sliced(("a", ENDING)), False),
        (sliced(("a", READY)), sliced(), False),
        (sliced(("a", NOT_YET)), sliced(("a", NOT_YET)), False),
        (sliced(), sliced(("a", NOT_YET)), False),
    ],
    ids=[
        "the only one", "another version", "unsaid is ready", "one is left", "it ends",
        "no pods", "it never was", "a first pod",
    ],
)  # fmt: skip
def test_it_is_doubtful_that_all_are_gone_while_some_may_be_ready_soon(
    before: Json, after: Json, doubt: bool
) -> None:
    assert doubtful(before, after) is doubt


class Told:
    """What is passed on, as addresses that are ready."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.grace = Grace(self._note)
        self._last: Json | None = None

    def _note(self, old: Json | None, new: Json | None) -> None:
        assert old is self._last, "each change begins where the one before ended"
        self._last = new
        self.told.append(new and [one["addresses"][0] for one in new["endpoints"] if _ready(one)])

    def come(self, new: Json | None) -> None:
        self.grace(self._last, new)


def _ready(endpoint: Json) -> bool:
    return bool(endpoint["conditions"]["ready"])


@pytest.mark.looptime
async def test_a_flicker_is_not_passed_on() -> None:
    told = Told()
    told.come(sliced(("a", READY)))
    told.come(sliced(("a", NOT_YET)))
    await asyncio.sleep(GRACE_S / 2)
    told.come(sliced(("a", READY)))
    await asyncio.sleep(GRACE_S * 2)
    assert told.told == [["a"], ["a"]]


@pytest.mark.looptime
async def test_a_doubt_that_lasts_is_believed_with_what_came_last() -> None:
    told = Told()
    told.come(sliced(("a", READY)))
    told.come(sliced(("a", NOT_YET)))
    await asyncio.sleep(GRACE_S * 0.9)
    told.come(sliced(("a", NOT_YET), ("b", NOT_YET)))
    assert told.told == [["a"]]
    await asyncio.sleep(GRACE_S * 0.2)
    assert told.told == [["a"], []]


@pytest.mark.looptime
async def test_what_goes_for_good_goes_at_once_though_there_was_a_doubt() -> None:
    for gone in (None, sliced(), sliced(("a", ENDING))):
        told = Told()
        told.come(sliced(("a", READY)))
        told.come(sliced(("a", NOT_YET)))
        told.come(gone)
        assert told.told == [["a"], gone and []]
        await asyncio.sleep(GRACE_S * 2)
        assert len(told.told) == 2
