"""The certificate of our Kubernetes address: from an authority of our own, renewed. Blocks."""

from __future__ import annotations

import ssl
from pathlib import Path

from fairway.cluster import certificates
from fairway.cluster.certificates import Pair, Subject
from fairway.kit import clock
from fairway.kit.files import replace_private

_NAME = "fairway-kubernetes"
_SERVER = "fairway-kubernetes-server"  # OpenSSL takes one of its issuer's name for self-signed


class Certificate:
    """An authority, which kubeconfigs name, and what it has issued. In a folder of mode 0700."""

    def __init__(self, folder: Path, hosts: tuple[str, ...]) -> None:
        self._folder = folder
        self._subject = Subject(_SERVER, (), tuple(sorted(set(hosts))))

    def ensure(self) -> bool:
        """Have an authority and a certificate that serves on. Returns whether one was made."""
        now = clock.now()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        signer = self._read("ca")
        if signer is None or not certificates.authority_serves(signer, now):
            signer = certificates.authority(_NAME, now)
            self._write("ca", signer)
        known = self._read("server")
        if known is not None and certificates.fits(known, signer, self._subject, now):
            return False
        self._write("server", certificates.issue(signer, self._subject, now))
        return True

    def authority(self) -> str:
        """The authority's certificate, for kubeconfigs. `ensure` comes first."""
        return (self._folder / "ca.crt").read_text(encoding="ascii")

    def load_into(self, context: ssl.SSLContext) -> None:
        """Serve with the certificate of now: new connections get a renewed one at once."""
        context.load_cert_chain(self._folder / "server.crt", self._folder / "server.key")

    def context(self) -> ssl.SSLContext:
        """How the server speaks TLS. `ensure` comes first."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self.load_into(context)
        return context

    def _read(self, name: str) -> Pair | None:
        try:
            cert = (self._folder / f"{name}.crt").read_bytes()
            return Pair(cert, (self._folder / f"{name}.key").read_bytes())
        except OSError:
            return None

    def _write(self, name: str, pair: Pair) -> None:
        for suffix, data in (("key", pair.key), ("crt", pair.cert)):
            replace_private(self._folder / f"{name}.{suffix}", data)
