"""A check's name in the records."""

from __future__ import annotations

from fairway.release.checks import key_of
from fairway.release.spec import AnalysisCheck, VerificationGate


def test_a_release_promoted_again_after_a_refusal_is_verified_anew() -> None:
    check = VerificationGate(analysis=AnalysisCheck(template="smoke"))
    assert key_of(check, 0) == check.key
    assert len({key_of(check, turn) for turn in range(3)}) == 3
