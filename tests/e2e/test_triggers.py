"""What begins a build, which of its pipelines run, and who must agree."""

from __future__ import annotations

from ground import HEAD, Ground, Repository, stage_of, statuses, step_of, steps

ECHO = """
    steps:
    - name: say
      image: busybox
      commands:
      - echo $DRONE_BUILD_EVENT to=$DRONE_DEPLOY_TO cron=$DRONE_CRON word=$WORD tag=$DRONE_TAG
    """


def test_a_custom_build_takes_parameters(ground: Ground) -> None:
    repo = ground.repository()
    repo.build(steps(ECHO))
    done = repo.cli("run", "-p", "WORD=given", "-w", "-o", "name")
    assert done.code == 0, done.all
    assert "custom to= cron= word=given" in repo.log("say")


def test_a_finished_build_is_promoted_and_rolled_back_to_an_environment(ground: Ground) -> None:
    repo = ground.repository()
    repo.build(steps(ECHO))
    assert repo.cli("run", "--event", "promote", "--to", "production", "-w").code == 0
    assert "promote to=production" in repo.log("say")
    done = repo.cli("run", "--event", "rollback", "--build", "1", "--to", "staging", "-w")
    assert done.code == 0, done.all
    assert "rollback to=staging" in repo.log("say")


def test_a_tag_builds_and_a_deletion_does_not(ground: Ground) -> None:
    repo = ground.repository()
    repo.build(steps(ECHO))
    repo.git("tag", "v2.0.0")
    repo.push("v2.0.0")
    assert repo.ended(repo.next(1)).event == "tag"
    assert "tag=v2.0.0" in repo.log("say")
    repo.push(":v2.0.0")
    repo.start(steps(ECHO), message="more")
    assert repo.last() == 3


def test_a_cron_job_builds(ground: Ground) -> None:
    repo = ground.repository()
    repo.commit({".drone.yml": steps(ECHO + "trigger: {cron: [nightly]}\n    ")})
    repo.push()
    assert repo.cli("cron", "set", "nightly", "* * * * *").code == 0
    assert repo.cli("cron", "run", "nightly").code == 0
    build = repo.ended(repo.next(0))
    assert (build.event, build.number) == ("cron", 1)
    assert "cron=nightly" in repo.log("say")
    assert repo.cli("cron", "rm", "nightly", "--yes").code == 0


def test_skip_ci_in_a_message_skips_a_push_but_not_a_tag(ground: Ground) -> None:
    repo = ground.repository()
    repo.commit({".drone.yml": steps(ECHO)}, "docs [skip ci]")
    repo.push()
    repo.git("tag", "v1")
    repo.push("v1")
    assert repo.ended(repo.next(0)).event == "tag"
    assert repo.last() == 1


def pull_request(repo: Repository, files: dict[str, str]) -> None:
    repo.git("checkout", "-q", "-b", "topic")
    sha = repo.commit(files, "a topic")
    repo.push("topic")
    repo.git("checkout", "-q", "main")
    words = ["--source", "topic", "--target", "main", "--number", "7", "--commit", sha]
    done = repo.cli("run", "--event", "pull_request", *words, "-w")
    assert done.code in {0, 1}, done.all


def test_a_pull_request_is_merged_with_its_target_and_gets_no_secrets(ground: Ground) -> None:
    text = steps("""
        steps:
        - name: say
          image: busybox
          environment: {HELD: {from_secret: held}, OPEN: {from_secret: open}}
          commands:
          - echo held=$HELD
          - test -n "$OPEN" && echo has open
          - cat target
          - echo $DRONE_PULL_REQUEST $DRONE_SOURCE_BRANCH
        trigger: {event: [pull_request]}
        """)
    repo = ground.repository()
    repo.commit({".drone.yml": text, "target": "old\n"})
    repo.push()
    assert repo.cli("secret", "set", "held", "--file", given(ground, "held-value")).code == 0
    words = ["--pull-requests", "--file", given(ground, "open-value")]
    assert repo.cli("secret", "set", "open", *words).code == 0
    repo.commit({"target": "new on main\n"})
    repo.push()
    repo.git("reset", "-q", "--hard", "HEAD~1")
    pull_request(repo, {"other": "x"})
    build = repo.show()
    assert (build.event, build.status) == ("pull_request", "passed"), build
    text = repo.log("say")
    assert "\nheld=\n" in text
    assert "\nhas open\n" in text
    assert "\nnew on main\n" in text
    assert "\n7 topic\n" in text


def given(ground: Ground, value: str) -> str:
    """A file with a secret in it."""
    path = ground.folder / f"given-{value}"
    path.write_text(value)
    return str(path)


DAG = "\n---\n".join(
    f"kind: pipeline\ntype: docker\nname: {name}\nclone: {{disable: true}}\n{more}"
    f"steps: [{{name: {name}-step, image: busybox, commands: [{command}]}}]\n"
    for name, command, more in (
        ("one", "'true'", ""),
        ("after-one", "echo here", "depends_on: [one]\n"),
        ("elsewhere", "'true'", "trigger: {branch: [other]}\n"),
        ("through", "'true'", "depends_on: [elsewhere, one]\n"),
        ("bad", "'false'", "depends_on: [after-one, through]\n"),
        ("after-bad", "echo no", "depends_on: [bad]\n"),
        ("rescue", "'echo $DRONE_FAILED_STAGES'",
         "depends_on: [bad]\ntrigger: {status: [failure]}\n"),
        ("finally", "'true'", "depends_on: [one, bad]\ntrigger: {status: [success, failure]}\n"),
    )
)  # fmt: skip


def test_pipelines_form_a_graph_with_branches_for_failure(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(DAG)
    assert build.status == "failed"
    assert {stage.name: stage.status for stage in build.stages} == {
        "one": "passed", "bad": "failed", "after-one": "passed", "after-bad": "skipped",
        "rescue": "passed", "finally": "passed", "through": "passed",
    }  # fmt: skip
    assert "\nbad\n" in repo.log("rescue-step")


def test_paths_really_match_the_changed_files(ground: Ground) -> None:
    text = steps("""
        steps:
        - {name: docs, image: busybox, commands: ['true'], when: {paths: ['docs/**']}}
        - {name: code, image: busybox, commands: ['true'], when: {paths: {exclude: ['docs/**']}}}
        """)
    repo = ground.repository()
    repo.build(text)
    build = repo.build(text, {"docs/deep/page.md": "x"})
    assert build.status == "passed"
    assert set(statuses(build)) == {"clone", "docs"}
    assert "code" in set(statuses(repo.build(text, {"main.c": "x"})))


def test_the_file_of_a_protected_repository_needs_a_signature_or_a_persons_word(
    ground: Ground,
) -> None:
    repo = ground.repository(protected=True)
    number = repo.start(steps(ECHO))
    build = repo.until(number, lambda build: build.status == "blocked")
    assert "sign" in build.reason, build
    assert repo.cli("reject", str(number)).code == 0
    assert repo.ended(number).status == "declined"
    again = repo.cli("retry", str(number), "-o", "json").json()["number"]
    assert repo.show(again).status == "blocked"
    assert repo.cli("approve", str(again)).code == 0
    assert repo.ended(again).status == "passed"
    promoted = repo.cli("run", "--event", "promote", "--to", "x", "-o", "json").json()["number"]
    assert repo.show(promoted).status in {"pending", "running", "passed", "blocked"}
    signed = ground.run("repo", "sign", repo.slug, "-f", str(repo.folder / ".drone.yml"), "--save")
    assert signed.code == 0, signed.all
    text = (repo.folder / ".drone.yml").read_text()
    assert "kind: signature" in text
    number = repo.start(text)
    assert repo.ended(number).status == "passed"
    assert repo.show(repo.start(text.replace("say", "changed"))).status == "blocked"


def test_a_retry_of_what_a_person_declined_is_blocked_again(ground: Ground) -> None:
    repo = ground.repository(protected=True)
    number = repo.start(steps(ECHO))
    repo.until(number, lambda build: build.status == "blocked")
    assert repo.cli("reject", str(number)).code == 0
    done = repo.cli("run", "--event", "promote", "--build", str(number), "--to", "x")
    if done.code == 0:
        assert repo.show().status == "blocked"
    else:
        assert "declined" in done.err


def test_a_newer_push_cancels_the_older_build_where_the_repository_says_so(
    ground: Ground,
) -> None:
    repo = ground.repository(settings={"auto_cancel_pushes": True, "auto_cancel_running": True})
    slow = steps("steps: [{name: slow, image: busybox, commands: [sleep 600]}]")
    first = repo.start(slow)
    second = repo.start(steps(ECHO))
    assert repo.ended(second).status == "passed"
    ended = repo.ended(first)
    assert (ended.status, ended.reason) == ("cancelled", "a newer commit came")


def test_several_documents_secrets_and_templates_of_one_file(ground: Ground) -> None:
    repo = ground.repository("templated", settings={"template_repository": ""})
    templates = ground.templates()
    templates.commit(
        {
            "greet.star": 'def main(ctx):\n  return {"kind": "pipeline", "type": "docker",'
            ' "name": "made", "steps": [{"name": "greet", "image": "busybox",'
            ' "commands": ["echo " + ctx.input.word]}]}\n'
        }
    )
    templates.push()
    build = repo.build("kind: template\nload: greet.star\ndata: {word: from-template}\n")
    assert build.status == "passed", build
    assert "\nfrom-template\n" in repo.log("greet")


def test_the_old_format_builds(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build("pipeline:\n  old:\n    image: busybox\n    commands: [echo of old times]\n")
    assert build.status == "passed", build
    assert "\nof old times\n" in repo.log("old")


def test_a_file_that_cannot_be_read_is_an_error_with_its_place(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(HEAD + "steps:\n- name: a\n  image: [\n")
    assert build.status == "errored"
    assert ".drone.yml:" in build.error
    build = repo.build(steps("steps: [{name: a, image: busybox, commands: 7, depends_on: [b]}]"))
    assert build.status == "errored"
    assert ".drone.yml:4" in stage_of(build).error + build.error


def test_annotated_steps_tell_the_commit_that_began_them(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - name: env
          image: busybox
          commands: ['echo $DRONE_COMMIT $DRONE_COMMIT_AUTHOR_EMAIL $CI']
        """)
    )
    assert f"\n{build.after} ada@fairway.example true\n" in repo.log("env")
    assert step_of(build, "env").exit_code == 0
