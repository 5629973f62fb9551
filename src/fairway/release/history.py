"""What one environment has run of one service, and what of it was good. Pure.

`promotions` are of one service in one environment, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fairway.model.release import Promotion, PromotionKind, PromotionState


def _latest(promotions: Iterable[Promotion]) -> list[Promotion]:
    return sorted(promotions, key=lambda one: one.id, reverse=True)


def running(promotions: Iterable[Promotion]) -> Promotion | None:
    """The one that holds the place."""
    found = [one for one in promotions if one.state is PromotionState.RUNNING]
    return max(found, key=lambda one: one.id, default=None)


def current(promotions: Iterable[Promotion]) -> Promotion | None:
    """The last one that passed: what runs there, if nothing is under way."""
    passed = (one for one in _latest(promotions) if one.state is PromotionState.PASSED)
    return next(passed, None)


def good_since(promotions: Sequence[Promotion], release: int) -> int | None:
    """Since when a release has been good there without a break; None when it is not now.

    It is judged by what passed; a later promotion under way has not replaced it yet.
    """
    now = current(promotions)
    if now is None or now.release != release or now.bad:
        return None
    since = now.full or now.ended
    for one in _latest(promotions):
        if one.state is not PromotionState.PASSED:
            continue
        if one.release != release:
            break
        since = one.full or one.ended or since
    return since


def was_good(promotions: Iterable[Promotion], release: int) -> bool:
    """Whether a release has ever passed there."""
    return any(
        one.release == release and one.state is PromotionState.PASSED and not one.bad
        for one in promotions
    )


def bad(promotions: Iterable[Promotion]) -> dict[int, str]:
    """Releases that automation does not take there, with the reason of each.

    A person who promotes one again, and it is good then, takes the word back.
    """
    found: dict[int, str] = {}
    for one in sorted(promotions, key=lambda each: each.id):
        if one.bad:
            found[one.release] = one.bad
        elif one.state is PromotionState.PASSED:
            found.pop(one.release, None)
    return found


def good(promotions: Sequence[Promotion]) -> list[int]:
    """Releases that were good there and have not turned out bad since, the latest first."""
    spoilt = bad(promotions)
    order = [one.release for one in _latest(promotions) if one.state is PromotionState.PASSED]
    return [one for one in dict.fromkeys(order) if one not in spoilt]


def last_good(promotions: Sequence[Promotion]) -> int | None:
    """The release to go back to: the latest good one that is not what runs now.

    What runs now is the one under way, else the last that passed. While one is under way, the last
    one that passed is the one to go back to.
    """
    under_way = running(promotions)
    at = under_way or current(promotions)
    if at is None:
        return None
    return next((one for one in good(promotions) if one != at.release), None)


def pinned(promotions: Sequence[Promotion]) -> bool:
    """Whether the last thing that happened there was a way back, so that Git names a version
    instead of a range.
    """
    for one in _latest(promotions):
        if one.commit or one.state is PromotionState.PASSED:
            return one.kind is not PromotionKind.PROMOTION
    return False
