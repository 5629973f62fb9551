"""Settings: defaults, file, environment, flags; what cannot be right is an error with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway import settings
from fairway.kit.net import endpoint
from fairway.model.errors import FairwayError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(settings.os.environ):
        if name.startswith("FAIRWAY_"):
            monkeypatch.delenv(name)


def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fairway.toml").write_text("[http]\nport = 1000\n[runner]\ncapacity = 7\n")
    assert settings.load(tmp_path).http.port == 1000
    monkeypatch.setenv("FAIRWAY_HTTP__PORT", "2000")
    assert settings.load(tmp_path).http.port == 2000
    chosen = settings.load(tmp_path, {"http": {"port": 3000, "external_url": None}})
    assert chosen.http.port == 3000
    assert chosen.runner.capacity == 7


def test_tables_come_as_json_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRWAY_PIPELINE__IMAGES", '{"python:*": "library/python:3.11"}')
    assert settings.load(tmp_path).pipeline.images == {"python:*": "library/python:3.11"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[htpp]\nport = 1\n", "htpp"),
        ("[http]\nprot = 1\n", "prot"),
        ("[http]\nport = 'many'\n", "$.http.port"),
        ("roles = ['captain']\n", "captain"),
        ("[http\n", "TOML"),
        ("[http]\ntls_cert = 'x'\n", "tls_cert"),
    ],
)
def test_what_cannot_be_right_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "fairway.toml").write_text(text)
    with pytest.raises(FairwayError) as caught:
        settings.load(tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "192.0.2.1:80", "[::]:80", "::", "127.0.0.1.example:80", "127.example"]
)
def test_listening_elsewhere_needs_tls_or_a_proxy(tmp_path: Path, address: str) -> None:
    with pytest.raises(FairwayError, match="in the clear"):
        settings.load(tmp_path, {"http": {"listen": [address]}})
    assert settings.load(tmp_path, {"http": {"listen": [address], "behind_proxy": True}})


def test_loopback_needs_nothing(tmp_path: Path) -> None:
    for address in ("127.0.0.2:9000", "127.0.0.2", "localhost:1", "[::1]:9000", "::1", "[::1]"):
        assert settings.load(tmp_path, {"http": {"listen": [address]}})


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("10.0.0.1", ("10.0.0.1", 7)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("::1", ("::1", 7)),
        ("fe80::2:80", ("fe80::2:80", 7)),
        ("[::1]", ("::1", 7)),
        ("[::1]:80", ("::1", 80)),
        ("name.example:80", ("name.example", 80)),
    ],
)
def test_an_address_may_say_its_port(address: str, found: tuple[str, int]) -> None:
    assert endpoint(address, 7) == found


@pytest.mark.parametrize("section", ["cluster", "gateway"])
def test_a_switch_that_is_no_word_of_ours_is_refused(tmp_path: Path, section: str) -> None:
    key = {"cluster": "embedded", "gateway": "enabled"}[section]
    for value in ("auto", "on", "off"):
        settings.load(tmp_path, {section: {key: value}})
    with pytest.raises(FairwayError) as raised:
        settings.load(tmp_path, {section: {key: "yes"}})
    assert f"{section}.{key}" in str(raised.value)


def test_an_existing_cluster_and_an_embedded_one_that_was_asked_for_exclude_each_other(
    tmp_path: Path,
) -> None:
    settings.load(tmp_path, {"cluster": {"kubeconfig": "/k"}})
    with pytest.raises(FairwayError) as raised:
        settings.load(tmp_path, {"cluster": {"kubeconfig": "/k", "embedded": "on"}})
    assert "cluster add" in raised.value.remedy
