"""Gates are judged by records and the time, and say what they wait for."""

from typing import Any

import msgspec
import pytest
from delivery_records import MINUTE, release

from fairway.model.release import Approval, Change, Verdict, Verification
from fairway.release import gates
from fairway.release.gates import Facts, Told
from fairway.release.spec import Gate

NOW = 1_760_000_400_000  # 2025-10-09 09:00 UTC, a Thursday
DAY = {"window": {"schedule": "0 9 * * 1-5", "duration": "8h"}}


def gate(**given: Any) -> Gate:
    return msgspec.convert(given, Gate)


def judge(given: dict[str, Any], now: int = NOW, **facts: Any) -> Told:
    known: dict[str, Any] = {"release": release(7), "good_since": NOW - MINUTE, "before": "staging"}
    return gates.judge(gate(**given), Facts(**{**known, **facts}), now)


def word(login: str, verdict: str = "yes", kind: str = "approval", at: int = 0) -> Approval:
    return Approval(release=7, environment="production", kind=kind, login=login,
                    verdict=Verdict(verdict), at=at)  # fmt: skip


def test_nothing_asked_is_open() -> None:
    assert gates.judge(None, Facts(release=release(1), good_since=None), NOW).open


def test_an_authors_own_approval_does_not_count_unless_allowed() -> None:
    told = judge({"approval": {}}, approvals=[word("ada")])
    assert told.waits == ("1 approval, not by an author of the change",)
    assert judge({"approval": {}}, approvals=[word("bob")]).open
    assert judge({"approval": {"ownChange": True}}, approvals=[word("ada")]).open
    merged = release(7, author="ada", changes=(Change("c", 0, "x", "bob"),))
    assert not judge({"approval": {}}, approvals=[word("bob")], release=merged).open


def test_a_team_and_a_count_are_asked_for() -> None:
    asked = {"approval": {"count": 2, "team": "ops"}}
    members = {"ops": {"bob", "eve"}}
    told = judge(asked, approvals=[word("bob"), word("joe")], members=members)
    assert "1 approval of the team ops" in told.waits[0]
    assert judge(asked, approvals=[word("bob"), word("eve")], members=members).open


def test_one_no_ends_it() -> None:
    told = judge({"approval": {}}, approvals=[word("bob"), word("eve", "no")])
    assert told.refused == "eve rejected it"


def test_the_last_word_of_the_named_person_counts_for_qa() -> None:
    asked = {"qa": {"user": "quinn"}}
    assert "quinn" in judge(asked, approvals=[word("bob", kind="qa")]).waits[0]
    words = [word("quinn", "no", "qa", 1), word("quinn", "yes", "qa", 2)]
    assert judge(asked, approvals=words).open
    assert judge(asked, approvals=words[:1]).refused


def test_a_soak_opens_by_time_alone() -> None:
    told = judge({"soak": {"duration": "5m"}})
    assert told.at == NOW + 4 * MINUTE
    assert judge({"soak": {"duration": "5m"}}, now=NOW + 4 * MINUTE).open
    assert not judge({"soak": {"duration": "0s"}}, good_since=None).open


@pytest.mark.parametrize(
    ("hours", "is_open", "at"),
    [(0, True, None), (7.99, True, None), (8, False, 24), (-1, False, 0), (24 * 2, False, 24 * 4)],
)
def test_a_window_is_open_from_each_start_for_its_length(
    hours: float, is_open: bool, at: int | None
) -> None:
    now = NOW + int(hours * 60) * MINUTE
    told = judge(DAY, now=now)
    assert told.open is is_open
    assert told.at == (None if at is None else NOW + at * 60 * MINUTE)


def test_a_window_keeps_to_its_time_zone() -> None:
    berlin = {"window": {**DAY["window"], "timezone": "Europe/Berlin"}}
    assert judge(berlin, now=NOW - 2 * 60 * MINUTE).open
    assert not judge(berlin, now=NOW + 6 * 60 * MINUTE + MINUTE).open


def test_a_verification_is_run_once_and_its_verdict_counts() -> None:
    asked = {"verification": {"analysis": {"template": "smoke"}}}
    told = judge(asked)
    assert [one.key for one in told.run] == ["analysis/smoke"]

    def ran(verdict: str) -> dict[str, Verification]:
        return {"analysis/smoke": Verification(release=7, environment="staging",
                                               key="analysis/smoke", verdict=verdict)}  # fmt: skip

    assert judge(asked, verifications=ran("")).run == ()
    assert judge(asked, verifications=ran("passed")).open
    assert "smoke" in judge(asked, verifications=ran("failed")).refused


def test_any_is_open_with_one_and_closed_for_good_only_when_all_are() -> None:
    asked = {"any": [{"approval": {}}, {"qa": {"user": "quinn"}}]}
    assert judge(asked, approvals=[word("bob", "no"), word("quinn", kind="qa")]).open
    told = judge(asked, approvals=[word("bob", "no")])
    assert not told.refused
    assert told.waits == ("the verdict of quinn (qa)",)
    both = [word("bob", "no"), word("quinn", "no", "qa")]
    assert "; " in judge(asked, approvals=both).refused


def test_all_waits_for_each_and_is_refused_by_one() -> None:
    asked = {"all": [{"approval": {}}, {"soak": {"duration": "5m"}}]}
    told = judge(asked)
    assert (len(told.waits), told.at) == (2, NOW + 4 * MINUTE)
    assert judge(asked, approvals=[word("bob", "no")]).refused
