import pytest

from fairway.model.image import Facts, ImageName, Rewrite, parse_name, rewrite


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python", ImageName(path="python")),
        ("python:3.11", ImageName(path="python", tag="3.11")),
        ("webflix/catalogue:1", ImageName(path="webflix/catalogue", tag="1")),
        ("docker.io/library/python", ImageName(path="python")),
        ("localhost/a", ImageName(host="localhost", path="a")),
        ("127.0.0.1:8480/a/b:t", ImageName(host="127.0.0.1:8480", path="a/b", tag="t")),
        ("quay.io/a@sha256:12", ImageName(host="quay.io", path="a", digest="sha256:12")),
        ("h:5/a:t@sha256:12", ImageName(host="h:5", path="a", tag="t", digest="sha256:12")),
    ],
)
def test_names_are_taken_apart(text: str, name: ImageName) -> None:
    assert parse_name(text) == name


TABLE = (
    Rewrite("python:*", "{registry}/library/python:*"),
    Rewrite("corp.example/*", "mirror/x:1"),
)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("python:3.11", "r:1/library/python:3.11"),
        ("python", "r:1/library/python:latest"),
        ("corp.example/a/b", "mirror/x:1"),
        ("node:18", "node:18"),
    ],
)
def test_the_operators_table(name: str, image: str) -> None:
    assert rewrite(name, TABLE, registry="r:1") == image


def test_facts_that_are_not_known_are_left_out() -> None:
    assert Facts(revision="abc").labels() == {"org.opencontainers.image.revision": "abc"}
