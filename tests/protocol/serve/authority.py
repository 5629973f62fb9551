"""An authority of our own, and a certificate that it gave: for TLS in tests."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_ONE = datetime.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begun(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _ONE)
        .not_valid_after(now + _ONE)
    )


def write(folder: Path, address: str = "127.0.0.1") -> tuple[Path, Path, Path]:
    """(authority, certificate, key) as PEM files; the certificate is for this machine alone."""
    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    always = x509.BasicConstraints(ca=True, path_length=None)
    authority = _begun("authority", "authority", root).add_extension(always, critical=True)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(address))]
    server = _begun("fairway", "authority", own).add_extension(
        x509.SubjectAlternativeName(names), critical=False
    )
    files = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    for path, made in zip(files, (authority, server), strict=False):
        pem = made.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        path.write_bytes(pem)
    files[2].write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
