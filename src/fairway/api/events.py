"""Events: one multiplexed stream with filters, and the recent ones as a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.types import ASGIApp
from sqlalchemy import Connection

from fairway.access.identity import Identity
from fairway.access.scope import scope_of
from fairway.api import cursors, guard
from fairway.api.hub import Happened
from fairway.api.services import Count, Cursor, Limit, Services, Svc, Text, Who
from fairway.api.streams import HEARTBEAT_S, Put, stream
from fairway.client import sse
from fairway.client.wire import system as wire
from fairway.client.wire.common import Page
from fairway.kit import clock
from fairway.model.errors import InvalidInput
from fairway.model.events import (
    BY_KIND,
    ApplicationChanged,
    Event,
    PromotionChanged,
    ReleaseCreated,
    RolloutChanged,
)
from fairway.model.scope import Scope
from fairway.model.token import TokenScope
from fairway.store import outbox, releases, views

_SCAN = 500
_MOST_SCANS = 20


_CLUSTERS: Final = ("clusters", 0)
_LOOK: Final = (TokenScope.DELIVERY_READ, TokenScope.CLUSTER_READ, TokenScope.CLUSTER_WRITE)
Owner = tuple[str, int]


def _owner(event: Event) -> Owner:
    """Who sees it: whoever sees its repository, that of its release, or the clusters."""
    if isinstance(event, ReleaseCreated | PromotionChanged):
        return "release", event.release
    if isinstance(event, ApplicationChanged | RolloutChanged):
        return _CLUSTERS
    return "repository", getattr(event, "repository", 0)


def _visible(db: Connection, scope: Scope, owners: Sequence[Owner]) -> set[Owner]:
    """Those of the owners that the scope sees; the clusters' are a question of the token."""
    queries = {"repository": views.visible_of, "release": releases.visible_of}
    return {
        (kind, number)
        for kind, query in queries.items()
        for number in query(db, scope, {number for what, number in owners if what == kind})
    }


class Wanted:
    """Which events a reader wants and may see."""

    def __init__(
        self, services: Services, who: Identity, *, kinds: str, repository: str, subject: str
    ) -> None:
        self.kinds = frozenset(word for word in kinds.split(",") if word)
        unknown = sorted(self.kinds - BY_KIND.keys())
        if unknown:
            raise InvalidInput(
                f"there is no kind of event {unknown[0][:60]!r}",
                code="bad-kind",
                where="query.kinds",
                remedy="one or more, with commas, of: " + ", ".join(sorted(BY_KIND)),
            )
        self.repository, self.subject = repository, subject
        self._services, self._who = services, who

    async def of(self, found: Sequence[Happened]) -> list[Happened]:
        """Those of `found` that match, and that the reader may see now."""
        matching = [one for one in found if self._matches(one)]
        scope = scope_of(self._who)
        if scope.unbounded or not matching:
            return matching
        owners = [_owner(one.event) for one in matching]
        seen = await self._services.database.read(_visible, scope, owners)
        if any(self._who.holds(one) for one in _LOOK):
            seen.add(_CLUSTERS)
        return [one for one, owner in zip(matching, owners, strict=True) if owner in seen]

    def _matches(self, one: Happened) -> bool:
        event = one.event
        if self.kinds and event.kind not in self.kinds:
            return False
        if self.repository and getattr(event, "slug", "") != self.repository:
            return False
        return not self.subject or event.subject == self.subject


def shown(one: Happened) -> wire.Event:
    """An event on the wire."""
    return wire.Event(
        id=one.id,
        kind=one.event.kind,
        at=clock.text(one.at) or "",
        subject=one.event.subject,
        data=msgspec.to_builtins(one.event),
    )


@get("/events", summary="What happens, live", media_type="text/event-stream")
async def stream_events(
    *,
    services: Svc,
    who: Who,
    request: Request[Any, Any, Any],
    kinds: Text = "",
    repository: Text = "",
    subject: Text = "",
    since: Count = 0,
) -> ASGIApp:
    """From now on, or from the event after `since` or `Last-Event-ID` on.

    A message's event is its kind, its id the event's; `kinds` takes several with commas.
    """
    guard.signed_in(who)
    guard.holds(who, TokenScope.BUILD_READ)
    wanted = Wanted(services, who, kinds=kinds, repository=repository, subject=subject)
    last = _last(request.headers.get("last-event-id", ""), since)
    hub = services.hub

    async def work(put: Put) -> None:
        follower = hub.follow(last)
        await follower.begin()
        await put(sse.HEARTBEAT)
        while True:
            for one in await wanted.of(await follower.next(HEARTBEAT_S)):
                await put(
                    sse.write(one.event.kind, msgspec.json.encode(shown(one)), at=str(one.id))
                )

    return stream(work)


def _last(header: str, since: int) -> int | None:
    if not header:
        return since or None
    if not (header.isascii() and header.isdigit()):
        raise InvalidInput(
            "this Last-Event-ID is none of ours",
            code="bad-last-event-id",
            where="header.Last-Event-ID",
            remedy="send the last message's id as it was",
        )
    return min(int(header), 2**53)


@get("/events/recent", summary="What happened lately")
async def recent_events(
    *,
    services: Svc,
    who: Who,
    kinds: Text = "",
    repository: Text = "",
    subject: Text = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[wire.Event]:
    """Newest first."""
    guard.signed_in(who)
    guard.holds(who, TokenScope.BUILD_READ)
    wanted = Wanted(services, who, kinds=kinds, repository=repository, subject=subject)
    before = cursors.decode_int(cursor)
    items: list[wire.Event] = []
    for _ in range(_MOST_SCANS):
        rows = await services.database.read(outbox.before, before, limit=_SCAN)
        found = [Happened(*row) for row in rows]
        items += [shown(one) for one in await wanted.of(found)]
        before = found[-1].id if found else None
        if len(items) >= limit or len(found) < _SCAN:
            break
    kept = items[:limit]
    more = len(items) > limit or (before is not None and len(rows) == _SCAN)
    return Page(items=kept, next=cursors.encode(kept[-1].id) if more and kept else None)


ROUTES = [stream_events, recent_events]
