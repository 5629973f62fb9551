"""Kubeconfig files: read one context as a target, and write one that leads through Fairway.

The format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. Fields that Fairway
cannot honour are refused by name; those that mean nothing for a connection are passed over.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from msgspec import Struct, field

from fairway.cluster.target import Target, check
from fairway.kit.secret import Secret
from fairway.model.errors import BadFile, InvalidInput

_LARGEST: Final = 4 * 1024 * 1024


class _Cluster(Struct, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class _User(Struct, rename="kebab"):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    exec: dict[str, Any] | None = None
    auth_provider: dict[str, Any] | None = None
    impersonate: str = field(default="", name="as")


class _Context(Struct):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(Struct):
    name: str
    cluster: _Cluster = field(default_factory=_Cluster)


class _NamedUser(Struct):
    name: str
    user: _User = field(default_factory=_User)


class _NamedContext(Struct):
    name: str
    context: _Context = field(default_factory=_Context)


class _File(Struct, rename={"current": "current-context"}):
    kind: str = "Config"
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current: str = ""


def load(path: Path, context: str = "") -> Target:
    """One context of a file; "" is its current one. Files that it names are read too. Blocks.

    Raises `BadFile` (code `bad-kubeconfig`) and `InvalidInput` (code `bad-cluster`).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _bad(f"cannot be read: {error.strerror}", str(path)) from error
    return read(data, where=str(path), context=context, folder=path.parent)


def read(data: bytes, *, where: str, context: str = "", folder: Path | None = None) -> Target:
    """As `load`; `folder` None: files that it names are refused, since they lie elsewhere."""
    file = _parse(data, where)
    chosen = context or file.current
    if not chosen:
        raise _bad("it has no current context", where, "name one with --context")
    found = _named(file.contexts, chosen, "context", where).context
    cluster = _named(file.clusters, found.cluster, "cluster", where).cluster
    user = _named(file.users, found.user, "user", where).user if found.user else _User()
    _refuse_unsupported(cluster, user, where)
    reader = _Reader(where, folder)
    key = reader.text(user.client_key_data, user.client_key, "client-key")
    token = user.token or reader.text("", user.token_file, "tokenFile").strip()
    target = Target(
        server=cluster.server.rstrip("/"),
        ca=reader.text(
            cluster.certificate_authority_data,
            cluster.certificate_authority,
            "certificate-authority",
        ),
        cert=reader.text(
            user.client_certificate_data, user.client_certificate, "client-certificate"
        ),
        key=Secret(key) if key else None,
        token=Secret(token) if token else None,
        username=user.username,
        password=Secret(user.password) if user.password else None,
        server_name=cluster.tls_server_name,
        insecure=cluster.insecure_skip_tls_verify,
    )
    return check(target, where)


def contexts(data: bytes, where: str) -> list[str]:
    """The names of the contexts in a file. Raises `BadFile`."""
    return [one.name for one in _parse(data, where).contexts or ()]


def written(name: str, target: Target, *, namespace: str = "") -> dict[str, Any]:
    """A kubeconfig of one context, in itself whole. It holds the credentials: mode 0600."""
    cluster: dict[str, Any] = {"server": target.server}
    if target.ca:
        cluster["certificate-authority-data"] = _encoded(target.ca)
    if target.insecure:
        cluster["insecure-skip-tls-verify"] = True
    if target.server_name:
        cluster["tls-server-name"] = target.server_name
    user: dict[str, Any] = {}
    if target.token:
        user["token"] = target.token.reveal()
    if target.cert and target.key:
        user["client-certificate-data"] = _encoded(target.cert)
        user["client-key-data"] = _encoded(target.key.reveal())
    if target.username:
        user["username"] = target.username
        user["password"] = target.password.reveal() if target.password else ""
    context = {"cluster": name, "user": name}
    if namespace:
        context["namespace"] = namespace
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }


class _Reader:
    """The values that are given inline or by a file's name."""

    def __init__(self, where: str, folder: Path | None) -> None:
        self._where, self._folder = where, folder

    def text(self, inline: str, path: str, name: str) -> str:
        """Inline data win, as in client-go."""
        if inline:
            try:
                return base64.b64decode(inline, validate=True).decode()
            except (binascii.Error, ValueError) as error:
                raise _bad(f"{name}-data is not base64 of a text: {error}", self._where) from error
        if not path:
            return ""
        if self._folder is None:
            raise _bad(
                f"{name} names a file of another machine",
                self._where,
                "`kubectl config view --minify --flatten` writes it inline",
            )
        try:
            return (self._folder / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _bad(f"{name}: {path} cannot be read: {error}", self._where) from error


def _parse(data: bytes, where: str) -> _File:
    if len(data) > _LARGEST:
        raise _bad(f"it is larger than {_LARGEST} bytes", where)
    try:
        file = msgspec.yaml.decode(data, type=_File)
    except (msgspec.MsgspecError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else "not YAML"
        raise _bad(f"no kubeconfig can be read from it: {first}", where) from error
    if file.kind != "Config":
        raise _bad(f"it is of kind {file.kind!r}, not Config", where)
    return file


def _named(items: Any, name: str, what: str, where: str) -> Any:
    for item in items or ():
        if item.name == name:
            return item
    known = ", ".join(item.name for item in items or ()) or "none"
    raise _bad(f"it has no {what} {name!r}", where, f"it has: {known}")


def _refuse_unsupported(cluster: _Cluster, user: _User, where: str) -> None:
    instead = "make a ServiceAccount with a token in that cluster and use its kubeconfig"
    for name, value, remedy in (
        ("exec", user.exec, instead),
        ("auth-provider", user.auth_provider, instead),
        ("as", user.impersonate, "use the credentials of the user that is meant"),
        ("proxy-url", cluster.proxy_url, "give an address that this machine reaches itself"),
    ):
        if value:
            raise InvalidInput(
                f"{name} is not supported: Fairway runs no foreign program for credentials and"
                " speaks to a cluster directly",
                code="unsupported-credentials",
                where=where,
                remedy=remedy,
            )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _bad(message: str, where: str, remedy: str = "") -> BadFile:
    return BadFile(
        message,
        code="bad-kubeconfig",
        where=where,
        remedy=remedy or "`kubectl config view --minify --flatten` writes a good one",
    )
