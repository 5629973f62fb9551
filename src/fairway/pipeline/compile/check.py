"""What is refused beyond types: names, order, trust. Each is noted where it stands in the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from fairway.kit.yaml import Node, at
from fairway.model.errors import BadFile
from fairway.pipeline.compile import plugin_env
from fairway.pipeline.compile.check_values import check_values
from fairway.pipeline.compile.config import Pipeline, Step, VolumeConfig
from fairway.pipeline.compile.finding import Findings, Scope
from fairway.pipeline.compile.privilege import OWN_PLUGINS, is_plain_container, own_plugin

_OS: Final = ("linux", "windows")
_ARCH: Final = ("amd64", "arm64", "arm")
CLONE: Final = "clone"


def check_file(pipelines: Sequence[Pipeline], findings: Findings) -> None:
    """What Drone's server refuses: equal names, dependencies not named before, odd platforms."""
    seen: set[str] = set()
    for pipeline in pipelines:
        here = findings.within(Scope.FILE, pipeline.name)
        if pipeline.name in seen:
            message = f"there are two pipelines named '{pipeline.name}'"
            here.error(message, at(pipeline.node, "name"), code="duplicate-pipeline", path="name")
        for name in pipeline.depends_on:
            if name not in seen or name == pipeline.name:
                message = f"depends on '{name}', but no pipeline before it has that name"
                node = at(pipeline.node, "depends_on")
                here.error(message, node, code="unknown-dependency", path="depends_on")
        seen.add(pipeline.name)
        _check_platform(pipeline, here)


def _check_platform(pipeline: Pipeline, here: Findings) -> None:
    if pipeline.type != "docker":
        return
    for key, word, known in (
        ("os", pipeline.platform.os, _OS),
        ("arch", pipeline.platform.arch, _ARCH),
    ):
        if word not in known:
            message = f"'{word}' is not one of {', '.join(known)}"
            node = at(pipeline.node, "platform", key)
            here.error(message, node, code="unsupported-platform", path=f"platform.{key}")


def check_steps(pipeline: Pipeline, findings: Findings) -> None:
    """What makes a runner refuse every pipeline of the type: nameless steps, equal names."""
    here = findings.within(Scope.TYPE, pipeline.name)
    seen: set[str] = set() if pipeline.clone.disable else {CLONE}
    for step in (*pipeline.services, *pipeline.steps):
        if not step.name:
            here.error("a step needs a name", step.node, code="nameless-step", path=step.path)
        elif step.name in seen:
            said = "the name of the built-in clone step" if step.name == CLONE else "used twice"
            message = f"the step name '{step.name}' is {said}"
            node = at(step.node, "name")
            here.error(message, node, code="duplicate-step", path=f"{step.path}.name")
        seen.add(step.name)


def check_stage(pipeline: Pipeline, findings: Findings, *, trusted: bool) -> None:
    """What makes a runner refuse this pipeline: missing images, order of steps, missing trust."""
    here = findings.within(Scope.STAGE, pipeline.name)
    seen: set[str] = set() if pipeline.clone.disable else {CLONE}
    for step in (*pipeline.services, *pipeline.steps):
        for name in step.depends_on:
            if name not in seen:
                message = f"depends on '{name}', but no step before it has that name"
                node = at(step.node, "depends_on")
                here.error(message, node, code="unknown-dependency", path=f"{step.path}.depends_on")
        seen.add(step.name)
        if pipeline.type == "docker":
            _check_image(step, here)
            _check_settings(step, here)
        check_values(pipeline, step, here)
    if pipeline.type == "docker" and not trusted:
        _check_trust(pipeline, here)


def _check_image(step: Step, here: Findings) -> None:
    path = f"{step.path}.image"
    if not step.image:
        here.error("a step needs an image", step.node, code="missing-image", path=path)
        return
    own = own_plugin(step.image)
    if own is None:
        return
    node = at(step.node, "image")
    if own not in OWN_PLUGINS:
        message = f"Fairway has no plugin '{own}'"
        known = ", ".join(f"fairway/{name}" for name in OWN_PLUGINS)
        here.error(message, node, code="unknown-plugin", path=path, remedy=f"There are {known}.")
    elif is_plain_container(step) or step.service or step.detach:
        message = "a fairway/ plugin takes settings only: no commands, entrypoint or detach"
        here.error(message, node, code="plugin-as-container", path=path)


def _check_settings(step: Step, here: Findings) -> None:
    try:
        plugin_env.plugin_variables(step.settings, name=here.file)
    except BadFile as error:
        here.caught(error)


def _check_trust(pipeline: Pipeline, here: Findings) -> None:
    for place, volume in enumerate(pipeline.volumes):
        if volume.kind in {"host", "memory"}:
            _untrusted(here, volume.node, f"volumes[{place}]", f"a {volume.kind} volume")
    for step in (*pipeline.services, *pipeline.steps):
        for key in _trusted_keys(step):
            _untrusted(here, at(step.node, key), f"{step.path}.{key}", f"`{key}`")


def _trusted_keys(step: Step) -> Iterable[str]:
    settings = {
        "privileged": step.privileged,
        "devices": step.devices,
        "dns": step.dns,
        "dns_search": step.dns_search,
        "extra_hosts": step.extra_hosts,
        "network_mode": step.network_mode,
        "shm_size": step.shm_size_bytes,
    }
    return (key for key, value in settings.items() if value)


def _untrusted(here: Findings, node: Node, path: str, what: str) -> None:
    here.error(
        f"{what} is for trusted repositories only",
        node,
        code="untrusted",
        path=path,
        remedy="Ask an administrator to mark the repository as trusted, or leave the setting out.",
    )


def volume_named(volumes: Iterable[VolumeConfig], name: str) -> VolumeConfig | None:
    """The pipeline's volume of a name."""
    return next((volume for volume in volumes if name and volume.name == name), None)
