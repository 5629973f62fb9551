"""The old format (0.8): a top-level `pipeline:` map, converted to documents of today's.

Written from the format's documentation. One pipeline of a matrix becomes one document, in the
order of the file: the last axis turns fastest. Every combination is there exactly once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.kit.yaml import Node, bad, compose, entries
from fairway.model.errors import BadFile
from fairway.pipeline.compile.documents import cut
from fairway.pipeline.compile.emit import document
from fairway.pipeline.compile.legacy_step import (
    LegacyStep,
    condition,
    host_volumes,
    read_step,
    written,
)
from fairway.pipeline.compile.substitute import substitute

_MARK: Final = re.compile(r"^pipeline:[ \t]*\r?$", re.MULTILINE)
_KIND: Final = re.compile(r"^kind[ \t]*:", re.MULTILINE)
_MAX_COMBINATIONS: Final = 100
_MAX_VALUES: Final = 100_000
_GIT: Final = ("plugins/git", "drone/git")

Axes = dict[str, str]


def is_legacy(text: str) -> bool:
    """Whether a file is of the old format: a line `pipeline:` at the margin, and no `kind:`.

    Drone looks at the first alone, and so takes a file of today's format for an old one when a text
    in it holds such a line.
    """
    return bool(_MARK.search(text)) and not _KIND.search(text)


def convert(text: str, *, name: str) -> str:
    """The same pipelines in today's format. Raises `BadFile`."""
    parts = cut(text)
    if len(parts) != 1:
        raise BadFile("a file of the old format is one document", where=name, code="bad-legacy")
    node = compose(parts[0].text, name=name, first_line=parts[0].line)
    if node is None or node.kind != "map":
        raise BadFile("a document must be a map of keys", where=f"{name}:1:1", code="not-a-map")
    top = {key: value for key, (_key, value) in entries(node, name=name).items()}
    combinations = _combinations(top.get("matrix"), name)
    if len(combinations) > 1 and node.weight * len(combinations) > _MAX_VALUES:
        message = f"the matrix makes more than {_MAX_VALUES} values of this file"
        raise bad(message, top["matrix"], name=name, code="bad-legacy")
    several = "matrix" in top and not top["matrix"].is_null
    titles = [f"matrix-{number}" for number, _axes in enumerate(combinations, 1)]
    titles = titles if several else ["default"]
    return "".join(
        _put_in(document(_pipeline(top, title, axes, name)), axes)
        for title, axes in zip(titles, combinations, strict=True)
    )


def _combinations(matrix: Node | None, name: str) -> list[Axes]:
    if matrix is None or matrix.is_null:
        return [{}]
    if matrix.kind != "map":
        raise bad("`matrix` must be a map", matrix, name=name, code="bad-legacy")
    axes = {key: value for key, (_key, value) in entries(matrix, name=name).items()}
    included = axes.pop("include", None)
    if included is not None:
        return [_one(item, name) for item in _items(included, name)]
    count = 1
    for value in axes.values():
        count *= max(1, len(_items(value, name)))
        if count > _MAX_COMBINATIONS:
            message = f"the matrix has more than {_MAX_COMBINATIONS} combinations"
            raise bad(message, matrix, name=name, code="bad-legacy")
    values = [[_word(item, name) for item in _items(value, name)] for value in axes.values()]
    return [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*values)]


def _items(node: Node, name: str) -> list[Node]:
    if node.kind != "list" or not node.items:
        raise bad("an axis of a matrix must be a list", node, name=name, code="bad-legacy")
    return node.items[:_MAX_COMBINATIONS]


def _one(node: Node, name: str) -> Axes:
    if node.kind != "map":
        raise bad("an included combination must be a map", node, name=name, code="bad-legacy")
    return {key: _word(value, name) for key, (_key, value) in entries(node, name=name).items()}


def _word(node: Node, name: str) -> str:
    if node.kind != "scalar":
        raise bad("a value of a matrix must be a text", node, name=name, code="bad-legacy")
    return node.text


def _put_in(text: str, axes: Mapping[str, str]) -> str:
    """`${AXIS}` replaced, in every form; everything else is left for the build."""
    if not axes:
        return text
    names = "|".join(re.escape(name) for name in axes)
    pattern = re.compile(rf"(?<!\$)\$\{{#?(?:{names})(?!\w)[^{{}}\n]*\}}")
    return pattern.sub(lambda found: substitute(found[0], axes), text)


def _pipeline(top: Mapping[str, Node], title: str, axes: Axes, name: str) -> dict[str, Any]:
    platform = top["platform"].text if "platform" in top else ""
    steps = _read(top.get("pipeline"), axes, platform, name)
    services = _read(top.get("services"), axes, platform, name)
    result: dict[str, Any] = {"kind": "pipeline", "type": "docker", "name": title}
    clone, first = _clone(top, name)
    if platform:
        os, _, arch = platform.partition("/")
        result["platform"] = {"os": os, "arch": arch or "amd64"}
    result |= {key: written(top[key]) for key in ("workspace",) if key in top}
    if "labels" in top:
        result["node"] = written(top["labels"])
    if clone:
        result["clone"] = clone
    if axes:
        result["environment"] = dict(axes)
    if "branches" in top:
        result["trigger"] = {"branch": condition(top["branches"], name)}
    volumes = host_volumes([*services, *steps])
    if volumes:
        result["volumes"] = volumes
    if services:
        result["services"] = [step.data for step in services]
    result["steps"] = [*first, *_ordered(steps, services)]
    return result


def _read(node: Node | None, axes: Axes, platform: str, name: str) -> list[LegacyStep]:
    if node is None or node.is_null:
        return []
    if node.kind != "map":
        raise bad("must be a map of steps", node, name=name, code="bad-legacy")
    found = [
        read_step(key, value, name=name, axes=axes, platform=platform or "linux/amd64")
        for key, (_key, value) in entries(node, name=name).items()
    ]
    return [step for step in found if step is not None]


def _ordered(steps: Sequence[LegacyStep], services: Sequence[LegacyStep]) -> list[dict[str, Any]]:
    """Neighbours of one `group` run beside each other; each group waits for the one before."""
    if not any(step.group for step in steps):
        return [step.data for step in steps]
    before = [service.name for service in services]
    result: list[dict[str, Any]] = []
    for _key, run in itertools.groupby(enumerate(steps), _group_key):
        together = [step for _place, step in run]
        wait = {"depends_on": before} if before else {}
        result.extend({**step.data, **wait} for step in together)
        before = [step.name for step in together]
    return result


def _group_key(placed: tuple[int, LegacyStep]) -> tuple[str, int]:
    place, step = placed
    return (step.group, 0) if step.group else ("", place + 1)


def _clone(top: Mapping[str, Node], name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The clone section, and an own clone step where the old file says more than a depth."""
    if "skip_clone" in top and top["skip_clone"].value() is True:
        return {"disable": True}, []
    node = top.get("clone")
    if node is None or node.is_null:
        return {}, []
    if node.kind != "map":
        raise bad("`clone` must be a map", node, name=name, code="bad-legacy")
    found = entries(node, name=name)
    if len(found) != 1:
        raise bad("`clone` must hold one step", node, name=name, code="bad-legacy")
    (_key, value) = next(iter(found.values()))
    keys = set(entries(value, name=name)) if value.kind == "map" else set()
    step = read_step("clone", value, name=name, axes={}, platform="")
    if step is None:
        return {}, []
    image = str(step.data.get("image", "")).partition(":")[0]
    if keys <= {"image", "depth"} and (not image or image in _GIT):
        depth = step.data.get("settings", {}).get("depth")
        return ({"depth": depth} if depth else {}), []
    step.data["image"] = "drone/git" if image in _GIT or not image else step.data["image"]
    return {"disable": True}, [step.data]
