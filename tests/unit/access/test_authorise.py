"""Who may do what: one table."""

from __future__ import annotations

import pytest

from fairway.access.authorise import Access, Action, require_admin, require_runner
from fairway.access.identity import ANONYMOUS, Identity
from fairway.access.scope import scope_of
from fairway.model.errors import FairwayError, Forbidden, NotFound, Unauthenticated
from fairway.model.repository import Visibility
from fairway.model.token import TokenScope
from fairway.store import audit, repositories, roles
from fairway.store import users as user_rows
from fairway.testing.people import People

READ, WRITE, SET = (
    Action.READ_REPOSITORY,
    Action.WRITE_REPOSITORY,
    Action.CONFIGURE_REPOSITORY,
)
OK = None
Case = tuple[str, Action, str, type[FairwayError] | None]
TABLE: list[Case] = [
    ("ada", READ, "tide/app", OK),
    ("ada", Action.DELETE_REPOSITORY, "reef/app", OK),
    ("rea", READ, "tide/app", OK),
    ("rea", WRITE, "tide/app", Forbidden),
    ("rea", READ, "tide/lib", OK),
    ("rea", READ, "tide/site", OK),
    ("rea", READ, "reef/app", NotFound),
    ("rea", WRITE, "reef/app", NotFound),
    ("wim", WRITE, "tide/app", OK),
    ("wim", SET, "tide/app", Forbidden),
    ("wim", READ, "reef/app", NotFound),
    ("max", SET, "tide/app", OK),
    ("max", Action.WRITE_SECRET, "tide/app", OK),
    ("max", Action.DELETE_REPOSITORY, "tide/app", Forbidden),
    ("non", READ, "tide/app", NotFound),
    ("non", READ, "tide/lib", OK),
    ("non", WRITE, "tide/site", Forbidden),
    ("ada", READ, "tide/none", NotFound),
]


async def attempt(
    world: People, identity: Identity, action: Action, slug: str
) -> type[FairwayError] | None:
    try:
        await Access(world.database).require(identity, action, slug)
    except FairwayError as error:
        return type(error)
    return None


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[1].name}-{case[2]}")
async def test_a_role_decides_what_a_user_may_do(world: People, case: Case) -> None:
    login, action, slug, expected = case
    assert await attempt(world, await world.identity(login), action, slug) is expected


@pytest.mark.parametrize(
    ("action", "slug", "expected"),
    [
        (READ, "tide/site", OK),
        (WRITE, "tide/site", Unauthenticated),
        (READ, "tide/lib", Unauthenticated),
        (READ, "tide/none", Unauthenticated),
    ],
)
async def test_nobody_signed_in_reads_only_what_is_public(
    world: People, action: Action, slug: str, expected: type[FairwayError] | None
) -> None:
    assert await attempt(world, ANONYMOUS, action, slug) is expected


async def test_a_token_does_only_what_it_was_made_for(world: People) -> None:
    pull = await world.identity("max", TokenScope.REPO_READ)
    assert await attempt(world, pull, READ, "tide/app") is OK
    assert await attempt(world, pull, WRITE, "tide/app") is Forbidden
    images = await world.identity("max", TokenScope.REGISTRY_PULL)
    assert await attempt(world, images, READ, "tide/app") is Forbidden
    assert await attempt(world, images, READ, "tide/site") is OK


async def test_a_bound_token_sees_one_repository_only_even_an_admins(world: People) -> None:
    for login in ("ada", "max"):
        bound = await world.identity(login, only="tide/app")
        assert await attempt(world, bound, SET, "tide/app") is OK
        assert await attempt(world, bound, READ, "tide/lib") is NotFound
        with pytest.raises(Forbidden):
            require_admin(bound)
        with pytest.raises(Forbidden):
            await world.database.read(audit.listing, scope_of(bound))


async def test_a_builds_credentials_read_its_repository_and_its_house(world: People) -> None:
    build = await world.build_identity("tide/app")
    assert await attempt(world, build, READ, "tide/app") is OK
    assert await attempt(world, build, READ, "tide/lib") is OK
    assert await attempt(world, build, READ, "reef/app") is NotFound
    assert await attempt(world, build, WRITE, "tide/app") is Forbidden
    other = await world.build_identity("reef/app")
    assert await attempt(world, other, READ, "tide/lib") is NotFound
    assert await attempt(world, other, READ, "tide/site") is OK


@pytest.mark.parametrize(
    ("who", "name", "expected"),
    [
        ("build tide/app", "tide/app", "PULL PUSH"),
        ("build tide/app", "tide/app/test", "PULL PUSH"),
        ("build tide/app", "tide/tools", "PULL PUSH"),
        ("build tide/app", "tide/lib", "PULL"),
        ("build tide/app", "reef/app", ""),
        ("build tide/app", "unknown/app", ""),
        ("wim", "tide/tools", "PULL PUSH"),
        ("max", "tide/tools", "PULL PUSH DELETE"),
        ("rea", "tide/app", "PULL"),
        ("rea", "tide/tools", ""),
        ("non", "tide/site", "PULL"),
        ("nobody", "tide/site", "PULL"),
        ("nobody", "tide/lib", ""),
        ("ada", "anything/at/all", "PULL PUSH DELETE"),
    ],
)
async def test_an_images_name_says_who_may_push_it(
    world: People, who: str, name: str, expected: str
) -> None:
    kind, _, slug = who.partition(" ")
    if kind == "build":
        identity = await world.build_identity(slug)
    else:
        identity = ANONYMOUS if who == "nobody" else await world.identity(who)
    granted = await Access(world.database).allowed_on_image(identity, name)
    assert {each.name.removesuffix("_IMAGE") for each in granted} == set(expected.split())


async def test_a_public_image_is_pulled_by_everybody(world: People) -> None:
    granted = await Access(world.database).allowed_on_image(
        ANONYMOUS, "tide/tools", visibility=Visibility.PUBLIC
    )
    assert granted == {Action.PULL_IMAGE}


async def test_lists_show_only_what_the_scope_sees(world: People) -> None:
    seen = {}
    for login in ("ada", "rea", "wim", "non"):
        scope = scope_of(await world.identity(login))
        found = await world.database.read(repositories.listing, scope)
        seen[login] = [each.slug for each in found]
    assert seen == {
        "ada": ["reef/app", "tide/app", "tide/lib", "tide/site"],
        "rea": ["tide/app", "tide/lib", "tide/site"],
        "wim": ["tide/app", "tide/lib", "tide/site"],
        "non": ["tide/lib", "tide/site"],
    }


async def test_only_an_admin_lists_users(world: People) -> None:
    admin = await world.database.read(user_rows.listing, scope_of(await world.identity("ada")))
    other = await world.database.read(user_rows.listing, scope_of(await world.identity("rea")))
    assert len(admin) == 5
    assert [user.login for user in other] == ["rea"]


async def test_a_runners_token_is_for_runners_only(world: People) -> None:
    runner = await world.identity("wim", TokenScope.RUNNER)
    require_runner(runner)
    assert await attempt(world, runner, READ, "tide/app") is Forbidden
    with pytest.raises(Forbidden):
        require_runner(await world.identity("wim"))


async def test_a_revoked_role_ends_at_once(world: People) -> None:
    wim = await world.identity("wim")
    await world.database.write(roles.revoke, world.ids["wim"], organisation=world.ids["tide"])
    assert await attempt(world, wim, READ, "tide/app") is NotFound
