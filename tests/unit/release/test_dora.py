"""DORA's figures from what was recorded, each case with its pitfall."""

from __future__ import annotations

import pytest
from delivery_records import MINUTE, promotion, release

from fairway.model.release import Change, Promotion, Release
from fairway.release import dora

RELEASES = {n: release(n) for n in (1, 2, 3, 4)}


def figures(*found: Promotion, releases: dict[int, Release] | None = None) -> dora.Figures:
    return dora.figures(found, releases or RELEASES, days=10)


def test_nothing_tells_nothing() -> None:
    found = figures()
    assert (found.deployments, found.failure_rate, found.lead_time_p50) == (0, None, None)


def test_lead_time_is_from_each_commit_to_all_traffic() -> None:
    found = figures(promotion(5, 2, previous=1), promotion(9, 4, previous=2))
    # commits 2, 3, 4 at their minute; full 10 s after the 5th and 9th minute
    leads = sorted([3 * MINUTE + 10_000, 6 * MINUTE + 10_000, 5 * MINUTE + 10_000])
    assert found.changes == 3
    assert found.lead_time_p50 == leads[1]
    assert found.lead_time_p90 == leads[2]
    assert (found.deployments, found.per_day) == (2, 0.2)


def test_a_commit_counts_with_the_first_deployment_that_brought_it() -> None:
    same = {**RELEASES, 2: release(2, changes=RELEASES[1].changes)}
    assert figures(promotion(5, 1), promotion(9, 2, previous=1), releases=same).changes == 1


def test_the_first_deployment_brings_its_own_commits_alone() -> None:
    assert figures(promotion(5, 3)).changes == 1


def test_the_same_digest_again_is_no_deployment() -> None:
    same = {**RELEASES, 2: release(2, digest=RELEASES[1].digest)}
    found = figures(promotion(5, 1), promotion(6, 2, previous=1), releases=same)
    assert (found.deployments, found.settled) == (1, 1)


def test_rollbacks_are_no_deployments_and_what_was_left_behind_has_failed() -> None:
    found = figures(
        promotion(1, 1),
        promotion(2, 2, previous=1, bad="ada rolled it back"),
        promotion(3, 1, previous=2, kind="rollback"),
    )
    assert (found.deployments, found.settled, found.failed, found.caught) == (2, 2, 1, 0)
    assert found.failure_rate == 0.5
    # traffic 5 s after the 2nd minute; the rollback is full 10 s after the 3rd
    assert found.recovery_p50 == MINUTE + 5_000


def test_what_its_canary_refused_is_told_apart() -> None:
    refused = promotion(2, 2, "failed", previous=1, bad="no", started=1, traffic=2 * MINUTE)
    found = figures(promotion(1, 1), refused, promotion(3, 1, kind="revert"))
    assert (found.failed, found.caught) == (1, 1)


def test_recovery_is_not_known_before_it_is_healthy_and_other_services_do_not_count() -> None:
    bad = promotion(2, 2, previous=1, bad="x")
    other = promotion(3, 1, service="other")
    assert figures(bad, other).recovery_p50 is None


def test_rework_is_a_release_of_nothing_but_fixes() -> None:
    feature = release(
        2, changes=(Change("a", 0, "feat: x", "ada"), Change("b", 0, "fix: y", "ada"))
    )
    found = figures(promotion(1, 1), promotion(2, 2, previous=1), releases={**RELEASES, 2: feature})
    assert (found.reworked, found.rework_rate) == (1, 0.5)


@pytest.mark.parametrize(
    ("values", "share", "wanted"), [([], 0.5, None), ([3, 1, 2], 0.5, 2), ([1, 2], 0.9, 2)]
)
def test_quantiles(values: list[float], share: float, wanted: float | None) -> None:
    assert dora.quantile(values, share) == wanted
