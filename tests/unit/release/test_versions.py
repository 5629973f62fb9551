"""Versions by semver.org, and the next one by conventional commits."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kit.semver import Version
from fairway.release import versions

ORDER = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1-rc.1",
    "1.0.1",
    "1.1.0",
    "2.0.0",
]


def test_precedence_is_that_of_the_specification() -> None:
    read = [versions.parse(one) for one in ORDER]
    assert all(one is not None and other is not None and one < other
               for one, other in itertools.pairwise(read))  # fmt: skip


@pytest.mark.parametrize("text", ["1", "1.2", "01.2.3", "1.2.3-01", "1.2.3-", "x1.2.3", "1.2.3.4"])
def test_what_is_no_version_is_none(text: str) -> None:
    assert versions.parse(text) is None


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ([], "patch"),
        (["fix: a"], "patch"),
        (["whatever"], "patch"),
        (["feat: a", "fix: b"], "minor"),
        (["feat(api): a"], "minor"),
        (["feat!: a"], "major"),
        (["fix: a\n\nBREAKING CHANGE: b"], "major"),
        (["feature list"], "patch"),
    ],
)
def test_commits_say_how_much_changed(messages: list[str], wanted: str) -> None:
    assert versions.bump(messages) == wanted


@pytest.mark.parametrize(
    ("tag", "base", "messages", "known", "wanted"),
    [
        ("v1.2.3", None, [], [], "1.2.3"),
        ("latest", None, [], [], "0.1.0-rc.1"),
        ("", None, ["feat: a"], ["0.1.0-rc.1"], "0.1.0-rc.2"),
        ("", "1.2.3", ["fix: a"], [], "1.2.4-rc.1"),
        ("", "1.2.3", ["feat: a"], ["1.2.4-rc.7"], "1.3.0-rc.1"),
        ("", "1.2.3", ["feat!: a"], [], "2.0.0-rc.1"),
        ("", "0.2.3", ["feat!: a"], [], "0.3.0-rc.1"),
        ("", "1.2.3", ["fix: a"], ["1.3.0-rc.2"], "1.3.0-rc.3"),
        ("", None, [], ["1.0.0"], "1.0.1-rc.1"),
    ],
)
def test_a_candidate_gets_its_tags_version_or_the_next_pre_release(
    *, tag: str, base: str | None, messages: list[str], known: list[str], wanted: str
) -> None:
    found = versions.version_of(
        tag,
        versions.parse(base) if base else None,
        messages,
        [one for text in known if (one := versions.parse(text))],
    )
    assert str(found) == wanted


_PART = st.integers(0, 5)
_VERSION = st.builds(
    versions.made,
    st.tuples(_PART, _PART, _PART),
    st.sampled_from(["", "rc.1", "rc.20", "alpha", "zeta.3"]),
)


@given(
    st.none() | _VERSION,
    st.lists(st.sampled_from(["fix: a", "feat: b", "feat!: c", "no form"]), max_size=4),
    st.lists(_VERSION, max_size=6),
)
def test_the_next_version_is_newer_than_all_that_were(
    base: Version | None, messages: list[str], known: list[Version]
) -> None:
    found = versions.following(base, messages, known)
    assert all(one < found for one in known)
    assert base is None or base < found
    assert versions.parse(str(found)) == found
