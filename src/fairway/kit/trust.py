"""Whom TLS trusts.

Reading a machine's authorities takes some 40 ms of processor time, in which an event loop would
stand still; a client of httpx reads them whatever it is for. So they are read once.
"""

from __future__ import annotations

import functools
import ssl
from pathlib import Path


@functools.cache
def authorities() -> ssl.SSLContext:
    """Trust in this machine's authorities. The first call blocks; a change of them counts from
    the next start on.

    SSL_CERT_FILE and SSL_CERT_DIR name others, as for OpenSSL. A machine that has none at all (no
    package ca-certificates) gets those of certifi.
    """
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not _has_folder():
        import certifi  # noqa: PLC0415 hardly ever

        context.load_verify_locations(certifi.where())
    return context


def _has_folder() -> bool:
    """Whether authorities lie in a folder, from which OpenSSL reads those that it is shown."""
    folder = Path(ssl.get_default_verify_paths().capath or "/nowhere")  # None: it is not there
    return folder.is_dir() and any(folder.iterdir())


@functools.cache
def nobody() -> ssl.SSLContext:
    """Trust in nobody: for what is asked in the clear or over a Unix socket. TLS fails with it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def for_address(url: str) -> ssl.SSLContext:
    """What a client needs that asks this address alone, and follows no redirect elsewhere."""
    return authorities() if url[:8].lower() == "https://" else nobody()
