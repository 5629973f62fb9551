"""plugins/webhook and plugins/slack, with a sender that only remembers; and their templates."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.plugins.gotime import duration, moment
from fairway.pipeline.plugins.http import Answer
from fairway.pipeline.plugins.slack import SlackPlugin
from fairway.pipeline.plugins.template import render
from fairway.pipeline.plugins.webhook import WebhookPlugin

BUILD = {
    "DRONE_REPO_OWNER": "acme",
    "DRONE_REPO_NAME": "web",
    "DRONE_BUILD_NUMBER": "7",
    "DRONE_BUILD_STATUS": "failure",
    "DRONE_BUILD_LINK": "http://here/7",
    "DRONE_COMMIT_SHA": "0123456789abcdef",
    "DRONE_COMMIT_BRANCH": "main",
    "DRONE_COMMIT_AUTHOR": "ada",
    "DRONE_COMMIT_MESSAGE": "Fix <it>",
    "DRONE_BUILD_STARTED": "100",
}


class SenderStub:
    """Remembers requests; answers as told."""

    def __init__(self, *answers: int) -> None:
        self.sent: list[dict[str, Any]] = []
        self._answers = list(answers) or [200]

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        verify: bool = True,
    ) -> Answer:
        request = {"method": method, "url": url, "headers": dict(headers), "body": body}
        self.sent.append({**request, "verify": verify})
        status = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not status:
            raise Unavailable("no answer from the hook: refused", code="no-answer")
        return Answer(status, "Words", "the answer")


async def test_a_webhook_posts_the_build_to_each_address(job: Any) -> None:
    sender = SenderStub()
    what = job(PLUGIN_URLS="http://a/x,http://b/y", **BUILD)
    assert (await WebhookPlugin(sender).run(what)).exit_code == 0
    assert [one["url"] for one in sender.sent] == ["http://a/x", "http://b/y"]
    data = json.loads(sender.sent[0]["body"])
    assert data["repo"] == {"owner": "acme", "name": "web"}
    assert data["build"]["number"] == 7
    assert data["build"]["status"] == "failure"
    assert data["build"]["started"] == 100
    assert sender.sent[0]["headers"]["Content-Type"] == "application/json"


async def test_a_repeated_run_carries_the_same_keys(job: Any) -> None:
    sender = SenderStub()
    for _again in range(2):
        await WebhookPlugin(sender).run(job(PLUGIN_URLS="http://a,http://b", **BUILD))
    keys = [one["headers"]["Idempotency-Key"] for one in sender.sent]
    assert keys == ["b1-s1/2/1/1", "b1-s1/2/1/2"] * 2


async def test_a_webhooks_settings(job: Any, log: Any) -> None:
    sender = SenderStub(202)
    what = job(
        PLUGIN_URLS="http://a",
        PLUGIN_METHOD="PUT",
        PLUGIN_CONTENT_TYPE="text/plain",
        PLUGIN_HEADERS="X-One=1,X-Two=a=b",
        PLUGIN_USERNAME="u",
        PLUGIN_PASSWORD="p",
        PLUGIN_TEMPLATE="{{build.status}} of {{repo.name}}",
        PLUGIN_SKIP_VERIFY="true",
        PLUGIN_VALID_RESPONSE_CODES="200,202",
        PLUGIN_DEBUG="true",
        **BUILD,
    )
    assert (await WebhookPlugin(sender).run(what)).exit_code == 0
    sent = sender.sent[0]
    assert (sent["method"], sent["body"], sent["verify"]) == ("PUT", b"failure of web", False)
    assert sent["headers"]["X-Two"] == "a=b"
    assert sent["headers"]["Authorization"] == "Basic dTpw"
    assert "response: 202 Words" in log.text
    assert "sent: failure of web" in log.text


@pytest.mark.parametrize(("status", "code"), [(500, 0), (0, 1)])
async def test_an_address_that_refuses_is_shown_and_one_that_is_silent_fails(
    job: Any, log: Any, status: int, code: int
) -> None:
    end = await WebhookPlugin(SenderStub(status)).run(job(PLUGIN_URLS="http://a", **BUILD))
    assert end.exit_code == code
    assert log.text


async def test_an_answer_that_is_not_valid_fails_and_ends_it(job: Any, log: Any) -> None:
    sender = SenderStub(200, 404)
    what = job(PLUGIN_URLS="http://a,http://b,http://c", PLUGIN_VALID_RESPONSE_CODES="200", **BUILD)
    assert (await WebhookPlugin(sender).run(what)).exit_code == 1
    assert len(sender.sent) == 2
    assert "response of 404 is not valid" in log.text


async def test_a_webhook_without_addresses_is_refused(job: Any) -> None:
    with pytest.raises(InvalidInput):
        await WebhookPlugin(SenderStub()).run(job(**BUILD))


async def test_slack_posts_one_message(job: Any) -> None:
    sender = SenderStub()
    what = job(SLACK_WEBHOOK="http://s/1", PLUGIN_CHANNEL="dev", PLUGIN_ICON_EMOJI=":x:", **BUILD)
    assert (await SlackPlugin(sender).run(what)).exit_code == 0
    message = json.loads(sender.sent[0]["body"])
    assert message["channel"] == "#dev"
    assert message["icon_emoji"] == ":x:"
    (attachment,) = message["attachments"]
    assert attachment["color"] == "danger"
    assert attachment["text"] == "*failure* <http://here/7|acme/web#01234567> (main) by ada"
    assert attachment["fallback"] == "failure acme/web#01234567 (main) by ada"


async def test_slack_templates_and_recipients(job: Any) -> None:
    sender = SenderStub()
    template = "{{#success build.status}}good{{else}}bad {{build.failedsteps}}{{/success}}"
    what = job(
        PLUGIN_WEBHOOK="http://s/1",
        PLUGIN_CHANNEL="dev",
        PLUGIN_RECIPIENT="@ada",
        PLUGIN_TEMPLATE=template,
        DRONE_FAILED_STEPS="unit",
        **BUILD,
    )
    await SlackPlugin(sender).run(what)
    message = json.loads(sender.sent[0]["body"])
    assert message["channel"] == "@ada"
    assert message["attachments"][0]["text"] == "bad unit"


async def test_slack_fails_when_slack_does(job: Any, log: Any) -> None:
    end = await SlackPlugin(SenderStub(403)).run(job(PLUGIN_WEBHOOK="http://s", **BUILD))
    assert end.exit_code == 1
    assert "slack answers 403: the answer" in log.text


async def test_a_template_may_be_a_file_of_the_workspace_and_of_nowhere_else(job: Any) -> None:
    sender = SenderStub()
    what = job(PLUGIN_URLS="http://a", PLUGIN_TEMPLATE="file:///drone/src/t.txt", **BUILD)
    what.environment["DRONE_WORKSPACE"] = "/drone/src"
    (what.tree / "t.txt").write_text("from {{repo.owner}}")
    await WebhookPlugin(sender).run(what)
    assert sender.sent[0]["body"] == b"from acme"
    for path in ("/etc/hostname", "/drone/src/../../../etc/hostname", "/drone/src/out"):
        (what.tree / "out").unlink(missing_ok=True)
        (what.tree / "out").symlink_to("/etc/hostname")
        what.environment["PLUGIN_TEMPLATE"] = f"file://{path}"
        with pytest.raises(InvalidInput, match="no file"):
            await WebhookPlugin(sender).run(what)


CONTEXT = {
    "repo": {"owner": "acme", "name": "web"},
    "build": {
        "status": "success",
        "commit": "0123456789",
        "message": "a <b> & 'c'",
        "started": 60,
        "created": 0,
        "number": 7,
    },
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("  {{ build.number }}\n", "7"),
        ("{{build.message}}", "a &lt;b&gt; &amp; &#x27;c&#x27;"),
        ("{{{build.message}}}", "a <b> & 'c'"),
        ("{{build.nothing}}x{{nowhere.at.all}}", "x"),
        ("{{Build.Number}}", "7"),
        ("{{!-- gone }} --}}{{! gone }}kept", "kept"),
        ("{{#success build.status}}yes{{else}}no{{/success}}", "yes"),
        ("{{#failure build.status}}yes{{else}}no{{/failure}}", "no"),
        ("{{#failure build.status}}yes{{/failure}}", ""),
        ("{{#if build.tag}}tag{{else}}none{{/if}}", "none"),
        ("{{#unless build.tag}}none{{/unless}}", "none"),
        ("{{^build.tag}}none{{/build.tag}}", "none"),
        ("{{truncate build.commit 8}}", "01234567"),
        ("{{truncate build.commit -2}}", "23456789"),
        ("{{uppercase repo.name}} {{uppercasefirst repo.owner}}", "WEB Acme"),
        ("{{duration build.created build.started}}", "1m0s"),
        ('{{datetime build.started "2006-01-02 15:04:05" "UTC"}}', "1970-01-01 00:01:00"),
        ("{{#urlencode}}a b&{{repo.name}}{{/urlencode}}", "a+b%26web"),
        ('{{regexReplace "([a-z])e" repo.name "${1}E"}}', "wEb"),
        ('{{default "none" build.tag}}', "none"),
        (
            "{{#success build.status}}{{#if repo.name}}in{{/if}}{{else}}{{/success}}",
            "in",
        ),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert render(template, CONTEXT) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{#success build.status}}open",
        "{{/success}}",
        "{{else}}",
        "{{#nothing x}}{{/nothing}}",
        "{{nohelper build.status 1}}",
        "{{> partial}}",
        "{{truncate build.commit}}",
        '{{regexReplace "(" repo.name ""}}',
        "{{#if a}}{{#if b}}{{/if}}",
        "{{#if a}}" * 80,
    ],
)
def test_templates_that_are_not_understood_are_refused(template: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        render(template, CONTEXT)
    assert caught.value.code == "plugin-template"


@given(st.text(alphabet="{}#/^! abuild.status\"'\\elsif", max_size=60))
def test_any_template_is_text_or_refused(template: str) -> None:
    with contextlib.suppress(InvalidInput):
        render(template, CONTEXT)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (61, "1m1s"), (3600, "1h0m0s"), (-5, "-5s")]
)
def test_durations_are_as_go_prints_them(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_times_follow_gos_layouts_and_zones() -> None:
    at = 1_700_000_000
    assert moment(at, "Mon Jan _2 15:04:05 MST 2006", "UTC") == "Tue Nov 14 22:13:20 UTC 2023"
    assert moment(at, "3:04PM Z07:00", "Europe/Berlin") == "11:13PM +01:00"
    assert moment(at, "2006", "No/Zone") == "2023"
