"""Work that ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway.gitops.health.reading import at, items, text
from fairway.gitops.objects import DEGRADED, HEALTHY, PROGRESSING, SUSPENDED, Health

Object = Mapping[str, Any]


def job(obj: Object) -> Health:
    """A Job. A condition counts by being there, as in Argo CD; only a suspension is asked for its
    status.
    """
    ended = failed = suspended = False
    said = failure = ""
    for one in items(obj, "status", "conditions"):
        kind, message = one.get("type"), str(one.get("message") or "")
        if kind == "Failed":
            ended, failed, failure = True, True, message
        elif kind in {"Complete", "Suspended"}:
            ended, said = True, message
            suspended |= kind == "Suspended" and one.get("status") == "True"
    if not ended:
        return Health(PROGRESSING, said)
    if failed:
        return Health(DEGRADED, failure)
    return Health(SUSPENDED, failure) if suspended else Health(HEALTHY, said)


def cron_job(obj: Object) -> Health:
    """A CronJob: only a last run that failed counts against it."""
    if at(obj, "spec", "suspend") is True:
        return Health(HEALTHY, "CronJob is Suspended")
    if at(obj, "status") is None:
        return Health(PROGRESSING, "Waiting for CronJob")
    started = text(obj, "status", "lastScheduleTime")
    done = text(obj, "status", "lastSuccessfulTime")
    if not started:
        said = "CronJob has not been scheduled yet"
    elif not done:
        said = "The CronJob never completed successfully. It may not be healthy"
    elif at(obj, "status", "active"):
        said = "The job is running. Its last execution may not have been successful"
    elif done < started:  # both are in UTC, to the second
        return Health(DEGRADED, "CronJob has not completed its last execution successfully")
    else:
        said = "CronJob has completed its last execution successfully"
    return Health(HEALTHY, said)
