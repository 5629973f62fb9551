"""Report files: what they say, and what hostile or broken ones come to."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import BadFile
from fairway.pipeline import reports
from fairway.pipeline.graph import Reports
from fairway.pipeline.reports import Coverage
from fairway.pipeline.runner.report_files import FileReports

JUNIT = b"""<?xml version="1.0"?>
<testsuites><testsuite name="api">
 <testcase classname="test_api" name="test_ok" time="0.25"/>
 <testcase classname="test_api" name="test_bad"><failure message="no">line 3</failure></testcase>
 <testcase name="test_crash" time="1,000.5"><error message="boom"/></testcase>
 <testcase name="test_later"><skipped message="not now"/></testcase>
</testsuite></testsuites>"""

COBERTURA = b"""<?xml version="1.0"?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="0.5"><packages><package><classes>
<class filename="a.py"><methods><method>
<lines><line number="1" hits="9"/></lines></method></methods>
<lines><line number="1" hits="2"/><line number="2" hits="0"/></lines></class>
<class filename="a.py"><lines><line number="2" hits="1"/>
<line number="3" hits="0"/></lines></class>
</classes></package></packages></coverage>"""

LCOV = b"TN:\nSF:a.js\nDA:1,1\nDA:2,0\nLF:2\nLH:1\nend_of_record\nSF:b.js\nDA:1,5,ab=\n"

BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>
<testsuite>&b;</testsuite>"""


def test_junit_cases_keep_their_order_and_words() -> None:
    cases = reports.junit(JUNIT)
    assert [(case.suite, case.name, case.status, case.seconds, case.message) for case in cases] == [
        ("test_api", "test_ok", "passed", 0.25, ""),
        ("test_api", "test_bad", "failed", 0.0, "no\nline 3"),
        ("api", "test_crash", "errored", 1000.5, "boom"),
        ("api", "test_later", "skipped", 0.0, "not now"),
    ]


def test_coverage_is_counted_once_for_each_line() -> None:
    assert reports.cobertura(COBERTURA) == Coverage(2, 3)
    assert reports.lcov(LCOV) == Coverage(2, 3)
    assert reports.cobertura(b'<coverage lines-covered="3" lines-valid="4"/>') == Coverage(3, 4)


def test_no_lines_are_wholly_covered() -> None:
    assert Coverage().percent == 100.0
    assert Coverage(1, 4).percent == 25.0


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        (reports.junit, b""),
        (reports.junit, b"<html/>"),
        (reports.junit, b"<testsuite><testcase>"),
        (reports.junit, BOMB),
        (reports.junit, b"<testsuite>" * 80 + b"</testsuite>" * 80),
        (reports.cobertura, JUNIT),
        (reports.cobertura, b'<coverage lines-covered="9" lines-valid="4"/>'),
        (reports.cobertura, b'<coverage lines-covered="x" lines-valid="4"/>'),
        (reports.lcov, b""),
        (reports.lcov, b"not lcov at all\n"),
        (reports.lcov, b"SF:a\nDA:1\n"),
        (reports.lcov, b"SF:a\nDA:1,x\n"),
    ],
)
def test_what_is_no_report_is_refused_in_words(parse: object, data: bytes) -> None:
    assert callable(parse)
    with pytest.raises(BadFile) as caught:
        parse(data, name="report.xml")
    assert caught.value.code == "bad-report"
    assert "report.xml" in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_report_or_refused(data: bytes) -> None:
    for parse in (reports.junit, reports.cobertura, reports.lcov):
        with contextlib.suppress(BadFile):
            parse(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "out").mkdir(parents=True)
    (tree / "out/junit-1.xml").write_bytes(JUNIT)
    (tree / "out/junit-2.xml").write_bytes(JUNIT)
    (tree / "cov.xml").write_bytes(COBERTURA)
    (tree / "lcov.info").write_bytes(LCOV)
    (tmp_path / "secret.xml").write_bytes(JUNIT)
    (tree / "link.xml").symlink_to(tmp_path / "secret.xml")
    (tree / "away").symlink_to(tmp_path)
    os.mkfifo(tree / "pipe.xml")
    return tree


async def test_all_files_that_match_are_read_and_added_up(folder: Path) -> None:
    wanted = Reports(junit=("out/junit-*.xml",), cobertura=("cov.xml",), lcov=("lcov.info",))
    found = await FileReports().read(folder, wanted)
    assert len(found.cases) == 8
    assert (found.lines_covered, found.lines_total, found.error) == (4, 6, "")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Reports(junit=("nothing.xml",)), "the report nothing.xml is missing"),
        (Reports(junit=("out/none-*.xml",)), "the report out/none-*.xml is missing"),
        (Reports(junit=("../secret.xml",)), "leads out of the workspace"),
        (Reports(junit=("/etc/passwd",)), "leads out of the workspace"),
        (Reports(junit=("link.xml",)), "is not a file of the workspace"),
        (Reports(junit=("away/secret.xml",)), "is not a file of the workspace"),
        (Reports(junit=("pipe.xml",)), "is not a file of the workspace"),
        (Reports(junit=("out",)), "is not a file of the workspace"),
        (Reports(junit=("lcov.info",)), "the report is not XML"),
        (Reports(lcov=("lcov.info",), min_coverage=90.0), "coverage is 66.7 % (2 of 3 lines)"),
    ],
)
async def test_what_fails_the_step_is_said(folder: Path, wanted: Reports, words: str) -> None:
    assert words in (await FileReports().read(folder, wanted)).error


async def test_enough_coverage_passes(folder: Path) -> None:
    wanted = Reports(lcov=("lcov.info",), min_coverage=66.0)
    assert (await FileReports().read(folder, wanted)).error == ""
