"""Which builds a newer one makes needless (the repository decides whether they are cancelled)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fairway.model.build import Build, BuildEvent
from fairway.model.repository import Repository
from fairway.model.status import Status


class Newer(Protocol):
    """What is looked at of the newer build."""

    @property
    def event(self) -> BuildEvent: ...
    @property
    def ref(self) -> str: ...
    @property
    def parent(self) -> int: ...


def superseded(repository: Repository, newer: Newer, unfinished: Sequence[Build]) -> list[Build]:
    """Unfinished builds of the same event and ref, where the settings say that they end.

    A retry neither supersedes nor is superseded: a person asked for it.
    """
    settings = repository.settings
    asked = {
        BuildEvent.PUSH: settings.auto_cancel_pushes,
        BuildEvent.PULL_REQUEST: settings.auto_cancel_pull_requests,
    }
    if not asked.get(newer.event, False) or newer.parent:
        return []
    return [
        build
        for build in unfinished
        if build.event == newer.event
        and build.ref == newer.ref
        and not build.parent
        and not build.verdict
        and (settings.auto_cancel_running or build.status is not Status.RUNNING)
    ]
