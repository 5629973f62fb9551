"""Waiting for something to happen, without missing what happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairway.cli.session import Session
from fairway.client.wire.system import Event


def moments(session: Session, kinds: Iterable[str], repository: str = "") -> Iterator[None]:
    """Now, and whenever an event of these kinds has happened since; ends where the server does.

    Read after each: what happens between a reading and the stream's beginning is told as well.
    """
    last = next(iter(session.api.pages("/events/recent", Event, limit=1)), None)
    yield
    asked: dict[str, str | int] = {
        "kinds": ",".join(kinds),
        "repository": repository,
        "since": last.id if last else 0,
    }
    for message in session.api.stream("/events", asked):
        yield
        if message.event == "end":
            return
