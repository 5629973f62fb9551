"""Test environments of Compose files in a running system, with a real Docker Engine."""

from __future__ import annotations

import json
import os
import signal
import urllib.request

import pytest
from ground import Ground, statuses, step_of, steps

from fairway.client.wire.build import Build
from fairway.kit import processes
from fairway.model.errors import Unavailable
from fairway.native import programs


def _has_compose() -> bool:
    try:
        programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", ""))
    except Unavailable:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_compose(), reason="scripts/native has built no Compose")

WEB = """
services:
  web:
    image: busybox:latest
    container_name: the-web
    command: >-
      sh -c "mkdir -p /www; echo \\"$$GREETING from $$(cat /conf/name)\\" > /www/index.html;
      echo the token is $$TOKEN; exec httpd -f -p 8000 -h /www"
    environment:
      GREETING: ${GREETING:-hello}
      TOKEN: ${TOKEN:-none}
    ports: ["127.0.0.1:1:8000"]
    volumes: ["./conf:/conf:ro", "data:/data"]
    healthcheck:
      test: ["CMD", "wget", "-q", "-O-", "http://127.0.0.1:8000/"]
      interval: 1s
      retries: 20
    depends_on:
      migrate: {condition: service_completed_successfully}
  migrate:
    image: busybox:latest
    command: ["sh", "-c", "echo migrated"]
    secrets: [key]
secrets:
  key: {environment: TOKEN}
volumes: {data: {}}
"""
TEST = """
        - name: test
          image: shell:1
          commands:
          - wget -q -O- http://web:8000/
          - wget -q -O- http://the-web:8000/
"""


def _left(ground: Ground, *labels: str) -> list[str]:
    """Everything in the engine that has all these labels."""
    words = [word for label in labels for word in ("--filter", f"label={label}")]
    kinds = (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"), ("images", "-q"))
    return [one for kind in kinds for one in ground.docker(*kind, *words).out.split()]


def ours(ground: Ground, build: Build) -> tuple[str, str]:
    """The labels of environments that this Fairway made: others may use the engine as well."""
    installation = ground.api.get("/system", dict)["installation"]
    return "fairway.environment", f"fairway.owner={installation}/{build.stages[0].machine}"


def running(ground: Ground, build: Build) -> list[str]:
    """The containers of environments of this Fairway."""
    words = [word for label in ours(ground, build) for word in ("--filter", f"label={label}")]
    return ground.docker("ps", "-q", *words).out.split()


def nothing_left(ground: Ground) -> bool:
    """Whether no environment of this Fairway's is in the engine, nor what was run for it."""
    folder = ground.data / "environments"
    return not (folder.is_dir() and any(folder.iterdir()))


def test_later_steps_reach_the_services_by_name_and_all_goes_with_the_stage(
    ground: Ground,
) -> None:
    repo = ground.repository()
    ground.ok("repo", "create", repo.slug)
    ground.ok("secret", "set", "token", "-R", repo.slug, given="s3cr3t-word")
    build = repo.build(
        steps(
            f"""
        steps:
        - name: env
          image: fairway/environment
          settings: {{compose: compose.yml}}
          environment: {{GREETING: good day, TOKEN: {{from_secret: token}}}}
        {TEST}""".replace("        {TEST}", TEST)
        ),
        {"compose.yml": WEB, "conf/name": "webflix"},
    )
    said = repo.log("env")
    assert build.status == "passed", said
    assert repo.log("test").count("good day from webflix") == 2
    assert "migrate | migrated" in said
    assert "the token is ******" in said
    assert "s3cr3t-word" not in said
    assert step_of(build, "env").status == "passed"
    assert processes.wait_for(lambda: nothing_left(ground), 120)
    assert _left(ground, *ours(ground, build)) == []


def test_the_image_that_the_build_made_takes_its_place_in_the_file(ground: Ground) -> None:
    repo = ground.repository("shop")
    files = {
        "Dockerfile": "FROM busybox:latest\nRUN mkdir /www && echo built > /www/index.html\n"
        'CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]\n',
        "mock/Dockerfile": "FROM busybox:latest\n"
        'CMD ["sh", "-c", "while true; do echo mocking; sleep 1; done"]\n',
        "compose.yml": f"services:\n  web: {{image: {repo.slug}, build: .}}\n"
        "  mock: {build: ./mock}\n",
    }
    build = repo.build(
        steps(f"""
        steps:
        - name: image
          image: plugins/docker
          settings: {{repo: {repo.slug}, tags: one}}
        - name: env
          image: fairway/environment
          settings: {{compose: compose.yml}}
        - name: test
          image: shell:1
          commands: [wget -q -O- http://web:8000/]
        """),
        files,
    )
    said = repo.log("env")
    assert build.status == "passed", said
    digest = step_of(build, "image").images[0]["digest"]
    assert f"web runs {repo.slug}:one: " in said
    assert digest in said
    assert "mocking" in said
    assert repo.log("test").strip().endswith("built")
    assert processes.wait_for(lambda: nothing_left(ground), 120)
    assert _left(ground, *ours(ground, build)) == []


@pytest.mark.parametrize(
    ("compose", "words"),
    [
        ("services:\n  web:\n    image: [busybox\n", "compose.yml:"),
        (
            "services:\n  web:\n    image: busybox:latest\n    ports: nonsense\n",
            "compose.yml:4:",
        ),
        ("services:\n  web: {image: nowhere.example/no/such:1}\n", "services.web.image"),
        (
            "services:\n  web:\n    image: busybox:latest\n"
            '    command: ["sh", "-c", "echo cannot; exit 3"]\n',
            "service web: it ended (3)",
        ),
        (
            "services:\n  web:\n    image: busybox:latest\n    command: [sleep, '60']\n"
            "    healthcheck: {test: [CMD, 'false'], interval: 1s, retries: 2}\n",
            "service web: it is unhealthy",
        ),
        (
            "services:\n  web:\n    image: busybox:latest\n    command: [sleep, '60']\n"
            "    healthcheck: {test: [CMD, 'false'], interval: 1s, retries: 90}\n",
            "not ready within 10 s: service web: it is not healthy yet",
        ),
    ],
    ids=["no-yaml", "no-compose", "no-image", "ends", "unhealthy", "never-healthy"],
)
def test_what_cannot_start_is_said_at_once_and_leaves_nothing(
    ground: Ground, compose: str, words: str
) -> None:
    repo = ground.repository()
    text = steps("""
        steps:
        - name: env
          image: fairway/environment
          settings: {compose: compose.yml, timeout: LIMIT}
        - {name: after, image: 'shell:1', commands: ['true']}
        """)
    build = repo.build(
        text.replace("LIMIT", "10s" if "within 10 s" in words else "240s"),
        {"compose.yml": compose},
    )
    said = repo.log("env")
    assert (build.status, statuses(build)["after"]) == ("errored", "skipped"), said
    assert words in said
    assert words in step_of(build, "env").error
    if "echo cannot" in compose:
        assert "web | cannot" in said
    assert processes.wait_for(lambda: nothing_left(ground), 120)


def test_a_file_that_reaches_for_the_machine_is_refused_with_every_path(ground: Ground) -> None:
    repo = ground.repository()
    bad = (
        "services:\n  web:\n    image: busybox:latest\n    privileged: true\n"
        "    volumes: ['/etc:/x', './ok:/ok']\n    network_mode: host\n"
    )
    text = steps("""
        steps:
        - {name: env, image: fairway/environment, settings: {compose: compose.yml}}
        """)
    build = repo.build(text, {"compose.yml": bad})
    said = repo.log("env")
    assert build.status == "errored"
    for path in ("services.web.privileged", "services.web.volumes[0]", "services.web.network_mode"):
        assert f"compose.yml:{4 if 'priv' in path else 5 if 'vol' in path else 6}:" in said
        assert path in said
    assert "volumes[1]" not in said


@pytest.mark.parametrize(
    "compose",
    [
        "services:\n  web:\n    image: busybox:latest\n    env_file: /etc/passwd\n",
        f"services:\n  web:\n    image: busybox:latest\n    env_file: {'../' * 16}etc/passwd\n",
        "services:\n  web:\n    image: busybox:latest\n    env_file: link\n",
        "include: [/etc/passwd]\nservices: {web: {image: busybox}}\n",
        "services:\n  web: {extends: {file: /etc/passwd, service: web}}\n",
    ],
    ids=["env-file", "dots", "link", "include", "extends"],
)
def test_no_file_outside_of_the_workspace_is_read(ground: Ground, compose: str) -> None:
    repo = ground.repository()
    (repo.folder / "link").symlink_to("/etc/passwd")
    build = repo.build(
        steps("""
        steps:
        - {name: env, image: fairway/environment, settings: {compose: compose.yml}}
        """),
        {"compose.yml": compose},
    )
    assert build.status == "errored"
    assert "root:x" not in repo.log("env")


def test_a_cancelled_build_leaves_nothing_of_its_environment(ground: Ground) -> None:
    repo = ground.repository()
    number = repo.start(
        steps("""
        steps:
        - {name: env, image: fairway/environment, settings: {compose: compose.yml}}
        - {name: long, image: 'shell:1', commands: [echo begun, sleep 300]}
        """),
        {"compose.yml": "services:\n  web: {image: 'busybox:latest', command: [sleep, '600']}\n"},
    )
    repo.says(number, "begun")
    labels = ours(ground, repo.show(number))
    assert _left(ground, *labels)
    assert repo.cli("cancel", str(number)).code == 0
    assert repo.ended(number).status == "cancelled"
    assert processes.wait_for(lambda: nothing_left(ground), 120)
    assert _left(ground, *labels) == []


def test_an_environment_outlives_a_crash_of_fairway_and_goes_with_its_stage(
    ground: Ground,
) -> None:
    repo = ground.repository()
    number = repo.start(
        steps("""
        steps:
        - {name: env, image: fairway/environment, settings: {compose: compose.yml}}
        - name: long
          image: shell:1
          commands:
          - echo begun
          - until wget -q -O- http://web:8000/go; do sleep 1; done
        """),
        {
            "compose.yml": "services:\n  web:\n    image: busybox:latest\n"
            "    command: ['sh', '-c', 'mkdir /www; httpd -f -p 8000 -h /www']\n"
        },
    )
    repo.says(number, "begun")
    (before,) = running(ground, repo.show(number))
    state = json.loads((ground.data / "run" / "fairway.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)
    ground.up()
    ground.docker("exec", before, "sh", "-c", "echo yes > /www/go")
    build = repo.ended(number)
    assert build.status == "passed", repo.log("env")
    assert "yes" in repo.log("long")
    assert processes.wait_for(lambda: nothing_left(ground), 120)
    assert _left(ground, *ours(ground, build)) == []


def test_a_person_starts_the_same_environment_by_hand(ground: Ground) -> None:
    folder = ground.folder / "by-hand"
    folder.mkdir()
    (folder / "compose.yml").write_text(
        "services:\n  web:\n    image: busybox:latest\n    ports: ['127.0.0.1::8000']\n"
        "    command: ['sh', '-c', 'mkdir /www; echo hi > /www/index.html; echo serving;"
        " httpd -f -p 8000 -h /www']\n"
    )
    data = ("--data", str(ground.data))
    try:
        done = ground.ok("environment", "up", *data, cwd=folder)
        service, address = done.out.strip().split(": ")
        assert service == "web"
        with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
            assert answer.read() == b"hi\n"
        assert "web | serving" in ground.ok("environment", "logs", *data, cwd=folder).out
    finally:
        ground.ok("environment", "down", *data, cwd=folder)
    done = ground.run("environment", "logs", *data, cwd=folder)
    assert (done.code, "environment-not-running" in done.err) == (5, True)
    assert _left(ground, "fairway.owner=by-hand") == []


def test_the_other_services_run_as_their_newest_candidates_where_production_has_none(
    ground: Ground,
) -> None:
    other = ground.repository("other")
    served = "FROM busybox:latest\nRUN mkdir /www && echo {0} > /www/index.html\n"
    served += 'CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]\n'
    image = f"""
        steps:
        - name: image
          image: plugins/docker
          settings: {{repo: {other.slug}, tags: one}}
        """
    assert other.build(steps(image), {"Dockerfile": served.format("good")}).status == "passed"
    digest = other.candidate()
    repo = ground.repository()
    tried = f"""
        steps:
        - name: env
          image: fairway/environment
          settings: {{compose: compose.yml, realistic: [{other.slug}]}}
        - name: test
          image: shell:1
          commands: ["wget -q -O- http://other:8000/"]
        """
    compose = f"services:\n  other: {{image: '{other.slug}:candidate'}}\n"
    build = repo.build(steps(tried), {"compose.yml": compose})
    assert build.status == "passed", build.error
    said = repo.log("env")
    assert [(one.image, one.digest, one.origin) for one in build.companions] == [
        (other.slug, digest, "candidate")
    ]
    assert "good" in repo.log("test")
    assert f"realistic: {other.slug} runs as {other.slug}@{digest}" in said
    shown = repo.cli("describe", "build", str(build.number)).out
    assert f"Beside:  {other.slug} {digest.removeprefix('sha256:')[:12]} (candidate)" in shown
    broken = repo.build(steps(tried.replace(other.slug, "e2e/nowhere")))
    assert broken.status == "errored"
    assert "wants e2e/nowhere beside it" in broken.error
