"""A Kubernetes API: where it is, whom we trust there, and as whom we come. Pure but for TLS."""

from __future__ import annotations

import base64
import os
import ssl
from urllib.parse import urlsplit

from msgspec import Struct

from fairway.kit.net import is_loopback
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput

_HTTPS_PORT = 443
_HTTP_PORT = 80


class Target(Struct, frozen=True, kw_only=True):
    """One API server and one identity there. Certificates and keys are PEM texts."""

    server: str  # https://host[:port][/prefix]
    ca: str = ""  # whom to trust; "" is the machine's authorities
    cert: str = ""  # a client certificate, with `key`
    key: Secret | None = None
    token: Secret | None = None
    username: str = ""
    password: Secret | None = None
    server_name: str = ""  # the name in its certificate, where it differs from the host
    insecure: bool = False  # do not look at its certificate at all

    @property
    def tls(self) -> bool:
        """Whether it is spoken to by TLS."""
        return urlsplit(self.server).scheme == "https"

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.server).hostname or ""

    @property
    def port(self) -> int:
        """The port."""
        return urlsplit(self.server).port or (_HTTPS_PORT if self.tls else _HTTP_PORT)

    @property
    def prefix(self) -> str:
        """What comes before `/api` in its paths; "" mostly."""
        return urlsplit(self.server).path.rstrip("/")

    @property
    def authorization(self) -> str:
        """The `Authorization` header that we send; "" where a certificate says who we are."""
        if self.token:
            return f"Bearer {self.token.reveal()}"
        if self.username:
            password = self.password.reveal() if self.password else ""
            pair = f"{self.username}:{password}".encode()
            return "Basic " + base64.b64encode(pair).decode("ascii")
        return ""


def check(target: Target, where: str) -> Target:
    """The target itself. Raises `InvalidInput` (code `bad-cluster`) for what can reach nothing."""
    parts = urlsplit(target.server)
    try:
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.username is not None or parts.query or parts.fragment:
        raise _bad(f"{target.server[:200]!r} is no address of a Kubernetes API", where)
    if bool(target.cert) != bool(target.key):
        raise _bad("a client certificate and its key belong together", where)
    if target.insecure and target.ca:
        raise _bad("`insecure` and an authority exclude each other", where)
    if not target.tls and target.authorization and not is_loopback(target.host):
        raise _bad("credentials would be sent in the clear: the address must be https", where)
    tls_context(target, where)
    return target


def tls_context(target: Target, where: str = "") -> ssl.SSLContext | None:
    """How to speak TLS to it; None for plain HTTP. Raises `InvalidInput` for unusable PEM."""
    if not target.tls:
        return None
    try:
        context = _trusting(target)
        if target.ca:  # an authority may be a leaf that is trusted itself
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if target.cert and target.key:
            _load_pair(context, target.cert + "\n" + target.key.reveal())
    except (ssl.SSLError, ValueError, OSError) as error:
        raise _bad(f"its certificates cannot be used: {error}", where) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting(target: Target) -> ssl.SSLContext:
    if not target.insecure:
        return ssl.create_default_context(cadata=target.ca or None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _load_pair(context: ssl.SSLContext, pem: str) -> None:
    """OpenSSL reads a pair from a file only: one that has no name and ends with this call."""
    handle = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        os.write(handle, pem.encode())
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def _bad(what: str, where: str) -> InvalidInput:
    return InvalidInput(
        what,
        code="bad-cluster",
        where=where,
        remedy="`kubectl config view --minify --flatten` shows what a kubeconfig says",
    )
