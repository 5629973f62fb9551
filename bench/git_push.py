"""Pushing a repository of 50 MB over HTTP, against `git push` to a local bare path."""

from __future__ import annotations

import githosts
import lib

BAR = "<= 1.3"
ROUNDS = 7


def main() -> None:
    """The benchmark."""
    with githosts.place() as place:
        bare = [place.bare(f"bare{number}") for number in range(ROUNDS)]
        figures = lib.interleaved(
            lambda number: place.git("push", "-q", f"{place.url}/bench/push{number}.git", "main"),
            lambda number: place.git("push", "-q", bare[number], "main"),
            ROUNDS,
        )
    lib.finish("git-push", *figures, BAR, unit="s")


if __name__ == "__main__":
    main()
