"""Steps as a person writes them: order, failure, environment, workspace, services, volumes."""

from __future__ import annotations

from ground import Ground, stage_of, statuses, step_of, steps


def test_a_push_builds_and_its_log_can_be_read(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - {name: hello, image: busybox, commands: [echo hello $DRONE_REPO $DRONE_BRANCH, cat file]}
        """),
        {"file": "of the repository\n"},
    )
    assert build.status == "passed", build
    text = repo.cli("logs", "last", "hello").out
    assert f"hello {repo.slug} main\n" in text
    assert "+ cat file\nof the repository\n" in text


def test_one_failure_skips_what_wants_success_and_runs_what_wants_failure(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - {name: bad, image: busybox, commands: [exit 3]}
        - {name: next, image: busybox, commands: [echo never]}
        - name: report
          image: busybox
          commands: [echo build is $DRONE_BUILD_STATUS]
          when: {status: [failure]}
        - name: always
          image: busybox
          commands: [echo $DRONE_FAILED_STEPS]
          when: {status: [success, failure]}
        """)
    )
    assert build.status == "failed"
    assert statuses(build) | {"clone": ""} == {
        "clone": "", "bad": "failed", "next": "skipped", "report": "passed", "always": "passed",
    }  # fmt: skip
    assert step_of(build, "bad").exit_code == 3
    assert "build is failure" in repo.log("report")
    assert "\nbad\n" in repo.log("always")


def test_failure_ignore_goes_on_and_the_build_passes(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - {name: soft, image: busybox, commands: [exit 1], failure: ignore}
        - {name: next, image: busybox, commands: [echo here]}
        """)
    )
    assert (build.status, statuses(build)["next"]) == ("passed", "passed")
    assert statuses(build)["soft"] == "failed"


def test_failure_fast_ends_what_runs_beside_it(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - {name: start, image: busybox, commands: [echo go]}
        - name: bad
          image: busybox
          commands: [sleep 4, exit 1]
          failure: fast
          depends_on: [start]
        - {name: long, image: busybox, commands: [sleep 600], depends_on: [start]}
        """)
    )
    assert build.status == "cancelled", build
    assert (statuses(build)["bad"], statuses(build)["long"]) == ("failed", "cancelled")


def test_exit_78_passes_and_skips_the_rest(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - {name: enough, image: busybox, commands: [exit 78]}
        - {name: rest, image: busybox, commands: [echo no]}
        - {name: always, image: busybox, commands: [echo no], when: {status: [success, failure]}}
        """)
    )
    assert build.status == "passed"
    assert (statuses(build)["rest"], statuses(build)["always"]) == ("skipped", "skipped")


def test_services_and_detached_steps_are_reached_by_name_and_never_fail_the_build(
    ground: Ground,
) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        services:
        - name: web
          image: busybox
          commands: [mkdir -p /www, echo served > /www/index.html, httpd -f -p 8000 -h /www]
          x-fairway: {ready: {tcp: 8000}}
        - {name: broken, image: busybox, commands: [exit 9]}
        steps:
        - name: side
          image: busybox
          detach: true
          commands: [mkdir -p /www, echo beside > /www/index.html, httpd -f -p 9000 -h /www]
          x-fairway: {ready: {http: {port: 9000, path: /}}}
        - {name: ask, image: busybox, commands: [wget -qO- http://web:8000/, wget -qO- http://side:9000/]}
        """)
    )
    assert build.status == "passed", build
    text = repo.log("ask")
    assert "\nserved\n" in text
    assert "\nbeside\n" in text


def test_readiness_that_never_comes_is_an_error_that_names_the_service(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        services:
        - name: shy
          image: busybox
          commands: [sleep 600]
          x-fairway: {ready: {tcp: 8000, interval: 1s, timeout: 2s}}
        steps:
        - {name: ask, image: busybox, commands: [echo never]}
        """)
    )
    assert build.status in {"errored", "failed"}
    shy = step_of(build, "shy")
    assert "ready" in shy.error + stage_of(build).error, build
    assert statuses(build)["ask"] == "skipped"


def test_temporary_volumes_are_shared_by_the_steps_of_a_pipeline(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        volumes:
        - {name: cache, temp: {}}
        steps:
        - name: put
          image: busybox
          volumes: [{name: cache, path: /cache}]
          commands: [echo kept > /cache/x]
        - name: get
          image: busybox
          volumes: [{name: cache, path: /cache}]
          commands: [cat /cache/x]
        """)
    )
    assert build.status == "passed", build
    assert "\nkept\n" in repo.log("get")


def test_trusted_settings_are_refused_with_their_line_where_the_repository_is_not_trusted(
    ground: Ground,
) -> None:
    text = steps(f"""
        volumes:
        - {{name: host, host: {{path: {ground.home}}}}}
        - {{name: memory, temp: {{medium: memory}}}}
        steps:
        - name: look
          image: busybox
          volumes: [{{name: host, path: /host}}, {{name: memory, path: /memory}}]
          commands: [ls -a /host, mount | grep /memory]
        """)
    repo = ground.repository()
    build = repo.build(text)
    assert build.status == "errored"
    assert ".drone.yml:" in stage_of(build).error + build.error
    assert "trusted" in stage_of(build).error + build.error
    trusted = ground.repository(trusted=True)
    build = trusted.build(text)
    assert build.status == "passed", build
    assert ".config" in trusted.log("look")
    assert "tmpfs on /memory" in trusted.log("look")


def test_privileged_and_its_like_are_refused_for_repositories_that_are_not_trusted(
    ground: Ground,
) -> None:
    repo = ground.repository()
    for setting in ("privileged: true", "network_mode: host", "dns: [10.0.0.1]", "shm_size: 1mb"):
        build = repo.build(
            steps(f"steps: [{{name: a, image: busybox, commands: ['true'], {setting}}}]")
        )
        assert build.status == "errored", setting
        assert ".drone.yml:4:" in stage_of(build).error
        assert setting.partition(":")[0] in stage_of(build).error


def test_the_image_table_of_the_operator_rewrites_names(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(steps("steps: [{name: a, image: 'shell:3', commands: [echo rewritten]}]"))
    assert build.status == "passed", build
    assert "\nrewritten\n" in repo.log("a")


def test_a_step_may_be_retried_and_each_attempt_keeps_its_log(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - name: flaky
          image: busybox
          commands:
          - "test -e .again || { touch .again; echo first time; exit 1; }"
          - echo second time
          x-fairway: {retry: 2}
        """)
    )
    assert build.status == "passed", build
    assert step_of(build, "flaky").attempt == 2
    assert "second time" in repo.log("flaky")
    first = repo.cli("logs", "last", "flaky", "--attempt", "1").out
    assert "first time" in first
    assert "\nsecond time" not in first


def test_a_step_ends_at_its_timeout(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps("""
        steps:
        - {name: slow, image: busybox, commands: [sleep 600], x-fairway: {timeout: 1s}}
        """)
    )
    assert build.status == "failed", build
    assert "1 s" in step_of(build, "slow").error


def test_a_build_ends_at_the_repositorys_timeout(ground: Ground) -> None:
    repo = ground.repository(timeout_s=2)
    build = repo.build(steps("steps: [{name: slow, image: busybox, commands: [sleep 600]}]"))
    assert build.status == "failed", build
    assert "2 seconds" in build.reason + build.error + stage_of(build).error, build


def test_commands_of_thirty_lines_quotes_and_backslashes_arrive_as_written(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(
        steps(r"""
        steps:
        - name: quotes
          image: busybox
          environment: {TEXT: "it's \"quoted\""}
          commands:
          - printf '%s\n' "$TEXT" 'a\tb'
          - |
            for i in 1 2 3; do
              echo "line $i"
            done
        """)
    )
    assert build.status == "passed", build
    text = repo.log("quotes")
    assert '\nit\'s "quoted"\na\\tb\n' in text
    assert "\nline 1\nline 2\nline 3\n" in text
