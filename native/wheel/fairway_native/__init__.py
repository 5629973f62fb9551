"""The Go programs that Fairway runs."""

from pathlib import Path


def folder() -> Path:
    """Where they are: `fairway-native`, `fairway-compose`, `pause` and `versions.json`."""
    return Path(__file__).parent / "programs"
