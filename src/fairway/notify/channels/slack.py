"""Slack's Web API: one message, edited while things go on; details in its thread.

Each message carries metadata (event type `fairway`) with its key and this installation's name, by
which it is found again after a crash between the post and our note of it. Sources: Slack's
reference of chat.postMessage, chat.update, conversations.history, conversations.replies and of
rate limits (429 with Retry-After).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from fairway.kit.secret import Secret
from fairway.model.errors import Forbidden, Unavailable
from fairway.model.notice import Channel, Content, Detail, Message, Outcome
from fairway.notify.channel import Answer, Sender, now
from fairway.notify.patience import TooFast

API: Final = "https://slack.com/api"
EVENT: Final = "fairway"
_COLOURS: Final = {Outcome.OPEN: "#439fe0", Outcome.SUCCESS: "#2eb67d", Outcome.FAILURE: "#e01e5a"}
_WAITING: Final = "#ecb22e"
_PAGE: Final = 100
_PAGES: Final = 10
_SLACK_S: Final = 60  # what our clock and Slack's may differ by
_LATER: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
     "request_timeout", "team_added_to_org", "org_login_required"}
)  # fmt: skip


class Slack:
    """See `Speaker`."""

    def __init__(self, sender: Sender, *, installation: str) -> None:
        """`installation`: this Fairway's own name, so that two in one channel never mix."""
        self._sender, self._installation = sender, installation

    async def post(self, channel: Channel, key: Secret, message: Message) -> str:
        """`chat.postMessage`. Returns the message's timestamp, which is its name."""
        body = {"channel": channel.address, **shown(now(message))}
        body["metadata"] = self._metadata(message.key)
        return str((await self._call(channel, key, "chat.postMessage", body))["ts"])

    async def find(self, channel: Channel, key: Secret, message: Message) -> str:
        """Look through what was said since the message was first wanted."""
        oldest = message.created // 1000 - _SLACK_S
        asked = {"channel": channel.address, "oldest": oldest, "include_all_metadata": "true"}
        return await self._seek(channel, key, ("conversations.history", asked), message.key)

    async def edit(self, channel: Channel, key: Secret, message: Message) -> None:
        """`chat.update`."""
        body = {"channel": channel.address, "ts": message.remote, **shown(now(message))}
        body["metadata"] = self._metadata(message.key)
        await self._call(channel, key, "chat.update", body)

    async def tell(self, channel: Channel, key: Secret, message: Message, detail: Detail) -> None:
        """Post into the thread; what everybody shall see, into the channel too."""
        body = {
            "channel": channel.address,
            "thread_ts": message.remote,
            "text": escaped(detail.text),
            "reply_broadcast": detail.alarm,
            "metadata": self._metadata(_of(message, detail)),
        }
        await self._call(channel, key, "chat.postMessage", body)

    async def told(self, channel: Channel, key: Secret, message: Message, detail: Detail) -> bool:
        """Look through the thread."""
        asked = {"channel": channel.address, "ts": message.remote, "include_all_metadata": "true"}
        place = ("conversations.replies", asked)
        return bool(await self._seek(channel, key, place, _of(message, detail)))

    async def _seek(
        self, channel: Channel, key: Secret, place: tuple[str, Mapping[str, Any]], wanted: str
    ) -> str:
        method, asked = place
        cursor = ""
        for _ in range(_PAGES):
            query = {**asked, "limit": _PAGE, **({"cursor": cursor} if cursor else {})}
            found = await self._ask(channel, key, method, query)
            for one in found.get("messages", ()):
                if one.get("metadata") == self._metadata(wanted):
                    return str(one["ts"])
            cursor = found.get("response_metadata", {}).get("next_cursor", "")
            if not cursor:
                break
        return ""

    def _metadata(self, key: str) -> dict[str, Any]:
        payload = {"installation": self._installation, "key": key}
        return {"event_type": EVENT, "event_payload": payload}

    async def _call(
        self, channel: Channel, key: Secret, method: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {key.reveal()}",
            "Content-Type": "application/json; charset=utf-8",
        }
        url = f"{channel.api or API}/{method}"
        data = msgspec.json.encode(body)
        answer = await self._sender.send("POST", url, headers=headers, body=data)
        return read(answer, channel, method)

    async def _ask(
        self, channel: Channel, key: Secret, method: str, query: Mapping[str, Any]
    ) -> dict[str, Any]:
        url = f"{channel.api or API}/{method}?{urlencode(query)}"
        headers = {"Authorization": f"Bearer {key.reveal()}"}
        answer = await self._sender.send("GET", url, headers=headers, body=b"")
        return read(answer, channel, method)


def _of(message: Message, detail: Detail) -> str:
    return f"{message.key}#{detail.key}"


def shown(content: Content) -> dict[str, Any]:
    """A message's text, and an attachment whose colour says how it is."""
    title = escaped(content.title)
    if content.link:
        title = f"<{content.link}|{title}>"
    colour = _WAITING if content.waiting else _COLOURS[content.outcome]
    lines = "\n".join(escaped(line) for line in content.lines)
    attachment = {"color": colour, "text": lines, "mrkdwn_in": ["text"], "fallback": lines}
    return {"text": title, "attachments": [attachment] if lines else []}


def escaped(text: str) -> str:
    """Slack's three control characters, so that nobody's commit message calls everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def read(answer: Answer, channel: Channel, method: str) -> dict[str, Any]:
    """What Slack says. Raises `TooFast`, `Unavailable`, or `Forbidden` for what no repetition
    mends."""
    if answer.status == 429:
        raise TooFast(channel.name, float(answer.headers.get("retry-after", "30")))
    try:
        said = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        said = None
    if not isinstance(said, dict) or answer.status >= 500:
        raise Unavailable(
            f"{channel.name} answered {answer.status} to {method}, which Slack does not",
            code="channel-refused",
            remedy="see whether the channel's address leads to Slack's Web API",
        )
    if said.get("ok"):
        return said
    error = str(said.get("error", "no reason"))
    if error in _LATER:
        raise Unavailable(f"{channel.name}: {method}: {error}", code="channel-refused")
    raise Forbidden(
        f"{channel.name}: Slack refuses {method}: {error}",
        code="channel-forbidden",
        remedy="look at the bot's token, its scopes (chat:write, channels:history) and whether it"
        " is in the channel; then `fairway notify channel test`",
    )
