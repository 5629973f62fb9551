"""The integration suite on demand: what its build is told of an environment."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from delivery_records import delivery, promotion, release
from msgspec.structs import replace

from fairway.model.errors import InvalidInput, NotFound
from fairway.release import recreating
from fairway.release.spec import Delivery, Environment, PipelineCheck
from fairway.store import promotions, releases
from fairway.store.database import Database

DIGEST = "sha256:" + "5" * 64


class Started:
    """Keeps what is asked for."""

    async def start(
        self, slug: str, _check: PipelineCheck, parameters: Mapping[str, str], *, key: str
    ) -> str:
        self.asked = (slug, dict(parameters), key)
        return f"{slug}#7"


def _here(tests: PipelineCheck | None) -> tuple[Delivery, Environment]:
    made = replace(delivery({"name": "production"}, services=("web", "shop-front")), tests=tests)
    place = made.environment("production")
    assert place is not None
    return made, place


async def test_the_suite_is_told_what_runs_and_what_takes_its_place(database: Database) -> None:
    database.write_now(releases.add, release(1))
    database.write_now(promotions.add, promotion(0, 1))
    pipelines = Started()
    deps: Any = SimpleNamespace(database=database, pipelines=pipelines)
    made, place = _here(PipelineCheck(repository="acme/suite"))
    assert await recreating.test(deps, made, place, {}, key="k") == "acme/suite#7"
    image = release(1).image
    runs = release(1).digest
    assert pipelines.asked == (
        "acme/suite",
        {
            "FAIRWAY_ENVIRONMENT": "production",
            "FAIRWAY_DIGEST_WEB": runs,
            "FAIRWAY_IMAGE_WEB": f"{image}@{runs}",
        },
        "k",
    )
    await recreating.test(deps, made, place, {"shop-front": DIGEST}, key="k")
    assert pipelines.asked[1]["FAIRWAY_DIGEST_SHOP_FRONT"] == DIGEST
    assert pipelines.asked[1]["FAIRWAY_IMAGE_SHOP_FRONT"].endswith(f"@{DIGEST}")


async def test_without_a_suite_it_is_said_how_to_name_one() -> None:
    made, place = _here(None)
    deps: Any = SimpleNamespace()
    with pytest.raises(InvalidInput) as caught:
        await recreating.test(deps, made, place, {}, key="k")
    assert (caught.value.code, caught.value.where) == ("no-tests", "spec.tests")
    assert "tests: {repository: ORG/NAME}" in caught.value.remedy


async def test_an_unknown_service_is_refused_with_those_there_are() -> None:
    made, place = _here(PipelineCheck(repository="acme/suite"))
    deps: Any = SimpleNamespace()
    with pytest.raises(NotFound) as caught:
        await recreating.test(deps, made, place, {"wbe": DIGEST}, key="k")
    assert caught.value.code == "no-service"
    assert "web, shop-front" in caught.value.remedy
