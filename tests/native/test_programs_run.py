"""What the built programs say of themselves, and what they refuse."""

from __future__ import annotations

import datetime
import ipaddress
import json
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairway.kit.net import free_port
from fairway.native import programs

BUILT = programs.find()


def said(*words: str | Path, code: int = 0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, (words, done.stdout + done.stderr)
    return done.stdout + done.stderr


def test_every_part_is_of_the_version_that_go_mod_pins() -> None:
    told = BUILT.versions
    client = json.loads(said(BUILT.native, "kubectl", "version", "--client", "-o", "json"))
    assert client["clientVersion"]["gitVersion"] == BUILT.version == told["kubernetes"]
    for name in ("apiserver", "controller-manager", "scheduler", "proxy"):
        assert told["kubernetes"] in said(BUILT.native, f"kube-{name}", "--version")
    assert told["kubernetes"] in said(BUILT.native, "kubelet", "--version")
    assert said(BUILT.native, "helm", "version", "--short").startswith(told["helm"])
    assert told["coredns"].removeprefix("v") in said(BUILT.native, "coredns", "-version")
    assert told["compose"] in said(BUILT.compose, "version")


@pytest.mark.parametrize("words", [[], ["kube-nonsense"]])
def test_what_is_no_component_is_refused_with_the_list_of_them(words: list[str]) -> None:
    text = said(BUILT.native, *words, code=2)
    assert "kube-apiserver" in text
    assert "toolbox" in text


@pytest.mark.parametrize("name", ["fairway-native", "fairway-compose", "pause"])
def test_the_programs_are_static_so_that_any_linux_runs_them(name: str) -> None:
    with (BUILT.folder / name).open("rb") as program:
        head = program.read(4096)
    assert b"/ld-linux" not in head
    assert head.startswith(b"\x7fELF")


def test_the_node_extras_need_their_folder_and_name() -> None:
    assert "--local-path and --node-name" in said(BUILT.native, "node", code=1)


def test_pause_waits_and_ends_in_good_order() -> None:
    process = subprocess.Popen([BUILT.pause])
    try:
        status = Path(f"/proc/{process.pid}/wchan")
        until(lambda: "futex" in status.read_text() or status.read_text() == "0", process)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def until(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self._write("ca", self._signed(self.name, self.key, usage=None), self.key)

    def issue(self, name: str, usage: x509.ObjectIdentifier) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._write(name, self._signed(subject, key, usage=usage), key)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        usage: x509.ObjectIdentifier | None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
        made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - datetime.timedelta(hours=1))
        made = made.not_valid_after(now + datetime.timedelta(hours=1))
        basic = x509.BasicConstraints(ca=usage is None, path_length=None)
        made = made.add_extension(basic, critical=True)
        if usage is not None:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
            made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def _write(
        self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        pem = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(pem))
        (self.folder / f"{name}.key").write_bytes(key.private_bytes(pem, form, plain))


@pytest.mark.timeout(120)
def test_etcd_serves_nobody_without_a_certificate_and_ends_in_good_order(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("server", ExtendedKeyUsageOID.SERVER_AUTH)
    authority.issue("client", ExtendedKeyUsageOID.CLIENT_AUTH)
    url = f"https://127.0.0.1:{free_port()}"
    files = {"cert-file": "server.crt", "key-file": "server.key", "trusted-ca-file": "ca.crt"}
    words = [f"--{flag}={tmp_path / file}" for flag, file in files.items()]
    words += [f"--data-dir={tmp_path / 'data'}", f"--listen-client-url={url}"]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([BUILT.native, "etcd", *words], stderr=output)
    stranger = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    known = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    known.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
    try:
        until(lambda: healthy(url, known), process)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health", verify=stranger)
        listening = said("ss", "-H", "-ltnp").splitlines()
        assert len([line for line in listening if f"pid={process.pid}," in line]) == 1
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    assert "panic" not in log.read_text()


def healthy(url: str, context: ssl.SSLContext) -> bool:
    try:
        answer = httpx.get(f"{url}/health", verify=context)
    except httpx.TransportError:
        return False
    return answer.json()["health"] == "true"
