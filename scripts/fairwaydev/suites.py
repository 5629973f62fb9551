"""scripts/test [SUITE...] [pytest's options]: runs suites and sets up what they need.

Without a name: all of them. Options after the names go to pytest: `scripts/test unit -k queue`,
`scripts/test simulation --seeds 1000`. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from fairwaydev import compat, native, venv
from fairwaydev.children import child, end_in_good_order
from fairwaydev.say import ROOT, Failed, cache_folder, detail, say, stop
from fairwaydev.services import Services


@dataclass(frozen=True)
class Suite:
    """What a suite runs and needs. `minutes` is when it is taken for hung."""

    does: str
    paths: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    minutes: int = 15
    checks: tuple[tuple[str, ...], ...] = ()
    also: tuple[str, ...] = ()  # a second run: the unit tests that need a server


_ALONE = ("-n2", "-p", "no:schemathesis", "-m", "not postgres and not docker and not client")

SUITES: dict[str, Suite] = {
    "lint": Suite(
        "formatting, lint, types, import contracts, the shape of files",
        paths=("tests/house",),
        checks=(
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("mypy",),
            ("mypy", "scripts/fairwaydev"),
            ("lint-imports", "--no-logo"),
        ),
    ),
    "unit": Suite("functions and chapters alone", ("tests/unit",), options=_ALONE),
    "compat": Suite(
        "the unit tests on the machine's other interpreters", ("tests/unit",), options=_ALONE
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
    "oci": Suite(
        "the OCI distribution specification",
        ("tests/oci",),
        ("clients", "docker", "tools"),
        minutes=20,
    ),
    "protocol": Suite(
        "real clients against our protocols",
        ("tests/protocol",),
        ("clients", "images", "browser", "postgres", "docker", "native"),
        minutes=20,
    ),
    "e2e": Suite(
        "the program as a person uses it",
        ("tests/e2e",),
        ("clients", "images", "postgres", "docker", "kubernetes", "native"),
        minutes=60,
    ),
    "crash": Suite("Fairway killed at random moments", ("tests/crash",), ("docker",), minutes=20),
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
        ("clients", "native", "oracles"),
        minutes=30,
    ),
    "gateway-api": Suite(
        "the Gateway API's own conformance suite",
        ("tests/gateway_api",),
        ("docker", "kubernetes", "native"),
        minutes=30,
    ),
}


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
            command, env = [venv.VENV / "bin" / words[0], *words[1:]], {}
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


def _arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """The suites and what goes to pytest."""
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
    return names or list(SUITES), words


def _start_building() -> None:
    """The Go programs take minutes: they are built while other suites run."""
    try:
        native.in_background()
    except Failed as error:
        print(f"error: {error}", flush=True)  # and again in each suite that needs them


def main() -> None:
    """The command."""
    if sys.argv[1:2] in (["-h"], ["--help"]):
        print(_usage())
        return
    names, extra = _arguments(sys.argv[1:])
    end_in_good_order()
    results: list[Result] = []
    try:
        if any("native" in SUITES[name].needs for name in names):
            _start_building()
        venv.provide()
        with Services() as services:
            for name in names:
                results.append(run_suite(name, services, extra))  # noqa: PERF401 kept when interrupted
    except Failed as error:
        stop(str(error))
    except KeyboardInterrupt:
        during = " ".join(names[len(results) :][:1])
        print(f"\ninterrupted {during}: what was started has been ended")
        _summary(results)
        raise SystemExit(130) from None
    raise SystemExit(_summary(results))


if __name__ == "__main__":
    main()
