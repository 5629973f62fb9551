"""Fairway's own image, as `make image` makes it."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def archive(folder: Path) -> Path:
    """It, in a file; FAIRWAY_TEST_IMAGE names one that was made before."""
    if given := os.environ.get("FAIRWAY_TEST_IMAGE"):
        return Path(given)
    words = [ROOT / "scripts" / "image", "--folder", folder]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("fairway-*-image.tar")
    return made


def name_of(made: Path) -> str:
    """Its name and tag."""
    with tarfile.open(made) as held:
        described = held.extractfile("manifest.json")
        assert described is not None, "no manifest"
        (name,) = json.load(described)[0]["RepoTags"]
    return str(name)
