"""scripts/test [SUITE...] [pytest's options]: runs suites and sets up what they need.

Without a name: all of them, those that keep every core busy one by one, then the others three at
a time with `compat` in what they leave idle. Options after the names go to pytest:
`scripts/test unit -k queue`, `scripts/test simulation --seeds 1000`; `--jobs N` before the names
says how many run at once. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fairwaydev import compat, lanes, native, venv
from fairwaydev.children import child, end_in_good_order, end_with_parent
from fairwaydev.say import ROOT, Failed, cache_folder, detail, say, stop
from fairwaydev.services import Services


@dataclass(frozen=True)
class Suite:
    """What a suite runs and needs. `minutes` is when it is taken for hung."""

    does: str
    paths: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    minutes: int = 30
    checks: tuple[tuple[str, ...], ...] = ()
    also: tuple[str, ...] = ()  # a second run: the unit tests that need a server
    apart: tuple[str, ...] = ()  # files that run beside its other ones, where suites do


_ALONE = ("-p", "no:schemathesis", "-m", "not postgres and not docker and not client")

SUITES: dict[str, Suite] = {
    "lint": Suite(
        "formatting, lint, types, import contracts, the shape of files",
        paths=("tests/house",),
        options=("-n2",),
        checks=(
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("mypy",),
            ("mypy", "scripts/fairwaydev"),
            ("lint-imports", "--no-logo"),
        ),
    ),
    "unit": Suite("functions and chapters alone", ("tests/unit",), options=("-n3", *_ALONE)),
    "compat": Suite(
        "the unit tests on the machine's other interpreters",
        ("tests/unit",),
        options=("-n3", *_ALONE),
    ),
    "simulation": Suite(
        "the whole system in virtual time under faults", ("tests/simulation",), options=("-n2",)
    ),
    "contract": Suite(
        "every implementation of a contract, and its fake",
        ("tests/contract",),
        ("postgres", "docker"),
        also=("-n2", "-m", "postgres", "tests/unit"),
    ),
    "gateway-api": Suite(
        "the Gateway API's own conformance suite",
        ("tests/gateway_api",),
        ("docker", "kubernetes", "native"),
    ),
    "oci": Suite(
        "the OCI distribution specification",
        ("tests/oci",),
        ("clients", "docker", "tools"),
    ),
    "protocol": Suite(
        "real clients against our protocols",
        ("tests/protocol",),
        ("clients", "images", "browser", "postgres", "docker", "native"),
    ),
    "e2e": Suite(
        "the program as a person uses it",
        ("tests/e2e",),
        ("clients", "images", "postgres", "docker", "kubernetes", "native"),
        minutes=60,
        apart=("test_voyage.py", "test_demo.py"),
    ),
    "crash": Suite("Fairway killed at random moments", ("tests/crash",), ("docker",)),
    "native": Suite(
        "the Go programs: vet, staticcheck, their own tests, what they say of themselves",
        ("tests/native",),
        ("native",),
        checks=native.CHECKS,
    ),
    "kubernetes": Suite(
        "the embedded Kubernetes, and the client that all chapters use",
        ("tests/kubernetes",),
        ("docker", "kubernetes", "images", "native"),
        minutes=60,
    ),
    "delivery": Suite(
        "GitOps, rollouts and releases on a real Kubernetes API, without containers",
        ("tests/delivery",),
        ("clients", "postgres", "native", "oracles"),
    ),
}

_AT_ONCE = 3 if (os.cpu_count() or 1) > 1 else 1
_SHARED = frozenset({"docker", "postgres"})  # one for all suites; the rest each finds by itself
# These keep every core busy by themselves, one after another; they are what a person waits for.
_WHOLE_MACHINE = ("lint", "unit", "simulation")
_FILL = ("compat",)  # in what the others leave idle
# The others wait for much: three beside each other keep two cores busy. The longest are begun
# first, so that none ends long after all (native is one of them without warm caches).
_LONGEST = ("kubernetes", "e2e", "delivery", "protocol", "native", "contract", "crash")


@dataclass
class Result:
    """What a suite came to."""

    suite: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Whether it may count as passed."""
        return not self.failed and not self.trouble

    def add_report(self, report: Path, status: int) -> None:
        """Count what pytest reports; a run without a report, or without tests, is a failure."""
        try:
            tree = ElementTree.parse(report).getroot()
        except (OSError, ElementTree.ParseError):
            self.failed += 1
            self.trouble = f"pytest ended with status {status} and no report"
            return
        total = bad = skipped = 0
        for found in tree.iter("testsuite"):
            total += int(found.get("tests", 0))
            bad += int(found.get("failures", 0)) + int(found.get("errors", 0))
            skipped += int(found.get("skipped", 0))
        self.passed += max(0, total - bad - skipped)
        self.failed += bad
        self.skipped += skipped
        if total == 0:
            self.trouble = "it has no tests"
        elif status and not bad:
            self.failed += 1
            self.trouble = f"pytest ended with status {status}"


def _pytest(result: Result, python: Path, env: dict[str, str], extra: list[str]) -> None:
    suite = SUITES[result.suite]
    present = [path for path in suite.paths if (ROOT / path).exists()]
    if present:
        _run_pytest(result, python, env, [*suite.options, *extra, *present])
    else:
        result.trouble = f"{' '.join(suite.paths)} is not there"
    if suite.also:
        _run_pytest(result, python, env, [*suite.also, *extra])


def _run_pytest(result: Result, python: Path, env: dict[str, str], words: list[str]) -> None:
    reports = cache_folder() / "reports"
    reports.mkdir(exist_ok=True)
    report = reports / f"{result.suite}-{os.getpid()}.xml"
    report.unlink(missing_ok=True)
    command: list[str | Path] = [
        python,
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        f"--junitxml={report}",
        *words,
    ]
    status = child(command, env, SUITES[result.suite].minutes * 60)
    result.add_report(report, status)
    report.unlink(missing_ok=True)


def _checks(result: Result, suite: Suite) -> None:
    for words in suite.checks:
        detail(" ".join(words))
        if words[0] == "go":
            command, env = native.go_command(words[1:])
        else:
            command = [venv.VENV / "bin" / words[0], *words[1:]]
            env = {"MYPY_CACHE_DIR": str(cache_folder() / "mypy")}  # by content, for every checkout
        if child(command, env, suite.minutes * 60) == 0:
            result.passed += 1
        else:
            result.failed += 1
            print(f"    failed: {' '.join(words)}", flush=True)


def run_suite(name: str, services: Services, extra: list[str]) -> Result:
    """Run one suite; never raises for what is wrong with it."""
    suite, result = SUITES[name], Result(name)
    began = time.monotonic()
    say(f"{name}: {suite.does}")
    try:
        env: dict[str, str] = {"PYTHONHASHSEED": "0"} if name == "simulation" else {}
        for need in suite.needs:
            env.update(services.provide(need))
        _checks(result, suite)
        if name == "compat":
            for python in compat.environments():
                _pytest(result, python, env, extra)
        else:
            _pytest(result, venv.python(), env, extra)
    except (Failed, OSError) as error:
        print(f"error: {error}", flush=True)
        result.trouble = str(error).splitlines()[0]
        result.failed += 1
    result.seconds = time.monotonic() - began
    return result


def _summary(results: list[Result]) -> int:
    print()
    print(f"{'suite':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for one in results:
        mark = "" if one.good else "  FAILED" + (f": {one.trouble}" if one.trouble else "")
        counts = f"{one.passed:>8}{one.failed:>8}{one.skipped:>9}{one.seconds:>9.1f}"
        print(f"{one.suite:<12}{counts}{mark}")
    passed, failed, skipped = (
        sum(getattr(one, name) for one in results) for name in ("passed", "failed", "skipped")
    )
    failed += sum(1 for one in results if one.trouble and not one.failed)
    print()
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.stdout.flush()
    return 1 if failed else 0


def _usage() -> str:
    lines = [f"  {name:<12}{suite.does}" for name, suite in SUITES.items()]
    return (__doc__ or "") + "\nSuites:\n" + "\n".join(lines)


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. `report` is where a suite of a lane leaves its result."""

    names: list[str]
    extra: list[str]
    jobs: int = 1
    report: Path | None = None


def _arguments(words: list[str]) -> Asked:
    """The suites, what goes to pytest, and how."""
    jobs, report = 0, None
    while words[:1] in (["--jobs"], ["--report"]) and len(words) > 1:
        option, value, *words = words
        if option == "--report":
            report = Path(value)
        elif value.isdecimal() and int(value) > 0:
            jobs = int(value)
        else:
            stop(f"--jobs takes a number from 1 on, not {value!r}", 2)
    names: list[str] = []
    while words and not words[0].startswith("-"):
        names.append(words.pop(0))
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        stop(f"there is no suite {unknown[0]!r}; the suites are {', '.join(SUITES)}", 2)
    if words[:1] == ["--"]:
        words = words[1:]
    if words and not names:
        stop("name the suite that these options are for", 2)
    return Asked(names or list(SUITES), words, jobs or (1 if names else _AT_ONCE), report)


def _start_building() -> None:
    """The Go programs take minutes: they are built while other suites run."""
    try:
        native.in_background()
    except Failed as error:
        print(f"error: {error}", flush=True)  # and again in each suite that needs them


def _one_by_one(asked: Asked, services: Services, done: Callable[[Result], None]) -> None:
    for name in asked.names:
        done(run_suite(name, services, asked.extra))


def in_turn(names: Sequence[str], jobs: int) -> list[tuple[list[str], int]]:
    """What is begun together, in the order in which it is begun, and how many run at once."""
    alone = [name for name in _WHOLE_MACHINE if name in names]
    others = sorted({*names} - {*alone}, key=[*_LONGEST, *SUITES].index)
    return [(found, count) for found, count in ((alone, 1), (others, jobs)) if found]


def in_parts(names: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """The runs that these suites are: of each by its name, the suite and what chooses its tests."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name in names:
        found[name] = (name, [])
        if files := " or ".join(SUITES[name].apart):
            found[name] = (name, ["-k", f"not ({files})"])
            found[f"{name}, the long ones"] = (name, ["-k", files])
    return found


def together(results: Sequence[Result]) -> Result:
    """What the parts of one suite came to."""
    return Result(
        results[0].suite,
        passed=sum(one.passed for one in results),
        failed=sum(one.failed for one in results),
        skipped=sum(one.skipped for one in results),
        seconds=max(one.seconds for one in results),
        trouble=next((one.trouble for one in results if one.trouble), ""),
    )


def _side_by_side(asked: Asked, services: Services, done: Callable[[Result], None]) -> None:
    """Each in a process of its own, which finds the services that all share in its environment."""
    came: dict[str, list[Result]] = {}
    parts: dict[str, tuple[str, list[str]]] = {}

    def prepare(part: str) -> dict[str, str]:
        env: dict[str, str] = {}
        for need in _SHARED.intersection(SUITES[parts[part][0]].needs):
            with contextlib.suppress(Failed, OSError):  # its own process says so
                env.update(services.provide(need))
        return env

    def ended(part: str, word: dict[str, Any] | None) -> None:
        name = parts[part][0]
        lost = Result(name, failed=1, trouble=f"the process of {part} ended without a word")
        came.setdefault(name, []).append(Result(**word) if word else lost)
        if len(came[name]) == sum(suite == name for suite, _ in parts.values()):
            done(together(came[name]))

    def command(part: str, report: Path) -> list[str | Path]:
        name, chosen = parts[part]
        module = [sys.executable, "-m", "fairwaydev.suites"]
        return [*module, "--report", report, name, *chosen, *asked.extra]

    def ready(part: str) -> bool:
        return "native" not in SUITES[parts[part][0]].needs or native.is_built()

    for names, count in in_turn(asked.names, asked.jobs):
        # Who chooses tests chooses from whole suites: a part may have none of them.
        parts = {name: (name, []) for name in names} if asked.extra else in_parts(names)
        lanes.run(lanes.Plan([*parts], count, command, prepare, ready, ended, _FILL))


def _run(asked: Asked, results: list[Result]) -> None:
    if asked.report is None:  # else who began us has done that
        if any("native" in SUITES[name].needs for name in asked.names):
            _start_building()
        venv.provide()
    with Services() as services:
        way = _side_by_side if asked.jobs > 1 and len(asked.names) > 1 else _one_by_one
        way(asked, services, results.append)
    results.sort(key=lambda one: asked.names.index(one.suite))


def main() -> None:
    """The command."""
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(_usage())
        return
    asked = _arguments(sys.argv[1:])
    end_in_good_order()
    if asked.report is not None:
        end_with_parent()
    results: list[Result] = []
    try:
        _run(asked, results)
    except Failed as error:
        stop(str(error))
    except KeyboardInterrupt:
        left = [name for name in asked.names if name not in {one.suite for one in results}]
        print(f"\ninterrupted {' '.join(left)}: what was started has been ended")
        _summary(results)
        raise SystemExit(130) from None
    if asked.report is not None:
        asked.report.write_text(json.dumps(asdict(results[0])))
        return
    raise SystemExit(_summary(results))


if __name__ == "__main__":
    main()
