import pytest

from fairway.image.dockerfile import Dockerfile, expand
from fairway.model.errors import BadFile


def read(text: str, **build_args: str) -> Dockerfile:
    return Dockerfile(text, path="Dockerfile", build_args=build_args)


def names(text: str, target: str = "", **build_args: str) -> list[str]:
    return [use.name for use in read(text, **build_args).images(target)]


MULTI = """\
ARG GO=1.19
FROM golang:${GO} AS Build
COPY . .
RUN go build
FROM build AS test
RUN go test
FROM busybox
COPY --from=build /app /app
COPY --from=alpine/git:2 --chown=0:0 /usr/bin/git /git
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM busybox\n", ["busybox"]),
        ("from busybox as x\n", ["busybox"]),
        ("FROM scratch\nCOPY a /\n", []),
        ("FROM --platform=$BUILDPLATFORM busybox\n", ["busybox"]),
        ("ARG B=one\nFROM $B\n", ["one"]),
        ('ARG B="one:2"\nFROM "$B"\n', ["one:2"]),
        ("ARG T\nFROM one:${T:-9}\n", ["one:9"]),
        ("ARG T=x\nFROM one${T:+:slim}\n", ["one:slim"]),
        ("FROM one\nRUN --mount=type=bind,from=two,source=/a,target=/b true\n", ["one", "two"]),
        ("FROM one AS a\nFROM a\nCOPY --from=0 /x /\n", ["one"]),
        ("FROM \\\n # why not\n\n one\n", ["one"]),
        ("# escape=`\nFROM `\none\n", ["one"]),
        ("FROM one\nRUN cat <<EOF\nFROM two\nEOF\n", ["one"]),
        ("FROM one\nCOPY <<-'A' <<B /\n\tFROM x\n\tA\nFROM y\nB\nRUN true\n", ["one"]),
        ("FROM one\n# FROM two\nLABEL a='FROM three'\n", ["one"]),
    ],
)
def test_images_that_a_file_names(text: str, found: list[str]) -> None:
    assert names(text) == found


def test_only_images_that_the_target_needs_count() -> None:
    assert names(MULTI) == ["golang:1.19", "busybox", "alpine/git:2"]
    assert names(MULTI, "test") == ["golang:1.19"]
    assert names(MULTI, "BUILD") == ["golang:1.19"]


def test_a_build_argument_wins_over_the_files_default() -> None:
    assert names(MULTI, "test", GO="1.21") == ["golang:1.21"]


def test_a_build_argument_that_the_file_does_not_declare_is_nothing() -> None:
    with pytest.raises(BadFile, match="no value"):
        names("FROM $B\n", B="one")


def test_an_image_is_told_with_its_line() -> None:
    assert [(use.name, use.line) for use in read(MULTI).images("")] == [
        ("golang:1.19", 2),
        ("busybox", 7),
        ("alpine/git:2", 9),
    ]


def test_images_are_replaced_where_they_stand_and_nothing_else_is() -> None:
    new = read(MULTI).rewritten({"golang:1.19": "r/go@1", "busybox": "r/bb", "alpine/git:2": "g"})
    expected = MULTI.replace("golang:${GO}", "r/go@1").replace("FROM busybox", "FROM r/bb")
    assert new == expected.replace("alpine/git:2", "g")


def test_a_stage_keeps_its_name_though_an_image_is_called_so() -> None:
    text = "FROM one AS two\nFROM two\nCOPY --from=two /a /\n"
    assert read(text).rewritten({"two": "X", "one": "Y"}) == text.replace("FROM one", "FROM Y")


def test_mounts_of_run_are_replaced() -> None:
    text = (
        "FROM a\nRUN --mount=type=cache,target=/c --mount=type=bind,from=b,source=/x \\\n  make\n"
    )
    assert "from=r/b,source=/x" in read(text).rewritten({"b": "r/b"})


def test_flags_and_arguments_are_put_behind_every_run_and_from() -> None:
    new = read("FROM a\nrun make\n").rewritten({}, run_flags="--mount=x", arguments=["C=/c"])
    assert new == "FROM a\nARG C=/c\nrun --mount=x make\n"


def test_a_syntax_of_its_own_can_be_left_out() -> None:
    parsed = read("# syntax=docker/dockerfile:1.4\nFROM a\n")
    assert parsed.syntax == "docker/dockerfile:1.4"
    assert parsed.rewritten({}, keep_syntax=False) == "# \nFROM a\n"


@pytest.mark.parametrize(
    "text", ["", "RUN true\n", "FROM\n", "FROM a b\n", "FROM a AS\n", "!!\n", "FROM ${X}\n"]
)
def test_what_no_builder_would_take_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(BadFile) as caught:
        read(text)
    assert caught.value.where.startswith("Dockerfile:")


def test_a_target_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(BadFile, match="build, test") as caught:
        read(MULTI).images("deploy")
    assert caught.value.code == "dockerfile-no-target"


@pytest.mark.parametrize(
    ("text", "value"),
    [("$A", "1"), ("${A}x", "1x"), ("${B:-2}", "2"), ("${A:+3}", "3"), ("\\$A", "$A"), ("$B", "")],
)
def test_variables(text: str, value: str) -> None:
    assert expand(text, {"A": "1"}) == value
