"""Kubernetes' own controllers beside an `ApiServer`: kube-controller-manager, for tests.

ReplicaSets make pods, Jobs count them, Services get EndpointSlices, what loses its owner goes.
Nothing runs the pods: see `fake_kubelet`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from fairway.kit.net import free_port
from fairway.testing.apiserver import ApiServer

_END_S: Final = 10.0
CONTROLLERS: Final = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "cronjob-controller",
    "endpointslice-controller",
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "disruption-controller",
    "ttl-after-finished-controller",
    "resourcequota-controller",
    "validatingadmissionpolicy-status-controller",
)


class ControllerManager:
    """The process. It waits for the server by itself; `kill` and `start` it as often as wanted."""

    def __init__(self, native: Path, server: ApiServer) -> None:
        self._native = native
        self._server = server
        self._port = free_port()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it unless it runs."""
        if self._child is not None and self._child.poll() is None:
            return
        folder = self._server.folder
        config = folder / "controllers.kubeconfig"
        config.write_text(json.dumps(self._server.kubeconfig()), "utf-8")
        with (folder / "controllers.log").open("ab") as out:
            self._child = subprocess.Popen(  # noqa: S603 a program of ours
                self._command(config), stdout=out, stderr=subprocess.STDOUT, cwd=folder
            )

    def stop(self) -> None:
        """End it."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(_END_S)

    def _command(self, config: Path) -> list[str]:
        return [
            str(self._native),
            "kube-controller-manager",
            f"--kubeconfig={config}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self._server.folder / 'controllers-certs'}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--service-account-private-key-file=accounts.key",
            "--root-ca-file=ca.crt",
            # Tests make and remove much at once: the server is theirs alone.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-namespace-syncs=20",
            "--profiling=false",
        ]
