"""Report files that steps write: JUnit, Cobertura, LCOV. Pure parsers, made for hostile input.

Every limit is a count or a size; XML entities, external references and document types are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from msgspec import Struct

from fairway.model.errors import BadFile
from fairway.pipeline.dispatch import CaseReport

FILE_LIMIT: Final = 32 * 1024 * 1024
CASES_LIMIT: Final = 100_000
DEPTH_LIMIT: Final = 50
_MESSAGE: Final = 8 * 1024
_NAME: Final = 1024
_SECONDS_MOST: Final = 1e9


class Coverage(Struct, frozen=True):
    """Lines that were run, of those that could be."""

    covered: int = 0
    total: int = 0

    @property
    def percent(self) -> float:
        """Covered lines of a hundred; 100 when there are none to cover."""
        return 100.0 * self.covered / self.total if self.total else 100.0

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(self.covered + other.covered, self.total + other.total)


def _bad(name: str, message: str) -> BadFile:
    return BadFile(message, where=name, code="bad-report", remedy="See what wrote the file.")


def _xml(data: bytes, *, name: str) -> Element:
    try:
        root: Element = fromstring(data, forbid_dtd=False)
    except DefusedXmlException as error:
        raise _bad(name, "the report declares XML entities, which are refused") from error
    except (ParseError, ValueError, LookupError) as error:
        raise _bad(name, f"the report is not XML: {error}") from error
    return root


def junit(data: bytes, *, name: str = "") -> list[CaseReport]:
    """The test cases of a JUnit file, in its order. Raises `BadFile` (`bad-report`)."""
    root = _xml(data, name=name)
    if root.tag not in ("testsuites", "testsuite"):
        raise _bad(name, f"a JUnit report begins with testsuites or testsuite, not {root.tag}")
    cases: list[CaseReport] = []
    stack: list[tuple[Element, str, int]] = [(root, "", 0)]
    while stack:
        element, suite, depth = stack.pop()
        if depth > DEPTH_LIMIT:
            raise _bad(name, f"test suites are nested more than {DEPTH_LIMIT} deep")
        if element.tag == "testcase":
            cases.append(_case(element, suite))
            if len(cases) > CASES_LIMIT:
                raise _bad(name, f"more than {CASES_LIMIT} test cases")
        else:
            inner = element.get("name") or suite
            stack += [(child, inner, depth + 1) for child in reversed(element)]
    return cases


def _case(element: Element, suite: str) -> CaseReport:
    status, message = "passed", ""
    for child in element:
        if child.tag in ("failure", "error", "skipped"):
            status = {"failure": "failed", "error": "errored", "skipped": "skipped"}[child.tag]
            message = _message(child)
            if status != "skipped":
                break
    return CaseReport(
        suite=(element.get("classname") or suite)[:_NAME],
        name=(element.get("name") or "")[:_NAME],
        status=status,
        seconds=_seconds(element.get("time")),
        message=message,
    )


def _message(element: Element) -> str:
    said, text = (element.get("message") or "").strip(), (element.text or "").strip()
    parts = [said] if said and said not in text else []
    return "\n".join([*parts, text] if text else parts)[:_MESSAGE]


def _seconds(text: str | None) -> float:
    try:
        value = float((text or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and 0 <= value < _SECONDS_MOST else 0.0


def cobertura(data: bytes, *, name: str = "") -> Coverage:
    """The line coverage of a Cobertura file: its lines counted, or its own totals."""
    root = _xml(data, name=name)
    if root.tag != "coverage":
        raise _bad(name, f"a Cobertura report begins with coverage, not {root.tag}")
    counted = _count(_class_lines(root), name)
    if counted.total:
        return counted
    try:
        covered, total = int(root.get("lines-covered", "0")), int(root.get("lines-valid", "0"))
    except ValueError as error:
        raise _bad(name, "the report's totals are not numbers") from error
    if not 0 <= covered <= total:
        raise _bad(name, f"the report says that {covered} of {total} lines are covered")
    return Coverage(covered, total)


def _class_lines(root: Element) -> Iterable[tuple[str, str, str]]:
    """(file, line, hits): of classes alone, as their methods repeat the same lines."""
    for each in root.iter("class"):
        for lines in each.findall("lines"):
            for line in lines.findall("line"):
                yield each.get("filename", ""), line.get("number", ""), line.get("hits", "0")


def _count(lines: Iterable[tuple[str, str, str]], name: str) -> Coverage:
    hit: dict[tuple[str, str], bool] = {}
    for file, number, hits in lines:
        try:
            run = int(hits) > 0
        except ValueError as error:
            raise _bad(name, f"line {number} of {file} has no count of hits: '{hits}'") from error
        hit[file, number] = hit.get((file, number), False) or run
    return Coverage(sum(hit.values()), len(hit))


def lcov(data: bytes, *, name: str = "") -> Coverage:
    """The line coverage of an LCOV tracefile."""
    file, lines, seen = "", [], False
    for number, raw in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        key, colon, value = raw.strip().partition(":")
        if key == "SF":
            file, seen = value, True
        elif key == "DA":
            line, comma, hits = value.partition(",")
            if not comma:
                raise _bad(f"{name}:{number}:1", "a DA record needs a line and a count")
            lines.append((file, line, hits.partition(",")[0]))
        elif not colon and key not in ("", "end_of_record") and not key.startswith("#"):
            raise _bad(f"{name}:{number}:1", f"this is no LCOV record: {raw[:60]!r}")
    if not seen:
        raise _bad(name, "the file is no LCOV report: it names no source file (SF)")
    return _count(lines, name)
