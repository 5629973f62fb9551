"""The certificate for names under .localhost, and the authority that signs it. Pure but for making
keys.

Browsers take `*.localhost`; OpenSSL takes no wildcard below a name of one part, so every name that
a route has stands in the certificate besides. The authority may sign for names under .localhost and
for nothing else: whoever trusts it trusts no other site by it.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairway.gateway.own import NAMESPACE, SECRET, marked, ours
from fairway.kit import clock

AUTHORITY: Final = "fairway-localhost-ca"
_DOMAIN: Final = ".localhost"
_ALWAYS: Final = ("localhost", "*.localhost")
_MOST: Final = 200  # names: each is in every handshake
_LONGEST: Final = 253
_DAY: Final = datetime.timedelta(days=1)
_VALID: Final = 397 * _DAY  # browsers take no more
_AUTHORITY_VALID: Final = 3650 * _DAY
_RENEW: Final = 30 * _DAY
_BACK: Final = datetime.timedelta(hours=1)


def names(tables: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The names under .localhost in Envoy's route tables, without wildcards."""
    return frozenset(
        domain
        for table in tables
        for host in table.get("virtual_hosts", ())
        for domain in host.get("domains", ())
        if domain.endswith(_DOMAIN) and "*" not in domain and len(domain) <= _LONGEST
    )


def authority() -> dict[str, Any]:
    """A new authority, as a Secret."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("Fairway on this machine: names under .localhost")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    only = x509.NameConstraints([x509.DNSName("localhost")], None)
    public = key.public_key()
    made = (
        _certificate(name, name, public, _AUTHORITY_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(only, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _secret(AUTHORITY, made, key, made)


def secret(signer: Mapping[str, Any], hosts: Iterable[str] = ()) -> dict[str, Any]:
    """A new certificate for these names, signed by an authority's Secret, as a Secret.

    Raises ValueError where the authority cannot sign.
    """
    issuer, issuing = _pair(signer)
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = [x509.DNSName(host) for host in (*_ALWAYS, *sorted(hosts))]
    made = (
        _certificate(_named("Fairway on this machine"), issuer.subject, key.public_key(), _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.public_key()),
            critical=False,
        )
        .sign(issuing, hashes.SHA256())
    )
    return _secret(SECRET, made, key, issuer)


def authority_to_renew(found: Mapping[str, Any] | None) -> bool:
    """Whether the authority is missing, or ours and spoiled or near its end."""
    if found is None:
        return True
    if not ours(found):
        return False
    try:
        certificate, _ = _pair(found)
    except ValueError:
        return True
    return certificate.not_valid_after_utc - _VALID < _now()


def hosts_to_have(found: Mapping[str, Any] | None, hosts: frozenset[str]) -> frozenset[str]:
    """The names that a certificate is to have: what it has stays, as long as that is not too much.

    Several gateways of one cluster see a new route at different times: they agree in the end.
    """
    union = hosts | (_hosts_of(found) if found is not None else frozenset())
    return frozenset(sorted(union if len(union) <= _MOST else hosts)[:_MOST])


def to_renew(
    found: Mapping[str, Any] | None, signer: Mapping[str, Any], hosts: frozenset[str]
) -> bool:
    """Whether the certificate is missing, or ours and of another authority, without some of these
    names, or near its end.
    """
    if found is None:
        return True
    if not ours(found):
        return False
    try:
        certificate, _ = _pair(found)
        certificate.verify_directly_issued_by(_pair(signer)[0])
    except (ValueError, TypeError, InvalidSignature):
        return True
    ends = certificate.not_valid_after_utc - _RENEW
    return ends < _now() or not hosts <= _hosts_of(found)


def _hosts_of(found: Mapping[str, Any]) -> frozenset[str]:
    """The names of a certificate but those that each has."""
    try:
        extensions = _pair(found)[0].extensions
        held = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return frozenset()
    return frozenset(held.get_values_for_type(x509.DNSName)) - {*_ALWAYS}


def _pair(found: Mapping[str, Any]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Raises ValueError."""
    try:
        chain, pem = (base64.b64decode(found["data"][name]) for name in ("tls.crt", "tls.key"))
        key = serialization.load_pem_private_key(pem, None)
    except (KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("its key is on no elliptic curve")  # noqa: TRY004 the value is bad
    return x509.load_pem_x509_certificate(chain), key


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    lasts: datetime.timedelta,
) -> x509.CertificateBuilder:
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACK)
        .not_valid_after(now + lasts)
    )


def _secret(
    name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate
) -> dict[str, Any]:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    encoding = serialization.Encoding.PEM
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, **marked()},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": _base64(made.public_bytes(encoding)),
            "tls.key": _base64(pem),
            "ca.crt": _base64(issuer.public_bytes(encoding)),
        },
    }


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _now() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(clock.seconds(), datetime.UTC)
