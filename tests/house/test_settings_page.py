"""docs/reference/settings.md is what the source says, and every key says what it means."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module("fairwaydev.settingspage")


def test_the_committed_page_is_current(page: ModuleType) -> None:
    assert page.PAGE.read_text() == page.page(), "run scripts/gen-settings"


def test_every_key_has_a_meaning(page: ModuleType) -> None:
    rows = re.findall(r"^\| (`.*`) \| (`.*`) \| (`.*`) \| (.*) \|$", page.page(), re.MULTILINE)
    assert len(rows) > 30
    assert [name for name, _, _, meaning in rows if not meaning.strip()] == []
