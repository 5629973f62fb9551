import pytest

from fairway.image.publish import _is_old


@pytest.mark.parametrize(
    ("tag", "old"),
    [
        ("fairway-build:1000-ab", True),
        ("fairway-build:99000-ab", False),
        ("fairway-build:latest", False),
        ("other:1000-ab", False),
    ],
)
def test_only_what_killed_builds_held_is_taken_away(tag: str, old: bool) -> None:
    assert _is_old(tag, 100_000.0) is old
