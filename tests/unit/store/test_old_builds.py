"""Which builds retention may remove, and what goes and stays with them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from fairway.store import measures, old_builds
from fairway.store.database import Database
from fairway.store.schema import (
    build,
    change_request,
    image,
    log,
    organisation,
    ref,
    registry_repository,
    release,
    repository,
    stage,
    step,
    tag,
    verification,
)

SLUG = "tide/app"
OLD, NEW = 1_000, 9_000
DIGEST = "sha256:" + "1" * 64


def seed(db: Connection) -> None:
    """A repository whose branch has had two builds: the eldest, number 1, is the case."""
    db.execute(insert(organisation).values(name="tide", created=1))
    values = {"slug": SLUG, "organisation": 1, "name": "app", "created": 1, "counter": 2}
    db.execute(insert(repository).values(values))
    db.execute(insert(ref).values(repository=1, name="refs/heads/main", sha="a" * 40))
    add(db, 1, finished=OLD)
    add(db, 2, finished=NEW)


def add(db: Connection, number: int, **about: Any) -> None:
    """A build with a step of three seconds and its log; ids are the build's number."""
    given = {"status": "passed", "ref": "refs/heads/main", **about}
    row = {"repository": 1, "number": number, "event": "push", "created": number, **given}
    db.execute(insert(build).values(row))
    head = {"build": number, "repository": 1, "number": 1, "name": "default", "created": 1}
    db.execute(insert(stage).values(status="passed", **head))
    about_step = {"stage": number, "number": 1, "name": "test", "started": 1000, "stopped": 4000}
    db.execute(insert(step).values(status="passed", **about_step))
    db.execute(insert(log).values(step=number, created=1, done=True))


def made(db: Connection, number: int = 1, **about: Any) -> None:
    values = {"repository_name": SLUG, "digest": DIGEST, "build": number, "step": number}
    db.execute(insert(image).values({**values, "created": 1, **about}))


def tagged(db: Connection) -> None:
    made(db)
    db.execute(insert(registry_repository).values(name=SLUG, repository=1, created=1))
    db.execute(insert(tag).values(registry_repository=1, name="1.0", digest=DIGEST, updated=1))


def released(db: Connection, **about: Any) -> None:
    values = {"delivery": "app", "service": "app", "version": "1.0.0", "digest": DIGEST}
    db.execute(insert(release).values({**values, "created": 1, **about}))


def verified(db: Connection) -> None:
    released(db)
    values = {"release": 1, "environment": "qa", "key": "k", "reference": f"{SLUG}#1"}
    db.execute(insert(verification).values({**values, "created": 1}))


def asked(db: Connection, state: str) -> None:
    values: dict[str, Any] = {"repository": 1, "number": 1, "source": "a", "target": "main"}
    values |= {"build": 1, "state": state, "created": 1, "changed": 1}
    db.execute(insert(change_request).values(values))


def be(db: Connection, number: int, **values: Any) -> None:
    db.execute(update(build).where(build.c.number == number).values(values))


STAYS = {
    "running": lambda db: be(db, 1, status="running"),
    "blocked": lambda db: be(db, 1, status="blocked"),
    "released": lambda db: released(db, repository=SLUG, build=1),
    "its digest is released elsewhere": lambda db: (made(db), released(db)),
    "verified a release": verified,
    "of an open change request": lambda db: asked(db, "open"),
    "repeated": lambda db: be(db, 2, parent=1),
    "tagged": tagged,
    "the candidate": lambda db: made(db, candidate="yes"),
    "the last that passed": lambda db: be(db, 2, status="failed"),
    "the last of its branch": lambda db: be(db, 2, ref="refs/heads/other"),
    "young": lambda db: be(db, 1, finished=NEW),
}
GOES = {
    "nothing names it": lambda db: None,
    "failed": lambda db: be(db, 1, status="failed"),
    "of a closed change request": lambda db: asked(db, "merged"),
    "an image without a name": lambda db: made(db, candidate="no"),
    "a candidate that another followed": lambda db: (
        made(db, candidate="yes"),
        made(db, 2, digest="sha256:" + "2" * 64, candidate="yes"),
    ),
    "of a branch that is gone": lambda db: be(db, 1, ref="refs/heads/gone"),
    "its number is another repository's release": lambda db: released(
        db, repository="tide/other", build=1
    ),
}


@pytest.mark.parametrize("case", sorted(STAYS))
def test_what_is_named_or_not_over_stays(database: Database, case: str) -> None:
    database.write_now(seed)
    database.write_now(STAYS[case])
    assert database.read_now(old_builds.found, before=5_000, most=0, limit=9) == []
    assert database.write_now(old_builds.remove, 1) is (case == "young")  # the age is of `found`


@pytest.mark.parametrize("case", sorted(GOES))
def test_what_nothing_names_goes_by_its_age(database: Database, case: str) -> None:
    database.write_now(seed)
    database.write_now(GOES[case])
    assert database.read_now(old_builds.found, before=5_000, most=0, limit=9) == [1]
    assert database.write_now(old_builds.remove, 1)
    assert database.read_now(lambda db: db.execute(select(build.c.number)).scalars().all()) == [2]


def test_the_eldest_beyond_the_count_go_first(database: Database) -> None:
    def many(db: Connection) -> None:
        for number in range(3, 9):
            add(db, number, finished=NEW)
        db.execute(update(repository).values(counter=8))

    database.write_now(seed)
    database.write_now(many)
    find = database.read_now
    assert find(old_builds.found, before=0, most=5, limit=9) == [1, 2, 3]
    assert find(old_builds.found, before=0, most=5, limit=2) == [1, 2]
    assert find(old_builds.found, before=5_000, most=7, limit=9) == [1]
    assert find(old_builds.found, before=0, most=8, limit=9) == []
    assert find(old_builds.found, before=0, most=0, limit=9) == []


def test_all_that_hangs_on_a_build_goes_but_metrics_do_not_go_back(database: Database) -> None:
    def rows(db: Connection) -> list[int]:
        return [
            db.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (stage, step, log, image)
        ]

    database.write_now(seed)
    database.write_now(made)
    before = database.read_now(measures.measure, online_ms=1)
    assert database.read_now(rows) == [2, 2, 2, 1]
    assert database.write_now(old_builds.remove, 1)
    assert database.read_now(rows) == [1, 1, 1, 0]
    after = database.read_now(measures.measure, online_ms=1)
    assert (after.step_count, after.step_seconds) == (before.step_count, 6.0)
    assert after.step_buckets == before.step_buckets
    assert dict(after.step_buckets)[2.5] == 0
    assert dict(after.step_buckets)[5.0] == 2
