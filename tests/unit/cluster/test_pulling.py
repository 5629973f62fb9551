"""Nodes' way to our registry: a file with a token that only pulls."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from fairway.access import nodes
from fairway.access.authorise import Action, allowed_on_image
from fairway.access.scope import scope_of
from fairway.cluster.pulling import Pulling, hosts_toml, token_in
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import Unauthenticated
from fairway.model.token import TokenScope
from fairway.store.database import Database
from fairway.testing.people import People

ADDRESS = "http://10.64.0.1:8480"
REGISTRY = "127.0.0.1:8480"


@pytest.fixture
def people(database: Database) -> People:
    return People(database)


@pytest.fixture
def pulling(people: People) -> Pulling:
    return Pulling(people.database, people.tokens, registry=REGISTRY)


def read(folder: Path) -> tuple[str, Secret]:
    text = (folder / REGISTRY / "hosts.toml").read_text()
    token = token_in(text)
    assert token is not None
    return text, token


def test_the_file_leads_a_name_to_our_address_with_the_token() -> None:
    found = tomllib.loads(hosts_toml(ADDRESS, Secret("fwy_x")))
    header = {"authorization": "Basic bm9kZTpmd3lfeA=="}
    assert found == {
        "server": ADDRESS,
        "header": header,
        "host": {ADDRESS: {"capabilities": ["pull", "resolve"], "header": header}},
    }


def test_a_file_of_somebody_else_holds_no_token_of_ours() -> None:
    assert token_in('server = "http://x"') is None


async def test_it_is_roots_alone_and_stays_while_it_serves(
    pulling: Pulling, tmp_path: Path
) -> None:
    assert await pulling.ensure("local", tmp_path, ADDRESS)
    path = tmp_path / REGISTRY / "hosts.toml"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert path.stat().st_uid == os.geteuid()
    before = path.read_text()
    assert not await pulling.ensure("local", tmp_path, ADDRESS)
    assert path.read_text() == before


async def test_the_token_pulls_private_images_and_nothing_else(
    people: People, pulling: Pulling, tmp_path: Path
) -> None:
    await pulling.ensure("local", tmp_path, ADDRESS)
    who = await people.tokens.verify(read(tmp_path)[1])
    assert (who.login, who.admin, scope_of(who).unbounded) == ("fairway-node-local", False, False)
    for name in ("tide/app", "reef/app", "library/debian"):
        allowed = await people.database.read(allowed_on_image, who, name)
        assert allowed == {Action.PULL_IMAGE}


@pytest.mark.parametrize("change", ["address", "file", "revoked", "old"])
async def test_it_is_made_anew_when_it_would_not_serve(
    people: People,
    pulling: Pulling,
    tmp_path: Path,
    *,
    change: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await pulling.ensure("local", tmp_path, ADDRESS)
    _, token = read(tmp_path)
    first = (await people.tokens.verify(token)).token_id
    assert first is not None
    address = "http://10.65.0.1:8480" if change == "address" else ADDRESS
    if change == "file":
        (tmp_path / REGISTRY / "hosts.toml").write_text("")
    elif change == "revoked":
        await people.tokens.revoke(first, actor="ada")
    elif change == "old":
        monkeypatch.setattr(nodes, "RENEW_MS", nodes.LASTS_MS + 1)
    assert await pulling.ensure("local", tmp_path, address)
    text, fresh = read(tmp_path)
    assert address in text
    assert fresh != token
    with pytest.raises(Unauthenticated):
        await people.tokens.verify(token)


async def test_a_persons_token_is_no_nodes_whatever_it_is_called(people: People) -> None:
    who = await people.identity("non", TokenScope.REGISTRY_PULL)
    assert not who.node
    assert await people.database.read(allowed_on_image, who, "reef/app") == frozenset()


async def test_clusters_have_tokens_of_their_own_that_end_with_them(
    people: People, pulling: Pulling, tmp_path: Path
) -> None:
    await pulling.ensure("one", tmp_path / "one", ADDRESS)
    await pulling.ensure("two", tmp_path / "two", ADDRESS)
    await pulling.forget("one")
    with pytest.raises(Unauthenticated):
        await people.tokens.verify(read(tmp_path / "one")[1])
    assert (await people.tokens.verify(read(tmp_path / "two")[1])).login == "fairway-node-two"


async def test_a_nodes_token_ends_by_itself(people: People) -> None:
    def made(db: object) -> None:
        nodes.renew(db, "local")  # type: ignore[arg-type]

    people.database.write_now(made)
    found = people.database.read_now(nodes.serving, "local")
    assert found is not None
    assert found.expires is not None
    assert clock.now() < found.expires <= clock.now() + nodes.LASTS_MS
