"""What annotations of ingress-nginx ask for: the part of them that is understood here.

What is not understood is told to the owner. What would have kept somebody out (authentication,
address lists, snippets) closes the Ingress instead: leaving it out would open what was closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from fairway.gateway.objects.route import Cors
from fairway.gateway.objects.values import bad_regex, is_header, is_value
from fairway.gateway.rules import Session

PREFIX: Final = "nginx.ingress.kubernetes.io/"
_CANARY: Final = frozenset(
    {
        "canary",
        "canary-weight",
        "canary-weight-total",
        "canary-by-header",
        "canary-by-header-value",
        "canary-by-header-pattern",
        "canary-by-cookie",
    }
)
_KNOWN: Final = _CANARY | {
    "rewrite-target",
    "use-regex",
    "ssl-redirect",
    "force-ssl-redirect",
    "affinity",
    "affinity-mode",
    "session-cookie-name",
    "session-cookie-max-age",
    "enable-cors",
    "cors-allow-origin",
    "cors-allow-methods",
    "cors-allow-headers",
    "cors-expose-headers",
    "cors-allow-credentials",
    "cors-max-age",
}
_CLOSES: Final = re.compile(
    r"auth-|.*-snippet\Z|satisfy\Z|(?:white|allow|deny)list-source-range\Z|limit-|.*modsecurity"
    r"|ssl-passthrough\Z"
)
_MOST_WEIGHT: Final = 1_000_000


class Canary(Struct, frozen=True):
    """Which requests a canary takes."""

    weight: int = 0
    total: int = 100
    header: str = ""
    value: str = ""
    pattern: str = ""
    cookie: str = ""


class Policy(Struct, frozen=True):
    """What an Ingress's annotations ask for. `closed` says what would otherwise be open."""

    canary: Canary | None = None
    rewrite: str = ""
    regex: bool = False
    to_https: Literal["", "always", "with-certificate"] = ""
    session: Session | None = None
    cors: Cors | None = None
    closed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def read_policy(annotations: Mapping[str, str]) -> Policy:
    """The policy of an Ingress."""
    held = {
        name.removeprefix(PREFIX): value
        for name, value in annotations.items()
        if name.startswith(PREFIX)
    }
    unknown = sorted(set(held) - _KNOWN)
    wrong: list[str] = []
    canary = _canary(held, wrong) if _true(held, "canary") else None
    rewrite = held.get("rewrite-target", "")
    if rewrite and not rewrite.startswith("/"):
        wrong.append(f"rewrite-target {rewrite!r} is not an absolute path")
        rewrite = ""
    return Policy(
        canary=canary,
        rewrite=rewrite,
        regex=_true(held, "use-regex") or bool(re.search(r"\$\d", rewrite)),
        to_https=_to_https(held),
        session=_session(held, wrong),
        cors=_cors(held, wrong) if _true(held, "enable-cors") else None,
        closed=tuple(name for name in unknown if _CLOSES.match(name)),
        unknown=tuple(name for name in unknown if not _CLOSES.match(name)),
        wrong=tuple(wrong),
    )


def _true(held: Mapping[str, str], name: str) -> bool:
    return held.get(name, "").lower() in {"true", "1", "t"}


def _to_https(held: Mapping[str, str]) -> Literal["", "always", "with-certificate"]:
    if _true(held, "force-ssl-redirect"):
        return "always"
    return "with-certificate" if _true(held, "ssl-redirect") else ""


def _number(held: Mapping[str, str], name: str, wrong: list[str], default: int = 0) -> int:
    text = held.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) > _MOST_WEIGHT:
        wrong.append(f"{name} {text!r} is not a number up to {_MOST_WEIGHT}")
        return default
    return int(text)


def _canary(held: Mapping[str, str], wrong: list[str]) -> Canary:
    total = max(100, _number(held, "canary-weight-total", wrong, 100))
    weight = _number(held, "canary-weight", wrong)
    if weight > total:
        wrong.append(f"canary-weight {weight} is over the total of {total}")
        weight = total
    names = {name: held.get(f"canary-by-{name}", "") for name in ("header", "cookie")}
    for name, value in names.items():
        if value and not is_header(value):
            wrong.append(f"canary-by-{name} {value!r} cannot be one")
            names[name] = ""
    pattern = held.get("canary-by-header-pattern", "")
    if pattern and (problem := bad_regex(pattern)):
        wrong.append(f"canary-by-header-pattern: {problem}")
        pattern = ""
        # nginx sends nobody to the canary by a pattern that it cannot read, whatever the header.
        names["header"] = "" if not held.get("canary-by-header-value") else names["header"]
    value = held.get("canary-by-header-value", "")
    return Canary(weight, total, names["header"], value, pattern, names["cookie"])


def _session(held: Mapping[str, str], wrong: list[str]) -> Session | None:
    if held.get("affinity", "") != "cookie":
        if held.get("affinity"):
            wrong.append(f"affinity {held['affinity']!r} is not known, only cookie")
        return None
    name = held.get("session-cookie-name", "INGRESSCOOKIE")
    if not is_header(name):
        wrong.append(f"session-cookie-name {name!r} cannot be one")
        return None
    return Session(name, lifetime=_number(held, "session-cookie-max-age", wrong))


def _cors(held: Mapping[str, str], wrong: list[str]) -> Cors:
    """With ingress-nginx's defaults."""
    origins = _words(held.get("cors-allow-origin", "*"))
    bad = [each for each in origins if not is_value(each) or (each != "*" and "://" not in each)]
    if bad:
        wrong.append(f"cors-allow-origin: not an origin: {', '.join(bad)}")
    methods = _words(held.get("cors-allow-methods", "GET, PUT, POST, DELETE, PATCH, OPTIONS"))
    headers = _words(
        held.get(
            "cors-allow-headers",
            "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,"
            "Content-Type,Range,Authorization",
        )
    )
    expose = _words(held.get("cors-expose-headers", ""))
    names = [name for name in (*methods, *headers, *expose) if not _name(name)]
    wrong += [f"cors: {name!r} is neither a method nor a header" for name in names]
    return Cors(
        allow_origins=tuple(each for each in origins if each not in bad),
        allow_credentials=held.get("cors-allow-credentials", "true").lower() == "true",
        allow_methods=tuple(filter(_name, methods)),
        allow_headers=tuple(filter(_name, headers)),
        expose_headers=tuple(filter(_name, expose)),
        max_age=_number(held, "cors-max-age", wrong, 1728000),
    )


def _name(text: str) -> bool:
    return text == "*" or is_header(text)


def _words(text: str) -> Iterable[str]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
