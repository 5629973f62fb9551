"""Which events make no build at all: skip words in a message, and what Drone never acts on."""

from __future__ import annotations

from typing import Final

WORDS: Final = ("[ci skip]", "[skip ci]", "***no_ci***")
_ALWAYS: Final = frozenset({"tag", "cron", "custom", "promote", "rollback"})
_PULL_ACTIONS: Final = frozenset({"", "opened", "synchronized"})


def skip_word(message: str, title: str = "", *, event: str) -> str:
    """The word of a commit's message or title that asks for no build; "" when there is none.

    Only pushes and pull requests heed it.
    """
    if event in _ALWAYS:
        return ""
    text = f"{message}\n{title}".lower()
    return next((word for word in WORDS if word in text), "")


def is_ignored(event: str, action: str, *, deleted: bool = False) -> bool:
    """Whether an event is never acted on: deletions, pull requests neither opened nor synced."""
    return deleted or (event == "pull_request" and action not in _PULL_ACTIONS)
