"""A real Kubernetes API without nodes: kube-apiserver and etcd in a folder, for tests.


No scheduler, no controllers, no kubelet: objects are stored, validated, defaulted, watched and
guarded by RBAC, and nothing acts on them. About 250 MB; ready in some 4 seconds.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from fairway.cluster import certificates
from fairway.cluster.certificates import Pair, Subject
from fairway.kit import clock
from fairway.kit.net import free_port
from fairway.kit.secret import Secret
from fairway.kube.connection import Connection

_READY_S: Final = 180.0
_POLL_S: Final = 0.05
_END_S: Final = 10.0
_HOST: Final = "127.0.0.1"


class ApiServer:
    """The two processes. `start` blocks until the server is ready."""

    def __init__(self, native: Path, folder: Path, *, flags: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self._native = native
        self._flags = tuple(flags)
        self._etcd_port = free_port()
        self._authority = certificates.authority("test-ca", clock.now())
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._admin: Connection | None = None
        self._prepare()

    @property
    def server(self) -> str:
        """Its address."""
        return f"https://{_HOST}:{self.port}"

    # ---- identities ------------------------------------------------------------------------------

    def connection(self, user: str = "admin", *groups: str, at: str = "") -> Connection:
        """An identity's way in; `admin` may do everything. `at` is another address of the server's,
        such as a proxy's."""
        groups = groups or (("system:masters",) if user == "admin" else ())
        pair = self.issue(user, groups)
        return Connection(
            server=at or self.server,
            ca=self._authority.cert,
            certificate=pair.cert,
            key=Secret(pair.key.decode()),
        )

    def issue(self, name: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> Pair:
        """A certificate that the server trusts."""
        subject = Subject(name=name, groups=tuple(groups), hosts=tuple(hosts))
        return certificates.issue(self._authority, subject, clock.now())

    @property
    def admin(self) -> Connection:
        """The way in that may do everything."""
        if self._admin is None:
            self._admin = self.connection()
        return self._admin

    def kubeconfig(self) -> dict[str, Any]:
        """The same as a kubeconfig with the files of the folder."""
        files = {name: str(self.folder / name) for name in ("ca.crt", "admin.crt", "admin.key")}
        cluster = {"server": self.server, "certificate-authority": files["ca.crt"]}
        user = {"client-certificate": files["admin.crt"], "client-key": files["admin.key"]}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }

    # ---- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start what does not run and wait until the server is ready. Raises `RuntimeError`."""
        self._begin("etcd", self._etcd_command())
        self._wait("etcd", lambda: _listens(self._etcd_port))
        self._begin("apiserver", self._apiserver_command())
        self._wait("apiserver", self._is_ready)

    def kill(self, name: str = "apiserver") -> None:
        """End `apiserver` or `etcd` at once (SIGKILL)."""
        child = self._children.pop(name, None)
        if child is not None:
            child.send_signal(signal.SIGKILL)
            child.wait(_END_S)

    def stop(self) -> None:
        """End both, the server first."""
        for name in ("apiserver", "etcd"):
            child = self._children.pop(name, None)
            if child is None:
                continue
            child.terminate()
            try:
                child.wait(_END_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(_END_S)

    def log(self, name: str = "apiserver") -> str:
        """The last lines that a process wrote."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")[-2000:]

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write("ca.crt", self._authority.cert)
        hosts = (_HOST, "localhost", "10.96.0.1")
        for name, pair in (
            ("server", self.issue("kube-apiserver", hosts=hosts)),
            ("admin", self.issue("admin", ("system:masters",))),
            ("accounts", certificates.signing_key()),
        ):
            self._write(f"{name}.crt", pair.cert)
            self._write(f"{name}.key", pair.key)

    def _write(self, name: str, data: bytes) -> None:
        handle = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)

    def _begin(self, name: str, command: Sequence[str]) -> None:
        child = self._children.get(name)
        if child is not None and child.poll() is None:
            return
        with (self.folder / f"{name}.log").open("ab") as out:
            self._children[name] = subprocess.Popen(  # noqa: S603 a program of ours
                command, stdout=out, stderr=subprocess.STDOUT, cwd=self.folder
            )

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(int(_READY_S / _POLL_S)):
            if self._children[name].poll() is not None:
                raise RuntimeError(f"{name} ended:\n{self.log(name)}")
            if ready():
                return
            pause.wait(_POLL_S)
        raise RuntimeError(f"{name} was not ready within {_READY_S:.0f} s:\n{self.log(name)}")

    def _is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        call = http.client.HTTPSConnection(_HOST, self.port, timeout=5, context=context)
        try:
            call.request("GET", "/readyz")
            return call.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            call.close()

    def _etcd_command(self) -> list[str]:
        return [
            str(self._native),
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-url=https://{_HOST}:{self._etcd_port}",
            "--cert-file=server.crt",
            "--key-file=server.key",
            "--trusted-ca-file=ca.crt",
        ]

    def _apiserver_command(self) -> list[str]:
        return [
            str(self._native),
            "kube-apiserver",
            f"--etcd-servers=https://{_HOST}:{self._etcd_port}",
            "--etcd-cafile=ca.crt",
            "--etcd-certfile=server.crt",
            "--etcd-keyfile=server.key",
            f"--bind-address={_HOST}",
            f"--secure-port={self.port}",
            "--advertise-address=10.96.0.2",  # loopback is refused; nobody comes by it
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.folder}",
            "--tls-cert-file=server.crt",
            "--tls-private-key-file=server.key",
            "--client-ca-file=ca.crt",
            "--service-account-key-file=accounts.crt",
            "--service-account-signing-key-file=accounts.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            # Pods are made without the controller that makes each namespace's ServiceAccount.
            "--disable-admission-plugins=ServiceAccount",
            "--profiling=false",
            *self._flags,
        ]


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
