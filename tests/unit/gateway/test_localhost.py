"""The certificate for names under .localhost, and its authority."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from fairway.gateway import localhost, own
from fairway.kit import clock

_DAY = 24 * 3600.0
NONE: frozenset[str] = frozenset()


def text(secret: dict[str, Any], name: str) -> str:
    return base64.b64decode(secret["data"][name]).decode()


def named(secret: dict[str, Any]) -> list[str]:
    certificate = x509.load_pem_x509_certificate(text(secret, "tls.crt").encode())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(one) for one in found.get_values_for_type(x509.DNSName)]


@contextmanager
def later(days: float) -> Iterator[None]:
    began = clock.seconds()
    former = clock.use(lambda: began + days * _DAY)
    try:
        yield
    finally:
        clock.use(former)


def table(*domains: str) -> dict[str, Any]:
    return {"virtual_hosts": [{"domains": [*domains]}]}


def test_names_come_from_routes_and_only_those_that_a_certificate_can_hold() -> None:
    tables = [table("web.localhost", "*.localhost", "*"), table("a.b.localhost", "example.org")]
    assert localhost.names([*tables, table("x" * 250 + ".localhost"), {}]) == {
        "web.localhost", "a.b.localhost",
    }  # fmt: skip


def test_the_certificate_has_the_names_of_routes_beside_the_wildcard() -> None:
    made = localhost.secret(localhost.authority(), {"web.localhost", "api.localhost"})
    assert named(made) == ["localhost", "*.localhost", "api.localhost", "web.localhost"]
    assert made["metadata"]["name"] == own.SECRET
    assert own.ours(made)


async def test_openssl_takes_it_for_a_routes_name_and_no_other(tmp_path: Path) -> None:
    signer = localhost.authority()
    made = localhost.secret(signer, {"web.localhost"})
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text(text(made, name))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    trusting = ssl.create_default_context(cadata=text(made, "ca.crt"))
    assert text(made, "ca.crt") == text(signer, "tls.crt")

    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0, ssl=served)
    async with server:
        port = server.sockets[0].getsockname()[1]

        async def ask(name: str) -> None:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusting, server_hostname=name
            )
            writer.close()

        await ask("web.localhost")
        with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'other\.localhost'"):
            await ask("other.localhost")


async def test_the_authority_signs_for_no_other_names(tmp_path: Path) -> None:
    made = localhost.secret(localhost.authority(), {"bank.example.org"})
    (tmp_path / "leaf").write_text(text(made, "tls.crt"))
    (tmp_path / "ca").write_text(text(made, "ca.crt"))
    child = await asyncio.create_subprocess_exec(
        "openssl", "verify", "-CAfile", str(tmp_path / "ca"), str(tmp_path / "leaf"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await child.communicate()
    assert b"permitted subtree violation" in said


def test_it_is_renewed_for_another_name_authority_or_day_and_somebody_elses_never() -> None:
    signer = localhost.authority()
    found = localhost.secret(signer, {"web.localhost"})
    web = frozenset({"web.localhost"})
    assert localhost.to_renew(None, signer, NONE)
    assert not localhost.to_renew(found, signer, web)
    assert not localhost.to_renew(found, signer, NONE)
    assert localhost.to_renew(found, signer, web | {"api.localhost"})
    assert localhost.to_renew(found, localhost.authority(), web)
    assert localhost.to_renew({**found, "data": {"tls.crt": "bm9uc2Vuc2U="}}, signer, NONE)
    with later(370):
        assert localhost.to_renew(found, signer, web)
        del found["metadata"]["annotations"]
        assert not localhost.to_renew(found, signer, web | {"api.localhost"})


def test_the_authority_lasts_longer_than_what_it_signs() -> None:
    found = localhost.authority()
    assert localhost.authority_to_renew(None)
    assert not localhost.authority_to_renew(found)
    with later(3650 - 397 + 1):
        assert localhost.authority_to_renew(found)
    spoiled = {**found, "data": {}}
    assert localhost.authority_to_renew(spoiled)
    del spoiled["metadata"]["annotations"]
    assert not localhost.authority_to_renew(spoiled)
    with pytest.raises(ValueError, match=r"tls\.crt"):
        localhost.secret(spoiled)


def test_names_stay_until_there_are_too_many() -> None:
    signer = localhost.authority()
    found = localhost.secret(signer, {"old.localhost"})
    new = frozenset({"new.localhost"})
    have: Callable[..., frozenset[str]] = localhost.hosts_to_have
    assert have(found, new) == {"old.localhost", "new.localhost"}
    assert have(None, new) == new
    many = frozenset(f"h{number:03}.localhost" for number in range(200))
    assert have(found, many) == many
    assert len(have(None, many | {"x.localhost"})) == 200
