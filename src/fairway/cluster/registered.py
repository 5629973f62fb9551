"""Registered clusters: Secrets in Argo CD's format, to and from what we make of them. Pure.

The format (label `argocd.argoproj.io/secret-type: cluster`; `name`, `server`, `config` as JSON,
`namespaces`, `clusterResources`, `project`, `shard`) is described at
https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters. What cannot
be honoured is refused by name; a Secret that cannot be used is listed with the reason.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from fairway.cluster.target import Target, check
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError, InvalidInput

LABEL: Final = "argocd.argoproj.io/secret-type"
NAMESPACE: Final = "fairway-system"
NAMESPACES: Final = (NAMESPACE, "argocd")  # where they are looked for; we write to the first only
HOME_SERVER: Final = "https://kubernetes.default.svc"  # Argo CD's name for the cluster it is in
HOME_NAME: Final = "in-cluster"  # and its other one
NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class _Tls(Struct, rename="camel"):
    insecure: bool = False
    server_name: str = ""
    ca_data: str = ""
    cert_data: str = ""
    key_data: str = ""


class _Config(Struct, rename="camel"):
    bearer_token: str = ""
    username: str = ""
    password: str = ""
    tls_client_config: _Tls | None = None
    exec_provider_config: dict[str, Any] | None = None
    aws_auth_config: dict[str, Any] | None = None
    proxy_url: str = ""
    disable_compression: bool = False  # we ask for none


class Registered(Struct, frozen=True, kw_only=True):
    """A cluster as its Secret says it. `target` is None where `problem` says why."""

    name: str
    server: str
    secret: str  # namespace/name
    target: Target | None = None
    problem: FairwayError | None = None
    namespaces: tuple[str, ...] = ()  # () is all of them
    cluster_resources: bool = False  # besides those namespaces
    project: str = ""
    shard: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> bool:
        """Whether it only adds to what is known of the home cluster, as in Argo CD."""
        return self.server == HOME_SERVER

    @property
    def ours(self) -> bool:
        """Whether Fairway may remove it: it lies where we write."""
        return self.secret.partition("/")[0] == NAMESPACE


def from_secret(item: Mapping[str, Any]) -> Registered:
    """What a Secret says. Never raises: what is wrong is its `problem`."""
    meta = item.get("metadata") or {}
    place = f"{meta.get('namespace', '')}/{meta.get('name', '')}"
    try:
        data = _decoded(item.get("data") or {}, place)
    except InvalidInput as error:
        return Registered(name=str(meta.get("name", "")), server="", secret=place, problem=error)
    server = data.get("server", "").strip().rstrip("/")
    found = Registered(
        name=data.get("name", "").strip() or server or str(meta.get("name", "")),
        server=server,
        secret=place,
        namespaces=tuple(_words(data.get("namespaces", ""))),
        cluster_resources=data.get("clusterResources", "") == "true",
        project=data.get("project", ""),
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
    )
    try:
        shard = _shard(data.get("shard", ""), place)
        target = None if found.home else _target(server, data.get("config", ""), place)
    except InvalidInput as error:
        return msgspec.structs.replace(found, problem=error)
    return msgspec.structs.replace(found, shard=shard, target=target)


def to_secret(
    name: str,
    target: Target,
    *,
    namespaces: tuple[str, ...] = (),
    cluster_resources: bool = False,
    project: str = "",
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The Secret of a cluster. Raises `InvalidInput` for a name that can be none."""
    check_name(name)
    values: dict[str, str] = {
        "name": name,
        "server": target.server,
        "config": msgspec.json.encode(_config(target)).decode(),
    }
    if namespaces:
        values["namespaces"] = ",".join(namespaces)
        values["clusterResources"] = "true" if cluster_resources else "false"
    if project:
        values["project"] = project
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": secret_name(name),
            "namespace": NAMESPACE,
            "labels": {**(labels or {}), LABEL: "cluster"},
        },
        "data": {
            key: base64.b64encode(text.encode()).decode("ascii") for key, text in values.items()
        },
    }


def secret_name(name: str) -> str:
    """The Secret's name: legible, and no two clusters have one."""
    word = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:40]
    return f"cluster-{word}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def check_name(name: str) -> str:
    """The name itself. Raises `InvalidInput` (code `bad-cluster-name`)."""
    if not NAME.fullmatch(name) or name == HOME_NAME:
        raise InvalidInput(
            f"{name[:80]!r} cannot name a cluster",
            code="bad-cluster-name",
            remedy="use at most 63 letters, digits, hyphens, dots and underscores, with a letter or"
            f" digit at the ends; {HOME_NAME} is the home cluster's",
        )
    return name


def _config(target: Target) -> dict[str, Any]:
    tls: dict[str, Any] = {"insecure": target.insecure}
    if target.server_name:
        tls["serverName"] = target.server_name
    for name, text in (
        ("caData", target.ca),
        ("certData", target.cert),
        ("keyData", target.key.reveal() if target.key else ""),
    ):
        if text:
            tls[name] = base64.b64encode(text.encode()).decode("ascii")
    config: dict[str, Any] = {"tlsClientConfig": tls}
    if target.token:
        config["bearerToken"] = target.token.reveal()
    if target.username:
        config["username"] = target.username
        config["password"] = target.password.reveal() if target.password else ""
    return config


def _target(server: str, text: str, place: str) -> Target:
    where = f"{place}:config"
    config = _parsed(text, where)
    for name, value in (
        ("execProviderConfig", config.exec_provider_config),
        ("awsAuthConfig", config.aws_auth_config),
        ("proxyUrl", config.proxy_url),
    ):
        if value:
            raise InvalidInput(
                f"{name} is not supported",
                code="unsupported-credentials",
                where=where,
                remedy="give a bearer token of a ServiceAccount, or a client certificate",
            )
    tls = config.tls_client_config or _Tls()
    key = _pem(tls.key_data, "keyData", where)
    target = Target(
        server=server,
        ca=_pem(tls.ca_data, "caData", where),
        cert=_pem(tls.cert_data, "certData", where),
        key=Secret(key) if key else None,
        token=Secret(config.bearer_token) if config.bearer_token else None,
        username=config.username,
        password=Secret(config.password) if config.password else None,
        server_name=tls.server_name,
        insecure=tls.insecure,
    )
    return check(target, where)


def _parsed(text: str, where: str) -> _Config:
    try:
        return msgspec.json.decode(text or "{}", type=_Config)
    except msgspec.MsgspecError as error:
        raise InvalidInput(
            f"not as Argo CD has it: {error}", code="bad-cluster", where=where
        ) from None


def _decoded(data: Mapping[str, Any], place: str) -> dict[str, str]:
    found = {}
    for key, value in data.items():
        try:
            found[str(key)] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, ValueError):
            raise InvalidInput(
                "its value is not base64 of a text", code="bad-cluster", where=f"{place}:{key}"
            ) from None
    return found


def _pem(text: str, name: str, where: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidInput(
            "it is not base64 of PEM", code="bad-cluster", where=f"{where}.tlsClientConfig.{name}"
        ) from None


def _shard(text: str, place: str) -> int | None:
    if not text:
        return None
    if not text.isdigit():
        raise InvalidInput("it is no number", code="bad-cluster", where=f"{place}:shard")
    return int(text)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
