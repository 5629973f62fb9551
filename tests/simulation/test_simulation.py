"""The whole system in virtual time under seeded faults; and mistakes that it must find."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from fairway.testing import bites


def simulate(*words: object) -> tuple[bool, str]:
    """Run histories in a process of their own, whose hashes are fixed."""
    command = [sys.executable, "-m", "fairway.testing.simulate", *(str(word) for word in words)]
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
