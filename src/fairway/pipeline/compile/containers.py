"""One step of the config as one step of the graph."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from fairway.pipeline.compile import environ, images, plugin_env, script
from fairway.pipeline.compile.check import CLONE, volume_named
from fairway.pipeline.compile.conditions import Condition
from fairway.pipeline.compile.config import Pipeline, Step, VolumeMount
from fairway.pipeline.compile.context import NETRC_PASSWORD, NETRC_USERNAME, Context
from fairway.pipeline.compile.privilege import STAYING, builtin, is_privileged_by_name
from fairway.pipeline.compile.workspace import Workspace
from fairway.pipeline.graph import (
    EnvValue,
    FailurePolicy,
    Mount,
    PullPolicy,
    RunPolicy,
    SecretRef,
    StepGraph,
)

WORKSPACE_VOLUME: Final = "_workspace"
_PULL: Final = {policy.value: policy for policy in PullPolicy}
_FAILURE: Final = {
    "ignore": FailurePolicy.IGNORE,
    "fast": FailurePolicy.FAST,
    "fast-fail": FailurePolicy.FAST,
    "fail-fast": FailurePolicy.FAST,
}


class Place(Struct, frozen=True, kw_only=True):
    """What all steps of a stage share."""

    pipeline: Pipeline
    context: Context
    workspace: Workspace
    base_environment: dict[str, EnvValue]
    late_environment: dict[str, str]  # put over a step's own variables when it starts


def place_of(pipeline: Pipeline, context: Context, space: Workspace) -> Place:
    """Merge what every step gets: Drone's order, later ones win."""
    build = environ.build_variables(context)
    stage = environ.stage_variables(context, pipeline)
    base: dict[str, EnvValue] = {
        **context.operator.environment,
        **context.build.params,
        **pipeline.environment,
        **environ.system_variables(context),
        **environ.repo_variables(context),
        **build,
        **stage,
        **environ.git_variables(context, pipeline),
        "DRONE_WORKSPACE": space.full,
        "DRONE_WORKSPACE_BASE": space.base,
        "DRONE_WORKSPACE_PATH": space.path,
    }
    if context.netrc.machine:
        base |= {
            "DRONE_NETRC_MACHINE": context.netrc.machine,
            "DRONE_NETRC_USERNAME": SecretRef(NETRC_USERNAME),
            "DRONE_NETRC_PASSWORD": SecretRef(NETRC_PASSWORD),
        }
    return Place(
        pipeline=pipeline,
        context=context,
        workspace=space,
        base_environment=base,
        late_environment={**build, **stage},
    )


def _environment(
    place: Place, name: str, number: int, *own: dict[str, EnvValue]
) -> dict[str, EnvValue]:
    merged: dict[str, EnvValue] = dict(place.base_environment)
    for variables in own:
        merged |= variables
    merged |= place.late_environment
    merged |= environ.step_variables(name, number)
    return {key: _lowered(value) for key, value in sorted(merged.items()) if value != ""}


def _lowered(value: EnvValue) -> EnvValue:
    return SecretRef(value.from_secret.lower()) if isinstance(value, SecretRef) else value


def clone_step(place: Place) -> StepGraph:
    """The step that fetches the repository. It runs always, not only on success."""
    clone, context = place.pipeline.clone, place.context
    image = context.operator.clone_image
    step = Step(name=CLONE, node=place.pipeline.node, path="clone", image=image)
    own: dict[str, EnvValue] = {}
    if clone.depth > 0:
        own["PLUGIN_DEPTH"] = str(clone.depth)
    if clone.retries > 0:
        own["PLUGIN_RETRIES"] = str(clone.retries)
    if clone.skip_verify:
        own["PLUGIN_SKIP_VERIFY"] = "true"
    return StepGraph(
        name=CLONE,
        number=1,
        image=images.expand(images.rewrite(image, context.operator.images)),
        image_written=image,
        builtin="clone" if place.pipeline.type == "exec" else builtin(step, context),
        clone=True,
        run=RunPolicy.ALWAYS,
        environment=_environment(place, CLONE, 1, own),
        working_dir=place.workspace.full,
        mounts=_workspace_mount(place),
        line=place.pipeline.node.line,
    )


def _workspace_mount(place: Place) -> tuple[Mount, ...]:
    return (Mount(WORKSPACE_VOLUME, place.workspace.base),)


def _own_script(text: str) -> dict[str, EnvValue]:
    return {script.VARIABLE: text} if text else {}


def _is_privileged(place: Place, step: Step) -> bool:
    names, shared = place.context.operator.privileged, place.pipeline.environment
    return step.privileged or is_privileged_by_name(step, names, shared=shared)


def container_step(place: Place, step: Step, number: int, depends_on: tuple[str, ...]) -> StepGraph:
    """A step or service of a docker pipeline. Raises `BadFile` for settings that cannot be JSON."""
    context = place.context
    plugin = builtin(step, context)
    text = script.script(step.commands)
    settings = plugin_env.plugin_variables(step.settings, name=context.filename)
    own, (mounts, devices) = _own_script(text), _mounts(place, step)
    return StepGraph(
        name=step.name,
        number=number,
        image=images.expand(images.rewrite(step.image, context.operator.images)),
        image_written=step.image,
        builtin=plugin,
        service=step.service,
        detach=step.detach or step.service or plugin in STAYING,
        privileged=not plugin and _is_privileged(place, step),
        pull=_PULL.get(step.pull.lower(), PullPolicy.DEFAULT),
        run=run_policy(step.when.status),
        failure=failure_policy(step),
        depends_on=depends_on,
        entrypoint=script.ENTRYPOINT if text else step.entrypoint,
        command=script.COMMAND if text else step.command,
        script=text,
        environment=_environment(place, step.name, number, step.environment, settings, own),
        working_dir=_working_dir(place, step),
        user=step.user,
        mounts=mounts,
        devices=devices,
        dns=step.dns,
        dns_search=step.dns_search,
        extra_hosts=step.extra_hosts,
        network_mode=step.network_mode,
        shm_size_bytes=step.shm_size_bytes,
        mem_limit_bytes=step.mem_limit_bytes,
        memswap_limit_bytes=step.memswap_limit_bytes,
        ready=step.x.ready,
        retry=step.x.retry,
        timeout_s=step.x.timeout_s,
        reports=step.x.reports,
        line=step.node.line,
    )


def exec_step(place: Place, step: Step, number: int, depends_on: tuple[str, ...]) -> StepGraph:
    """A step of an exec pipeline: its commands, on the runner's machine; no image, no volumes."""
    text = script.script(step.commands)
    return StepGraph(
        name=step.name,
        number=number,
        detach=step.detach,
        run=run_policy(step.when.status),
        failure=failure_policy(step),
        depends_on=depends_on,
        entrypoint=script.ENTRYPOINT if text else (),
        command=script.COMMAND if text else (),
        script=text,
        environment=_environment(place, step.name, number, step.environment, _own_script(text)),
        working_dir=step.working_dir or place.workspace.full,
        retry=step.x.retry,
        timeout_s=step.x.timeout_s,
        reports=step.x.reports,
        line=step.node.line,
    )


def run_policy(status: Condition) -> RunPolicy:
    """`when.status`: success unless failure is asked for too."""
    if status.says("failure"):
        return RunPolicy.ALWAYS if status.says("success") else RunPolicy.ON_FAILURE
    return RunPolicy.ON_SUCCESS


def failure_policy(step: Step) -> FailurePolicy:
    """`failure` as written (`Ignore` is not `ignore`). What is detached never fails a build."""
    if step.service or step.detach:
        return FailurePolicy.IGNORE
    return _FAILURE.get(step.failure, FailurePolicy.FAIL)


def _working_dir(place: Place, step: Step) -> str:
    if step.working_dir:
        return step.working_dir
    if (step.detach or step.service) and not step.commands:
        return ""
    return place.workspace.full


def _mounts(place: Place, step: Step) -> tuple[tuple[Mount, ...], tuple[Mount, ...]]:
    """The volumes and the devices. A mount that names no volume is left out, as Drone does."""
    mounts = list(_workspace_mount(place))
    devices: list[Mount] = []
    for wanted in (*step.volumes, *step.devices):
        volume = volume_named(place.pipeline.volumes, wanted.name)
        if volume is None or not volume.kind or not wanted.path:
            continue
        is_device = volume.kind == "host" and is_device_path(volume.path)
        (devices if is_device else mounts).append(_mount(wanted))
    return tuple(mounts), tuple(devices)


def is_device_path(path: str) -> bool:
    """Whether a host path is a device rather than a folder."""
    return path.startswith("/dev/")


def _mount(wanted: VolumeMount) -> Mount:
    return Mount(wanted.name, wanted.path)
