"""An operation's life: begun, tried again, ended. Pure.

`state` is `status.operationState` as Argo CD writes it. Times are milliseconds; they are written in
whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.gitops.application import Application, Retry, Sync, has, option, seconds
from fairway.gitops.objects import Condition, Json, ResourceResult
from fairway.gitops.tasks import ERROR, FAILED, RUNNING, SUCCEEDED, TERMINATING
from fairway.kit import clock
from fairway.kit.clock import Millis

_RETRY_S: Final = 5.0
_RETRY_MOST_S: Final = 180.0
_RETRY_FACTOR: Final = 2


def text(at: Millis) -> str:
    """A time as Kubernetes' objects have it: whole seconds."""
    return (clock.text(Millis(at - at % 1000)) or "").replace(".000Z", "Z")


def begun(operation: Mapping[str, Any], source: Mapping[str, Any], now: Millis) -> Json:
    """The state of an operation that begins. `source` is the spec's, unless it has its own."""
    sync = operation.get("sync") or {}
    return {
        "phase": RUNNING,
        "operation": dict(operation),
        "startedAt": text(now),
        "syncResult": {
            "source": sync.get("source") or dict(source),
            "revision": sync.get("revision") or "",
        },
    }


def in_progress(state: Mapping[str, Any]) -> bool:
    """Whether it has not ended."""
    return state.get("phase") in (RUNNING, TERMINATING)


def started(state: Mapping[str, Any]) -> int:
    """When it began, seconds UTC."""
    return millis(state.get("startedAt")) // 1000


def millis(value: Any) -> int:
    """A time of an object, milliseconds UTC; 0 for none."""
    return int(datetime.fromisoformat(str(value)).timestamp() * 1000) if value else 0


def ended(state: Mapping[str, Any], phase: str, message: str, now: Millis) -> Json:
    """The state after a step. What failed and may be tried again runs on, with the time of its
    failure in `finishedAt`: nothing else has both.
    """
    made: Json = {**state, "phase": phase, "message": message}
    if phase in (FAILED, ERROR):
        return _failed(made, was=str(state.get("phase") or ""), now=now)
    if phase == SUCCEEDED:
        made["finishedAt"] = text(now)
    return made


def _failed(made: Json, *, was: str, now: Millis) -> Json:
    retry = retry_of(made)
    count = int(made.get("retryCount") or 0)
    if was != TERMINATING and (count < retry.limit or retry.limit < 0):
        at = now + int(pause_s(retry, count) * 1000)
        said = f"{made['message']}. Retrying attempt #{count + 1} at {_kitchen(Millis(at))}."
        return {
            **made,
            "phase": RUNNING,
            "finishedAt": text(now),
            "retryCount": count + 1,
            "message": said,
        }
    if count:
        made["message"] = f"{made['message']} (retried {count} times)."
    return {**made, "finishedAt": text(now)}


def _kitchen(at: Millis) -> str:
    """A time of day as Go's clocks in kitchens show it."""
    minutes = at // 60_000 % 1440
    hour = minutes // 60
    return f"{hour % 12 or 12}:{minutes % 60:02}{'AM' if hour < 12 else 'PM'}"


def retry_of(state: Mapping[str, Any]) -> Retry:
    """How an operation is tried again."""
    return msgspec.convert((state.get("operation") or {}).get("retry") or {}, Retry)


def pause_s(retry: Retry, count: int) -> float:
    """Seconds before a try. Raises `InvalidInput` (`bad-duration`)."""
    given = retry.backoff
    first = seconds(given.duration) if given and given.duration else _RETRY_S
    most = seconds(given.max_duration) if given and given.max_duration else _RETRY_MOST_S
    factor = given.factor if given and given.factor is not None else _RETRY_FACTOR
    wait = first * float(factor) ** min(count, 64)
    return min(wait, most) if most > 0 else wait


def retry_wait(state: Mapping[str, Any], now: Millis) -> float | None:
    """Seconds until a failed operation is tried again (0: now); None for one that has not failed"""
    if state.get("phase") != RUNNING or not state.get("finishedAt"):
        return None
    count = int(state.get("retryCount") or 0)
    due = millis(state["finishedAt"]) + int(pause_s(retry_of(state), count) * 1000)
    return max(0.0, (due - now) / 1000)


def retried(state: Mapping[str, Any], source: Mapping[str, Any]) -> Json:
    """The state of an operation that is tried again: as if it had not begun."""
    operation = dict(state.get("operation") or {})
    extra = ""
    if retry_of(state).refresh:
        extra = " with latest revisions"
        operation["sync"] = {**(operation.get("sync") or {}), "revision": ""}
    fresh = begun(operation, source, Millis(0))
    count = int(state.get("retryCount") or 0)
    return {
        **fresh,
        "startedAt": state.get("startedAt"),
        "retryCount": count,
        "message": f"Retrying operation{extra}. Attempt #{count}",
    }


class Options(Struct, frozen=True, kw_only=True):
    """What of an operation decides how tasks are carried out."""

    prune: bool = False
    dry_run: bool = False
    hooks: bool = True
    validate: bool = True
    server_side: bool = False
    create_namespace: bool = False
    only_modified: bool = False
    prune_last: bool = False
    prune_option: str = ""  # the value of the option `Prune`
    skip_missing: bool = False
    propagation: str = "foreground"


def options(sync: Sync) -> Options:
    """An operation's options. A partial sync runs no hooks."""
    given = sync.sync_options
    plain = sync.sync_strategy is not None and sync.sync_strategy.apply is not None
    return Options(
        prune=sync.prune,
        dry_run=sync.dry_run,
        hooks=not plain and not sync.resources,
        validate=not has(given, "Validate=false"),
        server_side=has(given, "ServerSideApply=true"),
        create_namespace=has(given, "CreateNamespace=true"),
        only_modified=has(given, "ApplyOutOfSyncOnly=true"),
        prune_last=has(given, "PruneLast=true"),
        prune_option=option(given, "Prune"),
        skip_missing=has(given, "SkipDryRunOnMissingResource=true"),
        propagation=option(given, "PrunePropagationPolicy") or "foreground",
    )


def chosen(sync: Sync, one: ResourceResult) -> bool:
    """Whether a sync is about an object at all."""
    return not sync.resources or any(each.fits(one.key) for each in sync.resources)


def history(app: Application, state: Mapping[str, Any], now: Millis) -> list[Json]:
    """The history with a sync that succeeded; the oldest go. Dry runs and partial syncs are none"""
    before: list[Json] = list(app.status.get("history") or ())
    sync = (state.get("operation") or {}).get("sync") or {}
    if sync.get("dryRun") or sync.get("resources") or state.get("phase") != SUCCEEDED:
        return before
    result = state.get("syncResult") or {}
    entry: Json = {
        "id": int(before[-1].get("id") or 0) + 1 if before else 0,
        "revision": result.get("revision") or "",
        "source": result.get("source") or {},
        "deployedAt": text(now),
        "deployStartedAt": state.get("startedAt"),
        "initiatedBy": (state.get("operation") or {}).get("initiatedBy") or {},
    }
    limit = app.history_limit
    return [*before, entry][-limit:] if limit else []


def told(conditions: Iterable[Condition]) -> str:
    """Conditions as an operation's message has them."""
    return ";".join(f"{one.type}: {one.message}" for one in conditions)
