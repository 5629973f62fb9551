"""Cancel, retry, pause, and why everything that waits, waits."""

from __future__ import annotations

from datetime import datetime

from ground import Ground, stage_of, statuses, step_of, steps

from fairway.client.wire.build import Build

SLOW = steps("steps: [{name: slow, image: busybox, commands: [echo begun, sleep 600]}]")
FLAKY = steps("""
    steps:
    - {name: make, image: busybox, commands: ['echo run >> made', 'wc -l < made']}
    - name: check
      image: busybox
      commands: ['cat made', 'echo x >> tries', 'test $(wc -l < tries) -gt 1']
    - {name: after, image: busybox, commands: [echo after]}
    """)


def seconds(first: str, last: str | None) -> float:
    assert last is not None
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def asked(ground: Ground, kind: str) -> str:
    """When something was last asked for, by the audit."""
    found = ground.api.get("/audit", dict, {"limit": 20})["items"]
    return str(next(one["at"] for one in found if kind in one["action"]))


def test_a_cancelled_build_ends_at_once_and_leaves_no_container(ground: Ground) -> None:
    repo = ground.repository()
    number = repo.start(SLOW)
    repo.says(number, "begun")
    assert repo.cli("cancel", "--yes", str(number), "--reason", "enough").code == 0
    build = repo.ended(number)
    assert (build.status, statuses(build)["slow"]) == ("cancelled", "cancelled")
    assert "enough" in build.reason
    assert seconds(asked(ground, "cancel"), step_of(build, "slow").stopped) < 9
    assert number not in running(ground, repo.slug)


def running(ground: Ground, slug: str) -> list[int]:
    found = ground.api.get("/queue", dict, {"limit": 100})["items"]
    return [one["build"] for one in found if one["repository"] == slug]


def test_a_retry_of_what_failed_goes_on_in_the_kept_workspace(ground: Ground) -> None:
    repo = ground.repository()
    assert repo.build(FLAKY).status == "failed"
    assert repo.cli("retry", "--failed", "-w").code == 0
    build = repo.show()
    assert build.parent == 1
    assert statuses(build) == dict.fromkeys(("clone", "make", "check", "after"), "passed")
    assert step_of(build, "make").carried == 1
    assert step_of(build, "after").carried == 0


def test_one_step_runs_again_alone_or_with_what_depends_on_it(ground: Ground) -> None:
    repo = ground.repository()
    repo.build(FLAKY)
    assert repo.cli("retry", "1", "--step", "check", "-w").code == 0
    build = repo.show()
    assert statuses(build)["check"] == "passed"
    assert (step_of(build, "check").carried, statuses(build)["after"]) == (0, "skipped")
    assert repo.cli("retry", "2", "--step", "check", "--with-dependents", "-w").code == 0
    build = repo.show()
    assert (statuses(build)["after"], step_of(build, "after").carried) == ("passed", 0)
    assert build.status == "passed"


def test_a_retry_of_all_begins_in_a_fresh_workspace(ground: Ground) -> None:
    repo = ground.repository()
    repo.build(FLAKY)
    assert repo.cli("retry", "1", "-w").code == 1
    assert "\n1\n" in repo.log("make")
    assert step_of(repo.show(), "make").carried == 0


def test_a_workspace_that_is_gone_is_made_again(ground: Ground) -> None:
    repo = ground.repository(settings={"keep_workspace_s": 0})
    repo.build(
        steps("""
        steps:
        - {name: make, image: busybox, commands: ['echo made > made']}
        - {name: check, image: busybox, commands: ['cat made', 'false']}
        """)
    )
    assert repo.cli("retry", "1", "--step", "check", "-w").code == 1
    build = repo.show()
    assert "\nmade\n" in repo.log("check"), build


def why(build: Build, name: str = "default") -> str:
    return stage_of(build, name).reason


def test_no_runner_with_these_labels_is_a_reason(ground: Ground) -> None:
    repo = ground.repository()
    number = repo.start(steps("node: {disk: ssd}\nsteps: [{name: a, image: busybox}]\n"))
    build = repo.until(number, why)
    assert "disk=ssd" in why(build)
    assert "no runner" in why(build)
    waiting = repo.cli("get", "queue", "-o", "json").json()["items"]
    assert any("disk=ssd" in one["reason"] for one in waiting)
    assert "disk=ssd" in repo.cli("describe", str(number)).out
    assert repo.cli("cancel", "--yes", str(number)).code == 0


def test_a_concurrency_limit_and_a_dependency_are_reasons(ground: Ground) -> None:
    repo = ground.repository()
    text = SLOW.replace("name: default\n", "name: default\nconcurrency: {limit: 1}\n")
    after = (
        "\n---\nkind: pipeline\nname: after\ndepends_on: [default]\n"
        "steps: [{name: b, image: busybox, commands: ['true']}]\n"
    )
    first = repo.start(text + after)
    repo.says(first, "begun")
    assert "default" in why(repo.show(first), "after")
    second = repo.start(text, message="second")
    build = repo.until(second, lambda build: "concurrency" in why(build))
    assert "limit 1" in why(build)
    for number in (second, first):
        assert repo.cli("cancel", "--yes", str(number)).code == 0
    assert repo.ended(first).status == "cancelled"


def test_busy_runners_and_a_pause_are_reasons(ground: Ground) -> None:
    repo = ground.repository()
    many = "\n---\n".join(SLOW.replace("default", f"p{number}") for number in range(6))
    number = repo.start(many)
    build = repo.until(
        number, lambda build: sum("busy" in stage.reason for stage in build.stages) == 2
    )
    assert "1 ahead" in stage_of(build, "p5").reason
    assert repo.cli("cancel", "--yes", str(number)).code == 0
    repo.ended(number)
    assert ground.run("system", "pause", "--reason", "upkeep").code == 0
    try:
        number = repo.start(steps("steps: [{name: a, image: busybox, commands: ['true']}]"))
        build = repo.until(number, why)
        assert "paused" in why(build)
    finally:
        assert ground.run("system", "resume").code == 0
    assert repo.ended(number).status == "passed"


def test_a_step_that_waits_says_for_what(ground: Ground) -> None:
    repo = ground.repository()
    number = repo.start(SLOW.replace("}]", "}, {name: then, image: busybox, commands: [x]}]"))
    repo.says(number, "begun")
    assert step_of(repo.show(number), "then").reason == "waits for slow"
    assert repo.cli("cancel", "--yes", str(number)).code == 0
    assert repo.ended(number).status == "cancelled"
