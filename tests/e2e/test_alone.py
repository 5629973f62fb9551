"""Without a server: exec, lint and compile."""

from __future__ import annotations

from pathlib import Path

import pytest
from ground import Ground, steps

SIMPLE = steps("""
    steps:
    - name: hello
      image: busybox
      environment: {WORD: {from_secret: word}}
      commands: [echo hello, ls, 'test "$WORD" && echo with a secret']
    """)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".drone.yml").write_text(SIMPLE)
    (tmp_path / "a-file").touch()
    return tmp_path


def test_exec_runs_a_file_in_its_folder(ground: Ground, folder: Path) -> None:
    (folder / "secrets").write_text("word=hidden-word\n")
    done = ground.run("exec", "--secret-file", "secrets", cwd=folder)
    assert done.code == 0, done.all
    assert "a-file" in done.out
    assert "with a secret" in done.out
    (folder / ".drone.yml").write_text(SIMPLE.replace("ls", "exit 4"))
    assert ground.run("exec", cwd=folder).code == 1


def test_exec_uses_what_it_built_and_runs_pipelines_that_ask_for_a_failure(
    ground: Ground, folder: Path
) -> None:
    text = steps("""
        steps:
        - {name: image, image: plugins/docker, settings: {repo: e2e-alone/thing, tags: t}}
        - {name: use, image: 'e2e-alone/thing:t', commands: [cat /made, exit 3]}
        ---
        kind: pipeline
        type: docker
        name: rescue
        depends_on: [default]
        trigger: {status: [failure]}
        steps: [{name: tell, image: busybox, commands: [echo it failed]}]
        """)
    (folder / ".drone.yml").write_text(text)
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo by exec > /made\n")
    try:
        done = ground.run("exec", cwd=folder)
    finally:
        ground.docker("rmi", "e2e-alone/thing:t")
    assert done.code == 1
    assert "by exec" in done.out
    assert "it failed" in done.out


def test_lint_names_every_error_with_its_place_and_warns_of_likely_mistakes(
    ground: Ground, folder: Path
) -> None:
    assert ground.run("lint", cwd=folder).code == 0
    bad = steps("""
        steps:
        - {name: a, image: busybox, comands: [x], x-fairway: {retries: 2}}
        - {name: a, image: busybox, depends_on: [none]}
        """)
    (folder / ".drone.yml").write_text(bad)
    done = ground.run("lint", cwd=folder)
    assert done.code == 1
    for text in (".drone.yml:5:", ".drone.yml:6:", "comands", "retries"):
        assert text in done.all, text


def test_compile_prints_what_would_run(ground: Ground, folder: Path) -> None:
    done = ground.run("compile", "--event", "push", "--branch", "main", "-o", "json", cwd=folder)
    assert done.code == 0, done.all
    plan = done.json()
    (pipeline,) = plan["pipelines"]
    (hello,) = [step for step in pipeline["steps"] if step["name"] == "hello"]
    assert "echo hello" in hello["script"]
    assert "word" in str(hello["environment"]["WORD"])
    assert hello["environment"]["DRONE_BRANCH"] == "main"
    left = ground.run("compile", "--event", "tag", "-o", "json", cwd=folder)
    assert left.code == 0
