"""Credentials of repositories and registries, from Secrets as Argo CD has them in its namespace.

A Secret labelled `argocd.argoproj.io/secret-type: repository` is for one address, one labelled
`repo-creds` for all that begin with its address: the longest wins. A repository without credentials
of its own has those of the prefix.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from fairway.kit.secret import Secret
from fairway.kube import Kube
from fairway.kube.kind import SECRET
from fairway.kube.page import Selection
from fairway.model.errors import InvalidInput

LABEL: Final = "argocd.argoproj.io/secret-type"
KINDS: Final = ("repository", "repo-creds")
_FRESH_S: Final = 5.0
_NOT_YET: Final = (
    "sshPrivateKey",
    "tlsClientCertData",
    "tlsClientCertKey",
    "githubAppPrivateKey",
    "githubAppID",
    "gcpServiceAccountKey",
    "proxy",
)


class Credentials(Struct, frozen=True, kw_only=True):
    """How to speak to a repository. Without a password nobody is logged in."""

    user: str = ""
    password: Secret | None = None
    oci: bool = False  # a chart repository that is a registry
    plain: bool = False  # a registry may speak plain HTTP
    insecure: bool = False  # its certificate is not checked

    @property
    def auth(self) -> Secret | None:
        """What a registry's client takes."""
        if self.password is None:
            return None
        pair = {"username": self.user, "password": self.password.reveal()}
        return Secret(json.dumps(pair))


class Entry(Struct, frozen=True, kw_only=True):
    """What a Secret says."""

    url: str
    prefix: bool
    credentials: Credentials
    refused: str = ""  # a field that is not supported yet


Lookup = Callable[[str], Awaitable[Credentials]]


def bare(url: str) -> str:
    """An address as it is compared: in lower case, without `oci://`, `.git` and `/` at its ends."""
    found = url.strip().lower().removeprefix("oci://").rstrip("/")
    return found.removesuffix(".git")


def read(secret: Mapping[str, Any]) -> Entry | None:
    """A Secret's entry; None for one that is none."""
    meta = secret.get("metadata") or {}
    kind = (meta.get("labels") or {}).get(LABEL)
    values = {name: _decoded(one) for name, one in (secret.get("data") or {}).items()}
    if kind not in KINDS or not values.get("url"):
        return None
    password = values.get("password") or values.get("bearerToken") or ""
    return Entry(
        url=bare(values["url"]),
        prefix=kind == "repo-creds",
        credentials=Credentials(
            user=values.get("username", ""),
            password=Secret(password) if password else None,
            oci=values.get("enableOCI") == "true" or values.get("type") == "oci",
            plain=values.get("insecureOCIForceHttp") == "true",
            insecure=values.get("insecure") == "true",
        ),
        refused=next((name for name in _NOT_YET if values.get(name)), ""),
    )


def _decoded(data: Any) -> str:
    try:
        return base64.b64decode(str(data)).decode("utf-8", "replace").strip()
    except (binascii.Error, ValueError):
        return ""


def chosen(entries: Iterable[Entry], url: str) -> Credentials:
    """What to use for an address.

    Raises `InvalidInput` (`credentials-field`) where that has a field that is not supported yet.
    """
    wanted = bare(url)
    all_ = list(entries)
    own = next((one for one in all_ if not one.prefix and one.url == wanted), None)
    prefixes = [one for one in all_ if one.prefix and _begins(wanted, one.url)]
    wide = max(prefixes, key=lambda one: len(one.url), default=None)
    for one in (own, wide):
        if one is not None and one.refused:
            raise InvalidInput(
                f"the credentials of {url} have {one.refused}, which is not supported yet",
                code="credentials-field",
            )
    if own is None:
        return wide.credentials if wide else Credentials()
    found = own.credentials
    if found.password is None and wide is not None:
        found = replace(found, user=wide.credentials.user, password=wide.credentials.password)
    return found


def _begins(url: str, prefix: str) -> bool:
    """Whether an address begins with another; its host is never only begun."""
    return url.startswith(prefix) and _host(url) == _host(prefix)


def _host(url: str) -> str:
    return url.rpartition("://")[2].partition("/")[0]


class HubCredentials:
    """The Secrets of the installation's namespace, as they were a few seconds ago at most."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._selection = Selection(namespace=namespace, labels=f"{LABEL} in ({','.join(KINDS)})")
        self._entries: list[Entry] = []
        self._read_at: float | None = None

    async def __call__(self, url: str) -> Credentials:
        """What to use for an address. Raises as `Kube.list`, and as `chosen`."""
        now = asyncio.get_running_loop().time()
        if self._read_at is None or now - self._read_at > _FRESH_S:
            secrets = await self._kube.list(SECRET, self._selection)
            self._entries = [entry for one in secrets if (entry := read(one)) is not None]
            self._read_at = now
        return chosen(self._entries, url)
