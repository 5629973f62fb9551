"""A whole system through restarts, backups, purges and separate processes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairway.client.wire.build import Build
from fairway.docker.daemon import client
from fairway.model.errors import FairwayError
from fairway.store.database import Database
from fairway.testing.installation import Copy, Installation, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
TICKS = 40
SLOW = f"""kind: pipeline
name: slow
clone: {{disable: true}}
steps:
- name: ticks
  image: busybox
  pull: never
  commands: ['for i in $(seq 1 {TICKS}); do echo tick $i; sleep 0.2; done']
"""
QUICK = SLOW.replace(str(TICKS), "2")
MADE = """kind: pipeline
name: default
steps:
- name: make
  image: busybox
  pull: never
  commands: ['echo made > made; for i in $(seq 1 20); do echo tick $i; sleep 0.2; done']
- {name: check, image: busybox, pull: never, commands: ['cat made; false']}
"""
IMAGE = """kind: pipeline
name: image
steps:
- {name: publish, image: plugins/docker, settings: {repo: kept/image, tags: [one]}}
"""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Installation]:
    with system(tmp_path / "one") as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Installation]:
    with system(tmp_path / "other") as made:
        yield made


@contextmanager
def system(folder: Path, environment: dict[str, str] | None = None) -> Iterator[Installation]:
    """One that nobody has started yet. Whatever happens, nothing of it stays."""
    made = Installation(folder, environment=environment)
    try:
        yield made
    finally:
        made.kill()
        if made.data.exists():
            made.command("down", "--purge", "--yes")


def push(to: Installation, folder: Path, slug: str, files: dict[str, str]) -> Copy:
    copy = Copy(folder)
    copy.commit(files)
    copy.push(to.remote(slug))
    return copy


def ticking(where: Installation, slug: str) -> bool:
    try:
        return b"tick 3" in where.raw_log(slug, 1, 1, 1)
    except Exception:  # noqa: BLE001 it has not begun
        return False


def whole(log: bytes, count: int) -> bool:
    return [line for line in log.decode().splitlines() if line.startswith("tick")] == [
        f"tick {number}" for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("how", ["term", "down"])
def test_builds_go_on_through_a_restart_and_their_logs_have_no_hole(
    one: Installation, tmp_path: Path, how: str
) -> None:
    one.start()
    push(one, tmp_path / "copy", "kept/slow", {".drone.yml": SLOW})
    until("it runs", lambda: ticking(one, "kept/slow"))
    before = containers(one)
    assert one.stop() == 0 if how == "term" else one.command("down").returncode == 0
    assert containers(one) == before, "its container did not go on"
    one.start()
    build = one.ended("kept/slow")
    assert build.status == "passed"
    assert whole(one.raw_log("kept/slow", 1, 1, 1), TICKS)
    assert build.stages[0].steps[0].attempt == 1


def test_a_retry_killed_while_it_makes_its_workspace_anew_ends_as_it_should(
    one: Installation, tmp_path: Path
) -> None:
    one.start()
    push(one, tmp_path / "copy", "kept/made", {".drone.yml": MADE})
    first = one.ended("kept/made")
    numbers = {step.name: step.number for step in first.stages[0].steps}
    shutil.rmtree(one.data / "workspaces")
    with one.api() as api:
        again = {"step": "check"}
        api.post("/repos/kept/made/builds/1/retry", again, dict)

    def making() -> bool:
        with contextlib.suppress(FairwayError):
            return b"tick 3" in one.raw_log("kept/made", 2, 1, numbers["make"])
        return False

    until("it makes the workspace anew", making)
    one.kill()
    one.start()
    build = one.ended("kept/made", 2)
    assert build.status == "failed", one.last_words()  # by `check`, which ran to its end
    assert b"made\n" in one.raw_log("kept/made", 2, 1, numbers["check"])
    assert whole(one.raw_log("kept/made", 2, 1, numbers["make"]), 20)
    assert not list((one.data / "workspaces").glob("*.rebuilding"))


def containers(of: Installation) -> set[str]:
    return {one for one in left(of) if one.startswith("container")}


def left(of: Installation) -> set[str]:
    """What is of this installation in the Engine of the environment."""
    name = installation_name(of)
    with client(os.environ["DOCKER_HOST"]) as api:
        things = [
            *(("container", one) for one in api.get("/containers/json?all=1").json()),
            *(("network", one) for one in api.get("/networks").json()),
            *(("volume", one) for one in api.get("/volumes").json().get("Volumes") or []),
        ]
    return {
        f"{kind} {one.get('Id') or one.get('Name')}"
        for kind, one in things
        if any(
            key.startswith("fairway.") and value.partition("/")[0] == name
            for key, value in (one.get("Labels") or {}).items()
        )
    }


def installation_name(of: Installation) -> str:
    from fairway.store import settings
    from fairway.store.database import sqlite_url

    database = Database(sqlite_url(of.data / "fairway.db"))
    try:
        return str(database.read_now(settings.get, "installation"))
    finally:
        database.close()


def test_a_purge_leaves_nothing_of_ours_in_a_foreign_engine(
    one: Installation, tmp_path: Path
) -> None:
    one.start()
    push(one, tmp_path / "copy", "kept/slow", {".drone.yml": SLOW})
    until("it runs", lambda: ticking(one, "kept/slow"))
    found = left(one)
    assert {thing.partition(" ")[0] for thing in found} >= {"container", "network"}
    name, ours = installation_name(one), f"127.0.0.1:{one.port}/"
    one.command("down", "--purge", "--yes")
    with client(os.environ["DOCKER_HOST"]) as api:
        for path in ("/containers/json?all=1", "/networks", "/volumes", "/images/json"):
            answer = api.get(path).text
            assert f'"{name}/' not in answer
            assert f'"fairway.bridge":"{name}"' not in answer
            assert ours not in answer
    assert not one.data.exists()


def test_a_backup_of_a_busy_system_restores_all_of_it(
    one: Installation, other: Installation, tmp_path: Path
) -> None:
    one.start()
    check_backup(one, other, tmp_path)


@pytest.mark.postgres
def test_a_backup_of_postgresql_restores_into_sqlite(
    tmp_path: Path, postgres: str, other: Installation
) -> None:
    with system(tmp_path / "one", {"FAIRWAY_DATABASE__URL": postgres}) as one:
        one.start()
        check_backup(one, other, tmp_path)


def check_backup(one: Installation, other: Installation, tmp_path: Path) -> None:
    dockerfile = {".drone.yml": IMAGE, "Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}
    push(one, tmp_path / "image", "kept/image", dockerfile)
    quick = push(one, tmp_path / "quick", "kept/quick", {".drone.yml": QUICK})
    built = one.ended("kept/image")
    assert built.status == "passed", built
    log = one.raw_log("kept/quick", one.ended("kept/quick").number, 1, 1)
    push(one, tmp_path / "slow", "kept/slow", {".drone.yml": SLOW})
    until("it runs", lambda: ticking(one, "kept/slow"))
    file = tmp_path / "backup.tar.gz"
    one.command("backup", str(file))
    assert file.stat().st_mode & 0o077 == 0
    assert one.ended("kept/slow").status == "passed"
    one.stop()
    other.command("restore", str(file), "--yes")
    other.start()
    assert known(other) >= known(one_again(one)) - {("kept/slow", 1, "passed")}
    assert other.raw_log("kept/quick", 1, 1, 1) == log
    assert other.ended("kept/slow").status in {"passed", "errored"}
    digest = built.stages[0].steps[-1].images[0]["digest"]
    assert manifest(other, "kept/image", digest) == 200
    quick.commit({"more": "more"})
    quick.push(other.remote("kept/quick"))
    assert other.ended("kept/quick", 2).status == "passed"


def one_again(one: Installation) -> Installation:
    one.start()
    return one


def known(where: Installation) -> set[tuple[str, int, str]]:
    return {(build.repository, build.number, build.status) for build in where.builds()}


def manifest(where: Installation, name: str, digest: str) -> int:
    import httpx

    kinds = ", ".join(
        f"application/vnd.{kind}+json"
        for kind in ("oci.image.manifest.v1", "docker.distribution.manifest.v2")
    )
    return httpx.get(
        f"{where.url}/v2/{name}/manifests/{digest}",
        auth=("admin", where.token),
        headers={"Accept": kinds},
        trust_env=False,
    ).status_code


# ---- several processes ---------------------------------------------------------------------------


@pytest.mark.postgres
def test_roles_in_processes_of_their_own_run_a_build(tmp_path: Path, postgres: str) -> None:
    shared = {"FAIRWAY_DATABASE__URL": postgres}
    front = Installation(
        tmp_path / "front", words=["--role", "server", "--role", "git"], environment=shared
    )
    front.start()
    back = [
        Installation(
            tmp_path / role,
            data=front.data,
            words=["--role", role],
            environment={**shared, "FAIRWAY_RUNNER__NAME": f"runner-{role}"},
        )
        for role in ("controllers", "runner")
    ]
    try:
        for one in back:
            one.port = front.port
            one.start(ready=False)
        push(front, tmp_path / "copy", "kept/quick", {".drone.yml": QUICK})
        build = front.ended("kept/quick")
        assert build.status == "passed", build
        assert build.stages[0].machine == "runner-runner"
        refuses_a_namesake(back[1])
        assert whole(front.raw_log("kept/quick", 1, 1, 1), 2)
    finally:
        for one in [*back, front]:
            one.stop()
        front.command("down", "--purge", "--yes")


def refuses_a_namesake(runner: Installation) -> None:
    """A second runner of that name would sweep the first one's containers."""
    done = runner.command("serve", "--role", "runner", check=False)
    assert done.returncode != 0
    assert "a runner named runner-runner runs" in done.stderr + done.stdout


def test_a_killed_remote_runners_stage_is_taken_over(one: Installation, tmp_path: Path) -> None:
    one.words = ["--role", "server", "--role", "git", "--role", "controllers"]
    one.start()
    runners = [remote(one, tmp_path, name) for name in ("left", "right")]
    try:
        runners[0].start(ready=False)
        push(one, tmp_path / "copy", "kept/slow", {".drone.yml": SLOW})
        until("it runs", lambda: ticking(one, "kept/slow"))
        assert one.build("kept/slow", 1).stages[0].machine == "left"
        runners[0].kill()
        runners[1].start(ready=False)
        taken = until("another takes over", lambda: taken_over(one), seconds=180)
        build = one.ended("kept/slow")
        assert build.status == "passed", build
        assert taken.stages[0].attempt == 2
        assert whole(one.raw_log("kept/slow", 1, 1, 1), TICKS)
    finally:
        for runner in runners:
            runner.kill()
            runner.command("down", "--purge", "--yes")


def taken_over(one: Installation) -> Build | None:
    build = one.build("kept/slow", 1)
    return build if build.stages[0].machine == "right" else None


def remote(one: Installation, folder: Path, name: str) -> Installation:
    from fairway.client.wire.who import NewToken

    with one.api() as api:
        token = api.post("/tokens", {"name": name, "scopes": ["runner"]}, NewToken)
    environment = {
        "FAIRWAY_RUNNER__SERVER": one.url,
        "FAIRWAY_RUNNER__TOKEN": token.token,
        "FAIRWAY_RUNNER__NAME": name,
    }
    return Installation(folder / name, words=["--role", "runner"], environment=environment)
