"""One step or service of the old format (0.8) in today's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from fairway.kit.yaml import Node, bad, entries
from fairway.pipeline.compile import glob
from fairway.pipeline.compile.emit import Raw

_SAME: Final = (
    "image",
    "privileged",
    "detach",
    "network_mode",
    "shm_size",
    "mem_limit",
    "memswap_limit",
    "user",
    "working_dir",
    "failure",
    "x-fairway",
)
_LISTS: Final = ("commands", "command", "entrypoint", "dns", "dns_search", "extra_hosts")
_OTHER: Final = (
    "environment",
    "secrets",
    "when",
    "volumes",
    "devices",
    "group",
    "pull",
    "settings",
)
_DROPPED: Final = (
    "auth_config",
    "cap_add",
    "cap_drop",
    "cgroup_parent",
    "cpu_quota",
    "cpu_shares",
    "cpuset",
    "expose",
    "external_links",
    "isolation",
    "labels",
    "links",
    "logging",
    "networks",
    "ports",
    "sysctls",
    "tmpfs",
    "ulimits",
)
_WHEN: Final = {
    "branch": "branch",
    "event": "event",
    "ref": "ref",
    "repo": "repo",
    "instance": "instance",
    "status": "status",
    "environment": "target",
    "path": "paths",
}
_EVENTS: Final = {"deployment": "promote"}


class LegacyStep(Struct, kw_only=True):
    """A step with what only the old format has."""

    name: str
    data: dict[str, Any]
    group: str = ""
    hosts: list[tuple[str, str]] = []  # volume name, path of the host


def written(node: Node) -> Any:
    """A node as data to emit, its plain scalars as they are written."""
    if node.kind == "list":
        return [written(item) for item in node.items]
    if node.kind == "map":
        return {key: written(value) for key, (_key, value) in entries(node).items()}
    return Raw(node.text or "~") if node.plain else node.text


def read_step(
    title: str, node: Node, *, name: str, axes: Mapping[str, str], platform: str
) -> LegacyStep | None:
    """A step; None when its `when` excludes this combination of the matrix or this platform."""
    if node.kind != "map":
        raise bad(f"the step '{title}' is empty", node, name=name, code="bad-legacy")
    found = {key: value for key, (_key, value) in entries(node, name=name).items()}
    when = found.get("when")
    if when is not None and not _fits(when, axes, platform, name):
        return None
    step = LegacyStep(name=title, data={"name": title}, hosts=[])
    step.group = found["group"].text if "group" in found else ""
    step.data |= {key: written(found[key]) for key in _SAME if key in found}
    step.data |= {key: listed(found[key]) for key in _LISTS if key in found}
    if "pull" in found:
        step.data["pull"] = "always" if found["pull"].value() is True else found["pull"].text
    environment = _environment(found, name)
    if environment:
        step.data["environment"] = environment
    for key in ("volumes", "devices"):
        _mount(step, found.get(key), key, name)
    if when is not None:
        step.data["when"] = _when(when, name)
    settings = _settings(found)
    if settings:
        step.data["settings"] = settings
    return step


def listed(node: Node) -> list[Any]:
    """A text or a list of texts, as a list."""
    return [written(item) for item in node.items] if node.kind == "list" else [written(node)]


def _settings(found: Mapping[str, Node]) -> dict[str, Any]:
    """In the old format a plugin's settings stand beside the step's own keys."""
    known = {*_SAME, *_LISTS, *_OTHER, *_DROPPED}
    result = {key: written(value) for key, value in found.items() if key not in known}
    if "settings" in found and found["settings"].kind == "map":
        result |= written(found["settings"])
    return result


def _environment(found: Mapping[str, Node], name: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    node = found.get("environment")
    if node is not None and node.kind == "list":
        for item in node.items:
            key, _, value = item.text.partition("=")
            result[key] = value
    elif node is not None and node.kind == "map":
        result |= written(node)
    secrets = found.get("secrets")
    for item in secrets.items if secrets is not None else []:
        source, target = _secret(item, name)
        result[target.upper()] = {"from_secret": source}
    return result


def _secret(node: Node, name: str) -> tuple[str, str]:
    if node.kind == "scalar":
        return node.text, node.text
    if node.kind == "map":
        found = {key: value.text for key, (_key, value) in entries(node, name=name).items()}
        source = found.get("source", "")
        if source:
            return source, found.get("target") or source
    raise bad("a secret is a name, or a map with `source` and `target`", node, name=name)


def _mount(step: LegacyStep, node: Node | None, key: str, name: str) -> None:
    """`/host:/container` becomes a host volume of the pipeline and a mount of the step."""
    for item in node.items if node is not None else []:
        host, _, inside = item.text.partition(":")
        if not host.startswith("/"):
            message = f"'{item.text}' is not of the form /host:/container"
            raise bad(message, item, name=name, code="bad-legacy")
        volume = f"{step.name}-{key}-{len(step.hosts) + 1}"
        step.hosts.append((volume, host))
        mount = {"name": volume, "path": inside.partition(":")[0] or host}
        step.data.setdefault(key, []).append(mount)


def host_volumes(steps: Iterable[LegacyStep]) -> list[dict[str, Any]]:
    """The pipeline's volumes for all mounts of its steps."""
    return [
        {"name": volume, "host": {"path": path}} for step in steps for volume, path in step.hosts
    ]


def condition(node: Node, name: str) -> Any:
    """A text, a list, or `include` and `exclude` with either, as today's lists."""
    if node.kind != "map":
        return [_event(text) for text in listed(node)]
    found = entries(node, name=name)
    return {
        key: [_event(text) for text in listed(value)]
        for key, (_key, value) in found.items()
        if key in {"include", "exclude"}
    }


def _event(text: Any) -> Any:
    return _EVENTS.get(text, text) if isinstance(text, str) else text


def _when(node: Node, name: str) -> dict[str, Any]:
    if node.kind != "map":
        raise bad("`when` must be a map", node, name=name, code="bad-legacy")
    return {
        _WHEN[key]: condition(value, name)
        for key, (_key, value) in entries(node, name=name).items()
        if key in _WHEN
    }


def _fits(when: Node, axes: Mapping[str, str], platform: str, name: str) -> bool:
    if when.kind != "map":
        return True
    found = {key: value for key, (_key, value) in entries(when, name=name).items()}
    if "platform" in found and not _any(_texts(found["platform"]), platform):
        return False
    if "matrix" not in found or found["matrix"].kind != "map":
        return True
    wanted = entries(found["matrix"], name=name).items()
    return all(_any(_texts(value), axes.get(key, "")) for key, (_key, value) in wanted)


def _texts(node: Node) -> Sequence[str]:
    return [item.text for item in node.items] if node.kind == "list" else [node.text]


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(glob.match(pattern, text) for pattern in patterns)
