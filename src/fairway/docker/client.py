"""The Docker Engine API as far as Fairway needs it: thin, typed, errors translated once.

Every method raises `Unavailable` (code `engine-unavailable`) when the engine does not answer;
what the engine refuses comes as `EngineRefused` with its status and words.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import Struct

from fairway.docker.http import Body, Connection, Query, Response, Transport, encode, unavailable
from fairway.docker.stream import Demultiplexer
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput

API: Final = "/v1.41"  # Docker 20.10, Debian 12's
_READ: Final = 512 * 1024
_CALL_S: Final = 120.0  # an ordinary call; a busy engine may take long to remove things
Json = dict[str, Any]
Sink = Callable[[bytes], Awaitable[None]]


class EngineRefused(InvalidInput):
    """The engine understood and said no. `answer` is the HTTP status."""

    code = "engine-refused"

    def __init__(self, message: str, *, answer: int) -> None:
        super().__init__(message, code="engine-refused")
        self.answer = answer


class Exit(Struct, frozen=True):
    """A container's end, as the engine tells it."""

    code: int
    error: str = ""


class Docker:
    """One engine. Safe to use from many tasks at once."""

    def __init__(self, address: str, *, transport: Transport | None = None) -> None:
        self.address = address
        self._http = transport or Transport(address)

    def close(self) -> None:
        """Drop idle connections."""
        self._http.close()

    # ---- calls -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Response]:
        """A call whose answer is read as it comes. Raises `EngineRefused` from status 400 on."""
        async with self._http.request(
            method, API + path, query=query, body=body, headers=headers
        ) as response:
            if response.status >= 400:
                raise await _refused(response)
            yield response

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json_body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """An ordinary call: JSON in, JSON out (None for an empty answer)."""
        more = dict(headers or {})
        body = None
        if json_body is not None:
            body = encode(json_body)
            more["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(_CALL_S):
                async with self.stream(
                    method, path, query=query, body=body, headers=more
                ) as response:
                    data = await response.read()
        except TimeoutError as error:
            raise unavailable(self.address, f"no answer within {_CALL_S:.0f} s") from error
        return json.loads(data) if data.strip() else None

    async def version(self) -> Json:
        """`GET /version`."""
        return dict(await self.call("GET", "/version"))

    async def info(self) -> Json:
        """`GET /info`."""
        return dict(await self.call("GET", "/info"))

    # ---- images ----------------------------------------------------------------------------------

    async def image(self, name: str) -> Json | None:
        """Inspect an image; None when the engine has none of that name."""
        return await self._found("GET", f"/images/{name}/json")

    async def images(self, labels: Sequence[str]) -> list[Json]:
        """Images with all these labels."""
        query = {"filters": _filters(labels)}
        return list(await self.call("GET", "/images/json", query=query) or [])

    async def pull(self, name: str, *, auth: Secret | None = None) -> AsyncIterator[Json]:
        """Fetch an image: yields progress. Raises `EngineRefused` with the registry's words."""
        repository, tag = split_image(name)
        query: dict[str, str | int | bool | None] = {"fromImage": repository, "tag": tag}
        async for message in self._progress("/images/create", query, auth):
            yield message

    async def push(self, repository: str, tag: str, *, auth: Secret | None) -> AsyncIterator[Json]:
        """Send an image: yields progress; the one with `aux` holds the digest."""
        async for message in self._progress(f"/images/{repository}/push", {"tag": tag}, auth):
            yield message

    async def _progress(self, path: str, query: Query, auth: Secret | None) -> AsyncIterator[Json]:
        headers = {"X-Registry-Auth": registry_auth(auth)}
        async with self.stream("POST", path, query=query, headers=headers) as response:
            async for message in json_lines(response):
                if "error" in message:
                    raise EngineRefused(str(message["error"]), answer=500)
                yield message

    async def tag(self, name: str, repository: str, tag: str) -> None:
        """Give an image another name."""
        await self.call("POST", f"/images/{name}/tag", query={"repo": repository, "tag": tag})

    async def remove_image(self, name: str, *, force: bool = False) -> None:
        """Remove a name, and the image with its last one. Nothing of that name is fine."""
        await self._found("DELETE", f"/images/{name}", query={"force": force})

    # ---- containers ------------------------------------------------------------------------------

    async def create(self, name: str, spec: Json) -> str:
        """Create a container; returns its id. Raises `EngineRefused` (404 no image, 409 exists)."""
        made = await self.call("POST", "/containers/create", query={"name": name}, json_body=spec)
        return str(made["Id"])

    async def attach(self, container: str) -> Connection | None:
        """A raw pipe of a created container's output from its first byte on; None: it is gone."""
        query: dict[str, str | int | bool | None] = {"stream": 1, "stdout": 1, "stderr": 1}
        path = f"{API}/containers/{container}/attach"
        connection, response = await self._http.hijack(path, query=query)
        if response.status in (101, 200):
            return connection
        try:
            if response.status == 404:
                return None
            raise await _refused(response)
        finally:
            connection.close()

    async def start(self, container: str) -> None:
        """Start it; one that runs or has run already stays as it is."""
        await self.call("POST", f"/containers/{container}/start")

    async def wait(self, container: str) -> Exit:
        """Wait for its end, without a deadline: the caller owns that."""
        path = f"/containers/{container}/wait"
        async with self.stream("POST", path) as response:
            answer = json.loads(await response.read())
        error = (answer.get("Error") or {}).get("Message", "")
        return Exit(int(answer["StatusCode"]), str(error))

    async def inspect(self, container: str) -> Json | None:
        """Everything about a container; None when there is none."""
        return await self._found("GET", f"/containers/{container}/json")

    async def kill(self, container: str) -> None:
        """SIGKILL. A container that is gone or has ended is fine."""
        try:
            await self.call("POST", f"/containers/{container}/kill")
        except EngineRefused as error:
            if error.answer not in (404, 409):
                raise

    async def remove(self, container: str) -> None:
        """Kill and remove with its anonymous volumes. What is gone, or going, is fine."""
        try:
            query: dict[str, str | int | bool | None] = {"force": 1, "v": 1}
            await self.call("DELETE", f"/containers/{container}", query=query)
        except EngineRefused as error:
            if error.answer not in (404, 409):
                raise

    async def containers(self, labels: Sequence[str]) -> list[Json]:
        """All containers (ended ones too) with all these labels (`name` or `name=value`)."""
        query: dict[str, str | int | bool | None] = {"all": 1, "filters": _filters(labels)}
        return list(await self.call("GET", "/containers/json", query=query) or [])

    async def logs(self, container: str, sink: Sink, *, skip: int = 0, raw: bool = False) -> None:
        """Feed the kept log from raw byte `skip` on to `sink`, until the container has ended.

        `raw`: it has a terminal, so the engine sends one stream as it is.
        """
        query: dict[str, str | int | bool | None] = {"follow": 1, "stdout": 1, "stderr": 1}
        path = f"/containers/{container}/logs"
        pieces = Demultiplexer()
        async with self.stream("GET", path, query=query) as response:
            async for part in response.parts():
                data = part if raw else pieces.feed(part)
                if skip:
                    skip, data = skip - min(skip, len(data)), data[skip:]
                if data:
                    await sink(data)

    async def run_inside(self, container: str, command: Sequence[str]) -> int:
        """Run a command in a running container; returns its exit code, its output is dropped."""
        spec = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        made = await self.call("POST", f"/containers/{container}/exec", json_body=spec)
        run = f"/exec/{made['Id']}"
        await self.call_raw("POST", f"{run}/start", {"Detach": False, "Tty": False})
        state = await self.call("GET", f"{run}/json")
        return int(state["ExitCode"] if state["ExitCode"] is not None else 255)

    async def call_raw(self, method: str, path: str, json_body: object) -> bytes:
        """A call whose answer is not JSON."""
        headers = {"Content-Type": "application/json"}
        body = encode(json_body)
        async with self.stream(method, path, body=body, headers=headers) as response:
            return await response.read()

    # ---- networks and volumes --------------------------------------------------------------------

    async def create_network(
        self, name: str, labels: Mapping[str, str], *, subnet: str = ""
    ) -> None:
        """A bridge of this name; one that exists already is used. "" lets the engine choose."""
        spec: Json = {
            "Name": name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Labels": dict(labels),
        }
        if subnet:
            spec["IPAM"] = {"Driver": "default", "Config": [{"Subnet": subnet}]}
        try:
            await self.call("POST", "/networks/create", json_body=spec)
        except EngineRefused as error:
            if error.answer != 409:
                raise

    async def remove_network(self, name: str) -> None:
        """Remove a network; none of that name is fine."""
        await self._found("DELETE", f"/networks/{name}")

    async def networks(self, labels: Sequence[str]) -> list[Json]:
        """Networks with all these labels."""
        query = {"filters": _filters(labels)}
        return list(await self.call("GET", "/networks", query=query) or [])

    async def create_volume(self, name: str, labels: Mapping[str, str], options: Json) -> None:
        """A local volume; the same one again is fine."""
        spec = {"Name": name, "Labels": dict(labels), "DriverOpts": options}
        await self.call("POST", "/volumes/create", json_body=spec)

    async def remove_volume(self, name: str) -> None:
        """Remove a volume; none of that name is fine."""
        await self._found("DELETE", f"/volumes/{name}", query={"force": 1})

    async def volumes(self, labels: Sequence[str]) -> list[Json]:
        """Volumes with all these labels."""
        query = {"filters": _filters(labels)}
        return list((await self.call("GET", "/volumes", query=query)).get("Volumes") or [])

    async def _found(self, method: str, path: str, *, query: Query | None = None) -> Json | None:
        try:
            answer = await self.call(method, path, query=query)
        except EngineRefused as error:
            if error.answer == 404:
                return None
            raise
        return answer if isinstance(answer, dict) else {}


async def read_pipe(connection: Connection, sink: Sink) -> None:
    """Feed an attached container's output to `sink` until the engine closes the pipe."""
    pieces = Demultiplexer()
    try:
        while part := await connection.reader.read(_READ):
            data = pieces.feed(part)
            if data:
                await sink(data)
    except OSError as error:
        raise unavailable("its socket", error) from error


async def json_lines(response: Response) -> AsyncIterator[Json]:
    """The JSON objects of a progress stream, one a line."""
    rest = b""
    async for part in response.parts():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
    if rest.strip():
        yield json.loads(rest)


async def _refused(response: Response) -> EngineRefused:
    data = await response.read()
    try:
        words = str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        words = data.decode("utf-8", "replace")[:500] or f"status {response.status}"
    return EngineRefused(words.strip(), answer=response.status)


def _filters(labels: Sequence[str]) -> str:
    return json.dumps({"label": list(labels)})


def split_image(name: str) -> tuple[str, str]:
    """`repository`, and tag or digest as the Engine API wants it; `latest` where none is named."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        head, _, tag = repository.rpartition(":")
        return (head if head and "/" not in tag else repository), digest
    head, _, tag = name.rpartition(":")
    if head and "/" not in tag:
        return head, tag
    return name, "latest"


def registry_auth(auth: Secret | None) -> str:
    """The `X-Registry-Auth` header for a Docker auth JSON object."""
    text = auth.reveal() if auth is not None else "{}"
    return base64.urlsafe_b64encode(text.encode()).decode("ascii")
