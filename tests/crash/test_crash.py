"""Fairway is killed (-9) at random moments while it runs builds, and started again at once."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest
from receiver import Receiver
from repositories import Repository, everything
from verdict import Verdict
from workload import ORG, People

from fairway.testing.installation import Installation

pytestmark = pytest.mark.docker

LONGEST_S = 6.0  # between two kills: from the middle of a start to well after it
END_S = 600.0


@pytest.mark.timeout(3600)
def test_nothing_is_lost_or_done_twice_by_kills_at_random_moments(
    installation: Installation, tmp_path: Path, seed: int, rounds: int
) -> None:
    say(f"FAIRWAY_CRASH_SEED={seed}")
    tmp_path.chmod(0o711)
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    ledger.chmod(0o777)
    with Receiver() as receiver:
        found = everything(str(ledger), receiver.url)
        installation.start()
        for one in found:
            installation.create(f"{ORG}/{one.name}", trusted=True)
        began = time.monotonic()
        people = history(installation, found, tmp_path / "copies", seed=seed, rounds=rounds)
        killed = time.monotonic() - began
        verdict = Verdict(installation, found, os.environ["DOCKER_HOST"])
        verdict.await_end(END_S)
        verdict.all_of(people.accepted, ledger / "steps", receiver)
    say(
        f"{rounds} kills in {killed:.0f} s, {len(verdict.builds)} builds, all ended and checked"
        f" after {time.monotonic() - began:.0f} s; {receiver.again()} requests came twice"
    )
    assert not verdict.wrong, "\n".join([f"FAIRWAY_CRASH_SEED={seed}", *verdict.wrong])
    assert len(verdict.builds) >= min(rounds // 6, 5), "hardly anything ran: the test says little"


def history(
    system: Installation, found: list[Repository], folder: Path, *, seed: int, rounds: int
) -> People:
    """People work; kills may fall into a start that is not ready yet."""
    people = People(system, found, folder, seed)
    choice, clock = random.Random(f"kills {seed}"), threading.Event()
    people.begin()
    try:
        for _ in range(rounds):
            clock.wait(choice.uniform(0.1, LONGEST_S))
            system.kill()
            system.start(ready=False)
    finally:
        system.await_ready()
        people.end()
    return people


def say(text: str) -> None:
    """Shown with a failure, and with `-s`."""
    sys.stderr.write(f"{text}\n")
