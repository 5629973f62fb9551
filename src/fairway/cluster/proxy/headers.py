"""Which headers go on to a Kubernetes API, and how it learns who asks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from fairway.access.identity import Identity
from fairway.model.errors import Forbidden
from fairway.model.token import TokenScope

Headers = list[tuple[bytes, bytes]]

USER: Final = "fairway:"
_IMPERSONATE: Final = b"impersonate-"
# about this connection or this proxy, never the API server's
_OURS: Final = frozenset(
    {
        b"authorization",
        b"host",
        b"expect",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"x-remote-user",
        b"x-remote-group",
        b"x-remote-uid",
    }
)
_UPGRADE: Final = frozenset({b"connection", b"upgrade"})


def check_allowed(identity: Identity, cluster: str, *, reads: bool) -> None:
    """Raise `Forbidden` for a token that is not for clusters. What a user may is the cluster's."""
    if identity.only is not None:
        raise Forbidden(
            "the token is bound to a repository: it does not reach clusters",
            code="no-cluster-right",
            remedy="use a token without a repository",
        )
    allowed = identity.holds(TokenScope.CLUSTER_WRITE)
    if allowed or (reads and identity.holds(TokenScope.CLUSTER_READ)):
        return
    needed = TokenScope.CLUSTER_READ if reads else TokenScope.CLUSTER_WRITE
    raise Forbidden(
        f"the token lacks the scope {needed}, which the cluster {cluster} needs for this",
        code="token-scope",
        remedy=f"make a token with the scope {needed}",
    )


def onward(given: Iterable[tuple[bytes, bytes]], *, upgrades: bool) -> Headers:
    """The client's headers that go on. Whom it says it is, is ours to say."""
    named = _named_by_connection(given)
    dropped = _OURS | (named - _UPGRADE if upgrades else named | _UPGRADE)
    return [
        (name, value)
        for name, value in given
        if name.lower() not in dropped
        and not name.lower().startswith((_IMPERSONATE, b"x-remote-extra-"))
    ]


def back(given: Iterable[tuple[bytes, bytes]], *, upgrades: bool) -> Headers:
    """The API server's headers that go back."""
    return [
        (name, value)
        for name, value in given
        if upgrades or name.lower() not in {b"connection", b"keep-alive", b"upgrade"}
    ]


def impersonation(
    identity: Identity, groups: Sequence[str], given: Iterable[tuple[bytes, bytes]]
) -> Headers:
    """The headers that say for whom we ask.

    An admin may ask as somebody else (`kubectl --as`), as he may in the cluster itself.
    Raises `Forbidden` for anybody else who tries.
    """
    asked = [(name, value) for name, value in given if name.lower().startswith(_IMPERSONATE)]
    if asked:
        if identity.admin:
            return asked
        raise Forbidden(
            "only an admin of this Fairway may ask as somebody else",
            code="not-admin",
            remedy="leave out --as and --as-group",
        )
    found = [(b"Impersonate-User", user_of(identity).encode())]
    return found + [(b"Impersonate-Group", group.encode()) for group in groups]


def user_of(identity: Identity) -> str:
    """The name of a user of ours in a cluster; a build is none of them."""
    if identity.build is not None:
        return f"{USER}build:{identity.build}"
    return USER + identity.login


def named_as(given: Iterable[tuple[bytes, bytes]]) -> str:
    """As whom an admin asks instead, for the audit; "" for himself."""
    for name, value in given:
        if name.lower() == _IMPERSONATE + b"user":
            return value.decode("latin-1")[:200]
    return ""


def _named_by_connection(given: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Headers that `Connection` says are of this connection alone (RFC 9110, 7.6.1)."""
    named: set[bytes] = set()
    for name, value in given:
        if name.lower() == b"connection":
            named |= {word.strip().lower() for word in value.split(b",")}
    return frozenset(named)
