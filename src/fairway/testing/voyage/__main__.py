"""Runs seeded voyages; prints the seed that fails, and with `--trace` all that happened in it.

Needs PYTHONHASHSEED=0 (sets of strings have one order then) and starts itself anew with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import secrets
import shutil
import sys
import time
import traceback
from pathlib import Path
from unittest import mock

from msgspec.structs import replace

from fairway.kit import clock
from fairway.kit.garbage import look_seldom
from fairway.testing.simulate import fast_folder, make_template
from fairway.testing.virtual import VirtualLoop
from fairway.testing.voyage import bites
from fairway.testing.voyage.release_voyage import ReleaseVoyage
from fairway.testing.voyage.release_world import ReleaseWorld
from fairway.testing.voyage.shop import shape_of
from fairway.testing.voyage.voyage import Plan, Voyage
from fairway.testing.voyage.world import VoyageWorld, begin_clock

_RELEASES_EVERY = 16  # one voyage of so many is about releases: it takes ten times as long
_SHAPES = 16  # so many seeds have one shape of releases
_TRACE = "\n---- all that happened ----\n"
_REPLAYED_EVERY = 25  # a sample of voyages is lived through twice
_INSTALLED_EVERY = 10  # ... and begins with clusters that do not know our kinds yet


def plan_of(seed: int) -> Plan:
    """Every seed has its own wildness; the small ones are tame."""
    patient = seed % 4 == 3 and not _about_releases(seed)
    steps: list[dict[str, object]] = [
        {"setWeight": 20},
        {"pause": {"duration": 2}},
        {"setWeight": 50},
        {"pause": {} if patient else {"duration": "3s"}},
    ]
    over_s = 15.0 if _about_releases(seed) else 20.0 + seed % 3 * 20
    return Plan(deeds=3 + seed % 5, faults=seed % 5, over_s=over_s, steps=tuple(steps))


def _on_course(seed: int, course: bites.Course) -> Plan:
    """A plan on which a mistake shows."""
    return replace(
        plan_of(_RELEASES_EVERY * seed - 1),
        deeds=course.deeds,
        only=course.only,
        faults=course.faults,
        weather=course.weather,
        over_s=10.0,
    )


def _about_releases(seed: int) -> bool:
    return seed % _RELEASES_EVERY == _RELEASES_EVERY - 1


def live(seed: int, folder: Path, template: Path, course: bites.Course | None = None) -> list[str]:
    """Live through one voyage and judge it. Returns its trace; raises what is wrong."""
    place = folder / f"seed-{seed}"
    place.mkdir()
    shutil.copy(template, place / "fairway.db")
    loop = VirtualLoop(seed)
    asyncio.set_event_loop(loop)
    former = clock.use(loop.time)
    world: VoyageWorld | None = None
    named = random.Random(seed)  # noqa: S311 names of chance are to be repeatable
    try:
        with mock.patch.object(secrets, "token_hex", lambda size: named.randbytes(size).hex()):
            voyage = loop.run_until_complete(_voyage(loop, place, seed, course))
            world = voyage.world
            begin_clock(world)
            loop.run_until_complete(voyage.run())
            voyage.check()
    except BaseException as error:
        error.add_note(_TRACE + "\n".join(world.trace if world else ()))
        raise
    finally:
        clock.use(former)
        _bury(loop)
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(place)
    return world.trace


async def _voyage(loop: VirtualLoop, place: Path, seed: int, course: bites.Course | None) -> Voyage:
    """Its shape. Within the loop: clusters set timers."""
    if course is not None:
        tried = ReleaseWorld(loop, place, known=True, shape=shape_of(course.shape))
        return ReleaseVoyage(tried, _on_course(seed, course))
    known = seed % _INSTALLED_EVERY != 0
    if not _about_releases(seed):
        return Voyage(VoyageWorld(loop, place, known=known), plan_of(seed))
    world = ReleaseWorld(loop, place, known=known, shape=shape_of(seed // _SHAPES))
    return ReleaseVoyage(world, plan_of(seed))


def _bury(loop: VirtualLoop) -> None:
    """End what a voyage that went wrong left, so that nothing is told of it later."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    with contextlib.suppress(BaseException):
        loop.run_until_complete(asyncio.wait(left, timeout=60)) if left else None


def sail(first: int, count: int, course: bites.Course | None = None) -> str:
    """Live through `count` voyages. Returns "" or what went wrong, with its seed."""
    folder = fast_folder()
    try:
        template = make_template(folder)
        for seed in range(first, first + count):
            problem = _problem(seed, folder, template, course)
            if problem:
                return problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ""


def _problem(seed: int, folder: Path, template: Path, course: bites.Course | None) -> str:
    try:
        trace = live(seed, folder, template, course)
        again = seed % _REPLAYED_EVERY == 0 and course is None
        if again and live(seed, folder, template) != trace:
            return f"seed {seed}: its second run differs from its first"
    except Exception as error:  # noqa: BLE001 whatever it is, it is the voyage's fault
        return f"seed {seed}: {''.join(traceback.format_exception(error))}"
    return ""


def main() -> int:
    """The command line."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # noqa: TID251 it is about this very process
        os.environ["PYTHONHASHSEED"] = "0"  # noqa: TID251 as above
        os.execv(sys.executable, [sys.executable, "-m", "fairway.testing.voyage", *sys.argv[1:]])  # noqa: S606 ourselves
    parser = argparse.ArgumentParser(prog="python -m fairway.testing.voyage")
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--trace", action="store_true", help="print all that happened")
    parser.add_argument("--bite", choices=sorted(bites.ALL), help="break the product on purpose")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    look_seldom()
    began = time.perf_counter()
    with bites.bitten(asked.bite):
        problem = sail(asked.first, asked.count, bites.COURSES.get(asked.bite))
    said, _, trace = problem.partition(_TRACE)
    sys.stdout.write(said + (trace if asked.trace else ""))
    took = time.perf_counter() - began
    sys.stdout.write(f"{asked.count} voyages from seed {asked.first} on in {took:.1f} s\n")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
