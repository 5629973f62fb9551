"""What production runs: the last release that passed in the last environment of its delivery."""

from __future__ import annotations

import pytest

from fairway.model.build import Companion
from fairway.model.release import Promotion, PromotionKind, PromotionState, Release
from fairway.release.production import Production
from fairway.store import promotions, releases
from fairway.store.database import Database

SPEC = {
    "services": [
        {"name": "ratings", "repository": "webflix/ratings"},
        {"name": "films", "repository": "webflix/catalogue", "image": "webflix/films"},
    ],
    "environments": [
        {"name": name, "configuration": {"repository": "webflix/environments", "path": name}}
        for name in ("dev", "production")
    ],
}
NAMES = ["webflix/ratings", "webflix/films", "webflix/unknown"]


class Records:
    """Deliveries and what became of their releases."""

    def __init__(self, database: Database) -> None:
        self.database = database
        database.write_now(releases.keep, {"webflix": SPEC})

    def release(self, version: str, service: str = "ratings") -> int:
        image = {"ratings": "webflix/ratings", "films": "webflix/films"}[service]
        made = Release(
            id=0,
            delivery="webflix",
            service=service,
            repository=image,
            version=version,
            image=image,
            digest=f"sha256:{version}",
            chart=service,
            build=len(version) + int(version.replace(".", "")),
        )
        number = self.database.write_now(releases.add, made)
        assert number is not None
        return number

    def promote(
        self,
        release: int,
        environment: str = "production",
        *,
        state: PromotionState = PromotionState.PASSED,
        kind: PromotionKind = PromotionKind.PROMOTION,
        service: str = "ratings",
    ) -> None:
        made = Promotion(
            id=0,
            release=release,
            delivery="webflix",
            service=service,
            environment=environment,
            state=state,
            kind=kind,
        )
        self.database.write_now(promotions.add, made)

    async def running(self) -> dict[str, Companion]:
        return await Production(self.database).running(NAMES)


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)


async def test_nothing_is_there_before_a_release_has_come_so_far(records: Records) -> None:
    records.promote(records.release("1.0.0"), "dev")
    assert await records.running() == {}


async def test_it_is_the_last_that_passed_not_the_one_under_way(records: Records) -> None:
    first, second = records.release("1.0.0"), records.release("1.1.0")
    records.promote(first)
    records.promote(second, state=PromotionState.RUNNING)
    name = "webflix/ratings"
    expected = Companion(image=name, digest="sha256:1.0.0", origin="production 1.0.0")
    assert await records.running() == {name: expected}


async def test_after_a_rollback_it_is_what_was_rolled_back_to(records: Records) -> None:
    first, second = records.release("1.0.0"), records.release("1.1.0")
    for number in (first, second):
        records.promote(number)
    records.promote(first, kind=PromotionKind.ROLLBACK)
    assert (await records.running())["webflix/ratings"].digest == "sha256:1.0.0"


async def test_an_image_of_another_name_is_found_by_that_name(records: Records) -> None:
    records.promote(records.release("2.0.0", "films"), service="films")
    assert list(await records.running()) == ["webflix/films"]


async def test_without_deliveries_nothing_runs(records: Records) -> None:
    records.promote(records.release("1.0.0"))
    records.database.write_now(releases.keep, {})
    assert await records.running() == {}
