"""When a remote repository is looked at, and which addresses are refused."""

from __future__ import annotations

import pytest

from fairway.model.errors import FairwayError, InvalidInput
from fairway.model.repository import Repository, Settings
from fairway.source.remotes import Credentials, Seen, check_address, check_url, due_in


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
