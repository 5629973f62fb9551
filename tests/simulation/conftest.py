"""Options of the simulation: `--seed N` lives through one history, `--seeds N` through so many."""

from __future__ import annotations

import pytest

# How many there are, and how many of them one process lives through.
_USUAL = {"histories": (300, 75), "voyages": (200, 50)}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when this folder is named on the command line."""
    parser.addoption("--seed", type=int, default=None, help="one history, with its trace")
    parser.addoption("--seeds", type=int, default=None, help="how many of each kind")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Histories in runs, so that they spread over processes."""
    found = [name for name in _USUAL if name in metafunc.fixturenames]
    if not found:
        return
    one = metafunc.config.getoption("--seed", default=None)
    if one is not None:
        runs = [(one, 1)]
    else:
        usual, run = _USUAL[found[0]]
        seeds = metafunc.config.getoption("--seeds", default=None) or usual
        runs = [(first, min(run, seeds - first)) for first in range(0, seeds, run)]
    metafunc.parametrize(found[0], runs, ids=[f"{first}+{count}" for first, count in runs])
