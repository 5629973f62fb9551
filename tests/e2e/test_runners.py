"""A runner on another machine: a token, a name, labels, and nothing else of the system."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from ground import Ground, stage_of, steps


@contextlib.contextmanager
def runner(ground: Ground, name: str, *words: str) -> Iterator[None]:
    """`fairway runner start`, in a folder of its own."""
    folder = ground.folder / name
    folder.mkdir()
    made = ground.ok("token", "create", name, "--scope", "runner", "-o", "json").json()
    token = folder / "token"
    token.write_text(made["token"])
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "fairway", "runner", "start", "--server", ground.url),
            *("--token-file", str(token), "--data", str(folder / "data"), "--name", name),
            *words,
        ],
        env={**ground.environment, "HOME": str(folder)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        yield
        assert process.poll() is None, (folder / "log").read_text()
    finally:
        process.terminate()
        process.wait(120)
        log.close()


def test_a_remote_runner_builds_what_asks_for_its_labels(ground: Ground) -> None:
    repo = ground.repository("app")
    text = steps(f"""
        node: {{place: afar}}
        steps:
        - {{name: image, image: plugins/docker, settings: {{repo: {repo.slug}, tags: x}}}}
        - name: use
          image: '{repo.slug}:x'
          environment: {{VALUE: {{from_secret: word}}}}
          commands: ['cat /from', 'test "$VALUE" && echo has it', 'cat Dockerfile']
        """)
    ground.ok("repo", "create", repo.slug)
    value = ground.folder / "remote-value"
    value.write_text("over-the-wire")
    ground.ok("secret", "set", "word", "-R", repo.slug, "--file", str(value))
    with runner(ground, "afar", "--label", "place=afar"):
        build = repo.build(text, {"Dockerfile": "FROM busybox\nRUN echo afar > /from\n"})
        assert build.status == "passed", build
        assert stage_of(build).machine == "afar"
        assert "\nafar\n" in repo.log("use")
        assert "\nhas it\n" in repo.log("use")
        listed = ground.ok("get", "runners", "-o", "json").json()["items"]
        assert {"afar"} <= {one["name"] for one in listed}


def test_the_local_engine_runs_trusted_repositories_alone(ground: Ground) -> None:
    text = (
        "kind: pipeline\ntype: exec\nname: default\n"
        "steps: [{name: here, commands: ['echo in $PWD', cat file]}]\n"
    )
    with runner(ground, "plain", "--engine", "local"):
        distrusted = ground.repository()
        build = distrusted.build(text, {"file": "x\n"})
        assert build.status == "errored", build
        assert "trusted" in build.error + stage_of(build).error
        repo = ground.repository(trusted=True)
        build = repo.build(text, {"file": "by a plain process\n"})
        assert build.status == "passed", build
        assert "\nby a plain process\n" in repo.log("here")


def test_a_token_without_the_scope_is_no_runners(ground: Ground) -> None:
    made = ground.ok("token", "create", "reader", "--scope", "repo:read", "-o", "json").json()
    token = ground.folder / "reader-token"
    token.write_text(made["token"])
    words = ["--server", ground.url, "--token-file", str(token), "--data"]
    done = ground.run("runner", "start", *words, str(ground.folder / "reader"), "--name", "no")
    assert done.code in {2, 4}, done.all
    assert "scope" in done.err or "allowed" in done.err
