"""What a pipeline file needs beside itself: its repository's signing key, templates it loads."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import Connection

from fairway.access.keyring import repository_place
from fairway.kit.secret import Secret
from fairway.kit.yaml import compose, entries
from fairway.model.errors import BadFile
from fairway.model.repository import Repository
from fairway.model.scope import SYSTEM
from fairway.pipeline.compile import signature
from fairway.pipeline.compile.documents import cut
from fairway.pipeline.draft import Sources
from fairway.pipeline.secrets import Sealer
from fairway.store import repositories
from fairway.store.alone import alone
from fairway.store.database import Database

SIGNING_KEY: Final = "signing_key"
_MAX_TEMPLATES: Final = 20


class FileSignatures:
    """`draft.Signatures` with each repository's own key."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def signed(self, repository_id: int, text: str) -> bool:
        """Whether the file carries a right signature. Without a key none is right."""
        sealed = await self._database.read(repositories.sealed, repository_id, SIGNING_KEY)
        if sealed is None:
            return False
        key = self._sealer.open(sealed, place=repository_place(repository_id, SIGNING_KEY))
        return signature.is_signed(text, key.reveal().encode())

    async def sign(self, repository_id: int, text: str) -> tuple[str, str]:
        """The file with its signature, and the signature alone. The first use makes the key."""
        place = repository_place(repository_id, SIGNING_KEY)
        fresh = self._sealer.seal(Secret(secrets.token_hex(32)), place=place)

        def work(db: Connection) -> bytes:
            alone(db, place)  # of two that are the first to sign, the second signs with that key
            known = repositories.sealed(db, repository_id, SIGNING_KEY)
            if known is None:
                repositories.seal(db, repository_id, SIGNING_KEY, fresh)
            return known or fresh

        sealed = await self._database.write(work)
        key = self._sealer.open(sealed, place=place).reveal().encode()
        return signature.sign(text, key), signature.digest(text, key)

    async def set_key(self, repository_id: int, key: Secret | None) -> None:
        """Give a repository its key, or take it away."""
        place = repository_place(repository_id, SIGNING_KEY)
        sealed = None if key is None else self._sealer.seal(key, place=place)

        def work(db: Connection) -> None:
            repositories.seal(db, repository_id, SIGNING_KEY, sealed)

        await self._database.write(work)


class TemplateFiles:
    """`draft.Templates` from a repository of the same organisation, at its default branch."""

    def __init__(self, database: Database, sources: Sources) -> None:
        self._database = database
        self._sources = sources

    async def templates(self, repository: Repository, text: str) -> dict[str, str]:
        """The files that `kind: template` documents name, as far as they are there."""
        names = loaded(text)
        if not names:
            return {}
        name = repository.settings.template_repository or "templates"
        slug = name if "/" in name else f"{repository.namespace}/{name}"
        if not slug.startswith(f"{repository.namespace}/"):
            return {}
        holder = await self._database.read(repositories.by_slug, SYSTEM, slug)
        if holder is None:
            return {}
        sha = await self._sources.resolve(holder.id, f"refs/heads/{holder.default_branch}")
        if sha is None:
            return {}
        found = {name: await self._sources.config(holder.id, sha, name) for name in names}
        return {name: file for name, file in found.items() if file is not None}


def loaded(text: str) -> list[str]:
    """Names of the templates that a file loads. What cannot be read loads nothing."""
    if "template" not in text:
        return []
    try:
        documents = [compose(part.text) for part in cut(text)]
        fields = [entries(node) for node in documents if node is not None and node.kind == "map"]
    except BadFile:
        return []
    names = [
        found["load"][1].text
        for found in fields
        if "kind" in found and found["kind"][1].text == "template" and "load" in found
    ]
    return list(dict.fromkeys(name for name in names if name))[:_MAX_TEMPLATES]
