"""The local workspace: each of its messages has a time of its own, by which it is edited."""

from __future__ import annotations

from fairway.testing.slack import TOKEN, Workspace


def test_messages_of_one_moment_have_different_times() -> None:
    workspace = Workspace()
    for number in range(100):
        workspace.call("chat.postMessage", {"channel": "C1", "text": str(number)}, TOKEN)
    times = [one["ts"] for one in workspace.messages]
    assert len(set(times)) == len(times)
    assert times == sorted(times)


def test_an_edit_changes_its_own_message_alone() -> None:
    workspace = Workspace()
    for number in range(50):
        workspace.call("chat.postMessage", {"channel": "C1", "text": str(number)}, TOKEN)
    last = workspace.messages[-1]["ts"]
    workspace.call("chat.update", {"channel": "C1", "ts": last, "text": "changed"}, TOKEN)
    assert [one["text"] for one in workspace.messages[-2:]] == ["48", "changed"]
