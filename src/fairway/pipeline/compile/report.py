"""What would run, as data for people and programs: `fairway compile -o json`.

The shape is documented in `docs/reference/compile-schema.md`; `SCHEMA` names its version.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import json

from fairway.model.errors import FairwayError
from fairway.pipeline.compile.conditions import judge, subject
from fairway.pipeline.compile.context import NETRC_PASSWORD, NETRC_USERNAME, Context
from fairway.pipeline.compile.finding import Finding
from fairway.pipeline.compile.loading import load
from fairway.pipeline.compile.planning import PlannedPipeline, load_one, plan
from fairway.pipeline.compile.stage import build_graph
from fairway.pipeline.graph import EnvValue, Mount, SecretRef, StageGraph, StepGraph

SCHEMA: Final = "fairway.compile/v1"
_OWN: Final = {NETRC_USERNAME: "netrc", NETRC_PASSWORD: "netrc"}


def report(text: str, context: Context) -> dict[str, Any]:
    """The whole answer. Never raises for what stands in the file: errors are listed."""
    planned = plan(text, context)
    build = context.build
    return {
        "schema": SCHEMA,
        "file": context.filename,
        "event": build.event,
        "branch": build.target,
        "ref": build.ref,
        "converted": planned.text if planned.text != text else None,
        "errors": [finding_data(finding) for finding in planned.errors],
        "warnings": [finding_data(finding) for finding in planned.warnings],
        "pipelines": [_pipeline(item, planned.text, context) for item in planned.pipelines],
    }


def finding_data(finding: Finding) -> dict[str, Any]:
    """One remark."""
    return {
        "level": finding.level,
        "code": finding.code,
        "message": finding.message,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "path": finding.path,
        "remedy": finding.remedy,
    }


def _pipeline(planned: PlannedPipeline, text: str, context: Context) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": planned.name,
        "kind": planned.kind,
        "type": planned.type,
        "line": planned.line,
        "matched": planned.matched,
        "why": planned.why,
        "depends_on": list(planned.depends_on),
        "on_success": planned.on_success,
        "on_failure": planned.on_failure,
        "concurrency": planned.concurrency,
        "node": planned.labels,
        "platform": {
            "os": planned.os,
            "arch": planned.arch,
            "variant": planned.variant,
            "version": planned.version,
        },
        "errors": [finding_data(finding) for finding in planned.errors],
        "workspace": None,
        "volumes": [],
        "image_pull_secrets": [],
        "secrets": [],
        "timeout_s": None,
        "steps": [],
        "left_out": [],
    }
    if planned.kind == "pipeline" and planned.matched and not planned.errors:
        data |= _stage(planned, text, context)
    return data


def _stage(planned: PlannedPipeline, text: str, context: Context) -> dict[str, Any]:
    try:
        raw = load(text, context)
        named = next(item for item in raw.pipelines if item.name == planned.name)
        pipeline = load_one(raw, named, context).pipelines[0]
        graph = build_graph(pipeline, context)
    except (FairwayError, StopIteration) as error:
        return {"errors": [{"level": "error", "code": "bad-file", "message": str(error)}]}
    about = subject(context)
    verdicts = {
        step.name: judge(step.when, about, instance=True)
        for step in (*pipeline.services, *pipeline.steps)
    }
    return {
        "workspace": {"base": graph.workspace_base, "path": graph.workspace_path},
        "volumes": [_plain(volume) for volume in graph.volumes],
        "image_pull_secrets": list(graph.pull_secrets),
        "secrets": list(graph.secrets),
        "timeout_s": graph.timeout_s,
        "steps": [_step(step, graph) for step in graph.steps],
        "left_out": [
            {"name": name, "why": verdict.why}
            for name, verdict in verdicts.items()
            if not verdict.matched
        ],
    }


def _step(step: StepGraph, graph: StageGraph) -> dict[str, Any]:
    return {
        "name": step.name,
        "number": step.number,
        "line": step.line,
        "kind": "clone" if step.clone else "service" if step.service else "step",
        "image": step.image,
        "image_written": step.image_written,
        "builtin": step.builtin,
        "entrypoint": list(step.entrypoint),
        "command": list(step.command),
        "script": step.script,
        "environment": {key: _value(value) for key, value in step.environment.items()},
        "working_dir": step.working_dir,
        "mounts": [_mount(mount, graph) for mount in step.mounts],
        "devices": [_mount(mount, graph) for mount in step.devices],
        "depends_on": list(step.depends_on),
        "detach": step.detach,
        "privileged": step.privileged,
        "pull": step.pull.value,
        "user": step.user,
        "network_mode": step.network_mode,
        "dns": list(step.dns),
        "dns_search": list(step.dns_search),
        "extra_hosts": list(step.extra_hosts),
        "shm_size_bytes": step.shm_size_bytes,
        "mem_limit_bytes": step.mem_limit_bytes,
        "memswap_limit_bytes": step.memswap_limit_bytes,
        "runs": step.run.value,
        "failure": step.failure.value,
        "ready": _plain(step.ready),
        "retry": _plain(step.retry),
        "timeout_s": step.timeout_s,
        "reports": _plain(step.reports),
    }


def _plain(value: object) -> Any:
    return json.decode(json.encode(value))


def _value(value: EnvValue) -> str | dict[str, str]:
    if isinstance(value, SecretRef):
        if value.from_secret in _OWN:
            return {"from": _OWN[value.from_secret]}
        return {"from_secret": value.from_secret}
    return value


def _mount(mount: Mount, graph: StageGraph) -> dict[str, Any]:
    volume = next((item for item in graph.volumes if item.name == mount.volume), None)
    return {
        "volume": mount.volume,
        "kind": volume.kind if volume else "",
        "source": volume.path if volume else "",
        "path": mount.path,
        "read_only": mount.read_only,
    }
