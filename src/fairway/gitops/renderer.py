"""How files become objects: what every kind of source has in common.

A renderer says which files it needs (`needs`), all of them by content, so that what was rendered
once is known again; then it makes objects of them (`render`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from fairway.gitops import merging
from fairway.gitops.objects import Destination, Json, SourceType
from fairway.gitops.source import Source, Tree, as_json, parse
from fairway.kit import yaml
from fairway.model.commit import TreeEntry
from fairway.model.errors import InvalidInput

KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
OVERRIDES: Final = (".argocd-source.yaml", ".argocd-source-{app}.yaml")
_KEPT: Final = ("repoURL", "path", "targetRevision", "chart")
_HOPS: Final = 20  # links to links
_VARIABLE: Final = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*)|([*#$@!?0-9-]))")


class Job(Struct, frozen=True, kw_only=True):
    """What to render."""

    app: str  # the application's name
    source: Source  # with what the repository says of it
    path: str  # of the manifests, clean
    destination: Destination
    variables: Mapping[str, str]  # ARGOCD_APP_NAME and the like


class Files(Struct, frozen=True, kw_only=True):
    """Everything that a job needs. `entries` are files and links, by path."""

    entries: tuple[TreeEntry, ...]
    contents: Mapping[str, bytes]  # by the entries' `sha`

    def text(self, entry: TreeEntry) -> str:
        """A file's text. Raises `BadFile`."""
        return yaml.decode(self.contents[entry.sha], name=entry.path)


class Renderer(Protocol):
    """One kind of source."""

    kind: SourceType

    async def needs(self, tree: Tree, job: Job) -> list[TreeEntry]:
        """The files and links that it reads. Raises `InvalidInput`."""

    def render(self, files: Files, job: Job) -> list[Json]:
        """The objects. Blocks; raises `InvalidInput` with a place, and as `Toolbox` does."""


def clean(path: str, where: str = "spec.source.path") -> str:
    """A path in a repository. Raises `InvalidInput` (`outside-folder`)."""
    made = posixpath.normpath(path.strip() or ".")
    if made.startswith(("/", "../")) or made == "..":
        said = f"{path!r} is no path inside the repository"
        raise InvalidInput(said, code="outside-folder", where=where)
    return "" if made == "." else made


def joined(folder: str, path: str, where: str) -> str:
    """A path that is of a folder, or of the repository's top with a leading `/`.

    Raises `InvalidInput` (`outside-folder`).
    """
    top = path.startswith("/")
    return clean(path.lstrip("/") if top else posixpath.join(folder, path), where)


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """A text with `$NAME` and `${NAME}` replaced; `$$` is a dollar, an unknown name is nothing."""

    def value(found: re.Match[str]) -> str:
        name = found[1] if found[1] is not None else found[2] or found[3]
        return "$" if name == "$" else variables.get(name, "")

    return _VARIABLE.sub(value, text)


def explicit(source: Source) -> SourceType | None:
    """The kind that a source names. Raises `InvalidInput` (`source-types`) for two."""
    given: list[SourceType] = []
    if source.kustomize is not None:
        given.append("Kustomize")
    if source.helm is not None:
        given.append("Helm")
    if source.directory is not None:
        given.append("Directory")
    if len(given) > 1:
        raise InvalidInput(
            f"multiple application sources defined: {','.join(given)}",
            code="source-types",
            where="spec.source",
            remedy="keep one of helm, kustomize and directory",
        )
    return given[0] if given else None


async def discovered(tree: Tree, path: str) -> SourceType:
    """The kind that a folder's files show: a kustomization before a chart before plain files."""
    looked = ("Chart.yaml", *KUSTOMIZATIONS)
    found = await tree.entries([posixpath.join(path, name) for name in looked])
    names = {posixpath.basename(one) for one in found}
    if names & set(KUSTOMIZATIONS):
        return "Kustomize"
    return "Helm" if names else "Directory"


async def overridden(tree: Tree, path: str, app: str, source: Source) -> Source:
    """The source with what `.argocd-source.yaml` and `.argocd-source-APP.yaml` change of it.

    Raises `InvalidInput` (`source-field`), `BadFile`.
    """
    places = [posixpath.join(path, name.format(app=app)) for name in OVERRIDES]
    found = await tree.entries(places)
    files = [one for place in places if (one := found.get(place)) and one.kind == "file"]
    if not files:
        return source
    contents = await tree.blobs([one.sha for one in files])
    made = as_json(source)
    for one in files:
        patch = yaml.load(yaml.decode(contents[one.sha], name=one.path), name=one.path)
        if isinstance(patch, dict):
            made = merging.merged(made, patch)
    first = as_json(source)
    made = {n: each for n, each in made.items() if n not in _KEPT}
    made.update({name: first[name] for name in _KEPT if name in first})
    return parse(made, files[-1].path)


async def followed(tree: Tree, found: Iterable[TreeEntry]) -> list[TreeEntry]:
    """Files and links, and what the links lead to. A link to nothing stays one.

    Raises `InvalidInput`: `outside-folder` for one that leads out of the repository,
    `source-submodule` for a submodule.
    """
    whole = {one.path: one for one in found}
    new = list(whole.values())
    for _hop in range(_HOPS):
        links = [one for one in new if one.kind == "link"]
        _refuse_submodules(new)
        if not links:
            break
        new = [one for one in await _targets(tree, links) if one.path not in whole]
        whole.update({one.path: one for one in new})
    return [whole[path] for path in sorted(whole)]


def _refuse_submodules(entries: Sequence[TreeEntry]) -> None:
    for one in entries:
        if one.kind == "submodule":
            said = "a submodule is not supported yet"
            raise InvalidInput(said, code="source-submodule", where=one.path)


async def _targets(tree: Tree, links: Sequence[TreeEntry]) -> list[TreeEntry]:
    contents = await tree.blobs([one.sha for one in links])
    places = []
    for one in links:
        target = contents[one.sha].decode("utf-8", "replace")
        if target.startswith("/"):
            said = f"the link leads to {target!r}, out of the repository"
            raise InvalidInput(said, code="outside-folder", where=one.path)
        places.append(clean(posixpath.join(posixpath.dirname(one.path), target), one.path))
    found: list[TreeEntry] = []
    for place, entry in (await tree.entries(places)).items():
        found += await tree.below(place) if entry.kind == "folder" else [entry]
    return found


def documents(text: str, name: str) -> list[Any]:
    """The documents of a YAML text, as Kubernetes' reader splits it. Raises `BadFile`."""
    found = []
    for line, part in _parts(text):
        node = yaml.compose(part, name=name, first_line=line, limits=_LIMITS)
        if node is not None:
            found.append(yaml.plain_data(node, name=name))
    return found


_LIMITS: Final = yaml.Limits(size_bytes=32 * 1024 * 1024, nodes=1_000_000)


def _parts(text: str) -> list[tuple[int, str]]:
    """Parts between lines of `---`, each with its first line's number."""
    parts: list[tuple[int, str]] = []
    start, lines = 1, list[str]()
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if line.startswith("---") and not line[3:].strip():
            parts.append((start, "".join(lines)))
            start, lines = number + 1, []
        else:
            lines.append(line)
    return [*parts, (start, "".join(lines))]
