"""How a websocket greets an API server, by what arrives there."""

from __future__ import annotations

import asyncio

import pytest

from fairway.kit.secret import Secret
from fairway.kube import Connection
from fairway.kube.errors import KubeForbidden
from fairway.kube.http import open_transport
from fairway.kube.transport import Request

REFUSAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n{}"


async def greeting(token: str, request: Request) -> list[str]:
    """The lines of the handshake, of which the target is the first."""
    heard: list[str] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2])
        writer.write(REFUSAL)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    way = await open_transport(Connection(server=url, token=Secret(token) if token else None))
    try:
        with pytest.raises(KubeForbidden):
            async with way.websocket(request, ("v5.channel.k8s.io",)):
                pass
    finally:
        await way.close()
        server.close()
    return heard


@pytest.mark.parametrize("token", ["", "t0ken"])
async def test_every_group_of_an_impersonated_user_is_a_header_of_its_own(token: str) -> None:
    request = Request(
        method="GET",
        path="/api/v1/namespaces/n/pods/p/exec",
        query=(("command", "a b"), ("command", "c")),
        headers={"impersonate-user": "fairway:anna"},
        repeated=tuple(("impersonate-group", name) for name in ("one", "two,three", "four")),
    )
    heard = await greeting(token, request)
    assert heard[0] == "GET /api/v1/namespaces/n/pods/p/exec?command=a+b&command=c HTTP/1.1"
    said = [line.split(": ", 1) for line in heard[1:]]
    assert [value for name, value in said if name == "impersonate-group"] == [
        "one",
        "two,three",
        "four",
    ]
    wanted = [f"Bearer {token}"] if token else []
    assert [value for name, value in said if name == "authorization"] == wanted
    assert [value for name, value in said if name == "impersonate-user"] == ["fairway:anna"]
    assert [name for name, _ in said].count("host") == 1
    assert ["connection", "Upgrade"] in said
