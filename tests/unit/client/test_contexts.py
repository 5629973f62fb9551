"""Which server a command speaks to, and what is said where none is meant."""

from __future__ import annotations

import pytest

from fairway.client.context import Context, Contexts
from fairway.model.errors import NotFound

CHOICE = "`fairway context use NAME`"
HERE = Context(url="http://127.0.0.1:8484")


def test_the_named_context_counts_else_the_current_one() -> None:
    found = Contexts(current="here", contexts={"here": HERE})
    assert found.named() is found.named("here") is HERE


@pytest.mark.parametrize(
    ("contexts", "name", "message", "remedies"),
    [
        (Contexts(), "", "no server is chosen", ("`fairway up`", "`fairway login URL`")),
        (
            Contexts(contexts={"a": HERE}),
            "",
            "no server is chosen",
            (CHOICE,),
        ),
        (Contexts(), "b", "there is no context 'b'", ("`fairway context`",)),
        (Contexts(current="gone"), "", "no server is chosen", ("`fairway up`",)),
    ],
)
def test_without_one_it_says_how_to_get_one(
    contexts: Contexts, name: str, message: str, remedies: tuple[str, ...]
) -> None:
    with pytest.raises(NotFound) as raised:
        contexts.named(name)
    assert raised.value.message == message
    assert all(remedy in raised.value.remedy for remedy in remedies)
