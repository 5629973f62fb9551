"""The demo: see scripts/demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from fairwaydemo import running
from fairwaydemo.screen import Screen
from fairwaydemo.voyage import (
    back,
    begin,
    bluegreen,
    canary,
    change,
    drift,
    ending,
    fault,
    onward,
    passwords,
    pipelines,
    promise,
    red,
)
from fairwaydemo.voyage.world import World

Chapter = tuple[str, Callable[[World], None]]
SET_UP: tuple[Chapter, ...] = (
    ("Fairway starts", begin.fairway),
    ("Pipelines alone: the first build, while the cluster comes along", pipelines.catalogue),
    ("Two more services, and the site is live", pipelines.others),
    ("One step again, on the kept workspace", pipelines.again),
    ("Who is who, and where things go", begin.company),
    ("The film site, as its visitors know it", begin.site),
)
STORY: tuple[Chapter, ...] = (
    ("Ada asks for a change", change.tell),
    ("Merged: built once, a candidate, a release, dev, staging", onward.tell),
    ("Production waits for somebody; the storefront waits for nobody", bluegreen.tell),
    ("Grace approves: a canary, under load", canary.tell),
    ("One image, three passwords", passwords.tell),
    ("A push that fails its tests", red.tell),
    ("A fault that no test found", fault.tell),
    ("Grace goes back, by one command", back.tell),
    ("A change by hand", drift.tell),
    ("What came of it", ending.tell),
)


class Voyage:
    """The story with its world."""

    command = "make demo"

    def __init__(self) -> None:
        self.screen = Screen()
        self.world = World(self.screen)
        self.ground = self.world.ground

    def tell(self) -> None:
        """Everything that happens, and how long it took."""
        screen, world = self.screen, self.world
        began = screen.seconds()
        for title, part in SET_UP:
            with screen.chapter(title):
                part(world)
        world.visitors.come()
        ready = screen.seconds()
        for title, part in STORY:
            with screen.chapter(title):
                part(world)
        world.facts["seconds"] = {
            "set_up": float(os.environ.get("DEMO_SETUP_S") or 0),
            "begin": round(ready - began, 1),
            "story": round(screen.seconds() - ready, 1),
            "chapters": screen.chapters,
        }

    def facts(self) -> dict[str, Any]:
        """What was measured."""
        return self.world.facts

    def wrong(self) -> list[str]:
        """What is not as it was promised."""
        return promise.broken(self.world.facts)

    def close(self, *, leave: bool) -> None:
        """The last words."""
        ending.close(self.world, leave=leave)

    def end(self) -> None:
        """Send the visitors home."""
        self.world.close()


if __name__ == "__main__":
    sys.exit(running.run(Voyage()))
