"""HTTPRoute and GRPCRoute objects into checked routes."""

from __future__ import annotations

from typing import Final

from msgspec import ValidationError

from fairway.gateway.filters import check_filters
from fairway.gateway.objects import route as api
from fairway.gateway.objects.meta import head, part, read
from fairway.gateway.objects.values import bad_regex, is_header, is_hostname, is_path, milliseconds
from fairway.gateway.rules import (
    INCOMPATIBLE,
    UNSUPPORTED,
    Dropped,
    Match,
    Retry,
    Route,
    Rule,
    Session,
    Share,
    Unknown,
    Wrong,
)
from fairway.gateway.snapshot import Object, Ref

METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)
_MOST_ATTEMPTS: Final = 1000


def read_route(obj: Object, kind: str) -> Route:
    """An HTTPRoute or GRPCRoute. What cannot be read is one dropped rule that says why."""
    ref, meta = head(obj, kind)
    try:
        spec = _spec(obj, kind)
    except ValidationError as error:
        return Route(ref, meta, _parents(obj), dropped=(Dropped(0, UNSUPPORTED, f"spec: {error}"),))
    names = tuple(name for name in spec.hostnames if is_hostname(name))
    if spec.hostnames and not names:
        wrong = Dropped(0, UNSUPPORTED, f"no hostname of {', '.join(spec.hostnames)} can be right")
        return Route(ref, meta, spec.parent_refs, spec.hostnames, dropped=(wrong,))
    rules: list[Rule] = []
    dropped: list[Dropped] = []
    given: tuple[api.HttpRule | api.GrpcRule, ...] = spec.rules
    for index, rule in enumerate(given):
        try:
            rules.append(_rule(ref, index, rule))
        except Wrong as wrong:
            dropped.append(Dropped(index, wrong.reason, wrong.message))
            if isinstance(wrong, Unknown) and wrong.rule is not None:
                rules.append(wrong.rule)
    return Route(ref, meta, spec.parent_refs, names, tuple(rules), tuple(dropped))


def _spec(obj: Object, kind: str) -> api.GrpcRouteSpec | api.HttpRouteSpec:
    spec = obj.get("spec", {})
    return read(spec, api.GrpcRouteSpec) if kind == "GRPCRoute" else read(spec, api.HttpRouteSpec)


def _parents(obj: Object) -> tuple[api.ParentRef, ...]:
    try:
        return read(part(obj, "spec").get("parentRefs", ()), tuple[api.ParentRef, ...])
    except ValidationError:
        return ()


def _rule(ref: Ref, index: int, rule: api.HttpRule | api.GrpcRule) -> Rule:
    if isinstance(rule, api.GrpcRule):
        matches = tuple(_grpc_match(each) for each in rule.matches or (api.GrpcMatch(),))
        timeouts, retry = api.Timeouts(), None
    else:
        matches = tuple(_http_match(each) for each in rule.matches or (api.HttpMatch(),))
        timeouts, retry = rule.timeouts, rule.retry
    try:
        filters = check_filters(rule.filters, matches)
        shares = tuple(_share(each) for each in rule.backend_refs)
    except Unknown as unknown:
        unknown.rule = Rule(index, matches, rule.name, broken=True)
        raise
    if filters.redirect and shares:
        raise Wrong("RequestRedirect cannot go together with backendRefs", INCOMPATIBLE)
    total, single = _duration(timeouts.request), _duration(timeouts.backend_request)
    if total and single and single > total:
        raise Wrong(f"timeouts.backendRequest {timeouts.backend_request} is over timeouts.request")
    return Rule(
        index=index,
        matches=matches,
        name=rule.name,
        filters=filters,
        shares=shares,
        timeout=total,
        try_timeout=single,
        retry=_retry(retry) if retry else None,
        session=_session(ref, index, rule.session_persistence, shares),
    )


def _duration(text: str) -> int | None:
    if not text:
        return None
    found = milliseconds(text)
    if found is None:
        raise Wrong(f"{text!r} is not a duration such as 10s or 500ms")
    return found


def _http_match(match: api.HttpMatch) -> Match:
    if match.method and match.method not in METHODS:
        raise Wrong(f"method {match.method!r} is not known")
    return Match(
        path=check_path(match.path),
        method=match.method,
        headers=_values(match.headers, "header", fold=True),
        queries=_values(match.query_params, "query parameter", fold=False),
    )


def check_path(path: api.PathMatch) -> api.PathMatch:
    """A path match that Envoy will take. Raises `Wrong`."""
    if path.type == "RegularExpression":
        if wrong := bad_regex(path.value):
            raise Wrong(wrong)
        return path
    if path.type not in {"Exact", "PathPrefix"}:
        raise Wrong(f"path type {path.type!r} is not known")
    if not is_path(path.value):
        raise Wrong(f"path {path.value!r} is not an absolute path")
    if path.type == "PathPrefix":
        return api.PathMatch("PathPrefix", path.value.rstrip("/") or api.ANY_PATH)
    return path


def _grpc_match(match: api.GrpcMatch) -> Match:
    method = match.method or api.MethodMatch()
    headers = _values(match.headers, "header", fold=True)
    if method.type == "Exact":
        path = _grpc_path(method)
    elif method.type == "RegularExpression":
        service, name = (part or "[^/]+" for part in (method.service, method.method))
        path = api.PathMatch("RegularExpression", f"/(?:{service})/(?:{name})")
    else:
        raise Wrong(f"method type {method.type!r} is not known")
    return Match(path=check_path(path), headers=headers, grpc=method)


def _grpc_path(method: api.MethodMatch) -> api.PathMatch:
    if method.service and method.method:
        return api.PathMatch("Exact", f"/{method.service}/{method.method}")
    if method.service:
        return api.PathMatch("PathPrefix", f"/{method.service}")
    if method.method:
        if not is_path(f"/{method.method}"):
            raise Wrong(f"method {method.method!r} cannot be one")
        return api.PathMatch("RegularExpression", f"/[^/]+/{method.method}")
    return api.PathMatch()


def _values(
    matches: tuple[api.ValueMatch, ...], what: str, *, fold: bool
) -> tuple[api.ValueMatch, ...]:
    """Of several with one name, the first counts."""
    found: dict[str, api.ValueMatch] = {}
    for match in matches:
        if not is_header(match.name):
            raise Wrong(f"{what} {match.name!r} cannot be one")
        if match.type == "RegularExpression":
            if wrong := bad_regex(match.value):
                raise Wrong(f"{what} {match.name}: {wrong}")
        elif match.type != "Exact":
            raise Wrong(f"{what} {match.name}: type {match.type!r} is not known")
        found.setdefault(match.name.lower() if fold else match.name, match)
    return tuple(found.values())


def _share(ref: api.BackendRef) -> Share:
    filters = check_filters(ref.filters, ())
    if filters.redirect or filters.rewrite or filters.mirrors or filters.cors:
        raise Wrong("filters of a backendRef can only change headers", INCOMPATIBLE)
    plain = api.BackendObject(ref.name, ref.group, ref.kind, ref.namespace, ref.port)
    if not 0 <= ref.weight <= 1_000_000:
        raise Wrong(f"weight {ref.weight} is not between 0 and 1000000")
    return Share(plain, ref.weight, filters)


def _retry(retry: api.Retry) -> Retry:
    for code in retry.codes:
        if not 400 <= code <= 599:
            raise Wrong(f"retry.codes: {code} is not between 400 and 599")
    backoff = _duration(retry.backoff)
    attempts = 1 if retry.attempts is None else min(max(retry.attempts, 0), _MOST_ATTEMPTS)
    return Retry(attempts, retry.codes, 25 if backoff is None else max(backoff, 1))


def _session(
    ref: Ref, index: int, session: api.Session | None, shares: tuple[Share, ...]
) -> Session | None:
    if session is None:
        return None
    if session.type not in {"Cookie", "Header"}:
        raise Wrong(f"sessionPersistence type {session.type!r} is not known")
    header = session.type == "Header"
    if header and len(shares) > 1:
        raise Wrong("sessionPersistence by header needs a single backend; several need a cookie")
    kind = session.cookie_config.lifetime_type
    if kind not in {"Session", "Permanent"}:
        raise Wrong(f"sessionPersistence lifetimeType {kind!r} is not known")
    lifetime = _duration(session.absolute_timeout) or 0
    if kind == "Permanent" and not lifetime:
        raise Wrong("a Permanent cookie needs an absoluteTimeout")
    name = session.session_name or f"fairway-{ref.namespace}-{ref.name}-{index}".replace(".", "-")
    if not is_header(name):
        raise Wrong(f"sessionName {name!r} can be neither a cookie nor a header")
    return Session(name, header, -(-lifetime // 1000))
