"""Commits into a bare repository without a client: for tests of reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pygit2
from pygit2.enums import FileMode

_WHEN = 1_700_000_000


def write_commit(
    path: Path,
    files: Mapping[str, str | bytes | None],
    *,
    message: str = "change",
    branch: str = "main",
    links: frozenset[str] = frozenset(),
) -> str:
    """Commit files (None deletes one; names in `links` become links) on a branch."""
    repo = pygit2.Repository(str(path))
    try:
        ref = f"refs/heads/{branch}"
        parent: Any = repo.references[ref].peel() if ref in repo.references else None
        index: Any = pygit2.Index()
        if parent is not None:
            index.read_tree(parent.tree)
        for name, data in files.items():
            if data is None:
                index.remove(name)
                continue
            raw = data.encode() if isinstance(data, str) else data
            mode = FileMode.LINK if name in links else FileMode.BLOB
            index.add(pygit2.IndexEntry(name, repo.create_blob(raw), mode))
        when = _WHEN if parent is None else parent.commit_time + 1
        who = pygit2.Signature("Ada", "ada@example.org", when, 0)
        tree = index.write_tree(repo)
        parents = [] if parent is None else [parent.id]
        return str(repo.create_commit(ref, who, who, message, tree, parents))
    finally:
        repo.free()
