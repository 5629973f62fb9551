"""What deploys in a town: a stand-in for GitOps, or the real controllers of GitOps and rollouts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from release_town import REGISTRY, Town

from fairway.boot.gitops import Applications
from fairway.boot.sources import FleetCredentials, sources
from fairway.gateway import live
from fairway.gitops.kinds import APPLICATION
from fairway.gitops.manifests import SourceManifests
from fairway.gitops.rendering import Rendering
from fairway.kube.kind import DEPLOYMENT
from fairway.model.errors import FairwayError
from fairway.queue.shards import Shards
from fairway.release import arrival, charts
from fairway.rollout.fleet import KIND, Rollouts
from fairway.rollout.matching import Equality
from fairway.rollout.routers.gateway_api import GatewayApi
from fairway.settings import GitOps, Registry, Settings
from fairway.store import manifests, registry

OURS = "http://127.0.0.1:8480"


def real(town: Town, folder: Path) -> list[Coroutine[Any, Any, None]]:
    """The controllers of Fairway itself, for `Town.running`."""
    settings = Settings(
        data=folder, registry=Registry(name=REGISTRY), gitops=GitOps(namespace=town.hub)
    )
    opened: Any = SimpleNamespace(
        database=town.database, reads=town.reads, folders=town.folders, blobs=town.blobs
    )
    ports = SimpleNamespace(fleet=town.fleet, toolbox=town.toolbox)
    app: Any = SimpleNamespace(
        ports=ports, settings=settings, database=town.database, holder=town.holder
    )
    credentials = FleetCredentials(town.fleet, town.hub)
    applications = Applications(
        app, SourceManifests(Rendering(town.toolbox, sources(settings, opened, credentials)))
    )
    rollouts = Rollouts(
        town.fleet,
        Shards(town.database, KIND, town.holder),
        database=town.database,
        router=GatewayApi(live.told),
        equality=Equality(town.toolbox),
    )
    return [applications.run(), rollouts.run()]


async def roots(town: Town) -> None:
    """For each environment an Application of its folder in Git."""
    for name in town.namespaces:
        body = {
            "metadata": {"name": f"{name}-{town.hub}", "namespace": town.hub},
            "spec": {
                "project": "default",
                "source": {
                    "repoURL": f"{OURS}/acme/environments.git",
                    "path": name,
                    "targetRevision": "main",
                },
                "destination": {"name": "in-cluster", "namespace": town.hub},
                "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
            },
        }
        await town.kube.apply(APPLICATION, body, force=True)


async def stand_in(town: Town) -> None:
    """Apply what Git says, and write the Applications' status; without Rollouts."""
    while True:
        for name in town.namespaces:
            try:
                await _sync(town, name)
            except FairwayError:
                continue
        await asyncio.sleep(0.1)


async def _sync(town: Town, environment: str) -> None:
    wanted = yaml.safe_load(await town.text("acme/environments", f"{environment}/catalogue.yaml"))
    wanted["metadata"]["namespace"] = town.hub
    application = await town.kube.apply(APPLICATION, wanted, force=True)
    source = wanted["spec"]["source"]
    home = f"{environment}/charts/catalogue"
    version = source["targetRevision"]
    if version.startswith(">="):
        repo = await town.database.read(registry.find_repository, home)
        tags = await town.database.read(manifests.tags, repo) if repo else []
        if not tags:
            return
        version = max(tags, key=lambda one: [int(n) for n in one.replace("-rc", "").split(".")])
    archive = await town.shelf.chart(home, version)
    namespace = town.namespaces[environment]
    async with charts.unpacked(town.toolbox, archive) as chart:
        values = source["helm"]["valuesObject"]
        objects = await chart.objects(release="catalogue", namespace=namespace, values=values)
    for obj in objects:
        obj["metadata"]["namespace"] = namespace
        await town.kube.apply(DEPLOYMENT, obj, force=True)
    live = await town.kube.get(DEPLOYMENT, "catalogue", namespace)
    well = arrival.of_workload(live).well
    status = {
        "sync": {"status": "Synced", "revision": version},
        "health": {"status": "Healthy" if well else "Progressing"},
        "resources": [
            {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": namespace,
             "name": "catalogue"}
        ],
    }  # fmt: skip
    if application.get("status") != status:
        name = application["metadata"]["name"]
        await town.kube.patch(APPLICATION, name, town.hub, body={"status": status})
