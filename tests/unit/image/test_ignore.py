import pytest

from fairway.image.ignore import Ignore


@pytest.mark.parametrize(
    ("lines", "path", "out"),
    [
        (["a"], "a", True),
        (["a"], "a/b/c", True),
        (["a"], "b/a", False),
        (["/a"], "a", True),
        (["a/"], "a/b", True),
        (["./a"], "a", True),
        (["*"], "a/b", True),
        (["*.md"], "README.md", True),
        (["*.md"], "docs/README.md", False),
        (["**/*.md"], "docs/x/README.md", True),
        (["**/*.md"], "README.md", True),
        (["a/**"], "a/b/c", True),
        (["a/**/z"], "a/z", True),
        (["a/**/z"], "a/b/c/z", True),
        (["?.c"], "a.c", True),
        (["?.c"], "ab.c", False),
        (["[a-c].c"], "b.c", True),
        (["[^a-c].c"], "b.c", False),
        (["[a"], "[a", False),
        (["\\*"], "*", True),
        (["\\*"], "a", False),
        (["a.b"], "axb", False),
        (["#a"], "#a", False),
        (["", "  "], "a", False),
        (["."], "a", False),
        (["*", "!keep"], "keep", False),
        (["*", "!keep"], "lose", True),
        (["*", "!keep", "keep/not"], "keep/not", True),
        (["!keep"], "keep", False),
        (["*", "! keep"], "keep", False),
        (["a/*", "!a/b"], "a/b/c", False),
    ],
)
def test_patterns(lines: list[str], path: str, *, out: bool) -> None:
    assert Ignore(lines).leaves_out(path) is out
