"""MB/s of pushing 200 MB blobs, fsync included, against Debian's docker-registry."""

from __future__ import annotations

import lib
import registries

BAR = ">= 1.3"
NEEDS = ("clients",)
ROUNDS = 7


def main() -> None:
    """The benchmark."""
    with registries.both() as (ours, reference, folder):
        content = registries.Content(folder)

        def measure(port: int) -> float:
            content.renew()
            return registries.push(port, "bench/push", content)

        figures = lib.interleaved(lambda _: measure(ours), lambda _: measure(reference), ROUNDS)
    lib.finish("registry-push", *figures, BAR, unit="MB/s")


if __name__ == "__main__":
    main()
