"""The wheel that a person would publish: built, installed into a new environment, run."""

import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([ROOT / "scripts" / "wheel", folder], check=True, capture_output=True)
    (built,) = folder.glob("fairway-*.whl")
    return built


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module("fairwaydev.uv")


def test_it_holds_the_package_its_types_and_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "fairway/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "scripts/"))]


def test_it_holds_every_file_of_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "src/fairway"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    missing = [path for path in listed.stdout.split() if path.removeprefix("src/") not in names]
    assert missing == []


def test_installed_in_a_new_environment_it_runs(
    wheel: Path, tmp_path: Path, uv: ModuleType
) -> None:
    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    lock = ROOT / "requirements" / "runtime.lock"
    uv.uv("venv", "--quiet", "--python", sys.executable, venv)
    uv.uv("pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock)
    uv.uv("pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    done = subprocess.run(
        [venv / "bin" / "fairway", "--version"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fairway ")
