"""A Kubernetes API without nodes, for the tests of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fairway.native import programs
from fairway.native.programs import Programs
from fairway.testing.apiserver import ApiServer


@pytest.fixture(scope="module")
def native() -> Programs:
    """The Go programs."""
    return programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))


@pytest.fixture(scope="module")
def server(native: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The API server."""
    made = ApiServer(native.native, tmp_path_factory.mktemp("api"))
    made.start()
    yield made
    made.stop()
