"""HTTPRoute and GRPCRoute as the API server holds them: Gateway API v1.6, experimental channel."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from fairway.gateway.objects.gateway import GROUP

ANY_PATH: Final = "/"


class ParentRef(Struct, rename="camel", frozen=True):
    """What a route wants to be attached to."""

    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str = ""
    section_name: str = ""
    port: int = 0


class PathMatch(Struct, frozen=True):
    """Exact, PathPrefix or RegularExpression."""

    type: str = "PathPrefix"
    value: str = ANY_PATH


class ValueMatch(Struct, frozen=True):
    """A header's or query parameter's value: Exact or RegularExpression."""

    name: str
    value: str = ""
    type: str = "Exact"


class MethodMatch(Struct, frozen=True):
    """A gRPC service and method: Exact or RegularExpression."""

    type: str = "Exact"
    service: str = ""
    method: str = ""


class HttpMatch(Struct, rename="camel", frozen=True):
    """All of these must hold."""

    path: PathMatch = PathMatch()
    headers: tuple[ValueMatch, ...] = ()
    query_params: tuple[ValueMatch, ...] = ()
    method: str = ""


class GrpcMatch(Struct, frozen=True):
    """All of these must hold."""

    method: MethodMatch | None = None
    headers: tuple[ValueMatch, ...] = ()


class Header(Struct, frozen=True):
    """A header's name and value."""

    name: str
    value: str


class HeaderEdit(Struct, frozen=True):
    """What is done to headers."""

    set: tuple[Header, ...] = ()
    add: tuple[Header, ...] = ()
    remove: tuple[str, ...] = ()


class PathEdit(Struct, rename="camel", frozen=True):
    """What is done to a path: ReplaceFullPath, ReplacePrefixMatch; for Ingresses also Regex (of
    the matched path, with groups)."""

    type: str
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class Redirect(Struct, rename="camel", frozen=True):
    """Where a client is sent instead."""

    scheme: str = ""
    hostname: str = ""
    path: PathEdit | None = None
    port: int = 0
    status_code: int = 302


class Rewrite(Struct, frozen=True):
    """What the backend sees instead."""

    hostname: str = ""
    path: PathEdit | None = None


class BackendObject(Struct, frozen=True):
    """Which Service's port."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str = ""
    port: int = 0


class Fraction(Struct, frozen=True):
    """So many of so many."""

    numerator: int
    denominator: int = 100


class Mirror(Struct, rename="camel", frozen=True):
    """Where copies of requests go."""

    backend_ref: BackendObject
    percent: int | None = None
    fraction: Fraction | None = None


class Cors(Struct, rename="camel", frozen=True):
    """What other origins may do."""

    allow_origins: tuple[str, ...] = ()
    allow_credentials: bool = False
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int = 5


class Filter(Struct, rename="camel", frozen=True):
    """One filter: `type` says which of the others is meant."""

    type: str
    request_header_modifier: HeaderEdit | None = None
    response_header_modifier: HeaderEdit | None = None
    request_mirror: Mirror | None = None
    request_redirect: Redirect | None = None
    url_rewrite: Rewrite | None = None
    cors: Cors | None = None


class BackendRef(BackendObject, frozen=True):
    """A share of the traffic."""

    weight: int = 1
    filters: tuple[Filter, ...] = ()


class Timeouts(Struct, rename="camel", frozen=True):
    """Durations in the Gateway API's form; empty is not given."""

    request: str = ""
    backend_request: str = ""


class Retry(Struct, frozen=True):
    """When a request is tried again."""

    codes: tuple[int, ...] = ()
    attempts: int | None = None
    backoff: str = ""


class CookieConfig(Struct, rename="camel", frozen=True):
    """Session or Permanent."""

    lifetime_type: str = "Session"


class Session(Struct, rename="camel", frozen=True):
    """How a client stays with its backend."""

    session_name: str = ""
    absolute_timeout: str = ""
    type: str = "Cookie"
    cookie_config: CookieConfig = CookieConfig()


class HttpRule(Struct, rename="camel", frozen=True):
    """What is done with requests that match."""

    name: str = ""
    matches: tuple[HttpMatch, ...] = ()
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[BackendRef, ...] = ()
    timeouts: Timeouts = Timeouts()
    retry: Retry | None = None
    session_persistence: Session | None = None


class GrpcRule(Struct, rename="camel", frozen=True):
    """What is done with calls that match."""

    name: str = ""
    matches: tuple[GrpcMatch, ...] = ()
    filters: tuple[Filter, ...] = ()
    backend_refs: tuple[BackendRef, ...] = ()
    session_persistence: Session | None = None


class HttpRouteSpec(Struct, rename="camel", frozen=True):
    """An HTTPRoute's spec."""

    parent_refs: tuple[ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[HttpRule, ...] = (HttpRule(),)


class GrpcRouteSpec(Struct, rename="camel", frozen=True):
    """A GRPCRoute's spec."""

    parent_refs: tuple[ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[GrpcRule, ...] = (GrpcRule(),)
