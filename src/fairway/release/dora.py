"""How deliveries went, in figures: pure functions of what was recorded.

Definitions (dora.dev, January 2026): a deployment is a promotion that began; a rollback or a
revert is none. Lead time: commit to all traffic, of every commit that came with it. Failed: it was
refused, or somebody went back from it. Recovery: first answers of the failing version until a
healthy version has all traffic again. Rework: a deployment whose commits are all fixes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from fairway.model.release import Change, Promotion, PromotionKind, PromotionState, Release

_DAY_MS = 86_400_000


class Figures(Struct, frozen=True, kw_only=True):
    """Times in milliseconds; None where there is nothing to tell."""

    deployments: int
    per_day: float
    changes: int
    lead_time_p50: float | None
    lead_time_p90: float | None
    settled: int
    failed: int
    caught: int
    failure_rate: float | None
    recovery_p50: float | None
    reworked: int
    rework_rate: float | None


def figures(
    promotions: Sequence[Promotion], releases: Mapping[int, Release], *, days: float
) -> Figures:
    """The figures of one environment. `promotions`: those that began, eldest first."""
    ours = [one for one in promotions if one.kind is PromotionKind.PROMOTION]
    changed = [one for one in ours if not _same(one, releases)]
    passed = [one for one in changed if one.state is PromotionState.PASSED]
    settled = [one for one in changed if one.state in _SETTLED or one.bad]
    failed = [one for one in settled if one.bad or one.state is PromotionState.FAILED]
    caught = [one for one in failed if one.full is None]
    leads = lead_times(passed, releases)
    recoveries = [took for one in failed if (took := recovery(one, promotions)) is not None]
    reworked = [one for one in settled if is_rework(releases.get(one.release))]
    return Figures(
        deployments=len(passed),
        per_day=len(passed) / days if days else 0.0,
        changes=len(leads),
        lead_time_p50=quantile(leads, 0.5),
        lead_time_p90=quantile(leads, 0.9),
        settled=len(settled),
        failed=len(failed),
        caught=len(caught),
        failure_rate=len(failed) / len(settled) if settled else None,
        recovery_p50=quantile(recoveries, 0.5),
        reworked=len(reworked),
        rework_rate=len(reworked) / len(settled) if settled else None,
    )


_SETTLED = (PromotionState.PASSED, PromotionState.FAILED)


def _same(one: Promotion, releases: Mapping[int, Release]) -> bool:
    """Whether a promotion brought the digest that was there: no change for users."""
    before, now = releases.get(one.previous or 0), releases.get(one.release)
    return before is not None and now is not None and before.digest == now.digest


def lead_times(passed: Iterable[Promotion], releases: Mapping[int, Release]) -> list[float]:
    """Of each commit, once: it counts with the first deployment that brought it."""
    seen: set[str] = set()
    found: list[float] = []
    for one in passed:
        release = releases.get(one.release)
        if release is None or one.full is None:
            continue
        for commit in brought(one, release, releases):
            if commit.sha not in seen:
                seen.add(commit.sha)
                found.append(one.full - commit.at)
    return found


def brought(one: Promotion, release: Release, releases: Mapping[int, Release]) -> list[Change]:
    """The commits that a promotion brought: those of every release since the one before."""
    first = one.previous or 0
    between = [
        each
        for each in releases.values()
        if each.service == release.service
        and each.delivery == release.delivery
        and first < each.id <= release.id
    ]
    if not first:  # the first deployment has no base: only what its own release brought
        between = [release]
    return [commit for each in sorted(between, key=lambda r: r.id) for commit in each.changes]


def recovery(failed: Promotion, every: Sequence[Promotion]) -> float | None:
    """From a failing version's first answers to a healthy one with all traffic."""
    if failed.traffic is None:
        return None
    later = (
        one.full
        for one in every
        if one.id > failed.id
        and (one.service, one.delivery) == (failed.service, failed.delivery)
        and one.state is PromotionState.PASSED
        and one.full is not None
        and not one.bad
    )
    healthy = next(later, None)
    return None if healthy is None else healthy - failed.traffic


def is_rework(release: Release | None) -> bool:
    """Whether a release holds nothing but fixes and reverts."""
    if release is None or not release.changes:
        return False
    words = ("fix", "hotfix", "revert", "Revert")
    return all(one.subject.startswith(words) for one in release.changes)


def quantile(values: Iterable[float], share: float) -> float | None:
    """The nearest-rank quantile; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
