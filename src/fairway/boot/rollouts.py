"""Rollouts of this process's clusters: in the role controllers."""

from __future__ import annotations

from fairway.app import App
from fairway.gateway import live
from fairway.queue.shards import Shards
from fairway.rollout.fleet import KIND, Rollouts
from fairway.rollout.matching import Equality
from fairway.rollout.routers.gateway_api import GatewayApi


def controller(app: App) -> Rollouts | None:
    """Of a process with the role controllers. Weights are confirmed by our gateway's own word."""
    ports = app.ports
    if ports.fleet is None:
        return None
    return Rollouts(
        ports.fleet,
        Shards(app.database, KIND, app.holder),
        database=app.database,
        router=GatewayApi(live.told),
        equality=Equality(ports.toolbox),
    )
