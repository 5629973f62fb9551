"""What a request asks of a Kubernetes API, read from its method and path. Pure.

The shape of the paths and the verbs: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

_VERBS: Final = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# what is asked by POST and changes nothing
_QUESTIONS: Final = frozenset(
    {
        "selfsubjectaccessreviews",
        "localsubjectaccessreviews",
        "subjectaccessreviews",
        "selfsubjectrulesreviews",
        "selfsubjectreviews",
        "tokenreviews",
    }
)
# what opens a way into something, by whatever method
_CONNECTS: Final = frozenset(
    {
        ("pods", "exec"),
        ("pods", "attach"),
        ("pods", "portforward"),
        ("pods", "proxy"),
        ("services", "proxy"),
        ("nodes", "proxy"),
    }
)
_LONG: Final = frozenset({"watch", "connect"})


class Asked(Struct, frozen=True, kw_only=True):
    """A request in Kubernetes' words. `resource` "" is a path that is of no resource."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False
    follows: bool = False

    @property
    def reads(self) -> bool:
        """Whether it only looks."""
        return self.verb in {"get", "list", "watch"}

    @property
    def changes(self) -> bool:
        """Whether it belongs in the audit: a change, or a way into something that runs."""
        return not self.reads and not self.dry_run and self.resource not in _QUESTIONS

    @property
    def endless(self) -> bool:
        """Whether its answer may take for ever."""
        return self.verb in _LONG or self.follows

    def subject(self, cluster: str, name: str = "") -> str:
        """How the audit names what it touches. `name`: where only the body knows it."""
        if not self.resource:
            return f"cluster/{cluster}{self.path}"
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        parts = ["cluster", cluster, self.namespace or "-", kind, self.name or name]
        return "/".join([*parts, self.subresource]).rstrip("/")


def read(method: str, target: str) -> Asked:
    """Read a request's method and path (with its query)."""
    parts = urlsplit(target)
    query = parse_qs(parts.query)
    words = [unquote(word) for word in parts.path.split("/") if word]
    group, version, rest = _api(words)
    watching = bool(rest) and rest[0] == "watch"  # the old way to say watch=true
    namespace, resource, name, sub = _place(rest[1:] if watching else rest)
    watching = watching or _true(query, "watch")
    return Asked(
        verb=_verb(method, resource, name, sub, watching=watching),
        path=parts.path[:300],
        group=group,
        version=version,
        namespace=namespace,
        resource=resource,
        name=name,
        subresource=sub,
        dry_run="All" in query.get("dryRun", ()),
        follows=_true(query, "follow"),
    )


def _api(words: list[str]) -> tuple[str, str, list[str]]:
    """(group, version, the rest) of a path below /api or /apis."""
    if len(words) > 1 and words[0] == "api":
        return "", words[1], words[2:]
    if len(words) > 2 and words[0] == "apis":
        return words[1], words[2], words[3:]
    return "", "", []


def _place(words: list[str]) -> tuple[str, str, str, str]:
    """(namespace, resource, name, subresource).

    `namespaces/N` is that namespace itself, `namespaces/N/finalize` and `/status` are its own
    subresources, and any other third word is a resource in it.
    """
    namespace = ""
    if len(words) > 2 and words[0] == "namespaces" and words[2] not in {"finalize", "status"}:
        namespace, words = words[1], words[2:]
    elif len(words) > 1 and words[0] == "namespaces":
        namespace = words[1]
    padded = [*words, "", "", ""]
    return namespace, padded[0], padded[1], padded[2]


def _verb(method: str, resource: str, name: str, sub: str, *, watching: bool) -> str:
    if (resource, sub) in _CONNECTS:
        return "connect"
    if method in _READS:
        if watching:
            return "watch"
        return "get" if name or not resource else "list"
    if method == "DELETE" and resource and not name:
        return "deletecollection"
    return _VERBS.get(method, method.lower())


def _true(query: dict[str, list[str]], name: str) -> bool:
    return query.get(name, ["0"])[0].lower() in {"1", "true"}
