"""A small world of users, organisations and repositories: for tests of who may do what."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from fairway.access.identity import Identity
from fairway.access.tokens import Tokens
from fairway.kit import clock
from fairway.model.repository import Visibility
from fairway.model.role import Role
from fairway.model.token import TokenScope
from fairway.store import organisations, repositories, roles, schema, users
from fairway.store.database import Database


class People:
    """`tide` has app (private), lib (internal) and site (public); `reef` has app (private)."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tokens = Tokens(database)
        self.ids: dict[str, int] = {}
        database.write_now(self._fill)

    def _fill(self, db: Connection) -> None:
        for login in ("ada", "rea", "wim", "max", "non"):
            self.ids[login] = users.create(db, login, admin=login == "ada").id
        tide = organisations.create(db, "tide")
        reef = organisations.create(db, "reef")
        self.ids |= {"tide": tide.id, "reef": reef.id}
        for slug, visibility in (
            ("tide/app", Visibility.PRIVATE),
            ("tide/lib", Visibility.INTERNAL),
            ("tide/site", Visibility.PUBLIC),
            ("reef/app", Visibility.PRIVATE),
        ):
            owner = tide if slug.startswith("tide") else reef
            made = repositories.create(
                db, organisation=owner.id, slug=slug, values={"visibility": visibility}
            )
            self.ids[slug] = made.id
        roles.grant(db, self.ids["rea"], Role.READER, repository_id=self.ids["tide/app"])
        roles.grant(db, self.ids["wim"], Role.WRITER, organisation=tide.id)
        roles.grant(db, self.ids["max"], Role.MAINTAINER, organisation=tide.id)

    def build(self, slug: str, status: str = "running", number: int = 1) -> int:
        def work(db: Connection) -> int:
            query = insert(schema.build).values(
                repository=self.ids[slug],
                number=number,
                event="push",
                status=status,
                created=clock.now(),
            )
            made: int = db.execute(query.returning(schema.build.c.id)).scalar_one()
            return made

        return self.database.write_now(work)

    async def identity(self, login: str, *scopes: TokenScope, only: str | None = None) -> Identity:
        token = await self.tokens.mint(
            self.ids[login],
            name="test",
            scopes=scopes or [TokenScope.ADMIN],
            repository_id=self.ids[only] if only else None,
            actor="test",
        )
        return await self.tokens.verify(token.value)

    async def build_identity(self, slug: str) -> Identity:
        token = await self.tokens.mint_for_build(self.build(slug), expires=clock.now() + 60_000)
        return await self.tokens.verify(token)
