"""`kind: secret`: secrets that the file itself names, encrypted in place or kept elsewhere.

`data` is base64 of a 12-byte nonce and an AES-256-GCM ciphertext under the repository's key. `get`
names a path and field of an external store, which the system asks.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from fairway.kit.secret import Secret
from fairway.model.errors import BadFile
from fairway.pipeline.compile.documents import Document
from fairway.pipeline.compile.fields import Fields
from fairway.pipeline.compile.finding import Findings

_NONCE: Final = 12


class SecretDocument(Struct, frozen=True, kw_only=True):
    """A secret of the file: `data` (encrypted), or `path` and `key` of an external store."""

    name: str
    data: str = ""
    path: str = ""
    key: str = ""
    line: int = 0


def read_secrets(documents: list[Document], findings: Findings) -> list[SecretDocument]:
    """The secrets of a file. `data` may also be a map of several names (Drone 1.0's form)."""
    result: list[SecretDocument] = []
    for document in documents:
        if document.kind != "secret":
            continue
        fields = Fields(document.node, "", findings)
        data = fields.raw("data")
        if data is not None and data.kind == "map":
            result.extend(
                SecretDocument(name=name, data=text, line=data.line)
                for name, text in fields.words("data").items()
            )
        else:
            result.append(_one(document, fields))
    return result


def _one(document: Document, fields: Fields) -> SecretDocument:
    where = fields.section("get")
    if not document.name:
        fields.refuse(document.node, "a secret needs a name", code="bad-secret")
    if fields.raw("data") is None and where is None:
        fields.refuse(document.node, "a secret needs `data` or `get`", code="bad-secret")
    return SecretDocument(
        name=document.name,
        data=fields.text("data"),
        path=where.text("path") if where else "",
        key=where.text("name") or where.text("key") if where else "",
        line=document.node.line,
    )


def decrypt(data: str, key: bytes, *, where: str = "") -> Secret:
    """The secret of a document's `data`. `key` has 32 bytes. Raises `BadFile` (`bad-secret`)."""
    try:
        raw = base64.b64decode("".join(data.split()), validate=True)
        plain = AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], None)
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise BadFile(
            "the secret's data cannot be decrypted with this repository's key",
            where=where,
            code="bad-secret",
            remedy="Encrypt it anew for this repository.",
        ) from error
    return Secret(plain.decode("utf-8", "replace"))


def encrypt(text: Secret, key: bytes) -> str:
    """The `data` of a secret document."""
    nonce = os.urandom(_NONCE)
    return base64.b64encode(
        nonce + AESGCM(key).encrypt(nonce, text.reveal().encode(), None)
    ).decode()
