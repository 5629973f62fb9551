"""Teams, and who may do what in which environment."""

from __future__ import annotations

from litestar import delete, get, post, put
from litestar.params import JSONBody

from fairway.access import delivering
from fairway.access import teams as access
from fairway.api import cursors, guard, shown
from fairway.api.services import Cursor, Limit, Svc, Text, Who, Word
from fairway.client.wire import who as wire
from fairway.client.wire.common import Page
from fairway.store import teams


@get("/teams", summary="List teams")
async def list_teams(
    *, services: Svc, who: Who, limit: Limit = 50, cursor: Cursor = ""
) -> Page[wire.Team]:
    """With their members, for those signed in."""
    guard.signed_in(who)
    after = cursors.decode_int(cursor) or 0
    found = await services.database.read(teams.listing, after=after, limit=limit)
    return cursors.page([shown.team(one) for one in found], limit, found[-1].id if found else None)


@post("/teams", summary="Add a team")
async def create_team(*, services: Svc, who: Who, data: JSONBody[wire.TeamCreate]) -> wire.Team:
    """For admins."""
    return shown.team(await services.database.write(access.create, who, data.name))


@delete("/teams/{team:str}", summary="Remove a team")
async def delete_team(*, services: Svc, who: Who, team: Word) -> None:
    """And the rights that came by it. For admins."""
    await services.database.write(access.remove, who, team)


@put("/teams/{team:str}/members/{login:str}", summary="Add a member")
async def add_member(*, services: Svc, who: Who, team: Word, login: Word) -> wire.Team:
    """For admins."""
    return shown.team(await services.database.write(access.add, who, team, login))


@delete("/teams/{team:str}/members/{login:str}", summary="Remove a member", status_code=200)
async def remove_member(*, services: Svc, who: Who, team: Word, login: Word) -> wire.Team:
    """For admins."""
    return shown.team(await services.database.write(access.leave, who, team, login))


@get("/rights", summary="List rights in environments")
async def list_rights(*, services: Svc, who: Who, delivery: Text = "") -> Page[wire.Right]:
    """All, or those in one delivery, for those signed in."""
    found = await services.database.read(delivering.listing, who, delivery=delivery)
    return Page(items=list(map(shown.right, found)))


@put("/rights", summary="Give a right in an environment")
async def grant_right(*, services: Svc, who: Who, data: JSONBody[wire.RightSet]) -> wire.Right:
    """For admins."""
    made = await services.database.write(
        delivering.grant, who, holder=data.holder, action=data.action, place=data.place
    )
    return shown.right(made)


@post("/rights/revoke", summary="Take a right away", status_code=204)
async def revoke_right(*, services: Svc, who: Who, data: JSONBody[wire.RightSet]) -> None:
    """For admins."""
    await services.database.write(
        delivering.revoke, who, holder=data.holder, action=data.action, place=data.place
    )


ROUTES = [
    list_teams,
    create_team,
    delete_team,
    add_member,
    remove_member,
    list_rights,
    grant_right,
    revoke_right,
]
