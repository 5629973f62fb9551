"""Plain manifests of a folder: YAML and JSON."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from fairway.gitops.globs import glob
from fairway.gitops.objects import Json, SourceType
from fairway.gitops.renderer import Files, Job, documents, followed
from fairway.gitops.source import Directory, Tree
from fairway.model.commit import TreeEntry
from fairway.model.errors import BadFile, FairwayError, InvalidInput, TooLarge

_ENDINGS: Final = (".yaml", ".yml", ".json")
_SKIP: Final = b"+argocd:skip-file-rendering"
_LOOKS: Final = ("apiVersion:", "kind:", "metadata:")
_BYTES: Final = 10 * 1024 * 1024  # of all manifests of an application


class Plain:
    """A folder of manifests."""

    kind: SourceType = "Directory"

    async def needs(self, tree: Tree, job: Job) -> list[TreeEntry]:
        """Its manifests. Raises `InvalidInput` (`source-jsonnet`) for a Jsonnet file among them."""
        wanted = job.source.directory or Directory()
        found = []
        for one in await tree.below(job.path):
            inside = one.path[len(job.path) :].lstrip("/")
            if ("/" in inside and not wanted.recurse) or not _is_chosen(wanted, inside):
                continue
            if inside.endswith(".jsonnet"):
                said = "a Jsonnet file is not supported yet"
                raise InvalidInput(said, code="source-jsonnet", where=one.path)
            if one.kind == "submodule" or inside.endswith(_ENDINGS):
                found.append(one)
        return await followed(tree, found)

    def render(self, files: Files, job: Job) -> list[Json]:
        """All objects, in the order of the files' names."""
        manifests = list(_manifests(files, job))
        if sum(len(data) for _, data in manifests) > _BYTES:
            said = f"the manifests of {job.path or '.'} have more than {_BYTES} bytes"
            raise TooLarge(said, code="manifests-too-large")
        found: list[Json] = []
        for path, data in manifests:
            found += _read_json(path, data) if path.endswith(".json") else _read(path, data)
        return found


def _is_chosen(wanted: Directory, path: str) -> bool:
    if not path.endswith((*_ENDINGS, ".jsonnet")):
        return True
    if wanted.exclude and glob(wanted.exclude, path):
        return False
    return not wanted.include or glob(wanted.include, path)


def _manifests(files: Files, job: Job) -> Iterator[tuple[str, bytes]]:
    """The chosen files with their contents; links to files are files."""
    by_path = {one.path: one for one in files.entries}
    wanted = job.source.directory or Directory()
    for path in sorted(by_path, key=lambda one: one.split("/")):
        inside = path[len(job.path) :].lstrip("/")
        if job.path and not path.startswith(f"{job.path}/"):
            continue
        if ("/" in inside and not wanted.recurse) or not inside.endswith(_ENDINGS):
            continue
        data = _content(files, by_path, path)
        if data is not None and _SKIP not in data and _is_chosen(wanted, inside):
            yield path, data


def _content(files: Files, by_path: dict[str, TreeEntry], path: str) -> bytes | None:
    """A file's bytes; those of the file that a link leads to; None for a link to none."""
    for _hop in range(len(by_path) + 1):
        entry = by_path.get(path)
        if entry is None:
            return None
        data = files.contents[entry.sha]
        if entry.kind == "file":
            return data
        target = data.decode("utf-8", "replace")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return None


def _read_json(path: str, data: bytes) -> list[Json]:
    """The one object of a file. An OCI manifest is none and no mistake."""
    try:
        found = msgspec.json.decode(data)
    except msgspec.MsgspecError as error:
        raise BadFile(f"not one JSON object: {error}", code="bad-manifest", where=path) from None
    if not isinstance(found, dict) or "kind" not in found:
        if isinstance(found, dict) and "schemaVersion" in found:
            return []
        raise BadFile("not an object with a kind", code="bad-manifest", where=path)
    return [found]


def _read(path: str, data: bytes) -> list[Json]:
    """The objects of a file; none of one that is YAML of something else."""
    text = data.decode("utf-8-sig", "replace")
    found: list[Any] = []
    try:
        found = [one for one in documents(text, path) if one is not None]
        for one in found:
            if not isinstance(one, dict) or not isinstance(one.get("kind"), str):
                raise BadFile("not an object with a kind", code="bad-manifest", where=path)
    except FairwayError:
        good = [one for one in found if isinstance(one, dict) and one.get("kind")]
        if good or all(look in text for look in _LOOKS):
            raise
        return []
    return found
