"""When a remote repository is looked at, and which addresses are refused."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, insert

from fairway.access.identity import Identity
from fairway.access.keyring import Keyring
from fairway.model.errors import Conflict, FairwayError, InvalidInput
from fairway.model.repository import Repository, Settings
from fairway.model.scope import SYSTEM
from fairway.model.token import TokenScope
from fairway.source import remotes
from fairway.source.remotes import Credentials, Seen, check_address, check_url, due_in
from fairway.store import repositories
from fairway.store.database import Database
from fairway.store.schema import organisation
from fairway.store.schema import repository as rows
from fairway.testing.together import together


def repository(polled: int | None, every: int = 60) -> Repository:
    return Repository(
        id=1, slug="a/b", organisation=1, name="b", polled=polled, settings=Settings(poll_s=every)
    )


@pytest.mark.parametrize(
    ("row", "seen", "expected"),
    [
        (repository(None), Seen(), 0),
        (repository(1000_000), None, 0),
        (repository(1000_000), Seen(), 60),
        (repository(990_000), Seen(), 50),
        (repository(900_000), Seen(), -40),
        (repository(1000_000), Seen(jitter=1.2), 72),
        (repository(1000_000), Seen(failures=2), 240),
        (repository(1000_000), Seen(failures=50), 900),
        (repository(1000_000, every=7200), Seen(failures=1), 7200),
        (repository(1000_000, every=0), Seen(), 5),
    ],
)
def test_when_a_remote_is_due(row: Repository, seen: Seen | None, expected: float) -> None:
    assert due_in(row, seen, 1000_000) == pytest.approx(expected)


def test_an_address_is_not_dropped_when_something_else_is_set_at_once(database: Database) -> None:
    def seed(db: Connection) -> None:
        db.execute(insert(organisation).values(name="a", created=1))
        db.execute(insert(rows).values(slug="a/b", organisation=1, name="b", created=1))

    database.write_now(seed)
    admin = Identity(user_id=1, login="ada", admin=True, scopes=frozenset(TokenScope))
    found = database.read_now(repositories.by_id, SYSTEM, 1)
    keyring = Keyring({"k": bytes(32)}, "k")
    url, refused = "https://git.example/a", False
    try:
        together(
            database,
            lambda db: repositories.change(db, 1, found.version, {"timeout_s": 60}),
            lambda db: remotes._set(db, admin, "a/b", url, credentials=None, keyring=keyring),
        )
    except Conflict:
        refused = True
    now = database.read_now(repositories.by_id, SYSTEM, 1)
    assert now.timeout_s == 60
    assert refused or now.remote_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "/etc",
        "ssh://git@host/x",
        "git://host/x",
        "ext::sh -c id",
        "https://",
        "https://user@host/x",
        "https://user:secret@host/x",
        "https://host/x y",
        "https://host/x\n",
        "https://host:port/x",
        "https://[::1/x",
        "https://host/x?y",
        "https://host/x#y",
        "https://host/" + "x" * 2000,
        "--upload-pack=id",
    ],
)
def test_an_address_that_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_url(url)
    assert caught.value.code == "bad-remote-url"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://host/x.git", "http://10.0.0.1:3000/a/b", "https://[::1]/x"]
)
def test_http_addresses_are_taken(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254/latest", "remote-link-local"),
        ("http://[fe80::1]/x", "remote-link-local"),
        ("http://name.invalid/x", "remote-unknown-host"),
    ],
)
def test_where_clouds_keep_keys_is_never_asked(url: str, code: str) -> None:
    with pytest.raises(FairwayError) as caught:
        check_address(url)
    assert caught.value.code == code


def test_credentials_do_not_print() -> None:
    assert "hunter2" not in f"{Credentials('me', 'hunter2')} {Credentials('me', 'hunter2')!r}"
