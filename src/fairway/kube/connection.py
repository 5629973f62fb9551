"""How to reach one API server, and as whom: read from a kubeconfig, or given field by field."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import Cluster, NameValue, User, UserExec
from lightkube.core.exceptions import ConfigError
from msgspec import Struct, structs

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput

_V1: Final = "client.authentication.k8s.io/v1"
_V1BETA1: Final = "client.authentication.k8s.io/v1beta1"
_ALONE: Final = {"interactive": False}  # nobody is there to be asked


class Connection(Struct, frozen=True, kw_only=True):
    """One API server and one identity there.

    `ca`, `certificate` and `key` are PEM. Of token file, token, `plugin` (a kubeconfig's `exec`)
    and password the first one given is used, beside the certificate where there is one.
    """

    server: str
    ca: bytes = b""  # b"" trusts what the machine trusts
    certificate: bytes = b""
    key: Secret | None = None
    token_file: str = ""  # read again when the server no longer takes what was in it
    token: Secret | None = None
    plugin: UserExec | None = None
    username: str = ""
    password: Secret | None = None
    insecure: bool = False
    server_name: str = ""  # the name in the server's certificate where it is not the host's
    proxy: str = ""
    namespace: str = "default"


def bad(message: str) -> InvalidInput:
    """The error for a kubeconfig that cannot be used."""
    return InvalidInput(
        message, code="bad-kubeconfig", remedy="Correct the kubeconfig, or name another context."
    )


def from_file(path: Path, context: str = "") -> Connection:
    """A context of a kubeconfig file; "" is its current one. Blocks. Raises `InvalidInput`."""
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise bad(f"the kubeconfig {path} cannot be read: {error}") from error
    return from_kubeconfig(config, context, folder=path.parent)


def from_kubeconfig(config: Any, context: str = "", *, folder: Path | None = None) -> Connection:
    """A context of a kubeconfig's content; "" is its current one.

    Files that it names are read now, relative to `folder`. Raises `InvalidInput`.
    """
    try:
        found = KubeConfig.from_dict(config).get(context or None)
    except (ConfigError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise bad(f"the kubeconfig does not fit: {error}") from error
    if found is None:
        raise bad("the kubeconfig has no current context")
    return _connection(found, _cluster_of(config, found.context.cluster), folder)


def _cluster_of(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The cluster's own map: lightkube does not know all its fields."""
    for each in config["clusters"]:
        if each["name"] == name:
            return dict(each["cluster"])
    return {}


def _connection(found: SingleConfig, more: Mapping[str, Any], folder: Path | None) -> Connection:
    cluster, user = found.cluster, found.user or User()
    if user.auth_provider:
        raise bad("the kubeconfig uses auth-provider, which Kubernetes 1.26 dropped: use exec")
    key = _pem(user.client_key_data, user.client_key, folder)
    token_file = user.token_file or ""
    return Connection(
        server=cluster.server.rstrip("/"),
        ca=_pem(cluster.certificate_auth_data, cluster.certificate_auth, folder),
        certificate=_pem(user.client_cert_data, user.client_cert, folder),
        key=Secret(key.decode()) if key else None,
        token_file=str(_path(token_file, folder)) if token_file else "",
        token=Secret(user.token) if user.token else None,
        plugin=_placed(user.exec, folder),
        username=user.username or "",
        password=Secret(user.password) if user.password else None,
        insecure=cluster.insecure,
        server_name=str(more.get("tls-server-name") or ""),
        proxy=str(more.get("proxy-url") or ""),
        namespace=found.namespace,
    )


def _placed(plugin: UserExec | None, folder: Path | None) -> UserExec | None:
    """A plugin's command is relative to the kubeconfig if it has a slash, else looked up."""
    if plugin is None or "/" not in plugin.command:
        return plugin
    return structs.replace(plugin, command=str(_path(plugin.command, folder)))


def _path(name: str, folder: Path | None) -> Path:
    path = Path(name)
    if path.is_absolute():
        return path
    if folder is None:
        raise bad(f"the kubeconfig names the file {name} relative to a folder that is not known")
    return folder / path


def _pem(data: str | None, name: str | None, folder: Path | None) -> bytes:
    """PEM from base64 or from a file; b"" for neither."""
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise bad(f"the kubeconfig has data that is not base64: {error}") from error
    if not name:
        return b""
    try:
        return _path(name, folder).read_bytes()
    except OSError as error:
        raise bad(f"the kubeconfig names a file that cannot be read: {error}") from error


def lightkube_config(connection: Connection) -> tuple[Cluster, User]:
    """The same in lightkube's terms."""
    return (
        Cluster(
            server=connection.server,
            certificate_auth_data=_base64(connection.ca),
            insecure=connection.insecure,
        ),
        User(
            client_cert_data=_base64(connection.certificate),
            client_key_data=_base64((_reveal(connection.key) or "").encode()),
            token_file=connection.token_file or None,
            token=_reveal(connection.token),
            exec=_with_info(connection.plugin),
            username=connection.username or None,
            password=_reveal(connection.password),
        ),
    )


def _with_info(plugin: UserExec | None) -> UserExec | None:
    """The plugin, told which version is spoken: `v1` wants to know, and lightkube knows none."""
    if plugin is None:
        return None
    info = {"apiVersion": plugin.apiVersion, "kind": "ExecCredential", "spec": _ALONE}
    told = NameValue(name="KUBERNETES_EXEC_INFO", value=msgspec.json.encode(info).decode())
    version = _V1BETA1 if plugin.apiVersion == _V1 else plugin.apiVersion
    return structs.replace(plugin, apiVersion=version, env=[*(plugin.env or ()), told])


def _base64(data: bytes) -> str | None:
    return base64.b64encode(data).decode("ascii") if data else None


def _reveal(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None
