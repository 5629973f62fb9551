"""How a Kubernetes API is reached: what can be right, and what is refused."""

from __future__ import annotations

import ssl

import pytest

from fairway.cluster import certificates
from fairway.cluster.certificates import Subject
from fairway.cluster.target import Target, check, tls_context
from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput

AUTHORITY = certificates.authority("test", clock.now())
PAIR = certificates.issue(AUTHORITY, Subject("admin", ("system:masters",)), clock.now())


def target(**given: object) -> Target:
    values = {"server": "https://10.1.2.3:6443", "ca": AUTHORITY.cert.decode(), **given}
    return Target(**values)  # type: ignore[arg-type]


def test_an_address_is_cut_into_its_parts() -> None:
    found = target(server="https://[fd00::1]/k8s/one/")
    assert (found.host, found.port, found.prefix, found.tls) == ("fd00::1", 443, "/k8s/one", True)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"token": Secret("abc")}, "Bearer abc"),
        ({"username": "u", "password": Secret("p")}, "Basic dTpw"),
        ({"username": "u"}, "Basic dTo="),
        ({}, ""),
    ],
)
def test_the_credentials_that_are_sent(given: dict[str, object], sent: str) -> None:
    assert target(**given).authorization == sent


def test_a_client_certificate_is_loaded_from_memory() -> None:
    found = target(cert=PAIR.cert.decode(), key=Secret(PAIR.key.decode()))
    context = tls_context(check(found, "here"))
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_who_says_insecure_gets_no_look_at_the_certificate() -> None:
    context = tls_context(target(ca="", insecure=True))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"server": "ftp://x"}, "no address"),
        ({"server": "https://"}, "no address"),
        ({"server": "https://u:p@x"}, "no address"),
        ({"server": "https://x:99999"}, "no address"),
        ({"server": "https://x?y=1"}, "no address"),
        ({"cert": "x"}, "belong together"),
        ({"key": Secret("x")}, "belong together"),
        ({"insecure": True}, "exclude each other"),
        ({"server": "http://far", "token": Secret("t")}, "in the clear"),
        ({"ca": "no PEM"}, "certificates cannot be used"),
        ({"cert": "no PEM", "key": Secret("x")}, "certificates cannot be used"),
    ],
)
def test_what_can_reach_nothing_is_refused_with_its_place(
    given: dict[str, object], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        check(target(**given), "the file")
    assert (caught.value.code, caught.value.where) == ("bad-cluster", "the file")


def test_a_token_may_go_to_loopback_without_tls() -> None:
    assert check(Target(server="http://127.0.0.1:8001", token=Secret("t")), "x").tls is False
