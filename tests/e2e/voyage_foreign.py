"""A Fairway without a cluster of its own: it reaches a Kubernetes by kubeconfig alone, and that
one reaches its registry by HTTPS, with a pull secret.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from ground import Ground
from town import DOCKER, Town, town

from fairway.cluster import certificates
from fairway.cluster.certificates import Subject
from fairway.kit.clock import Millis
from fairway.kit.net import free_port

PULL_SECRET = "fairway"


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Town]:
    """A Kubernetes with a node, and nobody who keeps it: whoever started it was killed."""
    folder.mkdir()
    with town(folder) as made:
        made.kill()
        yield made


@contextlib.contextmanager
def fairway(folder: Path, there: Town) -> Iterator[Ground]:
    """A Fairway with a name by HTTPS for the nodes of `there`, which trust its authority."""
    folder.mkdir()
    made = Ground(folder, DOCKER, free_port())
    address = there.plan.gateway  # of this machine, as the nodes reach it
    _certificate(folder, address)
    config = there.kubectl("config", "view", "--raw", "--flatten", "-o", "json").out
    (folder / "kubeconfig").write_text(config)
    made.environment |= {
        "FAIRWAY_GATEWAY__ENABLED": "off",
        "FAIRWAY_CLUSTER__EMBEDDED": "auto",  # which gives way to a kubeconfig
        "FAIRWAY_NATIVE__DIR": str(there.native.folder),
        "SSL_CERT_FILE": str(folder / "ca.crt"),
        "GIT_SSL_CAINFO": str(folder / "ca.crt"),
        "FAIRWAY_HTTP__LISTEN": json.dumps([address]),
        "FAIRWAY_HTTP__EXTERNAL_URL": f"https://{address}:{made.port}",
        "FAIRWAY_REGISTRY__NAME": made.registry,  # which an Engine of this machine asks for no CA
        "FAIRWAY_HTTP__TLS_CERT": str(folder / "tls.crt"),
        "FAIRWAY_HTTP__TLS_KEY": str(folder / "tls.key"),
    }
    made.ca = str(folder / "ca.crt")
    made.url = f"https://{address}:{made.port}"
    _trust(there, made)
    words = ("--data", str(made.data), "--port", str(made.port))
    try:
        done = made.run("up", *words, "--kubeconfig", str(folder / "kubeconfig"))
        assert done.code == 0, done.all
        config = json.loads((made.home / ".config/fairway/config").read_text())
        made.token = config["contexts"][config["current"]]["token"]
        yield made
    finally:
        made.down()


def _certificate(folder: Path, address: str) -> None:
    now = Millis(int(time.time() * 1000))
    authority = certificates.authority("harbour master", now)
    hosts = ("127.0.0.1", "localhost", address)
    pair = certificates.issue(authority, Subject("fairway", (), hosts), now)
    for name, data in (("ca.crt", authority.cert), ("tls.crt", pair.cert), ("tls.key", pair.key)):
        (folder / name).write_bytes(data)


def _trust(there: Town, ground: Ground) -> None:
    """What the operator of a cluster arranges for its nodes: where the registry is, and its CA."""
    folder = there.paths.registries / ground.registry
    folder.mkdir(parents=True)
    url = ground.url
    (folder / "hosts.toml").write_text(
        f'server = "{url}"\n[host."{url}"]\ncapabilities = ["pull", "resolve"]\n'
        f'ca = "{ground.folder / "ca.crt"}"\n'
    )


def let_nodes_pull(there: Town, ground: Ground, namespaces: list[str]) -> None:
    """A pull secret in each of these namespaces, which it makes."""
    token = ground.ok("token", "create", "nodes", "--scope", "registry:pull").out.strip()
    for name in namespaces:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        there.kubectl("apply", "-f", "-", given=yaml.safe_dump(space))
        there.kubectl(
            "create", "secret", "docker-registry", PULL_SECRET, "-n", name,
            "--docker-server", ground.registry, "--docker-username", "nodes",
            "--docker-password", token,
        )  # fmt: skip
