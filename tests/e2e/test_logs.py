"""Logs: live with resume, ranges, search, colours, and a limit that shows."""

from __future__ import annotations

import contextlib
import json

from ground import Ground, Repository, steps

COUNT = steps(r"""
    clone: {disable: true}
    steps:
    - name: count
      image: busybox
      commands:
      - seq 1 5000
      - printf '\033[31mred\033[0m\n'
    """)


def url(repo: Repository, more: str) -> str:
    return f"/repos/{repo.slug}/builds/1/{more}"


def test_a_stream_is_taken_up_again_where_it_was_cut(ground: Ground) -> None:
    repo = ground.repository()
    assert repo.build(COUNT).status == "passed"
    whole = repo.log("count")
    text, last = "", ""
    with contextlib.closing(ground.api.stream(url(repo, "stream"))) as stream:
        for message in stream:
            if message.event == "log":
                text, last = json.loads(message.data)["text"], message.id
                break
    with contextlib.closing(ground.api.stream(url(repo, "stream"), last_id=last)) as stream:
        for message in stream:
            if message.event == "log":
                text += json.loads(message.data)["text"]
    assert text == whole
    assert whole.count("\n") >= 5002


def test_ranges_by_line_and_by_byte_and_a_search_in_the_whole_log(ground: Ground) -> None:
    repo = ground.repository()
    assert repo.build(COUNT).status == "passed"
    lines = ground.api.get(url(repo, "logs/1/1"), dict, {"first": 4001, "lines": 3})
    whole = repo.log("count").splitlines()
    assert lines["lines"] == whole[4000:4003]
    raw = ground.api.send("GET", url(repo, "logs/1/1/raw"), params={"start": 100, "end": 150})
    assert raw.text == repo.log("count")[100:150]
    hits = repo.cli("logs", "1", "--search", "4999").out
    assert hits.splitlines()[0].endswith(":4999")
    assert repo.cli("logs", "1", "--search", "no such words").code == 1
    tail = repo.cli("logs", "1", "count", "--tail", "2").out
    assert tail.splitlines()[0] == "+ printf '\\033[31mred\\033[0m\\n'"


def test_colours_are_kept(ground: Ground) -> None:
    repo = ground.repository()
    repo.build(COUNT)
    assert "\033[31mred\033[0m\n" in repo.log("count")


def test_a_log_is_followed_live_to_its_end(ground: Ground) -> None:
    repo = ground.repository()
    repo.start(
        steps("""
        steps: [{name: slow, image: busybox, commands: [echo begun, sleep 1, echo ended]}]
        """)
    )
    done = repo.cli("logs", "last", "slow", "-f", "--timeout", "300")
    assert done.code == 0, done.all
    assert "begun\n+ sleep 1\n+ echo ended\nended\n" in done.out
