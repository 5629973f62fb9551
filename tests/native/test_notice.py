"""native/NOTICE has the licences of what is linked now, as the modules themselves say."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_notice_is_what_scripts_gen_notice_would_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    notice = importlib.import_module("fairwaydev.notice")
    assert notice.PAGE.read_text() == notice.page()
