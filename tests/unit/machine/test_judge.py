"""What is said of what was seen."""

from pathlib import Path

import pytest

from fairway.machine import judge
from fairway.machine.check import Check, Health, Wanted
from fairway.machine.look import Engine, Folder

GIB = 1024**3
WANTED = Wanted(data=Path("/data"), port=8480)
HERE = Folder(
    path=Path("/data"),
    exists=True,
    writable=True,
    mode=0o700,
    owner=0,
    free_bytes=50 * GIB,
    free_files=10**7,
    network="",
)
ENGINE = Engine(host="unix:///s", version="20.10.24", api="1.41", storage="overlay2", cgroup="2")


def changed(folder: Folder = HERE, **values: object) -> Folder:
    return Folder(
        **{**{name: getattr(folder, name) for name in folder.__struct_fields__}, **values}
    )  # type: ignore[arg-type]


CASES: list[tuple[Check, Health, str]] = [
    (judge.python((3, 11, 2)), Health.OK, ""),
    (judge.python((3, 10, 13)), Health.OLD, "3.11"),
    (judge.git((2, 39, 5), backend=True), Health.OK, ""),
    (judge.git((), backend=False), Health.MISSING, "apt-get install -y git"),
    (judge.git((2, 20, 1), backend=True), Health.OLD, "2.30"),
    (judge.git((2, 39, 5), backend=False), Health.MISSING, "apt-get install -y git"),
    (judge.docker(ENGINE, (20, 10, 24), (1, 41)), Health.OK, ""),
    (judge.docker(ENGINE, (18, 9, 1), (1, 39)), Health.OLD, "20.10"),
    (judge.docker(ENGINE, (20, 10), (1, 38)), Health.WARN, "classic builder"),
    (judge.disk(HERE, WANTED), Health.OK, ""),
    (judge.disk(changed(free_bytes=GIB), WANTED), Health.WARN, "2.0 GiB"),
    (judge.disk(changed(free_files=100), WANTED), Health.WARN, "inodes"),
    (judge.disk(changed(free_files=None), WANTED), Health.OK, ""),
    (judge.data(HERE, WANTED, 0), Health.OK, ""),
    (judge.data(changed(writable=False), WANTED, 0), Health.MISSING, "chown"),
    (judge.data(changed(network="nfs4"), WANTED, 0), Health.WARN, "PostgreSQL"),
    (judge.data(HERE, WANTED, 1000), Health.WARN, "chown -R"),
    (judge.data(changed(mode=0o755), WANTED, 0), Health.WARN, "chmod o-rw /data"),
    (judge.memory(8 * GIB), Health.OK, ""),
    (judge.memory(GIB // 2), Health.WARN, "1 GiB"),
    (judge.port(WANTED, free=True), Health.OK, ""),
    (judge.port(WANTED, free=False), Health.MISSING, "8480"),
    (judge.clock(1_800_000_000, synchronised=True), Health.OK, ""),
    (judge.clock(1_800_000_000, synchronised=None), Health.OK, ""),
    (judge.clock(1_800_000_000, synchronised=False), Health.WARN, "timesyncd"),
    (judge.clock(0, synchronised=True), Health.WARN, "set-ntp"),
    (judge.certificates("/bundle"), Health.OK, ""),
    (judge.certificates(None), Health.MISSING, "ca-certificates"),
    (judge.proxy({}), Health.OK, ""),
    (judge.proxy({"https_proxy": "http://p:1", "no_proxy": "127.0.0.1"}), Health.OK, ""),
    (judge.proxy({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a"}), Health.WARN, "a,127.0.0.1,"),
    (judge.proxy({"HTTP_PROXY": ""}), Health.OK, ""),
    (judge.sqlite((3, 40, 1)), Health.OK, ""),
    (judge.sqlite((3, 31, 0)), Health.OLD, "Python"),
    (judge.postgres(150004), Health.OK, ""),
    (judge.postgres(130011), Health.OLD, "15"),
    (judge.postgres("connection refused"), Health.MISSING, "server"),
]


@pytest.mark.parametrize(("check", "health", "mend"), CASES)
def test_each_finding_is_judged_and_says_what_mends_it(
    check: Check, health: Health, mend: str
) -> None:
    assert check.health is health
    assert mend in check.mend
    assert bool(check.mend) == (health is not Health.OK)
    assert check.is_bad == (health in (Health.MISSING, Health.OLD))


def test_storage_that_copies_every_layer_is_a_risk() -> None:
    slow = Engine(host="h", version="24.0", api="1.43", storage="vfs", cgroup="2")
    assert judge.docker(slow, (24, 0), (1, 43)).health is Health.WARN


NO_ENGINE = [
    # root, may start, missing programs, refused socket -> health, mend
    (True, True, (), False, Health.OK, ""),
    (True, True, ("dockerd",), False, Health.MISSING, "apt-get install -y docker.io"),
    (True, False, (), False, Health.MISSING, "DOCKER_HOST"),
    (False, True, (), False, Health.MISSING, "as root"),
    (False, True, (), True, Health.MISSING, "usermod -aG docker"),
]


@pytest.mark.parametrize(("root", "may", "missing", "refused", "health", "mend"), NO_ENGINE)
def test_without_an_engine_the_way_to_one_is_named(  # noqa: PLR0917 a row of the table
    root: bool, may: bool, missing: tuple[str, ...], refused: bool, health: Health, mend: str
) -> None:
    wanted = Wanted(data=Path("/data"), may_start_docker=may)
    check = judge.no_docker(wanted, root=root, missing=missing, refused=refused)
    assert check.health is health
    assert mend in check.mend


def test_a_proxys_password_is_not_shown() -> None:
    check = judge.proxy({"HTTPS_PROXY": "http://user:hunter2@proxy:3128"})
    assert "hunter2" not in check.found + check.mend
    assert "proxy:3128" in check.found


def test_a_port_that_fairway_itself_holds_is_fine() -> None:
    running = Wanted(data=Path("/data"), port=8480, is_running=True)
    assert judge.port(running, free=False).health is Health.OK


def test_where_there_is_no_apt_the_packages_are_named() -> None:
    assert (
        judge.elsewhere(judge.certificates(None)).mend == "with your package tool: ca-certificates"
    )
    assert judge.elsewhere(judge.python((3, 9))) == judge.python((3, 9))
