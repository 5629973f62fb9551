"""Whom TLS trusts: read once, and never nobody by mistake."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.kit import trust


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    trust.authorities.cache_clear()
    yield
    trust.authorities.cache_clear()


def test_authorities_are_read_once() -> None:
    assert trust.authorities() is trust.authorities()


def test_certificates_and_names_are_checked_by_both() -> None:
    for context in (trust.authorities(), trust.nobody()):
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert not trust.nobody().get_ca_certs()


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("https://fairway.example", True),
        ("HTTPS://fairway.example/x", True),
        ("http://127.0.0.1:8480", False),
        ("http://https://x", False),
        ("", False),
    ],
)
def test_only_an_address_that_is_asked_by_tls_needs_authorities(url: str, checked: bool) -> None:
    expected = trust.authorities() if checked else trust.nobody()
    assert trust.for_address(url) is expected


def test_a_machine_without_authorities_gets_those_of_certifi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    for folder in (tmp_path, tmp_path / "missing"):
        trust.authorities.cache_clear()
        monkeypatch.setenv("SSL_CERT_DIR", str(folder))
        assert trust.authorities().cert_store_stats()["x509_ca"] > 50


def test_authorities_in_a_folder_are_read_when_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "01234567.0").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trust.authorities().cert_store_stats()["x509_ca"] == 0
