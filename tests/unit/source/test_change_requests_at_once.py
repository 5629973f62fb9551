"""Of change requests between the same branches one is open, whoever asks at the same moment."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Connection

from fairway.model.change_request import ChangeRequest, ChangeState
from fairway.model.errors import Conflict
from fairway.source import change_requests, change_rows
from fairway.store import change_requests as rows
from fairway.store.database import Database
from fairway.testing.changeplace import ChangePlace
from fairway.testing.together import together

NEW = {"source": "feature", "target": "main", "title": "a", "description": "", "author": "wim"}


@pytest.fixture
async def place(database: Database) -> ChangePlace:
    return await ChangePlace(database, None).begin()


async def test_two_that_ask_for_the_same_get_the_same(place: ChangePlace) -> None:
    create = partial(change_requests._create, repository_id=place.number, values=NEW)
    one, two = together(place.database, create, create)
    assert one.number == two.number == 1


async def test_of_two_closed_ones_one_is_opened_again(place: ChangePlace) -> None:
    closed = [place.database.write_now(made_and_closed, place.number) for _ in range(2)]

    def reopen(db: Connection, change: ChangeRequest) -> None:
        opened = {"state": ChangeState.OPEN}
        change_rows.put(db, change, action="reopened", actor="wim", values=opened)

    with pytest.raises(Conflict, match="#1 is open between the same branches"):
        together(place.database, lambda db: reopen(db, closed[0]), lambda db: reopen(db, closed[1]))
    assert [(await place.now(number)).state for number in (1, 2)] == ["open", "closed"]


def made_and_closed(db: Connection, number: int) -> ChangeRequest:
    made = change_requests._create(db, number, NEW)
    closed = rows.change(db, made, state=ChangeState.CLOSED)
    assert closed is not None
    return closed
