"""Requests/s through the gateway, against a hand-written Envoy with the same weighted route."""

from __future__ import annotations

import gateways
import lib
from fairway.kit.net import free_port

BAR = ">= 0.95"
NEEDS = ("load",)
ROUNDS = 9
LOOKS = 2  # of each gateway in a round, in the order A B B A
SECONDS = 1
SHARE = 20


def both(number: int) -> tuple[float, float]:
    """One round: what each lets through.

    Both gateways are started anew for it. Where its memory happens to lie makes an Envoy some
    percent faster or slower for as long as it lives, by hand or by us: one pair says nothing.
    """
    first, second, mine, theirs = (free_port() for _ in range(4))
    with gateways.folder() as root:
        behind = gateways.static(gateways.backends(first, second), root / "backends.json")
        hand = gateways.by_hand(theirs, first, second, SHARE)
        reference = gateways.static(hand, root / "hand.json")
        with (
            gateways.envoy(behind, root / "backends.log"),
            gateways.envoy(reference, root / "hand.log"),
            gateways.ours(root, mine, (first, second), SHARE),
        ):
            order = (
                [mine, theirs, theirs, mine] if number % 2 == 0 else [theirs, mine, mine, theirs]
            )
            found = {mine: 0.0, theirs: 0.0}
            for port in (mine, theirs):
                gateways.answers(port)
            for port in order:
                found[port] += gateways.wrk(port, SECONDS) / LOOKS
    return found[mine], found[theirs]


def main() -> None:
    """The benchmark."""
    ours: list[float] = []
    reference: list[float] = []
    for number in range(ROUNDS):
        for figures, figure in zip((ours, reference), both(number), strict=True):
            figures.append(figure)
        said = f"ours {ours[-1]:.4g}, reference {reference[-1]:.4g}"
        print(f"round {number + 1}: {said}: {ours[-1] / reference[-1]:.3f}", flush=True)
    lib.finish("gateway-throughput", ours, reference, BAR, paired=True, unit="requests/s")


if __name__ == "__main__":
    main()
