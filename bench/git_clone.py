"""Cloning a repository of 50 MB over HTTP, against `git clone --no-local` of a local path."""

from __future__ import annotations

import githosts
import lib

BAR = "<= 1.3"
ROUNDS = 7


def main() -> None:
    """The benchmark."""
    with githosts.place() as place:
        ours, bare = f"{place.url}/bench/clone.git", place.bare("bare")
        for remote in (ours, bare):
            place.git("push", "-q", remote, "main")

        def clone(words: list[str], name: str) -> float:
            return place.git("clone", "-q", *words, str(place.root / name))

        figures = lib.interleaved(
            lambda number: clone([ours], f"ours{number}"),
            lambda number: clone(["--no-local", bare], f"theirs{number}"),
            ROUNDS,
        )
    lib.finish("git-clone", *figures, BAR, unit="s")


if __name__ == "__main__":
    main()
