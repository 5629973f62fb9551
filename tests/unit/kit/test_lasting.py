"""What lives as long as the process is left alone by collections."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from fairway.kit.lasting import lasting


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_no_collection_runs_meanwhile_and_they_go_on_afterwards() -> None:
    with lasting():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_made_is_not_looked_through_again() -> None:
    before = gc.get_freeze_count()
    with lasting():
        made = [[] for _ in range(1000)]
    assert gc.get_freeze_count() >= before + len(made)


def test_who_wants_no_collections_gets_none() -> None:
    gc.disable()
    try:
        with lasting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_failing_import_leaves_collections_on() -> None:
    with pytest.raises(ModuleNotFoundError), lasting():
        __import__("fairway.nothing")
    assert gc.isenabled()
