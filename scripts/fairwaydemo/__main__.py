"""The demo: see scripts/demo."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from fairway.model.errors import FairwayError
from fairwaydemo import story
from fairwaydemo.ground import ROOT, SERVICES, Ground, Trouble
from fairwaydemo.screen import Screen
from fairwaydemo.story import Outcome


def tell(ground: Ground, screen: Screen) -> list[Outcome]:
    """Everything that happens."""
    outcomes: list[Outcome] = []
    screen.chapter("Fairway starts")
    ground.clear()
    ground.start()
    screen.say("Base images come from Debian's packages: no registry is needed but Fairway's own.")
    ground.base_images()
    ground.repositories()
    ground.allow()
    ground.ready_s = screen.seconds()
    for service in SERVICES:
        if service == "ratings":
            ground.cluster()  # they are tried in a namespace
        screen.chapter(f"{service}: {story.ABOUT[service]}")
        outcomes.append(story.must_pass(ground, story.push(ground, service, "first push")))
    screen.chapter("The site is live")
    story.visit(ground)
    screen.chapter("A push that fails its tests")
    title = story.break_search(ground)
    screen.say("Its unit tests pass, its image is built: only the real database shows the mistake.")
    outcomes.append(story.push(ground, "catalogue", title.lower()))
    screen.chapter("One step again, on the kept workspace")
    outcomes.append(story.retry(ground, "storefront", outcomes[2].number, step="load"))
    return outcomes


def close(ground: Ground, screen: Screen, outcomes: list[Outcome], *, leave: bool) -> None:
    """The table, and what to do next."""
    screen.chapter("What came of it")
    screen.table(story.summary_table(outcomes))
    screen.say(f"\n{len(outcomes)} builds. {ground.times(screen.seconds())}")
    if leave:
        screen.say("Stopping Fairway and removing what it kept.")
        return
    screen.say("Fairway goes on running. Look around:")
    screen.command(f"export FAIRWAY_CONTEXTS={ground.contexts} PATH=$PATH:{ROOT}/.venv/bin")
    for words in (
        "fairway get builds",
        f"xdg-open {ground.address}",
        "fairway kubectl get all -n webflix",
        "fairway get images --candidates",
        "fairway describe build webflix/catalogue#2",
        "fairway logs 2 api --repo webflix/catalogue",
        f"cd {ground.work}/catalogue && git revert --no-edit HEAD && git push && fairway watch",
        f"fairway down --data {ground.data} --purge --yes && rm -r {ground.folder}",
    ):
        screen.command(words)


def write_summary(path: Path, outcomes: list[Outcome], wrong: list[str], site: str) -> None:
    """What happened, for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"ok": not wrong, "wrong": wrong, "site": site, "builds": story.plain(outcomes)}
    path.write_text(json.dumps(data, indent=2) + "\n")


def complain(error: Exception, ground: Ground, *, leave: bool) -> None:
    """What went wrong, and what to do."""
    print(f"error: {error}", file=sys.stderr)
    if isinstance(error, FairwayError) and error.remedy:
        print(f"  {error.remedy}", file=sys.stderr)
    log = ground.data / "run" / "fairway.log"
    if leave and log.exists():
        kept = ROOT / ".cache" / "demo" / "fairway.log"
        kept.parent.mkdir(parents=True, exist_ok=True)
        log = Path(shutil.copy(log, kept))
    if log.exists():
        print(f"Fairway's own log: {log}", file=sys.stderr)
    print("`make demo` begins anew" if leave else left(ground), file=sys.stderr)


def left(ground: Ground) -> str:
    """What a demo that did not end leaves behind."""
    if not ground.data.exists():
        return "`make demo` begins anew"
    program = ROOT / ".venv" / "bin" / "fairway"
    return (
        f"what it made so far lies in {ground.folder}, and may be running still.\n"
        f"`make demo` removes it and begins anew; this removes it alone:\n"
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
    screen = Screen()
    ground = Ground(screen)
    leave = os.environ.get("DEMO_EXIT", "") not in ("", "0")
    kept = Path(os.environ.get("DEMO_SUMMARY") or ROOT / ".cache" / "demo" / "summary.json")
    picture = ROOT / "docs" / "demo.svg" if os.environ.get("DEMO_RECORD") else None
    try:
        outcomes = tell(ground, screen)
        wrong = story.check(outcomes)
        write_summary(kept, outcomes, wrong, ground.address)
        close(ground, screen, outcomes, leave=leave)
        screen.save(kept.parent, None if wrong else picture)
    except (Trouble, FairwayError) as error:
        screen.say("")
        complain(error, ground, leave=leave)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        if not leave:
            print(left(ground), file=sys.stderr)
        return 130
    finally:
        if leave:
            unless_interrupted(ground.stop)
    for sentence in wrong:
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
