"""The variables that Drone puts into every step: 69 `DRONE_*`, 23 `CI_*`, and versions of a tag.

One function a noun. Values that are empty stay here and are dropped when a step's environment is
merged; statuses are those of the stage's beginning, `live` gives what changes while it runs.
"""

from __future__ import annotations

import re
from typing import Final

from fairway.pipeline.compile.config import Pipeline
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.versions import version_variables

_PULL: Final = re.compile(r"refs/(?:pull|pull-requests|merge-requests|changes)/(\d+)(?:/|\Z)")
_TAG: Final = "refs/tags/"


def _yes(flag: bool) -> str:  # noqa: FBT001 it prints its argument
    return "true" if flag else "false"


def _status(failing: bool) -> str:  # noqa: FBT001 it prints its argument
    return "failure" if failing else "success"


def system_variables(context: Context) -> dict[str, str]:
    """The installation."""
    system = context.system
    return {
        "CI": "true",
        "DRONE": "true",
        "DRONE_SYSTEM_PROTO": system.proto,
        "DRONE_SYSTEM_HOST": system.host,
        "DRONE_SYSTEM_HOSTNAME": system.hostname,
        "DRONE_SYSTEM_VERSION": system.version,
    }


def repo_variables(context: Context) -> dict[str, str]:
    """The repository. `CI_REPO_NAME` is the full slug."""
    repo = context.repo
    return {
        "DRONE_REPO": repo.slug,
        "DRONE_REPO_SCM": repo.scm,
        "DRONE_REPO_OWNER": repo.namespace,
        "DRONE_REPO_NAMESPACE": repo.namespace,
        "DRONE_REPO_NAME": repo.name,
        "DRONE_REPO_LINK": repo.link,
        "DRONE_REPO_BRANCH": repo.branch,
        "DRONE_REMOTE_URL": repo.clone_url,
        "DRONE_GIT_HTTP_URL": repo.clone_url,
        "DRONE_GIT_SSH_URL": repo.ssh_url,
        "DRONE_REPO_VISIBILITY": repo.visibility,
        "DRONE_REPO_PRIVATE": _yes(repo.private),
        "CI_REPO": repo.slug,
        "CI_REPO_NAME": repo.slug,
        "CI_REPO_LINK": repo.link,
        "CI_REPO_REMOTE": repo.clone_url,
        "CI_REMOTE_URL": repo.clone_url,
        "CI_REPO_PRIVATE": _yes(repo.private),
    }


def build_variables(context: Context) -> dict[str, str]:
    """The build and its commit, with its link, and the versions of its tag."""
    return {
        **_build(context),
        **_commit(context),
        **_origin(context),
        **_legacy_build(context),
    }


def _build(context: Context) -> dict[str, str]:
    build, system = context.build, context.system
    started = build.started or build.created
    finished = build.finished or started
    found = {
        "DRONE_BUILD_NUMBER": str(build.number),
        "DRONE_BUILD_PARENT": str(build.parent),
        "DRONE_BUILD_EVENT": build.event,
        "DRONE_BUILD_ACTION": build.action,
        "DRONE_BUILD_STATUS": _status(build.failing),
        "DRONE_BUILD_DEBUG": _yes(build.debug),
        "DRONE_BUILD_CREATED": str(build.created),
        "DRONE_BUILD_STARTED": str(started),
        "DRONE_BUILD_FINISHED": str(finished),
        "DRONE_BUILD_TRIGGER": build.trigger,
        "DRONE_BUILD_LINK": f"{system.proto}://{system.host}/{context.repo.slug}/{build.number}",
        "DRONE_DEPLOY_TO": build.deploy_to,
        "DRONE_DEPLOY_ID": str(build.deploy_id),
    }
    if build.failing:
        found["DRONE_FAILED_STAGES"] = ",".join(build.failed_stages)
    return found


def _commit(context: Context) -> dict[str, str]:
    build = context.build
    return {
        "DRONE_BRANCH": build.target,
        "DRONE_SOURCE_BRANCH": build.source,
        "DRONE_TARGET_BRANCH": build.target,
        "DRONE_COMMIT": build.after,
        "DRONE_COMMIT_SHA": build.after,
        "DRONE_COMMIT_BEFORE": build.before,
        "DRONE_COMMIT_AFTER": build.after,
        "DRONE_COMMIT_REF": build.ref,
        "DRONE_COMMIT_BRANCH": build.target,
        "DRONE_COMMIT_LINK": build.link,
        "DRONE_COMMIT_MESSAGE": build.message,
        "DRONE_COMMIT_AUTHOR": build.author,
        "DRONE_COMMIT_AUTHOR_EMAIL": build.author_email,
        "DRONE_COMMIT_AUTHOR_AVATAR": build.author_avatar,
        "DRONE_COMMIT_AUTHOR_NAME": build.author_name,
    }


def _origin(context: Context) -> dict[str, str]:
    """What only builds of one event have: a tag, a pull request, a cron job."""
    build = context.build
    found: dict[str, str] = {}
    if build.ref.startswith(_TAG):
        tag = build.ref.removeprefix(_TAG)
        found = {"DRONE_TAG": tag, **version_variables(tag)}
    if pull := _PULL.match(build.ref):
        found |= {"DRONE_PULL_REQUEST": pull[1], "DRONE_PULL_REQUEST_TITLE": build.title}
    if build.event == "cron":
        found["DRONE_CRON"] = build.cron
    return found


def _legacy_build(context: Context) -> dict[str, str]:
    """Names that go back to Drone 0.8. `CI_BUILD_STATUS` is the build's own word."""
    build = context.build
    return {
        "CI_BUILD_NUMBER": str(build.number),
        "CI_PARENT_BUILD_NUMBER": str(build.parent),
        "CI_BUILD_CREATED": str(build.created),
        "CI_BUILD_STARTED": str(build.started),
        "CI_BUILD_FINISHED": str(build.finished),
        "CI_BUILD_STATUS": build.status,
        "CI_BUILD_EVENT": build.event,
        "CI_BUILD_LINK": build.link,
        "CI_BUILD_TARGET": build.deploy_to,
        "CI_COMMIT_SHA": build.after,
        "CI_COMMIT_REF": build.ref,
        "CI_COMMIT_BRANCH": build.target,
        "CI_COMMIT_MESSAGE": build.message,
        "CI_COMMIT_AUTHOR": build.author,
        "CI_COMMIT_AUTHOR_NAME": build.author_name,
        "CI_COMMIT_AUTHOR_EMAIL": build.author_email,
        "CI_COMMIT_AUTHOR_AVATAR": build.author_avatar,
    }


def stage_variables(context: Context, pipeline: Pipeline) -> dict[str, str]:
    """The stage. `DRONE_STAGE_VERSION` is the database row's, as Drone has it."""
    stage, platform = context.stage, pipeline.platform
    started = stage.started or context.build.started
    found = {
        "DRONE_STAGE_KIND": "pipeline",
        "DRONE_STAGE_TYPE": pipeline.type,
        "DRONE_STAGE_NAME": pipeline.name,
        "DRONE_STAGE_NUMBER": str(stage.number),
        "DRONE_STAGE_MACHINE": stage.machine,
        "DRONE_STAGE_OS": platform.os,
        "DRONE_STAGE_ARCH": platform.arch,
        "DRONE_STAGE_VARIANT": platform.variant,
        "DRONE_STAGE_VERSION": str(stage.version),
        "DRONE_STAGE_STATUS": _status(bool(stage.failed_steps)),
        "DRONE_STAGE_STARTED": str(started),
        "DRONE_STAGE_FINISHED": str(stage.finished or started),
        "DRONE_STAGE_DEPENDS_ON": ",".join(pipeline.depends_on),
        "DRONE_CARD_PATH": "/dev/stdout",
    }
    if stage.failed_steps:
        found["DRONE_FAILED_STEPS"] = ",".join(stage.failed_steps)
    return found


def step_variables(name: str, number: int) -> dict[str, str]:
    """The step."""
    return {"DRONE_STEP_NAME": name, "DRONE_STEP_NUMBER": str(number)}


def git_variables(context: Context, pipeline: Pipeline) -> dict[str, str]:
    """What `git` itself looks at in the steps."""
    author = context.build.author_name or "drone"
    email = context.build.author_email or "noreply@drone"
    found = {
        "GIT_AUTHOR_NAME": author,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": author,
        "GIT_COMMITTER_EMAIL": email,
        "GIT_TERMINAL_PROMPT": "0",
    }
    if pipeline.clone.trace:
        found["GIT_TRACE"] = "true"
    if pipeline.clone.skip_verify:
        found["GIT_SSL_NO_VERIFY"] = "true"
    return found


def substitution_variables(context: Context, pipeline: Pipeline | None) -> dict[str, str]:
    """What `${...}` may name: runner-wide variables, ours, parameters over all; no secrets."""
    stage = stage_variables(context, pipeline) if pipeline else {}
    return {
        **context.operator.environment,
        **system_variables(context),
        **repo_variables(context),
        **build_variables(context),
        **stage,
        **context.build.params,
    }


def live(*, failed_steps: tuple[str, ...], build_failing: bool, now_s: int) -> dict[str, str]:
    """Variables that change while a stage runs, to be set when a step starts."""
    failing = bool(failed_steps)
    found = {
        "DRONE_BUILD_STATUS": _status(build_failing or failing),
        "DRONE_STAGE_STATUS": _status(failing),
        "DRONE_BUILD_FINISHED": str(now_s),
        "DRONE_STAGE_FINISHED": str(now_s),
    }
    if failing:
        found["DRONE_FAILED_STEPS"] = ",".join(failed_steps)
    return found
