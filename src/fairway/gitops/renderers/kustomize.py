"""Kustomizations, built as Argo CD builds them: what the source asks for is edited into the file
first, as `kustomize edit` does it. Nothing is fetched from elsewhere.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from fairway.gitops.objects import Json, SourceType
from fairway.gitops.renderer import (
    KUSTOMIZATIONS,
    Files,
    Job,
    clean,
    expanded,
    followed,
)
from fairway.gitops.renderers.exporting import exported
from fairway.gitops.source import Kustomize, Tree
from fairway.kit import yaml
from fairway.model.commit import TreeEntry
from fairway.model.errors import FairwayError, InvalidInput, NotFound
from fairway.native.helm import Kustomize as Build
from fairway.native.toolbox import Toolbox

_HERE: Final = "spec.source.kustomize"
_KEEP: Final = "*"
_LONGEST: Final = 1024  # of a text that may be a path


class Kustomization:
    """A folder with a kustomization."""

    kind: SourceType = "Kustomize"

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox

    async def needs(self, tree: Tree, job: Job) -> list[TreeEntry]:
        """The kustomization, all that it names, and so on. Raises `NotFound` without one."""
        wanted = job.source.kustomize or Kustomize()
        found: dict[str, TreeEntry] = {}
        open_ = [(job.path, [*wanted.components, *(one.path for one in wanted.patches)])]
        seen = {job.path}
        while open_:
            folder, also = open_.pop()
            file = await _file(tree, folder)
            if file is None:
                found.update({one.path: one for one in await tree.below(folder)})
                continue
            found[file.path] = file
            for entry in await _named(tree, folder, file, also):
                if entry.kind != "folder":
                    found[entry.path] = entry
                elif entry.path not in seen:
                    seen.add(entry.path)
                    open_.append((entry.path, []))
        return await followed(tree, found.values())

    def render(self, files: Files, job: Job) -> list[Json]:
        """All objects that it builds."""
        edited = self._edited(files, job)
        with exported(edited) as folder:
            path = posixpath.join("source", job.path)
            made = self._toolbox.ask_now(Build(path=path, objects=True), folder=folder)
        return made.objects

    def _edited(self, files: Files, job: Job) -> Files:
        if job.source.kustomize is None:
            return files
        entry = _own(files, job)
        document = yaml.load(files.text(entry), name=entry.path)
        if not isinstance(document, dict):
            raise InvalidInput("not a map", code="kustomize-build", where=entry.path)
        there = {one.path for one in files.entries}
        made = edited(document, _usable(job, there), job.variables)
        data = msgspec.json.encode(made)
        mark = f"edited:{entry.path}"
        entries = [replace(one, sha=mark, kind="file") if one is entry else one
                   for one in files.entries]  # fmt: skip
        return Files(entries=tuple(entries), contents={**files.contents, mark: data})


def _own(files: Files, job: Job) -> TreeEntry:
    places = [posixpath.join(job.path, name) for name in KUSTOMIZATIONS]
    for one in files.entries:
        if one.path in places:
            return one
    raise _no_file(job.path)


def _no_file(path: str) -> NotFound:
    return NotFound(f"there is no kustomization.yaml in {path or '.'}", code="no-path", where=_HERE)


async def _file(tree: Tree, folder: str) -> TreeEntry | None:
    found = await tree.entries([posixpath.join(folder, name) for name in KUSTOMIZATIONS])
    return next((one for one in found.values() if one.kind == "file"), None)


async def _named(tree: Tree, folder: str, file: TreeEntry, also: list[str]) -> list[TreeEntry]:
    """What stands at any text of a kustomization: that is all that it can name, and more."""
    text = yaml.decode((await tree.blobs([file.sha]))[file.sha], name=file.path)
    document = yaml.load(text, name=file.path)
    texts = [*_texts(document), *also]
    places = {place for one in texts for place in _places(folder, one)} - {folder}
    return list((await tree.entries(sorted(places))).values())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _places(folder: str, text: str) -> Iterator[str]:
    """Where a text may lead: a path, or `NAME=PATH`."""
    if "\n" in text or len(text) > _LONGEST or "://" in text or not text:
        return
    for path in (text, text.partition("=")[2]):
        try:
            if path and not path.startswith("/"):
                yield clean(posixpath.join(folder, path))
        except FairwayError:
            continue


def _usable(job: Job, there: set[str]) -> Kustomize:
    """The source's wishes without components that are not there, where that is allowed."""
    wanted = job.source.kustomize or Kustomize()
    if not wanted.ignore_missing_components:
        return wanted
    folders = {posixpath.dirname(path) for path in there}
    kept = [one for one in wanted.components if clean(posixpath.join(job.path, one)) in folders]
    return replace(wanted, components=tuple(kept))


def edited(document: Json, wanted: Kustomize, variables: Mapping[str, str]) -> Json:
    """A kustomization with the source's wishes in it. Pure; raises `InvalidInput`."""
    names = {
        "namePrefix": wanted.name_prefix,
        "nameSuffix": wanted.name_suffix,
        "namespace": wanted.namespace,
    }
    made = {**document, **{name: value for name, value in names.items() if value}}
    if wanted.images:
        made["images"] = _images(made.get("images"), wanted, variables)
    if wanted.replicas:
        made["replicas"] = _replicas(made.get("replicas"), wanted)
    _describe(made, wanted, variables)
    if wanted.patches:
        patches = [msgspec.to_builtins(one) for one in wanted.patches]
        made["patches"] = [*(made.get("patches") or ()), *patches]
    if wanted.components:
        there = list(made.get("components") or ())
        made["components"] = [*there, *(one for one in wanted.components if one not in there)]
    return made


def _describe(made: Json, wanted: Kustomize, variables: Mapping[str, str]) -> None:
    if wanted.common_labels:
        _label(made, wanted, variables)
    if wanted.common_annotations:
        made["commonAnnotations"] = _added(
            made.get("commonAnnotations"),
            wanted.common_annotations,
            force=wanted.force_common_annotations,
            field="commonAnnotations",
        )


def _label(made: Json, wanted: Kustomize, variables: Mapping[str, str]) -> None:
    labels = {name: expanded(one, variables) for name, one in wanted.common_labels.items()}
    force = wanted.force_common_labels
    if not wanted.label_without_selector:
        if wanted.label_include_templates:
            raise InvalidInput(
                "labelIncludeTemplates needs labelWithoutSelector",
                code="source-field",
                where=f"{_HERE}.labelIncludeTemplates",
            )
        there = made.get("commonLabels")
        made["commonLabels"] = _added(there, labels, force=force, field="commonLabels")
        return
    groups = [dict(one) for one in made.get("labels") or ()]
    for group in groups:
        templates = bool(group.get("includeTemplates"))
        if not group.get("includeSelectors") and templates == wanted.label_include_templates:
            group["pairs"] = _added(group.get("pairs"), labels, force=force, field="commonLabels")
            break
    else:
        groups.append({"pairs": labels, "includeTemplates": wanted.label_include_templates})
    made["labels"] = groups


def _added(there: Any, new: Mapping[str, str], *, force: bool, field: str) -> Json:
    found = dict(there or {})
    for name in new:
        if name in found and not force:
            raise InvalidInput(
                f"{name} is already in the kustomization file",
                code="kustomize-build",
                where=f"{_HERE}.{field}",
                remedy="set forceCommonLabels or forceCommonAnnotations to replace it",
            )
    return {**found, **new}


def _images(there: Any, wanted: Kustomize, variables: Mapping[str, str]) -> list[Json]:
    asked = [_image(expanded(one, variables)) for one in wanted.images]
    new = {one["name"]: one for one in asked}
    for one in there or ():
        over = new.get(one.get("name"))
        if over is None:
            new[str(one.get("name"))] = one
            continue
        kept = {n: one.get(n) for n, value in over.items() if value == _KEEP and n != "name"}
        new[over["name"]] = {**over, **kept}
    return [
        {n: value for n, value in new[name].items() if value not in {_KEEP, "", None}}
        for name in sorted(new)
    ]


def _image(text: str) -> Json:
    """`[NAME=]IMAGE[:TAG][@DIGEST]`."""
    key, equals, value = text.partition("=")
    value = value if equals else key
    name, _, digest = value.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    if not head or (not equals and not (tag or digest)) or (equals and not key):
        raise InvalidInput(
            f"{text!r} changes no image: write NAME=IMAGE:TAG, NAME:TAG or NAME@DIGEST",
            code="source-field",
            where=f"{_HERE}.images",
        )
    made = {"name": key if equals else head, "newTag": tag, "digest": digest}
    return {**made, "newName": head} if equals else made


def _replicas(there: Any, wanted: Kustomize) -> list[Json]:
    new: dict[str, Json] = {}
    for one in wanted.replicas:
        try:
            new[one.name] = {"name": one.name, "count": int(one.count)}
        except ValueError:
            raise InvalidInput(
                f"{one.count!r} is no number of replicas",
                code="source-field",
                where=f"{_HERE}.replicas",
            ) from None
    for each in there or ():
        new.setdefault(str(each.get("name")), each)
    return [new[name] for name in sorted(new)]
