"""`kind: signature`: an HMAC-SHA256 of all other documents, which proves who wrote the file."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from fairway.kit.yaml import compose, entries
from fairway.model.errors import BadFile
from fairway.pipeline.compile.documents import Part, cut

_KIND: Final = "signature"


def digest(text: str, key: bytes) -> str:
    """The hexadecimal HMAC of a file's documents, those of kind signature left out."""
    code = hmac.new(key, digestmod=hashlib.sha256)
    for part in cut(text):
        if _field(part, "kind") != _KIND:
            code.update(part.text.encode())
    return code.hexdigest()


def sign(text: str, key: bytes) -> str:
    """The file with its signature at the end, in place of any former one."""
    parts = [part for part in cut(text) if _field(part, "kind") != _KIND]
    body = "".join(f"---\n{part.text}" for part in parts)
    return f"{body}---\nkind: signature\nhmac: {digest(body, key)}\n\n...\n"


def is_signed(text: str, key: bytes) -> bool:
    """Whether the file holds a signature that is right."""
    wanted = digest(text, key)
    found = [_field(part, "hmac") for part in cut(text) if _field(part, "kind") == _KIND]
    return any(hmac.compare_digest(code.lower(), wanted) for code in found if code.isascii())


def _field(part: Part, key: str) -> str:
    """A text of a document's top; "" where the document cannot be read or has none."""
    try:
        node = compose(part.text)
        pair = entries(node).get(key) if node is not None and node.kind == "map" else None
    except BadFile:
        return ""
    return pair[1].text if pair and pair[1].kind == "scalar" else ""
