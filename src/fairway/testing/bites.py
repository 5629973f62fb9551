"""Mistakes put into the product on purpose: the simulation must find each within a few seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from msgspec.structs import replace

from fairway.model.status import Status
from fairway.pipeline import course, leasing, making
from fairway.pipeline.logs import Logs
from fairway.pipeline.runner.attempt import Attempt, Result
from fairway.store import builds, stages, steps


def _reports_before_it_ran() -> Any:
    """A runner that says that a step passed before it has started it."""

    async def container(*_: Any, **__: Any) -> Result:
        return Result(status=Status.PASSED)

    return mock.patch.object(Attempt, "container", container)


def _forgets_keys() -> Any:
    """Builds that are made again when their event is delivered again."""
    original = making.begin

    def begin(db: Any, repository_id: int, key: str | None) -> Any:
        del key
        return original(db, repository_id, None)

    return _together(
        mock.patch.object(making, "begin", begin),
        mock.patch.object(builds, "by_trigger_key", return_value=None),
        mock.patch.object(making, "_columns", _without_key(making._columns)),  # noqa: SLF001
    )


def _without_key(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    return lambda draft: {**original(draft), "trigger_key": None}


def _ignores_cancels() -> Any:
    """A cancel that is accepted and then forgotten."""
    return mock.patch.object(course, "end_early", lambda db, build, *_, **__: build)  # noqa: ARG005


def _forgets_former_credentials() -> Any:
    """What the simulation found first: another token for each lease, the old one unmasked."""
    original = leasing._credential  # noqa: SLF001 broken on purpose

    def credential(db: Any, stage: Any, build: Any, sealer: Any) -> str:
        return original(db, replace(stage, credential=None), build, sealer)

    async def hide_former(*_: Any) -> None:
        """Mask today's values only."""

    return _together(
        mock.patch.object(leasing, "_credential", credential),
        mock.patch.object(Attempt, "_hide_former", hide_former),
    )


def _loses_log_pieces() -> Any:
    """A log that drops what comes while it is not at its beginning."""
    original = Logs.append

    async def append(self: Logs, *place: Any, offset: int, raw: int, data: bytes) -> int:
        if offset and len(data) > 1:
            data = data[:-1]
        return await original(self, *place, offset=offset, raw=raw, data=data)

    return mock.patch.object(Logs, "append", append)


def _forgets_lost_runners() -> Any:
    """A queue that never takes a stage from a runner that went silent."""
    original = stages.queued

    def queued(db: Any, now: int, *, kind: str) -> list[Any]:
        return [one for one in original(db, now, kind=kind) if one.status is Status.PENDING]

    return _together(
        mock.patch.object(stages, "queued", queued),
        mock.patch.object(stages, "expired", return_value=[]),
    )


def _forgets_waiting_steps() -> Any:
    """A stage's end that leaves its steps as they were."""
    return mock.patch.object(steps, "close")


@contextlib.contextmanager
def _together(*patches: Any) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        yield


WITHIN = 40
"""Every mistake is found in so many histories."""

ALL: dict[str, Callable[[], Any]] = {
    "reports-before-it-ran": _reports_before_it_ran,
    "forgets-keys": _forgets_keys,
    "ignores-cancels": _ignores_cancels,
    "forgets-former-credentials": _forgets_former_credentials,
    "loses-log-pieces": _loses_log_pieces,
    "forgets-lost-runners": _forgets_lost_runners,
    "forgets-waiting-steps": _forgets_waiting_steps,
}


@contextlib.contextmanager
def bitten(name: str | None) -> Iterator[None]:
    """The product with one mistake, or as it is."""
    with ALL[name]() if name else contextlib.nullcontext():
        yield
