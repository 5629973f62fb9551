"""What must be true when a history has come to rest. Each check names what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from fairway.kit.secret import MASK
from fairway.model.build import Build
from fairway.model.events import CronDue, RefUpdated
from fairway.model.status import Status
from fairway.model.step import Step
from fairway.pipeline.leases import key_of
from fairway.pipeline.logs import key_of as log_key
from fairway.source.announce import ACTOR
from fairway.store import logs, outbox, stages, steps
from fairway.store.schema import delivery, event, step, token
from fairway.testing.engine import KILLED
from fairway.testing.history import History, all_builds
from fairway.testing.world import INSTALLATION, Machine, World

_TOKEN = re.compile(rb"fwy_[A-Za-z0-9_-]{43}")
DONE_BY_ITSELF = (Status.PASSED, Status.FAILED)


def check(history: History) -> None:
    """Raises `AssertionError` for the first thing that is wrong."""
    if history.world.defects:
        raise history.world.defects[0]
    database = history.world.inspect()
    try:
        database.read_now(_check, history)
    finally:
        database.close()


def _check(db: Connection, history: History) -> None:
    found = all_builds(db)
    parked = [(row["handler"], row["error"]) for row in outbox.parked(db)]
    assert not parked, f"events are parked: {parked}"
    _each_event_made_its_build_once(db, found)
    _each_promise_was_kept(found, history, compared=_compared(db))
    for build in found:
        _ended_rightly(build, history)
    _steps_ended(db)
    _nothing_is_left(db, history.world)
    _logs_are_whole(db, found, history.world)
    _nothing_ran_twice(db, found, history.world)


def _each_event_made_its_build_once(db: Connection, found: list[Build]) -> None:
    """Of the events that are written: a moved ref and a cron minute are one build each."""
    made = Counter(one.trigger_key for one in found)
    for row in db.execute(select(event).order_by(event.c.id)):
        known = outbox.read(row.type, row.payload)
        key = ""
        if isinstance(known, RefUpdated) and known.after:
            key = f"event/{row.id}"
        elif isinstance(known, CronDue) and any(one.cron for one in found):
            key = f"cron/{known.repository}/{known.cron}/{known.at}"
        least = 1 if isinstance(known, RefUpdated) else 0  # a branch may come after its minute
        count = made[key] if key else least
        assert least <= count <= 1, f"event {row.id} ({row.type}) made {count} builds"


def _compared(db: Connection) -> set[tuple[int, str]]:
    """Refs that were announced by comparison after a start."""
    events = [outbox.read(row.type, row.payload) for row in db.execute(select(event))]
    return {
        (one.repository, one.ref)
        for one in events
        if isinstance(one, RefUpdated) and one.actor == ACTOR
    }


def _each_promise_was_kept(
    found: list[Build], history: History, *, compared: set[tuple[int, str]]
) -> None:
    """Pushes that came at once with a start may be announced as one move, to the last of them."""
    kept = history.kept
    made = Counter((one.ref, one.after) for one in found if one.trigger == "@hook")
    for push in kept.pushes:
        count = made[push.ref, push.sha]
        assert count <= 1, f"push {push.sha[:7]} was built {count} times"
        joined = (push.repository, push.ref) in compared and any(
            made[other.ref, other.sha]
            for other in kept.pushes
            if other.repository == push.repository and other.ref == push.ref and other.at >= push.at
        )
        promised = push.accepted and not joined
        assert count or not promised, f"accepted push {push.sha[:7]} was never built"
    known = {(push.ref, push.sha) for push in kept.pushes}
    assert not made.keys() - known, f"builds of nothing that was pushed: {made.keys() - known}"
    keys = Counter(one.trigger_key for one in found if (one.trigger_key or "").startswith("api/"))
    assert all(count == 1 for count in keys.values()), f"a key made two builds: {keys}"
    ids = {one.id for one in found}
    lost = [call for call in kept.calls if call.build not in ids]
    assert not lost, f"builds that were promised are gone: {lost}"


def _ended_rightly(build: Build, history: History) -> None:
    kept = history.kept
    where = f"build {build.id} (#{build.number} of {build.repository}, parent {build.parent})"
    assert build.status.done, f"{where} is still {build.status}"
    assert build.finished is not None, f"{where} has no end"
    if build.id in kept.cancelled:
        wanted = {Status.CANCELLED}
    elif build.id in kept.declined:
        wanted = {Status.DECLINED}
        if build.id in kept.maybe_cancelled:
            wanted.add(Status.CANCELLED)
    else:
        plan = kept.plans[build.after]
        wanted = {plan.outcome(again=build.parent > 0)}
        if build.id in kept.maybe_cancelled or _may_be_superseded(build, history):
            wanted.add(Status.CANCELLED)
        if build.id in kept.one_step:
            wanted = {Status.PASSED, Status.FAILED, Status.ERRORED, Status.CANCELLED}
            wanted.add(Status.SKIPPED)
    assert build.status in wanted, f"{where} {build.status} ({build.reason}), should be {wanted}"


def _may_be_superseded(build: Build, history: History) -> bool:
    """Whether the repository cancels builds for newer ones, and this one was for an older push."""
    return history.plan.auto_cancel and build.event == "push" and build.parent == 0


def _steps_ended(db: Connection) -> None:
    left = db.execute(
        select(func.count()).where(step.c.status.in_([Status.PENDING, Status.RUNNING]))
    ).scalar_one()
    assert not left, f"{left} steps have not ended"


def _nothing_is_left(db: Connection, world: World) -> None:
    waiting = db.execute(select(func.count()).select_from(delivery)).scalar_one()
    assert not waiting, f"{waiting} deliveries are left"
    for machine in world.machines.values():
        if machine.name == "alice" or not world.bob.gone:
            assert not machine.engine.left(), f"{machine.name} keeps {machine.engine.left()}"
    alive = select(func.count()).where(token.c.build.is_not(None), token.c.revoked.is_(None))
    assert not db.execute(alive).scalar_one(), "a build's credentials outlived it"


def _logs_are_whole(db: Connection, found: list[Build], world: World) -> None:
    for build in found:
        for stage in stages.of_build(db, build.id):
            machine = world.machines.get(stage.machine)
            for one in steps.of_stage(db, stage.id):
                row = logs.find(db, one.id, one.attempt)
                assert row is None or row.done, f"the log of step {one.id} is not ended"
                if machine is not None and not one.carried and one.status in DONE_BY_ITSELF:
                    _log_is_right(db, machine, key_of(stage, INSTALLATION), one, world=world)


def _log_is_right(db: Connection, machine: Machine, key: str, one: Step, *, world: World) -> None:
    if one.name == "clone" or one.service or one.exit_code == KILLED:
        return
    recipe = machine.recipes.get((key, one.number, one.attempt))
    assert recipe is not None, f"step {one.id} ({one.name}) ended without a container on {key}"
    row = logs.find(db, one.id, one.attempt)
    size = row.size if row else 0
    kept = bytes(world.blobs.contents.get(log_key(one.id, one.attempt), b""))[:size]
    said = _TOKEN.sub(MASK, recipe.log)
    assert kept == said, f"the log of step {one.id} ({one.name}) is not what it said"


def _nothing_ran_twice(db: Connection, found: list[Build], world: World) -> None:
    for machine in world.machines.values():
        twice = {name: count for name, count in machine.engine.starts.items() if count > 1}
        assert not twice, f"{machine.name} started containers twice: {twice}"
    moved = world.moved()
    for build in found:
        for stage in stages.of_build(db, build.id):
            if stage.id not in moved:
                _ran_once(world.machines.values(), key_of(stage, INSTALLATION))


def _ran_once(machines: Iterable[Machine], key: str) -> None:
    for machine in machines:
        ends = Counter(number for name, number, _ in machine.engine.finished if name == key)
        twice = [number for number, count in ends.items() if count > 1]
        assert not twice, f"steps {twice} of {key} ran to their end more than once"
