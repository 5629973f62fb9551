"""native/NOTICE has the licences of what is linked now; our own Go is formatted."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_notice_is_what_scripts_gen_notice_would_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    notice = importlib.import_module("fairwaydev.notice")
    assert notice.PAGE.read_text() == notice.page()


def test_our_go_is_formatted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    gofmt = Path(importlib.import_module("fairwaydev.go").program()).resolve().parent / "gofmt"
    done = subprocess.run([gofmt, "-l", "."], cwd=ROOT / "native", capture_output=True, check=True)
    assert done.stdout == b""
