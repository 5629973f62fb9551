"""Certificates: made once, renewed in time, right again after the clock was set."""

import ssl
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from fairway.cluster import certificates, plan
from fairway.cluster.certificates import Pair, Subject
from fairway.cluster.layout import Layout
from fairway.cluster.pki import ACCOUNTS, KUBECONFIGS, Pki, leaves
from fairway.kit.clock import Millis
from fairway.model.errors import Unavailable

DAY = 24 * 3600 * 1000
NOW = Millis(1_795_000_000_000)
PLAN = plan.choose("one", "local", [])


def later(days: float) -> Millis:
    return Millis(int(NOW + days * DAY))


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(Layout(tmp_path, tmp_path / "run"), PLAN)


def test_the_first_time_all_are_made_and_then_none(pki: Pki) -> None:
    assert sorted(pki.ensure(NOW)) == sorted(leaves(PLAN))
    assert pki.ensure(NOW) == []
    assert pki.ensure(later(59)) == []


def test_they_are_renewed_a_month_before_their_end(pki: Pki) -> None:
    pki.ensure(NOW)
    before = pki.fingerprints()
    assert sorted(pki.ensure(later(61))) == sorted(leaves(PLAN))
    after = pki.fingerprints()
    assert all(before[name] != after[name] for name in before)
    pair = pki.read("apiserver")
    assert pair is not None
    assert certificates.expires(pair) > later(150)


def test_authorities_and_the_key_of_service_accounts_stay(pki: Pki) -> None:
    pki.ensure(NOW)
    before = [pki.read(name) for name in ("ca", "etcd-ca", "front-ca", ACCOUNTS)]
    pki.ensure(later(10 * 365))
    assert [pki.read(name) for name in ("ca", "etcd-ca", "front-ca", ACCOUNTS)] == before


def test_a_clock_that_was_set_back_gets_certificates_that_are_valid_then(pki: Pki) -> None:
    pki.ensure(NOW)
    made = pki.ensure(later(-400))
    assert sorted(made) == sorted(leaves(PLAN))
    assert pki.ensure(later(-400)) == []
    assert sorted(pki.ensure(NOW)) == sorted(leaves(PLAN))


@pytest.mark.parametrize("years", [-6, 21])
def test_a_clock_outside_the_authorities_life_is_an_error_that_says_so(
    pki: Pki, years: int
) -> None:
    pki.ensure(NOW)
    with pytest.raises(Unavailable) as raised:
        pki.ensure(later(years * 365))
    assert raised.value.code == "clock-before-authority"
    assert pki.ensure(NOW) == []


def test_a_key_that_does_not_belong_to_its_certificate_is_replaced(pki: Pki) -> None:
    """A crash between the two writes."""
    pki.ensure(NOW)
    other = pki.read("scheduler")
    assert other is not None
    pki.path("apiserver", "key").write_bytes(other.key)
    assert pki.ensure(NOW) == ["apiserver"]


def test_a_torn_or_foreign_certificate_is_replaced(pki: Pki) -> None:
    pki.ensure(NOW)
    pki.path("proxy", "crt").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    stranger = certificates.issue(certificates.authority("other", NOW), Subject("etcd"), NOW)
    pki.path("etcd", "crt").write_bytes(stranger.cert)
    pki.path("etcd", "key").write_bytes(stranger.key)
    assert sorted(pki.ensure(NOW)) == ["etcd", "proxy"]


def test_one_whose_addresses_changed_is_replaced(tmp_path: Path, pki: Pki) -> None:
    pki.ensure(NOW)
    other = plan.cut(IPv4Network("10.7.0.0/16"), PLAN.id, "local")
    made = Pki(Layout(tmp_path, tmp_path / "run"), other).ensure(NOW)
    assert {"apiserver", "etcd", "kubelet"} <= set(made)
    assert "admin" not in made


def test_a_components_certificate_does_not_open_the_store(pki: Pki) -> None:
    pki.ensure(NOW)
    etcd = pki.read("etcd-ca")
    kubelet = pki.read("kubelet")
    assert etcd is not None
    assert kubelet is not None
    subject = leaves(PLAN)["kubelet"].subject
    assert not certificates.fits(kubelet, etcd, subject, NOW)


def test_openssl_takes_every_chain(pki: Pki) -> None:
    pki.ensure(NOW)
    for name, leaf in leaves(PLAN).items():
        context = ssl.create_default_context(cafile=str(pki.path(leaf.signer, "crt")))
        context.load_cert_chain(str(pki.path(name, "crt")), str(pki.path(name, "key")))


def test_only_their_owner_reads_keys_and_kubeconfigs(tmp_path: Path, pki: Pki) -> None:
    pki.ensure(NOW)
    paths = Layout(tmp_path, tmp_path / "run")
    assert paths.pki.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in paths.pki.iterdir() if path.stat().st_mode & 0o077] == []
    assert all(paths.kubeconfig(name).exists() for name in KUBECONFIGS)


def test_rubbish_is_no_authority() -> None:
    assert not certificates.authority_serves(Pair(b"no", b"no"), NOW)
