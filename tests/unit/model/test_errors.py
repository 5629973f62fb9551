"""The tree of errors."""

from __future__ import annotations

import pytest

from fairway.model import errors
from fairway.model.errors import FairwayError

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", [kind for kind in TREE if issubclass(kind, FairwayError)])
def test_every_error_says_its_place_and_keeps_its_code(kind: type[FairwayError]) -> None:
    error = kind("it broke", where="a.yml:1:2")
    assert str(error) == "a.yml:1:2: it broke"
    assert error.code == kind.code
    assert 400 <= kind.status < 600
    assert kind.exit_code in {1, 2, 4, 5}


def test_codes_of_the_tree_are_unique() -> None:
    codes = [kind.code for kind in TREE if issubclass(kind, FairwayError)]
    assert len(codes) == len(set(codes))


def test_only_unavailable_things_may_be_retried() -> None:
    retriable = {k for k in TREE if issubclass(k, FairwayError) and k.retriable}
    assert retriable == {errors.Unavailable, errors.Busy}
