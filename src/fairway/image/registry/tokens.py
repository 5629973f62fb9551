"""Registry tokens: a client's own credentials, sealed with the scopes it asked for and an end.

Nothing is stored and nothing can outlive its credentials: at each use they are opened and asked
again. So a build's token that ends takes every registry token made from it along.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from fairway.image.registry.access import Action
from fairway.kit import clock
from fairway.model.errors import Unauthenticated

LIFETIME_S: Final = 300
REFRESH_S: Final = 30 * 24 * 3600
_PREFIX: Final = "fwr_"
_NONCE: Final = 12
_ABOUT: Final = b"fairway registry token 1"


class Statement(Struct, frozen=True):
    """What a token says."""

    authorization: str | None
    scopes: dict[str, list[str]]  # repository name to actions; a refresh token has none
    expires: int

    def covers(self, name: str, action: Action) -> bool:
        """Whether it was made for this."""
        return action in self.scopes.get(name, ())


class Seal:
    """Makes and opens tokens with one key, 32 bytes, that every process of a system shares."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def make(self, what: Statement) -> str:
        """A token."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._cipher.encrypt(nonce, msgspec.json.encode(what), _ABOUT)
        return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, token: str) -> Statement | None:
        """What a token says; None when it is not one of ours.

        Raises Unauthenticated (`registry-token-expired`, `registry-token-bad`).
        """
        if not token.startswith(_PREFIX):
            return None
        try:
            raw = base64.b64decode(token.removeprefix(_PREFIX), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _ABOUT)
            what = msgspec.json.decode(plain, type=Statement)
        except (binascii.Error, ValueError, InvalidTag, msgspec.DecodeError) as error:
            raise Unauthenticated(
                "the registry token is not one of ours", code="registry-token-bad"
            ) from error
        if what.expires < clock.now():
            raise Unauthenticated(
                "the registry token has expired",
                code="registry-token-expired",
                remedy="ask /v2/token for another",
            )
        return what


def parse_scope(text: str) -> tuple[str, list[str]] | None:
    """`repository:NAME:pull,push` as name and actions; None for other kinds of resources."""
    kind, _, rest = text.partition(":")
    name, _, actions = rest.rpartition(":")
    if kind.partition("(")[0] != "repository" or not name:
        return None
    return name, [one for one in actions.split(",") if one]
