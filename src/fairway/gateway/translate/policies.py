"""Retries, mirrors, CORS and sessions, as Envoy's route configuration has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from fairway.gateway.objects.route import Cors, Fraction
from fairway.gateway.objects.values import quote, seconds
from fairway.gateway.rules import Retry, Session
from fairway.gateway.snapshot import ClusterName

CORS: Final = "envoy.filters.http.cors"
FAULT: Final = "envoy.filters.http.fault"
SESSION: Final = "envoy.filters.http.stateful_session"
_TYPES: Final = "type.googleapis.com/envoy.extensions"
_MILLION: Final = 1_000_000
_PORTS: Final = {"http": "80", "https": "443"}

# What every request may be tried again for: it has not reached a backend yet. So a pod that ends
# between two requests costs nobody an error.
UNSENT: Final[dict[str, Any]] = {
    "retry_on": "connect-failure,refused-stream,reset-before-request",
    "num_retries": 2,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": f"{_TYPES}.retry.host.previous_hosts.v3.PreviousHostsPredicate"
            },
        }
    ],
    "host_selection_retry_max_attempts": "3",
}


def retry_policy(retry: Retry | None, try_timeout: int | None) -> dict[str, Any]:
    """A route's retries: with codes also connection errors, as the Gateway API wants it. Envoy
    waits between nothing and twice the backoff at first: a backoff is no lower bound."""
    single = {"per_try_timeout": seconds(try_timeout)} if try_timeout else {}
    if retry is None:
        return UNSENT | single
    causes = ["connect-failure", "refused-stream", "reset"]
    policy: dict[str, Any] = {
        "retry_on": ",".join([*causes, "retriable-status-codes"] if retry.codes else causes),
        "num_retries": retry.attempts,
        "retry_back_off": {
            "base_interval": seconds(retry.backoff),
            "max_interval": seconds(retry.backoff * 10),
        },
    }
    if retry.codes:
        policy["retriable_status_codes"] = list(retry.codes)
    return policy | single


def mirror_policy(cluster: ClusterName, part: Fraction) -> dict[str, Any]:
    """Copies to a cluster of their own. Envoy neither waits for the answers nor shows them."""
    share = round(part.numerator * _MILLION / part.denominator)
    return {
        "cluster": str(cluster),
        "runtime_fraction": {"default_value": {"numerator": share, "denominator": "MILLION"}},
        "disable_shadow_host_suffix_append": True,
    }


def fault(status: int) -> dict[str, Any]:
    """An answer in a backend's place, for exactly the share that the backend would have got."""
    return {
        FAULT: {
            "@type": f"{_TYPES}.filters.http.fault.v3.HTTPFault",
            "abort": {"http_status": status, "percentage": {"numerator": 100}},
        }
    }


def cors(policy: Cors) -> dict[str, Any]:
    """What is answered to other origins, by Envoy itself where they ask beforehand."""
    found: dict[str, Any] = {
        "@type": f"{_TYPES}.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": [_origin(each) for each in policy.allow_origins],
        "allow_credentials": policy.allow_credentials,
        "max_age": str(policy.max_age),
        "forward_not_matching_preflights": False,
    }
    lists = {
        "allow_methods": policy.allow_methods,
        "allow_headers": policy.allow_headers,
        "expose_headers": policy.expose_headers,
    }
    return {CORS: found | {name: ", ".join(held) for name, held in lists.items() if held}}


def _origin(origin: str) -> dict[str, Any]:
    if origin == "*":
        return {"safe_regex": {"regex": ".*"}}
    scheme, _, rest = origin.partition("://")
    host, _, port = rest.partition(":")
    pattern = ".*".join(quote(part) for part in host.split("*"))
    pattern = pattern.replace(".*", "[^:/]*")
    default = _PORTS.get(scheme, "")
    tail = f":{quote(port)}" if port and port != default else f"(?::{default})?" if default else ""
    return {"safe_regex": {"regex": f"{quote(scheme)}://{pattern}{tail}"}}


def session(found: Session) -> dict[str, Any]:
    """The backend's address, kept by the client in a cookie or header."""
    if found.header:
        state = {
            "name": "envoy.http.stateful_session.header",
            "typed_config": {
                "@type": f"{_TYPES}.http.stateful_session.header.v3.HeaderBasedSessionState",
                "name": found.name,
            },
        }
    else:
        cookie: dict[str, Any] = {"name": found.name, "path": "/"}
        if found.lifetime:
            cookie["ttl"] = f"{found.lifetime}s"
        state = {
            "name": "envoy.http.stateful_session.cookie",
            "typed_config": {
                "@type": f"{_TYPES}.http.stateful_session.cookie.v3.CookieBasedSessionState",
                "cookie": cookie,
            },
        }
    kind = f"{_TYPES}.filters.http.stateful_session.v3.StatefulSessionPerRoute"
    return {SESSION: {"@type": kind, "stateful_session": {"session_state": state}}}


def version_name(found: Session) -> str:
    """The cookie that keeps a client with one of several weighted backends."""
    return f"{found.name}-backend"


def token(cluster: ClusterName) -> str:
    """What that cookie holds: another version of the same Service is another token, so that a
    session ends with the version that it began with."""
    return hashlib.sha256(str(cluster).encode()).hexdigest()[:12]


def set_version(found: Session, cluster: ClusterName) -> dict[str, Any]:
    """The header that sets it. Every backend sets one: a cookie for one version only would draw
    ever more clients to it and skew the weights."""
    age = f"; Max-Age={found.lifetime}" if found.lifetime else ""
    text = f"{version_name(found)}={token(cluster)}; Path=/; HttpOnly{age}"
    header = {"key": "set-cookie", "value": text.replace("%", "%%")}
    return {"header": header, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


def has_version(found: Session, cluster: ClusterName) -> dict[str, Any]:
    """The match of requests that carry it."""
    pair = f"{quote(version_name(found))}={token(cluster)}"
    regex = f"(?:.*;\\s*)?{pair}(?:\\s*;.*)?"
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": regex}}}


def merged(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Several `typed_per_filter_config`s in one."""
    return {name: held for part in parts for name, held in part.items()}
