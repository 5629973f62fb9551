"""Headers that go on, and who a cluster is told is asking."""

from __future__ import annotations

import pytest

from fairway.access.identity import Identity
from fairway.cluster.proxy import headers
from fairway.model.errors import Forbidden
from fairway.model.token import TokenScope

ADMIN = Identity(user_id=1, login="ada", admin=True, scopes=frozenset({TokenScope.ADMIN}))
USER = Identity(user_id=2, login="wim", scopes=frozenset({TokenScope.CLUSTER_WRITE}))


def test_nothing_of_the_clients_identity_goes_on() -> None:
    given = [
        (b"Authorization", b"Bearer mine"),
        (b"Impersonate-User", b"system:admin"),
        (b"impersonate-group", b"system:masters"),
        (b"Impersonate-Extra-scopes", b"x"),
        (b"X-Remote-User", b"root"),
        (b"X-Remote-Extra-x", b"y"),
        (b"Host", b"127.0.0.1"),
        (b"Connection", b"keep-alive, X-Secret"),
        (b"X-Secret", b"hop"),
        (b"Accept", b"application/json"),
        (b"Content-Length", b"3"),
    ]
    assert headers.onward(given, upgrades=False) == [
        (b"Accept", b"application/json"),
        (b"Content-Length", b"3"),
    ]


def test_an_upgrade_keeps_what_asks_for_it() -> None:
    given = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), (b"Sec-WebSocket-Key", b"k")]
    assert headers.onward(given, upgrades=True) == given
    assert headers.onward(given, upgrades=False) == [(b"Sec-WebSocket-Key", b"k")]


def test_a_user_is_named_with_our_prefix_so_that_nobody_becomes_another() -> None:
    assert headers.impersonation(USER, ["fairway:users"], []) == [
        (b"Impersonate-User", b"fairway:wim"),
        (b"Impersonate-Group", b"fairway:users"),
    ]


def test_only_an_admin_may_ask_as_somebody_else() -> None:
    given = [(b"Impersonate-User", b"jane"), (b"Accept", b"x")]
    assert headers.impersonation(ADMIN, ["fairway:admins"], given) == given[:1]
    assert headers.named_as(given) == "jane"
    with pytest.raises(Forbidden, match="ask as somebody else"):
        headers.impersonation(USER, [], given)


@pytest.mark.parametrize(
    ("scope", "reads", "allowed"),
    [
        (TokenScope.CLUSTER_READ, True, True),
        (TokenScope.CLUSTER_READ, False, False),
        (TokenScope.CLUSTER_WRITE, True, True),
        (TokenScope.CLUSTER_WRITE, False, True),
        (TokenScope.REGISTRY_PULL, True, False),
        (TokenScope.ADMIN, False, True),
    ],
)
def test_a_token_reaches_clusters_by_its_scope(
    scope: TokenScope, reads: bool, allowed: bool
) -> None:
    who = Identity(user_id=2, login="wim", scopes=frozenset({scope}))
    if allowed:
        headers.check_allowed(who, "local", reads=reads)
        return
    with pytest.raises(Forbidden) as caught:
        headers.check_allowed(who, "local", reads=reads)
    assert caught.value.code == "token-scope"


def test_a_token_of_one_repository_reaches_no_cluster() -> None:
    who = Identity(user_id=2, login="wim", scopes=frozenset({TokenScope.ADMIN}), only=7)
    with pytest.raises(Forbidden, match="bound to a repository"):
        headers.check_allowed(who, "local", reads=True)
