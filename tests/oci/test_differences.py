"""The list of differences is about tests that exist."""

from __future__ import annotations

from pathlib import Path

from differences import REFERENCE_LACKS


def test_every_difference_names_a_test() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for name, why in REFERENCE_LACKS.items():
        assert f"def {name.partition('[')[0]}(api: Api" in text
        assert why
