"""Images: built once, used by their name in the same build, known by digest, judged."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from ground import Ground, Repository, statuses, step_of, steps

from fairway.client.wire.build import Build

DOCKERFILE = """\
FROM busybox AS base
ARG WORD=nothing
ARG FROM_ENV=nothing
RUN echo "$WORD $FROM_ENV" > /word
COPY content /content
FROM base AS test
RUN echo tests > /tests
FROM base
CMD ["cat", "/content"]
"""
FILES = {"Dockerfile": DOCKERFILE, "content": "the film\n"}


def images(repo: Repository, *words: str) -> list[dict[str, Any]]:
    found = repo.cli("get", "images", "-o", "json", *words).json()["items"]
    assert isinstance(found, list)
    return found


def one_image(repo: Repository, text: str, **more: str) -> Build:
    return repo.build(
        steps(f"""
        steps:
        - name: image
          image: plugins/docker
          settings: {{repo: {repo.slug}, {text}}}
        """),
        {**FILES, **more},
    )


def manifest(ground: Ground, repo: Repository, tag: str) -> dict[str, Any]:
    """What docker says of an image of ours, pulled as a person does."""
    name = f"{ground.registry}/{repo.slug}:{tag}"
    ground.docker("pull", "-q", name)
    found = json.loads(ground.docker("image", "inspect", name).out)[0]
    ground.docker("rmi", name)
    assert isinstance(found, dict)
    return found


def test_an_image_and_its_test_target_are_used_by_later_steps_and_services_by_their_names(
    ground: Ground,
) -> None:
    repo = ground.repository("app")
    build = repo.build(
        steps(f"""
        steps:
        - name: test-image
          image: plugins/docker
          settings: {{repo: {repo.slug}, target: test, tags: test}}
        - {{name: in-test, image: '{repo.slug}:test', commands: [cat /tests /content]}}
        - name: image
          image: plugins/docker
          settings: {{repo: {repo.slug}, tags: ['${{DRONE_COMMIT_SHA:0:8}}', latest]}}
        - {{name: in-image, image: '{repo.slug}', commands: [cat /content, '! test -e /tests']}}
        ---
        kind: pipeline
        type: docker
        name: live
        depends_on: [default]
        services:
        - name: site
          image: '{repo.slug}:${{DRONE_COMMIT_SHA:0:8}}'
          commands: [httpd -f -p 8000 -h /]
          x-fairway: {{ready: {{tcp: 8000}}}}
        steps:
        - {{name: ask, image: busybox, commands: ['wget -qO- http://site:8000/content']}}
        """),
        FILES,
    )
    assert build.status == "passed", build
    assert "tests\nthe film" in repo.log("in-test")
    assert "\nthe film\n" in repo.log("in-image")
    assert "\nthe film\n" in repo.log("ask")
    assert step_of(build, "image").images[0]["digest"].startswith("sha256:")


def test_a_name_in_our_registry_that_nobody_builds_is_an_error_with_its_line_before_anything_starts(
    ground: Ground,
) -> None:
    repo = ground.repository("app")
    build = repo.build(
        steps(f"""
        steps:
        - {{name: first, image: busybox, commands: [echo started]}}
        - {{name: use, image: '{ground.registry}/{repo.slug}:none', commands: [echo no]}}
        """)
    )
    assert build.status == "errored", build
    assert ".drone.yml:6:" in build.error
    assert not any(status == "passed" for status in statuses(build).values())


def test_every_setting_of_the_image_plugin_counts(ground: Ground) -> None:
    repo = ground.repository("app")
    build = repo.build(
        steps(f"""
        steps:
        - name: image
          image: plugins/docker
          environment: {{FROM_ENV: by-variable}}
          settings:
            repo: {repo.slug}
            registry: {ground.registry}
            tags: [one, two]
            dockerfile: build/Containerfile
            context: build
            target: base
            build_args: [WORD=by-setting]
            build_args_from_env: [FROM_ENV]
            cache_from: ['{repo.slug}:one']
            labels: [team=film, sort=all]
            custom_labels: [more=yes]
            purge: true
            mirror: http://127.0.0.1:1
            insecure: true
        - {{name: look, image: '{repo.slug}:two', commands: [cat /word]}}
        """),
        {"build/Containerfile": DOCKERFILE, "build/content": "x\n"},
    )
    assert build.status == "passed", build
    assert "\nby-setting by-variable\n" in repo.log("look")
    labels = manifest(ground, repo, "one")["Config"]["Labels"]
    assert (labels["team"], labels["sort"], labels["more"]) == ("film", "all", "yes")
    assert labels["org.opencontainers.image.revision"] == build.after
    assert repo.slug in labels["org.opencontainers.image.source"]
    assert labels["org.opencontainers.image.created"]
    assert "no effect" not in repo.log("image")


def test_auto_tag_names_versions_and_leaves_other_branches_alone(ground: Ground) -> None:
    repo = ground.repository("app")
    assert one_image(repo, "auto_tag: true").status == "passed"
    assert images(repo)[0]["tags"] == ["candidate", "latest"]
    repo.git("tag", "v1.2.3")
    repo.push("v1.2.3")
    assert repo.ended(repo.next(1)).status == "passed"
    assert {"1", "1.2", "1.2.3"} <= set(images(repo)[0]["tags"])
    repo.git("checkout", "-q", "-b", "side")
    repo.push("side")
    side = repo.ended(repo.next(2))
    assert side.status == "passed"
    assert "skipping automated docker build" in repo.log("image")
    assert len(images(repo)) == 2


def test_a_dry_run_pushes_nothing(ground: Ground) -> None:
    repo = ground.repository("app")
    assert one_image(repo, "tags: dry, dry_run: true").status == "passed"
    assert images(repo) == []


def test_paths_of_a_build_never_lead_out_of_the_workspace(ground: Ground) -> None:
    repo = ground.repository("app")
    (repo.folder / "link").symlink_to("/etc")
    for setting in ("context: ..", "dockerfile: ../Dockerfile", "context: link"):
        build = one_image(repo, setting)
        assert build.status in {"failed", "errored"}, setting
        assert "workspace" in repo.log("image") + step_of(build, "image").error, setting


def test_a_digest_is_a_candidate_only_when_the_whole_build_has_passed(ground: Ground) -> None:
    repo = ground.repository("app")
    text = f"""
        steps:
        - {{name: image, image: plugins/docker, settings: {{repo: {repo.slug}, tags: last}}}}
        - {{name: try, image: '{repo.slug}:last', commands: [test -e /content, %s]}}
        """
    good = repo.build(steps(text % "'true'"), FILES)
    assert good.status == "passed", good
    bad = repo.build(steps(text % "'false'"), {**FILES, "content": "worse\n"})
    assert bad.status == "failed"
    listed = {one["build"]: one for one in images(repo)}
    assert (listed[1]["candidate"], listed[2]["candidate"]) == ("yes", "no")
    assert "failed" in str(listed[2]["reason"])
    assert [one["build"] for one in images(repo, "--candidates")] == [1]
    repo.git("checkout", "-q", "-b", "side")
    repo.push("side")
    repo.git("checkout", "-q", "main")
    assert repo.ended(repo.next(2)).number == 3
    assert {one["candidate"] for one in images(repo) if one["build"] == 3} == {"no"}


def test_commit_build_step_and_digest_are_asked_both_ways(ground: Ground) -> None:
    repo = ground.repository("app")
    build = one_image(repo, "tags: x")
    (found,) = images(repo, "--commit", build.after)
    assert (found["build"], found["step"], found["revision"]) == (1, "image", build.after)
    digest = str(found["digest"])
    back = repo.cli("image", "ls", "--digest", digest, "-o", "json").json()["items"]
    assert [(one["build"], one["revision"]) for one in back] == [(1, build.after)]
    shown = repo.cli("describe", "image", digest).out
    assert build.after in shown


def test_with_the_mapping_turned_off_a_plugin_runs_as_its_image(ground: Ground) -> None:
    repo = ground.repository("app", settings={"builtin_plugins": False})
    build = repo.build(
        steps("""
        clone: {disable: true}
        steps:
        - {name: image, image: plugins/docker, settings: {repo: x}}
        """)
    )
    assert build.status in {"failed", "errored"}
    assert "plugins/docker" in step_of(build, "image").error + repo.log("image")


def test_login_lets_docker_and_git_ask_fairway_for_credentials(ground: Ground) -> None:
    repo = ground.repository("app")
    one_image(repo, "tags: x")
    home = ground.folder / "other"
    home.mkdir()
    token = ground.folder / "token"
    token.write_text(ground.token)
    docker = str(home / ".docker")
    env = {"HOME": str(home), "DOCKER_CONFIG": docker}
    done = ground.run("login", ground.url, "--token-file", str(token), **env)
    assert done.code == 0, done.all
    plain = f"{ground.url}/{repo.slug}.git"
    cloned = ground.program("git", "clone", "-q", plain, "copy", cwd=home, **env)
    assert cloned.code == 0, cloned.all
    assert (home / "copy" / "Dockerfile").exists()
    name = f"{ground.registry}/{repo.slug}:x"
    pulled = ground.program("docker", "pull", "-q", name, cwd=home, **env)
    assert pulled.code == 0, pulled.all
    ground.docker("rmi", name)
    assert ground.token not in (home / ".docker/config.json").read_text()


def test_docker_without_credentials_may_not_pull(ground: Ground) -> None:
    repo = ground.repository("app")
    one_image(repo, "tags: x")
    empty = {"DOCKER_CONFIG": str(ground.folder / "none")}
    name = f"{ground.registry}/{repo.slug}:x"
    done = ground.program("docker", "pull", name, cwd=ground.folder, **empty)
    assert done.code != 0
    assert "denied" in done.all or "unauthorized" in done.all


def test_annotations_of_the_manifest_and_labels_of_the_image_say_where_it_comes_from(
    ground: Ground,
) -> None:
    repo = ground.repository("app")
    repo.commit({"x": "x"})
    build = one_image(repo, "tags: x")
    accept = "application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(
        f"{ground.url}/v2/{repo.slug}/manifests/x",
        headers={"Accept": accept, "Authorization": f"Bearer {ground.token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found = json.load(answer)
    notes = found["annotations"]
    assert notes["org.opencontainers.image.revision"] == build.after
    for name in ("source", "created", "version"):
        assert notes.get(f"org.opencontainers.image.{name}"), notes


def test_the_siblings_of_the_image_plugin_build_by_the_same_settings(ground: Ground) -> None:
    repo = ground.repository("app")
    registry = ground.registry
    build = repo.build(
        steps(f"""
        steps:
        - name: gcr
          image: plugins/gcr
          settings: {{repo: {repo.slug}, registry: '{registry}', tags: gcr}}
        - name: acr
          image: plugins/acr:18
          settings: {{repo: '{registry}/{repo.slug}', registry: '{registry}', tags: acr}}
        - name: ecr
          image: plugins/ecr
          settings: {{repo: {repo.slug}, registry: '{registry}', tags: ecr}}
        - name: heroku
          image: plugins/heroku
          settings: {{app: film, process_type: worker, dry_run: true}}
        """),
        FILES,
    )
    assert build.status == "passed", build
    tags = {tag for one in images(repo) for tag in one["tags"]}
    assert {"gcr", "acr", "ecr"} <= tags


def test_one_step_again_uses_the_image_that_the_build_before_made(ground: Ground) -> None:
    repo = ground.repository("app")
    build = repo.build(
        steps(f"""
        steps:
        - {{name: image, image: plugins/docker, settings: {{repo: {repo.slug}, tags: moves}}}}
        - {{name: use, image: '{repo.slug}:moves', commands: [cat /content]}}
        """),
        FILES,
    )
    assert build.status == "passed", build
    repo.commit({"content": "the second film\n"})
    repo.push()
    assert repo.ended(repo.next(1)).status == "passed"
    assert "\nthe second film\n" in repo.log("use")
    assert repo.cli("retry", "1", "--step", "use", "-w").code == 0
    assert "\nthe film\n" in repo.log("use")


def test_a_short_name_of_an_organisation_of_ours_is_looked_up_here_and_nowhere_else(
    ground: Ground,
) -> None:
    repo = ground.repository("app")
    build = repo.build(
        steps(f"steps: [{{name: use, image: '{repo.slug}:none', commands: [echo no]}}]"), FILES
    )
    assert build.status == "errored", build
    assert ".drone.yml:4:" in build.error
    assert f"{repo.slug}:none" in build.error
