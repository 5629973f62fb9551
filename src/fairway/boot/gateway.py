"""The gateway of this process, from settings: where its cluster is, and where traffic comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from fairway.api.services import Parts
from fairway.boot.gateway_pages import pages
from fairway.boot.local import LOOPBACK, check_ports, embedded_here, has_gateway
from fairway.boot.server import Address, serve
from fairway.client.wire.system import Component
from fairway.cluster.layout import layout
from fairway.cluster.setting_up import read_plan
from fairway.gateway import own
from fairway.gateway.envoy.bootstrap import Folder
from fairway.gateway.service import Access, Service, Wanted
from fairway.gateway.snapshot import Place
from fairway.kit import clock
from fairway.kit.aio import blocking
from fairway.kit.net import endpoint
from fairway.kube import Connection, from_file
from fairway.model.errors import Unavailable
from fairway.native import programs
from fairway.settings import Settings, in_cluster
from fairway.supervise.component import State

Say = Callable[[str], None]
METRICS_PORT: Final = 9480  # where `gateway.metrics` names none
_CRDS: Final = Path("crds") / "gateway-api"


def service(settings: Settings) -> Service | None:
    """The gateway of this process; None where it has none."""
    if not has_gateway(settings):
        return None
    given = settings.gateway
    folder = Folder(settings.data.absolute() / "gateway")
    return Service(
        Wanted(
            folder=folder,
            find=partial(_find, settings, folder),
            definitions=lambda: programs.find(settings.native.dir).folder / _CRDS,
            free=partial(check_ports, settings),
            concurrency=given.concurrency,
            drain_s=given.drain_s,
        )
    )


async def alone(settings: Settings) -> None:
    """A process that is a gateway and nothing else: it needs no database."""
    found = service(settings)
    if found is None:
        raise Unavailable(
            "there is no cluster for a gateway",
            code="cluster-unavailable",
            remedy="name one by `--kubeconfig FILE`, or run this process as a pod of it",
        )
    async with asyncio.TaskGroup() as group:
        if settings.gateway.metrics:
            host, port = endpoint(settings.gateway.metrics, METRICS_PORT)
            listening = serve(pages(found), [Address(host, port, plain=True)])
            group.create_task(listening, name="gateway's pages")
        group.create_task(found.run(), name="gateway and its objects")


async def _find(settings: Settings, folder: Folder) -> Access:
    """The cluster and where traffic for it comes in. Raises `FairwayError` while it is not there"""
    if embedded_here(settings):
        return await blocking(_own_cluster, settings, folder)
    connection = await blocking(_other_cluster, settings)
    return Access(connection, _shared_place(settings, folder))


def _own_cluster(settings: Settings, folder: Folder) -> Access:
    paths = layout(settings.data.absolute(), settings.cluster.name)
    plan = read_plan(paths)
    kubeconfig = paths.kubeconfig("admin")
    if plan is None or not kubeconfig.is_file():
        raise Unavailable(
            f"the cluster {settings.cluster.name} is not set up yet",
            code="cluster-unavailable",
            remedy="`fairway get components` says how it comes along",
        )
    binds = (LOOPBACK, *settings.gateway.listen)
    place = replace(_place(settings, folder), addresses=plan.balancers, own_binds=binds)
    return Access(from_file(kubeconfig), place)


def _other_cluster(settings: Settings) -> Connection:
    if settings.cluster.kubeconfig:
        return from_file(Path(settings.cluster.kubeconfig), settings.cluster.context)
    found = in_cluster()
    if found is None:
        raise Unavailable(
            "no cluster is named", code="cluster-unavailable", remedy="`--kubeconfig FILE`"
        )
    server, account = found
    return Connection(
        server=server, ca=(account / "ca.crt").read_bytes(), token_file=str(account / "token")
    )


def _shared_place(settings: Settings, folder: Folder) -> Place:
    """Without a range of addresses all Gateways share those of Envoy's machine, or pod."""
    inside = in_cluster() is not None and not settings.cluster.kubeconfig
    binds = ("0.0.0.0",) if inside else (LOOPBACK, *settings.gateway.listen)  # noqa: S104 a pod's
    published = settings.gateway.published or binds
    return replace(_place(settings, folder), binds=binds, published=published)


def _place(settings: Settings, folder: Folder) -> Place:
    given = settings.gateway
    return Place(
        folder=str(folder.xds),
        own=f"{own.NAMESPACE}/{own.NAME}",
        http_port=given.http_port,
        https_port=given.https_port,
        access_log=str(folder.access_log),
        access_log_percent=given.access_log_percent,
    )


def parts(kept: Service) -> Parts:
    """Envoy and the gateway, for `fairway get components`."""

    async def show() -> Sequence[Component]:
        envoy = kept.component()
        found = [Component(name="gateway", healthy=not kept.problem, reason=kept.problem)]
        if envoy is not None:
            found.append(
                Component(
                    name="gateway/envoy",
                    healthy=envoy.state is State.READY,
                    state=str(envoy.state),
                    since=clock.text(envoy.since) or "",
                    restarts=envoy.restarts,
                    reason=envoy.reason,
                )
            )
        return found

    return show
