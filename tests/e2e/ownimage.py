"""Fairway's own image, as `make image` makes it: made once for all suites, and again when what
goes into it has changed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_GOES_IN = (
    "src", "native", "requirements", "scripts/fairwaydev",
    "pyproject.toml", "README.md", "LICENSE", "NOTICE",
)  # fmt: skip
_LEFT_OUT = {"__pycache__"}


def archive() -> Path:
    """It, in a file; FAIRWAY_TEST_IMAGE names one that was made before."""
    if given := os.environ.get("FAIRWAY_TEST_IMAGE"):
        return Path(given)
    cache = Path(os.environ.get("FAIRWAY_CACHE") or ROOT / ".cache").expanduser() / "own-image"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another suite may be making it
        return _kept(cache / key())


def key() -> str:
    """Changes with the content of everything that goes into the image."""
    known = hashlib.sha256()
    for name in _GOES_IN:
        for path in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
            if path.is_file() and not _LEFT_OUT & set(path.parts):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                known.update(f"{path.relative_to(ROOT)} {content}\n".encode())
    return known.hexdigest()[:16]


def _kept(folder: Path) -> Path:
    if not (folder / "whole").exists():
        others = [path for path in folder.parent.iterdir() if path.is_dir() and path != folder]
        for path in sorted(others, key=lambda each: each.stat().st_mtime)[:-1]:
            shutil.rmtree(path)  # another checkout may use the newest
        words = [ROOT / "scripts" / "image", "--folder", folder]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (folder / "whole").touch()
    (made,) = folder.glob("fairway-*-image.tar")
    return made


def name_of(made: Path) -> str:
    """Its name and tag."""
    with tarfile.open(made) as held:
        described = held.extractfile("manifest.json")
        assert described is not None, "no manifest"
        (name,) = json.load(described)[0]["RepoTags"]
    return str(name)
