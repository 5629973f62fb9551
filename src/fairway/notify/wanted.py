"""What a channel's message shall say after new tidings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from msgspec.structs import replace

from fairway.model.notice import Channel, ChannelKind, Message, Outcome, Rule
from fairway.notify.tidings import Place, Tidings

_DETAILS: Final = 200  # of one message: a thread that grows for ever helps nobody


def interested(rules: Iterable[Rule], tidings: Tidings) -> Mapping[str, bool]:
    """Channels by name, with whether only a change of the outcome is to be told there."""
    found: dict[str, bool] = {}
    for rule in rules:
        if matches(rule, tidings):
            found[rule.channel] = found.get(rule.channel, True) and rule.transitions
    return found


def matches(rule: Rule, tidings: Tidings) -> bool:
    """Whether a rule asks for these. What has no repository (or environment) matches by the other;
    a rule that names patterns of one kind alone asks for nothing of the other."""
    if rule.topics and tidings.topic not in rule.topics:
        return False
    if not rule.repositories and not rule.environments:
        return True
    return _in(tidings.place, rule)


def _in(place: Place, rule: Rule) -> bool:
    pairs = ((place.repository, rule.repositories), (place.environment, rule.environments))
    return any(
        bool(name) and any(fnmatchcase(name, pattern) for pattern in patterns)
        for name, patterns in pairs
    )


def first(channel: Channel, tidings: Tidings, *, transitions: bool, last: str) -> Message:
    """A new message. `last`: what came of the one before it in its stream."""
    made = Message(
        id=0,
        channel=channel.id,
        key=tidings.key,
        stream=tidings.stream,
        content=tidings.content,
        details=(tidings.detail,) if tidings.detail else (),
    )
    return _hushed(made, channel, transitions=transitions, last=last)


def later(
    before: Message, channel: Channel, tidings: Tidings, *, transitions: bool, last: str
) -> Message | None:
    """The message with newer tidings; None where they say nothing new.

    One that has ended says no more: tidings that come twice, or late, change nothing.
    """
    if before.content.outcome is not Outcome.OPEN:
        return None
    details = before.details
    detail = tidings.detail
    new = detail is not None and all(one.key != detail.key for one in details)
    if detail is not None and new and len(details) < _DETAILS:
        details = (*details, detail)
    if before.content == tidings.content and details == before.details:
        return None
    changed = replace(
        before,
        content=tidings.content,
        details=details,
        wanted=before.wanted + (before.content != tidings.content),
        due=0,
    )
    return _hushed(changed, channel, transitions=transitions, last=last)


def _hushed(made: Message, channel: Channel, *, transitions: bool, last: str) -> Message:
    """Held while the outcome is open where that alone counts; silent where it is the same again."""
    ended = made.content.outcome is not Outcome.OPEN
    at_end = channel.kind is ChannelKind.WEBHOOK and not channel.progress
    silent = transitions and ended and str(made.content.outcome) == last
    return replace(made, held=(transitions or at_end) and not ended, silent=silent)
