"""A backup's rows: whatever was dumped is loaded again, in the same or another database."""

import pytest
from sqlalchemy import Connection

from fairway.model.errors import BadFile
from fairway.store import dump, schema, settings
from fairway.store.database import Database


def empty(db: Connection) -> None:
    for table in reversed(schema.metadata.sorted_tables):
        db.execute(table.delete())


def test_what_is_dumped_is_loaded_again(database: Database) -> None:
    database.write_now(settings.put, "installation", "here")
    database.write_now(settings.put, "words", 'quotes " and umlauts äöü')
    lines = list(dump.dump(database))
    assert len(lines) >= 2
    database.write_now(empty)
    assert list(dump.dump(database)) == []
    assert dump.load(database, lines) == len(lines)
    assert list(dump.dump(database)) == lines
    assert database.read_now(settings.get, "words") == 'quotes " and umlauts äöü'


@pytest.mark.parametrize("line", [b"", b"[]", b'["nothing", {}]', b'["setting", 5]', b"\xff"])
def test_a_line_that_is_no_row_is_named_and_nothing_is_written(
    database: Database, line: bytes
) -> None:
    database.write_now(settings.put, "kept", "yes")
    lines = list(dump.dump(database))
    database.write_now(empty)
    with pytest.raises(BadFile) as caught:
        dump.load(database, [*lines, line])
    assert caught.value.where == f"database.jsonl:{len(lines) + 1}"
    assert list(dump.dump(database)) == []
