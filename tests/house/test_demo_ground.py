"""What set-up and demo find out about a machine before they begin."""

import importlib
import os
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module("fairwaydev.apt")


@pytest.mark.parametrize(("reply", "answers"), [(b"200 OK", True), (b"503 Gone", False)])
def test_an_engine_is_one_that_answers(  # noqa: PLR0917 a row of the table
    apt: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: bytes, answers: bool
) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=_reply_once, args=(listening, reply))
        thread.start()
        host = f"unix://{path}"
        monkeypatch.setenv("DOCKER_HOST", host)
        found = apt.engine_answers()
        thread.join()
    assert (found == host) is answers


@pytest.mark.parametrize("host", ["unix:///nowhere", "tcp://127.0.0.1:none", "ssh://there", ""])
def test_what_is_no_engine_is_not_taken_for_one(
    apt: ModuleType, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert apt.engine_answers() in ("", "unix:///var/run/docker.sock")


@pytest.mark.parametrize("kind", ["link", "foreign"])
def test_the_demo_keeps_off_a_folder_that_is_not_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    ground = importlib.import_module("fairwaydemo.ground")
    screen = importlib.import_module("fairwaydemo.screen")
    folder, target = tmp_path / "demo", tmp_path / "target"
    (target / "data").mkdir(parents=True)
    if kind == "link":
        folder.symlink_to(target)
    else:
        folder.mkdir()
        somebody = os.getuid() + 1
        monkeypatch.setattr(ground.os, "getuid", lambda: somebody)
    monkeypatch.setenv("DEMO_FOLDER", str(folder))
    with pytest.raises(ground.Trouble, match="somebody else's"):
        ground.Ground(screen.Screen()).clear()
    assert (target / "data").is_dir()


def _reply_once(listening: socket.socket, reply: bytes) -> None:
    pipe, _ = listening.accept()
    with pipe:
        pipe.recv(4096)
        pipe.sendall(b"HTTP/1.0 " + reply + b"\r\n\r\n")
