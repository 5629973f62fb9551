"""Repositories: made, set up, renamed, removed, by whom, with an audit entry."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fairway.access.identity import ANONYMOUS, SYSTEM
from fairway.git.folders import Folders
from fairway.model.errors import Conflict, FairwayError, Forbidden, InvalidInput, NotFound
from fairway.model.repository import RefRule, Settings, Visibility
from fairway.model.scope import SYSTEM as EVERYTHING
from fairway.source.repositories import Repositories, RepositoryChange
from fairway.store import audit
from fairway.store.database import Database
from fairway.testing.people import People


class Place:
    """The service, with people."""

    def __init__(self, database: Database, root: Path) -> None:
        self.people = People(database)
        self.folders = Folders(root)
        self.folders.prepare()
        self.repositories = Repositories(database, self.folders)


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    return Place(database, tmp_path / "git")


async def test_an_admin_makes_an_organisation_with_its_first_repository(place: Place) -> None:
    made = await place.repositories.create(SYSTEM, "new/app")
    assert (made.namespace, made.default_branch, made.visibility) == (
        "new",
        "main",
        Visibility.PRIVATE,
    )
    assert place.folders.numbers() == [made.id]
    entries = await place.people.database.read(audit.listing, EVERYTHING)
    assert [entry.action for entry in entries] == ["repository.create", "organisation.create"]


@pytest.mark.parametrize(
    ("login", "slug", "expected"),
    [
        ("wim", "tide/new", None),
        ("wim", "reef/new", Forbidden),
        ("wim", "other/new", Forbidden),
        ("rea", "tide/new", Forbidden),
        ("wim", "tide/app", Conflict),
        ("ada", "other/new", None),
    ],
)
async def test_who_may_make_a_repository(
    place: Place, login: str, slug: str, expected: type[FairwayError] | None
) -> None:
    identity = await place.people.identity(login)
    if expected is None:
        assert (await place.repositories.create(identity, slug)).slug == slug
        return
    with pytest.raises(expected):
        await place.repositories.create(identity, slug)


@pytest.mark.parametrize(
    "slug",
    [
        "app",
        "Tide/app",
        "tide/App",
        "tide/a/b",
        "../etc",
        "tide/..",
        "tide/.hidden",
        "tide/a.git",
        "tide/a.lock",
        "api/x",
        "v2/x",
        "tide/" + "a" * 101,
        "tide/a b",
        "tide/",
        "/app",
        "tide/-x",
        "tide/x\n",
    ],
)
async def test_a_name_that_cannot_be_a_path_is_refused(place: Place, slug: str) -> None:
    with pytest.raises(InvalidInput):
        await place.repositories.create(SYSTEM, slug)
    assert place.folders.numbers() == []


async def test_settings_change_with_a_version(place: Place) -> None:
    change = RepositoryChange(
        protected=True, settings=Settings(branches=[RefRule(pattern="main", push="maintainer")])
    )
    made = await place.repositories.change(SYSTEM, "tide/app", change, version=0)
    assert made.protected
    assert made.settings.branches[0].pattern == "main"
    with pytest.raises(Conflict) as caught:
        await place.repositories.change(SYSTEM, "tide/app", change, version=0)
    assert caught.value.code == "repository-changed"


async def test_only_an_admin_of_fairway_trusts_a_repository(place: Place) -> None:
    maintainer = await place.people.identity("max")
    with pytest.raises(Forbidden):
        await place.repositories.change(maintainer, "tide/app", RepositoryChange(trusted=True))
    made = await place.repositories.change(SYSTEM, "tide/app", RepositoryChange(trusted=True))
    assert made.trusted
    made = await place.repositories.change(maintainer, "tide/app", RepositoryChange(trusted=False))
    assert not made.trusted


@pytest.mark.parametrize(
    "change",
    [
        RepositoryChange(timeout_s=0),
        RepositoryChange(timeout_s=10**9),
        RepositoryChange(config_path="/etc/passwd"),
        RepositoryChange(config_path="a/../../b"),
        RepositoryChange(config_path=""),
        RepositoryChange(default_branch="a b"),
        RepositoryChange(default_branch=""),
        RepositoryChange(default_branch="a\nref: x"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused(place: Place, change: RepositoryChange) -> None:
    with pytest.raises(InvalidInput):
        await place.repositories.change(SYSTEM, "tide/app", change)


@pytest.mark.parametrize(
    "text",
    [
        '{"unknown": 1}',
        '{"settings": {"unknown": 1}}',
        '{"settings": {"branches": [{"pattern": "x", "pull": "writer"}]}}',
        '{"settings": {"branches": [{"pattern": "x", "push": "everybody"}]}}',
        '{"visibility": "secret"}',
    ],
)
def test_an_unknown_field_or_value_is_an_error(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=RepositoryChange)


async def test_a_new_name_in_the_same_organisation(place: Place) -> None:
    made = await place.repositories.rename(SYSTEM, "tide/app", "boat")
    assert (made.slug, made.name) == ("tide/boat", "boat")
    with pytest.raises(Conflict):
        await place.repositories.rename(SYSTEM, "tide/boat", "lib")
    with pytest.raises(InvalidInput):
        await place.repositories.rename(SYSTEM, "tide/boat", "../x")


async def test_a_removed_repository_is_gone_from_the_disk(place: Place) -> None:
    made = await place.repositories.create(SYSTEM, "tide/new")
    with pytest.raises(Forbidden):
        await place.repositories.delete(await place.people.identity("max"), "tide/new")
    await place.repositories.delete(SYSTEM, "tide/new")
    assert made.id not in place.folders.numbers()
    with pytest.raises(NotFound):
        await place.repositories.delete(SYSTEM, "tide/new")


async def test_nobody_makes_anything_without_a_token(place: Place) -> None:
    with pytest.raises(FairwayError) as caught:
        await place.repositories.create(ANONYMOUS, "tide/x")
    assert caught.value.status == 401
