"""Finding and reading the report files of a step, never outside its workspace."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from fairway.kit.aio import blocking
from fairway.model.errors import FairwayError, InvalidInput
from fairway.pipeline import reports
from fairway.pipeline.dispatch import CaseReport
from fairway.pipeline.graph import Reports
from fairway.pipeline.reports import Coverage
from fairway.pipeline.runner.tools import Findings

T = TypeVar("T")
_FILES: Final = 1000  # of one pattern
_SEEN: Final = 200_000  # directory entries that one pattern may look at


class FileReports:
    """Reads reports from the workspace's folder."""

    async def read(self, folder: Path, wanted: Reports) -> Findings:
        """See `ReportReader`."""
        return await blocking(findings, folder, wanted)


def findings(folder: Path, wanted: Reports) -> Findings:
    """What the files say. `error` names the first file that is missing or cannot be read."""
    cases: list[CaseReport] = []
    coverage = Coverage()
    error = ""
    try:
        for path, data in _files(folder, wanted.junit):
            cases += reports.junit(data, name=path)
        for each in (*_each(folder, wanted.cobertura, reports.cobertura),):
            coverage += each
        for each in _each(folder, wanted.lcov, reports.lcov):
            coverage += each
        error = _too_little(coverage, wanted)
    except FairwayError as problem:
        error = str(problem)
    return Findings(tuple(cases), coverage.covered, coverage.total, error)


def _too_little(coverage: Coverage, wanted: Reports) -> str:
    least = wanted.min_coverage
    if least is None or coverage.percent >= least:
        return ""
    lines = f"{coverage.covered} of {coverage.total} lines"
    return f"coverage is {coverage.percent:.1f} % ({lines}), at least {least:g} % are required"


def _each(
    folder: Path, patterns: Sequence[str], parse: Callable[..., Coverage]
) -> Iterable[Coverage]:
    return [parse(data, name=path) for path, data in _files(folder, patterns)]


def _files(folder: Path, patterns: Sequence[str]) -> Iterable[tuple[str, bytes]]:
    for pattern in patterns:
        found = _matching(folder, pattern)
        if not found:
            raise InvalidInput(
                f"the report {pattern} is missing",
                code="missing-report",
                remedy="Let the step write it, or take it out of `x-fairway.reports`.",
            )
        for path in found:
            yield str(path.relative_to(folder)), _content(folder, path)


def _matching(folder: Path, pattern: str) -> list[Path]:
    if pattern.startswith("/") or ".." in pattern.split("/") or not pattern:
        raise InvalidInput(
            f"the report path {pattern!r} leads out of the workspace",
            code="report-outside",
            remedy="Name it relative to the repository's folder.",
        )
    if not folder.is_dir():
        return []
    if not any(sign in pattern for sign in "*?["):
        path = folder / pattern
        return [path] if os.path.lexists(path) else []
    seen = islice(folder.glob(pattern), _SEEN)
    return sorted(path for path in seen if not path.is_dir())[:_FILES]


def _content(folder: Path, path: Path) -> bytes:
    """A regular file's bytes. The file is opened first and judged then, so no swap can fool us."""
    name = str(path.relative_to(folder))
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidInput(
            f"the report {name} cannot be read: {error.strerror}", code="missing-report"
        ) from error
    try:
        _judge(handle, folder, name)
        with os.fdopen(os.dup(handle), "rb") as file:
            return file.read(reports.FILE_LIMIT)
    finally:
        os.close(handle)


def _judge(handle: int, folder: Path, name: str) -> None:
    real = Path(f"/proc/self/fd/{handle}").readlink()
    found = os.fstat(handle)
    if not real.is_relative_to(folder.resolve()) or not stat.S_ISREG(found.st_mode):
        raise InvalidInput(
            f"the report {name} is not a file of the workspace", code="report-outside"
        )
    if found.st_size > reports.FILE_LIMIT:
        size = reports.FILE_LIMIT // (1024 * 1024)
        raise InvalidInput(f"the report {name} is larger than {size} MiB", code="bad-report")
