"""Images of builds in the store, and how a build's end judges them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from fairway.image.candidates import Candidates, judge_build
from fairway.image.names import Names
from fairway.model.built import Candidate
from fairway.model.events import BuildFinished, ImageBuilt
from fairway.model.scope import SYSTEM, Scope
from fairway.store import images
from fairway.store.database import Database
from fairway.store.schema import (
    build,
    event,
    manifest,
    organisation,
    registry_repository,
    repository,
    stage,
    step,
    tag,
)
from fairway.testing.together import together

PATH = "webflix/catalogue"
ONE, TWO, THREE = (f"sha256:{number * 64}" for number in "123")


def seed(db: Connection) -> None:
    """A repository, and its name in the registry with three manifests."""
    db.execute(insert(organisation).values(name="webflix", created=1))
    db.execute(insert(repository).values(slug=PATH, organisation=1, name="catalogue", created=1))
    for number, name in enumerate((PATH, "library/python"), 1):
        home = 1 if name == PATH else None
        db.execute(insert(registry_repository).values(name=name, repository=home, created=1))
        for digest in (ONE, TWO, THREE):
            row = {"registry_repository": number, "digest": digest, "body": b"{}"}
            row |= {"created": 1, "touched": 1}
            db.execute(insert(manifest).values(row))
    row = {"registry_repository": 2, "name": "3.11", "digest": ONE, "updated": 1}
    db.execute(insert(tag).values(row))


def run(db: Connection, number: int, status: str = "passed", **about: Any) -> None:
    """A build with a pipeline of one step; ids are the build's number."""
    given = {"event": "push", "target": "main", "after": f"c{number}", "parent": 0, **about}
    carried = given.pop("carried", 0)
    step_status = given.pop("step", status)
    row = {"repository": 1, "number": number, "status": status, "created": number, **given}
    db.execute(insert(build).values(row))
    head = {"build": number, "repository": 1, "number": 1, "name": "try", "created": 1}
    db.execute(insert(stage).values(status=status, **head))
    about_step = {"stage": number, "number": 1, "name": "api", "status": step_status}
    db.execute(insert(step).values(carried=carried, **about_step))


def built(number: int, digest: str, target: str = "") -> ImageBuilt:
    return ImageBuilt(
        repository=1,
        slug=PATH,
        build=number,
        number=number,
        step=number,
        name=f"{PATH}:{number}",
        target=target,
        repository_name=PATH,
        digest=digest,
        revision=f"c{number}",
    )


def finished(number: int) -> BuildFinished:
    about = {"status": "", "event": "push", "ref": "", "after": ""}
    return BuildFinished(repository=1, slug=PATH, build=number, number=number, **about)


def tagged(db: Connection, name: str = "candidate") -> str | None:
    return db.execute(select(tag.c.digest).where(tag.c.name == name)).scalar()


def verdicts(db: Connection, **by: Any) -> list[tuple[str, str]]:
    return [(one.made.digest, one.made.candidate) for one in images.page(db, SYSTEM, **by)]


@pytest.fixture
def judge(database: Database) -> Candidates:
    database.write_now(seed)
    return Candidates(database)


async def story(database: Database, judge: Candidates, number: int, *made: ImageBuilt) -> None:
    for one in made:
        await judge.judge(one, "")
    await judge.judge(finished(number), "")


async def test_a_build_that_passed_makes_a_candidate(database: Database, judge: Candidates) -> None:
    database.write_now(run, 1)
    await story(database, judge, 1, built(1, ONE, "test"), built(1, TWO))
    assert database.read_now(verdicts) == [(TWO, "yes"), (ONE, "yes")]
    assert database.read_now(tagged) == TWO
    kinds = database.read_now(lambda db: list(db.execute(select(event.c.type)).scalars()))
    assert kinds == ["candidate-made"] * 2


async def test_of_two_builds_that_end_at_once_the_newer_one_is_the_candidate(
    database: Database, judge: Candidates
) -> None:
    for number, digest in ((1, ONE), (2, TWO)):
        database.write_now(run, number)
        await judge.judge(built(number, digest), "")
    together(
        database,
        lambda db: judge_build(db, finished(2)),
        lambda db: judge_build(db, finished(1)),
    )
    assert database.read_now(tagged) == TWO


async def test_telling_the_same_again_changes_nothing(
    database: Database, judge: Candidates
) -> None:
    database.write_now(run, 1)
    await story(database, judge, 1, built(1, ONE))
    await story(database, judge, 1, built(1, ONE))
    assert database.read_now(verdicts) == [(ONE, "yes")]
    rows = database.read_now(lambda db: db.execute(select(event.c.id)).all())
    assert len(rows) == 1


async def test_a_build_that_failed_makes_none_and_says_why(
    database: Database, judge: Candidates
) -> None:
    database.write_now(run, 1, "failed")
    await story(database, judge, 1, built(1, ONE))
    (view,) = database.read_now(images.page, SYSTEM)
    assert view.made.candidate is Candidate.NO
    assert view.made.reason == "build #1 failed: the step api of the pipeline try failed"
    assert database.read_now(tagged) is None


async def test_a_retry_of_a_failed_build_makes_its_images_candidates(
    database: Database, judge: Candidates
) -> None:
    database.write_now(run, 1, "failed")
    await story(database, judge, 1, built(1, ONE))
    database.write_now(run, 2, parent=1)
    await story(database, judge, 2, built(2, ONE))
    assert database.read_now(verdicts) == [(ONE, "yes"), (ONE, "no")]
    assert database.read_now(tagged) == ONE


async def test_a_retry_that_carries_a_step_which_never_ran_is_not_whole(
    database: Database, judge: Candidates
) -> None:
    database.write_now(run, 1, "failed", step="skipped")
    database.write_now(run, 2, parent=1, carried=1, step="skipped")
    await story(database, judge, 2, built(2, ONE))
    (view,) = database.read_now(images.page, SYSTEM)
    assert view.made.reason.endswith("was skipped in build #1")


async def test_a_retry_of_an_older_build_does_not_move_the_tag_back(
    database: Database, judge: Candidates
) -> None:
    for number in (1, 2):
        database.write_now(run, number)
        await story(database, judge, number, built(number, (ONE, TWO)[number - 1]))
    database.write_now(run, 3, parent=1)
    await story(database, judge, 3, built(3, ONE))
    assert database.read_now(verdicts)[0] == (ONE, "yes")
    assert database.read_now(tagged) == TWO


async def test_builds_and_digests_are_asked_both_ways(
    database: Database, judge: Candidates
) -> None:
    for number, digest in ((1, ONE), (2, TWO)):
        database.write_now(run, number)
        await story(database, judge, number, built(number, digest))
    (view,) = database.read_now(images.page, SYSTEM, digest=TWO)
    assert (view.number, view.slug, view.stage, view.step) == (2, PATH, "try", "api")
    assert view.tags == ("candidate",)
    assert database.read_now(verdicts, commit="c1") == [(ONE, "yes")]
    assert database.read_now(verdicts, build_number=2) == [(TWO, "yes")]
    assert database.read_now(verdicts, repository_id=1, candidates=True, limit=1) == [(TWO, "yes")]
    assert database.read_now(images.count) == {"yes": 2}


async def test_images_of_repositories_that_nobody_shows_you_are_not_listed(
    database: Database, judge: Candidates
) -> None:
    database.write_now(run, 1)
    await story(database, judge, 1, built(1, ONE))
    assert database.read_now(images.page, Scope()) == []


async def test_names_mean_what_our_registry_has(database: Database, judge: Candidates) -> None:
    database.write_now(run, 1)
    await story(database, judge, 1, built(1, ONE))
    asked = {
        f"{PATH}:candidate": f"{PATH}@{ONE}",
        f"r:5/{PATH}:candidate": f"{PATH}@{ONE}",
        f"{PATH}@{TWO}": f"{PATH}@{TWO}",
        "python:3.11": f"library/python@{ONE}",
        "library/python:3.11": f"library/python@{ONE}",
    }
    strangers = ["python:3.12", "node", "quay.io/a/b", "other/thing:1"]
    absent = [f"{PATH}:nobody", "r:5/nothing/here"]
    found = await Names(database, registry="r:5").resolve([*asked, *strangers, *absent], SYSTEM)
    assert found.found == asked
    assert sorted(found.unknown) == sorted(absent)


async def test_a_name_that_somebody_may_not_see_is_not_given_away(
    database: Database, judge: Candidates
) -> None:
    database.write_now(run, 1)
    await story(database, judge, 1, built(1, ONE))
    names = Names(database, registry="r:5")
    found = await names.resolve([f"{PATH}:candidate", "python:3.11"], Scope())
    assert found.found == {"python:3.11": f"library/python@{ONE}"}
