"""Values that no container could be made of: said before anything starts, with their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fairway.kit.yaml import Node, at
from fairway.pipeline.compile.config import Pipeline, Step
from fairway.pipeline.compile.finding import Findings
from fairway.pipeline.compile.script import script

_LONGEST_SCRIPT: Final = 1024 * 1024  # Linux takes 2 MB of variables and arguments in all


def check_values(pipeline: Pipeline, step: Step, here: Findings) -> None:
    """Note null bytes, names that are no variable's, a script too long, and mounts that clash."""
    for key, text in _texts(step):
        if "\0" in text:
            _note(here, step, key, "holds a null byte", code="null-byte")
    for name in step.environment:
        if not name or "=" in name or "\0" in name:
            message = f"'{name}' cannot be the name of a variable"
            _note(here, step, "environment", message, code="bad-variable")
    if len(script(step.commands).encode()) > _LONGEST_SCRIPT:
        message = "commands of more than 1 MB fit into no container; put them into a file"
        _note(here, step, "commands", message, code="script-too-long")
    if pipeline.platform.os == "linux":
        _check_mounts(pipeline, step, here)


def _texts(step: Step) -> Iterator[tuple[str, str]]:
    for key in ("image", "working_dir", "user"):
        yield key, getattr(step, key)
    for key in ("commands", "command", "entrypoint"):
        for text in getattr(step, key):
            yield key, text
    for value in step.environment.values():
        if isinstance(value, str):
            yield "environment", value


def _check_mounts(pipeline: Pipeline, step: Step, here: Findings) -> None:
    known = {volume.name for volume in pipeline.volumes if volume.kind}
    seen: set[str] = set()
    for mount in step.volumes:
        if mount.name not in known:
            continue
        if not mount.path.startswith("/"):
            message = f"'{mount.path}' is not an absolute path in the container"
            _note(here, step, "volumes", message, code="relative-mount")
        elif mount.path in seen:
            message = f"two volumes are mounted at '{mount.path}'"
            _note(here, step, "volumes", message, code="duplicate-mount")
        seen.add(mount.path)


def _note(here: Findings, step: Step, key: str, message: str, *, code: str) -> None:
    node: Node = at(step.node, key)
    here.error(message, node, code=code, path=f"{step.path}.{key}")
