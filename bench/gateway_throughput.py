"""Requests/s through the gateway, against a hand-written Envoy with the same weighted route."""

from __future__ import annotations

import gateways
import lib

BAR = ">= 0.95"
NEEDS = ("load",)
ROUNDS = 9
SECONDS = 2
SHARE = 20


def main() -> None:
    """The benchmark."""
    first, second, mine, theirs = (gateways.free_port() for _ in range(4))
    with gateways.folder() as root:
        behind = gateways.static(gateways.backends(first, second), root / "backends.json")
        hand = gateways.by_hand(theirs, first, second, SHARE)
        reference = gateways.static(hand, root / "hand.json")
        with (
            gateways.envoy(behind, root / "backends.log"),
            gateways.envoy(reference, root / "hand.log"),
            gateways.ours(root, mine, (first, second), SHARE),
        ):
            gateways.answers(mine)
            gateways.answers(theirs)
            figures = lib.interleaved(
                lambda _: gateways.wrk(mine, SECONDS),
                lambda _: gateways.wrk(theirs, SECONDS),
                ROUNDS,
            )
    lib.finish("gateway-throughput", *figures, BAR, unit="requests/s")


if __name__ == "__main__":
    main()
