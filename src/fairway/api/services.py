"""What the API is made over: the chapters' own objects, put together by app.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, PathParameter, QueryParameter, SkipValidation
from msgspec import Struct, field

from fairway.access.authorise import Access
from fairway.access.identity import Identity
from fairway.access.keyring import Keyring
from fairway.access.tokens import Tokens
from fairway.api.hub import Hub
from fairway.api.scrapes import Scrapes
from fairway.client.wire.app import AppDifference
from fairway.client.wire.system import Component
from fairway.cluster.clusters import Clusters
from fairway.cluster.known import Door
from fairway.gateway.traffic import Traffic
from fairway.image.scan.scanning import Scanning
from fairway.kit.aio import Wake
from fairway.model.errors import Unavailable
from fairway.monitor.requests import Requests
from fairway.pipeline.builds import Builds
from fairway.pipeline.dispatch import Dispatch
from fairway.pipeline.files import FileSignatures
from fairway.pipeline.logs import Logs
from fairway.pipeline.secrets import Secrets
from fairway.release.ports import Deps
from fairway.source.change_requests import ChangeRequests
from fairway.source.crons import Crons
from fairway.source.remotes import Remotes
from fairway.source.repositories import Repositories
from fairway.store.database import Database


class Addresses(Struct, frozen=True, kw_only=True):
    """How others reach us."""

    external_url: str
    registry: str = ""  # host:port as image names show it
    version: str = ""


Parts = Callable[[], Awaitable[Sequence[Component]]]
"""The supervised parts of the system and how they are."""
Check = Callable[[], Awaitable[str]]
"""Says how a part of the system is, in words. Raises `FairwayError` when it is not well."""


AppDiffer = Callable[[str], Awaitable[list[AppDifference]]]
"""What differs between an application, by its name, and its cluster."""


class Services(Struct, frozen=True, kw_only=True):
    """Everything that handlers ask."""

    database: Database
    tokens: Tokens
    access: Access
    addresses: Addresses
    builds: Builds
    logs: Logs
    hub: Hub
    secrets: Secrets
    dispatch: Dispatch
    repositories: Repositories
    wake: Wake = field(default_factory=Wake)  # stages may have become ready
    changes: ChangeRequests | None = None
    crons: Crons | None = None
    scanning: Scanning | None = None
    remotes: Remotes | None = None
    signatures: FileSignatures | None = None
    keyring: Keyring | None = None
    clusters: Clusters | None = None
    door: Door | None = None  # users' way to clusters
    app_differences: AppDiffer | None = None  # of the controller in this process
    hub_namespace: str = "argocd"  # where Applications are in the home cluster
    checks: Mapping[str, Check] = field(default_factory=dict)  # parts of the system, by name
    parts: Sequence[Parts] = ()  # supervised ones
    delivering: Deps | None = None  # what releases stand on, in a process with controllers
    traffic: Traffic | None = None  # of the gateway in this process
    home_cluster: str = ""  # which that gateway is for
    requests: Requests = field(default_factory=Requests)
    scrapes: Scrapes = field(default_factory=Scrapes)
    private_metrics: bool = False  # reachable from elsewhere: /metrics needs a token


T = TypeVar("T")


def here(service: T | None, what: str) -> T:
    """A service of this process. Raises `Unavailable` where its role runs elsewhere."""
    if service is None:
        raise Unavailable(
            f"this process does not serve {what}",
            code="role-elsewhere",
            remedy="ask the process with the role git",
        )
    return service


Svc = NamedDependency[SkipValidation[Services]]
Who = NamedDependency[SkipValidation[Identity]]
Slug = NamedDependency[str]
Text = Annotated[str, QueryParameter(max_length=1000)]
Flag = Annotated[bool, QueryParameter()]
Count = Annotated[int, QueryParameter(ge=0, le=2**53)]
Number = Annotated[int, PathParameter(ge=0, le=2**53)]
Word = FromPath[str]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str, QueryParameter(max_length=1100, description="`next` of the page before; opaque.")
]


async def _who(services: Svc, request: Request[Any, Any, Any]) -> Identity:
    identity: Identity = await services.tokens.identify(request.headers.get("authorization"))
    return identity


def _slug(org: FromPath[str], name: FromPath[str]) -> str:
    return f"{org}/{name}"


def dependencies(services: Services) -> dict[str, Provide]:
    """What handlers get by name. No field of a body has such a name: Litestar mixes them up."""
    return {
        "services": Provide(lambda: services, sync_to_thread=False),
        "who": Provide(_who),
        "slug": Provide(_slug, sync_to_thread=False),
    }
