"""Options of the simulation: `--seed N` lives through one history, `--seeds N` through so many."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when this folder is named on the command line."""
    parser.addoption("--seed", type=int, default=None, help="one history, with its trace")
    parser.addoption("--seeds", type=int, default=200, help="how many histories")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Histories in runs of `RUN`, so that they spread over processes."""
    found = [name for name in ("histories", "voyages") if name in metafunc.fixturenames]
    if not found:
        return
    one = metafunc.config.getoption("--seed", default=None)
    if one is not None:
        runs = [(one, 1)]
    else:
        seeds = metafunc.config.getoption("--seeds", default=200)
        run = 50
        runs = [(first, min(run, seeds - first)) for first in range(0, seeds, run)]
    metafunc.parametrize(found[0], runs, ids=[f"{first}+{count}" for first, count in runs])
