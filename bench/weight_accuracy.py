"""The share of 20,000 requests that a backend got, in standard errors from its weight."""

from __future__ import annotations

import asyncio
import math

import gateways
import lib
from fairway.kit.net import free_port

BAR = "<= 4"
REQUESTS = 20_000
SHARES = (1, 5, 20, 50)
_CALLERS = 8


async def _count(port: int, requests: int) -> int:
    """How many of so many requests the canary answered."""
    text = f"GET / HTTP/1.1\r\nHost: {gateways.HOST}\r\n\r\n".encode()
    found = 0

    async def caller(number: int) -> None:
        nonlocal found
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(number):
            writer.write(text)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            found += await reader.readexactly(1) == b"b"
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CALLERS):
            group.create_task(caller(requests // _CALLERS))
    return found


def main() -> None:
    """The benchmark."""
    deviations = []
    for share in SHARES:
        first, second, port = (free_port() for _ in range(3))
        with gateways.folder() as root:
            behind = gateways.static(gateways.backends(first, second), root / "backends.json")
            with (
                gateways.envoy(behind, root / "backends.log"),
                gateways.ours(root, port, (first, second), share),
            ):
                gateways.answers(first)
                gateways.answers(port)
                got = asyncio.run(_count(port, REQUESTS))
        expected = REQUESTS * share / 100
        error = math.sqrt(REQUESTS * share / 100 * (1 - share / 100))
        deviations.append(abs(got - expected) / error)
        print(f"{share} %: {got} of {REQUESTS}, {deviations[-1]:.2f} standard errors", flush=True)
    lib.finish("weight-accuracy", [max(deviations)], [1.0], BAR, unit="standard errors")


if __name__ == "__main__":
    main()
