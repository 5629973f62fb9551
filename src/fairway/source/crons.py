"""Cron jobs: the exact minute in a time zone, and what becomes of minutes that were missed.

`decide` is a pure function of a job and the time. The controller writes its events, idempotent by
(job, minute), in the transaction that moves the job's next minute.
"""

from __future__ import annotations

import datetime
import logging
import zoneinfo
from collections.abc import Iterator
from typing import Any, Final

from cronsim import CronSim, CronSimError
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import Connection

from fairway.access.authorise import Action, require
from fairway.access.identity import Identity
from fairway.kit import clock
from fairway.kit.aio import Wake
from fairway.model.cron import Cron, Missed
from fairway.model.errors import Conflict, FairwayError, InvalidInput, NotFound
from fairway.model.events import CronDue
from fairway.model.name import check_name
from fairway.store import audit, crons, outbox
from fairway.store.database import Database

BOUND: Final = 100  # `all` makes up for at most so many minutes, the latest ones
LATE_MS: Final = 90_000  # a minute that is seen this late has not been missed
NEVER: Final = 253_402_300_799_000  # the year 9999: the expression names no more minutes
_LONGEST_WAIT_S: Final = 30.0  # the wall clock may jump
_SCAN: Final = 100_000
_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_log = logging.getLogger(__name__)


class CronChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be set; what is not given stays."""

    expression: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    branch: str | UnsetType = UNSET
    missed: Missed | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class Decision(Struct, frozen=True):
    """The minutes to build now, and when to look again. Milliseconds UTC."""

    minutes: list[int]
    next_at: int


class Crons:
    """The service behind API and command line."""

    def __init__(self, database: Database, wake: Wake) -> None:
        self._database = database
        self._wake = wake  # of the controller

    async def listing(self, identity: Identity, slug: str) -> list[Cron]:
        """The jobs of a repository. Raises `NotFound`, `Forbidden`."""
        return await self._database.read(_listing, identity, slug)

    async def put(self, identity: Identity, slug: str, name: str, change: CronChange) -> Cron:
        """Make or change a job. Raises `InvalidInput`, `NotFound`, `Forbidden`."""
        made = await self._database.write(_put, identity, slug, name, change=change)
        self._wake.set()
        return made

    async def delete(self, identity: Identity, slug: str, name: str) -> None:
        """Remove a job. Raises `NotFound`, `Forbidden`."""
        await self._database.write(_delete, identity, slug, name)

    async def fire(self, identity: Identity, slug: str, name: str) -> None:
        """Build a job now, whatever its minute. Raises `NotFound`, `Forbidden`, `Conflict`."""
        await self._database.write(_fire_now, identity, slug, name)


class CronController:
    """Writes `CronDue` when a minute has come."""

    def __init__(self, database: Database, *, wake: Wake, announced: Wake) -> None:
        self._database = database
        self._wake = wake
        self._announced = announced

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            wait = _LONGEST_WAIT_S
            try:
                wait = await self.once()
            except FairwayError as error:
                _log.warning("cron jobs are looked at later: %s", error)
            await self._wake.wait(wait)

    async def once(self) -> float:
        """Fire what is due. Returns the seconds until there may be more."""
        fired, next_at = await self._database.write(fire_due)
        if fired:
            self._announced.set()
        if next_at is None:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(0.0, (next_at - clock.now()) / 1000) + 0.001)


def decide(job: Cron, now: int) -> Decision:
    """Which minutes a job builds at `now`. Raises `InvalidInput` for a broken expression."""
    if job.next_at > now:
        return Decision([], job.next_at)
    passed = [job.next_at]
    coming = NEVER
    for number, minute in enumerate(minutes(job.expression, job.timezone, job.next_at)):
        if minute > now:
            coming = minute
            break
        passed = [*passed, minute][-BOUND:]
        if number >= _SCAN:  # years of minutes were missed: begin afresh
            coming = next(minutes(job.expression, job.timezone, now), NEVER)
            break
    match job.missed:
        case Missed.ALL:
            return Decision(passed, coming)
        case Missed.SKIP:
            return Decision([each for each in passed[-1:] if now - each < LATE_MS], coming)
        case Missed.ONCE:
            return Decision(passed[-1:], coming)


def minutes(expression: str, timezone: str, after: int) -> Iterator[int]:
    """The minutes of an expression in a zone, past `after`. Raises `InvalidInput`."""
    zone = _zone(timezone)
    start = datetime.datetime.fromtimestamp(after / 1000, zone)
    try:
        found = CronSim(_five_fields(expression), start)
    except CronSimError as error:
        raise _bad_expression(expression, str(error)) from None
    for moment in found:
        yield int(moment.timestamp() * 1000)


def fire_due(db: Connection) -> tuple[int, int | None]:
    """Write the events of all jobs that are due. Returns their number and the next minute."""
    now = clock.now()
    count = 0
    for job, slug, default, active in crons.due(db, now):
        try:
            decision = decide(job, now)
        except InvalidInput as error:  # a zone that the machine no longer knows
            crons.change(db, job.id, {"disabled": True, "error": str(error)})
            continue
        for minute in decision.minutes if active else []:
            event = CronDue(
                repository=job.repository,
                slug=slug,
                cron=job.name,
                branch=job.branch or default,
                at=minute,
            )
            key = f"cron/{job.id}/{job.created}/{minute}"
            count += outbox.append(db, event, key=key) is not None
        last = decision.minutes[-1] if decision.minutes else job.last_at
        crons.change(db, job.id, {"next_at": decision.next_at, "last_at": last, "error": ""})
    return count, crons.next_due(db)


def _listing(db: Connection, identity: Identity, slug: str) -> list[Cron]:
    return crons.listing(db, require(db, identity, Action.READ_REPOSITORY, slug).id)


def _put(db: Connection, identity: Identity, slug: str, name: str, *, change: CronChange) -> Cron:
    found = require(db, identity, Action.CONFIGURE_REPOSITORY, slug)
    check_name(name, "a cron job")
    former = crons.by_name(db, found.id, name)
    values: dict[str, Any] = {
        field: value
        for field in change.__struct_fields__
        if (value := getattr(change, field)) is not UNSET
    }
    expression = values.get("expression", former.expression if former else "")
    timezone = values.get("timezone", former.timezone if former else "UTC")
    coming = next(minutes(expression, timezone, clock.now()), None)
    if coming is None:
        raise _bad_expression(expression, "it names no minute")
    values |= {"next_at": coming, "error": ""}
    if former is None:
        made = crons.create(db, found.id, {"name": name, **values})
    else:
        crons.change(db, former.id, values)
        made = crons.by_name(db, found.id, name) or former
    audit.append(
        db, identity.login, "cron.put", f"repository/{slug}/cron/{name}", before=former, after=made
    )
    return made


def _delete(db: Connection, identity: Identity, slug: str, name: str) -> None:
    found = require(db, identity, Action.CONFIGURE_REPOSITORY, slug)
    former = _need(db, found.id, name)
    crons.remove(db, former.id)
    audit.append(db, identity.login, "cron.delete", f"repository/{slug}/cron/{name}", before=former)


def _fire_now(db: Connection, identity: Identity, slug: str, name: str) -> None:
    found = require(db, identity, Action.WRITE_BUILD, slug)
    job = _need(db, found.id, name)
    now = clock.now()
    event = CronDue(
        repository=found.id,
        slug=found.slug,
        cron=job.name,
        branch=job.branch or found.default_branch,
        at=now,
    )
    if outbox.append(db, event, key=f"cron/{job.id}/{job.created}/{now}") is None:
        raise Conflict(
            f"{name} has been started at this very moment",
            code="cron-just-fired",
            remedy="look at the builds before you start it again",
        )
    audit.append(db, identity.login, "cron.fire", f"repository/{slug}/cron/{name}")


def _need(db: Connection, repository_id: int, name: str) -> Cron:
    job = crons.by_name(db, repository_id, name)
    if job is None:
        raise NotFound(
            f"there is no cron job {name[:100]!r}",
            code="no-cron",
            remedy="`fairway get crons` lists them",
        )
    return job


def _five_fields(expression: str) -> str:
    """Drone's form as well: a macro, or six fields whose first, the second, is a number."""
    text = _MACROS.get(expression.strip().lower(), expression.strip()).replace("?", "*")
    fields = text.split()
    if len(fields) == 6 and fields[0].isdigit():
        fields = fields[1:]
    if len(fields) != 5:
        raise _bad_expression(expression, "it must have five fields")
    return " ".join(fields)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"{name[:100]!r} is no time zone of this machine",
            code="bad-timezone",
            remedy="use a name such as Europe/Berlin; install tzdata if it lacks",
        ) from None


def _bad_expression(expression: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{expression[:100]!r} is no cron expression: {why}",
        code="bad-cron",
        remedy="minute, hour, day, month, weekday: `30 4 * * 1-5`; or @hourly, @daily, @weekly",
    )
