"""Secrets: written, sealed, bound, handed to the one stage that may have them; never read back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from sqlalchemy import Connection

from fairway.access.keyring import secret_place
from fairway.kit.secret import Secret
from fairway.model.build import Build
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.secret import Binding, Sealed, SecretFacts
from fairway.pipeline import bindings
from fairway.pipeline.graph import StageGraph
from fairway.store import audit
from fairway.store import secrets as rows
from fairway.store.database import Database

_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,254}")
_LARGEST: Final = 256 * 1024


class Sealer(Protocol):
    """The keyring: seals for one place, opens only there."""

    current: str

    def seal(self, value: Secret | bytes, *, place: str) -> bytes:
        """Seal with the current key."""
        ...

    def open(self, sealed: bytes, *, place: str) -> Secret:
        """The value. Raises `Unavailable`."""
        ...


class Secrets:
    """The secrets of repositories, organisations and of all."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self.sealer = sealer

    async def put(
        self,
        name: str,
        value: Secret,
        *,
        organisation: int | None = None,
        repository_id: int | None = None,
        binding: Binding | None = None,
        actor: str,
    ) -> SecretFacts:
        """Write a secret, in place of the one of that name. Raises `InvalidInput`."""
        plain = checked_name(name)
        if not value or len(value.reveal()) > _LARGEST:
            raise InvalidInput(
                f"the value of secret {plain!r} must have 1 to {_LARGEST} characters",
                code="bad-secret",
            )
        sealed = self.sealer.seal(value, place=secret_place(organisation, repository_id, plain))
        bound = binding or Binding()

        def work(db: Connection) -> SecretFacts:
            made = rows.put(
                db,
                plain,
                sealed,
                self.sealer.current,
                organisation=organisation,
                repository_id=repository_id,
                binding=bound,
            )
            subject = secret_place(organisation, repository_id, plain)
            audit.append(db, actor, "secret.put", subject, after=bound)
            return made

        return await self._database.write(work)

    async def remove(
        self,
        name: str,
        *,
        organisation: int | None = None,
        repository_id: int | None = None,
        actor: str,
    ) -> None:
        """Delete a secret. Raises `NotFound`."""
        plain = checked_name(name)

        def work(db: Connection) -> None:
            if not rows.remove(db, plain, organisation=organisation, repository_id=repository_id):
                raise NotFound(f"there is no secret {plain!r} here", code="secret-not-found")
            subject = secret_place(organisation, repository_id, plain)
            audit.append(db, actor, "secret.remove", subject)

        await self._database.write(work)

    async def listing(
        self, *, organisation: int | None = None, repository_id: int | None = None
    ) -> list[SecretFacts]:
        """What secrets one place has, without their values."""
        return await self._database.read(
            rows.listing, organisation=organisation, repository_id=repository_id
        )

    async def for_stage(
        self, ancestry: Sequence[Build], graph: StageGraph
    ) -> tuple[StageGraph, dict[str, str]]:
        """The graph with what its steps may not have left out, and the values of the rest.

        Raises `Unavailable` when a value cannot be opened.
        """
        asked = sorted({name.lower() for name in graph.secrets} | bindings.used_by(graph))
        if not asked:
            return graph, {}
        found = await self._database.read(rows.reaching, ancestry[0].repository, asked)
        facts = bindings.facts_of(ancestry)
        given = bindings.precedent(found, facts)
        graph = bindings.bound(graph, {name: one.facts for name, one in given.items()}, facts)
        left = bindings.used_by(graph)
        values = {name: self._open(one) for name, one in given.items() if name in left}
        used = [one.facts.id for name, one in given.items() if name in values]
        if used:
            await self._database.write(rows.used, used)
        return graph, values

    def _open(self, sealed: Sealed) -> str:
        facts = sealed.facts
        place = secret_place(facts.organisation, facts.repository, facts.name)
        return self.sealer.open(sealed.sealed, place=place).reveal()


def checked_name(name: str) -> str:
    """A secret's name in lower case. Raises `InvalidInput`."""
    plain = name.lower()
    if not _NAME.fullmatch(plain):
        raise InvalidInput(
            f"{name[:80]!r} cannot be the name of a secret",
            code="bad-secret-name",
            remedy="letters, digits, _ . and -, at most 255",
        )
    return plain
