"""Applications of this process: what their controller asks of the other chapters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml
from sqlalchemy import Connection

from fairway.api.hub import Hub
from fairway.app import App
from fairway.boot.opening import Opened
from fairway.boot.sources import FleetCredentials, sources
from fairway.client.wire.app import AppDifference
from fairway.gitops.controller import Controller, GitOpsSettings, Parts
from fairway.gitops.manifests import SourceManifests
from fairway.gitops.masking import masked
from fairway.gitops.objects import Json, ResourceResult
from fairway.gitops.rendering import Rendering
from fairway.gitops.state import Manifests
from fairway.gitops.telling import Changes
from fairway.model.errors import FairwayError
from fairway.model.events import PromotionChanged, RefUpdated, ReleaseCreated
from fairway.queue.shards import Shards
from fairway.store import outbox

_WAIT_S: Final = 5.0
_log = logging.getLogger(__name__)


def applications(app: App, opened: Opened) -> Applications | None:
    """Of a process with the role controllers. Blocks a little: folders are made."""
    ports, settings = app.ports, app.settings
    if ports.fleet is None or ports.toolbox is None:
        return None
    credentials = FleetCredentials(ports.fleet, settings.gitops.namespace)
    rendering = Rendering(ports.toolbox, sources(settings, opened, credentials))
    return Applications(app, SourceManifests(rendering))


class Applications:
    """The controller, its part of the work, and what wakes it when somebody pushes."""

    def __init__(self, app: App, manifests: Manifests) -> None:
        ports, given = app.ports, app.settings.gitops
        assert ports.fleet is not None  # noqa: S101 `controller` has asked
        assert ports.toolbox is not None  # noqa: S101 as above
        self._database = app.database
        self._shards = Shards(app.database, "application", app.holder)
        self.controller = Controller(
            Parts(
                fleet=ports.fleet,
                manifests=manifests,
                toolbox=ports.toolbox,
                shards=self._shards,
                publish=self._publish,
            ),
            GitOpsSettings(namespace=given.namespace, poll_s=given.poll_s, spread_s=given.spread_s),
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._shards.run(), name="shards of applications")
            group.create_task(self.controller.run(), name="applications")
            group.create_task(self._pushes(), name="pushes to applications")

    async def differences(self, name: str) -> list[AppDifference]:
        """What differs between an application and its cluster, for people. Raises as
        `Controller.inspect`.
        """
        state = await self.controller.inspect(name)
        return [_difference(one) for one in state.compared.resources if one.status == "OutOfSync"]

    async def _publish(self, changes: Changes) -> None:
        await self._database.write(_append, changes)

    async def _pushes(self) -> None:
        """Have applications look at once at a repository of ours that was pushed to.

        Every process with the role controllers hears of every push: which applications are its own
        is another matter.
        """
        follower = Hub(self._database).follow()
        while True:
            try:
                found = await follower.next(_WAIT_S)
            except FairwayError as error:
                _log.warning("pushes cannot be read: %s", error)
                await asyncio.sleep(_WAIT_S)
                continue
            for happened in found:
                if isinstance(happened.event, RefUpdated):
                    self.controller.refresh(partial(names, slug=happened.event.slug))
                elif isinstance(happened.event, ReleaseCreated | PromotionChanged):
                    self.controller.refresh(lambda source: bool(source.get("chart")))


def names(source: Mapping[str, Any], slug: str) -> bool:
    """Whether a source may be a repository of ours: by its path, wherever it is served."""
    if source.get("chart"):
        return False
    path = (
        unquote(urlsplit(str(source.get("repoURL") or "")).path)
        .strip("/")
        .removesuffix(".git")
        .lower()
    )
    return path == slug.lower() or path.endswith(f"/{slug.lower()}")


def _difference(one: ResourceResult) -> AppDifference:
    found = one.difference
    live = found.live if found.live is not None else one.live
    wanted = found.predicted if found.predicted is not None else one.target
    live, wanted = masked(live if one.live else None, wanted if one.target else None)
    return AppDifference(
        kind=one.key.kind,
        namespace=one.key.namespace,
        name=one.key.name,
        live=_yaml(live),
        wanted=_yaml(wanted),
    )


def _yaml(obj: Json | None) -> str:
    return str(yaml.safe_dump(obj, sort_keys=True)) if obj else ""


def _append(db: Connection, changes: Changes) -> None:
    for change, key in changes:
        outbox.append(db, change, key=key)
