"""What notification plugins know of a build, by the names that their templates use. Pure."""

from __future__ import annotations

from typing import Any

from fairway.pipeline.plugins.settings import Settings


def facts(settings: Settings) -> dict[str, dict[str, Any]]:
    """`repo`, `build` and `job`, from the step's environment."""
    number = settings.text("DRONE_BUILD_NUMBER", default="0")
    return {
        "repo": {
            "owner": settings.text("DRONE_REPO_OWNER", "DRONE_REPO_NAMESPACE"),
            "name": settings.text("DRONE_REPO_NAME"),
        },
        "build": {
            "tag": settings.text("DRONE_TAG"),
            "event": settings.text("DRONE_BUILD_EVENT", default="push"),
            "number": int(number) if number.isdigit() else 0,
            "commit": settings.text("DRONE_COMMIT_SHA", default="00000000"),
            "ref": settings.text("DRONE_COMMIT_REF", default="refs/heads/master"),
            "branch": settings.text("DRONE_COMMIT_BRANCH", default="master"),
            "author": settings.text("DRONE_COMMIT_AUTHOR"),
            "message": settings.text("DRONE_COMMIT_MESSAGE"),
            "status": settings.text("DRONE_BUILD_STATUS", default="success"),
            "link": settings.text("DRONE_BUILD_LINK"),
            "started": _seconds(settings.text("DRONE_BUILD_STARTED")),
            "created": _seconds(settings.text("DRONE_BUILD_CREATED")),
        },
        "job": {"started": _seconds(settings.text("DRONE_JOB_STARTED", "DRONE_STAGE_STARTED"))},
    }


def more_facts(settings: Settings) -> dict[str, Any]:
    """What slack's templates know of a build besides."""
    return {
        "pull": settings.text("DRONE_PULL_REQUEST"),
        "deployto": settings.text("DRONE_DEPLOY_TO"),
        "failedstages": settings.text("DRONE_FAILED_STAGES"),
        "failedsteps": settings.text("DRONE_FAILED_STEPS"),
    }


def _seconds(text: str) -> int:
    return int(text) if text.isdigit() else 0
