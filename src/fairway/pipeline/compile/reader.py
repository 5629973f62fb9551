"""A `kind: pipeline` document as a `Pipeline`: types and shapes, no facts of any build.

What the server needs to make stages (name, platform, trigger, dependencies) is refused for the
whole file; the rest for every pipeline of the type, which is where Drone's runner reads it.
"""

from __future__ import annotations

from typing import Final

from fairway.kit.yaml import Node
from fairway.pipeline.compile.condition_reader import read_conditions
from fairway.pipeline.compile.config import (
    Clone,
    Pipeline,
    Platform,
    Setting,
    Step,
    VolumeConfig,
    VolumeMount,
)
from fairway.pipeline.compile.documents import Document
from fairway.pipeline.compile.extension import (
    pipeline_timeout,
    refuse_elsewhere,
    refuse_misplaced,
    step_extension,
)
from fairway.pipeline.compile.fields import Fields
from fairway.pipeline.compile.finding import Findings, Scope
from fairway.pipeline.compile.sizes import size_bytes
from fairway.pipeline.graph import SecretRef

_LONGEST_NAME: Final = 100


def read_pipeline(document: Document, findings: Findings) -> Pipeline:
    """Read a document. What is wrong is noted in `findings`."""
    findings = findings.within(Scope.FILE, document.name)
    head = Fields(document.node, "", findings)
    body = Fields(document.node, "", findings.within(Scope.TYPE))
    refuse_elsewhere(head, ("x-fairway",))
    refuse_misplaced(document.node, findings)
    _refuse_odd_name(head, document.name)
    workspace = body.section("workspace")
    return Pipeline(
        name=document.name,
        type=document.type,
        node=document.node,
        platform=_platform(head),
        concurrency=_concurrency(head),
        labels=head.words("node"),
        depends_on=head.texts("depends_on") or (),
        trigger=read_conditions(head, "trigger"),
        clone=_clone(body),
        environment=body.words("environment"),
        services=_steps(body, "services"),
        steps=_steps(body, "steps"),
        volumes=tuple(_volume(fields) for fields in body.sections("volumes")),
        pull_secrets=body.texts("image_pull_secrets") or (),
        workspace_base=workspace.text("base") if workspace else "",
        workspace_path=workspace.text("path") if workspace else "",
        timeout_s=pipeline_timeout(body),
    )


def _platform(head: Fields) -> Platform:
    fields = head.section("platform")
    if fields is None:
        return Platform()
    return Platform(
        os=fields.text("os") or "linux",
        arch=fields.text("arch") or "amd64",
        variant=fields.text("variant"),
        version=fields.text("version"),
    )


def _concurrency(head: Fields) -> int:
    fields = head.section("concurrency")
    return fields.whole("limit") if fields else 0


def _clone(body: Fields) -> Clone:
    fields = body.section("clone")
    if fields is None:
        return Clone()
    return Clone(
        disable=fields.flag("disable"),
        depth=fields.whole("depth"),
        retries=fields.whole("retries"),
        skip_verify=fields.flag("skip_verify"),
        trace=fields.flag("trace"),
    )


def _steps(body: Fields, key: str) -> tuple[Step, ...]:
    return tuple(_step(fields, service=key == "services") for fields in body.sections(key))


def _step(fields: Fields, *, service: bool) -> Step:
    refuse_elsewhere(fields, ("x-fairway",))
    if fields.node.is_null:
        fields.refuse(fields.node, "is empty", code="empty-step")
    name = fields.text("name")
    _refuse_odd_name(fields, name)
    return Step(
        name=name,
        node=fields.node,
        path=fields.path,
        service=service,
        image=fields.text("image"),
        commands=fields.texts("commands") or (),
        command=fields.texts("command") or (),
        entrypoint=fields.texts("entrypoint") or (),
        environment=_environment(fields),
        settings=_settings(fields),
        privileged=fields.flag("privileged"),
        detach=fields.flag("detach"),
        pull=fields.text("pull"),
        failure=fields.text("failure"),
        user=fields.text("user"),
        working_dir=fields.text("working_dir"),
        network_mode=fields.text("network_mode"),
        dns=fields.texts("dns") or (),
        dns_search=fields.texts("dns_search") or (),
        extra_hosts=fields.texts("extra_hosts") or (),
        mem_limit_bytes=_size(fields, "mem_limit"),
        memswap_limit_bytes=_size(fields, "memswap_limit"),
        shm_size_bytes=_size(fields, "shm_size"),
        volumes=_mounts(fields, "volumes"),
        devices=_mounts(fields, "devices"),
        depends_on=fields.texts("depends_on") or (),
        when=read_conditions(fields, "when"),
        x=step_extension(fields, service=service),
    )


def _refuse_odd_name(fields: Fields, name: str) -> None:
    if len(name) > _LONGEST_NAME:
        fields.refuse(fields.place("name"), "is longer than 100 letters", key="name")
    if name and not name.isprintable():
        fields.refuse(fields.place("name"), "holds a control character", key="name")


def _size(fields: Fields, key: str) -> int:
    node = fields.raw(key)
    if node is None:
        return 0
    size = size_bytes(node.text) if node.kind == "scalar" else None
    if size is None:
        fields.refuse(node, "must be a size such as 512m or 1gb", key=key)
        return 0
    return size


def _mounts(fields: Fields, key: str) -> tuple[VolumeMount, ...]:
    return tuple(
        VolumeMount(name=mount.text("name"), path=mount.text("path"), line=mount.node.line)
        for mount in fields.sections(key)
    )


def _volume(fields: Fields) -> VolumeConfig:
    name, node = fields.text("name"), fields.node
    if "host" in fields.found:
        host = fields.section("host")
        path = host.text("path") if host else ""
        if not path:
            fields.refuse(fields.place("host"), "needs a path", key="host")
        return VolumeConfig(name=name, kind="host", path=path, node=node)
    if "temp" in fields.found:
        temp = fields.section("temp")
        memory = temp is not None and temp.text("medium").lower() == "memory"
        size = _size(temp, "size_limit") if temp else 0
        kind = "memory" if memory else "temp"
        return VolumeConfig(name=name, kind=kind, size_bytes=size, node=node)
    return VolumeConfig(name=name, kind="", node=node)


def _environment(fields: Fields) -> dict[str, str | SecretRef]:
    """Raw texts; `~`, `null` and nothing leave a variable out, `Null` and `{}` make it empty."""
    section = fields.section("environment")
    if section is None:
        return {}
    result: dict[str, str | SecretRef] = {}
    for name, (_key, node) in section.found.items():
        if _is_nothing(node):
            continue
        if node.kind == "map":
            inner = Fields(node, section.sub(name), section.findings)
            secret = inner.text("from_secret")
            result[name] = SecretRef(_own(secret)) if secret else inner.text("value")
        else:
            result[name] = section.text(name)
    return result


def _settings(fields: Fields) -> dict[str, Setting]:
    section = fields.section("settings")
    if section is None:
        return {}
    result = {}
    for name, (_key, node) in section.found.items():
        if not _is_nothing(node):
            result[name] = Setting(secret=_secret_name(node), node=node)
    return result


def _secret_name(node: Node) -> str:
    """`from_secret` of a setting, where it is a word; anything else stays data."""
    if node.kind != "map":
        return ""
    quiet = Findings("")
    name = Fields(node, "", quiet).text("from_secret")
    return "" if quiet.all else _own(name)


def _own(name: str) -> str:
    """A secret's name as the file may ask for it: names with a colon are Fairway's own."""
    return name.replace(":", "?")


def _is_nothing(node: Node) -> bool:
    """go-yaml's absent values: `~`, `null` and nothing, but not `Null`."""
    return node.kind == "scalar" and node.is_null and node.text in {"", "~", "null"}
