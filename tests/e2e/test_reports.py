"""Reports: tests, failures and coverage, and what gates a step."""

from __future__ import annotations

from ground import Ground, Repository, step_of, steps

from fairway.client.wire.build import Build

JUNIT = """<testsuite name="films" tests="3" failures="1">
<testcase classname="films" name="quick" time="0.1"/>
<testcase classname="films" name="slow" time="7.5"/>
<testcase classname="films" name="wrong" time="0.2">
<failure message="expected 4, was 5">trace</failure></testcase>
</testsuite>
"""


def cobertura(covered: int) -> str:
    lines = "".join(f'<line number="{n}" hits="{int(n <= covered)}"/>' for n in range(1, 11))
    return (
        f'<coverage line-rate="0.{covered}"><packages><package name="p"><classes>'
        f'<class name="c" filename="c.py"><lines>{lines}</lines></class>'
        "</classes></package></packages></coverage>"
    )


LCOV = "SF:a.c\nDA:1,1\nDA:2,0\nDA:3,1\nDA:4,1\nLF:4\nLH:3\nend_of_record\n"


def reported(repo: Repository, reports: str, files: dict[str, str]) -> Build:
    text = f"""
        steps:
        - {{name: test, image: busybox, commands: ['true'], x-fairway: {{reports: {reports}}}}}
        """
    return repo.build(steps(text), files)


def test_describe_shows_tests_failures_slowest_and_coverage_with_its_change(
    ground: Ground,
) -> None:
    repo = ground.repository()
    names = "{junit: 'r/*.xml', cobertura: cov.xml}"
    first = reported(repo, names, {"r/unit.xml": JUNIT, "cov.xml": cobertura(8)})
    assert first.status == "passed", first
    reported(repo, names, {"cov.xml": cobertura(6)})
    text = repo.cli("describe", "last").out
    assert "3 run, 2 passed, 1 failed" in text
    assert "wrong" in text
    assert "expected 4, was 5" in text
    assert "7.50 s" in text
    assert "60.00 % (-20.00 against #1)" in text
    data = ground.api.get(f"/repos/{repo.slug}/builds/2/reports", dict)
    assert (data["coverage"], data["coverage_change"], data["failed"]) == (60.0, -20.0, 1)


def test_a_branch_is_compared_with_the_target_branch(ground: Ground) -> None:
    repo = ground.repository()
    names = "{lcov: cov.info}"
    reported(repo, names, {"cov.info": LCOV})
    repo.git("checkout", "-q", "-b", "topic")
    sha = repo.commit({"cov.info": LCOV.replace("DA:2,0", "DA:2,1").replace("LH:3", "LH:4")})
    repo.push("topic")
    words = ["--source", "topic", "--target", "main", "--number", "3", "--commit", sha]
    assert repo.cli("run", "--event", "pull_request", *words, "-w").code == 0
    assert "100.00 % (+25.00 against #1)" in repo.cli("describe", "last").out


def test_a_minimum_coverage_fails_the_step(ground: Ground) -> None:
    repo = ground.repository()
    build = reported(repo, "{lcov: cov.info, min_coverage: 80}", {"cov.info": LCOV})
    assert build.status == "failed"
    assert "75" in step_of(build, "test").error
    assert "80" in step_of(build, "test").error


def test_a_missing_and_a_malformed_report_fail_the_step(ground: Ground) -> None:
    repo = ground.repository()
    build = reported(repo, "{junit: none.xml}", {})
    assert build.status == "failed"
    assert "none.xml" in step_of(build, "test").error
    build = reported(repo, "{junit: bad.xml}", {"bad.xml": "<testsuite><testcase"})
    assert build.status == "failed"
    assert "bad.xml" in step_of(build, "test").error
    (repo.folder / "link.xml").symlink_to("/etc/passwd")
    build = reported(repo, "{junit: link.xml}", {})
    assert build.status == "failed"
    assert "link.xml" in step_of(build, "test").error
