"""Credentials as Argo CD's Secrets have them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fairway.gitops.credentials import LABEL, Entry, chosen, read
from fairway.model.errors import InvalidInput


def secret(kind: str, **values: str) -> dict[str, Any]:
    data = {name: base64.b64encode(text.encode()).decode() for name, text in values.items()}
    return {"metadata": {"labels": {LABEL: kind}}, "data": data}


def entries(*secrets: dict[str, Any]) -> list[Entry]:
    return [found for one in secrets if (found := read(one)) is not None]


WIDE = secret("repo-creds", url="https://git.example.org", username="all", password="p0")
TEAM = secret("repo-creds", url="https://git.example.org/team", username="team", password="p1")
OWN = secret("repository", url="https://git.example.org/team/shop.git", type="git")
FULL = secret("repository", url="https://git.example.org/team/full", username="me", password="p2")


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("https://git.example.org/other/one", "all"),
        ("https://git.example.org/team/else.git", "team"),
        ("https://git.example.org/team/shop", "team"),
        ("https://GIT.example.org/team/full.git/", "me"),
        ("https://elsewhere.example.org/team/shop", ""),
        ("https://git.example.org.evil.example/team/shop", ""),
    ],
)
def test_an_address_has_the_credentials_of_its_own_or_of_its_longest_prefix(
    url: str, user: str
) -> None:
    found = chosen(entries(WIDE, TEAM, OWN, FULL), url)
    assert found.user == user
    assert (found.password is None) is (user == "")


def test_a_password_is_never_shown() -> None:
    found = chosen(entries(FULL), "https://git.example.org/team/full")
    assert "p2" not in repr(found)
    assert found.auth is not None
    assert found.auth.reveal() == '{"username": "me", "password": "p2"}'


def test_a_registry_is_named_without_a_scheme() -> None:
    made = secret("repository", url="registry.example.org/charts", enableOCI="true", type="helm")
    assert chosen(entries(made), "oci://registry.example.org/charts").oci


def test_what_is_not_supported_yet_is_refused_by_its_name() -> None:
    made = secret("repository", url="https://git.example.org/x", sshPrivateKey="key")
    with pytest.raises(InvalidInput, match="sshPrivateKey"):
        chosen(entries(made), "https://git.example.org/x")


@pytest.mark.parametrize("kind", ["cluster", ""])
def test_another_secret_is_none(kind: str) -> None:
    assert read(secret(kind, url="https://git.example.org")) is None
    assert read({"metadata": {}, "data": {}}) is None
