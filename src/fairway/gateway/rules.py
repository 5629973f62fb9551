"""Routes of every kind in one checked form: what is matched and what is done.

HTTPRoute, GRPCRoute and Ingress all become `Route`s. A rule that cannot be right is left out with
its reason; the others stand (the Gateway API's "Dropped Rule").
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

from fairway.gateway.objects import route as api
from fairway.gateway.objects.meta import Meta
from fairway.gateway.snapshot import Ref

UNSUPPORTED: Final = "UnsupportedValue"
INCOMPATIBLE: Final = "IncompatibleFilters"


class Wrong(Exception):
    """A rule that cannot be right: a condition's reason and message. Never leaves this package."""

    def __init__(self, message: str, reason: str = UNSUPPORTED) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Unknown(Wrong):
    """A filter of a kind that we do not have: the rule stays, answered with an error."""

    rule: Rule | None = None


class Match(Struct, frozen=True):
    """All of these must hold. `path.type` is Exact, PathPrefix or RegularExpression; a gRPC match
    has the form of a path as well and counts its service and method for precedence."""

    path: api.PathMatch = api.PathMatch()
    method: str = ""
    headers: tuple[api.ValueMatch, ...] = ()
    queries: tuple[api.ValueMatch, ...] = ()
    grpc: api.MethodMatch | None = None


class Filters(Struct, frozen=True):
    """What is done to requests and responses of a rule."""

    request: api.HeaderEdit | None = None
    response: api.HeaderEdit | None = None
    redirect: api.Redirect | None = None
    rewrite: api.Rewrite | None = None
    mirrors: tuple[api.Mirror, ...] = ()
    cors: api.Cors | None = None


class Share(Struct, frozen=True):
    """A backend, its weight, and what is done to the headers of what goes there."""

    ref: api.BackendObject
    weight: int = 1
    filters: Filters = Filters()


class Retry(Struct, frozen=True):
    """When a request is tried again; milliseconds."""

    attempts: int
    codes: tuple[int, ...] = ()
    backoff: int = 25


class Session(Struct, frozen=True):
    """How a client stays with its backend. `lifetime` is in seconds; 0 ends with the browser."""

    name: str
    header: bool = False
    lifetime: int = 0


class Rule(Struct, frozen=True):
    """What is done with requests that match. Timeouts are milliseconds, 0 is none, None not given.

    `broken` answers with an error: a filter that we do not know must not be skipped.
    """

    index: int
    matches: tuple[Match, ...]
    name: str = ""
    filters: Filters = Filters()
    shares: tuple[Share, ...] = ()
    timeout: int | None = None
    try_timeout: int | None = None
    retry: Retry | None = None
    session: Session | None = None
    broken: bool = False


class Dropped(NamedTuple):
    """A rule that was left out, and why."""

    rule: int
    reason: str
    message: str


class Route(Struct, frozen=True):
    """A route of any kind."""

    ref: Ref
    meta: Meta
    parents: tuple[api.ParentRef, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    @property
    def grpc(self) -> bool:
        """Whether its backends are spoken to by gRPC."""
        return self.ref.kind == "GRPCRoute"

    @property
    def unserved(self) -> int:
        """The status where a backend does not exist: 500 for HTTPRoutes, UNAVAILABLE for gRPC, and
        what people know of an Ingress."""
        return 500 if self.ref.kind == "HTTPRoute" else 503

    @property
    def whole(self) -> bool:
        """Whether at least one rule is served as it was written."""
        dropped = {each.rule for each in self.dropped}
        return not dropped or any(rule.index not in dropped for rule in self.rules)
