"""What a channel's message shall say after new tidings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from msgspec.structs import replace

from fairway.model.notice import Channel, ChannelKind, Detail, Message, Outcome, Rule, Topic
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
        application=tidings.place.application if tidings.topic is Topic.DEPLOYMENT else "",
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
    details = _more(before.details, tidings.detail)
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


def apart(deployment: Message, tidings: Tidings) -> bool:
    """Whether a rollout is another story than its newest deployment: it was well, and is no more.

    A deployment ends as soon as its rollout is seen to have arrived, which may be before the
    rollout's own news of that come: these are no story of their own.
    """
    outcomes = (deployment.content.outcome, tidings.content.outcome)
    return outcomes == (Outcome.SUCCESS, Outcome.FAILURE)


def along(before: Message, tidings: Tidings) -> Message | None:
    """A deployment's message with news of its rollout; None where they are none."""
    details = _more(before.details, tidings.detail)
    over = before.content.outcome is not Outcome.OPEN
    progress = before.progress if over else tidings.content.lines[0]
    if (before.progress, before.details) == (progress, details):
        return None
    wanted = before.wanted + (before.progress != progress)
    return replace(before, progress=progress, details=details, wanted=wanted, due=0)


def _more(details: tuple[Detail, ...], detail: Detail | None) -> tuple[Detail, ...]:
    known = {one.key for one in details}
    if detail is None or detail.key in known or len(details) >= _DETAILS:
        return details
    return (*details, detail)


def _hushed(made: Message, channel: Channel, *, transitions: bool, last: str) -> Message:
    """Held while the outcome is open where that alone counts; silent where it is the same again."""
    ended = made.content.outcome is not Outcome.OPEN
    at_end = channel.kind is ChannelKind.WEBHOOK and not channel.progress
    silent = transitions and ended and str(made.content.outcome) == last
    return replace(made, held=(transitions or at_end) and not ended, silent=silent)
