"""Short makers of releases, promotions and environments for tables of cases."""

from __future__ import annotations

from typing import Any

from fairway.model.release import (
    Change,
    Promotion,
    PromotionKind,
    PromotionState,
    Release,
    ReleaseState,
)
from fairway.release import spec
from fairway.release.spec import Delivery

MINUTE = 60_000


def release(number: int, **given: Any) -> Release:
    """A published release by ada."""
    known: dict[str, Any] = {
        "delivery": "shop",
        "service": "web",
        "repository": "acme/web",
        "version": f"1.0.{number}",
        "image": "acme/web",
        "digest": f"sha256:{number:064x}",
        "chart": "web",
        "state": ReleaseState.PUBLISHED,
        "author": "ada",
        "changes": (Change(f"c{number}", number * MINUTE, f"fix: {number}", "ada"),),
    }
    return Release(id=number, **{**known, **given})


def promotion(number: int, of: int, state: str = "passed", **given: Any) -> Promotion:
    """A promotion of release `of`."""
    known: dict[str, Any] = {
        "delivery": "shop",
        "service": "web",
        "environment": "production",
        "kind": PromotionKind(given.pop("kind", "promotion")),
        "state": PromotionState(state),
        "created": number * MINUTE,
    }
    if state == "passed":
        known |= {"started": number * MINUTE, "full": number * MINUTE + 10_000,
                  "traffic": number * MINUTE + 5_000}  # fmt: skip
    return Promotion(id=number, release=of, **{**known, **given})


def delivery(*environments: dict[str, Any], services: tuple[str, ...] = ("web",)) -> Delivery:
    """A delivery as it is read; environments get a configuration."""
    where = {"repository": "acme/environments", "path": "x"}
    return spec.read(
        {
            "metadata": {"name": "shop"},
            "spec": {
                "services": [{"name": one, "repository": f"acme/{one}"} for one in services],
                "environments": [{"configuration": where, **one} for one in environments],
            },
        }
    )
