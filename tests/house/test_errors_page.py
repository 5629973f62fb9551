"""docs/reference/errors.md is what the source says."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module("fairwaydev.errors")


def test_the_committed_page_is_current(errors: ModuleType) -> None:
    assert errors.PAGE.read_text() == errors.page(), "run scripts/gen-errors"


def test_every_code_is_in_kebab_case(errors: ModuleType) -> None:
    bad = [
        one.code for one in errors.codes() if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.code)
    ]
    assert not bad


def test_a_code_belongs_to_one_branch_of_the_tree(errors: ModuleType) -> None:
    """A code of two kinds would have two HTTP statuses, unless one kind is the other's parent."""
    tree, statuses = errors.kinds(), {}
    for one in errors.codes():
        if one.kind:
            statuses.setdefault(one.code, set()).add(tree[one.kind].values["status"])
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}
