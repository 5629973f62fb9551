"""Whether each component of a cluster serves: asked as its users ask."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

from fairway.cluster import commands
from fairway.cluster.files import DOMAIN, KUBELET_HEALTH
from fairway.cluster.layout import Layout
from fairway.cluster.plan import ClusterPlan
from fairway.model.errors import Unavailable
from fairway.supervise.component import Probe

_SECONDS: Final = 2.0
_ANSWER: Final = 0x8000
_NO_ERROR: Final = 0x000F


class Http:
    """GET with the certificates of now: a context is made anew when a certificate was."""

    def __init__(self, paths: Layout, ca: str, cert: str) -> None:
        self._files = tuple(paths.pki / name for name in (f"{ca}.crt", f"{cert}.crt"))
        self._key = paths.pki / f"{cert}.key"
        self._client: httpx.AsyncClient | None = None
        self._made: tuple[int, ...] = ()

    async def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Raises Unavailable when nothing answers; may be retried."""
        try:
            return await (await self._fresh()).request(method, url, **more)
        except (httpx.HTTPError, OSError, ssl.SSLError) as error:
            raise Unavailable(f"{url}: {str(error) or type(error).__name__}") from error

    async def ok(self, url: str) -> bool:
        """Whether it answers well."""
        return (await self.request("GET", url)).is_success

    async def _fresh(self) -> httpx.AsyncClient:
        stamps = tuple(path.stat().st_mtime_ns for path in self._files)
        if self._client is None or stamps != self._made:
            await self.close()
            context = ssl.create_default_context(cafile=str(self._files[0]))
            context.load_cert_chain(str(self._files[1]), str(self._key))
            self._client = httpx.AsyncClient(verify=context, timeout=_SECONDS, trust_env=False)
            self._made = stamps
        return self._client

    async def close(self) -> None:
        """Let go of its connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class Probes:
    """The probes of one cluster."""

    def __init__(self, paths: Layout, plan: ClusterPlan) -> None:
        self._paths = paths
        self._plan = plan
        self.api = Http(paths, "ca", "admin")
        self._etcd = Http(paths, "etcd-ca", "apiserver-etcd")

    async def close(self) -> None:
        """Let go of all connections."""
        await self.api.close()
        await self._etcd.close()

    def by_component(self) -> Mapping[str, Probe]:
        """The probe of each component."""
        plan = self._plan
        inner = plan.loopback
        return {
            "etcd": self._url(self._etcd, f"{plan.etcd}/health"),
            "containerd": self._containerd,
            "apiserver": self._url(self.api, f"{plan.api}/readyz"),
            "controller-manager": self._url(
                self.api, f"https://{inner}:{commands.MANAGER_PORT}/healthz"
            ),
            "scheduler": self._url(self.api, f"https://{inner}:{commands.SCHEDULER_PORT}/healthz"),
            "kubelet": self._url(self.api, f"http://{plan.node}:{KUBELET_HEALTH}/healthz"),
            "proxy": self._url(self.api, f"http://{plan.node}:{commands.PROXY_HEALTH}/livez"),
            "coredns": self._dns,
            "node": self._url(self.api, f"https://{plan.node}:{commands.NODE_PORT}/livez"),
        }

    async def node(self) -> Mapping[str, Any]:
        """The node as the API shows it. Raises Unavailable."""
        url = f"{self._plan.api}/api/v1/nodes/{self._plan.node_name}"
        answer = await self.api.request("GET", url)
        if not answer.is_success:
            raise Unavailable(f"{url} answers {answer.status_code}")
        found: Mapping[str, Any] = msgspec.json.decode(answer.content)
        return found

    async def takes_pods(self) -> bool:
        """Whether a pod may be made: its namespace's ServiceAccount comes some moments later."""
        url = f"{self._plan.api}/api/v1/namespaces/default/serviceaccounts/default"
        return (await self.api.request("GET", url)).is_success

    def _url(self, http: Http, url: str) -> Probe:
        async def probe() -> bool:
            return await http.ok(url)

        return probe

    async def _containerd(self) -> bool:
        return await connects(self._paths.socket)

    async def _dns(self) -> bool:
        return await resolves(self._plan.node, f"kubernetes.default.svc.{DOMAIN}")


async def connects(path: Path) -> bool:
    """Whether a Unix socket takes a connection."""
    async with asyncio.timeout(_SECONDS):
        _, writer = await asyncio.open_unix_connection(path)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def resolves(server: str, name: str, port: int = 53) -> bool:
    """Whether a name server has an address for a name."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(0)
        await loop.sock_connect(link, (server, port))
        await loop.sock_sendall(link, question(name))
        async with asyncio.timeout(_SECONDS):
            answer = await loop.sock_recv(link, 4096)
    return has_answer(answer)


def question(name: str) -> bytes:
    """A DNS query for a name's IPv4 addresses."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def has_answer(message: bytes) -> bool:
    """Whether a DNS message is an answer without an error that has records."""
    if len(message) < 12:
        return False
    _, flags, _, answers, *_ = struct.unpack(">6H", message[:12])
    return bool(flags & _ANSWER) and not flags & _NO_ERROR and answers > 0
