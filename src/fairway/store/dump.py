"""The whole database as lines of JSON: for backups, and for moving between SQLite and PostgreSQL.

Each line is `[table, {column: value}]`, parents before children; bytes are `{"base64": "..."}`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, func, insert, select, text

from fairway.model.errors import BadFile
from fairway.store.database import Database
from fairway.store.schema import metadata

_BATCH: Final = 500


def dump(database: Database) -> Iterator[bytes]:
    """Every row, from one snapshot. Blocks; use it away from the loop.

    The snapshot does not hold up writers: WAL on SQLite, REPEATABLE READ on PostgreSQL.
    """
    encoder = msgspec.json.Encoder()
    isolation = {} if database.sqlite else {"isolation_level": "REPEATABLE READ"}
    with database.engine.connect() as plain:
        db = plain.execution_options(stream_results=True, **isolation)
        with db.begin():
            for table in metadata.sorted_tables:
                for row in db.execute(select(table)).mappings():
                    values = {name: _out(value) for name, value in row.items()}
                    yield encoder.encode([str(table.name), values]) + b"\n"


def load(database: Database, lines: Iterable[bytes]) -> int:
    """Fill an empty database that has the schema. Returns the number of rows.

    Raises `BadFile` for a line that no dump of this version holds; nothing is written then.
    """
    return database.write_now(_load, lines)


def _load(db: Connection, lines: Iterable[bytes]) -> int:
    rows: list[dict[str, Any]] = []
    current: Table | None = None
    count = 0
    for number, line in enumerate(lines, 1):
        table, values = _read(line, number)
        if current is not None and (table is not current or len(rows) >= _BATCH):
            db.execute(insert(current), rows)
            rows = []
        current = table
        rows.append(values)
        count += 1
    if current is not None and rows:
        db.execute(insert(current), rows)
    if db.dialect.name == "postgresql":
        _set_sequences(db)
    return count


def _read(line: bytes, number: int) -> tuple[Table, dict[str, Any]]:
    try:
        name, values = msgspec.json.decode(line, type=tuple[str, dict[str, Any]])
        table = metadata.tables[name]
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
        raise BadFile(
            f"not a row of a backup of this version: {error}",
            where=f"database.jsonl:{number}",
            remedy="restore it with the Fairway that wrote it, then upgrade",
        ) from error
    return table, {column: _in(value) for column, value in values.items()}


def _set_sequences(db: Connection) -> None:
    for table in metadata.sorted_tables:
        if "id" not in table.c or not table.c.id.autoincrement or table.name == "upload":
            continue
        newest = db.execute(select(func.max(table.c.id))).scalar()
        if newest is not None:
            sequence = f"pg_get_serial_sequence('\"{table.name}\"', 'id')"
            db.execute(text(f"SELECT setval({sequence}, :newest)"), {"newest": newest})


def _out(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    return value


def _in(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return base64.b64decode(value["base64"])
    return value
