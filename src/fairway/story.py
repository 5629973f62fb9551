"""The table of contents: when this happened, do that. One line each.

Names are for ever: an event that waits for a handler knows it by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fairway.model.events import (
    BuildFinished,
    CandidateMade,
    ChangeRequestChanged,
    CronDue,
    Event,
    ImageBuilt,
    PromotionChanged,
    RefUpdated,
    ReleaseCreated,
    RolloutChanged,
)
from fairway.queue.deliver import Handler

Reactions = Mapping[str, Handler]
TOLD: Final = (BuildFinished, ReleaseCreated, PromotionChanged, RolloutChanged)

# handler                     takes                            and does
STORY: Final[Sequence[tuple[str, tuple[type[Event], ...], str]]] = (
    ("pipeline.build-ref",    (RefUpdated,),                   "build what was pushed"),
    ("pipeline.build-cron",   (CronDue,),                      "build what a cron job names"),
    ("source.follow-branch",    (RefUpdated,),                   "bring change requests on"),
    ("source.test-change",      (ChangeRequestChanged,),         "build what it would become"),
    ("source.judge-change",     (BuildFinished,),                "its checks; merge when green"),
    ("image.judge",           (ImageBuilt, BuildFinished),     "record images, make candidates"),
    ("image.scan",            (CandidateMade,),                "what is in it, as a report"),
    ("notify.tell",           TOLD,                            "tell people what came of it"),
)  # fmt: skip


def subscriptions() -> list[tuple[str, list[str]]]:
    """Which handler takes which kinds of events: for `store.outbox.subscribe`."""
    return [(name, [event.kind for event in events]) for name, events, _ in STORY]


def handlers(given: Reactions) -> dict[str, Handler]:
    """The story's handlers from what the chapters give. Raises `KeyError` for one left out."""
    return {name: given[name] for name, _, _ in STORY}
