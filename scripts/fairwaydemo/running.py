"""From a story to a command: summary, recording, what to say of trouble, cleaning up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from fairway.model.errors import FairwayError
from fairwaydemo.ground import ROOT, Ground
from fairwaydemo.screen import Screen
from fairwaydemo.trouble import Trouble


class Story(Protocol):
    """What the demo tells."""

    command: str  # how it is called: `make demo`
    screen: Screen

    @property
    def ground(self) -> Ground:
        """What it stands on."""

    def tell(self) -> None:
        """Everything that happens. Raises Trouble."""

    def facts(self) -> dict[str, Any]:
        """What happened, for programs."""

    def wrong(self) -> list[str]:
        """What is not as it should be: the demo is a test as well."""

    def close(self, *, leave: bool) -> None:
        """Say how long it took, and what to do next."""

    def end(self) -> None:
        """Stop what the story itself has going."""


def run(story: Story) -> int:
    """Tell it. Status 1: something was not as it should be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    leave = os.environ.get("DEMO_EXIT", "") not in ("", "0")
    kept = ROOT / ".cache" / story.command.removeprefix("make ")
    summary = Path(os.environ.get("DEMO_SUMMARY") or kept / "summary.json")
    record = os.environ.get("DEMO_RECORD", "") not in ("", "0")
    if record and os.environ.get("DEMO_FOLDER"):
        print(
            "error: a picture that is kept shows the usual folder: DEMO_RECORD without DEMO_FOLDER",
            file=sys.stderr,
        )
        return 2
    try:
        story.tell()
        wrong = story.wrong()
        _write_summary(summary, story.facts(), wrong)
        story.close(leave=leave)
        picture = ROOT / "docs" / f"{kept.name}.svg" if record and not wrong else None
        story.screen.save(summary.parent, story.command, picture)
    except (Trouble, FairwayError, OSError) as error:
        story.screen.say("")
        _complain(error, story, kept, leave=leave)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        if not leave:
            print(_left(story), file=sys.stderr)
        return 130
    finally:
        story.end()
        if leave:
            _unless_interrupted(story.ground.stop)
    for sentence in wrong:
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


def _write_summary(path: Path, facts: dict[str, Any], wrong: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"ok": not wrong, "wrong": wrong, **facts}
    path.write_text(json.dumps(data, indent=2) + "\n")


def _complain(error: Exception, story: Story, kept: Path, *, leave: bool) -> None:
    """What went wrong, and what to do."""
    print(f"error: {error}", file=sys.stderr)
    if isinstance(error, FairwayError) and error.remedy:
        print(f"  {error.remedy}", file=sys.stderr)
    log = story.ground.data / "run" / "fairway.log"
    if leave and log.exists():
        kept.mkdir(parents=True, exist_ok=True)
        log = Path(shutil.copy(log, kept / "fairway.log"))
    if log.exists():
        print(f"Fairway's own log: {log}", file=sys.stderr)
    print(f"`{story.command}` begins anew" if leave else _left(story), file=sys.stderr)


def _left(story: Story) -> str:
    """What a demo that did not end leaves behind."""
    ground = story.ground
    if not ground.data.exists():
        return f"`{story.command}` begins anew"
    program = ROOT / ".venv" / "bin" / "fairway"
    return (
        f"what it made so far lies in {ground.folder}, and may be running still.\n"
        f"`{story.command}` removes it and begins anew; this removes it alone:\n"
        f"  {program} down --data {ground.data} --purge --yes"
    )


def _unless_interrupted(work: Callable[[], None]) -> None:
    """Cleaning up is not cut short by a second Ctrl-C; children in the terminal ignore it too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work()
    except Trouble as error:
        print(f"error: {error}", file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, before)
