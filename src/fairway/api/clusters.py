"""Clusters: what is known of them, registered and removed; images onto their nodes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import delete, get, post
from litestar.params import JSONBody
from msgspec import structs

from fairway.access.authorise import require_admin
from fairway.access.identity import Identity
from fairway.api import guard, loading, shown
from fairway.api.services import Svc, Who, Word, here
from fairway.client.wire import cluster as wire
from fairway.client.wire.common import Page
from fairway.cluster.clusters import Clusters
from fairway.cluster.known import Known
from fairway.model.errors import Forbidden
from fairway.model.token import TokenScope


def _may_look(who: Identity) -> None:
    guard.signed_in(who)
    if not (who.holds(TokenScope.CLUSTER_READ) or who.holds(TokenScope.CLUSTER_WRITE)):
        raise Forbidden(
            f"the token lacks the scope {TokenScope.CLUSTER_READ}",
            code="token-scope",
            remedy=f"make a token with the scope {TokenScope.CLUSTER_READ}",
        )


def _clusters(services: Svc) -> Clusters:
    return here(services.clusters, "clusters")


def _shown(one: Known) -> wire.Cluster:
    found = one.registered
    return wire.Cluster(
        name=one.name,
        kind=str(one.kind),
        home=one.home,
        state=str(one.health.state),
        reason=one.health.reason,
        version=one.health.version,
        server=one.server,
        nodes=one.health.nodes,
        nodes_ready=one.health.nodes_ready,
        namespaces=list(found.namespaces) if found else [],
        cluster_resources=bool(found and found.cluster_resources),
        project=found.project if found else "",
        labels=dict(found.labels) if found else {},
        secret=found.secret if found else "",
        checked=shown.time(one.health.checked) if one.health.checked else "",
    )


@get("/clusters", summary="List clusters")
async def list_clusters(*, services: Svc, who: Who) -> Page[wire.Cluster]:
    """Each with its health and version, looked at now."""
    _may_look(who)
    return Page(items=[_shown(one) for one in await _clusters(services).all()])


@get("/clusters/{cluster:str}", summary="One cluster")
async def show_cluster(*, services: Svc, who: Who, cluster: Word) -> wire.Cluster:
    """With its health and version, looked at now."""
    _may_look(who)
    return _shown(await _clusters(services).one(cluster))


@post("/clusters", summary="Register a cluster")
async def add_cluster(*, services: Svc, who: Who, data: JSONBody[wire.ClusterAdd]) -> wire.Cluster:
    """By a kubeconfig with inline credentials, kept as a Secret in the home cluster. For admins."""
    require_admin(who)
    given: dict[str, Any] = structs.asdict(data)
    name, text, context = (given.pop(key) for key in ("name", "kubeconfig", "context"))
    made = await _clusters(services).add(who.login, name, text, context=context, given=given)
    return _shown(made)


@delete("/clusters/{cluster:str}", summary="Forget a registered cluster")
async def remove_cluster(*, services: Svc, who: Who, cluster: Word) -> None:
    """What runs in it goes on. For admins."""
    require_admin(who)
    await _clusters(services).remove(who.login, cluster)


@post("/clusters/{cluster:str}/embedded", summary="Start a further embedded cluster")
async def create_cluster(*, services: Svc, who: Who, cluster: Word) -> wire.Cluster:
    """On the machine of the server; it comes up in the background. For admins."""
    require_admin(who)
    await _clusters(services).create(who.login, cluster)
    return _shown(await _clusters(services).one(cluster))


@delete("/clusters/{cluster:str}/embedded", summary="End an embedded cluster")
async def delete_cluster(*, services: Svc, who: Who, cluster: Word) -> None:
    """With everything in it, for ever. For admins."""
    require_admin(who)
    await _clusters(services).delete(who.login, cluster)


@get("/clusters/{cluster:str}/access", summary="How kubectl reaches a cluster")
async def show_access(*, services: Svc, who: Who, cluster: Word) -> wire.ClusterAccess:
    """Through Fairway, with a token of Fairway: address and authority for a kubeconfig."""
    _may_look(who)
    name = await _clusters(services).resolve(cluster)
    door = here(services.door, "the way to clusters")
    return wire.ClusterAccess(name=name, server=door.address(name), ca=await door.authority())


@post("/clusters/{cluster:str}/reach", summary="What a cluster reaches of Fairway", status_code=200)
async def check_reach(*, services: Svc, who: Who, cluster: Word) -> Page[wire.ClusterReach]:
    """Found out by a pod on one of its nodes, which goes away again. For admins."""
    require_admin(who)
    clusters = _clusters(services)
    name = await clusters.resolve(cluster)
    wanted = {
        "registry": services.addresses.registry,
        "api": urlsplit(services.addresses.external_url).netloc,
    }
    found = await clusters.reach(name, wanted)
    return Page(items=[wire.ClusterReach(**structs.asdict(one)) for one in found])


@post("/clusters/{cluster:str}/images", summary="Put an image onto nodes", status_code=200)
async def load_image(
    *, services: Svc, who: Who, cluster: Word, data: JSONBody[wire.ImageLoad]
) -> Page[wire.LoadedImage]:
    """Every node pulls it now, before a pod needs it. For admins."""
    require_admin(who)
    clusters = _clusters(services)
    name = await clusters.resolve(cluster)
    registry = services.addresses.registry
    wanted = await services.database.read(loading.references, who, registry, data.image)
    found = await clusters.load(who.login, name, wanted, registry=registry)
    return Page(items=[wire.LoadedImage(**structs.asdict(one)) for one in found])


ROUTES = [
    load_image,
    list_clusters,
    show_cluster,
    add_cluster,
    remove_cluster,
    create_cluster,
    delete_cluster,
    show_access,
    check_reach,
]
