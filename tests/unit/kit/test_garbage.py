"""Garbage is looked for seldom, by every way into the program."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fairway.kit import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    former = gc.get_threshold()
    yield
    gc.set_threshold(*former)


def test_young_objects_are_looked_through_seldom_and_old_ones_as_ever() -> None:
    gc.set_threshold(700, 10, 10)
    garbage.look_seldom()
    assert gc.get_threshold() == (20_000, 10, 10)
    assert gc.isenabled()


def test_the_program_does_so_from_its_first_moment_on() -> None:
    code = (
        "import gc, sys; from fairway.cli import main; sys.argv = ['fairway', '--version'];"
        " main.run = lambda: gc.get_threshold()[0] != 20_000; main.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
