"""Notices: what people are told of, where, and what has been said so far."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class ChannelKind(StrEnum):
    """How a channel is spoken to."""

    SLACK = "slack"  # its Web API: messages that are edited, with threads
    WEBHOOK = "webhook"  # one signed request for what came of it


class Topic(StrEnum):
    """What a rule may ask for."""

    BUILD = "build"  # builds of default branches
    DEPLOYMENT = "deployment"  # releases on their way into environments, and rollbacks
    RELEASE = "release"  # a chart that could not be published, or was
    ROLLOUT = "rollout"  # rollouts that no deployment brought


class Outcome(StrEnum):
    """What came of it. `OPEN` until it has ended."""

    OPEN = ""
    SUCCESS = "success"
    FAILURE = "failure"


class Channel(Struct, frozen=True, kw_only=True):
    """Where notices go. `address` is a webhook's URL, or the name of a Slack channel."""

    id: int
    name: str
    kind: ChannelKind
    address: str
    api: str = ""  # base of Slack's Web API; "" is Slack itself
    progress: bool = False  # a webhook hears of every change too, not of the end alone
    sealed: bytes = b""  # a bot's token, or the key that signs
    created: int = 0


class Rule(Struct, frozen=True, kw_only=True):
    """Who hears of what. Each list names patterns (`*` any characters); an empty one is all."""

    id: int
    name: str
    channel: str
    topics: tuple[Topic, ...] = ()
    repositories: tuple[str, ...] = ()  # organisation/name
    environments: tuple[str, ...] = ()  # delivery/environment
    transitions: bool = False  # only where the outcome differs from the last one there
    created: int = 0


class Content(Struct, frozen=True, kw_only=True):
    """What a message says now."""

    title: str
    lines: tuple[str, ...] = ()
    outcome: Outcome = Outcome.OPEN
    waiting: bool = False  # for a person
    link: str = ""


class Detail(Struct, frozen=True, kw_only=True):
    """A line of a message's thread. `alarm`: everybody in the channel shall see it."""

    key: str
    text: str
    alarm: bool = False


class Message(Struct, frozen=True, kw_only=True):
    """One message in one channel: what it shall say, and what it says there.

    `wanted` counts changes of the content, `sent` is the last one that arrived. `begun`: its first
    post may have arrived though we never heard so.
    """

    id: int
    channel: int
    key: str
    stream: str  # what comes after one another: a branch, a service in an environment
    content: Content
    details: tuple[Detail, ...] = ()
    application: str = ""  # of a deployment: its rollouts are told in its message
    progress: str = ""  # ... how far they are
    silent: bool = False
    held: bool = False  # until the outcome is known: only a change of it is told
    wanted: int = 1
    sent: int = 0
    told: int = 0  # details that arrived
    begun: int = 0  # 1: the post, 1 + n: the n-th detail
    remote: str = ""  # the message's name in the channel
    tries: int = 0
    due: int = 0  # milliseconds UTC
    error: str = ""
    created: int = 0
