"""The demo: see scripts/voyage."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from fairway.model.errors import FairwayError
from fairwayvoyage import (
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
    promise,
    red,
)
from fairwayvoyage.ground import ROOT, Ground, Trouble
from fairwayvoyage.screen import Screen
from fairwayvoyage.world import World

Chapter = tuple[str, Callable[[World], None]]
SET_UP: tuple[Chapter, ...] = (
    ("Fairway starts", begin.fairway),
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


def tell(world: World) -> None:
    """Everything that happens, and how long it took."""
    screen = world.screen
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


def write_summary(path: Path, world: World, wrong: list[str]) -> None:
    """What happened, for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"ok": not wrong, "wrong": wrong, **world.facts}
    path.write_text(json.dumps(data, indent=2) + "\n")


def complain(error: Exception, ground: Ground, *, leave: bool) -> None:
    """What went wrong, and what to do."""
    print(f"error: {error}", file=sys.stderr)
    if isinstance(error, FairwayError) and error.remedy:
        print(f"  {error.remedy}", file=sys.stderr)
    log = ground.data / "run" / "fairway.log"
    if leave and log.exists():
        kept = ROOT / ".cache" / "voyage" / "fairway.log"
        kept.parent.mkdir(parents=True, exist_ok=True)
        log = Path(shutil.copy(log, kept))
    if log.exists():
        print(f"Fairway's own log: {log}", file=sys.stderr)
    print("`make voyage` begins anew" if leave else left(ground), file=sys.stderr)


def left(ground: Ground) -> str:
    """What a demo that did not end leaves behind."""
    if not ground.data.exists():
        return "`make voyage` begins anew"
    program = ROOT / ".venv" / "bin" / "fairway"
    return (
        f"what it made so far lies in {ground.folder}, and may be running still.\n"
        f"`make voyage` removes it and begins anew; this removes it alone:\n"
        f"  {program} down --data {ground.data} --purge --yes"
    )


def unless_interrupted(work: Callable[[], None]) -> None:
    """Cleaning up is not cut short by a second Ctrl-C; children in the terminal ignore it too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work()
    except Trouble as error:
        print(f"error: {error}", file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, before)


def main() -> int:
    """The command. Status 1: something was not as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    world = World(Screen())
    screen, ground = world.screen, world.ground
    leave = os.environ.get("DEMO_EXIT", "") not in ("", "0")
    kept = Path(os.environ.get("DEMO_SUMMARY") or ROOT / ".cache" / "voyage" / "summary.json")
    picture = ROOT / "docs" / "voyage.svg" if os.environ.get("DEMO_RECORD") else None
    try:
        tell(world)
        wrong = promise.broken(world.facts)
        write_summary(kept, world, wrong)
        ending.close(world, leave=leave)
        screen.save(kept.parent, None if wrong else picture)
    except (Trouble, FairwayError, OSError) as error:
        screen.say("")
        complain(error, ground, leave=leave)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        if not leave:
            print(left(ground), file=sys.stderr)
        return 130
    finally:
        world.close()
        if leave:
            unless_interrupted(ground.stop)
    for sentence in wrong:
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
