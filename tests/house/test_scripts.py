"""The scripts count honestly, and read their arguments as documented."""

import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORT = '<testsuites><testsuite tests="{tests}" failures="{bad}" errors="0" skipped="{skipped}"/>\
</testsuites>'


@pytest.fixture
def suites(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module("fairwaydev.suites")


@pytest.mark.parametrize(
    ("tests", "bad", "skipped", "status", "counts", "good"),
    [
        (5, 0, 0, 0, (5, 0, 0), True),
        (5, 0, 2, 0, (3, 0, 2), True),
        (5, 1, 0, 1, (4, 1, 0), False),
        (0, 0, 0, 5, (0, 0, 0), False),
        (5, 0, 0, 3, (5, 1, 0), False),
    ],
)
def test_a_run_counts_as_good_only_when_tests_ran_and_passed(  # noqa: PLR0917 a row of the table
    suites: ModuleType,
    tmp_path: Path,
    tests: int,
    bad: int,
    skipped: int,
    status: int,
    counts: tuple[int, int, int],
    good: bool,
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT.format(tests=tests, bad=bad, skipped=skipped))
    result = suites.Result("unit")
    result.add_report(report, status)
    assert (result.passed, result.failed, result.skipped) == counts
    assert result.good is good


def test_a_run_without_a_report_is_a_failure(suites: ModuleType, tmp_path: Path) -> None:
    result = suites.Result("unit")
    result.add_report(tmp_path / "none.xml", 0)
    assert not result.good


def test_the_last_line_is_what_machines_read(
    suites: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [suites.Result("unit", passed=3), suites.Result("lint", passed=1, failed=2)]
    assert suites._summary(results) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "4 passed, 2 failed"
    assert suites._summary(results[:1]) == 0
    assert suites._summary([suites.Result("unit", trouble="it has no tests")]) == 1


def test_options_after_the_names_go_to_pytest(suites: ModuleType) -> None:
    Asked = suites.Asked  # noqa: N806 it is a class
    assert suites._arguments(["unit", "-k", "queue"]) == Asked(["unit"], ["-k", "queue"])
    assert suites._arguments(["unit", "--", "-k", "queue"]) == Asked(["unit"], ["-k", "queue"])
    assert suites._arguments(["crash", "--rounds", "200"]) == Asked(["crash"], ["--rounds", "200"])
    assert suites._arguments([]) == Asked(list(suites.SUITES), [], suites._AT_ONCE)
    assert suites._arguments(["--jobs", "1"]) == Asked(list(suites.SUITES), [])
    assert suites._arguments(["--jobs", "3", "unit", "oci"]) == Asked(["unit", "oci"], [], 3)


@pytest.mark.parametrize(
    "words", [["nonsense"], ["--seeds", "3"], ["--jobs", "0"], ["--jobs", "many"], ["--jobs"]]
)
def test_what_cannot_be_meant_is_refused(suites: ModuleType, words: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        suites._arguments(words)
    assert raised.value.code == 2


def test_every_benchmark_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    bench = importlib.import_module("fairwaydev.bench")
    for name, path in bench.benchmarks().items():
        assert path.exists()
        assert "_" not in name


@pytest.mark.parametrize(
    ("paired", "reference", "ratio", "status"),
    [(False, [1.0], 3.0, 0), (False, [2.0, 0.5, 2.0], 1.5, 0), (True, [2.0, 0.5, 1.0], 4.0, 1)],
)
def test_a_benchmark_is_held_against_one_limit_or_against_rounds(
    *,
    paired: bool,
    reference: list[float],
    ratio: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    lib = importlib.import_module("bench.lib")
    with pytest.raises(SystemExit) as ended:
        lib.finish("it", [3.0, 2.0, 4.0], reference, "<= 3.5", paired=paired)
    assert ended.value.code == status
    assert json.loads(capsys.readouterr().out)["ratio"] == ratio


def test_what_tests_import_is_found_and_has_a_name_of_its_own() -> None:
    """pytest imports by path, so folders with helpers must be on its list."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = settings["tool"]["pytest"]["ini_options"]["pythonpath"]
    helpers = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if not path.name.startswith(("test_", "conftest.", "__init__."))
    ]
    assert {str(path.parent.relative_to(ROOT)) for path in helpers} == set(folders)
    names = [path.name for path in helpers]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("package", ["fairwaydev", "fairwaydemo"])
def test_what_a_script_starts_inherits_nothing_of_the_way_in(package: str) -> None:
    """In a new clone each `fairway` would compile itself and all libraries, every time anew."""
    way = {"PYTHONPATH": str(ROOT / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    left = subprocess.run(
        [sys.executable, "-c", f"import os, {package}; print(*os.environ)"],
        env={**os.environ, **way},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert left
    assert not way.keys() & set(left)


def test_suites_that_keep_all_cores_busy_run_one_by_one_before_the_others(
    suites: ModuleType,
) -> None:
    first, then = suites.in_turn([*suites.SUITES], 2)
    assert first == (["lint", "unit", "simulation"], 1)
    names, count = then
    assert (names[:2], count) == (["kubernetes", "e2e"], 2)
    assert sorted([*first[0], *names]) == sorted(suites.SUITES)
    assert suites.in_turn(["e2e", "oci"], 3) == [(["e2e", "oci"], 3)]
