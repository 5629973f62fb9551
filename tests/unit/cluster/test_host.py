"""Where a cluster cannot run, it is said why, with the command that mends it."""

from pathlib import Path

import pytest

from fairway.cluster import host


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Linux machine with everything, and root."""
    for name in host._PROGRAMS:
        program = tmp_path / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    cni = tmp_path / "cni"
    cni.mkdir()
    for name in host._CNI_PLUGINS:
        (cni / name).touch()
    monkeypatch.setattr(host, "_PATH", str(tmp_path))
    monkeypatch.setattr(host, "_CNI_FOLDERS", (cni,))
    monkeypatch.setattr(host.os, "geteuid", lambda: 0)
    monkeypatch.setattr(host.sys, "platform", "linux")
    return tmp_path


def test_a_whole_machine_has_no_obstacle(machine: Path) -> None:
    assert host.obstacle() is None
    found = host.programs()
    assert found["containerd"] == str(machine / "containerd")
    assert found.cni == machine / "cni"


def test_another_system_is_offered_an_existing_cluster(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host.sys, "platform", "darwin")
    found = host.obstacle()
    assert found is not None
    assert found.code == "cluster-needs-linux"
    assert "--kubeconfig" in found.remedy


def test_another_user_than_root_is_told_so(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.os, "geteuid", lambda: 1000)
    found = host.obstacle()
    assert found is not None
    assert found.code == "cluster-needs-root"
    assert "--kubeconfig" in found.remedy


@pytest.mark.parametrize("missing", ["containerd", "runc", "iptables", "ip", "cni/ptp"])
def test_a_program_that_is_missing_is_named_with_the_packages(machine: Path, missing: str) -> None:
    (machine / missing).unlink()
    found = host.obstacle()
    assert found is not None
    assert found.code == "cluster-programs-missing"
    assert (missing if "/" not in missing else "CNI plugins") in str(found)
    assert "apt-get install -y containerd runc containernetworking-plugins" in found.remedy
    with pytest.raises(type(found)):
        host.programs()


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(host.Unavailable) as raised:
        host.run("sh", "-c", "echo no such bridge >&2; exit 2")
    assert "no such bridge" in str(raised.value)
    assert not host.attempt("sh", "-c", "exit 2")
    assert host.attempt("true")


def test_a_command_that_is_not_there_is_a_failure_not_a_crash() -> None:
    with pytest.raises(host.Unavailable):
        host.run("no-such-command-here")
    assert host.said("no-such-command-here") == ""
