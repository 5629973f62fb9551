"""Kubeconfig files, read and written."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairway.cluster import certificates, kubeconfig
from fairway.cluster.certificates import Subject
from fairway.kit import clock
from fairway.model.errors import FairwayError

AUTHORITY = certificates.authority("test", clock.now())
PAIR = certificates.issue(AUTHORITY, Subject("admin"), clock.now())


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def config(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> bytes:
    own = {"server": "https://10.0.0.1:6443", "certificate-authority-data": coded(AUTHORITY.cert)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {"colors": True},
            "clusters": [
                {"name": "one", "cluster": {**own, **(cluster or {})}},
                {"name": "two", "cluster": {"server": "https://two"}},
            ],
            "users": [{"name": "u", "user": user or {"token": "abc"}}],
            "contexts": [
                {"name": "first", "context": {"cluster": "one", "user": "u"}},
                {"name": "second", "context": {"cluster": "two", "user": "u"}},
                {"name": "broken", "context": {"cluster": "none", "user": "u"}},
            ],
            "current-context": "first",
        }
    ).encode()


def test_the_current_context_counts_unless_another_is_named() -> None:
    assert kubeconfig.read(config(), where="f").server == "https://10.0.0.1:6443"
    assert kubeconfig.read(config(), where="f", context="second").server == "https://two"


def test_data_are_taken_inline_and_from_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "c.crt").write_bytes(PAIR.cert)
    (tmp_path / "c.key").write_bytes(PAIR.key)
    (tmp_path / "token").write_text("from-a-file\n")
    path = tmp_path / "config"
    user = {"client-certificate": "c.crt", "client-key": "c.key", "tokenFile": "token"}
    path.write_bytes(config(user))
    found = kubeconfig.load(path)
    assert found.cert == PAIR.cert.decode()
    assert found.key is not None
    assert found.token is not None
    assert (found.key.reveal(), found.token.reveal()) == (PAIR.key.decode(), "from-a-file")
    assert found.ca == AUTHORITY.cert.decode()


def test_what_is_written_reads_the_same_again() -> None:
    user = {"client-certificate-data": coded(PAIR.cert), "client-key-data": coded(PAIR.key)}
    first = kubeconfig.read(config(user, {"tls-server-name": "api"}), where="f")
    written = json.dumps(kubeconfig.written("x", first, namespace="n"))
    assert kubeconfig.read(written.encode(), where="g") == first


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (config({"exec": {"command": "aws"}}), "unsupported-credentials", "exec is not supported"),
        (config({"auth-provider": {"name": "gcp"}}), "unsupported-credentials", "auth-provider"),
        (config({"token": "t", "as": "root"}), "unsupported-credentials", "as is not supported"),
        (config(cluster={"proxy-url": "http://p"}), "unsupported-credentials", "proxy-url"),
        (config({"client-key": "k"}), "bad-kubeconfig", "names a file of another machine"),
        (config({"client-key-data": "%"}), "bad-kubeconfig", "client-key-data is not base64"),
        (b"kind: Pod", "bad-kubeconfig", "of kind 'Pod'"),
        (b"- a", "bad-kubeconfig", "no kubeconfig can be read"),
        (b"{", "bad-kubeconfig", "no kubeconfig can be read"),
        (b"\xff\xfe\x00x", "bad-kubeconfig", "no kubeconfig can be read"),
        (b"kind: Config", "bad-kubeconfig", "no current context"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(data: bytes, code: str, why: str) -> None:
    with pytest.raises(FairwayError, match=why) as caught:
        kubeconfig.read(data, where="kubeconfig")
    assert (caught.value.code, caught.value.where) == (code, "kubeconfig")


@pytest.mark.parametrize("context", ["nowhere", "broken"])
def test_a_missing_part_is_told_with_those_that_there_are(context: str) -> None:
    with pytest.raises(FairwayError, match=r"it has no (context|cluster)") as caught:
        kubeconfig.read(config(), where="f", context=context)
    assert "first" in caught.value.remedy or "one" in caught.value.remedy


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FairwayError, match="cannot be read"):
        kubeconfig.load(tmp_path / "none")
