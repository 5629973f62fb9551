"""Likely mistakes: what Drone would take in silence, and what it would take otherwise."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from fairway.kit.yaml import Node, at, entries
from fairway.model.errors import BadFile
from fairway.pipeline.compile import images, legacy
from fairway.pipeline.compile.check import volume_named
from fairway.pipeline.compile.config import Pipeline, Step
from fairway.pipeline.compile.documents import KINDS, Document
from fairway.pipeline.compile.finding import Findings
from fairway.pipeline.compile.workspace import is_restricted
from fairway.pipeline.graph import PullPolicy

_NOT_LOOKED_AT: Final = ("cron", "registry")
_TYPES: Final = ("docker", "exec")
_PIPELINE_KEYS: Final = frozenset(
    {
        "clone",
        "concurrency",
        "depends_on",
        "environment",
        "image_pull_secrets",
        "kind",
        "name",
        "node",
        "platform",
        "services",
        "steps",
        "trigger",
        "type",
        "version",
        "volumes",
        "workspace",
    }
)
_STEP_KEYS: Final = frozenset(
    {
        "command",
        "commands",
        "depends_on",
        "detach",
        "devices",
        "dns",
        "dns_search",
        "entrypoint",
        "environment",
        "extra_hosts",
        "failure",
        "image",
        "mem_limit",
        "memswap_limit",
        "name",
        "network_mode",
        "privileged",
        "pull",
        "settings",
        "shm_size",
        "user",
        "volumes",
        "when",
        "working_dir",
    }
)
_IGNORED: Final = ("shell", "ports", "tmpfs", "resources")
_AUTHORS: Final = re.compile(
    r"\$\{(?:DRONE_COMMIT_MESSAGE|DRONE_PULL_REQUEST_TITLE|DRONE_COMMIT_AUTHOR\w*|CI_COMMIT_MESSAGE"
    r"|CI_COMMIT_AUTHOR\w*|DRONE_SOURCE_BRANCH)\b"
)
_OVERWRITTEN: Final = ("DRONE_BRANCH", "DRONE_BUILD_", "DRONE_STAGE_", "DRONE_COMMIT", "CI_COMMIT_")
_FAILURES: Final = ("ignore", "fast", "fast-fail", "fail-fast", "fail", "default")
Remark = tuple[str, str, str]  # key, code, message
_OLD_MARK: Final = re.compile(r"^pipeline:[ \t]*\r?$", re.MULTILINE)


def about_text(text: str, findings: Findings) -> None:
    """What only the raw text shows."""
    if legacy.is_legacy(text):
        findings.warn("this file is of the old (0.8) format", _point(text, 0), code="old-format")
    elif found := _OLD_MARK.search(text):
        message = "Drone takes a file with such a line for one of the old format"
        findings.warn(message, _point(text, found.start()), code="old-format-line")
    for found in _AUTHORS.finditer(text):
        if text[found.start() - 1 : found.start()] == "$" and found.start():
            continue
        name = found[0][2:]
        message = f"{name} is written by the commit's author and becomes part of the file"
        remedy = f'In commands, write "${name}" (without braces) instead.'
        point = _point(text, found.start())
        findings.warn(message, point, code="author-text", remedy=remedy)


def _point(text: str, offset: int) -> Node:
    line = text.count("\n", 0, offset) + 1
    return Node("scalar", line=line, column=offset - (text.rfind("\n", 0, offset) + 1) + 1)


def about_document(document: Document, findings: Findings) -> None:
    """Kinds and keys that nobody looks at."""
    if document.kind not in KINDS:
        message = f"no runner takes kind '{document.kind}'"
        findings.warn(message, at(document.node, "kind"), code="unknown-kind", path="kind")
    if document.kind in _NOT_LOOKED_AT:
        message = f"kind '{document.kind}' is not looked at: use Fairway's settings"
        findings.warn(message, at(document.node, "kind"), code="ignored-kind", path="kind")
    if document.kind != "pipeline":
        return
    if document.type not in _TYPES:
        message = f"no runner of Fairway takes type '{document.type}'"
        findings.warn(message, at(document.node, "type"), code="unknown-type", path="type")
        return
    _unknown_keys(document.node, _PIPELINE_KEYS, "", findings)
    for key in ("services", "steps"):
        node = at(document.node, key)
        for place, item in enumerate(node.items if node.kind == "list" else []):
            _unknown_keys(item, _STEP_KEYS, f"{key}[{place}]", findings)


def _unknown_keys(node: Node, known: frozenset[str], path: str, findings: Findings) -> None:
    try:
        found = entries(node) if node.kind == "map" else {}
    except BadFile:
        return
    for key, (place, _value) in found.items():
        where = f"{path}.{key}" if path else key
        if key in _IGNORED:
            findings.warn(f"'{key}' is not looked at", place, code="ignored-key", path=where)
        elif key not in known and not key.startswith("x-"):
            near = difflib.get_close_matches(key, list(known), 1)
            remedy = f"Did you mean '{near[0]}'?" if near else ""
            message = f"unknown key '{key}' is not looked at"
            findings.warn(message, place, code="unknown-key", path=where, remedy=remedy)


def about_pipeline(pipeline: Pipeline, findings: Findings) -> None:
    """Settings of a pipeline that do not do what they seem to."""
    node = pipeline.node
    base = pipeline.workspace_base or pipeline.workspace_path
    if base.startswith("/") and is_restricted(base):
        message = f"'{base}' belongs to the system: the workspace will be /drone/src"
        findings.warn(message, at(node, "workspace"), code="system-workspace", path="workspace")
    instance = pipeline.trigger.instance
    if instance.include or instance.exclude:
        message = "a trigger's instance is not looked at (a step's is)"
        place = at(node, "trigger", "instance")
        findings.warn(message, place, code="trigger-instance", path="trigger.instance")
    for number, volume in enumerate(pipeline.volumes):
        if not volume.kind:
            message = f"the volume '{volume.name}' is neither temp nor host and is left out"
            findings.warn(message, volume.node, code="empty-volume", path=f"volumes[{number}]")
    if not pipeline.steps:
        findings.warn("a pipeline without steps only clones", node, code="no-steps")
    for step in (*pipeline.services, *pipeline.steps):
        _about_step(step, pipeline, findings)


def _about_step(step: Step, pipeline: Pipeline, findings: Findings) -> None:
    remarks = [*_about_words(step), *_about_lists(step, pipeline)]
    if pipeline.type == "docker":
        remarks += _about_container(step)
    elif step.image:
        remarks.append(("image", "ignored-key", "an exec pipeline has no images"))
    for key, code, message in remarks:
        findings.warn(message, at(step.node, key), code=code, path=f"{step.path}.{key}")


def _about_words(step: Step) -> Iterator[Remark]:
    if step.pull and step.pull.lower() not in {policy.value for policy in PullPolicy}:
        yield "pull", "ignored-pull", f"'{step.pull}' is not always, if-not-exists or never"
    if step.failure and step.failure not in _FAILURES:
        yield "failure", "ignored-failure", f"'{step.failure}' is not ignore or fast"
    for status in (*step.when.status.include, *step.when.status.exclude):
        if status not in {"success", "failure", "*", "**"}:
            yield "when", "odd-status", f"'{status}' is neither success nor failure"


def _about_container(step: Step) -> Iterator[Remark]:
    if step.commands and step.entrypoint:
        yield "entrypoint", "dropped-entrypoint", "entrypoint is dropped where commands are given"
    if step.working_dir and not step.working_dir.startswith("/"):
        yield "working_dir", "relative-dir", "a relative working_dir is not below the workspace"
    if step.image and "${" not in step.image and images.parse(step.image) is None:
        yield "image", "odd-image", f"'{step.image}' is not the name of an image"


def _about_lists(step: Step, pipeline: Pipeline) -> Iterator[Remark]:
    for name in step.environment:
        if name.startswith(_OVERWRITTEN):
            yield "environment", "overwritten", f"{name} is overwritten when the step starts"
    for mount in (*step.volumes, *step.devices):
        if volume_named(pipeline.volumes, mount.name) is None:
            yield "volumes", "unknown-volume", f"no volume '{mount.name}': the mount is left out"
