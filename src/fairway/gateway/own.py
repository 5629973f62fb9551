"""What an installation makes in its cluster: a class, a Gateway for everybody, a certificate. Pure
but for making keys.

They are made where they are missing, and changed only while they are ours (an annotation says so)
and the settings say otherwise. Whoever wants another Gateway or certificate of that name keeps it.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairway.gateway.snapshot import CLASS, CONTROLLER, INGRESS_CONTROLLER
from fairway.kit import clock

NAMESPACE: Final = "fairway-system"
NAME: Final = "fairway"
SECRET: Final = "fairway-localhost"  # noqa: S105 the name of a Secret, not its content
MARK: Final = "fairway.dev/made-by"
_HOSTS: Final = ("localhost", "*.localhost")
_VALID: Final = datetime.timedelta(days=397)  # browsers take no more
_RENEW: Final = datetime.timedelta(days=30)
_MARKED: Final = {"annotations": {MARK: "fairway"}}


def gateway_class() -> dict[str, Any]:
    """The GatewayClass whose Gateways are ours."""
    return {
        "metadata": {"name": CLASS, **_MARKED},
        "spec": {
            "controllerName": CONTROLLER,
            "description": "Gateways that Fairway serves by Envoy",
        },
    }


def ingress_class() -> dict[str, Any]:
    """The IngressClass whose Ingresses are ours; the cluster's default."""
    notes = {**_MARKED["annotations"], "ingressclass.kubernetes.io/is-default-class": "true"}
    return {
        "metadata": {"name": CLASS, "annotations": notes},
        "spec": {"controller": INGRESS_CONTROLLER},
    }


def namespace() -> dict[str, Any]:
    """Where our own objects are."""
    return {"metadata": {"name": NAMESPACE}}


def gateway(http_port: int, https_port: int) -> dict[str, Any]:
    """The Gateway that every namespace may attach routes to, for all hosts."""
    everybody = {"namespaces": {"from": "All"}}
    tls = {"mode": "Terminate", "certificateRefs": [{"name": SECRET}]}
    http = {"name": "http", "port": http_port, "protocol": "HTTP", "allowedRoutes": everybody}
    https = {
        "name": "https",
        "port": https_port,
        "protocol": "HTTPS",
        "tls": tls,
        "allowedRoutes": everybody,
    }
    return {
        "metadata": {"name": NAME, "namespace": NAMESPACE, **_MARKED},
        "spec": {"gatewayClassName": CLASS, "listeners": [http, https]},
    }


def ours(found: Mapping[str, Any]) -> bool:
    """Whether an object in the cluster was made by an installation and is still its own."""
    return MARK in (found["metadata"].get("annotations") or {})


def to_write(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether to write an object: it is missing, or ours with other settings."""
    if found is None:
        return True
    return ours(found) and not _within(wanted.get("spec", {}), found.get("spec", {}))


def _within(wanted: Any, found: Any) -> bool:
    """Whether everything that we say is so; the API server adds defaults."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_within(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        same = len(wanted) == len(found)
        return same and all(_within(*pair) for pair in zip(wanted, found, strict=True))
    return bool(wanted == found)


def secret() -> dict[str, Any]:
    """A new certificate for names under .localhost, signed by its own key.

    Browsers warn of it once; whoever has a better one puts it in the same Secret, without our mark.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fairway on this machine")])
    now = _now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in _HOSTS]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    return {
        "metadata": {"name": SECRET, "namespace": NAMESPACE, **_MARKED},
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": _base64(chain), "tls.key": _base64(pem)},
    }


def to_renew(found: Mapping[str, Any] | None) -> bool:
    """Whether the certificate is missing, or ours and near its end."""
    if found is None:
        return True
    if not ours(found):
        return False
    try:
        chain = base64.b64decode(found["data"]["tls.crt"])
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc - _RENEW < _now()
    except (KeyError, ValueError):
        return True


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _now() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(clock.seconds(), datetime.UTC)
