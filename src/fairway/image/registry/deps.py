"""What the registry is made of, and what every endpoint gets."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.blob.blob import Blobs
from fairway.image.registry.access import Access, Action
from fairway.image.registry.errors import RegistryError
from fairway.image.registry.http import Request
from fairway.image.registry.login import Asker, Login
from fairway.oci import reference
from fairway.store.database import Database


@dataclass(frozen=True)
class Deps:
    """Everything that `registry_app` needs."""

    db: Database
    blobs: Blobs
    access: Access
    key: bytes  # 32 bytes, the same in every process of a system: it seals registry tokens
    realm: str = ""  # the external URL for the token service; "": the one that was asked
    behind_proxy: bool = False  # believe X-Forwarded-Proto and -Host when telling the realm
    service: str = "fairway"
    uploads_at_once: int = 256  # bodies being received; more get 429

    def login(self) -> Login:
        """Its authentication."""
        return Login(
            self.access,
            self.key,
            realm=self.realm,
            service=self.service,
            behind_proxy=self.behind_proxy,
        )


@dataclass
class Call:
    """One request to one repository."""

    deps: Deps
    login: Login
    request: Request
    asker: Asker
    name: str

    async def need(self, action: Action, name: str = "") -> None:
        """Raise RegistryError unless the asker may do this."""
        await self.login.check(self.request, self.asker, name or self.name, action)

    async def may(self, action: Action, name: str) -> bool:
        """Whether the asker may, with the token at hand."""
        try:
            await self.need(action, name)
        except RegistryError:
            return False
        return True


def check_name(name: str) -> str:
    """The name itself. Raises RegistryError (NAME_INVALID)."""
    if not reference.is_name(name):
        raise RegistryError(
            "NAME_INVALID",
            f"{name[:80]!r} is not a repository's name: lower-case letters, digits, `.`, `_`, `-`,"
            f" and `/` between parts, {reference.LONGEST_NAME} characters at most",
            detail={"name": name[:300]},
        )
    return name
