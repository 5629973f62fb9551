"""`plugins/webhook`: POST what happened to one or more addresses.

Every request carries an `Idempotency-Key` made from the stage and the step: after a crash of the
runner the step may run again, and its receiver can tell.
"""

from __future__ import annotations

import base64
import json

from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.plugins.facts import facts
from fairway.pipeline.plugins.http import Answer, HttpSender, Sender
from fairway.pipeline.plugins.settings import Settings
from fairway.pipeline.plugins.source import template_text
from fairway.pipeline.plugins.template import render


class WebhookPlugin:
    """Sends the build's facts, or a template's text, to `urls`."""

    def __init__(self, sender: Sender | None = None) -> None:
        self._sender = sender or HttpSender()

    async def run(self, job: Job) -> PluginEnd:
        """Send to each address in turn; the first that fails ends it."""
        settings = Settings(job.environment)
        urls = settings.items("urls", "url", "WEBHOOK_URLS", "WEBHOOK_URL")
        if not urls:
            raise InvalidInput(
                "the setting `urls` is missing", code="plugin-setting", remedy="Name an address."
            )
        body = await self._body(job, settings)
        headers = _headers(settings)
        codes = _codes(settings)
        method = settings.text("method", default="POST")
        verify, debug = not settings.flag("skip_verify"), settings.flag("debug")
        for name in settings.unknown():
            await job.log(f"[fairway] the setting `{name}` has no effect here\n".encode())
        for number, url in enumerate(urls, 1):
            own = {**headers, "Idempotency-Key": f"{job.key}/{number}"}
            try:
                answer = await self._sender.send(method, url, headers=own, body=body, verify=verify)
            except Unavailable as error:
                await job.log(f"{error}\n".encode())
                return PluginEnd(1)
            if debug or answer.status >= 400:
                sent = body if debug else b""
                await job.log(_shown(number, method, url, sent=sent, answer=answer))
            if codes and answer.status not in codes:
                await job.log(f"response of {answer.status} is not valid\n".encode())
                return PluginEnd(1)
        return PluginEnd()

    async def _body(self, job: Job, settings: Settings) -> bytes:
        known = facts(settings)
        template = settings.text("template")
        if not template:
            sent = {"repo": known["repo"], "build": known["build"]}
            return json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        return render(await template_text(job, self._sender, template), known).encode()


def _headers(settings: Settings) -> dict[str, str]:
    found = {"Content-Type": settings.text("content_type", default="application/json")}
    found.update(settings.pairs("headers"))
    user = settings.text("username", "WEBHOOK_USERNAME")
    password = settings.text("password", "WEBHOOK_PASSWORD")
    if user and password:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        found["Authorization"] = f"Basic {pair}"
    token = settings.text("token_value")
    if token:
        found["Authorization"] = f"{settings.text('token_type', default='Bearer')} {token}"
    return found


def _codes(settings: Settings) -> set[int]:
    codes = settings.items("valid_response_codes")
    if not all(code.isdigit() for code in codes):
        raise InvalidInput(
            "`valid_response_codes` holds something that is not a number", code="plugin-setting"
        )
    return {int(code) for code in codes}


def _shown(number: int, method: str, url: str, *, sent: bytes, answer: Answer) -> bytes:
    lines = [f"Webhook {number}", f"  {method} {url}"]
    if sent:
        lines.append(f"  sent: {sent.decode('utf-8', 'replace').strip()}")
    lines += [f"  response: {answer.status} {answer.reason}", f"  {answer.body.strip()}", ""]
    return "\n".join(lines).encode()
