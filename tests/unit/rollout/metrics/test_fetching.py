"""Fetching for metrics: what may be asked, redirects, limits, Services through the API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fairway.kube import Actor, Kube
from fairway.kube.transport import Request, Response
from fairway.model.errors import FairwayError
from fairway.rollout.metrics import fetching
from fairway.rollout.metrics.fetching import Ask, Fetcher

Answer = Callable[[str, dict[str, str], bytes], bytes]


class Site:
    """A server whose answers a test writes."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: dict[str, bytes] = {}
        self.silent = False
        self.handlers: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)
        try:
            await (reader.read() if self.silent else self._answer(reader, writer))
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.partition(": ") for line in head[1:] if line]
        headers = {name.lower(): value for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = head[0].split(" ")
        self.asked.append((f"{method} {path}", headers, body))
        answer = self.answers.get(path, b"HTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n")
        writer.write(answer.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
        await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await asyncio.wait(made.handlers) if made.handlers else None
    await asyncio.sleep(0)  # their transports end with the next turn of the loop


class Cluster:
    """An API server that notes what it is asked."""

    server = "https://c"

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(status=503, headers={}, body=b"no endpoints")


def kube(cluster: Cluster | None = None) -> Kube:
    return Kube(cluster or Cluster(), Actor(manager="t"))  # type: ignore[arg-type]  # sends only


async def code(fetcher: Fetcher, ask: Ask) -> str:
    with pytest.raises(FairwayError) as raised:
        await fetcher.fetch(ask, kube())
    return raised.value.code


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 x\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n" + body


def moved(to: str, status: int = 302) -> bytes:
    head = f"HTTP/1.1 {status} x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
    return head.encode()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0:1/",
        "http://[::ffff:127.0.0.1]:1/",
        "http://2130706433:1/",
    ],
)
async def test_this_machines_own_addresses_are_refused(url: str) -> None:
    assert await code(Fetcher(), Ask(url=url)) == "metric-address-local"


@pytest.mark.parametrize("url", ["ftp://x/", "x", "http://", "http://x:99999/", "file:///etc"])
async def test_what_is_no_address_is_refused(url: str) -> None:
    assert await code(Fetcher(), Ask(url=url)) == "bad-metric-address"


async def test_a_header_that_would_be_two_is_refused() -> None:
    ask = Ask(url="http://example.org", headers={"a": "b\r\nc: d"})
    assert await code(Fetcher(), ask) == "bad-metric-address"


async def test_an_address_that_is_allowed_by_name_is_asked(site: Site) -> None:
    site.answers["/v?a=b%20c"] = ok(b"5")
    fetcher = Fetcher([f"127.0.0.1:{site.port}"])
    ask = Ask(method="POST", url=f"{site.url}/v?a=b%20c", body=b"x", headers={"k": "v"})
    answer = await fetcher.fetch(ask, kube())
    assert (answer.status, answer.body) == (200, b"5")
    ((line, headers, body),) = site.asked
    assert (line, headers["k"], body) == ("POST /v?a=b%20c", "v", b"x")
    await fetcher.close()


async def test_a_redirect_to_a_local_address_is_refused(site: Site) -> None:
    site.answers["/"] = moved("http://localhost:1/secret")
    fetcher = Fetcher([f"127.0.0.1:{site.port}"])
    assert await code(fetcher, Ask(url=f"{site.url}/")) == "metric-address-local"
    await fetcher.close()


async def test_a_redirect_elsewhere_is_not_told_the_headers(site: Site) -> None:
    site.answers["/"] = moved(f"http://localhost:{site.port}/next")
    site.answers["/next"] = ok(b"1")
    fetcher = Fetcher(["127.0.0.1", "localhost"])
    asked = Ask(method="POST", url=f"{site.url}/", headers={"authorization": "secret"}, body=b"x")
    answer = await fetcher.fetch(asked, kube())
    assert answer.body == b"1"
    assert site.asked[0][1]["authorization"] == "secret"
    line, headers, body = site.asked[1]
    assert (line, body) == ("GET /next", b"")
    assert "authorization" not in headers
    await fetcher.close()


async def test_redirects_end(site: Site) -> None:
    site.answers["/"] = moved("/")
    fetcher = Fetcher(["127.0.0.1"])
    assert await code(fetcher, Ask(url=f"{site.url}/")) == "metric-no-answer"
    await fetcher.close()


async def test_an_answer_that_is_too_long_is_cut_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_MOST", 10)
    site.answers["/"] = ok(b"x" * 11)
    fetcher = Fetcher(["127.0.0.1"])
    assert await code(fetcher, Ask(url=f"{site.url}/")) == "too-large"
    await fetcher.close()


async def test_a_server_that_says_nothing_is_given_up(site: Site) -> None:
    site.silent = True
    fetcher = Fetcher(["127.0.0.1"])
    ask = Ask(url=f"{site.url}/?token=secret", seconds=0.05)
    with pytest.raises(FairwayError, match="did not answer within") as raised:
        await fetcher.fetch(ask, kube())
    assert "secret" not in str(raised.value)
    await fetcher.close()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://prom.mon.svc:9090/api/v1/query", "prom:9090/proxy/api/v1/query"),
        ("http://prom.mon.svc.cluster.local", "prom:80/proxy/"),
        ("https://prom.mon.svc/a", "https:prom:443/proxy/a"),
    ],
)
async def test_a_service_is_asked_through_its_api_server(url: str, path: str) -> None:
    cluster = Cluster()
    ask = Ask(method="POST", url=f"{url}?x=1&x=2", body=b"q", headers={"k": "v"})
    answer = await Fetcher().fetch(ask, kube(cluster))
    assert (answer.status, answer.body) == (503, b"no endpoints")
    (asked,) = cluster.asked
    assert asked.path == f"/api/v1/namespaces/mon/services/{path}"
    assert (asked.query, asked.body, asked.headers["k"]) == ((("x", "1"), ("x", "2")), b"q", "v")


def test_an_address_is_local_or_not() -> None:
    found: dict[str, Any] = {
        one: fetching.is_local(one)
        for one in ("10.0.0.1", "192.0.2.1", "224.0.0.1", "fe80::1%eth0", "2001:db8::1")
    }
    assert found == {
        "10.0.0.1": False,
        "192.0.2.1": False,
        "224.0.0.1": True,
        "fe80::1%eth0": True,
        "2001:db8::1": False,
    }
