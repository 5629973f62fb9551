"""Change requests of repositories."""

from __future__ import annotations

from typing import Final

from litestar import get, post
from litestar.params import JSONBody

from fairway.api import cursors
from fairway.api.services import Cursor, Limit, Number, Services, Slug, Svc, Text, Who, here
from fairway.client.wire import change as wire
from fairway.client.wire.common import Page
from fairway.git.writing import Method
from fairway.kit import clock
from fairway.source.change_requests import ChangeRequests, Shown, Wanted

_PATH: Final = "/repos/{org:str}/{name:str}/changes"
_ONE: Final = _PATH + "/{number:int}"


def _changes(services: Services) -> ChangeRequests:
    return here(services.changes, "change requests")


@get(_PATH, summary="List a repository's change requests")
async def list_changes(
    *,
    services: Svc,
    who: Who,
    slug: Slug,
    status: Text = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Page[wire.Change]:
    """Newest first. `status`: open (what is asked for by nothing), merged, closed or all."""
    before = cursors.decode_int(cursor)
    changes = _changes(services)
    found = await changes.listing(who, slug, state=status or "open", before=before, limit=limit)
    items = [shown(changes, one) for one in found]
    return cursors.page(items, limit, items[-1].number if items else None)


@post(_PATH, summary="Open a change request", status_code=201)
async def open_change(
    *, services: Svc, who: Who, slug: Slug, data: JSONBody[wire.ChangeCreate]
) -> wire.Change:
    """From a branch that was pushed. An open one between the same branches is answered as it is."""
    wanted = Wanted(
        source=data.source, target=data.target, title=data.title, description=data.description
    )
    changes = _changes(services)
    return shown(changes, await changes.open(who, slug, wanted))


@get(_ONE, summary="Show a change request")
async def show_change(*, services: Svc, who: Who, slug: Slug, number: Number) -> wire.Change:
    """With the checks of its last build."""
    changes = _changes(services)
    return shown(changes, await changes.shown(who, slug, number))


@post(_ONE + "/merge", summary="Merge a change request", status_code=200)
async def merge_change(
    *, services: Svc, who: Who, slug: Slug, number: Number, data: JSONBody[wire.ChangeMerge]
) -> wire.Change:
    """Now, or with `when_green` as soon as its checks have passed."""
    changes = _changes(services)
    method = Method(data.method)
    done = await changes.merge(who, slug, number, method=method, when_green=data.when_green)
    return shown(changes, done)


@post(_ONE + "/close", summary="Close a change request without merging", status_code=200)
async def close_change(
    *, services: Svc, who: Who, slug: Slug, number: Number, data: JSONBody[wire.ChangeClose]
) -> wire.Change:
    """It can be opened again."""
    changes = _changes(services)
    return shown(changes, await changes.close(who, slug, number, reason=data.reason))


@post(_ONE + "/reopen", summary="Open a closed change request again", status_code=200)
async def reopen_change(*, services: Svc, who: Who, slug: Slug, number: Number) -> wire.Change:
    """On its branches as they are now."""
    changes = _changes(services)
    return shown(changes, await changes.reopen(who, slug, number))


def shown(changes: ChangeRequests, one: Shown) -> wire.Change:
    """A change request as the API shows it."""
    change, slug = one.change, one.repository.slug
    required = one.repository.settings.required_checks
    names = dict.fromkeys([*one.checks, *required])
    return wire.Change(
        repository=slug,
        number=change.number,
        state=change.state,
        source=change.source,
        target=change.target,
        title=change.title,
        description=change.description,
        author=change.author,
        head=change.head,
        base=change.base,
        merge=change.merge,
        conflicts=change.conflicts,
        check=change.check,
        stale=change.tested not in {"", change.merge},
        build=change.build,
        checks=[
            wire.CheckResult(
                name=name, status=one.checks.get(name, "missing"), required=name in required
            )
            for name in names
        ],
        when_green=change.when_green,
        green_by=change.green_by,
        merged=change.merged,
        merged_by=change.merged_by,
        reason=change.reason,
        link=changes.link(slug, change.number),
        created=clock.text(change.created) or "",
        changed=clock.text(change.changed) or "",
        closed=clock.text(change.closed),
    )


ROUTES = [list_changes, open_change, show_change, merge_change, close_change, reopen_change]
