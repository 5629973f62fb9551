"""Every file under `tests/cases` is one case of what a `.drone.yml` means."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_files import ROOT, case_paths, run, sections

PATHS = case_paths()


@pytest.mark.parametrize("path", PATHS, ids=[str(path.relative_to(ROOT)) for path in PATHS])
def test_the_case_holds(path: Path) -> None:
    run(path)


def test_there_are_at_least_two_hundred_cases() -> None:
    assert len(PATHS) >= 200


def test_an_expectation_that_nothing_checks_fails_the_case(tmp_path: Path) -> None:
    path = tmp_path / "typo.case"
    path.write_text(
        "# a misspelt expectation\n=== file\nkind: pipeline\nname: a\n"
        "=== expect\npipelines: {a: {matchd: true}}\n"
    )
    with pytest.raises(AssertionError, match="unknown expectations"):
        run(path)


def test_a_wrong_expectation_fails_the_case(tmp_path: Path) -> None:
    path = tmp_path / "wrong.case"
    path.write_text(
        "# a wrong expectation\n=== file\nkind: pipeline\nname: a\n"
        "=== expect\npipelines: {a: {matched: false}}\n"
    )
    with pytest.raises(AssertionError):
        run(path)


def test_sections_keep_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "raw.case"
    path.write_bytes(b"# why\n=== file\nkind: pipeline\n---\n=== expect\nerrors: []\n")
    assert sections(path)["file"] == "kind: pipeline\n---\n"
