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

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([ROOT / "scripts" / "wheel", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (built,) = dist.glob("fairway-*.whl")
    return built


@pytest.fixture(scope="module")
def native(dist: Path) -> Path:
    (built,) = dist.glob("fairway_native-*linux*.whl")
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


def test_the_native_wheel_is_of_the_same_version_and_has_the_licences_of_all_it_links(
    wheel: Path, native: Path
) -> None:
    assert native.name.split("-")[1] == wheel.name.split("-")[1]
    held = zipfile.ZipFile(native)
    notice = held.read("fairway_native/programs/NOTICE").decode()
    assert "k8s.io/kubernetes v1." in notice
    tags = [line for line in _metadata(held, "WHEEL") if line.startswith("Tag:")]
    assert tags == [f"Tag: py3-none-manylinux_2_17_{os.uname().machine}"]


def _metadata(held: zipfile.ZipFile, name: str) -> list[str]:
    (path,) = [path for path in held.namelist() if path.endswith(f".dist-info/{name}")]
    return held.read(path).decode().splitlines()


def test_installed_beside_fairway_the_native_wheel_is_what_fairway_uses(
    wheel: Path, native: Path, tmp_path: Path, uv: ModuleType
) -> None:
    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    lock = ROOT / "requirements" / "runtime.lock"
    uv.uv("venv", "--quiet", "--python", sys.executable, venv)
    uv.uv("pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock)
    uv.uv("pip", "install", "--quiet", "--python", python, "--no-deps", wheel, native)
    asked = "from fairway.native.programs import find; print(find().native)"
    found = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    program = Path(found.stdout.strip())
    assert venv in program.parents
    words = [program, "kubectl", "version", "--client"]
    said = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "Client Version: v1." in said.stdout
