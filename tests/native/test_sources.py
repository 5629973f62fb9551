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


def test_the_gateway_apis_definitions_come_with_their_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    definitions = importlib.import_module("fairwaydev.definitions")
    native = importlib.import_module("fairwaydev.native")
    golang = importlib.import_module("fairwaydev.go")
    definitions.copy(golang.program(), tmp_path, native.go_environment())
    folder = tmp_path / definitions.FOLDER
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert {path.stem for path in folder.glob("*.yaml")} == set(definitions.KINDS)
