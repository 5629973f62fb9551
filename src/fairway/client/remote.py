"""Which repository of ours a working folder belongs to, by its Git remotes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from fairway.model.errors import FairwayError, InvalidInput


def remotes(folder: Path) -> list[tuple[str, str]]:
    """(name, URL) of a folder's remotes, `origin` first; empty outside a repository."""
    command = ["git", "-C", str(folder), "config", "--get-regexp", r"^remote\..*\.url$"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 fixed words
    except (OSError, subprocess.TimeoutExpired):
        return []
    found = []
    for line in done.stdout.splitlines():
        key, _, url = line.partition(" ")
        found.append((key.removeprefix("remote.").removesuffix(".url"), url))
    return sorted(found, key=lambda one: one[0] != "origin")


def slug_of(url: str, servers: Sequence[str]) -> str:
    """ORGANISATION/NAME when the URL lies on one of `servers`, else ""."""
    parts = urlsplit(url)
    hosts = {(urlsplit(server).hostname, urlsplit(server).port) for server in servers if server}
    if (parts.hostname, parts.port) not in hosts:
        return ""
    words = [word for word in parts.path.split("/") if word]
    return "/".join(words[-2:]).removesuffix(".git") if len(words) >= 2 else ""


def infer(found: Iterable[tuple[str, str]], servers: Sequence[str]) -> str:
    """The repository of a folder, or "" when it is none of ours."""
    for _name, url in found:
        slug = slug_of(url, servers)
        if slug:
            return slug
    return ""


def unknown_repository() -> FairwayError:
    """What to say when nobody said which repository is meant."""
    return InvalidInput(
        "which repository? None was named, and no Git remote of this folder is on the server",
        code="repository-not-named",
        remedy="add `--repo ORGANISATION/NAME`, or run it in a clone",
    )
