"""Runs seeded histories: `python -m fairway.testing.simulate FIRST COUNT [--trace] [--bite NAME]`.

Needs PYTHONHASHSEED=0 (sets of strings have one order then) and starts itself anew with it. Prints
the seed that fails, and with `--trace` all that happened in it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fairway.kit import clock
from fairway.kit.garbage import look_seldom
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing import bites, verdict
from fairway.testing.engine import Trouble
from fairway.testing.history import History, Plan
from fairway.testing.virtual import VirtualLoop
from fairway.testing.world import World, begin_clock

_TRACE = "\n---- all that happened ----\n"
_REPLAYED_EVERY = 25  # a sample of histories is lived through twice


def plan_of(seed: int) -> Plan:
    """Every seed has its own wildness; the small ones are tame."""
    return Plan(
        actions=4 + seed % 5,
        over_s=8.0 + seed % 4 * 4,
        crashes=1 + seed % 3,
        losses=seed % 3,
        outages=seed % 2,
        bob=seed % 3 != 0,
        bob_returns=seed % 4 != 1,
        protected=seed % 5 == 0,
        auto_cancel=seed % 7 == 0,
    )


def trouble_of(seed: int) -> Trouble:
    """How bad the engines are."""
    bad = 0.02 * (seed % 3)
    return Trouble(unanswered=bad, answer_lost=bad, start_s=(0.0, 0.5 * (seed % 4)))


def live(seed: int, folder: Path, template: Path) -> list[str]:
    """Live through one history and judge it. Returns its trace; raises what is wrong."""
    place = folder / f"seed-{seed}"
    place.mkdir()
    shutil.copy(template, place / "fairway.db")
    loop = VirtualLoop(seed)
    asyncio.set_event_loop(loop)
    former = begin_clock(loop)
    world = World(loop, place, trouble_of(seed))
    try:
        history = History(world, plan_of(seed))
        loop.run_until_complete(history.run())
        verdict.check(history)
    except BaseException as error:
        error.add_note(_TRACE + "\n".join(world.trace))
        raise
    finally:
        clock.use(former)
        _bury(loop)
        asyncio.set_event_loop(None)
        loop.close()
        shutil.rmtree(place)
    return world.trace


def _bury(loop: VirtualLoop) -> None:
    """After a history that went wrong: end what it left, so that nothing is told of it later."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    with contextlib.suppress(BaseException):
        loop.run_until_complete(asyncio.wait(left, timeout=60)) if left else None


def make_template(folder: Path) -> Path:
    """An empty database that each history begins with a copy of."""
    path = folder / "template.db"
    database = Database(sqlite_url(path), durable=False)
    metadata.create_all(database.engine)
    database.write_now(lambda _: None)
    database.close()
    return path


def fast_folder() -> Path:
    """A folder in memory where the machine has one."""
    memory = Path("/dev/shm")  # noqa: S108 a folder of our own is made in it
    return Path(tempfile.mkdtemp(prefix="fairway-world-", dir=memory if memory.is_dir() else None))


def simulate(first: int, count: int) -> str:
    """Live through `count` histories. Returns "" or what went wrong, with its seed."""
    folder = fast_folder()
    try:
        template = make_template(folder)
        for seed in range(first, first + count):
            problem = _problem(seed, folder, template)
            if problem:
                return problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ""


def _problem(seed: int, folder: Path, template: Path) -> str:
    try:
        trace = live(seed, folder, template)
        if seed % _REPLAYED_EVERY == 0 and _digest(live(seed, folder, template)) != _digest(trace):
            return f"seed {seed}: its second run differs from its first"
    except Exception as error:  # noqa: BLE001 whatever it is, it is the history's fault
        return f"seed {seed}: {''.join(traceback.format_exception(error))}"
    return ""


def _digest(trace: list[str]) -> str:
    return hashlib.sha256("\n".join(trace).encode()).hexdigest()


def main() -> int:
    """The command line."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # noqa: TID251 it is about this very process
        os.environ["PYTHONHASHSEED"] = "0"  # noqa: TID251 as above
        os.execv(sys.executable, [sys.executable, "-m", "fairway.testing.simulate", *sys.argv[1:]])  # noqa: S606 ourselves
    parser = argparse.ArgumentParser(prog="python -m fairway.testing.simulate")
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--trace", action="store_true", help="print all that happened")
    parser.add_argument("--bite", choices=sorted(bites.ALL), help="break the product on purpose")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    look_seldom()
    began = time.perf_counter()
    with bites.bitten(asked.bite):
        problem = simulate(asked.first, asked.count)
    said, _, trace = problem.partition(_TRACE)
    sys.stdout.write(said + (trace if asked.trace else ""))
    took = time.perf_counter() - began
    sys.stdout.write(f"{asked.count} histories from seed {asked.first} on in {took:.1f} s\n")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
