"""Protected refs: one table."""

from __future__ import annotations

import pytest

from fairway.git.packets import Command
from fairway.model.errors import TooLarge
from fairway.model.repository import RefRule, Settings
from fairway.model.role import Role
from fairway.source.protection import judge, matches

OLD, NEW = "1" * 40, "2" * 40
SETTINGS = Settings(
    branches=[
        RefRule(pattern="main"),
        RefRule(pattern="loose", force=True, delete=True),
        RefRule(pattern="release/*", push="maintainer"),
        RefRule(pattern="**/frozen", push="nobody"),
    ],
    tags=[RefRule(pattern="v*"), RefRule(pattern="latest", force=True)],
)
OK, FORWARD = "", "forward"
TABLE = [
    (Role.WRITER, "refs/heads/main", "", NEW, OK),
    (Role.WRITER, "refs/heads/main", OLD, NEW, FORWARD),
    (Role.ADMIN, "refs/heads/main", OLD, NEW, FORWARD),
    (Role.ADMIN, "refs/heads/main", OLD, "", "deleted"),
    (Role.WRITER, "refs/heads/loose", OLD, NEW, OK),
    (Role.WRITER, "refs/heads/loose", OLD, "", OK),
    (Role.WRITER, "refs/heads/release/1", "", NEW, "only a maintainer"),
    (Role.MAINTAINER, "refs/heads/release/1", "", NEW, OK),
    (Role.WRITER, "refs/heads/release/1/x", OLD, "", OK),
    (Role.ADMIN, "refs/heads/a/b/frozen", "", NEW, "nobody"),
    (Role.ADMIN, "refs/heads/frozen", "", NEW, "nobody"),
    (Role.WRITER, "refs/heads/other", OLD, NEW, OK),
    (Role.WRITER, "refs/tags/v1", "", NEW, OK),
    (Role.WRITER, "refs/tags/v1", OLD, NEW, "moved"),
    (Role.ADMIN, "refs/tags/v1", OLD, "", "deleted"),
    (Role.WRITER, "refs/tags/latest", OLD, NEW, OK),
    (Role.WRITER, "refs/tags/latest", OLD, "", "deleted"),
    (Role.WRITER, "refs/tags/main", OLD, "", OK),
    (Role.WRITER, "refs/notes/main", OLD, NEW, OK),
]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[1]}-{case[4]}")
def test_rules_say_what_a_push_may_do(case: tuple[Role, str, str, str, str]) -> None:
    role, ref, before, after, expected = case
    judgement = judge(SETTINGS, role, [Command(ref, before, after)])
    assert judgement.forward == ([ref] if expected == FORWARD else [])
    if expected in {OK, FORWARD}:
        assert judgement.refused == {}
    else:
        assert expected in judgement.refused[ref]


def test_without_anything_protected_no_hook_runs() -> None:
    assert judge(SETTINGS, Role.WRITER, [Command("refs/heads/x", "", NEW)]).environment() == {}


def test_a_hook_is_not_told_more_than_fits() -> None:
    commands = [Command(f"refs/heads/{n}/frozen", "", NEW) for n in range(5000)]
    with pytest.raises(TooLarge):
        judge(SETTINGS, Role.ADMIN, commands).environment()


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "main", True),
        ("*", "a/b", False),
        ("**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("v?", "v1", True),
        ("v?", "v/", False),
        ("v1.0", "v1x0", False),
        ("[a]", "a", False),
        ("**/x", "x", True),
        ("**/x", "ax", False),
    ],
)
def test_globs(pattern: str, name: str, *, expected: bool) -> None:
    assert matches(pattern, name) is expected
