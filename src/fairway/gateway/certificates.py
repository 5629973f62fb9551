"""Certificates that Envoy will take: one that it refuses would hold up its whole listener."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fairway.gateway.objects.meta import part
from fairway.gateway.snapshot import Object

TLS_SECRET: Final = "kubernetes.io/tls"  # noqa: S105 - the name of a type
_LEAST_RSA: Final = 2048  # Envoy refuses smaller ones
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")  # and other curves


class Pair(NamedTuple):
    """A certificate chain and its key, as PEM text."""

    chain: str
    key: str


def pair_of(secret: Object) -> Pair | str:
    """The pair in a Secret of type kubernetes.io/tls, or what is wrong with it."""
    if (found := secret.get("type")) != TLS_SECRET:
        return f"its type is {found or 'Opaque'}, not {TLS_SECRET}"
    try:
        data = part(secret, "data")
        chain, key = (base64.b64decode(data[name]).decode() for name in ("tls.crt", "tls.key"))
    except KeyError as error:
        return f"it has no {error.args[0]}"
    except (ValueError, TypeError, AttributeError):
        return "its data is not PEM text in base64"
    return _problem(chain, key) or Pair(chain, key)


@lru_cache(maxsize=1024)
def _problem(chain: str, key: str) -> str:
    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
        private = load_pem_private_key(key.encode(), None)
        public = leaf.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return f"its certificate or key cannot be read: {error}"
    if public != private.public_key():
        return "its key does not belong to its certificate"
    match public:
        case rsa.RSAPublicKey() if public.key_size >= _LEAST_RSA:
            return ""
        case ec.EllipticCurvePublicKey() if public.curve.name in _CURVES:
            return ""
        case _:
            return f"its key is neither RSA of {_LEAST_RSA} bits nor on {', '.join(_CURVES)}"


@lru_cache(maxsize=256)
def authority_problem(bundle: str) -> str:
    """Why a bundle of authorities cannot be used, or an empty text."""
    try:
        found = x509.load_pem_x509_certificates(bundle.encode())
    except ValueError as error:
        return f"its ca.crt cannot be read: {error}"
    return "" if found else "its ca.crt holds no certificate"
