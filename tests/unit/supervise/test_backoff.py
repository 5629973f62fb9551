"""How long a restart waits, and what a definition's digest sees."""

from dataclasses import replace
from pathlib import Path

import pytest

from fairway.supervise.component import Backoff, Component


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (9, 8.0), (999, 8)]
)
def test_the_wait_doubles_with_each_failure_in_a_row_up_to_a_limit(
    failures: int, seconds: float
) -> None:
    assert Backoff(first_s=0.5, most_s=8.0).delay(failures) == seconds


def test_one_that_lived_long_enough_begins_anew() -> None:
    backoff = Backoff(reset_s=60)
    assert backoff.failures(7, lived_s=59.9) == 8
    assert backoff.failures(7, lived_s=60.0) == 1


def test_the_digest_changes_with_what_a_process_must_be_restarted_for_and_with_nothing_else() -> (
    None
):
    one = Component(name="a", command=["sleep", "1"], log=Path("/log"))
    differing = [
        replace(one, command=["sleep", "2"]),
        replace(one, environment={"A": "1"}),
        replace(one, netns=Path("/net")),
        replace(one, version="2"),
    ]
    assert len({one.digest, *(other.digest for other in differing)}) == 5
    assert replace(one, stop_s=99, after=("b",), log=Path("/other")).digest == one.digest
