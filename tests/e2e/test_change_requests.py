"""A change request from the push that opens it to the build of what it became."""

from __future__ import annotations

from typing import Any

from ground import Ground, Repository, statuses, steps

from fairway.kit import processes

PIPELINE = """
    steps:
    - name: test
      image: busybox
      commands:
      - echo $DRONE_BUILD_EVENT number=$DRONE_PULL_REQUEST at=$DRONE_COMMIT_SHA
      - cat a b
      - test ! -e broken
    - name: image
      image: plugins/docker
      settings: {repo: REPO, tags: "${DRONE_COMMIT_SHA:0:8}"}
    - name: deploy
      image: fairway/apply
      settings: {manifests: deploy.yaml, namespace: production}
      when: {event: [pull_request]}
    trigger: {event: [pull_request, push], branch: [main]}
    """


def files(repo: Repository) -> dict[str, str]:
    return {
        ".drone.yml": steps(PIPELINE.replace("REPO", repo.slug)),
        "Dockerfile": "FROM busybox\nCOPY a /a\n",
        "a": "first\n",
        "b": "first\n",
    }


def shown(repo: Repository, *words: str) -> dict[str, Any]:
    done = repo.cli("cr", *words, "-o", "json")
    assert done.code == 0, done.all
    found: dict[str, Any] = done.json()
    return found


def candidates(repo: Repository, number: int) -> list[str]:
    """What the images of a build are judged to be."""
    query = {"repository": repo.slug, "build": number}
    found = repo.ground.api.get("/images", dict, query)["items"]
    return [str(one["candidate"]) for one in found]


def begun(ground: Ground) -> Repository:
    """`main` is built; `feature` has a commit that is not pushed."""
    repo = ground.repository("cr")
    repo.commit(files(repo), "feat: begin")
    repo.push()
    assert repo.ended(repo.next(0)).status == "passed"
    repo.git("checkout", "-q", "-b", "feature")
    repo.commit({"a": "second\n"}, "feat: a second")
    return repo


def pushed(repo: Repository, *options: str) -> str:
    words = [word for option in options for word in ("-o", option)]
    done = repo.ground.program("git", "push", *words, "origin", "feature", cwd=repo.folder)
    assert done.code == 0, done.all
    return done.err


def test_it_is_built_on_what_main_becomes_deploys_nothing_and_is_merged_when_green(
    ground: Ground,
) -> None:
    repo = begun(ground)
    repo.git("checkout", "-q", "main")
    repo.commit({"b": "moved\n"}, "fix: b")
    repo.push()
    repo.ended(repo.next(1))
    repo.git("checkout", "-q", "feature")
    said = pushed(repo, "change-request", "title=feat: a second film")
    assert "Change request #1: feat: a second film (feature -> main)" in said
    watched = repo.cli("cr", "watch", "1", "--timeout", "300s")
    assert watched.code == 0, watched.all
    found = shown(repo, "show", "1")
    build = repo.show(found["build"])
    assert (build.event, build.after, build.status) == ("pull_request", found["merge"], "passed")
    assert list(statuses(build)) == ["clone", "test", "image"], "deployment is left out"
    log = repo.log("test", build.number)
    assert f"pull_request number=1 at={found['merge']}" in log
    assert "second\nmoved" in log
    before = repo.last()
    merged = shown(repo, "merge", "1", "--squash", "--when-green")
    assert merged["state"] == "merged"
    after = repo.ended(repo.next(before))
    assert (after.event, after.after, after.status) == ("push", merged["merged"], "passed")
    assert after.title == "feat: a second film (#1)"
    assert processes.wait_for(lambda: candidates(repo, after.number) == ["yes"], 120)
    assert candidates(repo, build.number) == ["no"]


def test_a_red_one_is_not_merged_and_leaves_no_candidate(ground: Ground) -> None:
    repo = begun(ground)
    repo.commit({"broken": "yes\n"}, "fix: break it")
    ground.ok("system", "pause")  # so that it is not red before it is to be merged when green
    try:
        pushed(repo, "change-request")
        assert shown(repo, "merge", "1", "--when-green")["when_green"] == "merge"
    finally:
        ground.ok("system", "resume")
    watched = repo.cli("cr", "watch", "1", "--timeout", "300s")
    assert watched.code == 1, watched.all
    found = shown(repo, "show", "1")
    assert (found["state"], found["check"]) == ("open", "failed")
    refused = repo.cli("cr", "merge", "1")
    assert (refused.code, f"build #{found['build']} failed" in refused.err) == (2, True)
    repo.git("rm", "-q", "broken")
    repo.commit({}, "fix: mend it")
    pushed(repo)
    watched = repo.cli("cr", "watch", "1", "--timeout", "300s")
    assert watched.code == 0, watched.all
    assert shown(repo, "show", "1")["state"] == "merged"
