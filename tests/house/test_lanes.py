"""Suites that run beside each other: shown whole, counted, and ended with who began them."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# As a suite's own process: it says something twice, and leaves its word unless told otherwise.
SUITE = """
import json, os, sys, time
from pathlib import Path
name, report, folder = sys.argv[1:]
beside, meeting = {"one": "two", "two": "one"}.get(name), Path(folder)
print(name, "begins", flush=True)
(meeting / name).touch()
while beside and not (meeting / beside).exists():
    time.sleep(0.01)
print(name, "ends [ 50%]", flush=True)
print(name, "is polite:", os.nice(0), flush=True)
if name != "silent":
    Path(report).write_text(json.dumps({"suite": name, "passed": 2}))
"""

# A run of one suite that never ends, and that notes down when it is told to.
ENDLESS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fairwaydev import children, lanes
inner = '''
import signal, sys, time
from pathlib import Path
from fairwaydev import children
def told(*_):
    print("told to end", flush=True)
    Path(sys.argv[1], "told").touch()
    raise SystemExit(1)
signal.signal(signal.SIGTERM, told)
children.end_with_parent()
Path(sys.argv[1], "begun").touch()
time.sleep(600)
'''
children.end_in_good_order()
command = lambda name, report: [sys.executable, "-c", inner, sys.argv[2]]
lanes.run(lanes.Plan(["a"], 2, command, lambda _: {}, lambda _: True, lambda *_: None))
"""


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module("fairwaydev.lanes")


class Run:
    """Runs such suites and keeps what came of them."""

    def __init__(self, lanes: ModuleType, folder: Path) -> None:
        self.lanes, self.folder = lanes, folder
        self.begun: list[str] = []
        self.words: dict[str, Any] = {}

    def __call__(
        self, *names: str, count: int = 2, late: str = "", fill: tuple[str, ...] = ()
    ) -> None:
        def command(name: str, report: Path) -> list[str | Path]:
            return [sys.executable, "-c", SUITE, name, report, self.folder]

        def prepare(name: str) -> dict[str, str]:
            self.begun.append(name)
            return {}

        plan = self.lanes.Plan(
            names, count, command, prepare, lambda name: name != late, self.words.__setitem__, fill
        )
        self.lanes.run(plan)


def test_two_run_at_once_and_each_is_shown_whole(
    lanes: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(lanes, tmp_path)
    run("one", "two", "three")  # the first two wait for each other
    assert run.words == {name: {"suite": name, "passed": 2} for name in ("one", "two", "three")}
    lines = capfd.readouterr().out.splitlines()
    for name in ("one", "two", "three"):
        assert lines.index(f"{name} ends [ 50%]") == lines.index(f"{name} begins") + 1
        assert lines.index(f"==> {name} has begun") < lines.index(f"{name} begins")


def test_what_fills_is_not_counted_and_leaves_others_their_share(
    lanes: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(lanes, tmp_path)
    run("one", "two", count=1, fill=("two", "absent"))  # the two wait for each other
    assert (run.begun, sorted(run.words)) == (["two", "one"], ["one", "two"])
    said = re.findall(r"(\w+) is polite: (\d+)", capfd.readouterr().out)
    polite = {name: int(number) for name, number in said}
    assert polite["two"] > polite["one"]


def test_what_is_not_ready_is_begun_last(lanes: ModuleType, tmp_path: Path) -> None:
    run = Run(lanes, tmp_path)
    run("a", "b", "c", count=1, late="a")
    assert run.begun == ["b", "c", "a"]


def test_a_suite_that_leaves_no_word_is_known(lanes: ModuleType, tmp_path: Path) -> None:
    run = Run(lanes, tmp_path)
    run("silent")
    assert run.words == {"silent": None}


def until(path: Path, running: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for a file, as long as who makes it runs."""
    deadline = time.monotonic() + 240
    while not path.exists():
        assert running is None or running.poll() is None, "it has ended"
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.02)


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", ENDLESS, str(ROOT / "scripts"), str(tmp_path)]
    env = {**os.environ, "TMPDIR": str(tmp_path)}  # for what a killed one leaves
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=env) as running:
        try:
            until(tmp_path / "begun", running)
            yield running
        finally:
            running.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_end_tells_its_suites_and_shows_what_they_said(
    endless: subprocess.Popen[bytes], tmp_path: Path, number: int
) -> None:
    os.kill(endless.pid, number)
    out, _ = endless.communicate(timeout=240)
    assert endless.returncode
    assert (tmp_path / "told").exists()
    assert "told to end" in out.decode()


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's end")
def test_suites_end_when_who_began_them_is_killed(
    endless: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    endless.kill()
    until(tmp_path / "told")


def test_suites_beside_each_other_are_found_and_counted(
    lanes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites = importlib.import_module("fairwaydev.suites")
    planned: list[Any] = []

    def ran(plan: Any) -> None:
        planned.append(plan)
        for name in plan.names:
            plan.ended(name, {"suite": name, "passed": 1} if name != "unit" else None)

    monkeypatch.setattr(lanes, "run", ran)
    results: list[Any] = []
    suites._side_by_side(suites._arguments([]), None, results.append)
    first, plan = planned
    assert (first.names, first.count) == ([*suites._WHOLE_MACHINE], 1)
    long = "e2e, the long ones"
    assert sorted([*first.names, *plan.names]) == sorted([*suites.SUITES, long])
    assert plan.fill == suites._FILL
    assert [name for name in plan.names if name not in {long, *plan.fill}][
        : len(suites._LONGEST)
    ] == [*suites._LONGEST]
    assert [one.suite for one in results if not one.good] == ["unit"]
    command = [str(word) for word in plan.command("oci", Path("report"))]
    asked = suites._arguments(command[command.index("fairwaydev.suites") + 1 :])
    assert (asked.names, asked.report, asked.jobs) == (["oci"], Path("report"), 1)
    assert json.dumps(suites.asdict(suites.Result("oci")))


def test_the_parts_of_a_suite_have_each_of_its_tests_once_and_count_together(
    lanes: ModuleType,
) -> None:
    suites = importlib.import_module("fairwaydev.suites")
    parts = suites.in_parts(["e2e", "oci"])
    assert [name for name, _ in parts.values()] == ["e2e", "e2e", "oci"]
    others, few = (collected(words) for name, words in parts.values() if name == "e2e")
    assert {one.partition("::")[0].rpartition("/")[2] for one in few} == {
        *suites.SUITES["e2e"].apart
    }
    assert not few & others
    assert few | others == collected([])
    summed = suites.together(
        [suites.Result("e2e", 3, 0, 1, 9.0), suites.Result("e2e", 2, 1, 0, 7.0, "lost")]
    )
    assert summed == suites.Result("e2e", 5, 1, 1, 9.0, "lost")


def collected(words: list[str]) -> set[str]:
    """The tests of e2e that pytest would run."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", *words, "tests/e2e"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_tests_that_somebody_chose_are_chosen_from_whole_suites(
    lanes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites = importlib.import_module("fairwaydev.suites")
    planned: list[Any] = []
    monkeypatch.setattr(lanes, "run", planned.append)
    asked = suites._arguments(["--jobs", "3", "e2e", "oci", "-k", "git"])
    suites._side_by_side(asked, None, list)
    assert planned[0].names == ["e2e", "oci"]
