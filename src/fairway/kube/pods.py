"""What pods have besides their objects: logs, commands inside, ports, eviction.

Commands and ports go over websockets (`v5.channel.k8s.io`, and `v4.channel.k8s.io` for ports): one
byte that names the channel, then its bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from fairway.kit.aio import together
from fairway.kube.caller import CALL_S, Query
from fairway.kube.client import Kube
from fairway.kube.errors import KubeInvalid, KubeUnavailable
from fairway.kube.kind import POD, Json
from fairway.kube.transport import Request, WebSocket

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
_STATUS: Final = 3
_RESIZE: Final = 4
_CLOSE: Final = 255
_PART: Final = 32 * 1024
_OUTPUT: Final = 16 * 1024 * 1024  # bytes that `run` keeps of each stream
_EXEC: Final = ("v5.channel.k8s.io",)
_FORWARD: Final = ("v4.channel.k8s.io",)


class Ran(Struct, frozen=True):
    """A command's end."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Logs(Struct, frozen=True, kw_only=True):
    """Which lines of a log are wanted. "" is the pod's only container, or its default one."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since_s: int | None = None
    limit_bytes: int | None = None


class Session:
    """A command that runs in a container, or its main process (attached)."""

    def __init__(self, socket: WebSocket) -> None:
        self.exit_code: int | None = None  # known once `output` has ended
        self._socket = socket

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """`STDOUT` or `STDERR` with bytes, until the process ends.

        Raises `KubeUnavailable` when the connection is cut, `KubeInvalid` when it cannot run.
        """
        while (message := await self._socket.receive()) is not None:
            if not message:
                continue
            channel, data = message[0], message[1:]
            if channel == _STATUS:
                self.exit_code = _exit_code(data)
            elif channel in (STDOUT, STDERR) and data:
                yield channel, data
        if self.exit_code is None:
            raise KubeUnavailable(
                "the command's end is not known: its connection ended before",
                code="kube-unavailable",
            )

    async def write(self, data: bytes) -> None:
        """Send to its standard input."""
        for begin in range(0, len(data), _PART):
            await self._socket.send(bytes((STDIN,)) + data[begin : begin + _PART])

    async def close_input(self) -> None:
        """End its standard input."""
        await self._socket.send(bytes((_CLOSE, STDIN)))

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the terminal's size (with `tty`)."""
        size = msgspec.json.encode({"Width": columns, "Height": rows})
        await self._socket.send(bytes((_RESIZE,)) + size)


class Forward:
    """A connection to a port inside a pod."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._greeted: set[int] = set()

    async def read(self) -> bytes:
        """The next bytes; b"" at the end. Raises `KubeUnavailable` when nobody listens there."""
        while (message := await self._socket.receive()) is not None:
            if not message:
                continue
            channel, data = message[0], message[1:]
            if channel not in self._greeted:
                self._greeted.add(channel)  # each channel begins with the port's number
                data = data[2:]
            if channel == 1 and data:
                raise KubeUnavailable(data.decode("utf-8", "replace"), code="kube-unavailable")
            if channel == 0 and data:
                return data
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes."""
        for begin in range(0, len(data), _PART):
            await self._socket.send(b"\0" + data[begin : begin + _PART])


class Pods:
    """The subresources of a server's pods. `Pods(kube)` costs nothing."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    @asynccontextmanager
    async def logs(
        self, name: str, namespace: str, wanted: Logs | None = None, *, timeout: float = CALL_S
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A container's log as it comes, inside the block; `timeout` is until it begins.

        With `follow` it ends with the container. Raises `KubeInvalid` while there is no container.
        """
        chosen = wanted or Logs()
        query: Query = {
            "container": chosen.container,
            "follow": chosen.follow,
            "previous": chosen.previous,
            "timestamps": chosen.timestamps,
            "tailLines": _number(chosen.tail),
            "sinceSeconds": _number(chosen.since_s),
            "limitBytes": _number(chosen.limit_bytes),
        }
        request = self._kube.caller.prepare("GET", POD.path(namespace, name, "log"), query=query)
        async with self._kube.caller.stream(request, timeout=timeout) as stream:
            yield stream.chunks()

    @asynccontextmanager
    async def execute(
        self,
        name: str,
        namespace: str,
        command: Sequence[str],
        *,
        container: str = "",
        stdin: bool = False,
        tty: bool = False,
        timeout: float = CALL_S,
    ) -> AsyncIterator[Session]:
        """Run a command in a container, for the block; `timeout` is until it has begun."""
        more = [("command", word) for word in command]
        path = POD.path(namespace, name, "exec")
        request = self._interactive(path, container=container, stdin=stdin, tty=tty, more=more)
        opening = self._kube.caller.websocket(request, _EXEC, timeout=timeout)
        async with opening as socket:
            yield Session(socket)

    @asynccontextmanager
    async def attach(
        self,
        name: str,
        namespace: str,
        *,
        container: str = "",
        stdin: bool = False,
        tty: bool = False,
        timeout: float = CALL_S,
    ) -> AsyncIterator[Session]:
        """Join a container's main process, for the block."""
        path = POD.path(namespace, name, "attach")
        request = self._interactive(path, container=container, stdin=stdin, tty=tty)
        opening = self._kube.caller.websocket(request, _EXEC, timeout=timeout)
        async with opening as socket:
            yield Session(socket)

    def _interactive(
        self,
        path: str,
        *,
        container: str,
        stdin: bool,
        tty: bool,
        more: Sequence[tuple[str, str]] = (),
    ) -> Request:
        query: Query = {
            "container": container,
            "stdin": stdin,
            "stdout": True,
            "stderr": not tty,  # a terminal has one output
            "tty": tty,
        }
        request = self._kube.caller.prepare("GET", path, query=query)
        return structs.replace(request, query=(*request.query, *more))

    async def run(
        self,
        name: str,
        namespace: str,
        command: Sequence[str],
        *,
        container: str = "",
        stdin: bytes = b"",
        timeout: float = CALL_S,
    ) -> Ran:
        """Run a command to its end within `timeout` seconds.

        Raises `KubeUnavailable` for the deadline (the command may go on inside) and `KubeInvalid`
        for a command that cannot be run or says more than 16 MiB.
        """
        found = {STDOUT: bytearray(), STDERR: bytearray()}
        opening = self.execute(
            name, namespace, command, container=container, stdin=bool(stdin), timeout=timeout
        )
        try:
            async with asyncio.timeout(timeout), opening as session, together() as group:
                if stdin:
                    group.create_task(_feed(session, stdin))
                async for channel, data in session.output():
                    found[channel] += data
                    if len(found[channel]) > _OUTPUT:
                        raise KubeInvalid(f"{command[0]} says more than {_OUTPUT} bytes")
        except TimeoutError as error:
            raise KubeUnavailable(
                f"{command[0]} in {namespace}/{name} did not end within {timeout:g} s",
                code="kube-unavailable",
            ) from error
        return Ran(session.exit_code or 0, bytes(found[STDOUT]), bytes(found[STDERR]))

    @asynccontextmanager
    async def forward(
        self, name: str, namespace: str, port: int, *, timeout: float = CALL_S
    ) -> AsyncIterator[Forward]:
        """A connection to a port inside a pod, for the block."""
        path = POD.path(namespace, name, "portforward")
        request = self._kube.caller.prepare("GET", path, query={"ports": port})
        opening = self._kube.caller.websocket(request, _FORWARD, timeout=timeout)
        async with opening as socket:
            yield Forward(socket)

    async def evict(
        self,
        name: str,
        namespace: str,
        *,
        uid: str = "",
        grace_s: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """Delete a pod as disruption budgets allow. Raises `KubeBusy` when they do not now."""
        options: Json = {}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        if dry_run:
            options["dryRun"] = ["All"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": options,
        }
        request = self._kube.caller.prepare(
            "POST", POD.path(namespace, name, "eviction"), body=body
        )
        await self._kube.caller.call(request, patient=False)


async def _feed(session: Session, data: bytes) -> None:
    await session.write(data)
    await session.close_input()


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)  # as text: 0 is a value here


def _exit_code(data: bytes) -> int:
    """The exit code in a `Status`. Raises `KubeInvalid` for a process that did not come to run."""
    status: Any = msgspec.json.decode(data)
    if status.get("status") == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or ()
    for cause in causes:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise KubeInvalid(str(status.get("message") or "the command could not be run"))
