"""The files of an Engine of our own."""

import json
import tomllib
from pathlib import Path

from fairway.docker import daemon_files as files
from fairway.docker.addresses import choose

STATE = files.State(addresses=choose([]), bridge="fairway0")


def test_everything_lies_below_the_folder() -> None:
    paths = files.layout(Path("/var/lib/fairway/docker"))
    config = json.loads(files.docker_config(paths, STATE))
    for key in ("data-root", "exec-root", "pidfile", "containerd"):
        assert config[key].startswith("/var/lib/fairway/docker/"), key
    assert config["hosts"] == ["unix:///var/lib/fairway/docker/run/docker.sock"]


def test_sockets_move_when_their_names_would_be_too_long() -> None:
    paths = files.layout(Path("/") / ("x" * 100))
    assert paths.run.parent == Path("/run")
    assert len(str(paths.containerd_socket) + ".ttrpc") <= 107
    assert paths.data.is_relative_to(paths.folder)


def test_every_socket_has_a_name_that_the_kernel_takes_for_every_length_of_folder() -> None:
    for length in range(1, 120):
        run = files.layout(Path("/") / ("x" * length)).run
        assert len(str(run / "exec" / "libnetwork" / f"{'0' * 12}.sock")) <= 107, length


def test_builds_survive_the_daemon_and_no_log_is_rotated_away() -> None:
    config = json.loads(files.docker_config(files.layout(Path("/f")), STATE))
    assert config["live-restore"] is True
    assert config["log-driver"] == "json-file"
    assert "log-opts" not in config
    assert config["default-address-pools"][0] == {"base": "10.201.0.0/16", "size": 24}


def test_containerd_keeps_to_our_folder() -> None:
    paths = files.layout(Path("/f"))
    config = tomllib.loads(files.containerd_config(paths))
    assert config["grpc"]["address"] == "/f/run/containerd.sock"
    assert config["root"].startswith("/f/")
    assert config["plugins"]["io.containerd.internal.v1.opt"]["path"].startswith("/f/")
    assert "io.containerd.grpc.v1.cri" in config["disabled_plugins"]


def test_a_shim_is_ours_by_its_containerd() -> None:
    paths = files.layout(Path("/f"))
    shim = ["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", "1", "-address"]
    assert files.is_shim_of([*shim, "/f/run/containerd.sock"], paths)
    assert not files.is_shim_of([*shim, "/run/containerd/containerd.sock"], paths)
    assert not files.is_shim_of(["sleep", "-address", "/f/run/containerd.sock"], paths)
    assert not files.is_shim_of([], paths)


def test_a_daemon_is_ours_by_its_configuration() -> None:
    paths = files.layout(Path("/f"))
    dockerd = ["/usr/sbin/dockerd", "--config-file"]
    containerd = ["/usr/bin/containerd", "--config"]
    assert files.daemon_of([*dockerd, "/f/daemon.json"], paths) == "dockerd"
    assert files.daemon_of([*containerd, "/f/containerd.toml"], paths) == "containerd"
    for other in ([*dockerd, "/g/daemon.json"], ["vi", "--config-file", "/f/daemon.json"], []):
        assert files.daemon_of(other, paths) == "", other
