"""Secrets: who gets which, and that no log shows them."""

from __future__ import annotations

from ground import Ground, Repository, step_of, steps

SHOW = steps("""
    clone: {disable: true}
    steps:
    - name: show
      image: busybox
      environment: {VALUE: {from_secret: WORD}}
      commands: ['echo "length=${#VALUE} reversed=$(echo -n "$VALUE" | rev)"']
    """).replace("${#VALUE}", "$${#VALUE}")


def put(ground: Ground, value: str, *words: str) -> None:
    path = ground.folder / "value"
    path.write_text(value)
    done = ground.run("secret", "set", *words, "--file", str(path))
    assert done.code == 0, done.all


def value(repo: Repository, number: int | str = "last") -> str:
    """The secret that the step had."""
    text = repo.log("show", number)
    line = next(line for line in text.splitlines() if line.startswith("length="))
    return line.partition("reversed=")[2][::-1]


def test_the_nearest_secret_of_a_name_counts(ground: Ground) -> None:
    repo = ground.repository()
    put(ground, "of-all", "word", "--global")
    repo.build(SHOW)
    assert value(repo) == "of-all"
    put(ground, "of-the-organisation", "word", "--org", "e2e")
    repo.build(SHOW)
    assert value(repo) == "of-the-organisation"
    put(ground, "of-the-repository", "Word", "-R", repo.slug)
    repo.build(SHOW)
    assert value(repo) == "of-the-repository"
    for words in (["--global"], ["--org", "e2e"]):
        assert ground.run("secret", "rm", "word", "--yes", *words).code == 0


def test_a_value_is_never_shown_again(ground: Ground) -> None:
    repo = ground.repository()
    ground.ok("repo", "create", repo.slug)
    put(ground, "the-hidden-value", "word", "-R", repo.slug)
    shown = repo.cli("secret", "ls", "-o", "json")
    assert "word" in shown.out.lower()
    assert "the-hidden-value" not in shown.out
    assert b"the-hidden-value" not in (ground.data / "fairway.db").read_bytes()


def test_a_secret_is_masked_also_when_it_is_split_across_writes(ground: Ground) -> None:
    repo = ground.repository()
    ground.ok("repo", "create", repo.slug)
    put(ground, "correct-horse-battery", "word", "-R", repo.slug)
    build = repo.build(
        steps("""
        clone: {disable: true}
        steps:
        - name: leak
          image: busybox
          environment: {VALUE: {from_secret: word}}
          commands:
          - 'echo "whole $VALUE"'
          - |
            printf '%s' "split $(echo $VALUE | cut -c1-9)"
            sleep 1
            printf '%s\\n' "$(echo $VALUE | cut -c10-)"
          - echo $VALUE > /drone/src/left
        """)
    )
    assert build.status == "passed", build
    text = repo.log("leak")
    assert "whole ******" in text
    assert "split ******" in text
    assert "horse" not in text
    assert "battery" not in text


def test_a_secret_bound_to_an_environment_comes_with_the_promotion_alone(ground: Ground) -> None:
    repo = ground.repository()
    ground.ok("repo", "create", repo.slug)
    put(ground, "for-production", "word", "-R", repo.slug, "--environment", "production")
    repo.build(SHOW)
    assert value(repo) == ""
    assert repo.cli("run", "--event", "promote", "--to", "staging", "-w").code == 0
    assert value(repo) == ""
    assert repo.cli("run", "--event", "promote", "--to", "production", "-w").code == 0
    assert value(repo) == "for-production"
    assert repo.cli("retry", "-w").code == 0
    assert value(repo) == "for-production"


def test_a_secret_is_bound_to_events_branches_and_images(ground: Ground) -> None:
    repo = ground.repository()
    ground.ok("repo", "create", repo.slug)
    put(ground, "by-event", "word", "-R", repo.slug, "--event", "custom")
    repo.build(SHOW)
    assert value(repo) == ""
    assert repo.cli("run", "-w").code == 0
    assert value(repo) == "by-event"
    put(ground, "by-branch", "word", "-R", repo.slug, "--branch", "release/*")
    repo.build(SHOW)
    assert value(repo) == ""
    repo.git("checkout", "-q", "-b", "release/1")
    repo.push("release/1")
    repo.ended(repo.next(repo.last() - 1))
    repo.ended()
    assert value(repo) == "by-branch"
    repo.git("checkout", "-q", "main")
    put(ground, "by-image", "word", "-R", repo.slug, "--image", "alpine")
    repo.build(SHOW)
    assert value(repo) == ""
    put(ground, "by-image", "word", "-R", repo.slug, "--image", "busybox")
    repo.build(SHOW)
    assert value(repo) == "by-image"


def test_bindings_hold_in_a_retry_and_a_promotion_of_a_pull_request(ground: Ground) -> None:
    repo = ground.repository()
    repo.commit({".drone.yml": SHOW})
    repo.push()
    repo.ended(repo.next(0))
    put(ground, "kept-away", "word", "-R", repo.slug)
    words = ["--source", "main", "--target", "main", "--number", "1", "--commit"]
    sha = repo.git("rev-parse", "HEAD")
    assert repo.cli("run", "--event", "pull_request", *words, sha, "-w").code == 0
    assert value(repo) == ""
    pull = str(repo.last())
    assert repo.cli("retry", pull, "-w").code == 0
    assert value(repo) == ""
    assert repo.cli("run", "--event", "promote", "--build", pull, "--to", "live", "-w").code == 0
    assert value(repo) == ""


def test_keys_are_rotated_and_secrets_still_open(ground: Ground) -> None:
    repo = ground.repository()
    ground.ok("repo", "create", repo.slug)
    put(ground, "survives", "word", "-R", repo.slug)
    done = ground.run("system", "rotate-key", "--yes")
    assert done.code == 0, done.all
    build = repo.build(SHOW)
    assert step_of(build, "show").status == "passed"
    assert value(repo) == "survives"


def test_a_builds_own_credentials_end_with_it(ground: Ground) -> None:
    repo = ground.repository()
    number = repo.start(
        steps("""
        steps:
        - name: peek
          image: busybox
          commands: ['echo "word: $(sed -n "s/^password //p" ~/.netrc | rev)"', sleep 600]
        """)
    )
    repo.says(number, "word: ")
    repo.says(number, "+ sleep")
    line = next(line for line in repo.log("peek").splitlines() if line.startswith("word: "))
    password = line.partition(" ")[2][::-1]
    words = ["git", "ls-remote", repo.remote.replace(ground.token, password)]
    during = ground.program(*words, cwd=ground.folder)
    assert during.code == 0, during.all
    other = words[-1].replace(repo.slug, "e2e/templates")
    assert ground.program("git", "ls-remote", other, cwd=ground.folder).code != 0
    assert repo.cli("cancel", "--yes", str(number)).code == 0
    assert repo.ended(number).status == "cancelled"
    assert ground.program(*words, cwd=ground.folder).code != 0
