"""The whole system in virtual time under seeded faults; and mistakes that it must find."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from fairway.testing import bites
from fairway.testing.voyage import bites as sea_bites


def simulate(*words: object, world: str = "simulate") -> tuple[bool, str]:
    """Run histories in a process of their own, whose hashes are fixed."""
    command = [sys.executable, "-m", f"fairway.testing.{world}", *(str(word) for word in words)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONHASHSEED": "0"}
    )
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_every_history_comes_to_the_right_end(histories: tuple[int, int], request: Any) -> None:
    alone = request.config.getoption("--seed", default=None) is not None
    good, said = simulate(*histories, *(["--trace"] if alone else []))
    assert good, f"{said}\nreplay it: scripts/test simulation --seed N"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bite", sorted(bites.ALL))
def test_a_mistake_put_in_on_purpose_is_found_within_the_first_seeds(bite: str) -> None:
    good, said = simulate(0, bites.WITHIN, "--bite", bite)
    assert not good, f"nobody noticed: {said}"


# ---- voyages: Applications, Rollouts and releases over simulated clusters ------------------------


@pytest.mark.timeout(600)
def test_every_voyage_comes_to_the_right_end(voyages: tuple[int, int], request: Any) -> None:
    alone = request.config.getoption("--seed", default=None) is not None
    good, said = simulate(*voyages, *(["--trace"] if alone else []), world="voyage")
    assert good, f"{said}\nreplay it: scripts/test simulation --seed N -k voyage"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bite", sorted(sea_bites.ALL))
def test_a_mistake_of_the_controllers_is_found_within_the_first_voyages(bite: str) -> None:
    good, said = simulate(0, sea_bites.WITHIN, "--bite", bite, world="voyage")
    assert not good, f"nobody noticed: {said}"
    assert sea_bites.SIGNS[bite] in said, said
