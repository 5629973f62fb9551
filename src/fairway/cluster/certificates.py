"""Authorities and certificates of a cluster, as PEM. Time is an argument: nothing here reads it."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from fairway.kit.clock import Millis

_DAY: Final = datetime.timedelta(days=1)
# A clock that is set back must not make the authority "not yet valid": it is dated back far.
_AUTHORITY_BACK: Final = 5 * 365 * _DAY
_AUTHORITY_LASTS: Final = 20 * 365 * _DAY
_LEAF_BACK: Final = _DAY
_LEAF_LASTS: Final = 90 * _DAY
_RENEW_BEFORE: Final = 30 * _DAY


class Pair(Struct, frozen=True):
    """A certificate and its key, both PEM."""

    cert: bytes
    key: bytes


class Subject(Struct, frozen=True):
    """Whom a certificate is for: `hosts` are names and addresses at which a server answers."""

    name: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def _moment(at: Millis) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at / 1000, datetime.UTC)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signing_key() -> Pair:
    """A key for tokens (of ServiceAccounts); `cert` is its public half."""
    key = _new_key()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Pair(cert=public, key=_key_pem(key))


def authority(name: str, now: Millis) -> Pair:
    """A new authority that signs for twenty years."""
    key = _new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
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
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(now) - _AUTHORITY_BACK)
        .not_valid_after(_moment(now) + _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(cert=cert.public_bytes(Encoding.PEM), key=_key_pem(key))


def issue(signer: Pair, subject: Subject, now: Millis) -> Pair:
    """A certificate for a server and client, signed by an authority, for ninety days."""
    signing = load_pem_private_key(signer.key, None)
    issuer = x509.load_pem_x509_certificate(signer.cert)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)  # noqa: S101 `authority` made it
    key = _new_key()
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, subject.name))
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if subject.hosts:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(issuer.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(now) - _LEAF_BACK)
        .not_valid_after(_moment(now) + _LEAF_LASTS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
    )
    if subject.hosts:
        alternatives = x509.SubjectAlternativeName(_alternatives(subject.hosts))
        builder = builder.add_extension(alternatives, critical=False)
    cert = builder.sign(signing, hashes.SHA256())
    return Pair(cert=cert.public_bytes(Encoding.PEM), key=_key_pem(key))


def _alternatives(hosts: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for host in hosts:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            found.append(x509.DNSName(host))
    return found


def fits(pair: Pair, signer: Pair, subject: Subject, now: Millis) -> bool:
    """Whether a certificate serves on: signed by this authority, for this subject, and neither
    near its end nor, after the clock was set back, before its beginning.
    """
    try:
        cert = x509.load_pem_x509_certificate(pair.cert)
        issuer = x509.load_pem_x509_certificate(signer.cert)
        cert.verify_directly_issued_by(issuer)
        key = load_pem_private_key(pair.key, None)  # a crash may have left the next one's
        if key.public_key() != cert.public_key():
            return False
    except Exception:  # noqa: BLE001 whatever is wrong with it: it is made anew
        return False
    at = _moment(now)
    if not cert.not_valid_before_utc <= at < cert.not_valid_after_utc - _RENEW_BEFORE:
        return False
    return _subject_of(cert) == (subject.name, subject.groups, frozenset(subject.hosts))


def _subject_of(cert: x509.Certificate) -> tuple[str, tuple[str, ...], frozenset[str]]:
    def texts(oid: x509.ObjectIdentifier) -> list[str]:
        return [str(one.value) for one in cert.subject.get_attributes_for_oid(oid)]

    hosts: set[str] = set()
    for extension in cert.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            hosts = {str(one.value) for one in extension.value}
    name = next(iter(texts(NameOID.COMMON_NAME)), "")
    return name, tuple(texts(NameOID.ORGANIZATION_NAME)), frozenset(hosts)


def authority_serves(pair: Pair, now: Millis) -> bool:
    """Whether an authority can be used now; its end is so far away that it is not renewed."""
    try:
        cert = x509.load_pem_x509_certificate(pair.cert)
        load_pem_private_key(pair.key, None)
    except ValueError:
        return False
    return cert.not_valid_before_utc <= _moment(now) < cert.not_valid_after_utc


def fingerprint(pair: Pair) -> str:
    """Tells one certificate from another."""
    return x509.load_pem_x509_certificate(pair.cert).fingerprint(hashes.SHA256()).hex()[:16]


def expires(pair: Pair) -> Millis:
    """When a certificate ends."""
    cert = x509.load_pem_x509_certificate(pair.cert)
    return Millis(int(cert.not_valid_after_utc.timestamp() * 1000))
