"""The objects that a folder of manifests has, read without leaving the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fairway.kit import yaml
from fairway.kit.yaml import Limits
from fairway.model.errors import BadFile, InvalidInput
from fairway.pipeline.environments.copies import inside
from fairway.pipeline.environments.objects_judge import Found

_ENDINGS: Final = (".yaml", ".yml", ".json")
_MOST: Final = 500  # files
_LARGEST: Final = 5 * 1024 * 1024  # bytes of one


def read(folder: Path, *, root: Path, confined: bool) -> list[Found]:
    """All objects of a file or of a folder's files, in their names' order. Blocks.

    Raises `BadFile` with file:line, `InvalidInput`.
    """
    paths = [folder] if folder.is_file() else sorted(
        path for path in folder.iterdir() if path.suffix in _ENDINGS
    )[:_MOST]  # fmt: skip
    found: list[Found] = []
    for path in paths:
        if confined and not inside(root, str(path)):
            raise InvalidInput(f"{path.name} leads out of the workspace", code="environment-file")
        with path.open("rb") as file:
            text = yaml.decode(file.read(_LARGEST), name=path.name)
        found += parse(text, _name(path, root))
    if not found:
        raise InvalidInput(
            f"{_name(folder, root)} has no Kubernetes objects",
            code="environment-file",
            remedy=f"Its files end in {', '.join(_ENDINGS)}.",
        )
    return found


def _name(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def parse(text: str, name: str) -> list[Found]:
    """The objects of a text of several documents. Raises `BadFile`."""
    found: list[Found] = []
    for first, part in _documents(text):
        node = yaml.compose(part, name=name, first_line=first, limits=Limits(nodes=200_000))
        if node is None or node.is_null:  # nothing but comments between two marks
            continue
        found += _objects(yaml.plain_data(node, name=name), f"{name}:{node.line}")
    return found


def _documents(text: str) -> list[tuple[int, str]]:
    """(first line, text) of each document."""
    found: list[tuple[int, list[str]]] = [(1, [])]
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if line.startswith("---") and line[3:4] in ("", " ", "\n", "\r", "\t"):
            found.append((number, [line]))
        else:
            found[-1][1].append(line)
    return [(first, "".join(lines)) for first, lines in found]


def _objects(data: Any, where: str) -> list[Found]:
    if not isinstance(data, dict):
        raise BadFile("not a Kubernetes object: it is no map", code="environment-file", where=where)
    if data.get("kind") == "List":
        return [one for item in data.get("items") or [] for one in _objects(item, where)]
    meta = data.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    for key, value in (("apiVersion", data.get("apiVersion")), ("kind", data.get("kind")),
                       ("metadata.name", name)):  # fmt: skip
        if not value or not isinstance(value, str):
            raise BadFile(
                f"not a Kubernetes object: {key} is missing", code="environment-file", where=where
            )
    return [Found(f"{where}: {data['kind']} {name}", data)]
