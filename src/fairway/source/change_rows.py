"""The transactions and words of change requests: a change is written together with its event."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from fairway.git.writing import Author, Method
from fairway.model.change_request import ChangeRequest, ChangeState, Check
from fairway.model.errors import Conflict
from fairway.model.events import BuildFinished, ChangeRequestChanged
from fairway.model.repository import Repository
from fairway.model.scope import SYSTEM, Scope
from fairway.store import audit, outbox, refs, repositories, users
from fairway.store import change_requests as rows


class State(Struct, frozen=True):
    """A change request with what decides over it."""

    repository: Repository
    change: ChangeRequest
    results: dict[str, str]


def put(
    db: Connection, change: ChangeRequest, *, action: str, actor: str, values: dict[str, Any]
) -> ChangeRequest | None:
    """Change columns and tell; None when somebody else was faster. Raises as `need_only`."""
    if action == "reopened":
        refs.lock(db, change.repository)  # nobody opens another meanwhile
        need_only(db, change)
    done = rows.change(db, change, **values)
    if done is not None:
        tell(db, done, action, actor)
    return done


def need_only(db: Connection, change: ChangeRequest) -> None:
    """Raise `Conflict` when another one is open between the same branches."""
    other = rows.open_between(db, change.repository, change.source, change.target)
    if other is not None:
        raise Conflict(
            f"change request #{other.number} is open between the same branches",
            code="change-request-exists",
        )


def tell(db: Connection, change: ChangeRequest, action: str, actor: str) -> None:
    """Write the event and, for what a person did, the audit entry."""
    found = repositories.by_id(db, SYSTEM, change.repository)
    slug = found.slug if found else ""
    event = ChangeRequestChanged(
        repository=change.repository, slug=slug, change=change.id, number=change.number,
        action=action, state=change.state, title=change.title, author=change.author,
        source=change.source, target=change.target, head=change.head, merge=change.merge,
        check=change.check, build=change.build, actor=actor, reason=change.reason,
    )  # fmt: skip
    outbox.append(db, event, key=f"change-request/{change.id}/{change.version}")
    if action in {"opened", "queued", "merged", "closed", "reopened"}:
        subject = f"change-request/{slug}#{change.number}"
        after = {"head": change.head, "merged": change.merged, "reason": change.reason}
        audit.append(db, actor, f"change-request.{action}", subject, after=after)


def state(db: Connection, change_id: int) -> State | None:
    """One with its repository and its checks; None when it was deleted."""
    change = rows.find(db, change_id)
    found = repositories.by_id(db, SYSTEM, change.repository) if change else None
    if change is None or found is None:
        return None
    return State(found, change, rows.results(db, change.repository, change.build))


def untested(change: ChangeRequest, merge: str) -> bool:
    """Whether this is still its merge, and nobody has built it."""
    still = change.state is ChangeState.OPEN and change.merge == merge
    return still and bool(merge) and change.tested != merge


def wants_test(change: ChangeRequest) -> bool:
    """Its merge is another than the one tested, and nobody has asked for its build."""
    return bool(change.merge) and change.tested not in {"", change.merge}


def begun(db: Connection, change_id: int, *, merge: str, number: int) -> None:
    """Its build was made; the build may have ended before we came to write this."""
    change = rows.locked(db, change_id)
    if change is None or change.merge != merge or change.tested == merge:
        return
    check = Check.PENDING if number else Check.NONE
    done = rows.change(db, change, tested=merge, build=number, check=check)
    if done is not None:
        tell(db, done, "tested" if check is Check.NONE else "testing", change.author)


def judged(db: Connection, change_id: int, *, event: BuildFinished) -> None:
    """A later build of the same merge (a retry) counts instead of an earlier one."""
    change = rows.locked(db, change_id)
    if change is None or event.after != change.merge or event.number < change.build:
        return
    check = Check(event.status)
    if (change.tested, change.build, change.check) == (event.after, event.number, check):
        return
    done = rows.change(db, change, tested=event.after, build=event.number, check=check, reason="")
    if done is not None:
        tell(db, done, "tested", "fairway")


def scope_of(db: Connection, user_id: int | None) -> Scope:
    """What a user may do now, who asked for something earlier."""
    if user_id == 0:
        return SYSTEM
    found = users.by_id(db, user_id) if user_id is not None else None
    if found is None or not found.active:
        return Scope()
    return Scope(actor=found.login, user=found.id, everything=found.admin)


def author(db: Connection, change: ChangeRequest, actor: str) -> Author:
    """Who a merge says made it: the person who asked for it."""
    del change
    found = users.by_login(db, actor)
    name = found.name if found and found.name else actor
    email = found.email if found and found.email else f"{actor}@localhost"
    return Author(name=name, email=email)


def message(change: ChangeRequest, method: Method) -> str:
    """The message of the commit that it becomes in its target."""
    return merge_message(change) if method is Method.MERGE else squash_message(change)


def merge_message(change: ChangeRequest) -> str:
    """The message of the commit with two parents."""
    text = f"Merge change request #{change.number}: {change.title}"
    return f"{text}\n\n{change.description}".rstrip() + "\n"


def squash_message(change: ChangeRequest) -> str:
    """The message of the one commit, whose first line is the title as it was written."""
    text = f"{change.title} (#{change.number})"
    return f"{text}\n\n{change.description}".rstrip() + "\n"


def number_of(ref: str) -> int | None:
    """The number of the change request that a build's ref belongs to."""
    parts = ref.split("/")
    if len(parts) == 4 and parts[:2] == ["refs", "changes"] and parts[2].isdigit():
        return int(parts[2])
    return None
