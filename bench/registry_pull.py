"""MB/s of pulling 200 MB blobs, against Debian's docker-registry."""

from __future__ import annotations

import lib
import registries

BAR = ">= 1.0"
NEEDS = ("clients",)
ROUNDS = 15


def main() -> None:
    """The benchmark."""
    with registries.both() as (ours, reference, folder):
        content = registries.Content(folder)
        content.renew()
        for port in (ours, reference):
            registries.push(port, "bench/pull", content)
            registries.pull(port, "bench/pull", content.digest)

        def measure(port: int) -> float:
            return registries.pull(port, "bench/pull", content.digest)

        figures = lib.interleaved(lambda _: measure(ours), lambda _: measure(reference), ROUNDS)
    lib.finish("registry-pull", *figures, BAR, unit="MB/s")


if __name__ == "__main__":
    main()
