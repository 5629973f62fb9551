"""`plugins/slack`: one message about the build to a Slack (or Mattermost) webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.plugins.facts import facts, more_facts
from fairway.pipeline.plugins.http import HttpSender, Sender
from fairway.pipeline.plugins.settings import Settings
from fairway.pipeline.plugins.source import template_text
from fairway.pipeline.plugins.template import render

_COLORS: Final = {"success": "good", "failure": "danger", "error": "danger", "killed": "danger"}


class SlackPlugin:
    """Posts to `webhook`."""

    def __init__(self, sender: Sender | None = None) -> None:
        self._sender = sender or HttpSender()

    async def run(self, job: Job) -> PluginEnd:
        """Compose and post; anything but status 200 is a failure."""
        settings = Settings(job.environment)
        url = settings.text("SLACK_WEBHOOK", "webhook")
        if not url:
            raise InvalidInput(
                "the setting `webhook` is missing",
                code="plugin-setting",
                remedy="Give it the webhook's address, from a secret.",
            )
        body = json.dumps(await self._message(job, settings)).encode()
        for name in settings.unknown():
            await job.log(f"[fairway] the setting `{name}` has no effect here\n".encode())
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{job.key}/1"}
        try:
            answer = await self._sender.send("POST", url, headers=headers, body=body)
        except Unavailable as error:
            await job.log(f"{error}\n".encode())
            return PluginEnd(1)
        if answer.status != 200:
            await job.log(f"slack answers {answer.status}: {answer.body.strip()}\n".encode())
            return PluginEnd(1)
        await job.log(b"the message was posted\n")
        return PluginEnd()

    async def _message(self, job: Job, settings: Settings) -> dict[str, Any]:
        known = facts(settings)
        known["build"].update(more_facts(settings))
        attachment = {
            "text": await self._template(job, settings, "template", known) or _text(known),
            "fallback": await self._template(job, settings, "fallback", known) or _fallback(known),
            "color": settings.text("color") or _COLORS.get(known["build"]["status"], "warning"),
            "mrkdwn_in": ["text", "fallback"],
        }
        image = settings.text("image_url")
        if image:
            attachment["image_url"] = image
        addressed = {key: value for key, value in _addressed(settings).items() if value}
        return {**addressed, "attachments": [attachment]}

    async def _template(
        self, job: Job, settings: Settings, name: str, known: Mapping[str, Any]
    ) -> str:
        setting = settings.text(name)
        if not setting:
            return ""
        return render(await template_text(job, self._sender, setting), known)


def _addressed(settings: Settings) -> dict[str, str]:
    recipient, channel = settings.text("recipient"), settings.text("channel")
    to = _with("@", recipient) if recipient else _with("#", channel) if channel else ""
    return {
        "channel": to,
        "username": settings.text("username"),
        "icon_url": settings.text("icon_url"),
        "icon_emoji": settings.text("icon_emoji"),
        "link_names": "1" if settings.flag("link_names") else "",
    }


def _with(sign: str, name: str) -> str:
    return name if name.startswith(sign) else f"{sign}{name}"


def _text(known: Mapping[str, Mapping[str, Any]]) -> str:
    build, repo = known["build"], known["repo"]
    name = f"{repo['owner']}/{repo['name']}#{build['commit'][:8]}"
    link = f"<{build['link']}|{name}>"
    return f"*{build['status']}* {link} ({build['branch']}) by {build['author']}"


def _fallback(known: Mapping[str, Mapping[str, Any]]) -> str:
    build, repo = known["build"], known["repo"]
    name = f"{repo['owner']}/{repo['name']}#{build['commit'][:8]}"
    return f"{build['status']} {name} ({build['branch']}) by {build['author']}"
