"""Whatever stands in a file: an answer or findings, never another error, in bounded time."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.kit.yaml import load
from fairway.model.errors import BadFile, FairwayError
from fairway.pipeline.compile import Context, compile_stage, lint, plan, report, sign
from fairway.pipeline.compile.emit import document
from fairway.pipeline.compile.legacy import convert
from fairway.pipeline.compile.substitute import substitute

CONTEXT = Context()
WORDS = st.sampled_from(
    [
        *["a", "b", "yes", "~", "null", "1.10", "${X}", "${", "$$", "\\/", "[", "{", "<<"],
        *["", "x-fairway", "main", "a/b", "{a: b}", "'q", "docker", "exec", "fairway/docker"],
    ]
)
KEYS = st.sampled_from(
    [
        *[
            "kind",
            "type",
            "name",
            "steps",
            "services",
            "image",
            "commands",
            "settings",
            "environment",
            "when",
        ],
        *[
            "trigger",
            "branch",
            "depends_on",
            "volumes",
            "clone",
            "platform",
            "x-fairway",
            "ready",
            "retry",
        ],
        *[
            "timeout",
            "reports",
            "include",
            "exclude",
            "workspace",
            "base",
            "path",
            "host",
            "temp",
            "detach",
        ],
        *["privileged", "pull", "failure", "status", "event", "paths"],
    ]
)
VALUES = st.recursive(
    WORDS | st.integers() | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
PIPELINES = st.fixed_dictionaries(
    {"kind": st.just("pipeline")},
    optional={
        "name": WORDS,
        "type": st.sampled_from(["docker", "exec", "ssh"]),
        "steps": st.lists(st.dictionaries(KEYS, VALUES, max_size=6), max_size=3),
        "services": st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=2),
        "trigger": VALUES,
        "environment": VALUES,
        "volumes": VALUES,
        "clone": VALUES,
        "workspace": VALUES,
        "platform": VALUES,
        "depends_on": VALUES,
        "x-fairway": VALUES,
    },
)


def _all_of_it(text: str) -> None:
    planned = plan(text, CONTEXT)
    for pipeline in planned.pipelines:
        with suppress(FairwayError):
            compile_stage(planned.text, pipeline.name, CONTEXT)
    json.dumps(report(text, CONTEXT))
    lint(text, CONTEXT)
    sign(text, b"k" * 32)


@given(st.lists(PIPELINES, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_shape_of_pipelines_is_answered(documents: list[object]) -> None:
    _all_of_it("".join(document(item) for item in documents))


@given(st.text(alphabet="abk:- \n\t{}[]&*!|>'\"%@`#,?$\\<.0", max_size=120))
@settings(max_examples=100, deadline=None)
def test_any_text_is_answered(text: str) -> None:
    _all_of_it(text)


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_unicode_behind_a_kind_is_answered(text: str) -> None:
    _all_of_it(f"kind: pipeline\nname: a\n{text}")


@given(st.dictionaries(KEYS, VALUES, max_size=6), VALUES)
@settings(max_examples=40, deadline=None)
def test_any_old_file_is_converted_or_refused(steps: dict[str, object], matrix: object) -> None:
    text = document({"pipeline": steps, "matrix": matrix}).removeprefix("---\n")
    with suppress(BadFile):
        _all_of_it(convert(text, name="f"))


@given(st.text(alphabet="aX1${}:-+=?#%/^,\\\n* ", max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_substitution_is_a_text_or_a_bad_file(text: str) -> None:
    with suppress(BadFile):
        assert isinstance(substitute(text, {"X": "hello", "a": "a/b\nc"}), str)


@given(st.text(alphabet="ab c\n.:/{}", max_size=60))
def test_a_text_without_signs_stays_as_it_is(text: str) -> None:
    assert substitute(text, {}) == text


@given(VALUES)
@settings(max_examples=100, deadline=None)
def test_what_is_emitted_reads_back(value: object) -> None:
    text = document({"v": value}).removeprefix("---\n")
    assert repr(_plain(load(text))) == repr(_plain({"v": value}))


def _plain(value: object) -> object:
    """Data as this YAML has it: keys are text, integers past 64 bits are floats."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return float(value)
    return value


@pytest.mark.parametrize(
    "text",
    [
        "kind: pipeline\nx: " + "[" * 100_000,
        "kind: pipeline\nx: " + "a" * 11_000_000,
        "---\n" * 100_000,
        "kind: pipeline\nname: a\nx: '" + "${A}" * 200_000 + "'\n",
        "kind: pipeline\nname: a\ntrigger: {branch: [" + "'{a,b}{c,d}'," * 30_000 + "]}\n",
        "kind: pipeline\nx: [" + "a," * 500_000 + "]\n",
        "".join(f"---\nkind: pipeline\nname: p{n}\nx: [{'a,' * 2000}]\n" for n in range(60)),
    ],
    ids=["deep", "large", "documents", "substitutions", "patterns", "values", "together"],
)
def test_a_file_past_a_limit_is_refused(text: str) -> None:
    planned = plan(text, CONTEXT)
    stopped = [error for pipeline in planned.pipelines for error in pipeline.errors]
    assert [*planned.errors, *stopped]
