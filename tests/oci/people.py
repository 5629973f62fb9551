"""People with rights: `Access` for tests."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from fairway.image.registry.access import Action, Rights
from fairway.model.errors import Unauthenticated


@dataclass
class Person:
    """Rights by the beginning of a repository's name."""

    actor: str
    grants: dict[str, set[str]] = field(default_factory=dict)
    anonymous: bool = False

    async def may(self, name: str, action: Action) -> bool:
        """Whether a grant covers it."""
        return any(name.startswith(p) and action in a for p, a in self.grants.items())

    async def may_tag(self, tag: str) -> bool:
        """Whoever may push may set any tag."""
        del tag
        return True


@dataclass
class People:
    """`Access` with passwords. Removing somebody ends what they may at once."""

    passwords: dict[str, str] = field(
        default_factory=lambda: {"ann": "ann-token", "bob": "bob-token"}
    )

    async def rights(self, authorization: str | None) -> Rights:
        """See Access."""
        if authorization is None:
            return Person("", {"public/": {"pull"}}, anonymous=True)
        login = self._login(authorization)
        if login == "ann":
            return Person("ann", {"": {"pull", "push", "delete"}})
        return Person("bob", {"team/": {"pull", "push"}, "public/": {"pull"}})

    def _login(self, authorization: str) -> str:
        kind, _, value = authorization.partition(" ")
        if kind == "Bearer":
            found = [who for who, password in self.passwords.items() if password == value]
            if found:
                return found[0]
        try:
            login, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            login = password = ""
        if kind != "Basic" or not password or self.passwords.get(login) != password:
            raise Unauthenticated("login or token is wrong")
        return login
