"""Sealing: AES-256-GCM with keys from a file of mode 0600, or given by the environment.

A sealed value starts with a version byte and the id of its key, so that old keys can be read while
a rotation re-seals. The place (`secret/repository/7/token`) is authenticated with it: a value moved
to another row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable

_VERSION: Final = 1
_NONCE: Final = 12
_KEY: Final = 32
_ID: Final = 8


class _File(Struct, forbid_unknown_fields=True):
    current: str
    keys: dict[str, str]  # id -> base64


class Keyring:
    """Seals and opens. Safe to share between threads."""

    def __init__(self, keys: dict[str, bytes], current: str, path: Path | None = None) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._use(keys, current)

    def _use(self, keys: dict[str, bytes], current: str) -> None:
        self._raw = dict(keys)
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self.current = current

    def seal(self, value: Secret | bytes, *, place: str) -> bytes:
        """Seal a value for one place, with the current key, also where others have rotated it."""
        if _stamp(self._path) != self._stamp:
            self._read_again()
        plain = value.reveal().encode() if isinstance(value, Secret) else value
        nonce = secrets.token_bytes(_NONCE)
        head = bytes([_VERSION]) + self.current.encode().ljust(_ID)
        body = self._keys[self.current].encrypt(nonce, plain, head + place.encode())
        return head + nonce + body

    def open(self, sealed: bytes, *, place: str) -> Secret:
        """The value as text. Raises `Unavailable` (code `key-missing` or `key-wrong`)."""
        return Secret(self.open_bytes(sealed, place=place).decode())

    def open_bytes(self, sealed: bytes, *, place: str) -> bytes:
        """The value as bytes. Raises as `open`."""
        name = key_id(sealed)
        if name not in self._keys:
            self._read_again()
        if name not in self._keys:
            raise Unavailable(
                f"{place} is sealed with the key {name}, which is not in the keyring",
                code="key-missing",
                remedy="give back the key file (or environment key) that it was sealed with;"
                " a backup holds it",
            )
        head, rest = sealed[: 1 + _ID], sealed[1 + _ID :]
        try:
            return self._keys[name].decrypt(rest[:_NONCE], rest[_NONCE:], head + place.encode())
        except InvalidTag:
            raise Unavailable(
                f"{place} does not open with the key {name}: it was changed, moved, or sealed"
                " with another key of that name",
                code="key-wrong",
                remedy="restore the row and the key file from one backup, or set the value again",
            ) from None

    def rotate(self) -> str:
        """Make a new current key; old ones stay for reading. Returns its id.

        Then re-seal every value and `retire` the old ones. Raises `InvalidInput` for a keyring
        that the environment gave.
        """
        path = self._own_path()
        key = secrets.token_bytes(_KEY)
        name = _id_of(key)
        _save(path, {**self._raw, name: key}, name)
        self._use({**self._raw, name: key}, name)
        self._stamp = _stamp(path)
        return name

    def reseal(self, sealed: bytes, *, place: str) -> bytes | None:
        """The value sealed with the current key; None when it is already."""
        if key_id(sealed) == self.current:
            return None
        return self.seal(self.open_bytes(sealed, place=place), place=place)

    def retire(self) -> list[str]:
        """Drop all keys but the current. Only after every value was re-sealed."""
        path = self._own_path()
        gone = [name for name in self._raw if name != self.current]
        self._use({self.current: self._raw[self.current]}, self.current)
        _save(path, self._raw, self.current)
        self._stamp = _stamp(path)
        return gone

    def _own_path(self) -> Path:
        if self._path is None:
            raise InvalidInput(
                "the key comes from the environment: it cannot be changed here",
                code="key-from-environment",
                remedy="give `NEW,OLD` there: the first seals, all of them open; restart, re-seal,"
                " then leave OLD out",
            )
        return self._path

    def _read_again(self) -> None:
        """Another process may have rotated."""
        if self._path is not None and self._path.is_file():
            stamp = _stamp(self._path)
            self._use(*_load(self._path))
            self._stamp = stamp


def open_keyring(path: Path, given: Secret | None = None) -> Keyring:
    """The keyring of the environment's key, or of the file, made at the first start.

    `given` is one base64 key of 32 bytes or several with commas: the first seals. Raises
    `InvalidInput` (code `bad-key`).
    """
    if given:
        keys = [_decoded(text.strip(), "the environment's key") for text in _parts(given)]
        named = {_id_of(key): key for key in keys}
        return Keyring(named, _id_of(keys[0]))
    if not path.exists():
        key = secrets.token_bytes(_KEY)
        _save(path, {_id_of(key): key}, _id_of(key), only_new=True)
    return Keyring(*_load(path), path)


def key_id(sealed: bytes) -> str:
    """Which key sealed this. Raises `Unavailable` (code `sealed-broken`)."""
    if len(sealed) < 1 + _ID + _NONCE or sealed[0] != _VERSION:
        raise Unavailable(
            "a sealed value is cut or of an unknown version",
            code="sealed-broken",
            remedy="restore it from a backup, or set the value again",
        )
    return sealed[1 : 1 + _ID].decode("ascii", "replace").strip()


def secret_place(organisation: int | None, repository: int | None, name: str) -> str:
    """The place of a row of `secret`."""
    if repository is not None:
        return f"secret/repository/{repository}/{name}"
    if organisation is not None:
        return f"secret/organisation/{organisation}/{name}"
    return f"secret/global/{name}"


def repository_place(repository: int, column: str) -> str:
    """The place of a sealed column of `repository`."""
    return f"repository/{repository}/{column}"


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """What changes with the key file: it is replaced, never written in place."""
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns)


def _parts(given: Secret) -> list[str]:
    return [part for part in given.reveal().split(",") if part.strip()]


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"fairway key " + key).hexdigest()[:_ID]


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY:
        raise InvalidInput(
            f"{where} is not 32 bytes in base64",
            code="bad-key",
            remedy="make one with `openssl rand -base64 32`",
        )
    return key


def _load(path: Path) -> tuple[dict[str, bytes], str]:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise InvalidInput(
            f"{path} can be read by others (mode {mode:o})",
            code="key-file-open",
            remedy=f"chmod 600 {path}; if others could read it, rotate the key",
        )
    try:
        data = msgspec.json.decode(path.read_bytes(), type=_File)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"{path} is no key file: {error}",
            code="bad-key",
            remedy="restore it from a backup; without it no secret opens",
        ) from error
    keys = {name: _decoded(text, f"key {name} of {path}") for name, text in data.keys.items()}
    if data.current not in keys:
        raise InvalidInput(
            f"{path} lacks its current key {data.current}",
            code="bad-key",
            remedy="restore it from a backup",
        )
    return keys, data.current


def _save(path: Path, keys: dict[str, bytes], current: str, *, only_new: bool = False) -> None:
    """Write the file atomically. `only_new`: a file that another process made meanwhile stays."""
    encoded = {name: base64.b64encode(key).decode() for name, key in keys.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(_File(current=current, keys=encoded)))
            file.flush()
            os.fsync(file.fileno())
        if only_new:
            if not path.exists():
                path.hardlink_to(temporary)
        else:
            temporary.replace(path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def stage_place(stage: int) -> str:
    """What a stage's own credential is sealed for."""
    return f"stage/{stage}/credential"
