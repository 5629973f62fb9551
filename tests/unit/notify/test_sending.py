"""One message for each thing: edited in place, found again, never said twice."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, NotFound
from fairway.model.notice import ChannelKind
from fairway.model.release import TRIAL
from fairway.notify import keeping
from fairway.notify.channel import Answer
from fairway.notify.channels.webhook import signature
from fairway.store import channels, messages
from fairway.testing.slack import TOKEN, Line, serve
from fairway.testing.together import together

if TYPE_CHECKING:
    from conftest import Chat

STATES = [
    ("waiting", ""), ("running", "copy"), ("running", "commit"), ("running", "sync"),
    ("running", "verify"), ("passed", ""),
]  # fmt: skip


class Crash(BaseException):
    """The process is gone."""


def at_once(chat: Chat) -> None:
    """What waits for its next try is due now."""
    for one in chat.database.read_now(messages.listing):
        chat.database.write_now(messages.note, one.id, due=0)


async def settled(chat: Chat) -> None:
    for _ in range(40):
        at_once(chat)
        if not await chat.sending.round():
            return
    raise AssertionError("there is always something left to say")


async def test_a_deployment_is_one_message_edited_in_place_with_a_thread(chat: Chat) -> None:
    for state, step in STATES:
        await chat.hear(state, step=step)
        await settled(chat)
    roots = chat.workspace.roots("C1")
    assert len(roots) == 1
    assert "passed" in roots[0]["text"]
    assert roots[0]["attachments"][0]["color"] == "#2eb67d"
    replies = [one["text"] for one in chat.workspace.thread(roots[0]["ts"])]
    assert replies == [
        "waiting", "running: copy", "running: commit", "running: sync", "running: verify", "passed",
    ]  # fmt: skip


async def test_many_changes_before_the_first_word_make_one_post(chat: Chat) -> None:
    for state, step in STATES:
        await chat.hear(state, step=step)
    await settled(chat)
    assert chat.line.requests.count("chat.update") == 0
    assert len(chat.workspace.roots("C1")) == 1


async def test_what_comes_while_a_word_is_noted_as_said_is_said_too(chat: Chat) -> None:
    """On PostgreSQL both are on their way at once; the note must not hide what it has not seen."""
    await chat.hear("running", step="verify")
    await settled(chat)
    [before] = chat.database.read_now(messages.listing)
    note = {"sent": before.wanted, "told": len(before.details)}
    together(
        chat.database,
        lambda db: messages.want(db, replace(before, wanted=before.wanted + 1)),
        lambda db: messages.said(db, before.id, **note),
    )
    [left] = chat.database.read_now(messages.due, clock.now())
    assert (left.wanted, left.sent) == (before.wanted + 1, before.wanted)


async def test_the_same_event_twice_says_nothing_new(chat: Chat) -> None:
    for _ in range(2):
        await chat.hear("running", step="copy")
        await settled(chat)
    assert chat.line.requests == ["chat.postMessage", "chat.postMessage"]  # the root, its detail


async def test_a_failure_is_told_to_the_whole_channel(chat: Chat) -> None:
    await chat.hear("failed", message="the canary was refused")
    await settled(chat)
    root = chat.workspace.roots("C1")[0]
    assert [one["reply_broadcast"] for one in chat.workspace.thread(root["ts"])] == [True]


async def test_a_post_whose_answer_was_lost_is_found_again(chat: Chat) -> None:
    losses = iter(["deaf"])
    chat.line.trouble = lambda _method: next(losses, "")
    await chat.hear("running", step="copy")
    await settled(chat)
    assert len(chat.workspace.roots("C1")) == 1
    assert "conversations.history" in chat.line.requests


async def test_messages_of_another_fairway_in_the_channel_are_not_taken_for_ours(
    chat: Chat,
) -> None:
    await chat.hear("running", step="copy")
    await settled(chat)
    chat.workspace.messages[0]["metadata"]["event_payload"]["installation"] = "another"
    stored = chat.database.read_now(messages.listing)[0]
    chat.database.write_now(messages.note, stored.id, remote="", begun=1, sent=0, pending=True)
    await settled(chat)
    assert len(chat.workspace.roots("C1")) == 2


async def test_a_request_for_patience_is_granted(chat: Chat) -> None:
    chat.workspace.refuse.append(Answer(429, {"retry-after": "17"}, b""))
    await chat.hear("running", step="copy")
    before = clock.now()
    await chat.sending.round()
    waiting = chat.database.read_now(messages.listing)[0]
    assert 16_000 <= waiting.due - before <= 18_000
    assert not await chat.sending.round()
    await settled(chat)
    assert len(chat.workspace.roots("C1")) == 1


async def test_a_channel_that_is_away_or_refuses_loses_nothing_and_says_why(chat: Chat) -> None:
    chat.line.trouble = lambda _method: "cut"
    await chat.hear("running", step="copy")
    for _ in range(12):
        at_once(chat)
        await chat.sending.round()
    assert "cut" in chat.database.read_now(messages.listing)[0].error
    chat.line.trouble = lambda _method: ""
    chat.channel("crew", ChannelKind.SLACK, "C1", "xoxb-wrong")
    at_once(chat)
    await chat.sending.round()
    assert "invalid_auth" in chat.database.read_now(messages.listing)[0].error
    chat.channel("crew", ChannelKind.SLACK, "C1", TOKEN)
    await settled(chat)
    assert len(chat.workspace.roots("C1")) == 1
    assert chat.database.read_now(messages.listing)[0].error == ""


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_breaks_and_crashes_there_is_one_message_with_every_detail_once(
    chat: Chat, seed: int
) -> None:
    source = random.Random(seed)

    def trouble(_method: str) -> str:
        if source.random() < 0.1:
            raise Crash
        return source.choice(["", "", "", "cut", "deaf"])

    chat.line.trouble = trouble
    for state, step in STATES:
        await chat.hear(state, step=step)
        for _ in range(source.randrange(4)):
            at_once(chat)
            try:
                await chat.sending.round()
            except Crash:
                chat.again()
    chat.line.trouble = lambda _method: ""
    await settled(chat)
    roots = chat.workspace.roots("C1")
    assert len(roots) == 1
    assert "passed" in roots[0]["text"]
    said = [one["metadata"]["event_payload"]["key"] for one in chat.workspace.messages]
    assert len(said) == len(set(said)) == 1 + len(STATES)


async def test_a_message_is_found_beyond_the_first_page(chat: Chat) -> None:
    await chat.hear("running", step="copy")
    await settled(chat)
    stored = chat.database.read_now(messages.listing)[0]
    for number in range(150):
        chat.workspace.call("chat.postMessage", {"channel": "C1", "text": f"noise {number}"}, TOKEN)
    chat.database.write_now(messages.note, stored.id, remote="", begun=1, sent=0, pending=True)
    await settled(chat)
    assert len([m for m in chat.workspace.roots("C1") if "metadata" in m]) == 1


async def test_with_transitions_only_a_deployment_is_told_when_its_outcome_changes(
    chat: Chat,
) -> None:
    chat.rule("all", "crew", transitions=True)
    for number, state in enumerate(("passed", "passed", "failed", "failed", "passed"), 1):
        await chat.hear("running", number=number)
        await chat.hear(state, number=number)
        await settled(chat)
    texts = [one["text"].partition(": ")[2] for one in chat.workspace.roots("C1")]
    assert texts == ["passed>", "failed>", "passed>"]


async def test_a_webhook_gets_one_signed_request_at_the_end(chat: Chat) -> None:
    chat.channel("hook", ChannelKind.WEBHOOK, "https://hook.example/in", "s3cret")
    chat.rule("hooks", "hook")
    got: list[tuple[dict[str, str], bytes]] = []

    class Receiver(Line):
        async def send(self, method, url, *, headers, body):  # type: ignore[no-untyped-def]
            if "hook.example" not in url:
                return await super().send(method, url, headers=headers, body=body)
            got.append((dict(headers), body))
            return Answer(500 if len(got) == 1 else 204, {}, b"")

    chat.line = Receiver(chat.workspace)
    chat.again()
    for state, step in STATES:
        await chat.hear(state, step=step)
        await settled(chat)
    assert len(got) == 2  # the first was answered 500
    assert {headers["Idempotency-Key"] for headers, _ in got} == {"deployment/5/6"}
    headers, body = got[-1]
    stamp = headers["X-Fairway-Timestamp"]
    assert headers["X-Fairway-Signature"] == signature(Secret("s3cret"), stamp, body)
    assert b'"outcome":"success"' in body


async def test_what_people_write_calls_nobody_in_the_channel(chat: Chat) -> None:
    await chat.hear("running", step="copy", message="<!channel> & <@U1>")
    await settled(chat)
    root = chat.workspace.roots("C1")[0]
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in root["attachments"][0]["text"]


async def test_the_workspace_over_http_is_the_same(chat: Chat) -> None:
    from fairway.notify.http import HttpSender

    server = serve(chat.workspace)
    try:
        chat.line = HttpSender()  # type: ignore[assignment]
        chat.again()
        found = chat.database.read_now(channels.by_name, "crew")
        assert found is not None
        api = f"http://127.0.0.1:{server.server_port}/api"
        chat.database.write_now(_lead_to, api)
        await chat.hear("passed")
        await settled(chat)
        assert len(chat.workspace.roots("C1")) == 1
    finally:
        server.shutdown()
        server.server_close()


def _lead_to(db, api: str) -> None:  # type: ignore[no-untyped-def]
    from msgspec.structs import replace

    found = channels.by_name(db, "crew")
    assert found is not None
    channels.put(db, replace(found, api=api))


def test_a_channel_without_an_address_or_a_secret_is_refused(chat: Chat) -> None:
    from fairway.model.notice import Channel

    for kind, address, code in (
        (ChannelKind.WEBHOOK, "ftp://x", "bad-channel-address"),
        (ChannelKind.WEBHOOK, "https://u:p@x/", "bad-channel-address"),
        (ChannelKind.SLACK, "#", "bad-channel-address"),
        (ChannelKind.SLACK, "C2", "no-channel-secret"),
    ):
        with pytest.raises(InvalidInput) as told:
            chat.database.write_now(
                keeping.put,
                "ada",
                Channel(id=0, name="new", kind=kind, address=address),
                secret=None,
                sealer=chat.keyring,
            )
        assert told.value.code == code
    with pytest.raises(NotFound):
        chat.database.write_now(keeping.remove, "ada", "ghost")


async def test_a_rollout_is_told_in_the_message_of_the_deployment_that_brought_it(
    chat: Chat,
) -> None:
    await chat.hear("running", step="sync")
    for phase, weight in (("Progressing", 20), ("Progressing", 20), ("Paused", 40)):
        await chat.roll(phase, weight)
        await settled(chat)
    root = chat.workspace.roots("C1")[0]
    assert "████░░░░░░ 40 %, step 2 of 5" in root["attachments"][0]["text"]
    await chat.hear("passed")
    await chat.roll("Healthy", 100)  # its own news come last, as often as not
    await settled(chat)
    (first,) = chat.workspace.roots("C1")
    assert "%" not in first["attachments"][0]["text"]
    assert "Healthy" in chat.workspace.thread(first["ts"])[-1]["text"]


async def test_a_rollout_that_falls_ill_after_its_deployment_has_a_message_of_its_own(
    chat: Chat,
) -> None:
    await chat.hear("passed")
    await chat.roll("Degraded", 100)
    await settled(chat)
    first, ill = chat.workspace.roots("C1")
    assert "passed" in first["text"]
    assert "Degraded" in ill["text"]


async def test_a_chart_that_is_only_tried_is_nobodys_news(chat: Chat) -> None:
    await chat.roll("Degraded", 0, application="", namespace=f"{TRIAL}1234")
    await settled(chat)
    assert chat.workspace.roots("C1") == []


async def test_a_rollout_that_no_deployment_brought_has_a_message_of_its_own(chat: Chat) -> None:
    await chat.hear("running", step="sync")
    for phase, weight in (("Progressing", 20), ("Degraded", 0)):
        await chat.roll(phase, weight, application="")
        await settled(chat)
    own = chat.workspace.roots("C1")[1]
    assert "Degraded" in own["text"]
    assert own["attachments"][0]["color"] == "#e01e5a"
    assert [m["reply_broadcast"] for m in chat.workspace.thread(own["ts"])] == [False, True]
