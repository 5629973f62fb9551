"""Fetches what metrics ask for over HTTP, from addresses that they may ask.

Who writes a template is not who runs Fairway: a metric must not reach what only this machine may.
So this machine's own and link-local addresses (cloud metadata) are refused unless they are allowed
by name. An address `NAME.NAMESPACE.svc` is a Service of the run's cluster, and asked through its
API server.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote, urljoin, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from fairway.kit import trust
from fairway.kit.aio import blocking
from fairway.kube.client import Kube
from fairway.model.errors import FairwayError, Forbidden, InvalidInput, TooLarge, Unavailable

if TYPE_CHECKING:
    import httpx

_MOST: Final = 8 * 1024 * 1024  # bytes of an answer
_HOPS: Final = 10
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_SERVICE: Final = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?\.?\Z")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")


class Ask(Struct, frozen=True, kw_only=True):
    """A request. `seconds` is for all of it, with redirects."""

    method: str = "GET"
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    seconds: float = 10.0
    verify: bool = True


class Answer(Struct, frozen=True):
    """What came back."""

    status: int
    body: bytes


class Fetcher:
    """Asks servers, over connections that are kept. Close it."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        """`allowed`: hosts, or hosts with a port, that may be asked though they are local."""
        self._allowed = frozenset(name.lower() for name in allowed)
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def fetch(self, ask: Ask, kube: Kube) -> Answer:
        """Ask, and follow redirects.

        Raises `InvalidInput` (`bad-metric-address`), `Forbidden` (`metric-address-local`),
        `Unavailable` (`metric-no-answer`), `TooLarge`.
        """
        host = _checked(ask)
        try:
            async with asyncio.timeout(ask.seconds):
                if found := _SERVICE.match(host):
                    return await _through(kube, ask, found[2], found[1])
                return await self._follow(ask)
        except TimeoutError as error:
            raise Unavailable(
                f"{_shown(ask.url)} did not answer within {ask.seconds:g} s",
                code="metric-no-answer",
            ) from error

    async def _follow(self, ask: Ask) -> Answer:
        for _hop in range(_HOPS):
            answer, onward = await self._once(ask)
            if not onward:
                return answer
            ask = _moved(ask, urljoin(ask.url, onward), answer.status)
        raise Unavailable(f"{_shown(ask.url)}: too many redirects", code="metric-no-answer")

    async def _once(self, ask: Ask) -> tuple[Answer, str]:
        import httpx  # noqa: PLC0415 only controllers with such a metric need it

        at = urlsplit(ask.url)
        host = _checked(ask)
        address = await self._address(host, at.port or (443 if at.scheme == "https" else 80))
        url = httpx.URL(ask.url).copy_with(host=address)
        headers = {"host": at.netloc.rpartition("@")[2], **ask.headers}
        secure = at.scheme == "https"
        extensions = {"sni_hostname": host} if secure else {}
        client = await self._client(verify=ask.verify and secure)
        try:
            async with client.stream(
                ask.method, url, headers=headers, content=ask.body, extensions=extensions
            ) as got:
                body = await _read(got, ask.url)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            words = str(error) or type(error).__name__
            raise Unavailable(f"{_shown(ask.url)}: {words}", code="metric-no-answer") from error
        onward = got.headers.get("location", "") if got.status_code in _MOVED else ""
        return Answer(got.status_code, body), onward

    async def _address(self, host: str, port: int) -> str:
        """The address to connect to: looked up once, so that what is checked is what is asked."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Unavailable(
                f"{host} has no address: {error.strerror}", code="metric-no-answer"
            ) from error
        address = str(found[0][4][0])
        if not {host, f"{host}:{port}"} & self._allowed and is_local(address):
            raise Forbidden(
                f"{host} ({address}) is an address of this machine's own",
                code="metric-address-local",
                remedy="an administrator may allow it: rollout.metric_hosts in fairway.toml",
            )
        return address

    async def _client(self, *, verify: bool) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 see `_once`

        if verify not in self._clients:
            trusted = await blocking(trust.authorities) if verify else False
            # No proxy of this machine's: it would look names up itself, and what is checked is
            # what is asked. No deadline: `fetch` has one.
            made = httpx.AsyncClient(verify=trusted, timeout=None, trust_env=False)  # noqa: S113
            self._clients.setdefault(verify, made)
        return self._clients[verify]

    async def close(self) -> None:
        """Drop every connection."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


def is_local(address: str) -> bool:
    """Whether an IP address is this machine's own, link-local, or none that one can ask."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    return (
        mapped.is_loopback or mapped.is_link_local or mapped.is_unspecified or mapped.is_multicast
    )


def _checked(ask: Ask) -> str:
    """The host of a request that makes sense."""
    try:
        at = urlsplit(ask.url)
        _ = at.port
    except ValueError as error:
        raise InvalidInput(f"{ask.url}: {error}", code="bad-metric-address") from error
    if at.scheme not in ("http", "https") or not at.hostname:
        raise InvalidInput(
            f"{_shown(ask.url)} is no address: http://... or https://... is",
            code="bad-metric-address",
        )
    for name, value in ask.headers.items():
        if not _TOKEN.match(name) or not (value.isprintable() or "\t" in value):
            raise InvalidInput(f"the header {name!r} is none", code="bad-metric-address")
    return at.hostname


def _shown(url: str) -> str:
    """A URL without what may be secret in it."""
    at = urlsplit(url)
    return f"{at.scheme}://{at.netloc.rpartition('@')[2]}{at.path}"


def _moved(ask: Ask, url: str, status: int) -> Ask:
    """The next request; another server is not told the headers, which may hold secrets."""
    headers = ask.headers if _site(url) == _site(ask.url) else {}
    if status in (307, 308) or ask.method == "GET":
        return replace(ask, url=url, headers=headers)
    return replace(ask, url=url, headers=headers, method="GET", body=b"")


def _site(url: str) -> tuple[str, str]:
    at = urlsplit(url)
    return at.scheme, at.netloc


async def _read(got: httpx.Response, url: str) -> bytes:
    body = bytearray()
    async for part in got.aiter_bytes():
        body += part
        if len(body) > _MOST:
            raise TooLarge(f"{_shown(url)} answered with more than {_MOST >> 20} MiB")
    return bytes(body)


async def _through(kube: Kube, ask: Ask, namespace: str, name: str) -> Answer:
    """Ask a Service of a cluster by its API server, which is inside."""
    at = urlsplit(ask.url)
    scheme = "https:" if at.scheme == "https" else ""
    port = at.port or (443 if at.scheme == "https" else 80)
    rest = quote(unquote(at.path), safe="/:@!$&'()*+,;=~-._")
    path = f"/api/v1/namespaces/{namespace}/services/{scheme}{name}:{port}/proxy{rest or '/'}"
    caller = kube.caller
    request = caller.prepare(ask.method, path, body=ask.body or None, headers=ask.headers)
    request = replace(request, query=tuple(parse_qsl(at.query, keep_blank_values=True)))
    try:
        answer = await caller.transport.send(request)
    except FairwayError as error:
        raise Unavailable(f"{_shown(ask.url)}: {error}", code="metric-no-answer") from error
    return Answer(answer.status, answer.body)
