"""Real kubectl, through users' door, on a real API server."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from fairway.model.scope import SYSTEM
from fairway.model.token import TokenScope
from fairway.store import audit
from fairway.testing.waiting import eventually

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\ndata: {x: one}\n"


def entries(door: Any) -> list[tuple[str, str, str]]:
    found = door.people.database.read_now(audit.listing, SYSTEM)
    return [
        (one.actor, one.action, one.subject)
        for one in reversed(found)
        if one.action.startswith("cluster.")
    ]


async def test_an_admin_applies_reads_and_deletes_with_an_entry_for_each_change(door: Any) -> None:
    config = await door.config("ada")
    code, out = await door.kubectl(config, "apply", "-f", "-", given=MAP)
    assert (code, out) == (0, "configmap/a created\n")
    code, out = await door.kubectl(config, "get", "configmap", "a", "-o", "jsonpath={.data.x}")
    assert (code, out) == (0, "one")
    code, out = await door.kubectl(config, "delete", "configmap", "a")
    assert code == 0, out
    subject = "cluster/local/default/configmaps/a"
    assert entries(door) == [
        ("ada", "cluster.create", subject),
        ("ada", "cluster.delete", subject),
    ]


async def test_a_dry_run_and_a_question_change_nothing_and_leave_no_entry(door: Any) -> None:
    config = await door.config("ada")
    words = ("create", "configmap", "b", "--dry-run=server")
    assert (await door.kubectl(config, *words))[0] == 0
    assert (await door.kubectl(config, "auth", "can-i", "create", "pods"))[1] == "yes\n"
    assert entries(door) == []


async def test_who_has_no_rights_in_the_cluster_is_told_so_by_the_cluster(door: Any) -> None:
    config = await door.config("max")
    code, out = await door.kubectl(config, "get", "secrets", "-n", "kube-system")
    assert (code, 'User "fairway:max" cannot list resource "secrets"' in out) == (1, True)
    code, out = await door.kubectl(config, "create", "namespace", "mine")
    assert code == 1
    wanted = [
        ("max", "cluster.create", "cluster/local/-/namespaces/mine"),
        ("max", "cluster.refused", "cluster/local/-/namespaces/mine"),
    ]

    async def written() -> bool:  # after the answer has gone to its client
        return entries(door)[-2:] == wanted

    await eventually("both entries", written)


async def test_a_role_in_an_organisation_is_a_group_in_the_cluster(door: Any) -> None:
    admin = await door.config("ada")
    for words in (
        ("clusterrole", "maps", "--verb=create", "--resource=configmaps"),
        ("rolebinding", "tide", "--clusterrole=maps", "--group=fairway:tide:writer"),
    ):
        code, out = await door.kubectl(admin, "create", *words)
        assert code == 0, out
    for login, code in (("max", 0), ("wim", 0), ("non", 1)):
        config = await door.config(login)
        done = await door.kubectl(config, "create", "configmap", f"of-{login}", "-n", "default")
        assert done[0] == code, done[1]


async def test_an_admin_may_ask_as_somebody_else_and_nobody_besides(door: Any) -> None:
    config = await door.config("ada")
    code, out = await door.kubectl(config, "auth", "whoami", "--as", "jane", "-o", "name")
    assert code == 0, out
    words = ("auth", "can-i", "delete", "nodes", "--as", "jane")
    assert (await door.kubectl(config, *words))[1].splitlines()[-1] == "no"
    config = await door.config("max")
    code, out = await door.kubectl(config, "get", "ns", "--as", "fairway:ada")
    assert (code, "only an admin of this Fairway" in out) == (1, True)


@pytest.mark.parametrize("scope", [TokenScope.CLUSTER_READ, TokenScope.REGISTRY_PULL])
async def test_a_token_does_what_it_was_made_for(door: Any, scope: TokenScope) -> None:
    config = await door.config("ada", scope)
    looked = await door.kubectl(config, "get", "namespaces")
    changed = await door.kubectl(config, "create", "configmap", "c", "-n", "default")
    assert looked[0] == (0 if scope is TokenScope.CLUSTER_READ else 1), looked[1]
    assert (changed[0], "the token lacks the scope" in changed[1]) == (1, True)
    assert entries(door) == []


async def test_a_revoked_token_ends_at_once(door: Any) -> None:
    config = await door.config("ada")
    assert (await door.kubectl(config, "get", "namespaces"))[0] == 0
    number = int(config.stem.partition("-")[2])
    await door.people.tokens.revoke(number, actor="ada")
    code, out = await door.kubectl(config, "get", "namespaces")
    assert code == 1
    assert "Unauthorized" in out or "does not hold" in out


async def test_a_renewed_certificate_serves_the_same_kubeconfig(door: Any) -> None:
    config = await door.config("ada")
    for name in ("server.crt", "server.key"):
        (door.folder / "keys" / name).unlink()
    assert door.certificate.ensure()
    door.certificate.load_into(door.listener._context)
    assert (await door.kubectl(config, "get", "namespaces"))[0] == 0


async def test_only_tls_is_spoken_there(door: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"GET /clusters/local/api HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not (await reader.read()).startswith(b"HTTP")
    writer.close()
    await writer.wait_closed()
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", door.port, ssl=ssl.create_default_context())
    # a whole round more, so that the server has seen that end as well
    assert (await door.kubectl(await door.config("ada"), "get", "namespaces"))[0] == 0
