"""Kubeconfigs: what is read, what is refused, and what becomes of an identity."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster import certificates
from fairway.cluster.certificates import Subject
from fairway.kit import clock
from fairway.kube import Connection, from_file, from_kubeconfig
from fairway.kube.errors import KubeUnavailable
from fairway.kube.http import HttpTransport, open_now
from fairway.kube.transport import Request
from fairway.model.errors import InvalidInput


def config(cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}},
            {"name": "anonymous", "context": {"cluster": "c"}},
            {"name": "broken", "context": {"cluster": "nothing", "user": "u"}},
        ],
        "current-context": "x",
    }


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_everything_in_the_file_itself() -> None:
    found = from_kubeconfig(
        config(
            {
                "server": "https://k.example.com:6443/",
                "certificate-authority-data": b64(b"CA"),
                "tls-server-name": "inside",
                "proxy-url": "http://proxy:3128",
            },
            {"client-certificate-data": b64(b"CERT"), "client-key-data": b64(b"KEY")},
        )
    )
    assert (found.server, found.ca, found.certificate) == (
        "https://k.example.com:6443",
        b"CA",
        b"CERT",
    )
    assert found.key is not None
    assert found.key.reveal() == "KEY"
    assert "KEY" not in repr(found)
    assert (found.server_name, found.proxy, found.namespace) == ("inside", "http://proxy:3128", "n")


def test_files_beside_the_file(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name.upper())
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            config(
                {"server": "https://k", "certificate-authority": "ca"},
                {
                    "client-certificate": str(tmp_path / "cert"),
                    "client-key": "key",
                    "tokenFile": "token",
                    "exec": {"apiVersion": "v", "command": "./plugin"},
                },
            )
        )
    )
    found = from_file(path)
    assert (found.ca, found.certificate) == (b"CA", b"CERT")
    assert found.token_file == str(tmp_path / "token")
    assert found.plugin is not None
    assert found.plugin.command == str(tmp_path / "plugin")
    assert from_file(path, "anonymous").certificate == b""


@pytest.mark.parametrize(
    ("cluster", "user", "context", "words"),
    [
        ({"server": "https://k"}, {}, "other", "other"),
        ({"server": "https://k"}, {}, "broken", "nothing"),
        ({"server": "https://k", "certificate-authority-data": "%"}, {}, "", "base64"),
        ({"server": "https://k", "certificate-authority": "/no/such"}, {}, "", "/no/such"),
        ({"server": "https://k", "certificate-authority": "ca"}, {}, "", "relative"),
        ({"server": "https://k"}, {"auth-provider": {"name": "gcp"}}, "", "auth-provider"),
        ({"server": 7}, {}, "", "server"),
    ],
)
def test_what_cannot_be_right_is_said(
    cluster: dict[str, Any], user: dict[str, Any], context: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        from_kubeconfig(config(cluster, user), context)
    assert refused.value.code == "bad-kubeconfig"


@pytest.mark.parametrize("text", ["", "[]", "clusters: {}", "a: [", "clusters: [{}]"])
def test_a_file_that_is_no_kubeconfig_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(InvalidInput):
        from_file(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        from_file(tmp_path / "nothing")


def test_credentials_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match="credentials"):
        open_now(Connection(server="https://k", ca=b"no PEM"))
    authority = certificates.authority("a", clock.now())
    one, other = (certificates.issue(authority, Subject(name="u"), clock.now()) for _ in range(2))
    user = {"client-certificate-data": b64(one.cert), "client-key-data": b64(other.key)}
    with pytest.raises(InvalidInput, match="credentials"):
        open_now(from_kubeconfig(config({"server": "https://k"}, user)))


async def authorisation(transport: HttpTransport) -> str:
    request = Request(method="GET", path="/x", headers={"user-agent": "test"})
    headers = dict(await transport._authorised(transport._request(request)))
    await transport.close()
    return headers.get("authorization", "")


async def identity(user: dict[str, Any], folder: Path) -> str:
    read = from_kubeconfig(config({"server": "https://k"}, user), folder=folder)
    return await authorisation(open_now(read))


async def test_each_kind_of_identity_is_told_to_the_server(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    assert await identity({}, tmp_path) == ""
    assert await identity({"token": "abc"}, tmp_path) == "Bearer abc"
    assert await identity({"tokenFile": "token"}, tmp_path) == "Bearer from-file"
    basic = await identity({"username": "me", "password": "word"}, tmp_path)
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"me:word"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_plugin_is_asked_for_a_token(version: str, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\n"
        f'case "$KUBERNETES_EXEC_INFO" in *"client.authentication.k8s.io/{version}\\""*) ;; '
        "*) exit 1 ;; esac\n"
        'echo "{\\"status\\": {\\"token\\": \\"$1-$WORD\\"}}"\n'
    )
    plugin.chmod(0o755)
    command = {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "command": "./plugin",
        "args": ["said"],
        "env": [{"name": "WORD", "value": "it"}],
    }
    assert await identity({"exec": command}, tmp_path) == "Bearer said-it"


async def test_who_asks_by_a_way_in_that_was_closed_hears_that_it_is_unavailable() -> None:
    transport = open_now(Connection(server="https://127.0.0.1:1"))
    await transport.close()
    request = Request(method="GET", path="/version")
    with pytest.raises(KubeUnavailable):
        await transport.send(request)
    with pytest.raises(KubeUnavailable):
        async with transport.stream(request):
            pass
