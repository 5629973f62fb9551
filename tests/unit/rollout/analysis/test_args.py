"""Arguments in metrics: replaced in their JSON, or said to be missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import InvalidInput
from fairway.rollout.analysis import args

METRIC: dict[str, Any] = {
    "name": "m",
    "count": "{{args.count}}",
    "provider": {"prometheus": {"query": 'x{s="{{ args.name }}"}'}},
}


def test_arguments_are_filled_in_with_their_quotes() -> None:
    found = args.resolved(
        METRIC, [{"name": "count", "value": "3"}, {"name": "name", "value": 'a"b\n'}]
    )
    assert found.wanted == 3
    assert found.provider["prometheus"]["query"] == 'x{s="a"b\n"}'


@pytest.mark.parametrize(
    ("given_args", "sentence"),
    [
        ([], "failed to resolve {{ args.name }}"),
        ([{"name": "name"}], 'argument "name" was not supplied'),
        (
            [{"name": "name", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            'argument "name" was not supplied',
        ),
    ],
)
def test_a_missing_argument_is_an_error(given_args: list[Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        args.resolved(METRIC, given_args)
    assert raised.value.message == sentence


def test_a_value_that_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="metric m with its arguments"):
        args.resolved(METRIC, [{"name": "count", "value": "1"}, {"name": "name", "value": "\x00"}])


def test_a_tag_without_its_end_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="Cannot find end tag"):
        args.filled("a {{args.x", {})


def test_secrets_are_placeholders_until_they_are_fetched() -> None:
    secret = {"name": "k", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}
    assert args.secret_of(secret) == ("s", "p")
    assert args.without_secrets([secret, {"name": "v", "value": "1"}]) == [
        {"name": "k", "value": "temp-for-secret"},
        {"name": "v", "value": "1"},
    ]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20))
def test_any_printable_value_arrives_as_it_is(value: str) -> None:
    metric = {"name": "m", "provider": {"web": {"url": "<{{args.v}}>"}}}
    printable = "".join(letter for letter in value if letter.isprintable())
    found = args.resolved(metric, [{"name": "v", "value": printable}])
    assert found.provider["web"]["url"] == f"<{printable}>"
